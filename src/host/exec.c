/* exec.c - a component as a command: wasi:cli/run, once, with the exit code as the answer.
 *
 * The answer's body is one byte, the code: 0 or 1 as run returned, or what wasi:cli/exit was called
 * with. What is still to be written to stdout and stderr is written first. A trap fails the
 * process, with its report as the reason.
 */
#include "host/service_int.h"

enum hf_err hf_exec_begin(struct hf_guest *g, struct hf_report *report)
{
    enum hf_err err = hf_instance_call(g->inst, g->worker->svc->handle, NULL, 0);
    if (err != HF_OK)
        hf_report_set(report, err, "wasi:cli/run could not be called: %s",
                      hf_instance_report(g->inst)->text);
    return err;
}

enum hf_err hf_exec_answer(struct hf_guest *g, enum hf_err err)
{
    struct hf_buf code = {0};
    struct hf_blob *none = NULL;
    uint8_t n = g->exit_code;
    if (!g->exited && err != HF_OK)
        return err;
    if (!g->exited) {
        const struct hf_value *v = hf_instance_result(g->inst);
        n = v != NULL && v->tag != 0;
    }
    err = hf_buf_add_byte(&code, n);
    if (err != HF_OK)
        return hf_report_set(hf_instance_report(g->inst), err, "out of memory");
    hf_turn_respond(g->turn, &code, &none);
    hf_buf_done(&code);
    hf_turn_retire(g->turn, "exit");
    return HF_OK;
}
