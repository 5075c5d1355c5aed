/* import.h - own guest imports: an interface of the embedder's, whose functions are C.
 *
 * The interface is said in WIT; a component that imports it under its name is linked with it like with one of WASI, and refused
 * with the difference when it expects other types. Functions are called on the thread of the worker whose guest calls, on that
 * guest's stack: use 64 KiB of it at most, do not longjmp, and do not wait, for everything of that worker waits meanwhile. With
 * more than one worker they are called by several threads at once.
 */
#ifndef HOLDFAST_IMPORT_H
#define HOLDFAST_IMPORT_H

#include "holdfast/holdfast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_import_call; /* one call, until its function returns */
/* True: the result is set. False: the guest ends, as by a trap, with what hf_import_fail was told. */
typedef bool (*hf_import_does)(void *ctx, struct hf_import_call *call);

struct hf_import_func {
    const char *name; /* as in the WIT */
    hf_import_does fn;
    void *ctx;
};
/* `iface`: "my:package/interface@1.0.0"; a component built with 1.0.3 finds it as well. `wit`: what stands between the braces of
 * that interface: records, variants, enums, flags, aliases, functions of value types (no resources, `use`, streams, futures), each
 * name before its use. Each function has its row. All texts are read during the call. After hf_node_open, before the first
 * component is loaded. INVALID: the text is wrong (msg says line and column), the rows are others than its functions, or the
 * interface is offered already; USAGE: too late; LIMIT: 256 KiB of text, 1000 functions, memory. Nothing is defined then. */
HF_API enum hf_status hf_import_define(struct hf_node *node, const char *iface, const char *wit, const struct hf_import_func *funcs,
                                       size_t n, struct hf_words *msg);

/* Why it fails; copied. The guest's trap names the import before it. */
HF_API void hf_import_fail(struct hf_import_call *call, const char *why);
HF_API struct hf_bytes hf_import_caller(struct hf_import_call *call); /* the service or class of the guest that calls */

/* ---- values ---------------------------------------------------------------------------------------------------
 *
 * A value is typed by the WIT. Whoever reads or sets it as what it is not (a number of a string, a field that is not there, 300
 * as u8) gets 0, empty or `none` values, and the call fails with words that say so: nothing needs to be checked on the way. */

enum hf_any_kind {
    HF_ANY_NONE = 0, /* there is no value: no such argument, no payload */
    HF_ANY_BOOL = 1,
    HF_ANY_S8 = 2,
    HF_ANY_U8 = 3,
    HF_ANY_S16 = 4,
    HF_ANY_U16 = 5,
    HF_ANY_S32 = 6,
    HF_ANY_U32 = 7,
    HF_ANY_S64 = 8,
    HF_ANY_U64 = 9,
    HF_ANY_F32 = 10,
    HF_ANY_F64 = 11,
    HF_ANY_CHAR = 12,
    HF_ANY_STRING = 13,
    HF_ANY_LIST = 14,
    HF_ANY_RECORD = 15,
    HF_ANY_TUPLE = 16,
    HF_ANY_VARIANT = 17,
    HF_ANY_ENUM = 18,
    HF_ANY_OPTION = 19, /* cases "none" and "some" */
    HF_ANY_RESULT = 20, /* cases "ok" and "error" */
    HF_ANY_FLAGS = 21
};
struct hf_any { /* passed by value; good until the function returns */
    struct hf_import_call *call; /* these are private */
    const void *type;
    void *at;
    uint32_t packed, writable;
};

HF_API struct hf_any hf_import_arg(struct hf_import_call *call, size_t i); /* from 0 */
HF_API struct hf_any hf_import_result(struct hf_import_call *call);        /* to be set; zeroes, empty and the first cases at first */

HF_API enum hf_any_kind hf_any_kind(struct hf_any v);
HF_API bool hf_any_bool(struct hf_any v);
HF_API uint64_t hf_any_u64(struct hf_any v); /* u8 to u64, char, and flags (bit i: label i) */
HF_API int64_t hf_any_s64(struct hf_any v);  /* s8 to s64 */
HF_API double hf_any_f64(struct hf_any v);   /* f32 and f64 */
HF_API struct hf_bytes hf_any_text(struct hf_any v);  /* a string's UTF-8; not NUL-terminated */
HF_API struct hf_bytes hf_any_bytes(struct hf_any v); /* of a list<u8> */
HF_API size_t hf_any_len(struct hf_any v);            /* elements of a list; fields of a record or tuple */
HF_API struct hf_any hf_any_at(struct hf_any v, size_t i);
HF_API struct hf_any hf_any_field(struct hf_any v, const char *name);
HF_API uint32_t hf_any_case(struct hf_any v); /* number of the case: of variant, enum, option, result */
HF_API bool hf_any_is(struct hf_any v, const char *name); /* is it that case? Of flags: is that flag set? */
HF_API struct hf_any hf_any_payload(struct hf_any v); /* of the case; HF_ANY_NONE when it has none */

/* Results and what is inside them. Bytes are copied. */
HF_API void hf_any_set_bool(struct hf_any v, bool b);
HF_API void hf_any_set_u64(struct hf_any v, uint64_t n); /* as hf_any_u64 */
HF_API void hf_any_set_s64(struct hf_any v, int64_t n);
HF_API void hf_any_set_f64(struct hf_any v, double f);
HF_API void hf_any_set_text(struct hf_any v, struct hf_bytes utf8);
HF_API void hf_any_set_bytes(struct hf_any v, struct hf_bytes bytes);
HF_API void hf_any_set_len(struct hf_any v, size_t n);              /* a list of n zeroes, to be set by hf_any_at */
HF_API struct hf_any hf_any_set_case(struct hf_any v, const char *name); /* its payload, to be set */

#ifdef __cplusplus
}
#endif
#endif
