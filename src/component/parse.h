/* parse.h - the bytes of a component as a tree of definitions, every index checked.
 *
 * Internal to the room. One forward pass (reference component-model 1) over untrusted bytes: LEBs,
 * counts, UTF-8, indices against their spaces at that moment (S1), labels and names unique (S10),
 * empty types (S7), nesting and numbers (S9). What an index means is the linker's business
 * (link.h): the tree still holds indices, no resolved types. What the file uses that cannot run
 * here is collected by name in `gated` and parsed on, so that a refusal can list all of it. Names
 * and module bodies are views into the file.
 */
#ifndef HF_COMPONENT_PARSE_H
#define HF_COMPONENT_PARSE_H

#include "component/component.h"
#include "component/program.h"

/* The 13 index spaces (1.2); the first five in the order of enum hf_core_kind. */
enum hf_sort {
    HF_SORT_CORE_FUNC,
    HF_SORT_CORE_TABLE,
    HF_SORT_CORE_MEMORY,
    HF_SORT_CORE_GLOBAL,
    HF_SORT_CORE_TAG,
    HF_SORT_CORE_TYPE,
    HF_SORT_MODULE,
    HF_SORT_CORE_INSTANCE,
    HF_SORT_FUNC,
    HF_SORT_VALUE,
    HF_SORT_TYPE,
    HF_SORT_COMPONENT,
    HF_SORT_INSTANCE,
    HF_SORT_COUNT
};
const char *hf_sort_text(enum hf_sort sort);

struct hf_sort_index {
    enum hf_sort sort;
    uint32_t index;
};
struct hf_named_index { /* argument or inline export */
    struct hf_view name;
    struct hf_sort_index at;
};

struct hf_scope;

struct hf_valtype {
    bool none;              /* no type at all: `result<_, u8>`, a case without payload */
    enum hf_type_kind prim; /* when index is HF_NO_INDEX */
    uint32_t index;         /* a type of the scope */
};
struct hf_label_def {
    struct hf_view name;
    struct hf_valtype type;
};

enum hf_typedef_kind {
    HF_TYPEDEF_VALUE,
    HF_TYPEDEF_FUNC,
    HF_TYPEDEF_RESOURCE,
    HF_TYPEDEF_COMPONENT,
    HF_TYPEDEF_INSTANCE
};
struct hf_typedef {
    enum hf_typedef_kind kind;
    enum hf_type_kind value; /* VALUE: which constructor (or primitive) */
    /* VALUE: its parts: list, option, stream, future: one; result: two; compounds: all. FUNC:
     * parameters. */
    const struct hf_label_def *parts;
    uint32_t n;
    uint32_t length;          /* fixed list: how many; own, borrow: index of the resource type */
    struct hf_valtype result; /* FUNC */
    bool is_map;              /* LIST: of two parts, a map's */
    bool is_async;            /* FUNC: gated */
    uint32_t dtor;            /* RESOURCE: core function or HF_NO_INDEX */
    const struct hf_scope *scope; /* COMPONENT, INSTANCE */
};

enum hf_externtype_kind {
    HF_EXTERN_MODULE,
    HF_EXTERN_FUNC,
    HF_EXTERN_VALUE, /* gated */
    HF_EXTERN_TYPE_EQ,
    HF_EXTERN_TYPE_SUB, /* a fresh resource */
    HF_EXTERN_COMPONENT,
    HF_EXTERN_INSTANCE
};
struct hf_externtype {
    enum hf_externtype_kind kind;
    uint32_t index; /* type (core type for MODULE) of the scope */
};
enum hf_sort hf_extern_sort(enum hf_externtype_kind kind);

struct hf_opts_def {
    enum hf_string_enc enc;
    uint32_t memory, realloc, post_return; /* indices or HF_NO_INDEX */
};

enum hf_def_kind {
    HF_DEF_MODULE,
    HF_DEF_CORE_INSTANTIATE,
    HF_DEF_CORE_BAG,
    HF_DEF_CORE_TYPE,
    HF_DEF_COMPONENT,
    HF_DEF_INSTANTIATE,
    HF_DEF_BAG,
    HF_DEF_ALIAS_EXPORT,
    HF_DEF_ALIAS_CORE_EXPORT,
    HF_DEF_ALIAS_OUTER,
    HF_DEF_TYPE,
    HF_DEF_LIFT,
    HF_DEF_LOWER,
    HF_DEF_RESOURCE_NEW,
    HF_DEF_RESOURCE_DROP,
    HF_DEF_RESOURCE_REP,
    HF_DEF_GATED, /* something of `sort` that cannot run here */
    HF_DEF_IMPORT,
    HF_DEF_EXPORT
};
struct hf_def {
    struct hf_def *next; /* of the scope, in file order */
    enum hf_def_kind kind;
    enum hf_sort sort; /* the space it adds one entry to (GATED of HF_SORT_COUNT: none; CORE_TYPE:
                          `count` entries) */
    union {
        struct {
            uint32_t number;
        } module; /* in hf_tree.modules */
        struct {
            uint32_t index, n;
            const struct hf_named_index *args;
        } instantiate; /* both levels */
        struct {
            uint32_t n;
            const struct hf_named_index *items;
        } bag; /* both levels */
        struct {
            uint32_t count;
        } core_type;
        const struct hf_scope *component;
        struct {
            uint32_t instance;
            struct hf_view name;
        } alias; /* both levels of export */
        struct {
            uint32_t count, index;
        } outer;
        const struct hf_typedef *type;
        struct {
            uint32_t func, type;
            struct hf_opts_def opts;
        } canon; /* lift, lower, resource.* (type) */
        struct {
            struct hf_view name;
            struct hf_externtype type;
        } import;
        struct {
            struct hf_view name;
            uint32_t index;
            bool ascribed;
            struct hf_externtype type;
        } export;
    };
};

enum hf_scope_kind { HF_SCOPE_COMPONENT, HF_SCOPE_COMPONENT_TYPE, HF_SCOPE_INSTANCE_TYPE };
struct hf_scope {
    enum hf_scope_kind kind;
    const struct hf_scope *outer; /* NULL: the root */
    struct hf_view name;          /* of the component-name section, may be empty */
    const struct hf_def *defs;
    uint32_t n_defs, n_imports, n_exports;
    uint32_t n[HF_SORT_COUNT]; /* sizes of its index spaces in the end */
};

struct hf_tree {
    const struct hf_scope *root;
    const struct hf_view *modules; /* bodies, in file order */
    uint32_t n_modules;
    const char *const *gated; /* texts: "task.return (async, WASI 0.3)"; each once */
    uint32_t n_gated;
    uint32_t n_components, n_types;
};

/* `l` may be NULL; zeroes take the defaults of component.h. */
struct hf_component_limits hf_component_limits_fill(const struct hf_component_limits *l);
/* The tree lives in `arena` and looks into `bytes`. HF_INVALID with the offset, HF_LIMIT,
 * HF_UNSUPPORTED for what cannot even be decoded. */
enum hf_err hf_parse(struct hf_arena *arena, struct hf_view bytes,
                     const struct hf_component_limits *l, const struct hf_tree **ret,
                     struct hf_report *report);
/* Reads as hf_parse does what the first 8 bytes say. */
enum hf_file_kind { HF_FILE_COMPONENT, HF_FILE_MODULE, HF_FILE_OTHER };
enum hf_file_kind hf_file_kind(struct hf_view bytes);

#endif
