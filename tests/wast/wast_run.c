/* wast_run.c - runs the commands of one suite file in order.
 *
 * A command either ends as the suite says or its failure is told in words; whether that failure was
 * expected is decided in one place (settle). Definitions and instances are kept by name, as the
 * script language has them.
 */
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "wast_script.h"

#define ARENA_BYTES_MAX ((size_t)1 << 30)

/* ---- modules and instances ---- */

static struct instance *find_instance(struct script *s, const char *name)
{
    for (size_t i = s->instances.len; i-- > 0;)
        if (strcmp(s->instances.ptr[i].name, name) == 0)
            return &s->instances.ptr[i];
    return NULL;
}

/* The instance that a command means; NULL: told. */
static struct instance *the_instance(struct script *s, const json_t *json, const char *key)
{
    const char *name = json_object_get(json, key) != NULL ? wast_text(json, key) : s->current;
    struct instance *in = find_instance(s, name);
    if (in != NULL && in->started)
        return in;
    s->refused = in != NULL && in->code.refused;
    wast_failed(s, "there is no such instance");
    return NULL;
}

/* Makes an instance of `code`, which becomes the current one. Takes code. */
static bool instantiate(struct script *s, const char *name, struct code code)
{
    struct instance one = {.code = code};
    struct hf_report report = {0};
    snprintf(one.name, sizeof one.name, "%s", name);
    snprintf(s->current, sizeof s->current, "%s", name);
    bool loaded = code.component != NULL || code.module != NULL;
    enum hf_err err = loaded ? wast_start(s, &one, &report) : HF_NOT_FOUND;
    HF_ASSERT(HF_VEC_PUSH(&s->instances, one));
    s->refused |= code.refused;
    if (!loaded)
        return wast_failed(s, "there is no such component, or it was refused");
    return err == HF_OK || wast_failed(s, "start: %s: %s", hf_err_text(err), report.text);
}

/* A refusal has to name what it refuses. */
static bool names_something(const struct hf_report *report)
{
    return strstr(report->text, "uses ") != NULL ||
           strstr(report->text, "not known here") != NULL ||
           strstr(report->text, "offered here") != NULL;
}

static bool do_module(struct script *s, const json_t *command, bool definition)
{
    struct code code;
    struct hf_report report = {0};
    enum hf_err err = wast_load(s, command, &code, &report);
    if (code.refused && !names_something(&report))
        code.refused = false;
    s->refused = code.refused;
    /* A definition that nobody instantiates has to be valid, no more: it may import what is not
     * here. */
    if (definition && code.refused)
        err = HF_OK;
    if (err != HF_OK)
        wast_failed(s, "load: %s: %s", hf_err_text(err), report.text);
    if (!definition)
        return instantiate(s, wast_text(command, "name"), code) && err == HF_OK;
    struct definition one = {.code = code};
    snprintf(one.name, sizeof one.name, "%s", wast_text(command, "name"));
    HF_ASSERT(HF_VEC_PUSH(&s->definitions, one));
    return err == HF_OK;
}

/* Without a name the newest definition is meant. */
static bool do_instance(struct script *s, const json_t *command)
{
    const char *name = wast_text(command, "module");
    struct code code = {.refused = false};
    for (size_t i = s->definitions.len; i-- > 0;)
        if (strcmp(s->definitions.ptr[i].name, name) == 0) {
            code = wast_code_ref(&s->definitions.ptr[i].code);
            break;
        }
    return instantiate(s, wast_text(command, "instance"), code);
}

/* Gives an instance a second name, under which core modules import from it. (Components import from
 * the registry alone.) */
static bool do_register(struct script *s, const json_t *command)
{
    struct registered one;
    const struct instance *in = the_instance(s, command, "name");
    if (in == NULL)
        return false;
    if (in->code.module == NULL)
        return true;
    one.core = in->core;
    snprintf(one.name, sizeof one.name, "%s", wast_text(command, "as"));
    HF_ASSERT(HF_VEC_PUSH(&s->registered, one));
    return true;
}

/* ---- actions ---- */

struct outcome {
    enum hf_err err;
    const char *text; /* of a failure */
    const struct instance *in;
    const struct hf_export *export; /* a component's */
    struct wast_core_result core;   /* a module's */
    struct hf_report report;
};

static bool read_args(struct script *s, const json_t *json, const struct hf_ftype *f,
                      struct hf_value *args, size_t max)
{
    struct hf_report report = {0};
    size_t n = json_array_size(json);
    if (n != f->n_params || n > max)
        return wast_failed(s, "%zu arguments for %u parameters", n, f->n_params);
    for (size_t i = 0; i < n; i++)
        if (wast_value(json_array_get(json, i), f->params[i].type, &s->arena, &args[i], &report) !=
            HF_OK)
            return wast_failed(s, "argument %zu: %s", i + 1, report.text);
    return true;
}

static bool call_component(struct script *s, const json_t *action, struct outcome *o)
{
    struct hf_instance *inst = o->in->inst;
    struct hf_value args[64];
    const char *field = wast_text(action, "field");
    const char *hash = strchr(field, '#'); /* "interface#function" */
    char iface[128] = "";
    if (hash != NULL)
        snprintf(iface, sizeof iface, "%.*s", (int)(hash - field), field);
    o->export = hf_component_find(o->in->code.component, iface, hash != NULL ? hash + 1 : field);
    if (o->export == NULL)
        return wast_failed(s, "there is no such export: %s", field);
    const json_t *json = json_object_get(action, "args");
    const struct hf_ftype *f = hf_export_type(o->export);
    if (!read_args(s, json, f, args, HF_ARRAY_LEN(args)))
        return false;
    o->err = hf_instance_call(inst, o->export, args, f->n_params);
    if (o->err == HF_OK)
        o->err = wast_poll(inst);
    o->text = hf_instance_report(inst)->text;
    return true;
}

/* Begins the call of an action and runs it. False (told): it could not even be begun. */
static bool invoke(struct script *s, const json_t *action, struct outcome *o)
{
    memset(o, 0, sizeof *o);
    o->in = the_instance(s, action, "module");
    if (o->in == NULL)
        return false;
    if (strcmp(wast_text(action, "type"), "invoke") != 0)
        return wast_failed(s, "an action that the runner does not know: %s",
                           wast_text(action, "type"));
    hf_arena_reset(&s->arena);
    if (o->in->code.component != NULL)
        return call_component(s, action, o);
    o->err =
        wast_core_invoke(&s->core, o->in->code.module, &o->in->core, action, &o->core, &o->report);
    o->text = o->report.text;
    return o->err == HF_OK || o->err == HF_TRAP || wast_failed(s, "%s", o->text);
}

static bool check_result(struct script *s, const struct hf_ftype *f, const struct hf_value *got,
                         const json_t *wanted)
{
    struct hf_value want;
    struct hf_report report = {0};
    if ((f->result == NULL) != (json_array_size(wanted) == 0))
        return wast_failed(s, f->result == NULL ? "no result" : "an unexpected result");
    if (f->result == NULL)
        return true;
    HF_ASSERT(got != NULL);
    if (wast_value(json_array_get(wanted, 0), f->result, &s->arena, &want, &report) != HF_OK)
        return wast_failed(s, "the expected result: %s", report.text);
    if (hf_value_eq(f->result, got, &want))
        return true;
    struct hf_buf a = {0}, b = {0};
    if (hf_value_print(f->result, got, &a) == HF_OK &&
        hf_value_print(f->result, &want, &b) == HF_OK)
        wast_failed(s, "got %s, wanted %s", (char *)a.ptr, (char *)b.ptr);
    else
        wast_failed(s, "another result");
    hf_buf_done(&a);
    hf_buf_done(&b);
    return false;
}

static bool do_return(struct script *s, const json_t *command)
{
    struct outcome o;
    if (!invoke(s, json_object_get(command, "action"), &o))
        return false;
    if (o.err != HF_OK)
        return wast_failed(s, "%s: %s", hf_err_text(o.err), o.text);
    const json_t *expected = json_object_get(command, "expected");
    if (expected == NULL)
        return true;
    if (o.export == NULL)
        return wast_core_equals(&o.core, expected) || wast_failed(s, "another result");
    return check_result(s, hf_export_type(o.export), hf_instance_result(o.in->inst), expected);
}

/* ---- failures that are wanted ---- */

/* Messages of other engines that say the same as ours in other words. */
static const struct {
    const char *theirs, *ours;
} same_words[] = {
    {"string pointer not aligned to 2", "unaligned pointer: string"},
    {"uncaught exception propagated out of component", "thrown Wasm exception"},
};

static bool same_discriminant(const char *text, const char *wanted)
{
    unsigned disc, cases;
    char ours[64];
    if (sscanf(wanted, "discriminant %u out of range [0..%u)", &disc, &cases) != 2)
        return false;
    snprintf(ours, sizeof ours, "invalid variant discriminant %u: ", disc);
    const char *at = strstr(text, ours);
    snprintf(ours, sizeof ours, " has %u cases", cases);
    return at != NULL && strstr(at, ours) != NULL;
}

/* The suite writes some messages with a prefix of the engine they come from. */
static bool contains(const char *text, const char *wanted)
{
    static const char prefix[] = "wasm trap: ";
    if (strncmp(wanted, prefix, sizeof prefix - 1) == 0)
        wanted += sizeof prefix - 1;
    for (size_t i = 0; i < HF_ARRAY_LEN(same_words); i++)
        if (strcmp(wanted, same_words[i].theirs) == 0)
            wanted = same_words[i].ours;
    return strstr(text, wanted) != NULL || same_discriminant(text, wanted);
}

static bool do_trap(struct script *s, const json_t *command)
{
    struct outcome o;
    if (!invoke(s, json_object_get(command, "action"), &o))
        return false;
    if (o.err != HF_TRAP)
        return wast_failed(s, "wanted a trap, got %s: %s", hf_err_text(o.err),
                           o.err == HF_OK ? "" : o.text);
    return contains(o.text, wast_text(command, "text")) ||
           wast_failed(s, "wanted \"%s\", got \"%s\"", wast_text(command, "text"), o.text);
}

/* Not valid: the validator says so, or the text cannot even be read. */
static bool do_invalid(struct script *s, const json_t *command)
{
    struct code code;
    struct hf_report report = {0};
    enum hf_err err = wast_load(s, command, &code, &report);
    wast_code_done(&code);
    return err == HF_INVALID ||
           wast_failed(s, "wanted invalid (%s), got %s: %s", wast_text(command, "text"),
                       hf_err_text(err), report.text);
}

/* Valid, but what it imports is not there or is another thing. */
static bool do_unlinkable(struct script *s, const json_t *command)
{
    struct instance one = {.started = false};
    struct hf_report report = {0};
    enum hf_err err = wast_validate(s, command, &report);
    if (err != HF_OK)
        return wast_failed(s, "wanted unlinkable, got %s: %s", hf_err_text(err), report.text);
    err = wast_load(s, command, &one.code, &report);
    if (err == HF_OK)
        err = wast_start(s, &one, &report);
    wast_stop(&one);
    return err == HF_UNSUPPORTED || err == HF_INVALID ||
           wast_failed(s, "wanted unlinkable (%s), got %s: %s", wast_text(command, "text"),
                       hf_err_text(err), report.text);
}

static bool do_uninstantiable(struct script *s, const json_t *command)
{
    struct instance one = {.started = false};
    struct hf_report report = {0};
    enum hf_err err = wast_load(s, command, &one.code, &report);
    bool loaded = err == HF_OK;
    s->refused = one.code.refused;
    if (loaded)
        err = wast_start(s, &one, &report);
    bool ok = loaded && err == HF_TRAP && contains(report.text, wast_text(command, "text"));
    if (!ok)
        wast_failed(s, "wanted a start that traps (%s), got %s: %s", wast_text(command, "text"),
                    hf_err_text(err), report.text);
    wast_stop(&one);
    return ok;
}

/* ---- one command ---- */

static bool is_type(const json_t *command, const char *type)
{
    return strcmp(wast_text(command, "type"), type) == 0;
}

static bool do_command(struct script *s, const json_t *command)
{
    if (is_type(command, "module"))
        return do_module(s, command, false);
    if (is_type(command, "module_definition"))
        return do_module(s, command, true);
    if (is_type(command, "module_instance"))
        return do_instance(s, command);
    if (is_type(command, "assert_return") || is_type(command, "action") ||
        is_type(command, "invoke"))
        return do_return(s, command);
    if (is_type(command, "assert_trap") || is_type(command, "assert_exhaustion"))
        return do_trap(s, command);
    if (is_type(command, "assert_invalid") || is_type(command, "assert_malformed"))
        return do_invalid(s, command);
    if (is_type(command, "assert_unlinkable"))
        return do_unlinkable(s, command);
    if (is_type(command, "assert_uninstantiable"))
        return do_uninstantiable(s, command);
    if (is_type(command, "register"))
        return do_register(s, command);
    return wast_failed(s, "a command that the runner does not know: %s",
                       wast_text(command, "type"));
}

/* Was that expected? */
static void settle(struct script *s, const json_t *command, bool ok)
{
    json_int_t line = json_integer_value(json_object_get(command, "line"));
    struct wast_known *known =
        line <= 0 ? NULL : wast_list_find(s->cx->known, s->folder, (unsigned long)line);
    const char *type = wast_text(command, "type");
    const char *why = s->why.ptr != NULL ? (const char *)s->why.ptr : "";
    if (known == NULL && !ok && s->refused)
        known = wast_list_find(s->cx->known, s->folder, 0);
    if (known != NULL)
        known->used++;
    if (ok && known == NULL) {
        s->cx->counts.passed++;
    } else if (ok) {
        s->cx->counts.failed++;
        printf("%s:%lld: %s: passes now, take it off the list (%s)\n", s->folder, (long long)line,
               type, known->reason);
    } else if (known != NULL) {
        s->cx->counts.skipped++;
        if (s->cx->verbose)
            printf("%s:%lld: %s: %s [known: %s]\n", s->folder, (long long)line, type, why,
                   known->reason);
    } else {
        s->cx->counts.failed++;
        printf("%s:%lld: %s: %s\n", s->folder, (long long)line, type, why);
    }
}

/* ---- one folder ---- */

static void done(struct script *s)
{
    hf_store_free(s->core.store);
    for (size_t i = 0; i < s->instances.len; i++)
        wast_stop(&s->instances.ptr[i]);
    for (size_t i = 0; i < s->definitions.len; i++)
        wast_code_done(&s->definitions.ptr[i].code);
    HF_VEC_DONE(&s->instances);
    HF_VEC_DONE(&s->definitions);
    HF_VEC_DONE(&s->registered);
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
        cx->known->ptr[k].ran |= wast_list_matches(&cx->known->ptr[k], s.folder);
    hf_arena_init(&s.arena, 4096, ARENA_BYTES_MAX);
    json_array_foreach(commands, i, command)
    {
        hf_buf_clear(&s.why);
        s.refused = false;
        settle(&s, command, do_command(&s, command));
    }
    done(&s);
    json_decref(root);
    return true;
}
