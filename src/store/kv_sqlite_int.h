/* kv_sqlite_int.h - the durable key-value store inside: what its doors (kv_sqlite.c), its file
 * (kv_sqlite_file.c) and its transactions (kv_sqlite_group.c) share. Internal to them.
 */
#ifndef HF_STORE_KV_SQLITE_INT_H
#define HF_STORE_KV_SQLITE_INT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "os/wake.h"
#include "store/kv.h"

#define HF_KVS_FORMAT     1          /* PRAGMA user_version */
#define HF_KVS_APP_ID     0x48466462 /* PRAGMA application_id: "HFdb" */
#define HF_KVS_BUCKETS    32767u     /* a row's id is bucket << 48 | number, and positive */
#define HF_KVS_NUMBER     48
#define HF_KVS_NUMBER_MAX (((int64_t)1 << HF_KVS_NUMBER) - 1)

enum hf_kvs_statement {
    HF_KVS_BEGIN_READ,
    HF_KVS_BEGIN_WRITE,
    HF_KVS_COMMIT,
    HF_KVS_ROLLBACK,
    HF_KVS_FIND, /* bucket, key -> id, version, bytes of the value, crc, value */
    HF_KVS_LOOK, /* the same without the value, which SQLite would read whole */
    HF_KVS_INSERT,
    HF_KVS_UPDATE,
    HF_KVS_DELETE,
    HF_KVS_LIST,
    HF_KVS_NEW_BUCKET,
    HF_KVS_COUNT, /* keys and bytes of a bucket */
    HF_KVS_VERSION,
    HF_KVS_STATEMENTS
};

struct hf_kv_bucket {
    struct hf_view space, name; /* in the map's key */
    /* The committer's from here: */
    int64_t id; /* 0: not in the file yet */
    uint64_t keys, bytes;
    struct { /* as the file has it: what a transaction that failed goes back to */
        int64_t id;
        uint64_t keys, bytes;
    } kept;
    struct hf_list in_changed;
    uint8_t label[]; /* the map's key: length of the space, space, name */
};

struct hf_kvs {
    struct hf_kv_limits limits;
    pthread_mutex_t lock; /* of buckets */
    struct hf_map buckets;
    _Atomic uint32_t doors;
    struct hf_wake *inbox; /* the committer's */
    pthread_t thread;
    bool has_thread;
    _Atomic bool stop;
    pthread_mutex_t barrier_lock;
    pthread_cond_t barrier;

    /* the committer's, but while the store is opened and closed */
    int lock_fd;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statements[HF_KVS_STATEMENTS];
    struct hf_list changed; /* buckets, in this transaction */
    int64_t version, version_kept;
    int64_t last_bucket, last_bucket_kept;
    int wal_pages;
    bool broken; /* nobody knows what the disk has: nothing is done any more */
};

struct hf_kvs_door {
    struct hf_kv kv;
    struct hf_kvs *store;
    struct hf_wake *wake; /* NULL: for buckets alone */
    uint32_t in_flight;
    uint64_t bytes; /* of the keys and values in flight */
    bool closed;
};

/* One operation on its way: the door's, then the committer's, then the door's again. */
struct hf_kvs_record {
    struct hf_letter letter;
    struct hf_list in_queue;
    struct hf_kvs_door *door;
    struct hf_kv_op *op; /* the door's; NULL: ended */
    bool is_done;        /* the door's; of a barrier: under barrier_lock */
    bool is_barrier;
    enum hf_kv_kind kind;
    bool is_signed;
    struct hf_kv_bucket *bucket;
    struct hf_view key, value;
    uint64_t argument; /* delta, version or cursor */
    uint32_t max;
    struct hf_kv_result r;
    void *out; /* what r's views point to */
    uint8_t bytes[];
};

/* kv_sqlite_file.c: opens or makes DIR/holdfast.db, which no other process has. On failure
 * hf_kvs_file_close is still the caller's to call. */
enum hf_err hf_kvs_file_open(struct hf_kvs *s, const char *dir, struct hf_report *report);
void hf_kvs_file_close(struct hf_kvs *s);
/* The bucket of a label that is not in the map yet (kv_sqlite.c; the lock is held). */
struct hf_kv_bucket *hf_kvs_bucket_new(struct hf_kvs *s, struct hf_view space, struct hf_view name);
enum hf_err hf_kvs_label(struct hf_view space, struct hf_view name, struct hf_buf *ret);

/* kv_sqlite_group.c: does all of the list in one transaction. On return each has its result, and
 * what was written is on disk. */
void hf_kvs_group(struct hf_kvs *s, struct hf_list *records);
uint32_t hf_kvs_crc(int64_t id, int64_t version, struct hf_view key, struct hf_view value);

#endif
