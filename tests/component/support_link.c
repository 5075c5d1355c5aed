/* support_link.c - see support_link.h. */
#include "support_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

const char link_libc[] =
    "(core module $libc (memory (export \"memory\") 1)"
    " (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) unreachable))"
    "(core instance $libc (instantiate $libc))";

struct hf_buf link_wat(const char *text)
{
    struct hf_buf b = {0};
    struct hf_report report = {0};
    if (hf_engine_wat(text, strlen(text), &b, &report) != HF_OK)
        fail_msg("%s", report.text);
    return b;
}

void link_open(struct link_world *w)
{
    struct hf_engine_settings s;
    *w = (struct link_world){0};
    hf_engine_settings_init(&s);
    s.instances_max = 16;
    s.stacks_max = 4;
    if (hf_engine_new(&s, &w->engine, &w->report) != HF_OK)
        fail_msg("%s", w->report.text);
    assert_int_equal(hf_registry_new(&w->reg), HF_OK);
}

void link_close(struct link_world *w)
{
    hf_component_unref(w->component);
    hf_registry_free(w->reg);
    hf_engine_free(w->engine);
}

void link_add_wit(struct link_world *w, const char *text)
{
    struct hf_buf b = link_wat(text);
    hf_report_init(&w->report);
    if (hf_registry_add_wit(w->reg, hf_buf_view(&b), &w->report) != HF_OK)
        fail_msg("%s", w->report.text);
    hf_buf_done(&b);
}

static enum hf_err do_nothing(struct hf_call *call, const struct hf_value *args,
                              struct hf_value *result)
{
    (void)call;
    (void)args;
    (void)result;
    return HF_OK;
}

static enum hf_err drop_nothing(struct hf_call *call, void *obj)
{
    (void)call;
    (void)obj;
    return HF_OK;
}

void link_bind_all(struct link_world *w)
{
    static const struct hf_host_resource ops = {"any", drop_nothing};
    for (size_t i = 0; i < w->reg->funcs.len; i++)
        w->reg->funcs.ptr[i].func->fn = do_nothing;
    for (size_t i = 0; i < w->reg->resources.len; i++)
        w->reg->resources.ptr[i].type->host = &ops;
    if (hf_registry_seal(w->reg, NULL, &w->report) != HF_OK)
        fail_msg("%s", w->report.text);
}

enum hf_err link_load_with(struct link_world *w, const char *text,
                           const struct hf_load_options *opt)
{
    struct hf_buf b = link_wat(text);
    hf_report_init(&w->report);
    hf_component_unref(w->component);
    w->component = NULL;
    enum hf_err err =
        hf_component_load(w->engine, w->reg, hf_buf_view(&b), opt, &w->component, &w->report);
    hf_buf_done(&b);
    return err;
}

enum hf_err link_load(struct link_world *w, const char *text)
{
    return link_load_with(w, text, NULL);
}

void link_expect(struct link_world *w, enum hf_err err, const char *words, const char *text)
{
    enum hf_err got = link_load(w, text);
    if (got != err || (words != NULL && strstr(w->report.text, words) == NULL))
        fail_msg("%s: %s", hf_err_text(got), w->report.text);
}

const struct hf_program *link_program(struct link_world *w)
{
    assert_non_null(w->component);
    return hf_component_program(w->component);
}

static enum hf_err link_modules(struct link_world *w, struct hf_arena *arena,
                                const struct hf_tree *tree, const struct hf_linked *survey)
{
    uint32_t n = survey->program.n_modules;
    struct hf_module **modules = hf_arena_array(arena, n + 1, sizeof *modules);
    struct hf_linked linked = {0};
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < n && err == HF_OK; i++)
        err = hf_module_load(w->engine, tree->modules[survey->module_numbers[i]], NULL, &modules[i],
                             NULL, &w->report);
    struct hf_link_input in = {.tree = tree,
                               .reg = w->reg,
                               .limits = hf_component_limits_fill(NULL),
                               .modules = modules,
                               .n_resources = survey->program.n_resources};
    if (err == HF_OK)
        err = hf_link(&in, arena, arena, &linked, &w->report);
    hf_buf_done(&linked.missing);
    for (uint32_t i = 0; i < n; i++)
        hf_module_unref(modules[i]);
    return err;
}

enum hf_err link_raw(struct link_world *w, const char *text)
{
    struct hf_buf b = link_wat(text);
    struct hf_arena arena;
    const struct hf_tree *tree = NULL;
    struct hf_linked survey = {0};
    hf_report_init(&w->report);
    hf_arena_init(&arena, 64 * 1024, 512u << 20);
    enum hf_err err = hf_parse(&arena, hf_buf_view(&b), NULL, &tree, &w->report);
    if (err == HF_OK) {
        struct hf_link_input in = {
            .tree = tree, .reg = w->reg, .limits = hf_component_limits_fill(NULL)};
        err = hf_link(&in, &arena, &arena, &survey, &w->report);
    }
    if (err == HF_OK && survey.n_missing != 0)
        err = hf_report_set(&w->report, HF_UNSUPPORTED, "%s", (const char *)survey.missing.ptr);
    if (err == HF_OK)
        err = link_modules(w, &arena, tree, &survey);
    hf_buf_done(&survey.missing);
    hf_arena_done(&arena);
    hf_buf_done(&b);
    return err;
}

void link_expect_raw(struct link_world *w, enum hf_err err, const char *words, const char *text)
{
    enum hf_err got = link_raw(w, text);
    if (got != err || (words != NULL && strstr(w->report.text, words) == NULL))
        fail_msg("%s: %s", hf_err_text(got), w->report.text);
}
