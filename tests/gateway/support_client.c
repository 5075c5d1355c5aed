/* support_client.c - see support_client.h. */
#include "support_client.h"

#define TURNS_MAX 20000

void rig_open(struct rig *r, const struct hf_client_settings *s)
{
    struct hf_os_addr any = {"127.0.0.1:0"};
    *r = (struct rig){.os = hf_os_fake_new(3)};
    hf_os_fake_advance(r->os, 100 * S);
    assert_int_equal(r->os->poller_new(r->os, &r->poller), HF_OK);
    if (s != NULL)
        r->s = *s;
    r->pool = hf_blob_pool_new(0);
    r->s.os = r->os;
    r->s.poller = r->poller;
    r->s.blobs = r->pool;
    assert_int_equal(hf_client_new(&r->s, &r->c, NULL), HF_OK);
    assert_int_equal(r->os->listen(r->os, &any, false, 64, &r->listener, &r->addr, NULL), HF_OK);
}

void rig_close(struct rig *r)
{
    hf_client_free(r->c);
    assert_int_equal(hf_blob_pool_live(r->pool), 0);
    hf_blob_pool_unref(r->pool);
    hf_tls_context_unref(r->tls);
    if (r->cert.key != NULL) {
        peer_cert_done(&r->ca);
        peer_cert_done(&r->cert);
    }
    r->os->close(r->os, r->listener);
    r->os->poller_free(r->poller);
    hf_os_fake_free(r->os);
}

void rig_run(struct rig *r)
{
    struct hf_os_event events[32];
    unsigned idle = 0;
    for (unsigned i = 0; i < TURNS_MAX; i++) {
        uint64_t now = r->os->now_ns(r->os);
        hf_client_begin(r->c, now);
        size_t n = r->os->poller_wait(r->poller, 0, events, HF_ARRAY_LEN(events));
        for (size_t k = 0; k < n; k++) {
            struct hf_os_watch *watch = events[k].tag;
            watch->on_ready(watch, events[k].ready);
        }
        if (hf_client_next_ns(r->c) <= now)
            hf_client_tick(r->c, now);
        hf_client_flush(r->c);
        idle = n > 0 || hf_client_busy(r->c) || hf_client_next_ns(r->c) <= now ? 0 : idle + 1;
        if (idle == 2)
            return;
    }
    fail_msg("the client never comes to rest");
}

void rig_pass(struct rig *r, uint64_t ns)
{
    hf_os_fake_advance(r->os, ns);
    rig_run(r);
}

void rig_tls(struct rig *r, const char *names)
{
    r->ca = peer_cert_new(NULL, NULL, -PEER_DAY, PEER_DAY);
    r->cert = peer_cert_new(&r->ca, names, -PEER_DAY, PEER_DAY);
    struct hf_buf pem = peer_pem(&r->ca);
    struct hf_tls_settings s = {.ca = hf_buf_view(&pem), .no_system_roots = true};
    assert_int_equal(hf_tls_context_new(&s, &r->tls, NULL), HF_OK);
    hf_buf_done(&pem);
}

struct hf_client_stats rig_stats(struct rig *r)
{
    struct hf_client_stats s;
    hf_client_get_stats(r->c, &s);
    return s;
}

/* ---- calls ---- */

static void on_done(void *owner, struct hf_client_answer *a)
{
    struct got *g = owner;
    assert_false(g->done);
    g->done = true;
    g->call = NULL;
    g->fault = a->fault;
    if (a->fault.kind != HF_FAULT_NONE)
        return;
    g->head_bytes = a->head;
    a->head = (struct hf_buf){0};
    assert_int_equal(hf_head_read(hf_buf_view(&g->head_bytes), &g->head, NULL), HF_OK);
    g->has_body = a->blob != NULL;
    assert_int_equal((g->head.flags & HF_HEAD_NO_BODY) != 0, !g->has_body);
    g->end = HF_CLOSED;
    if (a->blob != NULL) {
        g->end = HF_AGAIN;
        hf_blob_reader_open(&g->reader, &a->blob);
    }
}

static void add_fields(struct hf_head_writer *w, const char *text)
{
    struct hf_view rest = hf_view_of(text);
    while (rest.len > 0) {
        size_t n = hf_view_find(rest, '\n');
        struct hf_view line = hf_view_take(rest, n);
        size_t colon = hf_view_find(line, ':');
        assert_int_equal(hf_head_field(w, hf_view_take(line, colon), hf_view_skip(line, colon + 2)),
                         HF_OK);
        rest = hf_view_skip(rest, n + 1);
    }
}

enum hf_err try_call(struct rig *r, struct got *g, const struct ask *a)
{
    struct hf_buf head = {0};
    struct hf_head_writer w;
    const char *host = a->host == NULL ? "up" : a->host;
    uint32_t flags = HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH;
    assert_int_equal(hf_head_begin_request(&w, &head, flags,
                                           hf_view_of(a->method == NULL ? "GET" : a->method),
                                           (struct hf_view){0}, hf_view_of(host),
                                           hf_view_of(a->path == NULL ? "/" : a->path)),
                     HF_OK);
    add_fields(&w, a->fields == NULL ? "" : a->fields);
    *g = (struct got){.r = r, .end = HF_AGAIN};
    struct hf_client_request q = {
        .head = hf_head_end(&w),
        .blob = a->blob,
        .realm = a->realm,
        .tls = a->tls,
        .host = hf_view_of(host),
        .port = 80,
        .addrs = a->addrs == NULL ? &r->addr : a->addrs,
        .n_addrs = a->kept_only       ? 0
                   : a->addrs == NULL ? 1
                                      : a->n_addrs,
        .connect_ns = a->connect_ns,
        .first_byte_ns = a->first_byte_ns,
        .between_ns = a->between_ns,
        .done = on_done,
        .owner = g,
    };
    enum hf_err err = hf_client_start(r->c, &q, &g->call);
    hf_buf_done(&head);
    assert_false(g->done); /* never from start */
    return err;
}

void call(struct rig *r, struct got *g, const struct ask *a)
{
    assert_int_equal(try_call(r, g, a), HF_OK);
    rig_run(r);
}

const char *body(struct got *g)
{
    struct hf_view v;
    bool any = true;
    while (any && g->reader.blob != NULL) {
        enum hf_err err;
        any = false;
        while ((err = hf_blob_reader_peek(&g->reader, &v)) == HF_OK) {
            assert_int_equal(hf_buf_add_view(&g->body, v), HF_OK);
            hf_blob_reader_advance(&g->reader, v.len);
            any = true;
        }
        g->end = err;
        rig_run(g->r);
    }
    return g->body.ptr == NULL ? "" : (const char *)g->body.ptr;
}

void leave(struct got *g)
{
    hf_blob_reader_close(&g->reader);
    rig_run(g->r);
}

void got_done(struct got *g)
{
    hf_blob_reader_close(&g->reader);
    hf_buf_done(&g->body);
    hf_buf_done(&g->head_bytes);
}

void expect_answer(struct got *g, unsigned status, const char *text)
{
    if (!g->done || g->fault.kind != HF_FAULT_NONE)
        fail_msg("%s: %s", g->done ? "a fault" : "no answer", g->fault.text);
    assert_int_equal(g->head.status, status);
    assert_string_equal(body(g), text);
    assert_int_equal(g->end, HF_CLOSED);
    got_done(g);
}

void expect_fault(struct got *g, enum hf_fault_kind kind, const char *words)
{
    if (!g->done)
        fail_msg("no answer yet");
    if (g->fault.kind != kind || strstr(g->fault.text, words) == NULL)
        fail_msg("%d: %s", g->fault.kind, g->fault.text);
    got_done(g);
}

const char *field_of(struct got *g, const char *name)
{
    static char text[256];
    struct hf_view v;
    if (!hf_head_find(&g->head, hf_view_of(name), &v))
        return NULL;
    snprintf(text, sizeof text, "%.*s", HF_FMT(v));
    return text;
}

/* ---- the other server ---- */

int up_accept(struct rig *r)
{
    int fd;
    rig_run(r);
    if (r->os->accept(r->os, r->listener, &fd, NULL) != HF_OK)
        return -1;
    rig_run(r);
    return fd;
}

const char *up_read(struct rig *r, int fd)
{
    static char text[256 * 1024];
    size_t len = 0, n;
    rig_run(r);
    while (r->os->read(r->os, fd, text + len, sizeof text - 1 - len, &n) == HF_OK) {
        len += n;
        rig_run(r);
    }
    text[len] = '\0';
    return text;
}

void up_bytes(struct rig *r, int fd, struct hf_view bytes)
{
    for (unsigned stuck = 0; bytes.len > 0;) {
        struct iovec iov = {(void *)(uintptr_t)bytes.ptr, bytes.len};
        size_t n;
        enum hf_err err = r->os->writev(r->os, fd, &iov, 1, &n);
        rig_run(r);
        if (err == HF_OK) {
            bytes = hf_view_skip(bytes, n);
            stuck = 0;
        } else if (err != HF_AGAIN || ++stuck > 3) {
            return;
        }
    }
}

void up_write(struct rig *r, int fd, const char *text)
{
    up_bytes(r, fd, hf_view_of(text));
}

void up_close(struct rig *r, int fd)
{
    r->os->close(r->os, fd);
    rig_run(r);
}

void up_reset(struct rig *r, int fd)
{
    r->os->close_reset(r->os, fd);
    rig_run(r);
}

bool up_ended(struct rig *r, int fd)
{
    char byte[64];
    size_t n;
    enum hf_err err;
    rig_run(r);
    while ((err = r->os->read(r->os, fd, byte, sizeof byte, &n)) == HF_OK)
        rig_run(r);
    return err != HF_AGAIN;
}
