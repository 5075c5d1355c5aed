/* log_pipe.h - finished lines on their way to a descriptor: a bounded buffer, and one thread that
 * writes. Whoever reads slowly, or not at all, stops nobody but that thread.
 *
 * The thread is started by the first line. What does not fit is dropped, whole lines, and counted.
 * The descriptor's flags are not touched: others share it. A process that forks keeps its lines: in
 * the child nothing is written but what the child put, and only if it starts no thread of ours.
 */
#ifndef HF_NODE_LOG_PIPE_H
#define HF_NODE_LOG_PIPE_H

#include "base/bytes.h"

struct hf_log_pipe;
struct hf_log_pipe_settings {
    int fd;
    size_t max;        /* bytes that may wait; 0 = 4 MiB */
    bool direct;       /* no thread: put writes, and waits for whoever reads */
    uint64_t stuck_ns; /* a flush gives up when nothing was written for so long; 0 = 5 s */
    /* On the writer's thread, without a lock, once a second at most, and before the end: when it was
     * asked for, or lines were lost (how many since the last time). It may put. May be NULL. */
    void (*tick)(void *ctx, uint64_t lost);
    void *ctx;
};
enum hf_err hf_log_pipe_new(const struct hf_log_pipe_settings *s, struct hf_log_pipe **ret);
/* Whole lines. Any thread; waits for nothing but other puts. */
void hf_log_pipe_put(struct hf_log_pipe *p, struct hf_view lines);
void hf_log_pipe_ask(struct hf_log_pipe *p); /* for a tick; any thread */
/* Until all that was put before is written. False: it gave up. */
bool hf_log_pipe_flush(struct hf_log_pipe *p);
/* Flushes, and ends the thread; what could not be written is gone. No other thread uses it any more.
 * NULL is fine. */
void hf_log_pipe_free(struct hf_log_pipe *p);

#endif
