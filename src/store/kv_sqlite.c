/* kv_sqlite.c - the durable key-value store: its doors, and the thread that commits.
 *
 * A door makes a record of an operation and posts it; the committer takes all that has come, does
 * it in one transaction (kv_sqlite_group.c), and posts each record back when that is on disk. While
 * it waits for the disk the next group gathers: the more there is to do, the larger the groups.
 * Reads go the same way, so that a client reads what it wrote and nothing that is not durable.
 */
#include "store/kv_sqlite_int.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define GROUP_RECORDS 4096u
#define GROUP_BYTES   (1u << 20)
/* Then the WAL begins anew where it lies: a sync of bytes that are overwritten is a third cheaper
 * than one of a file that grows. */
#define WAL_LAP       4000
#define IDLE_MS       5000
#define SWEEP_IDLE    1024u
#define SWEEP_LAST    4096u
#define WAIT_NS       500000u
#define WAIT_STEP_NS  20000u
#define WAIT_AWAKE_NS 100000u
/* What one door may have in flight; a larger one alone is taken. */
#define FLIGHT_RECORDS 200000u
#define FLIGHT_BYTES   (256u << 20)

/* ---- buckets ---- */

enum hf_err hf_kvs_label(struct hf_view space, struct hf_view name, struct hf_buf *ret)
{
    uint64_t n = space.len;
    enum hf_err err = hf_buf_add(ret, &n, sizeof n);
    if (err == HF_OK)
        err = hf_buf_add_view(ret, space);
    return err == HF_OK ? hf_buf_add_view(ret, name) : err;
}

struct hf_kv_bucket *hf_kvs_bucket_new(struct hf_kvs *s, struct hf_view space, struct hf_view name)
{
    struct hf_buf label = {0};
    struct hf_kv_bucket *b = NULL;
    if (hf_kvs_label(space, name, &label) == HF_OK)
        b = calloc(1, sizeof *b + label.len);
    if (b != NULL) {
        memcpy(b->label, label.ptr, label.len);
        b->space = hf_view(b->label + sizeof(uint64_t), space.len);
        b->name = hf_view(b->label + sizeof(uint64_t) + space.len, name.len);
        hf_list_init(&b->in_changed);
        hf_list_init(&b->in_stale);
        hf_map_init(&b->entries, 0); /* bounded over all buckets: limits.log_keys */
        b->entries.seed = s->buckets.seed + 1;
        if (hf_map_put(&s->buckets, hf_view(b->label, label.len), b, NULL) != HF_OK) {
            free(b);
            b = NULL;
        }
    }
    hf_buf_done(&label);
    return b;
}

static enum hf_err kvs_bucket(struct hf_kv *kv, struct hf_view space, struct hf_view name,
                              struct hf_kv_bucket **ret)
{
    struct hf_kvs *s = HF_CONTAINER_OF(kv, struct hf_kvs_door, kv)->store;
    struct hf_buf label = {0};
    enum hf_err err = hf_kvs_label(space, name, &label);
    if (err == HF_OK) {
        pthread_mutex_lock(&s->lock);
        *ret = hf_map_get(&s->buckets, hf_buf_view(&label));
        if (*ret == NULL && s->buckets.len < s->limits.buckets)
            *ret = hf_kvs_bucket_new(s, space, name);
        pthread_mutex_unlock(&s->lock);
        err = *ret != NULL ? HF_OK : HF_LIMIT;
    }
    hf_buf_done(&label);
    return err;
}

/* ---- doors ---- */

static void record_free(struct hf_kvs_record *rec)
{
    free(rec->out);
    free(rec);
}

static void door_left(struct hf_kvs_door *d)
{
    if (d->closed && d->in_flight == 0)
        free(d);
}

/* On the door's thread: an operation came back. */
static void deliver(struct hf_letter *letter)
{
    struct hf_kvs_record *rec = HF_CONTAINER_OF(letter, struct hf_kvs_record, letter);
    struct hf_kvs_door *d = rec->door;
    d->in_flight--;
    d->bytes -= rec->key.len + rec->value.len;
    rec->is_done = true;
    if (rec->op == NULL) { /* ended meanwhile */
        record_free(rec);
        door_left(d);
        return;
    }
    rec->op->r = rec->r;
    rec->op->done(rec->op);
}

static enum hf_err kvs_begin(struct hf_kv *kv, struct hf_kv_op *op)
{
    struct hf_kvs_door *d = HF_CONTAINER_OF(kv, struct hf_kvs_door, kv);
    uint64_t bytes = op->key.len + op->value.len;
    HF_ASSERT(d->wake != NULL);
    op->r.refusal = hf_kv_check(op, &kv->limits);
    if (op->r.refusal != HF_KV_NONE)
        return HF_OK;
    bool full =
        d->in_flight >= FLIGHT_RECORDS || (d->in_flight > 0 && d->bytes + bytes > FLIGHT_BYTES);
    struct hf_kvs_record *rec = full ? NULL : malloc(sizeof *rec + bytes);
    if (rec == NULL) {
        op->r.refusal = HF_KV_MEMORY;
        return HF_OK;
    }
    memset(rec, 0, sizeof *rec);
    rec->letter.deliver = deliver;
    rec->door = d;
    rec->op = op;
    rec->kind = op->kind;
    rec->is_signed = op->is_signed;
    rec->bucket = op->bucket;
    rec->argument = op->delta; /* or version, or cursor: one union */
    rec->max = op->max;
    if (op->key.len > 0)
        memcpy(rec->bytes, op->key.ptr, op->key.len);
    if (op->value.len > 0)
        memcpy(rec->bytes + op->key.len, op->value.ptr, op->value.len);
    rec->key = hf_view(rec->bytes, op->key.len);
    rec->value = hf_view(rec->bytes + op->key.len, op->value.len);
    d->in_flight++;
    d->bytes += bytes;
    op->hold = rec;
    hf_wake_post(d->store->inbox, &rec->letter);
    return HF_AGAIN;
}

static void kvs_end(struct hf_kv *kv, struct hf_kv_op *op)
{
    struct hf_kvs_record *rec = op->hold;
    (void)kv;
    if (rec->is_done)
        record_free(rec);
    else
        rec->op = NULL;
}

/* ---- the committer ---- */

struct queue {
    struct hf_list records;
    uint32_t n;
    uint32_t expected;  /* to be there soon: in the queue, or answered a moment ago */
    uint32_t missing;   /* of them, when the last group did not wait any more */
    uint64_t commit_ns; /* what the last one took */
};

static void collect(void *ctx, struct hf_letter *letter)
{
    struct queue *q = ctx;
    hf_list_push_back(&q->records,
                      &HF_CONTAINER_OF(letter, struct hf_kvs_record, letter)->in_queue);
    q->n++;
}

/* Those who wait for the disk are answered together and come back together, but not in the same
 * microsecond: the first of them alone would make all others wait for a commit of its own. So after
 * a group there is a wait until all who were answered are back, for a small part of what a commit
 * takes. It gives its CPU away instead of sleeping at first: to sleep would cost the first who
 * comes back a ring, and all of them the time to wake up. As many as were not back at the end of
 * the next commit either are not waited for after it. A client that is alone never waits, nor does
 * anybody where commits are fast or the next group is full without those who come back. */
static void wait_for_company(struct hf_kvs *s, struct queue *q)
{
    uint64_t most = q->commit_ns / 4, begun = hf_kvs_now_ns(), waited = 0;
    most = most < WAIT_NS ? most : WAIT_NS;
    while (q->n < q->expected && most > WAIT_STEP_NS * 2 && waited < most) {
        struct timespec step = {.tv_nsec = WAIT_STEP_NS};
        if (waited < WAIT_AWAKE_NS)
            sched_yield();
        else
            nanosleep(&step, NULL);
        hf_wake_take_all(s->inbox, collect, q);
        waited = hf_kvs_now_ns() - begun;
    }
    q->missing = q->n < q->expected ? q->expected - q->n : 0;
}

/* `answered`: about to be, with what they wrote. Who is here now came during the commit. */
static void expect_company(struct hf_kvs *s, struct queue *q, uint32_t answered)
{
    hf_wake_take_all(s->inbox, collect, q);
    uint32_t gone = q->missing > q->n ? q->missing - q->n : 0;
    q->expected = q->n + answered - (gone < answered ? gone : answered);
    if (q->expected < 2)
        q->expected = 0;
}

/* The oldest of the queue that go together; false: a barrier was first, and is done. */
static bool gather(struct hf_kvs *s, struct queue *q, struct hf_list *group)
{
    uint64_t bytes = 0;
    for (uint32_t n = 0; n < GROUP_RECORDS && !hf_list_empty(&q->records); n++) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(q->records.next, struct hf_kvs_record, in_queue);
        bytes += rec->key.len + rec->value.len;
        if (n > 0 && (rec->is_barrier || bytes > GROUP_BYTES))
            break;
        hf_list_remove(&rec->in_queue);
        q->n--;
        if (rec->is_barrier) {
            pthread_mutex_lock(&s->barrier_lock);
            rec->is_done = true;
            pthread_cond_broadcast(&s->barrier);
            pthread_mutex_unlock(&s->barrier_lock);
            return false;
        }
        hf_list_push_back(group, &rec->in_queue);
    }
    return true;
}

/* Each door is rung once, when all its answers are there. */
static void answer(struct hf_list *group)
{
    struct hf_list doors, *it;
    hf_list_init(&doors);
    while ((it = hf_list_pop_front(group)) != NULL) {
        struct hf_kvs_record *rec = HF_LIST_ENTRY(it, struct hf_kvs_record, in_queue);
        hf_letters_add(&rec->door->answers, &rec->letter);
        if (!hf_list_linked(&rec->door->in_answered))
            hf_list_push_back(&doors, &rec->door->in_answered);
    }
    while ((it = hf_list_pop_front(&doors)) != NULL) {
        struct hf_kvs_door *d = HF_LIST_ENTRY(it, struct hf_kvs_door, in_answered);
        struct hf_letters letters = d->answers;
        d->answers = (struct hf_letters){0};
        hf_wake_post_all(d->wake, &letters); /* with the last of them the door may be gone */
    }
}

static void commit_group(struct hf_kvs *s, struct queue *q)
{
    struct hf_list group, done;
    hf_list_init(&group);
    wait_for_company(s, q);
    q->expected = 0;
    if (!gather(s, q, &group))
        return;
    bool is_full = q->n > 0;
    hf_list_init(&done);
    hf_kvs_reads(s, &group, &done);
    answer(&done);
    if (hf_list_empty(&group))
        return;
    uint64_t begun = hf_kvs_now_ns();
    hf_kvs_group(s, &group);
    q->commit_ns = hf_kvs_now_ns() - begun;
    if (!is_full)
        expect_company(s, q, (uint32_t)hf_kvs_length(&group));
    answer(&group);
    hf_kvs_checkpoint(s);
}

static bool sweep(struct hf_kvs *s, size_t most)
{
    bool more = hf_kvs_sweep_alone(s, most);
    hf_kvs_checkpoint(s);
    return more;
}

/* So that a closed file is complete without its log. What fails is done when it is opened. */
static void last_sweep(struct hf_kvs *s)
{
    s->sweep.not_before = 0;
    while (sweep(s, SWEEP_LAST)) {
    }
}

static void *commit_all(void *arg)
{
    struct hf_kvs *s = arg;
    struct queue q = {.n = 0};
    bool idle = false;
    prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul); /* it waits for company in small steps */
    hf_list_init(&q.records);
    for (;;) {
        bool stop = atomic_load(&s->stop); /* read before the letters: none comes after it */
        hf_wake_take_all(s->inbox, collect, &q);
        if (q.n > 0 || q.expected > 0) {
            idle = false;
            commit_group(s, &q);
            continue;
        }
        if (stop) {
            last_sweep(s);
            return NULL;
        }
        if (idle && sweep(s, SWEEP_IDLE))
            continue;
        idle = false;
        if (hf_wake_sleep(s->inbox)) {
            struct pollfd p = {.fd = hf_wake_fd(s->inbox), .events = POLLIN};
            bool has_log = s->log_first <= s->log_last && !s->broken;
            idle = poll(&p, 1, has_log ? atomic_load(&s->idle_ms) : -1) ==
                   0; /* interrupted: sleeps again */
            hf_wake_awake(s->inbox);
        }
    }
}

/* ---- opening and closing ---- */

static void store_free(struct hf_kvs *s)
{
    struct hf_kv_bucket *b;
    if (s->has_thread) {
        atomic_store(&s->stop, true);
        hf_wake_poke(s->inbox);
        pthread_join(s->thread, NULL);
        hf_wake_awake(s->inbox);
    }
    hf_kvs_checkpoint_close(s);
    hf_kvs_file_close(s);
    for (size_t i = 0; (b = hf_map_next(&s->buckets, &i)) != NULL;) {
        hf_kvs_entries_free(b);
        free(b);
    }
    hf_map_done(&s->buckets);
    hf_wake_free(s->inbox);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->barrier_lock);
    pthread_cond_destroy(&s->barrier);
    pthread_mutex_destroy(&s->checkpoint.lock);
    pthread_cond_destroy(&s->checkpoint.changed);
    free(s);
}

/* Until all that this door began is posted back to it, and the committer is out of its queue. */
static void wait_for_mine(struct hf_kvs_door *d)
{
    struct hf_kvs *s = d->store;
    struct hf_kvs_record barrier = {.is_barrier = true};
    hf_wake_post(s->inbox, &barrier.letter);
    pthread_mutex_lock(&s->barrier_lock);
    while (!barrier.is_done)
        pthread_cond_wait(&s->barrier, &s->barrier_lock);
    pthread_mutex_unlock(&s->barrier_lock);
}

static void kvs_close(struct hf_kv *kv)
{
    struct hf_kvs_door *d = HF_CONTAINER_OF(kv, struct hf_kvs_door, kv);
    struct hf_kvs *s = d->store;
    if (d->wake != NULL)
        wait_for_mine(d); /* also when nothing is in flight: the last letter may still be ringing */
    d->closed = true;
    door_left(d);
    if (atomic_fetch_sub(&s->doors, 1) == 1)
        store_free(s);
}

static void kvs_count(struct hf_kv *kv, void (*each)(void *ctx, const struct hf_kv_count *count),
                      void *ctx)
{
    struct hf_kvs *s = HF_CONTAINER_OF(kv, struct hf_kvs_door, kv)->store;
    struct hf_kv_bucket *b;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; (b = hf_map_next(&s->buckets, &i)) != NULL;) {
        struct hf_kv_count count = {
            .space = b->space,
            .name = b->name,
            .keys = atomic_load_explicit(&b->shown_keys, memory_order_relaxed),
            .bytes = atomic_load_explicit(&b->shown_bytes, memory_order_relaxed)};
        each(ctx, &count);
    }
    pthread_mutex_unlock(&s->lock);
}

static const struct hf_kv_ops kvs_ops = {kvs_bucket, kvs_begin, kvs_end, kvs_close, kvs_count};

static enum hf_err door_new(struct hf_kvs *s, struct hf_wake *wake, struct hf_kv **ret)
{
    struct hf_kvs_door *d = calloc(1, sizeof *d);
    if (d == NULL)
        return HF_LIMIT;
    *d = (struct hf_kvs_door){.kv = {&kvs_ops, s->limits}, .store = s, .wake = wake};
    hf_list_init(&d->in_answered);
    atomic_fetch_add(&s->doors, 1);
    *ret = &d->kv;
    return HF_OK;
}

enum hf_err hf_kv_sqlite_door(struct hf_kv *first, struct hf_wake *wake, struct hf_kv **ret)
{
    HF_ASSERT(first->ops == &kvs_ops && wake != NULL);
    return door_new(HF_CONTAINER_OF(first, struct hf_kvs_door, kv)->store, wake, ret);
}

enum hf_err hf_kv_sqlite_open(const char *dir, const struct hf_kv_limits *limits, uint64_t seed,
                              struct hf_kv_ear ear, struct hf_kv **ret, struct hf_report *report)
{
    struct hf_kvs *s = calloc(1, sizeof *s);
    if (s == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    s->limits = *limits;
    s->ear = ear;
    s->lock_fd = -1;
    hf_kv_limits_fill(&s->limits);
    if (s->limits.buckets > HF_KVS_BUCKETS)
        s->limits.buckets = HF_KVS_BUCKETS;
    hf_map_init(&s->buckets, 0); /* those in the file are let in, also past a limit that shrank */
    s->buckets.seed = seed;
    hf_list_init(&s->changed);
    hf_list_init(&s->stale);
    hf_list_init(&s->touched);
    hf_list_init(&s->waiting);
    hf_list_init(&s->known);
    s->log_first = 1;
    atomic_init(&s->idle_ms, IDLE_MS);
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->barrier_lock, NULL);
    pthread_cond_init(&s->barrier, NULL);
    pthread_mutex_init(&s->checkpoint.lock, NULL);
    pthread_cond_init(&s->checkpoint.changed, NULL);
    atomic_init(&s->checkpoint.lap, WAL_LAP);
    enum hf_err err = hf_wake_new(&s->inbox, report);
    if (err == HF_OK)
        err = hf_kvs_file_open(s, dir, report);
    if (err == HF_OK)
        err = hf_kvs_checkpoint_open(s, report);
    if (err == HF_OK) {
        s->has_thread = pthread_create(&s->thread, NULL, commit_all, s) == 0;
        if (!s->has_thread)
            err = hf_report_set(report, HF_LIMIT, "a thread could not be started");
    }
    if (err == HF_OK && door_new(s, NULL, ret) != HF_OK)
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    if (err != HF_OK)
        store_free(s);
    return err;
}
