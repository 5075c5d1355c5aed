/* component.h - a component loaded, checked and linked against the host: ready to be instantiated many times.
 *
 * Loading = full validation by the engine's validator (or its cached verdict) -> our parser (parse.h, checks S1-S17) ->
 * linking (link.h): the whole tree of nested components is instantiated symbolically once, so that what is left is a flat
 * program of steps (program.h) with every type, resource identity and canonical-ABI plan made. Immutable and
 * reference-counted after; shared by threads.
 */
#ifndef HF_COMPONENT_COMPONENT_H
#define HF_COMPONENT_COMPONENT_H

#include "component/host.h"
#include "engine/engine.h"

struct hf_component;

struct hf_component_limits { /* S9; zeroes take the defaults in brackets */
    uint32_t nesting_max;        /* [32] components in components */
    uint32_t instances_max;      /* [1000] component instances in the tree */
    uint32_t core_instances_max; /* [1000] */
    uint32_t modules_max;        /* [1000] */
    uint32_t types_max;          /* [100000] */
    uint32_t type_depth_max;     /* [100, and no more] types inside a type */
    uint32_t items_max;          /* [100000] imports, exports, aliases, canons of one component */
    uint64_t bytes_max;          /* [256 MiB] size of the file */
};

struct hf_load_options {
    const struct hf_component_limits *limits; /* NULL: defaults */
    /* Told while modules compile: done of total (bytes); may be NULL. First call with done 0, only when something has to
     * be compiled. */
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
    bool parse_only; /* inspect: no compiling; the component cannot be instantiated */
};

/* `bytes` need to live during the call only. Errors: HF_INVALID not a valid component ("is a core module" is said, with
 * what to do), HF_UNSUPPORTED with the full list of what is missing by name (imports, async builtins, features), HF_LIMIT. */
enum hf_err hf_component_load(struct hf_engine *engine, const struct hf_registry *reg, struct hf_view bytes,
                              const struct hf_load_options *opt, struct hf_component **ret, struct hf_report *report);
struct hf_component *hf_component_ref(struct hf_component *c);
void hf_component_unref(struct hf_component *c);
const uint8_t *hf_component_hash(const struct hf_component *c); /* SHA-256 of the file, 32 bytes */

/* An exported function. `iface` "wasi:http/incoming-handler" with any version of the track, or "" for a function exported
 * at the root; `name` its name. NULL: none. Good as long as the component. */
struct hf_export;
const struct hf_export *hf_component_find(const struct hf_component *c, const char *iface, const char *name);
const struct hf_ftype *hf_export_type(const struct hf_export *e);
/* The same for who makes its arguments itself, by the WIT that the registry was given: HF_INVALID when the export has another
 * type than that (the report says where), for then they would be read as what they are not. *ret NULL: no such export. */
enum hf_err hf_component_find_as_in_wit(const struct hf_component *c, const char *iface, const char *name,
                                        const struct hf_export **ret, struct hf_report *report);
/* All exported functions, in file order: iface (may be empty) and name; NULL past the end. */
const struct hf_export *hf_component_export_at(const struct hf_component *c, size_t i, struct hf_view *iface, struct hf_view *name);

/* HF_GATE_* of all modules that are instantiated, and as text why an image is not possible, module by module ("" when it is). */
uint32_t hf_component_gate(const struct hf_component *c, struct hf_buf *why);
uint64_t hf_component_memory_max(const struct hf_component *c); /* bytes, sum of declared maxima */
size_t hf_component_n_core_instances(const struct hf_component *c);
size_t hf_component_n_memories(const struct hf_component *c);

/* What a file imports and exports, whether or not it can run here (inspect.c). Works for anything the validator takes. */
struct hf_inspection {
    bool runnable;          /* nothing is missing */
    bool is_component;
    struct hf_buf wit;      /* WIT-like text: imports and exports with their types; missing ones marked "// missing here" */
    struct hf_buf json;     /* the same as JSON, version 1 */
    struct hf_buf missing;  /* one missing item a line */
};
enum hf_err hf_component_inspect(struct hf_engine *engine, const struct hf_registry *reg, struct hf_view bytes,
                                 struct hf_inspection *ret, struct hf_report *report);
void hf_inspection_done(struct hf_inspection *i);

#endif
