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
/* It is at rest, and its last result is not wanted any more: gives back what only a call needs. Nothing else changes. */
void hf_instance_rest(struct hf_instance *inst);
bool hf_instance_dead(const struct hf_instance *inst);
bool hf_instance_busy(const struct hf_instance *inst);
struct hf_report *hf_instance_report(struct hf_instance *inst); /* of the last failure, with the wasm backtrace */
bool hf_instance_memory_suspect(const struct hf_instance *inst);
void *hf_instance_ctx(const struct hf_instance *inst);
struct hf_component *hf_instance_component(const struct hf_instance *inst);
uint64_t hf_instance_memory_bytes(struct hf_instance *inst); /* sum of its memories now */
uint32_t hf_instance_handles(const struct hf_instance *inst); /* live handles of the tree */

/* ---- the membrane: one hook at every place where the guest and the host meet ---- Everything is shown as canonical bytes
 * (value_bytes.h), in which handles are the guest's own numbers. While no hook is set it costs one test a call. */
enum hf_crossing_kind {
    HF_CROSS_IMPORT,    /* the guest calls a host function */
    HF_CROSS_DROP,      /* the guest drops a host resource it owns; args: its number; func "[resource-drop]" */
    HF_CROSS_START,     /* the host begins the instantiation; func "[start]" */
    HF_CROSS_EXPORT,    /* the host calls an export */
    HF_CROSS_DROP_GUEST /* the host drops a guest's resource; func "[resource-drop]", args: resource (4 bytes), rep (8) */
};
struct hf_crossing { /* views are good until the hook returns */
    enum hf_crossing_kind kind;
    uint32_t ci;                /* component instance whose handle numbers these are */
    struct hf_view iface, func; /* "wasi:io/poll@0.2.12", "[method]pollable.ready"; iface of drops: the resource's name */
    const struct hf_ftype *type; /* IMPORT and EXPORT, else NULL */
    struct hf_view args;        /* one value after the other */
    const uint32_t *args_handles; /* the numbers in args, in order */
    uint32_t n_args_handles;
    /* after: */
    bool answered;              /* by `before`, the host was not asked */
    enum hf_err err;            /* HF_OK, HF_CANCELLED, else it was a trap: text says what the report says */
    struct hf_view result, text;
    const uint32_t *result_handles;
    uint32_t n_result_handles;
};
struct hf_hook {
    /* HF_OK: go on. HF_CLOSED (IMPORT and DROP): answered: x->result holds the bytes of the result, which must live until
     * `after` was called; the host is not asked, arguments it would own are dropped. Handles in it must be those that the
     * guest's table gives next (the guest is trapped if not); no host object is behind them: see hf_stand_in. HF_CANCELLED:
     * the guest is unwound and dead, as by hf_instance_cancel. Anything else is a trap (hf_call_trap, or the store's
     * report). `call` is NULL unless IMPORT or DROP. */
    enum hf_err (*before)(void *ctx, struct hf_call *call, struct hf_crossing *x);
    /* After each `before` that returned HF_OK or HF_CLOSED, also when the guest died of it. Must return HF_OK to let things
     * be as x->err says; else that error counts (a trap). */
    enum hf_err (*after)(void *ctx, struct hf_call *call, const struct hf_crossing *x);
};
/* NULL: none. Between calls only (asserted), from hf_instance_new on. HF_LIMIT: memory is out. */
enum hf_err hf_instance_set_hook(struct hf_instance *inst, const struct hf_hook *hook, void *ctx);
/* What stands for a host object that does not exist: the object of handles that a hook answered with, and to be given as
 * own argument to an export when there is no host. Never reaches a host function: such a call traps, unless it is answered.
 * Dropping it does nothing. */
void *hf_stand_in(void);

/* ---- images (reference 7): memories, mutable globals, handle tables and limits of an instance at rest ----
 * Outside of an image, and constant by the static gate (hf_component_gate), or there is none: tables of functions, dropped
 * segments, garbage-collected objects and references. Outside, too: the last result (take it, or let it be dropped, before),
 * and what the host keeps in its objects, but for their recipes (host.h). Images are immutable and shared between threads.
 *
 * Two uses. Reset: an image of a template that never serves, and instances put back to it in place. Keeping: an image of an
 * instance that served, as bytes, and a new instance made of them, here or in another process. */
struct hf_image;
/* Of a template that never serves (reading it makes its own later scans slow). HF_UNSUPPORTED: the gate says no (the report
 * says why); HF_INVALID: not at rest: not started, a call is in flight or suspended, or dead. */
enum hf_err hf_image_take(struct hf_instance *template_inst, struct hf_image **ret, struct hf_report *report);
/* Of any instance at rest, in the time that its written pages take; not to reset to. `s` is the thread's; NULL: it reads
 * every page. Errors as above, and HF_UNKNOWN when the scan failed. */
enum hf_err hf_image_take_written(struct hf_instance *inst, struct hf_scanner *s, struct hf_image **ret, struct hf_report *report);
/* The same, but of its memories only what is not as in `base`, an image of hf_image_take of the same component (shared: for as
 * long as the image lives). Its bytes do not say so: whoever parses them says hf_image_set_base before it loads. */
enum hf_err hf_image_take_since(struct hf_instance *inst, struct hf_scanner *s, struct hf_image *base, struct hf_image **ret,
                                struct hf_report *report);
void hf_image_set_base(struct hf_image *img, struct hf_image *base);
struct hf_image *hf_image_ref(struct hf_image *img);
void hf_image_unref(struct hf_image *img);
/* Can it be saved and loaded? False: the report says which host object cannot be made again (HF_UNSUPPORTED). */
bool hf_image_portable(const struct hf_image *img, struct hf_report *report);
/* Gives the bytes (image_file.c has their format) to `sink` piece by piece, or appends them; what sink answers but HF_OK ends
 * it. HF_UNSUPPORTED: not portable. */
typedef enum hf_err (*hf_image_sink_fn)(void *ctx, struct hf_view bytes);
enum hf_err hf_image_save(const struct hf_image *img, hf_image_sink_fn sink, void *ctx, struct hf_report *report);
enum hf_err hf_image_save_buf(const struct hf_image *img, struct hf_buf *ret, struct hf_report *report);
/* Reads them. The image looks into the bytes, which must outlive it: pages of memories are copied once, when an instance is made.
 * HF_CORRUPT: not what was saved (the report says where); HF_INVALID: of another component
 * or made with another engine (says which); HF_UNSUPPORTED: of another version, or with host objects that are not made here;
 * HF_LIMIT. */
enum hf_err hf_image_parse(struct hf_component *c, struct hf_view bytes, struct hf_image **ret, struct hf_report *report);
/* A new instance at rest, equal to the one that the image was taken of, handle numbers and their order included. Runs no code of
 * the guest, waits for nothing; off the fiber. Limits that `s` leaves 0 are the image's; they must hold what is in it (HF_LIMIT).
 * Host objects are made of their recipes with s->ctx. hf_instance_reset puts it back to images that were taken of its equals. */
enum hf_err hf_image_load(const struct hf_image *img, const struct hf_instance_settings *s, struct hf_instance **ret,
                          struct hf_report *report);
/* Puts an instance of the same component back to an image of hf_image_take, in place: memories, globals, handle tables (host objects made
 * since are dropped), flags. HF_OK: as fresh. Else throw it away; *why (static text) says which: "grown", "dirty", "handles",
 * "scan", "dead". `scanner` is the thread's. */
enum hf_err hf_instance_reset(struct hf_instance *inst, const struct hf_image *img, struct hf_scanner *scanner,
                              uint64_t max_pages, struct hf_reset_stats *stats, const char **why);

#endif
