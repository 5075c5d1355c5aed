/* capability.c - who may message whom: what a process holds, and capabilities that travel in
 * messages.
 *
 * A capability is the right to message a name. A process holds what its class was granted, what it
 * kept, its parent and its children, itself, and what the message in hand carries. It can pass on
 * only what it holds, so nobody grants himself anything.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

static bool any_matches(char *const *patterns, size_t n, struct hf_view name)
{
    for (size_t i = 0; i < n; i++)
        if (hf_name_matches(name, hf_view_of(patterns[i])))
            return true;
    return false;
}

static bool is_one_of(const struct hf_view *caps, size_t n, struct hf_view name)
{
    for (size_t i = 0; i < n; i++)
        if (hf_view_eq(caps[i], name))
            return true;
    return false;
}

static bool in_hand(const struct hf_named *n, struct hf_view name)
{
    const struct hf_message *current = hf_named_message(n);
    const struct hf_message *nested = n->nested == NULL ? NULL : &n->nested->message;
    const struct hf_talk *asked = n->last_asked == NULL ? NULL : &n->last_asked->talk;
    return (current != NULL && is_one_of(current->caps, current->n_caps, name)) ||
           (nested != NULL && is_one_of(nested->caps, nested->n_caps, name)) ||
           (asked != NULL && is_one_of(asked->answer_caps, asked->n_answer_caps, name));
}

bool hf_cap_holds(const struct hf_named *n, struct hf_view name)
{
    const struct hf_named_class *nc = n->class->named;
    return any_matches(nc->grants, nc->n_grants, name) ||
           (n->caps.len > 0 && hf_map_get(&n->caps, name) != NULL) ||
           hf_view_eq(hf_named_name(n), name) || in_hand(n, name);
}

bool hf_cap_may_spawn(const struct hf_named *n, struct hf_view class)
{
    const struct hf_named_class *nc = n->class->named;
    return any_matches(nc->spawns, nc->n_spawns, class);
}

/* A name that the kernel made leads nowhere for ever when its process is over: it goes when its
 * place is wanted, so that who makes children all the time does not run out. */
static void sweep(struct hf_named *n)
{
    struct hf_cap *c, *over = NULL;
    for (size_t i = 0; (c = hf_map_next(&n->caps, &i)) != NULL;) {
        struct hf_view name = hf_view(c->name, c->len);
        uint32_t place;
        if (!hf_name_is_made(name) || hf_map_get(&n->kernel->named_by_name, name) != NULL ||
            hf_asleep_has(n->kernel, name) ||
            hf_far_place(n->kernel, name, &place)) /* elsewhere it may live */
            continue;
        c->next = over;
        over = c;
    }
    while ((c = over) != NULL) {
        over = c->next;
        hf_map_remove(&n->caps, hf_view(c->name, c->len));
        free(c);
    }
}

enum hf_said hf_cap_put(struct hf_named *n, struct hf_view name)
{
    if (hf_map_get(&n->caps, name) != NULL)
        return HF_SAID_OK;
    if (n->caps.len >= hf_named_set(n)->caps_max)
        sweep(n);
    if (n->caps.len >= hf_named_set(n)->caps_max)
        return HF_SAID_LIMIT;
    struct hf_cap *c = malloc(sizeof *c + name.len);
    if (c == NULL)
        return HF_SAID_LIMIT;
    c->far_child = false;
    c->len = name.len;
    memcpy(c->name, name.ptr, name.len);
    if (hf_map_put(&n->caps, hf_view(c->name, c->len), c, NULL) != HF_OK) {
        free(c);
        return HF_SAID_LIMIT;
    }
    return HF_SAID_OK;
}

enum hf_said hf_cap_check(const struct hf_process *p, const struct hf_view *caps, size_t n,
                          size_t bytes)
{
    if (n > HF_MESSAGE_CAPS_MAX)
        return HF_SAID_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (!hf_cap_holds(p->named, caps[i]))
            return HF_SAID_DENIED;
        bytes += caps[i].len;
    }
    if (bytes > hf_named_set(p->named)->message_max)
        return HF_SAID_TOO_LARGE;
    return p->turn.broken ? HF_SAID_LIMIT : HF_SAID_OK;
}

void hf_caps_free(struct hf_named *n)
{
    struct hf_cap *c;
    for (size_t i = 0; (c = hf_map_next(&n->caps, &i)) != NULL;)
        free(c);
    hf_map_done(&n->caps);
}

bool hf_cap_pack(struct hf_buf *text, struct hf_view *target, struct hf_view *metadata,
                 const struct hf_view *from, size_t n, struct hf_view **caps)
{
    size_t len = target->len + metadata->len, at = text->len;
    for (size_t i = 0; i < n; i++)
        len += from[i].len;
    *caps = NULL;
    if (len == 0)
        return true;
    struct hf_view *views = n == 0 ? NULL : malloc(n * sizeof *views);
    if ((n > 0 && views == NULL) || hf_buf_reserve(text, len) != HF_OK) {
        free(views);
        return false;
    }
    struct hf_view all[2] = {*target, *metadata};
    for (size_t i = 0; i < 2 + n; i++) {
        struct hf_view v = i < 2 ? all[i] : from[i - 2], in = hf_view(text->ptr + at, v.len);
        if (v.len > 0)
            memcpy(text->ptr + at, v.ptr, v.len);
        at += v.len;
        if (i < 2)
            all[i] = in;
        else
            views[i - 2] = in;
    }
    text->len = at;
    *target = all[0];
    *metadata = all[1];
    *caps = views;
    return true;
}

/* ---- verbs ---- */

static enum hf_said record(struct hf_named *n, enum hf_verb verb, struct hf_view name)
{
    return hf_say_record(n->process, verb, 0, name) ? HF_SAID_OK : HF_SAID_LIMIT;
}

bool hf_turn_holds(const struct hf_turn *turn, struct hf_view name)
{
    const struct hf_named *n = hf_turn_of((struct hf_turn *)(uintptr_t)turn)->named;
    return n != NULL && hf_cap_holds(n, name);
}

enum hf_said hf_turn_keep(struct hf_turn *turn, struct hf_view name)
{
    struct hf_named *n = hf_turn_of(turn)->named;
    if (n == NULL || !in_hand(n, name))
        return HF_SAID_DENIED;
    enum hf_said said = hf_cap_put(n, name);
    return said == HF_SAID_OK ? record(n, HF_VERB_KEEP, name) : said;
}

enum hf_said hf_turn_drop(struct hf_turn *turn, struct hf_view name)
{
    struct hf_named *n = hf_turn_of(turn)->named;
    struct hf_cap *c = n == NULL || n->caps.len == 0 ? NULL : hf_map_get(&n->caps, name);
    if (c == NULL)
        return HF_SAID_NO_REQUEST;
    enum hf_said said = record(n, HF_VERB_DROP, name);
    hf_map_remove(&n->caps, name);
    free(c);
    return said;
}
