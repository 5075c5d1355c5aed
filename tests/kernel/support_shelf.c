/* support_shelf.c - see support_shelf.h. */
#include "support_shelf.h"

#include <stdlib.h>

enum { MOVES = 6 };

static struct shelf_slot *slot_of(struct shelf *s, uint64_t place)
{
    HF_LIST_FOR(n, &s->slots)
    {
        struct shelf_slot *slot = HF_LIST_ENTRY(n, struct shelf_slot, link);
        if (slot->place == place)
            return slot;
    }
    return NULL;
}

static void slot_free(struct shelf *s, struct shelf_slot *slot)
{
    s->used -= slot->len;
    hf_list_remove(&slot->link);
    free(slot->bytes);
    free(slot);
}

static void begin(struct shelf *s, struct hf_spill_move *m)
{
    assert_true(++s->n_moves <= MOVES);
    if (s->n_moves > s->moves_max)
        s->moves_max = s->n_moves;
    hf_list_push_back(&s->moves, &m->link);
}

static enum hf_err on_write(void *ctx, struct hf_spill_move *m)
{
    struct shelf *s = ctx;
    assert_true(m->write && m->bytes.len == m->len && m->len > 0);
    if (s->max != 0 && s->used + m->len > s->max) {
        snprintf(m->why, sizeof m->why, "it is full");
        return HF_LIMIT;
    }
    struct shelf_slot *slot = calloc(1, sizeof *slot);
    *slot = (struct shelf_slot){
        .place = ++s->next_place * 1000, .bytes = malloc(m->len), .len = m->len, .going = true};
    memcpy(slot->bytes, m->bytes.ptr, m->len);
    hf_list_push_back(&s->slots, &slot->link);
    s->used += m->len;
    m->place = slot->place;
    s->n_writes++;
    begin(s, m);
    return HF_OK;
}

static void on_read(void *ctx, struct hf_spill_move *m)
{
    struct shelf *s = ctx;
    const struct shelf_slot *slot = slot_of(s, m->place);
    assert_true(!m->write && m->bytes.len == 0 && m->bytes.cap >= m->len);
    assert_true(slot != NULL && !slot->going && slot->len == m->len); /* never before it is written */
    s->n_reads++;
    begin(s, m);
}

static void on_forget(void *ctx, uint64_t place, size_t len)
{
    struct shelf *s = ctx;
    struct shelf_slot *slot = slot_of(s, place);
    assert_true(slot != NULL && !slot->going && slot->len == len);
    s->n_forgot++;
    slot_free(s, slot);
}

const struct hf_spill shelf_ops = {
    .moves_max = MOVES, .write = on_write, .read = on_read, .forget = on_forget};

static void write_now(struct shelf *s, struct hf_spill_move *m)
{
    struct shelf_slot *slot = slot_of(s, m->place);
    assert_true(slot != NULL && slot->going);
    assert_memory_equal(m->bytes.ptr, slot->bytes, slot->len); /* kept as it was until now */
    slot->going = false;
    bool fails = s->write_fails;
    if (fails) {
        m->err = HF_IO;
        snprintf(m->why, sizeof m->why, "the disk is on fire");
    }
    if (!hf_spill_moved(m) || fails)
        slot_free(s, slot);
}

static void read_now(struct shelf *s, struct hf_spill_move *m)
{
    const struct shelf_slot *slot = slot_of(s, m->place);
    if (s->read_fails) {
        m->err = HF_IO;
        snprintf(m->why, sizeof m->why, "sector 7 is gone");
    } else if (slot != NULL) { /* else it is forgotten, and whatever comes is of no use */
        size_t n = s->read_short ? m->len / 2 : m->len;
        assert_int_equal(hf_buf_add(&m->bytes, slot->bytes, n), HF_OK);
    }
    (void)hf_spill_moved(m);
}

bool shelf_go_one(struct shelf *s, size_t which)
{
    if (s->n_moves == 0)
        return false;
    struct hf_list *at = s->moves.next;
    for (which %= s->n_moves; which > 0; which--)
        at = at->next;
    struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, link);
    hf_list_remove(&m->link);
    s->n_moves--;
    if (m->write)
        write_now(s, m);
    else
        read_now(s, m);
    return true;
}

bool shelf_go(struct shelf *s, size_t n)
{
    bool any = false;
    while (n-- > 0 && shelf_go_one(s, 0))
        any = true;
    return any;
}

void shelf_open(struct shelf *s)
{
    *s = (struct shelf){0};
    hf_list_init(&s->moves);
    hf_list_init(&s->slots);
}

void shelf_close(struct shelf *s)
{
    assert_int_equal(s->n_moves, 0);
    while (!hf_list_empty(&s->slots))
        slot_free(s, HF_LIST_ENTRY(s->slots.next, struct shelf_slot, link));
}

void shelf_attach(struct shelf *s, struct hf_blob_pool *pool, size_t memory_max, size_t blob_max)
{
    const struct hf_blob_spill_settings settings = {
        .ops = &shelf_ops, .ctx = s, .memory_max = memory_max, .blob_max = blob_max};
    shelf_open(s);
    assert_int_equal(hf_blob_pool_spill_to(pool, &settings), HF_OK);
}
