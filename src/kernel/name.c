/* name.c - the grammar of names, their groups and shards (name.h). */
#include "kernel/name.h"

#include "base/map.h"

/* ---- the grammar ---- */

static bool is_lower(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_class_byte(uint8_t c)
{
    return is_lower(c) || c == '.' || c == '_' || c == '-';
}

static bool is_key_byte(uint8_t c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("._-+:=,;@%!$~()*", c) != NULL);
}

/* Names come from anybody: what is said of one is for a terminal. */
static bool is_printable(uint8_t c)
{
    return c > ' ' && c < 127;
}

/* A name, or its beginning, to be said. */
static struct hf_view shown(struct hf_view name)
{
    size_t n = 0;
    while (n < name.len && (name.ptr[n] == ' ' || is_printable(name.ptr[n])))
        n++;
    return hf_view_take(name, n);
}

static enum hf_err bad_byte(struct hf_view name, size_t at, struct hf_report *report)
{
    uint8_t c = name.ptr[at];
    if (is_printable(c))
        return hf_report_set(report, HF_INVALID, "name %.*s: '%c' cannot stand at byte %zu",
                             HF_FMT(shown(name)), c, at);
    return hf_report_set(report, HF_INVALID, "name: byte 0x%02x cannot stand at byte %zu", c, at);
}

/* Returns where it ends, or 0: it was reported. */
static size_t check_class(struct hf_view name, struct hf_report *report)
{
    size_t n = 0;
    while (n < name.len && is_class_byte(name.ptr[n]))
        n++;
    if (n > 0 && !is_lower(name.ptr[0])) {
        (void)bad_byte(name, 0, report);
        return 0;
    }
    if (n == 0 && name.len > 0 && name.ptr[0] != '/') {
        (void)bad_byte(name, 0, report);
        return 0;
    }
    if (n == 0)
        (void)hf_report_set(report, HF_INVALID, "a name begins with a class");
    if (n > HF_NAME_CLASS_MAX) {
        (void)hf_report_set(report, HF_INVALID, "name: its class has %zu bytes, %u are allowed", n,
                            HF_NAME_CLASS_MAX);
        return 0;
    }
    return n;
}

enum hf_err hf_name_check_class(struct hf_view name, struct hf_report *report)
{
    size_t n = check_class(name, report);
    if (n == 0)
        return HF_INVALID;
    return n < name.len ? bad_byte(name, n, report) : HF_OK;
}

/* One part from byte `at` on; returns where it ends, or 0. */
static size_t check_part(struct hf_view name, size_t at, bool *had_group, struct hf_report *report)
{
    size_t begin = at, open = 0;
    for (; at < name.len && name.ptr[at] != '/'; at++) {
        uint8_t c = name.ptr[at];
        bool opens = c == '{' && !*had_group, closes = c == '}' && open > 0 && at > open;
        if (opens) {
            *had_group = true;
            open = at + 1;
        } else if (closes) {
            open = 0;
        } else if (!is_key_byte(c)) {
            (void)bad_byte(name, at, report);
            return 0;
        }
    }
    struct hf_view part = hf_view(name.ptr + begin, at - begin);
    if (part.len == 0 || hf_view_eq_text(part, ".") || hf_view_eq_text(part, "..")) {
        (void)hf_report_set(report, HF_INVALID, "name %.*s: the part at byte %zu is empty, . or ..",
                            HF_FMT(shown(name)), begin);
        return 0;
    }
    if (open > 0) {
        (void)hf_report_set(report, HF_INVALID,
                            "name %.*s: the brace at byte %zu is not closed in its part",
                            HF_FMT(shown(name)), open - 1);
        return 0;
    }
    return at;
}

enum hf_err hf_name_check(struct hf_view name, struct hf_report *report)
{
    bool had_group = false;
    if (name.len > HF_NAME_MAX)
        return hf_report_set(report, HF_INVALID, "a name of %zu bytes: %u are allowed", name.len,
                             HF_NAME_MAX);
    size_t at = check_class(name, report);
    if (at == 0)
        return HF_INVALID;
    if (at < name.len && name.ptr[at] != '/')
        return bad_byte(name, at, report);
    while (at < name.len) {
        at = check_part(name, at + 1, &had_group, report);
        if (at == 0)
            return HF_INVALID;
    }
    return HF_OK;
}

/* ---- its pieces ---- */

struct hf_view hf_name_class(struct hf_view name)
{
    return hf_view_take(name, hf_view_find(name, '/'));
}

struct hf_view hf_name_group(struct hf_view name)
{
    struct hf_view v = hf_view_skip(name, hf_view_find(name, '{'));
    v = hf_view_skip(v, 1);
    return hf_view_take(v, hf_view_find(v, '}'));
}

bool hf_name_is_made(struct hf_view name)
{
    for (size_t i = 0; i + 1 < name.len; i++)
        if (name.ptr[i] == '/' && name.ptr[i + 1] == '~')
            return true;
    return false;
}

struct hf_view hf_name_group_of(struct hf_view name, struct hf_view parent_group)
{
    struct hf_view group = hf_name_group(name);
    if (group.len > 0)
        return group;
    return parent_group.len > 0 ? parent_group : name;
}

uint32_t hf_name_shard(struct hf_view group, uint32_t shards)
{
    HF_ASSERT(shards > 0);
    return (uint32_t)(hf_hash(group, 0) % shards);
}

/* ---- patterns ---- */

enum hf_err hf_name_check_pattern(struct hf_view pattern, struct hf_report *report)
{
    if (pattern.len == 0 || pattern.ptr[pattern.len - 1] != '*')
        return hf_name_check(pattern, report);
    struct hf_view begin = hf_view_take(pattern, pattern.len - 1);
    if (begin.len > HF_NAME_MAX)
        return hf_report_set(report, HF_INVALID, "a pattern of %zu bytes: %u are allowed",
                             pattern.len, HF_NAME_MAX);
    for (size_t i = 0; i < begin.len; i++) {
        uint8_t c = begin.ptr[i];
        if (!is_key_byte(c) && c != '/' && c != '{' && c != '}')
            return bad_byte(pattern, i, report);
    }
    return HF_OK;
}

bool hf_name_matches(struct hf_view name, struct hf_view pattern)
{
    if (pattern.len == 0 || pattern.ptr[pattern.len - 1] != '*')
        return hf_view_eq(name, pattern);
    return hf_view_starts(name, hf_view_take(pattern, pattern.len - 1));
}
