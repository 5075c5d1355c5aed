/* replay.c - see record.h: a guest runs again, answered from a record instead of a host.
 *
 * The record is read front to back. What the host did (starts, calls of exports) is done again by
 * hf_replay_next; what the guest does is compared with the entry at hand and answered at once, so
 * nothing waits. The first difference is kept in words and ends the guest.
 */
#include "component/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "component/canon.h"

struct hf_replay {
    struct hf_instance *inst;
    struct hf_record_reader reader;
    struct hf_report difference;
    struct hf_arena arena; /* arguments of the call in hand */
    hf_replay_watch_fn watch;
    void *watch_ctx;
};

/* ---- differences, in words ---- */

static const char *const kinds[] = {"import", "drop of", "start", "call of export", "drop of"};
static const char *const ends[] = {"", "its return", "a trap", "its cancelling"};

/* The bytes around the first that differ: enough to see, whatever the size. */
static void show_bytes(struct hf_view b, size_t from, char *out, size_t room)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = from; i < b.len && i < from + 16; i++)
        at += (size_t)snprintf(out + at, room - at, "%s%02x", i == from ? "" : " ", b.ptr[i]);
    if (from >= b.len)
        snprintf(out, room, "nothing");
    else if (b.len > from + 16)
        snprintf(out + at, room - at, " ...");
}

static size_t first_difference(struct hf_view a, struct hf_view b)
{
    size_t i = 0;
    while (i < a.len && i < b.len && a.ptr[i] == b.ptr[i])
        i++;
    return i;
}

static void show_crossing(const struct hf_crossing *x, char *out, size_t room)
{
    snprintf(out, room, "the %s %.*s#%.*s", kinds[x->kind], HF_FMT(x->iface), HF_FMT(x->func));
}

static void show_entry(const struct hf_record_entry *e, char *out, size_t room)
{
    if (e->end != HF_RECORD_NOT_END)
        snprintf(out, room, "%s%s%.*s", ends[e->end], e->end == HF_RECORD_TRAP ? ": " : "",
                 e->end == HF_RECORD_TRAP ? (int)(e->bytes.len > 200 ? 200 : e->bytes.len) : 0,
                 (const char *)e->bytes.ptr);
    else
        snprintf(out, room, "the %s %.*s#%.*s", kinds[e->kind], HF_FMT(e->iface), HF_FMT(e->func));
}

static enum hf_err differs(struct hf_replay *rp, const struct hf_record_entry *e,
                           const char *actual)
{
    char recorded[512];
    show_entry(e, recorded, sizeof recorded);
    return hf_report_set(&rp->difference, HF_INVALID,
                         "entry %llu (byte %zu of the record): recorded is %s; now it is %s",
                         (unsigned long long)e->number, e->at, recorded, actual);
}

static enum hf_err bytes_differ(struct hf_replay *rp, const struct hf_record_entry *e,
                                const char *what, struct hf_view actual)
{
    char recorded[64], now[64], name[512];
    size_t at = first_difference(e->bytes, actual);
    show_bytes(e->bytes, at, recorded, sizeof recorded);
    show_bytes(actual, at, now, sizeof now);
    show_entry(e, name, sizeof name);
    return hf_report_set(&rp->difference, HF_INVALID,
                         "entry %llu (byte %zu of the record), %s: %s differ from byte %zu of %zu: "
                         "recorded is %s; now it is %s (%zu bytes)",
                         (unsigned long long)e->number, e->at, name, what, at, e->bytes.len,
                         recorded, now, actual.len);
}

/* Nothing more is recorded. */
static enum hf_err beyond(struct hf_replay *rp, const char *actual)
{
    return hf_report_set(
        &rp->difference, HF_CLOSED,
        "entry %llu (byte %zu of the record): the record ends here; now there is %s",
        (unsigned long long)rp->reader.number, rp->reader.at, actual);
}

/* The guest dies with the difference as its reason. */
static enum hf_err stop(struct hf_replay *rp)
{
    struct hf_report *report = hf_store_report(rp->inst->store);
    hf_report_set(report, HF_TRAP, "the replay differs: %s", rp->difference.text);
    return HF_TRAP;
}

/* ---- what the guest does ---- */

static enum hf_err next_entry(struct hf_replay *rp, const char *actual, struct hf_record_entry *ret)
{
    enum hf_err err = hf_record_next(&rp->reader, ret, &rp->difference);
    return err == HF_CLOSED ? beyond(rp, actual) : err;
}

/* The end of an import: it follows at once. */
static enum hf_err give_answer(struct hf_replay *rp, struct hf_crossing *x)
{
    struct hf_record_entry e;
    char actual[512];
    show_crossing(x, actual, sizeof actual);
    enum hf_err err = hf_record_next(&rp->reader, &e, &rp->difference);
    if (err == HF_CLOSED) {
        hf_report_set(&rp->difference, HF_UNKNOWN,
                      "entry %llu (byte %zu of the record): the record was cut off in %s: whether "
                      "the host did it is not known",
                      (unsigned long long)rp->reader.number, rp->reader.at, actual);
        return stop(rp);
    }
    if (err == HF_OK && e.end == HF_RECORD_NOT_END)
        err = hf_report_set(&rp->difference, HF_CORRUPT,
                            "entry %llu (byte %zu of the record): no end of %s",
                            (unsigned long long)e.number, e.at, actual);
    if (err != HF_OK)
        return stop(rp);
    if (e.end == HF_RECORD_CANCELLED)
        return HF_CANCELLED;
    if (e.end == HF_RECORD_TRAP)
        return hf_report_set(hf_store_report(rp->inst->store), HF_TRAP, "%.*s", HF_FMT(e.bytes));
    x->result = e.bytes;
    return HF_CLOSED;
}

static enum hf_err on_before(void *ctx, struct hf_call *call, struct hf_crossing *x)
{
    struct hf_replay *rp = ctx;
    struct hf_record_entry e;
    char actual[512];
    show_crossing(x, actual, sizeof actual);
    if (rp->difference.err != HF_OK)
        return stop(rp);
    struct hf_record_reader here = rp->reader;
    enum hf_err err = next_entry(rp, actual, &e);
    if (err == HF_OK && e.end == HF_RECORD_CANCELLED) {
        rp->reader =
            here; /* it was cut off while it computed: it does not come further now either */
        return HF_CANCELLED;
    }
    if (err == HF_OK && (e.end != HF_RECORD_NOT_END || e.kind != x->kind ||
                         !hf_view_eq(e.iface, x->iface) || !hf_view_eq(e.func, x->func)))
        err = differs(rp, &e, actual);
    if (err == HF_OK && e.ci != x->ci)
        err = hf_report_set(&rp->difference, HF_INVALID,
                            "entry %llu (byte %zu of the record): recorded is a call by component "
                            "instance %u; now it is one by %u",
                            (unsigned long long)e.number, e.at, e.ci, x->ci);
    if (err == HF_OK && !hf_view_eq(e.bytes, x->args))
        err = bytes_differ(rp, &e, "arguments", x->args);
    if (err != HF_OK) {
        rp->reader = here;
        return stop(rp);
    }
    if (rp->watch != NULL)
        rp->watch(rp->watch_ctx, &e);
    return call == NULL ? HF_OK : give_answer(rp, x);
}

static enum hf_err on_after(void *ctx, struct hf_call *call, const struct hf_crossing *x)
{
    struct hf_replay *rp = ctx;
    struct hf_record_entry e;
    if (rp->difference.err != HF_OK)
        return stop(rp);
    if (call != NULL) { /* answered: all that can be wrong with it is the record */
        if (x->err == HF_OK || x->err == HF_CANCELLED)
            return HF_OK;
        hf_report_set(&rp->difference, HF_INVALID, "entry %llu (byte %zu of the record): %.*s",
                      (unsigned long long)rp->reader.number - 1, rp->reader.at, HF_FMT(x->text));
        return HF_TRAP;
    }
    enum hf_record_end end = x->err == HF_OK          ? HF_RECORD_OK
                             : x->err == HF_CANCELLED ? HF_RECORD_CANCELLED
                                                      : HF_RECORD_TRAP;
    struct hf_record_reader here = rp->reader;
    enum hf_err err = next_entry(rp, ends[end], &e);
    if (err == HF_OK && e.end == HF_RECORD_CANCELLED)
        return HF_CANCELLED; /* wherever it had come to */
    if (err == HF_OK && e.end != end)
        err = differs(rp, &e, end == HF_RECORD_TRAP ? (const char *)x->text.ptr : ends[end]);
    if (err == HF_OK && end == HF_RECORD_OK && !hf_view_eq(e.bytes, x->result))
        err = bytes_differ(rp, &e, "results", x->result);
    if (err == HF_OK)
        return HF_OK;
    rp->reader = here;
    return stop(rp);
}

static const struct hf_hook replaying = {on_before, on_after};

/* ---- what the host did ---- */

static const struct hf_export *find_export(const struct hf_replay *rp,
                                           const struct hf_record_entry *e)
{
    struct hf_view iface, name;
    const struct hf_export *x;
    for (size_t i = 0; (x = hf_component_export_at(rp->inst->component, i, &iface, &name)) != NULL;
         i++)
        if (hf_view_eq(iface, e->iface) && hf_view_eq(name, e->func))
            return x;
    return NULL;
}

static bool owns_guest(const struct hf_type *t)
{
    if (!t->has_handles || t->kind == HF_T_BORROW)
        return false;
    if (t->kind == HF_T_OWN)
        return t->resource->host == NULL;
    if (t->kind == HF_T_LIST)
        return owns_guest(t->elem);
    for (uint32_t i = 0; i < t->n; i++)
        if (t->members[i].type != NULL && owns_guest(t->members[i].type))
            return true;
    return false;
}

static enum hf_err read_args(struct hf_replay *rp, const struct hf_record_entry *e,
                             const struct hf_ftype *f, struct hf_value **ret,
                             struct hf_report *report)
{
    struct hf_u32s numbers = {0}; /* the guest's table gives them again; on_before compares */
    struct hf_reader r = hf_reader(e->bytes);
    enum hf_err err = HF_OK;
    hf_arena_reset(&rp->arena);
    struct hf_value *args = hf_arena_array(&rp->arena, f->n_params, sizeof *args);
    if (args == NULL && f->n_params != 0)
        return hf_report_set(report, HF_LIMIT, "out of memory for arguments");
    for (uint32_t i = 0; i < f->n_params && err == HF_OK; i++) {
        if (owns_guest(f->params[i].type))
            err = hf_report_set(report, HF_UNSUPPORTED,
                                "the host gave back a resource of the guest's own");
        else
            err = hf_value_read(f->params[i].type, &r, &rp->arena, hf_stand_in(), &numbers,
                                &args[i], report);
    }
    if (err == HF_OK && hf_reader_left(&r) != 0)
        err = hf_report_set(report, HF_INVALID, "%zu bytes too many", hf_reader_left(&r));
    hf_u32s_done(&numbers);
    *ret = args;
    return err;
}

static enum hf_err call_export(struct hf_replay *rp, const struct hf_record_entry *e,
                               struct hf_report *report)
{
    struct hf_value *args = NULL;
    const struct hf_export *x = find_export(rp, e);
    if (x == NULL)
        return hf_report_set(report, HF_INVALID, "the component has no export %.*s#%.*s",
                             HF_FMT(e->iface), HF_FMT(e->func));
    enum hf_err err = read_args(rp, e, hf_export_type(x), &args, report);
    if (err != HF_OK)
        return hf_report_wrap(report, err,
                              "entry %llu, arguments of %.*s#%.*s: ", (unsigned long long)e->number,
                              HF_FMT(e->iface), HF_FMT(e->func));
    return hf_instance_call(rp->inst, x, args, hf_export_type(x)->n_params);
}

static enum hf_err drop_guest(struct hf_replay *rp, const struct hf_record_entry *e,
                              struct hf_report *report)
{
    struct hf_reader r = hf_reader(e->bytes);
    uint32_t index = hf_read_u32le(&r);
    uint64_t rep = hf_read_u64le(&r);
    if (r.bad || hf_reader_left(&r) != 0 || index >= rp->inst->program->n_resources)
        return hf_report_set(report, HF_INVALID, "entry %llu: no such resource",
                             (unsigned long long)e->number);
    return hf_instance_drop_guest(rp->inst, &rp->inst->program->resources[index].type, rep);
}

enum hf_err hf_replay_next(struct hf_replay *rp, struct hf_report *report)
{
    struct hf_record_reader peek = rp->reader; /* on_before reads it again, and compares */
    struct hf_record_entry e;
    if (rp->difference.err != HF_OK)
        return hf_report_set(report, HF_INVALID, "%s", rp->difference.text);
    enum hf_err err = hf_record_next(&peek, &e, report);
    if (err != HF_OK)
        return err;
    if (e.end == HF_RECORD_NOT_END && e.kind == HF_CROSS_START)
        return hf_instance_start(rp->inst);
    if (e.end == HF_RECORD_NOT_END && e.kind == HF_CROSS_EXPORT)
        return call_export(rp, &e, report);
    if (e.end == HF_RECORD_NOT_END && e.kind == HF_CROSS_DROP_GUEST)
        return drop_guest(rp, &e, report);
    return hf_report_set(report, HF_CORRUPT,
                         "entry %llu (byte %zu of the record) is no deed of the "
                         "host's",
                         (unsigned long long)e.number, e.at);
}

enum hf_err hf_replay_new(struct hf_instance *inst, struct hf_view record, bool any_code,
                          struct hf_replay **ret, struct hf_report *report)
{
    struct hf_record_reader reader;
    const uint8_t *hash = NULL;
    enum hf_err err = hf_record_open(&reader, record, &hash, report);
    if (err != HF_OK)
        return err;
    if (!any_code && memcmp(hash, hf_component_hash(inst->component), 32) != 0)
        return hf_report_set(report, HF_INVALID, "the record is of another component");
    struct hf_replay *rp = calloc(1, sizeof *rp);
    if (rp == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory for a replay");
    rp->inst = inst;
    rp->reader = reader;
    hf_arena_init(&rp->arena, 1024, inst->arena.max);
    if (hf_instance_set_hook(inst, &replaying, rp) != HF_OK) {
        hf_replay_free(rp);
        return hf_report_set(report, HF_LIMIT, "out of memory for a replay");
    }
    *ret = rp;
    return HF_OK;
}

void hf_replay_free(struct hf_replay *rp)
{
    if (rp == NULL)
        return;
    hf_arena_done(&rp->arena);
    free(rp);
}

const struct hf_report *hf_replay_difference(const struct hf_replay *rp)
{
    return rp->difference.err == HF_OK ? NULL : &rp->difference;
}

uint64_t hf_replay_entries(const struct hf_replay *rp)
{
    return rp->reader.number;
}

void hf_replay_watch(struct hf_replay *rp, hf_replay_watch_fn fn, void *ctx)
{
    rp->watch = fn;
    rp->watch_ctx = ctx;
}
