/* kv_sqlite_checkpoint.c - what SQLite's WAL has goes into the file, beside the commits.
 *
 * A thread with a connection of its own copies pages and syncs the file, some hundred pages at a
 * time, while the committer goes on. It can never catch up with one who writes, and only a WAL that
 * is in the file to its last page begins anew where it lies. So when the WAL has had its length and
 * the thread is close behind, the committer does the few pages that are left itself, between two
 * groups. Where the thread falls behind all the same, the committer waits for it: the WAL is
 * bounded, unless a tool that reads keeps it.
 *
 * SQLite syncs the file only with the pass that reaches the WAL's end, and knows no difference
 * between pages copied and pages on disk. So when a sync fails, what earlier passes copied may be
 * lost although SQLite will not copy it again. Then nothing is done any more, and the WAL is left
 * as it is: whoever opens the file next copies all of it.
 */
#include "store/kv_sqlite_int.h"

#define STEP_PAGES 500 /* what the thread is given at a time: 2 MiB */
#define NEAR_PAGES 128 /* what the committer does itself */
#define MOST_LAPS  4   /* of wal_lap: here it waits for the thread */
#define PAUSE_NS   1000000000u

static bool is_sync(int rc)
{
    return rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
}

static int copy(sqlite3 *db, int *pages, int *done)
{
    int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, pages, done);
    return (rc & 0xff) == SQLITE_BUSY ? SQLITE_OK : rc; /* a tool: it is tried again */
}

static void *copy_all(void *arg)
{
    struct hf_kvs_checkpoint *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (!c->asked) {
            pthread_cond_wait(&c->changed, &c->lock);
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        int pages = 0, done = 0, rc = copy(c->db, &pages, &done);
        if (rc == SQLITE_OK && done > 0)
            rc = c->file->pMethods->xSync(c->file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
        pthread_mutex_lock(&c->lock);
        c->rc = rc;
        c->done = rc == SQLITE_OK ? done : 0;
        c->asked = false;
        c->answered = true;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- the committer's side ---- */

static void later(struct hf_kvs *s)
{
    s->checkpoint.not_before = hf_kvs_now_ns() + PAUSE_NS;
}

static void failed(struct hf_kvs *s, int rc)
{
    if (is_sync(rc)) {
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        hf_kvs_break(s, rc, "a sync of the file failed");
        return;
    }
    hf_kvs_say(s, rc, "the WAL grows until the file takes what it has; nothing is lost");
    later(s);
}

/* What the thread has to say, if it rests. */
static bool listen(struct hf_kvs *s)
{
    struct hf_kvs_checkpoint *c = &s->checkpoint;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&c->lock);
    while (c->asked && s->wal_pages >= c->lap * MOST_LAPS)
        pthread_cond_wait(&c->changed, &c->lock);
    bool rests = !c->asked;
    if (rests && c->answered) {
        rc = c->rc;
        if (c->done > s->wal_done)
            s->wal_done = c->done;
        else if (rc == SQLITE_OK)
            later(s); /* a tool keeps it */
        c->answered = false;
    }
    pthread_mutex_unlock(&c->lock);
    if (rc != SQLITE_OK)
        failed(s, rc);
    return rests;
}

static void ask(struct hf_kvs_checkpoint *c)
{
    pthread_mutex_lock(&c->lock);
    c->asked = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void finish(struct hf_kvs *s)
{
    int pages = 0, done = 0, rc = copy(s->db, &pages, &done);
    s->checkpoint.next_finish = s->wal_pages + STEP_PAGES; /* if it does not begin anew */
    if (rc != SQLITE_OK)
        failed(s, rc);
    else if (done > s->wal_done)
        s->wal_done = done;
}

void hf_kvs_checkpoint(struct hf_kvs *s)
{
    struct hf_kvs_checkpoint *c = &s->checkpoint;
    if (s->broken || !listen(s) || s->broken)
        return;
    if (s->wal_pages < s->wal_done) { /* it began anew */
        s->wal_done = 0;
        c->next_finish = 0;
    }
    int left = s->wal_pages - s->wal_done;
    bool is_last = s->wal_pages >= (c->next_finish > c->lap ? c->next_finish : c->lap);
    if (left < NEAR_PAGES && !is_last)
        return;
    if (c->not_before != 0 && hf_kvs_now_ns() < c->not_before)
        return;
    c->not_before = 0;
    if (is_last && (left <= NEAR_PAGES || s->wal_pages >= c->lap * MOST_LAPS))
        finish(s);
    else if (is_last || left >= STEP_PAGES)
        ask(c);
}

/* ---- opening and closing ---- */

enum hf_err hf_kvs_checkpoint_open(struct hf_kvs *s, struct hf_report *report)
{
    struct hf_kvs_checkpoint *c = &s->checkpoint;
    int rc = sqlite3_open_v2(s->path, &c->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (rc == SQLITE_OK) /* and it reads, so that it knows of the WAL */
        rc = sqlite3_exec(c->db,
                          "PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;"
                          "PRAGMA wal_autocheckpoint = 0; PRAGMA user_version",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &c->file);
    if (rc != SQLITE_OK)
        return hf_report_set(report, (rc & 0xff) == SQLITE_NOMEM ? HF_LIMIT : HF_IO, "%s: %s",
                             s->path, sqlite3_errstr(rc));
    c->has_thread = pthread_create(&c->thread, NULL, copy_all, c) == 0;
    return c->has_thread ? HF_OK : hf_report_set(report, HF_LIMIT, "a thread could not be started");
}

void hf_kvs_checkpoint_close(struct hf_kvs *s)
{
    struct hf_kvs_checkpoint *c = &s->checkpoint;
    if (c->has_thread) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
        if (c->answered && is_sync(c->rc) && !s->broken)
            failed(s, c->rc);
    }
    sqlite3_close(c->db);
}
