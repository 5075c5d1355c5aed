/* call.h - a component instance at work: start it, call its exports, let it wait, end it, put it back.
 *
 * One instance = one store = the whole tree of component instances. It belongs to one thread and runs one call at a time
 * (WASI 0.2: a second call while one is in flight is the caller's error). After a trap, a cancel or a failed start the
 * whole tree is dead (E3): only hf_instance_free is left.
 */
#ifndef HF_COMPONENT_CALL_H
#define HF_COMPONENT_CALL_H

#include "component/component.h"

struct hf_instance;

struct hf_instance_settings {
    void *ctx;                /* hf_call_ctx in host functions */
    uint64_t memory_max;      /* bytes per memory; 0 = the engine's */
    uint32_t slice_ticks;     /* 0 = the engine's */
    uint32_t handles_max;     /* per component instance; 0 = 100000 */
    uint64_t call_bytes_max;  /* host-side copies per import call (S14); 0 = 128 MiB */
    /* Bytes of one list or string that crosses the boundary (V6, V7), in the guest's memory. 0, and more than the
     * specification has, mean its 2^28 - 1. */
    uint32_t list_bytes_max, string_bytes_max;
};

/* Makes the store; runs nothing. */
enum hf_err hf_instance_new(struct hf_component *c, const struct hf_instance_settings *s, struct hf_instance **ret,
                            struct hf_report *report);
void hf_instance_free(struct hf_instance *inst); /* cancels what runs, drops every host object; NULL is fine */

/* Begins the instantiation (start functions run on the fiber); then hf_instance_poll until it is not HF_AGAIN. */
enum hf_err hf_instance_start(struct hf_instance *inst);
/* Begins a call: args are copied, what they point to must live until the call ends (and not lie in the last result); own
 * arguments of host type are moved in (dropped through their ops if the call cannot be made). Then hf_instance_poll.
 * HF_INVALID: busy, not started, or not as many arguments as the type says. HF_TRAP: dead (E3; the report says of what). */
enum hf_err hf_instance_call(struct hf_instance *inst, const struct hf_export *e, const struct hf_value *args, size_t n_args);
/* HF_OK: it ended (start or call). HF_AGAIN: it waits (hf_instance_why: BLOCK: poll when what it waits for may be ready;
 * SLICE: it only used up its time). HF_TRAP (report), HF_CANCELLED. */
enum hf_err hf_instance_poll(struct hf_instance *inst);
enum hf_why hf_instance_why(const struct hf_instance *inst);
/* The result of the call that just ended, NULL when it has none; lives until the next call. Host objects owned by it are
 * dropped then, unless the caller takes them over. Own results of guest types must be dropped (hf_instance_drop_guest). */
const struct hf_value *hf_instance_result(const struct hf_instance *inst);
void hf_instance_take_result(struct hf_instance *inst);
enum hf_err hf_instance_drop_guest(struct hf_instance *inst, const struct hf_resource_type *t, uint64_t rep); /* as a call: poll */
/* Unwinds a suspended call or start now. */
void hf_instance_cancel(struct hf_instance *inst);
bool hf_instance_dead(const struct hf_instance *inst);
bool hf_instance_busy(const struct hf_instance *inst);
struct hf_report *hf_instance_report(struct hf_instance *inst); /* of the last failure, with the wasm backtrace */
bool hf_instance_memory_suspect(const struct hf_instance *inst);
void *hf_instance_ctx(const struct hf_instance *inst);
uint64_t hf_instance_memory_bytes(struct hf_instance *inst); /* sum of its memories now */
uint32_t hf_instance_handles(const struct hf_instance *inst); /* live handles of the tree */

/* ---- the membrane: one hook at every import of every guest ---- */
struct hf_hook {
    /* Before the host function. HF_OK: go on. HF_CLOSED: *result is filled, do not call it. Else: trap. */
    enum hf_err (*before)(void *ctx, struct hf_call *call, struct hf_view iface, struct hf_view func, const struct hf_ftype *t,
                          const struct hf_value *args, struct hf_value *result);
    void (*after)(void *ctx, struct hf_call *call, enum hf_err err, const struct hf_value *result);
};
void hf_instance_set_hook(struct hf_instance *inst, const struct hf_hook *hook, void *ctx); /* NULL: none */

/* ---- images (reference 7): memories, mutable globals, handle tables of an instance at rest ---- */
struct hf_image;
/* From a template instance that never serves. HF_UNSUPPORTED: the gate says no (the report says why); HF_INVALID: not at
 * rest. Images are immutable and shared between threads. */
enum hf_err hf_image_take(struct hf_instance *template_inst, struct hf_image **ret, struct hf_report *report);
struct hf_image *hf_image_ref(struct hf_image *img);
void hf_image_unref(struct hf_image *img);
/* Puts an instance of the same component back to the image, in place: memories, globals, handle tables (host objects made
 * since are dropped), flags. HF_OK: as fresh. Else throw it away; *why (static text) says which: "grown", "dirty", "handles",
 * "scan", "dead". `scanner` is the thread's. */
enum hf_err hf_instance_reset(struct hf_instance *inst, const struct hf_image *img, struct hf_scanner *scanner,
                              uint64_t max_pages, struct hf_reset_stats *stats, const char **why);

#endif
