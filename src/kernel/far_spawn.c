/* far_spawn.c - children that live elsewhere: their names say so (a group in braces, or a key whose
 * shard is another place's).
 *
 * Whether the name is taken is known there only, so spawn says OK here, and what goes wrong is told
 * to who watches the child from its beginning, as its end: those watches leave before the SPAWN, so
 * that there is no moment at which the child lives and is not watched. The parent holds its name from the start
 * (hf_cap.far_child: it may end it), the child its parent's.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

/* ---- here ---- */

void hf_far_wish_drop(struct hf_far_wish *w)
{
    hf_far_drop(w->kernel, w->letter);
    free(w);
}

void hf_far_wish_happen(struct hf_far_wish *w)
{
    hf_far_post(w->kernel, w->to, w->letter);
    free(w);
}

static struct hf_far_wish *wish_new(struct hf_process *p, enum hf_far_kind kind,
                                    struct hf_view child, uint32_t place)
{
    struct hf_kernel *k = p->kernel;
    struct hf_far_wish *w = calloc(1, sizeof *w);
    struct hf_far_letter *l = w == NULL ? NULL : hf_far_make(k, kind, 0);
    if (l == NULL || !hf_far_pack(l, child, hf_named_name(p->named), (struct hf_view){0}, NULL, 0)) {
        hf_far_drop(k, l);
        free(w);
        return NULL;
    }
    w->going.kind = HF_EFFECT_FAR;
    hf_list_init(&w->going.link);
    w->kernel = k;
    w->letter = l;
    w->to = place;
    return w;
}

enum hf_said hf_far_spawn(struct hf_process *p, const struct hf_spawn *s, struct hf_view name,
                          uint32_t place, uint64_t *watch)
{
    struct hf_named *parent = p->named;
    struct hf_far_wish *w = wish_new(p, HF_FAR_SPAWN, name, place);
    if (w == NULL)
        return HF_SAID_LIMIT;
    enum hf_said said = hf_cap_put(parent, name);
    if (said == HF_SAID_OK && !hf_say_record(p, HF_VERB_SPAWN, 0, name))
        said = HF_SAID_LIMIT;
    if (said != HF_SAID_OK) {
        hf_far_wish_drop(w);
        return said;
    }
    struct hf_list *last = parent->watching.prev;
    if (s->monitor)
        said = hf_watch_make(p, name, false, watch);
    if (s->link && said == HF_SAID_OK)
        said = hf_watch_make(p, name, true, NULL);
    if (said != HF_SAID_OK) { /* a monitor that was made stays, and says no-such-process */
        hf_far_wish_drop(w);
        return said;
    }
    for (struct hf_list *at = last->next; at != &parent->watching; at = at->next)
        HF_LIST_ENTRY(at, struct hf_watch, in_by)->unborn = true;
    struct hf_cap *cap = hf_map_get(&parent->caps, name);
    cap->far_child = true;
    hf_list_push_back(&p->turn.effects, &w->going.link);
    p->kernel->said.spawned++;
    return HF_SAID_OK;
}

enum hf_said hf_far_end_child(struct hf_process *p, struct hf_view name, bool kill,
                              struct hf_view why)
{
    struct hf_named *n = p->named;
    const struct hf_cap *cap = n->caps.len == 0 ? NULL : hf_map_get(&n->caps, name);
    uint32_t place;
    if (cap == NULL || !cap->far_child || !hf_far_place(p->kernel, name, &place))
        return HF_SAID_NO_REQUEST;
    struct hf_far_wish *w = wish_new(p, HF_FAR_END, name, place);
    if (w == NULL)
        return HF_SAID_LIMIT;
    w->letter->kill = kill;
    if (hf_buf_add_view(&w->letter->body, why) != HF_OK ||
        !hf_say_record(p, kill ? HF_VERB_KILL : HF_VERB_STOP, 0, name)) {
        hf_far_wish_drop(w);
        return HF_SAID_LIMIT;
    }
    hf_list_push_back(&p->turn.effects, &w->going.link);
    return HF_SAID_OK;
}

/* ---- there ---- */

static struct hf_view beget(struct hf_kernel *k, const struct hf_far_letter *l)
{
    enum hf_answer_kind none;
    struct hf_class *c = hf_class_find(k, hf_name_class(l->target));
    if (c == NULL || c->named == NULL || c->closed)
        return HF_VIEW("no class of processes has this name");
    if (hf_named_find(k, l->target, false, &none) != NULL)
        return HF_VIEW("the name is taken");
    struct hf_named *child = hf_named_new(c, l->target, (struct hf_view){0});
    if (child == NULL)
        return HF_VIEW("there are too many processes");
    if (hf_cap_put(child, l->source) == HF_SAID_OK &&
        hf_buf_add_view(&child->far_parent, l->source) == HF_OK)
        return (struct hf_view){0};
    child->state = HF_NAMED_UNBORN;
    hf_named_end_now(child, HF_VIEW("could not be spawned"), true);
    return HF_VIEW("no memory for it");
}

static void arrive_end(struct hf_kernel *k, const struct hf_far_letter *l)
{
    enum hf_answer_kind none;
    struct hf_named *n = hf_named_find(k, l->target, false, &none);
    if (n == NULL || !hf_view_eq(hf_buf_view(&n->far_parent), l->source))
        return;
    if (l->kill)
        hf_named_end_now(n, hf_buf_view(&l->body), true);
    else
        hf_named_end_soon(n);
}

void hf_far_spawn_arrive(struct hf_kernel *k, struct hf_far_letter *l)
{
    if (l->kind == HF_FAR_SPAWN)
        hf_far_watch_born(k, l, beget(k, l));
    else
        arrive_end(k, l);
    hf_far_drop(k, l);
}
