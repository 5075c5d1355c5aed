/* canon.h - the canonical ABI at run time: handle tables, lifting and lowering, calls across the
 * boundary.
 *
 * Internal to the room. instance.c owns the structures below (one hf_instance = one store = one
 * tree) and fills them by running a program; canon_*.c act on them. Rule numbers are those of
 * reference component-model section 2.
 */
#ifndef HF_COMPONENT_CANON_H
#define HF_COMPONENT_CANON_H

#include "component/call.h"
#include "component/direct.h"
#include "component/program.h"
#include "component/value_bytes.h"

/* ---- handle tables (handle.c), H1-H5 ---- one per component instance; index 0 never valid, LIFO
 * free list. */
#define HF_HANDLES_MAX     ((1u << 28) - 1) /* H1: the spec's bound on the length */
#define HF_HANDLES_DEFAULT 100000u          /* when hf_handles.max is 0 */

struct hf_scope { /* one call in flight: borrows lent to the callee must be gone when it returns */
    uint32_t n_borrows;
};
struct hf_handle {
    const struct hf_resource_type *type; /* NULL: free */
    union {
        uint64_t rep;  /* guest resource */
        void *obj;     /* host resource */
        uint32_t next; /* free: next free index */
    };
    struct hf_scope *scope; /* borrow: whose */
    uint32_t lends;         /* borrows of it now lent out; nothing may take it away meanwhile */
    uint32_t serial : 31;   /* when it was added (hf_handles.serial): tells a new entry under an old
                               index; set by add */
    uint32_t own : 1;
};
_Static_assert(sizeof(struct hf_handle) == 32, "tables of them are copied for images");
struct hf_handles { /* zeroes are an empty table */
    struct hf_handle *ptr;
    uint32_t len, cap, free, live, max; /* free: head of the list, 0 = none */
    uint32_t serial; /* of the newest entry; stays at HF_SERIAL_MAX: then nothing counts as old */
};
#define HF_SERIAL_MAX ((1u << 31) - 1)
static inline uint32_t hf_handles_max(const struct hf_handles *t)
{
    uint32_t max = t->max != 0 ? t->max : HF_HANDLES_DEFAULT;
    return max < HF_HANDLES_MAX ? max : HF_HANDLES_MAX;
}
enum hf_err hf_handles_grow(struct hf_handles *t); /* add's: room behind the last entry */
/* `h` is copied; h->type is not NULL. HF_LIMIT: the table is full (max) or memory is out; *index
 * stays as it is. */
enum hf_err hf_handles_add(struct hf_handles *t, const struct hf_handle *h, uint32_t *index);
/* The same, and what follows, inline: these run at nearly every crossing. Room for one more; the
 * caller fills it, all but the serial. */
static inline enum hf_err hf_handles_room(struct hf_handles *t, struct hf_handle **ret,
                                          uint32_t *index)
{
    uint32_t i = t->free;
    if (HF_UNLIKELY(t->live >= hf_handles_max(t)))
        return HF_LIMIT;
    if (HF_LIKELY(i != 0)) {
        t->free = t->ptr[i].next;
    } else {
        if (t->len == t->cap && hf_handles_grow(t) != HF_OK)
            return HF_LIMIT;
        i = t->len++;
        HF_ASSERT(i != 0);
    }
    t->serial += t->serial < HF_SERIAL_MAX;
    t->live++;
    *ret = &t->ptr[i];
    *index = i;
    return HF_OK;
}
static inline enum hf_err hf_handles_push(struct hf_handles *t, const struct hf_handle *h,
                                          uint32_t *index)
{
    struct hf_handle *to;
    HF_ASSERT(h->type != NULL);
    enum hf_err err = hf_handles_room(t, &to, index);
    if (err != HF_OK)
        return err;
    *to = *h;
    to->serial = t->serial & HF_SERIAL_MAX;
    return HF_OK;
}
static inline enum hf_err hf_handles_own(struct hf_handles *t, const struct hf_resource_type *type,
                                         uint64_t rep, uint32_t *index)
{
    struct hf_handle *to;
    enum hf_err err = hf_handles_room(t, &to, index);
    if (HF_UNLIKELY(err != HF_OK))
        return err;
    *to = (struct hf_handle){
        .type = type, .rep = rep, .serial = t->serial & HF_SERIAL_MAX, .own = 1};
    return HF_OK;
}
/* NULL: bad index or free. Good until the next add. */
static inline struct hf_handle *hf_handles_at(const struct hf_handles *t, uint32_t index)
{
    if (HF_UNLIKELY(index >= t->len || t->ptr[index].type == NULL))
        return NULL;
    return &t->ptr[index];
}
static inline void hf_handles_remove_at(struct hf_handles *t, uint32_t index, struct hf_handle *h)
{
    *h = (struct hf_handle){.next = t->free};
    t->free = index;
    t->live--;
}
static inline void hf_handles_remove(struct hf_handles *t, uint32_t index) /* a live one */
{
    struct hf_handle *h = hf_handles_at(t, index);
    HF_ASSERT(h != NULL);
    hf_handles_remove_at(t, index, h);
}
/* S5: the live entry at `index`, of exactly this resource type. HF_TRAP with the text in the
 * store's report. */
struct hf_ci;
enum hf_err hf_handles_find(struct hf_ci *ci, uint32_t index, const struct hf_resource_type *type,
                            struct hf_handle **ret);
/* Drops the host objects that the table still owns, newest index first, through their ops (call
 * NULL); the table is then empty, its storage freed. */
void hf_handles_done(struct hf_handles *t);
extern const uint8_t hf_stand_in_byte; /* hf_stand_in() is its address */
/* Lets go of a host object: through its ops, unless it only stands in for one. */
static inline enum hf_err hf_host_drop(const struct hf_resource_type *t, struct hf_call *call,
                                       void *obj)
{
    return obj == (const void *)&hf_stand_in_byte ? HF_OK : t->host->drop(call, obj);
}

/* ---- run-time state ---- */
struct hf_ci {
    struct hf_instance *inst;
    uint32_t index;
    struct hf_ci *parent;
    bool may_enter, may_leave; /* E1, C3 */
    struct hf_handles handles;
    uint32_t rest_serial; /* handles.serial when the start ended: what the instance had before it
                             served (image.c) */
};
struct hf_canon_rt { /* hf_canon_opts resolved; what calls of the host look at comes first */
    /* As last seen. Memories never move or shrink (S15), so it stays good, and is looked at again only
     * when something lies past it (hf_canon_reaches): asking the engine costs more than most lifts. */
    uint8_t *mem;
    size_t mem_size;
    enum hf_string_enc enc;
    bool has_memory, has_realloc, has_post_return;
    struct hf_memory memory;
    struct hf_func realloc, post_return;
};
struct hf_lift_rt {
    const struct hf_lift *def;
    struct hf_ci *ci;
    struct hf_func func;
    struct hf_canon_rt opts;
};
struct hf_tramp_rt { /* env of a trampoline (T7) */
    const struct hf_tramp *def;
    struct hf_ci *ci;
    /* Of a host function: what `def` leads to, side by side; NULL: hf_tramp_host looks. */
    const struct hf_plan *plan;
    hf_host_fn fn;
    struct hf_canon_rt opts;
    struct hf_func func; /* the core function made */
};
struct hf_resource_rt {
    const struct hf_resource_def *def;
    struct hf_func dtor;
    bool has_dtor;
};
struct hf_instance {
    struct hf_component *component;
    const struct hf_program *program;
    struct hf_store *store;
    struct hf_instance_settings settings;
    struct hf_core *cores;
    struct hf_ci *cis;
    struct hf_lift_rt *lifts;
    struct hf_tramp_rt *tramps;
    struct hf_resource_rt *resources;
    struct hf_arena arena; /* values of calls in flight; stack discipline by mark and release */
    struct hf_membrane *membrane; /* NULL: no hook is set (membrane.h) */
    bool membrane_begun;          /* it was told of the call in flight, and must be told its end */
    struct hf_ci *current;        /* CI whose guest code runs now; NULL: the host */
    enum hf_inst_state {
        HF_INST_NEW,
        HF_INST_STARTING,
        HF_INST_REST,
        HF_INST_CALLING,
        HF_INST_DEAD
    } state;
    /* the call in flight (instance.c) */
    const struct hf_export *call_export;
    struct hf_value call_args[HF_FLAT_PARAMS_MAX];
    const struct hf_value *args; /* call_args, or in the arena when there are more */
    hf_direct_store_fn direct_store; /* instead of args (direct.h); NULL: args */
    const void *direct_arg;
    bool args_moved;             /* the driver has begun: own arguments are no longer ours */
    struct hf_value call_result;
    bool has_result, result_taken;
    const struct hf_resource_type *drop_type; /* a drop instead of a call: hf_instance_drop_guest */
    uint64_t drop_rep;
    uint32_t steps_done; /* of the program: what exists when a start failed half way */
    /* memories and globals of every core instance (image_take.c); NULL until asked for */
    struct hf_parts *parts;
    struct hf_loading *loading; /* it is being made of an image (image_load.c); else NULL */
};

struct hf_call { /* what a host function is given; lives on the fiber's stack */
    struct hf_instance *inst;
    struct hf_ci *ci;
    struct hf_tramp_rt *tramp;
    const union hf_val *flat; /* raw arguments as the guest passed them, for hf_call_handle */
    /* For payloads of variants: what hf_call_alloc gives before it goes to the arena; 0 left where a
     * result outlives this. */
    uint32_t small_left;
    struct hf_value small[4];
};
static inline void hf_call_begin(struct hf_call *call, struct hf_tramp_rt *tramp,
                                 const union hf_val *flat)
{
    call->inst = tramp->ci->inst;
    call->ci = tramp->ci;
    call->tramp = tramp;
    call->flat = flat;
    call->small_left = HF_ARRAY_LEN(call->small);
}

/* ---- lift and lower (lift.c, lower.c, string.c) ----
 * A cx says whose memory, table, options; one serves one direction of one call. Errors are HF_TRAP
 * with the text in the store's report, or what a guest function that ran meanwhile (realloc) ended
 * with.
 *
 * Strings have two forms. Host form: UTF-8 (hf_value.tag 0). Guest form (`host` false, between
 * components): as the source has them, checked once, .tag = HF_ENC_UTF8, _UTF16, _LATIN1, or
 * HF_ENC_LATIN1_UTF16 for the UTF-16 half of a latin1+utf16 source (W4 treats it apart), .len in
 * code units. */
#define HF_LENT_INLINE 16
struct hf_lent_more;
struct hf_canon_cx {
    struct hf_instance *inst;
    struct hf_ci *ci;
    struct hf_canon_rt *opts;
    /* lowering into a lifted function: where borrows are counted (W7); else NULL */
    struct hf_scope *scope;
    bool host; /* strings in host form */
    bool copy; /* lifting: nothing may look into guest memory afterwards (C1) */
    /* the memory, at least as large as said here: it only grows (S15); hf_canon_memory */
    uint8_t *mem;
    size_t mem_size;
    uint64_t work;   /* lifting: bytes looked at without being copied, bounded like copies (S14) */
    uint32_t n_owns; /* lowering: owned resources now in the table, in the order of the values */
    uint32_t n_lent; /* lifting: handles lent during the call, to be given back (V10) */
    uint32_t lent[HF_LENT_INLINE];
    struct hf_lent_more *more; /* in the arena, when borrows come in lists */
    struct hf_u32s *numbers;   /* the membrane's: gets every handle number, in order; NULL: off */
};
/* `scope` and the flags are left NULL and false; lent[] needs no clearing: this runs at every
 * import call. */
static inline void hf_canon_cx_init(struct hf_canon_cx *cx, struct hf_instance *inst,
                                    struct hf_ci *ci, struct hf_canon_rt *opts)
{
    cx->inst = inst;
    cx->ci = ci;
    cx->opts = opts;
    cx->scope = NULL;
    cx->host = cx->copy = false;
    cx->mem = NULL;
    cx->mem_size = 0;
    cx->work = 0;
    cx->n_owns = cx->n_lent = 0;
    cx->more = NULL;
    cx->numbers = NULL;
}
/* Where the memory is, and how much of it at least; before the first lift or lower of a type that
 * needs it. */
static inline void hf_canon_memory(struct hf_canon_cx *cx)
{
    cx->mem = cx->opts->mem;
    cx->mem_size = cx->opts->mem_size;
}
void hf_canon_look(struct hf_canon_cx *cx); /* at the memory itself */
/* Is there memory up to `end`? Looks again before it says no. */
static inline bool hf_canon_reaches(struct hf_canon_cx *cx, uint64_t end)
{
    if (HF_UNLIKELY(end > cx->mem_size))
        hf_canon_look(cx);
    return end <= cx->mem_size;
}

/* Flat values in vals[*at...]; moves *at. A value half lifted holds zeroes where nothing was
 * lifted: hf_canon_let_go takes it. */
enum hf_err hf_lift_flat(struct hf_canon_cx *cx, const struct hf_type *t, const union hf_val *vals,
                         uint32_t *at, struct hf_value *ret);
/* Checks alignment and bounds of `ptr` (V8), then loads. */
enum hf_err hf_lift_memory(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t ptr,
                           struct hf_value *ret);
/* All parameters, flat or spilled (F3); `ret` has room for f->n_params. Those that a failure kept
 * from being lifted are zeroes. */
enum hf_err hf_lift_params(struct hf_canon_cx *cx, const struct hf_ftype *f,
                           const union hf_val *vals, struct hf_value *ret);
/* Parameter i alone, flat, from vals[*at]; moves *at. `ret` is that of all of them: when this one
 * fails, those behind it are zeroed. */
enum hf_err hf_lift_param(struct hf_canon_cx *cx, const struct hf_ftype *f, uint32_t i,
                          const union hf_val *vals, uint32_t *at, struct hf_value *ret);
static inline void hf_canon_end_lend(struct hf_canon_cx *cx, uint32_t index)
{
    struct hf_handle *h = hf_handles_at(&cx->ci->handles, index);
    HF_ASSERT(h != NULL && h->lends > 0); /* lent handles cannot be removed */
    h->lends--;
}
void hf_canon_give_back_more(struct hf_canon_cx *cx); /* those that had no place in cx->lent */
static inline void hf_canon_give_back(struct hf_canon_cx *cx) /* lends -= 1 for everything lent */
{
    if (HF_UNLIKELY(cx->more != NULL))
        hf_canon_give_back_more(cx);
    for (uint32_t i = 0; i < cx->n_lent; i++)
        hf_canon_end_lend(cx, cx->lent[i]);
    cx->n_lent = 0;
}

enum hf_err hf_lower_flat(struct hf_canon_cx *cx, const struct hf_type *t, const struct hf_value *v,
                          union hf_val *vals, uint32_t *at);
enum hf_err hf_lower_memory(struct hf_canon_cx *cx, const struct hf_type *t,
                            const struct hf_value *v, uint32_t ptr);
/* All parameters, flat or into a tuple made by realloc (F3). vals has room for HF_FLAT_PARAMS_MAX.
 */
enum hf_err hf_lower_params(struct hf_canon_cx *cx, const struct hf_ftype *f,
                            const struct hf_value *args, union hf_val *vals);
/* A string into guest memory, W2-W4: pointer and (tagged) code units (string.c). */
enum hf_err hf_lower_string(struct hf_canon_cx *cx, const struct hf_value *v, uint32_t *ptr,
                            uint32_t *units);
/* V6, from ptr and (tagged) code units (string.c). */
enum hf_err hf_lift_string(struct hf_canon_cx *cx, uint32_t ptr, uint32_t units,
                           struct hf_value *ret);
/* realloc with may_leave false (C3), result checked for alignment and bounds (W1). `what` names the
 * thing in a trap's text. */
enum hf_err hf_canon_realloc(struct hf_canon_cx *cx, uint32_t old, uint32_t old_size,
                             uint32_t align, uint32_t size, const char *what, uint32_t *ret);
/* Bytes in the call's arena; NULL after a trap was reported (S14). */
void *hf_canon_alloc(struct hf_canon_cx *cx, size_t size);
/* Room for a function's parameters: `spare` when HF_FLAT_PARAMS_MAX are enough. */
static inline struct hf_value *hf_canon_args(struct hf_canon_cx *cx, const struct hf_ftype *f,
                                             struct hf_value *spare)
{
    return HF_LIKELY(f->n_params <= HF_FLAT_PARAMS_MAX)
               ? spare
               : hf_canon_alloc(cx, f->n_params * sizeof *spare);
}
/* A function's result out of, or into, flat values; lowering, a spilled one goes where the last
 * parameter of the lowered signature points (C4). */
enum hf_err hf_lift_result(struct hf_canon_cx *cx, const struct hf_ftype *f,
                           const union hf_val *vals, struct hf_value *ret);
enum hf_err hf_lower_result(struct hf_canon_cx *cx, const struct hf_ftype *f,
                            const struct hf_value *v, union hf_val *vals);
/* V9, V10; W6, W7 (canon_handle.c). */
enum hf_err hf_lift_handle(struct hf_canon_cx *cx, const struct hf_type *t, uint32_t index,
                           struct hf_value *ret);
enum hf_err hf_lower_handle(struct hf_canon_cx *cx, const struct hf_type *t,
                            const struct hf_value *v, uint32_t *ret);
/* H3: a new own handle of a guest resource. */
enum hf_err hf_handle_new(struct hf_ci *ci, const struct hf_resource_type *type, uint32_t rep,
                          uint32_t *ret);

/* V8: alignment and bounds of something of known size. */
enum hf_err hf_canon_range(struct hf_canon_cx *cx, uint32_t ptr, uint32_t align, uint32_t size);
/* V3, W9: every NaN becomes the canonical one. Bits in, bits out; the last for n floats of 4 or 8
 * bytes in place. */
static inline uint32_t hf_canon_f32(uint32_t bits)
{
    return (bits & INT32_MAX) > 0x7f800000 ? 0x7fc00000 : bits;
}
static inline uint64_t hf_canon_f64(uint64_t bits)
{
    return (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000) ? UINT64_C(0x7ff8000000000000) : bits;
}
void hf_canon_nans(uint8_t *p, uint64_t n, uint32_t size);
static inline bool hf_canon_is_char(uint64_t c) /* V4 */
{
    return c < 0x110000 && (c < 0xd800 || c > 0xdfff);
}
/* A number (bool to char) out of and into its core value. False: the type is none, or it is a char
 * that is none; nothing was done then. */
static inline bool hf_lift_number(unsigned kind, const union hf_val *v, struct hf_value *ret)
{
    uint64_t bits;
    switch (kind) {
    case HF_T_BOOL: bits = v->u32 != 0; break;
    case HF_T_U8: bits = (uint8_t)v->u32; break;
    case HF_T_S8: bits = (uint64_t)(int64_t)(int8_t)v->u32; break;
    case HF_T_U16: bits = (uint16_t)v->u32; break;
    case HF_T_S16: bits = (uint64_t)(int64_t)(int16_t)v->u32; break;
    case HF_T_U32: bits = v->u32; break;
    case HF_T_S32: bits = (uint64_t)(int64_t)v->i32; break;
    case HF_T_U64:
    case HF_T_S64: bits = v->u64; break;
    case HF_T_F32: bits = hf_canon_f32(v->u32); break;
    case HF_T_F64: bits = hf_canon_f64(v->u64); break;
    case HF_T_CHAR:
        bits = v->u32;
        if (HF_UNLIKELY(!hf_canon_is_char(bits)))
            return false;
        break;
    default: return false;
    }
    *ret = (struct hf_value){.u64 = bits};
    return true;
}
static inline bool hf_lower_number(unsigned kind, const struct hf_value *v, union hf_val *out)
{
    switch (kind) {
    case HF_T_BOOL: out->u64 = v->u64 != 0; return true;
    case HF_T_U8: out->u64 = (uint8_t)v->u64; return true;
    case HF_T_U16: out->u64 = (uint16_t)v->u64; return true;
    case HF_T_S8: out->u64 = (uint32_t)(int8_t)v->u64; return true;
    case HF_T_S16: out->u64 = (uint32_t)(int16_t)v->u64; return true;
    case HF_T_U32:
    case HF_T_S32: out->u64 = (uint32_t)v->u64; return true;
    case HF_T_U64:
    case HF_T_S64: out->u64 = v->u64; return true;
    case HF_T_F32: out->u64 = hf_canon_f32((uint32_t)v->u64); return true;
    case HF_T_F64: out->u64 = hf_canon_f64(v->u64); return true;
    case HF_T_CHAR: out->u64 = (uint32_t)v->u64; return hf_canon_is_char(v->u64);
    default: return false;
    }
}
/* A limit of V6 or V7 as it counts: what is set, or what the specification says. */
static inline uint64_t hf_canon_max(uint32_t set)
{
    return set - 1u < HF_ELEM_SIZE_MAX - 1 ? set : HF_ELEM_SIZE_MAX - 1;
}
/* S14 for work that copies nothing. */
enum hf_err hf_canon_charge(struct hf_canon_cx *cx, uint64_t bytes);

/* Lets go of the host objects owned by a value that will not reach anybody: dropped through their
 * ops. The first *skip owned resources, in order, are left alone (they were handed on) and *skip
 * counts them down; skip NULL: none. Reps of guest resources are only forgotten. The ops get no
 * call: they cannot refuse. */
void hf_canon_let_go(const struct hf_type *t, const struct hf_value *v, uint32_t *skip);

/* Writes the reason of a trap to the store's report, with rule number in the text. Returns HF_TRAP.
 */
enum hf_err hf_canon_trap(struct hf_instance *inst, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- calls (canon_call.c, hostcall.c) ---- */
/* Calls lift `l` from the host with values (C1), on the fiber. `args`: f->n_params values in host
 * form; own arguments are moved in: what did not reach the guest's table is dropped through its
 * ops. `result` (unused when the type has none) is in host form, copied out: it lies in
 * inst->arena, which the caller resets before the next call, not before. On HF_TRAP or HF_CANCELLED
 * the tree is dead (E3): the caller sets inst->state; flags and scopes are left as they were when
 * it happened. */
enum hf_err hf_canon_call(struct hf_instance *inst, struct hf_lift_rt *l,
                          const struct hf_value *args, struct hf_value *result);
/* The imports made by HF_STEP_TRAMP: env is a struct hf_tramp_rt; C2, H3-H5. Marks and releases
 * inst->arena. */
enum hf_err hf_tramp_lower(void *env, union hf_val *vals);
/* The same for a host function that has a direct way (direct.c). */
enum hf_err hf_tramp_direct(void *env, union hf_val *vals);
/* The one, spilled argument of a call, by inst->direct_store (direct.c). */
enum hf_err hf_direct_lower(struct hf_canon_cx *cx, const struct hf_ftype *f, union hf_val *vals);
struct hf_direct *hf_direct_of(struct hf_canon_cx *cx);
/* hf_tramp_lower's half for host functions, which may be the import itself (hostcall.c). */
enum hf_err hf_tramp_host(void *env, union hf_val *vals);
enum hf_err hf_tramp_resource_new(void *env, union hf_val *vals);
enum hf_err hf_tramp_resource_rep(void *env, union hf_val *vals);
enum hf_err hf_tramp_resource_drop(void *env, union hf_val *vals);
/* Lets go of one owned resource: host ops or guest dtor (H5, H7). `from`: the CI that drops, NULL:
 * the host. `call` for host ops, may be NULL. On the fiber when it is a guest's. */
enum hf_err hf_canon_drop_own(struct hf_instance *inst, struct hf_ci *from,
                              const struct hf_resource_type *t, uint64_t rep_or_obj,
                              struct hf_call *call);
/* C3: only realloc and post-return run with may_leave false; HF_TRAP then. `of`, `name`, `rest`:
 * what was called there. */
enum hf_err hf_check_leave(const struct hf_ci *ci, struct hf_view of, const char *name,
                           struct hf_view rest);
/* E1: false = "cannot enter component instance", nothing changed. leave undoes it. */
bool hf_ci_enter(struct hf_ci *to, struct hf_ci *from);
void hf_ci_leave(struct hf_ci *to, struct hf_ci *from);

#endif
