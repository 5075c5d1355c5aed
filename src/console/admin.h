/* admin.h - the admin door: the node over HTTP, as a native behaviour behind a gateway's route.
 *
 * A request is authorised, its endpoint found in a table (endpoints.c), its body read if it has
 * one, and answered; what takes time waits as any process does. Every failure is JSON with words
 * for people. doc/admin.md lists endpoints and shapes; JSON carries "version": 1.
 *
 * All of it belongs to one thread, the one whose kernel runs the behaviour.
 */
#ifndef HF_CONSOLE_ADMIN_H
#define HF_CONSOLE_ADMIN_H

#include "console/ops.h"
#include "kernel/behaviour.h"

#define HF_ADMIN_VERSION 1

struct hf_admin;
struct hf_admin_settings {
    const struct hf_admin_ops *ops; /* outlives the door */
    uint64_t upload_max;            /* bytes of a component; 0 = 256 MiB */
    uint32_t uploads_max;           /* at a time; 0 = 2 */
    uint32_t followers_max;         /* of the log, at a time; 0 = 16 */
};
enum hf_err hf_admin_new(const struct hf_admin_settings *s, struct hf_admin **ret);
void hf_admin_free(struct hf_admin *a); /* after its instances; NULL is fine */
/* The log has new lines: whoever follows it goes on. */
void hf_admin_news(struct hf_admin *a);
/* Followers of the log come to an end. */
void hf_admin_close(struct hf_admin *a);

/* One way in: class context of hf_admin_behaviour, outlives its class. */
struct hf_admin_entry {
    struct hf_admin *admin;
    const char *token; /* every request must bear it; NULL: none is asked for */
    bool check_host;   /* refuse authorities that are no loopback address (a browser that was
                          talked into calling us by another name) */
};
extern const struct hf_behaviour hf_admin_behaviour;

/* The token in "Bearer TOKEN" is the one asked for; takes as long wherever they differ. */
bool hf_admin_token_fits(const char *token, struct hf_view authorization);
/* 127.0.0.0/8, [::1] or localhost, with any port or none. */
bool hf_admin_host_is_loopback(struct hf_view authority);

#endif
