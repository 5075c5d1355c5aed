/* names.c - the grammar of names, canonical forms and version tracks.
 *
 * Hand-written scanners over ASCII. What fits no rule is HF_NAME_OTHER, not an error: whether a
 * name may stand where it stands is the validator's business; here it is only matched, and a name
 * nobody knows matches nothing.
 */
#include "component/names.h"

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}
static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}
static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* One fragment between hyphens: all of one case. */
static bool fragment_ok(struct hf_view v, bool first, bool upper_allowed)
{
    bool lower = false, upper = false;
    if (v.len == 0 || (first && is_digit(v.ptr[0])))
        return false;
    for (size_t i = 0; i < v.len; i++) {
        lower |= is_lower(v.ptr[i]);
        upper |= is_upper(v.ptr[i]);
        if (!is_lower(v.ptr[i]) && !is_upper(v.ptr[i]) && !is_digit(v.ptr[i]))
            return false;
    }
    return !(lower && upper) && (upper_allowed || !upper);
}

static bool kebab_ok(struct hf_view v, bool upper_allowed)
{
    bool first = true;
    for (;;) {
        size_t dash = hf_view_find(v, '-');
        if (!fragment_ok(hf_view_take(v, dash), first, upper_allowed))
            return false;
        if (dash == v.len)
            return true;
        v = hf_view_skip(v, dash + 1);
        first = false;
    }
}

bool hf_label_ok(struct hf_view text)
{
    return kebab_ok(text, true);
}

/* ---- versions ---- */

/* A decimal number without leading zeroes; moves *at on. */
static bool read_number(struct hf_view v, size_t *at, uint64_t *ret)
{
    size_t start = *at;
    uint64_t n = 0;
    while (*at < v.len && is_digit(v.ptr[*at])) {
        if (n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(v.ptr[(*at)++] - '0');
    }
    *ret = n;
    return *at > start && (*at == start + 1 || v.ptr[start] != '0');
}

/* Dot-separated identifiers of [0-9A-Za-z-]; numeric ones of a pre-release have no leading zeroes.
 */
static bool identifiers_ok(struct hf_view v, bool pre)
{
    for (;;) {
        struct hf_view id = hf_view_take(v, hf_view_find(v, '.'));
        bool digits = true;
        if (id.len == 0)
            return false;
        for (size_t i = 0; i < id.len; i++) {
            uint8_t c = id.ptr[i];
            if (!is_digit(c) && !is_lower(c) && !is_upper(c) && c != '-')
                return false;
            digits &= is_digit(c);
        }
        if (pre && digits && id.len > 1 && id.ptr[0] == '0')
            return false;
        if (id.len == v.len)
            return true;
        v = hf_view_skip(v, id.len + 1);
    }
}

bool hf_semver_read(struct hf_view text, struct hf_semver *ret)
{
    size_t at = 0;
    *ret = (struct hf_semver){0};
    if (!read_number(text, &at, &ret->major) || at == text.len || text.ptr[at++] != '.' ||
        !read_number(text, &at, &ret->minor) || at == text.len || text.ptr[at++] != '.' ||
        !read_number(text, &at, &ret->patch))
        return false;
    if (at < text.len && text.ptr[at] == '-') {
        struct hf_view rest = hf_view_skip(text, at + 1);
        ret->pre = hf_view_take(rest, hf_view_find(rest, '+'));
        at += 1 + ret->pre.len;
        if (!identifiers_ok(ret->pre, true))
            return false;
    }
    if (at == text.len)
        return true;
    return text.ptr[at] == '+' && identifiers_ok(hf_view_skip(text, at + 1), false);
}

static bool all_digits(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!is_digit(v.ptr[i]))
            return false;
    return true;
}

static int cmp_identifier(struct hf_view a, struct hf_view b)
{
    bool a_number = all_digits(a), b_number = all_digits(b);
    if (a_number != b_number)
        return a_number ? -1 : 1;
    if (a_number && a.len != b.len) /* no leading zeroes: longer is larger */
        return a.len < b.len ? -1 : 1;
    return hf_view_cmp(a, b);
}

static int cmp_pre(struct hf_view a, struct hf_view b)
{
    if (a.len == 0 || b.len == 0) /* a release is above its pre-releases */
        return (a.len == 0) - (b.len == 0);
    for (;;) {
        struct hf_view x = hf_view_take(a, hf_view_find(a, '.'));
        struct hf_view y = hf_view_take(b, hf_view_find(b, '.'));
        int cmp = cmp_identifier(x, y);
        if (cmp != 0)
            return cmp;
        if (x.len == a.len || y.len == b.len)
            return (x.len == a.len ? 0 : 1) - (y.len == b.len ? 0 : 1);
        a = hf_view_skip(a, x.len + 1);
        b = hf_view_skip(b, y.len + 1);
    }
}

int hf_semver_cmp(const struct hf_semver *a, const struct hf_semver *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    if (a->patch != b->patch)
        return a->patch < b->patch ? -1 : 1;
    return cmp_pre(a->pre, b->pre);
}

/* ---- names ---- */

/* "ns:pkg/iface", nested ones ("a:b:c/d/e") too. */
static bool interface_base_ok(struct hf_view v)
{
    size_t slash = hf_view_find(v, '/');
    struct hf_view package = hf_view_take(v, slash), rest = hf_view_skip(v, slash);
    size_t colons = 0;
    for (;;) {
        struct hf_view words = hf_view_take(package, hf_view_find(package, ':'));
        if (!kebab_ok(words, false))
            return false;
        if (words.len == package.len)
            break;
        package = hf_view_skip(package, words.len + 1);
        colons++;
    }
    if (colons == 0 || rest.len == 0)
        return false;
    while (rest.len != 0) { /* at a slash */
        rest = hf_view_skip(rest, 1);
        struct hf_view label = hf_view_take(rest, hf_view_find(rest, '/'));
        if (!hf_label_ok(label))
            return false;
        rest = hf_view_skip(rest, label.len);
    }
    return true;
}

/* What is before and behind the dot of an annotated name. */
static bool read_member(struct hf_view v, struct hf_name *ret)
{
    size_t dot = hf_view_find(v, '.');
    ret->label = hf_view_take(v, dot);
    ret->member = hf_view_skip(v, dot + 1);
    return dot != v.len && hf_label_ok(ret->label) && hf_label_ok(ret->member);
}

static enum hf_name_kind read_kind(struct hf_view text, struct hf_name *ret)
{
    static const struct hf_view ctor = HF_VIEW("[constructor]"), method = HF_VIEW("[method]"),
                                fixed = HF_VIEW("[static]");
    if (hf_view_starts(text, ctor)) {
        ret->label = hf_view_skip(text, ctor.len);
        return hf_label_ok(ret->label) ? HF_NAME_CONSTRUCTOR : HF_NAME_OTHER;
    }
    if (hf_view_starts(text, method))
        return read_member(hf_view_skip(text, method.len), ret) ? HF_NAME_METHOD : HF_NAME_OTHER;
    if (hf_view_starts(text, fixed))
        return read_member(hf_view_skip(text, fixed.len), ret) ? HF_NAME_STATIC : HF_NAME_OTHER;
    if (hf_view_find(text, ':') == text.len) {
        ret->label = text;
        return hf_label_ok(text) ? HF_NAME_PLAIN : HF_NAME_OTHER;
    }
    size_t at = hf_view_find(text, '@');
    ret->base = hf_view_take(text, at);
    ret->version = hf_view_skip(text, at + 1);
    if (at + 1 == text.len)
        return HF_NAME_OTHER; /* "@" and nothing behind */
    return interface_base_ok(ret->base) ? HF_NAME_INTERFACE : HF_NAME_OTHER;
}

void hf_name_read(struct hf_view text, struct hf_name *ret)
{
    *ret = (struct hf_name){0};
    ret->kind = read_kind(text, ret);
}

/* Versions already cut to their track ("1", "0.2"), as newer tools write them (Explainer,
 * canonversion). */
static bool is_track(struct hf_view v)
{
    uint64_t major, minor;
    size_t at = 0;
    if (!read_number(v, &at, &major))
        return false;
    if (at == v.len)
        return major > 0;
    if (major != 0 || v.ptr[at++] != '.' || !read_number(v, &at, &minor))
        return false;
    return at == v.len && minor > 0;
}

bool hf_name_track(struct hf_view text, struct hf_view *base, struct hf_view *track)
{
    struct hf_name name;
    struct hf_semver v;
    hf_name_read(text, &name);
    if (name.kind != HF_NAME_INTERFACE || name.version.len == 0)
        return false;
    *base = name.base;
    if (is_track(name.version)) {
        *track = name.version;
        return true;
    }
    if (!hf_semver_read(name.version, &v) || v.pre.len != 0 || (v.major == 0 && v.minor == 0))
        return false;
    size_t end = hf_view_find(name.version, '.');
    if (v.major == 0)
        end += 1 + hf_view_find(hf_view_skip(name.version, end + 1), '.');
    *track = hf_view_take(name.version, end);
    return true;
}

bool hf_name_same_track(struct hf_view a, struct hf_view b)
{
    struct hf_view a_base, a_track, b_base, b_track;
    return hf_name_track(a, &a_base, &a_track) && hf_name_track(b, &b_base, &b_track) &&
           hf_view_eq(a_base, b_base) && hf_view_eq(a_track, b_track);
}

/* ---- strong uniqueness ---- */

void hf_name_set_init(struct hf_name_set *set, struct hf_arena *arena)
{
    hf_map_init(&set->map, 0);
    set->arena = arena;
}

void hf_name_set_done(struct hf_name_set *set)
{
    hf_map_done(&set->map);
}

/* Explainer, "Name Uniqueness": lower case; [method] and [static] stripped; l.l becomes l. */
static struct hf_view canonical(struct hf_arena *arena, struct hf_view text)
{
    struct hf_name name;
    hf_name_read(text, &name);
    if (name.kind == HF_NAME_METHOD || name.kind == HF_NAME_STATIC) {
        text = hf_view(name.label.ptr, name.label.len + 1 + name.member.len);
        if (hf_view_eq_nocase(name.label, name.member))
            text = name.label;
    }
    uint8_t *copy = hf_arena_alloc(arena, text.len + 1, 1);
    if (copy == NULL)
        return hf_view(NULL, 0);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = is_upper(text.ptr[i]) ? (uint8_t)(text.ptr[i] + ('a' - 'A')) : text.ptr[i];
    return hf_view(copy, text.len);
}

enum hf_err hf_name_set_add(struct hf_name_set *set, struct hf_view name, bool strong,
                            struct hf_report *report)
{
    struct hf_view key = strong ? canonical(set->arena, name) : hf_arena_copy(set->arena, name);
    void *old = NULL;
    if (key.ptr == NULL)
        return hf_report_set(report, HF_LIMIT, "names take too much memory");
    enum hf_err err = hf_map_put(&set->map, key, set, &old);
    if (err != HF_OK)
        return hf_report_set(report, err, "names take too much memory");
    if (old != NULL)
        return hf_report_set(report, HF_INVALID, "the name \"%.*s\" stands twice in one scope",
                             HF_FMT(name));
    return HF_OK;
}
