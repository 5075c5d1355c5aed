/* wast_file.c - the files that commands name: read, loaded as what they are, started. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "component/parse.h"
#include "wast_script.h"

#define RUN_SECONDS_MAX 20 /* of one call or start */
#define FILE_BYTES_MAX  (64l << 20)

bool wast_failed(struct script *s, const char *fmt, ...)
{
    char text[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *p = text; (p = strchr(p, '\n')) != NULL;) /* one line a result */
        *p = p[-1] == ':' ? ' ' : ';';
    if (s->why.len == 0) /* the first reason is the cause */
        HF_ASSERT(hf_buf_add_text(&s->why, text) == HF_OK);
    return false;
}

const char *wast_text(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* ---- reading ---- */

static bool read_file(struct script *s, const char *name, struct hf_buf *ret)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    FILE *f = fopen(path, "rb");
    uint8_t chunk[4096];
    size_t n;
    if (f == NULL || name[0] == '\0')
        return wast_failed(s, "%s cannot be read", path);
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

/* Text that was made binary already is not made so again. */
static enum hf_err read_binary(struct script *s, const json_t *command, struct hf_buf *ret,
                               struct hf_report *report)
{
    const char *name = wast_text(command, "binary_filename");
    struct hf_buf text = {0};
    if (name[0] == '\0')
        name = wast_text(command, "filename");
    if (!is_text(name))
        return read_file(s, name, ret) ? HF_OK : HF_NOT_FOUND;
    enum hf_err err = HF_NOT_FOUND;
    if (read_file(s, name, &text))
        err = hf_engine_wat((const char *)text.ptr, text.len, ret, report);
    hf_buf_done(&text);
    return err;
}

/* ---- loading ---- */

enum hf_err wast_validate(struct script *s, const json_t *command, struct hf_report *report)
{
    struct hf_buf wasm = {0};
    enum hf_err err = read_binary(s, command, &wasm, report);
    if (err == HF_OK)
        err = hf_engine_validate(s->cx->engine, hf_buf_view(&wasm), report);
    hf_buf_done(&wasm);
    return err;
}

/* hf_module_load takes bytes that the validator has seen. */
static enum hf_err load_module(struct script *s, struct hf_view bytes, struct code *ret,
                               struct hf_report *report)
{
    enum hf_err err = hf_engine_validate(s->cx->engine, bytes, report);
    if (err == HF_OK)
        err = hf_module_load(s->cx->engine, bytes, NULL, &ret->module, NULL, report);
    return err;
}

enum hf_err wast_load(struct script *s, const json_t *command, struct code *ret,
                      struct hf_report *report)
{
    struct hf_buf wasm = {0};
    *ret = (struct code){.refused = false};
    enum hf_err err = read_binary(s, command, &wasm, report);
    struct hf_view bytes = hf_buf_view(&wasm);
    if (err == HF_OK && hf_file_kind(bytes) == HF_FILE_MODULE)
        err = load_module(s, bytes, ret, report);
    else if (err == HF_OK)
        err =
            hf_component_load(s->cx->engine, s->cx->registry, bytes, NULL, &ret->component, report);
    ret->refused = err == HF_UNSUPPORTED;
    hf_buf_done(&wasm);
    return err;
}

struct code wast_code_ref(const struct code *code)
{
    struct code copy = *code;
    if (copy.component != NULL)
        hf_component_ref(copy.component);
    if (copy.module != NULL)
        hf_module_ref(copy.module);
    return copy;
}

void wast_code_done(struct code *code)
{
    hf_component_unref(code->component);
    hf_module_unref(code->module);
    *code = (struct code){.refused = false};
}

/* ---- running ---- */

enum hf_err wast_poll(struct hf_instance *inst)
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

static enum hf_err start_component(struct script *s, struct instance *in, struct hf_report *report)
{
    struct hf_instance_settings settings = {.ctx = &s->cx->host};
    enum hf_err err = hf_instance_new(in->code.component, &settings, &in->inst, report);
    if (err == HF_OK)
        err = hf_instance_start(in->inst);
    if (err == HF_OK)
        err = wast_poll(in->inst);
    if (err != HF_OK && in->inst != NULL)
        hf_report_set(report, err, "%s", hf_instance_report(in->inst)->text);
    return err;
}

static const struct hf_core *find_registered(void *ctx, struct hf_view module)
{
    struct script *s = ctx;
    for (size_t i = s->registered.len; i-- > 0;)
        if (hf_view_eq_text(module, s->registered.ptr[i].name))
            return &s->registered.ptr[i].core;
    return NULL;
}

enum hf_err wast_start(struct script *s, struct instance *in, struct hf_report *report)
{
    enum hf_err err = HF_NOT_FOUND;
    if (in->code.component != NULL)
        err = start_component(s, in, report);
    else if (in->code.module != NULL)
        err = wast_core_new(&s->core, s->cx->engine, in->code.module, find_registered, s, &in->core,
                            report);
    in->started = err == HF_OK;
    if (err != HF_OK) {
        hf_instance_free(in->inst);
        in->inst = NULL;
    }
    return err;
}

void wast_stop(struct instance *in)
{
    hf_instance_free(in->inst);
    in->inst = NULL;
    wast_code_done(&in->code);
}
