/* The handler: finds the deed for the path. `/` lists them. */
#include "hostile.h"

#include <string.h>

static const struct path *const tables[] = {trap_paths, body_paths, handle_paths, memory_paths,
                                            host_paths};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

void begin(struct hf_reply *reply, hf_outparam out)
{
    const struct hf_header type = {"content-type", "text/plain; charset=utf-8"};
    if (!hf_reply_start(reply, out, 200, &type, 1))
        __builtin_trap();
}

void say(struct hf_reply *reply, const char *text)
{
    (void)hf_reply_write(reply, text, strlen(text));
}

void say_number(struct hf_reply *reply, uint64_t value)
{
    char digits[21];
    size_t len = hf_decimal(digits, value);
    (void)hf_reply_write(reply, digits, len);
}

void answer_number(hf_outparam out, uint64_t value)
{
    char text[22];
    size_t len = hf_decimal(text, value);
    text[len] = '\n';
    text[len + 1] = '\0';
    hf_reply_text(out, 200, text);
}

void sleep_ns(uint64_t ns)
{
    wasi_io_poll_own_pollable_t timer = wasi_clocks_monotonic_clock_subscribe_duration(ns);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(timer));
    wasi_io_poll_pollable_drop_own(timer);
}

static void list(hf_outparam out)
{
    struct hf_reply reply;
    begin(&reply, out);
    for (size_t i = 0; i < TABLES; i++) {
        for (const struct path *path = tables[i]; path->name; path++) {
            say(&reply, path->name);
            say(&reply, "  ");
            say(&reply, path->does);
            say(&reply, "\n");
        }
    }
    (void)hf_reply_end(&reply);
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char name[64];
    hf_request_path(request, name, sizeof(name));
    for (size_t i = 0; i < TABLES; i++) {
        for (const struct path *path = tables[i]; path->name; path++) {
            if (strcmp(path->name, name) == 0) {
                path->run(request, out);
                return;
            }
        }
    }
    wasi_http_types_incoming_request_drop_own(request);
    if (strcmp(name, "/") == 0)
        list(out);
    else
        hf_reply_text(out, 404, "no such deed\n");
}
