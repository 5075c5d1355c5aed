/* log_pipe.c - see log_pipe.h. Two buffers: lines are put into one while the other is written. */
#include "node/log_pipe.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_MAX   (4u << 20)
#define DEFAULT_STUCK 5000000000u
#define SECOND        1000000000u
#define LOOK_MS       100
#define PACE_NS       2000000u     /* after a write: more lines gather before the next one */
#define PACE_BYTES    (64u * 1024) /* unless there are that many already */
#define TICK_MAX      (64u * 1024) /* what a tick may put beyond the limit: that lines were dropped is not dropped */
#define KEEP_MAX      (256u * 1024) /* a buffer that a burst made larger is given back */

struct hf_log_pipe {
    struct hf_log_pipe_settings s;
    pthread_mutex_t lock; /* guards all below but what is said otherwise */
    pthread_cond_t work, done;
    struct hf_buf in;
    struct hf_buf out;        /* the writer's */
    size_t writing;           /* bytes of out */
    uint64_t lost, put, over; /* lines that did not fit; bytes that were taken, that are dealt with */
    uint64_t tick_ns;         /* not before then */
    unsigned flushing; /* who waits for all to be written */
    bool asked, sleeping, ending, has_thread;
    pid_t owner; /* the process that has the thread */
    bool regular; /* a file: never full for a while */
    _Atomic bool give_up;      /* the rest is not to be written */
    _Atomic uint64_t progress; /* bytes that the descriptor took */
    pthread_t thread;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* With the lock; until `ns`. */
static void wait_until(struct hf_log_pipe *p, pthread_cond_t *cond, uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    pthread_cond_timedwait(cond, &p->lock, &t);
}

/* ---- the writer ---- */

/* As much as will not block: a pipe that poll finds writable takes PIPE_BUF bytes, unless somebody
 * else was quicker; then this thread waits in write, and may be cancelled there. */
static void write_out(struct hf_log_pipe *p)
{
    struct hf_view rest = hf_buf_view(&p->out);
    while (rest.len > 0 && !atomic_load(&p->give_up)) {
        struct pollfd f = {.fd = p->s.fd, .events = POLLOUT};
        if (!p->regular && poll(&f, 1, LOOK_MS) == 0)
            continue;
        size_t most = p->regular ? rest.len : PIPE_BUF;
        int before = PTHREAD_CANCEL_DISABLE;
        if (!p->s.direct) /* a thread of our own */
            pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
        ssize_t n = write(p->s.fd, rest.ptr, rest.len < most ? rest.len : most);
        if (!p->s.direct)
            pthread_setcancelstate(before, NULL);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            break; /* nobody reads it, the disk is full: logging never stops serving */
        atomic_fetch_add(&p->progress, (uint64_t)n);
        rest = hf_view_skip(rest, (size_t)n);
    }
}

static bool tick_due(const struct hf_log_pipe *p, uint64_t now)
{
    return p->s.tick != NULL && (p->asked || p->lost > 0) && (p->ending || now >= p->tick_ns);
}

/* With the lock, which is let go meanwhile. */
static void tick(struct hf_log_pipe *p, uint64_t now)
{
    uint64_t lost = p->lost;
    p->asked = false;
    p->lost = 0;
    p->tick_ns = now + SECOND;
    pthread_mutex_unlock(&p->lock);
    p->s.tick(p->s.ctx, lost);
    pthread_mutex_lock(&p->lock);
}

static void take(struct hf_log_pipe *p)
{
    struct hf_buf empty = p->out;
    p->out = p->in;
    p->in = empty;
    p->writing = p->out.len;
    pthread_mutex_unlock(&p->lock);
    write_out(p);
    hf_buf_clear(&p->out);
    if (p->out.cap > KEEP_MAX)
        hf_buf_done(&p->out);
    pthread_mutex_lock(&p->lock);
    p->over += p->writing;
    p->writing = 0;
    pthread_cond_broadcast(&p->done);
}

/* Without a writer. With the lock, which is let go for a tick. */
static void write_here(struct hf_log_pipe *p)
{
    struct hf_buf empty = p->out;
    p->out = p->in;
    p->in = empty;
    write_out(p);
    p->over += p->out.len;
    hf_buf_clear(&p->out);
    uint64_t now = now_ns();
    if (tick_due(p, now))
        tick(p, now);
}

/* Under load a write for each line, and waking for it, would cost more than the lines. With the lock. */
static void pace(struct hf_log_pipe *p)
{
    uint64_t until = now_ns() + PACE_NS;
    while (!p->ending && p->flushing == 0 && p->in.len < PACE_BYTES && now_ns() < until)
        wait_until(p, &p->work, until);
}

static void *run(void *ctx)
{
    struct hf_log_pipe *p = ctx;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        uint64_t now = now_ns();
        if (tick_due(p, now)) {
            tick(p, now);
        } else if (p->in.len > 0) {
            take(p);
            pace(p);
        } else if (p->ending) {
            break;
        } else {
            p->sleeping = true;
            if (p->s.tick != NULL && (p->asked || p->lost > 0))
                wait_until(p, &p->work, p->tick_ns);
            else
                pthread_cond_wait(&p->work, &p->lock);
            p->sleeping = false;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* With the lock. Signals are other threads' business; SIGPIPE becomes an error of write. */
static void start(struct hf_log_pipe *p)
{
    sigset_t all, before;
    if (p->has_thread)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->has_thread = pthread_create(&p->thread, NULL, run, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    p->owner = getpid();
}

/* ---- everybody else ---- */

enum hf_err hf_log_pipe_new(const struct hf_log_pipe_settings *s, struct hf_log_pipe **ret)
{
    struct hf_log_pipe *p = calloc(1, sizeof *p);
    pthread_condattr_t attr;
    struct stat st;
    if (p == NULL)
        return HF_LIMIT;
    p->s = *s;
    if (p->s.max == 0)
        p->s.max = DEFAULT_MAX;
    if (p->s.stuck_ns == 0)
        p->s.stuck_ns = DEFAULT_STUCK;
    p->regular = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &attr);
    pthread_cond_init(&p->done, &attr);
    pthread_condattr_destroy(&attr);
    *ret = p;
    return HF_OK;
}

static uint64_t count_lines(struct hf_view v)
{
    uint64_t n = 0;
    for (size_t at; (at = hf_view_find(v, '\n')) < v.len; n++)
        v = hf_view_skip(v, at + 1);
    return n;
}

/* With the lock: the lines at the front that there is room for. */
static struct hf_view fitting(const struct hf_log_pipe *p, struct hf_view lines)
{
    bool own = p->has_thread && pthread_equal(p->thread, pthread_self());
    size_t used = p->in.len + p->writing, max = p->s.max + (own ? TICK_MAX : 0);
    size_t room = used < max ? max - used : 0;
    if (lines.len <= room)
        return lines;
    while (room > 0 && lines.ptr[room - 1] != '\n')
        room--;
    return hf_view_take(lines, room);
}

void hf_log_pipe_put(struct hf_log_pipe *p, struct hf_view lines)
{
    pthread_mutex_lock(&p->lock);
    struct hf_view fit = fitting(p, lines);
    if (hf_buf_add_view(&p->in, fit) != HF_OK)
        fit.len = 0;
    p->put += fit.len;
    if (p->s.direct) {
        write_here(p);
        pthread_mutex_unlock(&p->lock);
        return;
    }
    bool many = p->in.len >= PACE_BYTES && p->in.len - fit.len < PACE_BYTES;
    if (fit.len < lines.len)
        p->lost += count_lines(hf_view_skip(lines, fit.len));
    start(p);
    if (p->sleeping || many)
        pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

void hf_log_pipe_ask(struct hf_log_pipe *p)
{
    pthread_mutex_lock(&p->lock);
    p->asked = true;
    if (p->s.direct) { /* said with the next line */
        pthread_mutex_unlock(&p->lock);
        return;
    }
    start(p);
    if (p->sleeping)
        pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

bool hf_log_pipe_flush(struct hf_log_pipe *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t target = p->put, seen = atomic_load(&p->progress), since = now_ns();
    bool can = p->has_thread && p->owner == getpid();
    p->flushing++;
    if (can)
        pthread_cond_signal(&p->work);
    while (can && p->over < target) {
        wait_until(p, &p->done, now_ns() + LOOK_MS * 1000000u);
        uint64_t progress = atomic_load(&p->progress), now = now_ns();
        if (progress != seen)
            since = now;
        seen = progress;
        can = now - since < p->s.stuck_ns;
    }
    p->flushing--;
    bool all = p->over >= target;
    pthread_mutex_unlock(&p->lock);
    return all;
}

/* The thread is ending: it may hang in a write that nobody lets go on. */
static void join(struct hf_log_pipe *p)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 1;
    if (pthread_timedjoin_np(p->thread, NULL, &t) == 0)
        return;
    pthread_cancel(p->thread);
    pthread_join(p->thread, NULL);
}

void hf_log_pipe_free(struct hf_log_pipe *p)
{
    if (p == NULL)
        return;
    bool here = !p->has_thread || p->owner == getpid();
    if (p->s.direct) {
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        write_here(p);
        pthread_mutex_unlock(&p->lock);
    }
    if (p->has_thread && here) {
        bool stuck = !hf_log_pipe_flush(p);
        atomic_store(&p->give_up, stuck);
        pthread_mutex_lock(&p->lock);
        p->ending = true;
        pthread_cond_signal(&p->work);
        pthread_mutex_unlock(&p->lock);
        if (stuck)
            join(p);
        else
            pthread_join(p->thread, NULL);
    }
    hf_buf_done(&p->in);
    hf_buf_done(&p->out);
    if (here) { /* else they are as another process's threads left them */
        pthread_cond_destroy(&p->work);
        pthread_cond_destroy(&p->done);
        pthread_mutex_destroy(&p->lock);
    }
    free(p);
}
