/* json.c - what the admin door shows, as JSON (jansson writes it).
 *
 * Shapes are part of the interface: every object begins with "version", and what stands in it keeps
 * its name and meaning; new members may come (tests/console/json_test.c has them as text). Times
 * are integers with their unit in the name. Bytes that are no UTF-8 are shown with \xNN in place of
 * each that is wrong; keys of buckets, which must come back as they are, as {"hex": "..."}.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "console/inside.h"

static int to_buf(const char *text, size_t len, void *buf)
{
    return hf_buf_add(buf, text, len) == HF_OK ? 0 : -1;
}

/* Takes the object. */
static bool write_out(struct hf_buf *ret, json_t *object)
{
    bool ok = object != NULL && json_dump_callback(object, to_buf, ret, JSON_COMPACT) == 0 &&
              hf_buf_add_byte(ret, '\n') == HF_OK;
    json_decref(object);
    return ok;
}

static json_t *begin(void)
{
    json_t *o = json_object();
    if (o != NULL)
        json_object_set_new(o, "version", json_integer(HF_ADMIN_VERSION));
    return o;
}

static json_t *number(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *text(struct hf_view v)
{
    json_t *ret = json_stringn(v.len == 0 ? "" : (const char *)v.ptr, v.len);
    struct hf_buf b = {0};
    bool ok = ret == NULL;
    for (size_t i = 0; i < v.len && ok; i++)
        ok = (v.ptr[i] < 0x80 ? hf_buf_add_byte(&b, v.ptr[i])
                              : hf_buf_printf(&b, "\\x%02x", v.ptr[i])) == HF_OK;
    if (ok)
        ret = json_stringn((const char *)b.ptr, b.len);
    hf_buf_done(&b);
    return ret;
}

static json_t *word(const char *s)
{
    return s == NULL ? json_null() : text(hf_view_of(s));
}

/* ---- failures, and what was done ---- */

bool hf_json_error(struct hf_buf *ret, int code, struct hf_view words)
{
    json_t *o = begin();
    json_object_set_new(o, "error", text(words));
    json_object_set_new(o, "status", word(hf_admin_code_text(code)));
    json_object_set_new(o, "code", json_integer(code));
    return write_out(ret, o);
}

bool hf_json_done(struct hf_buf *ret, const char *what, struct hf_view name, struct hf_view words,
                  const uint64_t *n)
{
    json_t *o = begin();
    json_object_set_new(o, "done", word(what));
    if (name.len > 0)
        json_object_set_new(o, "name", text(name));
    if (n != NULL)
        json_object_set_new(o, "number", number(*n));
    if (words.len > 0)
        json_object_set_new(o, "message", text(words));
    return write_out(ret, o);
}

/* ---- the node ---- */

struct member {
    const char *name;
    uint64_t n;
};

static json_t *numbers(const struct member *m, size_t n)
{
    json_t *o = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(o, m[i].name, number(m[i].n));
    return o;
}
#define NUMBERS(...)                                                                               \
    numbers((const struct member[]){__VA_ARGS__},                                                  \
            HF_ARRAY_LEN(((const struct member[]){__VA_ARGS__})))

static json_t *worker_json(const struct hf_shot_worker *w)
{
    const struct hf_shot_gateway *g = &w->gateway;
    const struct hf_shot_client *c = &w->client;
    json_t *o = json_object();
    json_object_set_new(o, "worker", json_integer(w->number));
    json_object_set_new(o, "silent", json_boolean(w->silent));
    json_object_set_new(o, "draining", json_boolean(w->draining));
    json_object_set_new(o, "instances", number(w->processes));
    json_object_set_new(o, "connections",
                        NUMBERS({"open", g->open}, {"busy", g->busy}, {"accepted", g->accepted},
                                {"requests", g->requests}, {"refused", g->refused_heads},
                                {"timeouts", g->timeouts}, {"aborted", g->aborted},
                                {"client_gone", g->client_gone}, {"bytes_in", g->bytes_in},
                                {"bytes_out", g->bytes_out}));
    json_object_set_new(o, "outgoing",
                        NUMBERS({"calls", c->calls}, {"connects", c->connects},
                                {"reused", c->reused}, {"retried", c->retried},
                                {"faults", c->faults}, {"open", c->open}, {"idle", c->idle},
                                {"waiting", c->waiting}));
    json_object_set_new(o, "bodies", NUMBERS({"live", w->blobs}, {"bytes", w->blob_bytes}, {"kept", w->blob_kept},
                                {"in_file", w->blob_in_file}, {"written", w->blob_written},
                                {"read", w->blob_read}, {"failures", w->blob_failures},
                                {"refused", w->blob_refused}));
    json_object_set_new(o, "processes",
                        NUMBERS({"resident", w->resident}, {"evicted", w->evicted},
                                {"spilled_bytes", w->spilled_bytes}, {"evictions", w->evictions},
                                {"revivals", w->revivals}, {"stays", w->stays},
                                {"failures", w->spill_failures}, {"lost", w->lost}));
    return o;
}

bool hf_json_node(struct hf_buf *ret, const struct hf_json_look *look)
{
    const struct hf_admin_node *n = look->node;
    json_t *o = begin(), *workers = json_array();
    json_object_set_new(o, "holdfast", word(n->version));
    json_object_set_new(o, "pid", json_integer(n->pid));
    json_object_set_new(o, "started_unix_ms", number(n->start_wall_ns / 1000000));
    json_object_set_new(o, "uptime_ms", number(n->uptime_ns / 1000000));
    json_object_set_new(o, "stopping", json_boolean(n->stopping));
    json_object_set_new(o, "manifest", word(n->manifest));
    json_object_set_new(o, "data", word(n->data_dir));
    json_object_set_new(o, "cpu_ms", number(n->cpu_ns / 1000000));
    json_object_set_new(o, "resident_bytes", number(n->rss_bytes));
    json_object_set_new(o, "open_files", number(n->open_files));
    for (size_t i = 0; i < look->picture->workers.len; i++)
        json_array_append_new(workers, worker_json(&look->picture->workers.ptr[i]));
    json_object_set_new(o, "workers", workers);
    return write_out(ret, o);
}

/* ---- services ---- */

static json_t *latency_json(const struct hf_histogram *h)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50_ns", .5}, {"p90_ns", .9}, {"p99_ns", .99}, {"p999_ns", .999}};
    json_t *o =
        NUMBERS({"count", hf_counter_get(&h->count)}, {"sum_ns", hf_counter_get(&h->sum_ns)});
    json_t *buckets = json_array();
    for (size_t i = 0; i < HF_ARRAY_LEN(quantiles); i++)
        json_object_set_new(o, quantiles[i].name, number(hf_histogram_quantile(h, quantiles[i].q)));
    for (unsigned i = 0; i < HF_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = hf_counter_get(&h->bucket[i]);
        if (n > 0)
            json_array_append_new(
                buckets, json_pack("[I,I]", (json_int_t)hf_histogram_bound_ns(i), (json_int_t)n));
    }
    json_object_set_new(o, "buckets", buckets); /* [times below so many ns, how many], not summed */
    return o;
}

static json_t *requests_json(const struct hf_meter_row *row)
{
    json_t *o = json_object();
    uint64_t total = 0;
    for (unsigned i = 0; i < HF_METER_CLASSES; i++)
        total += hf_counter_get(&row->status[i]);
    json_object_set_new(o, "total", number(total));
    for (unsigned i = 0; i < HF_METER_CLASSES; i++)
        json_object_set_new(o, hf_meter_class_text(i), number(hf_counter_get(&row->status[i])));
    return o;
}

static json_t *ends_json(const struct hf_shot_service *s)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < HF_SHOT_ENDS_MAX && s->ends[i].why != NULL; i++)
        json_object_set_new(o, s->ends[i].why, number(s->ends[i].n));
    return o;
}

/* Where its component came from: by the wall clock, for a deploy may be of an earlier process. */
static void add_source(json_t *o, const struct hf_shot_service *s, const struct hf_admin_node *node)
{
    uint64_t at = s->deployed_unix_ms, now = (node->start_wall_ns + node->uptime_ns) / 1000000;
    json_object_set_new(o, "source",
                        word(at != 0                  ? "deployed"
                             : node->manifest != NULL ? "manifest"
                                                      : "start"));
    json_object_set_new(o, "deployed_unix_ms", at == 0 ? json_null() : number(at));
    json_object_set_new(o, "deployed_ms_ago",
                        at == 0 ? json_null() : number(now > at ? now - at : 0));
}

static void add_service(json_t *o, const struct hf_shot_service *s,
                        const struct hf_meter_sums *sums, const struct hf_admin_node *node)
{
    static const struct hf_meter_row none;
    const struct hf_meter_row *row = hf_meter_sums_find(sums, hf_view_of(s->name));
    row = row == NULL ? &none : row;
    json_object_set_new(o, "name", word(s->name));
    json_object_set_new(o, "tenant", word(s->tenant));
    json_object_set_new(o, "component", word(s->component));
    json_object_set_new(o, "lifecycle", word(s->lifecycle));
    json_object_set_new(o, "single_use", json_boolean(s->single_use));
    json_object_set_new(o, "removed", json_boolean(s->old));
    add_source(o, s, node);
    json_object_set_new(o, "min", json_integer(s->min));
    json_object_set_new(o, "max", json_integer(s->max));
    json_object_set_new(o, "instances",
                        NUMBERS({"starting", s->starting}, {"idle", s->idle}, {"busy", s->busy},
                                {"leaving", s->leaving}, {"spare", s->spare}));
    json_object_set_new(o, "queued", json_integer(s->queued));
    json_object_set_new(o, "queue_max", json_integer(s->queue_max));
    json_object_set_new(o, "memory_bytes", number(s->memory));
    json_object_set_new(o, "requests", requests_json(row));
    json_object_set_new(o, "bytes_in", number(hf_counter_get(&row->bytes_in)));
    json_object_set_new(o, "bytes_out", number(hf_counter_get(&row->bytes_out)));
    json_object_set_new(o, "latency", latency_json(&row->latency));
    json_object_set_new(o, "starts", number(s->started));
    json_object_set_new(o, "start_failures", number(s->start_failures));
    json_object_set_new(o, "cold_starts", number(s->cold));
    json_object_set_new(o, "warm_starts", number(s->warm));
    json_object_set_new(o, "ends", ends_json(s));
    json_object_set_new(o, "failures",
                        NUMBERS({"timeout", s->timeouts}, {"dead", s->dead},
                                {"unanswered", s->unanswered}, {"refused", s->refused},
                                {"cancelled", s->cancelled}));
    json_object_set_new(o, "last_failure",
                        s->last_failure[0] == 0 ? json_null() : word(s->last_failure));
}

static enum hf_err sum_up(const struct hf_json_look *look, struct hf_meter_sums *sums)
{
    const struct hf_meter *m;
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; err == HF_OK && (m = look->ops->meter(look->ops->ctx, i)) != NULL; i++)
        err = hf_meter_sums_add(sums, m);
    return err;
}

bool hf_json_services(struct hf_buf *ret, const struct hf_json_look *look)
{
    const struct hf_picture *p = look->picture;
    struct hf_meter_sums sums = {0};
    bool ok = sum_up(look, &sums) == HF_OK;
    json_t *o = begin(), *all = json_array();
    json_object_set_new(o, "at_ns", number(look->node->now_ns));
    json_object_set_new(o, "partial", json_boolean(p->partial));
    for (size_t i = 0; i < p->services.len; i++) {
        json_t *one = json_object();
        add_service(one, &p->services.ptr[i], &sums, look->node);
        json_array_append_new(all, one);
    }
    json_object_set_new(o, "services", all);
    hf_meter_sums_done(&sums);
    return write_out(ret, o) && ok;
}

/* ---- instances ---- */

static json_t *instance_json(const struct hf_picture *p, const struct hf_shot_instance *i)
{
    json_t *o = json_object();
    json_object_set_new(o, "id", number(i->id));
    json_object_set_new(o, "service", word(p->services.ptr[i->service].name));
    if (i->name_len > 0)
        json_object_set_new(o, "process", text(hf_view(p->names.ptr + i->name_at, i->name_len)));
    json_object_set_new(o, "worker", json_integer(i->worker));
    json_object_set_new(o, "state", word(i->state));
    json_object_set_new(
        o, "age_ms",
        number(i->born_ns == 0 || i->born_ns > p->now_ns ? 0 : (p->now_ns - i->born_ns) / 1000000));
    json_object_set_new(o, "served", number(i->served));
    json_object_set_new(o, "memory_bytes", number(i->memory));
    return o;
}

static json_t *instances_of(const struct hf_picture *p, struct hf_view service)
{
    json_t *all = json_array();
    for (size_t i = 0; i < p->instances.len; i++) {
        const struct hf_shot_instance *one = &p->instances.ptr[i];
        if (service.len == 0 || hf_view_eq_text(service, p->services.ptr[one->service].name))
            json_array_append_new(all, instance_json(p, one));
    }
    return all;
}

bool hf_json_service(struct hf_buf *ret, const struct hf_json_look *look,
                     const struct hf_shot_service *s)
{
    struct hf_meter_sums sums = {0};
    bool ok = sum_up(look, &sums) == HF_OK;
    json_t *o = begin();
    json_object_set_new(o, "at_ns", number(look->node->now_ns));
    add_service(o, s, &sums, look->node);
    json_object_set_new(o, "list", instances_of(look->picture, hf_view_of(s->name)));
    hf_meter_sums_done(&sums);
    return write_out(ret, o) && ok;
}

bool hf_json_instances(struct hf_buf *ret, const struct hf_json_look *look, struct hf_view service)
{
    json_t *o = begin();
    json_object_set_new(o, "partial", json_boolean(look->picture->partial));
    json_object_set_new(o, "instances", instances_of(look->picture, service));
    return write_out(ret, o);
}

/* ---- processes ---- */

static json_t *lines_of(struct hf_view v)
{
    json_t *all = json_array();
    while (v.len > 0) {
        size_t n = hf_view_find(v, '\n');
        json_array_append_new(all, text(hf_view_take(v, n)));
        v = hf_view_skip(v, n < v.len ? n + 1 : n);
    }
    return all;
}

bool hf_json_process(struct hf_buf *ret, const struct hf_admin_process *p, struct hf_view details)
{
    json_t *o = begin();
    json_object_set_new(o, "name", word(p->name));
    json_object_set_new(o, "state", word(p->state));
    json_object_set_new(o, "worker", json_integer(p->worker));
    json_object_set_new(o, "instance", p->instance == 0 ? json_null() : number(p->instance));
    json_object_set_new(
        o, "age_ms",
        number(p->born_ns == 0 || p->born_ns > p->now_ns ? 0 : (p->now_ns - p->born_ns) / 1000000));
    json_object_set_new(o, "served", number(p->served));
    json_object_set_new(o, "memory_bytes", number(p->memory));
    json_object_set_new(o, "mailbox", number(p->mailbox));
    json_object_set_new(o, "mailbox_max", number(p->mailbox_max));
    json_object_set_new(o, "pending", number(p->pending));
    json_object_set_new(o, "tokens", number(p->tokens));
    json_object_set_new(o, "blobs", number(p->blobs));
    json_object_set_new(o, "capabilities", number(p->capabilities));
    json_object_set_new(o, "watches", number(p->watches));
    json_object_set_new(o, "timers", number(p->timers));
    json_object_set_new(o, "restarts", number(p->restarts));
    json_object_set_new(o, "last_failure",
                        p->last_failure[0] == 0 ? json_null() : word(p->last_failure));
    json_object_set_new(o, "details", lines_of(details));
    return write_out(ret, o);
}

bool hf_json_answer(struct hf_buf *ret, const struct hf_admin_post *p)
{
    json_t *o = begin();
    uint64_t declared =
        p->answer_blob == NULL ? HF_BLOB_LEN_UNKNOWN : hf_blob_declared(p->answer_blob);
    json_object_set_new(o, "answer", word(hf_answer_text(p->kind)));
    json_object_set_new(o, "body_bytes", number(p->answer.len));
    json_object_set_new(o, "metadata",
                        p->answer_metadata.len == 0 ? json_null()
                                                    : text(hf_buf_view(&p->answer_metadata)));
    json_object_set_new(o, "blob", json_boolean(p->answer_blob != NULL));
    json_object_set_new(o, "blob_bytes",
                        declared == HF_BLOB_LEN_UNKNOWN ? json_null() : number(declared));
    return write_out(ret, o);
}

/* ---- keys ---- */

static json_t *key_json(struct hf_view key)
{
    json_t *s = json_stringn(key.len == 0 ? "" : (const char *)key.ptr, key.len);
    struct hf_buf hex = {0};
    bool ok = s == NULL;
    for (size_t i = 0; i < key.len && ok; i++)
        ok = hf_buf_printf(&hex, "%02x", key.ptr[i]) == HF_OK;
    if (ok)
        s = json_pack("{s:s}", "hex", hex.len > 0 ? (const char *)hex.ptr : "");
    hf_buf_done(&hex);
    return s;
}

bool hf_json_keys(struct hf_buf *ret, struct hf_view bucket, const struct hf_view *keys, size_t n,
                  struct hf_view prefix, uint64_t cursor)
{
    char at[24];
    json_t *o = begin(), *all = json_array();
    json_object_set_new(o, "bucket", text(bucket));
    for (size_t i = 0; i < n; i++)
        if (hf_view_starts(keys[i], prefix))
            json_array_append_new(all, key_json(keys[i]));
    json_object_set_new(o, "keys", all);
    snprintf(at, sizeof at, "%" PRIu64, cursor); /* of 64 bits: as text, which JSON keeps exact */
    json_object_set_new(o, "cursor", cursor == 0 ? json_null() : json_string(at));
    return write_out(ret, o);
}

bool hf_json_buckets(struct hf_buf *ret, const struct hf_buckets *b)
{
    json_t *o = begin(), *all = json_array();
    json_object_set_new(o, "partial", json_boolean(b->partial));
    for (size_t i = 0; i < b->len; i++) {
        const struct hf_bucket *one = &b->ptr[i];
        json_t *x = json_object();
        json_object_set_new(x, "service", one->shared ? json_null() : word(one->owner));
        json_object_set_new(x, "tenant", one->shared ? word(one->owner) : json_null());
        json_object_set_new(x, "bucket", word(one->name));
        json_object_set_new(x, "keys", number(one->keys));
        json_object_set_new(x, "bytes", number(one->bytes));
        json_array_append_new(all, x);
    }
    json_object_set_new(o, "buckets", all);
    return write_out(ret, o);
}
