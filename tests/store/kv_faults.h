/* kv_faults.h - a file below SQLite that does as it is told: main files that hold who writes, take
 * nothing, lose what they took, or fail to sync. It becomes the default until kv_faults_end; WAL
 * and the rest are as they are.
 */
#ifndef HF_TESTS_STORE_KV_FAULTS_H
#define HF_TESTS_STORE_KV_FAULTS_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <time.h>

struct kv_faults {
    sqlite3_vfs vfs, *below;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_closed;                 /* the gate before each write; under lock */
    _Atomic unsigned held;          /* threads before the gate */
    _Atomic int write_rc, sync_rc;  /* not 0: the answer */
    _Atomic bool lose;              /* writes are well and go nowhere */
    _Atomic long slow_ns;           /* a write takes so long */
    _Atomic unsigned writes, syncs; /* that were well */
};
struct kv_faults_file {
    sqlite3_file base;
    struct kv_faults *faults; /* NULL: no main file */
    sqlite3_file *below;
};

static struct kv_faults_file *kvf_of(sqlite3_file *f)
{
    return (struct kv_faults_file *)f;
}
static sqlite3_file *kvf_below(sqlite3_file *f)
{
    return kvf_of(f)->below;
}

static int kvf_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct kv_faults *t = kvf_of(f)->faults;
    if (t == NULL)
        return kvf_below(f)->pMethods->xWrite(kvf_below(f), p, n, at);
    pthread_mutex_lock(&t->lock);
    while (t->is_closed) {
        t->held++;
        pthread_cond_wait(&t->opened, &t->lock);
        t->held--;
    }
    pthread_mutex_unlock(&t->lock);
    struct timespec slow = {.tv_nsec = t->slow_ns};
    if (slow.tv_nsec > 0)
        nanosleep(&slow, NULL);
    int rc = t->write_rc;
    if (rc == SQLITE_OK && !t->lose)
        rc = kvf_below(f)->pMethods->xWrite(kvf_below(f), p, n, at);
    t->writes += rc == SQLITE_OK;
    return rc;
}

static int kvf_sync(sqlite3_file *f, int flags)
{
    struct kv_faults *t = kvf_of(f)->faults;
    int rc = t != NULL ? t->sync_rc : SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = kvf_below(f)->pMethods->xSync(kvf_below(f), flags);
    if (t != NULL)
        t->syncs += rc == SQLITE_OK;
    return rc;
}

/* The rest goes below as it is. */
#define KVF_PASS(name, call, params, args)                                                         \
    static int name params                                                                         \
    {                                                                                              \
        return kvf_below(f)->pMethods->call args;                                                  \
    }
KVF_PASS(kvf_close, xClose, (sqlite3_file * f), (kvf_below(f)))
KVF_PASS(kvf_read, xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at),
         (kvf_below(f), p, n, at))
KVF_PASS(kvf_truncate, xTruncate, (sqlite3_file * f, sqlite3_int64 n), (kvf_below(f), n))
KVF_PASS(kvf_size, xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (kvf_below(f), n))
KVF_PASS(kvf_lock, xLock, (sqlite3_file * f, int n), (kvf_below(f), n))
KVF_PASS(kvf_unlock, xUnlock, (sqlite3_file * f, int n), (kvf_below(f), n))
KVF_PASS(kvf_reserved, xCheckReservedLock, (sqlite3_file * f, int *n), (kvf_below(f), n))
KVF_PASS(kvf_control, xFileControl, (sqlite3_file * f, int op, void *p), (kvf_below(f), op, p))
KVF_PASS(kvf_sector, xSectorSize, (sqlite3_file * f), (kvf_below(f)))
KVF_PASS(kvf_device, xDeviceCharacteristics, (sqlite3_file * f), (kvf_below(f)))
KVF_PASS(kvf_shm_map, xShmMap, (sqlite3_file * f, int at, int n, int extend, void volatile **p),
         (kvf_below(f), at, n, extend, p))
KVF_PASS(kvf_shm_lock, xShmLock, (sqlite3_file * f, int at, int n, int flags),
         (kvf_below(f), at, n, flags))
KVF_PASS(kvf_shm_unmap, xShmUnmap, (sqlite3_file * f, int drop), (kvf_below(f), drop))

static void kvf_shm_barrier(sqlite3_file *f)
{
    kvf_below(f)->pMethods->xShmBarrier(kvf_below(f));
}

static const sqlite3_io_methods kvf_methods = {
    .iVersion = 2,
    .xClose = kvf_close,
    .xRead = kvf_read,
    .xWrite = kvf_write,
    .xTruncate = kvf_truncate,
    .xSync = kvf_sync,
    .xFileSize = kvf_size,
    .xLock = kvf_lock,
    .xUnlock = kvf_unlock,
    .xCheckReservedLock = kvf_reserved,
    .xFileControl = kvf_control,
    .xSectorSize = kvf_sector,
    .xDeviceCharacteristics = kvf_device,
    .xShmMap = kvf_shm_map,
    .xShmLock = kvf_shm_lock,
    .xShmBarrier = kvf_shm_barrier,
    .xShmUnmap = kvf_shm_unmap,
};

static int kvf_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret)
{
    struct kv_faults *t = vfs->pAppData;
    struct kv_faults_file *file = kvf_of(f);
    file->below = (sqlite3_file *)(file + 1);
    file->faults = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? t : NULL;
    int rc = t->below->xOpen(t->below, name, file->below, flags, ret);
    f->pMethods = file->below->pMethods != NULL ? &kvf_methods : NULL;
    return rc;
}

static void kv_faults_begin(struct kv_faults *t)
{
    t->below = sqlite3_vfs_find(NULL);
    t->vfs = *t->below; /* the other calls look at no file of ours */
    t->vfs.zName = "faults";
    t->vfs.pAppData = t;
    t->vfs.szOsFile += (int)sizeof(struct kv_faults_file);
    t->vfs.xOpen = kvf_open;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->opened, NULL);
    assert_int_equal(sqlite3_vfs_register(&t->vfs, 1), SQLITE_OK);
}

static void kv_faults_end(struct kv_faults *t)
{
    assert_int_equal(sqlite3_vfs_unregister(&t->vfs), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_register(t->below, 1), SQLITE_OK);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->opened);
}

static void kv_faults_gate(struct kv_faults *t, bool is_closed)
{
    pthread_mutex_lock(&t->lock);
    t->is_closed = is_closed;
    pthread_cond_broadcast(&t->opened);
    pthread_mutex_unlock(&t->lock);
}

#endif
