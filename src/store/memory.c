/* memory.c - the `memory:` store: batches in a list, acknowledged at once or when a test lets it.
 *
 * Nothing survives the process, so nothing old is needed for long: beyond HF_STORE_MEMORY_MAX bytes
 * the oldest batches go. (Opening by url is here as long as there is one backend; the store issue
 * moves it.)
 */
#include "store/store.h"

#include <stdlib.h>

#include "base/vec.h"

struct hf_store_backend {
    struct {
        struct hf_view *ptr; /* heap bytes */
        size_t len, cap;
    } batches;
    size_t first; /* batches before it have gone */
    size_t bytes;
    uint64_t taken, acked;
    bool hold;
};

enum hf_err hf_store_open(const char *url, struct hf_store_backend **ret, struct hf_report *report)
{
    if (strcmp(url, "memory:") != 0)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "no store for %s: this program has memory:", url);
    struct hf_store_backend *s = calloc(1, sizeof *s);
    if (s == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for a store");
    *ret = s;
    return HF_OK;
}

static void drop_oldest(struct hf_store_backend *s)
{
    struct hf_view *v = &s->batches.ptr[s->first++];
    s->bytes -= v->len;
    free((void *)(uintptr_t)v->ptr);
    if (s->first < 64 || s->first * 2 < s->batches.len)
        return;
    s->batches.len -= s->first; /* close the gap, each entry moves a bounded number of times */
    memmove(s->batches.ptr, s->batches.ptr + s->first, s->batches.len * sizeof *s->batches.ptr);
    s->first = 0;
}

void hf_store_close(struct hf_store_backend *s)
{
    if (s == NULL)
        return;
    while (s->first < s->batches.len)
        drop_oldest(s);
    HF_VEC_DONE(&s->batches);
    free(s);
}

static bool keep(struct hf_store_backend *s, struct hf_view bytes)
{
    uint8_t *copy = (uint8_t *)hf_view_dup(bytes);
    if (copy == NULL || !HF_VEC_PUSH(&s->batches, hf_view(copy, bytes.len))) {
        free(copy);
        return false;
    }
    s->bytes += bytes.len;
    while (s->bytes > HF_STORE_MEMORY_MAX && s->batches.len - s->first > 1)
        drop_oldest(s);
    return true;
}

size_t hf_store_commit(struct hf_store_backend *s, struct hf_kernel *k)
{
    const struct hf_batch *b;
    size_t n = 0;
    while ((b = hf_kernel_next_batch(k)) != NULL) {
        if (!keep(s, hf_batch_bytes(b))) {
            hf_kernel_return_batch(k);
            break;
        }
        s->taken = hf_batch_seq(b);
        n++;
    }
    if (!s->hold && s->acked < s->taken) {
        s->acked = s->taken;
        hf_kernel_acked(k, s->acked);
    }
    return n;
}

void hf_store_memory_hold(struct hf_store_backend *s, bool hold)
{
    s->hold = hold;
}

size_t hf_store_memory_count(const struct hf_store_backend *s)
{
    return s->batches.len - s->first;
}

struct hf_view hf_store_memory_batch(const struct hf_store_backend *s, size_t i)
{
    HF_ASSERT(i < s->batches.len - s->first);
    return s->batches.ptr[s->first + i];
}
