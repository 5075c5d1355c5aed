/* import_value.c - values of the component model as an embedder reads and sets them (holdfast/import.h). */
#include "node/import.h"

#include "base/utf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct hf_type *type_of(struct hf_any v)
{
    return v.type;
}

static const struct hf_any none;

__attribute__((format(printf, 2, 3))) static void misuse(struct hf_any v, const char *fmt, ...)
{
    va_list args;
    if (v.call == NULL || v.call->why[0] != 0)
        return; /* the first one counts */
    va_start(args, fmt);
    vsnprintf(v.call->why, sizeof v.call->why, fmt, args);
    va_end(args);
}

static const char *kind_text(struct hf_any v)
{
    return v.type == NULL ? "no value" : hf_type_kind_text(type_of(v)->kind);
}

static void not_a(struct hf_any v, const char *wanted)
{
    misuse(v, "the host function takes a value for %s that is %s", wanted, kind_text(v));
}

static void *alloc(struct hf_import_call *c, size_t n, size_t size)
{
    size_t bytes;
    void *p = __builtin_mul_overflow(n, size, &bytes) ? NULL : hf_call_alloc(c->call, bytes + 1);
    if (p == NULL)
        c->limit = true;
    else
        memset(p, 0, bytes);
    return p;
}

/* ---- where values are ---- */

struct hf_any hf_import_arg(struct hf_import_call *call, size_t i)
{
    const struct hf_ftype *f = hf_call_type(call->call);
    struct hf_any v = {.call = call};
    if (i >= f->n_params) {
        misuse(v, "the host function takes argument %zu, there are %" PRIu32, i, f->n_params);
        return v;
    }
    v.type = f->params[i].type;
    v.at = (void *)(uintptr_t)&call->args[i];
    return v;
}

struct hf_any hf_import_result(struct hf_import_call *call)
{
    struct hf_any v = {.call = call, .type = hf_call_type(call->call)->result, .at = call->result, .writable = true};
    return v;
}

enum hf_any_kind hf_any_kind(struct hf_any v)
{
    _Static_assert((int)HF_ANY_BOOL == (int)HF_T_BOOL + 1 && (int)HF_ANY_U64 == (int)HF_T_U64 + 1 && (int)HF_ANY_STRING == (int)HF_T_STRING + 1 &&
                       (int)HF_ANY_LIST == (int)HF_T_LIST + 1 && (int)HF_ANY_OPTION == (int)HF_T_OPTION + 1 && (int)HF_ANY_FLAGS == (int)HF_T_FLAGS + 1,
                   "public kinds are ours and NONE");
    return v.type == NULL ? HF_ANY_NONE : (enum hf_any_kind)(type_of(v)->kind + 1);
}

/* ---- scalars: packed ones lie little endian in a list ---- */

static struct hf_value load(struct hf_any v)
{
    struct hf_value out = {0};
    if (!v.packed) {
        memcpy(&out, v.at, sizeof out);
        return out;
    }
    memcpy(&out.u64, v.at, type_of(v)->size);
    switch (type_of(v)->kind) {
    case HF_T_S8: out.s64 = (int8_t)out.u64; break;
    case HF_T_S16: out.s64 = (int16_t)out.u64; break;
    case HF_T_S32: out.s64 = (int32_t)out.u64; break;
    default: break;
    }
    return out;
}

static void store(struct hf_any v, struct hf_value n)
{
    if (v.packed)
        memcpy(v.at, &n.u64, type_of(v)->size);
    else
        *(struct hf_value *)v.at = n;
}

static bool is_unsigned(struct hf_any v, uint64_t *max)
{
    switch (hf_any_kind(v)) {
    case HF_ANY_U8: *max = UINT8_MAX; return true;
    case HF_ANY_U16: *max = UINT16_MAX; return true;
    case HF_ANY_U32: *max = UINT32_MAX; return true;
    case HF_ANY_U64: *max = UINT64_MAX; return true;
    case HF_ANY_CHAR: *max = 0x10ffff; return true;
    case HF_ANY_FLAGS: *max = type_of(v)->n >= 64 ? UINT64_MAX : (UINT64_C(1) << type_of(v)->n) - 1; return true;
    default: return false;
    }
}

static unsigned signed_bits(struct hf_any v)
{
    switch (hf_any_kind(v)) {
    case HF_ANY_S8: return 8;
    case HF_ANY_S16: return 16;
    case HF_ANY_S32: return 32;
    case HF_ANY_S64: return 64;
    default: return 0;
    }
}

static bool settable(struct hf_any v, bool kind_fits, const char *wanted)
{
    if (!kind_fits)
        misuse(v, "the host function sets %s where %s is", wanted, kind_text(v));
    else if (!v.writable)
        misuse(v, "the host function sets an argument");
    return kind_fits && v.writable;
}

bool hf_any_bool(struct hf_any v)
{
    if (hf_any_kind(v) == HF_ANY_BOOL)
        return load(v).u64 != 0;
    not_a(v, "bool");
    return false;
}

uint64_t hf_any_u64(struct hf_any v)
{
    uint64_t max;
    if (is_unsigned(v, &max))
        return load(v).u64;
    not_a(v, "an unsigned integer");
    return 0;
}

int64_t hf_any_s64(struct hf_any v)
{
    if (signed_bits(v) != 0)
        return load(v).s64;
    not_a(v, "a signed integer");
    return 0;
}

double hf_any_f64(struct hf_any v)
{
    if (hf_any_kind(v) == HF_ANY_F64)
        return load(v).f64;
    if (hf_any_kind(v) == HF_ANY_F32)
        return (double)load(v).f32;
    not_a(v, "a float");
    return 0;
}

void hf_any_set_bool(struct hf_any v, bool b)
{
    if (settable(v, hf_any_kind(v) == HF_ANY_BOOL, "a bool"))
        store(v, hf_value_u64(b));
}

void hf_any_set_u64(struct hf_any v, uint64_t n)
{
    uint64_t max = 0;
    if (!settable(v, is_unsigned(v, &max), "an unsigned integer"))
        return;
    if (n > max || (hf_any_kind(v) == HF_ANY_CHAR && n >= 0xd800 && n < 0xe000))
        misuse(v, "the host function sets %" PRIu64 ", which is no %s", n, kind_text(v));
    else
        store(v, hf_value_u64(n));
}

void hf_any_set_s64(struct hf_any v, int64_t n)
{
    unsigned bits = signed_bits(v);
    if (!settable(v, bits != 0, "a signed integer"))
        return;
    int64_t most = (int64_t)(UINT64_MAX >> (65 - bits));
    if (n > most || n < -most - 1)
        misuse(v, "the host function sets %" PRId64 ", which is no %s", n, kind_text(v));
    else
        store(v, (struct hf_value){.s64 = n});
}

void hf_any_set_f64(struct hf_any v, double f)
{
    bool small = hf_any_kind(v) == HF_ANY_F32;
    if (settable(v, small || hf_any_kind(v) == HF_ANY_F64, "a float"))
        store(v, small ? (struct hf_value){.f32 = (float)f} : (struct hf_value){.f64 = f});
}

/* ---- strings and lists ---- */

static bool packs(const struct hf_type *list)
{
    return list->elem->scalar;
}

struct hf_bytes hf_any_text(struct hf_any v)
{
    if (hf_any_kind(v) == HF_ANY_STRING) {
        struct hf_value s = load(v);
        return (struct hf_bytes){s.bytes, s.len};
    }
    not_a(v, "a string");
    return (struct hf_bytes){0};
}

struct hf_bytes hf_any_bytes(struct hf_any v)
{
    if (hf_any_kind(v) == HF_ANY_LIST && type_of(v)->elem->kind == HF_T_U8) {
        struct hf_value s = load(v);
        return (struct hf_bytes){s.bytes, s.len};
    }
    not_a(v, "a list of u8");
    return (struct hf_bytes){0};
}

static void set_bytes(struct hf_any v, struct hf_bytes b)
{
    uint8_t *copy = b.len > UINT32_MAX ? NULL : alloc(v.call, b.len, 1);
    if (copy == NULL) {
        v.call->limit = true;
        return;
    }
    if (b.len > 0)
        memcpy(copy, b.ptr, b.len);
    store(v, hf_value_bytes(hf_view(copy, b.len)));
}

void hf_any_set_text(struct hf_any v, struct hf_bytes utf8)
{
    if (!settable(v, hf_any_kind(v) == HF_ANY_STRING, "a string"))
        return;
    if (utf8.len <= UINT32_MAX && !hf_utf8_valid(utf8.ptr, utf8.len))
        misuse(v, "the host function sets a string that is not UTF-8");
    else
        set_bytes(v, utf8);
}

void hf_any_set_bytes(struct hf_any v, struct hf_bytes bytes)
{
    if (settable(v, hf_any_kind(v) == HF_ANY_LIST && type_of(v)->elem->kind == HF_T_U8, "bytes"))
        set_bytes(v, bytes);
}

void hf_any_set_len(struct hf_any v, size_t n)
{
    if (!settable(v, hf_any_kind(v) == HF_ANY_LIST, "a list"))
        return;
    size_t size = packs(type_of(v)) ? type_of(v)->elem->size : sizeof(struct hf_value);
    void *items = n > UINT32_MAX ? NULL : alloc(v.call, n, size);
    if (items == NULL)
        v.call->limit = true;
    else
        store(v, (struct hf_value){.items = items, .len = (uint32_t)n});
}

/* ---- what has parts ---- */

/* The fields of a record, made when the first is asked for. */
static struct hf_value *fields(struct hf_any v)
{
    struct hf_value *self = v.at;
    if (self->items == NULL && v.writable && (self->items = alloc(v.call, type_of(v)->n, sizeof *self)) != NULL)
        self->len = type_of(v)->n;
    return self->items;
}

size_t hf_any_len(struct hf_any v)
{
    switch (hf_any_kind(v)) {
    case HF_ANY_LIST: return load(v).len;
    case HF_ANY_RECORD:
    case HF_ANY_TUPLE: return type_of(v)->n;
    default: not_a(v, "something with elements"); return 0;
    }
}

struct hf_any hf_any_at(struct hf_any v, size_t i)
{
    struct hf_any out = {.call = v.call, .writable = v.writable};
    if (i >= hf_any_len(v)) {
        misuse(v, "the host function takes element %zu of %zu", i, hf_any_len(v));
        return none;
    }
    if (hf_any_kind(v) != HF_ANY_LIST) {
        struct hf_value *all = fields(v);
        if (all == NULL)
            return none;
        out.type = type_of(v)->members[i].type;
        out.at = &all[i];
        return out;
    }
    struct hf_value list = load(v);
    out.type = type_of(v)->elem;
    out.packed = packs(type_of(v));
    out.at = out.packed ? (void *)(uintptr_t)(list.bytes + i * type_of(v)->elem->size) : &list.items[i];
    return out;
}

/* Index of a member, or n. */
static uint32_t member(struct hf_any v, const char *name)
{
    uint32_t i = 0;
    while (i < type_of(v)->n && !hf_view_eq_text(type_of(v)->members[i].name, name))
        i++;
    return i;
}

struct hf_any hf_any_field(struct hf_any v, const char *name)
{
    if (hf_any_kind(v) != HF_ANY_RECORD) {
        not_a(v, "a record");
        return none;
    }
    uint32_t i = member(v, name);
    if (i < type_of(v)->n)
        return hf_any_at(v, i);
    misuse(v, "the host function takes field \"%.60s\" of a record that has none of that name", name);
    return none;
}

static bool has_cases(struct hf_any v)
{
    enum hf_any_kind kind = hf_any_kind(v);
    return kind >= HF_ANY_VARIANT && kind <= HF_ANY_RESULT;
}

uint32_t hf_any_case(struct hf_any v)
{
    if (has_cases(v))
        return load(v).tag;
    not_a(v, "something with cases");
    return 0;
}

bool hf_any_is(struct hf_any v, const char *name)
{
    bool flags = hf_any_kind(v) == HF_ANY_FLAGS;
    if (!flags && !has_cases(v)) {
        not_a(v, "something with cases");
        return false;
    }
    uint32_t i = member(v, name);
    if (i == type_of(v)->n) {
        misuse(v, "the host function asks for case \"%.60s\" of %s, which has none of that name", name, kind_text(v));
        return false;
    }
    return flags ? (load(v).u64 >> i & 1) != 0 : load(v).tag == i;
}

static struct hf_any payload(struct hf_any v)
{
    struct hf_value *self = v.at;
    if (self->items == NULL)
        return none;
    return (struct hf_any){.call = v.call, .type = type_of(v)->members[self->tag].type, .at = self->items, .writable = v.writable};
}

struct hf_any hf_any_payload(struct hf_any v)
{
    if (has_cases(v))
        return payload(v);
    not_a(v, "something with cases");
    return none;
}

struct hf_any hf_any_set_case(struct hf_any v, const char *name)
{
    if (!settable(v, has_cases(v), "a case"))
        return none;
    uint32_t i = member(v, name);
    if (i == type_of(v)->n) {
        misuse(v, "the host function sets case \"%.60s\" of %s, which has none of that name", name, kind_text(v));
        return none;
    }
    struct hf_value *p = NULL;
    if (type_of(v)->members[i].type != NULL && (p = alloc(v.call, 1, sizeof *p)) == NULL)
        return none;
    store(v, hf_value_case(i, p));
    return payload(v);
}

/* ---- the whole ---- */

static bool complete_all(struct hf_call *call, const struct hf_type *t, struct hf_value *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!hf_import_complete(call, t, &v[i]))
            return false;
    return true;
}

static struct hf_value *zeroes(struct hf_call *call, uint32_t n)
{
    struct hf_value *v = hf_call_alloc(call, n * sizeof *v);
    if (v != NULL)
        memset(v, 0, n * sizeof *v);
    return v;
}

bool hf_import_complete(struct hf_call *call, const struct hf_type *t, struct hf_value *v)
{
    switch (t->kind) {
    case HF_T_LIST: return packs(t) || complete_all(call, t->elem, v->items, v->len);
    case HF_T_RECORD:
    case HF_T_TUPLE:
        if (v->items == NULL && (v->items = zeroes(call, t->n)) == NULL)
            return false;
        v->len = t->n;
        for (uint32_t i = 0; i < t->n; i++)
            if (!hf_import_complete(call, t->members[i].type, &v->items[i]))
                return false;
        return true;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        if (t->members[v->tag].type == NULL)
            return true;
        if (v->items == NULL && (v->items = zeroes(call, 1)) == NULL)
            return false;
        return hf_import_complete(call, t->members[v->tag].type, v->items);
    default: return true;
    }
}
