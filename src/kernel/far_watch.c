/* far_watch.c - monitors and links between places (far.h).
 *
 * Here a watch (hf_watch.far_id), there a watcher of the process (hf_far_watcher). A link is both,
 * and there also a watch of the other direction (hf_watch.back), which ends with its watcher.
 *
 * The letter that brought a watch waits there to bring its end; the one for refused tells goes to
 * and fro, so that at most one is under way however many are refused. `letter` of a watch takes it
 * back, or says that this end of the link died. All are made with the watch.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* ---- here ---- */

void hf_far_watch(struct hf_kernel *k, struct hf_watch *w, uint32_t place)
{
    uint64_t id = k->next_request++;
    struct hf_far_letter *l = hf_far_make(k, HF_FAR_WATCH, id);
    w->letter = hf_far_make(k, HF_FAR_UNWATCH, id);
    if (l == NULL || w->letter == NULL || (l->spare = hf_far_make(k, HF_FAR_REFUSED, id)) == NULL ||
        !hf_far_pack(l, hf_view(w->name, w->name_len), hf_named_name(w->by), (struct hf_view){0},
                     NULL, 0) ||
        hf_map_put_u64(&k->far.watches, id, w, NULL) != HF_OK) {
        hf_far_drop(k, l);
        hf_watch_tell(w, HF_ANSWER_LIMITED, HF_VIEW("no memory for a watch"));
        return;
    }
    w->far_id = id;
    w->place = place;
    l->link = w->link;
    l->unborn = w->unborn;
    hf_far_post(k, place, l);
}

static void watcher_free(struct hf_kernel *k, struct hf_far_watcher *f)
{
    hf_map_remove_u64(&k->far.watchers, f->id);
    hf_list_remove(&f->in_of);
    hf_asleep_fold_later(f->of); /* this may have been all that it is beside a name */
    if (f->pair != NULL)
        f->pair->back = NULL;
    hf_far_drop(k, f->letter);
    hf_far_drop(k, f->refused);
    free(f);
}

/* The watcher's letter goes home. */
static void send_home(struct hf_kernel *k, struct hf_far_watcher *f, enum hf_far_kind kind)
{
    struct hf_far_letter *l = f->letter;
    uint32_t place = f->place;
    f->letter = NULL;
    l->kind = kind;
    watcher_free(k, f);
    hf_far_post(k, place, l);
}

void hf_far_watch_free(struct hf_watch *w)
{
    struct hf_kernel *k = w->by->kernel;
    if (w->far_id != 0) {
        hf_map_remove_u64(&k->far.watches, w->far_id);
        w->far_id = 0;
        if (w->letter != NULL) {
            struct hf_far_letter *l = w->letter;
            w->letter = NULL;
            hf_far_post(k, w->place, l);
        }
    }
    if (w->letter != NULL)
        hf_far_drop(k, w->letter);
    w->letter = NULL;
    if (w->back != NULL)
        send_home(k, w->back, HF_FAR_UNWATCH);
}

/* ---- one of ours ends ---- */

static void set_why(struct hf_far_letter *l, enum hf_answer_kind kind, struct hf_view why)
{
    l->answer = kind;
    hf_buf_clear(&l->body);
    if (hf_buf_add_view(&l->body, why) != HF_OK)
        hf_buf_clear(&l->body); /* the kind says enough */
}

void hf_far_exit(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why)
{
    struct hf_kernel *k = n->kernel;
    HF_LIST_FOR (at, &n->watching) {
        struct hf_watch *w = HF_LIST_ENTRY(at, struct hf_watch, in_by);
        if (w->back != NULL) { /* its watcher says it */
            w->back->pair = NULL;
            w->back = NULL;
        }
        if (w->far_id == 0 || !w->link || w->letter == NULL)
            continue;
        struct hf_far_letter *l = w->letter;
        w->letter = NULL;
        l->kind = HF_FAR_EXIT;
        set_why(l, kind, why);
        hf_far_post(k, w->place, l);
    }
}

void hf_far_ended(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why)
{
    while (!hf_list_empty(&n->far_watchers)) {
        struct hf_far_watcher *f =
            HF_LIST_ENTRY(n->far_watchers.next, struct hf_far_watcher, in_of);
        set_why(f->letter, kind, why);
        send_home(n->kernel, f, HF_FAR_ENDED);
    }
}

static void send_refused(struct hf_kernel *k, struct hf_far_watcher *f)
{
    struct hf_far_letter *l = f->refused;
    if (l == NULL || f->n_refused == 0)
        return;
    f->refused = NULL;
    l->kind = HF_FAR_REFUSED;
    l->count = f->n_refused;
    f->n_refused = 0;
    hf_far_post(k, f->place, l);
}

void hf_far_refused(struct hf_named *n)
{
    HF_LIST_FOR (at, &n->far_watchers) {
        struct hf_far_watcher *f = HF_LIST_ENTRY(at, struct hf_far_watcher, in_of);
        if (f->link)
            continue;
        f->n_refused++;
        send_refused(n->kernel, f);
    }
}

/* ---- what comes ---- */

static void refuse(struct hf_kernel *k, struct hf_far_letter *l, enum hf_answer_kind kind,
                   struct hf_view why)
{
    hf_far_drop(k, l->spare);
    l->spare = NULL;
    l->kind = HF_FAR_ENDED;
    set_why(l, kind, why);
    hf_far_post(k, l->from, l);
}

static void arrive_watch(struct hf_kernel *k, struct hf_far_letter *l)
{
    enum hf_answer_kind none;
    struct hf_named *n = hf_named_find(k, l->target, false, &none);
    if (n == NULL || (n->process == NULL && n->asleep == NULL)) {
        refuse(k, l, HF_ANSWER_NO_SUCH, HF_VIEW("no process has this name"));
        return;
    }
    struct hf_far_watcher *f = calloc(1, sizeof *f);
    struct hf_watch *pair = l->link ? hf_watch_new(n, l->source, true) : NULL;
    if (f == NULL || (l->link && pair == NULL) ||
        hf_map_put_u64(&k->far.watchers, l->id, f, NULL) != HF_OK) {
        if (pair != NULL)
            hf_watch_free(pair);
        free(f);
        refuse(k, l, HF_ANSWER_LIMITED, HF_VIEW("no memory for a watch"));
        return;
    }
    *f = (struct hf_far_watcher){.id = l->id,
                                 .place = l->from,
                                 .link = l->link,
                                 .of = n,
                                 .pair = pair,
                                 .letter = l,
                                 .refused = l->spare};
    l->spare = NULL;
    if (pair != NULL)
        pair->back = f;
    hf_list_push_back(&n->far_watchers, &f->in_of);
}

/* It waits until the child is there: the parent's SPAWN is next, or next but one. */
static void expect(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_far_letter **end = &k->far.expecting;
    while (*end != NULL)
        end = &(*end)->next;
    *end = l;
}

void hf_far_watch_born(struct hf_kernel *k, const struct hf_far_letter *spawn, struct hf_view why)
{
    for (struct hf_far_letter **at = &k->far.expecting, *l; (l = *at) != NULL;) {
        if (l->from != spawn->from || !hf_view_eq(l->target, spawn->target) ||
            !hf_view_eq(l->source, spawn->source)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        l->next = NULL;
        if (why.len == 0)
            arrive_watch(k, l);
        else
            refuse(k, l, HF_ANSWER_LIMITED, why);
    }
}

/* By who watches; or, of a link, by the one that is watched. */
static void arrive_unwatch(struct hf_kernel *k, uint64_t id)
{
    struct hf_watch *w = hf_map_get_u64(&k->far.watches, id);
    struct hf_far_watcher *f = hf_map_get_u64(&k->far.watchers, id);
    if (w != NULL) {
        hf_far_drop(k, w->letter); /* there is nothing to take back there */
        w->letter = NULL;
        hf_watch_free(w);
    } else if (f != NULL) {
        struct hf_watch *pair = f->pair;
        watcher_free(k, f);
        if (pair != NULL)
            hf_watch_free(pair);
    }
}

static void arrive_ended(struct hf_kernel *k, const struct hf_far_letter *l)
{
    struct hf_watch *w = hf_map_get_u64(&k->far.watches, l->id);
    if (w == NULL)
        return;
    hf_far_drop(k, w->letter);
    w->letter = NULL;
    hf_watch_tell(w, l->answer, hf_buf_view(&l->body));
}

static void arrive_exit(struct hf_kernel *k, const struct hf_far_letter *l)
{
    struct hf_far_watcher *f = hf_map_get_u64(&k->far.watchers, l->id);
    struct hf_watch *pair = f == NULL ? NULL : f->pair;
    if (f == NULL)
        return;
    watcher_free(k, f);
    if (pair != NULL)
        hf_watch_tell(pair, l->answer, hf_buf_view(&l->body));
}

static void arrive_refused(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_watch *w = hf_map_get_u64(&k->far.watches, l->id);
    if (w == NULL) {
        hf_far_drop(k, l);
        return;
    }
    hf_watch_more(w, l->count);
    l->kind = HF_FAR_SEEN;
    hf_far_post(k, l->from, l);
}

static void arrive_seen(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_far_watcher *f = hf_map_get_u64(&k->far.watchers, l->id);
    if (f == NULL) {
        hf_far_drop(k, l);
        return;
    }
    f->refused = l;
    send_refused(k, f);
}

void hf_far_watch_arrive(struct hf_kernel *k, struct hf_far_letter *l)
{
    switch (l->kind) {
    case HF_FAR_WATCH:
        if (l->unborn)
            expect(k, l);
        else
            arrive_watch(k, l);
        return;
    case HF_FAR_REFUSED: arrive_refused(k, l); return;
    case HF_FAR_SEEN: arrive_seen(k, l); return;
    case HF_FAR_UNWATCH: arrive_unwatch(k, l->id); break;
    case HF_FAR_ENDED: arrive_ended(k, l); break;
    case HF_FAR_EXIT: arrive_exit(k, l); break;
    default: HF_ASSERT(!"not about a watch");
    }
    hf_far_drop(k, l);
}
