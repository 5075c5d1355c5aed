/* carry.c - see carry.h.
 *
 * What crosses, each letter used by one side at a time:
 *     parcel  source -> there   a piece;  there -> source  room for another
 *     last    source -> there   the end: clean, or a failure, and the trailers
 *     stop    there -> source   nobody reads it; `last` follows
 *     over    there -> source   the answer to `last`: every parcel is home, the source frees it all
 * Letters of one sender arrive in order, so `last` comes after all pieces, and `over` after all
 * parcels.
 */
#include "link/carry.h"

#include <stdlib.h>

struct parcel {
    struct hf_letter letter;
    struct hf_carry *carry;
    struct hf_list link; /* at home, or held there for want of room */
    uint8_t *bytes;
    size_t len, cap;
};

struct hf_carry {
    /* the source's */
    struct hf_carrier *from;
    struct hf_list in_from, in_ready;
    struct hf_blob_reader reader;
    struct hf_waitset bytes;
    struct hf_waiter bytes_waiter;
    struct hf_list home; /* parcels */
    bool last_sent;
    /* the other's */
    struct hf_carrier *to;
    struct hf_list in_to, in_room;
    struct hf_blob *blob; /* being filled; NULL: refused, stopped or ended */
    struct hf_waitset space;
    struct hf_waiter space_waiter;
    struct hf_list held;   /* parcels whose bytes are in the blob */
    struct hf_list full;   /* ... that came when it had no room: its bytes are pushed when it has */
    bool stop_sent, ended; /* ended: `last` came, and waits behind those that are full */
    /* what crosses */
    struct parcel parcels[HF_CARRY_PARCELS];
    struct hf_letter last, stop, over;
    enum hf_err err; /* of last: HF_CLOSED is a clean end */
    uint64_t declared;
    struct hf_buf trailers;
};

static void carry_free(struct hf_carry *c)
{
    hf_list_remove(&c->in_from);
    hf_list_remove(&c->in_ready);
    hf_list_remove(&c->in_to);
    hf_list_remove(&c->in_room);
    hf_blob_reader_close(&c->reader);
    for (size_t i = 0; i < HF_CARRY_PARCELS; i++)
        free(c->parcels[i].bytes);
    hf_buf_done(&c->trailers);
    free(c);
}

static void on_piece(struct hf_letter *letter);

/* ---- the source's side ---- */

static void source_park(struct hf_carry *c)
{
    if (hf_list_empty(&c->home) || c->last_sent) /* a parcel that comes home goes on */
        return;
    hf_waiter_arm(&c->bytes_waiter, &c->reader.wait, &c->bytes);
    if (!hf_waitset_park(&c->bytes, false) && !hf_list_linked(&c->in_ready))
        hf_list_push_back(&c->from->ready, &c->in_ready);
}

static void source_unpark(struct hf_carry *c)
{
    hf_waitset_unpark(&c->bytes);
    hf_waiter_disarm(&c->bytes_waiter);
}

/* Bytes came while we waited. It may be in the middle of a guest's turn: only noted. */
static void on_bytes(struct hf_waitset *set)
{
    struct hf_carry *c = HF_CONTAINER_OF(set, struct hf_carry, bytes);
    if (!hf_list_linked(&c->in_ready))
        hf_list_push_back(&c->from->ready, &c->in_ready);
}

static void send_last(struct hf_carry *c, enum hf_err err)
{
    c->err = err;
    if (err == HF_CLOSED &&
        hf_buf_add_view(&c->trailers, hf_blob_trailers(c->reader.blob)) != HF_OK)
        c->err = HF_LIMIT;
    c->last_sent = true;
    source_unpark(c);
    hf_blob_reader_close(&c->reader);
    hf_wake_post(c->to->wake, &c->last);
}

/* A piece into a parcel; false: no memory for it. */
static bool fill(struct parcel *p, struct hf_view bytes)
{
    if (p->cap < bytes.len) {
        uint8_t *more = realloc(p->bytes, bytes.len);
        if (more == NULL)
            return false;
        p->bytes = more;
        p->cap = bytes.len;
    }
    memcpy(p->bytes, bytes.ptr, bytes.len);
    p->len = bytes.len;
    return true;
}

static void pump(struct hf_carry *c)
{
    source_unpark(c);
    while (!c->last_sent && !hf_list_empty(&c->home)) {
        struct hf_view bytes;
        enum hf_err err = hf_blob_reader_peek(&c->reader, &bytes);
        if (err == HF_AGAIN)
            break;
        if (err != HF_OK) {
            send_last(c, err);
            return;
        }
        struct parcel *p = HF_LIST_ENTRY(c->home.next, struct parcel, link);
        bytes = hf_view_take(bytes, HF_CARRY_PIECE);
        if (!fill(p, bytes)) {
            send_last(c, HF_LIMIT);
            return;
        }
        hf_list_remove(&p->link);
        hf_blob_reader_advance(&c->reader, bytes.len);
        p->letter.deliver = on_piece;
        hf_wake_post(c->to->wake, &p->letter);
    }
    source_park(c);
}

static void parcel_home(struct hf_letter *letter)
{
    struct parcel *p = HF_CONTAINER_OF(letter, struct parcel, letter);
    struct hf_carry *c = p->carry;
    hf_list_push_back(&c->home, &p->link);
    if (c->from->closing || c->last_sent)
        return;
    if (!hf_list_linked(&c->in_ready))
        hf_list_push_back(&c->from->ready, &c->in_ready);
}

static void on_stop(struct hf_letter *letter)
{
    struct hf_carry *c = HF_CONTAINER_OF(letter, struct hf_carry, stop);
    if (!c->from->closing && !c->last_sent)
        send_last(c, HF_CANCELLED);
}

static void on_over(struct hf_letter *letter)
{
    struct hf_carry *c = HF_CONTAINER_OF(letter, struct hf_carry, over);
    if (!c->from->closing)
        carry_free(c);
}

/* ---- there ---- */

static void send_home(struct parcel *p)
{
    p->letter.deliver = parcel_home;
    hf_wake_post(p->carry->from->wake, &p->letter);
}

static void there_unpark(struct hf_carry *c)
{
    hf_waitset_unpark(&c->space);
    hf_waiter_disarm(&c->space_waiter);
}

static void on_space(struct hf_waitset *set)
{
    struct hf_carry *c = HF_CONTAINER_OF(set, struct hf_carry, space);
    if (!hf_list_linked(&c->in_room))
        hf_list_push_back(&c->to->room, &c->in_room);
}

static void all_home(struct hf_carry *c)
{
    struct hf_list *n;
    while ((n = hf_list_pop_front(&c->held)) != NULL)
        send_home(HF_LIST_ENTRY(n, struct parcel, link));
}

/* It ends, with all its bytes or by a failure; the carry is the source's from here. */
static void end_there(struct hf_carry *c)
{
    struct hf_blob *blob = c->blob;
    there_unpark(c);
    c->blob = NULL;
    hf_list_remove(&c->in_to);
    hf_list_remove(&c->in_room);
    all_home(c);
    if (blob != NULL && c->err == HF_CLOSED && c->trailers.len > 0 &&
        hf_blob_set_trailers(blob, hf_buf_view(&c->trailers)) != HF_OK)
        c->err = HF_LIMIT;
    if (blob != NULL && c->err == HF_CLOSED)
        hf_blob_finish(blob);
    else if (blob != NULL)
        hf_blob_fail(blob, c->err);
    hf_wake_post(c->from->wake, &c->over);
}

static void send_stop(struct hf_carry *c)
{
    if (!c->stop_sent) {
        c->stop_sent = true;
        hf_wake_post(c->from->wake, &c->stop);
    }
}

static void let_go(struct hf_carry *c, enum hf_err err)
{
    struct hf_blob *blob = c->blob;
    there_unpark(c);
    c->blob = NULL;
    if (blob != NULL)
        hf_blob_fail(blob, err);
    hf_list_splice_back(&c->held, &c->full);
    all_home(c);
    send_stop(c);
    if (c->ended)
        end_there(c);
}

/* What came goes into the blob while it has room: a reader that comes and goes (one that reads by
 * ranges) takes its room along. False: it is over. */
static bool push_some(struct hf_carry *c)
{
    while (!hf_list_empty(&c->full) && hf_blob_room(c->blob) > 0) {
        struct parcel *p = HF_LIST_ENTRY(hf_list_pop_front(&c->full), struct parcel, link);
        enum hf_err err = hf_blob_push(c->blob, hf_view(p->bytes, p->len));
        hf_list_push_back(&c->held, &p->link);
        if (err != HF_OK) {
            let_go(c, err == HF_CLOSED ? HF_CANCELLED : err);
            return false;
        }
    }
    return true;
}

/* Parcels go home while there is room; a reader that is gone ends it. */
static void make_room(struct hf_carry *c)
{
    there_unpark(c);
    if (c->blob == NULL)
        return;
    if (!hf_blob_wanted(c->blob)) {
        let_go(c, HF_CANCELLED);
        return;
    }
    if (!push_some(c))
        return;
    if (c->ended && hf_list_empty(&c->full)) {
        end_there(c);
        return;
    }
    if (hf_blob_room(c->blob) > 0) {
        all_home(c);
        return;
    }
    hf_waiter_arm(&c->space_waiter, hf_blob_room_wait(c->blob), &c->space);
    if (!hf_waitset_park(&c->space, false) && !hf_list_linked(&c->in_room))
        hf_list_push_back(&c->to->room, &c->in_room);
}

static void on_piece(struct hf_letter *letter)
{
    struct parcel *p = HF_CONTAINER_OF(letter, struct parcel, letter);
    struct hf_carry *c = p->carry;
    if (c->to->closing)
        return;
    if (c->blob == NULL) {
        send_home(p);
        return;
    }
    hf_list_push_back(&c->full, &p->link);
    make_room(c);
}

static void on_last(struct hf_letter *letter)
{
    struct hf_carry *c = HF_CONTAINER_OF(letter, struct hf_carry, last);
    if (c->to->closing)
        return;
    c->ended = true;
    if (c->blob == NULL || hf_list_empty(&c->full))
        end_there(c);
    else
        make_room(c);
}

/* ---- beginning ---- */

struct hf_carry *hf_carry_new(struct hf_carrier *from, struct hf_carrier *to, struct hf_blob **blob)
{
    struct hf_carry *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->from = from;
    c->to = to;
    c->declared = hf_blob_declared(*blob);
    hf_waitset_init(&c->bytes, on_bytes);
    hf_waitset_init(&c->space, on_space);
    hf_list_init(&c->home);
    hf_list_init(&c->held);
    hf_list_init(&c->full);
    hf_list_init(&c->in_to);
    hf_list_init(&c->in_room);
    hf_list_init(&c->in_ready);
    for (size_t i = 0; i < HF_CARRY_PARCELS; i++) {
        struct parcel *p = &c->parcels[i];
        p->carry = c;
        hf_list_init(&p->link);
        hf_list_push_back(&c->home, &p->link);
    }
    c->last.deliver = on_last;
    c->stop.deliver = on_stop;
    c->over.deliver = on_over;
    hf_blob_reader_open(&c->reader, blob);
    hf_list_push_back(&from->from_here, &c->in_from);
    hf_list_push_back(&from->ready, &c->in_ready);
    return c;
}

struct hf_blob *hf_carry_open(struct hf_carry *c, struct hf_blob_pool *pool, size_t window)
{
    c->blob = hf_blob_new_in(pool, c->declared, window);
    hf_list_push_back(&c->to->to_here, &c->in_to);
    if (c->blob == NULL)
        send_stop(c);
    return c->blob;
}

void hf_carry_refuse(struct hf_carry *c)
{
    hf_list_push_back(&c->to->to_here, &c->in_to);
    send_stop(c);
}

/* ---- a worker's end ---- */

void hf_carrier_init(struct hf_carrier *c, struct hf_wake *wake)
{
    *c = (struct hf_carrier){.wake = wake};
    hf_list_init(&c->from_here);
    hf_list_init(&c->to_here);
    hf_list_init(&c->ready);
    hf_list_init(&c->room);
}

void hf_carrier_flush(struct hf_carrier *c)
{
    struct hf_list now, *n;
    hf_list_init(&now);
    hf_list_splice_back(&now, &c->ready); /* what becomes ready meanwhile goes next time */
    while ((n = hf_list_pop_front(&now)) != NULL) {
        struct hf_carry *carry = HF_LIST_ENTRY(n, struct hf_carry, in_ready);
        if (!carry->last_sent)
            pump(carry);
    }
    hf_list_splice_back(&now, &c->room);
    while ((n = hf_list_pop_front(&now)) != NULL)
        make_room(HF_LIST_ENTRY(n, struct hf_carry, in_room));
}

void hf_carrier_stop(struct hf_carrier *c)
{
    c->closing = true;
    HF_LIST_FOR_SAFE (n, &c->from_here) {
        struct hf_carry *carry = HF_LIST_ENTRY(n, struct hf_carry, in_from);
        source_unpark(carry);
        hf_blob_reader_close(&carry->reader);
    }
    HF_LIST_FOR_SAFE (n, &c->to_here) {
        struct hf_carry *carry = HF_LIST_ENTRY(n, struct hf_carry, in_to);
        struct hf_blob *blob = carry->blob;
        there_unpark(carry);
        carry->blob = NULL;
        if (blob != NULL)
            hf_blob_fail(blob, HF_CANCELLED);
    }
}

void hf_carrier_free_all(struct hf_carrier *c)
{
    while (!hf_list_empty(&c->from_here))
        carry_free(HF_LIST_ENTRY(c->from_here.next, struct hf_carry, in_from));
    /* Those of other workers are theirs to free; our lists must not be in them by then. */
    while (hf_list_pop_front(&c->to_here) != NULL || hf_list_pop_front(&c->room) != NULL)
        ;
}
