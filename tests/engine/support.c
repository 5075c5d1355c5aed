/* support.c - see support.h. */
#include "engine/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static const int wasm_signals[] = {SIGILL, SIGSEGV, SIGFPE, SIGBUS};
static struct sigaction wasm_actions[HF_ARRAY_LEN(wasm_signals)];

void signals_keep(void)
{
    struct hf_engine_settings s;
    struct hf_engine *e = NULL;
    hf_engine_settings_init(&s);
    s.pooling = false;
    if (hf_engine_new(&s, &e, NULL) != HF_OK)
        abort();
    for (size_t i = 0; i < HF_ARRAY_LEN(wasm_signals); i++)
        sigaction(wasm_signals[i], NULL, &wasm_actions[i]);
    hf_engine_free(e);
}

void signals_restore(void)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(wasm_signals); i++)
        sigaction(wasm_signals[i], &wasm_actions[i], NULL);
}

const char spins[] =
    "(module (import \"h\" \"note\" (func $note))"
    "  (func (export \"spin\") (loop (br 0)))"
    "  (func (export \"count\") (param i32) (result i32)"
    "    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    "    (local.get 0))"
    "  (func (export \"note\") (call $note)))";

struct hf_engine *make_engine(void (*change)(struct hf_engine_settings *s))
{
    struct hf_engine_settings s;
    struct hf_engine *e = NULL;
    struct hf_report report = {0};
    hf_engine_settings_init(&s);
    s.instances_max = 50;
    s.stacks_max = 20;
    signals_restore();
    if (change != NULL)
        change(&s);
    if (hf_engine_new(&s, &e, &report) != HF_OK)
        fail_msg("engine: %s", report.text);
    return e;
}

struct hf_engine *engine;

int engine_set_up(void **state)
{
    (void)state;
    engine = make_engine(NULL);
    return 0;
}

int engine_tear_down(void **state)
{
    (void)state;
    hf_engine_free(engine);
    return 0;
}

void set_no_threads(struct hf_engine_settings *s)
{
    s->compile_threads = 1;
}

void wat(const char *text, struct hf_buf *ret)
{
    struct hf_report report = {0};
    if (hf_engine_wat(text, strlen(text), ret, &report) != HF_OK)
        fail_msg("text: %s", report.text);
}

struct hf_module *make_module(struct hf_engine *e, const char *text)
{
    struct hf_buf bytes = {0};
    struct hf_report report = {0};
    struct hf_module *m = NULL;
    wat(text, &bytes);
    if (hf_module_load(e, hf_buf_view(&bytes), NULL, &m, NULL, &report) != HF_OK)
        fail_msg("module: %s", report.text);
    hf_buf_done(&bytes);
    return m;
}

struct hf_store *make_store(struct hf_engine *e)
{
    struct hf_store *s = NULL;
    struct hf_report report = {0};
    signals_restore();
    if (hf_store_new(e, NULL, &s, &report) != HF_OK)
        fail_msg("store: %s", report.text);
    return s;
}

void guest_new(struct guest *g, struct hf_engine *e, const char *text,
               const struct hf_func *imports, size_t n)
{
    struct hf_extern externs[16];
    struct hf_report report = {0};
    if (g->store == NULL)
        g->store = make_store(e);
    g->engine = e;
    g->module = make_module(e, text);
    for (size_t i = 0; i < n; i++)
        hf_extern_of_func(&imports[i], &externs[i]);
    if (hf_core_new(g->store, g->module, externs, n, &g->core, &report) != HF_OK)
        fail_msg("instance: %s", report.text);
}

void guest_done(struct guest *g)
{
    hf_store_free(g->store);
    hf_module_unref(g->module);
    *g = (struct guest){0};
}

struct hf_func core_func(struct hf_store *s, const struct hf_core *core, const char *name)
{
    struct hf_extern e;
    struct hf_func f;
    assert_true(hf_core_export(s, core, hf_view_of(name), &e));
    assert_true(hf_extern_func(&e, &f));
    return f;
}

struct hf_func guest_func(struct guest *g, const char *name)
{
    return core_func(g->store, &g->core, name);
}

struct hf_func make_import(struct hf_store *s, uint32_t n_params, uint32_t n_results,
                           hf_import_fn fn, void *env)
{
    static const enum hf_core_type i32s[] = {HF_I32, HF_I32, HF_I32, HF_I32};
    struct hf_functype t = {
        .n_params = n_params, .n_results = n_results, .params = i32s, .results = i32s};
    struct hf_func f;
    assert_int_equal(hf_func_new(s, &t, fn, env, &f), HF_OK);
    return f;
}

enum hf_err call_driver(void *ctx)
{
    struct call *c = ctx;
    return hf_store_call(c->store, &c->func, c->vals, HF_ARRAY_LEN(c->vals));
}

enum hf_err run(struct hf_store *s, hf_driver_fn fn, void *ctx)
{
    enum hf_err err = hf_store_start(s, fn, ctx);
    while (err == HF_OK && (err = hf_store_poll(s)) == HF_AGAIN)
        err = HF_OK;
    return err;
}

enum hf_err call_i32(struct guest *g, const char *name, int32_t arg, int32_t *result)
{
    struct call c = {.store = g->store, .func = guest_func(g, name)};
    c.vals[0].i32 = arg;
    enum hf_err err = hf_store_start(g->store, call_driver, &c);
    if (err != HF_OK)
        return err;
    do
        err = hf_store_poll(g->store);
    while (err == HF_AGAIN);
    if (result != NULL)
        *result = c.vals[0].i32;
    return err;
}

int in_child(void (*fn)(void *arg), void *arg)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        fn(arg);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

char *make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path;
    assert_true(asprintf(&path, "%s/hf-engine-XXXXXX", tmp == NULL ? "/tmp" : tmp) > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

void remove_dir(char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        char *path;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        assert_true(asprintf(&path, "%s/%s", dir, e->d_name) > 0);
        assert_int_equal(remove(path), 0);
        free(path);
    }
    closedir(d);
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}
