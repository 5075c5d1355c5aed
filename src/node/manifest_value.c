/* manifest_value.c - one value of a manifest: its type, its range, where it goes. */
#include "node/manifest_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/near.h"
#include "base/units.h"

const char *const hf_reading_kinds[] = {"a string", "an integer", "a number with a point", "a boolean", "a date or time", "an array", "a table"};

/* ---- values ------------------------------------------------------------------------------------------------ */

static void store(const struct hf_key *k, void *target, uint64_t n)
{
    char *at = (char *)target + k->offset;
    switch (k->width) {
    case 1: *(bool *)at = n != 0; break;
    case 4: *(uint32_t *)(void *)at = (uint32_t)n; break; /* enums too */
    case 8: *(uint64_t *)(void *)at = n; break;
    default: HF_ASSERT(k->width == 0); /* only checked */
    }
}

static void store_pointer(const struct hf_key *k, void *target, const void *p)
{
    HF_ASSERT(k->width == sizeof p);
    memcpy((char *)target + k->offset, &p, sizeof p);
}

static void wrong_kind(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    char wanted[240], text[HF_SHOWN_MAX];
    hf_key_wanted(k, wanted, sizeof wanted);
    struct hf_view v = hf_reading_text(r, n->value);
    bool number = n->kind == HF_DEPS_TOML_INTEGER || n->kind == HF_DEPS_TOML_FLOAT || n->kind == HF_DEPS_TOML_BOOLEAN;
    if (k->type == HF_KEY_DURATION && n->kind == HF_DEPS_TOML_INTEGER)
        hf_mistake_of(r, k, n->value.at, "is %s without a unit; it must be %s", hf_reading_shown(v, text), wanted);
    else if (number && (k->flags & (HF_KEY_OR_TABLE | HF_KEY_OR_FALSE)) == 0 && (k->type == HF_KEY_STRING || k->type == HF_KEY_PATH))
        hf_mistake_of(r, k, n->value.at, "is %s; it must be %s, in quotes", hf_reading_kinds[n->kind], wanted);
    else
        hf_mistake_of(r, k, n->value.at, "is %s; it must be %s", hf_reading_kinds[n->kind], wanted);
}

static void wrong_value(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    char wanted[240], text[HF_SHOWN_MAX];
    struct hf_view v = hf_reading_text(r, n->value);
    hf_key_wanted(k, wanted, sizeof wanted);
    const char *quote = n->kind == HF_DEPS_TOML_STRING ? "\"" : "";
    hf_mistake_of(r, k, n->value.at, "is %s%s%s; it must be %s", quote, hf_reading_shown(v, text), quote, wanted);
}

/* The text of a string, checked for what every text must be; NULL: mistaken. */
const char *hf_reading_string(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    struct hf_view v = hf_reading_text(r, n->value);
    if (hf_view_find(v, 0) < v.len) {
        hf_mistake_of(r, k, n->value.at, "has a NUL character in it");
        return NULL;
    }
    if (v.len == 0 && k->min > 0) {
        hf_mistake_of(r, k, n->value.at, "is empty");
        return NULL;
    }
    if (v.len > k->max || v.len < k->min) {
        if (k->min == k->max)
            wrong_value(r, k, n);
        else if (v.len < k->min)
            hf_mistake_of(r, k, n->value.at, "has %zu bytes, less than %" PRIu64, v.len, k->min);
        else
            hf_mistake_of(r, k, n->value.at, "has %zu bytes, more than %" PRIu64, v.len, k->max);
        return NULL;
    }
    const char *text = k->type == HF_KEY_PATH ? NULL : hf_reading_copy(r, v);
    if (k->type == HF_KEY_PATH) {
        const char *plain = hf_reading_copy(r, v);
        text = plain == NULL ? NULL : hf_reading_join(r, plain);
    }
    return text == NULL || (k->check != NULL && !k->check(r, k, n, text)) ? NULL : text;
}

static bool integer(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, uint64_t *ret)
{
    char text[32], *end;
    struct hf_view v = hf_reading_text(r, n->value);
    snprintf(text, sizeof text, "%.*s", HF_FMT(hf_view_take(v, sizeof text - 1)));
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (errno != 0 || *end != 0 || v.len >= sizeof text || whole < 0 || (uint64_t)whole < k->min || (uint64_t)whole > k->max) {
        wrong_value(r, k, n);
        return false;
    }
    *ret = (uint64_t)whole;
    return true;
}

static bool choice(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, uint64_t *ret)
{
    struct hf_view v = hf_reading_text(r, n->value);
    char text[HF_SHOWN_MAX], wanted[240];
    const char *near = NULL;
    for (size_t i = 0; k->choices[i] != NULL; i++) {
        if (hf_view_eq_text(v, k->choices[i])) {
            *ret = i;
            return true;
        }
        if (near == NULL && hf_near_enough(v, hf_view_of(k->choices[i])))
            near = k->choices[i];
    }
    hf_key_wanted(k, wanted, sizeof wanted);
    if (near != NULL)
        hf_mistake_of(r, k, n->value.at, "is \"%s\", did you mean \"%s\"? It must be %s", hf_reading_shown(v, text), near, wanted);
    else
        wrong_value(r, k, n);
    return false;
}

/* A time or a size in quotes, or a size in bytes. */
static bool amount(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, uint64_t *ret)
{
    struct hf_view v = hf_reading_text(r, n->value);
    char text[HF_SHOWN_MAX], wanted[240];
    uint64_t unused;
    bool size = k->type == HF_KEY_SIZE;
    if (size && n->kind == HF_DEPS_TOML_INTEGER)
        return integer(r, k, n, ret);
    if (size ? hf_units_size(v, ret) : hf_units_duration(v, 0, ret)) {
        if (*ret >= k->min && *ret <= k->max)
            return true;
    } else if (!size && hf_units_duration(v, 1, &unused)) {
        hf_key_wanted(k, wanted, sizeof wanted);
        hf_mistake_of(r, k, n->value.at, "is \"%s\" without a unit; it must be %s", hf_reading_shown(v, text), wanted);
        return false;
    }
    wrong_value(r, k, n);
    return false;
}

/* ---- lists ------------------------------------------------------------------------------------------------- */

static size_t count(const struct hf_deps_toml_node *n)
{
    size_t ret = 0;
    HF_EACH_BELOW(n, it)
        ret++;
    return ret;
}

bool hf_reading_small(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    if (count(n) <= HF_MANIFEST_LIST_MAX)
        return true;
    hf_mistake_of(r, k, n->value.at, "has %zu entries, more than %u", count(n), HF_MANIFEST_LIST_MAX);
    return false;
}

const char **hf_reading_strings(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    bool one = n->kind == HF_DEPS_TOML_STRING;
    if (!one && !hf_reading_small(r, k, n))
        return NULL;
    const char **list = hf_arena_array(&r->m->arena, (one ? 1 : count(n)) + 1, sizeof *list);
    size_t len = 0;
    if (list == NULL) {
        r->no_memory = true;
        return NULL;
    }
    if (one)
        list[len++] = hf_reading_string(r, k, n);
    else
        HF_EACH_BELOW(n, it)
        {
            if (it->kind == HF_DEPS_TOML_STRING) {
                list[len] = hf_reading_string(r, k, it);
                for (size_t i = 0; i < len && list[len] != NULL; i++) /* a thousand at most */
                    if (strcmp(hf_key_name(k), "args") != 0 && strcmp(list[i], list[len]) == 0) {
                        char text[HF_SHOWN_MAX];
                        hf_mistake_of(r, k, it->value.at, "has \"%s\" twice", hf_reading_shown(hf_view_of(list[i]), text));
                        break;
                    }
                len += list[len] != NULL;
            } else {
                hf_mistake_of(r, k, it->value.at, "has %s in it; it must be an array of strings, like [\"...\"]", hf_reading_kinds[it->kind]);
            }
        }
    return list;
}

static const char **map(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    if (!hf_reading_small(r, k, n))
        return NULL;
    const char **list = hf_arena_array(&r->m->arena, count(n) + 1, sizeof *list);
    size_t len = 0;
    if (list == NULL) {
        r->no_memory = true;
        return NULL;
    }
    HF_EACH_BELOW(n, it)
    {
        struct hf_view name = hf_reading_text(r, it->key);
        char text[HF_SHOWN_MAX], value[HF_SHOWN_MAX];
        if (name.len == 0 || name.len > 255 || hf_view_find(name, '=') < name.len || hf_view_find(name, 0) < name.len) {
            hf_mistake_of(r, k, it->key.at, "has the name \"%s\"; a name has 1 to 255 bytes and no '='", hf_reading_shown(name, text));
        } else if (it->kind == HF_DEPS_TOML_ARRAY || it->kind == HF_DEPS_TOML_TABLE || it->kind == HF_DEPS_TOML_DATETIME) {
            hf_mistake_of(r, k, it->value.at, "has %s for \"%s\"; it must be a string", hf_reading_kinds[it->kind], hf_reading_shown(name, text));
        } else if (it->kind != HF_DEPS_TOML_STRING) {
            hf_mistake_of(r, k, it->value.at, "has %s for \"%s\"; it must be a string: write \"%s\"", hf_reading_kinds[it->kind], hf_reading_shown(name, text),
                          hf_reading_shown(hf_reading_text(r, it->value), value));
        } else {
            const char *v = hf_reading_string(r, k, it);
            if (v != NULL && (list[len] = hf_reading_print(r, "%.*s=%s", HF_FMT(name), v)) != NULL)
                len++;
        }
    }
    return list;
}

/* ---- any of them ------------------------------------------------------------------------------------------- */

static bool kind_fits(const struct hf_key *k, uint32_t kind)
{
    switch (k->type) {
    case HF_KEY_TABLE:
    case HF_KEY_ARRAY: return false; /* those are not asked about here */
    case HF_KEY_MAP: return kind == HF_DEPS_TOML_TABLE;
    case HF_KEY_STRINGS: return kind == HF_DEPS_TOML_ARRAY || ((k->flags & HF_KEY_OR_ONE) != 0 && kind == HF_DEPS_TOML_STRING);
    case HF_KEY_INTEGER: return kind == HF_DEPS_TOML_INTEGER;
    case HF_KEY_BOOLEAN: return kind == HF_DEPS_TOML_BOOLEAN;
    case HF_KEY_SIZE: return kind == HF_DEPS_TOML_STRING || kind == HF_DEPS_TOML_INTEGER;
    case HF_KEY_STRING:
    case HF_KEY_PATH:
    case HF_KEY_DURATION:
    case HF_KEY_CHOICE: return kind == HF_DEPS_TOML_STRING;
    }
    return false;
}

void hf_reading_value(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    uint64_t number = 0;
    const void *p = NULL;
    bool is_false = n->kind == HF_DEPS_TOML_BOOLEAN && hf_view_eq_text(hf_reading_text(r, n->value), "false");
    bool set = k->set != NULL && (is_false || (k->flags & HF_KEY_OR_FALSE) == 0);
    if (!((k->flags & HF_KEY_OR_FALSE) != 0 && is_false) && !kind_fits(k, n->kind)) {
        wrong_kind(r, k, n);
        return;
    }
    if (set) {
        k->set(r, k, n, target);
        return;
    }
    switch (k->type) {
    case HF_KEY_TABLE:
    case HF_KEY_ARRAY: break;
    case HF_KEY_MAP: p = map(r, k, n); break;
    case HF_KEY_STRINGS: p = hf_reading_strings(r, k, n); break;
    case HF_KEY_STRING:
    case HF_KEY_PATH: p = hf_reading_string(r, k, n); break;
    case HF_KEY_INTEGER:
        if (integer(r, k, n, &number))
            store(k, target, number);
        break;
    case HF_KEY_BOOLEAN: store(k, target, !is_false); break;
    case HF_KEY_DURATION:
    case HF_KEY_SIZE:
        if (amount(r, k, n, &number))
            store(k, target, number);
        break;
    case HF_KEY_CHOICE:
        if (choice(r, k, n, &number))
            store(k, target, number);
        break;
    }
    if (p != NULL)
        store_pointer(k, target, p);
}
