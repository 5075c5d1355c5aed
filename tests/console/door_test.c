/* door_test.c - the admin door behind a gateway: who may, what for, bodies, waiting, failing. */
#include "support.h"

static void expect(struct world *w, const char *method, const char *target, const char *content,
                   unsigned status, const char *part)
{
    const char *body;
    unsigned got = ask(w, method, target, NULL, content, &body);
    if (got != status || strstr(body, part) == NULL)
        fail_msg("%s %s: %u %s, not %u with %s", method, target, got, body, status, part);
}

static void every_endpoint_answers(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "GET", "/", NULL, 200, "POST   /v1/reload");
    expect(&w, "GET", "/metrics", NULL, 200,
           "holdfast_requests_total{service=\"a\",tenant=\"default\",status=\"2xx\"} 90\n");
    expect(&w, "GET", "/healthz", NULL, 200, "ok\n");
    expect(&w, "GET", "/readyz", NULL, 200, "ready\n");
    expect(&w, "GET", "/v1/node", NULL, 200, "\"pid\":42");
    expect(&w, "GET", "/v1/services", NULL, 200, "\"name\":\"b\"");
    expect(&w, "GET", "/v1/services/a", NULL, 200, "\"lifecycle\":\"reuse\"");
    expect(&w, "GET", "/v1/services/c", NULL, 404, "there is no service \\\"c\\\" here");
    expect(&w, "GET", "/v1/instances", NULL, 200, "\"id\":20");
    expect(&w, "GET", "/v1/instances?service=zz", NULL, 200, "\"instances\":[]");
    expect(&w, "GET", "/v1/logs", NULL, 200, "");
    expect(&w, "POST", "/v1/reload", NULL, 200, "{\"version\":1,\"done\":\"reloaded\"}");
    expect(&w, "POST", "/v1/deploy/a", "bytes", 200,
           "{\"version\":1,\"done\":\"deployed\",\"name\":\"a\"}");
    expect(&w, "POST", "/v1/rollback/a%2Fb", NULL, 200,
           "{\"version\":1,\"done\":\"rolled back\",\"name\":\"a/b\"}");
    w.node.number = 3;
    expect(&w, "POST", "/v1/kill/12", NULL, 200,
           "{\"version\":1,\"done\":\"killed\",\"number\":3}");
    expect(&w, "POST", "/v1/kill?service=b", NULL, 200,
           "{\"version\":1,\"done\":\"killed\",\"name\":\"b\",\"number\":3}");
    w.node.http = 202;
    expect(&w, "POST", "/v1/stop", NULL, 202, "\"done\":\"stopping\"");
    const char *changes = strstr((char *)w.node.said.ptr, "reload");
    assert_string_equal(
        changes,
        "reload  0 0\ndeploy a 0 5\nrollback a/b 0 0\nkill  12 0\nkill b 0 0\nstop  0 0\n");
    world_close(&w);
}

static void what_is_not_there_is_said(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "GET", "/nothing", NULL, 404,
           "there is nothing at /nothing; GET / lists what there is");
    expect(&w, "GET", "/v1/", NULL, 404, "\"status\":\"usage\",\"code\":2");
    expect(&w, "GET", "/v1/services/a/b", NULL, 404, "nothing at");
    expect(&w, "GET", "/V1/services", NULL, 404, "nothing at");
    expect(&w, "POST", "/metrics", NULL, 405, "POST is not for this path: it takes GET");
    expect(&w, "GET", "/v1/reload", NULL, 405, "it takes POST");
    expect(&w, "POST", "/v1/kv/b/k", NULL, 405, "it takes GET, PUT, DELETE");
    expect(&w, "GET", "/%zz", NULL, 400, "two hexadecimal digits");
    expect(&w, "POST", "/v1/kill/x", NULL, 400, "is not the number of an instance");
    expect(&w, "POST", "/v1/kill/0", NULL, 400, "is not the number");
    expect(&w, "POST", "/v1/kill", NULL, 400, "say which");
    expect(&w, "POST", "/v1/deploy/a", NULL, 400, "the request's body, which is empty");
    expect(&w, "GET", "/v1/logs?lines=many", NULL, 400, "lines is a number");
    world_close(&w);
}

static void the_token_is_asked_for(void **state)
{
    static const char *const wrong[] = {
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer 0123456789abcde\r\n",
        "Authorization: Bearer 0123456789abcdeg\r\n",
        "Authorization: Bearer 0123456789abcdef0\r\n",
        "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n",
        "Authorization: Basic 0123456789abcdef\r\n",
        "Authorization: 0123456789abcdef\r\n"};
    static const char *const targets[] = {"/",        "/metrics",      "/healthz", "/v1/services",
                                          "/nothing", "/v1/kv/notes/k"};
    struct world w;
    const char *body;
    (void)state;
    world_open(&w, TOKEN, NULL);
    for (size_t i = 0; i < HF_ARRAY_LEN(wrong); i++)
        for (size_t k = 0; k < HF_ARRAY_LEN(targets); k++) {
            unsigned status = ask(&w, "GET", targets[k], wrong[i], NULL, &body);
            if (status != 401 || strstr(body, "token") == NULL)
                fail_msg("%s with \"%s\": %u %s", targets[k], wrong[i], status, body);
        }
    assert_int_equal(ask(&w, "POST", "/v1/stop", NULL, NULL, NULL), 401);
    assert_int_equal(w.node.begun, 0); /* nobody came as far as the node */
    assert_int_equal(ask(&w, "GET", "/healthz", "Authorization: Bearer " TOKEN "\r\n", NULL, NULL),
                     200);
    assert_int_equal(ask(&w, "GET", "/healthz", "authorization: bearer " TOKEN "\r\n", NULL, NULL),
                     200);
    world_close(&w);
}

static void other_hosts_are_refused(void **state)
{
    static const struct {
        const char *host;
        bool fine;
    } rows[] = {{"localhost", true},
                {"localhost:80", true},
                {"LOCALHOST", true},
                {"127.0.0.1:9", true},
                {"127.9.8.7", true},
                {"[::1]:80", true},
                {"[::1]", true},
                {"example.org", false},
                {"127.0.0.1.example.org", false},
                {"127.0.0", false},
                {"127.", false},
                {"127.1111.0.1", false},
                {"10.0.0.1", false},
                {"localhost.evil", false},
                {"[::2]", false},
                {"127..0.1", false},
                {"", false},
                {"127.0.0.1.", false}};
    struct world w;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++)
        if (hf_admin_host_is_loopback(hf_view_of(rows[i].host)) != rows[i].fine)
            fail_msg("%s", rows[i].host);
    world_open(&w, TOKEN, NULL);
    struct client c;
    client_open(&c, &w);
    client_send(&c, "GET /healthz HTTP/1.1\r\nHost: rebound.example\r\nAuthorization: Bearer " TOKEN
                    "\r\n\r\n");
    client_read(&c);
    assert_non_null(strstr((char *)c.got.ptr, "HTTP/1.1 421 "));
    assert_int_equal(w.node.begun, 0);
    client_close(&c);
    world_close(&w);
}

static void who_waits_is_answered_when_it_is_done(void **state)
{
    struct world w;
    struct client c;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.later = true;
    w.node.text = "two services changed";
    client_open(&c, &w);
    client_send(&c, "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_read(&c);
    assert_int_equal(c.got.len, 0);
    played_finish(&w.node);
    client_read(&c);
    assert_non_null(strstr((char *)c.got.ptr, "\"message\":\"two services changed\""));
    hf_buf_clear(&c.got);
    w.node.http = 422;
    w.node.code = 4;
    w.node.text = "it needs what is not here:\n  x";
    client_send(&c,
                "POST /v1/deploy/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    client_read(&c);
    played_finish(&w.node);
    client_read(&c);
    assert_non_null(strstr((char *)c.got.ptr, "HTTP/1.1 422 "));
    assert_non_null(strstr((char *)c.got.ptr,
                           "{\"version\":1,\"error\":\"it needs what is not here:\\n  "
                           "x\",\"status\":\"unsupported\",\"code\":4}\n"));
    client_close(&c);
    world_close(&w);
}

static void a_client_that_leaves_ends_its_task(void **state)
{
    struct world w;
    struct client c;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.later = true;
    for (unsigned i = 0; i < 3; i++) {
        client_open(&c, &w);
        client_send(
            &c,
            i == 0
                ? "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
                : "POST /v1/deploy/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
        client_read(&c);
        client_close(&c);
    }
    world_close(&w); /* it looks whether every task was ended */
}

static void bodies_have_limits(void **state)
{
    const struct hf_admin_settings s = {.upload_max = 100, .uploads_max = 2};
    struct world w;
    struct client c[3];
    char big[102];
    (void)state;
    memset(big, 'x', 101);
    big[101] = 0;
    world_open(&w, NULL, &s);
    expect(&w, "POST", "/v1/deploy/a", big, 413, "the body has 101 bytes, more than the 100");
    big[100] = 0;
    expect(&w, "POST", "/v1/deploy/a", big, 200, "deployed");
    client_open(&c[0], &w);
    client_send(
        &c[0],
        "POST /v1/deploy/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 11; i++)
        client_send(&c[0], "a\r\n0123456789\r\n");
    client_read(&c[0]);
    assert_non_null(strstr((char *)c[0].got.ptr, "longer than 100 bytes"));
    client_close(&c[0]);
    for (unsigned i = 0; i < 3;
         i++) { /* uploads that never come to an end: the third is turned away */
        client_open(&c[i], &w);
        client_send(&c[i], "POST /v1/deploy/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                           "50\r\n\r\n0123456789");
        client_read(&c[i]);
        assert_int_equal(c[i].got.len > 0, i == 2);
    }
    assert_non_null(strstr((char *)c[2].got.ptr, "2 uploads are under way already"));
    expect(&w, "GET", "/healthz", NULL, 200, "ok"); /* and hurts nobody else */
    for (unsigned i = 0; i < 3; i++)
        client_close(&c[i]); /* they broke off: nothing is deployed */
    assert_non_null(strstr((char *)w.node.said.ptr, "deploy a 0 100\n"));
    assert_null(strstr((char *)w.node.said.ptr, "deploy a 0 10\n"));
    world_close(&w);
}

static void a_stopping_or_unstarted_node_is_not_ready(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    w.node.stopping = true;
    expect(&w, "GET", "/readyz", NULL, 503, "the node is stopping\n");
    expect(&w, "GET", "/healthz", NULL, 200, "ok\n");
    w.node.stopping = false;
    w.node.picture.services.ptr[0].started = 0;
    expect(&w, "GET", "/readyz", NULL, 503, "service a has not started: it said \"no\"");
    w.node.picture.services.ptr[0].last_failure[0] = 0;
    expect(&w, "GET", "/readyz", NULL, 503, "service a has not started yet\n");
    w.node.picture.services.ptr[0].min = 0;
    expect(&w, "GET", "/readyz", NULL, 200, "ready\n");
    w.node.picture.workers.ptr[1].silent = true;
    expect(&w, "GET", "/healthz", NULL, 503, "worker 1 does not answer\n");
    expect(&w, "GET", "/readyz", NULL, 503, "worker 1 does not answer\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_endpoint_answers),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(the_token_is_asked_for),
        cmocka_unit_test(other_hosts_are_refused),
        cmocka_unit_test(who_waits_is_answered_when_it_is_done),
        cmocka_unit_test(a_client_that_leaves_ends_its_task),
        cmocka_unit_test(bodies_have_limits),
        cmocka_unit_test(a_stopping_or_unstarted_node_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
