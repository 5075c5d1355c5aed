/* types.h - component-level types, evaluated: what a value looks like in guest memory and in flat core values.
 *
 * Types are made when a component is linked (link.c) or a WIT package is read (registry.c), never at run time. They live
 * in an arena that outlives every user, are immutable, and carry everything the canonical ABI needs: size, alignment,
 * offsets, flat core types (reference component-model L1-L6, F1-F4). Structural equality, except resources: a resource
 * type is a pointer, equal only to itself (H6).
 */
#ifndef HF_COMPONENT_TYPES_H
#define HF_COMPONENT_TYPES_H

#include "base/arena.h"
#include "engine/engine.h"

#define HF_FLAT_PARAMS_MAX  16        /* F3 */
#define HF_FLAT_RESULTS_MAX 1         /* F4 */
#define HF_FLAT_MAX         17        /* flat values kept per type; more is `flat_over` */
#define HF_TYPE_DEPTH_MAX   100       /* S8 */
#define HF_ELEM_SIZE_MAX    (1u << 28) /* S8, V6, V7: byte lengths stay below */

enum hf_type_kind {
    HF_T_BOOL, HF_T_S8, HF_T_U8, HF_T_S16, HF_T_U16, HF_T_S32, HF_T_U32, HF_T_S64, HF_T_U64,
    HF_T_F32, HF_T_F64, HF_T_CHAR, HF_T_STRING,
    HF_T_LIST, HF_T_RECORD, HF_T_TUPLE, HF_T_VARIANT, HF_T_ENUM, HF_T_OPTION, HF_T_RESULT, HF_T_FLAGS,
    HF_T_OWN, HF_T_BORROW,
    /* decoded so that they can be refused by name */
    HF_T_FIXED_LIST, HF_T_STREAM, HF_T_FUTURE, HF_T_ERROR_CONTEXT
};

struct hf_resource_type; /* below */
struct hf_type;

struct hf_member { /* record field, tuple element, variant case, enum or flags label */
    struct hf_view name;        /* empty for tuples; option: "none","some"; result: "ok","error" */
    const struct hf_type *type; /* NULL: a case or label without payload */
    uint32_t offset;            /* records and tuples: bytes from the start */
};

struct hf_type {
    enum hf_type_kind kind;
    uint8_t depth;         /* 1 for scalars */
    uint8_t align;         /* 1, 2, 4, 8 */
    uint8_t disc_size;     /* variants (all four kinds): 1, 2, 4; flags: 1, 2, 4 */
    bool has_handles;      /* an own or borrow somewhere inside */
    bool has_borrow;
    bool has_pointers;     /* a string or list somewhere inside: lowering needs realloc, both need memory */
    bool flat_over;        /* more than HF_FLAT_MAX flat values */
    uint8_t n_flat;
    uint8_t flat[HF_FLAT_MAX]; /* enum hf_core_type */
    uint32_t size;         /* bytes in memory */
    uint32_t payload;      /* variants: offset of the payload */
    uint32_t n;            /* members; fixed list: length */
    const struct hf_member *members;
    const struct hf_type *elem;              /* list */
    const struct hf_resource_type *resource; /* own, borrow */
    /* Set on the element's type, not on the list's: a list of these is one memcpy (V7). Integers, and floats (which
     * only need NaN canonicalising); not bool and char. */
    bool scalar;
    bool is_map;         /* LIST of TUPLE that was written as map<k, v>: the same to the ABI, another type to the rest */
    struct hf_view name; /* under which an interface exports it ("error-code"), for texts only; may be empty */
};

/* One resource type = one identity. Host types live in the registry, guest types in a program (one per `resource`
 * definition per component instance of the tree, H6). */
struct hf_host_resource;
struct hf_host_recipe;
struct hf_resource_type {
    struct hf_view name;                 /* for messages: "pollable", "wasi:io/poll.pollable" */
    const struct hf_host_resource *host; /* NULL: defined by a guest */
    const struct hf_host_recipe *recipe; /* host: how objects get into images; NULL: they do not */
    uint32_t index;                      /* guest: number in its program */
    uint32_t ci;                         /* guest: component instance that defines it */
};

struct hf_ftype { /* a component function's type, with its core signature */
    uint32_t n_params;
    const struct hf_member *params;  /* offsets are those of the spilled tuple */
    const struct hf_type *result;    /* or NULL */
    bool params_spilled;             /* more than 16 flat: one pointer (F3) */
    bool result_spilled;             /* more than 1 flat (F4) */
    uint32_t params_size;            /* of the tuple of all params, and its alignment (V8) */
    uint8_t params_align;
    uint8_t n_flat_params;           /* before spilling is applied; saturates */
    struct hf_functype lift;         /* core type a lifted function must have */
    struct hf_functype lower;        /* core type of the lowered import */
    bool needs_memory, needs_realloc_lift, needs_realloc_lower; /* which options canon must have (S3) */
    bool is_async; /* `async func`: decoded so that it can be refused by name */
    bool has_handles; /* in a parameter */
    /* Parameters and result are numbers (bool to char), flat, one core value each: calls take a short way. */
    bool plain;
    const struct hf_plan *plan;
};

/* What a call does with each parameter and with the result, in one line of the cache, so that the common ones need no walk over
 * types. */
#define HF_PLAN_ANY  255u /* a kind: what it is, only its type says */
#define HF_PLAN_NONE 254u /* of a case: it has no payload */
#define HF_PLAN_CASES 4u
enum hf_give { /* a result that is lowered into an import's caller */
    HF_GIVE_NONE,
    HF_GIVE_NUMBER,
    HF_GIVE_OWN,
    HF_GIVE_CASE,  /* a variant of any kind without payloads: its number, flat */
    HF_GIVE_CASES, /* one with payloads, into memory */
    HF_GIVE_ANY
};
struct hf_plan {
    uint8_t n_params;
    uint8_t give;    /* enum hf_give */
    uint8_t give_kind; /* NUMBER: its kind */
    uint8_t n_cases; /* CASE: of the result; CASES: of those that are planned here, the first ones */
    /* Unless params_spilled: the kind of a number, string, list of scalars or variant (VARIANT for all of them), or OWN or BORROW of one that
     * nothing in the same call could take away; else ANY. */
    uint8_t kinds[HF_FLAT_PARAMS_MAX];
    /* CASES: of each case the kind of its payload, when it is a number or own, and its bytes; where the payload lies; size
     * and alignment of all of it. */
    uint8_t case_kinds[HF_PLAN_CASES], case_sizes[HF_PLAN_CASES];
    uint8_t out; /* the core parameter that says where */
    uint8_t align;
    uint16_t payload;
    uint32_t size;
    bool spilled; /* params_spilled: nothing of all this holds for them */
    uint8_t unused[3];
    /* Of the first parameters: OWN, BORROW: the resource; STRING, LIST, VARIANT, ANY: the type. Of what is behind them: see the type. */
    const void *of[2];
    const struct hf_resource_type *gives; /* OWN, also in CASES: all planned ones are of this resource */
};
_Static_assert(sizeof(struct hf_plan) == 64, "one line");

/* ---- making types (arena allocates; HF_LIMIT past S8's bounds, HF_INVALID for S7's empty types) ---- */
const struct hf_type *hf_type_prim(enum hf_type_kind kind); /* constants, BOOL..STRING, ERROR_CONTEXT */
/* `members` (names, types) are copied and completed. kind: RECORD TUPLE VARIANT ENUM FLAGS; OPTION n=1; RESULT n=2 (types may be NULL). */
enum hf_err hf_type_compound(struct hf_arena *a, enum hf_type_kind kind, const struct hf_member *members, uint32_t n,
                             const struct hf_type **ret, struct hf_report *report);
enum hf_err hf_type_list(struct hf_arena *a, const struct hf_type *elem, const struct hf_type **ret, struct hf_report *report);
enum hf_err hf_type_handle(struct hf_arena *a, enum hf_type_kind kind, const struct hf_resource_type *r,
                           const struct hf_type **ret, struct hf_report *report);
/* map<k, v>: a list of tuples in all but name (L6). */
enum hf_err hf_type_map(struct hf_arena *a, const struct hf_type *key, const struct hf_type *value,
                        const struct hf_type **ret, struct hf_report *report);
/* FIXED_LIST (one member, `length`), STREAM, FUTURE (one, type may be NULL): to be shown and refused by name. */
enum hf_err hf_type_gated(struct hf_arena *a, enum hf_type_kind kind, const struct hf_member *members, uint32_t n,
                          uint32_t length, const struct hf_type **ret, struct hf_report *report);
enum hf_err hf_ftype_make(struct hf_arena *a, const struct hf_member *params, uint32_t n_params, const struct hf_type *result,
                          struct hf_ftype **ret, struct hf_report *report);

bool hf_type_eq(const struct hf_type *a, const struct hf_type *b); /* structural; names are part of it */
/* Params: names are not compared when `names` is false. On false, says where they differ: "param 2: list<u8> is not string". */
bool hf_ftype_eq(const struct hf_ftype *a, const struct hf_ftype *b, bool names, struct hf_buf *why);
/* WIT-like text: "list<tuple<string, u8>>", "func(a: u32) -> result<string, error-code>". */
enum hf_err hf_type_text(const struct hf_type *t, struct hf_buf *ret);
enum hf_err hf_ftype_text(const struct hf_ftype *t, struct hf_buf *ret);
const char *hf_type_kind_text(enum hf_type_kind kind);

#endif
