/* evict.c - which instances of named processes are in memory: who is evicted, who may come in.
 *
 * All that count stand somewhere: idle ones in two lists, least recently used first (the kernel's
 * and their class's); new ones that find no room in the entrance of their class, in order. A step
 * lets in who has room, and makes room by taking one image at most, so that it stays short.
 *
 * Room is what the bound leaves of those that stay; who is leaving (its bytes are being written)
 * does not count, but is in memory until they are kept. Where nobody can leave, because all are
 * busy, or RUN shapes, or say that they cannot be imaged, the entrance opens all the same, for one
 * at a time, when nobody is runnable who might become idle, or each 20 ms: the bound is about what
 * is idle, and who is in may wait for who is not. After a write or an image that failed nothing is evicted for a
 * while; what was accepted comes in beyond the bound, and no new names are made.
 *
 * What is kept of an instance: 8 bytes each of its number, messages served, its birth and that of
 * the name's life; then the behaviour's bytes.
 */
#include "kernel/named_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"

#define PAUSE_NS     1000000000u
#define SHUT_NS      20000000u
#define HEAD_LEN     32u
#define STAYS_MAX    256u
#define PATIENCE_MAX 10u /* doublings */
#define REST_NS      1000000000u
#define RESTS        64u /* of one step */

/* ---- making ---- */

static void pause_over(struct hf_timer *t)
{
    HF_CONTAINER_OF(t, struct hf_evict, pause)->due = true;
}

/* ---- rest ---- */

static void set_rest_clock(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    uint64_t until;
    if (hf_list_empty(&e->awake) || hf_heap_has(&e->rest.node))
        return;
    const struct hf_process *p = HF_LIST_ENTRY(e->awake.next, struct hf_process, in_awake);
    if (!__builtin_add_overflow(p->idle_ns, REST_NS, &until))
        (void)!hf_timer_set(k, &e->rest, until); /* without it they stay as they are */
}

static void rest_due(struct hf_timer *t)
{
    struct hf_evict *e = HF_CONTAINER_OF(t, struct hf_evict, rest);
    struct hf_kernel *k = HF_CONTAINER_OF(e, struct hf_kernel, evict);
    for (uint32_t most = RESTS; most > 0 && !hf_list_empty(&e->awake); most--) {
        struct hf_process *p = HF_LIST_ENTRY(e->awake.next, struct hf_process, in_awake);
        if (k->now - p->idle_ns < REST_NS)
            break;
        hf_list_remove(&p->in_awake);
        p->class->s.behaviour->rest(p->state);
    }
    set_rest_clock(k);
}

void hf_evict_init(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    struct hf_list *const lists[] = {&e->idle,    &e->moves,    &e->arrived,   &e->waiting,
                                     &e->closing, &e->foldable, &e->sleepless, &e->lost,  &e->awake};
    for (size_t i = 0; i < HF_ARRAY_LEN(lists); i++)
        hf_list_init(lists[i]);
    hf_map_init(&e->asleep, 0);
    e->asleep.seed = k->s.hash_seed;
    hf_timer_init(&e->pause);
    e->pause.fire = pause_over;
    hf_timer_init(&e->rest);
    e->rest.fire = rest_due;
}

void hf_kernel_spill_to(struct hf_kernel *k, const struct hf_spill *spill, void *ctx)
{
    HF_ASSERT(spill->moves_max >= 2 && k->n_named == 0);
    k->evict.spill = spill;
    k->evict.spill_ctx = ctx;
}

void hf_kernel_evict_stats(const struct hf_kernel *k, struct hf_evict_stats *ret)
{
    *ret = k->evict.stats;
    ret->resident = k->evict.n_resident;
    ret->moves = k->evict.n_moves;
    ret->last_failure = hf_buf_view(&k->evict.why);
}

/* ---- bounds ---- */

static uint32_t staying(uint32_t resident, uint32_t leaving)
{
    return resident - leaving;
}

static bool class_is_full(const struct hf_named_class *nc)
{
    return nc->s.resident_max != 0 && staying(nc->n_resident, nc->n_leaving) >= nc->s.resident_max;
}

static bool kernel_is_full(const struct hf_kernel *k)
{
    return staying(k->evict.n_resident, k->evict.n_leaving) >= k->s.resident_max;
}

static bool is_over(const struct hf_kernel *k, const struct hf_named_class *nc)
{
    return (nc->s.resident_max != 0 &&
            staying(nc->n_resident, nc->n_leaving) > nc->s.resident_max) ||
           staying(k->evict.n_resident, k->evict.n_leaving) > k->s.resident_max;
}

static bool is_paused(const struct hf_evict *e)
{
    return hf_heap_has(&e->pause.node);
}

static void failed(struct hf_kernel *k, const char *what, const char *why)
{
    struct hf_evict *e = &k->evict;
    uint64_t until;
    e->stats.failed++;
    hf_buf_clear(&e->why); /* for people: without memory it is shorter */
    (void)!hf_buf_printf(&e->why, "%s: %s", what, why);
    if (!__builtin_add_overflow(k->now, PAUSE_NS, &until))
        (void)!hf_timer_set(k, &e->pause, until); /* without it, it is tried again at once */
}

bool hf_evict_refuses(const struct hf_class *c)
{
    const struct hf_kernel *k = c->kernel;
    return is_paused(&k->evict) && (kernel_is_full(k) || class_is_full(c->named));
}

static bool may_be_evicted(const struct hf_process *p)
{
    const struct hf_class *c = p->class;
    return p->kernel->evict.spill != NULL && c->named->s.shape == HF_SHAPE_HANDLE &&
           c->s.behaviour->evict != NULL && c->s.behaviour->revive != NULL;
}

/* ---- idle or not ---- */

static void unlist(struct hf_process *p)
{
    hf_list_remove(&p->in_awake);
    hf_list_remove(&p->in_idle);
    hf_list_remove(&p->in_class_idle);
}

void hf_evict_idle(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_evict *e = &k->evict;
    struct hf_named_class *nc = p->class->named;
    if (p->class->s.behaviour->rest != NULL && p->phase == HF_PHASE_IDLE &&
        !hf_list_linked(&p->in_awake)) {
        hf_list_push_back(&e->awake, &p->in_awake);
        set_rest_clock(k);
    }
    if (e->spill == NULL || !p->resident || p->move != NULL || hf_list_linked(&p->in_idle))
        return;
    if (!may_be_evicted(p))
        return;
    if (p->patience > 0) {
        p->patience--;
        return;
    }
    hf_list_push_back(&e->idle, &p->in_idle);
    hf_list_push_back(&nc->idle, &p->in_class_idle);
    if (is_over(k, nc) || !hf_list_empty(&e->waiting))
        e->due = true;
}

static void move_free(struct hf_spill_move *m)
{
    hf_list_remove(&m->in_kernel);
    hf_buf_done(&m->bytes);
    free(m->asleep);
    free(m);
}

/* Whatever is under way for it ends for nobody. */
static void leave_move(struct hf_process *p)
{
    struct hf_spill_move *m = p->move;
    if (m == NULL)
        return;
    p->move = NULL;
    m->process = NULL;
    if (p->moved) { /* it was read, and lies here */
        move_free(m);
        return;
    }
    if (!m->write)
        return;
    free(m->asleep);
    m->asleep = NULL;
    p->kernel->evict.n_leaving--;
    p->class->named->n_leaving--;
    p->kernel->evict.due = true;
}

void hf_evict_keep(struct hf_process *p)
{
    unlist(p);
    if (p->move != NULL && p->move->write)
        leave_move(p);
}

void hf_evict_gone(struct hf_process *p)
{
    struct hf_evict *e = &p->kernel->evict;
    unlist(p);
    leave_move(p);
    if (p->resident) {
        p->resident = false;
        e->n_resident--;
        p->class->named->n_resident--;
    }
    if (p->reserved) {
        p->reserved = false;
        e->n_moves--;
    }
    e->due |= e->spill != NULL;
}

/* ---- moves ---- */

static bool moved(struct hf_spill_move *m);

static struct hf_spill_move *move_new(struct hf_process *p, bool write)
{
    struct hf_spill_move *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    hf_list_init(&m->link);
    hf_list_init(&m->in_kernel);
    m->write = write;
    m->moved = moved;
    m->kernel = p->kernel;
    m->process = p;
    return m;
}

static void move_begun(struct hf_kernel *k, struct hf_spill_move *m)
{
    struct hf_process *p = m->process;
    hf_list_push_back(&k->evict.moves, &m->in_kernel);
    if (p->reserved)
        p->reserved = false;
    else
        k->evict.n_moves++;
    p->move = m;
}

static bool moved(struct hf_spill_move *m)
{
    struct hf_kernel *k = m->kernel;
    if (k == NULL) {
        move_free(m);
        return false;
    }
    hf_list_remove(&m->in_kernel);
    hf_list_push_back(&k->evict.arrived, &m->in_kernel);
    k->evict.due = true;
    return true;
}

/* ---- out ---- */

static enum hf_err take_image(struct hf_process *p, struct hf_buf *ret, struct hf_report *report)
{
    const uint64_t head[] = {p->id, p->served, p->born_ns, p->named->born_ns};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(head) && err == HF_OK; i++)
        err = hf_write_u64le(ret, head[i]);
    if (err == HF_OK)
        err = p->class->s.behaviour->evict(p->state, ret, report);
    if (err == HF_OK && ret->len > UINT32_MAX)
        err = hf_report_set(report, HF_UNSUPPORTED, "its image has more than 4 GiB");
    return err;
}

static void note_stays(struct hf_process *p, const struct hf_report *report)
{
    struct hf_named *n = p->named;
    uint32_t n_times = n->n_stays < PATIENCE_MAX ? n->n_stays : PATIENCE_MAX;
    p->kernel->evict.stats.refused++;
    p->patience = UINT32_C(1) << n_times;
    n->n_stays++;
    hf_buf_clear(&n->stays);
    const char *text = report->len == 0 ? "it did not say why" : report->text;
    (void)!hf_buf_add_view(&n->stays, hf_view_take(hf_view_of(text), STAYS_MAX));
}

/* It may have mail by now, and be kept from it: suspended, or parked. */
static bool is_still_idle(const struct hf_process *p)
{
    return p->phase == HF_PHASE_IDLE && p->doom == HF_DOOM_NONE && !hf_list_linked(&p->in_run) &&
           hf_list_empty(&p->named->mail) && !p->named->stopping;
}

/* Begins to evict it, or notes why not; it is in no list after, or the last in both. */
static void evict(struct hf_process *p)
{
    struct hf_kernel *k = p->kernel;
    struct hf_evict *e = &k->evict;
    struct hf_named_class *nc = p->class->named;
    struct hf_report report;
    struct hf_spill_move *m;
    enum hf_err err = HF_LIMIT;
    unlist(p);
    if (!is_still_idle(p)) /* it is idle again after its turn */
        return;
    hf_report_init(&report);
    m = move_new(p, true);
    if (m != NULL && (m->asleep = hf_asleep_new(p->named)) != NULL)
        err = take_image(p, &m->bytes, &report);
    if (err == HF_UNSUPPORTED) {
        note_stays(p, &report);
        move_free(m);
        return;
    }
    if (err != HF_OK) {
        failed(k, "taking an image", report.len == 0 ? hf_err_text(err) : report.text);
    } else {
        m->len = m->bytes.len;
        err = e->spill->write(e->spill_ctx, m);
        if (err != HF_OK)
            failed(k, "the spill file", m->why[0] == '\0' ? hf_err_text(err) : m->why);
    }
    if (err != HF_OK) {
        if (m != NULL)
            move_free(m);
        hf_list_push_back(&e->idle, &p->in_idle);
        hf_list_push_back(&nc->idle, &p->in_class_idle);
        return;
    }
    move_begun(k, m);
    e->n_leaving++;
    nc->n_leaving++;
}

/* Its bytes are kept: the instance goes, and the name sleeps. */
static void put_out(struct hf_process *p, struct hf_spill_move *m)
{
    struct hf_named *n = p->named;
    struct hf_asleep *a = m->asleep;
    uint64_t idle_ns = p->idle_ns;
    p->move = NULL;
    p->kernel->evict.n_leaving--;
    p->class->named->n_leaving--;
    m->asleep = NULL;
    a->place = m->place;
    a->len = (uint32_t)m->len;
    p->class->s.behaviour->stop(p->state);
    p->state = NULL;
    p->named = NULL;
    n->process = NULL;
    n->n_stays = 0;
    hf_buf_done(&n->stays);
    p->kernel->evict.stats.evictions++;
    hf_asleep_begin(n, a, idle_ns);
    hf_process_put_out(p);
}

static void written(struct hf_kernel *k, struct hf_spill_move *m)
{
    struct hf_evict *e = &k->evict;
    struct hf_process *p = m->process;
    if (m->err != HF_OK)
        failed(k, "the spill file", m->why[0] == '\0' ? hf_err_text(m->err) : m->why);
    if (p != NULL && m->err == HF_OK && is_still_idle(p)) {
        put_out(p, m);
        return;
    }
    if (m->err == HF_OK)
        e->spill->forget(e->spill_ctx, m->place, m->len);
    if (p == NULL)
        return;
    leave_move(p);
    if (is_still_idle(p))
        hf_evict_idle(p);
}

static void arrive(struct hf_kernel *k)
{
    for (struct hf_list *at; (at = hf_list_pop_front(&k->evict.arrived)) != NULL;) {
        struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, in_kernel);
        struct hf_process *p = m->process;
        k->evict.n_moves--;
        if (m->write) {
            written(k, m);
        } else if (p != NULL) {
            p->moved = true;
            hf_waitset_unpark(&p->turn.set);
            hf_sched_push(p);
            continue; /* it takes the bytes when it runs */
        }
        move_free(m);
    }
}

/* ---- in ---- */

static bool has_room(const struct hf_process *p)
{
    const struct hf_kernel *k = p->kernel;
    if (p->named->asleep != NULL && k->evict.n_moves >= k->evict.spill->moves_max)
        return false;
    return !kernel_is_full(k) && !class_is_full(p->class->named);
}

static void admit(struct hf_process *p)
{
    p->resident = true;
    p->kernel->evict.n_resident++;
    p->class->named->n_resident++;
    p->reserved = p->named->asleep != NULL;
    p->kernel->evict.n_moves += p->reserved;
    hf_spare_fit(p->class);
}

bool hf_evict_admits(struct hf_process *p)
{
    struct hf_evict *e = &p->kernel->evict;
    struct hf_named_class *nc = p->class->named;
    if (p->resident)
        return true;
    if (e->spill == NULL || (has_room(p) && hf_list_empty(&nc->entrance))) {
        admit(p);
        return true;
    }
    if (hf_list_empty(&nc->entrance))
        e->shut_ns = p->kernel->now;
    hf_list_push_back(&nc->entrance, &p->in_run);
    if (!hf_list_linked(&nc->in_waiting))
        hf_list_push_back(&e->waiting, &nc->in_waiting);
    e->due = true;
    return false;
}

bool hf_evict_is_reviving(const struct hf_process *p)
{
    return p->named != NULL && p->named->asleep != NULL;
}

enum hf_end hf_evict_revive(struct hf_process *p)
{
    struct hf_evict *e = &p->kernel->evict;
    const struct hf_asleep *a = p->named->asleep;
    struct hf_spill_move *m = move_new(p, false);
    if (m == NULL) {
        e->stats.lost += e->n_spares == 0; /* else they go, and it is tried again */
        hf_turn_fail(&p->turn, HF_ANSWER_LIMITED, HF_VIEW("no memory to read its image"));
        return HF_END_FAILED;
    }
    m->place = a->place;
    m->len = a->len;
    p->moved = false;
    move_begun(p->kernel, m);
    e->spill->read(e->spill_ctx, m);
    return HF_END_WAIT;
}

static enum hf_err make_again(struct hf_process *p, const struct hf_spill_move *m,
                              struct hf_report *report)
{
    struct hf_reader r = hf_reader(hf_buf_view(&m->bytes));
    if (m->err != HF_OK)
        return hf_report_set(report, m->err, "%s",
                             m->why[0] == '\0' ? hf_err_text(m->err) : m->why);
    uint64_t id = hf_read_u64le(&r), served = hf_read_u64le(&r), born = hf_read_u64le(&r);
    uint64_t life = hf_read_u64le(&r);
    if (r.bad || m->bytes.len != m->len)
        return hf_report_set(report, HF_CORRUPT, "the spill file gave %zu bytes of %zu",
                             m->bytes.len, m->len);
    struct hf_view bytes = hf_view_skip(hf_buf_view(&m->bytes), HEAD_LEN);
    enum hf_err err =
        p->class->s.behaviour->revive(p->class->s.ctx, &p->turn, bytes, &p->state, report);
    if (err != HF_OK)
        return err;
    p->id = id; /* it is the same one as before */
    p->served = served;
    p->born_ns = born;
    p->named->born_ns = life;
    return HF_OK;
}

enum hf_end hf_evict_resume(struct hf_process *p)
{
    struct hf_evict *e = &p->kernel->evict;
    struct hf_spill_move *m = p->move;
    struct hf_report report;
    if (!p->moved)
        return HF_END_WAIT;
    p->move = NULL;
    p->moved = false;
    hf_report_init(&report);
    enum hf_err err = make_again(p, m, &report);
    move_free(m);
    if (err == HF_OK) {
        hf_asleep_end(p->named);
        p->revived = true;
        e->stats.revivals++;
        return HF_END_DONE;
    }
    bool again = err == HF_LIMIT && e->n_spares > 0; /* they go, and it is tried again */
    e->stats.lost += !again;
    hf_report_set(&report, err, "%s", hf_err_text(err)); /* unless more was said */
    hf_report_wrap(&report, err, "it was evicted and could not be revived");
    hf_turn_fail(&p->turn, err == HF_LIMIT ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD,
                 hf_view_of(report.text));
    return HF_END_FAILED;
}

/* ---- a step's share ---- */

enum made { MADE_ROOM, MADE_LATER, MADE_NONE };

/* Somebody leaves, if anybody can. */
static enum made make_room(struct hf_kernel *k, struct hf_named_class *nc)
{
    struct hf_evict *e = &k->evict;
    bool by_class = class_is_full(nc);
    struct hf_list *idle = by_class ? nc->idle.next : e->idle.next;
    bool none = idle == (by_class ? &nc->idle : &e->idle) || is_paused(e);
    bool leaving = by_class ? nc->n_leaving > 0 : e->n_leaving > 0;
    if (none)
        return leaving ? MADE_LATER : MADE_NONE;
    if (e->n_leaving >= e->spill->moves_max / 2 || e->n_moves >= e->spill->moves_max)
        return MADE_LATER;
    evict(by_class ? HF_LIST_ENTRY(idle, struct hf_process, in_class_idle)
                   : HF_LIST_ENTRY(idle, struct hf_process, in_idle));
    return MADE_ROOM;
}

static bool must_wait_for_moves(const struct hf_process *p)
{
    const struct hf_evict *e = &p->kernel->evict;
    return p->named->asleep != NULL && e->n_moves >= e->spill->moves_max;
}

/* Nobody can leave; may somebody come in all the same? */
static bool is_open(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    if (hf_sched_next(k) != HF_LINES && k->now - e->shut_ns < SHUT_NS)
        return false;
    e->shut_ns = k->now;
    return true;
}

/* False: enough for one step, and there is more. */
static bool let_in(struct hf_kernel *k, struct hf_named_class *nc)
{
    while (!hf_list_empty(&nc->entrance)) {
        struct hf_process *p = HF_LIST_ENTRY(nc->entrance.next, struct hf_process, in_run);
        if (must_wait_for_moves(p))
            return true;
        if (!has_room(p)) {
            enum made made = make_room(k, nc);
            if (made == MADE_ROOM || (made == MADE_NONE && !is_open(k)))
                return false;
            if (made == MADE_LATER)
                return true;
        }
        hf_list_remove(&p->in_run);
        admit(p);
        hf_sched_push(p);
    }
    hf_list_remove(&nc->in_waiting);
    return true;
}

/* The same for who came in beyond a bound. */
static bool go_down(struct hf_kernel *k)
{
    HF_LIST_FOR (at, &k->classes) {
        struct hf_class *c = HF_LIST_ENTRY(at, struct hf_class, in_kernel);
        if (c->named != NULL && is_over(k, c->named) && make_room(k, c->named) == MADE_ROOM)
            return false;
    }
    return true;
}

void hf_evict_work(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    e->due = false;
    arrive(k);
    hf_asleep_work(k);
    HF_LIST_FOR_SAFE (at, &e->waiting) {
        if (!let_in(k, HF_LIST_ENTRY(at, struct hf_named_class, in_waiting))) {
            e->due = true;
            return;
        }
    }
    if (!go_down(k))
        e->due = true;
}

void hf_evict_done(struct hf_kernel *k)
{
    struct hf_evict *e = &k->evict;
    HF_ASSERT(e->n_resident == 0 && e->n_leaving == 0 && e->n_spares == 0);
    for (struct hf_list *at; (at = hf_list_pop_front(&e->moves)) != NULL;) {
        struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, in_kernel);
        m->kernel = NULL;
        m->process = NULL;
    }
    for (struct hf_list *at; (at = hf_list_pop_front(&e->arrived)) != NULL;) {
        struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, in_kernel);
        if (m->write && m->err == HF_OK)
            e->spill->forget(e->spill_ctx, m->place, m->len);
        move_free(m);
    }
    hf_map_done(&e->asleep);
    hf_buf_done(&e->why);
}
