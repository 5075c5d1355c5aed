/* inspect_named.c - named processes as text, as rows, and every blob they can still name. */
#include "kernel/named_int.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 20u /* entries of a list in the text; the rest is counted */

static void add(struct hf_buf *ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct hf_buf *ret, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0) /* text for people: where memory is out, it is shorter */
        (void)!hf_buf_add(ret, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static const char *state_text(const struct hf_named *n)
{
    const struct hf_process *p = n->process;
    if (n->state == HF_NAMED_RESTARTING)
        return "restarting";
    if (n->state == HF_NAMED_ASLEEP)
        return "evicted";
    if (n->suspended)
        return "suspended";
    if (!hf_list_empty(&n->parked))
        return "parked";
    if (p == NULL)
        return "over";
    if (n->asleep != NULL)
        return "reviving";
    return hf_phase_text(p->phase);
}

static void add_request(struct hf_buf *ret, const char *what, const struct hf_request *r)
{
    if (r == NULL)
        return;
    struct hf_view source = r->message.source;
    add(ret, "    %s request %llu from %.*s: duty %s, body %zu bytes%s%s\n", what,
        (unsigned long long)r->message.id, HF_FMT(source.len == 0 ? HF_VIEW("a port") : source),
        hf_said_text(hf_duty_said(r)), r->message.body.len,
        r->message.blob != NULL ? " and a blob" : "",
        r->talk.root != NULL ? ", forwarded here" : "");
}

static void add_mail(struct hf_buf *ret, struct hf_mail *m)
{
    static const char *const texts[] = {
        "", "an answer", "a void notice", "the end of a watched one", "refused tells", "a timer"};
    if (m->kind == HF_MAIL_REQUEST)
        add_request(ret, "waits:", HF_CONTAINER_OF(m, struct hf_request, talk.in));
    else
        add(ret, "    waits: %s\n", texts[m->kind]);
}

static void add_pending(struct hf_buf *ret, const struct hf_request *r)
{
    add(ret, "    pending %llu to %.*s: %s, deadline %llu%s\n", (unsigned long long)r->message.id,
        HF_FMT(r->message.target), r->talk.waiting ? "waits" : "its answer lies in the mailbox",
        (unsigned long long)r->message.deadline_ns, r->talk.asked ? ", awaited" : "");
}

#define EACH(ret, list, at, shown)                                                                 \
    size_t shown = 0;                                                                              \
    HF_LIST_FOR (at, list)                                                                         \
        if (shown++ == SHOWN_MAX)                                                                  \
            add(ret, "    ...\n");                                                                 \
        else if (shown <= SHOWN_MAX)

void hf_named_describe(const struct hf_named *n, struct hf_buf *ret)
{
    add(ret,
        "named %.*s: %s, shard %u of group %.*s; %u requests wait of %u, %u pending, %u tokens, "
        "%zu capabilities, %u watches, %u timers, %u restarts\n",
        HF_FMT(hf_named_name(n)), state_text(n), hf_name_shard(n->group, HF_SHARDS),
        HF_FMT(n->group), n->n_requests, hf_named_set(n)->mailbox_max, n->n_pending, n->n_tokens,
        n->caps.len, n->n_watching, n->n_alarms, n->n_life);
    if (n->parent != NULL)
        add(ret, "    child of %.*s\n", HF_FMT(hf_named_name(n->parent)));
    if (n->far_parent.len > 0)
        add(ret, "    child of %.*s, elsewhere\n", HF_FMT(hf_buf_view(&n->far_parent)));
    if (n->showing)
        add(ret, "    in hand: %s %llu\n", n->back != NULL ? "the answer to" : "a notice about",
            (unsigned long long)n->shown.id);
    add_request(ret, "current", n->current);
    add_request(ret, "nested", n->nested);
    EACH(ret, &n->mail, m, in_mail) add_mail(ret, HF_LIST_ENTRY(m, struct hf_mail, in_box));
    EACH(ret, &n->pending, p, in_pending)
    add_pending(ret, HF_CONTAINER_OF(p, struct hf_request, talk.in_from));
    EACH(ret, &n->tokens, t, in_tokens)
    add_request(ret, "token of", HF_CONTAINER_OF(t, struct hf_request, talk.in_token));
    if (n->asleep != NULL)
        add(ret, "    evicted: %u bytes are kept of it\n", n->asleep->len);
    if (n->stays.len > 0)
        add(ret, "    stays in memory: %.*s\n", HF_FMT(hf_buf_view(&n->stays)));
    if (n->why.len > 0)
        add(ret, "    last ended: %.*s\n", HF_FMT(hf_buf_view(&n->why)));
}

static struct hf_view group_of(const struct hf_asleep *a)
{
    struct hf_view none = {0};
    return hf_name_group_of(hf_view(a->name, a->name_len),
                            a->parent == NULL ? none : a->parent->group);
}

static void describe_folded(const struct hf_asleep *a, struct hf_buf *ret)
{
    struct hf_view group = group_of(a);
    add(ret, "named %.*s: evicted, shard %u of group %.*s; nothing waits, %u bytes are kept of it\n",
        (int)a->name_len, a->name, hf_name_shard(group, HF_SHARDS), HF_FMT(group), a->len);
    if (a->parent != NULL)
        add(ret, "    child of %.*s\n", HF_FMT(hf_named_name(a->parent)));
}

enum hf_err hf_named_inspect(const struct hf_kernel *k, struct hf_view name, struct hf_buf *ret)
{
    const struct hf_named *n = hf_map_get(&k->named_by_name, name);
    const struct hf_asleep *a = n != NULL ? NULL : hf_map_get(&k->evict.asleep, name);
    if (n == NULL && a == NULL)
        return HF_NOT_FOUND;
    if (n != NULL)
        hf_named_describe(n, ret);
    else
        describe_folded(a, ret);
    return HF_OK;
}

static struct hf_named_info info_of(const struct hf_named *n)
{
    return (struct hf_named_info){
        .name = hf_named_name(n),
        .group = n->group,
        .process = n->process == NULL ? 0 : n->process->id,
        .shard = hf_name_shard(n->group, HF_SHARDS),
        .mailbox = n->n_requests,
        .mailbox_max = hf_named_set(n)->mailbox_max,
        .pending = n->n_pending,
        .tokens = n->n_tokens,
        .capabilities = (uint32_t)n->caps.len,
        .watches = n->n_watching,
        .timers = n->n_alarms,
        .restarts = n->n_life,
        .last_failure = hf_buf_view(&n->why),
        .state = state_text(n),
        .stays = hf_buf_view(&n->stays),
    };
}

static struct hf_named_info info_of_folded(const struct hf_asleep *a)
{
    struct hf_view group = group_of(a);
    return (struct hf_named_info){
        .name = hf_view(a->name, a->name_len),
        .group = group,
        .shard = hf_name_shard(group, HF_SHARDS),
        .mailbox_max = a->class->named->s.mailbox_max,
        .state = "evicted",
    };
}

struct each {
    void (*each)(void *ctx, const struct hf_named_info *i);
    void *ctx;
};

static void each_folded(void *ctx, const struct hf_asleep *a)
{
    const struct each *e = ctx;
    const struct hf_named_info i = info_of_folded(a);
    e->each(e->ctx, &i);
}

void hf_named_each(const struct hf_kernel *k,
                   void (*each)(void *ctx, const struct hf_named_info *i), void *ctx)
{
    HF_LIST_FOR(at, &k->named)
    {
        const struct hf_named_info i = info_of(HF_LIST_ENTRY(at, struct hf_named, in_kernel));
        each(ctx, &i);
    }
    struct each e = {each, ctx};
    hf_asleep_each(k, each_folded, &e);
}

/* ---- walking ---- */

struct walk {
    void (*each)(void *ctx, struct hf_blob *blob);
    void *ctx;
};

static void walk_blob(const struct walk *w, struct hf_blob *blob)
{
    if (blob != NULL)
        w->each(w->ctx, blob);
}

static void walk_request(const struct walk *w, const struct hf_request *r)
{
    if (r == NULL)
        return;
    walk_blob(w, r->message.blob);
    walk_blob(w, r->answer.blob);
}

static void walk_named(const struct walk *w, const struct hf_named *n)
{
    HF_LIST_FOR(at, &n->mail)
    {
        struct hf_mail *m = HF_LIST_ENTRY(at, struct hf_mail, in_box);
        if (m->kind == HF_MAIL_REQUEST)
            walk_request(w, HF_CONTAINER_OF(m, struct hf_request, talk.in));
    }
    walk_request(w, n->current);
    walk_request(w, n->back);
    walk_request(w, n->nested);
    HF_LIST_FOR(at, &n->pending)
    {
        const struct hf_request *r = HF_CONTAINER_OF(at, struct hf_request, talk.in_from);
        walk_request(w, r);
        walk_request(w, r->talk.under);
    }
    HF_LIST_FOR(at, &n->tokens)
    {
        walk_request(w, HF_CONTAINER_OF(at, struct hf_request, talk.in_token));
    }
}

void hf_named_walk_blobs(const struct hf_kernel *k, void (*each)(void *ctx, struct hf_blob *blob),
                         void *ctx)
{
    const struct walk w = {each, ctx};
    HF_LIST_FOR(at, &k->named)
    {
        walk_named(&w, HF_LIST_ENTRY(at, struct hf_named, in_kernel));
    }
}

static void count_blob(void *ctx, struct hf_blob *blob)
{
    (void)blob;
    ++*(uint64_t *)ctx;
}

enum hf_err hf_named_look(const struct hf_kernel *k, struct hf_view name, struct hf_named_info *ret,
                          uint64_t *blobs)
{
    const struct hf_named *n = hf_map_get(&k->named_by_name, name);
    const struct hf_asleep *a = n != NULL ? NULL : hf_map_get(&k->evict.asleep, name);
    *blobs = 0;
    if (n == NULL && a == NULL)
        return HF_NOT_FOUND;
    *ret = n != NULL ? info_of(n) : info_of_folded(a);
    if (n != NULL)
        walk_named(&(struct walk){count_blob, blobs}, n);
    return HF_OK;
}
