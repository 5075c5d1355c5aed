/* support.h - a world for gateway tests: an os (fake or real), a kernel with C behaviours, a
 * gateway, and clients.
 *
 * world_turn is one turn of the node's loop without waiting; the client works through the same os,
 * so with the fake one a test decides every byte and every nanosecond.
 */
#ifndef HF_TESTS_GATEWAY_SUPPORT_H
#define HF_TESTS_GATEWAY_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/gateway.h"
#include "gateway/route.h"
#include "kernel/kernel.h"
#include "kernel/turn.h"
#include "os/fake.h"

#define MS 1000000ull
#define S  1000000000ull

struct world {
    struct hf_os *os;
    bool fake;
    struct hf_os_poller *poller;
    struct hf_kernel *kernel;
    struct hf_route_table *routes;
    struct hf_gateway *gw;
    struct hf_os_addr addr;
    struct hf_class *service;
    struct hf_buf log;    /* one line a finished exchange: METHOD TARGET STATUS how in/out */
    struct hf_buf detail; /* of the last one */
    struct hf_buf about;  /* of the last one: PROTOCOL ID REFERER AGENT, each "-" when there is none */
    struct hf_trace trace; /* of the last one */
    unsigned exchanges;
    size_t events; /* of the last turn */
    bool keep_log;
    unsigned steps; /* of the kernel in one turn of the loop; 1 shows every interleaving */
};

/* Settings may be NULL; os, poller, kernel, routes and access are filled in. */
void world_open(struct world *w, const struct hf_gateway_settings *settings, bool fake);
void world_close(struct world *w);
void world_turn(struct world *w);
/* Turns until nothing moves any more (bounded). */
void world_run(struct world *w);
/* Fake time passes, and the world runs. */
void world_pass(struct world *w, uint64_t ns);
struct hf_gateway_stats world_stats(struct world *w);
/* The access log since the last call must be exactly this. */
void world_expect_log(struct world *w, const char *lines);

struct client {
    struct world *w;
    int fd;
    struct hf_buf got; /* everything read so far */
    bool ended;        /* the server closed, properly or not */
    char page[512];    /* client_page's */
};
void client_open(struct client *c, struct world *w);
/* Sends all of it, running the world as needed; false: the server closed. */
bool client_send(struct client *c, struct hf_view bytes);
#define SEND(c, lit) assert_true(client_send((c), HF_VIEW(lit)))
/* Reads what is there. */
void client_read(struct client *c);
/* Runs the world and reads until nothing moves. */
void client_run(struct client *c);
/* client_run, then: everything received since the last expect, with the date line left out, is
 * `text`. */
void client_expect(struct client *c, const char *text);
void client_expect_end(struct client *c, const char *text); /* and the server closed */
/* The gateway's own answer: what client_expect is to see. Good until the next call. */
const char *client_page(struct client *c, const char *status, const char *fields, const char *text);
#define CLOSE "connection: close\r\n"
#define RETRY "retry-after: 1\r\n"
void client_close(struct client *c);
void client_reset(struct client *c);

#define DATE_LEN 37 /* "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */

#endif
