/* process.c - a turn of a guest that is a process: the call of its handler or runner, and what is left when it is over.
 */
#include "host/kernel_int.h"

#include <stdlib.h>

static bool room(struct hf_mail *mail, size_t n)
{
    if (n <= mail->cap)
        return true;
    struct hf_value *v = realloc(mail->values, n * sizeof *v);
    if (v == NULL)
        return false;
    mail->values = v;
    mail->cap = n;
    return true;
}

enum hf_err hf_mail_begin(struct hf_guest *g, struct hf_report *report)
{
    struct hf_service *svc = g->worker->svc;
    if (svc->s.process == HF_PROCESS_RUN)
        return hf_instance_call(g->inst, svc->handle, NULL, 0);
    const struct hf_message *m = hf_turn_message(g->turn);
    if (hf_message_is_direct(m)) {
        enum hf_err err = hf_instance_call_direct(g->inst, svc->handle, hf_mail_store, g);
        if (err != HF_UNSUPPORTED)
            return err;
    }
    if (!room(&g->mail, hf_message_values(m)))
        return hf_report_set(report, HF_LIMIT, "out of memory for a message");
    struct hf_value arg = hf_message_value(m, hf_turn_now(g->turn), g->mail.values);
    return hf_instance_call(g->inst, svc->handle, &arg, 1);
}

void hf_mail_over(struct hf_guest *g)
{
    hf_blob_unref(g->mail.asked);
    g->mail.asked = NULL;
    hf_blob_reader_close(&g->mail.lent);
    hf_buf_done(&g->mail.read);
}

void hf_mail_free(struct hf_guest *g)
{
    hf_mail_over(g);
    free(g->mail.values);
}
