/* eval.h - definitions evaluated: what an index of a component stands for once the component is
 * instantiated.
 *
 * Internal to the room. The tree of component instances is static, so linking is partial
 * evaluation: every instantiation evaluates the definitions of its component anew, in a frame of
 * its own, with resources already known by identity. No type is ever substituted into another.
 * Components and types of components or instances are closures: the definition and the frame it
 * stands in. The linker (link.h) evaluates components, the registry evaluates WIT packages; both
 * share the evaluation of types here (eval.c, eval_type.c, eval_bind.c).
 */
#ifndef HF_COMPONENT_EVAL_H
#define HF_COMPONENT_EVAL_H

#include "component/parse.h"

#define HF_EVAL_DEPTH_MAX 100u     /* instantiations and instance types inside each other */
#define HF_EVAL_WORK_MAX  2000000u /* definitions evaluated for one component */

#define HF_HOST_MODULE 0x80000000u /* files have fewer modules (S9) */

struct hf_frame;
struct hf_closure {
    const struct hf_scope *scope;
    struct hf_frame *frame;
};

enum hf_typeval_kind {
    HF_TYPEVAL_VALUE,
    HF_TYPEVAL_RESOURCE,
    HF_TYPEVAL_FUNC,
    HF_TYPEVAL_COMPONENT,
    HF_TYPEVAL_INSTANCE
};
struct hf_typeval {
    enum hf_typeval_kind kind;
    union {
        const struct hf_type *value;
        struct hf_resource_type *resource;
        const struct hf_ftype *func;
        struct hf_closure closure; /* COMPONENT, INSTANCE */
    };
};
struct hf_funcval {
    struct hf_func_def def;
    const struct hf_ftype *type;
};
struct hf_coreval { /* function, table, memory, global, tag */
    struct hf_core_def def;
    const struct hf_functype *type; /* functions; NULL: not known (survey) */
    bool memory64, shared;          /* memories */
};
struct hf_instanceval;
struct hf_coreinstval;
struct hf_item {
    enum hf_sort sort;
    union {
        struct hf_funcval func;
        struct hf_typeval type;
        struct hf_closure
            component; /* scope may be a component or, when it is missing, a component type */
        const struct hf_instanceval *instance;
        struct hf_coreval core;
        const struct hf_coreinstval *core_instance;
        /* Number in the tree; HF_HOST_MODULE and more: in the registry; HF_NO_INDEX: a missing
         * import. */
        uint32_t module;
    };
};

/* Names to places in an array whose elements start with a struct hf_view: linear when short, sorted
 * when long. */
struct hf_name_index {
    const uint8_t *base;
    size_t stride;
    uint32_t n;
    const uint32_t *order; /* NULL: short */
};
enum hf_err hf_name_index_make(struct hf_arena *a, const void *base, size_t stride, uint32_t n,
                               struct hf_name_index *ret);
uint32_t hf_name_index_find(const struct hf_name_index *ix,
                            struct hf_view name); /* HF_NO_INDEX: not there */

struct hf_named_item {
    struct hf_view name;
    struct hf_item item;
};
struct hf_instanceval {
    const struct hf_named_item *items; /* in order of definition */
    uint32_t n;
    struct hf_name_index index;
};
const struct hf_item *hf_instanceval_find(const struct hf_instanceval *v,
                                          struct hf_view name); /* or NULL */

struct hf_frame {
    struct hf_frame *outer;
    const struct hf_scope *scope;
    uint32_t ci; /* of a component; HF_NO_INDEX in types */
    struct hf_item *items[HF_SORT_COUNT];
    uint32_t len[HF_SORT_COUNT];
    struct hf_named_item *exports;
    uint32_t n_exports;
};

/* Who evaluates decides what is made where nothing is given, and what a difference means. */
struct hf_eval {
    struct hf_arena *keep; /* types, names: lives with the result */
    struct hf_arena *tmp;  /* frames, items */
    struct hf_report *report;
    uint32_t work, depth;
    uint32_t type_depth_max; /* of value types; 0: HF_TYPE_DEPTH_MAX */
    void *owner;
    /* A resource type that a type declares and nobody supplies. */
    enum hf_err (*fresh_resource)(struct hf_eval *e, struct hf_view name,
                                  struct hf_resource_type **ret);
    /* A function that a type declares and nobody supplies. */
    enum hf_err (*fresh_func)(struct hf_eval *e, struct hf_view name, const struct hf_ftype *type,
                              struct hf_funcval *ret);
    /* Something supplied is not there (`offered` NULL) or does not fit. HF_OK: go on as if nothing
     * were supplied. */
    enum hf_err (*differs)(struct hf_eval *e, enum hf_sort sort, struct hf_view name,
                           const struct hf_item *offered, struct hf_view text);
    /* A resource definition of a component (linker only; the parser lets none into a type). */
    enum hf_err (*define_resource)(struct hf_eval *e, struct hf_frame *f,
                                   const struct hf_typedef *t, struct hf_resource_type **ret);
};

/* ---- eval.c ---- */
enum hf_err hf_eval_out_of_memory(struct hf_eval *e);
/* A frame for a scope; counts its definitions as work. */
enum hf_err hf_eval_frame(struct hf_eval *e, const struct hf_scope *scope, struct hf_frame *outer,
                          uint32_t ci, struct hf_frame **ret);
enum hf_err hf_eval_work(struct hf_eval *e, uint32_t n); /* counts against HF_EVAL_WORK_MAX */
enum hf_err hf_eval_enter(struct hf_eval *e);            /* depth; undone by e->depth-- */
void hf_eval_push(struct hf_frame *f, const struct hf_item *item);
/* The item behind an index; the parser has checked the index (S1), this checks again. */
enum hf_err hf_eval_at(struct hf_eval *e, const struct hf_frame *f, enum hf_sort sort,
                       uint32_t index, struct hf_item *ret);
/* Aliases: of an instance's export, of an outer scope's definition. */
enum hf_err hf_eval_alias_export(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def);
enum hf_err hf_eval_alias_outer(struct hf_eval *e, struct hf_frame *f, const struct hf_def *def);
/* Adds an export to the frame: the name is copied. */
enum hf_err hf_eval_export(struct hf_eval *e, struct hf_frame *f, struct hf_view name,
                           const struct hf_item *item);
/* The frame's exports as an instance. */
enum hf_err hf_eval_instance(struct hf_eval *e, const struct hf_named_item *items, uint32_t n,
                             const struct hf_instanceval **ret);

/* ---- eval_type.c ---- */
enum hf_err hf_eval_typedef(struct hf_eval *e, struct hf_frame *f, const struct hf_typedef *t,
                            struct hf_item *ret);
/* The same type under a name that texts may use. */
enum hf_err hf_eval_named(struct hf_eval *e, struct hf_view name, struct hf_item *type);

/* ---- eval_bind.c ---- */
/* An import, or an export with a type: `given` checked against the type, or made fresh when it is
 * NULL. */
enum hf_err hf_eval_bind(struct hf_eval *e, struct hf_frame *f, const struct hf_externtype *t,
                         struct hf_view name, const struct hf_item *given, struct hf_item *ret);
/* The exports that a component or instance type declares: taken from `given` (or made fresh when it
 * is NULL); `args` for the imports of a component type, may be NULL: made fresh. The result has
 * just these exports. */
enum hf_err hf_eval_scope_type(struct hf_eval *e, const struct hf_closure *c,
                               const struct hf_instanceval *args,
                               const struct hf_instanceval *given,
                               const struct hf_instanceval **ret);

#endif
