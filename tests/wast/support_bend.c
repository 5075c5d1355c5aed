/* support_bend.c - small damage to a component (support_bend.h). */
#include "support_bend.h"

uint64_t bend_rng = 88172645463325252u;

uint32_t bend_below(uint32_t n)
{
    bend_rng ^= bend_rng << 13;
    bend_rng ^= bend_rng >> 7;
    bend_rng ^= bend_rng << 17;
    return (uint32_t)((bend_rng >> 16) % n);
}

/* `gone` bytes at `at` give way to others, which may not be b's. */
static void splice(struct hf_buf *b, size_t at, size_t gone, const uint8_t *p, size_t n)
{
    struct hf_buf out = {0};
    HF_ASSERT(at + gone <= b->len);
    HF_ASSERT(hf_buf_add(&out, b->ptr, at) == HF_OK && hf_buf_add(&out, p, n) == HF_OK &&
              hf_buf_add(&out, b->ptr + at + gone, b->len - at - gone) == HF_OK);
    hf_buf_done(b);
    *b = out;
}

/* One of the sections of the outermost component, each as likely; false: there is none. */
static bool a_section(struct hf_view b, size_t *start, size_t *len)
{
    size_t at = 8;
    uint32_t seen = 0;
    while (at < b.len) {
        size_t from = at++, size = 0;
        for (unsigned shift = 0; at < b.len && shift < 32; shift += 7) {
            size |= (size_t)(b.ptr[at] & 0x7f) << shift;
            if ((b.ptr[at++] & 0x80) == 0)
                break;
        }
        if (at > b.len || size > b.len - at)
            break;
        at += size;
        if (bend_below(++seen) == 0) {
            *start = from;
            *len = at - from;
        }
    }
    return seen != 0;
}

static void bend_bytes(struct hf_buf *b)
{
    static const uint8_t odd[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x0b, 0x41, 0x70, 0x7e};
    uint8_t *p = &b->ptr[bend_below((uint32_t)b->len)];
    size_t at = (size_t)(p - b->ptr);
    switch (bend_below(5)) {
    case 0: *p ^= (uint8_t)(1u << bend_below(8)); return;
    case 1: *p = odd[bend_below(sizeof odd)]; return;
    case 2: *p = (uint8_t)(*p + (bend_below(2) == 0 ? 1 : 255)); return;
    case 3: splice(b, at, 0, &odd[bend_below(sizeof odd)], 1); return;
    default: splice(b, at, 1, NULL, 0); return;
    }
}

static void bend_sections(struct hf_buf *b, struct hf_view other)
{
    size_t from, len, here, none;
    if (!a_section(hf_buf_view(b), &here, &none))
        return;
    switch (bend_below(3)) {
    case 0: /* one of another component's */
        if (other.ptr != b->ptr && a_section(other, &from, &len))
            splice(b, here, 0, other.ptr + from, len);
        return;
    case 1: /* gone */ splice(b, here, none, NULL, 0); return;
    default: /* twice */
    {
        struct hf_buf copy = {0};
        HF_ASSERT(hf_buf_add(&copy, b->ptr + here, none) == HF_OK);
        splice(b, here + none, 0, copy.ptr, copy.len);
        hf_buf_done(&copy);
    }
    }
}

void bend(struct hf_buf *b, struct hf_view other)
{
    if (bend_below(8) < 5)
        bend_bytes(b);
    else
        bend_sections(b, other);
}
