/* kv_sqlite_file.c - the file of the durable key-value store: made, opened, refused.
 *
 * WAL and synchronous=FULL: a commit is on disk when it returns. Checkpoints have a
 * thread (kv_sqlite_checkpoint.c), so autocheckpoint is off. A lock on a file beside it keeps a second process out
 * (SQLite's own locks would let it in, and its counts of keys would be wrong); tools that only read
 * are welcome.
 */
#include "store/kv_sqlite_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAY_NS 1000000000u

/* A key's row is found by (bucket, key), listed by id: bucket << 48 | the version it was born with.
 */
static const char schema[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE bucket(id INTEGER PRIMARY KEY, space BLOB NOT NULL, name BLOB NOT NULL,"
    " keys INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE(space, name));"
    "CREATE TABLE kv(id INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL,"
    " version INTEGER NOT NULL, crc INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE UNIQUE INDEX kv_key ON kv(bucket, key);"
    "CREATE TABLE log(id INTEGER PRIMARY KEY, record BLOB NOT NULL);"
    "INSERT INTO meta VALUES('version', 0), ('made_by', 'holdfast');";
/* Format 1 had no log. */
static const char upgrade[] = "CREATE TABLE log(id INTEGER PRIMARY KEY, record BLOB NOT NULL);";

static const char *const statements[HF_KVS_STATEMENTS] = {
    [HF_KVS_BEGIN_READ] = "BEGIN",
    [HF_KVS_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [HF_KVS_COMMIT] = "COMMIT",
    [HF_KVS_ROLLBACK] = "ROLLBACK",
    [HF_KVS_FIND] = "SELECT id, version, length(value), crc, value FROM kv"
                    " WHERE bucket = ?1 AND key = ?2",
    [HF_KVS_LOOK] = "SELECT id, version, length(value) FROM kv WHERE bucket = ?1 AND key = ?2",
    [HF_KVS_INSERT] = "INSERT INTO kv VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [HF_KVS_UPDATE] = "UPDATE kv SET version = ?2, crc = ?3, value = ?4 WHERE id = ?1",
    [HF_KVS_DELETE] = "DELETE FROM kv WHERE id = ?1",
    [HF_KVS_LIST] = "SELECT id, key FROM kv WHERE id > ?1 AND id <= ?2 ORDER BY id",
    [HF_KVS_NEW_BUCKET] = "INSERT INTO bucket VALUES(?1, ?2, ?3, 0, 0)",
    [HF_KVS_COUNT] = "UPDATE bucket SET keys = ?2, bytes = ?3 WHERE id = ?1",
    [HF_KVS_VERSION] = "UPDATE meta SET value = ?1 WHERE name = 'version'",
    [HF_KVS_LOG_ADD] = "INSERT INTO log VALUES(?1, ?2)",
    [HF_KVS_LOG_TRIM] = "DELETE FROM log WHERE id <= ?1",
};

static enum hf_err failed(struct hf_kvs *s, int rc, struct hf_report *report)
{
    const char *words = s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return hf_report_set(report, HF_CORRUPT, "%s is damaged, or no file of ours: %s", s->path,
                             words);
    case SQLITE_NOMEM: return hf_report_set(report, HF_LIMIT, "%s: out of memory", s->path);
    default: return hf_report_set(report, HF_IO, "%s: %s", s->path, words);
    }
}

static int look(void *ret, int n, char **texts, char **names)
{
    (void)names;
    snprintf(ret, 64, "%s", n > 0 && texts[0] != NULL ? texts[0] : "");
    return 0;
}

/* The first column of the last row as text. */
static enum hf_err ask(struct hf_kvs *s, const char *sql, char ret[64], struct hf_report *report)
{
    ret[0] = '\0';
    int rc = sqlite3_exec(s->db, sql, look, ret, NULL);
    return rc == SQLITE_OK ? HF_OK : failed(s, rc, report);
}

static enum hf_err lock(struct hf_kvs *s, const char *dir, struct hf_report *report)
{
    char path[4096], pid[32] = "";
    if (snprintf(path, sizeof path, "%s/holdfast.lock", dir) >= (int)sizeof path)
        return hf_report_set(report, HF_INVALID, "%s: too long a name", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return hf_report_set(report, HF_IO, "%s: %s", dir, strerror(errno));
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return hf_report_set(report, HF_IO, "%s: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = errno == EWOULDBLOCK ? pread(s->lock_fd, pid, sizeof pid - 1, 0) : -1;
        if (n < 0)
            return hf_report_set(report, HF_IO, "%s: %s", path, strerror(errno));
        pid[n] = '\0';
        return hf_report_set(report, HF_IO, "%s is in use by another process (%ld)", dir,
                             strtol(pid, NULL, 10));
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* May fail on a full disk: the number is only for people, and the lock is held. */
    (void)!ftruncate(s->lock_fd, 0);
    (void)!pwrite(s->lock_fd, pid, (size_t)len, 0);
    return HF_OK;
}

/* 0600 from the first moment; what SQLite puts beside it takes the same mode. */
static enum hf_err make_file(struct hf_kvs *s, const char *dir, struct hf_report *report)
{
    if (asprintf(&s->path, "%s/holdfast.db", dir) < 0) {
        s->path = NULL;
        return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? HF_OK
                               : hf_report_set(report, HF_IO, "%s: %s", s->path, strerror(errno));
    close(fd);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd); /* its name is to outlive a power cut as its content does */
    int number = errno;
    if (fd >= 0)
        close(fd);
    return rc == 0 ? HF_OK : hf_report_set(report, HF_IO, "%s: %s", dir, strerror(number));
}

/* In one transaction, and then it is a file of this format. */
static enum hf_err make_schema(struct hf_kvs *s, const char *tables, struct hf_report *report)
{
    char sql[sizeof schema + 128], text[64];
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; PRAGMA application_id = %d; %s PRAGMA user_version = %d; COMMIT;",
             HF_KVS_APP_ID, tables, HF_KVS_FORMAT);
    return ask(s, sql, text, report);
}

/* Ours, of a format that is known; a new one is filled. */
static enum hf_err check_format(struct hf_kvs *s, struct hf_report *report)
{
    char app[64], format[64], tables[64];
    enum hf_err err = ask(s, "PRAGMA application_id", app, report);
    if (err == HF_OK)
        err = ask(s, "PRAGMA user_version", format, report);
    if (err == HF_OK)
        err = ask(s, "SELECT count(*) FROM sqlite_schema", tables, report);
    if (err != HF_OK)
        return err;
    if (strcmp(app, "0") == 0 && strcmp(format, "0") == 0 && strcmp(tables, "0") == 0)
        return make_schema(s, schema, report);
    if (strtol(app, NULL, 10) != HF_KVS_APP_ID)
        return hf_report_set(report, HF_CORRUPT, "%s is a database, but not one of Holdfast's",
                             s->path);
    if (strtol(format, NULL, 10) > HF_KVS_FORMAT)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "%s was written by a newer Holdfast: its format is %s, this one knows "
                             "%d",
                             s->path, format, HF_KVS_FORMAT);
    if (strcmp(format, "1") == 0)
        return make_schema(s, upgrade, report);
    if (strtol(format, NULL, 10) != HF_KVS_FORMAT)
        return hf_report_set(report, HF_CORRUPT, "%s: its format cannot be %s", s->path, format);
    return HF_OK;
}

static enum hf_err load_row(struct hf_kvs *s, sqlite3_stmt *st, struct hf_report *report)
{
    struct hf_view space = hf_view(sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1));
    struct hf_view name = hf_view(sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2));
    int64_t id = sqlite3_column_int64(st, 0), keys = sqlite3_column_int64(st, 3),
            bytes = sqlite3_column_int64(st, 4);
    if (id <= 0 || id > (int64_t)HF_KVS_BUCKETS || keys < 0 || bytes < 0)
        return hf_report_set(report, HF_CORRUPT, "%s is damaged: a bucket's row cannot be",
                             s->path);
    struct hf_kv_bucket *b = hf_kvs_bucket_new(s, space, name);
    if (b == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    b->id = b->kept.id = id;
    b->keys = b->kept.keys = (uint64_t)keys;
    b->bytes = b->kept.bytes = (uint64_t)bytes;
    atomic_store(&b->shown_keys, b->keys);
    atomic_store(&b->shown_bytes, b->bytes);
    if (id > s->last_bucket)
        s->last_bucket = s->last_bucket_kept = id;
    return HF_OK;
}

static enum hf_err load(struct hf_kvs *s, struct hf_report *report)
{
    char text[64];
    sqlite3_stmt *st = NULL;
    enum hf_err err = ask(s, "SELECT value FROM meta WHERE name = 'version'", text, report);
    if (err != HF_OK)
        return err;
    s->version = s->version_kept = strtoll(text, NULL, 10);
    if (text[0] == '\0' || s->version < 0 || s->version > HF_KVS_NUMBER_MAX)
        return hf_report_set(report, HF_CORRUPT, "%s is damaged: its version cannot be \"%s\"",
                             s->path, text);
    int rc =
        sqlite3_prepare_v2(s->db, "SELECT id, space, name, keys, bytes FROM bucket", -1, &st, NULL);
    while (rc == SQLITE_OK && err == HF_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        err = load_row(s, st, report);
        rc = SQLITE_OK;
    }
    if (err == HF_OK && rc != SQLITE_DONE)
        err = failed(s, rc, report);
    sqlite3_finalize(st);
    return err;
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    ((struct hf_kvs *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static enum hf_err settings(struct hf_kvs *s, struct hf_report *report)
{
    char text[64];
    sqlite3_busy_timeout(s->db, 5000); /* a tool that looks at the file */
    enum hf_err err = ask(s, "PRAGMA trusted_schema = OFF", text, report);
    if (err == HF_OK)
        err = check_format(s, report);
    if (err == HF_OK)
        err = ask(s, "PRAGMA journal_mode = WAL", text, report);
    if (err == HF_OK && strcmp(text, "wal") != 0)
        return hf_report_set(report, HF_UNSUPPORTED, "%s: this file system cannot keep a WAL",
                             s->path);
    if (err == HF_OK)
        err = ask(s,
                  "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                  "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768;"
                  "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY",
                  text, report);
    if (err == HF_OK)
        err = ask(s, "PRAGMA synchronous", text, report);
    if (err == HF_OK && strcmp(text, "2") != 0) /* what every promise of this store stands on */
        return hf_report_set(report, HF_UNSUPPORTED, "%s: SQLite does not sync each commit",
                             s->path);
    return err;
}

uint64_t hf_kvs_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void hf_kvs_say(struct hf_kvs *s, int rc, const char *so)
{
    char text[512];
    uint64_t now = hf_kvs_now_ns();
    if (s->ear.say == NULL || (!s->broken && s->said_ns != 0 && now - s->said_ns < SAY_NS))
        return;
    s->said_ns = now;
    snprintf(text, sizeof text, "%s: %s: %s", s->path, sqlite3_errstr(rc), so);
    s->ear.say(s->ear.ctx, text);
}

enum hf_err hf_kvs_file_open(struct hf_kvs *s, const char *dir, struct hf_report *report)
{
    enum hf_err err = lock(s, dir, report);
    if (err == HF_OK)
        err = make_file(s, dir, report);
    if (err != HF_OK)
        return err;
    int rc = sqlite3_open_v2(s->path, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (rc != SQLITE_OK)
        return failed(s, rc, report);
    err = settings(s, report);
    if (err == HF_OK)
        err = load(s, report);
    for (unsigned i = 0; i < HF_KVS_STATEMENTS && err == HF_OK; i++) {
        rc = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &s->statements[i], NULL);
        if (rc != SQLITE_OK)
            err = failed(s, rc, report);
    }
    sqlite3_wal_hook(s->db, on_wal, s);
    return err == HF_OK ? hf_kvs_replay(s, report) : err;
}

void hf_kvs_file_close(struct hf_kvs *s)
{
    hf_kvs_sweep_free(s);
    for (unsigned i = 0; i < HF_KVS_STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(
        s->db); /* the WAL goes into the file; if that fails it stays, and is read next time */
    free(s->path);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}
