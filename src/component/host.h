/* host.h - what the host offers to components: interfaces read from WIT, functions and resources bound to them.
 *
 * The types of an interface come from its WIT (encoded packages made at build time), so a function cannot be bound with a
 * type it does not have; a component's import is compared with them structurally when it is linked (S4). One registry is
 * made at start and shared by all components and threads, read-only after hf_registry_seal.
 *
 * Versions: names match on the 0.2 track (reference 1.8); one resource type per (track, name).
 */
#ifndef HF_COMPONENT_HOST_H
#define HF_COMPONENT_HOST_H

#include "component/value.h"

struct hf_registry;
struct hf_call; /* one import call in flight */

/* Does the work. `args` in order of the WIT's parameters (self first); fill *result when the function has one (it comes
 * zeroed). HF_OK, or HF_TRAP after hf_call_trap, or what hf_call_block returned. Runs on the guest's fiber (frames under
 * 8 KiB); must not longjmp; must not keep views of args. */
typedef enum hf_err (*hf_host_fn)(struct hf_call *call, const struct hf_value *args, struct hf_value *result);

struct hf_host_resource {
    const char *name;
    /* The last owner let go of it (handle dropped, instance ended, result never taken). A drop that the guest asked for may
     * refuse with HF_TRAP after hf_call_trap ("has live children"): the guest is trapped. call is NULL at instance end: it
     * cannot refuse then. */
    enum hf_err (*drop)(struct hf_call *call, void *obj);
};

/* How a host object gets into an image (call.h) and out again, in this process or another: what it was made of, as bytes. */
struct hf_host_recipe {
    /* Appends the recipe (nothing at all is one, too; at most 256 KiB). HF_UNSUPPORTED after hf_report_set: this object cannot
     * be made again ("it keeps a fields that it made while it started"). Changes nothing in the object. */
    enum hf_err (*save)(void *obj, struct hf_buf *ret, struct hf_report *report);
    /* Makes another: `ctx` is that of the new instance (hf_instance_settings). The recipe may be anything (HF_CORRUPT). Objects
     * of an instance come in the order in which they were made. */
    enum hf_err (*load)(void *ctx, struct hf_view recipe, void **ret, struct hf_report *report);
};

enum hf_err hf_registry_new(struct hf_registry **ret);
void hf_registry_free(struct hf_registry *reg);
/* Reads an encoded WIT package (component binary): all its interfaces become known. Packages it refers to come first. */
enum hf_err hf_registry_add_wit(struct hf_registry *reg, struct hf_view wasm, struct hf_report *report);
/* Binds. `iface` "wasi:io/poll" (no version: the one that was added), `name` as in WIT's binary form:
 * "poll", "[method]pollable.ready", "[static]response-outparam.set", "[constructor]fields". HF_NOT_FOUND: no such function. */
enum hf_err hf_registry_bind(struct hf_registry *reg, const char *iface, const char *name, hf_host_fn fn, struct hf_report *report);
enum hf_err hf_registry_bind_resource(struct hf_registry *reg, const char *iface, const char *name,
                                      const struct hf_host_resource *ops, struct hf_report *report);
/* For a resource that is bound already. */
enum hf_err hf_registry_bind_recipe(struct hf_registry *reg, const char *iface, const char *name, const struct hf_host_recipe *recipe,
                                    struct hf_report *report);
struct hf_binding { const char *name; hf_host_fn fn; };
/* A table of them at once; ends with {NULL, NULL}. */
enum hf_err hf_registry_bind_all(struct hf_registry *reg, const char *iface, const struct hf_binding *table, struct hf_report *report);
/* Binds every function of the interface that has no binding yet to `fn`. */
enum hf_err hf_registry_bind_rest(struct hf_registry *reg, const char *iface, hf_host_fn fn, struct hf_report *report);
/* One more interface, said in the words of WIT: `text` is what stands between the braces of an interface (registry_text.c says
 * what of it), each function of it is bound here. Also after seal, while nothing was linked with the registry. HF_INVALID: where
 * the text is wrong, functions and bindings that do not match, an interface that is offered already. Nothing is added then. */
struct hf_bound {
    const char *name;
    hf_host_fn fn;
    void *ctx; /* hf_call_bound */
};
enum hf_err hf_registry_define(struct hf_registry *reg, const char *iface, struct hf_view text, const struct hf_bound *bound, size_t n,
                               struct hf_report *report);
/* No more binding. Every interface with at least one binding is offered; functions in it left unbound are "missing here"
 * for components that import them. `unbound` (may be NULL) gets their names, one a line. Resources need ops. */
enum hf_err hf_registry_seal(struct hf_registry *reg, struct hf_buf *unbound, struct hf_report *report);

/* ---- inside a host function ---- */
void *hf_call_ctx(const struct hf_call *call); /* what hf_instance_new was given */
/* Memory that lives until the call's results are lowered; NULL past the call's budget (S14): then return hf_call_limit. */
void *hf_call_alloc(struct hf_call *call, size_t size);
/* Ends the guest: text names the function, the handle, the rule. Returns HF_TRAP. */
enum hf_err hf_call_trap(struct hf_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum hf_err hf_call_limit(struct hf_call *call, const char *what); /* a trap that says which limit */
/* Suspends the guest until its owner polls it again. HF_CANCELLED: clean up and return it at once. */
enum hf_err hf_call_block(struct hf_call *call);
/* The guest handle under which argument i (own or borrow) came, for messages; 0 when none. */
uint32_t hf_call_handle(const struct hf_call *call, uint32_t arg);
struct hf_instance *hf_call_instance(const struct hf_call *call);
void *hf_call_bound(const struct hf_call *call);                 /* hf_bound.ctx; NULL for other bindings */
const struct hf_ftype *hf_call_type(const struct hf_call *call); /* of the function that is called */

#endif
