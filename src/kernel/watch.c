/* watch.c - monitors and links: who is told of whose end.
 *
 * A watch is one direction: `by` hears of `of`, once, in a place that was reserved when it was
 * made. A link is two of them that know each other. Both sides are only made when the effect
 * happens, so nobody hears of a link that was not recorded.
 */
#include "kernel/named_int.h"

#include <stdio.h>
#include <stdlib.h>

struct hf_watch *hf_watch_new(struct hf_named *by, struct hf_view name, bool link)
{
    struct hf_watch *w = calloc(1, sizeof *w + name.len);
    if (w == NULL)
        return NULL;
    w->id = by->next_id++;
    w->link = link;
    w->by = by;
    w->name_len = name.len;
    memcpy(w->name, name.ptr, name.len);
    w->going.kind = HF_EFFECT_WATCH;
    w->mail.kind = HF_MAIL_WATCH;
    w->refused.kind = HF_MAIL_REFUSED;
    struct hf_list *const lists[] = {&w->in_of, &w->going.link, &w->mail.in_box,
                                     &w->refused.in_box};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    hf_list_push_back(&by->watching, &w->in_by);
    by->n_watching++;
    return w;
}

static void forget_target(struct hf_watch *w)
{
    hf_list_remove(&w->in_of);
    hf_named_unref(w->of);
    w->of = NULL;
    if (w->pair != NULL)
        w->pair->pair = NULL;
    w->pair = NULL;
}

void hf_watch_free(struct hf_watch *w)
{
    struct hf_named *by = w->by;
    forget_target(w);
    hf_far_watch_free(w);
    if (by->watch_notice == w) {
        by->watch_notice = NULL; /* it is in hand: what was shown of it is gone */
        by->shown.body = by->shown.source = (struct hf_view){0};
    }
    hf_list_remove(&w->in_by);
    by->n_watching--;
    hf_list_remove(&w->going.link);
    hf_mail_remove(by, &w->mail);
    hf_mail_remove(by, &w->refused);
    hf_buf_done(&w->why);
    free(w);
}

/* ---- its notice ---- */

static void kill_linked(struct hf_watch *w, struct hf_view why)
{
    char text[HF_NAME_MAX + 300];
    struct hf_named *by = w->by;
    int n = snprintf(text, sizeof text, "linked to %.*s, which ended: %.*s", (int)w->name_len,
                     w->name, HF_FMT(hf_view_take(why, 256)));
    hf_watch_free(w);
    hf_named_end_now(by, hf_view(text, (size_t)n), false);
}

void hf_watch_tell(struct hf_watch *w, enum hf_answer_kind kind, struct hf_view why)
{
    struct hf_named *by = w->by;
    bool traps = hf_named_set(by)->trap_links;
    forget_target(w);
    hf_far_watch_free(w);
    w->over = true;
    if (w->link && !traps) {
        if (kind == HF_ANSWER_OK)
            hf_watch_free(w);
        else
            kill_linked(w, why);
        return;
    }
    w->kind = kind;
    if (hf_buf_add_view(&w->why, why) != HF_OK)
        hf_buf_clear(&w->why);
    by->kernel->said.notices++;
    hf_mail_put(by, &w->mail);
}

void hf_watch_ended(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why)
{
    while (!hf_list_empty(&n->watchers))
        hf_watch_tell(HF_LIST_ENTRY(n->watchers.next, struct hf_watch, in_of), kind, why);
}

void hf_watch_more(struct hf_watch *w, uint64_t refused)
{
    w->n_refused += refused;
    if (hf_list_linked(&w->refused.in_box))
        return;
    w->by->kernel->said.notices++;
    hf_mail_put(w->by, &w->refused);
}

void hf_watch_refused(struct hf_named *n)
{
    hf_far_refused(n);
    HF_LIST_FOR(at, &n->watchers)
    {
        struct hf_watch *w = HF_LIST_ENTRY(at, struct hf_watch, in_of);
        if (!w->link)
            hf_watch_more(w, 1);
    }
}

/* ---- making and taking back ---- */

static void watch_of(struct hf_watch *w, struct hf_named *n)
{
    w->of = hf_named_ref(n);
    hf_list_push_back(&n->watchers, &w->in_of);
}

/* The other direction of a link. Without memory for it there is no link, which is told as if the
 * other had ended. */
static bool make_pair(struct hf_watch *w, struct hf_named *n)
{
    struct hf_watch *back = hf_watch_new(n, hf_named_name(w->by), true);
    if (back == NULL)
        return false;
    watch_of(back, w->by);
    back->pair = w;
    w->pair = back;
    return true;
}

void hf_watch_begin(struct hf_kernel *k, struct hf_watch *w)
{
    enum hf_answer_kind why;
    struct hf_view name = hf_view(w->name, w->name_len);
    struct hf_named *n = hf_named_find(k, name, false, &why);
    uint32_t place;
    if (n == NULL && hf_far_place(k, name, &place)) {
        hf_far_watch(k, w, place);
        return;
    }
    if (n == NULL || (n->process == NULL && n->asleep == NULL)) {
        hf_watch_tell(w, HF_ANSWER_NO_SUCH, HF_VIEW("no process has this name"));
        return;
    }
    if (w->link && n != w->by && !make_pair(w, n)) {
        hf_watch_tell(w, HF_ANSWER_LIMITED, HF_VIEW("no memory for a link"));
        return;
    }
    watch_of(w, n);
}

enum hf_said hf_watch_make(struct hf_process *p, struct hf_view name, bool link, uint64_t *id)
{
    struct hf_named *n = p->named;
    if (n->n_watching >= hf_named_set(n)->watches_max)
        return HF_SAID_LIMIT;
    struct hf_watch *w = hf_watch_new(n, name, link);
    if (w == NULL)
        return HF_SAID_LIMIT;
    if (!hf_say_record(p, link ? HF_VERB_LINK : HF_VERB_MONITOR, w->id, name)) {
        hf_watch_free(w);
        return HF_SAID_LIMIT;
    }
    hf_list_push_back(&p->turn.effects, &w->going.link);
    if (id != NULL)
        *id = w->id;
    return HF_SAID_OK;
}

static enum hf_said make(struct hf_turn *turn, struct hf_view name, bool link, uint64_t *id)
{
    struct hf_process *p = hf_turn_of(turn);
    if (p->named == NULL || !hf_cap_holds(p->named, name))
        return HF_SAID_DENIED;
    return hf_watch_make(p, name, link, id);
}

enum hf_said hf_turn_monitor(struct hf_turn *turn, struct hf_view name, uint64_t *watch)
{
    return make(turn, name, false, watch);
}

enum hf_said hf_turn_link(struct hf_turn *turn, struct hf_view name, uint64_t *watch)
{
    return make(turn, name, true, watch);
}

enum hf_said hf_turn_unwatch(struct hf_turn *turn, uint64_t watch)
{
    struct hf_process *p = hf_turn_of(turn);
    if (p->named == NULL)
        return HF_SAID_DENIED;
    HF_LIST_FOR(at, &p->named->watching)
    {
        struct hf_watch *w = HF_LIST_ENTRY(at, struct hf_watch, in_by), *pair = w->pair;
        if (w->id != watch)
            continue;
        if (!hf_say_record(p, HF_VERB_UNWATCH, watch, (struct hf_view){0}))
            return HF_SAID_LIMIT;
        hf_watch_free(w);
        if (pair != NULL)
            hf_watch_free(pair);
        return HF_SAID_OK;
    }
    return HF_SAID_NO_REQUEST;
}
