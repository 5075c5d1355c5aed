/* kv_log_fuzz.c - any bytes as a row of the key-value store's log, with the sum made right: what is read is no more than what was
 * given, and gives the same row when it is written again.
 *
 * rooms: base
 * files: src/store/kv_log.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/kv_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_buf row = {0}, again = {0};
    struct hf_kv_log_reader r;
    struct hf_kv_log_bucket b;
    struct hf_kv_log_record rec;
    struct hf_report report = {0};
    MUST(hf_buf_add(&row, data, size) == HF_OK);
    if (size > 4)
        hf_kv_log_end(&row);
    enum hf_err err = hf_kv_log_open(&r, hf_buf_view(&row), &report);
    MUST(err == HF_OK || err == HF_CORRUPT || err == HF_UNSUPPORTED);
    MUST((err == HF_OK) == (report.err == HF_OK));
    if (err == HF_OK) {
        MUST(hf_kv_log_begin(&again, r.version, r.n_buckets, r.n_records) == HF_OK);
        while (hf_kv_log_next_bucket(&r, &b))
            MUST(hf_kv_log_add_bucket(&again, &b) == HF_OK);
        while (hf_kv_log_next(&r, &rec)) {
            MUST(!r.r.bad && rec.bucket != 0);
            MUST(hf_kv_log_add(&again, &rec) == HF_OK);
        }
        hf_kv_log_end(&again);
        MUST(hf_view_eq(hf_buf_view(&row), hf_buf_view(&again)));
    }
    hf_buf_done(&row);
    hf_buf_done(&again);
    return 0;
}
