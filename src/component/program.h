/* program.h - a linked component: the flat list of steps that makes an instance of it.
 *
 * Internal to the room. link.c writes it (once, at load), instance.c runs it (per instance), canon.c executes its calls.
 * The nesting of the source is gone: component instances (CIs), core instances, resources, lifted and lowered functions of
 * the whole tree are numbered from 0. A slot is filled by exactly one step before any later step reads it.
 */
#ifndef HF_COMPONENT_PROGRAM_H
#define HF_COMPONENT_PROGRAM_H

#include "component/direct.h"
#include "component/types.h"

#define HF_NO_INDEX UINT32_MAX

/* Where a core item comes from. */
enum hf_core_from {
    HF_FROM_NONE,
    HF_FROM_EXPORT, /* export `name` of core instance slot `index` */
    HF_FROM_TRAMP   /* core function made by trampoline slot `index` */
};
struct hf_core_def {
    enum hf_core_from from;
    uint32_t index;
    struct hf_view name;
    enum hf_core_kind kind;
};

struct hf_canon_opts {
    enum hf_string_enc enc;
    struct hf_core_def memory, realloc, post_return; /* from = NONE when absent */
};

/* A component-level function value. */
enum hf_func_from { HF_FUNC_LIFT, HF_FUNC_HOST };
struct hf_host_func; /* registry.c: interface and function names, type, hf_host_fn */
struct hf_func_def {
    enum hf_func_from from;
    uint32_t lift;                   /* lift slot */
    const struct hf_host_func *host;
};

struct hf_lift { /* canon lift: a core function seen as a component function */
    uint32_t ci;
    const struct hf_ftype *type;
    struct hf_core_def func;
    struct hf_canon_opts opts;
    struct hf_view name; /* under which its component exports it first, for messages; may be empty */
};

enum hf_tramp_kind { HF_TRAMP_LOWER, HF_TRAMP_RESOURCE_NEW, HF_TRAMP_RESOURCE_REP, HF_TRAMP_RESOURCE_DROP };
struct hf_tramp { /* a core function made by canon */
    enum hf_tramp_kind kind;
    uint32_t ci; /* whose handle table and may_leave */
    struct hf_func_def func;              /* LOWER */
    struct hf_canon_opts opts;            /* LOWER */
    const struct hf_resource_type *resource; /* RESOURCE_* */
};

struct hf_resource_def { /* a guest resource type; its hf_resource_type has index and ci */
    struct hf_resource_type type;
    struct hf_core_def dtor; /* or NONE; core type (i32) -> () */
};

enum hf_step_kind {
    HF_STEP_CORE_NEW, /* core instance slot `index` = module with args; then its start function */
    HF_STEP_TRAMP,    /* trampoline slot `index`: its options' memory and realloc exist by now */
    HF_STEP_RESOURCE, /* resource `index`: its dtor exists by now */
    HF_STEP_LIFT      /* lift slot `index`: core function, memory, realloc, post-return exist by now */
};
struct hf_step {
    enum hf_step_kind kind;
    uint32_t index;
    uint32_t module;                /* CORE_NEW: number in `modules` */
    uint32_t ci;                    /* CORE_NEW: whose flags are set while the start function runs */
    const struct hf_core_def *args; /* CORE_NEW: one for each module import, in order */
    uint32_t n_args;
};

struct hf_ci_def {
    uint32_t parent; /* HF_NO_INDEX for the root */
    struct hf_view name; /* for messages; may be empty */
};

/* What the root exports, flattened: functions in interfaces and at the root. */
struct hf_export {
    struct hf_view iface, name; /* iface empty: at the root */
    struct hf_func_def func;
    const struct hf_ftype *type;
};

struct hf_program {
    struct hf_module **modules; /* owned refs; NULL entries when parse_only */
    uint32_t n_modules;
    uint32_t n_core_instances;
    const struct hf_ci_def *cis;
    uint32_t n_cis;
    const struct hf_lift *lifts;
    uint32_t n_lifts;
    const struct hf_tramp *tramps;
    uint32_t n_tramps;
    struct hf_resource_def *resources;
    uint32_t n_resources;
    const struct hf_step *steps;
    uint32_t n_steps;
    const struct hf_export *exports;
    uint32_t n_exports;
};

struct hf_component;
/* The program of a component (component.c). */
const struct hf_program *hf_component_program(const struct hf_component *c);
struct hf_engine *hf_component_engine(const struct hf_component *c); /* the one it was loaded with */

/* registry.c */
const struct hf_registry *hf_component_registry(const struct hf_component *c); /* (component.c) the one it was linked with */
/* A host resource's name across processes, "wasi:io/streams@0.2#input-stream", appended; and back, NULL when there is none. */
enum hf_err hf_registry_resource_name(const struct hf_registry *reg, const struct hf_resource_type *type, struct hf_buf *ret) HF_MUST_CHECK;
const struct hf_resource_type *hf_registry_resource_named(const struct hf_registry *reg, struct hf_view name);
struct hf_host_func {
    struct hf_view iface, name;  /* "wasi:io/poll@0.2.12", "[method]pollable.ready" */
    const struct hf_ftype *type;
    hf_host_fn fn;               /* NULL: not bound, i.e. missing here */
    hf_direct_fn direct;         /* tried before it (direct.h); mostly NULL */
    void *ctx;                   /* hf_call_bound */
};

#endif
