/* processes_test.c - /v1/processes behind a gateway: messages with bodies and blobs, answers,
 * failures, a look and an end. */
#include "support.h"

static void expect(struct world *w, const char *target, const char *content, unsigned status,
                   const char *part)
{
    const char *body;
    unsigned got = ask(w, "POST", target, NULL, content, &body);
    if (got != status || strstr(body, part) == NULL)
        fail_msg("POST %s: %u %s, not %u with %s", target, got, body, status, part);
}

static void said(struct world *w, const char *line)
{
    if (strcmp((char *)w->node.said.ptr, line) != 0)
        fail_msg("the node was told '%s', not '%s'", (char *)w->node.said.ptr, line);
    hf_buf_clear(&w->node.said);
}

static void a_message_goes_as_it_was_said(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.text = "an answer";
    expect(&w, "/v1/processes/cart%2F42/call", "hello", 200,
           "{\"version\":1,\"answer\":\"ok\",\"body_bytes\":9,\"metadata\":null,\"blob\":false,"
           "\"blob_bytes\":null}\nan answer");
    said(&w, "ask cart/42 'hello' meta '' 0\n");
    expect(&w, "/v1/processes/cart/call?timeout=1.5s&metadata=a%20b", NULL, 200, "an answer");
    said(&w, "ask cart '' meta 'a b' 1500000000\n");
    expect(&w, "/v1/processes/cart/send", "x", 200,
           "{\"version\":1,\"done\":\"sent\",\"name\":\"cart\"}");
    said(&w, "tell cart 'x' meta '' 0\n");
    world_close(&w);
}

static void a_look_and_an_end(void **state)
{
    struct world w;
    const char *body;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.text = "named cart/42: idle\n    pending 7\n";
    assert_int_equal(ask(&w, "GET", "/v1/processes/cart%2F42", NULL, NULL, &body), 200);
    assert_non_null(strstr(body, "\"name\":\"cart/42\""));
    assert_non_null(strstr(body, "\"details\":[\"named cart/42: idle\",\"    pending 7\"]"));
    said(&w, "process cart/42 0 0\n");
    w.node.text = NULL;
    expect(&w, "/v1/processes/cart%2F42/kill", NULL, 200,
           "{\"version\":1,\"done\":\"killed\",\"name\":\"cart/42\",\"number\":1}");
    said(&w, "end cart/42 0 0\n");
    w.node.http = 404;
    w.node.code = 2;
    w.node.text = "there is no such process";
    assert_int_equal(ask(&w, "GET", "/v1/processes/x", NULL, NULL, &body), 404);
    expect(&w, "/v1/processes/x/kill", NULL, 404, "no such process");
    expect(&w, "/v1/processes/%00/kill", NULL, 404, "no name of a process");
    expect(&w, "/v1/processes//kill", NULL, 404, "no name of a process");
    world_close(&w);
}

static void every_way_to_have_no_answer(void **state)
{
    static const struct {
        enum hf_answer_kind kind;
        unsigned status;
        const char *words;
    } rows[] = {
        {HF_ANSWER_TIMEOUT, 504, "\"status\":\"timeout\",\"code\":7"},
        {HF_ANSWER_NO_SUCH, 404, "\"status\":\"no-such-process\",\"code\":10"},
        {HF_ANSWER_FULL, 503, "\"status\":\"full\",\"code\":11"},
        {HF_ANSWER_DEAD, 502, "\"status\":\"dead\",\"code\":12"},
        {HF_ANSWER_UNANSWERED, 502, "\"status\":\"unanswered\",\"code\":13"},
        {HF_ANSWER_LIMITED, 503, "\"status\":\"limit\",\"code\":5"},
        {HF_ANSWER_CANCELLED, 503, "\"status\":\"stopped\",\"code\":8"},
        {HF_ANSWER_CYCLE, 502, "\"status\":\"failed\",\"code\":1"},
    };
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.text = "words of \"its\" own";
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        w.node.kind = rows[i].kind;
        expect(&w, "/v1/processes/cart%2F42/call", "x", rows[i].status, rows[i].words);
        expect(&w, "/v1/processes/cart%2F42/send", "x", rows[i].status, "words of \\\"its\\\" own");
    }
    world_close(&w);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static char large[(1 << 20) + 2];
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "/v1/processes/a/call?timeout=soon", "x", 400, "timeout is a time like 5s");
    expect(&w, "/v1/processes/a/call?timeout=0s", "x", 400, "more than 0");
    expect(&w, "/v1/processes/a/call?body=1048577&blob", "x", 400, "1048576 at most");
    expect(&w, "/v1/processes/a/call?body=-1&blob", "x", 400, "how many bytes");
    expect(&w, "/v1/processes/a/call?body=9&blob", "x", 400, "body=9, but what came has 1 bytes");
    expect(&w, "/v1/processes/a/call?body=9", "x", 400, "body=9, but what came has 1 bytes");
    memset(large, 'x', sizeof large - 1);
    expect(&w, "/v1/processes/a/call", large, 413, "1048576 bytes at most");
    assert_int_equal(w.node.posts, 0);
    large[1 << 20] = 0;
    expect(&w, "/v1/processes/a/call", large, 200, "\"answer\":\"ok\"");
    world_close(&w);
}

static struct hf_view read_all(struct hf_blob_reader *r, struct hf_buf *to, enum hf_err want)
{
    struct hf_view v;
    enum hf_err err;
    while ((err = hf_blob_reader_peek(r, &v)) == HF_OK) {
        assert_int_equal(hf_buf_add_view(to, v), HF_OK);
        hf_blob_reader_advance(r, v.len);
    }
    assert_int_equal(err, want);
    return hf_buf_view(to);
}

static bool has(struct client *c, const char *part)
{
    client_read(c);
    assert_int_equal(hf_buf_add_byte(&c->got, 0), HF_OK);
    c->got.len--;
    return strstr((char *)c->got.ptr, part) != NULL;
}

/* Both blobs are on their way at once: what the process gets comes before the client has sent all
 * of it, and the other way round. */
static void blobs_go_through_as_they_come(void **state)
{
    struct world w;
    struct client c;
    struct hf_blob_reader in = {0};
    struct hf_buf got = {0};
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.later = true;
    client_open(&c, &w);
    client_send(&c, "POST /v1/processes/a/call?body=4&blob HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Length: 14\r\n\r\nbodyfirst");
    world_run(&w);
    said(&w, "ask a 'body' meta '' 0 blob\n");
    hf_blob_reader_open(&in, &w.node.blob);
    assert_true(hf_view_eq_text(read_all(&in, &got, HF_AGAIN), "first"));
    struct hf_blob *out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *ref = out;
    played_answer(&w.node, HF_ANSWER_OK, "it is:", ref);
    assert_int_equal(hf_blob_push(out, HF_VIEW("one")), HF_OK);
    assert_true(
        has(&c, "\"body_bytes\":6,\"metadata\":null,\"blob\":true,\"blob_bytes\":null}\nit is:"));
    assert_true(has(&c, "one"));
    client_send(&c, "after");
    world_run(&w);
    assert_true(hf_view_eq_text(read_all(&in, &got, HF_CLOSED), "firstafter"));
    hf_blob_reader_close(&in);
    assert_int_equal(hf_blob_push(out, HF_VIEW("two")), HF_OK);
    hf_blob_finish(out);
    assert_true(has(&c, "two"));
    assert_true(has(&c, "0\r\n\r\n"));
    client_close(&c);
    hf_buf_done(&got);
    world_close(&w);
}

/* A client that leaves: the blob breaks off for the process, and the answer's blob has no reader.
 */
static void a_client_that_leaves_is_felt_on_both_sides(void **state)
{
    struct world w;
    struct client c;
    struct hf_blob_reader in = {0};
    struct hf_buf got = {0};
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.later = true;
    client_open(&c, &w);
    client_send(&c, "POST /v1/processes/a/call?blob HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                    "10\r\n\r\nfirst");
    world_run(&w);
    hf_blob_reader_open(&in, &w.node.blob);
    struct hf_blob *out = hf_blob_new(HF_BLOB_LEN_UNKNOWN, 0), *ref = out;
    played_answer(&w.node, HF_ANSWER_OK, "", ref);
    world_run(&w);
    client_close(&c);
    world_run(&w);
    struct hf_view v;
    while (hf_blob_reader_peek(&in, &v) == HF_OK)
        hf_blob_reader_advance(&in, v.len);
    assert_int_not_equal(hf_blob_reader_peek(&in, &v), HF_AGAIN);
    assert_int_not_equal(hf_blob_reader_peek(&in, &v), HF_CLOSED);
    assert_false(hf_blob_wanted(out));
    hf_blob_finish(out);
    hf_blob_reader_close(&in);
    hf_buf_done(&got);
    world_close(&w);
    assert_int_equal(w.node.posts_ended, 1);
}

/* The process reads nothing of its blob and answers: what the client still sends is let go. */
static void a_blob_that_nobody_reads_holds_up_nothing(void **state)
{
    static char large[(4 << 20) + 1];
    struct world w;
    const char *body;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.text = "done";
    memset(large, 'x', sizeof large - 1);
    unsigned status = ask(&w, "POST", "/v1/processes/a/call?blob", NULL, "small", &body);
    assert_int_equal(status, 200);
    hf_blob_unref(w.node.blob);
    w.node.blob = NULL;
    w.node.later = true;
    struct client c;
    char head[128];
    client_open(&c, &w);
    snprintf(
        head, sizeof head,
        "POST /v1/processes/a/call?blob HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
        sizeof large - 1);
    client_send(&c, head);
    client_send(&c, large); /* stops where the window is full */
    world_run(&w);
    hf_blob_unref(w.node.blob); /* it dies, and its blobs go */
    w.node.blob = NULL;
    world_run(&w);
    played_answer(&w.node, HF_ANSWER_DEAD, "it trapped", NULL);
    assert_true(has(&c, "\"status\":\"dead\""));
    client_close(&c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_as_it_was_said),
        cmocka_unit_test(a_look_and_an_end),
        cmocka_unit_test(every_way_to_have_no_answer),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(blobs_go_through_as_they_come),
        cmocka_unit_test(a_client_that_leaves_is_felt_on_both_sides),
        cmocka_unit_test(a_blob_that_nobody_reads_holds_up_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
