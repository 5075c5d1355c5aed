/* wast_run.c - runs the commands of one suite file in order.
 *
 * A command either ends as the suite says or its failure is told in words; whether that failure was
 * expected is decided in one place (settle). Definitions and instances are kept by name, as the
 * script language has them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vec.h"
#include "wast.h"

#define RUN_SECONDS_MAX 20 /* of one call or start */
#define FILE_BYTES_MAX  (64l << 20)

struct definition {
    char name[64];
    struct hf_component *component; /* NULL: it could not be loaded */
};
struct instance {
    char name[64];
    struct hf_component *component;
    struct hf_instance *inst; /* NULL: it could not be started */
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
    char current[64]; /* instance that invokes without a name mean */
    struct hf_arena arena;
    struct hf_buf why; /* how the command failed; empty: as it should be */
};

static bool failed(struct script *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool failed(struct script *s, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text[strcspn(text, "\n")] = '\0';
    if (s->why.len != 0) /* the first reason is the cause */
        return false;
    HF_ASSERT(hf_buf_add_text(&s->why, text) == HF_OK);
    return false;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* ---- files and loading ---- */

static bool read_file(struct script *s, const char *name, struct hf_buf *ret)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    FILE *f = fopen(path, "rb");
    uint8_t chunk[4096];
    size_t n;
    if (f == NULL)
        return failed(s, "%s cannot be read", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && ret->len < FILE_BYTES_MAX)
        HF_ASSERT(hf_buf_add(ret, chunk, n) == HF_OK);
    fclose(f);
    return true;
}

static bool is_text(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcmp(dot, ".wat") == 0;
}

/* What became of the file that a command names. HF_NOT_FOUND: it cannot be read (told). */
static enum hf_err load(struct script *s, const json_t *command, struct hf_component **ret,
                        struct hf_report *report)
{
    const char *name = text_of(command, "filename");
    struct hf_buf file = {0}, wasm = {0};
    enum hf_err err = HF_NOT_FOUND;
    *ret = NULL;
    if (read_file(s, name, &file)) {
        err = HF_OK;
        if (is_text(name))
            err = hf_engine_wat((const char *)file.ptr, file.len, &wasm, report);
        if (err == HF_OK)
            err = hf_component_load(s->cx->engine, s->cx->registry,
                                    hf_buf_view(is_text(name) ? &wasm : &file), NULL, ret, report);
    }
    hf_buf_done(&file);
    hf_buf_done(&wasm);
    return err;
}

/* ---- running ---- */

static enum hf_err run(struct hf_instance *inst)
{
    time_t end = time(NULL) + RUN_SECONDS_MAX;
    enum hf_err err;
    while ((err = hf_instance_poll(inst)) == HF_AGAIN)
        if (time(NULL) > end || hf_instance_why(inst) == HF_WHY_BLOCK) {
            hf_instance_cancel(inst);
            return HF_TIMEOUT;
        }
    return err;
}

static enum hf_err start(struct hf_component *c, struct hf_instance **ret, struct hf_report *report)
{
    struct hf_instance_settings settings = {0};
    enum hf_err err = hf_instance_new(c, &settings, ret, report);
    if (err == HF_OK)
        err = hf_instance_start(*ret);
    if (err == HF_OK)
        err = run(*ret);
    if (err != HF_OK && *ret != NULL)
        hf_report_set(report, err, "%s", hf_instance_report(*ret)->text);
    return err;
}

static struct instance *find_instance(struct script *s, const char *name)
{
    for (size_t i = s->instances.len; i-- > 0;)
        if (strcmp(s->instances.ptr[i].name, name) == 0)
            return &s->instances.ptr[i];
    return NULL;
}

/* Keeps `c` (NULL: the load failed) as an instance, which becomes the current one. Takes c. */
static bool instantiate(struct script *s, const char *name, struct hf_component *c)
{
    struct instance one = {.component = c};
    struct hf_report report = {0};
    enum hf_err err = HF_OK;
    snprintf(one.name, sizeof one.name, "%s", name);
    snprintf(s->current, sizeof s->current, "%s", name);
    if (c != NULL)
        err = start(c, &one.inst, &report);
    if (err != HF_OK) {
        hf_instance_free(one.inst);
        one.inst = NULL;
    }
    HF_ASSERT(HF_VEC_PUSH(&s->instances, one));
    if (c == NULL)
        return failed(s, "there is no such component, or it was refused");
    return err == HF_OK || failed(s, "start: %s: %s", hf_err_text(err), report.text);
}

static bool do_module(struct script *s, const json_t *command, bool definition)
{
    struct hf_component *c = NULL;
    struct hf_report report = {0};
    enum hf_err err = load(s, command, &c, &report);
    /* A definition that nobody instantiates has to be valid, no more: it may import what is not
     * here. */
    if (definition && err == HF_UNSUPPORTED)
        err = HF_OK;
    if (err != HF_OK)
        failed(s, "load: %s: %s", hf_err_text(err), report.text);
    if (!definition)
        return instantiate(s, text_of(command, "name"), c) && err == HF_OK;
    struct definition one = {.component = c};
    snprintf(one.name, sizeof one.name, "%s", text_of(command, "name"));
    HF_ASSERT(HF_VEC_PUSH(&s->definitions, one));
    return err == HF_OK;
}

static bool do_instance(struct script *s, const json_t *command)
{
    const char *name = text_of(command, "module");
    struct hf_component *c = NULL;
    for (size_t i = 0; i < s->definitions.len; i++)
        if (strcmp(s->definitions.ptr[i].name, name) == 0)
            c = s->definitions.ptr[i].component;
    return instantiate(s, text_of(command, "instance"), c != NULL ? hf_component_ref(c) : NULL);
}

/* Starts the call of an action and runs it. False (told): it could not even be begun. */
static bool invoke(struct script *s, const json_t *action, const struct hf_export **e,
                   struct instance **in, enum hf_err *ret)
{
    const json_t *module = json_object_get(action, "module");
    const json_t *json = json_object_get(action, "args");
    struct hf_value args[64];
    struct hf_report report = {0};
    size_t n = json_array_size(json);
    *in = find_instance(s, module != NULL ? text_of(action, "module") : s->current);
    if (*in == NULL || (*in)->inst == NULL)
        return failed(s, "there is no such instance");
    *e = hf_component_find((*in)->component, "", text_of(action, "field"));
    if (*e == NULL || strcmp(text_of(action, "type"), "invoke") != 0)
        return failed(s, "there is no such export: %s", text_of(action, "field"));
    const struct hf_ftype *f = hf_export_type(*e);
    if (n != f->n_params || n > HF_ARRAY_LEN(args))
        return failed(s, "%zu arguments for %u parameters", n, f->n_params);
    hf_arena_reset(&s->arena);
    for (size_t i = 0; i < n; i++)
        if (wast_value(json_array_get(json, i), f->params[i].type, &s->arena, &args[i], &report) !=
            HF_OK)
            return failed(s, "argument %zu: %s", i + 1, report.text);
    *ret = hf_instance_call((*in)->inst, *e, args, n);
    if (*ret == HF_OK)
        *ret = run((*in)->inst);
    return true;
}

static bool check_result(struct script *s, const struct hf_ftype *f, const struct hf_value *got,
                         const json_t *wanted)
{
    struct hf_value want;
    struct hf_report report = {0};
    if ((f->result == NULL) != (json_array_size(wanted) == 0))
        return failed(s, f->result == NULL ? "no result" : "an unexpected result");
    if (f->result == NULL)
        return true;
    HF_ASSERT(got != NULL);
    if (wast_value(json_array_get(wanted, 0), f->result, &s->arena, &want, &report) != HF_OK)
        return failed(s, "the expected result: %s", report.text);
    if (hf_value_eq(f->result, got, &want))
        return true;
    struct hf_buf a = {0}, b = {0};
    if (hf_value_print(f->result, got, &a) == HF_OK &&
        hf_value_print(f->result, &want, &b) == HF_OK)
        failed(s, "got %s, wanted %s", (char *)a.ptr, (char *)b.ptr);
    else
        failed(s, "another result");
    hf_buf_done(&a);
    hf_buf_done(&b);
    return false;
}

static bool do_return(struct script *s, const json_t *command)
{
    const struct hf_export *e = NULL;
    struct instance *in = NULL;
    enum hf_err err = HF_OK;
    if (!invoke(s, json_object_get(command, "action"), &e, &in, &err))
        return false;
    if (err != HF_OK)
        return failed(s, "%s: %s", hf_err_text(err), hf_instance_report(in->inst)->text);
    const json_t *expected = json_object_get(command, "expected");
    return expected == NULL ||
           check_result(s, hf_export_type(e), hf_instance_result(in->inst), expected);
}

/* The suite writes some messages with a prefix of the engine they come from. */
static bool contains(const char *text, const char *wanted)
{
    static const char prefix[] = "wasm trap: ";
    if (strncmp(wanted, prefix, sizeof prefix - 1) == 0)
        wanted += sizeof prefix - 1;
    return strstr(text, wanted) != NULL;
}

static bool do_trap(struct script *s, const json_t *command)
{
    const struct hf_export *e = NULL;
    struct instance *in = NULL;
    enum hf_err err = HF_OK;
    if (!invoke(s, json_object_get(command, "action"), &e, &in, &err))
        return false;
    const char *text = hf_instance_report(in->inst)->text;
    if (err != HF_TRAP)
        return failed(s, "wanted a trap, got %s: %s", hf_err_text(err), err == HF_OK ? "" : text);
    return contains(text, text_of(command, "text")) ||
           failed(s, "wanted \"%s\", got \"%s\"", text_of(command, "text"), text);
}

/* Not valid: the validator says so, or the text cannot even be read. */
static bool do_invalid(struct script *s, const json_t *command)
{
    struct hf_component *c = NULL;
    struct hf_report report = {0};
    enum hf_err err = load(s, command, &c, &report);
    hf_component_unref(c);
    return err == HF_INVALID || failed(s, "wanted invalid (%s), got %s: %s",
                                       text_of(command, "text"), hf_err_text(err), report.text);
}

static bool do_unlinkable(struct script *s, const json_t *command)
{
    struct hf_component *c = NULL;
    struct hf_report report = {0};
    enum hf_err err = load(s, command, &c, &report);
    hf_component_unref(c);
    return err == HF_UNSUPPORTED || failed(s, "wanted unlinkable (%s), got %s: %s",
                                           text_of(command, "text"), hf_err_text(err), report.text);
}

static bool do_uninstantiable(struct script *s, const json_t *command)
{
    struct hf_component *c = NULL;
    struct hf_instance *inst = NULL;
    struct hf_report report = {0};
    enum hf_err err = load(s, command, &c, &report);
    bool loaded = err == HF_OK;
    if (loaded)
        err = start(c, &inst, &report);
    bool ok = loaded && err == HF_TRAP && contains(report.text, text_of(command, "text"));
    if (!ok)
        failed(s, "wanted a start that traps (%s), got %s: %s", text_of(command, "text"),
               hf_err_text(err), report.text);
    hf_instance_free(inst);
    hf_component_unref(c);
    return ok;
}

/* Gives an instance a second name for imports; imports come from the registry alone here. */
static bool do_register(struct script *s, const json_t *command)
{
    const json_t *name = json_object_get(command, "name");
    struct instance *in = find_instance(s, name != NULL ? text_of(command, "name") : s->current);
    return (in != NULL && in->inst != NULL) || failed(s, "there is no such instance");
}

static bool do_command(struct script *s, const json_t *command)
{
    const char *type = text_of(command, "type");
    if (strcmp(type, "module") == 0)
        return do_module(s, command, false);
    if (strcmp(type, "module_definition") == 0)
        return do_module(s, command, true);
    if (strcmp(type, "module_instance") == 0)
        return do_instance(s, command);
    if (strcmp(type, "assert_return") == 0 || strcmp(type, "action") == 0 ||
        strcmp(type, "invoke") == 0)
        return do_return(s, command);
    if (strcmp(type, "assert_trap") == 0)
        return do_trap(s, command);
    if (strcmp(type, "assert_invalid") == 0 || strcmp(type, "assert_malformed") == 0)
        return do_invalid(s, command);
    if (strcmp(type, "assert_unlinkable") == 0)
        return do_unlinkable(s, command);
    if (strcmp(type, "assert_uninstantiable") == 0)
        return do_uninstantiable(s, command);
    if (strcmp(type, "register") == 0)
        return do_register(s, command);
    return failed(s, "a command that the runner does not know");
}

/* Was that expected? */
static void settle(struct script *s, const json_t *command, bool ok)
{
    unsigned long line = (unsigned long)json_integer_value(json_object_get(command, "line"));
    struct wast_known *known = wast_list_find(s->cx->known, s->folder, line);
    const char *type = text_of(command, "type");
    const char *why = s->why.ptr != NULL ? (const char *)s->why.ptr : "";
    if (known != NULL)
        known->used++;
    if (ok && known == NULL) {
        s->cx->counts.passed++;
    } else if (ok) {
        s->cx->counts.failed++;
        printf("%s:%lu: %s: passes now, take it off the list (%s)\n", s->folder, line, type,
               known->reason);
    } else if (known != NULL) {
        s->cx->counts.skipped++;
        if (s->cx->verbose)
            printf("%s:%lu: %s: %s [known: %s]\n", s->folder, line, type, why, known->reason);
    } else {
        s->cx->counts.failed++;
        printf("%s:%lu: %s: %s\n", s->folder, line, type, why);
    }
}

static void done(struct script *s)
{
    for (size_t i = 0; i < s->instances.len; i++) {
        hf_instance_free(s->instances.ptr[i].inst);
        hf_component_unref(s->instances.ptr[i].component);
    }
    for (size_t i = 0; i < s->definitions.len; i++)
        hf_component_unref(s->definitions.ptr[i].component);
    HF_VEC_DONE(&s->instances);
    HF_VEC_DONE(&s->definitions);
    hf_arena_done(&s->arena);
    hf_buf_done(&s->why);
}

static void name_folder(struct script *s)
{
    size_t len = strlen(s->dir), at;
    while (len > 0 && s->dir[len - 1] == '/')
        len--;
    unsigned slashes = 0;
    for (at = len; at > 0; at--)
        if (s->dir[at - 1] == '/' && ++slashes == 2)
            break;
    snprintf(s->folder, sizeof s->folder, "%.*s", (int)(len - at), s->dir + at);
}

bool wast_run(struct wast_cx *cx, const char *dir)
{
    struct script s = {.cx = cx, .dir = dir};
    char path[1024];
    json_error_t error;
    json_t *command;
    size_t i;
    snprintf(path, sizeof path, "%s/commands.json", dir);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    const json_t *commands = json_object_get(root, "commands");
    if (!json_is_array(commands)) {
        printf("%s: no commands: %s\n", path, root == NULL ? error.text : "another form");
        json_decref(root);
        return false;
    }
    name_folder(&s);
    for (size_t k = 0; k < cx->known->len; k++)
        cx->known->ptr[k].ran |= strcmp(cx->known->ptr[k].folder, s.folder) == 0;
    hf_arena_init(&s.arena, 4096, 16u << 20);
    json_array_foreach(commands, i, command)
    {
        hf_buf_clear(&s.why);
        settle(&s, command, do_command(&s, command));
    }
    done(&s);
    json_decref(root);
    return true;
}
