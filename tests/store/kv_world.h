/* kv_world.h - a durable key-value store in a folder of its own, for tests.
 */
#ifndef HF_TESTS_STORE_KV_WORLD_H
#define HF_TESTS_STORE_KV_WORLD_H

#include "tests/store/kv_contract.h"

#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#include "store/kv_sqlite_int.h"

struct world { /* a store in a folder of its own, one door */
    char dir[64];
    struct hf_kv *first;
    struct hf_wake *wake;
    struct kv_case c;
    struct hf_kv_ear ear;
};

static bool step(struct kv_case *c)
{
    struct hf_wake *wake = c->ctx;
    if (HF_CONTAINER_OF(c->kv, struct hf_kvs_door, kv)->in_flight == 0)
        return false;
    if (hf_wake_deliver_all(wake) > 0)
        return true;
    if (hf_wake_sleep(wake)) {
        struct pollfd p = {.fd = hf_wake_fd(wake), .events = POLLIN};
        HF_ASSERT(poll(&p, 1, 30000) == 1);
        hf_wake_awake(wake);
    }
    hf_wake_deliver_all(wake);
    return true;
}

static enum hf_err try_open(struct world *w, struct hf_kv_limits limits, struct hf_report *report)
{
    hf_report_init(report);
    return hf_kv_sqlite_open(w->dir, &limits, 42, w->ear, &w->first, report);
}

static void reopen(struct world *w, struct hf_kv_limits limits)
{
    struct hf_report report;
    if (try_open(w, limits, &report) != HF_OK)
        fail_msg("%s", report.text);
    assert_int_equal(hf_wake_new(&w->wake, NULL), HF_OK);
    assert_int_equal(hf_kv_sqlite_door(w->first, w->wake, &w->c.kv), HF_OK);
    w->c.step = step;
    w->c.ctx = w->wake;
}

static void shut(struct world *w)
{
    hf_kv_close(w->c.kv);
    hf_wake_deliver_all(w->wake);
    hf_wake_free(w->wake);
    hf_kv_close(w->first);
}

static void make_dir(struct world *w)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof w->dir, "%s/hf-kv-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
}

static void file_of(const struct world *w, const char *name, char ret[128])
{
    snprintf(ret, 128, "%s/%s", w->dir, name);
}

static void remove_dir(struct world *w)
{
    static const char *const names[] = {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm",
                                        "holdfast.lock"};
    char path[128];
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        file_of(w, names[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(w->dir), 0);
}

static inline void open_new(struct world *w, struct hf_kv_limits limits)
{
    *w = (struct world){0};
    make_dir(w);
    reopen(w, limits);
}

static void close_gone(struct world *w)
{
    shut(w);
    remove_dir(w);
}

static inline void sql(const struct world *w, const char *text)
{
    char path[128];
    sqlite3 *db;
    file_of(w, "holdfast.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

#endif
