/* admin_ops.c - what the console asks of the node (console/ops.h).
 *
 * Changes are jobs on a thread of the door's own: they load and compile, and one waits for the other. Whoever asked may have
 * gone meanwhile; the change is done all the same, and said in the log.
 */
#include "node/admin_int.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void hf_door_task_done(struct hf_admin_task *task, uint16_t http, int code, const char *text)
{
    task->http = http;
    task->code = code;
    if (text != NULL && hf_buf_add_text(&task->text, text) != HF_OK)
        hf_buf_clear(&task->text); /* the code says enough */
    hf_wait_fire(&task->ready);
}

/* ---- the node ---- */

static uint64_t count_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;
    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n < 3 ? 0 : n - 3; /* ".", "..", and the one we look through */
}

static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*s %llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t ns_of(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

static void node_info(void *ctx, struct hf_admin_node *ret)
{
    struct hf_door *door = ctx;
    struct hf_node *node = door->node;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    uint64_t now = door->os->now_ns(door->os);
    *ret = (struct hf_admin_node){
        .version = hf_version(),
        .manifest = node->opt.manifest,
        .data_dir = node->opt.data_dir,
        .now_ns = now,
        .start_wall_ns = door->opened_wall_ns,
        .uptime_ns = now - door->opened_ns,
        .pid = (uint32_t)getpid(),
        .workers = node->n_workers,
        .cpu_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime),
        .rss_bytes = resident(),
        .open_files = count_files(),
        .stopping = atomic_load(&node->stop) != 0,
        .log_json = node->opt.log == HF_LOG_JSON,
    };
}

static const struct hf_meter *meter_of(void *ctx, uint32_t worker)
{
    struct hf_door *door = ctx;
    return worker < door->node->n_workers ? &door->node->workers[worker].meter : NULL;
}

/* ---- changes ---- */

/* At a time, waiting or under way: whoever sent one and left has its bytes here until its turn has come. */
#define DEPLOYS_MAX 4u

struct change {
    struct hf_job job;
    struct hf_door *door;
    struct hf_admin_task *task; /* NULL: nobody waits any more */
    enum hf_admin_kind kind;
    char name[HF_SHOT_NAME_MAX];
    struct hf_buf bytes;
    enum hf_status status;
    struct hf_words msg;
};

static void run_change(struct hf_job *job)
{
    struct change *c = HF_CONTAINER_OF(job, struct change, job);
    struct hf_node *node = c->door->node;
    switch (c->kind) {
    case HF_ADMIN_RELOAD: c->status = hf_node_reload(node, node->opt.manifest, &c->msg); break;
    case HF_ADMIN_DEPLOY: c->status = hf_node_deploy(node, c->name, c->bytes.ptr, c->bytes.len, &c->msg); break;
    default: c->status = hf_node_rollback(node, c->name, &c->msg); break;
    }
    hf_buf_done(&c->bytes);
}

static uint16_t http_of(enum hf_status status)
{
    switch (status) {
    case HF_STATUS_OK: return 200;
    case HF_STATUS_USAGE: return 400;
    case HF_STATUS_INVALID:
    case HF_STATUS_UNSUPPORTED:
    case HF_STATUS_FAILED: return 422; /* well sent, but not to be had like this */
    case HF_STATUS_LIMIT:
    case HF_STATUS_STOPPED: return 503;
    case HF_STATUS_TIMEOUT: return 504;
    default: return 500;
    }
}

static void change_done(struct hf_job *job)
{
    struct change *c = HF_CONTAINER_OF(job, struct change, job);
    static const char *const what[] = {[HF_ADMIN_RELOAD] = "reload", [HF_ADMIN_DEPLOY] = "deploy", [HF_ADMIN_ROLLBACK] = "rollback"};
    if (job->skipped) {
        c->status = HF_STATUS_STOPPED;
        snprintf(c->msg.text, sizeof c->msg.text, "the node has stopped");
    }
    if (!c->door->node->opt.quiet || c->status != HF_STATUS_OK)
        hf_log_say(c->door->node->log, "admin", "%s%s%s: %s%s%s", what[c->kind], c->name[0] != 0 ? " " : "", c->name,
                   c->status == HF_STATUS_OK ? "done" : "refused, nothing has changed", c->msg.text[0] != 0 ? ": " : "", c->msg.text);
    if (c->task != NULL) {
        c->task->hold = NULL;
        hf_door_task_done(c->task, http_of(c->status), (int)c->status, c->msg.text);
    }
    c->door->deploys -= c->kind == HF_ADMIN_DEPLOY;
    hf_buf_done(&c->bytes);
    free(c);
}

static void begin_change(struct hf_door *door, struct hf_admin_task *task)
{
    if (task->kind == HF_ADMIN_RELOAD && door->node->opt.manifest == NULL) {
        hf_door_task_done(task, 409, HF_STATUS_USAGE, "this node was started without a manifest: there is nothing to read again");
        return;
    }
    if (task->kind == HF_ADMIN_DEPLOY && door->deploys >= DEPLOYS_MAX) {
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "too many deploys wait already: try again when the log says that they are done");
        return;
    }
    struct change *c = calloc(1, sizeof *c);
    if (c == NULL) {
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "out of memory");
        return;
    }
    c->door = door;
    c->task = task;
    c->kind = task->kind;
    c->bytes = task->bytes;
    task->bytes = (struct hf_buf){0};
    memcpy(c->name, task->name, sizeof c->name);
    c->job.run = run_change;
    c->job.done = change_done;
    if (hf_jobs_submit(door->jobs, &c->job, door->wake) != HF_OK) {
        hf_buf_done(&c->bytes);
        free(c);
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "too many changes wait already");
        return;
    }
    door->deploys += c->kind == HF_ADMIN_DEPLOY;
    task->hold = c;
}

static void end_change(struct hf_admin_task *task)
{
    struct change *c = task->hold;
    if (c != NULL)
        c->task = NULL;
    task->hold = NULL;
}

static void begin(void *ctx, struct hf_admin_task *task)
{
    struct hf_door *door = ctx;
    switch (task->kind) {
    case HF_ADMIN_LOOK: hf_door_look_begin(door, task); break;
    case HF_ADMIN_KILL: hf_door_kill_begin(door, task); break;
    case HF_ADMIN_PROCESS:
    case HF_ADMIN_END: hf_door_process_begin(door, task); break;
    case HF_ADMIN_STOP:
        hf_log_say(door->node->log, "admin", "stop asked for");
        hf_node_stop(door->node);
        hf_door_task_done(task, 202, HF_STATUS_OK, NULL);
        break;
    default: begin_change(door, task); break;
    }
}

static void end(void *ctx, struct hf_admin_task *task)
{
    switch (task->kind) {
    case HF_ADMIN_LOOK: hf_door_look_end(ctx, task); break;
    case HF_ADMIN_KILL: hf_door_kill_end(task); break;
    case HF_ADMIN_PROCESS:
    case HF_ADMIN_END: hf_door_process_end(task); break;
    case HF_ADMIN_STOP: break;
    default: end_change(task); break;
    }
}

/* ---- buckets ---- */

/* A bucket's name without what may be done with it. */
static struct hf_view bucket_name(const char *grant)
{
    struct hf_view v = hf_view_of(grant);
    if (hf_view_ends(v, HF_VIEW(":ro")) || hf_view_ends(v, HF_VIEW(":rw")))
        v.len -= 3;
    return v;
}

static void list_services(const struct hf_app *app, struct hf_report *report)
{
    for (size_t i = 0; app != NULL && i < app->n; i++)
        hf_report_add(report, "  %s", app->entries[i].options->o.name);
}

static enum hf_err bucket_of(struct hf_door *door, const struct hf_service_options *o, struct hf_view name, struct hf_kv_bucket **ret,
                             struct hf_report *report)
{
    const char *const *grants = o->keyvalue;
    for (size_t i = 0; grants != NULL && grants[i] != NULL; i++)
        if (hf_view_eq(bucket_name(grants[i]), name)) {
            enum hf_err err = hf_kv_bucket(door->ops.kv, hf_view_of(o->name), name, ret);
            return err == HF_OK ? HF_OK : hf_report_set(report, err, "too many buckets, or no memory");
        }
    hf_report_set(report, HF_NOT_FOUND, "service \"%s\" has no bucket \"%.*s\"; it has%s", o->name, HF_FMT(hf_view_take(name, 100)),
                  grants == NULL || grants[0] == NULL ? " none" : ":");
    for (size_t i = 0; grants != NULL && grants[i] != NULL; i++)
        hf_report_add(report, "  %.*s", HF_FMT(bucket_name(grants[i])));
    return HF_NOT_FOUND;
}

static enum hf_err find_bucket(void *ctx, struct hf_view service, struct hf_view name, struct hf_kv_bucket **ret,
                               struct hf_report *report)
{
    struct hf_door *door = ctx;
    struct hf_app *app = hf_node_app(door->node);
    const struct hf_service_options *found = NULL;
    enum hf_err err;
    for (size_t i = 0; app != NULL && i < app->n; i++) {
        const struct hf_service_options *o = &app->entries[i].options->o;
        if (service.len == 0 ? app->n == 1 : hf_view_eq_text(service, o->name))
            found = o;
    }
    if (found != NULL) {
        err = bucket_of(door, found, name, ret, report);
    } else {
        err = service.len == 0 ? hf_report_set(report, HF_NOT_FOUND, "say whose bucket (--service NAME); there are:")
                               : hf_report_set(report, HF_NOT_FOUND, "there is no service \"%.*s\"; there are:",
                                               HF_FMT(hf_view_take(service, 100)));
        list_services(app, report);
    }
    hf_app_unref(app, &door->io);
    return err;
}

void hf_door_ops_init(struct hf_door *door)
{
    door->ops = (struct hf_admin_ops){
        .ctx = door,
        .node = node_info,
        .begin = begin,
        .end = end,
        .post = hf_door_post_begin,
        .post_end = hf_door_post_end,
        .meter = meter_of,
        .kv = door->io.kv != NULL ? door->io.kv : door->node->kv,
        .bucket = find_bucket,
        .logs = door->ring,
    };
}
