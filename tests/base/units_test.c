/* units_test.c - base/units.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"

#define NONE UINT64_MAX

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"3s", 3000000000},
        {"250ms", 250000000},
        {"1.5h", 5400000000000},
        {"500us", 500000},
        {"7ns", 7},
        {"2m", 120000000000},
        {"1d", 86400000000000},
        {"0s", 0},
        {"0.000000001s", 1},
        {"0.0000000019s", 1},
        {"2S", 2000000000},
        {"5", 5000000000},
        {"1.25", 1250000000},
        {"", NONE},
        {"s", NONE},
        {"-1s", NONE},
        {"3 s", NONE},
        {" 3s", NONE},
        {"3sec", NONE},
        {".5s", NONE},
        {"5.s", NONE},
        {"1e3s", NONE},
        {"0x10s", NONE},
        {"106751d", 9223286400000000000},
        {"106752d", NONE},
        {"99999999999999999999s", NONE},
        {"18446744073709551616ns", NONE},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036854775808ns", NONE},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        uint64_t n = NONE;
        bool ok = hf_units_duration(hf_view_of(cases[i].text), 1000000000, &n);
        if (ok != (cases[i].ns != NONE) || n != cases[i].ns)
            fail_msg("\"%s\": %llu", cases[i].text, (unsigned long long)n);
    }
    uint64_t n = 1;
    assert_false(hf_units_duration(HF_VIEW("5"), 0, &n)); /* it must have a unit */
    assert_int_equal(n, 1);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"4096", 4096},       {"64MiB", 64 << 20},
        {"16k", 16384},       {"16kB", 16000},
        {"16KiB", 16384},     {"1GB", 1000000000},
        {"1g", 1 << 30},      {"2TiB", (uint64_t)2 << 40},
        {"1.5MiB", 1572864},  {"0B", 0},
        {"0.1B", 0},          {"8388607TiB", 9223370937343148032u},
        {"8388608TiB", NONE}, {"MiB", NONE},
        {"1 MiB", NONE},      {"1PiB", NONE},
        {"-1", NONE},         {"", NONE},
        {"1.MiB", NONE},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        uint64_t n = NONE;
        bool ok = hf_units_size(hf_view_of(cases[i].text), &n);
        if (ok != (cases[i].bytes != NONE) || n != cases[i].bytes)
            fail_msg("\"%s\": %llu", cases[i].text, (unsigned long long)n);
    }
}

/* What is printed is read back as the same, and is as short as a person would write it. */
static void printed_and_read_back(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      999,
                                      1000,
                                      1500000,
                                      1000000000,
                                      90000000000,
                                      3600000000000,
                                      31536000000000000,
                                      1 << 20,
                                      (uint64_t)3 << 30,
                                      INT64_MAX};
    char text[HF_UNITS_TEXT_MAX];
    for (size_t i = 0; i < HF_ARRAY_LEN(values); i++) {
        uint64_t n = NONE;
        assert_true(hf_units_duration(hf_view_of(hf_units_print_duration(values[i], text)), 0, &n));
        assert_int_equal(n, values[i]);
        assert_true(hf_units_size(hf_view_of(hf_units_print_size(values[i], text)), &n));
        assert_int_equal(n, values[i]);
    }
    assert_string_equal(hf_units_print_duration(1500000000, text), "1500ms");
    assert_string_equal(hf_units_print_duration(7200000000000, text), "2h");
    assert_string_equal(hf_units_print_size(64 << 20, text), "64MiB");
    assert_string_equal(hf_units_print_size(1000, text), "1000B");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(printed_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
