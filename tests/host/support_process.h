/* support_process.h - named processes in a test's world: each class is a service of its own (shape RUN) whose script takes its
 * messages with `receive` and calls holdfast:kernel by name. The test is a port that posts to them.
 */
#ifndef HF_TESTS_HOST_SUPPORT_PROCESS_H
#define HF_TESTS_HOST_SUPPORT_PROCESS_H

#include "kernel/named.h"
#include "support.h"

/* A class; `settings` (may be NULL) has its bounds, grants and spawns: behaviour and shape are set here. */
void world_class(struct world *w, const char *name, script_fn script, const struct hf_named_settings *settings);
/* Posts to a process; `blob` (may be NULL) is taken. The request's number. */
size_t post_to(struct world *w, const char *name, const char *body, struct hf_blob *blob);
void expect_answer(const struct world *w, size_t i, const char *body);
void expect_kind(const struct world *w, size_t i, enum hf_answer_kind kind);

/* ---- for scripts ---- Cases of the WIT, in its order. */
enum { M_REQUEST, M_RESPONSE, M_FAILURE, M_NOTICE };
enum { N_ENDED, N_EXIT, N_REFUSED, N_UNWANTED, N_TIMER };
enum { B_NONE, B_INHERIT, B_THIS };
enum refusal { R_NO_REQUEST, R_ANSWERED, R_MOVED, R_DEFERRED, R_UNWANTED, R_DENIED, R_TOO_LARGE, R_LIMIT, R_TAKEN, R_INVALID, R_OK };

struct parcel { /* what outgoing, wish and reply are made of; what is 0 is none */
    const char *target, *body, *metadata, *context;
    uint32_t blob;        /* a handle, given along */
    bool inherit, park;
    const char *cap;      /* one capability */
    uint64_t timeout_ns;
};
/* The verb `send`, `tell`, `forward` or `ask`; NULL: it trapped (t->err). */
struct hf_value *say(struct guest *t, const char *verb, const struct parcel *p);
struct hf_value *respond(struct guest *t, const struct parcel *p);
struct hf_value *answer_token(struct guest *t, uint64_t token, const struct parcel *p);
enum refusal refused(const struct hf_value *result); /* R_OK: it was not */
struct hf_value *receive(struct guest *t, uint32_t want); /* its payload; NULL: another kind came, or it ended */
uint32_t option_handle(const struct hf_value *option); /* 0: none */

#define SAID(want, result)                                                                         \
    do {                                                                                           \
        struct hf_value *said_ = (result);                                                         \
        if (said_ == NULL)                                                                         \
            return;                                                                                \
        CHECK_INT(refused(said_), want);                                                           \
    } while (0)
/* `struct hf_value *m` = the fields of the next message, which must be of this kind. */
#define RECEIVE(var, kind)                                                                         \
    struct hf_value *var = receive(t, kind);                                                       \
    if (var == NULL)                                                                               \
        return;                                                                                    \
    (void)var

#endif
