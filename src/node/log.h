/* log.h - lines to standard error, as text or JSON, whole lines at a time from any thread. */
#ifndef HF_NODE_LOG_H
#define HF_NODE_LOG_H

#include "console/log_ring.h"
#include "gateway/gateway.h"
#include "host/services.h"

struct hf_log;
enum hf_err hf_log_new(struct hf_os *os, int fd, bool json, struct hf_log **ret);
void hf_log_free(struct hf_log *log);
/* Lines go there too from now on; NULL: no more. The ring outlives every thread that logs meanwhile. */
void hf_log_set_ring(struct hf_log *log, struct hf_log_ring *ring);
/* A line of the node itself; fmt without the end of line. */
void hf_log_say(struct hf_log *log, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* hf_services.log: ctx is the hf_log. */
void hf_log_guest(void *ctx, const struct hf_log_line *line);
/* Formats an access line into a worker's buffer; hf_log_write puts buffers out. */
void hf_log_access(struct hf_log *log, struct hf_buf *buf, const struct hf_access *a);
void hf_log_write(struct hf_log *log, struct hf_buf *buf); /* empties it */

#endif
