/* image_test.c - images of memories, and the reset in place: after it every byte is the image's, or
 * it says so. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

#define PAGE 4096u

/* 64 MiB: initial bytes in some pages, none in most; what is written comes from the test. */
static const char guest_text[] =
    "(module (memory (export \"m\") 1024 2048) (global $g (mut i32) (i32.const 5))"
    "  (data (i32.const 0) \"first page\") (data (i32.const 20000) \"another\")"
    "  (data (i32.const 600000) \"the last with bytes\")"
    "  (func (export \"peek\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
    "  (func (export \"poke\") (param i32) (result i32)"
    "    (i32.store8 (local.get 0) (i32.const 0xAA)) (i32.const 0))"
    "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "  (func (export \"count\") (param i32) (result i32)"
    "    (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))";

static struct hf_engine *on_demand;
static struct hf_scanner *scanner;

static void set_on_demand(struct hf_engine_settings *s)
{
    s->pooling = false;
}

static int set_up(void **state)
{
    (void)state;
    struct hf_report report = {0};
    hf_engine_process_init();
    engine = make_engine(NULL);
    on_demand = make_engine(set_on_demand);
    if (hf_scanner_new(&scanner, &report) == HF_OK)
        return 0;
    printf("SKIP: image_test: %s\n", report.text);
    return -1;
}

static int tear_down(void **state)
{
    (void)state;
    hf_scanner_free(scanner);
    hf_engine_free(engine);
    hf_engine_free(on_demand);
    return 0;
}

struct served {
    struct guest g;
    struct hf_memory mem;
    struct hf_memimage *img;
    uint8_t *base;
    size_t size;
};

/* An instance to serve, and the image taken from another that never will. */
static void served_new(struct served *s, struct hf_engine *e)
{
    struct guest template = {0};
    struct hf_memory mem;
    *s = (struct served){0};
    guest_new(&template, e, guest_text, NULL, 0);
    hf_core_memory(template.store, template.module, &template.core, 0, &mem);
    assert_int_equal(hf_memimage_take(scanner, template.store, &mem, true, &s->img), HF_OK);
    guest_done(&template);
    guest_new(&s->g, e, guest_text, NULL, 0);
    hf_core_memory(s->g.store, s->g.module, &s->g.core, 0, &s->mem);
    hf_memory_get(s->g.store, &s->mem, &s->base, &s->size);
}

static void served_done(struct served *s)
{
    guest_done(&s->g);
    hf_memimage_free(s->img);
}

static enum hf_err reset(struct served *s, uint64_t max, struct hf_reset_stats *stats)
{
    return hf_memory_reset(scanner, s->g.store, &s->mem, s->img, max, stats);
}

static void assert_equal_to_image(struct served *s)
{
    struct hf_view want = hf_memimage_bytes(s->img);
    hf_memory_get(s->g.store, &s->mem, &s->base, &s->size);
    assert_int_equal(s->size, want.len);
    assert_memory_equal(s->base, want.ptr, want.len);
}

static uint64_t seed = 1;
static uint32_t rnd(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- images ---- */

static void images_hold_the_bytes(void **state)
{
    (void)state;
    struct served s;
    served_new(&s, engine);
    struct hf_view b = hf_memimage_bytes(s.img);
    assert_int_equal(hf_memimage_size(s.img), 64 << 20);
    assert_int_equal(b.len, 64 << 20);
    assert_memory_equal(b.ptr, "first page", 10);
    assert_memory_equal(b.ptr + 20000, "another", 7);
    assert_int_equal(b.ptr[30000000], 0);
    served_done(&s);
    hf_memimage_free(NULL);
}

static void an_empty_memory_has_an_image(void **state)
{
    (void)state;
    struct guest g = {0};
    struct hf_memory mem;
    struct hf_memimage *img;
    guest_new(&g, engine, "(module (memory 0 1))", NULL, 0);
    hf_core_memory(g.store, g.module, &g.core, 0, &mem);
    assert_int_equal(hf_memimage_take(scanner, g.store, &mem, true, &img), HF_OK);
    assert_int_equal(hf_memimage_size(img), 0);
    assert_int_equal(hf_memory_reset(scanner, g.store, &mem, img, 0, NULL), HF_OK);
    hf_memimage_free(img);
    guest_done(&g);
}

/* ---- reset ---- */

static void only_written_pages_are_copied(void **state)
{
    (void)state;
    struct served s;
    struct hf_reset_stats stats = {0};
    served_new(&s, engine);
    assert_int_equal(reset(&s, 0, &stats), HF_OK);
    assert_int_equal(stats.pages_copied, 0);
    assert_int_equal(call_i32(&s.g, "poke", 5, NULL), HF_OK); /* initial bytes */
    assert_int_equal(call_i32(&s.g, "poke", 600000, NULL), HF_OK);
    assert_int_equal(call_i32(&s.g, "poke", 40000000, NULL), HF_OK); /* nothing there before */
    assert_int_equal(reset(&s, 0, &stats), HF_OK);
    assert_int_equal(stats.pages_copied, 3);
    for (uint32_t at = 0; at < 3; at++) {
        static const int32_t where[] = {5, 600000, 40000000};
        int32_t v;
        assert_int_equal(call_i32(&s.g, "peek", where[at], &v), HF_OK);
        assert_int_equal(v, hf_memimage_bytes(s.img).ptr[where[at]]);
    }
    assert_equal_to_image(&s);
    served_done(&s);
}

static void after_any_writes_every_byte_is_the_images(void **state)
{
    (void)state;
    struct hf_engine *engines[] = {engine, on_demand};
    for (size_t e = 0; e < HF_ARRAY_LEN(engines); e++) {
        struct served s;
        served_new(&s, engines[e]);
        for (int round = 0; round < 30; round++) {
            struct hf_reset_stats stats = {0};
            for (uint32_t n = rnd(200); n > 0; n--) {
                uint32_t at = rnd((64 << 20) - 300);
                memset(s.base + at, (int)rnd(256), 1 + rnd(300));
            }
            memset(s.base + rnd(700000), 0, rnd(70000)); /* zeroes over initial bytes */
            assert_int_equal(reset(&s, 0, &stats), HF_OK);
            assert_true(stats.pages_copied > 0);
            if (round % 10 ==
                9) /* comparing maps every page: after that the zero pages are seen, too */
                assert_equal_to_image(&s);
        }
        assert_equal_to_image(&s);
        served_done(&s);
    }
}

static void more_than_256_regions(void **state)
{
    (void)state;
    struct served s;
    struct hf_reset_stats stats = {0};
    served_new(&s, engine);
    for (size_t i = 0; i < 5000; i++)
        s.base[i * 3 * PAGE + i % PAGE] ^= 0x55; /* never two neighbours */
    assert_int_equal(reset(&s, 0, &stats), HF_OK);
    assert_true(stats.regions >= 5000);
    assert_int_equal(stats.pages_copied, 5000);
    assert_equal_to_image(&s);
    served_done(&s);
}

static void pages_that_were_only_read_are_not_copied(void **state)
{
    (void)state;
    struct served s;
    struct hf_reset_stats stats = {0};
    int32_t v;
    served_new(&s, on_demand);
    for (int32_t i = 0; i < 100; i++)
        assert_int_equal(call_i32(&s.g, "peek", 50000000 + i * (int32_t)PAGE, &v), HF_OK);
    assert_int_equal(call_i32(&s.g, "peek", 20001, &v), HF_OK);
    assert_int_equal(reset(&s, 0, &stats), HF_OK);
    assert_int_equal(stats.pages_copied, 0);
    assert_int_equal(stats.pages_zero, 100);
    served_done(&s);
}

/* A page of zeroes (PFNZERO) where the image has bytes must be copied. The guest cannot make one
 * there, but a memory that lost its pages (a pool slot put back wrongly) looks like this. */
static void a_zero_page_over_initial_bytes_is_put_right(void **state)
{
    (void)state;
    struct served s;
    served_new(&s, on_demand);
    uint8_t *page = s.base + 600000 / PAGE * PAGE;
    assert_ptr_equal(
        mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        page);
    assert_int_equal(*(volatile uint8_t *)page, 0); /* read: now it is the zero page */
    struct hf_reset_stats stats = {0};
    assert_int_equal(reset(&s, 0, &stats), HF_OK);
    assert_int_equal(stats.pages_copied, 1);
    assert_equal_to_image(&s);
    served_done(&s);
}

static void a_grown_memory_cannot_be_reset(void **state)
{
    (void)state;
    struct served s;
    int32_t v;
    served_new(&s, engine);
    assert_int_equal(call_i32(&s.g, "grow", 1, &v), HF_OK);
    assert_int_equal(v, 1024);
    assert_int_equal(reset(&s, 0, NULL), HF_LIMIT);
    served_done(&s);
}

static void too_many_written_pages_are_a_limit(void **state)
{
    (void)state;
    struct served s;
    served_new(&s, engine);
    for (size_t i = 0; i < 20; i++)
        s.base[i * 2 * PAGE] ^= 1;
    assert_int_equal(reset(&s, 19, NULL), HF_LIMIT);
    assert_int_equal(reset(&s, 20, NULL), HF_OK);
    assert_equal_to_image(&s);
    served_done(&s);
}

/* Two instances need not start the same way: what the image's wrote and this one never touched is put
 * back, too. */
static void pages_that_only_the_template_wrote_are_put_back(void **state)
{
    (void)state;
    struct hf_engine *engines[] = {engine, on_demand};
    for (size_t e = 0; e < HF_ARRAY_LEN(engines); e++) {
        struct guest template = {0};
        struct hf_memory mem;
        struct served s;
        struct hf_reset_stats stats = {0};
        served_new(&s, engines[e]);
        guest_new(&template, engines[e], guest_text, NULL, 0);
        assert_int_equal(call_i32(&template, "poke", 20000, NULL), HF_OK); /* initial bytes */
        assert_int_equal(call_i32(&template, "poke", 30000000, NULL), HF_OK);
        assert_int_equal(call_i32(&template, "poke", (64 << 20) - 1, NULL), HF_OK);
        hf_core_memory(template.store, template.module, &template.core, 0, &mem);
        uint8_t *base;
        size_t size;
        hf_memory_get(template.store, &mem, &base, &size);
        memset(base + 600000 / PAGE * PAGE, 0, PAGE); /* zeroes where the module has bytes */
        hf_memimage_free(s.img);
        assert_int_equal(hf_memimage_take(scanner, template.store, &mem, true, &s.img), HF_OK);
        guest_done(&template);
        s.base[5 * PAGE] = 1; /* its own: in the middle of the others */
        assert_int_equal(reset(&s, 4, NULL), HF_LIMIT); /* they count */
        assert_int_equal(reset(&s, 5, &stats), HF_OK);
        assert_true(stats.pages_copied >= 1);
        assert_equal_to_image(&s);
        served_done(&s);
    }
}

/* ---- images of written pages ---- */

static void written_pages_make_a_fresh_memory_equal(void **state)
{
    (void)state;
    struct hf_engine *engines[] = {engine, on_demand};
    for (size_t e = 0; e < 2 * HF_ARRAY_LEN(engines); e++) {
        struct served s;
        struct guest fresh = {0};
        struct hf_memory mem;
        struct hf_memimage *img, *again;
        bool scan = e < 2, zero;
        served_new(&s, engines[e % 2]);
        for (uint32_t n = 100; n > 0; n--)
            s.base[rnd(64 << 20)] = (uint8_t)rnd(256);
        memset(s.base + 600000 / PAGE * PAGE, 0, PAGE);
        assert_int_equal(
            hf_memimage_take(scan ? scanner : NULL, s.g.store, &s.mem, false, &img), HF_OK);
        assert_int_equal(hf_memimage_whole(img), !scan);
        size_t at = 0, n, pages = 0;
        assert_int_equal(hf_memimage_new(64 << 20, &again), HF_OK);
        for (; hf_memimage_next(img, &at, &n, &zero); at += n) {
            hf_memimage_put(again, at, n, zero ? NULL : hf_memimage_bytes(img).ptr + at * PAGE);
            pages += n;
        }
        assert_true(scan ? pages < 200 && pages > 50 : pages == (64 << 20) / PAGE);
        guest_new(&fresh, engines[e % 2], guest_text, NULL, 0);
        hf_core_memory(fresh.store, fresh.module, &fresh.core, 0, &mem);
        assert_int_equal(hf_memimage_apply(fresh.store, &mem, again), HF_OK);
        uint8_t *base;
        size_t size;
        hf_memory_get(fresh.store, &mem, &base, &size);
        assert_memory_equal(base, s.base, size);
        /* It knows too little to be reset to. */
        assert_int_equal(hf_memory_reset(scanner, fresh.store, &mem, again, 0, NULL), HF_UNKNOWN);
        hf_memimage_free(img);
        hf_memimage_free(again);
        guest_done(&fresh);
        served_done(&s);
    }
}

static void a_memory_is_grown_from_outside(void **state)
{
    (void)state;
    struct served s;
    struct hf_memimage *img;
    served_new(&s, engine);
    assert_int_equal(hf_memory_grow(s.g.store, &s.mem, 100), HF_OK); /* it has more */
    assert_int_equal(hf_memory_grow(s.g.store, &s.mem, (64 << 20) + 1), HF_LIMIT);
    assert_int_equal(hf_memory_grow(s.g.store, &s.mem, UINT64_C(1) << 40), HF_LIMIT);
    assert_int_equal(hf_memimage_new(65 << 20, &img), HF_OK);
    assert_int_equal(hf_memimage_apply(s.g.store, &s.mem, img), HF_INVALID);
    assert_int_equal(hf_memory_grow(s.g.store, &s.mem, 65 << 20), HF_OK);
    hf_memimage_put(img, (65 << 20) / PAGE - 1, 1, s.base);
    assert_int_equal(hf_memimage_apply(s.g.store, &s.mem, img), HF_OK);
    assert_memory_equal(s.base + (65 << 20) - PAGE, "first page", 10);
    hf_memimage_free(img);
    served_done(&s);
}

static void globals_are_put_back_by_their_handles(void **state)
{
    (void)state;
    struct served s;
    struct hf_global glob;
    union hf_val at_rest;
    int32_t v;
    served_new(&s, engine);
    hf_core_global(s.g.store, s.g.module, &s.g.core, 0, &glob);
    hf_global_get(s.g.store, &glob, &at_rest);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call_i32(&s.g, "count", 0, &v), HF_OK);
        assert_int_equal(v, 6); /* for ever the first */
        hf_global_set(s.g.store, &glob, &at_rest);
    }
    served_done(&s);
}

static void a_recycled_pool_slot_starts_clean(void **state)
{
    (void)state;
    struct served s;
    served_new(&s, engine);
    for (int i = 0; i < 120; i++) { /* more than the pool has slots */
        struct guest g = {0};
        struct hf_memory mem;
        uint8_t *base;
        size_t size;
        guest_new(&g, engine, guest_text, NULL, 0);
        hf_core_memory(g.store, g.module, &g.core, 0, &mem);
        hf_memory_get(g.store, &mem, &base, &size);
        assert_memory_equal(base, "first page", 11);
        assert_int_equal(base[50000000], 0);
        memset(base, 0xee, 100000);
        base[50000000] = 1;
        guest_done(&g);
    }
    s.base[12] = 9;
    assert_int_equal(reset(&s, 0, NULL), HF_OK);
    assert_equal_to_image(&s);
    served_done(&s);
}

/* ---- what may go wrong ---- */

static void *compact(void *arg)
{
    atomic_bool *stop = arg;
    int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);
    while (fd >= 0 && !atomic_load(stop))
        if (write(fd, "1", 1) != 1)
            break;
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* While the kernel moves pages about, a mask of PRESENT alone loses some. */
static void a_scan_during_compaction_misses_nothing(void **state)
{
    (void)state;
    if (access("/proc/sys/vm/compact_memory", W_OK) != 0) {
        printf("SKIP: a_scan_during_compaction_misses_nothing: only root can ask for compaction\n");
        return;
    }
    struct served s;
    atomic_bool stop = false;
    pthread_t t;
    served_new(&s, engine);
    assert_int_equal(pthread_create(&t, NULL, compact, &stop), 0);
    uint64_t until = hf_os_linux()->now_ns(hf_os_linux()) + 1500000000u;
    while (hf_os_linux()->now_ns(hf_os_linux()) < until) {
        struct hf_reset_stats stats = {0};
        for (size_t i = 0; i < 2000; i++)
            s.base[i * 5 * PAGE] = (uint8_t)(i | 1);
        assert_int_equal(reset(&s, 0, &stats), HF_OK);
        assert_true(stats.pages_copied >= 2000);
        for (size_t i = 0; i < 2000; i++)
            if (s.base[i * 5 * PAGE] != hf_memimage_bytes(s.img).ptr[i * 5 * PAGE])
                fail_msg("page %zu was missed", i * 5);
    }
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    assert_equal_to_image(&s);
    served_done(&s);
}

static struct served *parents;

static void reset_in_child(void *arg)
{
    (void)arg;
    if (reset(parents, 0, NULL) != HF_UNKNOWN)
        _exit(1);
    hf_scanner_free(scanner);
}

/* What the parent's /proc/self/pagemap says is not about the child's pages. */
static void a_scanner_does_not_survive_a_fork(void **state)
{
    (void)state;
    struct served s;
    served_new(&s, engine);
    parents = &s;
    assert_child_fine(in_child(reset_in_child, NULL));
    assert_int_equal(reset(&s, 0, NULL), HF_OK);
    served_done(&s);
}

static void an_image_of_another_size_is_not_applied(void **state)
{
    (void)state;
    struct guest small = {0};
    struct served s;
    struct hf_memory mem;
    served_new(&s, engine);
    guest_new(&small, engine, "(module (memory 1))", NULL, 0);
    hf_core_memory(small.store, small.module, &small.core, 0, &mem);
    assert_int_equal(hf_memory_reset(scanner, small.store, &mem, s.img, 0, NULL), HF_UNKNOWN);
    guest_done(&small);
    served_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_hold_the_bytes),
        cmocka_unit_test(an_empty_memory_has_an_image),
        cmocka_unit_test(only_written_pages_are_copied),
        cmocka_unit_test(after_any_writes_every_byte_is_the_images),
        cmocka_unit_test(more_than_256_regions),
        cmocka_unit_test(pages_that_were_only_read_are_not_copied),
        cmocka_unit_test(a_zero_page_over_initial_bytes_is_put_right),
        cmocka_unit_test(a_grown_memory_cannot_be_reset),
        cmocka_unit_test(too_many_written_pages_are_a_limit),
        cmocka_unit_test(pages_that_only_the_template_wrote_are_put_back),
        cmocka_unit_test(written_pages_make_a_fresh_memory_equal),
        cmocka_unit_test(a_memory_is_grown_from_outside),
        cmocka_unit_test(globals_are_put_back_by_their_handles),
        cmocka_unit_test(a_recycled_pool_slot_starts_clean),
        cmocka_unit_test(a_scan_during_compaction_misses_nothing),
        cmocka_unit_test(a_scanner_does_not_survive_a_fork),
        cmocka_unit_test(an_image_of_another_size_is_not_applied),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
