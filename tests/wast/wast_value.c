/* wast_value.c - component values in the JSON of `wasm-tools json-from-wast`, read by type. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf.h"
#include "wast.h"

static enum hf_err bad(struct hf_report *report, const json_t *json, const struct hf_type *t)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    hf_report_set(report, HF_INVALID, "%s is no %s", text != NULL ? text : "?",
                  hf_type_kind_text(t->kind));
    free(text);
    return HF_INVALID;
}

/* Integers are decimal text; floats the decimal text of their bits, or a kind of NaN. */
static bool number(const json_t *v, const struct hf_type *t, struct hf_value *ret)
{
    const char *text = json_string_value(v);
    char *end = NULL;
    if (text == NULL || text[0] == '\0')
        return false;
    if (strncmp(text, "nan:", 4) == 0) {
        ret->u64 = t->kind == HF_T_F32 ? 0x7fc00000u : 0x7ff8000000000000u;
        return t->kind == HF_T_F32 || t->kind == HF_T_F64;
    }
    errno = 0;
    if (text[0] == '-')
        ret->s64 = strtoll(text, &end, 10);
    else
        ret->u64 = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool scalar_value(const json_t *v, struct hf_value *ret)
{
    const char *text = json_string_value(v);
    size_t at = 0, len = json_string_length(v);
    if (len == 0)
        return false;
    ret->u64 = hf_utf8_next((const uint8_t *)text, len, &at); /* jansson gives valid UTF-8 only */
    return at == len;
}

static bool find_label(const struct hf_type *t, const char *name, uint32_t *ret)
{
    for (uint32_t i = 0; name != NULL && i < t->n; i++)
        if (hf_view_eq_text(t->members[i].name, name)) {
            *ret = i;
            return true;
        }
    return false;
}

static struct hf_value *items(struct hf_arena *arena, size_t n)
{
    struct hf_value *ret = hf_arena_array(arena, n + 1, sizeof *ret);
    HF_ASSERT(ret != NULL); /* JSON of that size is not read in the first place */
    return ret;
}

static enum hf_err list(const json_t *v, const struct hf_type *t, struct hf_arena *arena,
                        struct hf_value *ret, struct hf_report *report)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return bad(report, v, t);
    struct hf_value *all = items(arena, n);
    uint8_t *packed = hf_arena_array(arena, n + 1, sizeof all->u64);
    HF_ASSERT(packed != NULL);
    for (size_t i = 0; i < n; i++) {
        enum hf_err err = wast_value(json_array_get(v, i), t->elem, arena, &all[i], report);
        if (err != HF_OK)
            return err;
        if (t->elem->scalar)
            memcpy(packed + i * t->elem->size, &all[i].u64, t->elem->size);
    }
    *ret = (struct hf_value){.len = (uint32_t)n};
    if (t->elem->scalar)
        ret->bytes = packed;
    else
        ret->items = all;
    return HF_OK;
}

/* Records are arrays of [name, value], tuples arrays of values. */
static enum hf_err fields(const json_t *v, const struct hf_type *t, struct hf_arena *arena,
                          struct hf_value *ret, struct hf_report *report)
{
    if (!json_is_array(v) || json_array_size(v) != t->n)
        return bad(report, v, t);
    *ret = (struct hf_value){.items = items(arena, t->n), .len = t->n};
    for (uint32_t i = 0; i < t->n; i++) {
        const json_t *one = json_array_get(v, i);
        if (t->kind == HF_T_RECORD) {
            const char *name = json_string_value(json_array_get(one, 0));
            if (name == NULL || !hf_view_eq_text(t->members[i].name, name))
                return bad(report, v, t);
            one = json_array_get(one, 1);
        }
        enum hf_err err = wast_value(one, t->members[i].type, arena, &ret->items[i], report);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

static enum hf_err payload(const json_t *v, const struct hf_type *t, uint32_t tag,
                           struct hf_arena *arena, struct hf_value *ret, struct hf_report *report)
{
    const struct hf_type *type = t->members[tag].type;
    *ret = hf_value_case(tag, NULL);
    if ((type == NULL) != (v == NULL || json_is_null(v)))
        return bad(report, v, t);
    if (type == NULL)
        return HF_OK;
    ret->items = items(arena, 1);
    return wast_value(v, type, arena, ret->items, report);
}

static enum hf_err variant(const json_t *v, const struct hf_type *t, struct hf_arena *arena,
                           struct hf_value *ret, struct hf_report *report)
{
    uint32_t tag = 0;
    if (t->kind == HF_T_OPTION)
        return payload(v, t, json_is_null(v) ? 0 : 1, arena, ret, report);
    if (t->kind == HF_T_RESULT) {
        const json_t *ok = json_object_get(v, "Ok"), *err = json_object_get(v, "Err");
        if (ok == NULL && err == NULL) {
            ok = json_object_get(v, "ok");
            err = json_object_get(v, "err");
        }
        if ((ok == NULL) == (err == NULL))
            return bad(report, v, t);
        return payload(ok != NULL ? ok : err, t, ok != NULL ? 0 : 1, arena, ret, report);
    }
    if (!find_label(t, json_string_value(json_object_get(v, "case")), &tag))
        return bad(report, v, t);
    return payload(json_object_get(v, "payload"), t, tag, arena, ret, report);
}

static enum hf_err flags(const json_t *v, const struct hf_type *t, struct hf_value *ret,
                         struct hf_report *report)
{
    if (!json_is_array(v))
        return bad(report, v, t);
    for (size_t i = 0; i < json_array_size(v); i++) {
        uint32_t bit = 0;
        if (!find_label(t, json_string_value(json_array_get(v, i)), &bit))
            return bad(report, v, t);
        ret->u64 |= (uint64_t)1 << bit;
    }
    return HF_OK;
}

enum hf_err wast_value(const json_t *json, const struct hf_type *t, struct hf_arena *arena,
                       struct hf_value *ret, struct hf_report *report)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *v = json_object_get(json, "value");
    uint32_t tag = 0;
    *ret = (struct hf_value){.u64 = 0};
    if (type == NULL || strcmp(type, hf_type_kind_text(t->kind)) != 0)
        return bad(report, json, t);
    switch (t->kind) {
    case HF_T_BOOL:
        ret->u64 = json_is_true(v);
        return json_is_boolean(v) ? HF_OK : bad(report, json, t);
    case HF_T_CHAR: return scalar_value(v, ret) ? HF_OK : bad(report, json, t);
    case HF_T_STRING:
        if (!json_is_string(v))
            return bad(report, json, t);
        *ret = hf_value_bytes(
            hf_arena_copy(arena, hf_view(json_string_value(v), json_string_length(v))));
        return HF_OK;
    case HF_T_LIST: return list(v, t, arena, ret, report);
    case HF_T_RECORD:
    case HF_T_TUPLE: return fields(v, t, arena, ret, report);
    case HF_T_ENUM:
        if (!find_label(t, json_string_value(v), &tag))
            return bad(report, json, t);
        *ret = hf_value_case(tag, NULL);
        return HF_OK;
    case HF_T_VARIANT:
    case HF_T_OPTION:
    case HF_T_RESULT: return variant(v, t, arena, ret, report);
    case HF_T_FLAGS: return flags(v, t, ret, report);
    case HF_T_OWN:
    case HF_T_BORROW:
    case HF_T_FIXED_LIST:
    case HF_T_STREAM:
    case HF_T_FUTURE:
    case HF_T_ERROR_CONTEXT: return bad(report, json, t);
    default: return number(v, t, ret) ? HF_OK : bad(report, json, t);
    }
}
