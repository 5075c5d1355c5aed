/* units.c - units.h: exact whole numbers, no floating point and no locale. */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t each;
};

static const struct unit times[] = {
    {"ns", 1},           {"us", 1000},          {"ms", 1000000},        {"s", 1000000000},
    {"m", 60000000000u}, {"h", 3600000000000u}, {"d", 86400000000000u},
};
static const struct unit sizes[] = {
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000u},
    {"KiB", 1u << 10},
    {"MiB", 1u << 20},
    {"GiB", 1u << 30},
    {"TiB", (uint64_t)1 << 40},
    {"K", 1u << 10},
    {"M", 1u << 20},
    {"G", 1u << 30},
    {"T", (uint64_t)1 << 40},
};

static bool digit(struct hf_view v)
{
    return v.len > 0 && v.ptr[0] >= '0' && v.ptr[0] <= '9';
}

/* Digits before the point as one number, those behind it as number / scale; more than nine of those
 * are beyond what any unit here can tell. */
static bool read(struct hf_view text, const struct unit *units, size_t n, uint64_t bare,
                 uint64_t *ret)
{
    uint64_t whole = 0, part = 0, scale = 1, each = bare, max = INT64_MAX, sum;
    if (!digit(text))
        return false;
    for (; digit(text); text = hf_view_skip(text, 1))
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text.ptr[0] - '0', &whole))
            return false;
    if (text.len > 1 && text.ptr[0] == '.') {
        text = hf_view_skip(text, 1);
        if (!digit(text))
            return false;
        for (; digit(text); text = hf_view_skip(text, 1))
            if (scale < 1000000000) {
                part = part * 10 + (uint64_t)(text.ptr[0] - '0');
                scale *= 10;
            }
    }
    if (text.len > 0) {
        size_t i = 0;
        while (i < n && !hf_view_eq_nocase(text, hf_view_of(units[i].name)))
            i++;
        if (i == n)
            return false;
        each = units[i].each;
    }
    if (each == 0 || __builtin_mul_overflow(whole, each, &sum) || sum > max)
        return false;
    /* part < scale <= 1e9, and each <= 2^47: the product has 77 bits */
    sum += (uint64_t)((unsigned __int128)part * each / scale);
    if (sum > max)
        return false;
    *ret = sum;
    return true;
}

bool hf_units_duration(struct hf_view text, uint64_t bare_ns, uint64_t *ret)
{
    return read(text, times, HF_ARRAY_LEN(times), bare_ns, ret);
}

bool hf_units_size(struct hf_view text, uint64_t *ret)
{
    return read(text, sizes, HF_ARRAY_LEN(sizes), 1, ret);
}

static const char *print(uint64_t n, const struct unit *units, const int *order, size_t len,
                         char to[HF_UNITS_TEXT_MAX])
{
    for (size_t i = 0; i < len; i++)
        if (n % units[order[i]].each == 0) {
            snprintf(to, HF_UNITS_TEXT_MAX, "%" PRIu64 "%s", n / units[order[i]].each,
                     units[order[i]].name);
            break;
        }
    return to;
}

const char *hf_units_print_duration(uint64_t ns, char to[HF_UNITS_TEXT_MAX])
{
    static const int order[] = {6, 5, 4, 3, 2, 1, 0};
    return ns == 0 ? strcpy(to, "0s") : print(ns, times, order, HF_ARRAY_LEN(order), to);
}

const char *hf_units_print_size(uint64_t bytes, char to[HF_UNITS_TEXT_MAX])
{
    static const int order[] = {8, 7, 6, 5, 0};
    return bytes == 0 ? strcpy(to, "0B") : print(bytes, sizes, order, HF_ARRAY_LEN(order), to);
}
