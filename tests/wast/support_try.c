/* support_try.c - any bytes as a component, all the way (support_try.h). */
#include "support_try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "component/parse.h"

#define POLLS_MAX   3 /* slices of a call or start */
#define EXPORTS_MAX 8
#define ARGS_MAX    32

#define MUST(cond, report)                                                                         \
    ((cond) ? (void)0                                                                              \
            : (fprintf(stderr, "not so: %s (line %d): %s\n", #cond, __LINE__, (report)->text),     \
               abort()))

void try_open(struct try_world *w)
{
    struct hf_engine_settings s;
    struct hf_report report = {0};
    *w = (struct try_world){0};
    hf_engine_settings_init(&s);
    s.pooling = false;
    s.memory_max = 16 << 20;
    s.tick_us = 500;
    s.slice_ticks = 1;
    s.offfiber_ticks = 4;
    s.compile_threads = 1;
    MUST(hf_engine_new(&s, &w->engine, &report) == HF_OK, &report);
    MUST(wast_host_registry(&w->registry, &report) == HF_OK, &report);
}

void try_close(struct try_world *w)
{
    hf_registry_free(w->registry);
    hf_engine_free(w->engine);
}

/* ---- arguments: something of each type ---- */

static bool make(struct hf_arena *a, const struct hf_type *t, struct hf_value *ret)
{
    struct hf_value *items;
    uint32_t n = t->kind == HF_T_LIST                              ? 2
                 : t->kind == HF_T_RECORD || t->kind == HF_T_TUPLE ? t->n
                                                                   : 1;
    *ret = (struct hf_value){.u64 = 0};
    if (t->has_handles)
        return false;
    if (t->kind == HF_T_STRING) {
        *ret = hf_value_bytes(HF_VIEW("caf\xc3\xa9"));
        return true;
    }
    if (t->kind < HF_T_STRING) {
        ret->u64 = t->kind == HF_T_F32 || t->kind == HF_T_F64 ? 0 : 1;
        return true;
    }
    items = hf_arena_array(a, n + 1, sizeof *items);
    if (items == NULL)
        return false;
    memset(items, 0, (n + 1) * sizeof *items);
    switch (t->kind) {
    case HF_T_LIST:
        *ret = (struct hf_value){.items = items, .len = n};
        if (t->elem->scalar)
            return true; /* 32 zero bytes are enough for two of anything */
        return make(a, t->elem, &items[0]) && make(a, t->elem, &items[1]);
    case HF_T_RECORD:
    case HF_T_TUPLE:
        *ret = (struct hf_value){.items = items, .len = n};
        for (uint32_t i = 0; i < n; i++)
            if (!make(a, t->members[i].type, &items[i]))
                return false;
        return true;
    case HF_T_FLAGS: ret->u64 = 1; return true;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        *ret = hf_value_case(t->n - 1, NULL);
        if (t->members[t->n - 1].type == NULL)
            return true;
        ret->items = items;
        return make(a, t->members[t->n - 1].type, items);
    default: return false;
    }
}

static bool make_args(struct hf_arena *a, const struct hf_ftype *f, struct hf_value *args)
{
    if (f->n_params > ARGS_MAX)
        return false;
    for (uint32_t i = 0; i < f->n_params; i++)
        if (!make(a, f->params[i].type, &args[i]))
            return false;
    return true;
}

/* ---- running ---- */

static enum hf_err run(struct hf_instance *inst)
{
    enum hf_err err = HF_AGAIN;
    for (int i = 0; i < POLLS_MAX && err == HF_AGAIN; i++)
        err = hf_instance_poll(inst);
    if (err == HF_AGAIN) {
        hf_instance_cancel(inst);
        MUST(hf_instance_dead(inst), hf_instance_report(inst));
    }
    MUST(err != HF_TRAP || hf_instance_report(inst)->len != 0, hf_instance_report(inst));
    return err;
}

/* An own handle of a guest that comes out as a result is only forgotten: its instance ends soon. */
static bool call(struct hf_instance *inst, const struct hf_export *e, struct hf_arena *arena)
{
    struct hf_value args[ARGS_MAX];
    const struct hf_ftype *f = hf_export_type(e);
    hf_arena_reset(arena);
    if (!make_args(arena, f, args))
        return false;
    enum hf_err err = hf_instance_call(inst, e, args, f->n_params);
    if (err == HF_OK)
        err = run(inst);
    MUST(err != HF_INVALID, hf_instance_report(inst));
    MUST(err != HF_OK || (hf_instance_result(inst) != NULL) == (f->result != NULL),
         hf_instance_report(inst));
    return err == HF_OK;
}

static enum try_end call_all(struct hf_component *c, struct hf_instance *inst)
{
    enum try_end end = TRY_STARTED;
    struct hf_view iface, name;
    struct hf_arena arena;
    hf_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < EXPORTS_MAX && !hf_instance_dead(inst); i++) {
        const struct hf_export *e = hf_component_export_at(c, i, &iface, &name);
        if (e == NULL)
            break;
        if (call(inst, e, &arena))
            end = TRY_RAN;
    }
    hf_arena_done(&arena);
    return end;
}

static enum try_end start(struct try_world *w, struct hf_component *c)
{
    const struct hf_instance_settings s = {
        .ctx = &w->host, .call_bytes_max = 1 << 20, .handles_max = 100};
    struct hf_instance *inst = NULL;
    struct hf_report report = {0};
    enum try_end end = TRY_STOPPED;
    enum hf_err err = hf_instance_new(c, &s, &inst, &report);
    MUST(err == HF_OK || err == HF_LIMIT, &report);
    if (err == HF_OK)
        err = hf_instance_start(inst);
    if (err == HF_OK)
        err = run(inst);
    if (err == HF_OK)
        end = call_all(c, inst);
    hf_instance_free(inst);
    return end;
}

/* ---- loading ---- */

/* Where we are stricter than the validator on purpose: names of drafts; and it does not look
 * whether a nested component or module that reaches to the end of the file is as long as its
 * section says. */
static bool stricter(const struct hf_report *report)
{
    return strstr(report->text, "(a draft)") != NULL ||
           strstr(report->text, "component section is malformed or cut off") != NULL ||
           strstr(report->text, "core module section is malformed or cut off") != NULL;
}

enum try_end try_component(struct try_world *w, struct hf_view bytes)
{
    struct hf_component *c = NULL;
    struct hf_report report = {0};
    bool valid = hf_engine_validate(w->engine, bytes, NULL) == HF_OK &&
                 hf_file_kind(bytes) == HF_FILE_COMPONENT;
    enum hf_err err = hf_component_load(w->engine, w->registry, bytes, NULL, &c, &report);
    MUST((err == HF_OK) == (c != NULL), &report);
    MUST(err == HF_OK || report.len != 0, &report);
    if (!valid) {
        MUST(err == HF_INVALID, &report);
        return TRY_INVALID;
    }
    if (err != HF_OK) {
        MUST(err == HF_UNSUPPORTED || err == HF_LIMIT || stricter(&report), &report);
        return err == HF_INVALID ? TRY_INVALID : TRY_REFUSED;
    }
    enum try_end end = start(w, c);
    hf_component_unref(c);
    return end;
}
