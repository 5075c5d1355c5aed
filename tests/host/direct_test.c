/* direct_test.c - messages by the direct way (host/message_direct.c) and by values give the same: the same bytes in the
 * guest's memory and no other touched, the same calls of its realloc, the same trap; and read the same out of it.
 *
 * Random messages and random core values, thousands of each, against a hand-made guest whose realloc can misbehave.
 */
#include "support.h"

#include "../component/support_canon.h"
#include "host/kernel_int.h"
#include "support_find.h"

static struct canon_world world;
static uint64_t seed = 1;

static uint32_t below(uint32_t n) /* xorshift: the same each time */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % n);
}

/* ---- messages ---- */

enum { TEXT_MAX = 90 };
struct text {
    uint8_t bytes[TEXT_MAX];
};

/* Mostly what a string may be; now and then what it may not. */
static struct hf_view some_text(struct text *t)
{
    static const char *const parts[] = {"a", "cart/42", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa2", "-"};
    size_t len = 0;
    for (uint32_t n = below(6); n > 0; n--) {
        const char *part = parts[below(HF_ARRAY_LEN(parts))];
        memcpy(t->bytes + len, part, strlen(part));
        len += strlen(part);
    }
    if (below(20) == 0)
        t->bytes[len++] = 0xc3;
    return hf_view(t->bytes, len);
}

static struct hf_view some_bytes(uint8_t *to, uint32_t max)
{
    uint32_t n = below(max);
    for (uint32_t i = 0; i < n; i++)
        to[i] = (uint8_t)below(256);
    return hf_view(to, n);
}

struct made {
    struct text source, metadata, cap[3];
    uint8_t body[200], context[40];
    struct hf_view caps[3];
};

static struct hf_message some_message(struct made *made, struct hf_blob *const blobs[3])
{
    struct hf_message m = {
        .kind = below(2) == 0 ? HF_MESSAGE_REQUEST : HF_MESSAGE_RESPONSE,
        .id = below(UINT32_MAX) * UINT64_C(0x100000001),
        .source = some_text(&made->source),
        .body = some_bytes(made->body, sizeof made->body),
        .metadata = some_text(&made->metadata),
        .context = some_bytes(made->context, sizeof made->context),
        .blob = below(2) == 0 ? NULL : blobs[below(3)],
        .wants_answer = below(2) == 0,
        .deadline_ns = below(1000),
        .caps = made->caps,
        .n_caps = below(4),
    };
    for (size_t i = 0; i < m.n_caps; i++)
        made->caps[i] = some_text(&made->cap[i]);
    return m;
}

/* ---- a guest's realloc that misbehaves: at its call number `bad_at` ---- */

static uint32_t bad_at, bad_how;

static enum hf_err misbehave(struct canon_guest *g)
{
    g->fixed = false;
    if (g->n_log != bad_at)
        return HF_OK;
    if (bad_how == 0)
        return hf_canon_trap(&world.inst, "realloc does not want to");
    g->fixed = true;
    g->answer = bad_how == 1 ? UINT32_MAX - 3 : 611; /* far out; in the page, and aligned for bytes only */
    return HF_OK;
}

static struct canon_guest *begin(uint8_t pattern)
{
    struct canon_guest *g = &world.guests[0];
    size_t size;
    canon_guest_clear(g);
    g->fixed = false;
    g->ci->may_leave = true; /* a realloc that failed left it */
    g->during = misbehave;
    hf_arena_reset(&world.inst.arena);
    hf_report_init(hf_store_report(world.inst.store));
    memset(canon_mem(g, &size), pattern, CANON_PAGE);
    return g;
}

#define PLACE 64u /* where the message goes */

struct outcome {
    enum hf_err err;
    char text[HF_REPORT_MAX], log[CANON_LOG * 48];
    uint8_t memory[CANON_PAGE];
};

static void note(struct outcome *o, enum hf_err err)
{
    struct canon_guest *g = &world.guests[0];
    size_t size;
    o->err = err;
    strcpy(o->log, canon_log_text(g));
    strcpy(o->text, err == HF_OK ? "" : canon_trap_text(&world));
    memcpy(o->memory, canon_mem(g, &size), CANON_PAGE);
}

static void same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->err, b->err);
    assert_string_equal(a->text, b->text);
    assert_string_equal(a->log, b->log);
    assert_memory_equal(a->memory, b->memory, CANON_PAGE);
}

static void a_message_is_lowered_the_same(void **state)
{
    const struct shared *sh = *state;
    static struct outcome a, b;
    const struct hf_type *t = find_host_func(sh->registry, "messages#receive")->type->result;
    struct hf_blob *blobs[3] = {hf_blob_of_bytes(HF_VIEW("whole")), hf_blob_new(100, 1000),
                                hf_blob_new(HF_BLOB_LEN_UNKNOWN, 1000)};
    uint32_t ended_well = 0, trapped = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        struct made made;
        struct hf_value values[24 + 3];
        struct hf_message m = some_message(&made, blobs);
        uint8_t pattern = (uint8_t)below(256);
        uint64_t now = below(1000);
        bad_at = below(3) == 0 ? 1 + below(8) : 0;
        bad_how = below(3);
        world.inst.settings.list_bytes_max = below(8) == 0 ? 30 : 0;
        world.inst.settings.string_bytes_max = below(8) == 0 ? 12 : 0;

        struct hf_canon_cx cx = canon_cx(begin(pattern), true);
        struct hf_value v = hf_message_value(&m, now, values);
        note(&a, hf_lower_memory(&cx, t, &v, PLACE));

        cx = canon_cx(begin(pattern), true);
        assert_true(hf_message_is_direct(&m));
        uint8_t *at = hf_direct_place(hf_direct_of(&cx), PLACE, t->align, t->size);
        assert_non_null(at);
        note(&b, hf_message_put(hf_direct_of(&cx), at, &m, now));
        same(&a, &b);
        *(a.err == HF_OK ? &ended_well : &trapped) += 1;
    }
    assert_true(ended_well > 5000 && trapped > 2000);
    for (size_t i = 0; i < HF_ARRAY_LEN(blobs); i++) {
        if (i > 0)
            hf_blob_fail(blobs[i], HF_IO);
        hf_blob_unref(blobs[i]);
    }
}

/* ---- what guests say ---- */

static void put32(uint8_t *mem, uint32_t at, uint32_t n)
{
    memcpy(mem + at, &n, sizeof n);
}

/* Pointer and length of something; mostly in the page, mostly short. */
static void some_range(union hf_val *v)
{
    static const uint32_t odd[] = {0, CANON_PAGE - 1, CANON_PAGE, CANON_PAGE + 1, UINT32_MAX};
    v[0].u64 = below(8) == 0 ? odd[below(HF_ARRAY_LEN(odd))] : 100 + below(400);
    v[1].u64 = below(30) == 0 ? odd[below(HF_ARRAY_LEN(odd))] : below(40);
}

/* Core values of body, metadata, blob-choice, capabilities. */
static void some_parcel(union hf_val *v)
{
    some_range(&v[0]);
    v[2].u64 = below(30) == 0 ? below(5) : below(2);
    some_range(&v[3]);
    v[5].u64 = below(30) == 0 ? below(5) : below(2);
    v[6].u64 = below(3);
    some_range(&v[7]);
    v[7].u64 &= ~(uint64_t)(below(10) == 0 ? 0 : 3);
    v[8].u64 = below(10) == 0 ? below(3) : 0;
}

/* Memory in which most ranges are text, and lists of strings may be found. */
static struct canon_guest *some_memory(void)
{
    struct canon_guest *g = begin('x');
    size_t size;
    uint8_t *mem = canon_mem(g, &size);
    g->during = NULL;
    for (uint32_t n = below(8); n > 0; n--)
        mem[100 + below(400)] = (uint8_t)below(256);
    for (uint32_t at = 100, lists = below(3); lists == 0 && at < 500; at += 8) {
        put32(mem, at, 600 + below(20));
        put32(mem, at + 4, below(9));
    }
    world.inst.settings.list_bytes_max = below(10) == 0 ? 20 : 0;
    world.inst.settings.string_bytes_max = below(10) == 0 ? 20 : 0;
    return g;
}

static void same_send(const struct hf_send *a, const struct hf_send *b)
{
    assert_true(hf_view_eq(a->target, b->target) && hf_view_eq(a->metadata, b->metadata));
    assert_true(hf_view_eq(hf_buf_view(&a->body), hf_buf_view(&b->body)));
    assert_true(hf_view_eq(hf_buf_view(&a->context), hf_buf_view(&b->context)));
    assert_true(a->blob == NULL && b->blob == NULL && a->n_caps == 0 && b->n_caps == 0);
    assert_int_equal(a->inherit, b->inherit);
    assert_int_equal(a->wants_answer, b->wants_answer);
    assert_int_equal(a->park, b->park);
    assert_true(a->timeout_ns == b->timeout_ns);
}

static void send_done(struct hf_send *s)
{
    hf_buf_done(&s->body);
    hf_buf_done(&s->context);
}

/* The generic way of a call, which says what the direct one should have said. */
struct ways {
    uint32_t directly, not_so, trapped;
};
struct lifted {
    struct hf_tramp def;
    struct hf_tramp_rt tramp;
    struct hf_call call;
    struct hf_value args[2];
};

/* False: it traps, or is not for the direct way, and `said` is what it should be then. */
static bool lift_generic(struct lifted *by, struct canon_guest *g, const struct hf_host_func *host,
                         const union hf_val *vals, enum hf_err said, struct ways *n)
{
    by->def = (struct hf_tramp){.kind = HF_TRAMP_LOWER, .func = {.from = HF_FUNC_HOST, .host = host}};
    by->tramp = (struct hf_tramp_rt){.def = &by->def, .ci = g->ci, .opts = g->rt};
    by->call = (struct hf_call){.inst = &world.inst, .ci = g->ci, .tramp = &by->tramp, .flat = vals};
    struct hf_canon_cx cx = canon_cx(g, true);
    if (hf_lift_params(&cx, host->type, vals, by->args) != HF_OK) {
        assert_int_equal(said, HF_AGAIN);
        n->trapped++;
        return false;
    }
    if (said == HF_AGAIN) {
        n->not_so++;
        return false;
    }
    assert_int_equal(said, HF_OK);
    n->directly++;
    return true;
}

static void a_send_is_lifted_the_same(void **state)
{
    const struct shared *sh = *state;
    struct ways n = {0};
    for (uint32_t round = 0; round < 60000; round++) {
        bool wants = below(2) == 0;
        const struct hf_host_func *host = find_host_func(sh->registry, wants ? "messages#send" : "messages#tell");
        struct canon_guest *g = some_memory();
        union hf_val vals[HF_FLAT_PARAMS_MAX + 1];
        memset(vals, 0, sizeof vals);
        some_range(&vals[0]);
        some_parcel(&vals[2]);
        vals[11].u64 = below(30) == 0 ? below(5) : below(2);
        vals[12].u64 = below(3) * UINT64_C(0x100000001);
        some_range(&vals[13]);
        vals[15].u64 = below(3);

        struct hf_send direct, generic;
        struct hf_canon_cx cx = canon_cx(g, true);
        enum hf_err said = hf_send_read_direct(hf_direct_of(&cx), vals, wants, &direct);
        assert_int_equal(hf_store_report(world.inst.store)->err, HF_OK);

        struct lifted by;
        if (!lift_generic(&by, g, host, vals, said, &n))
            continue;
        assert_int_equal(hf_send_read(&by.call, &by.args[0], wants ? &by.args[1] : NULL, &generic), HF_OK);
        same_send(&direct, &generic);
        send_done(&direct);
        send_done(&generic);
    }
    assert_true(n.directly > 10000 && n.not_so > 100 && n.trapped > 10000);
}

static void a_reply_is_lifted_the_same(void **state)
{
    const struct shared *sh = *state;
    const struct hf_host_func *host = find_host_func(sh->registry, "messages#respond");
    struct ways n = {0};
    for (uint32_t round = 0; round < 60000; round++) {
        struct canon_guest *g = some_memory();
        union hf_val vals[HF_FLAT_PARAMS_MAX + 1];
        memset(vals, 0, sizeof vals);
        some_parcel(vals);
        struct hf_response direct, generic;
        struct hf_canon_cx cx = canon_cx(g, true);
        enum hf_err said = hf_response_read_direct(hf_direct_of(&cx), vals, &direct);
        assert_int_equal(hf_store_report(world.inst.store)->err, HF_OK);

        struct lifted by;
        if (!lift_generic(&by, g, host, vals, said, &n))
            continue;
        assert_int_equal(hf_response_read(&by.call, &by.args[0], &generic), HF_OK);
        assert_true(hf_view_eq(direct.metadata, generic.metadata) && direct.inherit == generic.inherit);
        assert_true(hf_view_eq(hf_buf_view(&direct.body), hf_buf_view(&generic.body)));
        assert_true(direct.blob == NULL && generic.blob == NULL && direct.n_caps == 0 && generic.n_caps == 0);
        hf_response_done(&direct);
        hf_response_done(&generic);
    }
    assert_true(n.directly > 10000 && n.not_so > 100 && n.trapped > 10000);
}

/* ---- the import itself: through a core function of the guest ---- */

static enum hf_err generic_fn(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args;
    result->u64 = 7;
    return HF_OK;
}

static enum hf_err direct_says; /* of the direct way; its answer is 9 */

static enum hf_err direct_fn(struct hf_call *call, struct hf_direct *d, union hf_val *vals)
{
    (void)call, (void)d;
    if (direct_says == HF_OK)
        vals[0].u64 = 9;
    return direct_says;
}

static enum hf_err see(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    (void)call;
    *(unsigned *)ctx += x->kind == HF_CROSS_IMPORT;
    return HF_OK;
}

static enum hf_err seen(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    (void)ctx, (void)call, (void)x;
    return HF_OK;
}

static void who_goes_the_direct_way(void **state)
{
    static const struct hf_type u32 = {.kind = HF_T_U32, .size = 4, .align = 4, .depth = 1, .n_flat = 1, .flat = {HF_I32}};
    static const struct hf_type *const params[] = {&u32};
    struct canon_guest *g = begin(0);
    const struct hf_ftype *f = canon_ftype(&world, params, 1, &u32);
    struct hf_host_func host = {.iface = HF_VIEW("t:t/t"), .name = HF_VIEW("f"), .type = f, .fn = generic_fn, .direct = direct_fn};
    struct hf_tramp def = {.kind = HF_TRAMP_LOWER, .func = {.from = HF_FUNC_HOST, .host = &host}};
    struct hf_tramp_rt tramp = {.def = &def, .ci = g->ci, .opts = g->rt};
    union hf_val vals[2] = {{.u64 = 1}};
    unsigned shown = 0;
    (void)state;

    direct_says = HF_OK;
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_OK);
    assert_int_equal(vals[0].u32, 9);
    direct_says = HF_AGAIN; /* not for here */
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_OK);
    assert_int_equal(vals[0].u32, 7);
    direct_says = HF_OK;
    tramp.opts.enc = HF_ENC_UTF16; /* another encoding */
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_OK);
    assert_int_equal(vals[0].u32, 7);
    tramp.opts.enc = HF_ENC_UTF8;

    static const struct hf_hook hook = {.before = see, .after = seen};
    assert_int_equal(hf_instance_set_hook(&world.inst, &hook, &shown), HF_OK); /* who watches sees values */
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_OK);
    assert_int_equal(vals[0].u32, 7);
    assert_int_equal(shown, 1);
    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);

    g->ci->may_leave = false; /* C3 */
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_TRAP);
    assert_non_null(strstr(canon_trap_text(&world), "[C3]"));
    g->ci->may_leave = true;
    direct_says = HF_LIMIT; /* a failure without words */
    assert_int_equal(hf_tramp_direct(&tramp, vals), HF_TRAP);
    assert_non_null(strstr(canon_trap_text(&world), "t:t/t#f: the host function failed"));
}

static void a_place_is_in_bounds_and_aligned(void **state)
{
    struct hf_canon_cx cx = canon_cx(begin(0), true);
    struct hf_direct *d = hf_direct_of(&cx);
    (void)state;
    assert_ptr_equal(hf_direct_place(d, 64, 8, 16), cx.mem + 64);
    assert_ptr_equal(hf_direct_place(d, CANON_PAGE - 16, 8, 16), cx.mem + CANON_PAGE - 16);
    assert_null(hf_direct_place(d, CANON_PAGE - 8, 8, 16));
    assert_null(hf_direct_place(d, UINT32_MAX - 7, 8, 16));
    assert_null(hf_direct_place(d, 68, 8, 16));
    assert_true(hf_direct_empty(d, CANON_PAGE, 0, 4));
    assert_false(hf_direct_empty(d, 64, 1, 4));
    assert_false(hf_direct_empty(d, 66, 0, 4));
    assert_false(hf_direct_empty(d, CANON_PAGE + 4, 0, 4));
}

static enum hf_err never(struct hf_direct *d, const void *arg, uint8_t *at)
{
    (void)d, (void)arg, (void)at;
    fail_msg("nothing was to be stored");
    return HF_OK;
}

/* What cannot be called so is told before anything is done, and is called with values. */
static void whom_a_call_may_lower_for(void **state)
{
    const struct shared *sh = *state;
    static const struct hf_hook hook = {.before = see, .after = seen};
    const struct hf_ftype *send = find_host_func(sh->registry, "messages#send")->type;
    const struct hf_ftype *read = find_host_func(sh->registry, "blob.read")->type;
    const struct hf_type *message = find_host_func(sh->registry, "messages#receive")->type->result;
    struct hf_export e = {.func = {.from = HF_FUNC_LIFT, .lift = 0}};
    unsigned shown = 0;
    begin(0);
    world.lifts[0] = (struct hf_lift_rt){.ci = world.guests[0].ci, .opts = world.guests[0].rt};
    e.type = send; /* two parameters, with handles */
    assert_int_equal(hf_instance_call_direct(&world.inst, &e, never, NULL), HF_UNSUPPORTED);
    e.type = read;
    assert_int_equal(hf_instance_call_direct(&world.inst, &e, never, NULL), HF_UNSUPPORTED);
    e.type = canon_ftype(&world, &message, 1, NULL);
    assert_int_equal(hf_instance_set_hook(&world.inst, &hook, &shown), HF_OK);
    assert_int_equal(hf_instance_call_direct(&world.inst, &e, never, NULL), HF_UNSUPPORTED);
    assert_int_equal(hf_instance_set_hook(&world.inst, NULL, NULL), HF_OK);
    world.lifts[0].opts.enc = HF_ENC_UTF16;
    assert_int_equal(hf_instance_call_direct(&world.inst, &e, never, NULL), HF_UNSUPPORTED);
    world.lifts[0].opts.enc = HF_ENC_UTF8;
    assert_int_equal(hf_instance_call_direct(&world.inst, &e, never, NULL), HF_INVALID); /* it is not at rest */
}

static int open_all(void **state)
{
    canon_world_open(&world);
    return shared_open(state);
}

static int close_all(void **state)
{
    canon_world_close(&world);
    return shared_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_lowered_the_same),
        cmocka_unit_test(a_send_is_lifted_the_same),
        cmocka_unit_test(a_reply_is_lifted_the_same),
        cmocka_unit_test(who_goes_the_direct_way),
        cmocka_unit_test(a_place_is_in_bounds_and_aligned),
        cmocka_unit_test(whom_a_call_may_lower_for),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
