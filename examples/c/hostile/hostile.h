/*
 * A guest that does everything a host must survive, one misdeed for each path: traps, endless
 * loops, leaks, wrong bodies, misused handles. The table is in hostile.c; each file has one kind.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "holdfast_http.h"

/* One request; `request` and `out` are the deed's to drop, set or forget. */
typedef void deed(hf_request request, hf_outparam out);

struct path {
    const char *name;
    deed *run;
    const char *does;
};

/* Each table ends with an entry without a name. */
extern const struct path trap_paths[];   /* trap.c: traps, loops, deep recursion */
extern const struct path body_paths[];   /* body.c: bodies of the wrong kind and length */
extern const struct path handle_paths[]; /* handle.c: resources used wrongly */
extern const struct path memory_paths[]; /* memory.c: memory grown and leaked */
extern const struct path host_paths[];   /* host.c: clocks, random, environment, exit */

/* Starts a chunked text answer; the outparam is set or the guest traps. */
void begin(struct hf_reply *reply, hf_outparam out);

/* Adds text, or a number, to an answer; a client that left is ignored. */
void say(struct hf_reply *reply, const char *text);
void say_number(struct hf_reply *reply, uint64_t value);

/* Answers a number and a newline. */
void answer_number(hf_outparam out, uint64_t value);

/* Suspends for `ns` nanoseconds of the monotonic clock. */
void sleep_ns(uint64_t ns);

#endif
