/* client_lies_test.c - servers that lie, dawdle, break off or speak nonsense; and TLS, good and
 * bad.
 */
#include "support_client.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

/* Heads that are refused, each cut at every byte too: never an answer, never kept. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        enum hf_fault_kind kind;
        const char *words;
    } rows[] = {
        {"SSH-2.0-OpenSSH\r\n\r\n", HF_FAULT_PROTOCOL, "not an HTTP"},
        {"HTTP/2.0 200 OK\r\n\r\n", HF_FAULT_PROTOCOL, "not an HTTP"},
        {"http/1.1 200 OK\r\n\r\n", HF_FAULT_PROTOCOL, "not an HTTP"},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", HF_FAULT_PROTOCOL, "not an HTTP"},
        {"HTTP/1.2 200 OK\r\n\r\n", HF_FAULT_PROTOCOL, "version"},
        {"HTTP/1.1  200 OK\r\n\r\n", HF_FAULT_PROTOCOL, "three digits"},
        {"HTTP/1.1 2000 OK\r\n\r\n", HF_FAULT_PROTOCOL, "three digits"},
        {"HTTP/1.1 20 OK\r\n\r\n", HF_FAULT_PROTOCOL, "three digits"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", HF_FAULT_PROTOCOL, "three digits"},
        {"HTTP/1.1 099 OK\r\n\r\n", HF_FAULT_PROTOCOL, "below 100"},
        {"HTTP/1.1 200 O\001K\r\n\r\n", HF_FAULT_PROTOCOL, "control"},
        {"HTTP/1.1 200 OK\n\r\n", HF_FAULT_PROTOCOL, "LF without CR"},
        {HEAD "a: b\n\r\n", HF_FAULT_PROTOCOL, "LF without CR"},
        {HEAD "a: b\rc\r\n\r\n", HF_FAULT_PROTOCOL, "CR without LF"},
        {HEAD "a : b\r\n\r\n", HF_FAULT_PROTOCOL, "space between"},
        {HEAD "a: b\r\n c\r\n\r\n", HF_FAULT_PROTOCOL, "folded"},
        {HEAD "nonsense\r\n\r\n", HF_FAULT_PROTOCOL, "colon"},
        {HEAD ": x\r\n\r\n", HF_FAULT_PROTOCOL, "name"},
        {HEAD "content-length: 1\r\ncontent-length: 1\r\n\r\nx", HF_FAULT_PROTOCOL,
         "more than one"},
        {HEAD "content-length: 1\r\ncontent-length: 2\r\n\r\nxy", HF_FAULT_PROTOCOL,
         "more than one"},
        {HEAD "content-length: 1, 1\r\n\r\nx", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "content-length: -1\r\n\r\n", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "content-length: +1\r\n\r\nx", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "content-length: 99999999999999999999\r\n\r\n", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", HF_FAULT_PROTOCOL,
         "both"},
        {HEAD "transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n", HF_FAULT_PROTOCOL,
         "both"},
        {HEAD "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
         HF_FAULT_PROTOCOL, "more than one"},
        {HEAD "content-length: 1\t\r\n\r\nx", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "content-length: 1 \t\r\n\r\nx", HF_FAULT_PROTOCOL, "not a number"},
        {HEAD "transfer-encoding: chunked\t\r\n\r\n0\r\n\r\n", HF_FAULT_PROTOCOL, "a tab"},
        {HEAD "transfer-encoding: chunked \t\r\n\r\n0\r\n\r\n", HF_FAULT_PROTOCOL, "a tab"},
        {HEAD "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", HF_FAULT_CODING, "coding"},
        {HEAD "transfer-encoding: identity\r\n\r\n", HF_FAULT_CODING, "coding"},
        {"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", HF_FAULT_PROTOCOL,
         "HTTP/1.0"},
        {"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", HF_FAULT_UPGRADE, "unasked"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++)
        for (size_t cut = 0; cut < strlen(rows[i].wire); cut++) {
            struct rig r;
            struct got g;
            rig_open(&r, NULL);
            call(&r, &g, &(struct ask){0});
            int fd = up_accept(&r);
            up_read(&r, fd);
            up_bytes(&r, fd, hf_view(rows[i].wire, cut));
            up_write(&r, fd, rows[i].wire + cut);
            if (!g.done)
                fail_msg("row %zu cut %zu: no fault", i, cut);
            assert_true(up_ended(&r, fd));
            assert_int_equal(rig_stats(&r).open, 0);
            expect_fault(&g, rows[i].kind, rows[i].words);
            rig_close(&r);
        }
}

static void a_nul_in_a_head(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){0});
    int fd = up_accept(&r);
    up_bytes(&r, fd, HF_VIEW(HEAD "a: b\0c\r\n\r\n"));
    expect_fault(&g, HF_FAULT_PROTOCOL, "NUL");
    rig_close(&r);
}

/* Bodies that break a promise: the answer is given, its body fails, the connection goes. */
static void bodies_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        enum hf_err end;
        const char *body;
        bool closes, resets;
    } rows[] = {
        {HEAD "content-length: 10\r\n\r\nhello", HF_IO, "hello", true, false},
        {HEAD "content-length: 10\r\n\r\nhello", HF_IO, "hello", false, true},
        {HEAD "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", HF_IO, "hello", true, false},
        {HEAD "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", HF_IO, "hello", true, false},
        {HEAD "transfer-encoding: chunked\r\n\r\n5\r\nhelloo\r\n", HF_INVALID, "hello", false,
         false},
        {HEAD "transfer-encoding: chunked\r\n\r\nx\r\n", HF_INVALID, "", false, false},
        {HEAD "transfer-encoding: chunked\r\n\r\n5\nhello\r\n", HF_INVALID, "", false, false},
        {HEAD "transfer-encoding: chunked\r\n\r\n-5\r\n", HF_INVALID, "", false, false},
        {HEAD "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", HF_INVALID, "", false,
         false},
        {HEAD "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nhost: x\r\n\r\n", HF_INVALID, "a",
         false, false},
        {HEAD "\r\nuntil", HF_IO, "until", false, true}, /* a reset is not an end */
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_read(&r, fd);
        up_write(&r, fd, rows[i].wire);
        if (rows[i].closes)
            up_close(&r, fd);
        if (rows[i].resets)
            up_reset(&r, fd);
        assert_true(g.done && g.fault.kind == HF_FAULT_NONE);
        assert_string_equal(body(&g), rows[i].body);
        if (g.end != rows[i].end)
            fail_msg("row %zu: %s", i, hf_err_text(g.end));
        assert_int_equal(rig_stats(&r).open, 0);
        got_done(&g);
        rig_close(&r);
    }
}

/* More than was promised: the answer is whole, the connection is not trusted again. */
static void more_than_promised_ends_the_connection(void **state)
{
    (void)state;
    static const char *const rows[] = {
        HEAD "content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        HEAD "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct rig r;
        struct got g;
        rig_open(&r, NULL);
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_read(&r, fd);
        up_write(&r, fd, rows[i]);
        assert_true(up_ended(&r, fd));
        expect_answer(&g, 200, "ok");
        rig_close(&r);
    }
}

/* The server is gone at each byte of its answer, cleanly and by reset: a fault, a failed body, or,
 * when all was said, a whole answer. Nothing half looks whole. */
static void gone_at_every_byte(void **state)
{
    (void)state;
    static const char *const wires[] = {
        HEAD "a: b\r\ncontent-length: 5\r\n\r\nhello",
        HEAD "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nt: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n" HEAD "content-length: 5\r\n\r\nhello",
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(wires); i++)
        for (size_t cut = 0; cut <= strlen(wires[i]); cut++)
            for (int reset = 0; reset < 2; reset++) {
                struct rig r;
                struct got g;
                bool whole = cut == strlen(wires[i]);
                rig_open(&r, NULL);
                call(&r, &g, &(struct ask){.method = "POST"});
                int fd = up_accept(&r);
                up_read(&r, fd);
                up_bytes(&r, fd, hf_view(wires[i], cut));
                if (reset)
                    up_reset(&r, fd);
                else
                    up_close(&r, fd);
                assert_true(g.done);
                if (g.fault.kind == HF_FAULT_NONE) {
                    const char *text = body(&g);
                    assert_int_equal(g.end, whole ? HF_CLOSED : HF_IO);
                    assert_memory_equal(text, "hello", strlen(text));
                } else {
                    assert_true(g.fault.kind == HF_FAULT_TERMINATED ||
                                g.fault.kind == HF_FAULT_INCOMPLETE);
                }
                assert_int_equal(rig_stats(&r).open, 0);
                got_done(&g);
                rig_close(&r);
            }
}

static void too_large(void **state)
{
    (void)state;
    char wire[3000];
    struct rig r;
    struct got g;
    rig_open(&r, &(struct hf_client_settings){.head_max = 1024, .fields_max = 8});
    for (int how = 0; how < 3; how++) {
        size_t n = 0;
        call(&r, &g, &(struct ask){0});
        int fd = up_accept(&r);
        up_read(&r, fd);
        n += (size_t)snprintf(wire, sizeof wire, HEAD);
        if (how == 0)
            n += (size_t)snprintf(wire + n, sizeof wire - n, "a: %02000d", 0);
        for (int i = 0; how == 1 && i < 9; i++)
            n += (size_t)snprintf(wire + n, sizeof wire - n, "a: b\r\n");
        if (how == 1)
            snprintf(wire + n, sizeof wire - n, "\r\n");
        if (how == 2)
            snprintf(wire + n, sizeof wire - n,
                     "transfer-encoding: chunked\r\n\r\n0\r\nt: %02000d\r\n\r\n", 0);
        up_write(&r, fd, wire);
        assert_true(up_ended(&r, fd));
        if (how < 2) {
            expect_fault(&g, HF_FAULT_HEAD_SIZE, how == 0 ? "longer" : "too many");
        } else {
            body(&g);
            assert_int_equal(g.end, HF_LIMIT);
            got_done(&g);
        }
    }
    rig_close(&r);
}

static void endless_interim_answers(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){0});
    int fd = up_accept(&r);
    for (int i = 0; i < 20; i++)
        up_write(&r, fd, "HTTP/1.1 102 Processing\r\n\r\n");
    expect_fault(&g, HF_FAULT_PROTOCOL, "interim");
    rig_close(&r);
}

/* ---- time ---- */

static void no_answer(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){.first_byte_ns = 2 * S});
    int fd = up_accept(&r);
    rig_pass(&r, 1900 * MS);
    assert_false(g.done);
    rig_pass(&r, 200 * MS);
    assert_true(up_ended(&r, fd));
    expect_fault(&g, HF_FAULT_READ_TIMEOUT, "no answer came in time");
    rig_close(&r);
}

/* One byte now and then does not make a head: it has one time for all of it. */
static void a_head_byte_by_byte(void **state)
{
    (void)state;
    static const char wire[] = HEAD "content-length: 0\r\n\r\n";
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){.first_byte_ns = 10 * S});
    int fd = up_accept(&r);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(g.done, i >= 10);
        up_bytes(&r, fd, hf_view(wire + i, 1));
        rig_pass(&r, 1 * S);
    }
    expect_fault(&g, HF_FAULT_READ_TIMEOUT, "no answer");
    rig_close(&r);
}

static void a_body_that_stops(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    call(&r, &g, &(struct ask){.between_ns = 3 * S});
    int fd = up_accept(&r);
    up_read(&r, fd);
    up_write(&r, fd, HEAD "content-length: 10\r\n\r\n");
    for (int i = 0; i < 5; i++) {
        up_write(&r, fd, "x");
        body(&g);
        rig_pass(&r, 2 * S);
    }
    assert_int_equal(g.end, HF_AGAIN);
    rig_pass(&r, 2 * S);
    assert_string_equal(body(&g), "xxxxx");
    assert_int_equal(g.end, HF_TIMEOUT);
    assert_true(up_ended(&r, fd));
    got_done(&g);
    rig_close(&r);
}

/* While the guest is making its body, nobody is too slow. */
static void a_slow_guest_is_not_a_slow_server(void **state)
{
    (void)state;
    struct rig r;
    struct got g;
    rig_open(&r, NULL);
    struct hf_blob *b = hf_blob_new_in(r.pool, HF_BLOB_LEN_UNKNOWN, 0);
    call(&r, &g, &(struct ask){.method = "POST", .blob = b, .first_byte_ns = 1 * S});
    int fd = up_accept(&r);
    rig_pass(&r, 50 * S);
    assert_false(g.done);
    hf_blob_finish(b);
    rig_run(&r);
    rig_pass(&r, 900 * MS);
    assert_false(g.done);
    up_read(&r, fd);
    up_write(&r, fd, HEAD "content-length: 0\r\n\r\n");
    expect_answer(&g, 200, "");
    rig_close(&r);
}

/* ---- TLS ---- */

static void tls_pump(struct rig *r, int fd, struct peer *p)
{
    struct hf_buf out = {0};
    for (int i = 0; i < 8; i++) {
        char bytes[4096];
        size_t n;
        rig_run(r);
        while (r->os->read(r->os, fd, bytes, sizeof bytes, &n) == HF_OK)
            peer_feed(p, hf_view(bytes, n));
        peer_drain(p, &out);
        up_bytes(r, fd, hf_buf_view(&out));
        hf_buf_clear(&out);
    }
    hf_buf_done(&out);
}

static void tls_talks(void **state)
{
    (void)state;
    for (size_t chunk = 0; chunk < 3; chunk++) {
        struct rig r;
        struct got g;
        struct peer p;
        struct hf_buf heard = {0};
        rig_open(&r, NULL);
        rig_tls(&r, "DNS:up");
        if (chunk > 0)
            hf_os_fake_chunk(r.os, chunk == 1 ? 7 : 500);
        peer_open(&p, &r.cert, chunk == 2 ? TLS1_2_VERSION : 0);
        struct hf_blob *b = hf_blob_of_bytes_in(r.pool, HF_VIEW("body"));
        call(&r, &g, &(struct ask){.tls = r.tls, .method = "POST", .blob = b});
        int fd = up_accept(&r);
        tls_pump(&r, fd, &p);
        peer_hear(&p, &heard);
        assert_string_equal(heard.ptr,
                            "POST / HTTP/1.1\r\nhost: up\r\ncontent-length: 4\r\n\r\nbody");
        peer_say(&p, HF_VIEW(HEAD "content-length: 2\r\n\r\nok"));
        tls_pump(&r, fd, &p);
        expect_answer(&g, 200, "ok");
        assert_int_equal(rig_stats(&r).idle, 1); /* session tickets and all */
        call(&r, &g, &(struct ask){.tls = r.tls, .kept_only = true});
        peer_say(&p, HF_VIEW(HEAD "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        tls_pump(&r, fd, &p);
        expect_answer(&g, 200, "ok");
        /* plain and secret are different places */
        assert_int_equal(try_call(&r, &g, &(struct ask){.kept_only = true}), HF_AGAIN);
        hf_buf_done(&heard);
        peer_close(&p);
        rig_close(&r);
    }
}

static void tls_with_a_large_body(void **state)
{
    (void)state;
    static char piece[64 * 1024];
    struct rig r;
    struct got g;
    struct peer p;
    struct hf_buf out = {0};
    rig_open(&r, NULL);
    rig_tls(&r, "DNS:up");
    peer_open(&p, &r.cert, 0);
    call(&r, &g, &(struct ask){.tls = r.tls});
    int fd = up_accept(&r);
    tls_pump(&r, fd, &p);
    peer_say(&p, HF_VIEW(HEAD "content-length: 4194304\r\n\r\n"));
    for (int i = 0; i < 64; i++)
        peer_say(&p, hf_view(piece, sizeof piece));
    peer_drain(&p, &out);
    while (g.body.len < 4194304) {
        struct iovec iov = {out.ptr, out.len < 65536 ? out.len : 65536};
        size_t n = 0;
        if (out.len > 0)
            (void)r.os->writev(r.os, fd, &iov, 1, &n);
        hf_buf_consume(&out, n);
        rig_run(&r);
        body(&g);
        assert_true(g.reader.blob == NULL || hf_blob_error(g.reader.blob) == HF_OK);
        assert_true(hf_blob_pool_memory(r.pool) < 1024 * 1024);
    }
    assert_int_equal(g.end, HF_CLOSED);
    got_done(&g);
    assert_int_equal(rig_stats(&r).idle, 1);
    assert_true(rig_stats(&r).buffer_bytes <= (64 + 2 * 8) * 1024); /* at rest it holds little */
    hf_buf_done(&out);
    peer_close(&p);
    rig_close(&r);
}

static void tls_that_is_bad(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct rig r;
        struct got g;
        struct peer p;
        rig_open(&r, NULL);
        rig_tls(&r, how == 0 ? "DNS:other" : "DNS:up");
        peer_open(&p, &r.cert, how == 1 ? TLS1_1_VERSION : 0);
        call(&r, &g, &(struct ask){.tls = r.tls, .connect_ns = 5 * S});
        int fd = up_accept(&r);
        if (how == 2)
            up_write(&r, fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
        else if (how == 3)
            up_close(&r, fd);
        else if (how < 2)
            tls_pump(&r, fd, &p);
        else
            rig_pass(&r, 6 * S);
        switch (how) {
        case 0: expect_fault(&g, HF_FAULT_TLS_CERTIFICATE, "hostname mismatch"); break;
        case 1: expect_fault(&g, HF_FAULT_TLS_ALERT, ""); break;
        case 2: expect_fault(&g, HF_FAULT_TLS_PROTOCOL, "handshake: "); break;
        case 3:
            assert_true(g.fault.kind == HF_FAULT_TLS_PROTOCOL ||
                        g.fault.kind == HF_FAULT_TERMINATED);
            break;
        default: expect_fault(&g, HF_FAULT_CONNECT_TIMEOUT, "TLS was not ready in time");
        }
        got_done(&g);
        assert_int_equal(rig_stats(&r).open, 0);
        peer_close(&p);
        rig_close(&r);
    }
}

/* An end of the socket is no end of a body under TLS, unless TLS says so itself. */
static void tls_cut_short(void **state)
{
    (void)state;
    for (int proper = 0; proper < 2; proper++) {
        struct rig r;
        struct got g;
        struct peer p;
        rig_open(&r, NULL);
        rig_tls(&r, "DNS:up");
        peer_open(&p, &r.cert, 0);
        call(&r, &g, &(struct ask){.tls = r.tls});
        int fd = up_accept(&r);
        tls_pump(&r, fd, &p);
        peer_say(&p, HF_VIEW(HEAD "\r\nuntil the end"));
        if (proper)
            SSL_shutdown(p.ssl);
        tls_pump(&r, fd, &p);
        up_close(&r, fd);
        assert_string_equal(body(&g), "until the end");
        assert_int_equal(g.end, proper ? HF_CLOSED : HF_IO);
        if (!proper)
            assert_int_equal(hf_blob_error(g.reader.blob), HF_CLOSED);
        got_done(&g);
        peer_close(&p);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_nul_in_a_head),
        cmocka_unit_test(bodies_that_lie),
        cmocka_unit_test(more_than_promised_ends_the_connection),
        cmocka_unit_test(gone_at_every_byte),
        cmocka_unit_test(too_large),
        cmocka_unit_test(endless_interim_answers),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(a_head_byte_by_byte),
        cmocka_unit_test(a_body_that_stops),
        cmocka_unit_test(a_slow_guest_is_not_a_slow_server),
        cmocka_unit_test(tls_talks),
        cmocka_unit_test(tls_with_a_large_body),
        cmocka_unit_test(tls_that_is_bad),
        cmocka_unit_test(tls_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
