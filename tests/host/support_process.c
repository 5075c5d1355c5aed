/* support_process.c - see support_process.h. */
#include "support_process.h"

void world_class(struct world *w, const char *name, script_fn script, const struct hf_named_settings *settings)
{
    struct world_process *p = &w->processes[w->n_processes++];
    struct hf_report report = {0};
    struct hf_service_settings ss = {.name = name,
                                     .component = w->shared->component,
                                     .services = &w->services,
                                     .process = HF_PROCESS_RUN};
    struct hf_named_settings ns = settings == NULL ? (struct hf_named_settings){0} : *settings;
    struct hf_class *class;
    assert_true(w->n_processes <= HF_ARRAY_LEN(w->processes));
    p->script = script;
    if (hf_service_new(&ss, &p->svc, &report) != HF_OK ||
        hf_service_worker_new(p->svc, &w->io, &p->worker, &report) != HF_OK)
        fail_msg("%s", report.text);
    ns.behaviour = &hf_service_behaviour;
    ns.ctx = p->worker;
    ns.shape = HF_SHAPE_RUN;
    if (hf_named_class_add(w->k, name, &ns, &class, &report) != HF_OK)
        fail_msg("%s", report.text);
}

size_t post_to(struct world *w, const char *name, const char *body, struct hf_blob *blob)
{
    size_t i = w->n_requests++;
    struct hf_post p = {.target = hf_view_of(name), .port = &w->port, .tag = (void *)(uintptr_t)i, .blob = blob};
    assert_true(i < MAX_REQUESTS);
    w->requests[i].raw = true;
    assert_int_equal(hf_buf_add_view(&p.body, hf_view_of(body)), HF_OK);
    assert_int_equal(hf_port_post(w->k, &p, &w->requests[i].id), HF_OK);
    return i;
}

void expect_kind(const struct world *w, size_t i, enum hf_answer_kind kind)
{
    const struct request *r = &w->requests[i];
    if (r->answers != 1 || r->kind != kind)
        fail_msg("request %zu: %u answers, %s: %.*s; log:\n%.*s", i, r->answers, hf_answer_text(r->kind),
                 (int)r->head_bytes.len, (const char *)r->head_bytes.ptr, (int)w->log.len, (const char *)w->log.ptr);
}

void expect_answer(const struct world *w, size_t i, const char *body)
{
    expect_kind(w, i, HF_ANSWER_OK);
    if (!hf_view_eq_text(hf_buf_view(&w->requests[i].head_bytes), body))
        fail_msg("request %zu: \"%.*s\", not \"%s\"", i, (int)w->requests[i].head_bytes.len,
                 (const char *)w->requests[i].head_bytes.ptr, body);
}

/* ---- for scripts ---- */

static struct hf_value text_of(const char *text)
{
    return T(text == NULL ? "" : text);
}

/* Room of one parcel as values: they point into it. */
struct shape {
    struct hf_value f[5], metadata, blob, cap, timeout, wish[3];
};

/* body, metadata, blob, capabilities, from f[1]; f[0] is the target. */
static void fill(struct shape *s, const struct parcel *p)
{
    s->metadata = text_of(p->metadata);
    s->blob = H(p->blob);
    s->cap = text_of(p->cap);
    s->timeout = U(p->timeout_ns);
    s->f[0] = text_of(p->target);
    s->f[1] = text_of(p->body);
    s->f[2] = p->metadata == NULL ? CASE(0, NULL) : CASE(1, &s->metadata);
    s->f[3] = p->blob != 0 ? CASE(B_THIS, &s->blob) : CASE(p->inherit ? B_INHERIT : B_NONE, NULL);
    s->f[4] = LIST(&s->cap, p->cap != NULL);
    s->wish[0] = p->timeout_ns == 0 ? CASE(0, NULL) : CASE(1, &s->timeout);
    s->wish[1] = text_of(p->context);
    s->wish[2] = U(p->park);
}

struct hf_value *say(struct guest *t, const char *verb, const struct parcel *p)
{
    struct shape s;
    bool wishes = strcmp(verb, "send") == 0 || strcmp(verb, "ask") == 0;
    char name[32];
    fill(&s, p);
    snprintf(name, sizeof name, "messages#%s", verb);
    const struct hf_value args[] = {LIST(s.f, 5), LIST(s.wish, 3)};
    return guest_call(t, name, args, wishes ? 2 : 1);
}

struct hf_value *respond(struct guest *t, const struct parcel *p)
{
    struct shape s;
    fill(&s, p);
    const struct hf_value args[] = {LIST(s.f + 1, 4)};
    return guest_call(t, "messages#respond", args, 1);
}

struct hf_value *answer_token(struct guest *t, uint64_t token, const struct parcel *p)
{
    struct shape s;
    fill(&s, p);
    const struct hf_value args[] = {U(token), LIST(s.f + 1, 4)};
    return guest_call(t, "messages#answer", args, 2);
}

enum refusal refused(const struct hf_value *result)
{
    return result->tag == 0 ? R_OK : (enum refusal)result->items[0].tag;
}

struct hf_value *receive(struct guest *t, uint32_t want)
{
    struct hf_value *m = guest_call(t, "messages#receive", NULL, 0);
    if (m != NULL && m->tag != want) {
        char text[80];
        snprintf(text, sizeof text, "a message of kind %u came, not %u", m->tag, want);
        guest_failed(t, __FILE__, __LINE__, text);
        return NULL;
    }
    return m == NULL ? NULL : (struct hf_value *)m->items;
}

uint32_t option_handle(const struct hf_value *option)
{
    return option == NULL || option->tag == 0 ? 0 : (uint32_t)option->items[0].u64;
}
