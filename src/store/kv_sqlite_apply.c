/* kv_sqlite_apply.c - the log of the durable key-value store: written, read again, and emptied into
 * the tables.
 *
 * A commit writes one row into the log instead of a page for every key. A sweep takes all keys that
 * are only in the log, sorts them by row, and puts a part of them into the tables with each commit
 * that comes (its sync is paid anyway) or, when nobody writes, with commits of its own. When all
 * are through, the rows of the log that were there when it began are deleted, oldest first, a few
 * with each commit. Rows say what is, not what changed, and a key that is written again meanwhile
 * has a newer row: so whatever part is on disk when the process dies, reading the rest of the log
 * over it gives the truth. The counts of buckets are in each row too, and go into the tables before
 * the first row that has them is deleted.
 */
#include "store/kv_sqlite_int.h"

#include <stdlib.h>

#define ROWS_MAX      16384 /* of the log, before a sweep begins whatever they hold */
#define TRIM_PART     16u   /* of what a part of the sweep may take, this many times fewer rows */
#define PAUSE_NS      1000000000u
#define ALONE_AT_OPEN 4096u

/* ---- the row of a transaction ---- */

static enum hf_err add_entry(struct hf_kvs *s, const struct hf_kvs_entry *e)
{
    struct hf_kv_log_record rec = {
        .kind = HF_KV_LOG_TABLE, .bucket = (uint16_t)e->bucket->id, .key = hf_kvs_entry_key(e)};
    if (e->next.kind == HF_KVS_DEAD)
        rec.kind = HF_KV_LOG_DEAD;
    if (e->next.kind == HF_KVS_LIVE) {
        rec.kind = HF_KV_LOG_LIVE;
        rec.number = (uint64_t)(e->next.id & HF_KVS_NUMBER_MAX);
        rec.version = (uint64_t)e->next.version;
        rec.value = hf_view(e->next.value, e->next.size);
    }
    return hf_kv_log_add(&s->row, &rec);
}

static enum hf_err make_row(struct hf_kvs *s)
{
    uint32_t n_buckets = 0;
    HF_LIST_FOR (it, &s->changed)
        n_buckets++;
    enum hf_err err =
        hf_kv_log_begin(&s->row, (uint64_t)s->version, n_buckets, (uint32_t)s->n_touched);
    HF_LIST_FOR (it, &s->changed) {
        struct hf_kv_bucket *b = HF_LIST_ENTRY(it, struct hf_kv_bucket, in_changed);
        struct hf_kv_log_bucket counts = {(uint16_t)b->id, b->keys, b->bytes};
        if (err == HF_OK)
            err = hf_kv_log_add_bucket(&s->row, &counts);
    }
    HF_LIST_FOR (it, &s->touched)
        if (err == HF_OK)
            err = add_entry(s, HF_LIST_ENTRY(it, struct hf_kvs_entry, in_touched));
    if (err == HF_OK)
        hf_kv_log_end(&s->row);
    return err;
}

int hf_kvs_log_write(struct hf_kvs *s)
{
    sqlite3_stmt *st = s->statements[HF_KVS_LOG_ADD];
    if (hf_list_empty(&s->changed) && hf_list_empty(&s->touched))
        return SQLITE_OK;
    if (make_row(s) != HF_OK)
        return SQLITE_NOMEM;
    int rc = sqlite3_bind_int64(st, 1, s->log_last + 1);
    if (rc == SQLITE_OK)
        rc = hf_kvs_bind(st, 2, hf_buf_view(&s->row));
    if (rc == SQLITE_OK)
        rc = hf_kvs_run(s, HF_KVS_LOG_ADD);
    s->log_last++;
    s->log_bytes += s->row.len;
    return rc;
}

/* ---- the sweep ---- */

static bool has_log(const struct hf_kvs *s)
{
    return s->log_first <= s->log_last;
}

static bool is_due(const struct hf_kvs *s)
{
    return s->n_waiting >= s->limits.log_keys - s->limits.log_keys / 4 ||
           s->waiting_bytes >= s->limits.log_bytes - s->limits.log_bytes / 4 ||
           s->log_bytes >= s->limits.log_bytes / 2 || s->log_last - s->log_first >= ROWS_MAX;
}

static int64_t row_of(const struct hf_kvs_entry *e)
{
    return e->table_id != 0 ? e->table_id : e->now.id;
}

static int by_row(const void *a, const void *b)
{
    int64_t x = row_of(*(struct hf_kvs_entry *const *)a),
            y = row_of(*(struct hf_kvs_entry *const *)b);
    return x < y ? -1 : x > y;
}

/* Of what is on disk: rows and states of a transaction in progress are not in it. */
static int sweep_begin(struct hf_kvs *s)
{
    struct hf_kvs_sweep *w = &s->sweep;
    HF_ASSERT(w->upto == 0 && w->entries == NULL);
    if (s->n_waiting > 0 && (w->entries = malloc(s->n_waiting * sizeof(void *))) == NULL)
        return SQLITE_NOMEM;
    w->n = w->at = w->to = 0;
    w->counted = w->counting = false;
    w->trim_to = 0;
    w->upto = s->log_last_kept;
    HF_LIST_FOR (it, &s->waiting) {
        struct hf_kvs_entry *e = HF_LIST_ENTRY(it, struct hf_kvs_entry, in_kept);
        e->in_sweep = true;
        w->entries[w->n++] = e;
    }
    if (w->n > 1)
        qsort(w->entries, w->n, sizeof *w->entries, by_row);
    s->log_bytes -= s->log_bytes_kept;
    s->log_bytes_kept = 0;
    return SQLITE_OK;
}

/* What was written again in this transaction has a newer row in the log, and is left to the next.
 */
static int apply(struct hf_kvs *s, struct hf_kvs_entry *e)
{
    if (e->next.kind != HF_KVS_NONE || e->now.kind == HF_KVS_TABLE)
        return SQLITE_OK;
    if (e->now.kind == HF_KVS_LIVE)
        return hf_kvs_write(s, e->bucket, hf_kvs_entry_key(e), e->table_id, &e->now,
                            hf_view(e->now.value, e->now.size));
    return e->table_id != 0 ? hf_kvs_delete(s, e->table_id) : SQLITE_OK;
}

static int write_counts(struct hf_kvs *s)
{
    int rc = sqlite3_bind_int64(s->statements[HF_KVS_VERSION], 1, s->version);
    if (rc == SQLITE_OK)
        rc = hf_kvs_run(s, HF_KVS_VERSION);
    HF_LIST_FOR (it, &s->stale)
        if (rc == SQLITE_OK)
            rc = hf_kvs_write_counts(s, HF_LIST_ENTRY(it, struct hf_kv_bucket, in_stale));
    s->sweep.counting = true;
    return rc;
}

static int trim(struct hf_kvs *s, size_t most)
{
    struct hf_kvs_sweep *w = &s->sweep;
    int rc = w->counted ? SQLITE_OK : write_counts(s);
    int64_t to = s->log_first + (int64_t)(most / TRIM_PART);
    w->trim_to = to < w->upto ? to : w->upto;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(s->statements[HF_KVS_LOG_TRIM], 1, w->trim_to);
    return rc == SQLITE_OK ? hf_kvs_run(s, HF_KVS_LOG_TRIM) : rc;
}

int hf_kvs_sweep_some(struct hf_kvs *s, size_t most, bool force)
{
    struct hf_kvs_sweep *w = &s->sweep;
    int rc = SQLITE_OK;
    if (w->upto == 0 && (!has_log(s) || s->log_last_kept < s->log_first || !(force || is_due(s))))
        return SQLITE_OK;
    if (w->not_before != 0 && hf_kvs_now_ns() < w->not_before)
        return SQLITE_OK;
    w->not_before = 0;
    if (w->upto == 0)
        rc = sweep_begin(s);
    size_t end = w->n - w->at > most ? w->at + most : w->n;
    for (; rc == SQLITE_OK && w->to < end; w->to++)
        rc = apply(s, w->entries[w->to]);
    if (rc == SQLITE_OK && w->to == w->n)
        rc = trim(s, most);
    return rc;
}

static void sweep_kept(struct hf_kvs *s)
{
    struct hf_kvs_sweep *w = &s->sweep;
    for (; w->at < w->to; w->at++) {
        struct hf_kvs_entry *e = w->entries[w->at];
        e->in_sweep = false;
        if (e->next.kind == HF_KVS_NONE && e->now.kind != HF_KVS_TABLE)
            hf_kvs_entry_applied(s, e);
    }
    if (w->counting) {
        while (hf_list_pop_front(&s->stale) != NULL) {
        }
        w->counted = true;
    }
    if (w->trim_to != 0)
        s->log_first = w->trim_to + 1;
    if (w->upto != 0 && s->log_first > w->upto) {
        free(w->entries);
        w->entries = NULL;
        w->n = w->at = w->to = 0;
        w->upto = 0;
    }
}

void hf_kvs_sweep_end(struct hf_kvs *s, bool committed)
{
    if (committed) {
        sweep_kept(s);
        s->log_last_kept = s->log_last;
        s->log_bytes_kept = s->log_bytes;
    } else {
        s->log_last = s->log_last_kept;
        s->log_bytes = s->log_bytes_kept;
        s->sweep.to = s->sweep.at;
    }
    s->sweep.counting = false;
    s->sweep.trim_to = 0;
}

void hf_kvs_sweep_failed(struct hf_kvs *s, int rc)
{
    hf_kvs_say(s, rc, "keys stay in the log, and are moved into the tables later; nothing is lost");
    s->sweep.not_before = hf_kvs_now_ns() + PAUSE_NS;
}

bool hf_kvs_sweep_alone(struct hf_kvs *s, size_t most)
{
    bool at_commit = false;
    if (s->broken || !has_log(s) ||
        (s->sweep.not_before != 0 && hf_kvs_now_ns() < s->sweep.not_before))
        return false;
    int rc = hf_kvs_run(s, HF_KVS_BEGIN_WRITE);
    if (rc == SQLITE_OK)
        rc = hf_kvs_sweep_some(s, most, true);
    at_commit = rc == SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = hf_kvs_run(s, HF_KVS_COMMIT);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(s->db))
        hf_kvs_run(s, HF_KVS_ROLLBACK);
    hf_kvs_sweep_end(s, rc == SQLITE_OK);
    hf_kvs_entries_end(s, rc == SQLITE_OK);
    if (rc == SQLITE_OK)
        return has_log(s);
    if (at_commit && (rc & 0xff) != SQLITE_FULL && (rc & 0xff) != SQLITE_BUSY)
        hf_kvs_break(s, rc, "a commit failed");
    else
        hf_kvs_sweep_failed(s, rc);
    return false;
}

void hf_kvs_sweep_free(struct hf_kvs *s)
{
    free(s->sweep.entries);
    hf_buf_done(&s->row);
}

/* ---- at open ---- */

struct replay {
    struct hf_kvs *s;
    struct hf_kv_bucket **by_id; /* HF_KVS_BUCKETS + 1 */
    struct hf_report *report;
};

static enum hf_err no_memory(struct hf_report *report)
{
    return hf_report_set(report, HF_LIMIT, "out of memory");
}

static enum hf_err no_bucket(struct hf_report *report, uint16_t id)
{
    return hf_report_set(report, HF_CORRUPT, "there is no bucket %u", id);
}

static enum hf_err replay_record(struct replay *p, const struct hf_kv_log_record *rec)
{
    struct hf_kv_bucket *b = p->by_id[rec->bucket];
    struct hf_kvs_state table = {.kind = HF_KVS_NONE}, state;
    if (b == NULL)
        return no_bucket(p->report, rec->bucket);
    struct hf_kvs_entry *e = hf_kvs_entry_get(b, rec->key);
    if (e == NULL || rec->kind == HF_KV_LOG_TABLE) {
        int rc = hf_kvs_look(p->s, b, rec->key, &table);
        if (rc != SQLITE_OK)
            return hf_report_set(p->report, (rc & 0xff) == SQLITE_CORRUPT ? HF_CORRUPT : HF_IO,
                                 "%s", sqlite3_errmsg(p->s->db));
    }
    if (e == NULL && (e = hf_kvs_entry_new(p->s, b, rec->key, &table)) == NULL)
        return no_memory(p->report);
    state = rec->kind == HF_KV_LOG_TABLE ? table : (struct hf_kvs_state){.kind = HF_KVS_DEAD};
    if (rec->kind == HF_KV_LOG_LIVE)
        state = (struct hf_kvs_state){HF_KVS_LIVE,
                                      (int64_t)rec->bucket << HF_KVS_NUMBER | (int64_t)rec->number,
                                      (int64_t)rec->version, rec->value.len, NULL};
    return hf_kvs_entry_put(p->s, e, state, rec->value, e->table_id) ? HF_OK : no_memory(p->report);
}

static enum hf_err replay_row(struct replay *p, struct hf_view row)
{
    struct hf_kv_log_reader r;
    struct hf_kv_log_bucket counts;
    struct hf_kv_log_record rec;
    enum hf_err err = hf_kv_log_open(&r, row, p->report);
    while (err == HF_OK && hf_kv_log_next_bucket(&r, &counts)) {
        struct hf_kv_bucket *b = p->by_id[counts.bucket];
        if (b == NULL)
            return no_bucket(p->report, counts.bucket);
        b->keys = b->kept.keys = counts.keys;
        b->bytes = b->kept.bytes = counts.bytes;
        atomic_store(&b->shown_keys, counts.keys);
        atomic_store(&b->shown_bytes, counts.bytes);
        if (!hf_list_linked(&b->in_stale))
            hf_list_push_back(&p->s->stale, &b->in_stale);
    }
    while (err == HF_OK && hf_kv_log_next(&r, &rec))
        err = replay_record(p, &rec);
    hf_kvs_entries_end(p->s, err == HF_OK);
    if (err == HF_OK && (int64_t)r.version > p->s->version)
        p->s->version = p->s->version_kept = (int64_t)r.version;
    return err;
}

static enum hf_err replay_rows(struct replay *p, sqlite3_stmt *st)
{
    struct hf_kvs *s = p->s;
    enum hf_err err = HF_OK;
    int rc = SQLITE_ROW;
    while (err == HF_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(st, 0);
        size_t len = (size_t)sqlite3_column_bytes(st, 1);
        if (id <= 0)
            err = hf_report_set(p->report, HF_CORRUPT, "no row has such a number");
        if (err == HF_OK)
            err = replay_row(p, hf_view(sqlite3_column_blob(st, 1), len));
        if (err != HF_OK)
            return hf_report_wrap(p->report, err, "%s%s: row %lld of its log", s->path,
                                  err == HF_CORRUPT ? " is damaged" : "", (long long)id);
        if (!has_log(s))
            s->log_first = id;
        s->log_last = s->log_last_kept = id;
        s->log_bytes += len;
    }
    s->log_bytes_kept = s->log_bytes;
    return rc == SQLITE_DONE
               ? HF_OK
               : hf_report_set(p->report, (rc & 0xff) == SQLITE_CORRUPT ? HF_CORRUPT : HF_IO,
                               "%s: %s", s->path, sqlite3_errmsg(s->db));
}

enum hf_err hf_kvs_replay(struct hf_kvs *s, struct hf_report *report)
{
    struct replay p = {s, calloc(HF_KVS_BUCKETS + 1, sizeof(void *)), report};
    struct hf_kv_bucket *b;
    sqlite3_stmt *st = NULL;
    enum hf_err err = p.by_id == NULL ? no_memory(report) : HF_OK;
    for (size_t i = 0; err == HF_OK && (b = hf_map_next(&s->buckets, &i)) != NULL;)
        p.by_id[b->id] = b;
    int rc = sqlite3_prepare_v2(s->db, "SELECT id, record FROM log ORDER BY id", -1, &st, NULL);
    if (err == HF_OK && rc != SQLITE_OK)
        err = hf_report_set(report, HF_IO, "%s: %s", s->path, sqlite3_errmsg(s->db));
    s->replaying = true;
    if (err == HF_OK)
        err = replay_rows(&p, st);
    if (!hf_kvs_born_all(s) && err == HF_OK)
        err = no_memory(report);
    sqlite3_finalize(st);
    free(p.by_id);
    /* If that fails, what is in memory is right all the same, and it is tried again later. */
    while (err == HF_OK && hf_kvs_sweep_alone(s, ALONE_AT_OPEN)) {
    }
    return err;
}
