/* kv_sqlite_overlay.c - keys in memory: those whose newest value is only in the log, and some more
 * that the tables were asked for.
 *
 * Each bucket has a map of its own. An entry has the state that is on disk and the one that the
 * transaction in progress gives it; the end of the transaction keeps the one or the other. Keys
 * that are not in the tables have a place in the bucket's order besides, an array sorted by id: ids
 * only grow, so a new one goes to the end, and one that goes leaves a hole until there are many.
 */
#include "store/kv_sqlite_int.h"

#include <stdlib.h>

#define HOLES_MIN  64u
#define ENTRY_COST (sizeof(struct hf_kvs_entry) + 48) /* and the map's slot */

/* ---- places ---- */

static size_t place_above(const struct hf_kv_bucket *b, int64_t id)
{
    size_t low = 0, high = b->born.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->born.ptr[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool place_add(struct hf_kvs *s, struct hf_kvs_entry *e, int64_t id)
{
    struct hf_kvs_place place = {id, e};
    return s->replaying || HF_VEC_PUSH(&e->bucket->born, place);
}

static void place_close_holes(struct hf_kv_bucket *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->born.len; i++)
        if (b->born.ptr[i].entry != NULL)
            b->born.ptr[n++] = b->born.ptr[i];
    b->born.len = n;
    b->born_holes = 0;
    if (n == 0)
        HF_VEC_DONE(&b->born);
}

static void place_leave(struct hf_kvs *s, struct hf_kv_bucket *b, int64_t id)
{
    if (s->replaying)
        return;
    size_t at = place_above(b, id);
    HF_ASSERT(at > 0 && b->born.ptr[at - 1].id == id && b->born.ptr[at - 1].entry != NULL);
    b->born.ptr[at - 1].entry = NULL;
    b->born_holes++;
}

/* Of a transaction that failed: its ids are given again. */
static void place_cut(struct hf_kv_bucket *b, int64_t version)
{
    while (b->born.len > 0 && (b->born.ptr[b->born.len - 1].id & HF_KVS_NUMBER_MAX) > version)
        b->born_holes -= b->born.ptr[--b->born.len].entry == NULL;
}

static bool has_place(const struct hf_kvs_state *state, int64_t table_id)
{
    return state->kind == HF_KVS_LIVE && state->id != table_id;
}

const struct hf_kvs_place *hf_kvs_born_after(const struct hf_kv_bucket *b, int64_t id)
{
    for (size_t i = place_above(b, id); i < b->born.len; i++) {
        const struct hf_kvs_place *p = &b->born.ptr[i];
        if (p->entry != NULL && has_place(hf_kvs_seen(p->entry), hf_kvs_seen_table_id(p->entry)) &&
            hf_kvs_seen(p->entry)->id == p->id)
            return p;
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct hf_kvs_place *)a)->id, y = ((const struct hf_kvs_place *)b)->id;
    return x < y ? -1 : x > y;
}

bool hf_kvs_born_all(struct hf_kvs *s)
{
    struct hf_kv_bucket *b;
    bool ok = true;
    s->replaying = false;
    HF_LIST_FOR (it, &s->waiting) {
        struct hf_kvs_entry *e = HF_LIST_ENTRY(it, struct hf_kvs_entry, in_kept);
        if (has_place(&e->now, e->table_id))
            ok = ok && place_add(s, e, e->now.id);
    }
    for (size_t i = 0; (b = hf_map_next(&s->buckets, &i)) != NULL;)
        if (b->born.len > 1)
            qsort(b->born.ptr, b->born.len, sizeof *b->born.ptr, by_id);
    return ok;
}

/* ---- entries ---- */

struct hf_kvs_entry *hf_kvs_entry_get(struct hf_kv_bucket *b, struct hf_view key)
{
    return hf_map_get(&b->entries, key);
}

/* Into the list of its kind, and its weight on that side. */
static void keep(struct hf_kvs *s, struct hf_kvs_entry *e)
{
    uint64_t bytes = ENTRY_COST + e->key_len;
    if (e->now.kind == HF_KVS_TABLE) {
        hf_list_push_back(&s->known, &e->in_kept);
        s->n_known++;
        s->known_bytes += bytes;
    } else {
        hf_list_push_back(&s->waiting, &e->in_kept);
        s->n_waiting++;
        s->waiting_bytes += bytes + e->now.size;
    }
}

static void unkeep(struct hf_kvs *s, struct hf_kvs_entry *e)
{
    uint64_t bytes = ENTRY_COST + e->key_len;
    hf_list_remove(&e->in_kept);
    if (e->now.kind == HF_KVS_TABLE) {
        s->n_known--;
        s->known_bytes -= bytes;
    } else {
        s->n_waiting--;
        s->waiting_bytes -= bytes + e->now.size;
    }
}

struct hf_kvs_entry *hf_kvs_entry_new(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                                      const struct hf_kvs_state *table)
{
    struct hf_kvs_entry *e = malloc(sizeof *e + key.len);
    if (e == NULL)
        return NULL;
    *e = (struct hf_kvs_entry){
        .bucket = b, .now = *table, .table_id = table->id, .key_len = (uint32_t)key.len};
    if (key.len > 0)
        memcpy(e->key, key.ptr, key.len);
    if (hf_map_put(&b->entries, hf_kvs_entry_key(e), e, NULL) != HF_OK) {
        free(e);
        return NULL;
    }
    keep(s, e);
    return e;
}

bool hf_kvs_has_room(const struct hf_kvs *s, uint64_t bytes)
{
    return s->n_waiting + s->n_touched < s->limits.log_keys &&
           s->waiting_bytes + s->touched_bytes + bytes <= s->limits.log_bytes;
}

bool hf_kvs_entry_put(struct hf_kvs *s, struct hf_kvs_entry *e, struct hf_kvs_state state,
                      struct hf_view value, int64_t table_id)
{
    const struct hf_kvs_state *seen = hf_kvs_seen(e);
    int64_t placed = has_place(seen, hf_kvs_seen_table_id(e)) ? seen->id : 0;
    state.value = NULL;
    if (state.kind == HF_KVS_LIVE && (state.value = malloc(value.len + 1)) == NULL)
        return false;
    if (has_place(&state, table_id) && placed != state.id && !place_add(s, e, state.id)) {
        free(state.value);
        return false;
    }
    /* A place that is of this transaction alone; that of `now` stays until it ends well. */
    if (placed != 0 && !(has_place(&state, table_id) && state.id == placed) &&
        !(has_place(&e->now, e->table_id) && e->now.id == placed))
        place_leave(s, e->bucket, placed);
    if (value.len > 0 && state.kind == HF_KVS_LIVE)
        memcpy(state.value, value.ptr, value.len);
    free(e->next.value);
    e->next = state;
    e->next_table_id = table_id;
    s->touched_bytes += ENTRY_COST + e->key_len + (state.kind == HF_KVS_LIVE ? value.len : 0);
    if (!hf_list_linked(&e->in_touched)) {
        hf_list_push_back(&s->touched, &e->in_touched);
        s->n_touched++;
    }
    return true;
}

static void commit(struct hf_kvs *s, struct hf_kvs_entry *e)
{
    if (has_place(&e->now, e->table_id) &&
        !(has_place(&e->next, e->next_table_id) && e->next.id == e->now.id))
        place_leave(s, e->bucket, e->now.id);
    unkeep(s, e);
    free(e->now.value);
    e->now = e->next;
    e->table_id = e->next_table_id;
    e->next = (struct hf_kvs_state){.kind = HF_KVS_NONE};
    keep(s, e);
}

static void forget_oldest(struct hf_kvs *s)
{
    struct hf_list *it = s->known.next;
    while (it != &s->known &&
           (s->n_known > s->limits.log_keys || s->known_bytes > s->limits.log_bytes)) {
        struct hf_kvs_entry *e = HF_LIST_ENTRY(it, struct hf_kvs_entry, in_kept);
        it = it->next;
        if (e->in_sweep) /* it looks at it once more */
            continue;
        unkeep(s, e);
        hf_map_remove(&e->bucket->entries, hf_kvs_entry_key(e));
        free(e);
    }
}

void hf_kvs_entries_end(struct hf_kvs *s, bool committed)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&s->touched)) != NULL) {
        struct hf_kvs_entry *e = HF_LIST_ENTRY(it, struct hf_kvs_entry, in_touched);
        if (committed) {
            commit(s, e);
        } else {
            free(e->next.value);
            e->next = (struct hf_kvs_state){.kind = HF_KVS_NONE};
            place_cut(e->bucket, s->version_kept);
        }
        if (e->bucket->born_holes > HOLES_MIN && e->bucket->born_holes > e->bucket->born.len / 2)
            place_close_holes(e->bucket);
    }
    s->n_touched = s->touched_bytes = 0;
    forget_oldest(s);
}

void hf_kvs_entry_applied(struct hf_kvs *s, struct hf_kvs_entry *e)
{
    bool live = e->now.kind == HF_KVS_LIVE;
    struct hf_kv_bucket *b = e->bucket;
    if (has_place(&e->now, e->table_id))
        place_leave(s, b, e->now.id);
    unkeep(s, e);
    free(e->now.value);
    e->now.value = NULL;
    if (!live)
        e->now.id = 0;
    e->now.kind = HF_KVS_TABLE;
    e->table_id = e->now.id;
    keep(s, e);
    if (b->born_holes > HOLES_MIN && b->born_holes > b->born.len / 2)
        place_close_holes(b);
}

void hf_kvs_entries_free(struct hf_kv_bucket *b)
{
    struct hf_kvs_entry *e;
    for (size_t i = 0; (e = hf_map_next(&b->entries, &i)) != NULL;) {
        free(e->now.value);
        free(e->next.value);
        free(e);
    }
    hf_map_done(&b->entries);
    HF_VEC_DONE(&b->born);
}
