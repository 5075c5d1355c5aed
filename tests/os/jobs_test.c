/* jobs_test.c - work on threads of its own: order, homecoming, limits, the end. Runs under TSan. */
#include "support.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "os/jobs.h"

struct task {
    struct hf_job job;
    sem_t *begun, *go; /* may be NULL */
    pthread_t ran_on, done_on;
    int order;
    bool ran, done;
};

static _Atomic int order;

static void task_run(struct hf_job *job)
{
    struct task *t = HF_CONTAINER_OF(job, struct task, job);
    t->order = atomic_fetch_add(&order, 1);
    t->ran_on = pthread_self();
    t->ran = true;
    if (t->begun != NULL)
        sem_post(t->begun);
    if (t->go != NULL)
        sem_wait(t->go);
}

static void task_done(struct hf_job *job)
{
    struct task *t = HF_CONTAINER_OF(job, struct task, job);
    assert_false(t->done);
    t->done = true;
    t->done_on = pthread_self();
}

static struct task task(sem_t *begun, sem_t *go)
{
    return (struct task){.job = {.run = task_run, .done = task_done}, .begun = begun, .go = go};
}

static void until_home(struct hf_wake *wake, size_t n)
{
    for (size_t got = 0; got < n;) {
        if (hf_wake_sleep(wake)) {
            struct pollfd fd = {.fd = hf_wake_fd(wake), .events = POLLIN};
            assert_int_not_equal(poll(&fd, 1, 20000), 0);
            hf_wake_awake(wake);
        }
        got += hf_wake_deliver_all(wake);
    }
}

static void jobs_run_elsewhere_and_come_home(void **state)
{
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    struct task t[20];
    (void)state;
    assert_int_equal(hf_jobs_new(3, 0, &jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++) {
        t[i] = task(NULL, NULL);
        assert_int_equal(hf_jobs_submit(jobs, &t[i].job, wake), HF_OK);
    }
    until_home(wake, HF_ARRAY_LEN(t));
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++) {
        assert_true(t[i].ran && t[i].done && !t[i].job.skipped);
        assert_false(pthread_equal(t[i].ran_on, pthread_self()));
        assert_true(pthread_equal(t[i].done_on, pthread_self()));
    }
    hf_jobs_free(jobs);
    hf_wake_free(wake);
}

static void jobs_of_one_thread_run_in_order(void **state)
{
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    struct task t[50];
    (void)state;
    atomic_store(&order, 0);
    assert_int_equal(hf_jobs_new(1, 0, &jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++) {
        t[i] = task(NULL, NULL);
        assert_int_equal(hf_jobs_submit(jobs, &t[i].job, wake), HF_OK);
    }
    until_home(wake, HF_ARRAY_LEN(t));
    for (size_t i = 0; i < HF_ARRAY_LEN(t); i++)
        assert_int_equal(t[i].order, (int)i);
    hf_jobs_free(jobs);
    hf_wake_free(wake);
}

/* One blocked job keeps no other from running while there are threads. */
static void jobs_do_not_wait_for_a_blocked_one(void **state)
{
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    sem_t begun, go;
    (void)state;
    assert_int_equal(hf_jobs_new(2, 0, &jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    assert_int_equal(sem_init(&begun, 0, 0) | sem_init(&go, 0, 0), 0);
    struct task slow = task(&begun, &go), fast = task(NULL, NULL);
    assert_int_equal(hf_jobs_submit(jobs, &slow.job, wake), HF_OK);
    assert_int_equal(hf_jobs_submit(jobs, &fast.job, wake), HF_OK);
    until_home(wake, 1);
    assert_true(fast.done);
    assert_false(slow.done);
    sem_post(&go);
    until_home(wake, 1);
    assert_true(slow.done);
    hf_jobs_free(jobs);
    hf_wake_free(wake);
    sem_destroy(&begun);
    sem_destroy(&go);
}

static void jobs_that_wait_are_limited_and_can_be_taken_back(void **state)
{
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    sem_t begun, go;
    (void)state;
    assert_int_equal(hf_jobs_new(1, 2, &jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    assert_int_equal(sem_init(&begun, 0, 0) | sem_init(&go, 0, 0), 0);
    struct task slow = task(&begun, &go), a = task(NULL, NULL), b = task(NULL, NULL),
                c = task(NULL, NULL);
    assert_int_equal(hf_jobs_submit(jobs, &slow.job, wake), HF_OK);
    sem_wait(&begun);
    assert_int_equal(hf_jobs_submit(jobs, &a.job, wake), HF_OK);
    assert_int_equal(hf_jobs_submit(jobs, &b.job, wake), HF_OK);
    assert_int_equal(hf_jobs_submit(jobs, &c.job, wake), HF_LIMIT);
    assert_true(hf_jobs_take_back(jobs, &a.job));
    assert_false(hf_jobs_take_back(jobs, &a.job)); /* not there any more */
    assert_false(hf_jobs_take_back(jobs, &slow.job));
    assert_int_equal(hf_jobs_submit(jobs, &c.job, wake), HF_OK);
    sem_post(&go);
    until_home(wake, 3);
    assert_true(slow.done && b.done && c.done && !a.ran && !a.done);
    hf_jobs_free(jobs);
    hf_wake_free(wake);
    sem_destroy(&begun);
    sem_destroy(&go);
}

static void jobs_that_never_ran_come_home_skipped(void **state)
{
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    sem_t begun, go;
    (void)state;
    assert_int_equal(hf_jobs_new(1, 0, &jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&wake, NULL), HF_OK);
    assert_int_equal(sem_init(&begun, 0, 0) | sem_init(&go, 0, 0), 0);
    struct task slow = task(&begun, &go), a = task(NULL, NULL);
    assert_int_equal(hf_jobs_submit(jobs, &slow.job, wake), HF_OK);
    sem_wait(&begun);
    assert_int_equal(hf_jobs_submit(jobs, &a.job, wake), HF_OK);
    sem_post(&go); /* it may take `a` before the end does: either is fine, lost is not */
    hf_jobs_free(jobs);
    hf_wake_deliver_all(wake);
    assert_true(slow.done && a.done);
    assert_true(slow.ran && a.ran != a.job.skipped);
    hf_wake_free(wake);
    sem_destroy(&begun);
    sem_destroy(&go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_elsewhere_and_come_home),
        cmocka_unit_test(jobs_of_one_thread_run_in_order),
        cmocka_unit_test(jobs_do_not_wait_for_a_blocked_one),
        cmocka_unit_test(jobs_that_wait_are_limited_and_can_be_taken_back),
        cmocka_unit_test(jobs_that_never_ran_come_home_skipped),
    };
    return cmocka_run_group_tests_name("os/jobs", tests, NULL, NULL);
}
