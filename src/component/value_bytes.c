/* value_bytes.c - see value_bytes.h: writer and reader of the canonical bytes of values.
 *
 * The two walks mirror each other, case by case. Recursion is bounded by the depth of types (S8).
 */
#include "component/value_bytes.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/utf.h"

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum hf_err err_ = (expr);                                                                 \
        if (HF_UNLIKELY(err_ != HF_OK))                                                            \
            return err_;                                                                           \
    } while (0)

bool hf_u32s_add(struct hf_u32s *list, uint32_t v)
{
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 16 : 2 * list->cap;
        uint32_t *ptr = cap > list->cap ? realloc(list->ptr, (size_t)cap * sizeof *ptr) : NULL;
        if (ptr == NULL)
            return false;
        list->ptr = ptr;
        list->cap = cap;
    }
    list->ptr[list->n++] = v;
    return true;
}

void hf_u32s_done(struct hf_u32s *list)
{
    free(list->ptr);
    *list = (struct hf_u32s){0};
}

/* ---- what both know ---- */

static bool is_scalar_value(uint64_t c)
{
    return c < 0x110000 && (c < 0xd800 || c > 0xdfff);
}

static uint32_t label_bits(const struct hf_type *t)
{
    return UINT32_MAX >> (32 - t->n); /* 1 to 32 labels (S7) */
}

/* How many bytes a number takes; 0: it is none of the fixed-width types. */
static unsigned fixed_width(enum hf_type_kind kind)
{
    switch (kind) {
    case HF_T_U8:
    case HF_T_S8: return 1;
    case HF_T_U16:
    case HF_T_S16: return 2;
    case HF_T_U32:
    case HF_T_S32:
    case HF_T_F32: return 4;
    case HF_T_U64:
    case HF_T_S64:
    case HF_T_F64: return 8;
    default: return 0;
    }
}

static uint64_t canonical_float(uint64_t bits, unsigned width)
{
    if (width == 4)
        return ((uint32_t)bits & INT32_MAX) > 0x7f800000 ? 0x7fc00000 : (uint32_t)bits;
    return (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000) ? UINT64_C(0x7ff8000000000000) : bits;
}

static bool is_float(enum hf_type_kind kind)
{
    return kind == HF_T_F32 || kind == HF_T_F64;
}

static uint64_t get_le(const uint8_t *p, unsigned width)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < width; i++)
        bits |= (uint64_t)p[i] << 8 * i;
    return bits;
}

/* ---- writing ---- */

struct writer {
    struct hf_buf *out;
    size_t max;
    struct hf_u32s *places;
};

static enum hf_err room(struct writer *w, size_t n)
{
    if (w->out->len > w->max || n > w->max - w->out->len)
        return HF_LIMIT;
    return hf_buf_reserve(w->out, n);
}

static enum hf_err put_raw(struct writer *w, const void *p, size_t n)
{
    TRY(room(w, n));
    return hf_buf_add(w->out, p, n);
}

static enum hf_err put_le(struct writer *w, uint64_t bits, unsigned width)
{
    uint8_t b[8];
    for (unsigned i = 0; i < width; i++)
        b[i] = (uint8_t)(bits >> 8 * i);
    return put_raw(w, b, width);
}

static enum hf_err put_leb(struct writer *w, uint32_t n)
{
    TRY(room(w, 5));
    return hf_write_leb_u32(w->out, n);
}

static enum hf_err put(struct writer *w, const struct hf_type *t, const struct hf_value *v);

static enum hf_err put_string(struct writer *w, const struct hf_value *v)
{
    if (v->tag != HF_ENC_UTF8 || (v->len != 0 && v->bytes == NULL) ||
        !hf_utf8_valid(v->bytes, v->len))
        return HF_INVALID;
    TRY(put_leb(w, v->len));
    return v->len == 0 ? HF_OK : put_raw(w, v->bytes, v->len);
}

static enum hf_err put_list(struct writer *w, const struct hf_type *t, const struct hf_value *v)
{
    const struct hf_type *elem = t->elem;
    if (v->len != 0 && v->items == NULL)
        return HF_INVALID;
    TRY(put_leb(w, v->len));
    if (!elem->scalar) {
        for (uint32_t i = 0; i < v->len; i++)
            TRY(put(w, elem, &v->items[i]));
        return HF_OK;
    }
    size_t at = w->out->len, bytes = (size_t)v->len * elem->size;
    if (bytes != 0)
        TRY(put_raw(w, v->bytes, bytes));
    for (size_t i = 0; is_float(elem->kind) && i < bytes; i += elem->size) {
        uint8_t *p = w->out->ptr + at + i;
        uint64_t bits = canonical_float(get_le(p, elem->size), elem->size);
        for (unsigned k = 0; k < elem->size; k++)
            p[k] = (uint8_t)(bits >> 8 * k);
    }
    return HF_OK;
}

static enum hf_err put_case(struct writer *w, const struct hf_type *t, const struct hf_value *v)
{
    if (v->tag >= t->n)
        return HF_INVALID;
    const struct hf_type *payload = t->members[v->tag].type;
    if (payload != NULL && v->items == NULL)
        return HF_INVALID;
    TRY(put_leb(w, v->tag));
    return payload == NULL ? HF_OK : put(w, payload, v->items);
}

static enum hf_err put_fields(struct writer *w, const struct hf_type *t, const struct hf_value *v)
{
    if (v->items == NULL || v->len != t->n)
        return HF_INVALID;
    for (uint32_t i = 0; i < t->n; i++)
        TRY(put(w, t->members[i].type, &v->items[i]));
    return HF_OK;
}

static enum hf_err put_handle(struct writer *w)
{
    HF_ASSERT(w->places != NULL);
    if (w->out->len > UINT32_MAX - 4)
        return HF_LIMIT;
    uint32_t place = (uint32_t)w->out->len;
    TRY(put_le(w, 0, 4));
    return hf_u32s_add(w->places, place) ? HF_OK : HF_LIMIT;
}

static enum hf_err put(struct writer *w, const struct hf_type *t, const struct hf_value *v)
{
    unsigned width = fixed_width(t->kind);
    if (width != 0)
        return put_le(w, is_float(t->kind) ? canonical_float(v->u64, width) : v->u64, width);
    switch (t->kind) {
    case HF_T_BOOL: return put_le(w, v->u64 != 0, 1);
    case HF_T_CHAR: return is_scalar_value(v->u64) ? put_leb(w, (uint32_t)v->u64) : HF_INVALID;
    case HF_T_STRING: return put_string(w, v);
    case HF_T_LIST: return put_list(w, t, v);
    case HF_T_RECORD:
    case HF_T_TUPLE: return put_fields(w, t, v);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return put_case(w, t, v);
    case HF_T_FLAGS: return put_leb(w, (uint32_t)v->u64 & label_bits(t));
    case HF_T_OWN:
    case HF_T_BORROW: return put_handle(w);
    default: return HF_INVALID; /* gated types have no values */
    }
}

enum hf_err hf_value_write(const struct hf_type *t, const struct hf_value *v, size_t max,
                           struct hf_buf *out, struct hf_u32s *places)
{
    struct writer w = {.out = out, .max = max, .places = places};
    return put(&w, t, v);
}

void hf_value_bytes_handles(struct hf_buf *out, const struct hf_u32s *places,
                            const uint32_t *numbers)
{
    for (uint32_t i = 0; i < places->n; i++) {
        uint8_t *p = out->ptr + places->ptr[i];
        for (unsigned k = 0; k < 4; k++)
            p[k] = (uint8_t)(numbers[i] >> 8 * k);
    }
}

/* ---- reading ---- */

struct in {
    struct hf_reader *r;
    struct hf_arena *arena;
    void *obj;
    struct hf_u32s *numbers;
    struct hf_report *report;
};

static enum hf_err wrong(struct in *in, const struct hf_type *t, const char *what)
{
    size_t at = hf_reader_pos(in->r);
    hf_reader_fail(in->r);
    return hf_report_set(in->report, HF_INVALID, "byte %zu: %s in a %s", at, what,
                         hf_type_kind_text(t->kind));
}

static enum hf_err no_room(struct in *in)
{
    return hf_report_set(in->report, HF_LIMIT, "the values take more than %zu bytes",
                         in->arena->max);
}

/* A LEB in as few bytes as possible: the last of several is not 0. */
static enum hf_err get_leb(struct in *in, const struct hf_type *t, uint32_t *ret)
{
    const uint8_t *from = in->r->at;
    *ret = hf_read_leb_u32(in->r);
    if (in->r->bad)
        return wrong(in, t, "no number, or one past 32 bits,");
    if (in->r->at - from > 1 && in->r->at[-1] == 0)
        return wrong(in, t, "a number longer than it needs to be");
    return HF_OK;
}

static enum hf_err get(struct in *in, const struct hf_type *t, struct hf_value *ret);

static enum hf_err get_number(struct in *in, const struct hf_type *t, unsigned width,
                              struct hf_value *ret)
{
    struct hf_view b = hf_read_bytes(in->r, width);
    if (in->r->bad)
        return wrong(in, t, "not enough bytes");
    uint64_t bits = get_le(b.ptr, width);
    if (is_float(t->kind) && canonical_float(bits, width) != bits)
        return wrong(in, t, "a NaN that is not the canonical one");
    switch (t->kind) {
    case HF_T_S8: ret->s64 = (int8_t)bits; return HF_OK;
    case HF_T_S16: ret->s64 = (int16_t)bits; return HF_OK;
    case HF_T_S32: ret->s64 = (int32_t)bits; return HF_OK;
    default: ret->u64 = bits; return HF_OK;
    }
}

static enum hf_err get_string(struct in *in, const struct hf_type *t, struct hf_value *ret)
{
    uint32_t n = 0;
    TRY(get_leb(in, t, &n));
    struct hf_view b = hf_read_bytes(in->r, n);
    if (in->r->bad)
        return wrong(in, t, "fewer bytes than it says");
    if (!hf_utf8_valid(b.ptr, b.len))
        return wrong(in, t, "bytes that are not UTF-8");
    ret->bytes = b.ptr;
    ret->len = n;
    return HF_OK;
}

static enum hf_err get_scalars(struct in *in, const struct hf_type *t, uint32_t n,
                               struct hf_value *ret)
{
    uint32_t size = t->elem->size;
    if (n > hf_reader_left(in->r) / size)
        return wrong(in, t, "fewer elements than it says");
    struct hf_view b = hf_read_bytes(in->r, (size_t)n * size);
    for (size_t i = 0; is_float(t->elem->kind) && i < b.len; i += size) {
        uint64_t bits = get_le(b.ptr + i, size);
        if (canonical_float(bits, size) != bits)
            return wrong(in, t, "a NaN that is not the canonical one");
    }
    ret->bytes = b.ptr;
    ret->len = n;
    return HF_OK;
}

/* `n` values of one type (`elem`) or of a record's fields (elem NULL). */
static enum hf_err get_items(struct in *in, const struct hf_type *t, const struct hf_type *elem,
                             uint32_t n, struct hf_value *ret)
{
    if (n > hf_reader_left(in->r))
        return wrong(in, t, "fewer elements than it says");
    struct hf_value *items = hf_arena_array(in->arena, n, sizeof *items);
    if (items == NULL && n != 0)
        return no_room(in);
    ret->items = items;
    ret->len = n;
    for (uint32_t i = 0; i < n; i++)
        TRY(get(in, elem != NULL ? elem : t->members[i].type, &items[i]));
    return HF_OK;
}

static enum hf_err get_list(struct in *in, const struct hf_type *t, struct hf_value *ret)
{
    uint32_t n = 0;
    TRY(get_leb(in, t, &n));
    return t->elem->scalar ? get_scalars(in, t, n, ret) : get_items(in, t, t->elem, n, ret);
}

static enum hf_err get_case(struct in *in, const struct hf_type *t, struct hf_value *ret)
{
    uint32_t n = 0;
    TRY(get_leb(in, t, &n));
    if (n >= t->n)
        return wrong(in, t, "a case that does not exist");
    ret->tag = n;
    const struct hf_type *payload = t->members[n].type;
    if (payload == NULL)
        return HF_OK;
    ret->items = hf_arena_array(in->arena, 1, sizeof *ret->items);
    return ret->items == NULL ? no_room(in) : get(in, payload, ret->items);
}

static enum hf_err get_handle(struct in *in, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_value number = {0};
    TRY(get_number(in, t, 4, &number));
    if (number.u64 == 0 && (t->kind == HF_T_OWN || t->resource->host != NULL))
        return wrong(in, t, "handle 0");
    if (!hf_u32s_add(in->numbers, (uint32_t)number.u64))
        return no_room(in);
    if (t->resource->host != NULL)
        ret->obj = in->obj;
    else
        ret->u64 = number.u64;
    return HF_OK;
}

static enum hf_err get(struct in *in, const struct hf_type *t, struct hf_value *ret)
{
    uint32_t n = 0;
    unsigned width = fixed_width(t->kind);
    *ret = (struct hf_value){0};
    if (width != 0)
        return get_number(in, t, width, ret);
    switch (t->kind) {
    case HF_T_BOOL:
        TRY(get_number(in, t, 1, ret));
        return ret->u64 <= 1 ? HF_OK : wrong(in, t, "neither 0 nor 1");
    case HF_T_CHAR:
        TRY(get_leb(in, t, &n));
        ret->u64 = n;
        return is_scalar_value(n) ? HF_OK : wrong(in, t, "no scalar value");
    case HF_T_STRING: return get_string(in, t, ret);
    case HF_T_LIST: return get_list(in, t, ret);
    case HF_T_RECORD:
    case HF_T_TUPLE: return get_items(in, t, NULL, t->n, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return get_case(in, t, ret);
    case HF_T_FLAGS:
        TRY(get_leb(in, t, &n));
        ret->u64 = n;
        return (n & ~label_bits(t)) == 0 ? HF_OK : wrong(in, t, "bits without a label");
    case HF_T_OWN:
    case HF_T_BORROW: return get_handle(in, t, ret);
    default: return wrong(in, t, "a type that has no values");
    }
}

enum hf_err hf_value_read(const struct hf_type *t, struct hf_reader *r, struct hf_arena *arena,
                          void *obj, struct hf_u32s *numbers, struct hf_value *ret,
                          struct hf_report *report)
{
    struct in in = {.r = r, .arena = arena, .obj = obj, .numbers = numbers, .report = report};
    return get(&in, t, ret);
}
