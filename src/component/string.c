/* string.c - strings across the boundary: V6 out of guest memory, W2-W4 into it.
 *
 * Three encodings on each side. The host side speaks UTF-8 only: what a guest has in UTF-8 or in
 * ASCII is a view into its memory, the rest is transcoded into the call's arena. Between components
 * a string stays as the source has it until it is written to its destination, with the spec's exact
 * sequence of reallocs: guests see the calls.
 *
 * Transcoders trust their input to be valid. It was checked when it was lifted, and cannot change
 * before it is lowered: realloc belongs to another component, or the string was copied
 * (hf_canon_cx.copy), or lies outside guest memory (stable_source).
 */
#include "base/utf.h"
#include "component/canon.h"

#define UTF16_TAG  (UINT32_C(1) << 31)

/* ---- lifting ---- */

/* How a string breaks off: true when the bytes at the end only lack their continuation. */
static bool utf8_incomplete(const uint8_t *s, size_t len)
{
    unsigned want = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint8_t least = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t most = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len >= want)
        return false;
    if (len > 1 && (s[1] < least || s[1] > most))
        return false;
    return len < 3 || (s[2] & 0xc0) == 0x80;
}

static enum hf_err check_utf8(struct hf_instance *inst, const uint8_t *s, size_t len,
                              const char *whose)
{
    size_t good = hf_utf8_valid_prefix(s, len);
    if (HF_LIKELY(good == len))
        return HF_OK;
    if (utf8_incomplete(s + good, len - good))
        return hf_canon_trap(inst, "%sincomplete utf-8 byte sequence from index %zu [V6]", whose,
                             good);
    return hf_canon_trap(inst, "%sinvalid utf-8: byte 0x%02x at index %zu [V6]", whose, s[good],
                         good);
}

static enum hf_err lift_utf8(struct hf_canon_cx *cx, const uint8_t *s, uint32_t len,
                             struct hf_value *ret)
{
    enum hf_err err = check_utf8(cx->inst, s, len, "");
    if (err != HF_OK)
        return err;
    if (cx->copy && len != 0) {
        uint8_t *copy = hf_canon_alloc(cx, len);
        if (copy == NULL)
            return HF_TRAP;
        s = memcpy(copy, s, len);
    }
    *ret = (struct hf_value){.bytes = s, .len = len, .tag = HF_ENC_UTF8};
    return HF_OK;
}

static enum hf_err lift_utf16(struct hf_canon_cx *cx, const uint8_t *s, uint32_t units, bool tagged,
                              struct hf_value *ret)
{
    if (!hf_utf16_valid(s, units))
        return hf_canon_trap(cx->inst, "invalid utf-16: unpaired surrogate [V6]");
    size_t size = cx->host ? hf_utf8_len_of_utf16(s, units) : (size_t)units * 2;
    if (!cx->host && !cx->copy) {
        *ret = (struct hf_value){
            .bytes = s, .len = units, .tag = tagged ? HF_ENC_LATIN1_UTF16 : HF_ENC_UTF16};
        return HF_OK;
    }
    uint8_t *copy = hf_canon_alloc(cx, size);
    if (copy == NULL)
        return HF_TRAP;
    if (cx->host) {
        hf_utf16_to_utf8(s, units, copy);
        *ret = (struct hf_value){.bytes = copy, .len = (uint32_t)size, .tag = HF_ENC_UTF8};
        return HF_OK;
    }
    memcpy(copy, s, size);
    *ret = (struct hf_value){
        .bytes = copy, .len = units, .tag = tagged ? HF_ENC_LATIN1_UTF16 : HF_ENC_UTF16};
    return HF_OK;
}

static enum hf_err lift_latin1(struct hf_canon_cx *cx, const uint8_t *s, uint32_t len,
                               struct hf_value *ret)
{
    enum hf_string_enc enc = cx->host ? HF_ENC_UTF8 : HF_ENC_LATIN1;
    size_t size = len;
    bool ascii = !cx->host || hf_ascii_prefix(s, len) == len;
    if (!ascii)
        size = hf_utf8_len_of_latin1(s, len);
    if (!ascii || (cx->copy && size != 0)) {
        uint8_t *copy = hf_canon_alloc(cx, size);
        if (copy == NULL)
            return HF_TRAP;
        if (ascii)
            memcpy(copy, s, size);
        else
            hf_latin1_to_utf8(s, len, copy);
        s = copy;
    }
    *ret = (struct hf_value){.bytes = s, .len = (uint32_t)size, .tag = enc};
    return HF_OK;
}

static enum hf_err too_long(struct hf_canon_cx *cx, uint64_t bytes, uint64_t max)
{
    return hf_canon_trap(cx->inst,
                         "limit: string of %llu bytes is too long, at most %llu (string_bytes_max) "
                         "[V6]",
                         (unsigned long long)bytes, (unsigned long long)max);
}

enum hf_err hf_lift_string(struct hf_canon_cx *cx, uint32_t ptr, uint32_t units,
                           struct hf_value *ret)
{
    enum hf_string_enc enc = cx->opts->enc;
    bool tagged = enc == HF_ENC_LATIN1_UTF16 && (units & UTF16_TAG) != 0;
    bool wide = tagged || enc == HF_ENC_UTF16;
    if (tagged)
        units ^= UTF16_TAG;
    uint64_t bytes = wide ? (uint64_t)units * 2 : units;

    if (HF_UNLIKELY(enc != HF_ENC_UTF8 && (ptr & 1) != 0))
        return hf_canon_trap(cx->inst, "unaligned pointer: string at %u, align 2 [V6]", ptr);
    if (HF_UNLIKELY(!hf_canon_reaches(cx, (uint64_t)ptr + bytes)))
        return hf_canon_trap(cx->inst,
                             "string content out-of-bounds: string pointer/length out of bounds of "
                             "memory (%u + %llu bytes of %zu) [V6]",
                             ptr, (unsigned long long)bytes, cx->mem_size);
    uint64_t max = hf_canon_max(cx->inst->settings.string_bytes_max);
    if (HF_UNLIKELY(bytes > max))
        return too_long(cx, bytes, max);
    enum hf_err err = hf_canon_charge(cx, bytes);
    if (err != HF_OK)
        return err;

    const uint8_t *s = cx->mem + ptr;
    if (wide)
        return lift_utf16(cx, s, units, tagged, ret);
    if (enc == HF_ENC_LATIN1_UTF16)
        return lift_latin1(cx, s, units, ret);
    return lift_utf8(cx, s, units, ret);
}

/* ---- lowering ---- */

/* A destination in guest memory that grows and shrinks by realloc. */
struct out {
    struct hf_canon_cx *cx;
    uint32_t ptr, size;
};

static enum hf_err out_resize(struct out *o, uint32_t align, uint64_t size)
{
    HF_ASSERT(size <= UINT32_MAX); /* 3 * (2^28 - 1) at most */
    enum hf_err err =
        hf_canon_realloc(o->cx, o->ptr, o->size, align, (uint32_t)size, "string content", &o->ptr);
    o->size = (uint32_t)size;
    return err;
}

static uint8_t *out_at(const struct out *o, size_t offset)
{
    return o->cx->mem + o->ptr + offset;
}

static enum hf_err copy_bytes(struct out *o, const uint8_t *s, uint32_t align, uint64_t size)
{
    enum hf_err err = out_resize(o, align, size);
    if (err == HF_OK && size != 0)
        memmove(out_at(o, 0), s, size); /* a host function may give back what it was given */
    return err;
}

static enum hf_err shrink(struct out *o, uint32_t align, size_t size)
{
    return size < o->size ? out_resize(o, align, size) : HF_OK;
}

/* One code unit to two. */
static void widen(uint8_t *out, const uint8_t *s, size_t n)
{
    for (size_t i = n; i-- > 0;) { /* backwards: out may be s */
        out[2 * i] = s[i];
        out[2 * i + 1] = 0;
    }
}

static enum hf_err utf16_to_utf8(struct out *o, const uint8_t *s, uint32_t n, uint32_t *units)
{
    size_t i = 0, size;
    enum hf_err err = out_resize(o, 1, n);
    if (err != HF_OK)
        return err;
    for (uint8_t *out = out_at(o, 0); i < n && s[2 * i + 1] == 0 && s[2 * i] < 0x80; i++)
        out[i] = s[2 * i];
    *units = n;
    if (i == n)
        return HF_OK;
    err = out_resize(o, 1, (uint64_t)n * 3);
    if (err != HF_OK)
        return err;
    size = i + hf_utf16_to_utf8(s + 2 * i, n - i, out_at(o, i));
    *units = (uint32_t)size;
    return shrink(o, 1, size);
}

static enum hf_err latin1_to_utf8(struct out *o, const uint8_t *s, uint32_t n, uint32_t *units)
{
    enum hf_err err = out_resize(o, 1, n);
    if (err != HF_OK)
        return err;
    size_t i = hf_ascii_prefix(s, n);
    if (i != 0)
        memcpy(out_at(o, 0), s, i);
    *units = n;
    if (i == n)
        return HF_OK;
    err = out_resize(o, 1, (uint64_t)n * 2);
    if (err != HF_OK)
        return err;
    size_t size = i + hf_latin1_to_utf8(s + i, n - i, out_at(o, i));
    *units = (uint32_t)size;
    return shrink(o, 1, size);
}

static enum hf_err utf8_to_utf16(struct out *o, const uint8_t *s, uint32_t n, uint32_t *units)
{
    enum hf_err err = out_resize(o, 2, (uint64_t)n * 2);
    if (err != HF_OK)
        return err;
    size_t size = n == 0 ? 0 : hf_utf8_to_utf16(s, n, out_at(o, 0));
    *units = (uint32_t)(size / 2);
    return shrink(o, 2, size);
}

static enum hf_err latin1_to_utf16(struct out *o, const uint8_t *s, uint32_t n, uint32_t *units)
{
    enum hf_err err = out_resize(o, 2, (uint64_t)n * 2);
    if (err != HF_OK)
        return err;
    widen(out_at(o, 0), s, n);
    *units = n;
    return HF_OK;
}

/* The next scalar value of either source. */
static uint32_t next_scalar(const uint8_t *s, uint32_t n, bool wide, size_t *at)
{
    return wide ? hf_utf16_next(s, n, at) : hf_utf8_next(s, n, at);
}

/* W4: Latin-1 while it fits, then the whole in UTF-16. */
static enum hf_err to_latin1_utf16(struct out *o, const uint8_t *s, uint32_t n, bool wide,
                                   uint32_t *units)
{
    enum hf_err err = out_resize(o, 2, n);
    if (err != HF_OK)
        return err;

    size_t at = 0, done = 0; /* code units read, Latin-1 bytes written */
    for (uint8_t *out = out_at(o, 0); at < n;) {
        size_t next = at;
        uint32_t c = next_scalar(s, n, wide, &next);
        if (c > 0xff)
            break;
        out[done++] = (uint8_t)c;
        at = next;
    }
    *units = (uint32_t)done;
    if (at == n)
        return shrink(o, 2, done);

    err = out_resize(o, 2, (uint64_t)n * 2);
    if (err != HF_OK)
        return err;
    widen(out_at(o, 0), out_at(o, 0), done);
    size_t size = 2 * done;
    if (wide) {
        memcpy(out_at(o, size), s + 2 * at, 2 * (n - at));
        size += 2 * (n - at);
    } else {
        size += hf_utf8_to_utf16(s + at, n - at, out_at(o, size));
    }
    *units = (uint32_t)(size / 2) | UTF16_TAG;
    return shrink(o, 2, size);
}

/* W4, the UTF-16 half of a latin1+utf16 source: it probably has to stay UTF-16. */
static enum hf_err tagged_to_latin1_utf16(struct out *o, const uint8_t *s, uint32_t n,
                                          uint32_t *units)
{
    enum hf_err err = copy_bytes(o, s, 2, (uint64_t)n * 2);
    if (err != HF_OK)
        return err;
    bool narrow = true;
    for (uint32_t i = 0; i < n && narrow; i++)
        narrow = s[2 * i + 1] == 0;
    *units = n | UTF16_TAG;
    if (!narrow)
        return HF_OK;
    uint8_t *out = out_at(o, 0);
    for (uint32_t i = 0; i < n; i++)
        out[i] = out[2 * i];
    *units = n;
    return out_resize(o, 1, n); /* always, also for nothing */
}

static enum hf_err lower_to(struct out *o, const struct hf_value *v, uint32_t *units)
{
    const uint8_t *s = v->bytes;
    uint32_t n = v->len, from = v->tag;
    bool wide = from == HF_ENC_UTF16 || from == HF_ENC_LATIN1_UTF16;

    *units = n;
    switch (o->cx->opts->enc) {
    case HF_ENC_UTF8:
        if (wide)
            return utf16_to_utf8(o, s, n, units);
        return from == HF_ENC_LATIN1 ? latin1_to_utf8(o, s, n, units) : copy_bytes(o, s, 1, n);
    case HF_ENC_UTF16:
        if (wide)
            return copy_bytes(o, s, 2, (uint64_t)n * 2);
        return from == HF_ENC_LATIN1 ? latin1_to_utf16(o, s, n, units)
                                     : utf8_to_utf16(o, s, n, units);
    default:
        if (from == HF_ENC_LATIN1)
            return copy_bytes(o, s, 2, n);
        if (from == HF_ENC_LATIN1_UTF16)
            return tagged_to_latin1_utf16(o, s, n, units);
        return to_latin1_utf16(o, s, n, wide, units);
    }
}

/* Host strings are checked here: a wrong byte of ours must not reach the transcoders. One that lies
 * in the guest's own memory (an argument handed back) could be changed by realloc before it is
 * read: transcoding works on a copy. */
static enum hf_err stable_source(struct hf_canon_cx *cx, struct hf_value *v)
{
    if (v->tag != HF_ENC_UTF8)
        return hf_canon_trap(cx->inst, "the host gave a string that is not in utf-8");
    if (v->len != 0 && v->bytes == NULL)
        return hf_canon_trap(cx->inst, "the host gave a string without bytes");
    enum hf_err err = check_utf8(cx->inst, v->bytes, v->len, "the host gave a string with ");
    if (err != HF_OK)
        return err;
    if (cx->opts->enc == HF_ENC_UTF8 || v->len == 0)
        return HF_OK;
    hf_canon_look(cx); /* it may lie past what was seen here */
    if ((uintptr_t)v->bytes - (uintptr_t)cx->mem < cx->mem_size) {
        uint8_t *copy = hf_canon_alloc(cx, v->len);
        if (copy == NULL)
            return HF_TRAP;
        v->bytes = memcpy(copy, v->bytes, v->len);
    }
    return HF_OK;
}

enum hf_err hf_lower_string(struct hf_canon_cx *cx, const struct hf_value *v, uint32_t *ptr,
                            uint32_t *units)
{
    struct out o = {.cx = cx};
    struct hf_value from = *v;
    uint64_t bytes =
        v->tag == HF_ENC_UTF16 || v->tag == HF_ENC_LATIN1_UTF16 ? (uint64_t)v->len * 2 : v->len;
    uint64_t max = hf_canon_max(cx->inst->settings.string_bytes_max);
    if (HF_UNLIKELY(bytes > max))
        return too_long(cx, bytes, max);
    if (cx->host) {
        enum hf_err err = stable_source(cx, &from);
        if (err != HF_OK)
            return err;
    }
    enum hf_err err = lower_to(&o, &from, units);
    *ptr = o.ptr;
    return err;
}
