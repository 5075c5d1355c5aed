/* native.h - classes of native processes of a node (holdfast/process.h): a behaviour of the kernel around an embedder's callbacks.
 *
 * Made before anything is served and never changed after, so that workers read them without a lock. The processes live on the
 * first worker; other workers' requests go over as a singleton's do. native.c has the classes and the behaviour,
 * native_verbs.c what a process may say.
 */
#ifndef HF_NODE_NATIVE_H
#define HF_NODE_NATIVE_H

#include "holdfast/process.h"
#include "kernel/message.h"
#include "node/ends.h"
#include "node/options.h"

#define HF_NATIVES_MAX 64u

struct hf_worker;

struct hf_native {
    struct hf_list in_node; /* in the order they were added */
    struct hf_process_class c;
    struct hf_options *options; /* owns name, routes and process, as those of a service */
    struct hf_ends ends;
    struct hf_class *class; /* the first worker's */
};

/* A process; `turn` is set while a callback runs. */
struct hf_proc {
    struct hf_native *native;
    struct hf_turn *turn;
    void *state;
    bool reading, read; /* the blob of the message in hand: under way, here */
    struct hf_blob_reader reader;
    struct hf_waiter waiter;
    struct hf_buf blob;
    bool why; /* hf_proc_fail was called */
};

/* The class of that name, or NULL. */
struct hf_native *hf_native_find(const struct hf_node *node, const char *name);
/* Makes all of them in a worker's kernel, when all workers are there. */
enum hf_err hf_natives_make(struct hf_worker *w, struct hf_report *report);
void hf_natives_close(struct hf_worker *w); /* it drains: its processes leave */
void hf_natives_free(struct hf_node *node);

/* What is in hand, for callbacks; `now_ns` is the turn's. */
void hf_native_message(const struct hf_message *m, uint64_t now_ns, struct hf_proc_message *ret);

#endif
