/* host_fs_job.c - wasi:filesystem: what waits for a disk, off the thread: sync, and reading what is not in memory.
 *
 * A job has a handle of its own. Whoever began it may leave it (the guest is ended, the stream dropped): it then comes home
 * to nobody, and puts itself away.
 *
 * A fetch reads only so that the bytes are in the system's memory; they are then read again on the thread. So no bytes are
 * kept that somebody might change meanwhile.
 */
#include "host/fs_int.h"
#include "host/io.h"

#include <stdlib.h>

struct hf_fs_job {
    struct hf_job job;
    struct hf_wait *wait; /* fired when it is over; NULL: it was left */
    struct hf_io *io;
    const struct hf_fs *fs;
    enum hf_fs_work work;
    int fd, number;
    bool over;
    uint64_t at;
    size_t len;
    uint8_t bytes[]; /* len of them, for a fetch */
};

static void job_free(struct hf_fs_job *j)
{
    j->fs->close(j->fs, j->fd);
    free(j);
}

static void job_run(struct hf_job *job)
{
    struct hf_fs_job *j = HF_CONTAINER_OF(job, struct hf_fs_job, job);
    size_t got;
    if (j->work == HF_FS_FETCH)
        j->number = j->fs->read_at(j->fs, j->fd, j->bytes, j->len, j->at, &got);
    else
        j->number = j->fs->sync(j->fs, j->fd, j->work == HF_FS_SYNC_DATA);
}

static void job_done(struct hf_job *job)
{
    struct hf_fs_job *j = HF_CONTAINER_OF(job, struct hf_fs_job, job);
    if (j->wait == NULL) {
        job_free(j);
        return;
    }
    if (job->skipped)
        j->number = EIO; /* it did not happen, and must not look as if */
    j->over = true;
    hf_wait_fire(j->wait);
}

int hf_fs_job_begin(const struct hf_fs_file *file, enum hf_fs_work work, uint64_t at, size_t len, struct hf_wait *wait,
                    struct hf_fs_job **ret)
{
    const struct hf_fs *fs = hf_fs_of(file->guest);
    struct hf_fs_job *j = calloc(1, sizeof *j + len);
    if (j == NULL)
        return ENOMEM;
    int number = fs->dup(fs, file->fd, &j->fd);
    if (number != 0) {
        free(j);
        return number;
    }
    j->job.run = job_run;
    j->job.done = job_done;
    j->wait = wait;
    j->io = hf_guest_io(file->guest);
    j->fs = fs;
    j->work = work;
    j->at = at;
    j->len = len;
    hf_wait_clear(wait);
    if (hf_jobs_submit(j->io->jobs, &j->job, j->io->wake) != HF_OK) { /* too many wait */
        hf_wait_fire(wait);
        job_free(j);
        return EAGAIN;
    }
    *ret = j;
    return 0;
}

int hf_fs_job_end(struct hf_fs_job *j)
{
    int number = j->over ? j->number : EINTR;
    if (j->over || hf_jobs_take_back(j->io->jobs, &j->job))
        job_free(j);
    else
        j->wait = NULL;
    return number;
}

enum hf_err hf_fs_job_run(struct hf_call *call, const struct hf_fs_file *file, enum hf_fs_work work, uint64_t at, size_t len,
                          int *number)
{
    struct hf_wait wait;
    struct hf_fs_job *j;
    enum hf_err err = HF_OK;
    hf_wait_init(&wait, false);
    *number = hf_fs_job_begin(file, work, at, len, &wait, &j);
    if (*number == 0) {
        err = hf_guest_wait(call, &wait);
        *number = hf_fs_job_end(j);
    }
    hf_wait_done(&wait);
    return err;
}
