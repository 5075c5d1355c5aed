/* host_cli.c - wasi:cli: environment, exit, standard streams: a command's own (host_stdio.c), a service's at its end and the log.
 *
 * What a guest prints goes to the log a line at a time (guest_log.c). exit unwinds the instance: it never returns to the guest (service.c tells it from a trap by `exited`).
 */
#include "host/guest.h"

#include <unistd.h>

/* ---- environment ----------------------------------------------------------------------------------------- */

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

static enum hf_err get_environment(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const char *const *env = hf_guest_settings(hf_guest_of(call))->env;
    size_t n = count(env);
    struct hf_value *v = hf_call_alloc(call, (n * 3 + 1) * sizeof *v);
    (void)args;
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    for (size_t i = 0; i < n; i++) {
        struct hf_view pair = hf_view_of(env[i]);
        size_t eq = hf_view_find(pair, '=');
        struct hf_value *kv = v + n + i * 2;
        kv[0] = hf_value_bytes(hf_view_take(pair, eq));
        kv[1] = hf_value_bytes(hf_view_skip(pair, eq + 1));
        v[i] = (struct hf_value){.items = kv, .len = 2};
    }
    result->items = v;
    result->len = (uint32_t)n;
    return HF_OK;
}

static enum hf_err get_arguments(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const char *const *list = hf_guest_settings(hf_guest_of(call))->args;
    size_t n = count(list);
    struct hf_value *v = hf_call_alloc(call, (n + 1) * sizeof *v);
    (void)args;
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    for (size_t i = 0; i < n; i++)
        v[i] = hf_value_bytes(hf_view_of(list[i]));
    result->items = v;
    result->len = (uint32_t)n;
    return HF_OK;
}

static enum hf_err initial_cwd(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args, (void)result; /* none */
    return HF_OK;
}

/* ---- exit ------------------------------------------------------------------------------------------------ */

static enum hf_err leave(struct hf_call *call, uint8_t code)
{
    struct hf_guest *g = hf_guest_of(call);
    g->exited = true;
    g->exit_code = code;
    return hf_call_trap(call, "wasi:cli/exit with code %u", code);
}

static enum hf_err do_exit(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)result;
    return leave(call, args[0].tag == 0 ? 0 : 1);
}

static enum hf_err exit_with_code(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)result;
    return leave(call, (uint8_t)args[0].u64);
}

/* ---- standard streams ------------------------------------------------------------------------------------ */

struct log_stream {
    struct hf_out_stream out;
    struct hf_wait wait;
    enum hf_log_stream which;
};

static enum hf_err log_room(struct hf_out_stream *s, uint64_t *ret)
{
    (void)s;
    *ret = 64 * 1024;
    return HF_OK;
}

static enum hf_err log_write(struct hf_out_stream *s, struct hf_view bytes)
{
    struct log_stream *l = HF_CONTAINER_OF(s, struct log_stream, out);
    hf_guest_log_write(s->obj.guest, l->which, bytes);
    return HF_OK;
}

static enum hf_err log_flush(struct hf_out_stream *s)
{
    (void)s;
    return HF_OK;
}

static struct hf_wait *log_wait(struct hf_out_stream *s)
{
    return &HF_CONTAINER_OF(s, struct log_stream, out)->wait;
}

static const struct hf_out_ops log_ops = {log_room, log_write, log_flush, log_wait, NULL};

static void log_destroy(struct hf_obj *obj)
{
    hf_wait_done(log_wait(HF_CONTAINER_OF(obj, struct hf_out_stream, obj)));
}

struct hf_out_stream *hf_log_stream_new(struct hf_guest *g, enum hf_log_stream which)
{
    struct log_stream *l = hf_obj_new(g, sizeof *l, "output-stream", NULL, log_destroy);
    if (l == NULL)
        return NULL;
    hf_wait_init(&l->wait, true);
    l->out.ops = &log_ops;
    l->which = which;
    return &l->out;
}

bool hf_out_stream_is_log(struct hf_out_stream *s, enum hf_log_stream *which)
{
    if (s->ops == &log_ops)
        *which = HF_CONTAINER_OF(s, struct log_stream, out)->which;
    return s->ops == &log_ops;
}

static enum hf_err get_out(struct hf_call *call, enum hf_log_stream which, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    result->obj = hf_guest_settings(g)->stdio != NULL ? hf_stdio_out(g, which == HF_LOG_STDOUT ? 1 : 2) : hf_log_stream_new(g, which);
    return result->obj == NULL ? hf_call_limit(call, "host memory for streams") : HF_OK;
}

static enum hf_err get_stdin(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    (void)args;
    result->obj = hf_guest_settings(g)->stdio != NULL ? hf_stdio_in(g) : hf_in_stream_empty(g, NULL);
    return result->obj == NULL ? hf_call_limit(call, "host memory for streams") : HF_OK;
}
static enum hf_err get_stdout(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return get_out(call, HF_LOG_STDOUT, result);
}
static enum hf_err get_stderr(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return get_out(call, HF_LOG_STDERR, result);
}

/* option<terminal-input>, option<terminal-output>: there when the descriptor is one. */
static enum hf_err get_terminal(struct hf_call *call, unsigned which, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    const int *fds = hf_guest_settings(g)->stdio;
    *result = hf_value_case(0, NULL);
    if (fds == NULL || isatty(fds[which]) != 1)
        return HF_OK;
    struct hf_value *v = hf_call_alloc(call, sizeof *v);
    struct hf_obj *obj = hf_obj_new(g, sizeof *obj, which == 0 ? "terminal-input" : "terminal-output", NULL, NULL);
    if (v == NULL || obj == NULL) {
        if (obj != NULL)
            hf_obj_release(obj);
        return hf_call_limit(call, "host memory for terminals");
    }
    *v = hf_value_obj(obj);
    *result = hf_value_case(1, v);
    return HF_OK;
}
static enum hf_err terminal_stdin(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return get_terminal(call, 0, result);
}
static enum hf_err terminal_stdout(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return get_terminal(call, 1, result);
}
static enum hf_err terminal_stderr(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return get_terminal(call, 2, result);
}

/* ---- binding --------------------------------------------------------------------------------------------- */

static const struct hf_host_resource terminal_in = {"terminal-input", hf_obj_drop};
static const struct hf_host_resource terminal_out = {"terminal-output", hf_obj_drop};
static const struct hf_binding env_table[] = {{"get-environment", get_environment},
                                              {"get-arguments", get_arguments},
                                              {"initial-cwd", initial_cwd},
                                              {NULL, NULL}};
static const struct hf_binding exit_table[] = {{"exit", do_exit}, {"exit-with-code", exit_with_code}, {NULL, NULL}};
static const struct hf_binding stdin_table[] = {{"get-stdin", get_stdin}, {NULL, NULL}};
static const struct hf_binding stdout_table[] = {{"get-stdout", get_stdout}, {NULL, NULL}};
static const struct hf_binding stderr_table[] = {{"get-stderr", get_stderr}, {NULL, NULL}};
static const struct hf_binding tin_table[] = {{"get-terminal-stdin", terminal_stdin}, {NULL, NULL}};
static const struct hf_binding tout_table[] = {{"get-terminal-stdout", terminal_stdout}, {NULL, NULL}};
static const struct hf_binding terr_table[] = {{"get-terminal-stderr", terminal_stderr}, {NULL, NULL}};

enum hf_err hf_host_bind_cli(struct hf_registry *reg, struct hf_report *report)
{
    static const struct {
        const char *iface;
        const struct hf_binding *table;
    } all[] = {
        {"wasi:cli/environment", env_table},     {"wasi:cli/exit", exit_table},
        {"wasi:cli/stdin", stdin_table},         {"wasi:cli/stdout", stdout_table},
        {"wasi:cli/stderr", stderr_table},       {"wasi:cli/terminal-stdin", tin_table},
        {"wasi:cli/terminal-stdout", tout_table}, {"wasi:cli/terminal-stderr", terr_table},
    };
    enum hf_err err = hf_registry_bind_resource(reg, "wasi:cli/terminal-input", "terminal-input", &terminal_in, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, "wasi:cli/terminal-output", "terminal-output", &terminal_out, report);
    for (size_t i = 0; i < HF_ARRAY_LEN(all) && err == HF_OK; i++)
        err = hf_registry_bind_all(reg, all[i].iface, all[i].table, report);
    return err;
}
