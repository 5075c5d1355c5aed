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
    if (err == HF_OK && a.kind != HF_ANSWER_OK) {
        err = a.kind == HF_ANSWER_TIMEOUT ? HF_TIMEOUT : a.kind == HF_ANSWER_LIMITED ? HF_LIMIT : HF_TRAP;
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
    struct hf_node *node;
    struct hf_service *svc;
    bool taken;
};
struct news { /* to one worker */
    struct hf_letter letter;
    struct hf_worker *worker;
    uint32_t service;
};

static void make_late(struct hf_job *job)
{
    struct late *l = HF_CONTAINER_OF(job, struct late, job);
    struct hf_report why;
    hf_report_init(&why);
    enum hf_err err = hf_template_try(l->node, l->svc, true, START_NS, &why);
    l->taken = err == HF_OK && hf_service_has_image(l->svc);
    if (err != HF_OK)
        hf_log_say(l->node->log, "notice", "%s: no image could be taken: %s", hf_service_name(l->svc), why.text);
}

static void on_news(struct hf_letter *letter)
{
    struct news *n = HF_CONTAINER_OF(letter, struct news, letter);
    struct hf_class *class = n->worker->classes[n->service];
    if (class != NULL && !n->worker->ended)
        hf_class_set_reusable(class);
    free(n);
}

static uint32_t number_of(const struct hf_node *node, const struct hf_service *svc)
{
    uint32_t i = 0;
    while (i < node->n_services && node->services[i].svc != svc)
        i++;
    HF_ASSERT(i < node->n_services);
    return i;
}

static void tell_workers(struct hf_node *node, uint32_t service)
{
    for (uint32_t i = 0; i < node->n_workers; i++) {
        struct news *n = calloc(1, sizeof *n);
        if (n == NULL)
            return; /* that worker goes on as it was */
        *n = (struct news){.letter.deliver = on_news, .worker = &node->workers[i], .service = service};
        hf_wake_post(node->workers[i].wake, &n->letter);
    }
}

static void late_done(struct hf_job *job)
{
    struct late *l = HF_CONTAINER_OF(job, struct late, job);
    struct hf_node *node = l->node;
    if (l->taken && !node->workers[0].ended) {
        hf_service_reset_from_now_on(l->svc);
        if (!node->opt.quiet)
            hf_log_say(node->log, "notice", "%s: takes one request an instance: from now on instances are put back after each",
                       hf_service_name(l->svc));
        tell_workers(node, number_of(node, l->svc));
    }
    free(l);
}

void hf_template_single_use(void *ctx, struct hf_service *svc, struct hf_io *io)
{
    struct hf_node *node = ctx;
    struct late *l = calloc(1, sizeof *l);
    if (l == NULL)
        return; /* new instances it is */
    *l = (struct late){.job = {.run = make_late, .done = late_done}, .node = node, .svc = svc};
    if (hf_jobs_submit(io->jobs, &l->job, io->wake) != HF_OK)
        free(l);
}
