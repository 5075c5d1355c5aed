/* metric_test.c - buckets: bounds rise, every time falls below its bound and not below the one
 * before. */
#include "base/metric.h"

#include <string.h>

#include "support.h"

/* The bucket a time went to, seen from outside. */
static unsigned where(uint64_t ns)
{
    static struct hf_histogram h;
    memset(&h, 0, sizeof h);
    hf_histogram_add(&h, ns);
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++) {
        if (hf_counter_get(&h.bucket[i]) == 1)
            return i;
    }
    return HF_HISTOGRAM_BUCKETS;
}

static void bounds_rise_in_eighths(void **state)
{
    (void)state;
    assert_int_equal(hf_histogram_bound_ns(0), 128);
    assert_int_equal(hf_histogram_bound_ns(7), 1024);
    assert_int_equal(hf_histogram_bound_ns(8), 1152);
    assert_true(hf_histogram_bound_ns(HF_HISTOGRAM_BUCKETS - 1) == (uint64_t)1 << 36);
    for (unsigned i = 1; i < HF_HISTOGRAM_BUCKETS; i++) {
        uint64_t low = hf_histogram_bound_ns(i - 1), high = hf_histogram_bound_ns(i);
        assert_true(low < high);
        assert_true(i < 8 || high - low <= low / 8);
    }
}

static void times_fall_into_their_bucket(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = hf_histogram_bound_ns(i);
        assert_int_equal(where(bound - 1), i);
        assert_int_equal(where(bound), i + 1 < HF_HISTOGRAM_BUCKETS ? i + 1 : i);
    }
    assert_int_equal(where(0), 0);
    assert_int_equal(where(UINT64_MAX), HF_HISTOGRAM_BUCKETS - 1);
}

static void quantiles(void **state)
{
    (void)state;
    static struct hf_histogram h;
    assert_int_equal(hf_histogram_quantile(&h, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        hf_histogram_add(&h, i * 1000000); /* 1..1000 ms */
    assert_int_equal(hf_counter_get(&h.count), 1000);
    assert_true(hf_counter_get(&h.sum_ns) == 500500u * (uint64_t)1000000);
    static const double qs[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < HF_ARRAY_LEN(qs); i++) {
        double truth = qs[i] * 1e9, got = (double)hf_histogram_quantile(&h, qs[i]);
        assert_true(got >= truth && got <= truth * 1.13 + 1);
    }
    assert_int_equal(hf_histogram_quantile(&h, 0), hf_histogram_quantile(&h, 0.001));
    assert_int_equal(hf_histogram_quantile(&h, 7), hf_histogram_quantile(&h, 1));
}

static void counters_and_gauges(void **state)
{
    (void)state;
    struct hf_counter c = {0};
    struct hf_gauge g = {0};
    hf_counter_add(&c, 3);
    hf_counter_add(&c, 4);
    hf_gauge_add(&g, 3);
    hf_gauge_add(&g, -5);
    assert_int_equal(hf_counter_get(&c), 7);
    assert_int_equal(hf_gauge_get(&g), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_rise_in_eighths),
        cmocka_unit_test(times_fall_into_their_bucket),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(counters_and_gauges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
