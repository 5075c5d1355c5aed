/* log_rate.c - see log_rate.h. A bucket is one number: when it will be full. Taking moves that on by
 * what was taken; what would move it past the burst is refused. */
#include "node/log_rate.h"

#define FRACTION 1024u

static uint64_t cost(uint64_t a_second)
{
    return a_second == UINT64_MAX ? 0 : 1000000000u * (uint64_t)FRACTION / a_second;
}

void hf_log_rate_init(struct hf_log_rate *r, uint64_t lines, uint64_t bytes)
{
    *r = (struct hf_log_rate){.line_ns = cost(lines == 0 ? HF_LOG_LINES : lines),
                              .byte_ns = cost(bytes == 0 ? HF_LOG_BYTES : bytes)};
}

static bool has(uint64_t full_ns, uint64_t now_ns)
{
    return full_ns < now_ns + HF_LOG_BURST_NS;
}

static void charge(uint64_t *full_ns, uint64_t now_ns, uint64_t price)
{
    *full_ns = (*full_ns > now_ns ? *full_ns : now_ns) + price / FRACTION;
}

bool hf_log_rate_take(struct hf_log_rate *r, uint64_t now_ns, size_t len)
{
    if (!has(r->lines_full, now_ns) || !has(r->bytes_full, now_ns)) {
        atomic_fetch_add_explicit(&r->lines, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&r->bytes, len, memory_order_relaxed);
        return false;
    }
    charge(&r->lines_full, now_ns, r->line_ns);
    charge(&r->bytes_full, now_ns, r->byte_ns * len);
    return true;
}
