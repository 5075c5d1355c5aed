/*
 * What a call of the host costs, by the guest's own clock: for each kind of call the least time of many rounds, printed as
 * "name ns". Nothing in it is of one host, so hosts can be compared.
 */
#include "service.h"

#include <string.h>

#define ROUNDS 60
#define CALLS  2000

static void scalar(void)
{
    wasi_clocks_monotonic_clock_resolution();
}

static void tuple(void)
{
    service_tuple2_u64_u64_t seed;
    wasi_random_insecure_seed_insecure_seed(&seed);
}

static void strings(void)
{
    service_list_string_t args;
    wasi_cli_environment_get_arguments(&args);
    service_list_string_free(&args);
}

static void resource(void)
{
    wasi_io_poll_pollable_drop_own(wasi_clocks_monotonic_clock_subscribe_duration(0));
}

static wasi_filesystem_types_borrow_descriptor_t folder;

static void record(void)
{
    wasi_filesystem_types_descriptor_stat_t stat;
    wasi_filesystem_types_error_code_t error;
    wasi_filesystem_types_method_descriptor_stat(folder, &stat, &error);
}

static uint64_t least(void (*call)(void))
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = wasi_clocks_monotonic_clock_now();
        for (int n = 0; n < CALLS; n++)
            call();
        uint64_t took = wasi_clocks_monotonic_clock_now() - begin;
        best = took < best ? took : best;
    }
    return best / CALLS;
}

static void say(const char *name, uint64_t ns)
{
    char text[64];
    size_t at = strlen(name), digits = 1;
    memcpy(text, name, at);
    text[at++] = ' ';
    for (uint64_t n = ns; n >= 10; n /= 10)
        digits++;
    for (size_t i = digits; i-- > 0; ns /= 10)
        text[at + i] = (char)('0' + ns % 10);
    at += digits;
    text[at++] = '\n';
    service_list_u8_t bytes = {(uint8_t *)text, at};
    wasi_io_streams_stream_error_t error;
    wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
    wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(out), &bytes, &error);
    wasi_io_streams_output_stream_drop_own(out);
}

bool exports_wasi_cli_run_run(void)
{
    wasi_filesystem_preopens_list_tuple2_own_descriptor_string_t dirs;
    say("scalar", least(scalar));
    say("tuple", least(tuple));
    say("strings", least(strings));
    say("resource", least(resource));
    wasi_filesystem_preopens_get_directories(&dirs);
    if (dirs.len > 0) {
        folder = wasi_filesystem_types_borrow_descriptor(dirs.ptr[0].f0);
        say("record", least(record));
    }
    return true;
}
