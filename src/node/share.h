/* share.h - one worker's share of each service: its class in the worker's kernel, from the first start to the last answer.
 *
 * A worker lists every share that is not gone: those that are served, those of a change that is being prepared, and those
 * that still finish what they had accepted. Counts outlive shares: a total is of a name, whatever served under it. All of it
 * belongs to the worker's thread (to nobody else's while it runs; before and after, to whoever has the node).
 */
#ifndef HF_NODE_SHARE_H
#define HF_NODE_SHARE_H

#include "base/list.h"
#include "gateway/gateway.h"
#include "host/service.h"
#include "kernel/named.h"
#include "node/app.h"
#include "node/ends.h"

struct hf_worker;

/* What became of all that was served under one name. */
struct hf_total {
    struct hf_list in_worker; /* in the order the names came */
    char *name;
    struct hf_list list;         /* hf_share.in_total: those that are not gone, oldest first */
    uint32_t shares;             /* how many */
    struct hf_ends ends;         /* of all instances */
    struct hf_class_stats gone;  /* of classes that are gone, what is counted; add those of the shares for the whole */
    struct hf_service_counts gone_counts;
};

enum hf_share_phase {
    HF_SHARE_NEW,     /* prepared: starts instances, gets no request yet (unless its name is new) */
    HF_SHARE_SERVING,
    HF_SHARE_LEAVING  /* replaced or removed: finishes what it accepted */
};
struct hf_share {
    struct hf_list in_worker; /* oldest first */
    struct hf_list in_total;
    struct hf_worker *worker;
    struct hf_app_service *service; /* a reference */
    struct hf_service_worker *host; /* NULL: a singleton whose instance is another worker's */
    struct hf_class *class;         /* NULL: not made yet (hf_shares_name) */
    struct hf_total *total;
    enum hf_share_phase phase;
    bool closed;
    bool stays; /* hf_shares_switch's */
    bool held; /* a singleton that starts when the one before it has gone */
};

/* The app that a worker's gateway routes by. */
struct hf_worker_app {
    struct hf_gateway_routes routes;
    struct hf_worker *worker;
    struct hf_app *app; /* a reference */
};

/* ---- a change, step by step; what may be done when is change.c's business ---- */

/* The kernel's settings of a class of processes but what it runs and who is told. */
struct hf_named_settings hf_named_settings_of(const struct hf_service_options *o);

/* Shares of what `to` has and this worker does not serve yet: classes are made without their names, and warmed. On failure
 * nothing is left but what hf_shares_undo puts away. */
enum hf_err hf_shares_prepare(struct hf_worker *w, struct hf_app *to, struct hf_report *report);
/* When every worker has prepared, before any switches: makes classes of processes, with their names. On failure as prepare, but
 * for classes that were made: those are closed by undo and keep their names. */
enum hf_err hf_shares_name(struct hf_worker *w, struct hf_report *report);
/* HF_OK: all that prepare made have their instances; HF_AGAIN: not yet; else one did not start, and why. */
enum hf_err hf_shares_ready(struct hf_worker *w, struct hf_report *report);
/* From here on requests go by the prepared app. Never fails. */
void hf_shares_switch(struct hf_worker *w);
/* When every worker has switched: what the app does not have any more finishes, and is put away. */
void hf_shares_retire(struct hf_worker *w);
void hf_shares_undo(struct hf_worker *w);

/* The counts of a name, or NULL. */
struct hf_total *hf_total_find(struct hf_worker *w, const char *name);
/* The share of exactly that service, or NULL. */
struct hf_share *hf_share_find(struct hf_worker *w, const struct hf_app_service *service);
/* Closes every class: the worker drains, and nothing comes any more. */
void hf_shares_close(struct hf_worker *w);
/* After the worker's kernel is freed: totals and the app. */
void hf_shares_done(struct hf_worker *w);

#endif
