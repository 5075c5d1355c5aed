/* remote.h - requests that another kernel takes: a class whose instances live elsewhere.
 *
 * Posting to such a class hands the message to its `send`; the request stays here, with its
 * deadline and its duty, until the answer is brought back with hf_remote_answer, its time is over,
 * or its origin cancels. Who carries messages (letters between workers, later a link between nodes)
 * is the node's business. One thread, the kernel's.
 */
#ifndef HF_KERNEL_REMOTE_H
#define HF_KERNEL_REMOTE_H

#include "kernel/kernel.h"

struct hf_remote_ops {
    /* Takes a message on its way, from inside hf_port_post. HF_OK: body and blob have moved. Else
     * nothing has, and post says the same. `timeout_ns` is the request's whole time from now. */
    enum hf_err (*send)(void *ctx, uint64_t id, struct hf_buf *body, struct hf_blob **blob,
                        uint64_t timeout_ns);
    /* Nobody waits for the answer any more; one that still comes is dropped. From inside post,
     * cancel, step and hf_kernel_free: it may not call the kernel. */
    void (*cancel)(void *ctx, uint64_t id);
};
struct hf_remote_settings {
    const struct hf_remote_ops *ops;
    void *ctx;
    uint64_t request_timeout_ns; /* 0 = 30 s */
    bool unnamed;                /* as of hf_class_settings, like the next two */
    void (*gone)(void *ctx, const struct hf_class_stats *last);
    void *gone_ctx;
};
/* HF_INVALID: no name, or a name that is taken; HF_LIMIT. A request that is away keeps a closed
 * class until it is answered or over. *ret (may be NULL) is for the verbs of kernel.h that name and
 * close a class. */
enum hf_err hf_class_add_remote(struct hf_kernel *k, const char *name,
                                const struct hf_remote_settings *s, struct hf_class **ret,
                                struct hf_report *report);
/* The answer to what was sent: body and blob are moved, delivered with the next flush. False:
 * nobody waits for it, nothing moved. */
bool hf_remote_answer(struct hf_kernel *k, uint64_t id, struct hf_answer *a);

#endif
