/* kv_sqlite_int.h - the durable key-value store inside: what its doors (kv_sqlite.c), its file
 * (kv_sqlite_file.c), its transactions (kv_sqlite_group.c, kv_sqlite_list.c), the keys that are
 * only in the log (kv_sqlite_overlay.c) and their way into the tables (kv_sqlite_apply.c) share.
 * Internal to them.
 */
#ifndef HF_STORE_KV_SQLITE_INT_H
#define HF_STORE_KV_SQLITE_INT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "os/wake.h"
#include "store/kv.h"
#include "store/kv_log.h"

#define HF_KVS_FORMAT     2          /* PRAGMA user_version */
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
    HF_KVS_LOG_ADD,
    HF_KVS_LOG_TRIM, /* rows up to a number */
    HF_KVS_STATEMENTS
};

/* What is known of a key. */
enum hf_kvs_kind {
    HF_KVS_NONE,  /* nothing */
    HF_KVS_LIVE,  /* the value, which the tables do not have yet */
    HF_KVS_DEAD,  /* it is not there; the tables may have an older row */
    HF_KVS_TABLE, /* the tables have it (id 0: and it is not there) */
};
struct hf_kvs_state {
    enum hf_kvs_kind kind;
    int64_t id, version; /* LIVE, TABLE */
    uint64_t size;       /* of the value */
    uint8_t *value;      /* LIVE; owned */
};
/* A key in memory. `now` is on disk, in the log or the tables; `next` is what the transaction that
 * runs makes of it. One whose `now` is TABLE is kept only to spare a look into the tables. */
struct hf_kvs_entry {
    struct hf_kv_bucket *bucket;
    struct hf_list in_touched; /* has a next */
    struct hf_list in_kept;    /* of hf_kvs.waiting or .known, by what `now` is */
    struct hf_kvs_state now, next;
    int64_t table_id, next_table_id; /* of its row in the tables; 0: there is none */
    bool in_sweep;
    uint32_t key_len;
    uint8_t key[];
};
/* Where a key that is not in the tables stands in a list. */
struct hf_kvs_place {
    int64_t id;
    struct hf_kvs_entry *entry; /* NULL: no more */
};

struct hf_kv_bucket {
    struct hf_view space, name;               /* in the map's key */
    _Atomic uint64_t shown_keys, shown_bytes; /* as last committed, for who asks */
    /* The committer's from here: */
    int64_t id; /* 0: not in the file yet */
    uint64_t keys, bytes;
    struct { /* as the file has it: what a transaction that failed goes back to */
        int64_t id;
        uint64_t keys, bytes;
    } kept;
    struct hf_list in_changed;
    struct hf_list in_stale; /* the log has newer counts than its row */
    struct hf_map entries;   /* key -> hf_kvs_entry */
    struct {                 /* keys that are not in the tables, by id, with holes */
        struct hf_kvs_place *ptr;
        size_t len, cap;
    } born;
    size_t born_holes;
    uint8_t label[]; /* the map's key: length of the space, space, name */
};

/* Keys on their way from the log into the tables: a part of them with each transaction, in the
 * order of their rows; then the rows of the log that are not needed any more go, oldest first. */
struct hf_kvs_sweep {
    struct hf_kvs_entry **entries;
    size_t n, at, to;       /* to: after this transaction */
    int64_t upto;           /* the last row of the log that this is about; 0: no sweep */
    int64_t trim_to;        /* after this transaction */
    bool counted, counting; /* counts are in the tables; are written by this transaction */
    uint64_t not_before;    /* after an error: ns, monotonic */
};

/* The thread that copies the WAL into the file, and what the committer knows of it. */
struct hf_kvs_checkpoint {
    pthread_mutex_t lock; /* of the four below */
    pthread_cond_t changed;
    bool stop, asked, answered;
    int rc, done; /* its answer: pages of the WAL that are in the file */
    pthread_t thread;
    bool has_thread;
    sqlite3 *db; /* the thread's */
    sqlite3_file *file;
    /* the committer's */
    _Atomic int lap;     /* pages after which the WAL is to begin anew */
    int next_finish;     /* pages before the committer tries again to make it */
    uint64_t not_before; /* after an error: ns, monotonic */
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
    _Atomic int idle_ms; /* so long without an operation: then the log goes into the tables */
    pthread_mutex_t barrier_lock;
    pthread_cond_t barrier;

    /* the committer's, but while the store is opened and closed */
    struct hf_kv_ear ear;
    uint64_t said_ns; /* when it was last told something, monotonic; 0: never */
    int lock_fd;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statements[HF_KVS_STATEMENTS];
    struct hf_list changed; /* buckets, in this transaction */
    struct hf_list stale;   /* buckets */
    struct hf_list touched; /* entries, in this transaction */
    struct hf_list waiting; /* entries whose newest value the tables do not have, oldest first */
    struct hf_list known;   /* the other entries, oldest first */
    uint64_t n_waiting, waiting_bytes, n_known, known_bytes;
    uint64_t n_touched, touched_bytes;
    struct hf_kvs_sweep sweep;
    int64_t log_first, log_last, log_last_kept; /* rows of the log; first > last: none */
    uint64_t log_bytes, log_bytes_kept;         /* written since the last sweep began */
    struct hf_buf row;                          /* of the log, being made */
    bool replaying;
    uint64_t group; /* number of the one that is done */
    int64_t version, version_kept;
    int64_t last_bucket, last_bucket_kept;
    int wal_pages, wal_done; /* in the WAL; of them in the file, as far as is known */
    struct hf_kvs_checkpoint checkpoint;
    bool broken; /* nobody knows what the disk has: nothing is done any more */
};

struct hf_kvs_door {
    struct hf_kv kv;
    struct hf_kvs *store;
    struct hf_wake *wake;      /* NULL: for buckets alone */
    uint64_t wrote_in;         /* the committer's: the last group with a write of this door */
    struct hf_letters answers; /* the committer's: on their way to it together */
    struct hf_list in_answered;
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
/* Tells the ear what SQLite's code means for whom: "DIR/holdfast.db: database or disk is full: ..."
 */
void hf_kvs_say(struct hf_kvs *s, int rc, const char *so);
uint64_t hf_kvs_now_ns(void); /* monotonic */
/* The bucket of a label that is not in the map yet (kv_sqlite.c; the lock is held). */
struct hf_kv_bucket *hf_kvs_bucket_new(struct hf_kvs *s, struct hf_view space, struct hf_view name);
enum hf_err hf_kvs_label(struct hf_view space, struct hf_view name, struct hf_buf *ret);

/* kv_sqlite_group.c. Of the list: the reads that need not wait for a commit, because their door has
 * no write before them here. They are moved to `done` with their results. */
void hf_kvs_reads(struct hf_kvs *s, struct hf_list *records, struct hf_list *done);
/* Does all of the list in one transaction. On return each has its result, and what was written is
 * on disk. */
void hf_kvs_group(struct hf_kvs *s, struct hf_list *records);
size_t hf_kvs_length(const struct hf_list *records);
/* `what` failed ("a commit failed"), and nobody knows what the disk has: nothing is done any more.
 */
void hf_kvs_break(struct hf_kvs *s, int rc, const char *what);

/* kv_sqlite_checkpoint.c: the WAL's way into the file. The committer's, between two transactions:
 * gives the thread its work, or waits for it, or does the last of it. */
void hf_kvs_checkpoint(struct hf_kvs *s);
/* After hf_kvs_file_open, before the committer begins; on failure close is still to be called.
 * Close comes when the committer is gone, before hf_kvs_file_close. */
enum hf_err hf_kvs_checkpoint_open(struct hf_kvs *s, struct hf_report *report);
void hf_kvs_checkpoint_close(struct hf_kvs *s);

/* kv_sqlite_list.c: a refusal is in the record, an error of SQLite is returned. */
int hf_kvs_list(struct hf_kvs *s, struct hf_kvs_record *rec);

/* kv_sqlite_row.c: the tables. All return SQLite's codes. */
int hf_kvs_run(struct hf_kvs *s, enum hf_kvs_statement which); /* one that gives no row */
int hf_kvs_bind(sqlite3_stmt *st, int at, struct hf_view v);   /* a blob, also an empty one */
/* The key's row: kind TABLE; id 0 if there is none. */
int hf_kvs_look(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                struct hf_kvs_state *ret);
/* The same with the value, whose sum is checked: good until hf_kvs_find_done, which must come. */
int hf_kvs_find(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                struct hf_kvs_state *ret, struct hf_view *value);
void hf_kvs_find_done(struct hf_kvs *s);
/* The key's row becomes `state` with this value; `had` is the id of the row that it has, or 0. */
int hf_kvs_write(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key, int64_t had,
                 const struct hf_kvs_state *state, struct hf_view value);
int hf_kvs_delete(struct hf_kvs *s, int64_t id);
int hf_kvs_write_counts(struct hf_kvs *s, const struct hf_kv_bucket *b);

/* kv_sqlite_overlay.c: keys in memory. What an operation sees is `next`, else `now`. */
struct hf_kvs_entry *hf_kvs_entry_get(struct hf_kv_bucket *b, struct hf_view key);
/* A key that is not in memory, as the tables have it. NULL: memory. */
struct hf_kvs_entry *hf_kvs_entry_new(struct hf_kvs *s, struct hf_kv_bucket *b, struct hf_view key,
                                      const struct hf_kvs_state *table);
static inline const struct hf_kvs_state *hf_kvs_seen(const struct hf_kvs_entry *e)
{
    return e->next.kind != HF_KVS_NONE ? &e->next : &e->now;
}
static inline int64_t hf_kvs_seen_table_id(const struct hf_kvs_entry *e)
{
    return e->next.kind != HF_KVS_NONE ? e->next_table_id : e->table_id;
}
static inline struct hf_view hf_kvs_entry_key(const struct hf_kvs_entry *e)
{
    return hf_view(e->key, e->key_len);
}
/* The entry's next state; a LIVE one's value is copied. False: memory, and nothing changed. */
bool hf_kvs_entry_put(struct hf_kvs *s, struct hf_kvs_entry *e, struct hf_kvs_state state,
                      struct hf_view value, int64_t table_id);
/* Is there room for a value more that is only in the log? */
bool hf_kvs_has_room(const struct hf_kvs *s, uint64_t bytes);
/* The transaction ended. version_kept is still the one before it. */
void hf_kvs_entries_end(struct hf_kvs *s, bool committed);
/* The tables have the entry's `now`. */
void hf_kvs_entry_applied(struct hf_kvs *s, struct hf_kvs_entry *e);
/* The first place above `id` whose key is there and not in the tables; NULL: none. */
const struct hf_kvs_place *hf_kvs_born_after(const struct hf_kv_bucket *b, int64_t id);
/* After a replay: puts the keys that are not in the tables in their places. False: memory. */
bool hf_kvs_born_all(struct hf_kvs *s);
void hf_kvs_entries_free(struct hf_kv_bucket *b);

/* kv_sqlite_apply.c: from the log into the tables. */
/* At open: all rows of the log become entries, and then go into the tables if the disk lets them.
 */
enum hf_err hf_kvs_replay(struct hf_kvs *s, struct hf_report *report);
/* Inside a transaction that writes: the row of the log; a part of the sweep (if one is due, or
 * `force`); and what the transaction's end means, before the entries are told. */
int hf_kvs_log_write(struct hf_kvs *s);
int hf_kvs_sweep_some(struct hf_kvs *s, size_t most, bool force);
void hf_kvs_sweep_end(struct hf_kvs *s, bool committed);
void hf_kvs_sweep_failed(struct hf_kvs *s, int rc); /* it waits a second before it tries again */
/* A transaction of the sweep alone. False: nothing is left to do, or it failed. */
bool hf_kvs_sweep_alone(struct hf_kvs *s, size_t most);
void hf_kvs_sweep_free(struct hf_kvs *s);

#endif
