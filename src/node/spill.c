/* spill.c - see spill.h.
 *
 * Which blocks are given is a bitmap that grows with the file; room is looked for from where the
 * last was found, a word at a time, so that free neighbours are one without any doing. A move holds
 * one of a fixed number of jobs, so a read never fails for want of one; where the job threads take
 * no more, it is done on the spot: late is better than lost.
 */
#include "node/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK     1024u
#define MOVES_MAX 64u
#define WORD      64u
#define GIVE_BACK (16u << 20) /* bytes of a file that is worth it */

struct carry { /* a move as a job */
    struct hf_job job;
    struct hf_list link;
    struct hf_spill_file *file;
    struct hf_spill_move *move;
    uint64_t first, n; /* blocks, of a write */
};
struct hf_spill_file {
    struct hf_spill_settings s;
    int fd; /* -1: not made yet */
    uint64_t *given;
    uint64_t n_words, n_blocks_max, at, used, end; /* end: of the file, in blocks */
    uint32_t n_busy;                               /* carries under way */
    bool troubled;
    struct hf_list idle; /* carry.link */
    struct carry carries[MOVES_MAX];
};

/* ---- room ---- */

static bool is_given(const struct hf_spill_file *f, uint64_t block)
{
    return f->given[block / WORD] >> block % WORD & 1;
}

static void mark(struct hf_spill_file *f, uint64_t first, uint64_t n, bool given)
{
    for (uint64_t i = first; i < first + n; i++)
        if (given)
            f->given[i / WORD] |= UINT64_C(1) << i % WORD;
        else
            f->given[i / WORD] &= ~(UINT64_C(1) << i % WORD);
    f->used += given ? n : 0 - n;
}

/* n free blocks in a row between from and to; UINT64_MAX: there are none. */
static uint64_t find(const struct hf_spill_file *f, uint64_t from, uint64_t to, uint64_t n)
{
    uint64_t run = 0, at = from;
    while (at < to) {
        if (at % WORD == 0 && f->given[at / WORD] == UINT64_MAX) {
            run = 0;
            at += WORD;
            continue;
        }
        run = is_given(f, at) ? 0 : run + 1;
        at++;
        if (run == n)
            return at - n;
    }
    return UINT64_MAX;
}

static bool grow(struct hf_spill_file *f, uint64_t blocks)
{
    uint64_t words = (blocks + WORD - 1) / WORD;
    if (words <= f->n_words)
        return true;
    if (words < 2 * f->n_words)
        words = 2 * f->n_words;
    if (words < 16)
        words = 16;
    uint64_t *more = realloc(f->given, words * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + f->n_words, 0, (words - f->n_words) * sizeof *more);
    f->given = more;
    f->n_words = words;
    return true;
}

/* Where nothing was ever given any more: past the last block that is. */
static uint64_t end_of(const struct hf_spill_file *f)
{
    uint64_t word = f->n_words;
    while (word > 0 && f->given[word - 1] == 0)
        word--;
    uint64_t at = word * WORD;
    while (at > 0 && !is_given(f, at - 1))
        at--;
    return at;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum hf_err give(struct hf_spill_file *f, uint64_t n, uint64_t *ret)
{
    uint64_t known = least(f->n_words * WORD, f->n_blocks_max);
    if (n > f->n_blocks_max || f->used + n > f->n_blocks_max)
        return HF_LIMIT;
    uint64_t at = find(f, f->at, known, n);
    if (at == UINT64_MAX)
        at = find(f, 0, least(f->at + n, known), n);
    if (at == UINT64_MAX) {
        at = end_of(f);
        if (at + n > f->n_blocks_max || !grow(f, at + n))
            return HF_LIMIT;
    }
    mark(f, at, n, true);
    f->at = at + n;
    if (f->at > f->end)
        f->end = f->at;
    *ret = at;
    return HF_OK;
}

/* ---- the file ---- */

static enum hf_err open_file(struct hf_spill_file *f, char *why, size_t cap)
{
    char path[4096];
    if (f->fd >= 0)
        return HF_OK;
    f->fd = open(f->s.folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        int n = snprintf(path, sizeof path, "%s/holdfast-spill-XXXXXX", f->s.folder);
        if (n > 0 && (size_t)n < sizeof path && (f->fd = mkostemp(path, O_CLOEXEC)) >= 0)
            (void)unlink(path); /* else it is an empty file too much */
    }
    if (f->fd >= 0)
        return HF_OK;
    snprintf(why, cap, "no file can be made in %.80s: %s", f->s.folder, strerror(errno));
    return HF_IO;
}

static void put(int fd, struct hf_spill_move *m)
{
    for (size_t done = 0; done < m->len;) {
        ssize_t n = pwrite(fd, m->bytes.ptr + done, m->len - done, (off_t)(m->place + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            m->err = n < 0 && errno != ENOSPC && errno != EDQUOT && errno != EFBIG ? HF_IO : HF_LIMIT;
            snprintf(m->why, sizeof m->why, "writing: %s", n < 0 ? strerror(errno) : "nothing was taken");
            return;
        }
        done += (size_t)n;
    }
}

static void get(int fd, struct hf_spill_move *m)
{
    if (hf_buf_reserve(&m->bytes, m->len) != HF_OK) {
        m->err = HF_LIMIT;
        snprintf(m->why, sizeof m->why, "no memory for %zu bytes of it", m->len);
        return;
    }
    while (m->bytes.len < m->len) {
        size_t done = m->bytes.len;
        ssize_t n = pread(fd, m->bytes.ptr + done, m->len - done, (off_t)(m->place + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            m->err = n < 0 ? HF_IO : HF_CORRUPT;
            snprintf(m->why, sizeof m->why, "reading: %s", n < 0 ? strerror(errno) : "the file is shorter");
            return;
        }
        m->bytes.len += (size_t)n;
    }
}

/* ---- giving a large file back: that may take the disk a while, so it is a job, too ---- */

struct closing {
    struct hf_job job;
    int fd;
};

static void close_it(struct hf_job *job)
{
    close(HF_CONTAINER_OF(job, struct closing, job)->fd);
}

static void closed(struct hf_job *job)
{
    if (job->skipped)
        close_it(job);
    free(HF_CONTAINER_OF(job, struct closing, job));
}

/* Nothing lies in it and nobody is at it: the next write makes another. */
static void give_back(struct hf_spill_file *f)
{
    if (f->used > 0 || f->n_busy > 0 || f->fd < 0 || f->end * BLOCK < GIVE_BACK)
        return;
    struct closing *c = calloc(1, sizeof *c);
    if (c == NULL)
        return;
    c->fd = f->fd;
    c->job.run = close_it;
    c->job.done = closed;
    if (hf_jobs_submit(f->s.jobs, &c->job, f->s.home) != HF_OK) {
        free(c); /* another time */
        return;
    }
    f->fd = -1;
    f->end = f->at = 0;
}

/* ---- moves ---- */

static void run(struct hf_job *job)
{
    struct carry *c = HF_CONTAINER_OF(job, struct carry, job);
    if (c->move->write)
        put(c->file->fd, c->move);
    else
        get(c->file->fd, c->move);
}

static void tell(struct hf_spill_file *f, const char *text)
{
    if (!f->troubled && f->s.trouble != NULL)
        f->s.trouble(f->s.ctx, text);
    f->troubled = true;
}

static void done(struct hf_job *job)
{
    struct carry *c = HF_CONTAINER_OF(job, struct carry, job);
    struct hf_spill_file *f = c->file;
    struct hf_spill_move *m = c->move;
    bool write = m->write, ok;
    if (job->skipped) { /* the node ends */
        m->err = HF_CANCELLED;
        snprintf(m->why, sizeof m->why, "the node ends");
    } else if (m->err != HF_OK) {
        tell(f, m->why);
    } else if (write) {
        f->troubled = false;
    }
    ok = m->err == HF_OK;
    if (write && !ok)
        mark(f, c->first, c->n, false);
    hf_list_push_back(&f->idle, &c->link);
    f->n_busy--;
    uint64_t first = c->first, n = c->n; /* the carry may be in use again when this returns */
    if (!hf_spill_moved(m) && write && ok)
        mark(f, first, n, false);
    give_back(f);
}

/* At home, when the threads take no more: its end comes as a letter all the same. */
static void here(struct carry *c);

static void begin(struct carry *c)
{
    c->job.run = run;
    c->job.done = done;
    if (hf_jobs_submit(c->file->s.jobs, &c->job, c->file->s.home) != HF_OK)
        here(c);
}

static void come_home(struct hf_letter *letter)
{
    done(HF_CONTAINER_OF(letter, struct hf_job, letter));
}

static void here(struct carry *c)
{
    c->job.skipped = false;
    run(&c->job);
    c->job.letter.deliver = come_home;
    hf_wake_post(c->file->s.home, &c->job.letter);
}

static struct carry *carry_of(struct hf_spill_file *f, struct hf_spill_move *m)
{
    struct hf_list *at = hf_list_pop_front(&f->idle);
    HF_ASSERT(at != NULL); /* moves_max of them */
    struct carry *c = HF_LIST_ENTRY(at, struct carry, link);
    c->move = m;
    f->n_busy++;
    return c;
}

static enum hf_err on_write(void *ctx, struct hf_spill_move *m)
{
    struct hf_spill_file *f = ctx;
    uint64_t n = (m->len + BLOCK - 1) / BLOCK, first;
    enum hf_err err = open_file(f, m->why, sizeof m->why);
    if (err == HF_OK && (err = give(f, n, &first)) != HF_OK)
        snprintf(m->why, sizeof m->why, "it has no room for %zu bytes: %llu of %llu are in use (%s)", m->len,
                 (unsigned long long)(f->used * BLOCK), (unsigned long long)f->s.max, f->s.max_key);
    if (err != HF_OK) {
        tell(f, m->why);
        return err;
    }
    struct carry *c = carry_of(f, m);
    c->first = first;
    c->n = n;
    m->place = first * BLOCK;
    begin(c);
    return HF_OK;
}

static void on_read(void *ctx, struct hf_spill_move *m)
{
    begin(carry_of(ctx, m));
}

static void on_forget(void *ctx, uint64_t place, size_t len)
{
    mark(ctx, place / BLOCK, (len + BLOCK - 1) / BLOCK, false);
    give_back(ctx);
}

const struct hf_spill hf_spill_file_ops = {
    .moves_max = MOVES_MAX, .write = on_write, .read = on_read, .forget = on_forget};

/* ---- life ---- */

enum hf_err hf_spill_file_new(const struct hf_spill_settings *s, struct hf_spill_file **ret)
{
    struct hf_spill_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return HF_LIMIT;
    f->s = *s;
    f->fd = -1;
    f->n_blocks_max = s->max / BLOCK;
    hf_list_init(&f->idle);
    for (size_t i = 0; i < MOVES_MAX; i++) {
        f->carries[i].file = f;
        hf_list_push_back(&f->idle, &f->carries[i].link);
    }
    *ret = f;
    return HF_OK;
}

void hf_spill_file_free(struct hf_spill_file *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->given);
    free(f);
}

uint64_t hf_spill_file_used(const struct hf_spill_file *f)
{
    return f->used * BLOCK;
}
