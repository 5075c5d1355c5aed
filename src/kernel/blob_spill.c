/* blob_spill.c - see blob_spill.h and the states of a segment in blob_int.h.
 *
 * Cold segments stand in their blob's list, oldest first but for those that lie in the file already
 * and were read again: they go first, for that costs nothing. Blobs that have some stand in the
 * pool's list in the order in which they began to.
 *
 * A fixed number of moves; a quarter of them is for reads alone, so that readers never wait for all
 * writes. A segment that is freed on its way leaves its bytes to the move, which frees them (and
 * what was written is forgotten) when it is home.
 */
#include "kernel/blob_int.h"

#include <stdio.h>
#include <stdlib.h>

#define MOVES     16u
#define WRITES    12u
#define SLACK     (1024u * 1024) /* over a bound, at least, before a producer waits for the file */
#define SMALL_NEW (64u * 1024)   /* a new blob of so much is always taken */

struct hf_blob_move {
    struct hf_spill_move m;
    struct hf_list link; /* idle */
    struct hf_blob_pool *pool;
    struct hf_seg *seg; /* NULL: freed meanwhile, its bytes are this move's */
    uint8_t *data;
    struct hf_shared *shared;
    enum hf_seg_kind kind;
};

struct hf_blob_spill {
    struct hf_blob_spill_settings s; /* ops NULL: it has ended */
    struct hf_list cold;             /* hf_blob.in_cold */
    struct hf_list slow;             /* hf_blob.in_slow */
    struct hf_list wanted;           /* hf_seg.link: reads that wait for a move */
    struct hf_list idle;             /* moves */
    uint32_t n_writes, n_reads, writes_max;
    uint64_t going; /* bytes of memory that writes free */
    struct hf_blob_spill_stats stats;
    char why[200];
    struct hf_blob_move moves[MOVES];
};

enum hf_err hf_blob_pool_spill_to(struct hf_blob_pool *pool, const struct hf_blob_spill_settings *s)
{
    HF_ASSERT(pool->spill == NULL && pool->live == 0 && s->ops->moves_max >= 2);
    struct hf_blob_spill *sp = calloc(1, sizeof *sp);
    if (sp == NULL)
        return HF_LIMIT;
    uint32_t n = s->ops->moves_max < MOVES ? s->ops->moves_max : MOVES;
    sp->s = *s;
    sp->writes_max = n > WRITES ? WRITES : n - 1;
    hf_list_init(&sp->cold);
    hf_list_init(&sp->slow);
    hf_list_init(&sp->wanted);
    hf_list_init(&sp->idle);
    for (uint32_t i = 0; i < n; i++) {
        sp->moves[i].pool = pool;
        hf_list_push_back(&sp->idle, &sp->moves[i].link);
    }
    pool->spill = sp;
    return HF_OK;
}

void hf_blob_spill_free(struct hf_blob_spill *sp)
{
    free(sp);
}

static void failed(struct hf_blob_spill *sp, const char *what, const struct hf_spill_move *m,
                   enum hf_err err)
{
    snprintf(sp->why, sizeof sp->why, "%s%s", what, m->why[0] == '\0' ? hf_err_text(err) : m->why);
}

/* ---- cold ones ---- */

static void weigh(struct hf_blob *b, size_t more, size_t less)
{
    b->memory += more - less;
    b->pool->held += more - less;
}

static bool may_go(const struct hf_blob *b, const struct hf_seg *seg)
{
    bool sealed = b->ended || seg->next != NULL;
    bool large = seg->kind == HF_SEG_LARGE ||
                 (seg->kind == HF_SEG_BUF && seg->len >= HF_BLOB_SPILL_LEAST);
    return sealed && large && seg->len > 0 && seg->data != NULL && seg->n_readers == 0 &&
           seg->move == NULL;
}

static void cool(struct hf_blob *b, struct hf_seg *seg, bool first)
{
    struct hf_blob_spill *sp = b->pool->spill;
    if (!may_go(b, seg) || hf_list_linked(&seg->link) || sp->s.ops == NULL)
        return;
    if (first) {
        hf_list_remove(&b->in_cold);
        hf_list_push_front(&sp->cold, &b->in_cold);
        hf_list_push_front(&b->cold, &seg->link);
    } else {
        if (hf_list_empty(&b->cold))
            hf_list_push_back(&sp->cold, &b->in_cold);
        hf_list_push_back(&b->cold, &seg->link);
    }
}

void hf_seg_cool(struct hf_blob *b, struct hf_seg *seg)
{
    cool(b, seg, seg->placed);
}

void hf_seg_warm(struct hf_blob *b, struct hf_seg *seg)
{
    if (seg->data == NULL)
        return;
    hf_list_remove(&seg->link);
    if (hf_list_empty(&b->cold))
        hf_list_remove(&b->in_cold);
}

static void free_data(struct hf_blob_pool *pool, enum hf_seg_kind kind, uint8_t *data,
                      struct hf_shared *shared)
{
    if (shared != NULL)
        hf_shared_unref(shared);
    else
        hf_seg_block_free(pool, kind, data);
}

static void drop_data(struct hf_seg *seg)
{
    struct hf_blob *b = seg->blob;
    HF_ASSERT(seg->placed && seg->n_readers == 0 && seg->move == NULL);
    free_data(b->pool, seg->kind, seg->data, seg->shared);
    seg->data = NULL;
    seg->shared = NULL;
    weigh(b, 0, seg->cap);
}

/* ---- moves ---- */

static struct hf_blob_move *move_of(struct hf_blob_spill *sp, struct hf_seg *seg, bool write)
{
    struct hf_list *at = hf_list_pop_front(&sp->idle);
    if (at == NULL)
        return NULL;
    struct hf_blob_move *v = HF_LIST_ENTRY(at, struct hf_blob_move, link);
    v->m = (struct hf_spill_move){.write = write, .place = seg->place, .len = seg->len};
    v->seg = seg;
    v->shared = NULL;
    v->kind = seg->kind;
    return v;
}

static bool on_moved(struct hf_spill_move *m);

static void begun(struct hf_blob_spill *sp, struct hf_blob_move *v)
{
    v->seg->move = v;
    v->pool->refs++;
    if (v->m.write)
        sp->n_writes++;
    else
        sp->n_reads++;
}

/* The segment that stands first in its blob's list. False: not now. */
static bool send_out(struct hf_blob_spill *sp, struct hf_blob *b)
{
    struct hf_seg *seg = HF_LIST_ENTRY(b->cold.next, struct hf_seg, link);
    if (seg->placed) {
        hf_seg_warm(b, seg);
        drop_data(seg);
        return true;
    }
    if (sp->n_writes >= (sp->stats.stuck ? 1 : sp->writes_max))
        return false;
    struct hf_blob_move *v = move_of(sp, seg, true);
    if (v == NULL)
        return false;
    v->m.moved = on_moved;
    v->m.bytes = (struct hf_buf){.ptr = seg->data, .len = seg->len, .cap = seg->cap};
    v->data = seg->data;
    enum hf_err err = sp->s.ops->write(sp->s.ctx, &v->m);
    if (err != HF_OK) {
        failed(sp, "", &v->m, err);
        sp->stats.write_failures++;
        sp->stats.stuck = true;
        hf_list_push_back(&sp->idle, &v->link);
        return false;
    }
    begun(sp, v);
    hf_seg_warm(b, seg);
    b->going += seg->cap;
    sp->going += seg->cap;
    return true;
}

void hf_blob_press(struct hf_blob_pool *pool, struct hf_blob *b)
{
    struct hf_blob_spill *sp = pool->spill;
    if (sp->s.ops == NULL)
        return;
    while (b != NULL && b->memory - b->going > sp->s.blob_max && !hf_list_empty(&b->cold))
        if (!send_out(sp, b))
            return;
    while (pool->held - sp->going > sp->s.memory_max && !hf_list_empty(&sp->cold))
        if (!send_out(sp, HF_LIST_ENTRY(sp->cold.next, struct hf_blob, in_cold)))
            return;
}

/* ---- back ---- */

static void cannot_read(struct hf_seg *seg, enum hf_err err)
{
    if (seg->n_readers > 0)
        seg->err = err;
}

static void begin_read(struct hf_blob_spill *sp, struct hf_seg *seg)
{
    struct hf_blob_pool *pool = seg->blob->pool;
    uint8_t *data = hf_seg_block(pool, seg->kind, seg->cap);
    struct hf_blob_move *v = data == NULL ? NULL : move_of(sp, seg, false);
    if (v == NULL) { /* it was looked whether a move is idle */
        cannot_read(seg, HF_LIMIT);
        return;
    }
    v->m.moved = on_moved;
    v->m.bytes = (struct hf_buf){.ptr = data, .cap = seg->cap};
    v->data = data;
    begun(sp, v);
    sp->s.ops->read(sp->s.ctx, &v->m);
}

void hf_seg_want(struct hf_blob *b, struct hf_seg *seg)
{
    struct hf_blob_spill *sp = b->pool->spill;
    if (seg->data != NULL || seg->move != NULL || hf_list_linked(&seg->link))
        return;
    if (sp->s.ops == NULL)
        cannot_read(seg, HF_CANCELLED);
    else if (hf_list_empty(&sp->idle))
        hf_list_push_back(&sp->wanted, &seg->link);
    else
        begin_read(sp, seg);
}

void hf_seg_unwant(struct hf_seg *seg)
{
    seg->err = HF_OK;
    if (seg->data == NULL)
        hf_list_remove(&seg->link);
}

static void next_reads(struct hf_blob_spill *sp)
{
    while (!hf_list_empty(&sp->wanted) && !hf_list_empty(&sp->idle)) {
        struct hf_seg *seg =
            HF_LIST_ENTRY(hf_list_pop_front(&sp->wanted), struct hf_seg, link);
        begin_read(sp, seg);
        if (seg->err != HF_OK) {
            hf_blob_tell(seg->blob);
            return; /* that may have changed everything; the next that comes home goes on */
        }
    }
}

/* ---- home ---- */

static void written(struct hf_blob_spill *sp, struct hf_seg *seg, const struct hf_spill_move *m,
                    bool kept)
{
    struct hf_blob *b = seg->blob;
    b->going -= seg->cap;
    if (kept) {
        seg->placed = true;
        seg->place = m->place;
        sp->stats.in_file += seg->len;
        sp->stats.written += seg->len;
    }
    hf_seg_cool(b, seg);
    if (m->err == HF_OK)
        hf_blob_press(b->pool, b);
}

static void was_read(struct hf_blob_spill *sp, struct hf_seg *seg, const struct hf_blob_move *v,
                     enum hf_err err)
{
    struct hf_blob *b = seg->blob;
    if (err == HF_OK) {
        seg->data = v->data;
        weigh(b, seg->cap, 0);
        sp->stats.read += seg->len;
        cool(b, seg, false); /* read ahead, and soon wanted */
    } else {
        hf_seg_block_free(b->pool, seg->kind, v->data);
        cannot_read(seg, err);
    }
    hf_blob_tell(b);
}

/* Producers that waited for the file look again. */
static void let_on(struct hf_blob_spill *sp)
{
    struct hf_list now;
    hf_list_init(&now);
    hf_list_splice_back(&now, &sp->slow);
    for (struct hf_list *at; (at = hf_list_pop_front(&now)) != NULL;)
        hf_blob_settle(HF_LIST_ENTRY(at, struct hf_blob, in_slow));
}

static enum hf_err outcome(struct hf_blob_spill *sp, const struct hf_spill_move *m)
{
    enum hf_err err = m->err;
    if (!m->write && err == HF_OK && m->bytes.len != m->len)
        err = HF_CORRUPT;
    if (m->write && err != HF_OK && err != HF_CANCELLED) {
        sp->stats.write_failures++;
        failed(sp, "", m, err);
    } else if (err != HF_OK && err != HF_CANCELLED) {
        sp->stats.read_failures++;
        failed(sp, "reading it again: ", m, err);
    }
    if (m->write)
        sp->stats.stuck = err != HF_OK;
    return err;
}

static bool on_moved(struct hf_spill_move *m)
{
    struct hf_blob_move *v = HF_CONTAINER_OF(m, struct hf_blob_move, m);
    struct hf_blob_pool *pool = v->pool;
    struct hf_blob_spill *sp = pool->spill;
    struct hf_seg *seg = v->seg;
    enum hf_err err = outcome(sp, m);
    bool write = m->write, kept = write && err == HF_OK && seg != NULL && sp->s.ops != NULL;

    if (write) {
        sp->n_writes--;
        sp->going -= v->m.bytes.cap;
    } else {
        sp->n_reads--;
    }
    hf_list_push_back(&sp->idle, &v->link); /* nobody takes it before we are done with it */
    if (seg == NULL) {
        free_data(pool, v->kind, v->data, v->shared);
        if (write)
            pool->held -= v->m.bytes.cap;
    } else {
        seg->move = NULL;
        if (write)
            written(sp, seg, m, kept);
        else
            was_read(sp, seg, v, err);
    }
    next_reads(sp);
    if (!sp->stats.stuck) /* else the next that grows tries again */
        hf_blob_press(pool, NULL);
    let_on(sp);
    hf_blob_pool_unref(pool);
    return !write || kept || err != HF_OK;
}

void hf_seg_leave(struct hf_blob *b, struct hf_seg *seg)
{
    struct hf_blob_spill *sp = b->pool->spill;
    struct hf_blob_move *v = seg->move;
    HF_ASSERT(seg->n_readers == 0);
    if (seg->data == NULL)
        hf_list_remove(&seg->link); /* it waited to be read */
    else
        hf_seg_warm(b, seg);
    if (v != NULL) {
        v->seg = NULL;
        seg->move = NULL;
        if (v->m.write) { /* its bytes, and their weight, are the move's from here */
            b->going -= seg->cap;
            b->memory -= seg->cap;
            v->shared = seg->shared;
            seg->data = NULL;
            seg->shared = NULL;
        }
    }
    if (seg->placed) {
        seg->placed = false;
        sp->stats.in_file -= seg->len;
        if (sp->s.ops != NULL) {
            sp->s.ops->forget(sp->s.ctx, seg->place, seg->len);
            sp->stats.stuck = false; /* there is room again, or that will be seen */
        }
    }
}

/* ---- bounds ---- */

static bool is_over(uint64_t has, size_t max)
{
    return has > max && has - max > (max / 4 > SLACK ? max / 4 : SLACK);
}

bool hf_blob_is_slowed(struct hf_blob *b)
{
    struct hf_blob_spill *sp = b->pool->spill;
    bool kept = b->producing && b->refs > b->n_readers && b->head != b->tail;
    bool slowed = kept && !sp->stats.stuck && sp->n_writes > 0 &&
                  (is_over(b->pool->held, sp->s.memory_max) ||
                   (b->going > 0 && is_over(b->memory, sp->s.blob_max)));
    hf_list_remove(&b->in_slow);
    if (slowed)
        hf_list_push_back(&sp->slow, &b->in_slow);
    return slowed;
}

bool hf_blob_refuses(struct hf_blob_pool *pool, struct hf_blob *b, size_t more)
{
    struct hf_blob_spill *sp = pool->spill;
    if (!sp->stats.stuck || pool->held <= sp->s.memory_max)
        return false;
    bool little = b == NULL ? more <= SMALL_NEW
                            : b->refs <= b->n_readers ||
                                  b->pushed - b->base + more <= (b->window > SMALL_NEW ? b->window : SMALL_NEW);
    if (little)
        return false;
    hf_blob_press(pool, b); /* perhaps it does by now */
    sp->stats.refused++;
    return true;
}

/* ---- looking, ending ---- */

void hf_blob_spill_get_stats(const struct hf_blob_pool *pool, struct hf_blob_spill_stats *ret)
{
    const struct hf_blob_spill *sp = pool->spill;
    *ret = (struct hf_blob_spill_stats){.memory = pool->held};
    if (sp == NULL)
        return;
    *ret = sp->stats;
    ret->memory = pool->held;
    ret->moves = sp->n_writes + sp->n_reads;
    ret->last_failure = hf_view_of(sp->why);
}

void hf_blob_pool_spill_end(struct hf_blob_pool *pool)
{
    struct hf_blob_spill *sp = pool->spill;
    if (sp == NULL)
        return;
    sp->s.ops = NULL;
    pool->refs++; /* a reader that is told may be the last that keeps it */
    for (struct hf_list *at; (at = hf_list_pop_front(&sp->wanted)) != NULL;) {
        struct hf_seg *seg = HF_LIST_ENTRY(at, struct hf_seg, link);
        cannot_read(seg, HF_CANCELLED);
        hf_blob_tell(seg->blob);
    }
    hf_blob_pool_unref(pool);
}
