/* kv_sqlite_group.c - a group of key-value operations as one transaction.
 *
 * The committer alone runs this, so what an operation reads is what the one before it left, and
 * counters and swaps are exact. A refusal (a limit, a value that is no number) is one operation's;
 * an error of SQLite is the whole group's: it is rolled back and none of it happened. Then each is
 * tried alone, so that a full disk refuses what needs room and nothing else. When a commit itself
 * fails for another reason than room, nobody knows what a restart will find: the answer is UNKNOWN,
 * and the store does nothing any more until it is opened anew.
 */
#include "store/kv_sqlite_int.h"

#include <stdlib.h>

#include "base/hash.h"

static bool writes(const struct hf_kvs_record *rec)
{
    return rec->kind != HF_KV_GET && rec->kind != HF_KV_EXISTS && rec->kind != HF_KV_LIST;
}

/* A statement that gives no row. */
static int run(struct hf_kvs *s, enum hf_kvs_statement which)
{
    sqlite3_stmt *st = s->statements[which];
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Blobs that are there, also when they are empty: NULL would be NULL. */
static int bind(sqlite3_stmt *st, int at, struct hf_view v)
{
    return sqlite3_bind_blob64(st, at, v.len > 0 ? (const void *)v.ptr : "", v.len, SQLITE_STATIC);
}

uint32_t hf_kvs_crc(int64_t id, int64_t version, struct hf_view key, struct hf_view value)
{
    uint32_t crc = hf_crc32c(0, &id, sizeof id);
    crc = hf_crc32c(crc, &version, sizeof version);
    crc = hf_crc32c(crc, key.ptr, key.len);
    return hf_crc32c(crc, value.ptr, value.len);
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct row {
    int64_t id; /* 0: there is none */
    int64_t version;
    uint64_t size;        /* of the value */
    struct hf_view value; /* until the statement is reset */
};

/* The caller resets with find_done. */
static int find(struct hf_kvs *s, struct hf_kvs_record *rec, bool value, struct row *ret)
{
    sqlite3_stmt *st = s->statements[value ? HF_KVS_FIND : HF_KVS_LOOK];
    *ret = (struct row){0};
    if (rec->bucket->id == 0)
        return SQLITE_OK;
    int rc = sqlite3_bind_int64(st, 1, rec->bucket->id);
    if (rc == SQLITE_OK)
        rc = bind(st, 2, rec->key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    ret->id = sqlite3_column_int64(st, 0);
    ret->version = sqlite3_column_int64(st, 1);
    ret->size = (uint64_t)sqlite3_column_int64(st, 2);
    if (!value)
        return SQLITE_OK;
    const void *ptr = sqlite3_column_blob(st, 4);
    ret->value = hf_view(ptr, (size_t)sqlite3_column_bytes(st, 4));
    if (ptr == NULL && ret->size > 0)
        return SQLITE_NOMEM;
    uint32_t crc = hf_kvs_crc(ret->id, ret->version, rec->key, ret->value);
    return crc == (uint32_t)sqlite3_column_int64(st, 3) ? SQLITE_OK : SQLITE_CORRUPT;
}

static int find_done(struct hf_kvs *s, int rc)
{
    sqlite3_reset(s->statements[HF_KVS_FIND]);
    sqlite3_reset(s->statements[HF_KVS_LOOK]);
    return rc;
}

static void changed(struct hf_kvs *s, struct hf_kv_bucket *b)
{
    if (!hf_list_linked(&b->in_changed))
        hf_list_push_back(&s->changed, &b->in_changed);
}

/* The bucket's row, at its first key. */
static int make_bucket(struct hf_kvs *s, struct hf_kv_bucket *b)
{
    sqlite3_stmt *st = s->statements[HF_KVS_NEW_BUCKET];
    if (b->id != 0)
        return SQLITE_OK;
    if (s->last_bucket >= (int64_t)HF_KVS_BUCKETS)
        return SQLITE_FULL;
    int rc = sqlite3_bind_int64(st, 1, s->last_bucket + 1);
    if (rc == SQLITE_OK)
        rc = bind(st, 2, b->space);
    if (rc == SQLITE_OK)
        rc = bind(st, 3, b->name);
    if (rc == SQLITE_OK)
        rc = run(s, HF_KVS_NEW_BUCKET);
    if (rc == SQLITE_OK) {
        b->id = ++s->last_bucket;
        changed(s, b);
    }
    return rc;
}

static int write_row(struct hf_kvs *s, struct hf_kvs_record *rec, int64_t id, bool is_new,
                     struct hf_view value)
{
    enum hf_kvs_statement which = is_new ? HF_KVS_INSERT : HF_KVS_UPDATE;
    sqlite3_stmt *st = s->statements[which];
    int at = 1, rc = sqlite3_bind_int64(st, at++, id);
    if (is_new && rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, rec->bucket->id);
    if (is_new && rc == SQLITE_OK)
        rc = bind(st, at++, rec->key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, s->version);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, hf_kvs_crc(id, s->version, rec->key, value));
    if (rc == SQLITE_OK)
        rc = bind(st, at, value);
    return rc == SQLITE_OK ? run(s, which) : rc;
}

/* Puts the value where `row` is, if the bucket has room. */
static int put(struct hf_kvs *s, struct hf_kvs_record *rec, const struct row *row,
               struct hf_view value)
{
    struct hf_kv_bucket *b = rec->bucket;
    uint64_t had = row->id == 0 ? 0 : row->size,
             size = value.len + (row->id == 0 ? rec->key.len : 0);
    if (row->id == 0 && (b->keys >= s->limits.keys_max || s->version == HF_KVS_NUMBER_MAX)) {
        rec->r.refusal = HF_KV_KEYS_FULL;
        return SQLITE_OK;
    }
    if (size > had &&
        (size - had > s->limits.bytes_max || b->bytes > s->limits.bytes_max - (size - had))) {
        rec->r.refusal = HF_KV_BYTES_FULL;
        return SQLITE_OK;
    }
    int rc = make_bucket(s, b);
    if (rc != SQLITE_OK)
        return rc;
    s->version++;
    changed(s, b);
    rc = write_row(s, rec, row->id != 0 ? row->id : b->id << HF_KVS_NUMBER | s->version,
                   row->id == 0, value);
    b->keys += row->id == 0;
    b->bytes = b->bytes - had + size;
    rec->r.version = (uint64_t)s->version;
    return rc;
}

/* ---- operations: an error of SQLite is returned, a refusal is in the record ---------------------
 */

static int do_get(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct row row;
    bool get = rec->kind == HF_KV_GET;
    int rc = find(s, rec, get, &row);
    if (rc != SQLITE_OK || row.id == 0)
        return find_done(s, rc);
    rec->r.found = true;
    rec->r.version = (uint64_t)row.version;
    if (get && (rec->out = malloc(row.value.len + 1)) == NULL) {
        rec->r = (struct hf_kv_result){.refusal = HF_KV_MEMORY};
    } else if (get) {
        if (row.value.len > 0)
            memcpy(rec->out, row.value.ptr, row.value.len);
        rec->r.value = hf_view(rec->out, row.value.len);
    }
    return find_done(s, SQLITE_OK);
}

static int do_set(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct row row;
    int rc = find_done(s, find(s, rec, false, &row));
    if (rc != SQLITE_OK)
        return rc;
    if (rec->kind == HF_KV_SWAP) {
        rec->r.found = (uint64_t)row.version == rec->argument;
        rec->r.version = (uint64_t)row.version;
        if (!rec->r.found)
            return SQLITE_OK;
    }
    return put(s, rec, &row, rec->value);
}

static int do_increment(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct row row;
    char text[HF_KV_NUMBER_MAX];
    size_t len = 0;
    int rc = find(s, rec, true, &row);
    if (rc == SQLITE_OK)
        rec->r.refusal = hf_kv_add(row.value, row.id != 0, rec->argument, rec->is_signed, text,
                                   &len, &rec->r.number);
    find_done(s, rc);
    return rc != SQLITE_OK || rec->r.refusal != HF_KV_NONE ? rc
                                                           : put(s, rec, &row, hf_view(text, len));
}

static int do_delete(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct row row;
    int rc = find_done(s, find(s, rec, false, &row));
    if (rc != SQLITE_OK || row.id == 0)
        return rc;
    rc = sqlite3_bind_int64(s->statements[HF_KVS_DELETE], 1, row.id);
    if (rc == SQLITE_OK)
        rc = run(s, HF_KVS_DELETE);
    rec->r.found = true;
    rec->bucket->keys--;
    rec->bucket->bytes -= rec->key.len + row.size;
    changed(s, rec->bucket);
    return rc;
}

struct page {
    struct hf_buf bytes, lengths; /* keys, one behind the other; size_t each */
    uint32_t n;
    int64_t last;
    bool more, memory;
};

static int list_rows(struct hf_kvs *s, struct hf_kvs_record *rec, struct page *p)
{
    sqlite3_stmt *st = s->statements[HF_KVS_LIST];
    int64_t base = rec->bucket->id << HF_KVS_NUMBER;
    uint32_t most = s->limits.page_keys, max = rec->max == 0 || rec->max > most ? most : rec->max;
    int rc = sqlite3_bind_int64(st, 1, base + (int64_t)rec->argument);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 2, base + HF_KVS_NUMBER_MAX);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const void *key = sqlite3_column_blob(st, 1);
        size_t len = (size_t)sqlite3_column_bytes(st, 1);
        p->more = p->n == max || (p->n > 0 && p->bytes.len + len > s->limits.page_bytes);
        if (p->more)
            return SQLITE_OK;
        p->memory = (len > 0 && hf_buf_add(&p->bytes, key, len) != HF_OK) ||
                    hf_buf_add(&p->lengths, &len, sizeof len) != HF_OK;
        if (p->memory)
            return SQLITE_OK;
        p->n++;
        p->last = sqlite3_column_int64(st, 0) - base;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void list_done(struct hf_kvs_record *rec, const struct page *p)
{
    struct hf_view *keys =
        p->memory ? NULL : malloc((size_t)p->n * sizeof *keys + p->bytes.len + 1);
    if (keys == NULL) {
        rec->r.refusal = HF_KV_MEMORY;
        return;
    }
    uint8_t *at = (uint8_t *)(keys + p->n);
    if (p->bytes.len > 0)
        memcpy(at, p->bytes.ptr, p->bytes.len);
    for (uint32_t i = 0; i < p->n; i++) {
        size_t len;
        memcpy(&len, p->lengths.ptr + i * sizeof len, sizeof len);
        keys[i] = hf_view(at, len);
        at += len;
    }
    rec->out = keys;
    rec->r.keys = keys;
    rec->r.n_keys = p->n;
    rec->r.cursor = p->more ? (uint64_t)p->last : 0;
}

static int do_list(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct page p = {0};
    int rc = SQLITE_OK;
    if (rec->argument > (uint64_t)HF_KVS_NUMBER_MAX) {
        rec->r.refusal = HF_KV_NO_CURSOR;
        return SQLITE_OK;
    }
    if (rec->bucket->id != 0)
        rc = list_rows(s, rec, &p);
    sqlite3_reset(s->statements[HF_KVS_LIST]);
    if (rc == SQLITE_OK)
        list_done(rec, &p);
    hf_buf_done(&p.bytes);
    hf_buf_done(&p.lengths);
    return rc;
}

static int do_one(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    switch (rec->kind) {
    case HF_KV_GET:
    case HF_KV_EXISTS: return do_get(s, rec);
    case HF_KV_SET:
    case HF_KV_SWAP: return do_set(s, rec);
    case HF_KV_DELETE: return do_delete(s, rec);
    case HF_KV_INCREMENT: return do_increment(s, rec);
    case HF_KV_LIST: return do_list(s, rec);
    }
    HF_ASSERT(!"no such operation");
}

/* ---- the transaction ---------------------------------------------------------------------------
 */

/* What the buckets hold and the last version given go into the same transaction. */
static int write_counts(struct hf_kvs *s)
{
    int rc = SQLITE_OK;
    HF_LIST_FOR (it, &s->changed) {
        struct hf_kv_bucket *b = HF_LIST_ENTRY(it, struct hf_kv_bucket, in_changed);
        sqlite3_stmt *st = s->statements[HF_KVS_COUNT];
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_int64(st, 1, b->id);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_int64(st, 2, (int64_t)b->keys);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_int64(st, 3, (int64_t)b->bytes);
        if (rc == SQLITE_OK)
            rc = run(s, HF_KVS_COUNT);
    }
    if (rc == SQLITE_OK && s->version != s->version_kept)
        rc = sqlite3_bind_int64(s->statements[HF_KVS_VERSION], 1, s->version);
    if (rc == SQLITE_OK && s->version != s->version_kept)
        rc = run(s, HF_KVS_VERSION);
    return rc;
}

static void keep(struct hf_kvs *s, bool committed)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&s->changed)) != NULL) {
        struct hf_kv_bucket *b = HF_LIST_ENTRY(it, struct hf_kv_bucket, in_changed);
        if (committed) {
            b->kept.id = b->id;
            b->kept.keys = b->keys;
            b->kept.bytes = b->bytes;
        } else {
            b->id = b->kept.id;
            b->keys = b->kept.keys;
            b->bytes = b->kept.bytes;
        }
    }
    if (committed) {
        s->version_kept = s->version;
        s->last_bucket_kept = s->last_bucket;
    } else {
        s->version = s->version_kept;
        s->last_bucket = s->last_bucket_kept;
    }
}

static void forget(struct hf_kvs_record *rec, enum hf_kv_refusal refusal)
{
    free(rec->out);
    rec->out = NULL;
    rec->r = (struct hf_kv_result){.refusal = refusal};
}

/* *at_commit: all was well until then. */
static int transaction(struct hf_kvs *s, struct hf_list *records, bool *at_commit)
{
    bool write = false;
    HF_LIST_FOR (it, records) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue);
        write = write || writes(rec);
    }
    int rc = run(s, write ? HF_KVS_BEGIN_WRITE : HF_KVS_BEGIN_READ);
    for (struct hf_list *it = records->next; it != records && rc == SQLITE_OK; it = it->next)
        rc = do_one(s, HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue));
    if (rc == SQLITE_OK)
        rc = write_counts(s);
    *at_commit = rc == SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = run(s, HF_KVS_COMMIT);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(s->db))
        run(s, HF_KVS_ROLLBACK); /* its own error changes nothing: the next begin would fail */
    keep(s, rc == SQLITE_OK);
    return rc;
}

static void refuse(struct hf_list *records, enum hf_kv_refusal refusal)
{
    HF_LIST_FOR (it, records) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue);
        forget(rec, refusal == HF_KV_UNKNOWN && !writes(rec) ? HF_KV_DISK : refusal);
    }
}

void hf_kvs_group(struct hf_kvs *s, struct hf_list *records)
{
    bool at_commit = false;
    if (s->broken) {
        refuse(records, HF_KV_DISK);
        return;
    }
    int rc = transaction(s, records, &at_commit);
    if (rc == SQLITE_OK)
        return;
    bool room = (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_BUSY;
    if (at_commit && !room) {
        s->broken = true;
        refuse(records, HF_KV_UNKNOWN);
        return;
    }
    if (records->next->next == records) {
        refuse(records, (rc & 0xff) == SQLITE_NOMEM ? HF_KV_MEMORY : HF_KV_DISK);
        return;
    }
    struct hf_list done, *it;
    hf_list_init(&done);
    while ((it = hf_list_pop_front(records)) != NULL) { /* one level: each is alone then */
        struct hf_list alone;
        hf_list_init(&alone);
        hf_list_push_back(&alone, it);
        forget(HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue), HF_KV_NONE);
        hf_kvs_group(s, &alone);
        hf_list_splice_back(&done, &alone);
    }
    hf_list_splice_back(records, &done);
}
