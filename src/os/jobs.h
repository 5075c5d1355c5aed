/* jobs.h - work that blocks, on threads of its own: name look-ups, syncs, whole files.
 *
 * A job is handed in with the wake of the thread that wants it; one of a few threads runs it, and
 * the job comes home as a letter. Threads are started when there is work and live until the end.
 * Jobs start in the order they were handed in.
 */
#ifndef HF_OS_JOBS_H
#define HF_OS_JOBS_H

#include "base/list.h"
#include "os/wake.h"

struct hf_jobs;
struct hf_job { /* embed it; belongs to the jobs from submit until `done` */
    struct hf_letter letter;
    struct hf_list link;
    struct hf_wake *home;
    bool skipped;                    /* it never ran: the jobs were freed first */
    void (*run)(struct hf_job *job); /* on a thread of the jobs; touches nothing but the job */
    void (*done)(
        struct hf_job *job); /* at home (hf_wake_deliver_all); the job is its owner's again */
};

/* Starts no thread. threads_max 0 = 8, waiting_max 0 = 1024. */
enum hf_err hf_jobs_new(uint32_t threads_max, uint32_t waiting_max, struct hf_jobs **ret,
                        struct hf_report *report);
/* Waits for what runs; what waits is sent home `skipped`. After it no job runs, and every one
 * handed in lies in its home's queue: deliver them before the home is freed. NULL is fine. */
void hf_jobs_free(struct hf_jobs *jobs);
/* Any thread. `run` and `done` are set; `home` outlives the job. HF_LIMIT: too many wait, or no
 * thread could be started: then nothing is handed in. */
enum hf_err hf_jobs_submit(struct hf_jobs *jobs, struct hf_job *job, struct hf_wake *home);
/* Takes back a job that has not begun: true, and it is the caller's again, `done` is not called.
 * False: it runs or ran; it comes home as always. */
bool hf_jobs_take_back(struct hf_jobs *jobs, struct hf_job *job);

#endif
