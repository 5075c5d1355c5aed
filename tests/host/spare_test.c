/* spare_test.c - a real guest that ended in order, and is renewed for another name: nothing of what
 * it did is left in it, and what cannot be put back is not.
 */
#include "support_guests.h"

#include "host/service_int.h"
#include "kernel/named.h"

struct hall {
    struct shared shared;
    struct hf_service *svc;
    struct hf_service_worker *worker;
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_jobs *jobs;
    struct hf_io io;
    struct hf_services services;
    struct hf_kernel *k;
    struct hf_class *class;
    struct hf_port port;
    uint64_t now;
    size_t told;
    char answer[200];
};

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct hall *h = HF_CONTAINER_OF(port, struct hall, port);
    (void)tag;
    h->told++;
    snprintf(h->answer, sizeof h->answer, "%s: %.*s", hf_answer_text(a->kind),
             HF_FMT(hf_buf_view(&a->body)));
}

static void run(struct hall *h)
{
    while (hf_kernel_step(h->k, ++h->now) == HF_OK)
        hf_kernel_flush(h->k);
    hf_kernel_flush(h->k);
}

/* Until it is answered, and no step more. */
static const char *ask(struct hall *h, const char *name, const char *metadata)
{
    struct hf_post p = {
        .target = hf_view_of(name), .port = &h->port, .metadata = hf_view_of(metadata)};
    uint64_t id;
    size_t before = h->told;
    assert_int_equal(hf_port_post(h->k, &p, &id), HF_OK);
    while (h->told == before) {
        assert_int_equal(hf_kernel_step(h->k, ++h->now), HF_OK);
        hf_kernel_flush(h->k);
    }
    return h->answer;
}

static struct hf_service *looked_at;

static enum hf_end look_turn(void *state, struct hf_turn *turn)
{
    (void)turn;
    struct hf_report report = {0};
    assert_int_equal(hf_service_take_image(looked_at, state, &report), HF_OK);
    return HF_END_DONE;
}

/* The image of its start, as the node takes it. */
static void take_template(struct hall *h)
{
    struct hf_behaviour once = hf_service_behaviour;
    struct hf_named_settings ns = {.behaviour = &once, .ctx = h->worker};
    once.turn = look_turn;
    looked_at = h->svc;
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &h->k), HF_OK);
    assert_int_equal(hf_named_class_add(h->k, "once", &ns, &h->class, NULL), HF_OK);
    ask(h, "once", "");
    hf_kernel_free(h->k);
    assert_true(hf_service_has_image(h->svc));
}

static bool open(struct hall *h, const char *guest, uint32_t warm, uint64_t pages_max)
{
    struct hf_report report = {0};
    *h = (struct hall){.port = {on_answer}};
    if (!guests_load(guest, &h->shared))
        return false;
    h->services.os = hf_os_linux();
    struct hf_service_settings ss = {.name = "a",
                                     .component = h->shared.component,
                                     .services = &h->services,
                                     .reset_pages_max = pages_max,
                                     .slice_ticks = 1000000, /* a busy machine makes none yield */
                                     .process = HF_PROCESS_HANDLE};
    assert_int_equal(hf_service_new(&ss, &h->svc, &report), HF_OK);
    assert_int_equal(h->services.os->poller_new(h->services.os, &h->poller), HF_OK);
    assert_int_equal(hf_wake_new(&h->wake, &report), HF_OK);
    assert_int_equal(hf_jobs_new(1, 0, &h->jobs, &report), HF_OK);
    hf_io_init(&h->io, h->services.os, h->poller, h->wake, h->jobs);
    assert_int_equal(hf_service_worker_new(h->svc, &h->io, &h->worker, &report), HF_OK);
    take_template(h);
    struct hf_named_settings ns = {
        .behaviour = &hf_service_behaviour, .ctx = h->worker, .warm = warm};
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &h->k), HF_OK);
    assert_int_equal(hf_named_class_add(h->k, "tally", &ns, &h->class, &report), HF_OK);
    run(h);
    return true;
}

static void close(struct hall *h)
{
    hf_kernel_free(h->k);
    hf_service_worker_free(h->worker);
    hf_jobs_free(h->jobs);
    hf_wake_deliver_all(h->wake);
    hf_io_collect(&h->io);
    h->services.os->poller_free(h->poller);
    hf_wake_free(h->wake);
    hf_service_free(h->svc);
    hf_component_unref(h->shared.component);
}

/* In order, before a spare is made. */
static void stop(struct hall *h, const char *name)
{
    assert_int_equal(hf_named_stop(h->k, hf_view_of(name)), HF_OK);
    run(h);
}

static void take_spare(void *ctx, const struct hf_instance_view *i)
{
    struct hf_report why = {0};
    if (strcmp(i->phase, "spare") == 0 &&
        hf_service_behaviour.evict((void *)(uintptr_t)i->state, ctx, &why) != HF_OK)
        fail_msg("%s", why.text);
}

/* The image of the class's only spare. */
static struct hf_buf spare_image(struct hall *h)
{
    struct hf_buf ret = {0};
    hf_class_visit(h->class, take_spare, &ret);
    assert_true(ret.len > 28);
    return ret;
}

static void one_that_was_renewed_is_as_one_that_started(void **state)
{
    struct hall h;
    (void)state;
    if (!open(&h, "c-tally", 1, 0))
        return;
    struct hf_buf fresh = spare_image(&h);
    for (unsigned i = 0; i < 20; i++) {
        assert_string_equal(ask(&h, "tally/1", ""), "ok: tally/1 1");
        assert_string_equal(ask(&h, "tally/1", ""), "ok: tally/1 2");
        stop(&h, "tally/1");
        struct hf_buf again = spare_image(&h);
        /* Behind the head, which has the seed. */
        assert_true(hf_view_eq(hf_view_skip(hf_buf_view(&fresh), 28),
                               hf_view_skip(hf_buf_view(&again), 28)));
        assert_true(memcmp(fresh.ptr + 8, again.ptr + 8, 16) != 0); /* its own */
        hf_buf_done(&again);
    }
    struct hf_class_stats st;
    hf_class_get_stats(h.class, &st);
    assert_int_equal(st.warm, 20);
    assert_int_equal(st.retired, 20);
    assert_int_equal(st.started, 1); /* those that were not begun made way */
    hf_buf_done(&fresh);
    close(&h);
}

static void what_it_keeps_is_dropped(void **state)
{
    struct hall h;
    (void)state;
    if (!open(&h, "c-tally", 1, 0))
        return;
    ask(&h, "tally/1", "keep"); /* a pollable */
    stop(&h, "tally/1");
    struct hf_buf image = spare_image(&h); /* else it could not be imaged */
    hf_buf_done(&image);
    close(&h);
}

static void one_that_was_written_too_much_is_made_anew(void **state)
{
    struct hall h;
    struct hf_service_counts counts;
    (void)state;
    if (!open(&h, "c-tally", 1, 1))
        return;
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(ask(&h, "tally/1", ""), "ok: tally/1 1");
        stop(&h, "tally/1");
    }
    hf_service_worker_counts(h.worker, &counts);
    assert_int_equal(counts.resets, 0);
    assert_int_equal(counts.reset_dirty, 3);
    assert_string_equal(ask(&h, "tally/1", ""), "ok: tally/1 1");
    close(&h);
}

/* What a call needs is given back while nobody wants it, and is there again for the next. */
static void one_that_rested_goes_on(void **state)
{
    struct hall h;
    (void)state;
    if (!open(&h, "c-tally", 0, 0))
        return;
    for (unsigned i = 1; i < 6; i++) {
        char want[40];
        snprintf(want, sizeof want, "ok: tally/1 %u", i);
        assert_string_equal(ask(&h, "tally/1", ""), want);
        h.now += 2000000000u;
        run(&h);
    }
    close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_renewed_is_as_one_that_started),
        cmocka_unit_test(what_it_keeps_is_dropped),
        cmocka_unit_test(one_that_was_written_too_much_is_made_anew),
        cmocka_unit_test(one_that_rested_goes_on),
    };
    return cmocka_run_group_tests(tests, guests_open, guests_close);
}
