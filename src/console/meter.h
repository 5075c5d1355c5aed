/* meter.h - what requests came to, by service: counters and a latency histogram, kept through
 * every change of the service's component.
 *
 * Each worker has one meter and is its only writer; anybody may read while it writes, also rows
 * that are being added. A row is one service's for good: deploying another component, or taking the
 * service away and adding it again, goes on counting, as who scrapes expects of a counter.
 */
#ifndef HF_CONSOLE_METER_H
#define HF_CONSOLE_METER_H

#include "base/map.h"
#include "base/metric.h"

#define HF_METER_ROWS_MAX 1024u /* services; further ones share one row named "(other)" */
#define HF_METER_CLASSES  7u    /* of statuses: hf_meter_class_text */

struct hf_meter_row {
    _Atomic(struct hf_meter_row *) next;
    char *service, *tenant; /* "" : requests that reached no service */
    struct hf_counter status[HF_METER_CLASSES];
    struct hf_counter bytes_in, bytes_out;
    struct hf_histogram latency;
};
struct hf_meter {
    _Atomic(struct hf_meter_row *) rows; /* the newest first */
    struct hf_meter_row *last;           /* the one noted last; the writer's */
    struct hf_map by_name;               /* the writer's */
};
void hf_meter_init(struct hf_meter *m); /* or zeroes */
void hf_meter_done(struct hf_meter *m);

/* Writer only. The service's row, made when there is none; `tenant` is of its first time. NULL: no
 * memory. */
struct hf_meter_row *hf_meter_row(struct hf_meter *m, struct hf_view service,
                                  struct hf_view tenant);
struct hf_meter_note {
    uint16_t status; /* 0: the client left before one was sent */
    uint64_t ns, bytes_in, bytes_out;
};
/* Writer only: one finished request. Without memory for a row it is not counted. */
void hf_meter_note(struct hf_meter *m, struct hf_view service, const struct hf_meter_note *n);

/* "none" (no status), "1xx" ... "5xx", "other". */
const char *hf_meter_class_text(unsigned class);

/* ---- any thread ---- Rows of several meters, those of one service added up, in order of name. The
 * texts are the meters'. */
struct hf_meter_sums {
    struct hf_meter_row *ptr;
    size_t len, cap;
};
enum hf_err hf_meter_sums_add(struct hf_meter_sums *sums, const struct hf_meter *m);
void hf_meter_sums_done(struct hf_meter_sums *sums);
const struct hf_meter_row *hf_meter_sums_find(const struct hf_meter_sums *sums,
                                              struct hf_view service); /* NULL: none */

#endif
