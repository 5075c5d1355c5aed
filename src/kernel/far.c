/* far.c - requests to processes of other places, and their requests to ours (far.h).
 *
 * r AWAY (talk.away): its letter left; it keeps one hold, for whoever has it there, and a letter to
 * cancel it with. It is a root of ours, or a STUB: a forward whose root is a guest, or a root that
 * went by another of ours first.
 *
 * A GUEST (talk.origin): a root whose answer goes to another place. It keeps the letter it came in
 * for that. Its id there (via_id) names it until then in `guests`.
 *
 * Who has lets go what, so that nothing is left: an answer frees what is away at the origin; OVER
 * frees stubs, from the last place back along the way; a cancel frees what it passes. Each ignores
 * what is gone already: answers and cancels may cross.
 */
#include "kernel/named_int.h"

#include <stdlib.h>

#include "base/map.h"

static void arrive_answer(struct hf_kernel *k, struct hf_far_letter *l);

void hf_kernel_set_far(struct hf_kernel *k, uint32_t here, const struct hf_far_ops *ops, void *ctx)
{
    HF_ASSERT(k->n_named == 0 && k->n_requests == 0 && here < UINT16_MAX);
    k->far.ops = ops;
    k->far.ctx = ctx;
    k->far.here = here;
}

void hf_far_init(struct hf_kernel *k)
{
    hf_map_init(&k->far.guests, 0);
    hf_map_init(&k->far.watches, 0);
    hf_map_init(&k->far.watchers, 0);
    hf_list_init(&k->far.abroad);
}

void hf_far_get_stats(const struct hf_kernel *k, struct hf_far_stats *ret)
{
    *ret = k->far.stats;
    ret->guests = (uint32_t)k->far.guests.len;
}

/* ---- letters ---- */

void hf_far_letter_drop(struct hf_far_letter *l, const struct hf_far_ops *ops, void *ctx)
{
    while (l != NULL) {
        struct hf_far_letter *spare = l->spare;
        hf_buf_done(&l->text);
        hf_buf_done(&l->body);
        hf_buf_done(&l->by);
        free(l->caps);
        hf_blob_unref(l->blob);
        ops->drop(ctx, l);
        l = spare;
    }
}

struct hf_far_letter *hf_far_make(struct hf_kernel *k, enum hf_far_kind kind, uint64_t id)
{
    struct hf_far_letter *l = k->far.ops->make(k->far.ctx);
    if (l == NULL)
        return NULL;
    l->kind = kind;
    l->id = id;
    return l;
}

void hf_far_drop(struct hf_kernel *k, struct hf_far_letter *l)
{
    if (l != NULL)
        hf_far_letter_drop(l, k->far.ops, k->far.ctx);
}

void hf_far_post(struct hf_kernel *k, uint32_t to, struct hf_far_letter *l)
{
    l->from = k->far.here;
    k->far.stats.sent[l->kind]++;
    k->far.ops->send(k->far.ctx, to, l);
}

/* One of the letters that were made with this one, or NULL. */
static struct hf_far_letter *take_spare(struct hf_far_letter *l, enum hf_far_kind kind, uint64_t id)
{
    struct hf_far_letter *spare = l == NULL ? NULL : l->spare;
    if (spare == NULL)
        return NULL;
    l->spare = spare->spare;
    spare->spare = NULL;
    spare->kind = kind;
    spare->id = id;
    return spare;
}

static struct hf_view put(struct hf_buf *text, struct hf_view v)
{
    struct hf_view in = hf_view(text->ptr + text->len, v.len);
    if (v.len > 0)
        memcpy(text->ptr + text->len, v.ptr, v.len);
    text->len += v.len;
    return in;
}

bool hf_far_pack(struct hf_far_letter *l, struct hf_view target, struct hf_view source,
                 struct hf_view metadata, const struct hf_view *caps, size_t n)
{
    size_t len = target.len + source.len + metadata.len;
    for (size_t i = 0; i < n; i++)
        len += caps[i].len;
    l->caps = n == 0 ? NULL : malloc(n * sizeof *l->caps);
    if ((n > 0 && l->caps == NULL) || (len > 0 && hf_buf_reserve(&l->text, len) != HF_OK)) {
        free(l->caps);
        l->caps = NULL;
        return false;
    }
    l->target = put(&l->text, target);
    l->source = put(&l->text, source);
    l->metadata = put(&l->text, metadata);
    for (size_t i = 0; i < n; i++)
        l->caps[i] = put(&l->text, caps[i]);
    l->n_caps = n;
    return true;
}

bool hf_far_place(const struct hf_kernel *k, struct hf_view name, uint32_t *place)
{
    if (k->far.ops == NULL || hf_name_check(name, NULL) != HF_OK)
        return false;
    const struct hf_class *c = hf_class_find(k, hf_name_class(name));
    if (c == NULL || c->named == NULL || c->closed)
        return false;
    *place = c->named->s.place != 0 ? c->named->s.place - 1 : k->far.ops->place(k->far.ctx, name);
    return *place != k->far.here;
}

/* ---- going ---- */

/* All that may fail; NULL: memory, and nothing is left. */
static struct hf_far_letter *letter_of(struct hf_kernel *k, struct hf_request *r, bool park)
{
    const struct hf_talk *t = &r->talk;
    const struct hf_request *root = t->root != NULL ? t->root : r;
    const struct hf_message *m = &r->message;
    bool wants = r->duty == HF_DUTY_OPEN;
    struct hf_far_letter *l = hf_far_make(k, HF_FAR_REQUEST, m->id);
    if (l == NULL)
        return NULL;
    uint32_t spares = (uint32_t)park + (t->root != NULL);
    for (uint32_t i = 0; i < spares; i++) {
        struct hf_far_letter *spare = hf_far_make(k, HF_FAR_OVER, 0);
        if (spare == NULL)
            goto fail;
        spare->spare = l->spare;
        l->spare = spare;
    }
    if (!hf_far_pack(l, m->target, m->source, m->metadata, m->caps, m->n_caps))
        goto fail;
    if (wants || park) {
        r->talk.letter = hf_far_make(k, HF_FAR_CANCEL, m->id);
        if (r->talk.letter == NULL)
            goto fail;
    }
    if (park && !t->mapped) { /* ROOM names it */
        if (hf_map_put_u64(&k->requests, m->id, r, NULL) != HF_OK)
            goto fail;
        r->talk.mapped = true;
    }
    bool guest = root->talk.origin != 0;
    l->origin = guest ? root->talk.origin - 1u : k->far.here;
    l->origin_id = guest ? root->talk.origin_id : root->message.id;
    l->wants_answer = wants;
    l->asked = root->talk.asked;
    l->park = park;
    l->forwarded = t->root != NULL;
    l->deadline_ns = !wants ? 0 : root->message.deadline_ns;
    if (wants && l->deadline_ns == 0 && /* a port's, before the step that dates it */
        __builtin_add_overflow(k->now, root->timeout_ns, &l->deadline_ns))
        l->deadline_ns = UINT64_MAX;
    return l;
fail:
    hf_far_drop(k, l);
    return NULL;
}

/* Its origin gets a complete one back with an error, so that is kept; another goes for good. */
static struct hf_blob *blob_of(struct hf_request *r)
{
    struct hf_blob *b = r->message.blob;
    bool keep = b != NULL && r->duty == HF_DUTY_OPEN && r->talk.root == NULL &&
                r->talk.from != NULL && hf_blob_complete(b);
    if (keep)
        return hf_blob_ref(b);
    r->message.blob = NULL;
    return b;
}

static void count_for_target(struct hf_kernel *k, struct hf_request *r)
{
    struct hf_class *c = hf_class_find(k, hf_name_class(r->message.target));
    if (c != NULL)
        hf_request_set_class(r, c);
}

void hf_far_send(struct hf_kernel *k, struct hf_request *r, uint32_t to)
{
    struct hf_talk *t = &r->talk;
    bool park = t->park && t->from != NULL && t->from->state != HF_NAMED_OVER;
    struct hf_far_letter *l = letter_of(k, r, park);
    if (l == NULL) {
        hf_mail_fail(k, r, HF_ANSWER_LIMITED, NULL);
        return;
    }
    bool stays = l->wants_answer || park;
    l->blob = blob_of(r);
    l->body = r->body;
    hf_buf_init(&r->body);
    r->message.body = (struct hf_view){0};
    count_for_target(k, r);
    if (stays) {
        t->away = (uint16_t)(to + 1);
        if (t->root != NULL || !l->wants_answer)
            hf_list_push_back(&k->far.abroad, &t->in_from);
    }
    if (park) { /* it does not run before it is taken, or has its place */
        hf_list_push_back(&t->from->parked, &t->in_parked);
        hf_named_set_blocked(t->from);
    }
    hf_far_post(k, to, l);
    if (!stays)
        hf_duty_release(r, NULL, HF_ANSWER_OK, HF_VIEW(""));
}

/* What is away has no hold of others any more. Its duty is closed. */
static void come_home(struct hf_request *r)
{
    r->talk.away = 0;
    if (r->talk.root != NULL || r->duty == HF_DUTY_NONE)
        hf_list_remove(&r->talk.in_from);
    hf_mail_unpark(r);
    hf_duty_release(r, NULL, HF_ANSWER_CANCELLED, HF_VIEW(""));
}

void hf_far_cancel(struct hf_kernel *k, struct hf_request *live)
{
    struct hf_far_letter *l = live->talk.letter;
    uint32_t to = live->talk.away - 1u;
    HF_ASSERT(live->duty != HF_DUTY_OPEN);
    live->talk.letter = NULL;
    if (l != NULL)
        hf_far_post(k, to, l);
    come_home(live);
}

/* ---- guests ---- */

/* Its answer went, or never will: its origin's side here is over. */
static void forget_guest(struct hf_kernel *k, struct hf_request *g)
{
    HF_ASSERT(g->talk.origin != 0 && g->talk.waiting);
    g->talk.waiting = g->out = false;
    hf_map_remove_u64(&k->far.guests, g->talk.via_id);
    hf_talk_unref(k, g);
}

/* The letter it came in goes back as an answer: to its origin, and word along its way that it is
 * over. */
static void post_answer(struct hf_kernel *k, struct hf_far_letter *l, uint32_t via, uint64_t via_id)
{
    bool came_on = via_id != l->origin_id;
    struct hf_far_letter *over = came_on ? take_spare(l, HF_FAR_OVER, via_id) : NULL;
    hf_far_drop(k, l->spare);
    l->spare = NULL;
    l->kind = HF_FAR_ANSWER;
    l->id = l->origin_id;
    if (l->origin == k->far.here) /* it has come round */
        arrive_answer(k, l);
    else
        hf_far_post(k, l->origin, l);
    if (over != NULL)
        hf_far_post(k, via, over);
}

/* What the answer says beside its body moves over: nothing here can fail, but that without memory
 * the origin does not learn who answered. */
static void move_text(struct hf_far_letter *l, struct hf_talk *t)
{
    HF_ASSERT(l->caps == NULL && l->text.ptr == NULL);
    l->text = t->answer_text;
    l->metadata = t->answer_metadata;
    l->caps = t->answer_caps;
    l->n_caps = t->n_answer_caps;
    hf_buf_init(&t->answer_text);
    t->answer_metadata = (struct hf_view){0};
    t->answer_caps = NULL;
    t->n_answer_caps = 0;
    l->target = l->source = (struct hf_view){0};
    if (t->by != NULL && hf_buf_add_view(&l->by, hf_named_name(t->by)) == HF_OK)
        l->source = hf_buf_view(&l->by);
}

void hf_far_answer(struct hf_kernel *k, struct hf_request *root)
{
    struct hf_talk *t = &root->talk;
    struct hf_far_letter *l = t->letter;
    t->letter = NULL;
    move_text(l, t);
    l->answer = root->answer.kind;
    l->body = root->answer.body;
    l->blob = root->answer.blob;
    l->process = root->answer.process;
    l->served = root->answer.served;
    l->born_ns = root->answer.born_ns;
    /* A body that is still arriving went for good; the origin gets it back with an error. */
    struct hf_blob *sent = root->message.blob;
    if (l->answer != HF_ANSWER_OK && l->blob == NULL && sent != NULL && !hf_blob_complete(sent))
        l->blob = hf_blob_ref(sent);
    root->answer = (struct hf_answer){0};
    post_answer(k, l, t->via - 1u, t->via_id);
    forget_guest(k, root);
}

static void bounce(struct hf_kernel *k, struct hf_far_letter *l, enum hf_answer_kind kind)
{
    struct hf_view why = hf_mail_why(kind);
    uint32_t via = l->from;
    uint64_t via_id = l->id;
    hf_buf_clear(&l->body);
    if (l->park) {
        struct hf_far_letter *room = take_spare(l, HF_FAR_ROOM, via_id);
        if (room != NULL)
            hf_far_post(k, via, room);
    }
    if (!l->wants_answer) {
        k->said.refused_tells++;
        hf_far_drop(k, l);
        return;
    }
    enum hf_err err = l->forwarded ? hf_buf_printf(&l->body, "forwarded to %.*s: %.*s",
                                                   HF_FMT(l->target), HF_FMT(why))
                                   : hf_buf_add_view(&l->body, why);
    if (err != HF_OK)
        hf_buf_clear(&l->body);                         /* the kind says enough */
    if (l->blob != NULL && hf_blob_complete(l->blob)) { /* its origin has it */
        hf_blob_unref(l->blob);
        l->blob = NULL;
    }
    l->n_caps = 0;
    l->metadata = l->source = (struct hf_view){0};
    l->answer = kind;
    l->lost = false;
    post_answer(k, l, via, via_id);
}

/* All that may fail; NULL: a limit, or memory, and the letter is as it was. */
static struct hf_request *guest_of(struct hf_kernel *k, struct hf_named *n, struct hf_far_letter *l)
{
    bool named = l->wants_answer || l->park;
    struct hf_request *r = hf_request_new(n->class);
    if (r == NULL)
        return NULL;
    if (named && hf_map_put_u64(&k->far.guests, l->id, r, NULL) != HF_OK)
        goto fail;
    if (l->wants_answer && hf_map_put_u64(&k->requests, k->next_request, r, NULL) != HF_OK)
        goto unname;
    return r;
unname:
    hf_map_remove_u64(&k->far.guests, l->id);
fail:
    hf_request_free(k, r);
    return NULL;
}

static void arrive_request(struct hf_kernel *k, struct hf_far_letter *l)
{
    enum hf_answer_kind why;
    struct hf_named *n = hf_named_find(k, l->target, true, &why);
    if (n == NULL || n->stopping || n->class->closed) {
        bounce(k, l, n == NULL ? why : HF_ANSWER_NO_SUCH);
        return;
    }
    struct hf_request *r = l->lost ? NULL : guest_of(k, n, l);
    if (r == NULL) {
        bounce(k, l, HF_ANSWER_LIMITED);
        return;
    }
    struct hf_talk *t = &r->talk;
    r->place = HF_PLACE_NAMED;
    r->process = NULL;
    r->port = NULL;
    r->tag = NULL;
    r->out = r->consumed = false;
    r->duty = l->wants_answer ? HF_DUTY_OPEN : HF_DUTY_NONE;
    r->body = l->body;
    hf_buf_init(&l->body);
    r->message = (struct hf_message){.id = k->next_request++,
                                     .body = hf_buf_view(&r->body),
                                     .blob = l->blob,
                                     .deadline_ns = l->deadline_ns,
                                     .wants_answer = l->wants_answer,
                                     .source = l->source,
                                     .target = l->target,
                                     .metadata = l->metadata,
                                     .caps = l->caps,
                                     .n_caps = l->n_caps};
    l->blob = NULL;
    t->text = l->text;
    hf_buf_init(&l->text);
    t->caps = l->caps;
    t->n_caps = l->n_caps;
    l->caps = NULL;
    t->mapped = t->waiting = l->wants_answer;
    t->refs = l->wants_answer ? 2 : 1; /* its origin's side, and its way into the mailbox */
    t->holders = 1;
    t->asked = l->asked;
    t->park = t->parked_there = l->park;
    t->forwarded = l->forwarded;
    t->origin = (uint16_t)(l->origin + 1);
    t->origin_id = l->origin_id;
    t->via = (uint16_t)(l->from + 1);
    t->via_id = l->id;
    t->letter = l;
    hf_mail_deliver_to(k, r, n);
}

void hf_far_room(struct hf_request *r)
{
    struct hf_kernel *k = r->class->kernel;
    struct hf_far_letter *room = take_spare(r->talk.letter, HF_FAR_ROOM, r->talk.via_id);
    r->talk.parked_there = false;
    if (r->duty == HF_DUTY_NONE)
        hf_map_remove_u64(&k->far.guests, r->talk.via_id);
    if (room != NULL)
        hf_far_post(k, r->talk.via - 1u, room);
}

/* ---- what comes about requests ---- */

/* The origin's one take, if nothing came before it. */
static void arrive_answer(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_request *root = hf_map_get_u64(&k->requests, l->id);
    if (root == NULL || root->place != HF_PLACE_NAMED || root->talk.root != NULL ||
        root->talk.origin != 0 || !root->talk.waiting || root->out) {
        k->said.late++;
        hf_far_drop(k, l);
        return;
    }
    struct hf_talk *t = &root->talk;
    struct hf_request *live = t->carrier != NULL ? t->carrier : root;
    t->refs++; /* its last holder goes */
    if (live->duty == HF_DUTY_OPEN)
        live->duty = HF_DUTY_ANSWERED;
    t->carrier = NULL;
    hf_request_not_fresh(root);
    root->answer = (struct hf_answer){.kind = l->answer,
                                      .body = l->body,
                                      .blob = l->blob,
                                      .process = l->process,
                                      .served = l->served,
                                      .born_ns = l->born_ns};
    hf_buf_init(&l->body);
    l->blob = NULL;
    if (l->lost && l->answer == HF_ANSWER_OK) {
        root->answer.kind = HF_ANSWER_LIMITED;
        hf_buf_clear(&root->answer.body);
    }
    hf_far_drop(k, t->letter);
    t->letter = l;
    t->answer_metadata = l->metadata;
    t->answer_caps = l->caps;
    t->n_answer_caps = l->n_caps;
    l->caps = NULL;
    root->out = true;
    root->going.kind = HF_EFFECT_ANSWER;
    hf_duty_answered(k, root);
    if (t->away != 0)
        come_home(root);
    hf_talk_unref(k, root);
}

static void arrive_cancel(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_request *g = hf_map_get_u64(&k->far.guests, l->id);
    hf_far_drop(k, l);
    if (g == NULL) /* it was answered meanwhile, or is over */
        return;
    if (g->duty == HF_DUTY_NONE) { /* a parked tell that would have closed a ring */
        hf_mail_remove(g->talk.to, &g->talk.in);
        hf_mail_unpark(g);
        k->said.refused_tells++;
        hf_duty_release(g, NULL, HF_ANSWER_CANCELLED, HF_VIEW(""));
        return;
    }
    hf_duty_void(k, g);
    forget_guest(k, g);
}

/* Whoever has it now has answered its origin. */
static void arrive_over(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_request *stub = hf_map_get_u64(&k->requests, l->id);
    hf_far_drop(k, l);
    if (stub == NULL || stub->talk.away == 0 || stub->talk.root == NULL)
        return;
    struct hf_request *root = stub->talk.root;
    struct hf_talk *t = &root->talk;
    if (stub->duty == HF_DUTY_OPEN)
        stub->duty = HF_DUTY_ANSWERED;
    if (t->carrier == stub)
        t->carrier = NULL;
    if (t->origin != 0 && t->waiting) {
        struct hf_far_letter *over =
            t->via_id != t->origin_id ? take_spare(t->letter, HF_FAR_OVER, t->via_id) : NULL;
        if (over != NULL)
            hf_far_post(k, t->via - 1u, over);
        forget_guest(k, root);
    }
    come_home(stub);
}

static void arrive_room(struct hf_kernel *k, struct hf_far_letter *l)
{
    struct hf_request *r = hf_map_get_u64(&k->requests, l->id);
    hf_far_drop(k, l);
    if (r == NULL || r->talk.away == 0)
        return;
    if (r->duty == HF_DUTY_NONE)
        come_home(r);
    else
        hf_mail_unpark(r);
}

/* ---- rings of waits ---- */

void hf_far_probe(struct hf_kernel *k, const struct hf_request *away, const struct hf_probe *probe)
{
    if (probe->hops >= HF_FAR_PROBE_HOPS)
        return;
    struct hf_far_letter *l = hf_far_make(k, HF_FAR_PROBE, away->message.id);
    if (l == NULL) /* such a ring ends by its timeout */
        return;
    l->origin = probe->origin;
    l->origin_id = probe->origin_id;
    l->count = probe->hops + 1;
    hf_far_post(k, away->talk.away - 1u, l);
}

/* It waits for itself: it stops waiting. */
static void break_ring(struct hf_kernel *k, struct hf_request *r)
{
    if (r->talk.waiting) {
        hf_pending_over(r, HF_ANSWER_CYCLE, hf_mail_why(HF_ANSWER_CYCLE));
        return;
    }
    r->talk.refs++;
    if (r->duty == HF_DUTY_OPEN) /* a forward that parks: whose request it was hears */
        hf_mail_refuse(r, HF_ANSWER_CYCLE);
    if (r->talk.away != 0)
        hf_far_cancel(k, r); /* counted there, if nobody has seen it */
    hf_talk_unref(k, r);
}

/* Who asks, if he still waits in the way that was asked about. */
static struct hf_named *asker(const struct hf_request *r)
{
    if (r == NULL || r->talk.from == NULL)
        return NULL;
    bool asks = r->talk.asked && r->talk.waiting && !r->out;
    return asks || hf_list_linked(&r->talk.in_parked) ? r->talk.from : NULL;
}

struct hf_named *hf_far_asker(const struct hf_kernel *k, const struct hf_request *root)
{
    const struct hf_talk *t = &root->talk;
    if (t->origin == 0)
        return t->from;
    /* It went out and was forwarded back. */
    return t->origin - 1u == k->far.here ? asker(hf_map_get_u64(&k->requests, t->origin_id)) : NULL;
}

static void arrive_probe(struct hf_kernel *k, struct hf_far_letter *l)
{
    const struct hf_request *g = hf_map_get_u64(&k->far.guests, l->id);
    const struct hf_probe probe = {
        .origin = l->origin, .origin_id = l->origin_id, .hops = l->count};
    bool ours = l->origin == k->far.here;
    struct hf_request *r = ours ? hf_map_get_u64(&k->requests, l->origin_id) : NULL;
    const struct hf_named *end = asker(r);
    hf_far_drop(k, l);
    if (g == NULL || (ours && end == NULL))
        return;
    const struct hf_request *live = g->talk.carrier != NULL ? g->talk.carrier : g;
    if (live->talk.away != 0) {
        hf_far_probe(k, live, &probe);
        return;
    }
    struct hf_named *n = hf_mail_holder(live);
    if (n != NULL && hf_mail_waits_for(n, end, &probe, NULL))
        break_ring(k, r);
}

/* ---- all that comes ---- */

void hf_far_arrive(struct hf_kernel *k, struct hf_far_letter *l)
{
    HF_ASSERT(k->running == NULL && !k->flushing && !k->closing);
    k->far.stats.arrived[l->kind]++;
    switch (l->kind) {
    case HF_FAR_REQUEST: arrive_request(k, l); return;
    case HF_FAR_ANSWER: arrive_answer(k, l); return;
    case HF_FAR_CANCEL: arrive_cancel(k, l); return;
    case HF_FAR_OVER: arrive_over(k, l); return;
    case HF_FAR_ROOM: arrive_room(k, l); return;
    case HF_FAR_PROBE: arrive_probe(k, l); return;
    case HF_FAR_WATCH:
    case HF_FAR_UNWATCH:
    case HF_FAR_ENDED:
    case HF_FAR_REFUSED:
    case HF_FAR_SEEN:
    case HF_FAR_EXIT: hf_far_watch_arrive(k, l); return;
    case HF_FAR_SPAWN:
    case HF_FAR_END: hf_far_spawn_arrive(k, l); return;
    }
    HF_ASSERT(!"a letter of no kind");
}

/* ---- the end ---- */

void hf_far_end(struct hf_kernel *k)
{
    while (!hf_list_empty(&k->far.abroad)) {
        struct hf_request *r = HF_CONTAINER_OF(k->far.abroad.next, struct hf_request, talk.in_from);
        struct hf_request *root = r->talk.root;
        if (r->duty == HF_DUTY_OPEN)
            r->duty = HF_DUTY_VOID;
        if (root != NULL && root->talk.carrier == r)
            root->talk.carrier = NULL;
        if (root != NULL && root->talk.origin != 0 && root->talk.waiting)
            forget_guest(k, root);
        come_home(r);
    }
    for (struct hf_far_letter *l; (l = k->far.expecting) != NULL;) {
        k->far.expecting = l->next;
        hf_far_drop(k, l);
    }
}

void hf_far_done(struct hf_kernel *k)
{
    HF_ASSERT(k->far.guests.len == 0 && k->far.watches.len == 0 && k->far.watchers.len == 0);
    hf_map_done(&k->far.guests);
    hf_map_done(&k->far.watches);
    hf_map_done(&k->far.watchers);
}
