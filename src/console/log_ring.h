/* log_ring.h - the newest lines of the log, for those who come to read them later.
 *
 * A fixed number of bytes and of lines: a new line pushes out the oldest ones. Lines are numbered;
 * a reader keeps the number of the line it wants next, so one that is slow misses lines, is told
 * how many, and holds up nobody. Any thread adds, any thread reads.
 */
#ifndef HF_CONSOLE_LOG_RING_H
#define HF_CONSOLE_LOG_RING_H

#include "base/bytes.h"

#define HF_LOG_RING_LINE_MAX (16u * 1024) /* longer lines are cut */

struct hf_log_ring;
/* bytes_max 0 = 1 MiB, lines_max 0 = 16384. */
enum hf_err hf_log_ring_new(size_t bytes_max, uint32_t lines_max, struct hf_log_ring **ret);
void hf_log_ring_free(struct hf_log_ring *ring); /* NULL is fine */
/* A line of a service (empty: of the node itself), with or without its end. NULL ring: nothing. */
void hf_log_ring_add(struct hf_log_ring *ring, struct hf_view service, struct hf_view line);

/* The number of the line from which on there are `lines` lines of `service` (empty: all), or as
 * many as there are. */
uint64_t hf_log_ring_tail(struct hf_log_ring *ring, struct hf_view service, uint64_t lines);
/* Appends lines of `service` (empty: all) from *at on to `ret`, each with its end, while they fit
 * in max bytes (but at least one, if there is one), and moves *at behind them. *lost: lines from
 * *at on, whosever, that were pushed out before. HF_AGAIN: there are none yet; HF_LIMIT: memory. */
enum hf_err hf_log_ring_read(struct hf_log_ring *ring, struct hf_view service, uint64_t *at,
                             size_t max, struct hf_buf *ret, uint64_t *lost);

/* `bell` is called by whoever adds the next line after each `arm`, on his thread; it must not
 * block. Set before lines are added by others. */
void hf_log_ring_set_bell(struct hf_log_ring *ring, void (*bell)(void *ctx), void *ctx);
void hf_log_ring_arm(struct hf_log_ring *ring);

#endif
