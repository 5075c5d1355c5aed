/* template.c - one instance of a service that serves nobody: does it start, and what is it like after its start.
 *
 * Before the port is open it shows whether the component starts, and its image is what PER_REQUEST instances are put back to.
 * A component that is found to take one request only gets such an image later, made off the workers' threads; from then on
 * its instances are put back as well, instead of being made anew for each request.
 */
#include "node/node_int.h"

#include <stdlib.h>

#define START_NS 30000000000u

struct image_taker {
    struct hf_node *node;
    struct hf_service *svc;
    bool want;
};

static enum hf_err take_image(void *ctx, void *state, struct hf_report *report)
{
    struct image_taker *t = ctx;
    struct hf_report why;
    (void)report;
    if (!t->want)
        return HF_OK;
    hf_report_init(&why);
    enum hf_err err = hf_service_take_image(t->svc, state, &why);
    if (err == HF_UNSUPPORTED) { /* it works without, only slower: a new instance each request */
        if (!t->node->opt.quiet)
            hf_log_say(t->node->log, "notice", "%s: no image is possible, each request gets a new instance: %s",
                       hf_service_name(t->svc), why.text);
        return HF_OK;
    }
    return err;
}

/* One instance is started before anybody is served: a component that cannot start is said now, not at the first request. */
enum hf_err hf_template_try(struct hf_node *node, struct hf_service *svc, bool want_image, uint64_t timeout_ns,
                            struct hf_report *report)
{
    struct image_taker t = {node, svc, want_image};
    struct hf_answer a = {0};
    enum hf_err err = hf_offline_call(node, svc, timeout_ns, (struct hf_view){0}, take_image, &t, &a);
    if (err == HF_OK && a.kind == HF_ANSWER_TIMEOUT) {
        err = hf_report_set(report, HF_TIMEOUT, "%s does not start: it took longer than %llu ms", hf_service_name(svc),
                            (unsigned long long)(timeout_ns / 1000000));
    } else if (err == HF_OK && a.kind != HF_ANSWER_OK) {
        err = a.kind == HF_ANSWER_LIMITED ? HF_LIMIT : HF_TRAP;
        hf_report_set(report, err, "%s does not start: %.*s", hf_service_name(svc),
                      HF_FMT(a.body.len > 0 ? hf_buf_view(&a.body) : hf_view_of(hf_answer_text(a.kind))));
    }
    hf_buf_done(&a.body);
    hf_blob_unref(a.blob);
    return err;
}

/* ---- a component that takes one request only ---- */

struct late {
    struct hf_job job;
    struct hf_app_service *service; /* a reference: it may be replaced meanwhile */
    struct hf_io *io;               /* of the worker that found out */
    bool taken;
};
struct news { /* to one worker */
    struct hf_letter letter;
    struct hf_worker *worker;
    struct hf_app_service *service; /* a reference */
};

static void make_late(struct hf_job *job)
{
    struct late *l = HF_CONTAINER_OF(job, struct late, job);
    struct hf_node *node = l->service->node;
    struct hf_service *svc = l->service->svc;
    struct hf_report why;
    hf_report_init(&why);
    enum hf_err err = hf_template_try(node, svc, true, START_NS, &why);
    l->taken = err == HF_OK && hf_service_has_image(svc);
    if (err != HF_OK)
        hf_log_say(node->log, "notice", "%s: no image could be taken: %s", hf_service_name(svc), why.text);
}

static void on_news(struct hf_letter *letter)
{
    struct news *n = HF_CONTAINER_OF(letter, struct news, letter);
    struct hf_worker *w = n->worker;
    struct hf_share *s = w->ended ? NULL : hf_share_find(w, n->service);
    if (s != NULL && s->class != NULL && s->host != NULL)
        hf_class_set_reusable(s->class);
    hf_app_service_unref(n->service, w->ended ? NULL : &w->io);
    free(n);
}

static void tell_workers(struct hf_node *node, struct hf_app_service *service)
{
    for (uint32_t i = 0; i < node->n_workers; i++) {
        struct news *n = calloc(1, sizeof *n);
        if (n == NULL)
            return; /* that worker goes on as it was */
        *n = (struct news){
            .letter.deliver = on_news, .worker = &node->workers[i], .service = hf_app_service_ref(service)};
        hf_wake_post(node->workers[i].wake, &n->letter);
    }
}

static void late_done(struct hf_job *job)
{
    struct late *l = HF_CONTAINER_OF(job, struct late, job);
    struct hf_node *node = l->service->node;
    bool ended = node->workers[0].ended;
    if (l->taken && !ended) {
        hf_service_reset_from_now_on(l->service->svc);
        if (!node->opt.quiet)
            hf_log_say(node->log, "notice", "%s: takes one request an instance: from now on instances are put back after each",
                       hf_app_service_name(l->service));
        tell_workers(node, l->service);
    }
    hf_app_service_unref(l->service, ended ? NULL : l->io);
    free(l);
}

void hf_template_single_use(void *ctx, struct hf_service *svc, struct hf_io *io)
{
    struct hf_app_service *service = ctx;
    struct late *l = calloc(1, sizeof *l);
    HF_ASSERT(service->svc == svc);
    if (l == NULL)
        return; /* new instances it is */
    *l = (struct late){.job = {.run = make_late, .done = late_done}, .service = hf_app_service_ref(service), .io = io};
    if (hf_jobs_submit(io->jobs, &l->job, io->wake) != HF_OK) {
        hf_app_service_unref(service, NULL); /* not the last: it serves */
        free(l);
    }
}
