/* meter.c - see meter.h. A new row is complete before it is hung in front of the others. */
#include "console/meter.h"

#include <stdlib.h>

#include "base/vec.h"

void hf_meter_init(struct hf_meter *m)
{
    memset(m, 0, sizeof *m);
    hf_map_init(&m->by_name, 0);
}

void hf_meter_done(struct hf_meter *m)
{
    struct hf_meter_row *row = atomic_load(&m->rows), *next;
    for (; row != NULL; row = next) {
        next = atomic_load(&row->next);
        free(row->service);
        free(row->tenant);
        free(row);
    }
    hf_map_done(&m->by_name);
    memset(m, 0, sizeof *m);
}

const char *hf_meter_class_text(unsigned class)
{
    static const char *const texts[HF_METER_CLASSES] = {"none", "1xx", "2xx",  "3xx",
                                                        "4xx",  "5xx", "other"};
    HF_ASSERT(class < HF_METER_CLASSES);
    return texts[class];
}

static struct hf_meter_row *row_new(struct hf_meter *m, struct hf_view service,
                                    struct hf_view tenant)
{
    struct hf_meter_row *row = calloc(1, sizeof *row);
    if (row == NULL)
        return NULL;
    row->service = hf_view_dup(service);
    row->tenant = hf_view_dup(tenant);
    if (row->service == NULL || row->tenant == NULL ||
        hf_map_put(&m->by_name, hf_view_of(row->service), row, NULL) != HF_OK) {
        free(row->service);
        free(row->tenant);
        free(row);
        return NULL;
    }
    atomic_init(&row->next, atomic_load_explicit(&m->rows, memory_order_relaxed));
    atomic_store_explicit(&m->rows, row, memory_order_release);
    return row;
}

struct hf_meter_row *hf_meter_row(struct hf_meter *m, struct hf_view service, struct hf_view tenant)
{
    struct hf_meter_row *row = hf_map_get(&m->by_name, service);
    if (row != NULL)
        return row;
    if (m->by_name.len < HF_METER_ROWS_MAX)
        return row_new(m, service, tenant);
    service = HF_VIEW("(other)");
    row = hf_map_get(&m->by_name, service);
    return row != NULL ? row : row_new(m, service, (struct hf_view){0});
}

void hf_meter_note(struct hf_meter *m, struct hf_view service, const struct hf_meter_note *n)
{
    struct hf_meter_row *row = m->last;
    if (row == NULL || !hf_view_eq_text(service, row->service))
        row = m->last = hf_meter_row(m, service, (struct hf_view){0});
    if (row == NULL)
        return;
    unsigned class = n->status / 100u;
    hf_counter_add(&row->status[class < HF_METER_CLASSES ? class : HF_METER_CLASSES - 1], 1);
    if (n->bytes_in != 0)
        hf_counter_add(&row->bytes_in, n->bytes_in);
    if (n->bytes_out != 0)
        hf_counter_add(&row->bytes_out, n->bytes_out);
    hf_histogram_add(&row->latency, n->ns);
}

static void add(struct hf_counter *to, const struct hf_counter *from)
{
    hf_counter_add(to, hf_counter_get(from));
}

static void add_row(struct hf_meter_row *to, const struct hf_meter_row *from)
{
    for (unsigned i = 0; i < HF_METER_CLASSES; i++)
        add(&to->status[i], &from->status[i]);
    add(&to->bytes_in, &from->bytes_in);
    add(&to->bytes_out, &from->bytes_out);
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++)
        add(&to->latency.bucket[i], &from->latency.bucket[i]);
    add(&to->latency.count, &from->latency.count);
    add(&to->latency.sum_ns, &from->latency.sum_ns);
}

/* Where a service stands, or should. */
static size_t place_of(const struct hf_meter_sums *sums, const char *service, bool *there)
{
    size_t low = 0, high = sums->len;
    *there = false;
    while (low < high && !*there) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(sums->ptr[mid].service, service);
        *there = cmp == 0;
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return high;
}

enum hf_err hf_meter_sums_add(struct hf_meter_sums *sums, const struct hf_meter *m)
{
    const struct hf_meter_row *row = atomic_load_explicit(&m->rows, memory_order_acquire);
    for (; row != NULL; row = atomic_load_explicit(&row->next, memory_order_acquire)) {
        bool there;
        size_t at = place_of(sums, row->service, &there);
        if (!there) {
            if (!HF_VEC_RESERVE(sums, 1))
                return HF_LIMIT;
            memmove(&sums->ptr[at + 1], &sums->ptr[at], (sums->len - at) * sizeof *sums->ptr);
            memset(&sums->ptr[at], 0, sizeof *sums->ptr);
            sums->ptr[at].service = row->service;
            sums->len++;
        }
        if (sums->ptr[at].tenant == NULL || sums->ptr[at].tenant[0] == '\0')
            sums->ptr[at].tenant = row->tenant;
        add_row(&sums->ptr[at], row);
    }
    return HF_OK;
}

void hf_meter_sums_done(struct hf_meter_sums *sums)
{
    HF_VEC_DONE(sums);
}

const struct hf_meter_row *hf_meter_sums_find(const struct hf_meter_sums *sums,
                                              struct hf_view service)
{
    for (size_t i = 0; i < sums->len; i++)
        if (hf_view_eq_text(service, sums->ptr[i].service))
            return &sums->ptr[i];
    return NULL;
}
