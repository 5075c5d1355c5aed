/* metric.h - counters, gauges and latency histograms: one thread writes, any thread may read.
 *
 * Each worker has its own set; a reader sums at scrape time. Writes are plain relaxed atomics on
 * the writer's own cache lines: no lock, no shared line between workers.
 */
#ifndef HF_BASE_METRIC_H
#define HF_BASE_METRIC_H

#include <stdatomic.h>

#include "base/bytes.h"

struct hf_counter {
    _Atomic uint64_t n;
};
static inline void hf_counter_add(struct hf_counter *c, uint64_t n) /* the owner's thread only */
{
    atomic_store_explicit(&c->n, atomic_load_explicit(&c->n, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline uint64_t hf_counter_get(const struct hf_counter *c)
{
    return atomic_load_explicit(&c->n, memory_order_relaxed);
}

struct hf_gauge {
    _Atomic int64_t n;
};
static inline void hf_gauge_add(struct hf_gauge *g, int64_t n)
{
    atomic_store_explicit(&g->n, atomic_load_explicit(&g->n, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline int64_t hf_gauge_get(const struct hf_gauge *g)
{
    return atomic_load_explicit(&g->n, memory_order_relaxed);
}

/* Log-linear buckets: 8 below 1.024 us, then 8 per power of two up to 2^36 ns (68.7 s); above is
 * clamped. */
#define HF_HISTOGRAM_BUCKETS 216
struct hf_histogram {
    struct hf_counter bucket[HF_HISTOGRAM_BUCKETS];
    struct hf_counter count, sum_ns;
};
void hf_histogram_add(struct hf_histogram *h, uint64_t ns);
/* Upper bound in ns of the bucket that holds quantile q (0..1); 0 when empty. */
uint64_t hf_histogram_quantile(const struct hf_histogram *h, double q);
/* Upper bound of a bucket: its times are below it. */
uint64_t hf_histogram_bound_ns(unsigned bucket);

#endif
