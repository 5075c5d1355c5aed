/* services.h - what a guest import needs from other rooms, as a table that the node fills.
 */
#ifndef HF_HOST_SERVICES_H
#define HF_HOST_SERVICES_H

#include "base/kv.h"
#include "os/net.h"
#include "os/os.h"

enum hf_log_stream { HF_LOG_STDOUT, HF_LOG_STDERR, HF_LOG_EVENT };
struct hf_log_line {
    enum hf_log_stream stream;
    struct hf_view service; /* name of the service or process class */
    uint64_t instance;      /* process id; 0 = none */
    struct hf_view request; /* id of the request in hand (its x-request-id); empty: none */
    struct hf_view text;    /* one line, without its end; not validated as UTF-8 */
    void *source;           /* of log_open; NULL: its lines are not counted */
};
struct hf_services {
    void *ctx;
    struct hf_os *os; /* wall clock, random bytes; monotonic time comes from the turn */
    /* Any worker's thread; must not block. */
    void (*log)(void *ctx, const struct hf_log_line *line);
    /* A source of lines, of one service on one thread: who keeps the log bounds each. Lines and bytes a second; 0 = the default,
     * UINT64_MAX = any number. NULL: no memory, and nothing is bounded. Both may be NULL: nobody bounds anything. */
    void *(*log_open)(void *ctx, const char *service, uint64_t lines, uint64_t bytes);
    void (*log_close)(void *ctx, void *source);
    /* Key-value buckets; NULL: no store. A door for all threads; or, if each thread has its own (hf_io.kv), one that finds buckets
     * and no more. */
    struct hf_kv *kv;
    struct hf_net *net; /* guests' sockets; NULL: the system's */
};

#endif
