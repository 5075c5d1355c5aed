/* map.h - hash maps from bytes or 64-bit integers to pointers.
 *
 * Open addressing with XXH3; grows at 3/4 full; deletion leaves no tombstones (backward shift).
 * Keys of a byte map are borrowed: they must live as long as their entry (point them into the
 * value). Iteration order is unspecified: nothing that leaves the process may depend on it. `max`
 * bounds the entries (HF_LIMIT beyond).
 */
#ifndef HF_BASE_MAP_H
#define HF_BASE_MAP_H

#include "base/bytes.h"

struct hf_map_slot;
struct hf_map {
    struct hf_map_slot *slots;
    size_t len, cap; /* entries; slots (0 or a power of two) */
    size_t max;      /* most entries; 0 = no limit */
    /* Of the hash; 0 unless the owner sets it while the map is empty. Take random bytes for keys
     * that a stranger chooses, else he can choose ones that all collide. */
    uint64_t seed;
    bool ints; /* which kind of key the slots hold; meaningless while cap is 0 */
};

void hf_map_init(struct hf_map *map, size_t max); /* allocates nothing yet */
void hf_map_done(struct hf_map *map);             /* values are the caller's to free first */

/* Byte keys. put: HF_OK and *old (if given) = the value that was there or NULL; values are never
 * NULL. The new key replaces the old one with the value. HF_LIMIT (max, memory): nothing changed.
 */
enum hf_err hf_map_put(struct hf_map *map, struct hf_view key, void *value,
                       void **old) HF_MUST_CHECK;
void *hf_map_get(const struct hf_map *map, struct hf_view key); /* NULL: not there */
void *hf_map_remove(struct hf_map *map, struct hf_view key); /* the value that was there, or NULL */

/* Integer keys (a map uses one kind of key only, until hf_map_done). */
enum hf_err hf_map_put_u64(struct hf_map *map, uint64_t key, void *value, void **old) HF_MUST_CHECK;
void *hf_map_get_u64(const struct hf_map *map, uint64_t key);
void *hf_map_remove_u64(struct hf_map *map, uint64_t key);

/* for (size_t i = 0; (v = hf_map_next(map, &i)) != NULL;) - the map must not change meanwhile. */
void *hf_map_next(const struct hf_map *map, size_t *at);

uint64_t hf_hash(struct hf_view v, uint64_t seed); /* XXH3-64 */

#endif
