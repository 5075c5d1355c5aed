/* asleep_test.c - what is left of an evicted process: its name, folded when it is nothing else,
 * what that takes, and who still finds it. */
#include <malloc.h>

#include "support_evict.h"

static void what_was_read_for_who_dies_meanwhile_is_freed(void **state)
{
    struct scene sc;
    (void)state;
    long live = mallocs_live();
    scene_open(&sc, 2, "a");
    scene_evict_first(&sc, 3);
    sc.r.late = true;
    stage_post(&sc.s, "a/1", "go", NULL);
    stage_run(&sc.s);
    keeper_go(&sc.r, SIZE_MAX);
    assert_int_equal(hf_kernel_look(sc.s.k, sc.s.now), HF_NEXT_PROMPT); /* its bytes are there */
    assert_int_equal(hf_named_kill(sc.s.k, HF_VIEW("a/1"), HF_VIEW("x")), HF_OK);
    stage_run(&sc.s);
    stage_close(&sc.s);
    assert_int_equal(mallocs_live(), live);
}

static void names_that_are_nothing_else_are_folded(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    scene_evict_first(&sc, 2);
    assert_null(hf_map_get(&sc.s.k->named_by_name, HF_VIEW("a/1")));
    assert_int_equal(hf_named_count(sc.s.k), 2);
    assert_true(stage_shows(&sc.s, "a/1", "named a/1: evicted"));
    stage_script(&sc.s, "a/2", "S:a/1 r"); /* the name is taken */
    stage_go(&sc.s, "a/2");
    assert_non_null(strstr((const char *)sc.s.log.ptr, "a/2: S taken"));
    assert_null(hf_map_get(&sc.s.k->named_by_name, HF_VIEW("a/1"))); /* folded again */
    stage_close(&sc.s);
}

static void each(void *ctx, const struct hf_named_info *i)
{
    struct hf_buf *b = ctx;
    assert_int_equal(
        hf_buf_printf(b, "%.*s %s group %.*s\n", HF_FMT(i->name), i->state, HF_FMT(i->group)),
        HF_OK);
}

static void they_are_listed(void **state)
{
    struct scene sc;
    struct hf_buf b = {0};
    (void)state;
    scene_open(&sc, 1, "a");
    stage_go(&sc.s, "a/{g}1");
    stage_go(&sc.s, "a/2");
    hf_named_each(sc.s.k, each, &b);
    assert_string_equal((const char *)b.ptr, "a/2 idle group a/2\na/{g}1 evicted group g\n");
    hf_buf_done(&b);
    stage_close(&sc.s);
}

static void children_and_parents_find_each_other(void **state)
{
    struct scene sc;
    (void)state;
    scene_open(&sc, 1, "a");
    stage_script(&sc.s, "a/1", "S:a/kid s:a/kid,hi r");
    stage_script(&sc.s, "a/1", "");
    stage_script(&sc.s, "a/1", "K r");
    stage_go(&sc.s, "a/1");
    stage_go(&sc.s, "a/3");
    assert_true(stage_shows(&sc.s, "a/kid", "evicted"));
    assert_true(stage_shows(&sc.s, "a/kid", "child of a/1"));
    stage_go(&sc.s, "a/1"); /* kills it */
    struct hf_buf out = {0};
    assert_int_equal(hf_named_inspect(sc.s.k, HF_VIEW("a/kid"), &out), HF_NOT_FOUND);
    stage_close(&sc.s);
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Of bytes in the spill file the keeper knows, here as in the node: it is not counted with the
 * name. */
static void an_evicted_name_takes_two_hundred_bytes(void **state)
{
    struct scene sc;
    char name[20];
    enum { N = 20000 };
    size_t names = 0, before, after;
    (void)state;
    if (!mallocs_are_counted())
        skip(); /* a sanitizer has its own malloc */
    stage_open_with(&sc.s, &(struct hf_kernel_settings){.resident_max = 1, .names_max = N + 1000});
    stage_spill(&sc.s, &sc.r);
    stage_class(&sc.s, "a", (struct hf_named_settings){.processes_max = N + 1000});
    sc.s.defaults = "r";
    sc.r.blind = true;
    stage_go(&sc.s, "a/first"); /* what is made once */
    stage_go(&sc.s, "a/second");
    scene_forget_log(&sc.s);
    before = in_use();
    for (unsigned i = 0; i < N; i++) {
        names += (size_t)snprintf(name, sizeof name, "a/number-%u", i);
        stage_go(&sc.s, name);
        scene_forget_log(&sc.s);
    }
    after = in_use();
    assert_int_equal(scene_stats(&sc).evicted, N + 1);
    double each_takes = (double)(after - before - names) / N;
    print_message("an evicted name: %.1f bytes and its name\n", each_takes);
    assert_true(each_takes <= 200);
    stage_close(&sc.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_for_who_dies_meanwhile_is_freed),
        cmocka_unit_test(names_that_are_nothing_else_are_folded),
        cmocka_unit_test(they_are_listed),
        cmocka_unit_test(children_and_parents_find_each_other),
        cmocka_unit_test(an_evicted_name_takes_two_hundred_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
