/* fetch.h - outgoing requests as the host room asks for them: a table that the node fills.
 *
 * The host knows who may ask for what and where names lead; connections are another room's. One
 * thread; no call here blocks or does I/O.
 */
#ifndef HF_HOST_FETCH_H
#define HF_HOST_FETCH_H

#include "base/fault.h"
#include "kernel/blob.h"
#include "os/os.h"
#include "os/tls.h"

struct hf_fetch_request {
    struct hf_view head;        /* request head (base/head.h) with an authority; copied */
    struct hf_blob *blob;       /* its body; NULL: none. Taken when start says HF_OK */
    uint64_t realm;             /* connections are shared within one */
    struct hf_tls_context *tls; /* NULL: plain */
    struct hf_view host;        /* without port and brackets */
    uint16_t port;
    const struct hf_os_addr *addrs;
    uint32_t n_addrs;
    uint64_t connect_ns, first_byte_ns, between_ns; /* 0: as usual */
};
struct hf_fetch_answer {
    struct hf_fault fault; /* kind NONE: there is an answer */
    struct hf_buf head;    /* response head; may be taken */
    struct hf_blob *blob;  /* its body, or NULL; may be taken. How it fails: gateway/client.h */
};
struct hf_fetch { /* embedded by who asks */
    /* Once, from the loop, never from start. */
    void (*done)(struct hf_fetch *f, struct hf_fetch_answer *answer);
    void *call; /* the table's */
};
struct hf_fetch_table {
    void *ctx;
    /* HF_AGAIN: no addresses were given and no connection is kept. HF_LIMIT: too many wait.
     * HF_INVALID: no such head or host can be. */
    enum hf_err (*start)(void *ctx, struct hf_fetch *f, const struct hf_fetch_request *r);
    void (*cancel)(void *ctx, struct hf_fetch *f); /* before done, which then never comes */
};

#endif
