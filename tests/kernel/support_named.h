/* support_named.h - a stage for named processes: puppets that do what their script says, and a log
 * of all that is seen.
 *
 * A puppet handles its n-th message by the n-th script given for its name (or the class's, if there
 * are no more). Words of a script, apart by blanks; NAME,BODY where a target is needed. `+` after a
 * verb: inherit; `=`: a blob of its own:
 *
 *     r respond                R:NAME respond with a capability     q refuse (full)
 *     s send                   t tell                               p tell, parking
 *     P send, parking          f forward; B, parking                d defer
 *     k ask, and log the answer; j ask whoever the last such answer carried the capability of
 *     a answer the oldest token, a:NUMBER any                       A drop it
 *     c cancel the last sent   v log the state                      b take and drop the blob
 *     w wait for the gate      u wait till unwanted                 x retire
 *     n take the next message (RUN shape), waiting for it
 *     F fail (dead)            L fail (limited)
 *     S:NAME spawn class/key or class; M the same with a monitor; N with a link
 *     m monitor                l link                               U unwatch the last
 *     K kill the last child    O stop it
 *     g:NAME the next send or `r` carries NAME's capability; G:NAME carries it 65 times
 *     h:NAME keep              H:NAME drop                          ?:NAME log whether held
 *     T timer in 10 ms         C clear it                           i:MS timeout of the next send
 *     e it keeps what has no image                                  E no more
 *
 * What a verb says is logged unless it is ok; so is every message, and every answer to a port.
 *
 * A test file that is included with STAGE_FAR defined runs its scenarios with each class on another
 * of three kernels (its letter says which), under some seeds that say how letters fall between each
 * other. Then only the order of what each process sees and says is compared, not how those of
 * different processes fall between each other. Scenarios in `near_only` are left out.
 */
#ifndef HF_TESTS_KERNEL_SUPPORT_NAMED_H
#define HF_TESTS_KERNEL_SUPPORT_NAMED_H

#include "kernel/named_int.h"
#include "support.h"
#include "support_far.h"

struct script {
    struct hf_list in_stage;
    char name[64], words[256];
};

struct keeper; /* support_spill.h */

struct stage {
    struct net net;
    uint64_t rnd;
    struct hf_kernel *k; /* the first one: of the ports */
    struct keeper *keeper; /* of the first kernel; NULL: nobody is evicted. Moves are done as the stage
                            * runs, unless late */
    struct hf_port port;
    uint64_t now;
    struct hf_buf log;
    struct hf_list scripts, puppets;
    struct hf_wait gate;
    size_t n_puppets, n_posts, n_told;
    bool held; /* acknowledge nothing */
    uint64_t seen_seq;
    const char *defaults; /* script of who has none */
};

extern const struct hf_behaviour puppet_behaviour;

void stage_open(struct stage *s);
void stage_open_with(struct stage *s, const struct hf_kernel_settings *ks);
void stage_close(struct stage *s); /* checks that nothing is left */
/* From now on (before any class has a process) idle ones past the kernel's bound are evicted. */
void stage_spill(struct stage *s, struct keeper *r);
/* May message and spawn everybody, unless grants or spawns say otherwise. */
struct hf_class *stage_class(struct stage *s, const char *name, struct hf_named_settings ns);
void stage_classes(struct stage *s, const char *letters); /* one class a letter, all defaults */
void stage_script(struct stage *s, const char *name, const char *words);
/* `blob`: NULL, none. Returns the id. */
uint64_t stage_post(struct stage *s, const char *target, const char *body, const char *blob);
void stage_go(struct stage *s, const char *target); /* posts "go" and runs */
enum hf_err stage_try_post(struct stage *s, const char *target, const char *body, const char *blob,
                           uint64_t timeout_ns, uint64_t *id);
/* Runs till nothing is runnable, takes and acknowledges batches, flushes; checks the blobs. */
void stage_run(struct stage *s);
void stage_gate(struct stage *s); /* whoever waits at the gate now goes on */
void stage_pass(struct stage *s, uint64_t ns);
/* All of the log since the last one. */
void expect(struct stage *s, const char *lines);
void stage_check_blobs(const struct stage *s);
/* How many kernels the next stages have, and their seed. */
void stage_far(uint32_t kernels, uint64_t seed);
struct hf_kernel *stage_home(struct hf_kernel *k, struct hf_view name);
uint32_t stage_count(struct hf_kernel *k, uint32_t (*count)(const struct hf_kernel *k));
void stage_message_stats(struct hf_kernel *k, struct hf_message_stats *ret);
int stage_run_far(const struct CMUnitTest *tests, size_t n, const char *const *near_only);
/* What there is to find in `hf_named_inspect`. */
bool stage_shows(const struct stage *s, const char *name, const char *text);

#ifdef STAGE_FAR
#define hf_named_kill(k, name, why)   hf_named_kill(stage_home(k, name), name, why)
#define hf_named_stop(k, name)        hf_named_stop(stage_home(k, name), name)
#define hf_named_suspend(k, name)     hf_named_suspend(stage_home(k, name), name)
#define hf_named_resume(k, name)      hf_named_resume(stage_home(k, name), name)
#define hf_named_wake(k, name, r)     hf_named_wake(stage_home(k, name), name, r)
#define hf_named_count(k)             stage_count(k, hf_named_count)
#define hf_kernel_processes(k)        stage_count(k, hf_kernel_processes)
#define hf_message_get_stats(k, ret)  stage_message_stats(k, ret)
#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    stage_run_far(tests, HF_ARRAY_LEN(tests), near_only)
#endif

#endif
