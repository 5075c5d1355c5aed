/* image_file_test.c - an instance saved and made again, here and in another process, is the same in
 * all that can be seen; and no other bytes than those that were saved are taken for an image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "support_world.h"
#include "tests/state.h"

/* A child component with a resource of its own and a memory whose segment lies where only the other
 * one's start made room; the root has things of the host, globals of every type and a memory that
 * grows. Its stack pointer ($sp) is what an adapter's is: mutable, exported by nobody. */
static const char state_wat[] =
    "(component " WORLD_IT WORLD_LIBC WORLD_HOST " (component $Child"
    "  (core module $D (memory (export \"memory\") 1) (func (export \"id\") (param i32) (result "
    "i32)"
    "   (i32.store (local.get 0) (local.get 0)) (local.get 0)))"
    "  (core instance $d (instantiate $D)) (type $r' (resource (rep i32)))"
    "  (core func $new (canon resource.new $r'))"
    "  (core module $M (import \"\" \"new\" (func $new (param i32) (result i32)))"
    "   (import \"\" \"id\" (func $id (param i32) (result i32)))"
    "   (func (export \"new\") (param i32) (result i32) (call $new (call $id (local.get 0)))))"
    "  (core instance $m (instantiate $M (with \"\" (instance (export \"new\" (func $new))"
    "   (export \"id\" (func $d \"id\"))))))"
    "  (export $r \"r\" (type $r'))"
    "  (func (export \"make\") (param \"v\" u32) (result (own $r)) (canon lift (core func $m "
    "\"new\"))))"
    " (instance $c (instantiate $Child)) (alias export $c \"r\" (type $rc))"
    " (core func $make-r (canon lower (func $c \"make\"))) (core func $drop-r (canon resource.drop "
    "$rc))"
    " (core module $A (memory (export \"own\") 1 9) (global $sp (mut i32) (i32.const 4096))"
    "  (func $s (drop (memory.grow (i32.const 2))) (global.set $sp (i32.const 3000))) (start $s))"
    " (core instance $a (instantiate $A))"
    " (core module $B (import \"a\" \"own\" (memory 1)) (data (i32.const 131072) \"grown first\"))"
    " (core instance $b (instantiate $B (with \"a\" (instance $a))))"
    " (core module $M " WORLD_IMPORTS "(import \"a\" \"own\" (memory $own 1))"
    " (import \"r\" \"make\" (func $make-r (param i32) (result i32)))"
    " (import \"r\" \"drop\" (func $drop-r (param i32)))"
    "(global $n (mut i32) (i32.const 11)) (global $wide (mut i64) (i64.const -1))"
    "(global $real (mut f64) (f64.const 0.5)) (global $half (mut f32) (f32.const 1.5))"
    "(global $vec (mut v128) (v128.const i32x4 1 2 3 4))"
    "(func $s (drop (call $new (i32.const 1))) (drop (call $new (i32.const 2)))"
    " (drop (call $make-r (i32.const 64))) (drop (call $new (i32.const 4))) (call $drop (i32.const "
    "2))"
    " (i32.store (i32.const 4096) (i32.const 77)) (global.set $n (i32.const 12))) (start $s)"
    "(func (export \"write\") (param i32 i32) (result i32) (i32.store (local.get 0) (local.get 1))"
    " (global.set $n (i32.add (global.get $n) (i32.const 1)))"
    " (global.set $vec (i32x4.splat (local.get 1))) (global.set $real (f64.const -0.0)) (i32.const "
    "0))"
    "(func (export \"read\") (param i32) (result i32) (i32.load (local.get 0)))"
    "(func (export \"n\") (result i32) (global.get $n))"
    "(func (export \"lane\") (param i32) (result i32) (i32x4.extract_lane 3 (global.get $vec)))"
    "(func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "(func (export \"new\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"give\") (param i32) (result i32) (call $new (local.get 0)))"
    "(func (export \"make-r\") (param i32) (result i32) (call $make-r (local.get 0)))"
    "(func (export \"get\") (param i32) (result i32) (call $get (local.get 0)))"
    "(func (export \"drop\") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 0))"
    "(func (export \"drop-r\") (param i32) (result i32) (call $drop-r (local.get 0)) (i32.const 0))"
    "(func (export \"wait\") (param i32) (result i32) (call $block (local.get 0)) (i32.const 0))"
    "(func (export \"trap\") (result i32) unreachable))"
    "(core instance $m (instantiate $M (with \"host\" (instance $host)) (with \"a\" (instance $a))"
    " (with \"r\" (instance (export \"make\" (func $make-r)) (export \"drop\" (func "
    "$drop-r))))))" WORLD_LIFT("write", "(param \"a\" u32) (param \"b\" u32) (result u32)")
        WORLD_LIFT("read", WORLD_U32_U32) WORLD_LIFT("n", WORLD_U32)
            WORLD_LIFT("lane", WORLD_U32_U32) WORLD_LIFT("grow", WORLD_U32_U32)
                WORLD_LIFT("new", WORLD_U32_U32)
                    WORLD_LIFT("give", "(param \"v\" u32) (result (own $thing))")
                        WORLD_LIFT("make-r", WORLD_U32_U32) WORLD_LIFT("get", WORLD_U32_U32)
                            WORLD_LIFT("drop", WORLD_U32_U32) WORLD_LIFT("drop-r", WORLD_U32_U32)
                                WORLD_LIFT("wait", WORLD_U32_U32) WORLD_LIFT("trap", WORLD_U32) ")";

struct fixture {
    struct world w;
    struct hf_component *c;
    struct hf_instance *inst;
    struct hf_buf bytes;
};

static void open_fixture(struct fixture *fx)
{
    *fx = (struct fixture){0};
    world_open(&fx->w);
    fx->c = world_load(&fx->w, state_wat);
    fx->inst = world_start(&fx->w, fx->c);
}

static void close_fixture(struct fixture *fx)
{
    hf_instance_free(fx->inst);
    hf_component_unref(fx->c);
    hf_buf_done(&fx->bytes);
    world_close(&fx->w);
}

/* Calls that leave something everywhere: after the start handles 1 (thing 1), 3 (r 64), 4 (thing 4)
 * are live and 2 is free. */
static void serve(struct fixture *fx)
{
    struct world *w = &fx->w;
    world_u32(w, fx->inst, "write", 70000, 0xdeadbeef);
    world_u32(w, fx->inst, "write", 4096, 0); /* the start's 77 */
    assert_int_equal(world_u32(w, fx->inst, "new", 20, 0), 2);
    assert_int_equal(world_u32(w, fx->inst, "new", 21, 0), 5);
    assert_int_equal(world_u32(w, fx->inst, "make-r", 128, 0), 6);
    assert_int_equal(world_u32(w, fx->inst, "new", 22, 0), 7);
    world_u32(w, fx->inst, "drop", 2, 0);
    world_u32(w, fx->inst, "drop-r", 3, 0);
    world_u32(w, fx->inst, "drop", 5, 0);                      /* free list: 5, 3, 2 */
    assert_int_equal(world_u32(w, fx->inst, "new", 23, 0), 5); /* younger than 7 */
    assert_int_equal(world_u32(w, fx->inst, "grow", 4, 0), 3);
    world_u32(w, fx->inst, "write", 6 * 65536, 99); /* where it has grown */
}

/* What an instance answers from here on, as text. */
static void ask(struct world *w, struct hf_instance *inst, struct hf_buf *ret)
{
    static const struct {
        const char *name;
        uint32_t a, b;
    } calls[] = {
        {"n", 0, 0},         {"lane", 0, 0},      {"read", 70000, 0}, {"read", 4096, 0},
        {"read", 131072, 0}, {"read", 393216, 0}, {"get", 1, 0},      {"get", 4, 0},
        {"get", 7, 0},       {"new", 30, 0},      {"new", 31, 0},     {"make-r", 256, 0},
        {"new", 32, 0},      {"drop", 5, 0},      {"drop-r", 6, 0},   {"new", 33, 0},
        {"get", 6, 0},       {"write", 8, 4},     {"n", 0, 0},        {"grow", 1, 0},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(calls); i++)
        assert_int_equal(hf_buf_printf(ret, "%s %u\n", calls[i].name,
                                       world_u32(w, inst, calls[i].name, calls[i].a, calls[i].b)),
                         HF_OK);
}

static void save(struct fixture *fx)
{
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    struct hf_scanner *scanner = NULL;
    enum hf_err err = hf_scanner_new(&scanner, &report);
    assert_true(err == HF_OK || err == HF_UNSUPPORTED); /* without: every page is read */
    report = (struct hf_report){0};
    if (hf_image_take_written(fx->inst, scanner, &img, &report) != HF_OK ||
        hf_image_save_buf(img, &fx->bytes, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_image_unref(img);
    hf_scanner_free(scanner);
}

static struct hf_instance *load(struct world *w, struct hf_component *c, struct hf_view bytes)
{
    struct hf_image *img = NULL;
    struct hf_instance *inst = NULL;
    struct hf_report report = {0};
    struct hf_instance_settings s = {.ctx = w};
    if (hf_image_parse(c, bytes, &img, &report) != HF_OK ||
        hf_image_load(img, &s, &inst, &report) != HF_OK)
        fail_msg("%s", report.text);
    hf_image_unref(img);
    return inst;
}

static enum hf_err parse(struct fixture *fx, struct hf_view bytes, struct hf_report *report)
{
    struct hf_image *img = NULL;
    *report = (struct hf_report){0};
    enum hf_err err = hf_image_parse(fx->c, bytes, &img, report);
    assert_true((err == HF_OK) == (img != NULL));
    hf_image_unref(img);
    return err;
}

/* ---- it is the same ---- */

static void a_loaded_instance_equals_the_saved_one(void **state)
{
    struct fixture fx;
    (void)state;
    open_fixture(&fx);
    for (int served = 0; served < 2; served++) {
        if (served)
            serve(&fx);
        hf_buf_clear(&fx.bytes);
        save(&fx);
        fx.w.log[0] = '\0';
        struct hf_instance *again = load(&fx.w, fx.c, hf_buf_view(&fx.bytes));
        /* No start function ran: the objects were made by their recipes, in their order. */
        assert_string_equal(fx.w.log, served ? "new 1;new 4;new 22;new 23;" : "new 1;new 4;");
        assert_string_equal(state_differs_from(fx.inst, again), "");
        if (served) { /* and goes on the same: handle numbers, free list, memory, globals */
            struct hf_buf a = {0}, b = {0};
            ask(&fx.w, fx.inst, &a);
            ask(&fx.w, again, &b);
            assert_string_equal((char *)a.ptr, (char *)b.ptr);
            assert_non_null(strstr((char *)a.ptr, "new 3\nnew 2\nmake-r 8\nnew 9\n"));
            assert_non_null(strstr((char *)a.ptr, "read 3735928559\nread 0\n"));
            assert_string_equal(state_differs_from(fx.inst, again), "");
            hf_buf_done(&a);
            hf_buf_done(&b);
        }
        hf_instance_free(again);
    }
    close_fixture(&fx);
}

/* The same bytes come from an image of the whole, of written pages, and of one that was read. */
static void every_way_gives_the_same_bytes(void **state)
{
    struct fixture fx;
    struct hf_image *img = NULL, *read = NULL;
    struct hf_buf again = {0}, twice = {0};
    struct hf_report report = {0};
    (void)state;
    open_fixture(&fx);
    serve(&fx);
    save(&fx);
    assert_int_equal(hf_image_parse(fx.c, hf_buf_view(&fx.bytes), &read, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(read, &again, &report), HF_OK);
    assert_true(hf_view_eq(hf_buf_view(&fx.bytes), hf_buf_view(&again)));
    assert_int_equal(hf_image_take(fx.inst, &img, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(img, &twice, &report), HF_OK);
    assert_true(hf_view_eq(hf_buf_view(&fx.bytes), hf_buf_view(&twice)));
    hf_image_unref(read);
    hf_image_unref(img);
    hf_buf_done(&again);
    hf_buf_done(&twice);
    close_fixture(&fx);
}

/* Images of the whole make instances, too, and those are reset like any other. */
static void a_loaded_instance_is_reset_like_any(void **state)
{
    struct fixture fx;
    struct hf_image *img = NULL;
    struct hf_instance *again = NULL;
    struct hf_report report = {0};
    struct hf_scanner *scanner;
    const char *why = NULL;
    (void)state;
    open_fixture(&fx);
    if (hf_scanner_new(&scanner, &report) != HF_OK) {
        print_message("SKIP: a_loaded_instance_is_reset_like_any: %s\n", report.text);
        close_fixture(&fx);
        skip();
    }
    struct hf_instance_settings s = {.ctx = &fx.w};
    assert_int_equal(hf_image_take(fx.inst, &img, &report), HF_OK);
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_OK);
    for (int round = 0; round < 5; round++) {
        world_u32(&fx.w, again, "write", 70000 + 4096u * (uint32_t)round, 5);
        assert_int_equal(world_u32(&fx.w, again, "new", 9, 0), 2);
        if (hf_instance_reset(again, img, scanner, 0, NULL, &why) != HF_OK)
            fail_msg("%s", why);
        assert_string_equal(state_differs_from_image(again, img), "");
    }
    hf_instance_free(again);
    hf_image_unref(img);
    hf_scanner_free(scanner);
    close_fixture(&fx);
}

/* ---- in another process ---- */

static const char *program; /* argv[0] */

/* "image_file_test load": an image on stdin, what the instance answers on stdout. */
static int child(void)
{
    struct world w;
    struct hf_buf bytes = {0}, text = {0};
    uint8_t chunk[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
        if (hf_buf_add(&bytes, chunk, (size_t)n) != HF_OK)
            return 2;
    world_open(&w);
    struct hf_component *c = world_load(&w, state_wat);
    struct hf_instance *inst = load(&w, c, hf_buf_view(&bytes));
    ask(&w, inst, &text);
    hf_instance_free(inst);
    hf_component_unref(c);
    world_close(&w);
    n = write(STDOUT_FILENO, text.ptr, text.len);
    bool all = n == (ssize_t)text.len;
    hf_buf_done(&bytes);
    hf_buf_done(&text);
    return all ? 0 : 3;
}

static void run_child(struct hf_view in, struct hf_buf *out)
{
    FILE *file = tmpfile();
    int back[2], status;
    char chunk[4096];
    ssize_t n;
    assert_non_null(file);
    assert_int_equal(fwrite(in.ptr, 1, in.len, file), in.len);
    rewind(file);
    assert_int_equal(pipe(back), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(file), STDIN_FILENO);
        dup2(back[1], STDOUT_FILENO);
        close(back[0]);
        close(back[1]);
        execl(program, program, "load", (char *)NULL);
        _exit(99);
    }
    close(back[1]);
    fclose(file);
    while ((n = read(back[0], chunk, sizeof chunk)) > 0)
        assert_int_equal(hf_buf_add(out, chunk, (size_t)n), HF_OK);
    close(back[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void another_process_answers_the_same(void **state)
{
    struct fixture fx;
    struct hf_buf here = {0}, there = {0};
    (void)state;
    open_fixture(&fx);
    serve(&fx);
    save(&fx);
    run_child(hf_buf_view(&fx.bytes), &there);
    ask(&fx.w, fx.inst, &here);
    assert_string_equal((char *)here.ptr, (char *)there.ptr);
    hf_buf_done(&here);
    hf_buf_done(&there);
    close_fixture(&fx);
}

/* ---- when there is none ---- */

static void refused(struct fixture *fx, enum hf_err want, const char *text)
{
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    assert_int_equal(hf_image_take_written(fx->inst, NULL, &img, &report), want);
    assert_non_null(strstr(report.text, text));
    report = (struct hf_report){0};
    assert_int_equal(hf_image_take(fx->inst, &img, &report), want);
    assert_non_null(strstr(report.text, text));
    assert_null(img);
}

static void an_image_is_refused_with_the_reason(void **state)
{
    struct fixture fx;
    const struct hf_value n = hf_value_u64(1);
    (void)state;
    open_fixture(&fx);
    assert_int_equal(hf_instance_call(fx.inst, world_export(fx.inst, "wait"), &n, 1), HF_OK);
    refused(&fx, HF_INVALID, "a call is in flight");
    assert_int_equal(hf_instance_poll(fx.inst), HF_AGAIN);
    refused(&fx, HF_INVALID, "a call is in flight"); /* suspended */
    assert_int_equal(hf_instance_poll(fx.inst), HF_OK);
    world_traps(&fx.w, fx.inst, "trap", "unreachable");
    refused(&fx, HF_INVALID, "it is dead");
    hf_instance_free(fx.inst);
    fx.inst = world_new(&fx.w, fx.c);
    refused(&fx, HF_INVALID, "it has not been started");
    assert_int_equal(hf_instance_start(fx.inst), HF_OK);
    refused(&fx, HF_INVALID, "it is still starting");
    hf_instance_free(fx.inst);
    hf_component_unref(fx.c);
    static const char gated[] = "(component (core module $M (table 1 funcref) (func (export \"f\") "
                                "(table.set (i32.const 0) (ref.null func))))"
                                " (core instance $m (instantiate $M)) (func (export \"f\") (canon "
                                "lift (core func $m \"f\"))))";
    fx.c = world_load(&fx.w, gated);
    fx.inst = world_start(&fx.w, fx.c);
    refused(&fx, HF_UNSUPPORTED, "table.set");
    struct hf_report report;
    assert_int_equal(parse(&fx, HF_VIEW("HFIMAGE1"), &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "table.set"));
    close_fixture(&fx);
}

static void host_objects_that_cannot_be_made_again_are_named(void **state)
{
    struct fixture fx;
    struct hf_image *img = NULL;
    struct hf_instance *again = NULL;
    struct hf_report report = {0};
    (void)state;
    open_fixture(&fx);
    struct hf_instance_settings s = {.ctx = &fx.w};
    world_u32(&fx.w, fx.inst, "new", 13, 0);
    assert_int_equal(hf_image_take(fx.inst, &img, &report), HF_OK); /* for resets it is good */
    assert_false(hf_image_portable(img, &report));
    assert_int_equal(hf_image_save_buf(img, &fx.bytes, &report), HF_UNSUPPORTED);
    assert_string_equal(report.text, "it keeps a thing 13");
    assert_int_equal(fx.bytes.len, 0);
    report = (struct hf_report){0};
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_UNSUPPORTED);
    assert_string_equal(report.text, "it keeps a thing 13");
    hf_image_unref(img);
    world_u32(&fx.w, fx.inst, "drop", 2, 0);
    /* One whose recipe does not work any more: those made before it go again. */
    world_u32(&fx.w, fx.inst, "new", 14, 0);
    save(&fx);
    report = (struct hf_report){0};
    unsigned live = fx.w.live;
    assert_int_equal(hf_image_parse(fx.c, hf_buf_view(&fx.bytes), &img, &report), HF_OK);
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "handle 2, a thing: no thing 14 any more"));
    assert_int_equal(fx.w.live, live);
    hf_image_unref(img);
    close_fixture(&fx);
}

/* The last result is not part of an image, nor touched by taking one. */
static void a_result_is_outside(void **state)
{
    struct fixture fx;
    const struct hf_value v = hf_value_u64(50);
    (void)state;
    open_fixture(&fx);
    assert_int_equal(world_call(&fx.w, fx.inst, "give", &v, 1), HF_OK);
    fx.w.log[0] = '\0';
    save(&fx);
    assert_string_equal(fx.w.log, "");
    assert_non_null(hf_instance_result(fx.inst));
    struct hf_instance *again = load(&fx.w, fx.c, hf_buf_view(&fx.bytes));
    assert_null(hf_instance_result(again));
    assert_int_equal(hf_instance_handles(again), hf_instance_handles(fx.inst));
    hf_instance_free(again);
    close_fixture(&fx);
}

static void limits_must_hold_what_is_in_it(void **state)
{
    struct fixture fx;
    struct hf_image *img = NULL;
    struct hf_instance *again = NULL;
    struct hf_report report = {0};
    (void)state;
    open_fixture(&fx);
    serve(&fx);
    save(&fx);
    assert_int_equal(hf_image_parse(fx.c, hf_buf_view(&fx.bytes), &img, &report), HF_OK);
    struct hf_instance_settings s = {.ctx = &fx.w, .memory_max = 6 * 65536};
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "bytes: more than it may have here"));
    report = (struct hf_report){0};
    s = (struct hf_instance_settings){.ctx = &fx.w, .handles_max = 6};
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "has 7 entries, handles_max is 6"));
    report = (struct hf_report){0};
    s = (struct hf_instance_settings){
        .ctx = &fx.w, .memory_max = 8 * 65536, .handles_max = 7, .slice_ticks = 3};
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_OK);
    assert_int_equal(again->settings.slice_ticks, 3);
    /* Five of seven live, the free ones are taken first. */
    for (uint32_t i = 0; i < 2; i++)
        world_u32(&fx.w, again, "new", 40, 0);
    world_traps(&fx.w, again, "new", "7");
    hf_instance_free(again);
    hf_image_unref(img);
    close_fixture(&fx);
}

/* ---- other bytes ---- */

static void every_wrong_byte_is_noticed(void **state)
{
    struct fixture fx;
    struct hf_report report;
    (void)state;
    open_fixture(&fx);
    serve(&fx);
    save(&fx);
    assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), HF_OK);
    for (size_t i = 0; i < fx.bytes.len; i++) {
        uint8_t was = fx.bytes.ptr[i];
        fx.bytes.ptr[i] ^= (uint8_t)(1u << i % 8);
        if (parse(&fx, hf_buf_view(&fx.bytes), &report) != HF_CORRUPT ||
            strstr(report.text, "byte") == NULL)
            fail_msg("byte %zu of %zu: %s: %s", i, fx.bytes.len, hf_err_text(report.err),
                     report.text);
        fx.bytes.ptr[i] = was;
    }
    for (size_t len = 0; len < fx.bytes.len; len += len < 1000 ? 1 : 97)
        assert_int_equal(parse(&fx, hf_view(fx.bytes.ptr, len), &report), HF_CORRUPT);
    assert_int_equal(hf_buf_add_byte(&fx.bytes, 0), HF_OK);
    assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), HF_CORRUPT);
    close_fixture(&fx);
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#define HEAD 208u /* image_file.c */
enum { AT_VERSION = 8, AT_HASH = 24, AT_ENGINE = 88, AT_PAGE = 152, AT_STATE_LEN = 192 };

static void mend_head(struct fixture *fx)
{
    put_u32(fx->bytes.ptr + HEAD - 4, hf_crc32c(0, fx->bytes.ptr, HEAD - 4));
}

static void another_owner_is_told_apart(void **state)
{
    struct fixture fx;
    struct hf_report report;
    (void)state;
    open_fixture(&fx);
    save(&fx);
    struct {
        size_t at;
        enum hf_err err;
        const char *text;
    } cases[] = {
        {AT_HASH, HF_INVALID, "the image is of another component"},
        {AT_HASH + 32, HF_INVALID, "numbers memories"},
        {AT_ENGINE, HF_INVALID, "made with another engine"},
        {AT_PAGE, HF_INVALID, "with pages of"},
        {AT_VERSION, HF_UNSUPPORTED, "of version 0, this Holdfast reads version 1"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        fx.bytes.ptr[cases[i].at] ^= 1;
        mend_head(&fx);
        assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), cases[i].err);
        assert_non_null(strstr(report.text, cases[i].text));
        fx.bytes.ptr[cases[i].at] ^= 1;
    }
    mend_head(&fx);
    assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), HF_OK);
    /* In earnest: another component. */
    struct hf_component *mine = fx.c;
    fx.c = world_load(&fx.w, "(component)");
    assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), HF_INVALID);
    hf_component_unref(fx.c);
    fx.c = mine;
    close_fixture(&fx);
}

/* What the checksums guard is checked as if they were not there. */
static void lies_with_right_checksums(void **state)
{
    struct fixture fx;
    struct hf_report report;
    (void)state;
    open_fixture(&fx);
    serve(&fx);
    save(&fx);
    uint8_t *state_at = fx.bytes.ptr + HEAD;
    uint32_t len = get_u32(fx.bytes.ptr + AT_STATE_LEN);
    uint8_t *keep = malloc(fx.bytes.len);
    assert_non_null(keep);
    memcpy(keep, fx.bytes.ptr, fx.bytes.len);
    /* Every byte of the state in turn, to several values: taken (a global, a rep, a serial) or
     * refused, never more than that; what is taken makes an instance or is refused by it. */
    unsigned taken = 0, not_taken = 0;
    static const uint8_t values[] = {0, 1, 2, 3, 7, 0x7f, 0x80, 0xff};
    for (uint32_t i = 0; i + 4 < len; i++)
        for (size_t v = 0; v < HF_ARRAY_LEN(values); v++) {
            struct hf_image *img = NULL;
            struct hf_instance *again = NULL;
            struct hf_instance_settings s = {.ctx = &fx.w};
            state_at[i] = values[v];
            put_u32(state_at + len - 4, hf_crc32c(0, state_at, len - 4));
            report = (struct hf_report){0};
            if (hf_image_parse(fx.c, hf_buf_view(&fx.bytes), &img, &report) == HF_OK &&
                hf_image_load(img, &s, &again, &report) == HF_OK)
                taken++;
            else
                not_taken++;
            fx.w.log[0] = '\0';
            hf_instance_free(again);
            hf_image_unref(img);
            state_at[i] = keep[HEAD + i];
        }
    assert_true(taken > 100 && not_taken > 100);
    put_u32(state_at + len - 4, hf_crc32c(0, state_at, len - 4));
    assert_memory_equal(keep, fx.bytes.ptr, fx.bytes.len);
    /* Runs of pages that overlap or lie outside: the first memory that has one. */
    uint8_t *at = state_at + len;
    while (get_u32(at + 8) == 0)
        at += 16;
    static const uint32_t wrong[][2] = {{1000000, 1}, {0, 1000000}, {0, 0}, {0xffffffff, 2}};
    for (size_t i = 0; i < HF_ARRAY_LEN(wrong); i++) {
        uint32_t n = get_u32(at + 8), first = get_u32(at + 12), count = get_u32(at + 16);
        put_u32(at + 12, wrong[i][0]);
        put_u32(at + 16, wrong[i][1]);
        put_u32(at + 12 + 12 * n, hf_crc32c(0, at, 12 + 12 * n));
        assert_int_equal(parse(&fx, hf_buf_view(&fx.bytes), &report), HF_CORRUPT);
        assert_non_null(strstr(report.text, "a run of pages"));
        put_u32(at + 12, first);
        put_u32(at + 16, count);
    }
    free(keep);
    close_fixture(&fx);
}

/* What an instance may pass at once is part of it, and what whoever loads it says goes before. */
static void limits_of_lists_and_strings_are_kept(void **state)
{
    struct fixture fx;
    struct hf_instance *small = NULL, *again = NULL;
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    (void)state;
    open_fixture(&fx);
    struct hf_instance_settings s = {.ctx = &fx.w, .list_bytes_max = 77, .string_bytes_max = 99};
    assert_int_equal(hf_instance_new(fx.c, &s, &small, &report), HF_OK);
    assert_int_equal(hf_instance_start(small), HF_OK);
    assert_int_equal(world_run(&fx.w, small), HF_OK);
    assert_int_equal(hf_image_take(small, &img, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(img, &fx.bytes, &report), HF_OK);
    hf_image_unref(img);
    again = load(&fx.w, fx.c, hf_buf_view(&fx.bytes));
    assert_int_equal(again->settings.list_bytes_max, 77);
    assert_int_equal(again->settings.string_bytes_max, 99);
    assert_string_equal(state_differs_from(small, again), "");
    hf_instance_free(again);
    assert_int_equal(hf_image_parse(fx.c, hf_buf_view(&fx.bytes), &img, &report), HF_OK);
    s = (struct hf_instance_settings){.ctx = &fx.w, .list_bytes_max = 5};
    assert_int_equal(hf_image_load(img, &s, &again, &report), HF_OK);
    assert_int_equal(again->settings.list_bytes_max, 5);
    assert_int_equal(again->settings.string_bytes_max, 99);
    hf_instance_free(again);
    hf_image_unref(img);
    hf_instance_free(small);
    close_fixture(&fx);
}

/* ---- the format ---- */

/* Two pages: one written, one zeroed by the start; a thing and a free handle. */
static const char golden_wat[] = WORLD_COMPONENT(
    "(memory $own 1 1) (data (memory $own) (i32.const 8192) \"gone\") (global (mut i64) (i64.const "
    "258))"
    "(func $s (drop (call $new (i32.const 7))) (drop (call $new (i32.const 8))) (call $drop "
    "(i32.const 1))"
    " (i32.store8 $own (i32.const 4100) (i32.const 0x55)) (i32.store $own (i32.const 8192) "
    "(i32.const 0))) (start $s)",
    "");

/* What version 1 is, byte for byte, but for what depends on tools and machine: hash of the
 * component, fingerprint of the engine, CRC of the head. */
static void add_hex(struct hf_buf *text, const uint8_t *p, size_t len)
{
    char hex[65];
    for (; len > 0; p += 32, len -= len < 32 ? len : 32) {
        hf_hex(p, len < 32 ? len : 32, hex);
        assert_int_equal(hf_buf_printf(text, "%s\n", hex), HF_OK);
    }
}

static void the_format_stands(void **state)
{
    static const char golden[] =
        /* magic, version, bytes of head and file; layout */
        "4846494d4147453101000000d00000006d11000000000000\n"
        "de2f84c085db8f23e5d5de0320f06e10d9a22019ce3baacea496857335607747\n"
        /* page, memories, globals, instances; limits; the state's length */
        "0010000002000000020000000100000000000000000000000000000800000000\n"
        "0000000000000000650000000000000000000000\n"
        /* one name, two globals, a table of three (1 is free), the CRC */
        "010000001400746573743a686f73742f69744031237468696e67000400000000\n"
        "0000000000000000000002010000000000000000000000000000030300000001\n"
        "0000000100000002000000000000000002000000000200000004000000080000\n"
        "00321549ca\n"
        /* a memory without runs; one with page 1 and with page 2, which is zero */
        "000001000000000000000000f8ce36e000000100000000000200000001000000\n"
        "01000000b0ee6d6f0200000001000080000000009b4474cc\n";
    struct world w;
    struct hf_buf bytes = {0}, text = {0};
    struct hf_image *img = NULL;
    struct hf_report report = {0};
    (void)state;
    world_open(&w);
    struct hf_component *c = world_load(&w, golden_wat);
    struct hf_instance *inst = world_start(&w, c);
    assert_int_equal(hf_image_take(inst, &img, &report), HF_OK);
    assert_int_equal(hf_image_save_buf(img, &bytes, &report), HF_OK);
    size_t len = get_u32(bytes.ptr + AT_STATE_LEN);
    add_hex(&text, bytes.ptr, 24);
    add_hex(&text, bytes.ptr + AT_HASH + 32, 32);
    add_hex(&text, bytes.ptr + AT_PAGE, HEAD - 4 - AT_PAGE);
    add_hex(&text, bytes.ptr + HEAD, len);
    add_hex(&text, bytes.ptr + HEAD + len, 16 + 12 + 24 + 4);
    assert_string_equal((char *)text.ptr, golden);
    /* The bytes of the one page that was written end the file. */
    assert_int_equal(bytes.len, HEAD + len + 16 + 12 + 24 + 4 + 4096);
    const uint8_t *page = bytes.ptr + bytes.len - 4096;
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(page[i], i == 4 ? 0x55 : 0);
    hf_image_unref(img);
    hf_instance_free(inst);
    hf_component_unref(c);
    hf_buf_done(&bytes);
    hf_buf_done(&text);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_instance_equals_the_saved_one),
        cmocka_unit_test(every_way_gives_the_same_bytes),
        cmocka_unit_test(a_loaded_instance_is_reset_like_any),
        cmocka_unit_test(another_process_answers_the_same),
        cmocka_unit_test(an_image_is_refused_with_the_reason),
        cmocka_unit_test(host_objects_that_cannot_be_made_again_are_named),
        cmocka_unit_test(a_result_is_outside),
        cmocka_unit_test(limits_must_hold_what_is_in_it),
        cmocka_unit_test(every_wrong_byte_is_noticed),
        cmocka_unit_test(another_owner_is_told_apart),
        cmocka_unit_test(lies_with_right_checksums),
        cmocka_unit_test(limits_of_lists_and_strings_are_kept),
        cmocka_unit_test(the_format_stands),
    };
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "load") == 0)
        return child();
    return cmocka_run_group_tests_name("image_file", tests, NULL, NULL);
}
