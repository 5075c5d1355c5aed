/* canon_vectors_test.c - the same bytes, flat values, reallocs and traps as the specification's
 * executable text.
 *
 * canon_vectors.txt was made by canon_vectors.py (its head says what the fields are): random types
 * and values stored, flattened, damaged and lifted again, in three encodings (L1-L5, F1-F2, V1-V10,
 * W1-W9), and strings between all pairs of encodings with their reallocs (W2-W4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "support_canon.h"

#include <cmocka.h>

#define VECTORS  "tests/component/canon_vectors.txt"
#define LINE_MAX 8192
#define AT       512u

static const struct hf_resource_type resource = {
    .name = {(const uint8_t *)"r", 1}, .index = 0, .ci = 1};

/* ---- reading a line ---- */

static bool field(const char *line, const char *name, char *ret)
{
    char key[32];
    int n = snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    if (at == NULL)
        return false;
    at += n;
    size_t len = strcspn(at, " \n");
    assert_true(len < LINE_MAX);
    memcpy(ret, at, len);
    ret[len] = '\0';
    return true;
}

static void need(const char *line, const char *name, char *ret)
{
    if (!field(line, name, ret))
        fail_msg("no field %s in: %s", name, line);
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    if (strcmp(hex, "-") == 0)
        return 0;
    for (; hex[0] != '\0'; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[n++] = (uint8_t)byte;
    }
    return n;
}

static enum hf_string_enc encoding(const char *name)
{
    if (strcmp(name, "utf8") == 0)
        return HF_ENC_UTF8;
    return strcmp(name, "utf16") == 0 ? HF_ENC_UTF16 : HF_ENC_LATIN1_UTF16;
}

/* ---- the prefix form of types and values ---- */

struct cursor {
    const uint8_t *ptr;
    size_t len;
};

static uint64_t take(struct cursor *c, unsigned size)
{
    uint64_t n = 0;
    assert_true(c->len >= size);
    memcpy(&n, c->ptr, size);
    c->ptr += size;
    c->len -= size;
    return n;
}

static const struct hf_type *take_type(struct cursor *c, struct canon_world *w)
{
    enum hf_type_kind kind = (enum hf_type_kind)take(c, 1);
    const struct hf_type *types[512] = {0};
    if (kind <= HF_T_STRING)
        return hf_type_prim(kind);
    if (kind == HF_T_LIST)
        return canon_list(w, take_type(c, w));
    if (kind == HF_T_OWN || kind == HF_T_BORROW)
        return canon_handle(w, kind, &resource);
    uint32_t n = kind == HF_T_OPTION ? 1 : kind == HF_T_RESULT ? 2 : (uint32_t)take(c, 2);
    assert_true(n <= HF_ARRAY_LEN(types));
    for (uint32_t i = 0; i < n && kind != HF_T_ENUM && kind != HF_T_FLAGS; i++) {
        bool may_lack = kind == HF_T_VARIANT || kind == HF_T_RESULT;
        types[i] = !may_lack || take(c, 1) == 1 ? take_type(c, w) : NULL;
    }
    return canon_compound(w, kind, types, n);
}

static unsigned plain_size(const struct hf_type *t)
{
    return t->kind == HF_T_FLAGS ? 4 : t->size;
}

static struct hf_value take_value(struct cursor *c, struct hf_arena *a, const struct hf_type *t)
{
    struct hf_value v = {0};
    switch (t->kind) {
    case HF_T_STRING:
        v.len = (uint32_t)take(c, 4);
        v.bytes = c->ptr;
        assert_true(v.len <= c->len);
        c->ptr += v.len;
        c->len -= v.len;
        return v;
    case HF_T_LIST:
        v.len = (uint32_t)take(c, 4);
        if (t->elem->scalar) {
            uint8_t *bytes = hf_arena_array(a, v.len + 1, t->elem->size);
            for (uint32_t i = 0; i < v.len; i++) {
                uint64_t n = take(c, t->elem->size);
                memcpy(bytes + (size_t)i * t->elem->size, &n, t->elem->size);
            }
            v.bytes = bytes;
            return v;
        }
        v.items = hf_arena_array(a, v.len + 1, sizeof v);
        for (uint32_t i = 0; i < v.len; i++)
            v.items[i] = take_value(c, a, t->elem);
        return v;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        v.len = t->n;
        v.items = hf_arena_array(a, v.len, sizeof v);
        for (uint32_t i = 0; i < v.len; i++)
            v.items[i] = take_value(c, a, t->members[i].type);
        return v;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        v.tag = (uint32_t)take(c, 4);
        if (t->members[v.tag].type != NULL) {
            v.items = hf_arena_array(a, 1, sizeof v);
            *v.items = take_value(c, a, t->members[v.tag].type);
        }
        return v;
    case HF_T_S8: v.s64 = (int8_t)take(c, 1); return v;
    case HF_T_S16: v.s64 = (int16_t)take(c, 2); return v;
    case HF_T_S32: v.s64 = (int32_t)take(c, 4); return v;
    default: v.u64 = take(c, plain_size(t)); return v;
    }
}

static void put(struct hf_buf *b, uint64_t n, unsigned size)
{
    assert_int_equal(hf_buf_add(b, &n, size), HF_OK);
}

static void put_value(struct hf_buf *b, const struct hf_type *t, const struct hf_value *v)
{
    switch (t->kind) {
    case HF_T_STRING:
        assert_int_equal(v->tag, HF_ENC_UTF8);
        put(b, v->len, 4);
        assert_int_equal(hf_buf_add(b, v->bytes, v->len), HF_OK);
        return;
    case HF_T_LIST:
        put(b, v->len, 4);
        if (t->elem->scalar)
            assert_int_equal(hf_buf_add(b, v->bytes, (size_t)v->len * t->elem->size), HF_OK);
        for (uint32_t i = 0; i < v->len && !t->elem->scalar; i++)
            put_value(b, t->elem, &v->items[i]);
        return;
    case HF_T_RECORD:
    case HF_T_TUPLE:
        assert_int_equal(v->len, t->n);
        for (uint32_t i = 0; i < t->n; i++)
            put_value(b, t->members[i].type, &v->items[i]);
        return;
    case HF_T_VARIANT:
    case HF_T_ENUM:
    case HF_T_OPTION:
    case HF_T_RESULT:
        put(b, v->tag, 4);
        if (t->members[v->tag].type != NULL)
            put_value(b, t->members[v->tag].type, v->items);
        return;
    default: put(b, v->u64, plain_size(t)); return;
    }
}

static uint64_t fnv(const struct hf_buf *b)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < b->len; i++)
        h = (h ^ b->ptr[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* ---- cases ---- */

struct fixture {
    struct canon_world w;
    struct canon_guest *g;
    struct hf_handles saved; /* the table as lowering left it */
    unsigned values, strings, muts, traps;
};

static void save_table(struct fixture *f)
{
    const struct hf_handles *t = &f->g->ci->handles;
    free(f->saved.ptr);
    f->saved = *t;
    f->saved.ptr = calloc(t->cap + 1, sizeof *t->ptr);
    assert_non_null(f->saved.ptr);
    if (t->len != 0)
        memcpy(f->saved.ptr, t->ptr, t->len * sizeof *t->ptr);
}

static void restore_table(struct fixture *f)
{
    struct hf_handles *t = &f->g->ci->handles;
    assert_int_equal(t->cap, f->saved.cap); /* lifting only takes out */
    if (f->saved.len != 0)
        memcpy(t->ptr, f->saved.ptr, f->saved.len * sizeof *t->ptr);
    t->len = f->saved.len;
    t->free = f->saved.free;
    t->live = f->saved.live;
}

static void check_memory(struct fixture *f, const char *line, const char *hex, uint32_t from)
{
    static uint8_t want[CANON_PAGE];
    size_t size;
    const uint8_t *mem = canon_mem(f->g, &size);
    memset(want, 0, sizeof want);
    unhex(hex, want);
    if (memcmp(mem + from, want, CANON_PAGE - from) != 0)
        fail_msg("memory differs: %s", line);
}

/* `want`: "trap", hex, or '#' and a hash. */
static void check_lifted(struct fixture *f, const char *line, enum hf_err err,
                         const struct hf_type *t, const struct hf_value *v, const char *want)
{
    const char *text = canon_trap_text(&f->w);
    f->muts++;
    if (strcmp(want, "trap") == 0) {
        if (err != HF_TRAP || text[0] == '\0')
            fail_msg("no trap, but %s was wanted: %s", want, line);
        f->traps++;
        return;
    }
    if (err != HF_OK)
        fail_msg("a trap, but %s was wanted (%s): %s", want, text, line);
    struct hf_buf got = {0};
    put_value(&got, t, v);
    if (want[0] == '#') {
        assert_int_equal(strtoull(want + 1, NULL, 10), fnv(&got));
    } else {
        static uint8_t bytes[LINE_MAX];
        size_t n = unhex(want[0] == '\0' ? "-" : want, bytes);
        if (n != got.len || memcmp(bytes, got.ptr, n) != 0)
            fail_msg("another value than %s: %s", want, line);
    }
    hf_buf_done(&got);
}

/* "a.b,a.b" on memory, undone after. */
static void edit(struct fixture *f, const char *edits, bool undo)
{
    static uint8_t saved[8];
    uint8_t *mem = canon_mem(f->g, NULL);
    unsigned a, b, n = 0;
    unsigned at[8];
    for (const char *p = edits;; n++) {
        int used;
        assert_true(n < 8 && sscanf(p, "%u.%u%n", &a, &b, &used) == 2);
        at[n] = a;
        if (!undo) {
            saved[n] = mem[a];
            mem[a] = (uint8_t)b;
        }
        p += used;
        if (*p != ',')
            break;
        p++;
    }
    for (unsigned i = n + 1; undo && i-- > 0;)
        mem[at[i]] = saved[i];
}

static void value_in_memory(struct fixture *f, const char *line, const struct hf_type *t,
                            const struct hf_value *v)
{
    char text[LINE_MAX], *save = NULL;
    struct hf_scope scope = {0};
    struct hf_canon_cx cx = canon_cx(f->g, true);
    struct hf_value got;
    cx.scope = &scope;
    if (hf_lower_memory(&cx, t, v, AT) != HF_OK)
        fail_msg("%s: %s", canon_trap_text(&f->w), line);
    need(line, "mem", text);
    check_memory(f, line, text, AT);
    need(line, "reallocs", text);
    assert_string_equal(canon_log_text(f->g), text);
    save_table(f);

    struct hf_canon_cx in = canon_cx(f->g, true);
    enum hf_err err = hf_lift_memory(&in, t, AT, &got);
    if (err != HF_OK || !canon_value_same(t, v, &got))
        fail_msg("lifted otherwise (%s): %s", canon_trap_text(&f->w), line);
    hf_canon_give_back(&in);

    need(line, "muts", text);
    for (char *m = strcmp(text, "-") == 0 ? NULL : strtok_r(text, ";", &save); m != NULL;
         m = strtok_r(NULL, ";", &save)) {
        char *want = strchr(m, ':');
        assert_non_null(want);
        *want++ = '\0';
        restore_table(f);
        edit(f, m, false);
        in = canon_cx(f->g, true);
        err = hf_lift_memory(&in, t, AT, &got);
        check_lifted(f, line, err, t, &got, want);
        edit(f, m, true);
    }
}

static uint32_t flat_values(const char *text, union hf_val *vals)
{
    uint32_t n = 0;
    while (*text != '\0') {
        char *end;
        vals[n++].u64 = strtoull(text, &end, 10);
        text = *end == '.' ? end + 1 : end;
    }
    return n;
}

static void value_flat(struct fixture *f, const char *line, const struct hf_type *t,
                       const struct hf_value *v)
{
    char text[LINE_MAX], *save = NULL;
    union hf_val vals[HF_FLAT_MAX], want[HF_FLAT_MAX];
    struct hf_scope scope = {0};
    struct hf_canon_cx cx = canon_cx(f->g, true);
    struct hf_value got;
    uint32_t at = 0;
    if (!field(line, "flat", text)) {
        assert_true(t->flat_over || t->n_flat > HF_FLAT_PARAMS_MAX);
        return;
    }
    memset(vals, 0xee, sizeof vals);
    cx.scope = &scope;
    assert_int_equal(hf_lower_flat(&cx, t, v, vals, &at), HF_OK);
    assert_int_equal(at, flat_values(text, want));
    assert_int_equal(at, t->n_flat);
    for (uint32_t i = 0; i < at; i++)
        assert_int_equal(vals[i].u64, want[i].u64);
    need(line, "flatmem", text);
    check_memory(f, line, text, AT);
    save_table(f);

    need(line, "flatmuts", text);
    for (char *m = strcmp(text, "-") == 0 ? NULL : strtok_r(text, ";", &save); m != NULL;
         m = strtok_r(NULL, ";", &save)) {
        char *result = strchr(m, ':');
        assert_non_null(result);
        *result++ = '\0';
        restore_table(f);
        flat_values(m, vals);
        struct hf_canon_cx in = canon_cx(f->g, true);
        at = 0;
        enum hf_err err = hf_lift_flat(&in, t, vals, &at, &got);
        check_lifted(f, line, err, t, &got, result);
    }
}

static void value_case(struct fixture *f, const char *line)
{
    static uint8_t type_bytes[LINE_MAX], value_bytes[LINE_MAX];
    char text[LINE_MAX];
    struct hf_arena arena;
    hf_arena_init(&arena, 4096, SIZE_MAX);
    need(line, "enc", text);
    f->g->rt.enc = encoding(text);
    need(line, "type", text);
    struct cursor c = {type_bytes, unhex(text, type_bytes)};
    const struct hf_type *t = take_type(&c, &f->w);
    assert_int_equal(c.len, 0);
    need(line, "value", text);
    c = (struct cursor){value_bytes, unhex(text, value_bytes)};
    struct hf_value v = take_value(&c, &arena, t);
    assert_int_equal(c.len, 0);

    canon_guest_clear(f->g);
    value_in_memory(f, line, t, &v);
    canon_guest_clear(f->g);
    value_flat(f, line, t, &v);
    f->values++;
    hf_arena_done(&arena);
}

static void string_case(struct fixture *f, const char *line)
{
    static uint8_t bytes[LINE_MAX];
    char text[LINE_MAX];
    struct canon_guest *src = &f->w.guests[2];
    struct hf_value v;
    uint32_t ptr, units, want_ptr, want_units;

    canon_guest_clear(f->g);
    canon_guest_clear(src);
    need(line, "src", text);
    src->rt.enc = encoding(text);
    need(line, "dst", text);
    f->g->rt.enc = encoding(text);
    need(line, "bytes", text);
    memcpy(canon_mem(src, NULL) + AT, bytes, unhex(text, bytes));
    need(line, "units", text);

    struct hf_canon_cx in = canon_cx(src, false), out = canon_cx(f->g, false);
    if (hf_lift_string(&in, AT, (uint32_t)strtoul(text, NULL, 10), &v) != HF_OK ||
        hf_lower_string(&out, &v, &ptr, &units) != HF_OK)
        fail_msg("%s: %s", canon_trap_text(&f->w), line);
    need(line, "out", text);
    assert_int_equal(sscanf(text, "%u.%u", &want_ptr, &want_units), 2);
    assert_int_equal(ptr, want_ptr);
    assert_int_equal(units, want_units);
    need(line, "reallocs", text);
    assert_string_equal(canon_log_text(f->g), text);
    need(line, "mem", text);
    check_memory(f, line, text, AT);
    f->strings++;
}

static void as_the_executable_specification(void **state)
{
    (void)state;
    static struct fixture f;
    static char line[LINE_MAX];
    FILE *file = fopen(VECTORS, "r");
    if (file == NULL)
        fail_msg("%s: run this in the top folder", VECTORS);
    canon_world_open(&f.w);
    f.g = &f.w.guests[0];
    f.w.inst.arena.max = 128u << 20; /* a damaged length may make a large list */
    line[0] = ' ';                   /* every field starts behind a space */
    while (fgets(line + 1, sizeof line - 1, file) != NULL) {
        assert_non_null(strchr(line, '\n'));
        if (strstr(line, " kind=value ") != NULL)
            value_case(&f, line);
        else
            string_case(&f, line);
        hf_arena_reset(&f.w.inst.arena);
    }
    fclose(file);
    print_message("%u values, %u liftings of damaged ones (%u traps), %u strings\n", f.values,
                  f.muts, f.traps, f.strings);
    assert_true(f.values >= 400 && f.strings >= 250 && f.muts >= 2000 && f.traps >= 500);
    free(f.saved.ptr);
    canon_world_close(&f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_executable_specification)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
