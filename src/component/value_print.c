/* value_print.c - values as canonical WAVE text, and whether two values are the same.
 *
 * Canonical: fields in the order of the type, those that are `none` left out; options and results
 * with their case; shortest digits that read back as the same number; what a terminal would act
 * upon is escaped.
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf.h"
#include "component/value_scan.h"

static enum hf_err print(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret);

/* ---- numbers ---- */

/* Digits d.ddd...e+xx of the shortest text that reads back as d. In the "C" locale. */
static void shortest(double d, bool single, char text[40])
{
    double least = single ? (double)FLT_MIN : DBL_MIN;
    int first = fabs(d) < least ? 1
                : single        ? FLT_DIG
                                : DBL_DIG; /* any number of so many digits survives */
    int last = single ? 9 : 17;     /* so many are always enough */
    for (int digits = first; digits <= last; digits++) {
        snprintf(text, 40, "%.*e", digits - 1, d);
        double back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (back == d)
            return;
    }
}

static enum hf_err add_zeros(struct hf_buf *ret, int n)
{
    enum hf_err err = HF_OK;
    for (; n > 0 && err == HF_OK; n--)
        err = hf_buf_add_byte(ret, '0');
    return err;
}

/* Without an exponent between 1e-7 and 1e21, as people write numbers (and JSON programs print
 * them). */
static enum hf_err add_decimal(struct hf_buf *ret, const char *text)
{
    char digits[24];
    int n = 0, exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    for (const char *p = text; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    enum hf_err err = text[0] == '-' ? hf_buf_add_byte(ret, '-') : HF_OK;
    if (err != HF_OK)
        return err;
    if (exponent < -7 || exponent >= 21) {
        if (n == 1)
            return hf_buf_printf(ret, "%ce%d", digits[0], exponent);
        return hf_buf_printf(ret, "%c.%.*se%d", digits[0], n - 1, digits + 1, exponent);
    }
    if (exponent < 0) {
        err = hf_buf_add_text(ret, "0.");
        if (err == HF_OK)
            err = add_zeros(ret, -exponent - 1);
        return err == HF_OK ? hf_buf_add(ret, digits, (size_t)n) : err;
    }
    int whole = exponent + 1 < n ? exponent + 1 : n; /* digits before the point */
    err = hf_buf_add(ret, digits, (size_t)whole);
    if (err == HF_OK)
        err = add_zeros(ret, exponent + 1 - whole);
    if (err != HF_OK || whole == n)
        return err;
    return hf_buf_printf(ret, ".%.*s", n - whole, digits + whole);
}

enum hf_err hf_text_print_float(double d, bool single, struct hf_buf *ret)
{
    if (isnan(d))
        return hf_buf_add_text(ret, "nan");
    if (isinf(d))
        return hf_buf_add_text(ret, d < 0 ? "-inf" : "inf");
    char text[40];
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    HF_ASSERT(c != (locale_t)0);
    locale_t before = uselocale(c);
    shortest(d, single, text);
    uselocale(before);
    freelocale(c);
    return add_decimal(ret, text);
}

/* ---- characters and strings ---- */

bool
hf_text_is_active(uint32_t cp) /* control characters, line separators, changes of writing direction */
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x61c ||
           cp == 0xfeff;
}

static enum hf_err print_scalar(uint32_t cp, char quote, struct hf_buf *ret)
{
    switch (cp) {
    case '\t': return hf_buf_add_text(ret, "\\t");
    case '\n': return hf_buf_add_text(ret, "\\n");
    case '\r': return hf_buf_add_text(ret, "\\r");
    case '\\': return hf_buf_add_text(ret, "\\\\");
    default: break;
    }
    if (cp == (uint32_t)quote)
        return hf_buf_printf(ret, "\\%c", quote);
    if (hf_text_is_active(cp))
        return hf_buf_printf(ret, "\\u{%x}", cp);
    uint8_t out[4];
    return hf_buf_add(ret, out, hf_utf8_put(out, cp));
}

static enum hf_err print_char(uint32_t cp, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '\'');
    if (err == HF_OK)
        err = print_scalar(cp, '\'', ret);
    return err == HF_OK ? hf_buf_add_byte(ret, '\'') : err;
}

/* The next scalar value of a string in any of the encodings that a value may carry. */
uint32_t hf_text_next_scalar(const struct hf_value *v, size_t *at)
{
    switch ((enum hf_string_enc)v->tag) {
    case HF_ENC_UTF16:
    case HF_ENC_LATIN1_UTF16:
        return hf_utf16_next(v->bytes, v->len, at); /* its UTF-16 half, canon.h */
    case HF_ENC_LATIN1: return v->bytes[(*at)++];
    case HF_ENC_UTF8: break;
    }
    return hf_utf8_next(v->bytes, v->len, at);
}

static enum hf_err print_string(const struct hf_value *v, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '"');
    for (size_t at = 0; at < v->len && err == HF_OK;)
        err = print_scalar(hf_text_next_scalar(v, &at), '"', ret);
    return err == HF_OK ? hf_buf_add_byte(ret, '"') : err;
}

static bool string_eq(const struct hf_value *a, const struct hf_value *b)
{
    if (a->tag == b->tag && (a->tag == HF_ENC_UTF8 || a->tag == HF_ENC_LATIN1))
        return a->len == b->len && (a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
    size_t i = 0, k = 0;
    while (i < a->len && k < b->len)
        if (hf_text_next_scalar(a, &i) != hf_text_next_scalar(b, &k))
            return false;
    return i == a->len && k == b->len;
}

/* ---- everything made of parts ---- */

/* One element of a packed list, as a value of its own. */
struct hf_value hf_text_unpack(const struct hf_type *elem, const struct hf_value *list, uint32_t i)
{
    struct hf_value v = {.u64 = 0};
    memcpy(&v.u64, list->bytes + (size_t)i * elem->size, elem->size);
    switch (elem->kind) {
    case HF_T_S8: v.s64 = (int8_t)v.u64; break;
    case HF_T_S16: v.s64 = (int16_t)v.u64; break;
    case HF_T_S32: v.s64 = (int32_t)v.u64; break;
    default: break;
    }
    return v;
}

static enum hf_err print_list(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '[');
    for (uint32_t i = 0; i < v->len && err == HF_OK; i++) {
        struct hf_value one = t->elem->scalar ? hf_text_unpack(t->elem, v, i) : v->items[i];
        if (i > 0)
            err = hf_buf_add_text(ret, ", ");
        if (err == HF_OK)
            err = print(t->elem, &one, ret);
    }
    return err == HF_OK ? hf_buf_add_byte(ret, ']') : err;
}

static enum hf_err print_map(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '{');
    for (uint32_t i = 0; i < v->len && err == HF_OK; i++) {
        const struct hf_value *pair = v->items[i].items;
        if (i > 0)
            err = hf_buf_add_text(ret, ", ");
        if (err == HF_OK)
            err = print(t->elem->members[0].type, &pair[0], ret);
        if (err == HF_OK)
            err = hf_buf_add_text(ret, ": ");
        if (err == HF_OK)
            err = print(t->elem->members[1].type, &pair[1], ret);
    }
    return err == HF_OK ? hf_buf_add_byte(ret, '}') : err;
}

static enum hf_err print_tuple(const struct hf_type *t, const struct hf_value *v,
                               struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '(');
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        if (i > 0)
            err = hf_buf_add_text(ret, ", ");
        if (err == HF_OK)
            err = print(t->members[i].type, &v->items[i], ret);
    }
    return err == HF_OK ? hf_buf_add_byte(ret, ')') : err;
}

static enum hf_err print_record(const struct hf_type *t, const struct hf_value *v,
                                struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '{');
    bool any = false;
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        const struct hf_member *m = &t->members[i];
        if (m->type->kind == HF_T_OPTION && v->items[i].tag == 0)
            continue;
        err = hf_buf_printf(ret, "%s%.*s: ", any ? ", " : "", HF_FMT(m->name));
        if (err == HF_OK)
            err = print(m->type, &v->items[i], ret);
        any = true;
    }
    if (err == HF_OK && !any)
        err = hf_buf_add_byte(ret, ':'); /* {} are flags */
    return err == HF_OK ? hf_buf_add_byte(ret, '}') : err;
}

static enum hf_err print_flags(const struct hf_type *t, const struct hf_value *v,
                               struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '{');
    bool any = false;
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        if (!(v->u64 >> i & 1))
            continue;
        err = hf_buf_printf(ret, "%s%.*s", any ? ", " : "", HF_FMT(t->members[i].name));
        any = true;
    }
    return err == HF_OK ? hf_buf_add_byte(ret, '}') : err;
}

static enum hf_err print_case(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    if (v->tag >= t->n)
        return HF_INVALID;
    const struct hf_member *m = &t->members[v->tag];
    struct hf_view name = m->name;
    bool escape = false;
    if (t->kind == HF_T_RESULT)
        name = v->tag == 0 ? HF_VIEW("ok") : HF_VIEW("err");
    else if (t->kind == HF_T_OPTION)
        name = v->tag == 0 ? HF_VIEW("none") : HF_VIEW("some");
    else
        escape = hf_label_is_keyword(name);
    enum hf_err err = hf_buf_printf(ret, "%s%.*s", escape ? "%" : "", HF_FMT(name));
    if (err != HF_OK || m->type == NULL)
        return err;
    err = hf_buf_add_byte(ret, '(');
    if (err == HF_OK)
        err = print(m->type, v->items, ret);
    return err == HF_OK ? hf_buf_add_byte(ret, ')') : err;
}

static enum hf_err print(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    switch (t->kind) {
    case HF_T_BOOL: return hf_buf_add_text(ret, v->u64 ? "true" : "false");
    case HF_T_S8:
    case HF_T_S16:
    case HF_T_S32:
    case HF_T_S64: return hf_buf_printf(ret, "%lld", (long long)v->s64);
    case HF_T_U8:
    case HF_T_U16:
    case HF_T_U32:
    case HF_T_U64: return hf_buf_printf(ret, "%llu", (unsigned long long)v->u64);
    case HF_T_F32: return hf_text_print_float((double)v->f32, true, ret);
    case HF_T_F64: return hf_text_print_float(v->f64, false, ret);
    case HF_T_CHAR: return print_char((uint32_t)v->u64, ret);
    case HF_T_STRING: return print_string(v, ret);
    case HF_T_LIST: return t->is_map ? print_map(t, v, ret) : print_list(t, v, ret);
    case HF_T_RECORD: return print_record(t, v, ret);
    case HF_T_TUPLE: return print_tuple(t, v, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return print_case(t, v, ret);
    case HF_T_FLAGS: return print_flags(t, v, ret);
    case HF_T_OWN:
    case HF_T_BORROW:
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE:
    case HF_T_ERROR_CONTEXT: break;
    }
    return HF_UNSUPPORTED;
}

enum hf_err hf_value_print(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    return print(t, v, ret);
}

/* ---- equality ---- */

static bool float_eq(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool list_eq(const struct hf_type *elem, const struct hf_value *a, const struct hf_value *b)
{
    if (a->len != b->len || a->len == 0)
        return a->len == b->len;
    if (elem->scalar && elem->kind != HF_T_F32 && elem->kind != HF_T_F64)
        return memcmp(a->bytes, b->bytes, (size_t)a->len * elem->size) == 0;
    for (uint32_t i = 0; i < a->len; i++) {
        struct hf_value x = elem->scalar ? hf_text_unpack(elem, a, i) : a->items[i];
        struct hf_value y = elem->scalar ? hf_text_unpack(elem, b, i) : b->items[i];
        if (!hf_value_eq(elem, &x, &y))
            return false;
    }
    return true;
}

bool hf_value_eq(const struct hf_type *t, const struct hf_value *a, const struct hf_value *b)
{
    switch (t->kind) {
    case HF_T_BOOL: return !a->u64 == !b->u64;
    case HF_T_F32: return float_eq((double)a->f32, (double)b->f32);
    case HF_T_F64: return float_eq(a->f64, b->f64);
    case HF_T_STRING: return string_eq(a, b);
    case HF_T_LIST: return list_eq(t->elem, a, b);
    case HF_T_RECORD:
    case HF_T_TUPLE:
        for (uint32_t i = 0; i < t->n; i++)
            if (!hf_value_eq(t->members[i].type, &a->items[i], &b->items[i]))
                return false;
        return true;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        if (a->tag != b->tag || a->tag >= t->n)
            return false;
        return t->members[a->tag].type == NULL ||
               hf_value_eq(t->members[a->tag].type, a->items, b->items);
    default: return a->u64 == b->u64; /* integers, char, flags, handles */
    }
}
