/* metric.c - the latency histogram: which bucket a time falls into, and what a bucket means.
 *
 * Log-linear: the first eight buckets cut the first 1024 ns evenly; then every power of two is cut
 * into eight, so a quantile is never further than 1/8 from the truth. Past 2^36 ns (68.7 s)
 * everything is in the last bucket.
 */
#include "base/metric.h"

#define FIRST_POWER 10u /* 2^10 ns */
#define WAYS        8u

_Static_assert(HF_HISTOGRAM_BUCKETS == WAYS + (36 - FIRST_POWER) * WAYS, "up to 2^36 ns");

static unsigned bucket_of(uint64_t ns)
{
    if (ns >> FIRST_POWER == 0)
        return (unsigned)(ns >> (FIRST_POWER - 3));
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    unsigned bucket = WAYS * (power - FIRST_POWER + 1) + (unsigned)(ns >> (power - 3)) % WAYS;
    return bucket < HF_HISTOGRAM_BUCKETS ? bucket : HF_HISTOGRAM_BUCKETS - 1;
}

uint64_t hf_histogram_bound_ns(unsigned bucket)
{
    HF_ASSERT(bucket < HF_HISTOGRAM_BUCKETS);
    unsigned next = bucket + 1;
    if (next <= WAYS)
        return (uint64_t)next << (FIRST_POWER - 3);
    unsigned power = FIRST_POWER + next / WAYS - 1;
    return (uint64_t)(WAYS + next % WAYS) << (power - 3);
}

void hf_histogram_add(struct hf_histogram *h, uint64_t ns)
{
    hf_counter_add(&h->bucket[bucket_of(ns)], 1);
    hf_counter_add(&h->count, 1);
    hf_counter_add(&h->sum_ns, ns);
}

/* Works on one copy of the buckets, since the owner may be writing meanwhile. */
uint64_t hf_histogram_quantile(const struct hf_histogram *h, double q)
{
    uint64_t bucket[HF_HISTOGRAM_BUCKETS], total = 0;
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++) {
        bucket[i] = hf_counter_get(&h->bucket[i]);
        total += bucket[i];
    }
    if (total == 0)
        return 0;
    double exact = q * (double)total;
    uint64_t rank = exact <= 1 ? 1 : exact >= (double)total ? total : (uint64_t)exact;
    if ((double)rank < exact && rank < total)
        rank++;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++) {
        seen += bucket[i];
        if (seen >= rank)
            return hf_histogram_bound_ns(i);
    }
    return hf_histogram_bound_ns(HF_HISTOGRAM_BUCKETS - 1);
}
