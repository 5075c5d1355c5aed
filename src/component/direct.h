/* direct.h - lifting and lowering by hand, for the few types whose crossing is most of what a call costs.
 *
 * A host function is given values, and most are served well by that. Who knows a type for good (it is compared with the WIT
 * when a component is linked, and an export by hf_component_find_as_in_wit) may read core values and the guest's memory
 * itself, and write into it. What the canonical ABI says is kept here, not there: bounds, alignment, UTF-8, one realloc for
 * each string and list in their order, its answer checked.
 *
 * The generic way stays, and decides. It is taken while a hook is set (call.h), by guests whose strings are not UTF-8, and
 * whenever what was passed is not as it should be: nothing has been done then, and the generic way says what is wrong.
 */
#ifndef HF_COMPONENT_DIRECT_H
#define HF_COMPONENT_DIRECT_H

#include "component/call.h"

struct hf_direct; /* whose memory, and how far it was seen; lives for one call */

/* ---- a host function of this kind ---- beside its hf_host_fn, not instead of it. `vals`: the core values of the lowered
 * signature; its rules are those of hf_host_fn. HF_AGAIN: it is not for here; nothing was done, vals are as they were, and
 * the hf_host_fn is called. */
typedef enum hf_err (*hf_direct_fn)(struct hf_call *call, struct hf_direct *d, union hf_val *vals);
struct hf_direct_binding { const char *name; hf_direct_fn fn; };
/* For functions that are bound already; ends with {NULL, NULL}. */
enum hf_err hf_registry_bind_direct(struct hf_registry *reg, const char *iface, const struct hf_direct_binding *table,
                                    struct hf_report *report);

/* ---- reading ---- Views are good as hf_host_fn's are. False: say HF_AGAIN. */
bool hf_direct_bytes(struct hf_direct *d, uint32_t ptr, uint32_t len, struct hf_view *ret); /* list<u8> */
bool hf_direct_text(struct hf_direct *d, uint32_t ptr, uint32_t len, struct hf_view *ret);  /* string */
/* A list without elements, of `align`: the rest of its rules. */
bool hf_direct_empty(struct hf_direct *d, uint32_t ptr, uint32_t len, uint32_t align);
/* Where a spilled result goes. Good until the call ends: memories do not move. NULL: say HF_AGAIN, before the work. */
uint8_t *hf_direct_place(struct hf_direct *d, uint32_t ptr, uint32_t align, uint32_t size);

/* ---- writing ---- `at` lies in a place. Errors are those of realloc and end the call. */
enum hf_err hf_direct_put_bytes(struct hf_direct *d, uint8_t *at, struct hf_view v);
enum hf_err hf_direct_put_text(struct hf_direct *d, uint8_t *at, struct hf_view v);
/* A list of n elements of `size` bytes: room for them at *items, which the caller fills; only then is it put. */
enum hf_err hf_direct_list(struct hf_direct *d, uint32_t n, uint32_t size, uint32_t align, uint32_t *ptr, uint8_t **items);
static inline void hf_direct_put_list(uint8_t *at, uint32_t ptr, uint32_t n)
{
    memcpy(at, &ptr, sizeof ptr);
    memcpy(at + sizeof ptr, &n, sizeof n);
}
static inline void hf_direct_put8(uint8_t *at, bool v) { *at = v; }
static inline void hf_direct_put64(uint8_t *at, uint64_t v) { memcpy(at, &v, sizeof v); }
/* A failure of writing a result, with the words of the generic way. */
enum hf_err hf_direct_told(struct hf_call *call, enum hf_err err);
/* The result as a value, by the generic way. */
enum hf_err hf_direct_result(struct hf_call *call, struct hf_direct *d, const struct hf_value *result, union hf_val *vals);

/* ---- calling an export whose one parameter is spilled ---- As hf_instance_call; `store` writes the argument where it is
 * told to, once the call begins; `arg` must live as long as the call. HF_UNSUPPORTED: nothing was done, use hf_instance_call. */
typedef enum hf_err (*hf_direct_store_fn)(struct hf_direct *d, const void *arg, uint8_t *at);
enum hf_err hf_instance_call_direct(struct hf_instance *inst, const struct hf_export *e, hf_direct_store_fn store,
                                    const void *arg);

#endif
