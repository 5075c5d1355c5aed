/* value_json.c - values as JSON, led by the type, both ways.
 *
 *   bool                  true, false
 *   integers              numbers, every digit of them: 18446744073709551615 is a u64
 *   f32, f64              numbers; "nan", "inf", "-inf"
 *   char, string          strings (a char: of one character)
 *   list, tuple           arrays; list<u8> too
 *   map<k, v>             an array of arrays of two: keys need not be strings, and may come twice
 *   record                an object, fields in any order; one of option type that is left out is
 * none variant, enum         "case" without payload, {"case": payload} with one option null, or the
 * payload alone; where the payload is itself an option, {"some": payload} result {"ok": payload} or
 * {"err": payload}; no payload is null flags                 an array of those that are set
 *
 * own and borrow have no JSON: refused. Written: fields and cases in the order of the type, no
 * spaces but one behind `,` and
 * `:`, shortest digits, and escapes for what a terminal would act upon. Reading is strict JSON (RFC
 * 8259): no comments, no comma at the end, names once. Recursion follows the type, never the text,
 * so its depth is bounded by HF_TYPE_DEPTH_MAX. jansson, which the tests use, would make a tree
 * first, knows no integers past 2^63, and names no place.
 */
#include <math.h>
#include <stdio.h>

#include "base/utf.h"
#include "component/value_scan.h"

/* ---- where we are ---- */

struct step { /* into a part: a name, or a number when the name is empty */
    struct hf_view name;
    uint32_t index;
};
struct json {
    struct hf_scan s;
    struct step path[HF_TYPE_DEPTH_MAX + 1];
    unsigned depth;
};

static enum hf_err read_value(struct json *j, const struct hf_type *t, struct hf_value *ret);

/* A part of the value: the path is left as it is when it fails, for the report. */
static enum hf_err read_part(struct json *j, struct hf_view name, uint32_t index,
                             const struct hf_type *t, struct hf_value *ret)
{
    HF_ASSERT(j->depth < HF_ARRAY_LEN(j->path));
    j->path[j->depth++] = (struct step){name, index};
    enum hf_err err = read_value(j, t, ret);
    if (err == HF_OK)
        j->depth--;
    return err;
}

static enum hf_err with_path(struct json *j, enum hf_err err)
{
    struct hf_buf text = {0};
    enum hf_err made = HF_OK;
    for (unsigned i = 0; i < j->depth && made == HF_OK; i++) {
        const struct step *s = &j->path[i];
        made = s->name.len > 0 ? hf_buf_printf(&text, ".%.*s", HF_FMT(s->name))
                               : hf_buf_printf(&text, "[%u]", s->index);
    }
    if (text.len > 0) /* memory out: as much of it as there is */
        hf_report_wrap(j->s.report, err, "%.*s", (int)(text.len < 1000 ? text.len : 1000),
                       (const char *)text.ptr);
    hf_buf_done(&text);
    return err;
}

/* ---- scalars ---- */

static enum hf_err read_bool(struct hf_scan *s, struct hf_value *ret)
{
    bool yes = hf_json_word(s, "true");
    if (!yes && !hf_json_word(s, "false"))
        return hf_scan_expected(s, s->at, "true or false");
    *ret = hf_value_u64(yes);
    return HF_OK;
}

static bool
at_number(struct hf_scan *s) /* so that WAVE's reader of numbers finds no comment to skip */
{
    hf_json_space(s);
    return s->at < s->end && (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'));
}

static enum hf_err read_int(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    char what[32];
    if (at_number(s))
        return hf_text_int(s, t, ret);
    snprintf(what, sizeof what, "a number (%s)", hf_type_kind_text(t->kind));
    return hf_scan_expected(s, s->at, what);
}

static enum hf_err read_float(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {
        {"\"nan\"", (double)NAN}, {"\"inf\"", (double)INFINITY}, {"\"-inf\"", -(double)INFINITY}};
    if (at_number(s))
        return hf_text_real(s, t, ret);
    for (size_t i = 0; i < HF_ARRAY_LEN(words); i++)
        if (hf_json_word(s, words[i].word)) {
            hf_text_set_float(t, words[i].value, ret);
            return HF_OK;
        }
    return hf_scan_expected(s, s->at, "a number, \"nan\", \"inf\" or \"-inf\"");
}

static enum hf_err read_char(struct hf_scan *s, struct hf_value *ret)
{
    struct hf_view text;
    size_t at = 0;
    hf_json_space(s);
    const uint8_t *from = s->at;
    enum hf_err err = hf_json_string(s, "a string of one character", &text);
    if (err != HF_OK)
        return err;
    if (text.len > 0)
        *ret = hf_value_u64(hf_utf8_next(text.ptr, text.len, &at));
    if (text.len == 0 || at != text.len)
        return hf_scan_fail(s, from, HF_INVALID, "a char is a string of one character");
    return HF_OK;
}

/* ---- lists, tuples, maps ---- */

static enum hf_err read_list(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    bool scalar = t->elem->scalar;
    size_t size = scalar ? t->elem->size : sizeof(struct hf_value), cap = 0, n = 0;
    void *ptr = NULL;
    hf_json_space(s);
    const uint8_t *from = s->at;
    if (!hf_json_take(s, '['))
        return hf_scan_expected(s, from,
                                t->is_map ? "an array of pairs ([[key, value], ...])" : "an array");
    for (bool more = !hf_json_take(s, ']'); more; n++) {
        struct hf_value v = {.len = 0};
        if ((n + 1) * t->elem->size >= HF_ELEM_SIZE_MAX)
            return hf_scan_fail(s, from, HF_LIMIT, "a list takes 2^28 bytes or more");
        enum hf_err err = read_part(j, (struct hf_view){0}, (uint32_t)n, t->elem, &v);
        if (err != HF_OK)
            return err;
        if (!hf_text_grow(s, &ptr, &cap, n, size))
            return hf_scan_no_memory(s);
        if (scalar)
            memcpy((uint8_t *)ptr + n * size, &v.u64,
                   size); /* little endian, like the guest (L1) */
        else
            ((struct hf_value *)ptr)[n] = v;
        more = !hf_json_take(s, ']');
        if (more && !hf_json_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `]`");
    }
    *ret = (struct hf_value){.len = (uint32_t)n};
    if (scalar)
        ret->bytes = ptr;
    else
        ret->items = ptr;
    return HF_OK;
}

static enum hf_err read_tuple(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    char what[48];
    snprintf(what, sizeof what, "an array of %u", t->n);
    enum hf_err err = hf_json_need(s, '[', what);
    if (err != HF_OK)
        return err;
    struct hf_value *items = hf_arena_array(s->arena, t->n + 1u, sizeof *items);
    if (items == NULL)
        return hf_scan_no_memory(s);
    for (uint32_t i = 0; i < t->n; i++) {
        if (i > 0 ? !hf_json_take(s, ',') : hf_json_peek(s, ']'))
            return hf_json_peek(s, ']')
                       ? hf_scan_fail(s, s->at, HF_INVALID,
                                      "the array has %u values, %u are needed", i, t->n)
                       : hf_scan_expected(s, s->at, "`,` or `]`");
        err = read_part(j, (struct hf_view){0}, i, t->members[i].type, &items[i]);
        if (err != HF_OK)
            return err;
    }
    if (hf_json_peek(s, ','))
        return hf_scan_fail(s, s->at, HF_INVALID, "the array has more than %u values", t->n);
    *ret = (struct hf_value){.items = items, .len = t->n};
    return hf_json_need(s, ']', "`]`");
}

/* ---- records, flags, variants ---- */

/* A name that stands here as a string, one of t's members. */
static enum hf_err read_member(struct json *j, const struct hf_type *t, const char *what,
                               const char *wanted, uint32_t hint, uint32_t *ret)
{
    struct hf_scan *s = &j->s;
    struct hf_buf type_text = {0};
    struct hf_view name;
    hf_json_space(s);
    const uint8_t *from = s->at;
    enum hf_err err = hf_json_string(s, wanted, &name);
    if (err != HF_OK)
        return err;
    *ret = hf_text_find_member(t, name, hint);
    if (*ret != t->n)
        return HF_OK;
    if (hf_type_text(t, &type_text) != HF_OK)
        hf_buf_clear(&type_text);
    size_t shown = hf_utf8_valid_prefix(name.ptr, name.len < 100 ? name.len : 100);
    err = hf_scan_fail(s, from, HF_INVALID, "no such %s: \"%.*s\" in %s", what, (int)shown,
                       (const char *)name.ptr,
                       type_text.ptr != NULL ? (char *)type_text.ptr : hf_type_kind_text(t->kind));
    hf_buf_done(&type_text);
    return err;
}

static enum hf_err read_record(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    hf_json_space(s);
    const uint8_t *from = s->at;
    if (!hf_json_take(s, '{'))
        return hf_scan_expected(s, from, "an object");
    struct hf_value *items = hf_arena_array(s->arena, t->n + 1u, sizeof *items);
    bool *seen = hf_arena_array(s->arena, t->n + 1u, sizeof *seen);
    if (items == NULL || seen == NULL)
        return hf_scan_no_memory(s);
    uint32_t i = 0;
    for (bool more = !hf_json_take(s, '}'); more; i++) {
        hf_json_space(s);
        const uint8_t *at = s->at;
        enum hf_err err = read_member(j, t, "field", "the name of a field", i, &i);
        if (err != HF_OK)
            return err;
        if (seen[i])
            return hf_scan_fail(s, at, HF_INVALID, "field \"%.*s\" is there twice",
                                HF_FMT(t->members[i].name));
        seen[i] = true;
        err = hf_json_need(s, ':', "`:`");
        if (err == HF_OK)
            err = read_part(j, t->members[i].name, 0, t->members[i].type, &items[i]);
        if (err != HF_OK)
            return err;
        more = !hf_json_take(s, '}');
        if (more && !hf_json_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `}`");
    }
    for (i = 0; i < t->n; i++)
        if (!seen[i] && t->members[i].type->kind != HF_T_OPTION) /* zeroes are none */
            return hf_scan_fail(s, from, HF_INVALID, "field \"%.*s\" is missing",
                                HF_FMT(t->members[i].name));
    *ret = (struct hf_value){.items = items, .len = t->n};
    return HF_OK;
}

static enum hf_err read_flags(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    uint64_t bits = 0;
    uint32_t i = 0;
    enum hf_err err = hf_json_need(s, '[', "an array of names of flags");
    if (err != HF_OK)
        return err;
    for (bool more = !hf_json_take(s, ']'); more; i++) {
        hf_json_space(s);
        const uint8_t *at = s->at;
        err = read_member(j, t, "flag", "the name of a flag", i, &i);
        if (err != HF_OK)
            return err;
        if (bits >> i & 1)
            return hf_scan_fail(s, at, HF_INVALID, "flag \"%.*s\" is there twice",
                                HF_FMT(t->members[i].name));
        bits |= (uint64_t)1 << i;
        more = !hf_json_take(s, ']');
        if (more && !hf_json_take(s, ','))
            return hf_scan_expected(s, s->at, "`,` or `]`");
    }
    *ret = hf_value_u64(bits);
    return HF_OK;
}

/* The payload of case i under `name`, null where the case has none. */
static enum hf_err read_payload(struct json *j, const struct hf_type *t, uint32_t i,
                                struct hf_view name, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    *ret = hf_value_case(i, NULL);
    if (t->members[i].type == NULL)
        return hf_json_word(s, "null")
                   ? HF_OK
                   : hf_scan_expected(s, s->at, "null, for there is no payload");
    ret->items = hf_arena_array(s->arena, 1, sizeof *ret->items);
    return ret->items == NULL ? hf_scan_no_memory(s)
                              : read_part(j, name, 0, t->members[i].type, ret->items);
}

/* {"case": payload}; "case" alone where it has none. */
static enum hf_err read_case(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    uint32_t i = 0;
    if (!hf_json_take(s, '{')) {
        hf_json_space(s);
        const uint8_t *from = s->at;
        enum hf_err err = read_member(
            j, t, "case",
            t->kind == HF_T_ENUM ? "the name of a case" : "a case: \"name\" or {\"name\": payload}",
            0, &i);
        if (err == HF_OK && t->members[i].type != NULL)
            err = hf_scan_fail(s, from, HF_INVALID,
                               "case \"%.*s\" needs its payload: {\"%.*s\": ...}",
                               HF_FMT(t->members[i].name), HF_FMT(t->members[i].name));
        *ret = hf_value_case(i, NULL);
        return err;
    }
    enum hf_err err = read_member(j, t, "case", "the name of a case", 0, &i);
    if (err == HF_OK)
        err = hf_json_need(s, ':', "`:`");
    if (err == HF_OK)
        err = read_payload(j, t, i, t->members[i].name, ret);
    return err == HF_OK ? hf_json_need(s, '}', "`}` (there is one case)") : err;
}

static enum hf_err read_result(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    struct hf_view name = {0};
    enum hf_err err = hf_json_need(s, '{', "{\"ok\": ...} or {\"err\": ...}");
    hf_json_space(s);
    const uint8_t *from = s->at;
    if (err == HF_OK)
        err = hf_json_string(s, "\"ok\" or \"err\"", &name);
    if (err != HF_OK)
        return err;
    bool bad = hf_view_eq_text(name, "err");
    if (!bad && !hf_view_eq_text(name, "ok"))
        return hf_scan_expected(s, from, "\"ok\" or \"err\"");
    err = hf_json_need(s, ':', "`:`");
    if (err == HF_OK)
        err = read_payload(j, t, bad, name, ret);
    return err == HF_OK ? hf_json_need(s, '}', "`}` (it is one or the other)") : err;
}

static enum hf_err read_option(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_scan *s = &j->s;
    struct hf_view name;
    const struct hf_type *payload = t->members[1].type;
    bool nested = payload->kind == HF_T_OPTION;
    *ret = hf_value_case(0, NULL);
    if (hf_json_word(s, "null"))
        return HF_OK;
    *ret = hf_value_case(1, hf_arena_array(s->arena, 1, sizeof *ret->items));
    if (ret->items == NULL)
        return hf_scan_no_memory(s);
    if (!nested) /* the same place: an option without a name of its own */
        return read_value(j, payload, ret->items);
    enum hf_err err = hf_json_need(s, '{', "null or {\"some\": ...}");
    hf_json_space(s);
    const uint8_t *from = s->at;
    if (err == HF_OK)
        err = hf_json_string(s, "\"some\"", &name);
    if (err == HF_OK && !hf_view_eq_text(name, "some"))
        err = hf_scan_expected(s, from, "\"some\"");
    if (err == HF_OK)
        err = hf_json_need(s, ':', "`:`");
    if (err == HF_OK)
        err = read_part(j, name, 0, payload, ret->items);
    return err == HF_OK ? hf_json_need(s, '}', "`}`") : err;
}

static enum hf_err read_value(struct json *j, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_view text = {0};
    enum hf_err err;
    switch (t->kind) {
    case HF_T_BOOL: return read_bool(&j->s, ret);
    case HF_T_S8:
    case HF_T_U8:
    case HF_T_S16:
    case HF_T_U16:
    case HF_T_S32:
    case HF_T_U32:
    case HF_T_S64:
    case HF_T_U64: return read_int(&j->s, t, ret);
    case HF_T_F32:
    case HF_T_F64: return read_float(&j->s, t, ret);
    case HF_T_CHAR: return read_char(&j->s, ret);
    case HF_T_STRING:
        err = hf_json_string(&j->s, "a string", &text);
        *ret = hf_value_bytes(text);
        return err;
    case HF_T_LIST: return read_list(j, t, ret);
    case HF_T_RECORD: return read_record(j, t, ret);
    case HF_T_TUPLE: return read_tuple(j, t, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM: return read_case(j, t, ret);
    case HF_T_OPTION: return read_option(j, t, ret);
    case HF_T_RESULT: return read_result(j, t, ret);
    case HF_T_FLAGS: return read_flags(j, t, ret);
    case HF_T_OWN:
    case HF_T_BORROW:
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE:
    case HF_T_ERROR_CONTEXT: break;
    }
    return hf_scan_fail(&j->s, j->s.at, HF_UNSUPPORTED,
                        "a value of type %s cannot be written as JSON", hf_type_kind_text(t->kind));
}

enum hf_err hf_value_json_read(const struct hf_type *t, struct hf_view text, struct hf_arena *arena,
                               struct hf_value *ret, struct hf_report *report)
{
    struct json j = {.depth = 0};
    enum hf_err err = hf_scan_init(&j.s, text, arena, report);
    *ret = (struct hf_value){.len = 0};
    if (err == HF_OK)
        err = read_value(&j, t, ret);
    if (err != HF_OK)
        return with_path(&j, err);
    hf_json_space(&j.s);
    return j.s.at == j.s.end ? HF_OK : hf_scan_expected(&j.s, j.s.at, "the end of the text");
}

/* ---- writing ---- */

static enum hf_err write_value(const struct hf_type *t, const struct hf_value *v,
                               struct hf_buf *ret);

static enum hf_err write_scalar(uint32_t cp, struct hf_buf *ret)
{
    static const char plain[] = "\b\f\n\r\t", names[] = "bfnrt";
    const char *at = cp == 0 || cp > 0x7f ? NULL : strchr(plain, (int)cp);
    uint8_t out[4];
    if (cp == '"' || cp == '\\')
        return hf_buf_printf(ret, "\\%c", (int)cp);
    if (at != NULL)
        return hf_buf_printf(ret, "\\%c", names[at - plain]);
    if (hf_text_is_active(cp)) /* none is past FFFF */
        return hf_buf_printf(ret, "\\u%04x", cp);
    return hf_buf_add(ret, out, hf_utf8_put(out, cp));
}

static enum hf_err write_string(const struct hf_value *v, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '"');
    for (size_t at = 0; at < v->len && err == HF_OK;)
        err = write_scalar(hf_text_next_scalar(v, &at), ret);
    return err == HF_OK ? hf_buf_add_byte(ret, '"') : err;
}

static enum hf_err write_float(double d, bool single, struct hf_buf *ret)
{
    bool word = isnan(d) || isinf(d);
    enum hf_err err = word ? hf_buf_add_byte(ret, '"') : HF_OK;
    if (err == HF_OK)
        err = hf_text_print_float(d, single, ret);
    return err == HF_OK && word ? hf_buf_add_byte(ret, '"') : err;
}

static enum hf_err write_list(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '[');
    for (uint32_t i = 0; i < v->len && err == HF_OK; i++) {
        struct hf_value one = t->elem->scalar ? hf_text_unpack(t->elem, v, i) : v->items[i];
        if (i > 0)
            err = hf_buf_add_text(ret, ", ");
        if (err == HF_OK)
            err = write_value(t->elem, &one, ret);
    }
    return err == HF_OK ? hf_buf_add_byte(ret, ']') : err;
}

/* {"name": value, ...} of a record, [value, ...] of a tuple. */
static enum hf_err write_members(const struct hf_type *t, const struct hf_value *v,
                                 struct hf_buf *ret)
{
    bool named = t->kind == HF_T_RECORD;
    enum hf_err err = hf_buf_add_byte(ret, named ? '{' : '[');
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        if (i > 0)
            err = hf_buf_add_text(ret, ", ");
        if (err == HF_OK && named) /* a label: nothing to escape */
            err = hf_buf_printf(ret, "\"%.*s\": ", HF_FMT(t->members[i].name));
        if (err == HF_OK)
            err = write_value(t->members[i].type, &v->items[i], ret);
    }
    return err == HF_OK ? hf_buf_add_byte(ret, named ? '}' : ']') : err;
}

static enum hf_err write_flags(const struct hf_type *t, const struct hf_value *v,
                               struct hf_buf *ret)
{
    enum hf_err err = hf_buf_add_byte(ret, '[');
    bool any = false;
    for (uint32_t i = 0; i < t->n && err == HF_OK; i++) {
        if (!(v->u64 >> i & 1))
            continue;
        err = hf_buf_printf(ret, "%s\"%.*s\"", any ? ", " : "", HF_FMT(t->members[i].name));
        any = true;
    }
    return err == HF_OK ? hf_buf_add_byte(ret, ']') : err;
}

/* {"name": payload}; payload NULL: null. */
static enum hf_err write_named(struct hf_view name, const struct hf_type *t,
                               const struct hf_value *payload, struct hf_buf *ret)
{
    enum hf_err err = hf_buf_printf(ret, "{\"%.*s\": ", HF_FMT(name));
    if (err == HF_OK)
        err = t == NULL ? hf_buf_add_text(ret, "null") : write_value(t, payload, ret);
    return err == HF_OK ? hf_buf_add_byte(ret, '}') : err;
}

static enum hf_err write_case(const struct hf_type *t, const struct hf_value *v, struct hf_buf *ret)
{
    if (v->tag >= t->n)
        return HF_INVALID;
    const struct hf_member *m = &t->members[v->tag];
    if (t->kind == HF_T_RESULT)
        return write_named(v->tag == 0 ? HF_VIEW("ok") : HF_VIEW("err"), m->type, v->items, ret);
    if (t->kind == HF_T_OPTION && v->tag == 0)
        return hf_buf_add_text(ret, "null");
    if (t->kind == HF_T_OPTION)
        return m->type->kind == HF_T_OPTION ? write_named(HF_VIEW("some"), m->type, v->items, ret)
                                            : write_value(m->type, v->items, ret);
    return m->type == NULL ? hf_buf_printf(ret, "\"%.*s\"", HF_FMT(m->name))
                           : write_named(m->name, m->type, v->items, ret);
}

static enum hf_err write_value(const struct hf_type *t, const struct hf_value *v,
                               struct hf_buf *ret)
{
    enum hf_err err;
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
    case HF_T_F32: return write_float((double)v->f32, true, ret);
    case HF_T_F64: return write_float(v->f64, false, ret);
    case HF_T_CHAR:
        err = hf_buf_add_byte(ret, '"');
        if (err == HF_OK)
            err = write_scalar((uint32_t)v->u64, ret);
        return err == HF_OK ? hf_buf_add_byte(ret, '"') : err;
    case HF_T_STRING: return write_string(v, ret);
    case HF_T_LIST: return write_list(t, v, ret);
    case HF_T_RECORD:
    case HF_T_TUPLE: return write_members(t, v, ret);
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT: return write_case(t, v, ret);
    case HF_T_FLAGS: return write_flags(t, v, ret);
    case HF_T_OWN:
    case HF_T_BORROW:
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE:
    case HF_T_ERROR_CONTEXT: break;
    }
    return HF_UNSUPPORTED;
}

enum hf_err hf_value_json_write(const struct hf_type *t, const struct hf_value *v,
                                struct hf_buf *ret)
{
    return write_value(t, v, ret);
}
