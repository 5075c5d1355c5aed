/* manifest_read.c - walks a manifest's tree along the table of keys (manifest_keys.h). Every mistake is said; text that is not
 * TOML is said alone, since what it meant is a guess.
 */
#include "node/manifest_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"

#define ARENA_MAX (64u << 20) /* a text of 1 MiB makes less, its lists included */

/* ---- tables ------------------------------------------------------------------------------------------------ */

static void value(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target);

static void unknown(struct hf_reading *r, const struct hf_key *of, const struct hf_deps_toml_node *n)
{
    struct hf_view name = hf_reading_text(r, n->key);
    char text[HF_SHOWN_MAX], place[160] = "at the top of the file", other[160];
    bool enough = r->n_mistakes >= HF_MANIFEST_KEPT_MAX; /* nobody will see it */
    const char *near = enough ? NULL : hf_key_near(of, name);
    const struct hf_key *elsewhere = hf_key_elsewhere(name);
    if (of != NULL) {
        char inner[160];
        struct hf_key below = {.path = inner};
        snprintf(inner, sizeof inner, "%s.x", of->path);
        strcpy(place, "in ");
        hf_key_place(&below, r->name, place + 3, sizeof place - 3);
    }
    if (near != NULL) {
        hf_mistake(r, n->key.at, "unknown key '%s' %s, did you mean '%s'?", hf_reading_shown(name, text), place, near);
    } else if (elsewhere != NULL) {
        hf_key_place(elsewhere, "NAME", other, sizeof other);
        hf_mistake(r, n->key.at, "unknown key '%s' %s; it belongs %s%s", hf_reading_shown(name, text), place, other[0] == '[' ? "in " : "to ", other);
    } else {
        hf_mistake(r, n->key.at, "unknown key '%s' %s", hf_reading_shown(name, text), place);
    }
}

static const struct hf_deps_toml_node *find(const struct hf_reading *r, const struct hf_deps_toml_node *first,
                                            const struct hf_deps_toml_node *end, const char *name)
{
    for (const struct hf_deps_toml_node *it = first; it < end; it += 1 + it->below)
        if (hf_view_eq_text(hf_reading_text(r, it->key), name))
            return it;
    return NULL;
}

/* The keys of one table: nodes from `first` to `end`. `of` is its row, NULL for the root, which is at `at`. */
static void table(struct hf_reading *r, const struct hf_key *of, uint32_t at, const struct hf_deps_toml_node *first,
                  const struct hf_deps_toml_node *end, void *target)
{
    for (const struct hf_deps_toml_node *it = first; it < end; it += 1 + it->below) {
        const struct hf_key *k = hf_key_find(of, hf_reading_text(r, it->key));
        if (k == NULL)
            unknown(r, of, it);
        else if ((k->flags & HF_KEY_LATER) != 0)
            hf_mistake(r, it->key.at, "[%s] is not built yet; the name is kept for it", hf_key_name(k));
        else
            value(r, k, it, target);
    }
    size_t n;
    const struct hf_key *rows = hf_keys(&n);
    for (size_t i = 0; i < n; i++)
        if ((rows[i].flags & HF_KEY_REQUIRED) != 0 && hf_key_is_in(&rows[i], of) && find(r, first, end, hf_key_name(&rows[i])) == NULL) {
            char place[160];
            hf_key_place(&rows[i], r->name, place, sizeof place);
            if (of == NULL && rows[i].type == HF_KEY_TABLE)
                hf_mistake(r, (uint32_t)r->source.len, "no service: write [services.NAME] and component = \"FILE\" below it");
            else if (of == NULL)
                hf_mistake(r, 0, "the version is missing: write %s = %d as the first line", rows[i].path, HF_MANIFEST_VERSION);
            else
                hf_mistake(r, at, "%s has no '%s': write %s = \"FILE\"", place, hf_key_name(&rows[i]), hf_key_name(&rows[i]));
        }
}

static void enter(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    void *inner = k->enter != NULL ? k->enter(r, k, n, target) : target;
    if (inner == NULL)
        return;
    table(r, k, n->value.at, n + 1, n + 1 + n->below, inner);
    if (k->leave != NULL)
        k->leave(r, k, n, inner);
}

static void array(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    const struct hf_key *element = hf_key_element(k);
    if (!hf_reading_small(r, k, n))
        return;
    HF_EACH_BELOW(n, it)
        value(r, element, it, target);
}

static void value(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    bool is_table = n->kind == HF_DEPS_TOML_TABLE;
    char name[HF_SHOWN_MAX];
    if (!is_table && strcmp(hf_key_name(k), "*") == 0)
        hf_mistake(r, n->value.at, "'%s' in [services] is %s; it must be a table: write [services.%s] and component = \"FILE\" below it",
                   hf_reading_shown(hf_reading_text(r, n->key), name), hf_reading_kinds[n->kind], name);
    else if (is_table && (k->type == HF_KEY_TABLE || (k->flags & HF_KEY_OR_TABLE) != 0))
        enter(r, k, n, target);
    else if (k->type == HF_KEY_ARRAY && n->kind == HF_DEPS_TOML_ARRAY)
        array(r, k, n, target);
    else
        hf_reading_value(r, k, n, target);
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

/* Only the first on each line: what the parser says after it is often its own confusion. */
static void not_toml(struct hf_reading *r)
{
    unsigned last = 0;
    for (size_t i = 0; i < r->toml->n_mistakes && i < 100; i++) { /* a binary file has one a byte */
        const struct hf_deps_toml_place *m = &r->toml->mistakes[i];
        struct hf_view words = hf_reading_text(r, *m), what = hf_view_skip(hf_view_take(r->source, m->end), m->at);
        unsigned line, column;
        char text[HF_SHOWN_MAX];
        hf_reading_place(r, m->at, &line, &column);
        if (line == last)
            continue;
        last = line;
        if (hf_view_eq_text(words, "duplicate key"))
            hf_mistake(r, m->at, "'%s' is there already", hf_reading_shown(what, text));
        else
            hf_mistake(r, m->at, "not TOML: %.*s%s", HF_FMT(words),
                       hf_view_starts(words, HF_VIEW("invalid boolean")) ? "; a string needs quotes" : "");
    }
}

/* A version that is not ours means keys that are not ours: nothing else is worth saying. */
static bool other_version(struct hf_reading *r)
{
    const struct hf_deps_toml_node *end = r->toml->nodes + r->toml->n_nodes, *n = find(r, r->toml->nodes, end, "holdfast");
    char ours[12];
    snprintf(ours, sizeof ours, "%d", HF_MANIFEST_VERSION);
    if (n == NULL || n->kind != HF_DEPS_TOML_INTEGER || hf_view_eq_text(hf_reading_text(r, n->value), ours))
        return false;
    hf_mistake(r, n->value.at, "this is a manifest of version %.*s; Holdfast %s reads version %d", HF_FMT(hf_reading_text(r, n->value)),
               hf_version(), HF_MANIFEST_VERSION);
    return true;
}

static void read_all(struct hf_reading *r)
{
    if (r->toml->n_mistakes > 0) {
        not_toml(r);
        return;
    }
    if (other_version(r))
        return;
    table(r, NULL, 0, r->toml->nodes, r->toml->nodes + r->toml->n_nodes, r);
    const struct hf_deps_toml_node *services = find(r, r->toml->nodes, r->toml->nodes + r->toml->n_nodes, "services");
    if (services != NULL && services->kind == HF_DEPS_TOML_TABLE && services->below == 0)
        hf_mistake(r, services->value.at, "no service: write [services.NAME] and component = \"FILE\" below it");
    if (r->n_mistakes == 0 && !r->no_memory)
        hf_leave_root(r);
}

enum hf_err hf_manifest_parse(struct hf_view text, const char *file, const char *dir, struct hf_manifest **ret,
                              struct hf_report *report)
{
    *ret = NULL;
    if (text.len > HF_MANIFEST_BYTES_MAX)
        return hf_report_set(report, HF_LIMIT, "%s has more than %u KiB", file, HF_MANIFEST_BYTES_MAX >> 10);
    struct hf_reading r = {.source = text, .file = file, .dir = dir, .m = calloc(1, sizeof *r.m)};
    struct hf_deps_toml *toml = hf_deps_toml_read(text.ptr, text.len);
    r.toml = toml;
    if (r.m == NULL || toml == NULL) {
        free(r.m);
        hf_deps_toml_free(toml);
        return hf_report_set(report, HF_LIMIT, "%s cannot be read: out of memory", file);
    }
    hf_arena_init(&r.m->arena, 4096, ARENA_MAX);
    hf_node_options_init(&r.m->node);
    read_all(&r);
    enum hf_err err = hf_reading_tell(&r, report);
    if (err == HF_OK)
        *ret = r.m;
    else
        hf_manifest_free(r.m);
    for (size_t i = 0; i < r.mistakes.len; i++)
        free(r.mistakes.ptr[i].text);
    HF_VEC_DONE(&r.mistakes);
    HF_VEC_DONE(&r.services);
    HF_VEC_DONE(&r.routes);
    hf_deps_toml_free(toml);
    return err;
}
