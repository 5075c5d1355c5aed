/* recorded_named_test.c - of a recorded named process nobody sees anything before its batch is
 * acknowledged: sends, answers, cancels, children, monitors, ends. And what stands in the batch. */
#include "support_named.h"

#ifdef STAGE_FAR
/* They look into the batches of one kernel. */
static const char *const near_only[] = {
    "order_is_kept_through_the_store",
    "everything_stands_in_the_batch",
    NULL};
#endif

static void open_recorded(struct stage *s)
{
    stage_open(s);
    stage_class(s, "a", (struct hf_named_settings){.recorded = true});
    stage_classes(s, "bc");
    s->held = true;
}

/* Runs, with nothing acknowledged, and expects; then acknowledges all, and expects. */
static void before_and_after(struct stage *s, const char *before, const char *after)
{
    s->held = true;
    stage_run(s);
    expect(s, before);
    s->held = false;
    stage_run(s);
    expect(s, after);
}

static void sends_answers_and_forwards_wait(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s=:b,q t:b,t");
    stage_script(&s, "a", "f:c");
    stage_script(&s, "b", "r");
    stage_script(&s, "c", "r");
    stage_post(&s, "a", "go", "A");
    before_and_after(&s, "a <- request - 'go' [A]\n",
                     "b <- request a 'q' [of a]\n"
                     "a <- response b 'by-b' context c-q nested 'go' ok\n"
                     "b <- tell a 't'\n"
                     "c <- request a 'x'\n"
                     "port 1: ok 'by-c'\n");
    stage_close(&s);
}

static void unanswered_and_dead_wait_too(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "");
    stage_script(&s, "a", "d");
    stage_script(&s, "a", "F");
    for (int i = 0; i < 3; i++)
        stage_post(&s, "a", "go", NULL);
    before_and_after(&s,
                     "a <- request - 'go'\n"
                     "a <- request - 'go'\n"
                     "a <- request - 'go'\n"
                     "a stops\n",
                     "port 1: unanswered ''\n"
                     "port 3: dead 'boom'\n"
                     "port 2: dead 'boom'\n");
    stage_close(&s);
}

static void a_cancel_is_seen_when_it_is_recorded(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s=:b,q w c");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "v");
    stage_post(&s, "a", "go", NULL);
    s.held = false;
    stage_run(&s);
    hf_buf_clear(&s.log);
    s.held = true;
    stage_gate(&s);
    before_and_after(&s, "a <- error cancelled of b [of a] context c-q nested 'go' ok\n",
                     "port 1: unanswered ''\nb <- void\nb: no-request\n");
    stage_close(&s);
}

/* Its origin has been told, and its holder let go: what was sent stays until one of that is recorded. */
static void what_was_sent_with_a_cancelled_one_is_found(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s=:b,q w c");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "A");
    stage_post(&s, "a", "go", NULL);
    s.held = false;
    stage_run(&s);
    s.held = true;
    stage_gate(&s);
    stage_run(&s); /* a has taken the error */
    stage_post(&s, "b", "let go", NULL);
    stage_run(&s); /* each run checks that what is live is found */
    hf_buf_clear(&s.log);
    s.held = false;
    stage_run(&s);
    hf_buf_clear(&s.log);
    stage_close(&s);
}

static void an_answer_to_a_cancelled_one_is_late_while_it_is_not_recorded(void **state)
{
    struct stage s;
    struct hf_message_stats st;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s:b,q w c");
    stage_script(&s, "b", "d");
    stage_script(&s, "b", "a");
    stage_post(&s, "a", "go", NULL);
    s.held = false;
    stage_run(&s);
    s.held = true;
    stage_gate(&s);
    stage_post(&s, "b", "now", NULL);
    stage_run(&s);
    hf_message_get_stats(s.k, &st);
    assert_int_equal(st.late, 1);
    hf_buf_clear(&s.log);
    s.held = false;
    stage_run(&s);
    expect(&s, "port 1: unanswered ''\n");
    stage_close(&s);
}

static void children_start_when_they_are_recorded(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "M:b/1 t:b/1 r");
    stage_script(&s, "b/1", "F");
    stage_post(&s, "a", "go", NULL);
    before_and_after(&s, "a <- request - 'go'\n",
                     "port 1: ok 'by-a'\n"
                     "b/1 <- tell a 'x'\n"
                     "b/1 stops\n"
                     "a <- ended b/1: dead 'boom'\n");
    stage_close(&s);
}

static void a_timeout_does_not_wait(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "i:20 s:b,q");
    stage_script(&s, "a", "r");
    stage_script(&s, "b", "r");
    stage_go(&s, "a");
    stage_pass(&s, 20 * MS); /* the send never left, and does not leave any more */
    expect(&s, "a <- request - 'go'\n"
               "a <- error timeout of b context c-q nested 'go' ok\n");
    s.held = false;
    stage_run(&s);
    expect(&s, "port 1: ok 'by-a'\n");
    stage_close(&s);
}

static void order_is_kept_through_the_store(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "t:b,1 s:b,2 t:b,3");
    stage_script(&s, "a", "t:b,4 t:b,5 r");
    stage_post(&s, "a", "x", NULL);
    stage_post(&s, "a", "y", NULL);
    stage_run(&s);
    hf_buf_clear(&s.log);
    const struct hf_batch *b = hf_kernel_next_batch(s.k);
    hf_kernel_acked(s.k, hf_batch_seq(b));
    while (hf_kernel_step(s.k, s.now) == HF_OK) {
    }
    expect(&s, "b <- tell a '1'\n"
               "b <- request a '2'\n"
               "a <- error unanswered of b context c-2 nested 'x' ok\n"
               "b <- tell a '3'\n");
    s.held = false;
    stage_run(&s);
    expect(&s, "port 2: ok 'by-a'\n"
               "port 1: unanswered ''\n"
               "b <- tell a '4'\n"
               "b <- tell a '5'\n");
    stage_close(&s);
}

static enum hf_err hear(void *ctx, const struct hf_batch_record *r)
{
    static const char *const names[] = {"?", "consume", "input", "answer", "timer", "send", "verb"};
    return hf_buf_printf(ctx, "%s %u id %llu under %llu root %llu %.*s '%.*s'\n", names[r->kind],
                         r->what, (unsigned long long)r->id, (unsigned long long)r->under,
                         (unsigned long long)r->root, HF_FMT(r->target), HF_FMT(r->bytes));
}

static void everything_stands_in_the_batch(void **state)
{
    struct stage s;
    struct hf_buf heard = {0};
    const struct hf_batch *b;
    uint64_t seq, process;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s:b,q g:b t=:c,t m:b S:b/1 T d K");
    stage_script(&s, "a", "f:c,on C");
    stage_post(&s, "a", "go", NULL);
    stage_post(&s, "a", "next", NULL);
    stage_run(&s);
    while ((b = hf_kernel_next_batch(s.k)) != NULL)
        assert_int_equal(hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, &heard, NULL),
                         HF_OK);
    assert_string_equal((char *)heard.ptr, "consume 0 id 1 under 0 root 0  'go'\n"
                                           "send 1 id 3 under 1 root 0 b 'q'\n"
                                           "send 2 id 4 under 0 root 0 c 't'\n"
                                           "verb 7 id 1 under 0 root 0  'b'\n"
                                           "verb 4 id 2 under 0 root 0  'b/1'\n"
                                           "timer 0 id 2 under 0 root 0  ''\n"
                                           "verb 2 id 1 under 0 root 0  ''\n"
                                           "verb 6 id 2 under 0 root 0  'b/1'\n"
                                           "consume 0 id 2 under 0 root 0  'next'\n"
                                           "send 0 id 5 under 0 root 2 c 'on'\n"
                                           "verb 12 id 2 under 0 root 0  ''\n");
    hf_buf_done(&heard);
    stage_close(&s);
}

static void freed_with_everything_held(void **state)
{
    struct stage s;
    (void)state;
    open_recorded(&s);
    stage_script(&s, "a", "s=:b,q t:c m:b l:c S:b/1 d K");
    stage_script(&s, "a", "f=:c r");
    stage_script(&s, "a", "r=");
    for (int i = 0; i < 3; i++)
        stage_post(&s, "a", "go", "A");
    stage_run(&s);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_answers_and_forwards_wait),
        cmocka_unit_test(unanswered_and_dead_wait_too),
        cmocka_unit_test(a_cancel_is_seen_when_it_is_recorded),
        cmocka_unit_test(what_was_sent_with_a_cancelled_one_is_found),
        cmocka_unit_test(an_answer_to_a_cancelled_one_is_late_while_it_is_not_recorded),
        cmocka_unit_test(children_start_when_they_are_recorded),
        cmocka_unit_test(a_timeout_does_not_wait),
        cmocka_unit_test(order_is_kept_through_the_store),
        cmocka_unit_test(everything_stands_in_the_batch),
        cmocka_unit_test(freed_with_everything_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
