/* exec.c - hf_exec: one command on the calling thread (host/exec.c is what it does inside). */
#include "node/node_int.h"

#include <stdio.h>

static void for_exec(void *ctx, struct hf_service_settings *s)
{
    s->command = true;
    s->stdio = ctx;
    s->log_lines = s->log_bytes = UINT64_MAX; /* as of invoke */
}

/* How it ended, other than by itself. */
static enum hf_err bad_end(const struct hf_answer *a, const char *path, struct hf_report *report)
{
    enum hf_err err = a->kind == HF_ANSWER_TIMEOUT   ? HF_TIMEOUT
                      : a->kind == HF_ANSWER_LIMITED ? HF_LIMIT
                                                     : HF_TRAP;
    struct hf_view words =
        a->body.len > 0 ? hf_buf_view(&a->body) : hf_view_of(hf_answer_text(a->kind));
    return hf_report_set(report, err, "%s: %.*s", path, HF_FMT(words));
}

enum hf_status hf_exec(struct hf_node *node, const struct hf_service_options *o, const int fds[3],
                       int *exit_code, struct hf_words *msg)
{
    struct hf_report report;
    struct hf_service *svc = NULL;
    struct hf_answer a = {0};
    int own[3] = {fds[0], fds[1], fds[2]};

    hf_report_init(&report);
    *exit_code = 1;
    struct hf_service_options full = {0};
    if (hf_options_widen(o, o->size, &full, sizeof full))
        o = &full; /* else the check says so */
    enum hf_status wrong = hf_node_check_options(o, msg);
    if (wrong != HF_STATUS_OK)
        return wrong;
    bool argument = false;
    uint64_t timeout_ns = o->request_timeout_ns != 0 ? o->request_timeout_ns : UINT64_MAX;
    enum hf_err err = hf_node_make_service(node, o, true, for_exec, own, &svc, &argument, &report);
    if (argument) {
        (void)hf_node_result(err, &report, msg);
        return HF_STATUS_USAGE;
    }
    if (err == HF_OK)
        err = hf_offline_call(node, svc, timeout_ns, HF_VIEW("run"), NULL, NULL, &a);
    if (err == HF_OK && a.kind != HF_ANSWER_OK)
        err = bad_end(&a, o->path, &report);
    else if (err == HF_OK)
        *exit_code = a.body.ptr[0];
    hf_buf_done(&a.body);
    hf_blob_unref(a.blob);
    hf_service_free(svc);
    return hf_node_result(err, &report, msg);
}
