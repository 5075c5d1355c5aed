/* behaviour.h - what a process is, in C or wasm: a table of functions the kernel calls.
 *
 * The kernel calls one at a time for a process, always on its worker's thread, always with the turn
 * through which the process acts (turn.h). A call either finishes (DONE), waits for something in
 * the turn's waitset (WAIT: `resume` is called when it is ready), wants to go on later (YIELD:
 * resume when it is its turn again) or is over (FAILED, and hf_turn_fail said why: the process is
 * then stopped and whoever waits for it gets `dead`).
 */
#ifndef HF_KERNEL_BEHAVIOUR_H
#define HF_KERNEL_BEHAVIOUR_H

#include "base/bytes.h"

struct hf_turn;
struct hf_report;

enum hf_end { HF_END_DONE, HF_END_WAIT, HF_END_YIELD, HF_END_FAILED };

struct hf_behaviour {
    const char *name;
    /* Makes an instance: *state is its own from here (also when it WAITs or FAILs: stop is called).
     */
    enum hf_end (*start)(void *class_ctx, struct hf_turn *turn, void **state);
    /* Handles the current message (hf_turn_message). */
    enum hf_end (*turn)(void *state, struct hf_turn *turn);
    /* Goes on after WAIT or YIELD of start or turn. */
    enum hf_end (*resume)(void *state, struct hf_turn *turn);
    /* Unwind what is in hand now, for `why` (HF_TIMEOUT, HF_CANCELLED at shutdown): no guest code,
     * no waiting. stop follows. Called only between start/turn and their end. May be NULL. */
    void (*cancel)(void *state, struct hf_turn *turn, enum hf_err why);
    /* An instance that retires in order (age, idleness, its own wish, draining) may do something last:
     * runs like a turn, without a message, for leave_timeout at most; stop follows. Not after a
     * failure, a deadline or cancel. May be NULL. */
    enum hf_end (*leave)(void *state, struct hf_turn *turn);
    /* Frees the instance; also a half-started one, also NULL state. */
    void (*stop)(void *state);
    /* One line about the instance for people; may be NULL. */
    void (*inspect)(const void *state, struct hf_buf *ret);
    /* Durable processes: state to bytes and back, with the image (the store issue). NULL: volatile.
     */
    enum hf_err (*save)(void *state, struct hf_buf *ret);
    enum hf_err (*load)(void *class_ctx, struct hf_view bytes, void **state);
    /* Eviction (spill.h): an idle instance as bytes for this process and this class, and a new one
     * made of them that is as if it had never been away. evict changes nothing: the instance is
     * stopped when its bytes are kept, or goes on. HF_UNSUPPORTED: it cannot be imaged, and the
     * report says what it is that it has in hand. NULL: instances of it are never evicted. */
    enum hf_err (*evict)(void *state, struct hf_buf *ret, struct hf_report *why);
    /* Like start, but it never waits. On failure *state may be set: stop follows. */
    enum hf_err (*revive)(void *class_ctx, struct hf_turn *turn, struct hf_view bytes, void **state,
                          struct hf_report *why);
    /* One that ended in order becomes as it was when its start had ended, for another name: nothing
     * of what it did since is left in it. No waiting. Anything but HF_OK: it cannot be; it is
     * stopped. NULL: they never are. */
    enum hf_err (*renew)(void *state);
    /* It has been idle for a second, and stays in memory: what it does not need until its next
     * message may go. May be NULL. */
    void (*rest)(void *state);
};

#endif
