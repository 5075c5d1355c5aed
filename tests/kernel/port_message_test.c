/* port_message_test.c - what a port may say to a named process beyond a request: metadata both
 * ways, and messages that want no answer. */
#include "support_named.h"

static enum hf_err tell_it(struct stage *s, struct hf_post *p, const char *target, const char *body,
                           uint64_t *id)
{
    *id = 77;
    p->target = hf_view_of(target);
    p->port = p->tell ? NULL : &s->port;
    p->named = true;
    assert_int_equal(hf_buf_add_text(&p->body, body), HF_OK);
    return hf_port_post(s->k, p, id);
}

/* Responds with its request's metadata, turned round. */
static enum hf_end mirror_turn(void *state, struct hf_turn *turn)
{
    const struct hf_message *m = hf_turn_message(turn);
    char text[64] = "";
    struct hf_response r = {0};
    (void)state;
    if (m->kind == HF_MESSAGE_REQUEST && m->wants_answer) {
        for (size_t i = 0; i < m->metadata.len; i++)
            text[i] = (char)m->metadata.ptr[m->metadata.len - 1 - i];
        r.metadata = hf_view_of(text);
        assert_int_equal(hf_turn_reply(turn, &r), HF_SAID_OK);
    }
    return HF_END_DONE;
}
static enum hf_end mirror_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)turn;
    *state = ctx;
    return HF_END_DONE;
}
static void mirror_stop(void *state)
{
    (void)state;
}
static const struct hf_behaviour mirror = {.name = "mirror",
                                           .start = mirror_start,
                                           .turn = mirror_turn,
                                           .resume = mirror_turn,
                                           .stop = mirror_stop};

struct heard {
    struct hf_port port;
    unsigned answers;
    char metadata[64];
};
static void hear(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct heard *h = HF_CONTAINER_OF(port, struct heard, port);
    (void)tag;
    h->answers++;
    snprintf(h->metadata, sizeof h->metadata, "%.*s", HF_FMT(a->metadata));
}

static void metadata_goes_both_ways(void **state)
{
    struct stage s;
    struct heard h = {.port.answer = hear};
    struct hf_named_settings ns = {.behaviour = &mirror};
    struct hf_class *c;
    uint64_t id;
    (void)state;
    stage_open(&s);
    assert_int_equal(hf_named_class_add(s.k, "m", &ns, &c, NULL), HF_OK);
    char text[] = "abc";
    struct hf_post p = {
        .target = HF_VIEW("m/1"), .port = &h.port, .named = true, .metadata = hf_view_of(text)};
    assert_int_equal(hf_port_post(s.k, &p, &id), HF_OK);
    memset(text, 'x', 3); /* it was copied */
    stage_run(&s);
    assert_int_equal(h.answers, 1);
    assert_string_equal(h.metadata, "cba");
    p = (struct hf_post){.target = HF_VIEW("m/1"), .port = &h.port, .named = true};
    assert_int_equal(hf_port_post(s.k, &p, &id), HF_OK);
    stage_run(&s);
    assert_int_equal(h.answers, 2);
    assert_string_equal(h.metadata, "");
    stage_close(&s);
}

static void a_tell_of_a_port_is_current_and_nobody_waits_for_it(void **state)
{
    struct stage s;
    struct hf_post p = {.tell = true};
    uint64_t id;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "ab");
    stage_script(&s, "a", "v r d t+:b,on");
    p.blob = hf_blob_of_bytes_in(hf_kernel_blobs(s.k), HF_VIEW("bytes"));
    assert_int_equal(tell_it(&s, &p, "a", "hi", &id), HF_OK);
    assert_int_equal(id, 0);
    assert_true(p.blob == NULL && p.body.len == 0);
    stage_run(&s);
    expect(&s, "a <- tell - 'hi' [bytes]\n"
               "a: no-request\n"
               "a: r no-request\n"
               "a: d no-request\n"
               "b <- tell a 'on' [bytes]\n");
    assert_true(hf_kernel_idle(s.k));
    stage_close(&s);
}

static void a_tell_that_does_not_fit_says_so_at_once(void **state)
{
    struct stage s;
    struct hf_post p;
    uint64_t id;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 2});
    for (int i = 0; i < 3; i++) {
        p = (struct hf_post){.tell = true};
        assert_int_equal(tell_it(&s, &p, "a", "hi", &id), i < 2 ? HF_OK : HF_LIMIT);
    }
    assert_int_equal(p.body.len, 2); /* still the caller's */
    hf_buf_done(&p.body);
    p = (struct hf_post){.tell = true};
    assert_int_equal(tell_it(&s, &p, "nobody", "hi", &id), HF_NOT_FOUND);
    hf_buf_done(&p.body);
    stage_run(&s);
    expect(&s, "a <- tell - 'hi'\na <- tell - 'hi'\n");
    stage_close(&s);
}

static void a_tell_that_waits_for_a_process_that_ends_is_dropped_and_counted(void **state)
{
    struct stage s;
    struct hf_post p = {.tell = true, .metadata = HF_VIEW("m")};
    struct hf_message_stats stats;
    uint64_t id;
    (void)state;
    stage_open(&s);
    stage_classes(&s, "a");
    assert_int_equal(hf_named_wake(s.k, HF_VIEW("a"), NULL), HF_OK);
    assert_int_equal(hf_named_suspend(s.k, HF_VIEW("a")), HF_OK);
    p.blob = hf_blob_of_bytes_in(hf_kernel_blobs(s.k), HF_VIEW("bytes"));
    assert_int_equal(tell_it(&s, &p, "a", "hi", &id), HF_OK);
    assert_int_equal(hf_named_kill(s.k, HF_VIEW("a"), HF_VIEW("enough")), HF_OK);
    stage_run(&s);
    hf_message_get_stats(s.k, &stats);
    assert_int_equal(stats.refused_tells, 1);
    expect(&s, "");
    stage_close(&s); /* and its blob is gone */
}

static enum hf_end never(void *state, struct hf_turn *turn)
{
    (void)state, (void)turn;
    fail_msg("a pool got a message for a process");
    return HF_END_DONE;
}

static void a_pool_takes_no_messages(void **state)
{
    static const struct hf_behaviour pool = {
        .name = "pool", .start = mirror_start, .turn = never, .resume = never, .stop = mirror_stop};
    struct stage s;
    struct hf_class_settings cs = {.behaviour = &pool};
    struct hf_class *c;
    uint64_t id;
    (void)state;
    stage_open(&s);
    assert_int_equal(hf_class_add(s.k, "web", &cs, &c, NULL), HF_OK);
    for (int tell = 0; tell < 2; tell++) {
        struct hf_post p = {.tell = tell == 1};
        assert_int_equal(tell_it(&s, &p, "web", "hi", &id), HF_UNSUPPORTED);
        hf_buf_done(&p.body);
    }
    stage_run(&s);
    stage_close(&s);
}

static void a_look_at_one_by_name(void **state)
{
    struct stage s;
    struct hf_named_info info;
    uint64_t blobs;
    (void)state;
    stage_open(&s);
    stage_class(&s, "a", (struct hf_named_settings){.mailbox_max = 5});
    stage_classes(&s, "b");
    stage_script(&s, "a", "s=:b,q T w"); /* and waits in the middle */
    stage_script(&s, "b", "d");
    stage_post(&s, "a", "one", "bytes");
    stage_run(&s);
    stage_post(&s, "a", "two", "more");
    stage_run(&s);
    assert_int_equal(hf_named_look(s.k, HF_VIEW("c"), &info, &blobs), HF_NOT_FOUND);
    assert_int_equal(hf_named_look(s.k, HF_VIEW("a"), &info, &blobs), HF_OK);
    assert_string_equal(info.state, "busy");
    assert_int_equal(info.mailbox, 1);
    assert_int_equal(info.mailbox_max, 5);
    assert_int_equal(info.pending, 1);
    assert_int_equal(info.timers, 1);
    assert_true(blobs >= 3); /* current's, the one it sent, the one that waits */
    stage_gate(&s);
    stage_run(&s);
    hf_buf_clear(&s.log);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_goes_both_ways),
        cmocka_unit_test(a_tell_of_a_port_is_current_and_nobody_waits_for_it),
        cmocka_unit_test(a_tell_that_does_not_fit_says_so_at_once),
        cmocka_unit_test(a_tell_that_waits_for_a_process_that_ends_is_dropped_and_counted),
        cmocka_unit_test(a_pool_takes_no_messages),
        cmocka_unit_test(a_look_at_one_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
