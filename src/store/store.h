/* store.h - where batches become durable. One interface, several backends; `memory:` is for
 * throw-away runs and tests.
 *
 * (Batches in SQLite and PostgreSQL come with the store issue; design store.md.)
 */
#ifndef HF_STORE_STORE_H
#define HF_STORE_STORE_H

#include "kernel/batch.h"
#include "kernel/port.h"

struct hf_store_backend;
/* HF_UNSUPPORTED: a backend that this program does not have, said by name. */
enum hf_err hf_store_open(const char *url, struct hf_store_backend **ret,
                          struct hf_report *report); /* "memory:" */
void hf_store_close(struct hf_store_backend *s);
/* Takes every batch the kernel has ready, keeps its bytes, acknowledges. Returns how many. A store
 * belongs to one kernel. Memory out: takes no more, the rest stays with the kernel and is tried
 * again next time. */
size_t hf_store_commit(struct hf_store_backend *s, struct hf_kernel *k);
/* `memory:` keeps the newest batches, 64 MiB of them. Tests: hold acknowledgements back (the next
 * commit after the release gives them); how many batches are kept; the bytes of the i-th of them,
 * lent until the next commit. */
#define HF_STORE_MEMORY_MAX (64u * 1024 * 1024)
void hf_store_memory_hold(struct hf_store_backend *s, bool hold);
size_t hf_store_memory_count(const struct hf_store_backend *s);
struct hf_view hf_store_memory_batch(const struct hf_store_backend *s, size_t i);

#endif
