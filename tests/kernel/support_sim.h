/* support_sim.h - the actors of the simulation (sim_test.c): they say whatever a process can say,
 * as their world's seed chooses, and check what they are told. */
#ifndef HF_TESTS_KERNEL_SUPPORT_SIM_H
#define HF_TESTS_KERNEL_SUPPORT_SIM_H

#include "kernel/named_int.h"
#include "support.h"
#include "support_far.h"
#include "support_shelf.h"
#include "support_spill.h"

enum { NAMES = 24, OPEN = 16, POSTS = 4096, TOKENS = 8 };

#define HAPPENINGS(X)                                                                              \
    X(post)                                                                                        \
    X(port_cancel) X(send) X(tell) X(ask) X(forward) X(reply) X(refuse) X(defer) X(answer)         \
        X(drop_token) X(cancel) X(spawn) X(monitor) X(link) X(unwatch) X(timer) X(clear_timer)     \
            X(keep) X(pass_on) X(take_blob) X(fail) X(retire) X(wait) X(yield) X(kill) X(stop)     \
                X(suspend) X(resume) X(end_child) X(time) X(blob_push) X(blob_finish) X(blob_fail) \
                    X(acked) X(acked_group) X(store_full) X(store_unknown) X(store_fenced)         \
                        X(got_response) X(got_timeout) X(got_no_such) X(got_full) X(got_dead)      \
                            X(got_unanswered) X(got_limit) X(got_cancelled) X(got_cycle)           \
                                X(got_ended) X(got_exit) X(got_refused) X(got_void) X(got_timer)   \
                                    X(said_void) X(said_answered) X(said_moved) X(said_deferred)   \
                                        X(said_denied) X(said_limit) X(said_taken) X(parked)       \
                                            X(late) X(restart) X(gave_up) X(death) X(evicted) X(revived)   \
                                                X(stayed) X(spill_moved) X(spill_fails) X(spill_full)  \
                                                    X(image_lost) X(beyond) X(blob_read)                \
                                                        X(blob_moved) X(blob_written) X(blob_back)      \
                                                            X(file_fails) X(file_full) X(file_refused)
enum happening {
#define X(name) EV_##name,
    HAPPENINGS(X)
#undef X
        EV_COUNT
};
struct serial {  /* one message sent */
    uint64_t by; /* instance; 0: a port */
    uint64_t batch;
    bool wants, done, dropped, consumed, recorded;
    uint32_t kernel; /* of who sent it */
};
struct sim_store { /* of one kernel */
    uint64_t taken, acked;
    bool unknown;
};

struct sim {
    struct net net; /* one kernel, or several */
    struct sim_store stores[NET_MAX];
    struct hf_port port;
    uint64_t seed, rnd, now, events, counts[EV_COUNT];
    struct serial *serials;
    size_t n_serials, cap_serials;
    uint64_t instances, n_posted, n_told;
    bool calm, fenced, told[POSTS];
    uint64_t ids[POSTS];
    uint32_t posted_at[POSTS];
    struct hf_list actors;
    struct hf_blob *open[OPEN];
    struct hf_wait gate;
    struct keeper keepers[NET_MAX]; /* of evicted ones, each kernel's */
    struct shelf shelves[NET_MAX];  /* of bytes of blobs */
    struct hf_blob_reader reader;   /* somebody outside reads one */
    struct hf_map order; /* last number from an instance to a name */
    bool log;
};

struct actor {
    struct sim *w;
    struct hf_turn *turn;
    struct hf_list in_sim;
    uint64_t id, sent[NAMES + 1], tokens[TOKENS], last_id, last_watch, last_timer, asked;
    size_t n_tokens;
    struct hf_waiter waiter;
    struct hf_blob *kept;
    char child[HF_NAME_MAX + 1];
    bool recorded, loop, busy;
    char name[HF_NAME_MAX + 1];
    unsigned watches, fired;
};

extern const struct hf_behaviour sim_actors;
extern const char *const sim_classes[6];

/* Ends the program: a rule was broken. */
_Noreturn void sim_violation(const struct sim *w, const char *what);
#define MUST(w, cond) ((cond) ? (void)0 : sim_violation(w, #cond))

/* Bytes of an evicted one are gone, or were never kept. */
void sim_image_dropped(void *w, struct hf_view bytes);
uint64_t sim_pick(struct sim *w, uint64_t n); /* below n */
/* Bytes for a blob, more than may stay in memory, or a few. */
struct hf_view sim_bytes(struct sim *w);
bool sim_chance(struct sim *w, unsigned percent);
void sim_count(struct sim *w, enum happening kind);
void sim_name_of(unsigned i, char *ret, size_t cap);
struct hf_view sim_any_name(struct sim *w, char *buf, size_t cap);
/* "M by number serial", what every message says. */
bool sim_parse_body(struct hf_view body, uint64_t *by, uint64_t *number, uint64_t *serial);
/* What is seen was acknowledged. */
void sim_must_be_acked(struct sim *w, uint64_t serial);

#endif
