/* membrane.c - see membrane.h: crossings, shown to a hook as canonical bytes. */
#include "component/membrane.h"

#include <stdlib.h>

enum { ARGS, RESULT };

enum hf_err hf_instance_set_hook(struct hf_instance *inst, const struct hf_hook *hook, void *ctx)
{
    HF_ASSERT(!(inst->state == HF_INST_STARTING || inst->state == HF_INST_CALLING));
    struct hf_membrane *m = inst->membrane;
    if (hook == NULL) {
        hf_membrane_free(m);
        inst->membrane = NULL;
        return HF_OK;
    }
    if (m == NULL)
        m = calloc(1, sizeof *m);
    if (m == NULL)
        return HF_LIMIT;
    m->hook = hook;
    m->ctx = ctx;
    inst->membrane = m;
    return HF_OK;
}

void hf_membrane_free(struct hf_membrane *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        hf_buf_done(&m->bytes[i]);
        hf_u32s_done(&m->places[i]);
        hf_u32s_done(&m->numbers[i]);
    }
    hf_u32s_done(&m->wanted);
    free(m);
}

/* One great value must not be paid for as long as the instance lives. */
#define KEPT ((size_t)1 << 20)

static void clear(struct hf_membrane *m, int which)
{
    if (m->bytes[which].cap > KEPT)
        hf_buf_done(&m->bytes[which]);
    hf_buf_clear(&m->bytes[which]);
    m->places[which].n = m->numbers[which].n = 0;
}

void hf_membrane_open(struct hf_membrane *m, enum hf_crossing_kind kind, struct hf_canon_cx *cx)
{
    clear(m, ARGS);
    clear(m, RESULT);
    m->wanted.n = 0;
    m->stand_in = 0;
    m->x = (struct hf_crossing){.kind = kind};
    if (cx != NULL)
        cx->numbers = &m->numbers[ARGS];
}

void hf_membrane_watch_result(struct hf_membrane *m, struct hf_canon_cx *cx)
{
    m->numbers[RESULT].n = 0;
    cx->numbers = &m->numbers[RESULT];
}

/* What the host drops of a guest's has a number of its own in no table. */
static void name_drop(struct hf_membrane *m, const struct hf_instance *inst)
{
    uint8_t bytes[12];
    const struct hf_resource_type *t = inst->drop_type;
    HF_ASSERT(t != NULL); /* hf_canon_call by somebody who is not instance.c cannot be shown */
    for (int i = 0; i < 12; i++)
        bytes[i] = (uint8_t)(i < 4 ? t->index >> 8 * i : inst->drop_rep >> 8 * (i - 4));
    m->x.ci = t->ci;
    m->x.iface = t->name;
    m->x.func = HF_VIEW("[resource-drop]");
    if (hf_buf_add(&m->bytes[ARGS], bytes, sizeof bytes) != HF_OK)
        hf_buf_clear(&m->bytes[ARGS]);
}

void hf_membrane_open_host(struct hf_instance *inst, struct hf_canon_cx *cx)
{
    struct hf_membrane *m = inst->membrane;
    if (inst->state == HF_INST_STARTING) {
        hf_membrane_open(m, HF_CROSS_START, cx);
        m->x.func = HF_VIEW("[start]");
    } else if (inst->call_export == NULL) {
        hf_membrane_open(m, HF_CROSS_DROP_GUEST, cx);
        name_drop(m, inst);
    } else {
        const struct hf_export *e = inst->call_export;
        hf_membrane_open(m, HF_CROSS_EXPORT, cx);
        m->x.ci = e->func.from == HF_FUNC_HOST ? 0 : inst->lifts[e->func.lift].ci->index;
        m->x.iface = e->iface;
        m->x.func = e->name;
        m->x.type = e->type;
    }
}

void hf_membrane_reopen_host(struct hf_instance *inst, bool has_result)
{
    uint32_t n = inst->membrane->numbers[RESULT].n;
    hf_membrane_open_host(inst, NULL);
    if (has_result)
        inst->membrane->numbers[RESULT].n = n;
}

bool hf_membrane_note_arg(struct hf_membrane *m, uint32_t handle)
{
    return hf_u32s_add(&m->numbers[ARGS], handle);
}

static enum hf_err encode(struct hf_instance *inst, int which, const struct hf_type *t,
                          const struct hf_value *v)
{
    struct hf_membrane *m = inst->membrane;
    enum hf_err err = hf_value_write(t, v, inst->arena.max, &m->bytes[which], &m->places[which]);
    if (err != HF_LIMIT)
        return err;
    return hf_canon_trap(inst,
                         "limit: the values of this call take more than %zu bytes to show "
                         "them to the membrane [S14]",
                         inst->arena.max);
}

enum hf_err hf_membrane_args(struct hf_instance *inst, const struct hf_ftype *f,
                             const struct hf_value *args)
{
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < f->n_params && err == HF_OK; i++)
        err = encode(inst, ARGS, f->params[i].type, &args[i]);
    if (err == HF_INVALID)
        clear(inst->membrane, ARGS);
    return err == HF_INVALID ? HF_OK : err;
}

enum hf_err hf_membrane_result(struct hf_instance *inst, const struct hf_ftype *f,
                               const struct hf_value *v)
{
    enum hf_err err = f->result == NULL ? HF_OK : encode(inst, RESULT, f->result, v);
    if (err == HF_INVALID)
        clear(inst->membrane, RESULT);
    return err == HF_INVALID ? HF_OK : err;
}

/* Numbers into the bytes; those that were not reached, because something failed before, stay 0. */
static void put_numbers(struct hf_membrane *m, int which)
{
    while (m->places[which].n > m->numbers[which].n)
        m->places[which].n--;
    hf_value_bytes_handles(&m->bytes[which], &m->places[which], m->numbers[which].ptr);
}

enum hf_err hf_membrane_before(struct hf_instance *inst, struct hf_call *call)
{
    struct hf_membrane *m = inst->membrane;
    put_numbers(m, ARGS);
    m->x.args = hf_buf_view(&m->bytes[ARGS]);
    m->x.args_handles = m->numbers[ARGS].ptr;
    m->x.n_args_handles = m->numbers[ARGS].n;
    enum hf_err err = m->hook->before(m->ctx, call, &m->x);
    m->x.answered = err == HF_CLOSED;
    if (HF_LIKELY(err == HF_CLOSED)) {
        HF_ASSERT(call != NULL); /* the host's own calls cannot be answered */
        return err;
    }
    if (err == HF_CANCELLED) {
        hf_store_cancel(inst->store);
        return err;
    }
    if (err != HF_OK && hf_store_report(inst->store)->err == HF_OK)
        return hf_canon_trap(inst, "%.*s#%.*s: the membrane refused it: %s", HF_FMT(m->x.iface),
                             HF_FMT(m->x.func), hf_err_text(err));
    if (err == HF_OK && call != NULL && m->stand_in != 0) /* the hook was told the begin */
        return hf_membrane_after(inst, call,
                                 hf_call_trap(call,
                                              "handle %u was answered from a record: there is no "
                                              "host object behind it",
                                              m->stand_in));
    return err == HF_OK ? HF_OK : HF_TRAP;
}

enum hf_err hf_membrane_answer(struct hf_instance *inst, const struct hf_ftype *f,
                               struct hf_value *ret)
{
    struct hf_membrane *m = inst->membrane;
    struct hf_reader r = hf_reader(m->x.result);
    struct hf_report why; /* 4 KiB, not to be cleared each time */
    enum hf_err err = HF_OK;
    hf_report_init(&why);
    if (f != NULL && f->result != NULL)
        err = hf_value_read(f->result, &r, &inst->arena, hf_stand_in(), &m->wanted, ret, &why);
    if (err == HF_OK && hf_reader_left(&r) != 0)
        err = hf_report_set(&why, HF_INVALID, "%zu bytes too many", hf_reader_left(&r));
    if (err == HF_OK)
        return HF_OK;
    return hf_canon_trap(inst, "%.*s#%.*s: the membrane's answer is not a result of it: %s",
                         HF_FMT(m->x.iface), HF_FMT(m->x.func), why.text);
}

/* Handles of an answer are given by the guest's own table: a record fits only if it gives the same
 * ones. */
static enum hf_err check_given(struct hf_instance *inst)
{
    struct hf_membrane *m = inst->membrane;
    const struct hf_u32s *given = &m->numbers[RESULT];
    for (uint32_t i = 0; i < m->wanted.n && i < given->n; i++)
        if (m->wanted.ptr[i] != given->ptr[i])
            return hf_canon_trap(inst,
                                 "%.*s#%.*s: the membrane answered with handle %u, but the "
                                 "guest's table gave %u",
                                 HF_FMT(m->x.iface), HF_FMT(m->x.func), m->wanted.ptr[i],
                                 given->ptr[i]);
    return HF_OK;
}

enum hf_err hf_membrane_after(struct hf_instance *inst, struct hf_call *call, enum hf_err err)
{
    struct hf_membrane *m = inst->membrane;
    struct hf_crossing *x = &m->x;
    if (err == HF_OK && x->answered)
        err = check_given(inst);
    if (!x->answered) {
        put_numbers(m, RESULT);
        x->result = err == HF_OK ? hf_buf_view(&m->bytes[RESULT]) : hf_view(NULL, 0);
    }
    x->result_handles = m->numbers[RESULT].ptr;
    x->n_result_handles = m->numbers[RESULT].n;
    x->err = err;
    const struct hf_report *report = hf_store_report(inst->store);
    if (err != HF_OK)
        x->text = hf_view(report->text, report->len);
    enum hf_err more = m->hook->after(m->ctx, call, x);
    if (HF_UNLIKELY(more == HF_CANCELLED))
        hf_store_cancel(inst->store);
    if (HF_LIKELY(more == HF_OK) || err != HF_OK)
        return err;
    if (more == HF_CANCELLED)
        return more;
    if (report->err == HF_OK)
        return hf_canon_trap(inst, "%.*s#%.*s: the membrane refused how it ended: %s",
                             HF_FMT(x->iface), HF_FMT(x->func), hf_err_text(more));
    return HF_TRAP;
}
