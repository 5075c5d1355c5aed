/* mailbox.c - places in mailboxes, and how a request gets into one.
 *
 * One line for all that arrives, so that what one process does to another is seen in the order it
 * was done. Only requests count against the bound. One whose sender parks lies in its place beyond
 * the bound, and its sender does not run before it is taken: the order stays, and a sender has at
 * most one segment's sends there.
 *
 * Who waits for whom: a process that awaits an answer waits for whoever has the request in its
 * mailbox or in hand; one that is parked waits for those in whose mailboxes its messages lie. An
 * edge that would close a ring is not made: its origin is told `cycle`. (A process that holds a
 * request by a token or under a pending one goes on, and is no edge.)
 */
#include "kernel/named_int.h"

#include <stdio.h>

/* ---- places ---- */

void hf_mail_put(struct hf_named *n, struct hf_mail *m)
{
    HF_ASSERT(n->state != HF_NAMED_OVER);
    hf_list_push_back(&n->mail, &m->in_box);
    if (m->kind == HF_MAIL_REQUEST)
        n->n_requests++;
    n->kernel->said.delivered++;
    hf_wait_fire(&n->mail_wait);
    hf_named_wake_up(n);
}

void hf_mail_remove(struct hf_named *n, struct hf_mail *m)
{
    if (!hf_list_linked(&m->in_box))
        return;
    hf_list_remove(&m->in_box);
    if (m->kind == HF_MAIL_REQUEST)
        n->n_requests--;
    if (hf_list_empty(&n->mail) && !n->stopping)
        hf_wait_clear(&n->mail_wait);
}

void hf_mail_unpark(struct hf_request *r)
{
    struct hf_named *n = r->talk.from;
    if (!hf_list_linked(&r->talk.in_parked))
        return;
    hf_list_remove(&r->talk.in_parked);
    hf_named_set_blocked(n);
}

/* ---- who waits for whom ---- */

static void walk_to(struct hf_kernel *k, struct hf_named *n)
{
    if (n == NULL || n->mark == k->walk)
        return;
    n->mark = k->walk;
    hf_list_push_back(&k->walking, &n->in_walk);
}

/* Who has the request that `n` awaits, if he cannot go on without doing something about it. */
static struct hf_named *holder_of(const struct hf_request *root)
{
    const struct hf_request *live = root->talk.carrier != NULL ? root->talk.carrier : root;
    struct hf_named *n = live->talk.to;
    if (n == NULL || !root->talk.waiting || root->out)
        return NULL;
    bool in_box = hf_list_linked(&live->talk.in.in_box);
    return in_box || n->current == live || n->nested == live ? n : NULL;
}

bool hf_mail_waits_for(struct hf_named *n, const struct hf_named *end)
{
    struct hf_kernel *k = n->kernel;
    bool found = false;
    k->walk++;
    walk_to(k, n);
    for (struct hf_list *at; (at = hf_list_pop_front(&k->walking)) != NULL;) {
        struct hf_named *now = HF_LIST_ENTRY(at, struct hf_named, in_walk);
        if (now == end)
            found = true;
        if (now->asked != NULL)
            walk_to(k, holder_of(now->asked));
        HF_LIST_FOR(m, &now->parked)
        {
            walk_to(k, HF_CONTAINER_OF(m, struct hf_request, talk.in_parked)->talk.to);
        }
    }
    return found;
}

/* ---- delivery ---- */

static struct hf_view why_text(enum hf_answer_kind kind)
{
    switch (kind) {
    case HF_ANSWER_NO_SUCH: return HF_VIEW("no process has this name");
    case HF_ANSWER_FULL: return HF_VIEW("its mailbox is full");
    case HF_ANSWER_LIMITED:
        return HF_VIEW("there are too many processes, or none can be put aside now");
    case HF_ANSWER_CYCLE: return HF_VIEW("it would wait for itself");
    default: return HF_VIEW("");
    }
}

/* A forward that failed names the hop: its origin knows only whom it asked itself. */
static void refuse(struct hf_request *r, enum hf_answer_kind kind)
{
    char text[HF_NAME_MAX + 80];
    struct hf_view why = why_text(kind);
    if (r->talk.root == NULL) {
        hf_duty_refuse(r, NULL, kind, why);
        return;
    }
    int n = snprintf(text, sizeof text, "forwarded to %.*s: %.*s", HF_FMT(r->message.target),
                     HF_FMT(why));
    hf_duty_refuse(r, NULL, kind, hf_view(text, (size_t)n));
}

void hf_mail_fail(struct hf_kernel *k, struct hf_request *r, enum hf_answer_kind kind,
                  struct hf_named *n)
{
    if (n != NULL)
        n->class->stats.refused += r->duty != HF_DUTY_OPEN; /* else counted when it is told */
    if (r->duty == HF_DUTY_OPEN) {
        refuse(r, kind);
    } else {
        k->said.refused_tells++;
        if (n != NULL)
            hf_watch_refused(n);
    }
    hf_duty_release(r, NULL, kind, HF_VIEW(""));
}

static void park(struct hf_request *r)
{
    struct hf_named *from = r->talk.from;
    r->class->kernel->said.parked++;
    hf_list_push_back(&from->parked, &r->talk.in_parked);
    hf_named_set_blocked(from);
}

void hf_mail_deliver(struct hf_kernel *k, struct hf_request *r)
{
    struct hf_talk *t = &r->talk;
    const struct hf_request *root = t->root != NULL ? t->root : r;
    struct hf_named *n = t->aim;
    enum hf_answer_kind why = HF_ANSWER_NO_SUCH;

    if (n == NULL || n->state == HF_NAMED_OVER)
        n = hf_named_find(k, r->message.target, true, &why);
    if (n == NULL || n->stopping || n->class->closed) {
        hf_mail_fail(k, r, why, NULL);
        return;
    }
    if (root->talk.asked && root->talk.waiting && hf_mail_waits_for(n, root->talk.from)) {
        hf_mail_fail(k, r, HF_ANSWER_CYCLE, n);
        return;
    }
    bool full = n->n_requests >= hf_named_set(n)->mailbox_max;
    bool parks = full && t->park && t->from->state != HF_NAMED_OVER;
    if (parks && hf_mail_waits_for(n, t->from)) {
        hf_mail_fail(k, r, HF_ANSWER_CYCLE, n);
        return;
    }
    if (full && !parks) {
        hf_mail_fail(k, r, HF_ANSWER_FULL, n);
        return;
    }
    hf_request_set_class(r, n->class);
    t->to = n;
    n->class->stats.requests++;
    hf_mail_put(n, &t->in);
    if (parks)
        park(r);
}
