/* value_parse.c - values from WAVE text, led by the type.
 *
 * Recursion follows the type, never the text, so its depth is bounded by HF_TYPE_DEPTH_MAX.
 * Everything made lies in the caller's arena; when it is full, that is an error like any other.
 * Tokens are value_scan.c's, printing value_print.c's.
 */
#include "component/value_scan.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static enum hf_err parse(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret);

static const char *kind_text(const struct hf_type *t)
{
    return hf_type_kind_text(t->kind);
}

static enum hf_err parse_bool(struct hf_scan *s, struct hf_value *ret)
{
    bool escaped;
    hf_scan_space(s);
    const uint8_t *from = s->at;
    struct hf_view word = hf_scan_label(s, &escaped);
    bool yes = hf_view_eq_text(word, "true");
    if (escaped || (!yes && !hf_view_eq_text(word, "false")))
        return hf_scan_expected(s, from, "a bool (true or false)");
    *ret = hf_value_u64(yes);
    return HF_OK;
}

/* ---- numbers ---- */

struct int_range {
    int64_t min;
    uint64_t max;
};
static const struct int_range ranges[] = {
    [HF_T_S8] = {INT8_MIN, INT8_MAX},    [HF_T_U8] = {0, UINT8_MAX},
    [HF_T_S16] = {INT16_MIN, INT16_MAX}, [HF_T_U16] = {0, UINT16_MAX},
    [HF_T_S32] = {INT32_MIN, INT32_MAX}, [HF_T_U32] = {0, UINT32_MAX},
    [HF_T_S64] = {INT64_MIN, INT64_MAX}, [HF_T_U64] = {0, UINT64_MAX},
};

enum hf_err hf_text_int(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    const struct int_range *range = &ranges[t->kind];
    struct hf_view text;
    bool whole;
    char what[16];
    snprintf(what, sizeof what, "%s %s", range->min < 0 ? "an" : "a", kind_text(t));
    enum hf_err err = hf_scan_number(s, what, &text, &whole);
    if (err != HF_OK)
        return err;
    if (!whole)
        return hf_scan_fail(s, text.ptr, HF_INVALID, "`%.*s` is not a whole number, %s is needed",
                            HF_FMT(text), what);
    bool negative = text.ptr[0] == '-';
    uint64_t limit = negative ? (uint64_t)0 - (uint64_t)range->min : range->max;
    uint64_t n = 0;
    bool fits = true;
    for (size_t i = negative; i < text.len; i++) {
        unsigned digit = text.ptr[i] - (unsigned)'0';
        fits = fits && n <= (limit - digit) / 10 && digit <= limit;
        if (fits)
            n = n * 10 + digit;
    }
    if (!fits)
        return hf_scan_fail(s, text.ptr, HF_INVALID, "`%.*s` is out of range: %s is %lld to %llu",
                            HF_FMT(text), what, (long long)range->min,
                            (unsigned long long)range->max);
    *ret = hf_value_u64(negative ? (uint64_t)0 - n : n);
    return HF_OK;
}

/* strtod reads the point of the locale that the embedding program has set; this one is always "C".
 */
static double to_double(const char *text, bool single)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    HF_ASSERT(c != (locale_t)0);
    double ret = single ? (double)strtof_l(text, NULL, c) : strtod_l(text, NULL, c);
    freelocale(c);
    return ret;
}

/* NaNs have one form (V3, W9). */
void hf_text_set_float(const struct hf_type *t, double d, struct hf_value *ret)
{
    bool single = t->kind == HF_T_F32;
    *ret = hf_value_u64(0);
    if (single && isnan(d))
        ret->u64 = 0x7fc00000u;
    else if (isnan(d))
        ret->u64 = 0x7ff8000000000000u;
    else if (single)
        ret->f32 = (float)d;
    else
        ret->f64 = d;
}

enum hf_err hf_text_real(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    bool single = t->kind == HF_T_F32, whole;
    struct hf_view text;
    enum hf_err err = hf_scan_number(s, single ? "an f32" : "an f64", &text, &whole);
    if (err != HF_OK)
        return err;
    struct hf_view copy = hf_arena_copy(s->arena, text); /* for the NUL */
    if (copy.ptr == NULL)
        return hf_scan_no_memory(s);
    double d = to_double((const char *)copy.ptr, single);
    if (isinf(d))
        return hf_scan_fail(s, text.ptr, HF_INVALID, "`%.*s` is out of range of %s", HF_FMT(text),
                            kind_text(t));
    hf_text_set_float(t, d, ret);
    return HF_OK;
}

static enum hf_err parse_float(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    bool single = t->kind == HF_T_F32;
    double d = 0;
    hf_scan_space(s);
    const uint8_t *from = s->at;
    bool escaped;
    bool minus = s->end - s->at > 1 && s->at[0] == '-' && s->at[1] == 'i';
    s->at += minus;
    struct hf_view word = hf_scan_label(s, &escaped);
    if (word.len != 0) {
        bool inf = hf_view_eq_text(word, "inf");
        if (escaped || (!inf && (minus || !hf_view_eq_text(word, "nan"))))
            return hf_scan_expected(s, from, single ? "an f32" : "an f64");
        d = inf ? (double)INFINITY : (double)NAN;
        d = minus ? -d : d;
    } else {
        return hf_text_real(s, t, ret);
    }
    hf_text_set_float(t, d, ret);
    return HF_OK;
}

/* ---- lists ---- */

/* Doubling inside the arena: what is left behind is at most as much as what is kept. */
bool hf_text_grow(struct hf_scan *s, void **ptr, size_t *cap, size_t len, size_t size)
{
    if (len < *cap)
        return true;
    size_t more = *cap == 0 ? 8 : *cap * 2;
    void *p = hf_arena_array(s->arena, more, size);
    if (p == NULL)
        return false;
    if (len != 0)
        memcpy(p, *ptr, len * size);
    *ptr = p;
    *cap = more;
    return true;
}

static enum hf_err parse_list(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    hf_scan_space(s);
    const uint8_t *from = s->at;
    if (!hf_scan_take(s, '['))
        return hf_scan_expected(s, from, "a list ([...])");
    bool scalar = t->elem->scalar;
    size_t size = scalar ? t->elem->size : sizeof(struct hf_value);
    void *ptr = NULL;
    size_t cap = 0, n = 0;
    while (!hf_scan_take(s, ']')) {
        struct hf_value v = {.len = 0};
        enum hf_err err = parse(s, t->elem, &v);
        if (err != HF_OK)
            return err;
        if ((n + 1) * t->elem->size >= HF_ELEM_SIZE_MAX)
            return hf_scan_fail(s, from, HF_LIMIT, "a list takes 2^28 bytes or more");
        if (!hf_text_grow(s, &ptr, &cap, n, size))
            return hf_scan_no_memory(s);
        /* Little endian, like the guest (L1): the low bytes of a scalar come first. */
        if (scalar)
            memcpy((uint8_t *)ptr + n * size, &v.u64, size);
        else
            ((struct hf_value *)ptr)[n] = v;
        n++;
        if (!hf_scan_peek(s, ']') && !hf_scan_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `]` behind a list element");
    }
    *ret = (struct hf_value){.len = (uint32_t)n};
    if (scalar)
        ret->bytes = ptr;
    else
        ret->items = ptr;
    return HF_OK;
}

/* {key: value, ...}: a list of pairs to the ABI. Keys may come twice; what that means is the
 * guest's to say. */
static enum hf_err parse_map(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    hf_scan_space(s);
    const uint8_t *from = s->at;
    if (!hf_scan_take(s, '{'))
        return hf_scan_expected(s, from, "a map ({key: value})");
    void *ptr = NULL;
    size_t cap = 0, n = 0;
    bool none = hf_scan_take(s, ':');
    while (!hf_scan_take(s, '}')) {
        struct hf_value *pair = hf_arena_array(s->arena, 2, sizeof *pair);
        if (none)
            return hf_scan_expected(s, s->at, "`}` behind `{:`");
        if (pair == NULL || !hf_text_grow(s, &ptr, &cap, n, sizeof *pair))
            return hf_scan_no_memory(s);
        enum hf_err err = parse(s, t->elem->members[0].type, &pair[0]);
        if (err == HF_OK)
            err = hf_scan_need(s, ':', "behind a key");
        if (err == HF_OK)
            err = parse(s, t->elem->members[1].type, &pair[1]);
        if (err != HF_OK)
            return err;
        if ((n + 1) * t->elem->size >= HF_ELEM_SIZE_MAX)
            return hf_scan_fail(s, from, HF_LIMIT, "a map takes 2^28 bytes or more");
        ((struct hf_value *)ptr)[n++] = (struct hf_value){.items = pair, .len = 2};
        if (!hf_scan_peek(s, '}') && !hf_scan_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `}` behind a map entry");
    }
    *ret = (struct hf_value){.items = ptr, .len = (uint32_t)n};
    return HF_OK;
}

/* ---- tuples, records, flags ---- */

static struct hf_value *new_items(struct hf_scan *s, uint32_t n)
{
    return hf_arena_array(s->arena, n == 0 ? 1 : n, sizeof(struct hf_value));
}

static enum hf_err parse_tuple(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    hf_scan_space(s);
    const uint8_t *from = s->at;
    if (!hf_scan_take(s, '('))
        return hf_scan_expected(s, from, "a tuple ((...))");
    struct hf_value *items = new_items(s, t->n);
    if (items == NULL)
        return hf_scan_no_memory(s);
    for (uint32_t i = 0; i < t->n; i++) {
        if (hf_scan_peek(s, ')'))
            return hf_scan_fail(s, s->at, HF_INVALID, "the tuple has %u values, %u are needed", i,
                                t->n);
        enum hf_err err = parse(s, t->members[i].type, &items[i]);
        if (err != HF_OK)
            return err;
        if (!hf_scan_peek(s, ')') && !hf_scan_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `)` behind a tuple value");
    }
    if (!hf_scan_take(s, ')'))
        return hf_scan_fail(s, s->at, HF_INVALID, "the tuple has more than %u values", t->n);
    *ret = (struct hf_value){.items = items, .len = t->n};
    return HF_OK;
}

/* Members mostly come in order: the search starts at `hint`. HF_NOT_FOUND is t->n. */
uint32_t hf_text_find_member(const struct hf_type *t, struct hf_view name, uint32_t hint)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t k = (hint + i) % t->n;
        if (hf_view_eq(t->members[k].name, name))
            return k;
    }
    return t->n;
}

static enum hf_err scan_member(struct hf_scan *s, const struct hf_type *t, const char *what,
                               uint32_t hint, uint32_t *ret)
{
    bool escaped;
    hf_scan_space(s);
    const uint8_t *from = s->at;
    struct hf_view name = hf_scan_label(s, &escaped);
    if (name.len == 0)
        return hf_scan_expected(s, from, what);
    *ret = hf_text_find_member(t, name, hint);
    if (*ret != t->n)
        return HF_OK;
    struct hf_buf type_text = {0};
    if (hf_type_text(t, &type_text) != HF_OK)
        hf_buf_clear(&type_text);
    enum hf_err err =
        hf_scan_fail(s, from, HF_INVALID, "no such %s: `%.*s` in %s", what, HF_FMT(name),
                     type_text.ptr ? (char *)type_text.ptr : kind_text(t));
    hf_buf_done(&type_text);
    return err;
}

/* Fields in any order; those of option type may be left out. */
static enum hf_err parse_record(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    hf_scan_space(s);
    const uint8_t *from = s->at;
    if (!hf_scan_take(s, '{'))
        return hf_scan_expected(s, from, "a record ({field: ...})");
    struct hf_value *items = new_items(s, t->n);
    bool *seen = hf_arena_array(s->arena, t->n, sizeof *seen);
    if (items == NULL || seen == NULL)
        return hf_scan_no_memory(s);
    bool none = hf_scan_take(s, ':');
    for (uint32_t hint = 0; !hf_scan_take(s, '}');) {
        if (none)
            return hf_scan_expected(s, s->at, "`}` behind `{:`");
        hf_scan_space(s);
        const uint8_t *at = s->at;
        uint32_t i = 0;
        enum hf_err err = scan_member(s, t, "field", hint, &i);
        if (err != HF_OK)
            return err;
        if (seen[i])
            return hf_scan_fail(s, at, HF_INVALID, "field `%.*s` is there twice",
                                HF_FMT(t->members[i].name));
        seen[i] = true;
        hint = i + 1;
        err = hf_scan_need(s, ':', "behind the name of a field");
        if (err == HF_OK)
            err = parse(s, t->members[i].type, &items[i]);
        if (err != HF_OK)
            return err;
        if (!hf_scan_peek(s, '}') && !hf_scan_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `}` behind a field");
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (!seen[i] && t->members[i].type->kind != HF_T_OPTION) /* zeroes are `none` */
            return hf_scan_fail(s, from, HF_INVALID, "field `%.*s` is missing",
                                HF_FMT(t->members[i].name));
    *ret = (struct hf_value){.items = items, .len = t->n};
    return HF_OK;
}

static enum hf_err parse_flags(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    hf_scan_space(s);
    const uint8_t *from = s->at;
    if (!hf_scan_take(s, '{'))
        return hf_scan_expected(s, from, "flags ({a, b})");
    uint64_t bits = 0;
    for (uint32_t hint = 0; !hf_scan_take(s, '}');) {
        hf_scan_space(s);
        const uint8_t *at = s->at;
        uint32_t i = 0;
        enum hf_err err = scan_member(s, t, "flag", hint, &i);
        if (err != HF_OK)
            return err;
        if (bits >> i & 1)
            return hf_scan_fail(s, at, HF_INVALID, "flag `%.*s` is there twice",
                                HF_FMT(t->members[i].name));
        bits |= (uint64_t)1 << i;
        hint = i + 1;
        if (!hf_scan_peek(s, '}') && !hf_scan_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `}` behind a flag");
    }
    *ret = hf_value_u64(bits);
    return HF_OK;
}

/* ---- variants of four kinds ---- */

/* The payload of case `i`, whose label was just read. */
static enum hf_err parse_payload(struct hf_scan *s, const struct hf_type *t, uint32_t i,
                                 struct hf_view label, struct hf_value *ret)
{
    const struct hf_type *payload = t->members[i].type;
    *ret = hf_value_case(i, NULL);
    if (payload == NULL) {
        if (hf_scan_peek(s, '('))
            return hf_scan_fail(s, s->at, HF_INVALID, "`%.*s` takes no payload", HF_FMT(label));
        return HF_OK;
    }
    if (!hf_scan_take(s, '('))
        return hf_scan_fail(s, s->at, HF_INVALID, "`%.*s` needs its payload: %.*s(...)",
                            HF_FMT(label), HF_FMT(label));
    ret->items = new_items(s, 1);
    if (ret->items == NULL)
        return hf_scan_no_memory(s);
    enum hf_err err = parse(s, payload, ret->items);
    if (err != HF_OK)
        return err;
    return hf_scan_need(s, ')', "behind the payload");
}

static enum hf_err parse_case(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    bool escaped;
    hf_scan_space(s);
    const uint8_t *from = s->at;
    struct hf_view label = hf_scan_label(s, &escaped);
    if (!escaped && hf_label_is_keyword(label))
        return hf_scan_fail(s, from, HF_INVALID, "`%.*s` is a keyword; the case is written %%%.*s",
                            HF_FMT(label), HF_FMT(label));
    s->at = from;
    uint32_t i = 0;
    enum hf_err err = scan_member(s, t, "case", 0, &i);
    if (err != HF_OK)
        return err;
    return parse_payload(s, t, i, label, ret);
}

/* Options and results may be written flat: the payload of some or ok alone, unless that is an
 * option or result. */
static enum hf_err parse_flat(struct hf_scan *s, const struct hf_type *t, uint32_t i,
                              struct hf_value *ret)
{
    const struct hf_type *payload = t->members[i].type;
    bool option = t->kind == HF_T_OPTION;
    if (payload == NULL || payload->kind == HF_T_OPTION || payload->kind == HF_T_RESULT)
        return hf_scan_expected(s, s->at, option ? "some(...) or none" : "ok or err");
    *ret = hf_value_case(i, new_items(s, 1));
    if (ret->items == NULL)
        return hf_scan_no_memory(s);
    return parse(s, payload, ret->items);
}

static enum hf_err parse_option_or_result(struct hf_scan *s, const struct hf_type *t,
                                          struct hf_value *ret)
{
    static const char *const words[2][2] = {{"none", "some"}, {"ok", "err"}};
    bool option = t->kind == HF_T_OPTION;
    bool escaped;
    hf_scan_space(s);
    const uint8_t *from = s->at;
    struct hf_view label = hf_scan_label(s, &escaped);
    for (uint32_t i = 0; i < 2 && !escaped; i++)
        if (hf_view_eq_text(label, words[!option][i]))
            return parse_payload(s, t, i, label, ret);
    s->at = from;
    return parse_flat(s, t, option ? 1 : 0, ret);
}

static enum hf_err parse(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    switch (t->kind) {
    case HF_T_BOOL: return parse_bool(s, ret);
    case HF_T_S8:
    case HF_T_U8:
    case HF_T_S16:
    case HF_T_U16:
    case HF_T_S32:
    case HF_T_U32:
    case HF_T_S64:
    case HF_T_U64: return hf_text_int(s, t, ret);
    case HF_T_F32:
    case HF_T_F64: return parse_float(s, t, ret);
    case HF_T_CHAR: {
        uint32_t cp = 0;
        enum hf_err err = hf_scan_char(s, &cp);
        *ret = hf_value_u64(cp);
        return err;
    }
    case HF_T_STRING: {
        struct hf_view text = {0};
        enum hf_err err = hf_scan_string(s, &text);
        if (err == HF_OK && text.len >= HF_ELEM_SIZE_MAX)
            return hf_scan_fail(s, s->at, HF_LIMIT, "a string takes 2^28 bytes or more");
        *ret = hf_value_bytes(text);
        return err;
    }
    case HF_T_LIST: return t->is_map ? parse_map(s, t, ret) : parse_list(s, t, ret);
    case HF_T_RECORD: return parse_record(s, t, ret);
    case HF_T_TUPLE: return parse_tuple(s, t, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM: return parse_case(s, t, ret);
    case HF_T_OPTION:
    case HF_T_RESULT: return parse_option_or_result(s, t, ret);
    case HF_T_FLAGS: return parse_flags(s, t, ret);
    case HF_T_OWN:
    case HF_T_BORROW:
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE:
    case HF_T_ERROR_CONTEXT: break;
    }
    return hf_scan_fail(s, s->at, HF_UNSUPPORTED, "a value of type %s cannot be written as text",
                        kind_text(t));
}

enum hf_err hf_value_parse(const struct hf_type *t, struct hf_view text, struct hf_arena *arena,
                           struct hf_value *ret, struct hf_report *report)
{
    struct hf_scan s;
    enum hf_err err = hf_scan_init(&s, text, arena, report);
    if (err != HF_OK)
        return err;
    *ret = (struct hf_value){.len = 0};
    err = parse(&s, t, ret);
    if (err != HF_OK)
        return err;
    hf_scan_space(&s);
    if (s.at != s.end)
        return hf_scan_expected(&s, s.at, "the end of the text");
    return HF_OK;
}
