/* support.h - a world for tests of the console: a node that is played (tasks are done when the test
 * says so, or at once), and the admin door behind a gateway in a world in memory. */
#ifndef HF_TESTS_CONSOLE_SUPPORT_H
#define HF_TESTS_CONSOLE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "console/inside.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "kernel/kernel.h"
#include "os/fake.h"
#include "store/kv.h"

#define TOKEN "0123456789abcdef"

struct played { /* the node */
    struct hf_admin_ops ops;
    struct hf_picture picture;
    struct hf_meter meters[2];
    bool log_json, stopping;
    bool later;                 /* tasks wait for played_finish */
    struct hf_admin_task *task; /* the one begun last and not ended */
    unsigned begun, ended;
    struct hf_buf said; /* one line a task: kind name id bytes */
    uint16_t http;      /* what changes come to; 0 = 200 */
    int code;
    const char *text;
    uint64_t number;
    /* messages to processes: `text` and `kind` are the answer, unless `later` */
    struct hf_admin_post *post; /* the one that waits */
    struct hf_blob *blob;       /* of the last one; the test's */
    enum hf_answer_kind kind;
    unsigned posts, posts_ended;
};
/* Two workers, services a and b, five instances, some requests. */
void played_init(struct played *p);
void played_done(struct played *p);
void played_finish(struct played *p);
/* The answer to the message that waits; `blob` (may be NULL) is taken. */
void played_answer(struct played *p, enum hf_answer_kind kind, const char *body,
                   struct hf_blob *blob);

struct world {
    struct played node;
    struct hf_os *os;
    struct hf_os_poller *poller;
    struct hf_kernel *kernel;
    struct hf_route_table *routes;
    struct hf_gateway *gw;
    struct hf_admin *admin;
    struct hf_admin_entry entry;
    struct hf_os_addr addr;
    bool rung;
};
/* Settings may be NULL. A token is asked for when `token` is not NULL. */
void world_open(struct world *w, const char *token, const struct hf_admin_settings *s);
void world_close(struct world *w);
void world_run(struct world *w); /* until nothing moves */

struct client {
    struct world *w;
    int fd;
    struct hf_buf got;
    bool ended;
};
void client_open(struct client *c, struct world *w);
void client_send(struct client *c, const char *bytes);
void client_send_bytes(struct client *c, struct hf_view bytes);
void client_read(struct client *c); /* runs the world and reads what comes */
void client_close(struct client *c);

/* One request on its own connection: its status; the body, NUL-terminated, in *body (lent until the
 * next). */
unsigned ask(struct world *w, const char *method, const char *target, const char *fields,
             const char *content, const char **body);

#endif
