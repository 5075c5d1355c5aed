/* kv_sqlite_list.c - a page of a bucket's keys, in the order of their ids: what the tables have and
 * what is only in the log, merged.
 */
#include "store/kv_sqlite_int.h"

#include <stdlib.h>

struct page {
    struct hf_buf bytes, lengths; /* keys, one behind the other; size_t each */
    uint32_t n, max;
    int64_t last;
    bool more, memory;
};

/* False: the page is full, or memory is. */
static bool add(const struct hf_kvs *s, struct page *p, struct hf_view key, int64_t id)
{
    p->more = p->n == p->max || (p->n > 0 && p->bytes.len + key.len > s->limits.page_bytes);
    if (p->more)
        return false;
    p->memory = (key.len > 0 && hf_buf_add(&p->bytes, key.ptr, key.len) != HF_OK) ||
                hf_buf_add(&p->lengths, &key.len, sizeof key.len) != HF_OK;
    p->n += !p->memory;
    p->last = id;
    return !p->memory;
}

/* What is only in the log, up to an id. */
static bool add_born(const struct hf_kvs *s, const struct hf_kv_bucket *b, struct page *p,
                     int64_t *from, int64_t to)
{
    const struct hf_kvs_place *place;
    while ((place = hf_kvs_born_after(b, *from)) != NULL && place->id < to) {
        if (!add(s, p, hf_kvs_entry_key(place->entry), place->id))
            return false;
        *from = place->id;
    }
    return true;
}

/* The log knows better: the key is gone, or came back with another id. */
static bool is_gone(struct hf_kv_bucket *b, struct hf_view key, int64_t id)
{
    const struct hf_kvs_entry *e = hf_kvs_entry_get(b, key);
    const struct hf_kvs_state *seen = e != NULL ? hf_kvs_seen(e) : NULL;
    return seen != NULL && (seen->kind == HF_KVS_DEAD || seen->id != id);
}

static int list_rows(struct hf_kvs *s, struct hf_kvs_record *rec, struct page *p)
{
    sqlite3_stmt *st = s->statements[HF_KVS_LIST];
    struct hf_kv_bucket *b = rec->bucket;
    int64_t base = b->id << HF_KVS_NUMBER, from = base + (int64_t)rec->argument;
    int rc = sqlite3_bind_int64(st, 1, from);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st, 2, base + HF_KVS_NUMBER_MAX);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(st, 0);
        const void *ptr = sqlite3_column_blob(st, 1);
        struct hf_view key = hf_view(ptr, (size_t)sqlite3_column_bytes(st, 1));
        if (!add_born(s, b, p, &from, id))
            return SQLITE_OK;
        if (!is_gone(b, key, id) && !add(s, p, key, id))
            return SQLITE_OK;
    }
    if (rc == SQLITE_DONE)
        add_born(s, b, p, &from, INT64_MAX);
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
    rec->r.cursor = p->more ? (uint64_t)(p->last & HF_KVS_NUMBER_MAX) : 0;
}

int hf_kvs_list(struct hf_kvs *s, struct hf_kvs_record *rec)
{
    uint32_t most = s->limits.page_keys;
    struct page p = {.max = rec->max == 0 || rec->max > most ? most : rec->max};
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
