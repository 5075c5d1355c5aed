/* direct.c - what direct.h promises, over the canonical ABI's own pieces (canon.h): a hf_direct is a hf_canon_cx.
 *
 * Reading has no effect on anybody, so a part that is not as it should be needs no words here: the whole call goes the
 * generic way, from its beginning.
 */
#include "component/direct.h"

#include "base/utf.h"
#include "component/instance.h"

static struct hf_canon_cx *cx_of(struct hf_direct *d)
{
    return (struct hf_canon_cx *)(void *)d;
}

struct hf_direct *hf_direct_of(struct hf_canon_cx *cx)
{
    return (struct hf_direct *)(void *)cx;
}

/* ---- reading ---- */

bool hf_direct_bytes(struct hf_direct *d, uint32_t ptr, uint32_t len, struct hf_view *ret)
{
    struct hf_canon_cx *cx = cx_of(d);
    if (HF_UNLIKELY(!hf_canon_reaches(cx, (uint64_t)ptr + len) || len > hf_canon_max(cx->inst->settings.list_bytes_max)))
        return false;
    *ret = hf_view(cx->mem + ptr, len);
    return true;
}

bool hf_direct_text(struct hf_direct *d, uint32_t ptr, uint32_t len, struct hf_view *ret)
{
    struct hf_canon_cx *cx = cx_of(d);
    if (HF_UNLIKELY(!hf_canon_reaches(cx, (uint64_t)ptr + len) ||
                    len > hf_canon_max(cx->inst->settings.string_bytes_max)))
        return false;
    cx->work += len; /* S14, with the least bound that there is */
    if (HF_UNLIKELY(cx->work > HF_ELEM_SIZE_MAX))
        return false;
    *ret = hf_view(cx->mem + ptr, len);
    return HF_LIKELY(hf_utf8_valid_prefix(ret->ptr, len) == len);
}

bool hf_direct_empty(struct hf_direct *d, uint32_t ptr, uint32_t len, uint32_t align)
{
    return len == 0 && (ptr & (align - 1)) == 0 && hf_canon_reaches(cx_of(d), ptr);
}

uint8_t *hf_direct_place(struct hf_direct *d, uint32_t ptr, uint32_t align, uint32_t size)
{
    struct hf_canon_cx *cx = cx_of(d);
    if (HF_UNLIKELY((ptr & (align - 1)) != 0 || !hf_canon_reaches(cx, (uint64_t)ptr + size)))
        return NULL;
    return cx->mem + ptr;
}

/* ---- writing ---- */

static enum hf_err put(struct hf_canon_cx *cx, uint8_t *at, struct hf_view v, const char *what)
{
    uint32_t ptr;
    enum hf_err err = hf_canon_realloc(cx, 0, 0, 1, (uint32_t)v.len, what, &ptr);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    if (v.len != 0)
        memmove(cx->mem + ptr, v.ptr, v.len);
    hf_direct_put_list(at, ptr, (uint32_t)v.len);
    return HF_OK;
}

/* What the host may not give: hf_lower_memory says so. */
static enum hf_err put_generic(struct hf_canon_cx *cx, const struct hf_type *t, uint8_t *at, struct hf_view v)
{
    const struct hf_value value = {.bytes = v.ptr, .len = (uint32_t)(v.len < UINT32_MAX ? v.len : UINT32_MAX)};
    return hf_lower_memory(cx, t, &value, (uint32_t)(at - cx->mem));
}

enum hf_err hf_direct_put_bytes(struct hf_direct *d, uint8_t *at, struct hf_view v)
{
    static const struct hf_type u8 = {.kind = HF_T_U8, .size = 1, .align = 1, .scalar = true};
    static const struct hf_type bytes = {.kind = HF_T_LIST, .size = 8, .align = 4, .elem = &u8};
    struct hf_canon_cx *cx = cx_of(d);
    if (HF_UNLIKELY(v.len > hf_canon_max(cx->inst->settings.list_bytes_max)))
        return put_generic(cx, &bytes, at, v);
    return put(cx, at, v, "list content");
}

enum hf_err hf_direct_put_text(struct hf_direct *d, uint8_t *at, struct hf_view v)
{
    static const struct hf_type string = {.kind = HF_T_STRING, .size = 8, .align = 4};
    struct hf_canon_cx *cx = cx_of(d);
    if (HF_UNLIKELY(v.len > hf_canon_max(cx->inst->settings.string_bytes_max) ||
                    hf_utf8_valid_prefix(v.ptr, v.len) != v.len))
        return put_generic(cx, &string, at, v);
    return put(cx, at, v, "string content");
}

enum hf_err hf_direct_list(struct hf_direct *d, uint32_t n, uint32_t size, uint32_t align, uint32_t *ptr,
                           uint8_t **items)
{
    struct hf_canon_cx *cx = cx_of(d);
    uint64_t bytes = (uint64_t)n * size, max = hf_canon_max(cx->inst->settings.list_bytes_max);
    if (HF_UNLIKELY(bytes > max))
        return hf_canon_trap(cx->inst, "limit: list of %llu bytes is too long, at most %llu (list_bytes_max) [V7]",
                             (unsigned long long)bytes, (unsigned long long)max);
    enum hf_err err = hf_canon_realloc(cx, 0, 0, align, (uint32_t)bytes, "list content", ptr);
    if (HF_LIKELY(err == HF_OK))
        *items = cx->mem + *ptr;
    return err;
}

enum hf_err hf_direct_told(struct hf_call *call, enum hf_err err)
{
    const struct hf_host_func *host = call->tramp->def->func.host;
    if (err == HF_OK || err == HF_CANCELLED)
        return err;
    return hf_report_wrap(hf_store_report(call->inst->store), err, "%.*s#%.*s: result", HF_FMT(host->iface),
                          HF_FMT(host->name));
}

enum hf_err hf_direct_result(struct hf_call *call, struct hf_direct *d, const struct hf_value *result,
                             union hf_val *vals)
{
    return hf_direct_told(call, hf_lower_result(cx_of(d), call->tramp->def->func.host->type, result, vals));
}

/* ---- the import ---- */

enum hf_err hf_tramp_direct(void *env, union hf_val *vals)
{
    struct hf_tramp_rt *tramp = env;
    struct hf_instance *inst = tramp->ci->inst;
    if (HF_UNLIKELY(inst->membrane != NULL || !tramp->ci->may_leave || tramp->opts.enc != HF_ENC_UTF8))
        return hf_tramp_lower(env, vals);

    struct hf_arena_mark mark = hf_arena_mark(&inst->arena);
    struct hf_call call;
    hf_call_begin(&call, tramp, vals);
    const struct hf_host_func *host = tramp->def->func.host;
    struct hf_canon_cx cx;
    hf_canon_cx_init(&cx, inst, tramp->ci, &tramp->opts);
    cx.host = true;
    hf_canon_memory(&cx);
    enum hf_err err = host->direct(&call, hf_direct_of(&cx), vals);
    hf_arena_release(&inst->arena, &mark);
    if (HF_LIKELY(err == HF_OK))
        return HF_OK;
    if (err == HF_AGAIN)
        return hf_tramp_lower(env, vals);
    if (err == HF_CANCELLED || hf_store_report(inst->store)->err != HF_OK)
        return err == HF_CANCELLED ? err : HF_TRAP;
    return hf_canon_trap(inst, "%.*s#%.*s: the host function failed: %s", HF_FMT(host->iface), HF_FMT(host->name),
                         hf_err_text(err));
}

/* ---- the export ---- */

enum hf_err hf_direct_lower(struct hf_canon_cx *cx, const struct hf_ftype *f, union hf_val *vals)
{
    struct hf_instance *inst = cx->inst;
    uint32_t ptr = 0;
    enum hf_err err = hf_canon_realloc(cx, 0, 0, f->params_align, f->params_size, "arguments", &ptr);
    vals[0].u64 = ptr;
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    err = inst->direct_store(hf_direct_of(cx), inst->direct_arg, cx->mem + ptr + f->params[0].offset);
    if (HF_LIKELY(err == HF_OK) || err == HF_CANCELLED)
        return err;
    return hf_report_wrap(hf_store_report(inst->store), err, "argument 1 (%.*s)", HF_FMT(f->params[0].name));
}

enum hf_err hf_instance_call_direct(struct hf_instance *inst, const struct hf_export *e, hf_direct_store_fn store,
                                    const void *arg)
{
    const struct hf_ftype *f = e->type;
    if (inst->membrane != NULL || e->func.from == HF_FUNC_HOST || f->n_params != 1 || !f->params_spilled ||
        f->has_handles || inst->lifts[e->func.lift].opts.enc != HF_ENC_UTF8)
        return HF_UNSUPPORTED;
    enum hf_err err = hf_instance_call_moved(inst, e);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    inst->direct_store = store;
    inst->direct_arg = arg;
    return HF_OK;
}
