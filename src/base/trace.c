/* trace.c - see trace.h. */
#include "base/trace.h"

/* ---- ids ---- */

static uint64_t rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

/* A seed with few bits set would take a while to spread them: each word is mixed first (splitmix64's
 * finish, which is one to one). All zeroes is the one state it would never leave. */
void hf_ids_seed(struct hf_ids *ids, const uint64_t seed[4])
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t z = seed[i] + (i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        ids->s[i] = z ^ z >> 31;
    }
    if ((ids->s[0] | ids->s[1] | ids->s[2] | ids->s[3]) == 0)
        ids->s[0] = 1;
}

/* xoshiro256**: a few additions, shifts and rotations, with a period nobody reaches. */
uint64_t hf_ids_next(struct hf_ids *ids)
{
    uint64_t *s = ids->s, ret;
    do {
        ret = rotl(s[1] * 5, 7) * 9;
        uint64_t t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotl(s[3], 45);
    } while (ret == 0);
    return ret;
}

/* ---- hex ---- */

/* All sixteen digits at once: each byte of a vector becomes one. The compiler has instructions for
 * it, or makes words of it. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));
#ifdef __clang__
#define TWICE(x) __builtin_shufflevector(x, x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
#else
#define TWICE(x) __builtin_shuffle(x, (bytes16){0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7})
#endif

void hf_hex64(uint64_t v, char out[16])
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v); /* the highest byte comes first */
#endif
    const bytes16 first = {255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0};
    bytes16 x = TWICE((bytes16)(words2){v});
    x = ((x >> 4) & first) | (x & 15 & ~first);
    x += '0' + ((bytes16)(x > 9) & ('a' - '0' - 10));
    memcpy(out, &x, sizeof x);
}

/* n digits at most 16; false when one is none. */
static bool read_hex(const uint8_t *p, unsigned n, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned digit = p[i] - (unsigned)'0', letter = p[i] - (unsigned)'a';
        if (digit > 9 && letter > 5)
            return false;
        v = v << 4 | (digit <= 9 ? digit : letter + 10);
    }
    *ret = v;
    return true;
}

/* ---- traceparent ---- */

void hf_trace_new(struct hf_trace *t, struct hf_ids *ids)
{
    t->hi = hf_ids_next(ids);
    t->lo = hf_ids_next(ids);
    t->span = hf_ids_next(ids);
    t->flags = HF_TRACE_SAMPLED;
}

bool hf_traceparent_read(struct hf_view v, struct hf_trace *ret)
{
    const uint8_t *p = v.ptr;
    struct hf_trace t;
    uint64_t version, flags;
    if (v.len < HF_TRACEPARENT_LEN || p[2] != '-' || p[35] != '-' || p[52] != '-')
        return false;
    if (!read_hex(p, 2, &version) || !read_hex(p + 3, 16, &t.hi) || !read_hex(p + 19, 16, &t.lo) ||
        !read_hex(p + 36, 16, &t.span) || !read_hex(p + 53, 2, &flags))
        return false;
    if (version == 0xff || (version == 0 && v.len != HF_TRACEPARENT_LEN) ||
        (v.len > HF_TRACEPARENT_LEN && p[HF_TRACEPARENT_LEN] != '-'))
        return false;
    if (!hf_trace_is(&t) || t.span == 0)
        return false;
    t.flags = flags & HF_TRACE_SAMPLED;
    *ret = t;
    return true;
}

void hf_traceparent_write(const struct hf_trace *t, char out[HF_TRACEPARENT_LEN])
{
    memcpy(out, "00-", 3);
    hf_hex64(t->hi, out + 3);
    hf_hex64(t->lo, out + 19);
    out[35] = '-';
    hf_hex64(t->span, out + 36);
    memcpy(out + 52, t->flags & HF_TRACE_SAMPLED ? "-01" : "-00", 3);
}

/* ---- tracestate ---- */

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A letter first (or a digit, for a tenant's name), then letters, digits and _-* /. */
static bool key_part(struct hf_view v, size_t max, bool digit_first)
{
    if (v.len == 0 || v.len > max || !(is_lower(v.ptr[0]) || (digit_first && is_digit(v.ptr[0]))))
        return false;
    for (size_t i = 1; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/')
            return false;
    }
    return true;
}

static bool is_key(struct hf_view v)
{
    size_t at = hf_view_find(v, '@');
    if (at == v.len)
        return key_part(v, 256, false);
    return key_part(hf_view_take(v, at), 241, true) && key_part(hf_view_skip(v, at + 1), 14, false);
}

/* 1 to 256 printable characters but ',' and '=', the last no space. */
static bool is_value(struct hf_view v)
{
    if (v.len == 0 || v.len > 256 || v.ptr[v.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < 0x20 || v.ptr[i] > 0x7e || v.ptr[i] == ',' || v.ptr[i] == '=')
            return false;
    return true;
}

static struct hf_view trim(struct hf_view v)
{
    while (v.len > 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = hf_view_skip(v, 1);
    while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    return v;
}

bool hf_tracestate_ok(struct hf_view v, unsigned *members)
{
    for (struct hf_view rest = v; rest.len > 0;) {
        size_t comma = hf_view_find(rest, ',');
        struct hf_view member = trim(hf_view_take(rest, comma));
        rest = hf_view_skip(rest, comma + 1);
        if (member.len == 0) /* allowed, and nothing */
            continue;
        size_t eq = hf_view_find(member, '=');
        if (eq == member.len || !is_key(hf_view_take(member, eq)) ||
            !is_value(hf_view_skip(member, eq + 1)) || ++*members > HF_TRACESTATE_MEMBERS_MAX)
            return false;
    }
    return true;
}

/* ---- request ids ---- */

bool hf_request_id_ok(struct hf_view v)
{
    if (v.len == 0 || v.len > HF_REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (!is_digit(c) && !is_lower(c | 0x20) && (c < '+' || c > '/' || c == ',') && c != ':' && c != '=' &&
            c != '@' && c != '_' && c != '~')
            return false;
    }
    return true;
}
