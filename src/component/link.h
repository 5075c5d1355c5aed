/* link.h - a parsed component and what the host offers, linked into a program (program.h).
 *
 * Internal to the room. The tree of component instances is evaluated once, symbolically (eval.h):
 * what remains are steps. Linking happens twice: a survey without modules finds out what is missing
 * and which modules are needed before anything is compiled; then, with the modules, every
 * core-level check (S2, S3, S4 of reference component-model 4.1).
 */
#ifndef HF_COMPONENT_LINK_H
#define HF_COMPONENT_LINK_H

#include "component/registry.h"

struct hf_link_input {
    const struct hf_tree *tree;
    const struct hf_registry *reg; /* NULL: nothing is offered */
    struct hf_component_limits limits;
    /* By the numbers of the survey's program (`module_numbers`); NULL: this is a survey. */
    struct hf_module *const *modules;
    uint32_t n_resources; /* as the survey counted them */
};

/* What the root imports or exports: for inspect. */
struct hf_port {
    struct hf_view name;
    struct hf_item item; /* its parts live in the temporary arena of the link */
    bool missing; /* imports: nobody offers it (parts of an offered instance are marked one by one:
                     fn NULL) */
};
struct hf_linked {
    struct hf_program program;      /* arrays in `keep`; `modules` is left to the caller */
    /* Program's number -> number in the tree, or HF_HOST_MODULE and more: in the registry. */
    const uint32_t *module_numbers;
    const struct hf_port *imports, *exports;
    uint32_t n_imports, n_exports;
    struct hf_buf missing; /* one line for each thing that is missing here; free with hf_buf_done */
    uint32_t n_missing;
};

/* `keep` must live as long as the program, `tmp` as long as the ports are looked at. Missing
 * imports are no error here: see ret->missing. HF_INVALID: core-level types or arguments do not
 * fit; HF_LIMIT. On error `ret->missing` is freed. */
enum hf_err hf_link(const struct hf_link_input *in, struct hf_arena *keep, struct hf_arena *tmp,
                    struct hf_linked *ret, struct hf_report *report);

#endif
