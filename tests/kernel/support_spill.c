/* support_spill.c - see support_spill.h. */
#include "support_spill.h"

static void drop(struct keeper *r, struct hf_buf *bytes)
{
    if (r->dropped != NULL)
        r->dropped(r->ctx, hf_buf_view(bytes));
}

static void forget(void *ctx, uint64_t place, size_t len)
{
    struct keeper *r = ctx;
    if (r->blind) {
        r->n_used--;
        return;
    }
    assert_true(place >= 100 && place < 100 + SLOTS);
    size_t i = (size_t)place - 100;
    assert_true(r->used[i]);
    assert_int_equal(r->slots[i].len, len);
    r->used[i] = false;
    r->n_used--;
    struct hf_buf was = r->slots[i];
    hf_buf_init(&r->slots[i]);
    drop(r, &was);
    hf_buf_done(&was);
}

static void do_write(struct keeper *r, struct hf_spill_move *m)
{
    size_t i = (r->n_writes * 7) % SLOTS; /* not the order of anything */
    while (r->used[i])
        i = (i + 1) % SLOTS;
    assert_int_equal(m->len, m->bytes.len);
    if (r->write_fails) {
        m->err = HF_IO;
        snprintf(m->why, sizeof m->why, "the disk is on fire");
        struct hf_buf was = m->bytes;
        hf_buf_init(&m->bytes);
        (void)hf_spill_moved(m);
        drop(r, &was);
        hf_buf_done(&was);
        return;
    }
    r->n_used++;
    if (!r->blind) {
        r->used[i] = true;
        r->slots[i] = m->bytes;
        hf_buf_init(&m->bytes);
    }
    m->place = 100 + i;
    size_t len = m->len;
    if (!hf_spill_moved(m))
        forget(r, 100 + i, len);
}

static void do_read(struct keeper *r, struct hf_spill_move *m)
{
    size_t i = (size_t)m->place - 100;
    assert_true(r->used[i] || m->process == NULL);
    if (r->read_fails || !r->used[i]) {
        m->err = HF_IO;
        snprintf(m->why, sizeof m->why, "sector 7 is gone");
    } else {
        size_t n = r->read_short ? m->len / 2 : m->len;
        if (hf_buf_add(&m->bytes, r->slots[i].ptr, n) != HF_OK)
            m->err = HF_LIMIT;
    }
    (void)hf_spill_moved(m);
}

bool keeper_go(struct keeper *r, size_t n)
{
    bool any = false;
    for (; n > 0; n--, any = true) {
        struct hf_list *at = hf_list_pop_front(&r->moves);
        if (at == NULL)
            return any;
        struct hf_spill_move *m = HF_LIST_ENTRY(at, struct hf_spill_move, link);
        if (m->write)
            do_write(r, m);
        else
            do_read(r, m);
    }
    return any;
}

static enum hf_err on_write(void *ctx, struct hf_spill_move *m)
{
    struct keeper *r = ctx;
    assert_true(m->write && m->bytes.len > 0);
    if (r->full) {
        snprintf(m->why, sizeof m->why, "it is full");
        return HF_LIMIT;
    }
    r->n_writes++;
    hf_list_push_back(&r->moves, &m->link);
    return HF_OK;
}

static void on_read(void *ctx, struct hf_spill_move *m)
{
    struct keeper *r = ctx;
    assert_true(!m->write && m->bytes.len == 0);
    r->n_reads++;
    hf_list_push_back(&r->moves, &m->link);
}

void keeper_open(struct keeper *r, struct hf_kernel *k)
{
    static const struct hf_spill ops = {
        .moves_max = 8, .write = on_write, .read = on_read, .forget = forget};
    *r = (struct keeper){0};
    hf_list_init(&r->moves);
    hf_kernel_spill_to(k, &ops, r);
}

void keeper_close(struct keeper *r)
{
    (void)keeper_go(r, SIZE_MAX);
    assert_int_equal(r->n_used, 0);
}
