/* Traps and loops, before the head is set, after it, and inside the body. */
#include "hostile.h"

#include <string.h>

static void trap_before(hf_request request, hf_outparam out)
{
    (void)request;
    (void)out;
    __builtin_trap();
}

/* The head is set and nothing of the body is written. */
static void trap_after(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    (void)request;
    begin(&reply, out);
    __builtin_trap();
}

static void trap_in_body(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    (void)request;
    begin(&reply, out);
    say(&reply, "half of it\n");
    (void)hf_reply_flush(&reply);
    __builtin_trap();
}

/* The answer was whole before the trap: the client has it, the instance must still go. */
static void trap_after_end(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "whole\n");
    __builtin_trap();
}

static void spin(hf_request request, hf_outparam out)
{
    volatile unsigned turns = 0;
    (void)request;
    (void)out;
    for (;;)
        turns = turns + 1;
}

static void spin_in_body(hf_request request, hf_outparam out)
{
    struct hf_reply reply;
    begin(&reply, out);
    say(&reply, "half of it\n");
    (void)hf_reply_flush(&reply);
    spin(request, out);
}

/* Long enough to need several time slices, then a good answer: others must be served meanwhile. */
static void busy(hf_request request, hf_outparam out)
{
    uint64_t until = wasi_clocks_monotonic_clock_now() + UINT64_C(200000000);
    wasi_http_types_incoming_request_drop_own(request);
    while (wasi_clocks_monotonic_clock_now() < until) {
        volatile unsigned turns = 0;
        while (turns < 100000)
            turns = turns + 1;
    }
    hf_reply_text(out, 200, "busy for 200 ms\n");
}

/* Ends the stack in the guest's own memory, which lies below everything else: out of bounds. */
static unsigned recurse(volatile unsigned *depth)
{
    volatile unsigned here[16];
    here[0] = *depth;
    *depth = here[0] + 1;
    if (here[0] == UINT32_MAX)
        return 0;
    return here[0] + recurse(depth) + here[15];
}

static void deep(hf_request request, hf_outparam out)
{
    volatile unsigned depth = 0;
    (void)request;
    answer_number(out, recurse(&depth));
}

/* Keeps nothing in memory, so the engine's own stack ends first. */
static uint32_t down(uint32_t depth);
static uint32_t (*volatile next)(uint32_t) = down;

static uint32_t down(uint32_t depth)
{
    return depth == UINT32_MAX ? 0 : depth ^ next(depth + 1);
}

static void deep_calls(hf_request request, hf_outparam out)
{
    (void)request;
    answer_number(out, down(0));
}

static void outside_memory(hf_request request, hf_outparam out)
{
    const volatile uint32_t *far = (const uint32_t *)UINT32_C(0xfffffff0);
    (void)request;
    answer_number(out, *far);
}

/* Through a pointer no compiler can follow: a table index that is not there. */
static void bad_call(hf_request request, hf_outparam out)
{
    volatile uintptr_t index = 100000;
    deed *nobody = (deed *)index;
    nobody(request, out);
}

static void sleep_for_ever(hf_request request, hf_outparam out)
{
    (void)request;
    (void)out;
    sleep_ns(UINT64_C(1) << 62);
}

static void late(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    sleep_ns(200 * 1000 * 1000);
    hf_reply_text(out, 200, "200 ms late\n");
}

/* Work after a whole answer is legal; the next request must not wait for it on another instance. */
static void after_work(hf_request request, hf_outparam out)
{
    wasi_http_types_incoming_request_drop_own(request);
    hf_reply_text(out, 200, "done, but working on\n");
    sleep_ns(200 * 1000 * 1000);
}

const struct path trap_paths[] = {
    {"/before-set", trap_before, "traps before the head is set"},
    {"/after-set", trap_after, "traps after it"},
    {"/in-body", trap_in_body, "traps in the middle of the body"},
    {"/after-end", trap_after_end, "traps after a whole answer"},
    {"/spin", spin, "loops for ever"},
    {"/spin-in-body", spin_in_body, "loops for ever in the middle of the body"},
    {"/busy", busy, "computes for 200 ms, then answers"},
    {"/deep", deep, "calls itself until the stack in its memory ends"},
    {"/deep-calls", deep_calls, "calls itself until the engine's stack ends"},
    {"/outside", outside_memory, "reads outside its memory"},
    {"/bad-call", bad_call, "calls a function that is not there"},
    {"/sleepforever", sleep_for_ever, "waits for a timer in 146 years"},
    {"/late", late, "answers after 200 ms"},
    {"/after-work", after_work, "answers, then stays for 200 ms"},
    {NULL, NULL, NULL},
};
