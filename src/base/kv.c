/* kv.c - what all key-value stores have in common: limits, counters, refusals in words. */
#include "base/kv.h"

#include <stdio.h>

void hf_kv_limits_fill(struct hf_kv_limits *l)
{
    if (l->key_max == 0)
        l->key_max = 1024;
    if (l->value_max == 0)
        l->value_max = 1u << 20;
    if (l->keys_max == 0)
        l->keys_max = 1000000;
    if (l->bytes_max == 0)
        l->bytes_max = (uint64_t)256 << 20;
    if (l->buckets == 0)
        l->buckets = 1000;
    if (l->page_keys == 0)
        l->page_keys = 1000;
    if (l->page_bytes == 0)
        l->page_bytes = 256 * 1024;
    if (l->batch_keys == 0)
        l->batch_keys = 10000;
    if (l->batch_bytes == 0)
        l->batch_bytes = 16u << 20;
    if (l->log_keys == 0)
        l->log_keys = 131072;
    if (l->log_bytes == 0)
        l->log_bytes = 64u << 20;
}

enum hf_kv_refusal hf_kv_check(const struct hf_kv_op *op, const struct hf_kv_limits *limits)
{
    if (op->key.len > limits->key_max)
        return HF_KV_KEY_LONG;
    if (op->value.len > limits->value_max)
        return HF_KV_VALUE_LONG;
    return HF_KV_NONE;
}

/* A number as hf_kv_add writes it, or one with more zeroes than it would write. */
static bool read_number(struct hf_view v, __int128 *ret)
{
    bool minus = v.len > 0 && v.ptr[0] == '-';
    __int128 n = 0;
    if (minus)
        v = hf_view_skip(v, 1);
    if (v.len == 0 || v.len > HF_KV_NUMBER_MAX)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
        n = n * 10 + (v.ptr[i] - '0');
    }
    *ret = minus ? -n : n;
    return true;
}

enum hf_kv_refusal hf_kv_add(struct hf_view now, bool there, uint64_t delta, bool is_signed,
                             char text[HF_KV_NUMBER_MAX], size_t *len, uint64_t *number)
{
    __int128 n = 0, min = is_signed ? INT64_MIN : 0,
             max = is_signed ? (__int128)INT64_MAX : (__int128)UINT64_MAX;
    char digits[HF_KV_NUMBER_MAX];
    size_t at = sizeof digits, out = 0;

    if (there && (!read_number(now, &n) || n < min || n > max))
        return HF_KV_NO_NUMBER;
    n += is_signed ? (__int128)(int64_t)delta : (__int128)delta;
    if (n < min || n > max)
        return HF_KV_NUMBER_FULL;
    *number = (uint64_t)n;
    uint64_t left = n < 0 ? (uint64_t)-n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (n < 0)
        text[out++] = '-';
    memcpy(text + out, digits + at, sizeof digits - at);
    *len = out + sizeof digits - at;
    return HF_KV_NONE;
}

void hf_kv_refusal_text(enum hf_kv_refusal refusal, const struct hf_kv_limits *l, char *ret,
                        size_t size)
{
    switch (refusal) {
    case HF_KV_KEY_LONG: snprintf(ret, size, "the key is longer than %u bytes", l->key_max); return;
    case HF_KV_VALUE_LONG:
        snprintf(ret, size, "the value is longer than %u bytes", l->value_max);
        return;
    case HF_KV_KEYS_FULL:
        snprintf(ret, size, "the bucket is full: it may hold %llu keys",
                 (unsigned long long)l->keys_max);
        return;
    case HF_KV_BYTES_FULL:
        snprintf(ret, size, "the bucket is full: it may hold %llu bytes",
                 (unsigned long long)l->bytes_max);
        return;
    case HF_KV_NO_NUMBER:
        snprintf(ret, size, "the value is not a number of this type in decimal digits");
        return;
    case HF_KV_NUMBER_FULL:
        snprintf(ret, size, "the sum is too large or too small for its type");
        return;
    case HF_KV_NO_CURSOR: snprintf(ret, size, "not a cursor that list-keys gave"); return;
    case HF_KV_MEMORY: snprintf(ret, size, "out of memory"); return;
    case HF_KV_DISK: snprintf(ret, size, "the store's disk is full or broken"); return;
    case HF_KV_CLOSED: snprintf(ret, size, "the store is closing"); return;
    case HF_KV_UNKNOWN:
        snprintf(ret, size, "the store cannot say whether this was done: look before trying again");
        return;
    case HF_KV_NONE: break;
    }
    snprintf(ret, size, "nothing is wrong");
}
