/* guest.c - a guest as a behaviour: what the kernel calls to start, run, resume and stop one instance of a service.
 *
 * The component layer runs the guest on its fiber and comes back here when it ended, waits, or used up its slice; that is
 * all the kernel needs to know (DONE, WAIT, YIELD, FAILED). After a request a PER_REQUEST instance is put back to the
 * service's image, or retired with the reason why it could not be (design lifecycle, engine "In-place reset").
 */
#include "host/service_int.h"

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
    return (uintptr_t)g->worker->svc;
}

const struct hf_services *hf_guest_services(const struct hf_guest *g)
{
    return g->worker->svc->s.services;
}

const struct hf_service_settings *hf_guest_settings(const struct hf_guest *g)
{
    return &g->worker->svc->s;
}

static void say(struct hf_guest *g, struct hf_view text)
{
    const struct hf_services *sv = hf_guest_services(g);
    struct hf_log_line line = {
        .stream = HF_LOG_EVENT,
        .service = hf_view_of(g->worker->svc->name),
        .instance = hf_turn_process(g->turn),
        .text = text,
    };
    if (sv->log != NULL)
        sv->log(sv->ctx, &line);
}

static void draw_seed(struct hf_guest *g)
{
    struct hf_os *os = hf_guest_services(g)->os;
    if (os->random(os, g->seed, sizeof g->seed) != HF_OK) /* insecure by name: the address will do */
        g->seed[0] = (uint64_t)(uintptr_t)g ^ os->now_ns(os);
}

/* ---- ends ------------------------------------------------------------------------------------------------ */

/* The guest ended itself: say what, and fail the process. */
static enum hf_end failed(struct hf_guest *g)
{
    struct hf_report *r = hf_instance_report(g->inst);
    bool memory = hf_instance_memory_suspect(g->inst);
    hf_counter_add(&g->worker->counters.traps, 1);
    /* Said here too, a line at a time: an answer that was given already carries no reason to the access log. */
    for (struct hf_view rest = hf_view(r->text, r->len); rest.len > 0;) {
        size_t n = hf_view_find(rest, '\n');
        say(g, hf_view_take(rest, n));
        rest = hf_view_skip(rest, n + 1);
    }
    hf_turn_fail(g->turn, memory ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view(r->text, r->len));
    return HF_END_FAILED;
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
    say(g, HF_VIEW("the second request on this instance failed: from now on each instance serves one request"));
    hf_turn_class_single_use(g->turn);
}

static void put_back(struct hf_guest *g)
{
    struct hf_service_worker *w = g->worker;
    struct hf_reset_stats stats = {0};
    const char *why = NULL;

    if (w->svc->image == NULL || w->scanner == NULL) {
        hf_turn_retire(g->turn, "per-request");
        return;
    }
    enum hf_err err = hf_instance_reset(g->inst, w->svc->image, w->scanner, w->svc->s.reset_pages_max, &stats, &why);
    hf_counter_add(&w->counters.pages_copied, stats.pages_copied);
    if (err == HF_OK) {
        hf_guest_net_reset(g);
        hf_counter_add(&w->counters.resets, 1);
        draw_seed(g);
        return;
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
        say(g, hf_view(text, (size_t)n));
        w->grown_said = true;
    }
    hf_turn_retire(g->turn, why);
}

static enum hf_end request_over(struct hf_guest *g, enum hf_err err)
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
        say(g, HF_VIEW("handle returned without calling response-outparam.set"));
        if (hf_turn_served(g->turn) == 2) {
            second_failed(g, false);
            hf_turn_retire(g->turn, "second request unanswered");
            return HF_END_DONE;
        }
    } else if (hf_turn_served(g->turn) == 2) {
        g->worker->second_ok = true;
    }
    if (hf_guest_settings(g)->lifecycle == HF_LIFE_PER_REQUEST)
        put_back(g);
    return HF_END_DONE;
}

static enum hf_end start_over(struct hf_guest *g, enum hf_err err)
{
    hf_guest_log_flush(g);
    if (err == HF_OK && !g->exited)
        return HF_END_DONE;
    hf_report_wrap(hf_instance_report(g->inst), HF_TRAP, "starting an instance: ");
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

static enum hf_end drive(struct hf_guest *g)
{
    enum hf_err err = hf_instance_poll(g->inst);
    if (err == HF_AGAIN)
        return hf_instance_why(g->inst) == HF_WHY_SLICE ? HF_END_YIELD : HF_END_WAIT;
    if (g->invoking)
        return invoke_over(g, err);
    return g->http != NULL ? request_over(g, err) : start_over(g, err);
}

/* ---- the behaviour --------------------------------------------------------------------------------------- */

static enum hf_end guest_start(void *class_ctx, struct hf_turn *turn, void **state)
{
    struct hf_service_worker *w = class_ctx;
    struct hf_guest *g = calloc(1, sizeof *g);
    struct hf_report report;

    hf_report_init(&report);
    if (g == NULL) {
        hf_turn_fail(turn, HF_ANSWER_LIMITED, HF_VIEW("out of memory for an instance"));
        return HF_END_FAILED;
    }
    *state = g;
    g->worker = w;
    g->pool = &w->pool;
    g->turn = turn;
    hf_list_init(&g->objects);
    hf_list_init(&g->lazy);
    draw_seed(g);
    hf_turn_set_selective(turn, true);

    struct hf_instance_settings settings = {
        .ctx = g,
        .memory_max = w->svc->s.memory_max,
        .handles_max = w->svc->s.handles_max,
    };
    enum hf_err err = hf_instance_new(w->svc->component, &settings, &g->inst, &report);
    if (err != HF_OK) {
        hf_report_wrap(&report, err, "making an instance: ");
        hf_turn_fail(turn, err == HF_LIMIT ? HF_ANSWER_LIMITED : HF_ANSWER_DEAD, hf_view(report.text, report.len));
        return HF_END_FAILED;
    }
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

static void guest_cancel(void *state, struct hf_turn *turn, enum hf_err why)
{
    struct hf_guest *g = state;
    g->turn = turn;
    hf_instance_cancel(g->inst);
    if (g->http != NULL)
        hf_http_end(g, why);
    hf_guest_log_flush(g);
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
    hf_guest_net_free(g);
    hf_arena_done(&g->invoke_arena);
    free(g);
}

static void guest_inspect(const void *state, struct hf_buf *ret)
{
    const struct hf_guest *g = state;
    /* Text for people: an allocation that fails leaves it shorter. */
    (void)!hf_buf_printf(ret, "handles=%u memory=%llu%s", hf_instance_handles(g->inst),
                         (unsigned long long)hf_instance_memory_bytes(g->inst), hf_instance_busy(g->inst) ? " busy" : "");
}

const struct hf_behaviour hf_service_behaviour = {
    .name = "wasi:http service",
    .start = guest_start,
    .turn = guest_turn,
    .resume = guest_resume,
    .cancel = guest_cancel,
    .stop = guest_stop,
    .inspect = guest_inspect,
};
