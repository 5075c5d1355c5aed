/* host_fs_sync.c - wasi:filesystem: sync and sync-data, which wait for a disk: off the thread, the
 * guest suspended.
 *
 * The job has a handle of its own. A guest that is ended meanwhile leaves it behind; it then comes
 * home to nobody, and puts itself away.
 */
#include "host/fs_int.h"
#include "host/io.h"

#include <stdlib.h>

struct sync_job {
    struct hf_job job;
    struct hf_wait wait;
    const struct hf_fs *fs;
    int fd, number;
    bool data_only, left;
};

static void job_free(struct sync_job *s)
{
    s->fs->close(s->fs, s->fd);
    hf_wait_done(&s->wait);
    free(s);
}

static void job_run(struct hf_job *job)
{
    struct sync_job *s = HF_CONTAINER_OF(job, struct sync_job, job);
    s->number = s->fs->sync(s->fs, s->fd, s->data_only);
}

static void job_done(struct hf_job *job)
{
    struct sync_job *s = HF_CONTAINER_OF(job, struct sync_job, job);
    if (s->left) {
        job_free(s);
        return;
    }
    if (job->skipped)
        s->number = EIO; /* it did not happen, and must not look as if */
    hf_wait_fire(&s->wait);
}

static struct sync_job *job_new(const struct hf_fs *fs, int fd, bool data_only, int *number)
{
    struct sync_job *s = calloc(1, sizeof *s);
    *number = s == NULL ? ENOMEM : fs->dup(fs, fd, &s->fd);
    if (*number != 0) {
        free(s);
        return NULL;
    }
    s->job.run = job_run;
    s->job.done = job_done;
    s->fs = fs;
    s->data_only = data_only;
    hf_wait_init(&s->wait, false);
    return s;
}

enum hf_err hf_fs_sync(struct hf_call *call, const struct hf_fs_file *file, bool data_only,
                       int *number)
{
    struct hf_io *io = hf_guest_io(file->guest);
    struct sync_job *s = job_new(hf_fs_of(file->guest), file->fd, data_only, number);
    if (s == NULL)
        return HF_OK;
    if (hf_jobs_submit(io->jobs, &s->job, io->wake) != HF_OK) { /* too many wait */
        job_free(s);
        *number = EAGAIN;
        return HF_OK;
    }
    enum hf_err err = hf_guest_wait(call, &s->wait);
    if (err != HF_OK && !s->wait.ready && !hf_jobs_take_back(io->jobs, &s->job)) {
        s->left = true;
        return err;
    }
    *number = s->number;
    job_free(s);
    return err;
}
