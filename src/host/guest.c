/* guest.c - a guest as a behaviour: what the kernel calls to start, run, resume and stop one instance of a service.
 *
 * The component layer runs the guest on its fiber and comes back here when it ended, waits, or used up its slice; that is
 * all the kernel needs to know (DONE, WAIT, YIELD, FAILED). After a request a PER_REQUEST instance is put back to the
 * service's image, or retired with the reason why it could not be (design lifecycle, engine "In-place reset").
 */
#include "host/service_int.h"

#include "kernel/message.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND_TRAPS 3u

struct hf_io *hf_guest_io(const struct hf_guest *g)
{
    return g->worker->io;
}

const struct hf_net_rules *hf_guest_http_rules(const struct hf_guest *g)
{
    return g->worker->svc->http;
}

struct hf_tls_context *hf_guest_http_tls(const struct hf_guest *g)
{
    return g->worker->svc->tls;
}

struct hf_names *hf_guest_names(const struct hf_guest *g)
{
    return g->worker->names;
}

uint64_t hf_guest_realm(const struct hf_guest *g)
{
    const struct hf_service *svc = g->worker->svc;
    return svc->s.realm != 0 ? svc->s.realm : (uintptr_t)svc;
}

const struct hf_services *hf_guest_services(const struct hf_guest *g)
{
    return g->worker->svc->s.services;
}

const struct hf_service_settings *hf_guest_settings(const struct hf_guest *g)
{
    return &g->worker->svc->s;
}

static void draw_seed(struct hf_guest *g)
{
    struct hf_os *os = hf_guest_services(g)->os;
    if (os->random(os, g->seed, sizeof g->seed) != HF_OK) /* insecure by name: the address will do */
        g->seed[0] = (uint64_t)(uintptr_t)g ^ os->now_ns(os);
}

/* ---- ends ------------------------------------------------------------------------------------------------ */

/* The guest ended itself: say what, and fail the process. `limited`: there was no room for it. */
static enum hf_end failed_as(struct hf_guest *g, bool limited)
{
    struct hf_report *r = hf_instance_report(g->inst);
    bool memory = hf_instance_memory_suspect(g->inst);
    hf_counter_add(&g->worker->counters.traps, 1);
    /* Said here too, a line at a time: an answer that was given already carries no reason to the access log. */
    bool told = hf_guest_settings(g)->stdio != NULL; /* a command's caller tells how it ended */
    for (struct hf_view rest = hf_view(r->text, r->len); rest.len > 0 && !told;) {
        size_t n = hf_view_find(rest, '\n');
        hf_guest_log_event(g, hf_view_take(rest, n));
        rest = hf_view_skip(rest, n + 1);
    }
    hf_turn_fail(g->turn, memory || limited ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view(r->text, r->len));
    return HF_END_FAILED;
}

static enum hf_end failed(struct hf_guest *g)
{
    return failed_as(g, false);
}

/* "A component whose second handle fails is marked not reusable" (design lifecycle): some toolchains make components that
 * can take one request only; they return from the second without an answer. One bad request must not have that mark put on a
 * component that can do better: none is put once any instance served a second request, and traps must come three times. */
static void second_failed(struct hf_guest *g, bool trapped)
{
    struct hf_service_worker *w = g->worker;
    if (hf_turn_served(g->turn) != 2 || w->second_ok || hf_guest_settings(g)->lifecycle != HF_LIFE_REUSE)
        return;
    if (trapped && ++w->second_traps < SECOND_TRAPS)
        return;
    hf_guest_log_event(g, HF_VIEW("the second request on this instance failed: from now on each instance serves one request"));
    hf_turn_class_single_use(g->turn);
    const struct hf_service_settings *s = hf_guest_settings(g);
    if (s->single_use != NULL && !atomic_exchange(&w->svc->single_said, true))
        s->single_use(s->single_use_ctx, w->svc, w->io);
}

/* Where it cannot be had, each gets a new instance. */
static bool has_scanner(struct hf_service_worker *w)
{
    if (w->scanner == NULL && !w->no_scanner)
        w->no_scanner = hf_scanner_new(&w->scanner, NULL) != HF_OK;
    return w->scanner != NULL;
}

/* NULL: it is as the image is; or why it could not be, and it must go. */
static const char *reset(struct hf_guest *g)
{
    struct hf_service_worker *w = g->worker;
    struct hf_reset_stats stats = {0};
    const char *why = NULL;
    enum hf_err err = hf_instance_reset(g->inst, w->svc->image, w->scanner, w->svc->s.reset_pages_max, &stats, &why);
    hf_counter_add(&w->counters.pages_copied, stats.pages_copied);
    if (err == HF_OK) {
        hf_guest_net_reset(g);
        hf_counter_add(&w->counters.resets, 1);
        draw_seed(g);
        return NULL;
    }
    if (why == NULL)
        why = "scan";
    struct hf_worker_counters *c = &w->counters;
    hf_counter_add(strcmp(why, "grown") == 0     ? &c->reset_grown
                   : strcmp(why, "dirty") == 0   ? &c->reset_dirty
                   : strcmp(why, "handles") == 0 ? &c->reset_handles
                                                 : &c->reset_other,
                   1);
    if (!w->grown_said) {
        char text[128];
        int n = snprintf(text, sizeof text, "reset=%s: this service gets a new instance when that happens (said once)", why);
        hf_guest_log_event(g, hf_view(text, (size_t)n));
        w->grown_said = true;
    }
    return why;
}

static void put_back(struct hf_guest *g)
{
    struct hf_service_worker *w = g->worker;
    bool resets = atomic_load_explicit(&w->svc->resets, memory_order_acquire);
    const char *why = resets && has_scanner(w) ? reset(g) : "per-request";
    if (why != NULL)
        hf_turn_retire(g->turn, why);
}

static enum hf_end request_end(struct hf_guest *g, enum hf_err err)
{
    bool exited = g->exited;
    bool open = hf_turn_duty(g->turn) == HF_DUTY_OPEN;

    hf_http_end(g, exited ? HF_OK : err);
    hf_guest_log_flush(g);
    if (exited) {
        hf_counter_add(&g->worker->counters.exits, 1);
        hf_turn_retire(g->turn, "exit");
        return HF_END_DONE;
    }
    if (err != HF_OK) {
        second_failed(g, true);
        return failed(g);
    }
    if (open && hf_turn_duty(g->turn) == HF_DUTY_OPEN) {
        hf_counter_add(&g->worker->counters.no_answer, 1);
        hf_guest_log_event(g, HF_VIEW("handle returned without calling response-outparam.set"));
        if (hf_turn_served(g->turn) == 2) {
            second_failed(g, false);
            hf_turn_retire(g->turn, "second request unanswered");
            return HF_END_DONE;
        }
    } else if (hf_turn_served(g->turn) == 2) {
        g->worker->second_ok = true;
    }
    if (hf_guest_settings(g)->lifecycle == HF_LIFE_PER_REQUEST ||
        atomic_load_explicit(&g->worker->svc->resets, memory_order_relaxed))
        put_back(g);
    return HF_END_DONE;
}

static enum hf_end request_over(struct hf_guest *g, enum hf_err err)
{
    enum hf_end end = request_end(g, err);
    hf_http_forget(g); /* what was said about it had its id */
    hf_mail_over(g);
    return end;
}

static enum hf_end drive(struct hf_guest *g);

static enum hf_end start_failed(struct hf_guest *g, const char *what, enum hf_err err)
{
    hf_report_wrap(hf_instance_report(g->inst), HF_TRAP, "%s", what);
    return failed_as(g, err == HF_LIMIT);
}

static enum hf_end start_over(struct hf_guest *g, enum hf_err err)
{
    const struct hf_export *init = g->worker->svc->init;
    hf_guest_log_flush(g);
    if (err != HF_OK || g->exited)
        return start_failed(g, "starting an instance", err);
    if (init == NULL)
        return HF_END_DONE;
    err = hf_instance_call(g->inst, init, NULL, 0);
    if (err != HF_OK)
        return start_failed(g, "calling init", err);
    g->hook = HF_HOOK_INIT;
    return drive(g);
}

static enum hf_end init_over(struct hf_guest *g, enum hf_err err)
{
    hf_guest_log_flush(g);
    if (err != HF_OK || g->exited)
        return start_failed(g, "calling init", err);
    const struct hf_value *r = hf_instance_result(g->inst);
    if (r->tag == 0)
        return HF_END_DONE;
    struct hf_view words = hf_value_view(&r->items[0]);
    hf_report_set(hf_instance_report(g->inst), HF_TRAP, "init answered an error: %.*s", HF_FMT(words));
    return failed(g);
}

/* It ends in any case; a failure is told and counted. */
static enum hf_end shutdown_over(struct hf_guest *g, enum hf_err err)
{
    hf_guest_log_flush(g);
    if (err == HF_OK || g->exited)
        return HF_END_DONE;
    hf_report_wrap(hf_instance_report(g->inst), HF_TRAP, "calling shutdown");
    return failed(g);
}

static enum hf_end invoke_over(struct hf_guest *g, enum hf_err err)
{
    struct hf_buf nothing = {0};
    struct hf_blob *none = NULL;
    g->invoking = false;
    hf_guest_log_flush(g);
    if (g->exited) {
        hf_arena_done(&g->invoke_arena);
        hf_turn_retire(g->turn, "exit");
        if (g->exit_code != 0)
            return failed(g); /* the report says with which code */
        hf_turn_respond(g->turn, &nothing, &none);
        return HF_END_DONE;
    }
    if (err == HF_OK)
        err = hf_invoke_answer(g);
    return err == HF_OK ? HF_END_DONE : failed(g);
}

static enum hf_end command_over(struct hf_guest *g, enum hf_err err)
{
    g->command_over = true;
    g->command_end = err;
    if (hf_stdio_finish(g) == HF_AGAIN)
        return HF_END_WAIT;
    g->commanding = false;
    return hf_exec_answer(g, err) == HF_OK ? HF_END_DONE : failed(g);
}

static enum hf_end mail_over(struct hf_guest *g, enum hf_err err)
{
    g->mail.busy = false;
    hf_mail_over(g);
    hf_guest_log_flush(g);
    if (g->exited && g->exit_code == 0) {
        hf_counter_add(&g->worker->counters.exits, 1);
        hf_turn_retire(g->turn, "exit");
        return HF_END_DONE;
    }
    return err == HF_OK || g->mail.stopped ? HF_END_DONE : failed(g); /* an exit's report says with which code */
}

static enum hf_end drive(struct hf_guest *g)
{
    if (g->command_over)
        return command_over(g, g->command_end);
    enum hf_err err = hf_instance_poll(g->inst);
    if (err == HF_AGAIN)
        return hf_instance_why(g->inst) == HF_WHY_SLICE ? HF_END_YIELD : HF_END_WAIT;
    if (g->commanding)
        return command_over(g, err);
    if (g->mail.busy)
        return mail_over(g, err);
    if (g->invoking)
        return invoke_over(g, err);
    enum hf_guest_hook hook = g->hook;
    g->hook = HF_HOOK_NONE;
    if (hook != HF_HOOK_NONE)
        return hook == HF_HOOK_INIT ? init_over(g, err) : shutdown_over(g, err);
    return g->http != NULL ? request_over(g, err) : start_over(g, err);
}

/* ---- the behaviour --------------------------------------------------------------------------------------- */

static struct hf_guest *make_guest(struct hf_service_worker *w, struct hf_turn *turn)
{
    struct hf_guest *g = calloc(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->worker = w;
    g->pool = &w->pool;
    g->turn = turn;
    hf_list_init(&g->objects);
    hf_list_init(&g->lazy);
    draw_seed(g);
    return g;
}

struct hf_instance_settings hf_guest_instance_settings(struct hf_guest *g)
{
    const struct hf_service_settings *s = hf_guest_settings(g);
    return (struct hf_instance_settings){
        .ctx = g, .memory_max = s->memory_max, .handles_max = s->handles_max, .slice_ticks = s->slice_ticks};
}

static enum hf_end guest_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct hf_service_worker *w = class_ctx;
    struct hf_guest *g = make_guest(w, turn);
    struct hf_report report;

    hf_report_init(&report);
    if (g == NULL) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("out of memory for an instance"));
        return HF_END_FAILED;
    }
    *state = g;
    hf_turn_set_selective(turn, true);

    struct hf_instance_settings settings = hf_guest_instance_settings(g);
    enum hf_err err = hf_instance_new(w->svc->component, &settings, &g->inst, &report);
    if (err != HF_OK) {
        hf_report_wrap(&report, err, "making an instance");
        hf_turn_fail(turn, err == HF_LIMIT ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view(report.text, report.len));
        return HF_END_FAILED;
    }
    if (w->svc->s.on_instance != NULL)
        w->svc->s.on_instance(w->svc->s.on_instance_ctx, g->inst);
    err = hf_instance_start(g->inst);
    return err == HF_OK ? drive(g) : start_over(g, err);
}

static enum hf_end guest_turn(void *state, struct hf_turn *turn)
{
    struct hf_guest *g = state;
    struct hf_report report;
    void *request, *outparam;

    hf_report_init(&report);
    g->turn = turn;
    if (g->worker->svc->s.invoke) {
        enum hf_err bad = hf_invoke_begin(g, hf_turn_message(turn), &report);
        if (bad != HF_OK) { /* a wrong name or argument is the caller's, not the guest's, fault */
            hf_turn_refuse(turn, HF_ANSWER_NO_SUCH, hf_view(report.text, report.len));
            return HF_END_DONE;
        }
        g->invoking = true;
        return drive(g);
    }
    if (g->worker->svc->s.process != HF_PROCESS_NONE) {
        enum hf_err bad = hf_mail_begin(g, &report);
        if (bad == HF_LIMIT) {
            hf_turn_fail(turn, HF_ANSWER_LIMITED, hf_view(report.text, report.len));
            return HF_END_FAILED;
        }
        g->mail.busy = true;
        return bad == HF_OK ? drive(g) : mail_over(g, bad);
    }
    if (g->worker->svc->s.command) {
        enum hf_err bad = hf_exec_begin(g, &report);
        if (bad != HF_OK) {
            hf_turn_fail(turn, HF_ANSWER_DEAD, hf_view(report.text, report.len));
            return HF_END_FAILED;
        }
        g->commanding = true;
        return drive(g);
    }
    enum hf_err err = hf_http_begin(g, hf_turn_message(turn), &request, &outparam, &report);
    if (err == HF_INVALID || err == HF_CORRUPT) { /* whoever sent that is wrong, not the guest */
        hf_turn_refuse(turn, HF_ANSWER_DEAD, hf_view(report.text, report.len));
        return HF_END_DONE;
    }
    if (err != HF_OK) {
        hf_turn_fail(turn, err == HF_LIMIT ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view(report.text, report.len));
        return HF_END_FAILED;
    }
    struct hf_value args[2] = {hf_value_obj(request), hf_value_obj(outparam)};
    err = hf_instance_call(g->inst, g->worker->svc->handle, args, 2);
    return err == HF_OK ? drive(g) : request_over(g, err);
}

static enum hf_end guest_resume(void *state, struct hf_turn *turn)
{
    struct hf_guest *g = state;
    g->turn = turn;
    return drive(g);
}

static enum hf_end guest_leave(void *state, struct hf_turn *turn)
{
    struct hf_guest *g = state;
    const struct hf_export *shutdown = g->worker->svc->shutdown;
    g->turn = turn;
    if (shutdown == NULL || g->exited || hf_instance_dead(g->inst))
        return HF_END_DONE;
    enum hf_err err = hf_instance_call(g->inst, shutdown, NULL, 0);
    if (err != HF_OK)
        return shutdown_over(g, err);
    g->hook = HF_HOOK_SHUTDOWN;
    return drive(g);
}

static void guest_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct hf_guest *g = state;
    g->turn = turn;
    if (g->hook == HF_HOOK_SHUTDOWN && why == HF_TIMEOUT)
        hf_guest_log_event(g, HF_VIEW("shutdown took too long and was cut short"));
    hf_instance_cancel(g->inst);
    if (g->http != NULL)
        hf_http_end(g, why);
    hf_guest_log_flush(g);
    hf_http_forget(g);
}

static void guest_stop(void *state)
{
    struct hf_guest *g = state;
    if (g == NULL)
        return;
    if (g->http != NULL) /* stopped in the middle, without cancel */
        hf_http_end(g, HF_CANCELLED);
    hf_instance_free(g->inst); /* drops every object that a handle owns */
    hf_guest_set_stream_error(g, NULL);
    while (!hf_list_empty(&g->objects)) { /* objects no handle owned: taken by a call that never finished */
        struct hf_obj *obj = HF_LIST_ENTRY(g->objects.prev, struct hf_obj, in_guest);
        hf_obj_cut_children(obj);
        hf_obj_release(obj);
    }
    hf_pool_settle(g->pool);
    hf_fs_guest_done(g);
    hf_guest_net_free(g);
    hf_stdio_free(g->stdio);
    hf_mail_free(g);
    hf_arena_done(&g->invoke_arena);
    hf_http_forget(g);
    hf_guest_log_free(g);
    free(g);
}

uint64_t hf_service_state_memory(const void *state)
{
    const struct hf_guest *g = state;
    return g == NULL || g->inst == NULL ? 0 : hf_instance_memory_bytes(g->inst);
}

static void guest_inspect(const void *state, struct hf_buf *ret)
{
    const struct hf_guest *g = state;
    /* Text for people: an allocation that fails leaves it shorter. */
    (void)!hf_buf_printf(ret, "handles=%u memory=%llu%s", hf_instance_handles(g->inst),
                         (unsigned long long)hf_instance_memory_bytes(g->inst), hf_instance_busy(g->inst) ? " busy" : "");
}

static enum hf_err guest_save(void *state, struct hf_buf *ret)
{
    struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = hf_guest_save(state, ret, &report);
    if (err != HF_OK)
        hf_guest_log_event(state, hf_view(report.text, report.len));
    return err;
}

/* Made without a turn: it gets one with its first message. */
static enum hf_err guest_load(void *class_ctx, struct hf_view bytes, void **state)
{
    struct hf_guest *g = make_guest(class_ctx, NULL);
    struct hf_report report;
    hf_report_init(&report);
    if (g == NULL)
        return HF_LIMIT;
    enum hf_err err = hf_guest_load(g, bytes, &report);
    if (err != HF_OK) {
        hf_guest_log_event(g, hf_view(report.text, report.len));
        guest_stop(g);
        return err;
    }
    *state = g;
    return HF_OK;
}

static enum hf_err guest_evict(void *state, struct hf_buf *ret, struct hf_report *why)
{
    struct hf_guest *g = state;
    enum hf_err err = hf_guest_evict(g, ret, why);
    if (err == HF_UNSUPPORTED && !g->worker->stays_said) {
        struct hf_view name = hf_turn_name(g->turn);
        char text[320];
        int n = snprintf(text, sizeof text, "process %.*s cannot be evicted and stays in memory: %.*s (said once)", HF_FMT(name),
                         HF_FMT(hf_view_take(hf_view_of(why->text), 160)));
        hf_guest_log_event(g, hf_view(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1));
        g->worker->stays_said = true;
    }
    return err;
}

static enum hf_err guest_revive(void *class_ctx, struct hf_turn *turn, struct hf_view bytes, void **state, struct hf_report *why)
{
    struct hf_service_worker *w = class_ctx;
    struct hf_guest *g = make_guest(w, turn);
    if (g == NULL)
        return hf_report_set(why, HF_LIMIT, "out of memory for an instance");
    *state = g;
    hf_turn_set_selective(turn, true);
    enum hf_err err = hf_guest_revive(g, bytes, why);
    if (err == HF_OK && w->svc->s.on_instance != NULL)
        w->svc->s.on_instance(w->svc->s.on_instance_ctx, g->inst);
    return err;
}

/* What the next message would find warm, and 5000 that wait for one cannot all keep. */
static void guest_rest(void *state)
{
    struct hf_guest *g = state;
    hf_guest_log_flush(g);
    hf_guest_log_free(g);
    free(g->mail.values);
    g->mail.values = NULL;
    g->mail.cap = 0;
    hf_instance_rest(g->inst);
}

/* The mechanism of per-request, and what it cannot do is refused here, too. Last words are said once in the life of what was
 * started, so whoever has some is not renewed. */
static enum hf_err guest_renew(void *state)
{
    struct hf_guest *g = state;
    struct hf_service_worker *w = g->worker;
    if (w->svc->image == NULL || w->svc->shutdown != NULL || g->exited || g->mail.busy || g->http != NULL || !has_scanner(w))
        return HF_UNSUPPORTED;
    hf_guest_log_flush(g);
    hf_mail_free(g);
    g->mail.values = NULL;
    g->mail.cap = 0;
    g->mail.stopped = false;
    return reset(g) == NULL ? HF_OK : HF_UNSUPPORTED;
}

const struct hf_behaviour hf_service_behaviour = {
    .name = "wasi:http service",
    .start = guest_start,
    .turn = guest_turn,
    .resume = guest_resume,
    .cancel = guest_cancel,
    .leave = guest_leave,
    .stop = guest_stop,
    .inspect = guest_inspect,
    .save = guest_save,
    .load = guest_load,
    .evict = guest_evict,
    .revive = guest_revive,
    .renew = guest_renew,
    .rest = guest_rest,
};
