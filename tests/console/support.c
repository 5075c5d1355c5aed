/* support.c - see support.h. */
#include "support.h"

#define MS 1000000ull

/* ---- the node that is played ---- */

static void node_info(void *ctx, struct hf_admin_node *ret)
{
    struct played *p = ctx;
    *ret = (struct hf_admin_node){
        .version = "1.2.3",
        .manifest = "app/holdfast.toml",
        .now_ns = 100000 * MS,
        .start_wall_ns = 1700000000000 * MS,
        .uptime_ns = 90000 * MS,
        .pid = 42,
        .workers = 2,
        .cpu_ns = 1500 * MS,
        .rss_bytes = 12345678,
        .open_files = 17,
        .stopping = p->stopping,
        .log_json = p->log_json,
    };
}

static const struct hf_meter *meter_of(void *ctx, uint32_t worker)
{
    struct played *p = ctx;
    return worker < 2 ? &p->meters[worker] : NULL;
}

void played_finish(struct played *p)
{
    struct hf_admin_task *t = p->task;
    assert_non_null(t);
    p->task = NULL;
    t->http = t->kind == HF_ADMIN_LOOK || p->http == 0 ? 200 : p->http;
    t->code = t->kind == HF_ADMIN_LOOK ? 0 : p->code;
    t->number = p->number;
    if (t->kind == HF_ADMIN_LOOK)
        t->picture = &p->picture;
    else if (p->text != NULL)
        assert_int_equal(hf_buf_add_text(&t->text, p->text), HF_OK);
    hf_wait_fire(&t->ready);
}

static void begin(void *ctx, struct hf_admin_task *t)
{
    static const char *const kinds[] = {"look", "reload", "deploy",  "rollback",
                                        "kill", "stop",   "process", "end"};
    struct played *p = ctx;
    p->begun++;
    p->task = t;
    bool process = t->kind == HF_ADMIN_PROCESS || t->kind == HF_ADMIN_END;
    assert_int_equal(hf_buf_printf(&p->said, "%s %s %llu %zu\n", kinds[t->kind],
                                   process ? t->process.name : t->name, (unsigned long long)t->id,
                                   t->bytes.len),
                     HF_OK);
    if (!p->later)
        played_finish(p);
}

static void end(void *ctx, struct hf_admin_task *t)
{
    struct played *p = ctx;
    p->ended++;
    if (p->task == t)
        p->task = NULL;
}

static void post(void *ctx, struct hf_admin_post *m)
{
    struct played *p = ctx;
    p->posts++;
    p->post = m;
    p->blob = m->blob;
    m->blob = NULL;
    assert_int_equal(
        hf_buf_printf(&p->said, "%s %.*s '%.*s' meta '%.*s' %llu%s\n", m->tell ? "tell" : "ask",
                      HF_FMT(m->to), HF_FMT(hf_buf_view(&m->body)), HF_FMT(m->metadata),
                      (unsigned long long)m->timeout_ns, p->blob != NULL ? " blob" : ""),
        HF_OK);
    if (!p->later)
        played_answer(p, p->kind, p->text == NULL ? "" : p->text, NULL);
}

static void post_end(void *ctx, struct hf_admin_post *m)
{
    struct played *p = ctx;
    p->posts_ended++;
    if (p->post == m)
        p->post = NULL;
}

void played_answer(struct played *p, enum hf_answer_kind kind, const char *body,
                   struct hf_blob *blob)
{
    struct hf_admin_post *m = p->post;
    assert_non_null(m);
    p->post = NULL;
    m->kind = kind;
    m->answer_blob = blob;
    assert_int_equal(hf_buf_add_text(&m->answer, body), HF_OK);
    hf_wait_fire(&m->ready);
}

static enum hf_err bucket(void *ctx, struct hf_view service, struct hf_view name,
                          struct hf_kv_bucket **ret, struct hf_report *report)
{
    struct played *p = ctx;
    if (service.len > 0 && !hf_view_eq_text(service, "a"))
        return hf_report_set(report, HF_NOT_FOUND, "there is no service %.*s", HF_FMT(service));
    if (!hf_view_eq_text(name, "notes"))
        return hf_report_set(report, HF_NOT_FOUND, "it has no such bucket; it has: notes");
    return hf_kv_bucket(p->ops.kv, HF_VIEW("a"), name, ret);
}

static void note(struct hf_meter *m, const char *service, uint16_t status, uint64_t ns, unsigned n)
{
    const struct hf_meter_note one = {.status = status, .ns = ns, .bytes_in = 5, .bytes_out = 100};
    for (unsigned i = 0; i < n; i++)
        hf_meter_note(m, hf_view_of(service), &one);
}

static void take_shots(struct hf_picture *picture)
{
    for (uint32_t w = 0; w < 2; w++) {
        struct hf_shot shot = {.worker = {.number = w,
                                          .at_ns = 99999 * MS,
                                          .processes = 3 - w,
                                          .blobs = w,
                                          .blob_bytes = 4096 * w,
                                          .blob_kept = 8192 * w,
                                          .blob_in_file = 65536 * w,
                                          .blob_written = 131072 * w,
                                          .blob_read = 32768 * w,
                                          .blob_failures = 2 * w,
                                          .blob_refused = 3 * w,
                                          .resident = 10 + w,
                                          .evicted = 20 + w,
                                          .spilled_bytes = 8192 * w,
                                          .evictions = 30 + w,
                                          .revivals = 5 + w,
                                          .stays = w,
                                          .spill_failures = w,
                                          .lost = w}};
        shot.worker.gateway =
            (struct hf_shot_gateway){.accepted = 10 + w, .open = 2, .busy = w, .requests = 8};
        shot.worker.client =
            (struct hf_shot_client){.calls = 4, .connects = 2, .reused = 2, .open = 1};
        struct hf_shot_service *s = hf_shot_add_service(&shot, "b");
        strcpy(s->tenant, "acme");
        strcpy(s->component, "b.wasm");
        s->lifecycle = "per-request";
        s->min = 1;
        s->max = 4;
        s->queue_max = 100;
        s->started = 7;
        s->cold = 2;
        s->retired = 5;
        hf_shot_add_end(s, "per-request", 5);
        hf_shot_add_instance(&shot, 20 + w, "busy", 40000 * MS, 9, 65536);
        s = hf_shot_add_service(&shot, "a");
        strcpy(s->tenant, "default");
        s->lifecycle = "reuse";
        s->min = 1;
        s->max = 8;
        s->queue_max = 50;
        s->queued = w;
        s->started = 3;
        s->killed = 1;
        s->timeouts = 1;
        s->start_failures = w;
        hf_shot_add_end(s, "deadline", 1);
        hf_shot_add_end(s, w == 0 ? "max-age" : "idle", 1);
        if (w == 1)
            strcpy(s->last_failure, "it said \"no\"\xff");
        hf_shot_add_instance(&shot, 10 + w, "idle", 90000 * MS, 100 * (w + 1), 131072);
        if (w == 0)
            hf_shot_add_instance(&shot, 12, "starting", 0, 0, 0);
        assert_false(shot.partial);
        assert_int_equal(hf_picture_add(picture, &shot), HF_OK);
        hf_shot_done(&shot);
    }
    picture->now_ns = 100000 * MS;
    hf_picture_sort(picture);
    hf_picture_deployed(picture, HF_VIEW("b"), "b.wasm", 1700000080000);
}

void played_init(struct played *p)
{
    *p = (struct played){0};
    for (unsigned i = 0; i < 2; i++) {
        hf_meter_init(&p->meters[i]);
        assert_non_null(hf_meter_row(&p->meters[i], HF_VIEW("b"), HF_VIEW("acme")));
    }
    assert_non_null(hf_meter_row(&p->meters[0], HF_VIEW("a"), HF_VIEW("default")));
    note(&p->meters[0], "a", 200, 100000, 90);
    note(&p->meters[0], "a", 500, 3000000, 9);
    note(&p->meters[0], "a", 0, 100000000000, 1);
    note(&p->meters[1], "b", 304, 500, 3);
    note(&p->meters[1], "", 400, 2000, 2);
    take_shots(&p->picture);
    p->ops = (struct hf_admin_ops){.ctx = p,
                                   .node = node_info,
                                   .begin = begin,
                                   .end = end,
                                   .post = post,
                                   .post_end = post_end,
                                   .meter = meter_of,
                                   .bucket = bucket};
    const struct hf_kv_limits limits = {.value_max = 1000};
    assert_int_equal(hf_kv_memory_new(&limits, 1, &p->ops.kv), HF_OK);
    assert_int_equal(hf_log_ring_new(65536, 0, &p->ops.logs), HF_OK);
}

void played_done(struct played *p)
{
    assert_int_equal(p->begun, p->ended);
    assert_int_equal(p->posts, p->posts_ended);
    hf_blob_unref(p->blob);
    hf_picture_done(&p->picture);
    hf_meter_done(&p->meters[0]);
    hf_meter_done(&p->meters[1]);
    hf_kv_close(p->ops.kv);
    hf_log_ring_free(p->ops.logs);
    hf_buf_done(&p->said);
}

/* ---- the door ---- */

static void bell(void *ctx)
{
    struct world *w = ctx;
    w->rung = true;
}

void world_open(struct world *w, const char *token, const struct hf_admin_settings *settings)
{
    struct hf_kernel_settings ks = {0};
    struct hf_class_settings cs = {.behaviour = &hf_admin_behaviour,
                                   .ctx = &w->entry,
                                   .max = 32,
                                   .after_timeout_ns = UINT64_MAX};
    struct hf_admin_settings as = {0};
    struct hf_os_addr any = {"127.0.0.1:0"};
    struct hf_class *class;
    *w = (struct world){.os = hf_os_fake_new(3)};
    played_init(&w->node);
    if (settings != NULL)
        as = *settings;
    as.ops = &w->node.ops;
    assert_int_equal(hf_admin_new(&as, &w->admin), HF_OK);
    hf_log_ring_set_bell(w->node.ops.logs, bell, w);
    w->entry =
        (struct hf_admin_entry){.admin = w->admin, .token = token, .check_host = token != NULL};
    assert_int_equal(w->os->poller_new(w->os, &w->poller), HF_OK);
    assert_int_equal(hf_kernel_new(&ks, &w->kernel), HF_OK);
    assert_int_equal(hf_class_add(w->kernel, "admin", &cs, &class, NULL), HF_OK);
    assert_int_equal(hf_route_table_new(&w->routes), HF_OK);
    const struct hf_route_target to = {.service = HF_VIEW("admin")};
    assert_int_equal(hf_route_add(w->routes, HF_VIEW(""), HF_VIEW("/"), HF_VIEW(""), &to, NULL),
                     HF_OK);
    struct hf_gateway_settings gs = {.os = w->os,
                                     .poller = w->poller,
                                     .kernel = w->kernel,
                                     .routes = w->routes,
                                     .eof_is_gone = true};
    assert_int_equal(hf_gateway_new(&gs, &w->gw, NULL), HF_OK);
    assert_int_equal(hf_gateway_listen(w->gw, &any, false, &w->addr, NULL), HF_OK);
}

void world_close(struct world *w)
{
    hf_gateway_free(w->gw);
    hf_kernel_free(w->kernel);
    assert_int_equal(w->admin->uploads, 0);
    assert_int_equal(w->admin->followers, 0);
    hf_admin_free(w->admin);
    hf_route_table_free(w->routes);
    w->os->poller_free(w->poller);
    hf_os_fake_free(w->os);
    played_done(&w->node);
}

static bool turn(struct world *w)
{
    struct hf_os_event events[64];
    uint64_t now = w->os->now_ns(w->os);
    hf_gateway_begin(w->gw, now);
    size_t n = w->os->poller_wait(w->poller, 0, events, HF_ARRAY_LEN(events));
    for (size_t i = 0; i < n; i++) {
        struct hf_os_watch *watch = events[i].tag;
        watch->on_ready(watch, events[i].ready);
    }
    if (w->rung)
        hf_admin_news(w->admin);
    w->rung = false;
    while (hf_kernel_step(w->kernel, now) == HF_OK)
        continue;
    hf_kernel_flush(w->kernel);
    hf_gateway_tick(w->gw, now);
    hf_gateway_flush(w->gw);
    return n > 0 || hf_gateway_busy(w->gw) || hf_kernel_next_ns(w->kernel) <= now || w->rung;
}

void world_run(struct world *w)
{
    for (unsigned i = 0, idle = 0; idle < 2; i++) {
        assert_true(i < 100000);
        idle = turn(w) ? 0 : idle + 1;
    }
}

void client_open(struct client *c, struct world *w)
{
    *c = (struct client){.w = w};
    assert_int_equal(w->os->connect(w->os, &w->addr, &c->fd, NULL), HF_OK);
    world_run(w);
}

void client_send_bytes(struct client *c, struct hf_view v)
{
    struct hf_os *os = c->w->os;
    for (unsigned stuck = 0; v.len > 0 && !c->ended && stuck < 100;) {
        struct iovec iov = {(void *)(uintptr_t)v.ptr, v.len};
        size_t n = 0;
        enum hf_err err = os->writev(os, c->fd, &iov, 1, &n);
        c->ended = err == HF_CLOSED;
        stuck = n == 0 ? stuck + 1 : 0;
        v = hf_view_skip(v, n);
        if (err == HF_AGAIN)
            world_run(c->w);
    }
}

void client_send(struct client *c, const char *bytes)
{
    client_send_bytes(c, hf_view_of(bytes));
}

void client_read(struct client *c)
{
    struct hf_os *os = c->w->os;
    uint8_t buf[65536];
    size_t n;
    enum hf_err err;
    do {
        world_run(c->w);
        err = os->read(os, c->fd, buf, sizeof buf, &n);
        if (err == HF_OK)
            assert_int_equal(hf_buf_add(&c->got, buf, n), HF_OK);
    } while (err == HF_OK);
    c->ended |= err == HF_CLOSED;
}

void client_close(struct client *c)
{
    c->w->os->close(c->w->os, c->fd);
    hf_buf_done(&c->got);
    world_run(c->w);
}

static void unchunk(char *text)
{
    char *to = text;
    unsigned n;
    for (char *at = text; sscanf(at, "%x\r\n", &n) == 1 && n > 0; at += n + 2) {
        at = strstr(at, "\r\n") + 2;
        memmove(to, at, n);
        to += n;
    }
    *to = 0;
}

unsigned ask(struct world *w, const char *method, const char *target, const char *fields,
             const char *content, const char **body)
{
    static char last[1 << 20];
    char head[4096];
    struct client c;
    unsigned status = 0;
    int n =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s",
                 method, target, fields == NULL ? "" : fields);
    if (content != NULL)
        n +=
            snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", strlen(content));
    snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    client_open(&c, w);
    client_send(&c, head);
    if (content != NULL)
        client_send(&c, content);
    client_read(&c);
    assert_true(c.got.len < sizeof last);
    if (c.got.len > 0) {
        assert_int_equal(sscanf((char *)c.got.ptr, "HTTP/1.1 %u", &status), 1);
        char *end = strstr((char *)c.got.ptr, "\r\n\r\n");
        assert_non_null(end);
        size_t len = c.got.len - (size_t)(end + 4 - (char *)c.got.ptr);
        memcpy(last, end + 4, len);
        last[len] = 0;
        *end = 0;
        if (strstr((char *)c.got.ptr, "transfer-encoding: chunked") != NULL)
            unchunk(last);
    } else {
        last[0] = 0;
    }
    client_close(&c);
    if (body != NULL)
        *body = last;
    return status;
}
