/* wast.h - the parts of the conformance runner: values from JSON, what is expected to fail, core
 * modules, one folder of commands. (What scripts may import: support_host.h.) */
#ifndef HF_TESTS_WAST_H
#define HF_TESTS_WAST_H

#include <jansson.h>

#include "support_host.h"

/* ---- wast_value.c ---- */

/* A value as `wasm-tools json-from-wast` writes it, {"type": ..., "value": ...}, for a parameter or
 * result of type t. HF_INVALID: it is not of that type (report says how). */
enum hf_err wast_value(const json_t *json, const struct hf_type *t, struct hf_arena *arena,
                       struct hf_value *ret, struct hf_report *report);

/* ---- wast_core.c ---- */

#define WAST_CORE_VALUES 32
struct wast_core {
    struct hf_store *store; /* made for the first module; free with hf_store_free */
};
struct wast_core_result {
    uint32_t n;
    const enum hf_core_type *types;
    union hf_val vals[WAST_CORE_VALUES];
};
/* The instance that imports from `module` mean, or NULL. */
typedef const struct hf_core *(*wast_core_find)(void *ctx, struct hf_view module);
/* Instantiates and starts. HF_INVALID: an import is not there or does not fit; HF_TRAP. */
enum hf_err wast_core_new(struct wast_core *all, struct hf_engine *engine, struct hf_module *m,
                          wast_core_find find, void *ctx, struct hf_core *ret,
                          struct hf_report *report);
/* HF_INVALID: no such function, or other arguments; HF_TRAP with the trap's text. */
enum hf_err wast_core_invoke(struct wast_core *all, const struct hf_module *m,
                             const struct hf_core *core, const json_t *action,
                             struct wast_core_result *ret, struct hf_report *report);
bool wast_core_equals(const struct wast_core_result *got, const json_t *wanted);

/* ---- wast_list.c: the list of what is known to fail ----
 * Lines "FOLDER LINE[-LINE] reason": every command in the range must fail. Lines "FOLDER refused
 * reason": components of that folder may be refused by name, and commands that need them are
 * skipped; everything else must pass. FOLDER may end in an asterisk. "#" begins a comment. */
struct wast_known {
    char folder[96];
    unsigned long first, last; /* 0: "refused" */
    char reason[160];
    bool ran;      /* its folder was among those run */
    unsigned used; /* commands that it explained */
};
struct wast_list {
    struct wast_known *ptr;
    size_t len, cap;
};
/* False: the file cannot be read or a line is malformed (told on stderr). */
bool wast_list_read(const char *path, struct wast_list *ret);
/* The list of the repository, as it was when the runner was built. */
bool wast_list_builtin(struct wast_list *ret);
bool wast_list_matches(const struct wast_known *known, const char *folder);
/* A line number of 0 finds the folder's "refused" entry. */
struct wast_known *wast_list_find(const struct wast_list *list, const char *folder,
                                  unsigned long line);
void wast_list_done(struct wast_list *list);

/* ---- wast_run.c ---- */

struct wast_counts {
    unsigned passed, failed, skipped; /* skipped: failed as the list says */
};
struct wast_cx {
    struct hf_engine *engine;
    struct hf_registry *registry;
    struct wast_host host;
    const struct wast_list *known;
    struct wast_counts counts;
    bool verbose; /* tell about what is skipped, too */
};
/* Runs the commands.json in `dir`; unexpected results go to stdout, one a line. False: no such
 * file, or not of the form. */
bool wast_run(struct wast_cx *cx, const char *dir);

#endif
