/* far.h - what a kernel needs of others to reach names that live elsewhere, and what others bring
 * to it from there.
 *
 * Each kernel has a place, a number. `place` says where a name lives; everything that a process or
 * a port does to a name of another place leaves as a letter, a plain struct, by `send`, and is
 * brought to the kernel there with hf_far_arrive. The kernel knows nothing of threads: who carries
 * letters (the link between workers, a queue in a test) keeps one promise: LETTERS FROM ONE PLACE
 * TO ANOTHER ARRIVE IN THE ORDER SENT, each once. How long they take, and how letters of different
 * places fall between each other, is open.
 *
 * What is near costs nothing of this: a name that lives in this kernel is found as if there were no
 * others, and `place` is asked only about names that are not here.
 *
 * How a request goes. Its duty and its deadline stay where its origin is. There, it is AWAY; where
 * the letter arrives a GUEST is made, a request whose origin is another place, and from there on
 * everything is as near by: mailbox, current, token, forward. The answer goes straight to the place
 * of the origin, whatever came between. A forward that goes on to a third place leaves a stub, so
 * that a cancel (and a look for cycles) follows the request along the way it went; OVER takes the
 * stubs away, from the end back.
 *
 *     REQUEST     origin's or forwarder's place -> target's      ANSWER    -> origin's
 *     CANCEL      along the way of the request                   OVER      back along it
 *     ROOM        a parked message was taken -> its sender's     PROBE     along the waits
 *     WATCH, UNWATCH -> the watched one's                        ENDED, REFUSED -> the watcher's
 *     EXIT        a linked one ended -> the other's              SEEN      more may be refused
 *     SPAWN, END  a child's beginning and end -> its place
 *
 * Nothing is refused on its way back: the letter in which a request came is kept for its answer,
 * and letters that may be needed to cancel it, or for its OVER and ROOM, are made with it (`spare`)
 * before the sender hears that it was sent. So of two full kernels none waits for the other.
 */
#ifndef HF_KERNEL_FAR_H
#define HF_KERNEL_FAR_H

#include "kernel/port.h"

enum hf_far_kind {
    HF_FAR_REQUEST,
    HF_FAR_ANSWER,
    HF_FAR_CANCEL,
    HF_FAR_OVER,
    HF_FAR_ROOM,
    HF_FAR_PROBE,
    HF_FAR_WATCH,
    HF_FAR_UNWATCH,
    HF_FAR_ENDED,
    HF_FAR_REFUSED,
    HF_FAR_SEEN,
    HF_FAR_EXIT,
    HF_FAR_SPAWN,
    HF_FAR_END
};

#define HF_FAR_PROBE_HOPS 64u /* a ring of waits over more crossings ends by its timeout */

/* Owned by whoever has it: the sender until `send`, then who carries it, from hf_far_arrive on the
 * kernel there. Views lie in `text`. */
struct hf_far_letter {
    enum hf_far_kind kind;
    uint32_t from; /* whose place */
    /* Which request, watch: REQUEST and WATCH give it, everything about it names it. */
    uint64_t id;
    uint32_t origin;    /* REQUEST, ANSWER: whose answer it is. PROBE: who asks */
    uint64_t origin_id; /* ... and which request of it */
    struct hf_buf text; /* of the views */
    struct hf_view target, source, metadata;
    struct hf_view *caps; /* heap */
    size_t n_caps;
    struct hf_buf by; /* ANSWER: of source */
    struct hf_buf body;
    /* REQUEST, ANSWER: a reference, or NULL. Who carries the letter gives the other side a blob of
     * its own kernel instead. */
    struct hf_blob *blob;
    bool lost; /* set by who carries it: there was a blob, and no memory for it */
    bool wants_answer, asked, park, forwarded; /* REQUEST */
    bool link, kill, unborn; /* WATCH and EXIT; END; WATCH: of a child whose SPAWN follows */
    uint64_t deadline_ns;
    enum hf_answer_kind answer; /* ANSWER, ENDED, EXIT */
    uint64_t process, served, born_ns;
    uint64_t count; /* REFUSED; PROBE: crossings so far */
    struct hf_far_letter *spare;
    struct hf_far_letter *next; /* the kernel's */
};

struct hf_far_ops {
    /* Where a name lives: for ever the same for a valid name, or changed in all kernels at once
     * while nothing is under way. Any number; `here` is this kernel's own. */
    uint32_t (*place)(void *ctx, struct hf_view name);
    /* A letter, all zeroes; NULL: no memory. */
    struct hf_far_letter *(*make)(void *ctx);
    /* Of a letter that is empty (hf_far_letter_drop empties it). */
    void (*drop)(void *ctx, struct hf_far_letter *letter);
    /* Takes the letter; never fails. From inside steps, posts, cancels, arrivals and
     * hf_kernel_free: it may not call the kernel. A place that is not there any more: dropped. */
    void (*send)(void *ctx, uint32_t to, struct hf_far_letter *letter);
};
/* Once, before anything is made in the kernel. ids of kernels must not meet: id_base (kernel.h). */
void hf_kernel_set_far(struct hf_kernel *k, uint32_t here, const struct hf_far_ops *ops, void *ctx);
/* Between steps, on the kernel's thread. Takes the letter. */
void hf_far_arrive(struct hf_kernel *k, struct hf_far_letter *letter);
/* Frees it with all that is in it, spares too; for who carries letters at its end. NULL is fine. */
void hf_far_letter_drop(struct hf_far_letter *letter, const struct hf_far_ops *ops, void *ctx);

struct hf_far_stats {
    uint64_t sent[HF_FAR_END + 1], arrived[HF_FAR_END + 1];
    uint32_t guests; /* requests of others that are here */
};
void hf_far_get_stats(const struct hf_kernel *k, struct hf_far_stats *ret);

#endif
