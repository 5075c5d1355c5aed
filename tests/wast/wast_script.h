/* wast_script.h - inside the runner: one script's state, and files on their way to instances
 * (wast_file.c loads and starts, wast_run.c has the commands). */
#ifndef HF_TESTS_WAST_SCRIPT_H
#define HF_TESTS_WAST_SCRIPT_H

#include "wast.h"

struct code { /* a component or a core module; both NULL: it could not be loaded */
    struct hf_component *component;
    struct hf_module *module;
    bool refused; /* by name: it needs a feature or an import that is not here */
};
struct definition {
    char name[64];
    struct code code;
};
struct instance {
    char name[64];
    struct code code;
    struct hf_instance *inst; /* a component's; NULL: it could not be started */
    struct hf_core core;      /* a module's */
    bool started;
};
struct registered { /* `register`: an instance under the name that core imports use */
    char name[64];
    struct hf_core core;
};
struct script {
    struct wast_cx *cx;
    const char *dir;
    char folder[96]; /* the last two parts of dir: "values/realloc" */
    struct {
        struct definition *ptr;
        size_t len, cap;
    } definitions;
    struct {
        struct instance *ptr;
        size_t len, cap;
    } instances;
    struct {
        struct registered *ptr;
        size_t len, cap;
    } registered;
    struct wast_core core;
    char current[64]; /* instance that invokes without a name mean */
    struct hf_arena arena;
    struct hf_buf why; /* how the command failed; empty: as it should be */
    bool refused;      /* it failed because a component was refused by name */
};

/* Keeps the reason why the command failed, the first one; returns false. */
bool wast_failed(struct script *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *wast_text(const json_t *json, const char *key); /* "" when it is no text */

/* What became of the file that a command names. HF_NOT_FOUND: it cannot be read (told). */
enum hf_err wast_load(struct script *s, const json_t *command, struct code *ret,
                      struct hf_report *report);
/* The validator alone. */
enum hf_err wast_validate(struct script *s, const json_t *command, struct hf_report *report);
struct code wast_code_ref(const struct code *code);
void wast_code_done(struct code *code);
/* Makes the instance; HF_TRAP or another error: the report says why. Free with wast_stop. */
enum hf_err wast_start(struct script *s, struct instance *in, struct hf_report *report);
void wast_stop(struct instance *in);
/* Polls a component instance to the end of what it does, for some seconds at most. */
enum hf_err wast_poll(struct hf_instance *inst);

#endif
