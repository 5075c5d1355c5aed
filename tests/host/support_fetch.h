/* support_fetch.h - for tests of outgoing requests: a client that the test plays (host/fetch.h),
 * and the common deeds of scripts that ask others. */
#ifndef HF_TESTS_HOST_SUPPORT_FETCH_H
#define HF_TESTS_HOST_SUPPORT_FETCH_H

#include "host/fetch.h"
#include "host/names.h"
#include "support.h"

#define FETCHES_MAX 64
struct fetched {        /* what the client was given */
    struct hf_fetch *f; /* NULL once it is answered or cancelled */
    bool cancelled;
    struct hf_buf head_bytes;
    struct hf_head head;
    struct hf_blob_reader body; /* of the request; blob NULL: none */
    bool tls;
    char host[256];
    uint16_t port;
    struct hf_os_addr addrs[HF_NAMES_IPS_MAX];
    uint32_t n_addrs;
    uint64_t t[3];
};
struct fetcher {
    struct hf_fetch_table table;
    struct fetched all[FETCHES_MAX];
    unsigned n, asked; /* given; asked for a kept connection */
    const char *kept;  /* host with a kept connection */
    enum hf_err refuse;
};
void fetcher_init(struct fetcher *f);
void fetcher_done(struct fetcher *f);
/* An answer; `blob` (may be NULL) is its body. Then the world runs. */
void fetch_answer(struct world *w, struct fetcher *f, unsigned i, unsigned status,
                  const char *fields, struct hf_blob *blob);
void fetch_fault(struct world *w, struct fetcher *f, unsigned i, enum hf_fault_kind kind,
                 uint64_t number, const char *text);
/* The request's body so far. */
const char *fetch_body(struct fetcher *f, unsigned i, enum hf_err *end);

/* ---- for scripts ---- */
struct want {
    const char *method, *authority, *path, *fields; /* NULL: GET, none, none, "" */
    uint32_t scheme;                                /* 0 http, 1 https, 2 "ftp", 3 none */
    uint32_t *body;                                 /* not NULL: its outgoing-body */
    const uint64_t *timeouts;                       /* 3 of them; NULL: no options */
};
#define REFUSED 0x10000u /* + the error-code */
#define BROKEN  0x20000u /* the call trapped, or something before it */
/* The future's handle, REFUSED + code, or BROKEN. */
uint32_t ask(struct guest *t, const struct want *want);
/* Waits for it and takes the answer: its handle, REFUSED + code (the value in *error), or BROKEN.
 */
uint32_t wait_answer(struct guest *t, uint32_t future, struct hf_value *error);
/* consume and stream. */
bool open_answer(struct guest *t, uint32_t answer, uint32_t *body, uint32_t *stream);

#endif
