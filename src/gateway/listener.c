/* listener.c - listening sockets: connections come in, as many as are allowed (inside.h).
 *
 * When connections_max are open, or descriptors run out, nothing is accepted: the clients wait in
 * the kernel's queue, which is the one place where waiting costs us nothing.
 */
#include <stdlib.h>

#include "gateway/conn.h"

#define BACKLOG         1024
#define ACCEPTS_MAX     64u          /* in one event: others want their turn */
#define ACCEPT_PAUSE_NS 100000000ull /* out of descriptors: try again so much later */

struct hf_listener {
    struct hf_os_watch watch;
    struct hf_gateway *gw;
    int fd;
    char *path; /* of a Unix socket's file, which goes with the listener; else NULL */
    struct hf_list in_gateway;
};

static bool may_accept(const struct hf_gateway *gw)
{
    return gw->stats.open < gw->s.connections_max && gw->now_ns >= gw->accept_again_ns;
}

/* False: no more now. */
static bool accept_one(struct hf_listener *l)
{
    struct hf_gateway *gw = l->gw;
    struct hf_os *os = gw->s.os;
    struct hf_os_addr peer = {{0}};
    int fd;
    enum hf_err err = os->accept(os, l->fd, &fd, &peer);
    if (err == HF_OK)
        err = hf_conn_open(gw, fd, &peer);
    if (err == HF_OK || err == HF_CLOSED || err == HF_IO)
        return true; /* or it died while it waited */
    if (err != HF_AGAIN)
        gw->accept_again_ns = gw->now_ns + ACCEPT_PAUSE_NS;
    return false;
}

static void on_event(struct hf_os_watch *watch, uint32_t ready)
{
    struct hf_listener *l = HF_CONTAINER_OF(watch, struct hf_listener, watch);
    (void)ready;
    if (l->fd < 0)
        return;
    for (unsigned i = 0; i < ACCEPTS_MAX && may_accept(l->gw) && accept_one(l); i++)
        continue;
    hf_listener_adjust(l->gw);
}

void hf_listener_adjust(struct hf_gateway *gw)
{
    struct hf_os *os = gw->s.os;
    if (gw->now_ns >= gw->accept_again_ns)
        gw->accept_again_ns = 0;
    bool pause = !may_accept(gw);
    if (pause == gw->accept_paused || gw->freed)
        return;
    HF_LIST_FOR(it, &gw->listeners)
    {
        struct hf_listener *l = HF_LIST_ENTRY(it, struct hf_listener, in_gateway);
        if (l->fd >= 0 &&
            os->poller_set(gw->s.poller, l->fd, pause ? 0 : HF_OS_IN, &l->watch) != HF_OK)
            return; /* tried again at the next change; until then events are looked at in vain */
    }
    gw->accept_paused = pause;
}

enum hf_err hf_gateway_listen(struct hf_gateway *gw, const struct hf_os_addr *addr, bool reuseport,
                              struct hf_os_addr *bound, struct hf_report *report)
{
    struct hf_os *os = gw->s.os;
    struct hf_listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for a listener");
    l->watch.on_ready = on_event;
    l->gw = gw;
    struct hf_view text = hf_view(addr->text, strnlen(addr->text, sizeof addr->text));
    bool is_unix = hf_view_starts(text, HF_VIEW("unix:"));
    if (is_unix && (l->path = hf_view_dup(hf_view_skip(text, 5))) == NULL) {
        free(l);
        return hf_report_set(report, HF_LIMIT, "no memory for a listener");
    }
    enum hf_err err = os->listen(os, addr, reuseport, BACKLOG, &l->fd, bound, report);
    if (err != HF_OK) {
        free(l->path);
        free(l);
        return err;
    }
    err = os->poller_add(gw->s.poller, l->fd, gw->accept_paused ? 0 : HF_OS_IN, &l->watch);
    if (err != HF_OK) {
        os->close(os, l->fd);
        free(l->path);
        free(l);
        return hf_report_set(report, err, "watching the listener on %s: %s", addr->text,
                             hf_err_text(err));
    }
    hf_list_push_back(&gw->listeners, &l->in_gateway);
    return HF_OK;
}

static void close_one(struct hf_listener *l)
{
    struct hf_gateway *gw = l->gw;
    gw->s.os->poller_remove(gw->s.poller, l->fd);
    if (l->path != NULL) /* while it is ours: after the close somebody else may listen there */
        (void)gw->s.os->path_remove(gw->s.os, l->path);
    gw->s.os->close(gw->s.os, l->fd);
    l->fd = -1;
}

void hf_listener_drain(struct hf_gateway *gw)
{
    HF_LIST_FOR(it, &gw->listeners)
    {
        struct hf_listener *l = HF_LIST_ENTRY(it, struct hf_listener, in_gateway);
        if (l->fd < 0)
            continue;
        for (unsigned i = 0; i < BACKLOG && may_accept(gw) && accept_one(l); i++)
            continue; /* who was let into the queue is answered, not reset */
        close_one(l);
    }
}

void hf_listener_free_all(struct hf_gateway *gw)
{
    struct hf_list *it;
    while ((it = hf_list_pop_front(&gw->listeners)) != NULL) {
        struct hf_listener *l = HF_LIST_ENTRY(it, struct hf_listener, in_gateway);
        if (l->fd >= 0)
            close_one(l);
        free(l->path);
        free(l);
    }
}
