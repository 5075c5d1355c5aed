/* load_test.c - loading: what a file is told that it is, what is compiled when, what is remembered. (link_test.c: what a tree of
 * components becomes.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "component/program.h"
#include "support_link.h"

static int setup(void **state)
{
    struct link_world *w = malloc(sizeof *w);
    link_open(w);
    link_bind_all(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    link_close(*state);
    free(*state);
    return 0;
}

static void bad_files_are_told_what_they_are(void **state)
{
    struct link_world *w = *state;
    struct hf_component *c = NULL;
    link_expect(w, HF_INVALID,
                "this is a core module, not a component: make a component of it first", "(module)");
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0}, {"GIF89a", 6}, {"\0asm", 4}, {"\0asm\x0d\0\1\0\x07\x09", 10}};
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        hf_report_init(&w->report);
        assert_int_equal(hf_component_load(w->engine, w->reg, hf_view(bad[i].bytes, bad[i].len),
                                           NULL, &c, &w->report),
                         HF_INVALID);
        assert_true(w->report.len != 0);
    }
}

/* Two ways to need it: an ABI over such a memory, and a module that has one for itself. */
static void memory64_is_refused_by_name(void **state)
{
    struct link_world *w = *state;
    assert_int_not_equal(
        link_load(w, "(component (core module $M (memory (export \"m\") i64 1)"
                     " (func (export \"f\") (param i32 i32)))"
                     " (core instance $m (instantiate $M))"
                     " (func (export \"f\") (param \"l\" (list u8)) (canon lift (core func $m "
                     "\"f\") (memory $m \"m\") (realloc (func $m \"f\")))))"),
        HF_OK);
    assert_non_null(strstr(w->report.text, "64-bit memories"));
    link_expect(w, HF_UNSUPPORTED, "memory64",
                "(component (core module $M (memory i64 1)) (core instance (instantiate $M)))");
}

static void parse_only_compiles_nothing(void **state)
{
    struct link_world *w = *state;
    const struct hf_load_options opt = {.parse_only = true};
    static const char text[] =
        "(component (component $leaf (core module $m (func (export \"f\") (result i32) i32.const 7))"
        "   (core instance $i (instantiate $m))"
        "   (func $f (result u32) (canon lift (core func $i \"f\"))) (export \"f\" (func $f)))"
        " (instance $a (instantiate $leaf)) (export \"a\" (instance $a)))";
    assert_int_equal(link_load_with(w, text, &opt), HF_OK);
    assert_int_equal(link_program(w)->n_modules, 1);
    assert_null(link_program(w)->modules[0]);
    assert_non_null(hf_component_find(w->component, "a", "f"));
    struct hf_component *other = hf_component_ref(w->component);
    assert_ptr_equal(other, w->component);
    hf_component_unref(other);
    assert_ptr_equal(hf_component_engine(w->component), w->engine);
}

struct progress {
    uint64_t last, total;
    int calls;
};

static void note_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct progress *p = ctx;
    if (p->calls++ == 0)
        assert_int_equal(done, 0);
    else
        assert_true(done > p->last && total == p->total);
    p->last = done;
    p->total = total;
}

static void compiling_shows_progress(void **state)
{
    struct link_world *w = *state;
    struct progress p = {0};
    const struct hf_load_options opt = {.progress = note_progress, .progress_ctx = &p};
    assert_int_equal(
        link_load_with(w,
                       "(component (core module $a (func)) (core module $b) (core module $unused)"
                       " (core instance (instantiate $a)) (core instance (instantiate $b)))",
                       &opt),
        HF_OK);
    assert_int_equal(p.calls, 3);
    assert_int_equal(p.last, p.total);
    assert_int_equal(link_program(w)->n_modules, 2); /* only what is instantiated is compiled */
    struct progress none = {0};
    const struct hf_load_options opt2 = {.progress = note_progress, .progress_ctx = &none};
    assert_int_equal(link_load_with(w, "(component)", &opt2), HF_OK);
    assert_int_equal(none.calls, 0);
}

/* The second load asks neither the validator nor the compiler. */
static void verdicts_and_code_are_remembered(void **state)
{
    char dir[] = "/tmp/hf-link-XXXXXX";
    struct hf_engine_settings s;
    struct link_world w = {0};
    struct hf_buf verdict = {0};
    uint8_t hash[32];
    (void)state;
    assert_non_null(mkdtemp(dir));
    hf_engine_settings_init(&s);
    s.instances_max = 16;
    s.stacks_max = 4;
    s.cache_dir = dir;
    if (hf_engine_new(&s, &w.engine, &w.report) != HF_OK)
        fail_msg("%s", w.report.text);
    static const char text[] =
        "(component (core module $a (func (export \"f\"))) (core instance (instantiate $a)))";
    for (int round = 0; round < 2; round++) {
        struct progress p = {0};
        const struct hf_load_options opt = {.progress = note_progress, .progress_ctx = &p};
        if (link_load_with(&w, text, &opt) != HF_OK)
            fail_msg("%s", w.report.text);
        assert_int_equal(p.calls, round == 0 ? 2 : 0);
    }
    memcpy(hash, hf_component_hash(w.component), sizeof hash);
    assert_int_equal(hf_cache_get(w.engine, "verdict", hash, &verdict), HF_OK);
    assert_true(hf_view_eq_text(hf_buf_view(&verdict), hf_engine_fingerprint(w.engine)));
    /* A verdict of another engine does not count: the file is validated again, and refused now. */
    struct hf_buf bad =
        link_wat("(component (component $c (import \"f\" (func))) (instance (instantiate $c)))");
    struct hf_component *c = NULL;
    hf_sha256(bad.ptr, bad.len, hash);
    assert_int_equal(hf_cache_put(w.engine, "verdict", hash, HF_VIEW("another engine"), NULL),
                     HF_OK);
    hf_report_init(&w.report);
    assert_int_equal(hf_component_load(w.engine, NULL, hf_buf_view(&bad), NULL, &c, &w.report),
                     HF_INVALID);
    assert_null(strstr(w.report.text, "lacks the argument")); /* the validator's words, not ours */
    /* With a verdict of this engine our own checks still stand. */
    assert_int_equal(hf_cache_put(w.engine, "verdict", hash, hf_buf_view(&verdict), NULL), HF_OK);
    hf_report_init(&w.report);
    assert_int_equal(hf_component_load(w.engine, NULL, hf_buf_view(&bad), NULL, &c, &w.report),
                     HF_INVALID);
    assert_non_null(strstr(w.report.text, "lacks the argument \"f\""));
    hf_buf_done(&bad);
    hf_buf_done(&verdict);
    link_close(&w);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bad_files_are_told_what_they_are),
        T(memory64_is_refused_by_name),
        T(parse_only_compiles_nothing),
        T(compiling_shows_progress),
        T(verdicts_and_code_are_remembered),
    };
    return cmocka_run_group_tests_name("component loading", tests, NULL, NULL);
}
