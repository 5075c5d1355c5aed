/* component.c - loading: survey, modules compiled or taken from the cache, the final link; what a
 * component tells.
 *
 * Everything that can be refused is refused before the first module is compiled, which can take
 * seconds.
 */
#include "component/component.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "component/parse_in.h"
#include "component/survey.h"

#define KEEP_BYTES_MAX ((size_t)256 << 20)

struct hf_component {
    atomic_uint refs;
    struct hf_engine *engine;
    const struct hf_registry *registry;
    struct hf_arena arena; /* the program and all types */
    struct hf_program program;
    const uint32_t *module_numbers; /* in the file */
    uint8_t hash[32];
    uint32_t gate;
    uint64_t memory_max;
    size_t n_memories;
};

/* ---- life ---- */

struct hf_component *hf_component_ref(struct hf_component *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void hf_component_unref(struct hf_component *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < c->program.n_modules && c->program.modules != NULL; i++)
        hf_module_unref(c->program.modules[i]);
    hf_arena_done(&c->arena);
    free(c);
}

/* ---- modules ---- */

/* A module of the file, or one that the host offers. */
static struct hf_view module_bytes(const struct hf_survey *s, const struct hf_registry *reg,
                                   uint32_t number)
{
    return number < HF_HOST_MODULE ? s->tree->modules[number]
                                   : reg->modules.ptr[number - HF_HOST_MODULE];
}

/* Where a module's code lies in the cache: the file it came in and its number there; the host's by
 * its own hash. */
static void module_key(const uint8_t hash[32], uint32_t number, struct hf_view bytes,
                       uint8_t key[32])
{
    uint8_t text[36];
    memcpy(text, hash, 32);
    if (number >= HF_HOST_MODULE) {
        hf_sha256(bytes.ptr, bytes.len, text);
        number = HF_HOST_MODULE;
    }
    for (int i = 0; i < 4; i++)
        text[32 + i] = (uint8_t)(number >> (8 * i));
    hf_sha256(text, sizeof text, key);
}

/* A note that all modules of this file were compiled once with this engine: then nothing is said
 * about progress. */
static bool compiled_before(struct hf_engine *engine, const uint8_t hash[32])
{
    struct hf_buf note = {0};
    bool yes = hf_cache_get(engine, "compiled", hash, &note) == HF_OK &&
               hf_view_eq(hf_buf_view(&note), hf_view_of(hf_engine_fingerprint(engine)));
    hf_buf_done(&note);
    return yes;
}

static enum hf_err load_modules(struct hf_component *c, struct hf_engine *engine,
                                const struct hf_registry *reg, const struct hf_survey *s,
                                const struct hf_load_options *opt, struct hf_report *report)
{
    const struct hf_linked *l = &s->linked;
    uint32_t n = l->program.n_modules;
    uint64_t done = 0, total = 0;
    bool tell = opt->progress != NULL && !compiled_before(engine, s->hash), all_hit = true;

    c->program.modules = hf_arena_array(&c->arena, (size_t)n + 1, sizeof *c->program.modules);
    if (c->program.modules == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    c->program.n_modules = n;
    for (uint32_t i = 0; i < n; i++)
        total += module_bytes(s, reg, l->module_numbers[i]).len;
    for (uint32_t i = 0; i < n; i++) {
        struct hf_view bytes = module_bytes(s, reg, l->module_numbers[i]);
        uint8_t key[32];
        bool hit = false;
        if (tell)
            opt->progress(opt->progress_ctx, done, total);
        module_key(s->hash, l->module_numbers[i], bytes, key);
        enum hf_err err = hf_module_load(engine, bytes, key, &c->program.modules[i], &hit, report);
        if (err != HF_OK)
            return hf_report_wrap(report, err, "core module %u", l->module_numbers[i]);
        done += bytes.len;
        all_hit &= hit;
    }
    if (tell && n != 0)
        opt->progress(opt->progress_ctx, done, total);
    if (!all_hit || tell) /* not kept: progress is shown once more, that is all */
        (void)hf_cache_put(engine, "compiled", s->hash, hf_view_of(hf_engine_fingerprint(engine)),
                           NULL);
    return HF_OK;
}

static void sum_up(struct hf_component *c)
{
    const struct hf_program *p = &c->program;
    for (uint32_t i = 0; i < p->n_modules; i++)
        c->gate |= hf_module_gate(p->modules[i]);
    for (uint32_t i = 0; i < p->n_steps; i++) {
        if (p->steps[i].kind != HF_STEP_CORE_NEW)
            continue;
        const struct hf_module *m = p->modules[p->steps[i].module];
        uint64_t sum = c->memory_max + hf_module_memory_max(m);
        c->memory_max = sum < c->memory_max ? UINT64_MAX : sum;
        c->n_memories += hf_module_n_memories(m);
    }
}

/* ---- loading ---- */

static bool uses_host_modules(const struct hf_survey *s)
{
    for (uint32_t i = 0; i < s->linked.program.n_modules; i++)
        if (s->linked.module_numbers[i] >= HF_HOST_MODULE)
            return true;
    return false;
}

static enum hf_err link_finally(struct hf_component *c, const struct hf_registry *reg,
                                const struct hf_survey *s, bool parse_only,
                                struct hf_report *report)
{
    struct hf_arena tmp;
    struct hf_linked linked;
    struct hf_module **modules = c->program.modules;
    struct hf_link_input in = {.tree = s->tree,
                               .reg = reg,
                               .limits = s->limits,
                               .modules = parse_only ? NULL : modules,
                               .n_resources = s->linked.program.n_resources};
    hf_arena_init(&tmp, 256 * 1024, KEEP_BYTES_MAX);
    enum hf_err err = hf_link(&in, &c->arena, &tmp, &linked, report);
    hf_arena_done(&tmp);
    if (err == HF_INVALID && uses_host_modules(s)) /* their types were not compared before */
        return hf_report_wrap(report, HF_UNSUPPORTED,
                              "a core module that the host offers is another than is wanted");
    if (err != HF_OK)
        return err;
    HF_ASSERT(linked.n_missing == 0); /* the survey saw the same registry, which is sealed */
    hf_buf_done(&linked.missing);
    linked.program.modules = modules;
    c->program = linked.program;
    c->module_numbers = linked.module_numbers;
    return HF_OK;
}

static enum hf_err load(struct hf_component *c, struct hf_engine *engine,
                        const struct hf_registry *reg, const struct hf_survey *s,
                        const struct hf_load_options *opt, struct hf_report *report)
{
    memcpy(c->hash, s->hash, sizeof c->hash);
    if (s->missing.len != 0)
        return hf_report_set(report, HF_UNSUPPORTED, "the component needs what is not here:\n%.*s",
                             (int)(s->missing.len - 1), (const char *)s->missing.ptr);
    if (opt->parse_only) {
        c->program.n_modules = s->linked.program.n_modules;
        c->program.modules =
            hf_arena_array(&c->arena, (size_t)c->program.n_modules + 1, sizeof *c->program.modules);
        if (c->program.modules == NULL)
            return hf_report_set(report, HF_LIMIT, "out of memory");
        return link_finally(c, reg, s, true, report);
    }
    HF_TRY(load_modules(c, engine, reg, s, opt, report));
    HF_TRY(link_finally(c, reg, s, false, report));
    sum_up(c);
    return HF_OK;
}

enum hf_err hf_component_load(struct hf_engine *engine, const struct hf_registry *reg,
                              struct hf_view bytes, const struct hf_load_options *opt,
                              struct hf_component **ret, struct hf_report *report)
{
    static const struct hf_load_options none;
    struct hf_survey survey;
    if (opt == NULL)
        opt = &none;
    struct hf_component *c = calloc(1, sizeof *c);
    if (c == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    atomic_init(&c->refs, 1);
    c->engine = engine;
    c->registry = reg;
    hf_arena_init(&c->arena, 64 * 1024, KEEP_BYTES_MAX);

    enum hf_err err = hf_survey_make(engine, reg, bytes, opt->limits, &survey, report);
    if (err == HF_OK)
        err = load(c, engine, reg, &survey, opt, report);
    hf_survey_done(&survey);
    if (err != HF_OK) {
        hf_component_unref(c);
        return err;
    }
    *ret = c;
    return HF_OK;
}

/* ---- what it tells ---- */

const struct hf_program *hf_component_program(const struct hf_component *c)
{
    return &c->program;
}

struct hf_engine *hf_component_engine(const struct hf_component *c)
{
    return c->engine;
}

const struct hf_registry *hf_component_registry(const struct hf_component *c)
{
    return c->registry;
}

const uint8_t *hf_component_hash(const struct hf_component *c)
{
    return c->hash;
}

/* 1.8 rule 7: the same name, the same track, or any version when none is asked for. */
static bool iface_matches(struct hf_view have, struct hf_view want)
{
    if (hf_view_eq(have, want) || hf_name_same_track(have, want))
        return true;
    return want.len != 0 && hf_view_find(want, '@') == want.len &&
           hf_view_eq(hf_view_take(have, hf_view_find(have, '@')), want);
}

const struct hf_export *hf_component_find(const struct hf_component *c, const char *iface,
                                          const char *name)
{
    const struct hf_program *p = &c->program;
    const struct hf_export *found = NULL;
    struct hf_view want = hf_view_of(iface);
    for (uint32_t i = 0; i < p->n_exports; i++) {
        const struct hf_export *e = &p->exports[i];
        if (!hf_view_eq_text(e->name, name))
            continue;
        if (hf_view_eq(e->iface, want))
            return e;
        if (found == NULL && iface_matches(e->iface, want))
            found = e;
    }
    return found;
}

static const struct hf_ftype *type_in_wit(const struct hf_registry *reg, struct hf_view iface, const char *name)
{
    const struct hf_iface *known = hf_registry_find(reg, iface);
    for (size_t i = 0; i < reg->funcs.len; i++)
        if (reg->funcs.ptr[i].iface == known && hf_view_eq_text(reg->funcs.ptr[i].func->name, name))
            return reg->funcs.ptr[i].func->type;
    return NULL;
}

enum hf_err hf_component_find_as_in_wit(const struct hf_component *c, const char *iface, const char *name,
                                        const struct hf_export **ret, struct hf_report *report)
{
    struct hf_buf why = {0};
    *ret = NULL;
    const struct hf_export *e = hf_component_find(c, iface, name);
    if (e == NULL)
        return HF_OK;
    const struct hf_ftype *want = type_in_wit(c->registry, hf_view_of(iface), name);
    HF_ASSERT(want != NULL); /* who calls it has read it there */
    if (hf_ftype_eq(e->type, want, false, &why)) {
        *ret = e;
        return HF_OK;
    }
    hf_report_set(report, HF_INVALID, "the component exports %.*s#%s with another type than its WIT says: %.*s", HF_FMT(e->iface), name,
                  HF_FMT(hf_buf_view(&why)));
    hf_buf_done(&why);
    return HF_INVALID;
}

const struct hf_ftype *hf_export_type(const struct hf_export *e)
{
    return e->type;
}

const struct hf_export *hf_component_export_at(const struct hf_component *c, size_t i,
                                               struct hf_view *iface, struct hf_view *name)
{
    if (i >= c->program.n_exports)
        return NULL;
    *iface = c->program.exports[i].iface;
    *name = c->program.exports[i].name;
    return &c->program.exports[i];
}

uint32_t hf_component_gate(const struct hf_component *c, struct hf_buf *why)
{
    for (uint32_t i = 0; i < c->program.n_modules && why != NULL && c->gate != 0; i++)
        hf_gate_text_of(c->module_numbers[i], hf_module_gate(c->program.modules[i]), why);
    return c->gate;
}

uint64_t hf_component_memory_max(const struct hf_component *c)
{
    return c->memory_max;
}

size_t hf_component_n_core_instances(const struct hf_component *c)
{
    return c->program.n_core_instances;
}

size_t hf_component_n_memories(const struct hf_component *c)
{
    return c->n_memories;
}
