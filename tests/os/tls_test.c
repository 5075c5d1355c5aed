/* tls_test.c - TLS over memory against the library's own server, with certificates made here. */
#include "support.h"

#include <stdio.h>

#include "os/tls.h"
#include "tests/os/tls_peer.h"

struct certs {
    struct peer_cert ca, good, expired, early, other, self, address;
    struct hf_buf pem;
};
static struct certs made;

static int make_certs(void **state)
{
    (void)state;
    struct peer_cert *ca = &made.ca;
    *ca = peer_cert_new(NULL, NULL, -PEER_DAY, PEER_DAY);
    made.good = peer_cert_new(ca, "DNS:example.org,DNS:*.wild.test", -PEER_DAY, PEER_DAY);
    made.expired = peer_cert_new(ca, "DNS:example.org", -2 * PEER_DAY, -PEER_DAY);
    made.early = peer_cert_new(ca, "DNS:example.org", PEER_DAY, 2 * PEER_DAY);
    made.other = peer_cert_new(ca, "DNS:elsewhere.test", -PEER_DAY, PEER_DAY);
    made.self = peer_cert_new(NULL, "DNS:example.org", -PEER_DAY, PEER_DAY);
    made.address = peer_cert_new(ca, "IP:127.0.0.1,IP:::1", -PEER_DAY, PEER_DAY);
    made.pem = peer_pem(ca);
    return 0;
}

static int free_certs(void **state)
{
    (void)state;
    struct peer_cert *all[] = {&made.ca,    &made.good, &made.expired, &made.early,
                               &made.other, &made.self, &made.address};
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++)
        peer_cert_done(all[i]);
    hf_buf_done(&made.pem);
    return 0;
}

struct pair {
    struct hf_tls_context *ctx;
    struct hf_tls *t;
    struct peer p;
    struct hf_buf wire; /* from the server to us */
    size_t step;        /* bytes fed at once; 0: all */
};

static void open_pair(struct pair *x, const struct peer_cert *cert, const char *host, int version)
{
    struct hf_tls_settings s = {.ca = hf_buf_view(&made.pem), .no_system_roots = true};
    *x = (struct pair){0};
    assert_int_equal(hf_tls_context_new(&s, &x->ctx, NULL), HF_OK);
    assert_int_equal(hf_tls_new(x->ctx, hf_view_of(host), &x->t), HF_OK);
    peer_open(&x->p, cert, version);
}

static void close_pair(struct pair *x)
{
    hf_tls_free(x->t);
    hf_tls_context_unref(x->ctx);
    peer_close(&x->p);
    hf_buf_done(&x->wire);
}

/* Carries what there is both ways; true when there was anything. */
static bool carry(struct pair *x)
{
    struct hf_view out = hf_tls_drain(x->t);
    bool moved = out.len > 0;
    size_t n = x->step == 0 || x->step > out.len ? out.len : x->step;
    peer_feed(&x->p, hf_view_take(out, n));
    hf_tls_drained(x->t, n);
    peer_drain(&x->p, &x->wire);
    n = x->step == 0 || x->step > x->wire.len ? x->wire.len : x->step;
    moved |= n > 0;
    if (n > hf_tls_feed_room(x->t))
        n = hf_tls_feed_room(x->t);
    assert_int_equal(hf_tls_feed(x->t, hf_view(x->wire.ptr, n)), HF_OK);
    hf_buf_consume(&x->wire, n);
    return moved;
}

static enum hf_err shake(struct pair *x)
{
    for (;;) {
        enum hf_err err = hf_tls_handshake(x->t);
        if (err != HF_AGAIN) {
            carry(x);
            return err;
        }
        if (!carry(x))
            return HF_AGAIN;
    }
}

static void expect_read(struct pair *x, const char *text)
{
    char got[64];
    size_t n, len = 0;
    enum hf_err err;
    do {
        while ((err = hf_tls_read(x->t, got + len, sizeof got - len, &n)) == HF_OK)
            len += n;
        assert_int_equal(err, HF_AGAIN);
    } while (carry(x));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
}

static void expect_heard(struct pair *x, const char *text)
{
    struct hf_buf got = {0};
    while (carry(x))
        ;
    peer_hear(&x->p, &got);
    assert_int_equal(got.len, strlen(text));
    assert_memory_equal(got.ptr, text, got.len);
    hf_buf_done(&got);
}

static void talk(struct pair *x)
{
    size_t n;
    assert_int_equal(shake(x), HF_OK);
    assert_true(hf_view_eq_text(hf_tls_protocol(x->t), "http/1.1"));
    assert_int_equal(hf_tls_write(x->t, HF_VIEW("ping"), &n), HF_OK);
    assert_int_equal(n, 4);
    expect_heard(x, "ping");
    peer_say(&x->p, HF_VIEW("pong"));
    expect_read(x, "pong");
}

static void speaks_both_versions(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *name;
    } rows[] = {{TLS1_3_VERSION, "TLSv1.3"}, {TLS1_2_VERSION, "TLSv1.2"}};
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct pair x;
        open_pair(&x, &made.good, "example.org", rows[i].version);
        talk(&x);
        assert_string_equal(hf_tls_version(x.t), rows[i].name);
        assert_string_equal(SSL_get_servername(x.p.ssl, TLSEXT_NAMETYPE_host_name), "example.org");
        hf_tls_close(x.t);
        while (carry(&x))
            ;
        char c;
        assert_int_equal(SSL_read(x.p.ssl, &c, 1), 0); /* a proper end */
        assert_int_equal(SSL_get_shutdown(x.p.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        close_pair(&x);
    }
}

static void byte_by_byte(void **state)
{
    (void)state;
    struct pair x;
    open_pair(&x, &made.good, "example.org", 0);
    x.step = 1;
    talk(&x);
    close_pair(&x);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    struct pair x;
    open_pair(&x, &made.good, "example.org", TLS1_1_VERSION);
    assert_int_equal(shake(&x), HF_IO);
    assert_true(hf_tls_fault(x.t)->kind == HF_FAULT_TLS_ALERT ||
                hf_tls_fault(x.t)->kind == HF_FAULT_TLS_PROTOCOL);
    close_pair(&x);
}

/* Each wrong certificate is refused, with words of its own. */
static void certificates_are_verified(void **state)
{
    (void)state;
    const struct {
        const struct peer_cert *cert;
        const char *host, *words; /* NULL: it is fine */
    } rows[] = {
        {&made.good, "example.org", NULL},
        {&made.good, "EXAMPLE.org.", NULL},
        {&made.good, "a.wild.test", NULL},
        {&made.good, "wild.test", "hostname mismatch"},
        {&made.good, "a.b.wild.test", "hostname mismatch"},
        {&made.good, "127.0.0.1", "IP address mismatch"},
        {&made.other, "example.org", "hostname mismatch"},
        {&made.expired, "example.org", "expired"},
        {&made.early, "example.org", "not yet valid"},
        {&made.self, "example.org", "self-signed"},
        {&made.address, "127.0.0.1", NULL},
        {&made.address, "::1", NULL},
        {&made.address, "127.0.0.2", "IP address mismatch"},
        {&made.address, "example.org", "hostname mismatch"},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct pair x;
        open_pair(&x, rows[i].cert, rows[i].host, i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
        enum hf_err err = shake(&x);
        const struct hf_fault *f = hf_tls_fault(x.t);
        if (rows[i].words == NULL) {
            assert_int_equal(err, HF_OK);
        } else {
            assert_int_equal(err, HF_IO);
            assert_int_equal(f->kind, HF_FAULT_TLS_CERTIFICATE);
            if (strstr(f->text, rows[i].words) == NULL)
                fail_msg("row %zu: %s", i, f->text);
        }
        close_pair(&x);
    }
}

static void unknown_roots_are_refused(void **state)
{
    (void)state;
    struct peer_cert ca = peer_cert_new(NULL, NULL, -PEER_DAY, PEER_DAY);
    struct hf_buf pem = peer_pem(&ca);
    struct hf_tls_settings s = {.ca = hf_buf_view(&pem), .no_system_roots = true};
    struct pair x;
    open_pair(&x, &made.good, "example.org", 0);
    hf_tls_free(x.t);
    hf_tls_context_unref(x.ctx);
    assert_int_equal(hf_tls_context_new(&s, &x.ctx, NULL), HF_OK);
    assert_int_equal(hf_tls_new(x.ctx, HF_VIEW("example.org"), &x.t), HF_OK);
    assert_int_equal(shake(&x), HF_IO);
    assert_int_equal(hf_tls_fault(x.t)->kind, HF_FAULT_TLS_CERTIFICATE);
    close_pair(&x);
    peer_cert_done(&ca);
    hf_buf_done(&pem);
}

/* An end of the socket is not an end of the bytes: only close-notify is. */
static void truncation_is_seen(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (int proper = 0; proper < 2; proper++) {
            struct pair x;
            char c[8];
            size_t n;
            open_pair(&x, &made.good, "example.org", version);
            talk(&x);
            peer_say(&x.p, HF_VIEW("half"));
            if (proper)
                SSL_shutdown(x.p.ssl);
            carry(&x);
            hf_tls_feed_end(x.t);
            assert_int_equal(hf_tls_read(x.t, c, sizeof c, &n), HF_OK);
            assert_int_equal(n, 4);
            assert_int_equal(hf_tls_read(x.t, c, sizeof c, &n), proper ? HF_CLOSED : HF_IO);
            if (!proper) {
                assert_int_equal(hf_tls_fault(x.t)->kind, HF_FAULT_TLS_PROTOCOL);
                assert_non_null(strstr(hf_tls_fault(x.t)->text, "without TLS's own end"));
            }
            close_pair(&x);
        }
}

static void alerts_are_told(void **state)
{
    (void)state;
    struct pair x;
    open_pair(&x, &made.good, "example.org", TLS1_2_VERSION);
    SSL_set_cipher_list(x.p.ssl, "AES128-SHA"); /* wants RSA: nothing in common */
    assert_int_equal(shake(&x), HF_IO);
    assert_int_equal(hf_tls_fault(x.t)->kind, HF_FAULT_TLS_ALERT);
    assert_int_equal(hf_tls_fault(x.t)->number, SSL_AD_HANDSHAKE_FAILURE);
    assert_string_equal(hf_tls_fault(x.t)->text, "handshake failure");
    assert_int_equal(hf_tls_handshake(x.t), HF_IO); /* for ever */
    close_pair(&x);
}

static void a_plain_answer_is_no_tls(void **state)
{
    (void)state;
    struct pair x;
    open_pair(&x, &made.good, "example.org", 0);
    assert_int_equal(hf_tls_handshake(x.t), HF_AGAIN);
    assert_int_equal(hf_tls_feed(x.t, HF_VIEW("HTTP/1.1 400 Bad Request\r\n\r\n")), HF_OK);
    assert_int_equal(hf_tls_handshake(x.t), HF_IO);
    assert_int_equal(hf_tls_fault(x.t)->kind, HF_FAULT_TLS_PROTOCOL);
    assert_non_null(strstr(hf_tls_fault(x.t)->text, "handshake: "));
    close_pair(&x);
}

/* Any byte of the server's side changed: an error, or the same plaintext; never other bytes. */
static void changed_bytes_are_noticed(void **state)
{
    (void)state;
    uint32_t seed = 5;
    unsigned noticed = 0;
    for (unsigned i = 0; i < 300; i++) {
        struct pair x;
        open_pair(&x, &made.good, "example.org", i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
        seed = seed * 1664525u + 1013904223u;
        size_t victim = (seed >> 8) % 1400, seen = 0;
        bool said = false;
        enum hf_err err = HF_AGAIN;
        for (unsigned turn = 0; turn < 20; turn++) {
            err = hf_tls_handshake(x.t);
            struct hf_view out = hf_tls_drain(x.t);
            peer_feed(&x.p, out);
            hf_tls_drained(x.t, out.len);
            if (err == HF_IO)
                break;
            if (err == HF_OK && !said && SSL_is_init_finished(x.p.ssl)) {
                peer_say(&x.p, HF_VIEW("truth"));
                said = true;
            }
            peer_drain(&x.p, &x.wire);
            if (victim >= seen && victim < seen + x.wire.len)
                x.wire.ptr[victim - seen] ^= (uint8_t)(1 + (seed & 127));
            seen += x.wire.len;
            assert_int_equal(hf_tls_feed(x.t, hf_buf_view(&x.wire)), HF_OK);
            hf_buf_clear(&x.wire);
        }
        if (err == HF_OK) {
            char got[16];
            size_t n;
            err = hf_tls_read(x.t, got, sizeof got, &n);
            if (err == HF_OK) {
                assert_int_equal(n, 5);
                assert_memory_equal(got, "truth", 5);
            }
        }
        noticed += err == HF_IO;
        if (err == HF_IO)
            assert_int_not_equal(hf_tls_fault(x.t)->kind, HF_FAULT_NONE);
        close_pair(&x);
    }
    assert_true(noticed > 200);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned i = 0; i < 500; i++) {
        struct pair x;
        uint8_t bytes[300];
        open_pair(&x, &made.good, "example.org", 0);
        assert_int_equal(hf_tls_handshake(x.t), HF_AGAIN);
        for (size_t k = 0; k < sizeof bytes; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[k] = (uint8_t)(seed >> 24);
        }
        if (i % 2 == 0) { /* what looks like a record of a handshake */
            bytes[0] = 22;
            bytes[1] = 3;
            bytes[2] = 3;
            bytes[3] = 0;
            bytes[4] = 200;
        }
        assert_int_equal(hf_tls_feed(x.t, hf_view(bytes, sizeof bytes)), HF_OK);
        hf_tls_feed_end(x.t);
        assert_int_equal(hf_tls_handshake(x.t), HF_IO);
        close_pair(&x);
    }
}

static void writing_stops_when_nobody_drains(void **state)
{
    (void)state;
    static uint8_t bytes[16 * 1024];
    struct pair x;
    size_t n, total = 0;
    enum hf_err err;
    open_pair(&x, &made.good, "example.org", 0);
    talk(&x);
    while ((err = hf_tls_write(x.t, hf_view(bytes, sizeof bytes), &n)) == HF_OK)
        total += n;
    assert_int_equal(err, HF_AGAIN);
    assert_true(total >= 48 * 1024 && hf_tls_drain(x.t).len < HF_TLS_SEND_MAX + 20 * 1024);
    struct hf_view out = hf_tls_drain(x.t);
    hf_tls_drained(x.t, out.len);
    assert_int_equal(hf_tls_write(x.t, hf_view(bytes, 1), &n), HF_OK);
    close_pair(&x);
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    struct hf_tls_settings s = {.ca = hf_buf_view(&made.pem), .no_system_roots = true};
    struct hf_tls_context *ctx;
    struct hf_tls *t;
    assert_int_equal(hf_tls_context_new(&s, &ctx, NULL), HF_OK);
    assert_int_equal(hf_tls_new(ctx, HF_VIEW(""), &t), HF_INVALID);
    assert_int_equal(hf_tls_new(ctx, HF_VIEW("a\0b"), &t), HF_INVALID);
    char name[400];
    memset(name, 'a', sizeof name);
    assert_int_equal(hf_tls_new(ctx, hf_view(name, sizeof name), &t), HF_INVALID);
    hf_tls_context_unref(ctx);
}

static void roots_come_from_files(void **state)
{
    struct world *w = *state;
    struct hf_report report = {0};
    struct hf_tls_context *ctx;
    const char *path = world_path(w, "ca.pem"), *empty = world_path(w, "empty.pem");
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(made.pem.ptr, 1, made.pem.len, f), made.pem.len);
    fclose(f);
    fclose(fopen(empty, "w"));
    struct hf_tls_settings s = {.ca_file = path};
    assert_int_equal(hf_tls_context_new(&s, &ctx, &report), HF_OK);
    hf_tls_context_unref(ctx);
    s.ca_file = empty;
    assert_int_equal(hf_tls_context_new(&s, &ctx, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "no PEM certificate"));
    hf_report_init(&report);
    s.ca_file = world_path(w, "none.pem");
    assert_int_equal(hf_tls_context_new(&s, &ctx, &report), HF_NOT_FOUND);
    remove(path);
    remove(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speaks_both_versions),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(certificates_are_verified),
        cmocka_unit_test(unknown_roots_are_refused),
        cmocka_unit_test(truncation_is_seen),
        cmocka_unit_test(alerts_are_told),
        cmocka_unit_test(a_plain_answer_is_no_tls),
        cmocka_unit_test(changed_bytes_are_noticed),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(writing_stops_when_nobody_drains),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test_setup_teardown(roots_come_from_files, world_linux, world_end),
    };
    return cmocka_run_group_tests(tests, make_certs, free_certs);
}
