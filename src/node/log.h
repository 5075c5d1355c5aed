/* log.h - lines to standard error, as text or JSON (doc/logs.md), whole lines at a time from any
 * thread. Nobody waits for whoever reads them (log_pipe.h).
 */
#ifndef HF_NODE_LOG_H
#define HF_NODE_LOG_H

#include "console/log_ring.h"
#include "gateway/gateway.h"
#include "host/services.h"
#include "node/log_access.h"

struct hf_log;
struct hf_log_settings {
    struct hf_os *os;
    int fd;
    bool json;
    enum hf_access_form access;
    size_t pending_max; /* bytes that may wait for the reader; 0 = 4 MiB */
    bool direct;        /* as of log_pipe.h */
};
enum hf_err hf_log_new(const struct hf_log_settings *s, struct hf_log **ret);
/* What was said is written, unless nobody reads it for 5 s; no source is open any more. */
void hf_log_free(struct hf_log *log);
/* What was said up to here is written when it returns (or as above): before somebody else writes to
 * the same place. */
void hf_log_flush(struct hf_log *log);
/* Lines go there too from now on; NULL: no more. When it returns nobody is in the ring that was there before: it may be freed. */
void hf_log_set_ring(struct hf_log *log, struct hf_log_ring *ring);
/* A line of the node itself; fmt without the end of line. */
void hf_log_say(struct hf_log *log, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* hf_services.log, log_open and log_close: ctx is the hf_log. A source that prints more than it may is cut short, and once a
 * second a line says how many of its lines were dropped. */
void hf_log_guest(void *ctx, const struct hf_log_line *line);
void *hf_log_source_open(void *ctx, const char *service, uint64_t lines, uint64_t bytes);
void hf_log_source_close(void *ctx, void *source);

/* Formats an access line into a worker's buffer, with its clock; hf_log_write puts buffers out. */
void hf_log_access(struct hf_log *log, struct hf_log_clock *clock, struct hf_buf *buf, const struct hf_access *a);
void hf_log_write(struct hf_log *log, struct hf_buf *buf); /* empties it */

#endif
