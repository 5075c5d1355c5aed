/* wast.h - the parts of the conformance runner: values from JSON, what is expected to fail, one
 * folder of commands. */
#ifndef HF_TESTS_WAST_H
#define HF_TESTS_WAST_H

#include <jansson.h>

#include "component/call.h"

/* ---- wast_value.c ---- */

/* A value as `wasm-tools json-from-wast` writes it, {"type": ..., "value": ...}, for a parameter or
 * result of type t. HF_INVALID: it is not of that type (report says how). */
enum hf_err wast_value(const json_t *json, const struct hf_type *t, struct hf_arena *arena,
                       struct hf_value *ret, struct hf_report *report);

/* ---- wast_list.c: the list of what is known to fail ----
 * Lines "FOLDER LINE[-LINE] reason"; "#" begins a comment. Every command in the range must fail. */
struct wast_known {
    char folder[96];
    unsigned long first, last;
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
    const struct wast_list *known;
    struct wast_counts counts;
    bool verbose; /* tell about what is skipped, too */
};
/* Runs the commands.json in `dir`; unexpected results go to stdout, one a line. False: no such
 * file, or not of the form. */
bool wast_run(struct wast_cx *cx, const char *dir);

#endif
