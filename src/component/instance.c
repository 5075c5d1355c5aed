/* instance.c - a component instance's life: made, started, called, polled, cancelled, freed.
 *
 * One block of memory holds the instance and all its run-time arrays; their sizes are known from
 * the program, so a new instance is one allocation and a store, and a call allocates nothing. Work
 * happens in drivers, on the store's fiber: steps.c instantiates, canon_call.c calls. Here is who
 * owns what meanwhile, and what happens at the end:
 *   - own arguments are ours until the driver begins, then the call's;
 *   - the result is ours until somebody asks for it;
 *   - any failure kills the whole tree (E3); what its handle tables still own is dropped when it is
 * freed.
 */
#include "component/instance.h"
#include "component/membrane.h"

#include <stdlib.h>

#define CALL_BYTES_DEFAULT ((uint64_t)128 << 20) /* S14 */
#define ARENA_FIRST        4096u                 /* bytes: most calls' values fit the first chunk */

/* ---- making and freeing ---- */

static size_t take(size_t *at, size_t n, size_t size)
{
    size_t offset = *at;
    *at += (n * size + 15) & ~(size_t)15; /* n is bounded by the loader's limits (S9) */
    return offset;
}

static struct hf_instance *allocate(const struct hf_program *p)
{
    size_t size = 0;
    take(&size, 1, sizeof(struct hf_instance));
    size_t cores = take(&size, p->n_core_instances, sizeof(struct hf_core));
    size_t cis = take(&size, p->n_cis, sizeof(struct hf_ci));
    size_t lifts = take(&size, p->n_lifts, sizeof(struct hf_lift_rt));
    size_t tramps = take(&size, p->n_tramps, sizeof(struct hf_tramp_rt));
    size_t resources = take(&size, p->n_resources, sizeof(struct hf_resource_rt));
    uint8_t *block = calloc(1, size);
    if (block == NULL)
        return NULL;
    struct hf_instance *inst = (struct hf_instance *)(void *)block;
    inst->cores = (struct hf_core *)(void *)(block + cores);
    inst->cis = (struct hf_ci *)(void *)(block + cis);
    inst->lifts = (struct hf_lift_rt *)(void *)(block + lifts);
    inst->tramps = (struct hf_tramp_rt *)(void *)(block + tramps);
    inst->resources = (struct hf_resource_rt *)(void *)(block + resources);
    inst->program = p;
    for (uint32_t i = 0; i < p->n_cis; i++) {
        uint32_t parent = p->cis[i].parent;
        inst->cis[i].inst = inst;
        inst->cis[i].index = i;
        inst->cis[i].parent = parent == HF_NO_INDEX ? NULL : &inst->cis[parent];
        inst->cis[i].may_enter = inst->cis[i].may_leave = true;
    }
    return inst;
}

enum hf_err hf_instance_new(struct hf_component *c, const struct hf_instance_settings *s,
                            struct hf_instance **ret, struct hf_report *report)
{
    const struct hf_program *p = hf_component_program(c);
    for (uint32_t i = 0; i < p->n_modules; i++)
        if (p->modules[i] == NULL)
            return hf_report_set(report, HF_UNSUPPORTED,
                                 "the component was loaded to be looked at, not to run");
    struct hf_instance *inst = allocate(p);
    if (inst == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory for an instance");
    if (s != NULL)
        inst->settings = *s;
    if (inst->settings.call_bytes_max == 0)
        inst->settings.call_bytes_max = CALL_BYTES_DEFAULT;
    for (uint32_t i = 0; i < p->n_cis; i++)
        inst->cis[i].handles.max = inst->settings.handles_max;
    hf_arena_init(&inst->arena, ARENA_FIRST, inst->settings.call_bytes_max);
    struct hf_store_settings store = {.memory_max = inst->settings.memory_max,
                                      .slice_ticks = inst->settings.slice_ticks};
    enum hf_err err = hf_store_new(hf_component_engine(c), &store, &inst->store, report);
    if (err != HF_OK) {
        hf_arena_done(&inst->arena);
        free(inst);
        return err;
    }
    hf_store_set_ctx(inst->store, inst);
    inst->component = hf_component_ref(c);
    *ret = inst;
    return HF_OK;
}

static const struct hf_ftype *call_type(const struct hf_instance *inst)
{
    return inst->call_export->type;
}

/* The driver never began: the arguments are still ours. */
static void let_go_args(struct hf_instance *inst)
{
    if (inst->call_export == NULL || inst->args_moved)
        return;
    inst->args_moved = true;
    const struct hf_ftype *f = call_type(inst);
    for (uint32_t i = 0; i < f->n_params; i++)
        hf_canon_let_go(f->params[i].type, &inst->args[i], NULL);
}

void hf_instance_let_go_result(struct hf_instance *inst)
{
    if (inst->has_result && !inst->result_taken)
        hf_canon_let_go(call_type(inst)->result, &inst->call_result, NULL);
    inst->has_result = false;
}

void hf_instance_free(struct hf_instance *inst)
{
    if (inst == NULL)
        return;
    hf_instance_cancel(inst);
    hf_instance_let_go_result(inst);
    hf_instance_drop_handles(inst, true);
    for (uint32_t i = 0; i < inst->program->n_cis; i++)
        hf_handles_done(&inst->cis[i].handles);
    hf_arena_done(&inst->arena);
    free(inst->parts);
    hf_membrane_free(inst->membrane);
    hf_store_free(inst->store);
    hf_component_unref(inst->component);
    free(inst);
}

/* ---- drivers ---- */

/* What the component only passes on from its imports to its exports: no guest in between, so no
 * membrane either. */
static enum hf_err call_host(struct hf_instance *inst, const struct hf_export *e)
{
    struct hf_tramp def = {.kind = HF_TRAMP_LOWER, .func = e->func};
    struct hf_tramp_rt tramp = {.def = &def, .ci = &inst->cis[0]};
    struct hf_call call = {.inst = inst, .ci = &inst->cis[0], .tramp = &tramp};
    enum hf_err err = e->func.host->fn(&call, inst->args, &inst->call_result);
    if (err == HF_OK || err == HF_CANCELLED || hf_store_report(inst->store)->err != HF_OK)
        return err;
    return hf_canon_trap(inst, "the host function failed: %s", hf_err_text(err));
}

/* The end of what hf_membrane_before was told of. What happened in between used its buffers, so an
 * end without a result begins with empty ones. */
static enum hf_err show_end(struct hf_instance *inst, enum hf_err err)
{
    const struct hf_ftype *f = inst->call_export == NULL ? NULL : call_type(inst);
    bool has_result = err == HF_OK && f != NULL && f->result != NULL;
    if (!inst->membrane_begun)
        return err;
    inst->membrane_begun = false;
    hf_membrane_reopen_host(inst, has_result);
    if (has_result)
        err = hf_membrane_result(inst, f, &inst->call_result);
    err = hf_membrane_after(inst, NULL, err);
    if (has_result && err != HF_OK)
        hf_canon_let_go(f->result, &inst->call_result, NULL);
    return err;
}

static enum hf_err show_begin(struct hf_instance *inst)
{
    hf_membrane_open_host(inst, NULL);
    enum hf_err err = hf_membrane_before(inst, NULL);
    inst->membrane_begun = err == HF_OK;
    return err;
}

static enum hf_err drive_call(void *ctx)
{
    struct hf_instance *inst = ctx;
    const struct hf_export *e = inst->call_export;
    inst->args_moved = true;
    enum hf_err err = e->func.from == HF_FUNC_HOST ? call_host(inst, e)
                                                   : hf_canon_call(inst, &inst->lifts[e->func.lift],
                                                                   inst->args, &inst->call_result);
    if (HF_UNLIKELY(inst->membrane != NULL))
        err = show_end(inst, err);
    inst->has_result = err == HF_OK && e->type->result != NULL;
    return err;
}

static enum hf_err drive_drop(void *ctx)
{
    struct hf_instance *inst = ctx;
    enum hf_err err = inst->membrane == NULL ? HF_OK : show_begin(inst);
    if (err == HF_OK)
        err = hf_canon_drop_own(inst, NULL, inst->drop_type, inst->drop_rep, NULL);
    return inst->membrane == NULL ? err : show_end(inst, err);
}

static enum hf_err drive_start(void *ctx)
{
    struct hf_instance *inst = ctx;
    enum hf_err err = inst->membrane == NULL ? HF_OK : show_begin(inst);
    if (err == HF_OK)
        err = hf_instance_run_steps(inst);
    return inst->membrane == NULL ? err : show_end(inst, err);
}

/* ---- beginning, polling, ending ---- */

static enum hf_err begin(struct hf_instance *inst, enum hf_inst_state state, hf_driver_fn driver)
{
    enum hf_err err = hf_store_start(inst->store, driver, inst);
    if (err == HF_OK)
        inst->state = state;
    return err;
}

enum hf_err hf_instance_start(struct hf_instance *inst)
{
    if (inst->state != HF_INST_NEW)
        return HF_INVALID;
    return begin(inst, HF_INST_STARTING, drive_start);
}

/* E3: nothing runs in a dead tree; the report goes on saying what it died of. */
static enum hf_err refuse_dead(struct hf_instance *inst)
{
    struct hf_report *report = hf_store_report(inst->store);
    if (hf_view_starts(hf_view(report->text, report->len), HF_VIEW("cannot enter")))
        return HF_TRAP;
    if (report->err == HF_OK)
        return hf_report_set(report, HF_TRAP, "cannot enter component instance: it was ended [E3]");
    return hf_report_wrap(report, HF_TRAP, "cannot enter component instance: it ended with");
}

/* May a call begin? Then the last one is over and done with. */
static enum hf_err make_ready(struct hf_instance *inst)
{
    if (HF_UNLIKELY(inst->state == HF_INST_DEAD))
        return refuse_dead(inst);
    if (HF_UNLIKELY(inst->state != HF_INST_REST))
        return HF_INVALID;
    hf_instance_let_go_result(inst);
    hf_arena_reset(&inst->arena);
    struct hf_report *report = hf_store_report(inst->store);
    if (HF_UNLIKELY(report->err != HF_OK))
        hf_report_init(report); /* of somebody who wrote it and went on all the same */
    inst->call_export = NULL;
    return HF_OK;
}

static void let_go_values(const struct hf_ftype *f, const struct hf_value *args, size_t n_args)
{
    for (size_t i = 0; i < n_args && i < f->n_params; i++)
        hf_canon_let_go(f->params[i].type, &args[i], NULL);
}

static enum hf_err keep_args(struct hf_instance *inst, const struct hf_value *args, size_t n_args)
{
    struct hf_value *to = inst->call_args;
    if (n_args > HF_ARRAY_LEN(inst->call_args))
        to = hf_arena_alloc(&inst->arena, n_args * sizeof *to, 16);
    if (to == NULL)
        return HF_LIMIT;
    if (n_args != 0)
        memcpy(to, args, n_args * sizeof *to);
    inst->args = to;
    return HF_OK;
}

enum hf_err hf_instance_call(struct hf_instance *inst, const struct hf_export *e,
                             const struct hf_value *args, size_t n_args)
{
    enum hf_err err = make_ready(inst);
    if (err == HF_OK && n_args != e->type->n_params)
        err = HF_INVALID;
    if (err == HF_OK)
        err = keep_args(inst, args, n_args);
    if (err == HF_OK)
        err = begin(inst, HF_INST_CALLING, drive_call);
    if (HF_UNLIKELY(err != HF_OK)) {
        let_go_values(e->type, args, n_args);
        return err;
    }
    inst->call_export = e;
    inst->direct_store = NULL;
    inst->args_moved = false;
    inst->result_taken = false;
    inst->call_result = (struct hf_value){.u64 = 0};
    return HF_OK;
}

enum hf_err hf_instance_call_moved(struct hf_instance *inst, const struct hf_export *e)
{
    enum hf_err err = make_ready(inst);
    if (err == HF_OK)
        err = begin(inst, HF_INST_CALLING, drive_call);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    inst->call_export = e;
    inst->args = inst->call_args;
    inst->args_moved = true;
    inst->result_taken = false;
    inst->call_result = (struct hf_value){.u64 = 0};
    return HF_OK;
}

enum hf_err hf_instance_drop_guest(struct hf_instance *inst, const struct hf_resource_type *t,
                                   uint64_t rep)
{
    HF_ASSERT(t->host == NULL && t->index < inst->program->n_resources);
    enum hf_err err = make_ready(inst);
    if (err != HF_OK)
        return err;
    inst->drop_type = t;
    inst->drop_rep = rep;
    return begin(inst, HF_INST_CALLING, drive_drop);
}

static void note_rest(struct hf_instance *inst)
{
    for (uint32_t i = 0; i < inst->program->n_cis; i++)
        inst->cis[i].rest_serial = inst->cis[i].handles.serial;
}

static void die(struct hf_instance *inst)
{
    inst->state = HF_INST_DEAD;
    inst->current = NULL;
    let_go_args(inst);
}

enum hf_err hf_instance_poll(struct hf_instance *inst)
{
    if (HF_UNLIKELY(!hf_instance_busy(inst)))
        return inst->state == HF_INST_DEAD ? HF_TRAP : HF_INVALID;
    enum hf_err err = hf_store_poll(inst->store);
    if (err == HF_AGAIN)
        return err;
    if (HF_UNLIKELY(err != HF_OK)) {
        die(inst);
        return err;
    }
    if (inst->state == HF_INST_STARTING)
        note_rest(inst);
    inst->state = HF_INST_REST;
    return HF_OK;
}

void hf_instance_cancel(struct hf_instance *inst)
{
    if (inst->state == HF_INST_DEAD)
        return;
    hf_store_cancel(inst->store);
    die(inst);
}

void hf_instance_rest(struct hf_instance *inst)
{
    if (inst->state != HF_INST_REST)
        return;
    hf_instance_let_go_result(inst);
    hf_arena_done(&inst->arena);
    hf_store_rest(inst->store);
}

/* ---- asking ---- */

enum hf_why hf_instance_why(const struct hf_instance *inst)
{
    return hf_store_why(inst->store);
}

const struct hf_value *hf_instance_result(const struct hf_instance *inst)
{
    return inst->state == HF_INST_REST && inst->has_result ? &inst->call_result : NULL;
}

void hf_instance_take_result(struct hf_instance *inst)
{
    inst->result_taken = true;
}

bool hf_instance_dead(const struct hf_instance *inst)
{
    return inst->state == HF_INST_DEAD;
}

bool hf_instance_busy(const struct hf_instance *inst)
{
    return inst->state == HF_INST_STARTING || inst->state == HF_INST_CALLING;
}

struct hf_report *hf_instance_report(struct hf_instance *inst)
{
    return hf_store_report(inst->store);
}

bool hf_instance_memory_suspect(const struct hf_instance *inst)
{
    return hf_store_memory_suspect(inst->store);
}

void *hf_instance_ctx(const struct hf_instance *inst)
{
    return inst->settings.ctx;
}

struct hf_component *hf_instance_component(const struct hf_instance *inst)
{
    return inst->component;
}

uint64_t hf_instance_memory_bytes(struct hf_instance *inst)
{
    uint64_t sum = 0;
    for (uint32_t s = 0; s < inst->steps_done; s++) {
        const struct hf_step *step = &inst->program->steps[s];
        if (step->kind != HF_STEP_CORE_NEW)
            continue;
        const struct hf_module *m = inst->program->modules[step->module];
        for (size_t i = 0; i < hf_module_n_memories(m); i++) {
            struct hf_memory memory;
            uint8_t *base;
            size_t size;
            hf_core_memory(inst->store, m, &inst->cores[step->index], i, &memory);
            hf_memory_get(inst->store, &memory, &base, &size);
            sum += size;
        }
    }
    return sum;
}

uint32_t hf_instance_handles(const struct hf_instance *inst)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < inst->program->n_cis; i++)
        sum += inst->cis[i].handles.live;
    return sum;
}
