/* membrane.h - what the hook of an instance is shown: crossings as canonical bytes (call.h says
 * what a hook may do).
 *
 * Internal to the room. hostcall.c, canon_call.c and instance.c call this at the places where guest
 * and host meet, and only when a hook is set; each crossing is opened, told (before), closed
 * (after). Imports happen inside an export's call, never inside each other, so one set of buffers
 * serves all: an export's arguments are told before its first import, its result after the last.
 */
#ifndef HF_COMPONENT_MEMBRANE_H
#define HF_COMPONENT_MEMBRANE_H

#include "component/canon.h"

struct hf_membrane {
    const struct hf_hook *hook;
    void *ctx;
    struct hf_crossing x;                 /* the one in hand */
    struct hf_buf bytes[2];               /* arguments, result */
    struct hf_u32s places[2], numbers[2]; /* of the handles in them */
    struct hf_u32s wanted;                /* handles of an answer, as its bytes say */
    uint32_t stand_in; /* an argument is the stand-in with this number; 0: none is */
};
void hf_membrane_free(struct hf_membrane *m); /* NULL is fine */

/* Begins a crossing; the handles of its arguments are noted from now on by `cx` (may be NULL). */
void hf_membrane_open(struct hf_membrane *m, enum hf_crossing_kind kind, struct hf_canon_cx *cx);
/* A handle of the arguments that no `cx` notes. False: no memory. */
bool hf_membrane_note_arg(struct hf_membrane *m, uint32_t handle);
/* Values to bytes: arguments (f's parameters) or result, in host form. HF_TRAP: limit. A value that
 * is not one of its type is left out: lowering refuses it with better words. */
enum hf_err hf_membrane_args(struct hf_instance *inst, const struct hf_ftype *f,
                             const struct hf_value *args);
enum hf_err hf_membrane_result(struct hf_instance *inst, const struct hf_ftype *f,
                               const struct hf_value *v);
/* Asks the hook. m->x has kind, names, type, ci; the numbers of the arguments are put in.
 * HF_CLOSED: answered. HF_OK is not returned when the host would be given a stand-in (that traps,
 * and the hook was told this end).
 */
enum hf_err hf_membrane_before(struct hf_instance *inst, struct hf_call *call);
/* The answer's bytes as a value, in the call's arena. */
enum hf_err hf_membrane_answer(struct hf_instance *inst, const struct hf_ftype *f,
                               struct hf_value *ret);
/* From now on `cx` notes the handles of the result. */
void hf_membrane_watch_result(struct hf_membrane *m, struct hf_canon_cx *cx);
/* Names for the host's own acts, which have no hf_call: m->x of a START, an EXPORT or a
 * DROP_GUEST. Opens; told by hf_membrane_before. */
void hf_membrane_open_host(struct hf_instance *inst, struct hf_canon_cx *cx);
/* The same crossing again for its end (hf_membrane_after): what happened in between used the buffers.
 * The handles of its result, noted since hf_membrane_watch_result, stay when it has one. */
void hf_membrane_reopen_host(struct hf_instance *inst, bool has_result);
/* Tells the hook how it ended, after comparing an answer's handles with those that were given.
 * Returns `err`, or what the hook made of it. */
enum hf_err hf_membrane_after(struct hf_instance *inst, struct hf_call *call, enum hf_err err);

#endif
