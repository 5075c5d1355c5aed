/* kv_sqlite_row.c - the tables of the durable key-value store: rows found, written, deleted. */
#include "store/kv_sqlite_int.h"

#include "base/hash.h"

int hf_kvs_run(struct hf_kvs *s, enum hf_kvs_statement which)
{
    sqlite3_stmt *st = s->statements[which];
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* NULL would be NULL, not an empty blob. */
int hf_kvs_bind(sqlite3_stmt *st, int at, struct hf_view v)
{
    return sqlite3_bind_blob64(st, at, v.len > 0 ? (const void *)v.ptr : "", v.len, SQLITE_STATIC);
}

static uint32_t sum(int64_t id, int64_t version, struct hf_view key, struct hf_view value)
{
    uint32_t crc = hf_crc32c(0, &id, sizeof id);
    crc = hf_crc32c(crc, &version, sizeof version);
    crc = hf_crc32c(crc, key.ptr, key.len);
    return hf_crc32c(crc, value.ptr, value.len);
}

static int find(struct hf_kvs *s, enum hf_kvs_statement which, struct hf_kv_bucket *b,
                struct hf_view key, struct hf_kvs_state *ret)
{
    sqlite3_stmt *st = s->statements[which];
    *ret = (struct hf_kvs_state){.kind = HF_KVS_TABLE};
    if (b->id == 0)
        return SQLITE_OK;
    int rc = sqlite3_bind_int64(st, 1, b->id);
    if (rc == SQLITE_OK)
        rc = hf_kvs_bind(st, 2, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    ret->id = sqlite3_column_int64(st, 0);
    ret->version = sqlite3_column_int64(st, 1);
    ret->size = (uint64_t)sqlite3_column_int64(st, 2);
    return SQLITE_OK;
}

int hf_kvs_look(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                struct hf_kvs_state *ret)
{
    int rc = find(s, HF_KVS_LOOK, b, key, ret);
    sqlite3_reset(s->statements[HF_KVS_LOOK]);
    return rc;
}

int hf_kvs_find(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                struct hf_kvs_state *ret, struct hf_view *value)
{
    sqlite3_stmt *st = s->statements[HF_KVS_FIND];
    *value = hf_view(NULL, 0);
    int rc = find(s, HF_KVS_FIND, b, key, ret);
    if (rc != SQLITE_OK || ret->id == 0)
        return rc;
    const void *ptr = sqlite3_column_blob(st, 4);
    *value = hf_view(ptr, (size_t)sqlite3_column_bytes(st, 4));
    if (ptr == NULL && ret->size > 0)
        return SQLITE_NOMEM;
    return sum(ret->id, ret->version, key, *value) == (uint32_t)sqlite3_column_int64(st, 3)
               ? SQLITE_OK
               : SQLITE_CORRUPT;
}

void hf_kvs_find_done(struct hf_kvs *s)
{
    sqlite3_reset(s->statements[HF_KVS_FIND]);
}

int hf_kvs_delete(struct hf_kvs *s, int64_t id)
{
    int rc = sqlite3_bind_int64(s->statements[HF_KVS_DELETE], 1, id);
    return rc == SQLITE_OK ? hf_kvs_run(s, HF_KVS_DELETE) : rc;
}

int hf_kvs_write(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key, int64_t had,
                 const struct hf_kvs_state *state, struct hf_view value)
{
    bool is_new = had != state->id;
    enum hf_kvs_statement which = is_new ? HF_KVS_INSERT : HF_KVS_UPDATE;
    sqlite3_stmt *st = s->statements[which];
    int at = 1, rc = is_new && had != 0 ? hf_kvs_delete(s, had) : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, state->id);
    if (is_new && rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, b->id);
    if (is_new && rc == SQLITE_OK)
        rc = hf_kvs_bind(st, at++, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, state->version);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, at++, sum(state->id, state->version, key, value));
    if (rc == SQLITE_OK)
        rc = hf_kvs_bind(st, at, value);
    return rc == SQLITE_OK ? hf_kvs_run(s, which) : rc;
}

int hf_kvs_write_counts(struct hf_kvs *s, const struct hf_kv_bucket *b)
{
    sqlite3_stmt *st = s->statements[HF_KVS_COUNT];
    int rc = sqlite3_bind_int64(st, 1, b->id);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 2, (int64_t)b->keys);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 3, (int64_t)b->bytes);
    return rc == SQLITE_OK ? hf_kvs_run(s, HF_KVS_COUNT) : rc;
}
