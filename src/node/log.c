/* log.c - one line an event; text for people, JSON for machines. What guests and clients wrote is escaped, so that nobody writes a
 * line that is not theirs. A line that cannot be written is dropped: logging never stops serving.
 */
#include "node/log.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "node/log_pipe.h"
#include "node/log_rate.h"

#define LINE_MAX 256u /* of a line, beside what is escaped in it */

struct source {
    struct hf_list in_log;
    struct hf_log_rate rate;
    uint64_t said_lines, said_bytes; /* taken to be said now; guarded by the log's lock */
    _Atomic bool asked;              /* a tick will come for it */
    char name[];
};

struct hf_log {
    struct hf_log_settings s;
    _Atomic(struct hf_log_ring *) ring; /* or NULL */
    _Atomic uint32_t in_ring;           /* threads that may be in one */
    struct hf_log_pipe *pipe;
    pthread_mutex_t lock; /* clock and sources */
    struct hf_log_clock clock;
    struct hf_list sources; /* source.in_log */
};

/* Every finished line goes out here. */
static void out(struct hf_log *log, struct hf_view lines)
{
    hf_log_pipe_put(log->pipe, lines);
}

void hf_log_write(struct hf_log *log, struct hf_buf *buf)
{
    if (buf->len > 0)
        out(log, hf_buf_view(buf));
    hf_buf_clear(buf);
}

/* ---- lines ---- */

/* Room for a line with `strange` bytes in it, and its beginning. False: no memory, no line. */
static bool line_begin(struct hf_log *log, struct hf_buf *b, struct hf_pen *p, const char *level, size_t strange)
{
    if (hf_buf_reserve(b, LINE_MAX + HF_ESCAPE_MAX * strange) != HF_OK)
        return false;
    p->at = b->ptr + b->len;
    if (log->s.json)
        HF_PEN_LIT(p, "{\"time\":\"");
    uint64_t wall_ns = log->s.os->wall_ns(log->s.os);
    pthread_mutex_lock(&log->lock);
    hf_pen_iso(p, &log->clock, wall_ns);
    pthread_mutex_unlock(&log->lock);
    if (log->s.json)
        HF_PEN_LIT(p, "\",\"level\":\"");
    else
        *p->at++ = ' ';
    hf_pen_text(p, level);
    if (log->s.json) {
        *p->at++ = '"';
        return true;
    }
    for (size_t n = strlen(level); n < 6; n++)
        *p->at++ = ' ';
    *p->at++ = ' ';
    return true;
}

void hf_log_set_ring(struct hf_log *log, struct hf_log_ring *ring)
{
    if (atomic_exchange(&log->ring, ring) != NULL)
        while (atomic_load(&log->in_ring) > 0) /* no longer than a line is copied */
            sched_yield();
}

/* The line that begins at `start` of the buffer goes to the ring, as one of the service's. */
static void keep(struct hf_log *log, const struct hf_buf *b, size_t start, struct hf_view service)
{
    if (atomic_load_explicit(&log->ring, memory_order_relaxed) == NULL)
        return;
    atomic_fetch_add(&log->in_ring, 1); /* before it is looked at: who changes it waits for us */
    hf_log_ring_add(atomic_load(&log->ring), service, hf_view_skip(hf_buf_view(b), start));
    atomic_fetch_sub(&log->in_ring, 1);
}

static void line_end(struct hf_log *log, struct hf_buf *b, struct hf_pen *p, struct hf_view service)
{
    if (log->s.json)
        *p->at++ = '}';
    *p->at++ = '\n';
    b->len = (size_t)(p->at - b->ptr);
    keep(log, b, 0, service);
    hf_log_write(log, b);
    hf_buf_done(b);
}

static void field(struct hf_pen *p, const char *name, struct hf_view v)
{
    HF_PEN_LIT(p, ",\"");
    hf_pen_text(p, name);
    HF_PEN_LIT(p, "\":\"");
    hf_pen_escaped(p, v, HF_ESCAPE_JSON);
    *p->at++ = '"';
}

static void number(struct hf_pen *p, const char *name, uint64_t n)
{
    HF_PEN_LIT(p, ",\"");
    hf_pen_text(p, name);
    HF_PEN_LIT(p, "\":");
    hf_pen_number(p, n);
}

void hf_log_say(struct hf_log *log, const char *level, const char *fmt, ...)
{
    struct hf_buf b = {0};
    struct hf_pen p;
    char words[HF_REPORT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    struct hf_view v = hf_view(words, n < 0 ? 0 : (size_t)n < sizeof words ? (size_t)n : sizeof words - 1);
    if (!line_begin(log, &b, &p, level, v.len))
        return;
    if (log->s.json)
        field(&p, "message", v);
    else
        hf_pen_escaped(&p, v, HF_ESCAPE_LINES); /* our own words may have several lines */
    line_end(log, &b, &p, (struct hf_view){0});
}

static bool may_speak(struct hf_log *log, struct source *s, size_t len)
{
    if (s == NULL || hf_log_rate_take(&s->rate, log->s.os->now_ns(log->s.os), len))
        return true;
    if (!atomic_exchange(&s->asked, true))
        hf_log_pipe_ask(log->pipe);
    return false;
}

void hf_log_guest(void *ctx, const struct hf_log_line *l)
{
    static const char *const names[] = {"stdout", "stderr", "event"};
    struct hf_log *log = ctx;
    struct hf_buf b = {0};
    struct hf_pen p;
    if (!may_speak(log, l->source, l->text.len) ||
        !line_begin(log, &b, &p, names[l->stream], l->service.len + l->request.len + l->text.len))
        return;
    if (log->s.json) {
        field(&p, "service", l->service);
        number(&p, "instance", l->instance);
        if (l->request.len > 0)
            field(&p, "request_id", l->request);
        field(&p, "message", l->text);
    } else {
        hf_pen_escaped(&p, l->service, HF_ESCAPE_TEXT);
        *p.at++ = '[';
        hf_pen_number(&p, l->instance);
        HF_PEN_LIT(&p, "] ");
        if (l->request.len > 0) {
            HF_PEN_LIT(&p, "id=");
            hf_pen_escaped(&p, l->request, HF_ESCAPE_TEXT);
            *p.at++ = ' ';
        }
        hf_pen_escaped(&p, l->text, HF_ESCAPE_TEXT);
    }
    line_end(log, &b, &p, l->service);
}

void hf_log_access(struct hf_log *log, struct hf_log_clock *clock, struct hf_buf *buf, const struct hf_access *a)
{
    size_t start = buf->len;
    if (hf_access_line(buf, log->s.access, clock, log->s.os->wall_ns(log->s.os), a) == HF_OK) /* no memory: no line */
        keep(log, buf, start, a->service);
}

/* ---- what was dropped ---- */

static void say_dropped(struct hf_log *log, struct hf_view service, uint64_t lines, uint64_t bytes)
{
    struct hf_buf b = {0};
    struct hf_pen p;
    if (!line_begin(log, &b, &p, "event", service.len))
        return;
    if (log->s.json) {
        field(&p, "service", service);
        number(&p, "dropped_lines", lines);
        number(&p, "dropped_bytes", bytes);
        field(&p, "message", HF_VIEW("it prints more than it may"));
    } else {
        hf_pen_number(&p, lines);
        HF_PEN_LIT(&p, " lines of ");
        hf_pen_escaped(&p, service, HF_ESCAPE_TEXT);
        HF_PEN_LIT(&p, " dropped (");
        hf_pen_number(&p, bytes);
        HF_PEN_LIT(&p, " bytes): it prints more than it may");
    }
    line_end(log, &b, &p, service);
}

/* With the lock. */
static void collect(struct source *s)
{
    atomic_store(&s->asked, false); /* first: what is dropped from here on asks again */
    s->said_lines += atomic_exchange(&s->rate.lines, 0);
    s->said_bytes += atomic_exchange(&s->rate.bytes, 0);
}

/* With the lock: takes what is to be said of all sources of that service. */
static uint64_t sum(struct hf_log *log, const char *name, uint64_t *bytes)
{
    uint64_t lines = 0;
    *bytes = 0;
    HF_LIST_FOR(n, &log->sources)
    {
        struct source *s = HF_LIST_ENTRY(n, struct source, in_log);
        if (strcmp(s->name, name) != 0)
            continue;
        lines += s->said_lines;
        *bytes += s->said_bytes;
        s->said_lines = s->said_bytes = 0;
    }
    return lines;
}

/* Once a second at most, on the pipe's thread: a line a service, whichever workers dropped them. */
static void on_tick(void *ctx, uint64_t lost)
{
    struct hf_log *log = ctx;
    if (lost > 0)
        hf_log_say(log, "event", "%llu lines of this log dropped: it is read too slowly", (unsigned long long)lost);
    pthread_mutex_lock(&log->lock);
    HF_LIST_FOR(n, &log->sources)
    collect(HF_LIST_ENTRY(n, struct source, in_log));
    for (bool more = true; more;) {
        char *name = NULL;
        uint64_t bytes, lines;
        HF_LIST_FOR(n, &log->sources)
        {
            struct source *s = HF_LIST_ENTRY(n, struct source, in_log);
            if (s->said_lines > 0) {
                name = strdup(s->name);
                break;
            }
        }
        more = name != NULL;
        if (!more)
            break;
        lines = sum(log, name, &bytes);
        pthread_mutex_unlock(&log->lock); /* saying takes it */
        say_dropped(log, hf_view_of(name), lines, bytes);
        free(name);
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
}

void *hf_log_source_open(void *ctx, const char *service, uint64_t lines, uint64_t bytes)
{
    struct hf_log *log = ctx;
    size_t len = strlen(service) + 1;
    struct source *s = calloc(1, sizeof *s + len);
    if (s == NULL)
        return NULL;
    memcpy(s->name, service, len);
    hf_log_rate_init(&s->rate, lines, bytes);
    pthread_mutex_lock(&log->lock);
    hf_list_push_back(&log->sources, &s->in_log);
    pthread_mutex_unlock(&log->lock);
    return s;
}

void hf_log_source_close(void *ctx, void *source)
{
    struct hf_log *log = ctx;
    struct source *s = source;
    pthread_mutex_lock(&log->lock);
    hf_list_remove(&s->in_log);
    collect(s);
    pthread_mutex_unlock(&log->lock);
    if (s->said_lines > 0)
        say_dropped(log, hf_view_of(s->name), s->said_lines, s->said_bytes);
    free(s);
}

/* ---- the log itself ---- */

enum hf_err hf_log_new(const struct hf_log_settings *s, struct hf_log **ret)
{
    struct hf_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return HF_LIMIT;
    log->s = *s;
    hf_list_init(&log->sources);
    struct hf_log_pipe_settings ps = {.fd = s->fd, .max = s->pending_max, .direct = s->direct, .tick = on_tick, .ctx = log};
    enum hf_err err = hf_log_pipe_new(&ps, &log->pipe);
    if (err != HF_OK) {
        free(log);
        return err;
    }
    pthread_mutex_init(&log->lock, NULL);
    *ret = log;
    return HF_OK;
}

void hf_log_flush(struct hf_log *log)
{
    (void)!hf_log_pipe_flush(log->pipe); /* who does not read it does not want it */
}

void hf_log_free(struct hf_log *log)
{
    if (log == NULL)
        return;
    HF_ASSERT(hf_list_empty(&log->sources));
    hf_log_pipe_free(log->pipe);
    pthread_mutex_destroy(&log->lock);
    free(log);
}
