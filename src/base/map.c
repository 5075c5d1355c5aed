/* map.c - open addressing with linear probing; deletion closes the gap (backward shift).
 *
 * Two layouts, since a map has one kind of key: byte keys keep their hash, so that probing and
 * growing seldom touch the key itself; integer keys are their own proof and take half the room. An
 * empty slot is one whose value is NULL.
 */
#include "base/map.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CAP_FIRST 8u
/* An odd number with well-mixed bits (2^64 divided by the golden ratio). */
#define MIX 0x9E3779B97F4A7C15u

struct hf_map_slot { /* byte keys */
    uint64_t hash;
    void *value;
    const uint8_t *key;
    size_t key_len;
};
struct int_slot {
    uint64_t key;
    void *value;
};

uint64_t hf_hash(struct hf_view v, uint64_t seed)
{
    return XXH3_64bits_withSeed(v.ptr, v.len, seed);
}

/* The 128-bit product folded: every bit of the key reaches the low bits that choose the slot. */
static inline uint64_t hash_int(const struct hf_map *map, uint64_t key)
{
    unsigned __int128 product = (key ^ map->seed) + MIX;
    product *= MIX;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline struct int_slot *int_slots(const struct hf_map *map)
{
    return (struct int_slot *)(void *)map->slots;
}

void hf_map_init(struct hf_map *map, size_t max)
{
    *map = (struct hf_map){.max = max};
}

void hf_map_done(struct hf_map *map)
{
    free(map->slots);
    hf_map_init(map, map->max);
}

/* A fresh, empty table for the next size up; NULL when memory is out. */
static void *more_slots(const struct hf_map *map, size_t size, size_t *cap)
{
    *cap = map->cap == 0 ? CAP_FIRST : 2 * map->cap;
    return *cap > PTRDIFF_MAX / size ? NULL : calloc(*cap, size);
}

static inline bool is_full(const struct hf_map *map)
{
    return map->len + 1 > map->cap / 4 * 3;
}

static inline bool at_max(const struct hf_map *map)
{
    return map->max != 0 && map->len >= map->max;
}

/* Where an entry found at `i` may move when `hole` is free: not before its home slot. */
static inline bool may_fill(size_t hole, size_t i, size_t home, size_t mask)
{
    return ((i - home) & mask) >= ((i - hole) & mask);
}

/* Byte keys. */

/* The slot of the key, or the empty slot where it would go. The table is never full, so this ends.
 */
static inline struct hf_map_slot *find(const struct hf_map *map, struct hf_view key, uint64_t hash)
{
    size_t mask = map->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct hf_map_slot *slot = &map->slots[i];
        if (slot->value == NULL)
            return slot;
        if (slot->hash == hash && slot->key_len == key.len &&
            (key.len == 0 || memcmp(slot->key, key.ptr, key.len) == 0))
            return slot;
    }
}

static enum hf_err grow(struct hf_map *map)
{
    struct hf_map_slot *old = map->slots;
    size_t cap, old_cap = map->cap;
    struct hf_map_slot *slots = more_slots(map, sizeof *slots, &cap);
    if (slots == NULL)
        return HF_LIMIT;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].value == NULL)
            continue;
        size_t at = old[i].hash & (cap - 1);
        while (slots[at].value != NULL)
            at = (at + 1) & (cap - 1);
        slots[at] = old[i];
    }
    free(old);
    map->slots = slots;
    map->cap = cap;
    map->ints = false;
    return HF_OK;
}

enum hf_err hf_map_put(struct hf_map *map, struct hf_view key, void *value, void **old)
{
    HF_ASSERT(value != NULL && (map->cap == 0 || !map->ints));
    uint64_t hash = hf_hash(key, map->seed);
    struct hf_map_slot *slot = map->cap == 0 ? NULL : find(map, key, hash);
    void *was = slot == NULL ? NULL : slot->value;
    if (was == NULL) {
        if (at_max(map))
            return HF_LIMIT;
        if (is_full(map)) {
            enum hf_err err = grow(map);
            if (err != HF_OK)
                return err;
            slot = find(map, key, hash);
        }
        map->len++;
    }
    *slot = (struct hf_map_slot){hash, value, key.ptr, key.len};
    if (old != NULL)
        *old = was;
    return HF_OK;
}

void *hf_map_get(const struct hf_map *map, struct hf_view key)
{
    if (map->len == 0)
        return NULL;
    HF_ASSERT(!map->ints);
    return find(map, key, hf_hash(key, map->seed))->value;
}

void *hf_map_remove(struct hf_map *map, struct hf_view key)
{
    if (map->len == 0)
        return NULL;
    HF_ASSERT(!map->ints);
    struct hf_map_slot *slots = map->slots, *slot = find(map, key, hf_hash(key, map->seed));
    void *was = slot->value;
    if (was == NULL)
        return NULL;
    size_t mask = map->cap - 1, hole = (size_t)(slot - slots);
    for (size_t i = (hole + 1) & mask; slots[i].value != NULL; i = (i + 1) & mask) {
        if (may_fill(hole, i, slots[i].hash & mask, mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole].value = NULL;
    map->len--;
    return was;
}

/* Integer keys. */

static inline struct int_slot *find_int(const struct hf_map *map, uint64_t key)
{
    size_t mask = map->cap - 1;
    for (size_t i = hash_int(map, key) & mask;; i = (i + 1) & mask) {
        struct int_slot *slot = &int_slots(map)[i];
        if (slot->value == NULL || slot->key == key)
            return slot;
    }
}

static enum hf_err grow_int(struct hf_map *map)
{
    struct int_slot *old = int_slots(map);
    size_t cap, old_cap = map->cap;
    struct int_slot *slots = more_slots(map, sizeof *slots, &cap);
    if (slots == NULL)
        return HF_LIMIT;
    map->slots = (struct hf_map_slot *)(void *)slots;
    map->cap = cap;
    map->ints = true;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].value != NULL)
            *find_int(map, old[i].key) = old[i];
    }
    free(old);
    return HF_OK;
}

enum hf_err hf_map_put_u64(struct hf_map *map, uint64_t key, void *value, void **old)
{
    HF_ASSERT(value != NULL && (map->cap == 0 || map->ints));
    struct int_slot *slot = map->cap == 0 ? NULL : find_int(map, key);
    void *was = slot == NULL ? NULL : slot->value;
    if (was == NULL) {
        if (at_max(map))
            return HF_LIMIT;
        if (is_full(map)) {
            enum hf_err err = grow_int(map);
            if (err != HF_OK)
                return err;
            slot = find_int(map, key);
        }
        map->len++;
    }
    *slot = (struct int_slot){key, value};
    if (old != NULL)
        *old = was;
    return HF_OK;
}

void *hf_map_get_u64(const struct hf_map *map, uint64_t key)
{
    if (map->len == 0)
        return NULL;
    HF_ASSERT(map->ints);
    return find_int(map, key)->value;
}

void *hf_map_remove_u64(struct hf_map *map, uint64_t key)
{
    if (map->len == 0)
        return NULL;
    HF_ASSERT(map->ints);
    struct int_slot *slots = int_slots(map), *slot = find_int(map, key);
    void *was = slot->value;
    if (was == NULL)
        return NULL;
    size_t mask = map->cap - 1, hole = (size_t)(slot - slots);
    for (size_t i = (hole + 1) & mask; slots[i].value != NULL; i = (i + 1) & mask) {
        if (may_fill(hole, i, hash_int(map, slots[i].key) & mask, mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole].value = NULL;
    map->len--;
    return was;
}

void *hf_map_next(const struct hf_map *map, size_t *at)
{
    while (*at < map->cap) {
        size_t i = (*at)++;
        void *value = map->ints ? int_slots(map)[i].value : map->slots[i].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
