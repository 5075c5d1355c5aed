/* support.h - a world for kernel tests: a kernel, a clock that the test turns, a port that keeps
 * what it is told, and behaviours that do what their message says.
 *
 * A message's body is a script, one letter a deed, and so is a class's start:
 *     r respond "ok"       R respond again        o respond with a blob that is still open (kept by
 * the world) w wait for the gate  y yield                s sleep 10 ms          z sleep 10 s f fail
 * (dead)        l fail (limited)       F fail saying nothing  q refuse (full) x retire u class is
 * single use  b take the blob and keep it until the next or the end g park for the gate, but
 * selective with nobody of interest At its end the turn is done.
 */
#ifndef HF_TESTS_KERNEL_SUPPORT_H
#define HF_TESTS_KERNEL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/kernel_int.h"

#define MS 1000000ull
#define S  1000000000ull

struct told { /* one answer */
    uint64_t tag;
    enum hf_answer_kind kind;
    char text[128];
    struct hf_blob *blob;
    uint64_t process, served, born_ns;
};

#define TOLD_MAX 4096u

struct world {
    struct hf_kernel *k;
    uint64_t now;
    struct hf_port port;
    struct told *told;
    size_t n_told, n_posted;
    struct hf_wait gate;
    struct hf_blob *open[64]; /* made by 'o', their producers' side */
    size_t n_open;
    struct hf_list actors;
    size_t n_actors;
    struct hf_buf log;      /* "start 1\nturn 1 #3\n..." */
    enum hf_duty last_duty; /* what the last respond returned */
    void (*on_answer)(struct world *w, struct told *told);
    bool keep_blobs;
};

struct kind { /* a class's ctx */
    struct world *w;
    const char *start;
};

extern const struct hf_behaviour actor_behaviour;

void world_init(struct world *w);
void world_init_with(struct world *w, const struct hf_kernel_settings *s);
void world_done(struct world *w); /* checks that nothing is left */
/* Defaults but for what the test sets in `s` (behaviour and ctx are filled in). */
struct hf_class *world_class(struct world *w, const char *name, struct kind *kind,
                             struct hf_class_settings s);
/* Posts; the tag is 1, 2, 3 ... Returns the id. */
uint64_t post(struct world *w, const char *target, const char *script);
uint64_t post_blob(struct world *w, const char *target, const char *script, struct hf_blob *blob);
enum hf_err try_post(struct world *w, const char *target, const char *script, uint64_t timeout_ns,
                     struct hf_blob *blob, uint64_t *id);
void run(struct world *w);               /* steps until nothing is runnable, flushes */
void steps(struct world *w, unsigned n); /* exactly n steps that run something */
void pass(struct world *w, uint64_t ns); /* time goes on, then run */
/* The answer to the n-th post; fails when there is none yet, or more than one. */
const struct told *told(const struct world *w, uint64_t tag);
size_t times_told(const struct world *w, uint64_t tag);
void expect_told(const struct world *w, uint64_t tag, enum hf_answer_kind kind, const char *text);
void check_blobs(const struct world *w); /* live == reachable */
struct hf_class_stats stats_of(const struct hf_class *c);

/* Calls of malloc, calloc and realloc so far; always 0 in sanitizer builds, which have their own.
 */
size_t mallocs(void);
bool mallocs_are_counted(void);
long mallocs_live(void); /* mallocs less frees */
/* From the n-th on (1 = the next), one malloc or all fail; 0: none. Returns whether one failed
 * since the last call. */
bool mallocs_fail(size_t n, bool all);

/* Steps until nothing is runnable, takes and acknowledges batches, flushes; asserts nothing. */
void run_kernel(struct hf_kernel *k, uint64_t now);

uint64_t rnd(uint64_t *state); /* splitmix64 */

#endif
