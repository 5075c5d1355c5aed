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
    if (r->talk.parked_there)
        hf_far_room(r);
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

struct hf_named *hf_mail_holder(const struct hf_request *live)
{
    struct hf_named *n = live->talk.to;
    if (n == NULL)
        return NULL;
    bool in_box = hf_list_linked(&live->talk.in.in_box);
    return in_box || n->current == live || n->nested == live ? n : NULL;
}

/* Towards who has the request that is awaited, if he cannot go on without doing something about it.
 */
static void walk_asked(struct hf_kernel *k, const struct hf_request *root,
                       const struct hf_probe *probe, bool *far)
{
    const struct hf_request *live = root->talk.carrier != NULL ? root->talk.carrier : root;
    if (!root->talk.waiting || root->out)
        return;
    if (live->talk.away == 0) {
        walk_to(k, hf_mail_holder(live));
        return;
    }
    *far = true;
    if (probe != NULL)
        hf_far_probe(k, live, probe);
}

static void walk_parked(struct hf_kernel *k, const struct hf_request *r,
                        const struct hf_probe *probe, bool *far)
{
    if (r->talk.away == 0) {
        walk_to(k, r->talk.to);
        return;
    }
    *far = true;
    if (probe != NULL)
        hf_far_probe(k, r, probe);
}

bool hf_mail_waits_for(struct hf_named *n, const struct hf_named *end, const struct hf_probe *probe,
                       bool *far)
{
    struct hf_kernel *k = n->kernel;
    bool found = false, some = false;
    k->walk++;
    walk_to(k, n);
    for (struct hf_list *at; (at = hf_list_pop_front(&k->walking)) != NULL;) {
        struct hf_named *now = HF_LIST_ENTRY(at, struct hf_named, in_walk);
        if (now == end)
            found = true;
        if (now->asked != NULL)
            walk_asked(k, now->asked, probe, &some);
        HF_LIST_FOR (m, &now->parked) {
            walk_parked(k, HF_CONTAINER_OF(m, struct hf_request, talk.in_parked), probe, &some);
        }
    }
    if (far != NULL)
        *far = some;
    return found;
}

/* It waits from now on: where its waits lead elsewhere, somebody there says whether they lead back
 * (doc/kernel.md, far.c). */
static void ask_around(struct hf_named *n, const struct hf_probe *probe)
{
    (void)hf_mail_waits_for(n, NULL, probe, NULL);
}

/* ---- delivery ---- */

struct hf_view hf_mail_why(enum hf_answer_kind kind)
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
void hf_mail_refuse(struct hf_request *r, enum hf_answer_kind kind)
{
    char text[HF_NAME_MAX + 80];
    struct hf_view why = hf_mail_why(kind);
    if (r->talk.root == NULL && !r->talk.forwarded) {
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
        hf_mail_refuse(r, kind);
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
    if (from == NULL) /* of another place, which waits for room */
        return;
    hf_list_push_back(&from->parked, &r->talk.in_parked);
    hf_named_set_blocked(from);
}

/* Whose answer it is, for others. */
static struct hf_probe probe_of_origin(const struct hf_kernel *k, const struct hf_request *root)
{
    const struct hf_talk *t = &root->talk;
    return t->origin != 0
               ? (struct hf_probe){.origin = t->origin - 1u, .origin_id = t->origin_id}
               : (struct hf_probe){.origin = k->far.here, .origin_id = root->message.id};
}

/* Who parks on it. */
static struct hf_probe probe_of_sender(const struct hf_kernel *k, const struct hf_request *r)
{
    const struct hf_talk *t = &r->talk;
    return t->origin != 0 ? (struct hf_probe){.origin = t->via - 1u, .origin_id = t->via_id}
                          : (struct hf_probe){.origin = k->far.here, .origin_id = r->message.id};
}

/* May its sender wait beyond the bound: it parks, and is still there. */
static bool may_park(const struct hf_talk *t)
{
    return t->park && (t->from == NULL || t->from->state != HF_NAMED_OVER);
}

void hf_mail_deliver_to(struct hf_kernel *k, struct hf_request *r, struct hf_named *n)
{
    struct hf_talk *t = &r->talk;
    const struct hf_request *root = t->root != NULL ? t->root : r;
    bool asked = root->talk.asked && root->talk.waiting, far = false, far_park = false;
    if (asked && hf_mail_waits_for(n, hf_far_asker(k, root), NULL, &far)) {
        hf_mail_fail(k, r, HF_ANSWER_CYCLE, n);
        return;
    }
    bool full = n->n_requests >= hf_named_set(n)->mailbox_max;
    bool parks = full && may_park(t);
    if (parks && hf_mail_waits_for(n, t->from, NULL, &far_park)) {
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
    else if (t->parked_there)
        hf_far_room(r);
    if (far) {
        const struct hf_probe probe = probe_of_origin(k, root);
        ask_around(n, &probe);
    }
    if (far_park) {
        const struct hf_probe probe = probe_of_sender(k, r);
        ask_around(n, &probe);
    }
}

void hf_mail_deliver(struct hf_kernel *k, struct hf_request *r)
{
    struct hf_named *n = r->talk.aim;
    enum hf_answer_kind why = HF_ANSWER_NO_SUCH;
    uint32_t place;

    if (n == NULL || n->state == HF_NAMED_OVER)
        n = hf_named_find(k, r->message.target, false, &why);
    if (n == NULL && hf_far_place(k, r->message.target, &place)) {
        hf_far_send(k, r, place);
        return;
    }
    if (n == NULL)
        n = hf_named_find(k, r->message.target, true, &why);
    if (n == NULL || n->stopping || n->class->closed) {
        hf_mail_fail(k, r, why, NULL);
        return;
    }
    hf_mail_deliver_to(k, r, n);
}
