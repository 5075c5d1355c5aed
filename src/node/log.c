/* log.c - one line an event; text for people, JSON for machines. Control bytes of guests and clients are escaped, so that
 * nobody writes a line that is not theirs. A line that cannot be written is dropped: logging never stops serving.
 */
#include "node/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct hf_log {
    struct hf_os *os;
    int fd;
    bool json;
    _Atomic(struct hf_log_ring *) ring; /* or NULL */
    pthread_mutex_t lock; /* one write at a time */
    time_t second;        /* the text of this second, guarded by lock */
    char stamp[32];
};

enum hf_err hf_log_new(struct hf_os *os, int fd, bool json, struct hf_log **ret)
{
    struct hf_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return HF_LIMIT;
    log->os = os;
    log->fd = fd;
    log->json = json;
    pthread_mutex_init(&log->lock, NULL);
    *ret = log;
    return HF_OK;
}

void hf_log_free(struct hf_log *log)
{
    if (log == NULL)
        return;
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void hf_log_set_ring(struct hf_log *log, struct hf_log_ring *ring)
{
    atomic_store(&log->ring, ring);
}

/* The line that begins at `start` of the buffer goes to the ring, as one of the service's. */
static void keep(struct hf_log *log, const struct hf_buf *b, size_t start, struct hf_view service)
{
    hf_log_ring_add(atomic_load_explicit(&log->ring, memory_order_acquire), service, hf_view_skip(hf_buf_view(b), start));
}

static void put(struct hf_log *log, const uint8_t *p, size_t len)
{
    pthread_mutex_lock(&log->lock);
    while (len > 0) {
        ssize_t n = write(log->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        p += n;
        len -= (size_t)n;
    }
    pthread_mutex_unlock(&log->lock);
}

void hf_log_write(struct hf_log *log, struct hf_buf *buf)
{
    if (buf->len > 0)
        put(log, buf->ptr, buf->len);
    hf_buf_clear(buf);
}

/* "2026-11-21T08:30:00.123Z" */
static void stamp(struct hf_log *log, char out[40])
{
    uint64_t ns = log->os->wall_ns(log->os);
    time_t s = (time_t)(ns / 1000000000u);
    struct tm tm;
    pthread_mutex_lock(&log->lock);
    if (s != log->second) {
        gmtime_r(&s, &tm);
        strftime(log->stamp, sizeof log->stamp, "%Y-%m-%dT%H:%M:%S", &tm);
        log->second = s;
    }
    snprintf(out, 40, "%s.%03uZ", log->stamp, (unsigned)(ns / 1000000u % 1000u));
    pthread_mutex_unlock(&log->lock);
}

/* Appends text with what could break a line or a JSON string escaped. Not valid UTF-8 stays as bytes in text, and becomes
 * \u00XX in JSON. */
static void escaped(struct hf_buf *b, struct hf_view v, bool json)
{
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < v.len && err == HF_OK; i++) {
        uint8_t c = v.ptr[i];
        if (json && (c == '"' || c == '\\'))
            err = hf_buf_printf(b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            err = json ? hf_buf_printf(b, "\\u%04x", c) : hf_buf_printf(b, "\\x%02x", c);
        else if (json && c >= 0x80)
            err = hf_buf_printf(b, "\\u%04x", c);
        else
            err = hf_buf_add_byte(b, c);
    }
}

static void text(struct hf_buf *b, const char *s)
{
    (void)!hf_buf_add_text(b, s); /* memory out: the line is shorter */
}

static void field(struct hf_buf *b, const char *name, struct hf_view v)
{
    text(b, ",\"");
    text(b, name);
    text(b, "\":\"");
    escaped(b, v, true);
    text(b, "\"");
}

static void line_begin(struct hf_log *log, struct hf_buf *b, const char *level)
{
    char when[40];
    stamp(log, when);
    (void)!(log->json ? hf_buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\"", when, level)
                      : hf_buf_printf(b, "%s %-6s ", when, level));
}

void hf_log_say(struct hf_log *log, const char *level, const char *fmt, ...)
{
    struct hf_buf b = {0};
    char words[HF_REPORT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(words, sizeof words, fmt, ap);
    va_end(ap);
    struct hf_view v = hf_view(words, n < 0 ? 0 : (size_t)n < sizeof words ? (size_t)n : sizeof words - 1);
    line_begin(log, &b, level);
    if (log->json) {
        field(&b, "message", v);
        text(&b, "}");
    } else {
        (void)!hf_buf_add_view(&b, v); /* our own words may have several lines */
    }
    text(&b, "\n");
    keep(log, &b, 0, (struct hf_view){0});
    hf_log_write(log, &b);
    hf_buf_done(&b);
}

void hf_log_guest(void *ctx, const struct hf_log_line *l)
{
    static const char *const names[] = {"stdout", "stderr", "event"};
    struct hf_log *log = ctx;
    struct hf_buf b = {0};
    line_begin(log, &b, names[l->stream]);
    if (log->json) {
        field(&b, "service", l->service);
        (void)!hf_buf_printf(&b, ",\"instance\":%llu", (unsigned long long)l->instance);
        field(&b, "message", l->text);
        text(&b, "}");
    } else {
        (void)!hf_buf_printf(&b, "%.*s[%llu] ", HF_FMT(l->service), (unsigned long long)l->instance);
        escaped(&b, l->text, false);
    }
    text(&b, "\n");
    keep(log, &b, 0, l->service);
    hf_log_write(log, &b);
    hf_buf_done(&b);
}

void hf_log_access(struct hf_log *log, struct hf_buf *b, const struct hf_access *a)
{
    uint64_t us = (a->end_ns - a->start_ns) / 1000;
    size_t start = b->len;
    line_begin(log, b, "access");
    if (log->json) {
        field(b, "service", a->service);
        field(b, "peer", a->peer);
        field(b, "method", a->method);
        field(b, "target", a->target);
        field(b, "host", a->host);
        (void)!hf_buf_printf(b, ",\"status\":%u,\"in\":%llu,\"out\":%llu,\"us\":%llu,\"instance\":%llu,\"how\":\"%s\"", a->status,
                             (unsigned long long)a->bytes_in, (unsigned long long)a->bytes_out, (unsigned long long)us,
                             (unsigned long long)a->process, a->how);
        if (a->detail.len > 0)
            field(b, "detail", a->detail);
        text(b, "}\n");
        keep(log, b, start, a->service);
        return;
    }
    (void)!hf_buf_printf(b, "%.*s %.*s ", HF_FMT(a->peer), HF_FMT(a->method));
    escaped(b, a->target, false);
    (void)!hf_buf_printf(b, " %u %llu %llu.%03llums", a->status, (unsigned long long)a->bytes_out,
                         (unsigned long long)(us / 1000), (unsigned long long)(us % 1000));
    if (a->service.len > 0)
        (void)!hf_buf_printf(b, " %.*s[%llu]", HF_FMT(a->service), (unsigned long long)a->process);
    if (strcmp(a->how, "ok") != 0)
        (void)!hf_buf_printf(b, " %s", a->how);
    if (a->detail.len > 0) { /* its first line: the rest was said when it happened */
        text(b, ": ");
        escaped(b, hf_view_take(a->detail, hf_view_find(a->detail, '\n')), false);
    }
    text(b, "\n");
    keep(log, b, start, a->service);
}
