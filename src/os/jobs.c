/* jobs.c - a queue under a lock and a few threads that empty it. Jobs are rare (a look-up, a sync),
 * so the lock is no one's bottleneck.
 */
#include "os/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS_MAX 8u
#define WAITING_MAX 1024u

struct hf_jobs {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct hf_list waiting; /* of hf_job.link */
    uint32_t n_waiting, waiting_max;
    uint32_t n_threads, threads_max, n_idle;
    bool ending;
    pthread_t threads[];
};

enum hf_err hf_jobs_new(uint32_t threads_max, uint32_t waiting_max, struct hf_jobs **ret,
                        struct hf_report *report)
{
    if (threads_max == 0)
        threads_max = THREADS_MAX;
    struct hf_jobs *jobs = calloc(1, sizeof *jobs + threads_max * sizeof *jobs->threads);
    if (jobs == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->more, NULL);
    hf_list_init(&jobs->waiting);
    jobs->threads_max = threads_max;
    jobs->waiting_max = waiting_max == 0 ? WAITING_MAX : waiting_max;
    *ret = jobs;
    return HF_OK;
}

static void come_home(struct hf_letter *letter)
{
    struct hf_job *job = HF_CONTAINER_OF(letter, struct hf_job, letter);
    job->done(job);
}

/* The job may be gone when this returns. */
static void send_home(struct hf_job *job)
{
    job->letter.deliver = come_home;
    hf_wake_post(job->home, &job->letter);
}

static void *work(void *arg)
{
    struct hf_jobs *jobs = arg;
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        struct hf_list *next = hf_list_pop_front(&jobs->waiting);
        if (next != NULL) {
            struct hf_job *job = HF_LIST_ENTRY(next, struct hf_job, link);
            jobs->n_waiting--;
            pthread_mutex_unlock(&jobs->lock);
            job->run(job);
            send_home(job);
            pthread_mutex_lock(&jobs->lock);
        } else if (jobs->ending) {
            break;
        } else {
            jobs->n_idle++;
            pthread_cond_wait(&jobs->more, &jobs->lock);
            jobs->n_idle--;
        }
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

/* Signals are for the threads that had them before: a job must not be interrupted by somebody's
 * ctrl-c. Those that a thread causes itself stay open: a job may run a guest, whose traps the engine
 * takes from them. */
static bool start_thread(struct hf_jobs *jobs)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < HF_ARRAY_LEN(own); i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&jobs->threads[jobs->n_threads], NULL, work, jobs) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    jobs->n_threads += ok;
    return ok;
}

enum hf_err hf_jobs_submit(struct hf_jobs *jobs, struct hf_job *job, struct hf_wake *home)
{
    HF_ASSERT(job->run != NULL && job->done != NULL && home != NULL);
    pthread_mutex_lock(&jobs->lock);
    HF_ASSERT(!jobs->ending);
    /* Idle ones may have been rung for and not run yet: enough of them for all that wait. */
    bool enough = jobs->n_idle > jobs->n_waiting;
    bool room = jobs->n_waiting < jobs->waiting_max;
    if (room && !enough && jobs->n_threads < jobs->threads_max && !start_thread(jobs))
        room = jobs->n_threads > 0;
    if (room) {
        job->home = home;
        job->skipped = false;
        hf_list_init(&job->link);
        hf_list_push_back(&jobs->waiting, &job->link);
        jobs->n_waiting++;
        pthread_cond_signal(&jobs->more);
    }
    pthread_mutex_unlock(&jobs->lock);
    return room ? HF_OK : HF_LIMIT;
}

bool hf_jobs_take_back(struct hf_jobs *jobs, struct hf_job *job)
{
    pthread_mutex_lock(&jobs->lock);
    bool waits = hf_list_linked(&job->link);
    if (waits) {
        hf_list_remove(&job->link);
        jobs->n_waiting--;
    }
    pthread_mutex_unlock(&jobs->lock);
    return waits;
}

void hf_jobs_free(struct hf_jobs *jobs)
{
    if (jobs == NULL)
        return;
    pthread_mutex_lock(&jobs->lock);
    jobs->ending = true;
    struct hf_list *next;
    while ((next = hf_list_pop_front(&jobs->waiting)) != NULL) {
        struct hf_job *job = HF_LIST_ENTRY(next, struct hf_job, link);
        job->skipped = true;
        send_home(job);
    }
    jobs->n_waiting = 0;
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    for (uint32_t i = 0; i < jobs->n_threads; i++)
        pthread_join(jobs->threads[i], NULL);
    pthread_cond_destroy(&jobs->more);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
