/* canon_fuzz.c - the canonical ABI with hostile guests: any bytes in memory, any flat values, a
 * realloc that answers what it likes, writes where it likes and grows memory in between.
 *
 * The input chooses types first, then what the guests do. Checked: the sanitizers (memory past its
 * size is poisoned), the budget, that what was lifted is what its type says, that lends are given
 * back, and that objects are neither lost nor dropped twice: every object is counted.
 *
 * rooms: base
 * files: src/component/handle.c src/component/string.c src/component/lift.c src/component/lower.c
 * files: src/component/canon_handle.c src/component/canon_call.c src/component/hostcall.c
 * files: src/component/direct.c src/component/membrane.c src/component/value_bytes.c
 * files: src/component/types.c src/component/type_text.c
 * files: tests/component/support_canon.c tests/component/support_gen.c
 */
#include <stdio.h>

#include "canon_fake.h"

#include "base/utf.h"

#define OBJECTS_MAX 64

static struct canon_world w;
static struct canon_gen in;       /* the input */
static int held[OBJECTS_MAX + 1]; /* per object: how many hold it; 1 or 0 */
static uint32_t n_objects;

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static enum hf_err object_dropped(struct hf_call *call, void *obj)
{
    uintptr_t i = (uintptr_t)obj;
    (void)call;
    MUST(i >= 1 && i <= n_objects && held[i] == 1);
    held[i] = 0;
    return HF_OK;
}

static const struct hf_host_resource ops = {"thing", object_dropped};
static const struct hf_resource_type thing = {.name = {(const uint8_t *)"thing", 5}, .host = &ops};

static uintptr_t new_object(void)
{
    if (n_objects == OBJECTS_MAX)
        return 0;
    held[++n_objects] = 1;
    return n_objects;
}

static uint32_t word(void)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | canon_gen_below(&in, 256);
    return n;
}

/* A pointer that is often nearly right. */
static uint32_t pointer(void)
{
    switch (canon_gen_below(&in, 4)) {
    case 0: return canon_gen_below(&in, CANON_PAGE);
    case 1: return 8 * canon_gen_below(&in, CANON_PAGE / 8);
    case 2: return CANON_PAGE - canon_gen_below(&in, 64);
    default: return word();
    }
}

/* Short texts at the front of the memory, in the guest's encoding, so that some strings are right.
 */
static void write_texts(struct canon_guest *g)
{
    static const char *const texts[] = {"plain", "caf\xc3\xa9", "\xe2\x98\x83 and",
                                        "\xf0\x9d\x84\x9e", "\xc3\xa9\xc3\xa8"};
    uint8_t *mem = canon_mem(g, NULL);
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++) {
        const uint8_t *text = (const uint8_t *)texts[i];
        size_t n = strlen(texts[i]);
        if (g->rt.enc == HF_ENC_UTF8)
            memcpy(mem + 32 * i, text, n);
        else if (g->rt.enc == HF_ENC_LATIN1_UTF16 && i % 2 == 0 && hf_utf8_is_latin1(text, n))
            hf_utf8_to_latin1(text, n, mem + 32 * i);
        else
            hf_utf8_to_utf16(text, n, mem + 32 * i);
    }
}

/* Pointer and length, mostly of such a text or of a few small things. */
static void pair(uint32_t ret[2])
{
    ret[0] = canon_gen_below(&in, 8) == 0 ? pointer() : 32 * canon_gen_below(&in, 8);
    ret[1] = canon_gen_below(&in, 8) == 0 ? word() : canon_gen_below(&in, 8);
    if (canon_gen_below(&in, 4) == 0)
        ret[1] |= 1u << 31;
}

static void scribble(struct canon_guest *g)
{
    size_t size;
    uint8_t *mem = canon_mem(g, &size);
    for (uint32_t n = canon_gen_below(&in, 40); n > 0; n--) {
        uint32_t at =
            4 * canon_gen_below(&in, canon_gen_below(&in, 2) == 0 ? 256 : (uint32_t)(size / 4 - 1));
        uint32_t what = canon_gen_below(&in, 6), value[2];
        if (what == 2)
            pair(value);
        else
            value[0] = what == 0 ? pointer() : what == 1 ? word() : canon_gen_below(&in, 8);
        memcpy(mem + at, value, what == 2 ? 8 : 4);
    }
}

/* What a guest does when asked for memory. */
static enum hf_err hostile(struct canon_guest *g)
{
    union hf_val vals[1] = {{.u64 = 1}};
    g->fixed = false;
    MUST(!g->ci->may_leave);
    switch (canon_gen_below(&in, 8)) {
    case 0:
        g->fixed = true;
        g->answer = pointer();
        break;
    case 1: scribble(g); break;
    case 2: return hf_store_call(w.inst.store, &g->grow, vals, 1);
    case 3: return canon_gen_below(&in, 8) == 0 ? hf_canon_trap(&w.inst, "the guest ended") : HF_OK;
    default: break;
    }
    return HF_OK;
}

/* ---- what was lifted is what its type says ---- */

static void check(const struct hf_type *t, const struct hf_value *v)
{
    switch (t->kind) {
    case HF_T_BOOL: MUST(v->u64 <= 1); return;
    case HF_T_S8: MUST(v->s64 >= INT8_MIN && v->s64 <= INT8_MAX); return;
    case HF_T_U8: MUST(v->u64 <= UINT8_MAX); return;
    case HF_T_S16: MUST(v->s64 >= INT16_MIN && v->s64 <= INT16_MAX); return;
    case HF_T_U16: MUST(v->u64 <= UINT16_MAX); return;
    case HF_T_S32: MUST(v->s64 >= INT32_MIN && v->s64 <= INT32_MAX); return;
    case HF_T_U32: MUST(v->u64 <= UINT32_MAX); return;
    case HF_T_S64:
    case HF_T_U64: return;
    case HF_T_F32: MUST(hf_canon_f32((uint32_t)v->u64) == v->u64); return;
    case HF_T_F64: MUST(hf_canon_f64(v->u64) == v->u64); return;
    case HF_T_CHAR: MUST(v->u64 < 0x110000 && (v->u64 < 0xd800 || v->u64 > 0xdfff)); return;
    case HF_T_STRING: MUST(v->tag == HF_ENC_UTF8 && hf_utf8_valid(v->bytes, v->len)); return;
    case HF_T_LIST:
        if (t->elem->scalar) {
            volatile uint8_t sum = 0; /* every byte can be read */
            for (uint64_t i = 0; i < (uint64_t)v->len * t->elem->size; i++)
                sum = (uint8_t)(sum + v->bytes[i]);
            return;
        }
        for (uint32_t i = 0; i < v->len; i++)
            check(t->elem, &v->items[i]);
        return;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        MUST(v->len == t->n);
        for (uint32_t i = 0; i < t->n; i++)
            check(t->members[i].type, &v->items[i]);
        return;
    case HF_T_FLAGS: MUST(v->u64 <= UINT32_MAX >> (32 - t->n)); return;
    case HF_T_OWN:
    case HF_T_BORROW: MUST(v->u64 >= 1 && v->u64 <= n_objects && held[v->u64] == 1); return;
    default:
        MUST(v->tag < t->n && (v->items != NULL) == (t->members[v->tag].type != NULL));
        if (v->items != NULL)
            check(t->members[v->tag].type, v->items);
    }
}

/* ---- guests and the host ---- */

static enum hf_err host_fn(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    const struct hf_ftype *f = call->tramp->def->func.host->type;
    uint32_t skip = 0;
    for (uint32_t i = 0; i < f->n_params; i++)
        check(f->params[i].type, &args[i]);
    if (f->result != NULL && f->n_params > 0 && f->params[0].type == f->result &&
        canon_gen_below(&in, 4) != 0) {
        *result = args[0]; /* given back as it came */
        for (uint32_t i = 1; i < f->n_params; i++)
            hf_canon_let_go(f->params[i].type, &args[i], &skip);
        return HF_OK;
    }
    for (uint32_t i = 0; i < f->n_params; i++)
        hf_canon_let_go(f->params[i].type, &args[i], &skip);
    return f->result == NULL ? HF_OK : hf_call_trap(call, "nothing to give back");
}

static enum hf_err guest_core(void *env, union hf_val *vals)
{
    struct canon_guest *g = env;
    scribble(g);
    for (uint32_t i = canon_gen_below(&in, 4); i > 0; i--)
        vals[canon_gen_below(&in, HF_FLAT_PARAMS_MAX)].u64 = pointer();
    if (canon_gen_below(&in, 2) == 0)
        vals[0].u64 = canon_gen_below(&in, 8);
    return HF_OK;
}

static enum hf_err guest_post(void *env, union hf_val *vals)
{
    (void)vals;
    scribble(env);
    return HF_OK;
}

static const struct hf_ftype *any_ftype(void)
{
    const struct hf_type *params[20];
    uint32_t n = canon_gen_below(&in, 4) == 0 ? canon_gen_below(&in, 20) : canon_gen_below(&in, 3);
    in.borrows = true;
    for (uint32_t i = 0; i < n; i++)
        params[i] = canon_gen_type(&in, &w, 3);
    in.borrows = false;
    const struct hf_type *result = NULL;
    if (n > 0 && !params[0]->has_borrow && canon_gen_below(&in, 2) == 0)
        result = params[0];
    else if (canon_gen_below(&in, 4) != 0)
        result = canon_gen_type(&in, &w, 3);
    return canon_ftype(&w, params, n, result);
}

static void reset(struct canon_guest *g)
{
    fake_shrink(g);
    g->during = NULL;
    g->fixed = false;
    canon_guest_clear(g);
    g->ci->may_enter = g->ci->may_leave = true;
    g->rt.enc = (enum hf_string_enc[]){HF_ENC_UTF8, HF_ENC_UTF16,
                                       HF_ENC_LATIN1_UTF16}[canon_gen_below(&in, 3)];
    g->ci->handles.max = canon_gen_below(&in, 4) == 0 ? 4 : 0;
    for (uint32_t i = canon_gen_below(&in, 4); i > 0; i--) {
        uintptr_t obj = new_object();
        uint32_t index;
        if (obj != 0)
            MUST(
                hf_handles_add(&g->ci->handles,
                               &(struct hf_handle){.type = &thing, .obj = (void *)obj, .own = true},
                               &index) == HF_OK);
    }
    write_texts(g);
    scribble(g);
}

/* Any bytes as a string of one guest, written to another whose realloc is hostile. */
static void a_string(void)
{
    struct canon_guest *from = &w.guests[1], *to = &w.guests[2];
    size_t n = in.len / 2;
    struct hf_value v;
    uint32_t ptr, units, size[2];
    if (n > 4096)
        n = 4096;
    memcpy(canon_mem(from, NULL) + 1024, in.ptr, n);
    in.ptr += n;
    in.len -= n;
    pair(size);
    if (canon_gen_below(&in, 4) != 0) {
        size[0] = 1024;
        size[1] = (uint32_t)n >> canon_gen_below(&in, 2) | (size[1] & 1u << 31);
    }
    to->during = hostile;
    struct hf_canon_cx cx = canon_cx(from, canon_gen_below(&in, 2) == 0),
                       out = canon_cx(to, cx.host);
    cx.copy = canon_gen_below(&in, 2) == 0;
    if (hf_lift_string(&cx, size[0], size[1], &v) == HF_OK)
        (void)hf_lower_string(&out, &v, &ptr, &units);
}

static uint32_t destroyed;
static enum hf_err guest_dtor(void *env, union hf_val *vals)
{
    (void)env, (void)vals;
    destroyed++;
    return HF_OK;
}

/* resource.new, rep and drop in any order, on handles of both kinds. */
static void resources(void)
{
    static const struct hf_resource_type own = {
        .name = {(const uint8_t *)"mine", 4}, .index = 0, .ci = 1};
    struct canon_guest *g = &w.guests[1 + canon_gen_below(&in, 2)];
    struct hf_tramp def = {.kind = HF_TRAMP_RESOURCE_DROP, .ci = g->ci->index};
    struct hf_tramp_rt tramp = {.def = &def, .ci = g->ci, .opts = g->rt};
    union hf_val vals[1];
    uint32_t made = 0;
    destroyed = 0;
    w.resources[0].has_dtor = true;
    MUST(hf_func_new(w.inst.store, NULL, guest_dtor, NULL, &w.resources[0].dtor) == HF_OK);
    uint32_t before = g->ci->handles.live;
    for (int i = 0; i < 24; i++) {
        def.resource = canon_gen_below(&in, 3) == 0 ? &thing : &own;
        vals[0].u64 = canon_gen_below(&in, 16);
        switch (canon_gen_below(&in, 3)) {
        case 0:
            def.resource = &own;
            made += hf_tramp_resource_new(&tramp, vals) == HF_OK;
            break;
        case 1: (void)hf_tramp_resource_rep(&tramp, vals); break;
        default: {
            uint32_t live = g->ci->handles.live;
            enum hf_err err = hf_tramp_resource_drop(&tramp, vals);
            MUST(g->ci->handles.live == live - (err == HF_OK ? 1u : 0u) ||
                 (w.inst.membrane != NULL && g->ci->handles.live == live - 1)); /* spoilt after */
        }
        }
    }
    MUST(g->ci->handles.live <= before + made && destroyed <= made);
}

/* A membrane that reads what it is shown, and sometimes answers with bytes of the input. */
static enum hf_err shown(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    struct hf_reader r = hf_reader(x->args);
    struct hf_u32s numbers = {0};
    struct hf_arena arena;
    (void)ctx;
    hf_arena_init(&arena, 1024, SIZE_MAX);
    for (uint32_t i = 0; x->type != NULL && i < x->type->n_params; i++) {
        struct hf_value v;
        MUST(hf_value_read(x->type->params[i].type, &r, &arena, NULL, &numbers, &v, NULL) == HF_OK);
    }
    MUST(x->type == NULL || (hf_reader_left(&r) == 0 && numbers.n == x->n_args_handles));
    MUST(numbers.n == 0 || memcmp(numbers.ptr, x->args_handles, numbers.n * 4) == 0);
    hf_u32s_done(&numbers);
    hf_arena_done(&arena);
    switch (canon_gen_below(&in, 4)) {
    case 0: return hf_call_trap(call, "no");
    case 1: return HF_OK;
    default:
        x->result = x->kind == HF_CROSS_DROP ? hf_view("", 0) : hf_view(in.ptr, in.len);
        return HF_CLOSED;
    }
}

static enum hf_err told(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    (void)ctx, (void)call;
    MUST(x->err == HF_OK || x->text.len > 0);
    return canon_gen_below(&in, 8) == 0 ? HF_LIMIT : HF_OK;
}

static const struct hf_hook membrane = {shown, told};

static void a_call(void)
{
    struct canon_guest *caller = &w.guests[1],
                       *callee = &w.guests[canon_gen_below(&in, 4) == 0 ? 1 : 2];
    const struct hf_ftype *f = any_ftype();
    struct hf_lift lift_def = {.ci = callee->ci->index, .type = f};
    struct hf_lift_rt *l = &w.lifts[0];
    const struct hf_host_func host = {HF_VIEW("fuzz"), HF_VIEW("fn"), f, host_fn};
    struct hf_tramp def = {.kind = HF_TRAMP_LOWER, .ci = 1};
    struct hf_tramp_rt tramp = {.def = &def, .ci = caller->ci, .opts = caller->rt};
    union hf_val vals[HF_FLAT_MAX];

    *l = (struct hf_lift_rt){.def = &lift_def, .ci = callee->ci, .opts = callee->rt};
    MUST(hf_func_new(w.inst.store, &f->lift, guest_core, callee, &l->func) == HF_OK);
    if (canon_gen_below(&in, 2) == 0) {
        MUST(hf_func_new(w.inst.store, NULL, guest_post, callee, &l->opts.post_return) == HF_OK);
        l->opts.has_post_return = true;
    }
    def.func = canon_gen_below(&in, 2) == 0
                   ? (struct hf_func_def){.from = HF_FUNC_HOST, .host = &host}
                   : (struct hf_func_def){.from = HF_FUNC_LIFT, .lift = 0};
    w.inst.cis[0].may_enter = true;
    caller->during = callee->during = hostile;
    for (uint32_t i = 0; i < HF_FLAT_MAX; i++)
        vals[i].u64 = i % 2 == 0 && canon_gen_below(&in, 4) != 0 ? 32 * canon_gen_below(&in, 32)
                      : canon_gen_below(&in, 4) != 0             ? canon_gen_below(&in, 8)
                                                                 : pointer();

    enum hf_err err = hf_tramp_lower(&tramp, vals);
    MUST(err == HF_OK || (err == HF_TRAP && hf_store_report(w.inst.store)->text[0] != '\0'));
    MUST(w.inst.arena.used == 0);
    for (uint32_t i = 1; i < caller->ci->handles.len; i++)
        MUST(caller->ci->handles.ptr[i].type == NULL || caller->ci->handles.ptr[i].lends == 0 ||
             !caller->ci->handles.ptr[i].own);
}

/* The host calls a guest with values of its own. */
static void a_call_in(void)
{
    struct canon_guest *callee = &w.guests[2];
    const struct hf_ftype *f = any_ftype();
    struct hf_lift lift_def = {.ci = 2, .type = f};
    struct hf_lift_rt *l = &w.lifts[0];
    struct hf_value args[20], result = {0};
    struct hf_arena arena;
    hf_arena_init(&arena, 1024, SIZE_MAX);
    *l = (struct hf_lift_rt){.def = &lift_def, .ci = callee->ci, .opts = callee->rt};
    MUST(hf_func_new(w.inst.store, &f->lift, guest_core, callee, &l->func) == HF_OK);
    MUST(hf_func_new(w.inst.store, NULL, guest_post, callee, &l->opts.post_return) == HF_OK);
    l->opts.has_post_return = true;
    callee->during = hostile;
    in.next_obj = n_objects;
    for (uint32_t i = 0; i < f->n_params; i++)
        args[i] = canon_gen_value(&in, &arena, f->params[i].type);
    if (in.next_obj <= OBJECTS_MAX) {
        bool some_borrow = false;
        for (uint32_t i = 0; i < f->n_params; i++)
            some_borrow |= f->params[i].type->has_borrow;
        while (n_objects < in.next_obj)
            held[++n_objects] = 1;
        if (some_borrow) { /* which objects the caller keeps is not known here: leave them alone */
            for (uint32_t i = 0; i < f->n_params; i++)
                hf_canon_let_go(f->params[i].type, &args[i], NULL);
        } else if (hf_canon_call(&w.inst, l, args, &result) == HF_OK && f->result != NULL) {
            check(f->result, &result);
            hf_canon_let_go(f->result, &result, NULL);
        }
    }
    hf_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool open;
    if (!open) {
        canon_world_open(&w);
        w.inst.arena.max = 256 << 10;
        open = true;
    }
    in = (struct canon_gen){
        .ptr = data, .len = size, .seed = 88172645463325252u, .resource = &thing};
    n_objects = 0;
    memset(held, 0, sizeof held);
    hf_arena_reset(&w.types);
    hf_report_init(hf_store_report(w.inst.store));
    for (int i = 0; i < CANON_GUESTS; i++)
        reset(&w.guests[i]);
    uint32_t what = canon_gen_below(&in, 16);
    bool hooked = what >= 8 || what == 3;
    what = what >= 8 ? what - 6 : what; /* 2 and up */
    MUST(hf_instance_set_hook(&w.inst, hooked ? &membrane : NULL, NULL) == HF_OK);
    bool into = what == 0;
    if (into)
        a_call_in();
    else if (what == 1)
        a_string();
    else if (what == 2)
        resources();
    else
        a_call();
    hf_arena_reset(&w.inst.arena);

    /* Everybody's objects end exactly once. */
    for (int i = 0; i < CANON_GUESTS; i++)
        hf_handles_done(&w.guests[i].ci->handles);
    for (uint32_t i = 1; i <= n_objects && !into; i++)
        MUST(held[i] == 0);
    return 0;
}
