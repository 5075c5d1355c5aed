/* Resources used wrongly: each ends this guest (or is an error value), nothing else. */
#include "hostile.h"

#include <stdlib.h>

static uint64_t leaked;

/* Pollables that nobody drops; the host's table must have an end. */
static void leak_handles(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    for (int i = 0; i < 100; i++, leaked++)
        (void)wasi_clocks_monotonic_clock_subscribe_duration(UINT64_C(3600000000000));
    answer_number(out, leaked);
}

static void flood_handles(hf_request request, hf_outparam out)
{
    (void)request;
    (void)out;
    for (;;)
        (void)wasi_clocks_monotonic_clock_subscribe_duration(UINT64_C(3600000000000));
}

static void use_dropped(hf_request request, hf_outparam out)
{
    wasi_http_types_borrow_incoming_request_t gone =
        wasi_http_types_borrow_incoming_request(request);
    service_string_t path;
    (void)out;
    wasi_http_types_incoming_request_drop_own(request);
    (void)wasi_http_types_method_incoming_request_path_with_query(gone, &path);
}

static void use_wrong_type(hf_request request, hf_outparam out)
{
    wasi_io_poll_borrow_pollable_t wrong = {.__handle = request.__handle};
    (void)out;
    wasi_io_poll_method_pollable_block(wrong);
}

static void use_invented(hf_request request, hf_outparam out)
{
    wasi_io_poll_borrow_pollable_t invented = {.__handle = 123456789};
    (void)request;
    (void)out;
    wasi_io_poll_method_pollable_block(invented);
}

static void drop_twice(hf_request request, hf_outparam out)
{
    (void)out;
    wasi_http_types_incoming_request_drop_own(request);
    wasi_http_types_incoming_request_drop_own(request);
}

/* A body with its stream alive: dropping the parent first is an error that traps. */
static void drop_parent(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    (void)request;
    begin(&reply, out);
    wasi_http_types_outgoing_body_drop_own(reply.body);
    say(&reply, "not reached\n");
}

static void poll_nothing(hf_request request, hf_outparam out)
{
    wasi_io_poll_list_borrow_pollable_t list = {.ptr = NULL, .len = 0};
    service_list_u32_t ready;
    (void)request;
    wasi_io_poll_poll(&list, &ready);
    hf_reply_text(out, 500, "an empty poll returned\n");
}

/* Duplicates are allowed, and each is reported. */
static void poll_twice(hf_request request, hf_outparam out)
{
    wasi_io_poll_own_pollable_t timer = wasi_clocks_monotonic_clock_subscribe_duration(1000000);
    wasi_io_poll_borrow_pollable_t handle = wasi_io_poll_borrow_pollable(timer);
    wasi_io_poll_borrow_pollable_t both[] = {handle, handle};
    wasi_io_poll_list_borrow_pollable_t list = {.ptr = both, .len = 2};
    service_list_u32_t ready;
    wasi_http_types_incoming_request_drop_own(request);
    wasi_io_poll_poll(&list, &ready);
    answer_number(out, ready.len);
    service_list_u32_free(&ready);
    wasi_io_poll_pollable_drop_own(timer);
}

/* Errors that are values, not traps: the second taking of what can be taken once. */
static void take_twice(hf_request request, hf_outparam out)
{
    wasi_http_types_borrow_incoming_request_t handle =
        wasi_http_types_borrow_incoming_request(request);
    wasi_http_types_own_incoming_body_t first, second;
    bool once = wasi_http_types_method_incoming_request_consume(handle, &first);
    bool twice = wasi_http_types_method_incoming_request_consume(handle, &second);
    hf_reply_text(out, 200, once && !twice ? "once\n" : "wrong\n");
    wasi_http_types_incoming_body_drop_own(first);
    wasi_http_types_incoming_request_drop_own(request);
}

static void set_twice(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "first\n");
    hf_reply_text(out, 200, "second\n");
}

/* Arguments that point outside the memory. */
static void bad_pointer(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    service_list_u8_t wild = {.ptr = (uint8_t *)UINT32_C(0xffff0000), .len = 1024};
    wasi_io_streams_stream_error_t error;
    (void)request;
    begin(&reply, out);
    (void)wasi_io_streams_method_output_stream_write(
        wasi_io_streams_borrow_output_stream(reply.stream), &wild, &error);
}

const struct path handle_paths[] = {
    {"/leakhandles", leak_handles, "keeps 100 timers more each time, answers the total"},
    {"/flood-handles", flood_handles, "makes timers without end"},
    {"/use-dropped", use_dropped, "uses a handle it dropped"},
    {"/wrong-type", use_wrong_type, "uses a request as a pollable"},
    {"/invented", use_invented, "uses a handle it made up"},
    {"/drop-twice", drop_twice, "drops a handle twice"},
    {"/drop-parent", drop_parent, "drops a body before its stream"},
    {"/poll-nothing", poll_nothing, "polls an empty list"},
    {"/poll-twice", poll_twice, "polls one timer listed twice, answers 2"},
    {"/take-twice", take_twice, "takes the request's body twice, answers `once`"},
    {"/set-twice", set_twice, "answers twice"},
    {"/bad-pointer", bad_pointer, "passes bytes outside its memory"},
    {NULL, NULL, NULL},
};
