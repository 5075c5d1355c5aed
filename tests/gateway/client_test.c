/* client_test.c - the HTTP client against servers played byte by byte: what goes out, what comes
 * back, and how both end. (client_pool_test.c: which connection; client_lies_test.c: servers that
 * misbehave.) */
#include "support_client.h"

#define CLEN(n) "content-length: " #n "\r\n\r\n"

static void a_get_and_its_answer(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){.path = "/a?b=c", .fields = "accept: */*\nX-Case: Yes\n"});
    int fd = up_accept(&r);
    assert_string_equal(up_read(&r, fd),
                        "GET /a?b=c HTTP/1.1\r\nhost: up\r\naccept: */*\r\nX-Case: Yes\r\n\r\n");
    assert_false(g.done);
    up_write(&r, fd,
             "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
             "Keep-Alive: 5\r\ncontent-length: 5\r\n\r\nhello");
    assert_true(g.done);
    assert_string_equal(field_of(&g, "server"), "x");
    assert_null(field_of(&g, "connection"));
    assert_null(field_of(&g, "keep-alive"));
    assert_null(field_of(&g, "x-hop"));
    expect_answer(&g, 200, "hello");
    rig_close(&r);
}

static void what_goes_out(void **state)
{
    (void)state;
    static const struct {
        struct ask ask;
        const char *body; /* NULL: none */
        const char *wire;
    } rows[] = {
        {{.path = ""}, NULL, "GET / HTTP/1.1\r\nhost: up\r\n\r\n"},
        {{.path = "?q"}, NULL, "GET /?q HTTP/1.1\r\nhost: up\r\n\r\n"},
        {{.path = "/caf\xc3\xa9\"<>"},
         NULL,
         "GET /caf%C3%A9%22%3C%3E HTTP/1.1\r\nhost: up\r\n\r\n"},
        {{.method = "OPTIONS", .path = "*"}, NULL, "OPTIONS * HTTP/1.1\r\nhost: up\r\n\r\n"},
        {{.host = "[::1]:8080"}, NULL, "GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n"},
        {{.method = "POST"}, NULL, "POST / HTTP/1.1\r\nhost: up\r\ncontent-length: 0\r\n\r\n"},
        {{.method = "POST"}, "abc", "POST / HTTP/1.1\r\nhost: up\r\ncontent-length: 3\r\n\r\nabc"},
        {{.method = "GET"}, "", "GET / HTTP/1.1\r\nhost: up\r\n\r\n"},
        {{.method = "PURGE", .fields = "content-length: 3\n"},
         "abc",
         "PURGE / HTTP/1.1\r\nhost: up\r\ncontent-length: 3\r\n\r\nabc"},
        {{.fields = "te: trailers\nexpect: 100-continue\nupgrade: x\n"},
         NULL,
         "GET / HTTP/1.1\r\nhost: up\r\nte: trailers\r\nconnection: te\r\n\r\n"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        struct ask a = rows[i].ask;
        rig_open(&r, NULL);
        if (rows[i].body != NULL)
            a.blob = hf_blob_of_bytes_in(r.pool, hf_view_of(rows[i].body));
        call(&r, &g, &a);
        int fd = up_accept(&r);
        assert_string_equal(up_read(&r, fd), rows[i].wire);
        up_write(&r, fd, "HTTP/1.1 204 No Content\r\n\r\n");
        expect_answer(&g, 204, "");
        assert_int_equal(rig_stats(&r).idle, 1);
        rig_close(&r);
    }
}

static void what_cannot_go_out(void **state)
{
    (void)state;
    static const struct {
        struct ask ask;
        enum hf_fault_kind kind;
    } rows[] = {
        {{.fields = "a: b\rc\n"}, HF_FAULT_PROTOCOL},
        {{.path = "/a b"}, HF_FAULT_PROTOCOL},
        {{.method = "G T"}, HF_FAULT_PROTOCOL},
        {{.host = "a@b"}, HF_FAULT_PROTOCOL},
        {{.fields = "content-length: 3\n"}, HF_FAULT_REQUEST_BODY},
        {{.fields = "content-length: x\n"}, HF_FAULT_REQUEST_BODY},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        call(&r, &g, &rows[i].ask);
        int fd = up_accept(&r);
        rig_run(&r);
        assert_string_equal(up_read(&r, fd), "");
        expect_fault(&g, rows[i].kind, "request");
        rig_close(&r);
    }
}

static void hosts_that_are_none_are_refused(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    char name[258];
    rig_open(&r, NULL);
    memset(name, 'a', sizeof name);
    name[257] = '\0';
    assert_int_equal(try_call(&r, &g, &(struct ask){.host = name}), HF_INVALID);
    assert_int_equal(try_call(&r, &g, &(struct ask){.host = ""}), HF_INVALID);
    name[256] = '\0';
    assert_int_equal(try_call(&r, &g, &(struct ask){.host = name}), HF_OK);
    hf_client_cancel(g.call);
    assert_int_equal(rig_stats(&r).open, 0);
    rig_close(&r);
}

static void a_body_is_sent_as_it_comes(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
    call(&r, &g, &(struct ask){.method = "POST", .blob = b});
    int fd = up_accept(&r);
    assert_string_equal(up_read(&r, fd),
                        "POST / HTTP/1.1\r\nhost: up\r\ntransfer-encoding: chunked\r\n\r\n");
    hf_blob_push(b, HF_VIEW("hello"));
    assert_string_equal(up_read(&r, fd), "5\r\nhello\r\n");
    hf_blob_push(b, HF_VIEW("you"));
    struct hf_buf trailers = {0};
    struct hf_head_writer w;
    assert_int_equal(hf_head_begin_response(&w, &trailers, 0, 200), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("sum"), HF_VIEW("8")), HF_OK);
    assert_int_equal(hf_blob_set_trailers(b, hf_head_end(&w)), HF_OK);
    hf_buf_done(&trailers);
    hf_blob_finish(b);
    assert_string_equal(up_read(&r, fd), "3\r\nyou\r\n0\r\nsum: 8\r\n\r\n");
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(0));
    expect_answer(&g, 200, "");
    assert_int_equal(rig_stats(&r).idle, 1);
    rig_close(&r);
}

static void a_body_that_breaks_off_is_not_finished(void **state)
{
    (void)state;
    for (int counted = 0; counted < 2; counted++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        struct hf_blob *b = hf_blob_new_in(r.pool, counted ? 10 : HF_BLOB_LEN_UNKNOWN, 0);
        call(&r, &g,
             &(struct ask){
                 .method = "POST", .blob = b, .fields = counted ? "content-length: 10\n" : NULL});
        int fd = up_accept(&r);
        hf_blob_push(b, HF_VIEW("hello"));
        rig_run(&r);
        if (counted)
            hf_blob_finish(b);
        else
            hf_blob_fail(b, HF_CANCELLED);
        rig_run(&r);
        const char *wire = up_read(&r, fd);
        assert_null(strstr(wire, "\r\n0\r\n\r\n"));
        assert_true(up_ended(&r, fd));
        if (counted) {
            assert_int_equal(g.fault.number, 5);
            expect_fault(&g, HF_FAULT_REQUEST_BODY, "another length");
        } else {
            expect_fault(&g, HF_FAULT_PROTOCOL, "never finished");
        }
        rig_close(&r);
    }
}

/* Whoever pushes it: a byte beyond the promised length never leaves, and less ends the connection. */
static void a_promised_length_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *first, *then; /* pushed one after the other; NULL: nothing more */
        bool finish, fail;
        const char *wire; /* of the body */
        bool fault;
    } rows[] = {
        {"12345", NULL, true, false, "12345", false},
        {"123", "45", true, false, "12345", false},
        {"123", "456", false, false, "123", true}, /* seen before the last byte leaves */
        {"123", NULL, true, false, "123", true},
        {"123", NULL, false, true, "123", true},
        {"", "45678901234567890", false, false, "", true},
        {"123", "45", false, true, "123", true}, /* as long as said, and broken off */
        {"12345", "678", false, false, "12345", false}, /* it was whole: what comes later is nobody's */
        {"12345", "GET /smuggled HTTP/1.1\r\nhost: up\r\n\r\n", true, false, "12345", false},
        {"12345", NULL, false, true, "12345", false},
    };
    for (size_t i = 0; i < 2 * HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        size_t row = i / 2;
        bool answered = i % 2 == 1;
        rig_open(&r, NULL);
        struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
        struct hf_blob *held = hf_blob_ref(b); /* so that its writer is always heard */
        call(&r, &g, &(struct ask){.method = "POST", .fields = "content-length: 5\n", .blob = b});
        int fd = up_accept(&r);
        if (rows[row].first[0] != '\0')
            assert_int_equal(hf_blob_push(b, hf_view_of(rows[row].first)), HF_OK);
        const char *wire = up_read(&r, fd);
        assert_string_equal(strstr(wire, "\r\n\r\n") + 4, rows[row].first);
        if (answered)
            up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
        if (rows[row].then != NULL)
            assert_int_equal(hf_blob_push(b, hf_view_of(rows[row].then)), HF_OK);
        if (rows[row].finish)
            hf_blob_finish(b);
        if (rows[row].fail)
            hf_blob_fail(b, HF_CANCELLED);
        assert_string_equal(up_read(&r, fd), rows[row].wire + strlen(rows[row].first));
        if (!answered && !rows[row].fault)
            up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
        if (answered || !rows[row].fault)
            expect_answer(&g, 200, "ok");
        else
            expect_fault(&g, rows[row].fail ? HF_FAULT_PROTOCOL : HF_FAULT_REQUEST_BODY, "body");
        if (up_ended(&r, fd) != rows[row].fault || rig_stats(&r).idle != !rows[row].fault)
            fail_msg("row %zu%s: the connection was %s", row, answered ? ", answered" : "",
                     rows[row].fault ? "kept" : "lost");
        if (!rows[row].finish && !rows[row].fail)
            hf_blob_fail(b, HF_CANCELLED);
        hf_blob_unref(held);
        rig_close(&r);
    }
}

static void answers_of_every_shape(void **state)
{
    (void)state;
    static const struct {
        const char *method, *wire;
        unsigned status;
        const char *body, *trailer; /* of the field "t"; NULL: none */
        bool kept, ends;            /* ends: the server closes after it */
    } rows[] = {
        {"GET", "HTTP/1.1 200 OK\r\n" CLEN(3) "abc", 200, "abc", NULL, true, false},
        {"GET", "HTTP/1.1 200\r\n" CLEN(3) "abc", 200, "abc", NULL, true, false},
        {"GET", "HTTP/1.1 299 Sonderfall \xe4\r\n" CLEN(0), 299, "", NULL, true, false},
        {"GET",
         "HTTP/1.1 200 OK\r\ntransfer-encoding: "
         "Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         200, "abcde", NULL, true, false},
        {"GET",
         "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: last\r\n\r\n", 200,
         "a", "last", true, false},
        {"GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", NULL, false, true},
        {"GET", "HTTP/1.0 200 OK\r\n\r\nold", 200, "old", NULL, false, true},
        {"GET", "HTTP/1.0 200 OK\r\n" CLEN(1) "x", 200, "x", NULL, false, false},
        {"GET", "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\n" CLEN(1) "x", 200, "x", NULL, true,
         false},
        {"GET", "HTTP/1.1 200 OK\r\nconnection: close\r\n" CLEN(1) "x", 200, "x", NULL, false,
         false},
        {"HEAD", "HTTP/1.1 200 OK\r\n" CLEN(300), 200, "", NULL, true, false},
        {"HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 200, "", NULL, true,
         false},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", NULL, true, false},
        {"GET", "HTTP/1.1 204 No Content\r\n" CLEN(3) "abc", 204, "", NULL, false, false},
        {"GET", "HTTP/1.1 304 Not Modified\r\n" CLEN(300), 304, "", NULL, true, false},
        {"GET",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 "
         "OK\r\n" CLEN(2) "ok",
         200, "ok", NULL, true, false},
    };
    /* at once, byte by byte, and split at every place */
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].wire) + 1; cut++) {
            struct rig r;
            struct got g;
            size_t len = strlen(rows[i].wire);
            rig_open(&r, NULL);
            call(&r, &g, &(struct ask){.method = rows[i].method});
            int fd = up_accept(&r);
            up_read(&r, fd);
            if (cut == len + 1)
                for (size_t k = 0; k < len; k++)
                    up_bytes(&r, fd, hf_view(rows[i].wire + k, 1));
            up_bytes(&r, fd, hf_view(rows[i].wire, cut <= len ? cut : 0));
            up_bytes(&r, fd, hf_view(rows[i].wire + cut, cut <= len ? len - cut : 0));
            if (rows[i].ends)
                up_close(&r, fd);
            assert_string_equal(body(&g), rows[i].body);
            if (rows[i].trailer != NULL) {
                struct hf_head h;
                struct hf_view v;
                assert_int_equal(hf_head_read(hf_blob_trailers(g.reader.blob), &h, NULL), HF_OK);
                assert_true(hf_head_find(&h, HF_VIEW("t"), &v));
                assert_true(hf_view_eq_text(v, rows[i].trailer));
            }
            if (g.end != HF_CLOSED || rig_stats(&r).idle != rows[i].kept)
                fail_msg("row %zu cut %zu: end %s, %u idle", i, cut, hf_err_text(g.end),
                         rig_stats(&r).idle);
            if (!rows[i].ends)
                assert_int_equal(up_ended(&r, fd), !rows[i].kept);
            expect_answer(&g, rows[i].status, rows[i].body);
            rig_close(&r);
        }
}

/* What the reader does not take is not read from the socket. */
static void a_slow_reader_stops_the_server(void **state)
{
    (void)state;
    static char piece[64 * 1024];
    for (int chunked = 0; chunked < 2; chunked++) {
        struct rig r;
        struct got g;
        size_t sent = 0, n;
        memset(piece, 'x', sizeof piece);
        rig_open(&r, NULL);
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_write(&r, fd,
                 chunked ? "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1000000\r\n"
                         : "HTTP/1.1 200 OK\r\ncontent-length: 16777216\r\n\r\n");
        struct iovec iov = {piece, sizeof piece};
        while (r.os->writev(r.os, fd, &iov, 1, &n) == HF_OK) {
            sent += n;
            rig_run(&r);
        }
        assert_true(sent >= 64 * 1024 && sent < 300 * 1024);
        assert_true(hf_blob_memory(g.reader.blob) < 200 * 1024);
        rig_pass(&r, 3600 * S); /* that is not the server's fault */
        assert_int_equal(hf_blob_error(g.reader.blob), HF_OK);
        while (sent < 16u * 1024 * 1024) {
            iov.iov_len =
                16u * 1024 * 1024 - sent < sizeof piece ? 16u * 1024 * 1024 - sent : sizeof piece;
            body(&g);
            assert_true(hf_blob_pool_memory(r.pool) < 2 * 1024 * 1024);
            if (r.os->writev(r.os, fd, &iov, 1, &n) == HF_OK)
                sent += n;
        }
        body(&g);
        if (chunked)
            up_write(&r, fd, "\r\n0\r\n\r\n");
        body(&g);
        assert_int_equal(g.body.len, 16 * 1024 * 1024);
        assert_int_equal(g.end, HF_CLOSED);
        got_done(&g);
        assert_int_equal(rig_stats(&r).idle, 1);
        rig_close(&r);
    }
}

static void a_slow_server_stops_the_writer(void **state)
{
    (void)state;
    static char piece[16 * 1024];
    struct rig r;
    struct got g;
    size_t pushed = 0;
    rig_open(&r, NULL);
    struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
    call(&r, &g, &(struct ask){.method = "POST", .blob = b});
    int fd = up_accept(&r);
    while (hf_blob_room(b) > 0) {
        assert_int_equal(hf_blob_push(b, hf_view(piece, sizeof piece)), HF_OK);
        pushed += sizeof piece;
        rig_run(&r);
    }
    assert_true(pushed < 400 * 1024);
    rig_pass(&r, 29 * S);
    assert_false(g.done);
    up_read(&r, fd); /* takes all: on it goes */
    assert_true(hf_blob_room(b) > 0);
    while (hf_blob_room(b) > 0) {
        assert_int_equal(hf_blob_push(b, hf_view(piece, sizeof piece)), HF_OK);
        rig_run(&r);
    }
    rig_pass(&r, 31 * S);
    expect_fault(&g, HF_FAULT_WRITE_TIMEOUT, "takes no more");
    assert_false(hf_blob_wanted(b));
    hf_blob_fail(b, HF_CANCELLED);
    rig_close(&r);
}

static void cancelled_calls_close_their_connection(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    assert_int_equal(try_call(&r, &g, &(struct ask){0}), HF_OK);
    hf_client_cancel(g.call); /* before anything */
    call(&r, &g, &(struct ask){.blob = hf_blob_of_bytes_in(r.pool, HF_VIEW("x")), .method = "PUT"});
    hf_client_cancel(g.call); /* connecting, or connected */
    call(&r, &g, &(struct ask){0});
    int fd = up_accept(&r); /* that of the one before */
    assert_true(up_ended(&r, fd));
    fd = up_accept(&r);
    assert_string_not_equal(up_read(&r, fd), "");
    hf_client_cancel(g.call);
    assert_true(up_ended(&r, fd));
    assert_false(g.done);
    assert_int_equal(rig_stats(&r).open, 0);
    rig_close(&r);
}

/* A body that nobody wants: a small rest is drained for the connection's sake, a large one not. */
static void unwanted_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool kept;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n1234", true},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n1234", true},
        {"HTTP/1.1 200 OK\r\ncontent-length: 8000000\r\n\r\n1234", false},
        {"HTTP/1.1 200 OK\r\n\r\n1234", false},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_write(&r, fd, rows[i].head);
        assert_string_equal(body(&g), "1234");
        leave(&g);
        assert_int_equal(up_ended(&r, fd), !rows[i].kept); /* at once: nothing came for it */
        if (rows[i].kept) {
            up_write(&r, fd, i == 0 ? "5678" : "5678\r\n0\r\n\r\n");
            assert_int_equal(rig_stats(&r).idle, 1);
        }
        got_done(&g);
        rig_close(&r);
    }
}

/* The server answers early and goes on reading. */
static void an_answer_before_the_end_of_the_request(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
    call(&r, &g, &(struct ask){.method = "POST", .blob = b});
    int fd = up_accept(&r);
    up_read(&r, fd);
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
    expect_answer(&g, 200, "ok");
    assert_int_equal(rig_stats(&r).idle, 0);
    hf_blob_push(b, HF_VIEW("later"));
    assert_string_equal(up_read(&r, fd), "5\r\nlater\r\n");
    hf_blob_finish(b);
    assert_string_equal(up_read(&r, fd), "0\r\n\r\n");
    assert_int_equal(rig_stats(&r).idle, 1);
    /* one that says it will not read on is taken at its word */
    b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
    call(&r, &g, &(struct ask){.method = "POST", .blob = b});
    up_read(&r, fd);
    up_write(&r, fd, "HTTP/1.1 413 Too Large\r\nconnection: close\r\n" CLEN(0));
    expect_answer(&g, 413, "");
    assert_true(up_ended(&r, fd));
    assert_false(hf_blob_wanted(b));
    hf_blob_fail(b, HF_CANCELLED);
    rig_close(&r);
}

/* The server has answered and is gone: what it said stands, the rest of the request is for nobody.
 */
static void an_answer_outlives_the_way_out(void **state)
{
    (void)state;
    static char piece[16 * 1024];
    for (int whole = 0; whole < 2; whole++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
        call(&r, &g, &(struct ask){.method = "POST", .blob = b});
        int fd = up_accept(&r);
        up_read(&r, fd);
        up_write(&r, fd, whole ? "HTTP/1.1 400 No\r\n" CLEN(2) "no" : "HTTP/1.1 400 No\r\n\r\nno");
        up_close(&r, fd);
        for (int i = 0; i < 20 && hf_blob_wanted(b); i++) {
            if (hf_blob_room(b) > 0)
                hf_blob_push(b, hf_view(piece, sizeof piece));
            rig_run(&r);
        }
        assert_false(hf_blob_wanted(b));
        hf_blob_fail(b, HF_CANCELLED);
        expect_answer(&g, 400, "no");
        assert_int_equal(rig_stats(&r).open, 0);
        rig_close(&r);
    }
}

static void freeing_ends_everything(void **state)
{
    (void)state;
    struct rig r;
    struct got g[4];
    rig_open(&r, &(struct hf_client_settings){.host_max = 2});
    for (int i = 0; i < 4; i++)
        call(&r, &g[i], &(struct ask){0});
    int fd = up_accept(&r);
    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(5) "ab");
    hf_client_free(r.c);
    r.c = NULL;
    struct hf_view v;
    assert_int_equal(hf_blob_reader_peek(&g[0].reader, &v), HF_OK);
    hf_blob_reader_advance(&g[0].reader, 2);
    assert_int_equal(hf_blob_reader_peek(&g[0].reader, &v), HF_CANCELLED);
    got_done(&g[0]);
    for (int i = 1; i < 4; i++)
        assert_false(g[i].done);
    rig_close(&r);
}

/* Memory out at each descriptor and system call that may fail: an error, never a crash or a leak.
 */
static void failures_of_the_system(void **state)
{
    (void)state;
    static const char *const calls[] = {"connect", "connect_result", "writev",
                                        "read",    "poller_add",     "poller_set"};
    for (size_t i = 0; i < HF_ARRAY_LEN(calls); i++)
        for (unsigned nth = 1; nth < 4; nth++)
            for (int err = 0; err < 3; err++) {
                struct rig r;
                struct got g;
                rig_open(&r, NULL);
                hf_os_fake_fail(r.os, calls[i], nth,
                                (enum hf_err[]){HF_IO, HF_LIMIT, HF_CLOSED}[err]);
                struct hf_blob *b = hf_blob_of_bytes_in(r.pool, HF_VIEW("some body"));
                assert_int_equal(try_call(&r, &g, &(struct ask){.method = "POST", .blob = b}),
                                 HF_OK);
                int fd = up_accept(&r);
                if (fd >= 0) {
                    up_read(&r, fd);
                    up_write(&r, fd, "HTTP/1.1 200 OK\r\n" CLEN(2) "ok");
                    up_close(&r, fd);
                }
                if (!g.done)
                    rig_pass(&r, 100 * S);
                assert_true(g.done);
                body(&g);
                got_done(&g);
                rig_close(&r);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_and_its_answer),
        cmocka_unit_test(what_goes_out),
        cmocka_unit_test(what_cannot_go_out),
        cmocka_unit_test(hosts_that_are_none_are_refused),
        cmocka_unit_test(a_body_is_sent_as_it_comes),
        cmocka_unit_test(a_body_that_breaks_off_is_not_finished),
        cmocka_unit_test(a_promised_length_is_kept),
        cmocka_unit_test(answers_of_every_shape),
        cmocka_unit_test(a_slow_reader_stops_the_server),
        cmocka_unit_test(a_slow_server_stops_the_writer),
        cmocka_unit_test(cancelled_calls_close_their_connection),
        cmocka_unit_test(unwanted_bodies),
        cmocka_unit_test(an_answer_before_the_end_of_the_request),
        cmocka_unit_test(an_answer_outlives_the_way_out),
        cmocka_unit_test(freeing_ends_everything),
        cmocka_unit_test(failures_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
