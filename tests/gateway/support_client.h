/* support_client.h - a client over a world in memory, and the other servers, played by the test
 * byte by byte. */
#ifndef HF_TESTS_GATEWAY_SUPPORT_CLIENT_H
#define HF_TESTS_GATEWAY_SUPPORT_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/head.h"
#include "gateway/client.h"
#include "os/fake.h"
#include "tests/os/tls_peer.h"

#define MS 1000000ull
#define S  1000000000ull

struct rig {
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_client *c;
    struct hf_client_settings s;
    struct hf_blob_pool *pool;
    int listener;
    struct hf_os_addr addr;
    struct peer_cert ca, cert; /* when rig_tls was called */
    struct hf_tls_context *tls;
};
void rig_open(struct rig *r, const struct hf_client_settings *s); /* s: may be NULL */
void rig_close(struct rig *r);                                    /* nothing may be left */
void rig_run(struct rig *r);                                      /* until nothing moves */
void rig_pass(struct rig *r, uint64_t ns);
void rig_tls(struct rig *r, const char *names); /* a root, and a certificate for these names */
struct hf_client_stats rig_stats(struct rig *r);

/* What came back. */
struct got {
    struct rig *r;
    struct hf_client_call *call;
    bool done;
    struct hf_fault fault;
    struct hf_buf head_bytes;
    struct hf_head head;
    bool has_body;
    struct hf_blob_reader reader;
    struct hf_buf body;
    enum hf_err end; /* HF_AGAIN: more may come; HF_CLOSED: whole */
};
struct ask {
    const char *method, *path, *host, *fields; /* NULL: GET, /, up, none */
    struct hf_blob *blob;
    struct hf_tls_context *tls;
    uint64_t realm, connect_ns, first_byte_ns, between_ns;
    const struct hf_os_addr *addrs; /* NULL: the rig's listener */
    uint32_t n_addrs;
    bool kept_only; /* without addresses */
};
enum hf_err try_call(struct rig *r, struct got *g, const struct ask *a);
void call(struct rig *r, struct got *g, const struct ask *a); /* must start; runs */
const char *body(struct got *g); /* takes what is there, runs, and again; all so far */
void leave(struct got *g);       /* wants the body no more */
void got_done(struct got *g);
void expect_answer(struct got *g, unsigned status, const char *text); /* whole */
void expect_fault(struct got *g, enum hf_fault_kind kind, const char *words);
const char *field_of(struct got *g, const char *name); /* or NULL; static */

/* ---- the other server ---- */
int up_accept(struct rig *r); /* -1: nobody comes */
/* Everything that came since the last time; static storage. */
const char *up_read(struct rig *r, int fd);
void up_write(struct rig *r, int fd, const char *text); /* all of it; runs */
void up_bytes(struct rig *r, int fd, struct hf_view bytes);
void up_close(struct rig *r, int fd); /* a proper end; runs */
void up_reset(struct rig *r, int fd);
bool up_ended(struct rig *r, int fd); /* the client closed */

#endif
