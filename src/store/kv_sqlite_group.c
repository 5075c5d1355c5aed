/* kv_sqlite_group.c - a group of key-value operations as one transaction.
 *
 * The committer alone runs this, so what an operation reads is what the one before it left, and
 * counters and swaps are exact. A refusal (a limit, a value that is no number) is one operation's;
 * an error of SQLite is the whole group's: it is rolled back and none of it happened. Then each is
 * tried alone, so that a full disk refuses what needs room and nothing else. Values go into memory
 * and with one row of all into the log; the tables get them later (kv_sqlite_apply.c). When a
 * commit itself fails for another reason than room, nobody knows what a restart will find: the
 * answer is UNKNOWN, and the store does nothing any more until it is opened anew.
 */
#include "store/kv_sqlite_int.h"

#include <stdio.h>
#include <stdlib.h>

#define DIRECT_BYTES    4096u /* of a value: more goes past the log */
#define SWEEP_MIN       256u
#define SWEEP_PER_WRITE 4u /* so a sweep ends long before the next is due */

static bool writes(const struct hf_kvs_record *rec)
{
    return rec->kind != HF_KV_GET && rec->kind != HF_KV_EXISTS && rec->kind != HF_KV_LIST;
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
        rc = hf_kvs_bind(st, 2, b->space);
    if (rc == SQLITE_OK)
        rc = hf_kvs_bind(st, 3, b->name);
    if (rc == SQLITE_OK)
        rc = hf_kvs_run(s, HF_KVS_NEW_BUCKET);
    if (rc == SQLITE_OK) {
        b->id = ++s->last_bucket;
        changed(s, b);
    }
    return rc;
}

/* The bucket's limits say no. */
static bool is_full(struct hf_kvs *s, struct hf_kvs_record *rec, bool there, uint64_t had,
                    uint64_t size)
{
    struct hf_kv_bucket *b = rec->bucket;
    if (!there && (b->keys >= s->limits.keys_max || s->version == HF_KVS_NUMBER_MAX))
        rec->r.refusal = HF_KV_KEYS_FULL;
    else if (size > had &&
             (size - had > s->limits.bytes_max || b->bytes > s->limits.bytes_max - (size - had)))
        rec->r.refusal = HF_KV_BYTES_FULL;
    return rec->r.refusal != HF_KV_NONE;
}

/* Into the log, or past it into the tables: a large value is written once then, and so is one for
 * which memory has no room. *is_memory: none was left for the entry itself, and nothing changed. */
static int place_value(struct hf_kvs *s, struct hf_kvs_entry *e, struct hf_kvs_state state,
                       struct hf_view value, bool *is_memory)
{
    int64_t had = hf_kvs_seen_table_id(e);
    bool direct = value.len > DIRECT_BYTES || !hf_kvs_has_room(s, e->key_len + value.len);
    state.kind = direct ? HF_KVS_TABLE : HF_KVS_LIVE;
    *is_memory = !hf_kvs_entry_put(s, e, state, value, direct ? state.id : had);
    if (*is_memory || !direct)
        return SQLITE_OK;
    return hf_kvs_write(s, e->bucket, hf_kvs_entry_key(e), had, &state, value);
}

static bool is_there(const struct hf_kvs_entry *e)
{
    const struct hf_kvs_state *seen = hf_kvs_seen(e);
    return seen->kind == HF_KVS_LIVE || (seen->kind == HF_KVS_TABLE && seen->id != 0);
}

/* Puts the value, if the bucket has room. */
static int put(struct hf_kvs *s, struct hf_kvs_record *rec, struct hf_kvs_entry *e,
               struct hf_view value)
{
    struct hf_kv_bucket *b = rec->bucket;
    bool there = is_there(e), is_memory = false;
    uint64_t had = there ? hf_kvs_seen(e)->size : 0, size = value.len + (there ? 0 : rec->key.len);
    if (is_full(s, rec, there, had, size))
        return SQLITE_OK;
    int rc = make_bucket(s, b);
    if (rc != SQLITE_OK)
        return rc;
    struct hf_kvs_state state = {.version = ++s->version, .size = value.len};
    state.id = there ? hf_kvs_seen(e)->id : b->id << HF_KVS_NUMBER | s->version;
    rc = place_value(s, e, state, value, &is_memory);
    if (is_memory) {
        rec->r.refusal = HF_KV_MEMORY;
        s->version--;
        return rc;
    }
    changed(s, b);
    b->keys += !there;
    b->bytes = b->bytes - had + size;
    rec->r.version = (uint64_t)s->version;
    return rc;
}

/* The key of an operation that writes: in memory from here on. NULL: an error of SQLite, or memory,
 * which is a refusal. */
static struct hf_kvs_entry *entry_of(struct hf_kvs *s, struct hf_kvs_record *rec, int *rc)
{
    struct hf_kvs_entry *e = hf_kvs_entry_get(rec->bucket, rec->key);
    struct hf_kvs_state table;
    *rc = SQLITE_OK;
    if (e != NULL)
        return e;
    *rc = hf_kvs_look(s, rec->bucket, rec->key, &table);
    if (*rc == SQLITE_OK && (e = hf_kvs_entry_new(s, rec->bucket, rec->key, &table)) == NULL)
        rec->r.refusal = HF_KV_MEMORY;
    return e;
}

/* ---- operations: an error of SQLite is returned, a refusal is in the record ---- */

static void give_value(struct hf_kvs_record *rec, struct hf_view value)
{
    if ((rec->out = malloc(value.len + 1)) == NULL) {
        rec->r = (struct hf_kv_result){.refusal = HF_KV_MEMORY};
        return;
    }
    if (value.len > 0)
        memcpy(rec->out, value.ptr, value.len);
    rec->r.value = hf_view(rec->out, value.len);
}

/* What is seen of a key, and its value until hf_kvs_find_done. */
static int see(struct hf_kvs *s, struct hf_kvs_record *rec, bool with_value,
               struct hf_kvs_state *ret, struct hf_view *value)
{
    const struct hf_kvs_entry *e = hf_kvs_entry_get(rec->bucket, rec->key);
    *value = hf_view(NULL, 0);
    if (e != NULL && (hf_kvs_seen(e)->kind != HF_KVS_TABLE || !with_value)) {
        *ret = *hf_kvs_seen(e);
        *value = hf_view(ret->value, ret->kind == HF_KVS_LIVE ? ret->size : 0);
        return SQLITE_OK;
    }
    return with_value ? hf_kvs_find(s, rec->bucket, rec->key, ret, value)
                      : hf_kvs_look(s, rec->bucket, rec->key, ret);
}

static int do_get(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct hf_kvs_state state;
    struct hf_view value;
    bool get = rec->kind == HF_KV_GET;
    int rc = see(s, rec, get, &state, &value);
    if (rc == SQLITE_OK && state.kind != HF_KVS_DEAD && state.id != 0) {
        rec->r.found = true;
        rec->r.version = (uint64_t)state.version;
        if (get)
            give_value(rec, value);
    }
    hf_kvs_find_done(s);
    return rc;
}

static int do_set(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    int rc;
    struct hf_kvs_entry *e = entry_of(s, rec, &rc);
    if (e == NULL)
        return rc;
    if (rec->kind == HF_KV_SWAP) {
        rec->r.version = is_there(e) ? (uint64_t)hf_kvs_seen(e)->version : 0;
        rec->r.found = rec->r.version == rec->argument;
        if (!rec->r.found)
            return SQLITE_OK;
    }
    return put(s, rec, e, rec->value);
}

static int do_increment(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    struct hf_kvs_state state;
    struct hf_view value;
    char text[HF_KV_NUMBER_MAX];
    size_t len = 0;
    int rc;
    struct hf_kvs_entry *e = entry_of(s, rec, &rc);
    if (e == NULL)
        return rc;
    rc = see(s, rec, true, &state, &value);
    if (rc == SQLITE_OK)
        rec->r.refusal = hf_kv_add(value, is_there(e), rec->argument, rec->is_signed, text, &len,
                                   &rec->r.number);
    hf_kvs_find_done(s);
    return rc != SQLITE_OK || rec->r.refusal != HF_KV_NONE ? rc
                                                           : put(s, rec, e, hf_view(text, len));
}

static int do_delete(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    int rc;
    struct hf_kvs_entry *e = entry_of(s, rec, &rc);
    if (e == NULL || !is_there(e))
        return rc;
    int64_t had = hf_kvs_seen_table_id(e);
    uint64_t size = hf_kvs_seen(e)->size;
    bool direct = !hf_kvs_has_room(s, e->key_len);
    struct hf_kvs_state state = {.kind = direct ? HF_KVS_TABLE : HF_KVS_DEAD};
    if (!hf_kvs_entry_put(s, e, state, hf_view(NULL, 0), direct ? 0 : had)) {
        rec->r.refusal = HF_KV_MEMORY;
        return SQLITE_OK;
    }
    if (direct && had != 0)
        rc = hf_kvs_delete(s, had);
    rec->r.found = true;
    rec->bucket->keys--;
    rec->bucket->bytes -= rec->key.len + size;
    changed(s, rec->bucket);
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
    case HF_KV_LIST: return hf_kvs_list(s, rec);
    }
    HF_ASSERT(!"no such operation");
}

/* ---- the transaction ---- */

static void keep(struct hf_kvs *s, bool committed)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&s->changed)) != NULL) {
        struct hf_kv_bucket *b = HF_LIST_ENTRY(it, struct hf_kv_bucket, in_changed);
        if (committed) {
            b->kept.id = b->id;
            b->kept.keys = b->keys;
            b->kept.bytes = b->bytes;
            atomic_store_explicit(&b->shown_keys, b->keys, memory_order_relaxed);
            atomic_store_explicit(&b->shown_bytes, b->bytes, memory_order_relaxed);
            if (!hf_list_linked(&b->in_stale))
                hf_list_push_back(&s->stale, &b->in_stale);
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

/* `sweep`: how many keys of the log go into the tables with it. *at_commit: all was well until
 * then.
 */
static int transaction(struct hf_kvs *s, struct hf_list *records, size_t sweep, bool *at_commit)
{
    bool write = false;
    HF_LIST_FOR (it, records) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue);
        write = write || writes(rec);
    }
    int rc = hf_kvs_run(s, write ? HF_KVS_BEGIN_WRITE : HF_KVS_BEGIN_READ);
    for (struct hf_list *it = records->next; it != records && rc == SQLITE_OK; it = it->next)
        rc = do_one(s, HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue));
    if (rc == SQLITE_OK && write)
        rc = hf_kvs_log_write(s);
    if (rc == SQLITE_OK && write && sweep > 0)
        rc = hf_kvs_sweep_some(s, sweep, false);
    *at_commit = rc == SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = hf_kvs_run(s, HF_KVS_COMMIT);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(s->db))
        hf_kvs_run(s,
                   HF_KVS_ROLLBACK); /* its own error changes nothing: the next begin would fail */
    hf_kvs_sweep_end(s, rc == SQLITE_OK);
    hf_kvs_entries_end(s, rc == SQLITE_OK);
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

void hf_kvs_reads(struct hf_kvs *s, struct hf_list *records, struct hf_list *done)
{
    bool begun = false;
    s->group++;
    for (struct hf_list *it = records->next, *next; it != records && !s->broken; it = next) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue);
        next = it->next;
        if (writes(rec))
            rec->door->wrote_in = s->group;
        if (rec->door->wrote_in == s->group)
            continue;
        int rc = begun ? SQLITE_OK : hf_kvs_run(s, HF_KVS_BEGIN_READ);
        begun = begun || rc == SQLITE_OK;
        if (rc == SQLITE_OK)
            rc = do_one(s, rec);
        if (rc != SQLITE_OK)
            forget(rec, (rc & 0xff) == SQLITE_NOMEM ? HF_KV_MEMORY : HF_KV_DISK);
        hf_list_remove(it);
        hf_list_push_back(done, it);
    }
    if (begun && hf_kvs_run(s, HF_KVS_COMMIT) != SQLITE_OK && !sqlite3_get_autocommit(s->db))
        hf_kvs_run(s, HF_KVS_ROLLBACK); /* it only read */
}

size_t hf_kvs_length(const struct hf_list *records)
{
    size_t n = 0;
    HF_LIST_FOR (it, records)
        n++;
    return n;
}

static bool is_room(int rc)
{
    return (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_BUSY;
}

/* The transaction; when it fails while keys of the log go with it, then without them: they may be
 * what failed. */
static int try(struct hf_kvs *s, struct hf_list *records, bool *at_commit)
{
    size_t sweep = hf_kvs_length(records) * SWEEP_PER_WRITE;
    int rc = transaction(s, records, sweep < SWEEP_MIN ? SWEEP_MIN : sweep, at_commit);
    if (rc == SQLITE_OK || s->sweep.upto == 0 || (*at_commit && !is_room(rc)))
        return rc;
    hf_kvs_sweep_failed(s, rc);
    HF_LIST_FOR (it, records)
        forget(HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue), HF_KV_NONE);
    return transaction(s, records, 0, at_commit);
}

void hf_kvs_break(struct hf_kvs *s, int rc, const char *what)
{
    char so[128];
    s->broken = true;
    snprintf(so, sizeof so, "%s, so everything is refused until the store is opened anew", what);
    hf_kvs_say(s, rc, so);
}

void hf_kvs_group(struct hf_kvs *s, struct hf_list *records)
{
    bool at_commit = false;
    if (s->broken) {
        refuse(records, HF_KV_DISK);
        return;
    }
    int rc = try(s, records, &at_commit);
    if (rc == SQLITE_OK)
        return;
    if (at_commit && !is_room(rc)) {
        hf_kvs_break(s, rc, "a commit failed");
        refuse(records, HF_KV_UNKNOWN);
        return;
    }
    if (records->next->next == records) {
        hf_kvs_say(s, rc, "an operation is refused; what was acknowledged is there");
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
