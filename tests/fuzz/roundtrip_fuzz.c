/* roundtrip_fuzz.c - lifting and lowering with generated types: what is lowered is lifted again as
 * it was; then bytes of the guest's memory are changed, and what is lifted is a value of its type,
 * or a trap.
 *
 * The input chooses type, value, encoding and the changes. Both ways are taken: as flat values and
 * through memory, with strings in any encoding. Memory past its size is poisoned.
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

static struct canon_world w;
static struct canon_gen in; /* the input */

#define MUST(cond)                                                                                 \
    ((cond)                                                                                        \
         ? (void)0                                                                                 \
         : (fprintf(stderr, "not so: %s (line %d): %s\n", #cond, __LINE__, canon_trap_text(&w)),   \
            abort()))

/* A value that was lifted from anything: every part is what its type says and can be read. */
static void check(const struct hf_type *t, const struct hf_value *v)
{
    volatile uint8_t sum = 0;
    switch (t->kind) {
    case HF_T_BOOL: MUST(v->u64 <= 1); return;
    case HF_T_CHAR: MUST(v->u64 < 0x110000 && (v->u64 < 0xd800 || v->u64 > 0xdfff)); return;
    case HF_T_STRING: MUST(v->tag == HF_ENC_UTF8 && hf_utf8_valid(v->bytes, v->len)); return;
    case HF_T_FLAGS: MUST(v->u64 <= UINT32_MAX >> (32 - t->n)); return;
    case HF_T_LIST:
        for (uint64_t i = 0; t->elem->scalar && i < (uint64_t)v->len * t->elem->size; i++)
            sum = (uint8_t)(sum + v->bytes[i]);
        for (uint32_t i = 0; !t->elem->scalar && i < v->len; i++)
            check(t->elem, &v->items[i]);
        return;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        MUST(v->len == t->n);
        for (uint32_t i = 0; i < t->n; i++)
            check(t->members[i].type, &v->items[i]);
        return;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        MUST(v->tag < t->n && (v->items != NULL) == (t->members[v->tag].type != NULL));
        if (v->items != NULL)
            check(t->members[v->tag].type, v->items);
        return;
    default: return;
    }
}

static void change_memory(struct canon_guest *g)
{
    size_t size;
    uint8_t *mem = canon_mem(g, &size);
    for (uint32_t n = 1 + canon_gen_below(&in, 16); n > 0; n--) {
        uint32_t at = CANON_HEAP + canon_gen_below(&in, 512);
        switch (canon_gen_below(&in, 3)) {
        case 0: mem[at] = (uint8_t)canon_gen_below(&in, 256); break;
        case 1: mem[at] ^= (uint8_t)(1u << canon_gen_below(&in, 8)); break;
        default: memset(mem + (at & ~3u), (int)canon_gen_below(&in, 2) * 255, 4); break;
        }
    }
}

static enum hf_err lift_memory(struct canon_guest *g, const struct hf_type *t, uint32_t ptr,
                               struct hf_value *ret)
{
    struct hf_canon_cx cx = canon_cx(g, true);
    cx.copy = canon_gen_below(&in, 2) == 0;
    return hf_lift_memory(&cx, t, ptr, ret);
}

static void through_memory(struct canon_guest *g, const struct hf_type *t, const struct hf_value *v)
{
    struct hf_canon_cx out = canon_cx(g, true);
    struct hf_value back;
    uint32_t ptr;
    MUST(hf_canon_realloc(&out, 0, 0, t->align, t->size, "value", &ptr) == HF_OK);
    MUST(hf_lower_memory(&out, t, v, ptr) == HF_OK);
    MUST(lift_memory(g, t, ptr, &back) == HF_OK);
    MUST(canon_value_same(t, v, &back));
    for (uint32_t i = canon_gen_below(&in, 4); i > 0; i--) {
        change_memory(g);
        hf_report_init(hf_store_report(w.inst.store));
        enum hf_err err = lift_memory(g, t, ptr, &back);
        MUST(err == HF_OK || (err == HF_TRAP && hf_store_report(w.inst.store)->len != 0));
        if (err == HF_OK)
            check(t, &back);
    }
}

static void as_flat_values(struct canon_guest *g, const struct hf_type *t, const struct hf_value *v)
{
    struct hf_canon_cx out = canon_cx(g, true);
    union hf_val vals[HF_FLAT_MAX];
    struct hf_value back;
    uint32_t n = 0, at = 0;
    if (t->flat_over)
        return;
    MUST(hf_lower_flat(&out, t, v, vals, &n) == HF_OK && n == t->n_flat);
    struct hf_canon_cx cx = canon_cx(g, true);
    MUST(hf_lift_flat(&cx, t, vals, &at, &back) == HF_OK && at == n);
    MUST(canon_value_same(t, v, &back));
    vals[canon_gen_below(&in, n)].u64 ^= 1u << canon_gen_below(&in, 31);
    at = 0;
    hf_report_init(hf_store_report(w.inst.store));
    enum hf_err err = hf_lift_flat(&cx, t, vals, &at, &back);
    MUST(err == HF_OK || err == HF_TRAP);
    if (err == HF_OK)
        check(t, &back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool open;
    struct canon_guest *g = &w.guests[1];
    struct hf_arena arena;
    if (!open) {
        canon_world_open(&w);
        w.inst.arena.max = 64 << 20; /* a budget that no generated value needs (S14) */
        open = true;
    }
    in = (struct canon_gen){.ptr = data, .len = size, .seed = 88172645463325252u};
    hf_arena_reset(&w.types);
    hf_arena_reset(&w.inst.arena);
    fake_shrink(g);
    canon_guest_clear(g);
    hf_report_init(hf_store_report(w.inst.store));
    g->rt.enc = (enum hf_string_enc[]){HF_ENC_UTF8, HF_ENC_UTF16,
                                       HF_ENC_LATIN1_UTF16}[canon_gen_below(&in, 3)];
    hf_arena_init(&arena, 4096, SIZE_MAX);
    const struct hf_type *t = canon_gen_type(&in, &w, 4);
    struct hf_value v = canon_gen_value(&in, &arena, t);
    as_flat_values(g, t, &v);
    through_memory(g, t, &v);
    hf_arena_done(&arena);
    return 0;
}
