/* fetch.c - see fetch.h. */
#include "node/fetch.h"

static void on_done(void *owner, struct hf_client_answer *a)
{
    struct hf_fetch *f = owner;
    struct hf_fetch_answer answer = {.fault = a->fault, .head = a->head, .blob = a->blob};
    f->call = NULL;
    f->done(f, &answer);
    a->head = answer.head; /* what was not taken */
    a->blob = answer.blob;
}

static enum hf_err start(void *ctx, struct hf_fetch *f, const struct hf_fetch_request *r)
{
    struct hf_client_call *call;
    struct hf_client_request q = {
        .head = r->head,
        .blob = r->blob,
        .realm = r->realm,
        .tls = r->tls,
        .host = r->host,
        .port = r->port,
        .addrs = r->addrs,
        .n_addrs = r->n_addrs,
        .connect_ns = r->connect_ns,
        .first_byte_ns = r->first_byte_ns,
        .between_ns = r->between_ns,
        .done = on_done,
        .owner = f,
    };
    enum hf_err err = hf_client_start(ctx, &q, &call);
    if (err == HF_OK)
        f->call = call;
    return err;
}

static void cancel(void *ctx, struct hf_fetch *f)
{
    (void)ctx;
    hf_client_cancel(f->call);
    f->call = NULL;
}

void hf_node_fetch_table(struct hf_fetch_table *table, struct hf_client *client)
{
    *table = (struct hf_fetch_table){.ctx = client, .start = start, .cancel = cancel};
}
