/* link_in.h - what the linker's files share. */
#ifndef HF_COMPONENT_LINK_IN_H
#define HF_COMPONENT_LINK_IN_H

#include "component/link.h"
#include "component/parse_in.h"

struct hf_named_core {
    struct hf_view name;
    struct hf_coreval core;
};
struct hf_coreinstval { /* an instantiated module, or a bag of core items */
    bool real;
    uint32_t slot;                  /* real: core instance slot */
    const struct hf_module *module; /* real: NULL in a survey */
    struct hf_name_index index;     /* of items */
    const struct hf_named_core *items;
};

struct hf_linker {
    struct hf_eval eval; /* owner = the linker */
    const struct hf_link_input *in;
    struct hf_linked *out;
    bool survey;
    uint32_t n_core_instances;
    struct {
        struct hf_step *ptr;
        size_t len, cap;
    } steps;
    struct {
        struct hf_lift *ptr;
        size_t len, cap;
    } lifts;
    struct {
        struct hf_tramp *ptr;
        size_t len, cap;
    } tramps;
    struct {
        struct hf_ci_def *ptr;
        size_t len, cap;
    } cis;
    struct {
        struct hf_port *ptr;
        size_t len, cap;
    } imports;
    struct {
        uint32_t *ptr;
        size_t len, cap;
    } module_numbers;
    /* Number in the tree, then those of the registry -> program's number; HF_NO_INDEX: not used so
     * far. */
    uint32_t *module_slots;
    struct hf_resource_def *resources; /* in->n_resources of them; NULL in a survey */
    uint32_t n_resources;
    /* The root import that is bound now: for the lines of `missing`. */
    struct hf_view import;
    const struct hf_iface *offered;
    bool at_root; /* differences are collected */
};

/* ---- link.c ---- */
struct hf_linker *hf_linker_of(struct hf_eval *e);
enum hf_err hf_link_step(struct hf_linker *l, struct hf_step step);
/* One instantiation of a component: its frame's exports. `args` NULL for the root. */
enum hf_err hf_link_component(struct hf_linker *l, const struct hf_closure *c,
                              const struct hf_instanceval *args, uint32_t parent,
                              const struct hf_instanceval **ret);

/* ---- link_core.c ---- */
enum hf_err hf_link_core_instantiate(struct hf_linker *l, struct hf_frame *f,
                                     const struct hf_def *def);
enum hf_err hf_link_core_bag(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def);
enum hf_err hf_link_alias_core(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def);
bool hf_functype_eq(const struct hf_functype *a, const struct hf_functype *b);
enum hf_err hf_functype_text(const struct hf_functype *t, struct hf_buf *ret);
/* S2. `type` of a function that is not known (survey) passes. */
enum hf_err hf_link_check_type(struct hf_linker *l, const char *what, const struct hf_coreval *core,
                               const struct hf_functype *want);

/* ---- link_canon.c ---- */
enum hf_err hf_link_lift(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def);
enum hf_err hf_link_lower(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def);
enum hf_err hf_link_resource_canon(struct hf_linker *l, struct hf_frame *f,
                                   const struct hf_def *def);
enum hf_err hf_link_define_resource(struct hf_eval *e, struct hf_frame *f,
                                    const struct hf_typedef *t, struct hf_resource_type **ret);

/* ---- link_import.c ---- */
enum hf_err hf_link_root_import(struct hf_linker *l, struct hf_frame *f, const struct hf_def *def);
enum hf_err hf_link_differs(struct hf_eval *e, enum hf_sort sort, struct hf_view name,
                            const struct hf_item *offered, struct hf_view text);
enum hf_err hf_link_fresh_func(struct hf_eval *e, struct hf_view name, const struct hf_ftype *type,
                               struct hf_funcval *ret);
enum hf_err hf_link_fresh_resource(struct hf_eval *e, struct hf_view name,
                                   struct hf_resource_type **ret);
/* Adds a line to what is missing. */
enum hf_err hf_link_missing(struct hf_linker *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
