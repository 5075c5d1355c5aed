/* log_rate.h - how many lines one source may have: two buckets, lines and bytes, each full for two
 * seconds' worth at the start.
 *
 * Taken by the one thread whose source it is; what was dropped is counted for another that says it.
 */
#ifndef HF_NODE_LOG_RATE_H
#define HF_NODE_LOG_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_LOG_LINES  1000u             /* a second, when nothing else is said */
#define HF_LOG_BYTES  (1024u * 1024u)
#define HF_LOG_BURST_NS 2000000000u     /* what a bucket holds */

struct hf_log_rate {
    uint64_t line_ns, byte_ns;        /* what one costs, in 1/1024 ns; 0: nothing */
    uint64_t lines_full, bytes_full;  /* when each bucket is full again */
    _Atomic uint64_t lines, bytes;    /* dropped and not yet said */
};
/* A second; 0: as above; UINT64_MAX: any number. */
void hf_log_rate_init(struct hf_log_rate *r, uint64_t lines, uint64_t bytes);
/* False: it is dropped, and counted. */
bool hf_log_rate_take(struct hf_log_rate *r, uint64_t now_ns, size_t len);

#endif
