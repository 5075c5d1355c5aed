/* resolve.c - see resolve.h. */
#include "host/resolve.h"

#include <stdlib.h>

#define FOUND_MAX 32u

struct hf_resolver {
    struct hf_io *io;
    struct hf_net *net;
    uint32_t max, running;
    bool owned; /* else the last job home frees it */
};
struct job {
    struct hf_job job;
    struct hf_resolver *resolver;
    struct hf_net *net;
    struct hf_resolve *owner; /* home's business; NULL: abandoned */
    char name[HF_NET_NAME_MAX];
    enum hf_net_err err;
    size_t n;
    struct hf_ip found[FOUND_MAX];
};
struct hf_resolve {
    struct hf_wait wait;
    struct hf_kernel *k; /* of the timer; NULL: none */
    struct hf_timer deadline;
    struct job *job; /* NULL: over, or given up */
    enum hf_net_err err;
    size_t n, at;
    struct hf_ip found[FOUND_MAX];
};

enum hf_err hf_resolver_new(struct hf_io *io, struct hf_net *net, uint32_t max,
                            struct hf_resolver **ret)
{
    struct hf_resolver *r = calloc(1, sizeof *r);
    if (r == NULL)
        return HF_LIMIT;
    *r = (struct hf_resolver){.io = io, .net = net, .max = max, .owned = true};
    *ret = r;
    return HF_OK;
}

static void maybe_free(struct hf_resolver *r)
{
    if (!r->owned && r->running == 0)
        free(r);
}

void hf_resolver_free(struct hf_resolver *r)
{
    if (r == NULL)
        return;
    r->owned = false;
    maybe_free(r);
}

uint32_t hf_resolver_running(const struct hf_resolver *r)
{
    return r->running;
}

static void job_free(struct job *job)
{
    struct hf_resolver *r = job->resolver;
    r->running--;
    free(job);
    maybe_free(r);
}

static void run(struct hf_job *j)
{
    struct job *job = HF_CONTAINER_OF(j, struct job, job);
    job->err = job->net->lookup(job->net, job->name, job->found, FOUND_MAX, &job->n);
}

static void done(struct hf_job *j)
{
    struct job *job = HF_CONTAINER_OF(j, struct job, job);
    struct hf_resolve *q = job->owner;
    if (q != NULL) {
        q->err = job->job.skipped ? HF_NET_TRY_LATER : job->err;
        q->n = q->err == HF_NET_OK ? job->n : 0;
        memcpy(q->found, job->found, sizeof q->found);
        q->job = NULL;
        hf_timer_stop(q->k, &q->deadline);
        hf_wait_set(&q->wait, true);
    }
    job_free(job);
}

/* Nobody waits for it any more. */
static void abandon(struct hf_resolve *q)
{
    struct job *job = q->job;
    q->job = NULL;
    if (job == NULL)
        return;
    job->owner = NULL;
    if (hf_jobs_take_back(job->resolver->io->jobs, &job->job))
        job_free(job);
}

static void too_late(struct hf_timer *t)
{
    struct hf_resolve *q = HF_CONTAINER_OF(t, struct hf_resolve, deadline);
    abandon(q);
    q->err = HF_NET_TRY_LATER;
    hf_wait_set(&q->wait, true);
}

static struct hf_resolve *new_resolve(bool ready)
{
    struct hf_resolve *q = calloc(1, sizeof *q);
    if (q != NULL)
        hf_wait_init(&q->wait, ready);
    return q;
}

enum hf_err hf_resolve_literal(struct hf_resolver *r, const struct hf_ip *ip,
                               struct hf_resolve **ret)
{
    struct hf_resolve *q = new_resolve(true);
    (void)r;
    if (q == NULL)
        return HF_LIMIT;
    q->found[q->n++] = *ip;
    *ret = q;
    return HF_OK;
}

static enum hf_err localhost(struct hf_resolver *r, struct hf_resolve **ret)
{
    static const struct hf_ip v4 = {HF_IPV4, {127, 0, 0, 1}};
    static const struct hf_ip v6 = {HF_IPV6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    enum hf_err err = hf_resolve_literal(r, &v4, ret);
    if (err == HF_OK)
        (*ret)->found[(*ret)->n++] = v6;
    return err;
}

enum hf_err hf_resolve_new(struct hf_resolver *r, struct hf_kernel *k, const char *name,
                           uint64_t now_ns, uint64_t timeout_ns, struct hf_resolve **ret)
{
    if (strcmp(name, "localhost") == 0)
        return localhost(r, ret);
    if (r->running >= r->max)
        return HF_LIMIT;
    struct hf_resolve *q = new_resolve(false);
    struct job *job = calloc(1, sizeof *job);
    if (q == NULL || job == NULL) {
        free(q);
        free(job);
        return HF_LIMIT;
    }
    *job =
        (struct job){.job = {.run = run, .done = done}, .resolver = r, .net = r->net, .owner = q};
    memcpy(job->name, name, strlen(name) + 1);
    q->job = job;
    q->k = k;
    r->running++;
    hf_timer_init(&q->deadline);
    q->deadline.fire = too_late;
    enum hf_err err = hf_timer_set(k, &q->deadline, now_ns + timeout_ns);
    if (err == HF_OK)
        err = hf_jobs_submit(r->io->jobs, &job->job, r->io->wake);
    if (err != HF_OK) {
        q->job = NULL;
        job_free(job);
        hf_resolve_free(q);
        return HF_LIMIT;
    }
    *ret = q;
    return HF_OK;
}

void hf_resolve_free(struct hf_resolve *q)
{
    if (q == NULL)
        return;
    abandon(q);
    if (q->k != NULL)
        hf_timer_done(q->k, &q->deadline);
    hf_wait_done(&q->wait);
    free(q);
}

struct hf_wait *hf_resolve_wait(struct hf_resolve *q)
{
    return &q->wait;
}

enum hf_net_err hf_resolve_next(struct hf_resolve *q, struct hf_ip *ret)
{
    if (q->job != NULL)
        return HF_NET_AGAIN;
    if (q->err != HF_NET_OK)
        return q->err;
    if (q->at == q->n)
        return HF_NET_CLOSED;
    *ret = q->found[q->at++];
    return HF_NET_OK;
}
