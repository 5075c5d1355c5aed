/* support_fetch.c - see support_fetch.h. */
#include "support_fetch.h"

static enum hf_err start(void *ctx, struct hf_fetch *f, const struct hf_fetch_request *r)
{
    struct fetcher *all = ctx;
    if (all->refuse != HF_OK)
        return all->refuse;
    if (r->n_addrs == 0) {
        all->asked++;
        if (all->kept == NULL || !hf_view_eq_text(r->host, all->kept))
            return HF_AGAIN;
    }
    HF_ASSERT(all->n < FETCHES_MAX);
    struct fetched *e = &all->all[all->n];
    *e = (struct fetched){.f = f, .tls = r->tls != NULL, .port = r->port, .n_addrs = r->n_addrs};
    HF_ASSERT(hf_buf_add_view(&e->head_bytes, r->head) == HF_OK);
    HF_ASSERT(hf_head_read(hf_buf_view(&e->head_bytes), &e->head, NULL) == HF_OK);
    snprintf(e->host, sizeof e->host, "%.*s", HF_FMT(r->host));
    for (uint32_t i = 0; i < r->n_addrs; i++)
        e->addrs[i] = r->addrs[i];
    e->t[0] = r->connect_ns;
    e->t[1] = r->first_byte_ns;
    e->t[2] = r->between_ns;
    struct hf_blob *blob = r->blob;
    if (blob != NULL)
        hf_blob_reader_open(&e->body, &blob);
    f->call = (void *)(uintptr_t)(++all->n);
    return HF_OK;
}

static void cancel(void *ctx, struct hf_fetch *f)
{
    struct fetcher *all = ctx;
    struct fetched *e = &all->all[(uintptr_t)f->call - 1];
    HF_ASSERT(e->f == f);
    e->f = NULL;
    e->cancelled = true;
    hf_blob_reader_close(&e->body);
}

void fetcher_init(struct fetcher *f)
{
    *f = (struct fetcher){.table = {.ctx = f, .start = start, .cancel = cancel}};
}

void fetcher_done(struct fetcher *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        assert_null(f->all[i].f); /* everything was answered or cancelled */
        hf_buf_done(&f->all[i].head_bytes);
        hf_blob_reader_close(&f->all[i].body);
    }
}

static void deliver(struct world *w, struct fetcher *f, unsigned i, struct hf_fetch_answer *a)
{
    assert_true(i < f->n && f->all[i].f != NULL);
    struct hf_fetch *fetch = f->all[i].f;
    f->all[i].f = NULL;
    fetch->done(fetch, a);
    hf_buf_done(&a->head);
    hf_blob_unref(a->blob);
    world_run(w);
}

void fetch_answer(struct world *w, struct fetcher *f, unsigned i, unsigned status,
                  const char *fields, struct hf_blob *blob)
{
    struct hf_fetch_answer a = {.blob = blob};
    struct hf_head_writer hw;
    assert_int_equal(
        hf_head_begin_response(&hw, &a.head, blob == NULL ? HF_HEAD_NO_BODY : 0, (uint16_t)status),
        HF_OK);
    for (struct hf_view rest = hf_view_of(fields); rest.len > 0;) {
        size_t n = hf_view_find(rest, '\n');
        struct hf_view line = hf_view_take(rest, n);
        size_t colon = hf_view_find(line, ':');
        assert_int_equal(
            hf_head_field(&hw, hf_view_take(line, colon), hf_view_skip(line, colon + 2)), HF_OK);
        rest = hf_view_skip(rest, n + 1);
    }
    hf_head_end(&hw);
    deliver(w, f, i, &a);
}

void fetch_fault(struct world *w, struct fetcher *f, unsigned i, enum hf_fault_kind kind,
                 uint64_t number, const char *text)
{
    struct hf_fetch_answer a = {.fault.kind = HF_FAULT_NONE};
    hf_fault_set(&a.fault, kind, number, "%s", text);
    deliver(w, f, i, &a);
}

const char *fetch_body(struct fetcher *f, unsigned i, enum hf_err *end)
{
    static char text[4096];
    struct hf_blob_reader *r = &f->all[i].body;
    struct hf_view v;
    size_t len = 0;
    while ((*end = hf_blob_reader_peek(r, &v)) == HF_OK) {
        assert_true(len + v.len < sizeof text);
        memcpy(text + len, v.ptr, v.len);
        len += v.len;
        hf_blob_reader_advance(r, v.len);
    }
    text[len] = '\0';
    return text;
}

/* ---- for scripts ---- */

static bool set_text(struct guest *t, const char *name, uint32_t req, const char *text)
{
    struct hf_value v = T(text == NULL ? "" : text);
    const struct hf_value args[] = {H(req), CASE(1, &v)};
    const struct hf_value *r = text == NULL ? NULL : guest_call(t, name, args, 2);
    return text == NULL || (r != NULL && r->tag == 0);
}

uint32_t ask(struct guest *t, const struct want *want)
{
    const struct hf_value fields[] = {H(new_fields(t, want->fields == NULL ? "" : want->fields))};
    const struct hf_value *r = guest_call(t, "[constructor]outgoing-request", fields, 1);
    if (r == NULL)
        return BROKEN;
    uint32_t req = (uint32_t)r->u64;
    struct hf_value ftp = T("ftp"), scheme = CASE(want->scheme, want->scheme == 2 ? &ftp : NULL);
    struct hf_value method = T(want->method == NULL ? "GET" : want->method);
    const struct hf_value set_scheme[] = {H(req), CASE(1, &scheme)},
                          set_method[] = {H(req), CASE(9, &method)}, self[] = {H(req)};
    bool fine =
        set_text(t, "outgoing-request.set-authority", req, want->authority) &&
        set_text(t, "outgoing-request.set-path-with-query", req, want->path) &&
        (want->scheme == 3 || guest_call(t, "outgoing-request.set-scheme", set_scheme, 2)) &&
        guest_call(t, "outgoing-request.set-method", set_method, 2) != NULL;
    if (fine && want->body != NULL) {
        r = guest_call(t, "outgoing-request.body", self, 1);
        fine = r != NULL && r->tag == 0;
        *want->body = fine ? (uint32_t)r->items[0].u64 : 0;
    }
    struct hf_value options = U(0);
    if (fine && want->timeouts != NULL) {
        static const char *const names[] = {"request-options.set-connect-timeout",
                                            "request-options.set-first-byte-timeout",
                                            "request-options.set-between-bytes-timeout"};
        r = guest_call(t, "[constructor]request-options", NULL, 0);
        fine = r != NULL;
        options = H(fine ? (uint32_t)r->u64 : 0);
        for (unsigned i = 0; i < 3 && fine; i++) {
            struct hf_value ns = U(want->timeouts[i]);
            const struct hf_value set[] = {options, CASE(1, &ns)};
            fine = guest_call(t, names[i], set, 2) != NULL;
        }
    }
    if (!fine)
        return BROKEN;
    const struct hf_value args[] = {H(req),
                                    want->timeouts != NULL ? CASE(1, &options) : CASE(0, NULL)};
    r = guest_call(t, "outgoing-handler#handle", args, 2);
    if (r == NULL)
        return BROKEN;
    return r->tag == 0 ? (uint32_t)r->items[0].u64 : REFUSED + r->items[0].tag;
}

uint32_t wait_answer(struct guest *t, uint32_t future, struct hf_value *error)
{
    const struct hf_value self[] = {H(future)};
    const struct hf_value *r = guest_call(t, "future-incoming-response.subscribe", self, 1);
    if (r == NULL)
        return BROKEN;
    uint32_t pollable = (uint32_t)r->u64;
    const struct hf_value block[] = {H(pollable)};
    if (guest_call(t, "pollable.block", block, 1) == NULL)
        return BROKEN;
    guest_drop(t, pollable);
    r = guest_call(t, "future-incoming-response.get", self, 1);
    if (r == NULL || r->tag != 1 || r->items[0].tag != 0)
        return BROKEN;
    const struct hf_value *result = &r->items[0].items[0];
    if (result->tag == 0)
        return (uint32_t)result->items[0].u64;
    if (error != NULL)
        *error = result->items[0];
    return REFUSED + result->items[0].tag;
}

bool open_answer(struct guest *t, uint32_t answer, uint32_t *body, uint32_t *stream)
{
    const struct hf_value self[] = {H(answer)};
    const struct hf_value *r = guest_call(t, "incoming-response.consume", self, 1);
    if (r == NULL || r->tag != 0)
        return false;
    *body = (uint32_t)r->items[0].u64;
    const struct hf_value args[] = {H(*body)};
    r = guest_call(t, "incoming-body.stream", args, 1);
    if (r == NULL || r->tag != 0)
        return false;
    *stream = (uint32_t)r->items[0].u64;
    return true;
}
