/* component_fuzz.c - any bytes as a component, all the way: what the validator rejects never
 * reaches us; what it accepts is loaded, started and called for a short time, or refused by name
 * (tests/wast/support_try.h has the promises). A real engine compiles and runs what is left.
 *
 * rooms: component engine os base
 * files: tests/wast/support_try.c tests/wast/support_host.c tests/wast/support_bend.c
 */
#include "../wast/support_bend.h"
#include "../wast/support_try.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed);

/* Sections know their length: blind changes rarely leave a component. */
static size_t bent(const uint8_t *from, size_t size, struct hf_view other, uint8_t *out, size_t max,
                   unsigned seed)
{
    struct hf_buf b = {0};
    bend_rng = seed + UINT64_C(88172645463325252);
    HF_ASSERT(hf_buf_add(&b, from, size) == HF_OK);
    for (uint32_t n = 1 + bend_below(3); n > 0 && b.len > 9; n--)
        bend(&b, other);
    size = b.len < max ? b.len : max;
    memcpy(out, b.ptr, size);
    hf_buf_done(&b);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    if (seed % 3 == 0 || size < 10)
        return LLVMFuzzerMutate(data, size, max);
    return bent(data, size, hf_view(data, 0), data, max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed)
{
    if (a_size < 10)
        return 0;
    return bent(a, a_size, hf_view(b, b_size), out, max, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct try_world w;
    if (w.engine == NULL) {
        hf_engine_process_init();
        try_open(&w);
    }
    (void)try_component(&w, hf_view(data, size));
    return 0;
}
