/* metrics.c - everything that is counted, as Prometheus text (exposition format 0.0.4).
 *
 * Names begin with holdfast_ (process_ for those that every program has), units stand in the name,
 * counters end in _total. Labels are few and bounded: services, workers, states, reasons; what is
 * different for each instance is shown as the least, the mean and the most of a service. A service
 * that was taken away keeps its counters.
 */
#include <stdarg.h>
#include <stdio.h>

#include "console/inside.h"

struct out {
    struct hf_buf *b;
    const struct hf_json_look *look;
    struct hf_meter_sums sums;
    enum hf_err err;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *fmt, ...)
{
    char line[1024]; /* longer than any: names of metrics are ours, labels are cut */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    HF_ASSERT(n >= 0 && (size_t)n < sizeof line);
    if (o->err == HF_OK)
        o->err = hf_buf_add(o->b, line, (size_t)n);
}

static void head(struct out *o, const char *name, const char *type, const char *help)
{
    put(o, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quote and line end are escaped; other control bytes, and what is no
 * ASCII, would be legal and are no names of ours. Cut, so that a line always fits. */
#define LABEL_MAX 160u
static const char *label(const char *text, char out[LABEL_MAX])
{
    size_t n = 0;
    for (; *text != '\0' && n + 3 < LABEL_MAX; text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
    }
    out[n] = '\0';
    return out;
}

static unsigned long long ull(uint64_t n)
{
    return (unsigned long long)n;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* ---- the node and its workers ---- */

static void one(struct out *o, const char *name, const char *type, const char *help, double value)
{
    head(o, name, type, help);
    put(o, "%s %.17g\n", name, value);
}

static void node(struct out *o)
{
    const struct hf_admin_node *n = o->look->node;
    char buf[LABEL_MAX];
    head(o, "holdfast_info", "gauge", "Which program this is; always 1.");
    put(o, "holdfast_info{version=\"%s\"} 1\n", label(n->version, buf));
    one(o, "holdfast_uptime_seconds", "gauge", "Time since the node was opened.",
        seconds(n->uptime_ns));
    one(o, "holdfast_stopping", "gauge", "1 from the moment the node was told to stop.",
        n->stopping);
    one(o, "holdfast_workers", "gauge", "Threads that serve.", n->workers);
    one(o, "process_start_time_seconds", "gauge", "When the process was started, since 1970.",
        seconds(n->start_wall_ns));
    one(o, "process_cpu_seconds_total", "counter", "CPU time, user and system.",
        seconds(n->cpu_ns));
    one(o, "process_resident_memory_bytes", "gauge", "Memory that the process has in use.",
        (double)n->rss_bytes);
    one(o, "process_open_fds", "gauge", "Open descriptors.", (double)n->open_files);
}

#define WORKER(field) offsetof(struct hf_shot_worker, field)
static void workers(struct out *o)
{
    static const struct {
        const char *name, *type, *help;
        size_t at;
    } rows[] = {
        {"holdfast_connections_open", "gauge", "Open client connections.", WORKER(gateway.open)},
        {"holdfast_connections_busy", "gauge", "Of them, those with a request in hand.",
         WORKER(gateway.busy)},
        {"holdfast_connections_accepted_total", "counter", "Client connections taken.",
         WORKER(gateway.accepted)},
        {"holdfast_connection_bytes_received_total", "counter", "Bytes read from clients.",
         WORKER(gateway.bytes_in)},
        {"holdfast_connection_bytes_sent_total", "counter", "Bytes written to clients.",
         WORKER(gateway.bytes_out)},
        {"holdfast_connection_refused_heads_total", "counter", "Requests that were no good HTTP.",
         WORKER(gateway.refused_heads)},
        {"holdfast_connection_timeouts_total", "counter", "Connections that were too slow.",
         WORKER(gateway.timeouts)},
        {"holdfast_connection_aborted_total", "counter", "Answers that were broken off.",
         WORKER(gateway.aborted)},
        {"holdfast_connection_client_gone_total", "counter", "Clients that left before the answer.",
         WORKER(gateway.client_gone)},
        {"holdfast_outgoing_calls_total", "counter", "Requests that guests made.",
         WORKER(client.calls)},
        {"holdfast_outgoing_connects_total", "counter", "Connections made for them.",
         WORKER(client.connects)},
        {"holdfast_outgoing_reused_total", "counter", "Connections used again.",
         WORKER(client.reused)},
        {"holdfast_outgoing_faults_total", "counter", "Requests of guests without an answer.",
         WORKER(client.faults)},
        {"holdfast_outgoing_connections_open", "gauge", "Connections for guests' requests.",
         WORKER(client.open)},
        {"holdfast_outgoing_waiting", "gauge", "Guests' requests that wait for a connection.",
         WORKER(client.waiting)},
        {"holdfast_bodies", "gauge", "Bodies on their way.", WORKER(blobs)},
        {"holdfast_body_bytes", "gauge", "Memory of bodies on their way.", WORKER(blob_bytes)},
        {"holdfast_blob_kept_bytes", "gauge", "Bytes of blobs in memory.", WORKER(blob_kept)},
        {"holdfast_blob_file_bytes", "gauge", "Bytes of blobs in the file.", WORKER(blob_in_file)},
        {"holdfast_blob_written_bytes_total", "counter", "Bytes of blobs that were put into the file.", WORKER(blob_written)},
        {"holdfast_blob_read_bytes_total", "counter", "Bytes of blobs that were read from it.", WORKER(blob_read)},
        {"holdfast_blob_file_failures_total", "counter", "Writes to it and reads from it that failed.", WORKER(blob_failures)},
        {"holdfast_blobs_refused_total", "counter", "Bytes and blobs refused because it takes no more.", WORKER(blob_refused)},
        {"holdfast_processes_resident", "gauge", "Instances of named processes in memory.", WORKER(resident)},
        {"holdfast_processes_evicted", "gauge", "Named processes whose instance is in the spill file.", WORKER(evicted)},
        {"holdfast_spilled_bytes", "gauge", "Bytes of evicted instances in the spill file.", WORKER(spilled_bytes)},
        {"holdfast_evictions_total", "counter", "Idle processes that were put into the spill file.", WORKER(evictions)},
        {"holdfast_revivals_total", "counter", "Processes that were brought back from it.", WORKER(revivals)},
        {"holdfast_evictions_refused_total", "counter", "Idle processes that could not be put there for what they keep.", WORKER(stays)},
        {"holdfast_spill_failures_total", "counter", "Writes to the spill file, and images for it, that failed.", WORKER(spill_failures)},
        {"holdfast_processes_lost_total", "counter", "Evicted processes that could not be brought back.", WORKER(lost)},
    };
    const struct hf_picture *p = o->look->picture;
    head(o, "holdfast_worker_silent", "gauge",
         "1: the worker did not answer in time; its other figures are what it said last.");
    for (size_t i = 0; i < p->workers.len; i++)
        put(o, "holdfast_worker_silent{worker=\"%u\"} %d\n", p->workers.ptr[i].number,
            p->workers.ptr[i].silent);
    for (size_t r = 0; r < HF_ARRAY_LEN(rows); r++) {
        head(o, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < p->workers.len; i++) {
            uint64_t n;
            memcpy(&n, (const char *)&p->workers.ptr[i] + rows[r].at, sizeof n);
            put(o, "%s{worker=\"%u\"} %llu\n", rows[r].name, p->workers.ptr[i].number, ull(n));
        }
    }
}

/* ---- requests ---- */

static void requests(struct out *o)
{
    char s[LABEL_MAX], t[LABEL_MAX];
    head(o, "holdfast_requests_total", "counter",
         "Finished requests; status none: the client left before one was sent.");
    for (size_t i = 0; i < o->sums.len; i++)
        for (unsigned k = 0; k < HF_METER_CLASSES; k++)
            put(o, "holdfast_requests_total{service=\"%s\",tenant=\"%s\",status=\"%s\"} %llu\n",
                label(o->sums.ptr[i].service, s), label(o->sums.ptr[i].tenant, t),
                hf_meter_class_text(k), ull(hf_counter_get(&o->sums.ptr[i].status[k])));
    head(o, "holdfast_request_bytes_total", "counter", "Bytes of request bodies.");
    for (size_t i = 0; i < o->sums.len; i++)
        put(o, "holdfast_request_bytes_total{service=\"%s\",tenant=\"%s\"} %llu\n",
            label(o->sums.ptr[i].service, s), label(o->sums.ptr[i].tenant, t),
            ull(hf_counter_get(&o->sums.ptr[i].bytes_in)));
    head(o, "holdfast_response_bytes_total", "counter", "Bytes of answers' bodies.");
    for (size_t i = 0; i < o->sums.len; i++)
        put(o, "holdfast_response_bytes_total{service=\"%s\",tenant=\"%s\"} %llu\n",
            label(o->sums.ptr[i].service, s), label(o->sums.ptr[i].tenant, t),
            ull(hf_counter_get(&o->sums.ptr[i].bytes_out)));
}

/* The histogram has eight buckets in each power of two; here two of them are kept, from 16 us on.
 * Its last one has no upper bound. */
#define EVERY    4u
#define FIRST_NS 16384u
static void latency(struct out *o)
{
    char s[LABEL_MAX], t[LABEL_MAX];
    const char *name = "holdfast_request_duration_seconds";
    head(o, name, "histogram", "From a request's head to the last byte of its answer.");
    for (size_t i = 0; i < o->sums.len; i++) {
        const struct hf_meter_row *row = &o->sums.ptr[i];
        uint64_t sum = 0;
        label(row->service, s);
        label(row->tenant, t);
        for (unsigned k = 0; k + 1 < HF_HISTOGRAM_BUCKETS; k++) {
            sum += hf_counter_get(&row->latency.bucket[k]);
            if (k % EVERY == EVERY - 1 && hf_histogram_bound_ns(k) >= FIRST_NS)
                put(o, "%s_bucket{service=\"%s\",tenant=\"%s\",le=\"%.9g\"} %llu\n", name, s, t,
                    seconds(hf_histogram_bound_ns(k)), ull(sum));
        }
        /* Of one look at the buckets: the count beside them may be one ahead. */
        sum += hf_counter_get(&row->latency.bucket[HF_HISTOGRAM_BUCKETS - 1]);
        put(o, "%s_bucket{service=\"%s\",tenant=\"%s\",le=\"+Inf\"} %llu\n", name, s, t, ull(sum));
        put(o, "%s_sum{service=\"%s\",tenant=\"%s\"} %.17g\n", name, s, t,
            seconds(hf_counter_get(&row->latency.sum_ns)));
        put(o, "%s_count{service=\"%s\",tenant=\"%s\"} %llu\n", name, s, t, ull(sum));
    }
}

/* ---- services ---- */

static void service_line(struct out *o, const char *name, const struct hf_shot_service *s,
                         const char *more, const char *value, uint64_t n)
{
    char a[LABEL_MAX], b[LABEL_MAX], c[LABEL_MAX];
    label(s->name, a);
    label(s->tenant, b);
    if (more == NULL)
        put(o, "%s{service=\"%s\",tenant=\"%s\"} %llu\n", name, a, b, ull(n));
    else
        put(o, "%s{service=\"%s\",tenant=\"%s\",%s=\"%s\"} %llu\n", name, a, b, more,
            label(value, c), ull(n));
}

static void instances(struct out *o)
{
    const struct hf_picture *p = o->look->picture;
    const char *name = "holdfast_instances";
    head(o, name, "gauge", "Instances by what they do.");
    for (size_t i = 0; i < p->services.len; i++) {
        const struct hf_shot_service *s = &p->services.ptr[i];
        service_line(o, name, s, "state", "starting", s->starting);
        service_line(o, name, s, "state", "idle", s->idle);
        service_line(o, name, s, "state", "busy", s->busy);
        service_line(o, name, s, "state", "leaving", s->leaving);
        service_line(o, name, s, "state", "spare", s->spare);
    }
}

#define U32            1u
#define U64            0u
#define SERVICE(field) offsetof(struct hf_shot_service, field)
static void services(struct out *o)
{
    static const struct {
        const char *name, *type, *help;
        size_t at;
        unsigned width;
    } rows[] = {
        {"holdfast_pool_min", "gauge", "Instances that are kept ready.", SERVICE(min), U32},
        {"holdfast_pool_max", "gauge", "Instances there may be.", SERVICE(max), U32},
        {"holdfast_queue_depth", "gauge", "Requests that wait for an instance.", SERVICE(queued),
         U32},
        {"holdfast_queue_max", "gauge", "Requests that may wait.", SERVICE(queue_max), U32},
        {"holdfast_instance_memory_bytes", "gauge", "Linear memories of a service's instances.",
         SERVICE(memory), U64},
        {"holdfast_instance_starts_total", "counter", "Instances that were started.",
         SERVICE(started), U64},
        {"holdfast_instance_start_failures_total", "counter", "Starts that failed.",
         SERVICE(start_failures), U64},
        {"holdfast_cold_starts_total", "counter", "Requests that waited for an instance to start.",
         SERVICE(cold), U64},
        {"holdfast_warm_starts_total", "counter",
         "Processes that took an instance that was ready.", SERVICE(warm), U64},
    };
    const struct hf_picture *p = o->look->picture;
    for (size_t r = 0; r < HF_ARRAY_LEN(rows); r++) {
        head(o, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < p->services.len; i++) {
            const char *from = (const char *)&p->services.ptr[i] + rows[r].at;
            uint64_t n = 0;
            uint32_t n32;
            memcpy(&n32, from, sizeof n32);
            if (rows[r].width == U64)
                memcpy(&n, from, sizeof n);
            service_line(o, rows[r].name, &p->services.ptr[i], NULL, NULL,
                         rows[r].width == U64 ? n : n32);
        }
    }
}

static void ends(struct out *o)
{
    const struct hf_picture *p = o->look->picture;
    head(o, "holdfast_instance_ends_total", "counter", "Instances that ended, by reason.");
    for (size_t i = 0; i < p->services.len; i++) {
        const struct hf_shot_service *s = &p->services.ptr[i];
        for (unsigned k = 0; k < HF_SHOT_ENDS_MAX && s->ends[k].why != NULL; k++)
            service_line(o, "holdfast_instance_ends_total", s, "reason", s->ends[k].why,
                         s->ends[k].n);
    }
    head(o, "holdfast_request_failures_total", "counter",
         "Requests without an answer of the service, by what came instead.");
    for (size_t i = 0; i < p->services.len; i++) {
        const struct hf_shot_service *s = &p->services.ptr[i];
        const char *name = "holdfast_request_failures_total";
        service_line(o, name, s, "reason", "timeout", s->timeouts);
        service_line(o, name, s, "reason", "dead", s->dead);
        service_line(o, name, s, "reason", "unanswered", s->unanswered);
        service_line(o, name, s, "reason", "refused", s->refused);
        service_line(o, name, s, "reason", "cancelled", s->cancelled);
    }
}

/* ---- what differs from instance to instance ---- */

struct spread {
    uint64_t n, least, most;
    double sum;
};

static void spread_add(struct spread *s, uint64_t value)
{
    s->least = s->n == 0 || value < s->least ? value : s->least;
    s->most = value > s->most ? value : s->most;
    s->sum += (double)value;
    s->n++;
}

/* `unit`: what a value is divided by. */
static void spread_put(struct out *o, const char *name, const struct hf_shot_service *s,
                       const struct spread *v, double unit)
{
    char a[LABEL_MAX], b[LABEL_MAX];
    if (v->n == 0)
        return;
    label(s->name, a);
    label(s->tenant, b);
    put(o, "%s{service=\"%s\",tenant=\"%s\",of=\"least\"} %.9g\n", name, a, b,
        (double)v->least / unit);
    put(o, "%s{service=\"%s\",tenant=\"%s\",of=\"mean\"} %.9g\n", name, a, b,
        v->sum / (double)v->n / unit);
    put(o, "%s{service=\"%s\",tenant=\"%s\",of=\"most\"} %.9g\n", name, a, b,
        (double)v->most / unit);
}

/* Instances are in order of their service. */
static void spreads(struct out *o, const char *name, const char *help, bool ages)
{
    const struct hf_picture *p = o->look->picture;
    size_t at = 0;
    head(o, name, "gauge", help);
    for (uint32_t i = 0; i < p->services.len; i++) {
        struct spread v = {0};
        for (; at < p->instances.len && p->instances.ptr[at].service == i; at++) {
            const struct hf_shot_instance *in = &p->instances.ptr[at];
            bool born = in->born_ns != 0 && in->born_ns <= p->now_ns;
            if (!ages)
                spread_add(&v, in->served);
            else if (born)
                spread_add(&v, p->now_ns - in->born_ns);
        }
        spread_put(o, name, &p->services.ptr[i], &v, ages ? 1e9 : 1);
    }
}

/* ---- buckets ---- */

static void bucket_counts(struct out *o, const struct hf_buckets *b, const char *name,
                          const char *help, bool keys)
{
    char service[LABEL_MAX], tenant[LABEL_MAX], bucket[LABEL_MAX];
    head(o, name, "gauge", help);
    for (size_t i = 0; i < b->len; i++) {
        const struct hf_bucket *one = &b->ptr[i];
        const struct hf_shot_service *s =
            one->shared ? NULL : hf_picture_service(o->look->picture, hf_view_of(one->owner));
        put(o, "%s{service=\"%s\",tenant=\"%s\",bucket=\"%s\"} %llu\n", name,
            label(one->shared ? "" : one->owner, service),
            label(one->shared ? one->owner
                  : s != NULL ? s->tenant
                              : "",
                  tenant),
            label(one->name, bucket), ull(keys ? one->keys : one->bytes));
    }
}

static void buckets(struct out *o)
{
    struct hf_buckets b;
    hf_buckets_take(o->look->ops->kv, &b);
    if (b.len > 0) {
        bucket_counts(o, &b, "holdfast_bucket_keys",
                      "Keys of each bucket; without a service: what a tenant's services share.",
                      true);
        bucket_counts(o, &b, "holdfast_bucket_bytes", "Bytes of its keys and values.", false);
    }
    if (b.partial && o->err == HF_OK)
        o->err = HF_LIMIT;
    hf_buckets_done(&b);
}

bool hf_metrics_write(struct hf_buf *ret, const struct hf_json_look *look)
{
    struct out o = {.b = ret, .look = look};
    const struct hf_meter *m;
    for (uint32_t i = 0; o.err == HF_OK && (m = look->ops->meter(look->ops->ctx, i)) != NULL; i++)
        o.err = hf_meter_sums_add(&o.sums, m);
    node(&o);
    workers(&o);
    requests(&o);
    latency(&o);
    instances(&o);
    services(&o);
    ends(&o);
    spreads(&o, "holdfast_instance_age_seconds", "Ages of the instances there are.", true);
    spreads(&o, "holdfast_instance_served_requests", "Requests that the instances there are took.",
            false);
    buckets(&o);
    hf_meter_sums_done(&o.sums);
    return o.err == HF_OK;
}
