/* meter_test.c - counters of requests by service: one writer, readers on other threads, sums. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "console/meter.h"

static uint64_t get(const struct hf_counter *c)
{
    return hf_counter_get(c);
}

static void note(struct hf_meter *m, const char *service, uint16_t status, uint64_t ns)
{
    const struct hf_meter_note n = {.status = status, .ns = ns, .bytes_in = 1, .bytes_out = 10};
    hf_meter_note(m, hf_view_of(service), &n);
}

static void requests_are_counted_by_service_and_class_of_status(void **state)
{
    struct hf_meter m;
    struct hf_meter_sums sums = {0};
    (void)state;
    hf_meter_init(&m);
    assert_non_null(hf_meter_row(&m, HF_VIEW("a"), HF_VIEW("acme")));
    static const uint16_t statuses[] = {0, 101, 200, 204, 302, 404, 431, 500, 504, 599, 600, 999};
    for (size_t i = 0; i < HF_ARRAY_LEN(statuses); i++)
        note(&m, "a", statuses[i], 1000);
    note(&m, "b", 200, 5000000);
    note(&m, "", 400, 1);
    note(&m, "a", 200, 1000);
    assert_int_equal(hf_meter_sums_add(&sums, &m), HF_OK);
    assert_int_equal(sums.len, 3);
    assert_string_equal(sums.ptr[0].service, ""); /* in order of name */
    assert_string_equal(sums.ptr[1].service, "a");
    assert_string_equal(sums.ptr[1].tenant, "acme");
    static const uint64_t wanted[HF_METER_CLASSES] = {1, 1, 3, 1, 2, 3, 2};
    for (unsigned i = 0; i < HF_METER_CLASSES; i++)
        assert_int_equal(get(&sums.ptr[1].status[i]), wanted[i]);
    assert_int_equal(get(&sums.ptr[1].latency.count), 13);
    assert_int_equal(get(&sums.ptr[1].bytes_in), 13);
    assert_int_equal(get(&sums.ptr[1].bytes_out), 130);
    assert_int_equal(hf_meter_sums_find(&sums, HF_VIEW("b"))->latency.count.n, 1);
    assert_null(hf_meter_sums_find(&sums, HF_VIEW("c")));
    hf_meter_sums_done(&sums);
    hf_meter_done(&m);
}

static void sums_are_over_all_workers(void **state)
{
    struct hf_meter m[3];
    struct hf_meter_sums sums = {0};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        hf_meter_init(&m[i]);
        for (unsigned k = 0; k <= i; k++)
            note(&m[i], k % 2 == 0 ? "even" : "odd", 200, 1000 << i);
        assert_int_equal(hf_meter_sums_add(&sums, &m[i]), HF_OK);
    }
    assert_int_equal(sums.len, 2);
    assert_int_equal(get(&sums.ptr[0].status[2]), 4);
    assert_int_equal(get(&sums.ptr[1].status[2]), 2);
    hf_meter_sums_done(&sums);
    for (unsigned i = 0; i < 3; i++)
        hf_meter_done(&m[i]);
}

static void too_many_services_share_one_row(void **state)
{
    struct hf_meter m;
    struct hf_meter_sums sums = {0};
    char name[16];
    (void)state;
    hf_meter_init(&m);
    for (unsigned i = 0; i < HF_METER_ROWS_MAX + 5; i++) {
        snprintf(name, sizeof name, "s%u", i);
        note(&m, name, 200, 1);
    }
    assert_int_equal(hf_meter_sums_add(&sums, &m), HF_OK);
    assert_int_equal(sums.len, HF_METER_ROWS_MAX + 1);
    assert_int_equal(get(&hf_meter_sums_find(&sums, HF_VIEW("(other)"))->status[2]), 5);
    hf_meter_sums_done(&sums);
    hf_meter_done(&m);
}

#define NOTES 200000u
static void *write_notes(void *meter)
{
    char name[16];
    for (unsigned i = 0; i < NOTES; i++) {
        snprintf(name, sizeof name, "s%u", i % 50);
        note(meter, name, 200, i);
    }
    return NULL;
}

static void readers_see_a_row_whole_while_it_is_written(void **state)
{
    struct hf_meter m;
    struct hf_meter_sums sums;
    pthread_t writer;
    uint64_t before = 0, n = 0;
    (void)state;
    hf_meter_init(&m);
    assert_int_equal(pthread_create(&writer, NULL, write_notes, &m), 0);
    while (n < NOTES) {
        sums = (struct hf_meter_sums){0};
        assert_int_equal(hf_meter_sums_add(&sums, &m), HF_OK);
        n = 0;
        for (size_t i = 0; i < sums.len; i++) {
            assert_true(sums.ptr[i].service[0] == 's');
            n += get(&sums.ptr[i].status[2]);
        }
        assert_true(n >= before && n <= NOTES); /* never back */
        before = n;
        hf_meter_sums_done(&sums);
    }
    pthread_join(writer, NULL);
    hf_meter_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_service_and_class_of_status),
        cmocka_unit_test(sums_are_over_all_workers),
        cmocka_unit_test(too_many_services_share_one_row),
        cmocka_unit_test(readers_see_a_row_whole_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
