/* parse_in.h - what the parser's files share: the open scope, and the small checked readers.
 *
 * Every reader returns HF_OK or has written the report. `r` stands behind what was read.
 */
#ifndef HF_COMPONENT_PARSE_IN_H
#define HF_COMPONENT_PARSE_IN_H

#include "base/codec.h"
#include "component/names.h"
#include "component/parse.h"

#define HF_TRY(expr)                                                                               \
    do {                                                                                           \
        enum hf_err try_err_ = (expr);                                                             \
        if (try_err_ != HF_OK)                                                                     \
            return try_err_;                                                                       \
    } while (0)

#define HF_GATED_MAX 64u

struct hf_parser {
    struct hf_arena *arena;
    struct hf_component_limits limits;
    struct hf_report *report;
    struct hf_view file;
    struct hf_tree *tree;
    struct {
        struct hf_view *ptr;
        size_t len, cap;
    } modules;
    const char *gated[HF_GATED_MAX];
    uint32_t n_gated;
};

struct hf_open { /* a scope while it is read */
    struct hf_parser *p;
    struct hf_open *outer;
    struct hf_scope *scope;
    struct hf_def **tail;
    struct hf_name_set imports, exports;
    uint32_t items; /* against items_max; of the component it is in */
    unsigned component_depth, type_depth;
};

/* ---- parse.c ---- */
enum hf_err hf_parse_fail(struct hf_parser *p, const struct hf_reader *r, enum hf_err err,
                          const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* HF_INVALID when the reader ran past its end or met a malformed number. */
enum hf_err hf_parse_check(struct hf_parser *p, const struct hf_reader *r, const char *what);
enum hf_err hf_parse_out_of_memory(struct hf_parser *p);
enum hf_err hf_parse_u8(struct hf_parser *p, struct hf_reader *r, const char *what, uint8_t *ret);
enum hf_err hf_parse_u32(struct hf_parser *p, struct hf_reader *r, const char *what, uint32_t *ret);
/* A count, checked against the bytes left: each element takes at least one (S1). */
enum hf_err hf_parse_count(struct hf_parser *p, struct hf_reader *r, const char *what,
                           uint32_t *ret);
/* A name in valid UTF-8; may be empty. */
enum hf_err hf_parse_name(struct hf_parser *p, struct hf_reader *r, const char *what,
                          struct hf_view *ret);
/* An index that exists in the space of `sort` now (S1). */
enum hf_err hf_parse_index(struct hf_open *o, struct hf_reader *r, enum hf_sort sort,
                           uint32_t *ret);
/* One of two bytes. */
enum hf_err hf_parse_flag(struct hf_parser *p, struct hf_reader *r, const char *what, bool *ret);
/* Notes that the file uses something that cannot run here; `text` is static. */
enum hf_err hf_parse_gate(struct hf_parser *p, const char *text);
/* Counts against items_max. */
enum hf_err hf_parse_count_items(struct hf_open *o, const struct hf_reader *r, uint32_t n);
/* A new definition at the end of the scope; adds one to the space of `sort` (HF_SORT_COUNT: none).
 */
enum hf_err hf_parse_add(struct hf_open *o, enum hf_def_kind kind, enum hf_sort sort,
                         struct hf_def **ret);
enum hf_err hf_open_scope(struct hf_parser *p, struct hf_open *outer, enum hf_scope_kind kind,
                          const struct hf_reader *r, struct hf_open *ret);
void hf_close_scope(struct hf_open *o);

/* ---- parse_section.c: instances, aliases, imports, exports; one element each ---- */
enum hf_err hf_parse_core_instance(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_instance(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_alias(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_import(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_export(struct hf_open *o, struct hf_reader *r); /* of a component */
enum hf_err hf_parse_export_decl(struct hf_open *o,
                                 struct hf_reader *r); /* of a component or instance type */
enum hf_err hf_parse_start(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_value(struct hf_open *o, struct hf_reader *r);

/* ---- parse_type.c ---- */
enum hf_err hf_parse_type(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_valtype(struct hf_open *o, struct hf_reader *r, struct hf_valtype *ret);

/* ---- parse_core.c ---- */
enum hf_err hf_parse_core_type(struct hf_open *o, struct hf_reader *r);
enum hf_err hf_parse_core_valtype(struct hf_parser *p, struct hf_reader *r);

/* ---- parse_canon.c ---- */
enum hf_err hf_parse_canon(struct hf_open *o, struct hf_reader *r);

#endif
