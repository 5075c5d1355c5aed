/* class_named.c - classes of named processes, posts to them, and what is done to one from outside.
 */
#include "kernel/named_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS 1000000000ull

/* ---- classes ---- */

static void free_patterns(char **patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(patterns[i]);
    free(patterns);
}

void hf_named_class_free(struct hf_named_class *nc)
{
    if (nc == NULL)
        return;
    free_patterns(nc->grants, nc->n_grants);
    free_patterns(nc->spawns, nc->n_spawns);
    free(nc);
}

static enum hf_err copy_patterns(const char *const *from, char ***ret, size_t *n,
                                 struct hf_report *report)
{
    size_t len = 0;
    while (from != NULL && from[len] != NULL)
        len++;
    if (len == 0)
        return HF_OK;
    *ret = calloc(len, sizeof **ret);
    if (*ret == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for grants");
    for (; *n < len; ++*n) {
        enum hf_err err = hf_name_check_pattern(hf_view_of(from[*n]), report);
        if (err != HF_OK)
            return err;
        (*ret)[*n] = hf_view_dup(hf_view_of(from[*n]));
        if ((*ret)[*n] == NULL)
            return hf_report_set(report, HF_LIMIT, "no memory for grants");
    }
    return HF_OK;
}

static void fill_in(struct hf_named_settings *s)
{
    const struct {
        uint32_t *at, value;
    } numbers[] = {{&s->processes_max, 10000}, {&s->mailbox_max, 1024}, {&s->pending_max, 1024},
                   {&s->tokens_max, 1024},     {&s->sends_max, 1024},   {&s->caps_max, 1024},
                   {&s->watches_max, 256},     {&s->timers_max, 256},   {&s->restart_max, 5},
                   {&s->message_max, 1u << 20}};
    const struct {
        uint64_t *at, value;
    } times[] = {{&s->request_timeout_ns, 30 * SECONDS}, {&s->start_timeout_ns, 30 * SECONDS},
                 {&s->leave_timeout_ns, 5 * SECONDS},    {&s->backoff_ns, SECONDS / 10},
                 {&s->backoff_max_ns, 60 * SECONDS},     {&s->restart_within_ns, 60 * SECONDS}};
    for (size_t i = 0; i < HF_ARRAY_LEN(numbers); i++)
        if (*numbers[i].at == 0)
            *numbers[i].at = numbers[i].value;
    for (size_t i = 0; i < HF_ARRAY_LEN(times); i++)
        if (*times[i].at == 0)
            *times[i].at = times[i].value;
}

enum hf_err hf_named_class_add(struct hf_kernel *k, const char *name,
                               const struct hf_named_settings *s, struct hf_class **ret,
                               struct hf_report *report)
{
    struct hf_named_class *nc = NULL;
    enum hf_err err = hf_name_check_class(hf_view_of(name), report);
    if (err != HF_OK)
        return err;
    if (s->recorded && s->shape == HF_SHAPE_RUN)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "class %s: what loops over receive cannot be recorded; give it the "
                             "handle shape",
                             name);
    if (s->recorded && s->warm != 0)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "class %s: what is recorded starts when it is made: it has no spares",
                             name);
    nc = calloc(1, sizeof *nc);
    if (nc == NULL)
        return hf_report_set(report, HF_LIMIT, "class %s: no memory", name);
    nc->s = *s;
    fill_in(&nc->s);
    nc->s.grants = nc->s.spawns = NULL;
    err = copy_patterns(s->grants, &nc->grants, &nc->n_grants, report);
    if (err == HF_OK)
        err = copy_patterns(s->spawns, &nc->spawns, &nc->n_spawns, report);
    struct hf_class_settings cs = {.behaviour = s->behaviour,
                                   .ctx = s->ctx,
                                   .max = nc->s.processes_max,
                                   .request_timeout_ns = nc->s.request_timeout_ns,
                                   .start_timeout_ns = nc->s.start_timeout_ns,
                                   .leave_timeout_ns = nc->s.leave_timeout_ns,
                                   .ended = s->ended,
                                   .ended_ctx = s->ended_ctx,
                                   .recorded = s->recorded,
                                   .gone = s->gone,
                                   .gone_ctx = s->gone_ctx};
    if (err == HF_OK)
        err = hf_class_add(k, name, &cs, ret, report);
    if (err != HF_OK) {
        hf_named_class_free(nc);
        return hf_report_wrap(report, err, "class %s", name);
    }
    (*ret)->named = nc;
    hf_asleep_class_open(nc, *ret);
    hf_spare_refill(*ret);
    return HF_OK;
}

/* Those with nothing to do go; the others when they have nothing to do any more. */
void hf_named_class_close(struct hf_class *c)
{
    struct hf_kernel *k = c->kernel;
    hf_spare_none(c);
    HF_LIST_FOR_SAFE (at, &k->named) {
        struct hf_named *n = HF_LIST_ENTRY(at, struct hf_named, in_kernel);
        if (n->class != c)
            continue;
        hf_wait_fire(&n->mail_wait);
        if (n->process == NULL && n->asleep == NULL && n->n_requests == 0)
            hf_named_over(n);
        else if (n->process != NULL && n->process->phase == HF_PHASE_IDLE)
            hf_named_settle(n);
    }
    hf_asleep_class_close(c);
}

/* ---- ports ---- */

/* Its id and deadline, and its place among those that ports wait for. */
static bool await_post(struct hf_kernel *k, struct hf_request *r, const struct hf_post *post)
{
    if (hf_map_put_u64(&k->requests, k->next_request, r, NULL) != HF_OK)
        return false;
    r->talk.mapped = true;
    r->talk.refs++; /* the origin's */
    r->talk.waiting = true;
    r->port = post->port;
    r->tag = post->tag;
    r->duty = HF_DUTY_OPEN;
    r->message.wants_answer = true;
    r->timeout_ns = post->timeout_ns != 0 ? post->timeout_ns : r->class->s.request_timeout_ns;
    return true;
}

/* `n`: whose mailbox it goes into; NULL: it goes elsewhere. NULL: no memory, and nothing has moved.
 */
static struct hf_request *make_post(struct hf_kernel *k, struct hf_class *c, struct hf_named *n,
                                    struct hf_post *post)
{
    struct hf_request *r = hf_request_new(c);
    struct hf_view target = n != NULL ? (struct hf_view){0} : post->target;
    struct hf_view metadata = post->metadata;
    if (r == NULL)
        return NULL;
    r->place = HF_PLACE_NAMED;
    r->process = NULL;
    r->port = NULL;
    r->tag = NULL;
    r->duty = HF_DUTY_NONE;
    r->out = r->consumed = false;
    r->message = (struct hf_message){0};
    r->talk.refs = 1; /* the mailbox's, or the way's there */
    if ((target.len + metadata.len > 0 &&
         !hf_cap_pack(&r->talk.text, &target, &metadata, NULL, 0, &r->talk.caps)) ||
        (!post->tell && !await_post(k, r, post))) {
        hf_talk_unref(k, r);
        return NULL;
    }
    r->message.id = k->next_request++;
    r->message.target = n != NULL ? hf_named_name(n) : target;
    r->message.metadata = metadata;
    r->body = post->body;
    r->message.body = hf_buf_view(&r->body);
    r->message.blob = post->blob;
    r->talk.holders = 1;
    r->talk.to = n;
    r->talk.aim = n == NULL ? NULL : hf_named_ref(n);
    if (!post->tell)
        hf_list_push_back(&k->posted, &r->talk.in_from);
    hf_buf_init(&post->body);
    post->blob = NULL;
    return r;
}

/* Whatever else is wrong comes as an answer. */
static enum hf_err post_far(struct hf_kernel *k, struct hf_post *post, uint32_t place, uint64_t *id)
{
    struct hf_class *c = hf_class_find(k, hf_name_class(post->target));
    struct hf_request *r = make_post(k, c, NULL, post);
    if (r == NULL) {
        c->stats.refused++;
        return HF_LIMIT;
    }
    if (!post->tell) {
        hf_request_fresh(r);
        c->stats.requests--; /* it is counted where it is delivered */
    }
    *id = post->tell ? 0 : r->message.id;
    hf_far_send(k, r, place);
    return HF_OK;
}

enum hf_err hf_named_post(struct hf_kernel *k, struct hf_post *post, uint64_t *id)
{
    enum hf_answer_kind why;
    uint32_t place;
    struct hf_named *n = hf_named_find(k, post->target, false, &why);
    if (n == NULL && hf_far_place(k, post->target, &place))
        return post_far(k, post, place, id);
    if (n == NULL)
        n = hf_named_find(k, post->target, true, &why);
    if (n == NULL)
        return why == HF_ANSWER_LIMITED ? HF_LIMIT : HF_NOT_FOUND;
    if (n->stopping || n->class->closed)
        return HF_NOT_FOUND;
    bool room = n->n_requests < hf_named_set(n)->mailbox_max;
    struct hf_request *r = room ? make_post(k, n->class, n, post) : NULL;
    if (r == NULL) {
        n->class->stats.refused++;
        return HF_LIMIT;
    }
    if (!post->tell)
        hf_request_fresh(r);
    hf_mail_put(n, &r->talk.in);
    *id = post->tell ? 0 : r->message.id;
    return HF_OK;
}

/* ---- from outside ---- */

static struct hf_named *find(struct hf_kernel *k, struct hf_view name)
{
    enum hf_answer_kind why;
    HF_ASSERT(k->running == NULL);
    return hf_named_find(k, name, false, &why);
}

enum hf_err hf_named_stop(struct hf_kernel *k, struct hf_view name)
{
    struct hf_named *n = find(k, name);
    if (n == NULL)
        return HF_NOT_FOUND;
    hf_named_end_soon(n);
    return HF_OK;
}

enum hf_err hf_named_kill(struct hf_kernel *k, struct hf_view name, struct hf_view why)
{
    struct hf_named *n = find(k, name);
    if (n == NULL)
        return HF_NOT_FOUND;
    hf_named_end_now(n, why, true);
    return HF_OK;
}

static enum hf_err set_suspended(struct hf_kernel *k, struct hf_view name, bool suspended)
{
    struct hf_named *n = find(k, name);
    if (n == NULL)
        return HF_NOT_FOUND;
    n->suspended = suspended;
    hf_named_set_blocked(n);
    return HF_OK;
}

enum hf_err hf_named_suspend(struct hf_kernel *k, struct hf_view name)
{
    return set_suspended(k, name, true);
}

enum hf_err hf_named_resume(struct hf_kernel *k, struct hf_view name)
{
    return set_suspended(k, name, false);
}

enum hf_err hf_named_wake(struct hf_kernel *k, struct hf_view name, struct hf_report *report)
{
    enum hf_answer_kind why;
    enum hf_err err = hf_name_check(name, report);
    HF_ASSERT(k->running == NULL);
    if (err != HF_OK)
        return err;
    if (hf_named_find(k, name, true, &why) != NULL)
        return HF_OK;
    if (why == HF_ANSWER_LIMITED)
        return hf_report_set(report, HF_LIMIT, "process %.*s: there are too many", HF_FMT(name));
    return hf_report_set(report, HF_NOT_FOUND,
                         "process %.*s: it is not there, and its class does not make one",
                         HF_FMT(name));
}

void hf_message_get_stats(const struct hf_kernel *k, struct hf_message_stats *ret)
{
    *ret = k->said;
}

uint32_t hf_named_count(const struct hf_kernel *k)
{
    return k->n_named;
}
