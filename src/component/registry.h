/* registry.h - the inside of the registry of host interfaces: what the linker looks up.
 *
 * The public half is host.h. registry.c binds and looks up, registry_wit.c reads encoded WIT
 * packages.
 */
#ifndef HF_COMPONENT_REGISTRY_H
#define HF_COMPONENT_REGISTRY_H

#include "component/eval.h"
#include "component/names.h"

struct hf_iface {
    struct hf_view name; /* "wasi:io/poll@0.2.12" */
    struct hf_view base; /* "wasi:io/poll" */
    bool has_version;
    struct hf_semver version;
    const struct hf_instanceval *instance; /* functions (HF_FUNC_HOST), value types, resources */
    bool offered;                          /* set by seal */
};
struct hf_iface_func {
    struct hf_iface *iface;
    struct hf_host_func *func;
};
struct hf_iface_resource {
    struct hf_view base,
        track; /* of the interface that defines it; track empty: the whole version counts */
    struct hf_view iface; /* full name, compared when there is no track */
    struct hf_resource_type *type;
};
struct hf_registry {
    struct hf_arena arena; /* everything below lives here, and so do all types */
    struct {
        struct hf_iface **ptr;
        size_t len, cap;
    } ifaces;
    struct {
        struct hf_iface_func *ptr;
        size_t len, cap;
    } funcs;
    struct {
        struct hf_iface_resource *ptr;
        size_t len, cap;
    } resources;
    struct {
        struct hf_view *ptr;
        size_t len, cap;
    } modules; /* core modules that interfaces offer, HF_HOST_MODULE + index */
    const struct hf_iface *root; /* its functions are offered outside any interface too; or NULL */
    bool sealed;
};

/* The interface that answers to a name (reference 1.8): the same name, else the highest version of
 * its track. NULL: none. */
struct hf_iface *hf_registry_find(const struct hf_registry *reg, struct hf_view name);
/* Some interface of that name without regard to the version, the highest; for messages. NULL: none.
 */
struct hf_iface *hf_registry_find_base(const struct hf_registry *reg, struct hf_view base);
/* A core module for an interface that declares one (`(export "name" (core module ...))`): bytes are
 * copied, and checked by the engine when a component uses them. What the interface's type says of
 * its imports and exports is not modelled: they are checked where it is instantiated. HF_NOT_FOUND:
 * the interface declares no such module. */
enum hf_err hf_registry_add_module(struct hf_registry *reg, const char *iface, const char *name,
                                   struct hf_view bytes, struct hf_report *report);
/* Offers the functions of an interface at the root as well, each under its own name. */
enum hf_err hf_registry_offer_at_root(struct hf_registry *reg, const char *iface,
                                      struct hf_report *report);
/* registry_wit.c: a fresh resource of an interface, or the one its track has already. */
enum hf_err hf_registry_resource(struct hf_registry *reg, const struct hf_iface *iface,
                                 struct hf_view name, struct hf_resource_type **ret);

#endif
