/*
 * A service with hooks. init makes what requests need, so that none of them pays for it; shutdown has the last word. The
 * environment variable HOOK makes it misbehave: fail, trap, spin (in init), last-spin, last-trap (in shutdown).
 */
#include "holdfast_http.h"

#include <string.h>

static char greeting[64];
static uint64_t count;

static void print(char *text)
{
    wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
    service_list_u8_t bytes = {(uint8_t *)text, strlen(text)};
    wasi_io_streams_stream_error_t error;
    wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(out), &bytes, &error);
    wasi_io_streams_output_stream_drop_own(out);
}

static int hook_is(const char *what)
{
    service_list_tuple2_string_string_t env;
    int is = 0;
    wasi_cli_environment_get_environment(&env);
    for (size_t i = 0; i < env.len; i++)
        if (env.ptr[i].f0.len == 4 && memcmp(env.ptr[i].f0.ptr, "HOOK", 4) == 0)
            is = env.ptr[i].f1.len == strlen(what) && memcmp(env.ptr[i].f1.ptr, what, strlen(what)) == 0;
    service_list_tuple2_string_string_free(&env);
    return is;
}

static void misbehave(const char *trap, const char *spin)
{
    if (hook_is(trap))
        __builtin_trap();
    for (volatile int i = 0; hook_is(spin); i++)
        ;
}

bool exports_service_init(service_string_t *err)
{
    misbehave("trap", "spin");
    if (hook_is("fail")) {
        service_string_dup(err, "no database today");
        return false;
    }
    strcpy(greeting, "made by init\n");
    char word[] = "init\n";
    print(word);
    return true;
}

void exports_service_shutdown(void)
{
    char text[40] = "shutdown after ";
    size_t at = strlen(text);
    misbehave("last-trap", "last-spin");
    at += hf_decimal(text + at, count);
    strcpy(text + at, "\n");
    print(text);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    count++;
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, greeting);
}
