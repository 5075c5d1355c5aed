/* cache.c - files of compiled code, and small verdicts beside them, in one directory of ours.
 *
 * Compiled code is executed as it is found, so who can write here can run code as us: the directory
 * must be ours and closed to others (0700), every file ours and 0400, and a file is never changed:
 * written under a temporary name, synced, renamed. What does not look like that is not used. A name
 * is the hash of (key, fingerprint of the engine, version of the rewriter), so another build or
 * another setting finds nothing instead of something wrong.
 *
 * A verdict carries a CRC. Compiled code is checked by module.c, which keeps its size and CRC in a
 * verdict. Nothing is ever evicted here: files of older builds stay until somebody deletes the
 * directory.
 */
#include "engine/engine_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"

#define VERDICT_MAX ((uint64_t)64 << 20) /* bytes */
#define HEAD_LEN    16                   /* magic, CRC of what follows it, length */
static const char magic[4] = {'H', 'F', 'C', '1'};

/* ---- the directory ---- */

/* Makes the directory and those above it, each for us alone. */
static enum hf_err make_dirs(struct hf_os *os, const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return HF_LIMIT;
    enum hf_err err = HF_OK;
    for (char *at = copy + 1; err == HF_OK; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        err = os->path_mkdir(os, copy, 0700);
        *at = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return err;
}

static enum hf_err check_dir(const struct hf_os_stat *st, const char *dir, struct hf_report *report)
{
    if (st->is_link || !st->is_dir)
        return hf_report_set(report, HF_DENIED, "cache directory %s: it is %s, not a directory",
                             dir, st->is_link ? "a symbolic link" : "a file");
    if (st->uid != geteuid())
        return hf_report_set(report, HF_DENIED,
                             "cache directory %s: it belongs to user %u, and compiled code found "
                             "there would run as us "
                             "(user %u); choose another with --cache-dir, or remove it",
                             dir, st->uid, (unsigned)geteuid());
    if ((st->mode & 077) != 0)
        return hf_report_set(report, HF_DENIED,
                             "cache directory %s: others may enter it (mode %04o), and compiled "
                             "code found there would "
                             "run as us; run chmod 700 on it after looking who wrote there",
                             dir, st->mode & 07777);
    return HF_OK;
}

enum hf_err hf_cache_open(struct hf_engine *engine, struct hf_report *report)
{
    struct hf_os *os = engine->settings.os;
    const char *dir = engine->cache_dir;
    struct hf_os_stat st;
    if (dir[0] == '\0')
        return hf_report_set(report, HF_INVALID, "cache directory: the path is empty");
    enum hf_err err = os->path_stat(os, dir, &st);
    if (err == HF_NOT_FOUND) {
        err = make_dirs(os, dir);
        if (err == HF_OK)
            err = os->path_stat(os, dir, &st);
    }
    if (err != HF_OK)
        return hf_report_set(report, err, "cache directory %s: cannot be made or read (%s)", dir,
                             hf_err_text(err));
    return check_dir(&st, dir, report);
}

/* ---- files ---- */

char *hf_cache_path(const struct hf_engine *engine, const char *kind, const uint8_t key[32])
{
    static const uint32_t version = HF_REWRITER_VERSION;
    uint8_t hash[HF_SHA256_LEN];
    char hex[2 * HF_SHA256_LEN + 1];
    struct hf_sha256 *h = hf_sha256_new();
    if (h == NULL)
        return NULL;
    hf_sha256_add(h, key, 32);
    hf_sha256_add(h, engine->fingerprint, strlen(engine->fingerprint));
    hf_sha256_add(h, &version, sizeof version);
    hf_sha256_end(h, hash);
    hf_hex(hash, sizeof hash, hex);
    char *path;
    if (asprintf(&path, "%s/%s-%s", engine->cache_dir, kind, hex) < 0)
        return NULL;
    return path;
}

static enum hf_err write_temporary(struct hf_os *os, const char *path, struct hf_view bytes,
                                   struct hf_report *report)
{
    struct hf_os_file *f = NULL;
    enum hf_err err = os->file_open(os, path, HF_OS_CREATE, &f, report);
    if (err != HF_OK)
        return err;
    err = os->file_append(f, bytes.ptr, bytes.len);
    if (err == HF_OK)
        err = os->file_sync(f);
    os->file_close(f);
    if (err == HF_OK)
        err = os->path_chmod(os, path, 0400);
    return err;
}

enum hf_err hf_cache_write(struct hf_engine *engine, const char *path, struct hf_view bytes,
                           struct hf_report *report)
{
    struct hf_os *os = engine->settings.os;
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    char *temporary = NULL;
    enum hf_err err = os->random(os, random, sizeof random);
    if (err != HF_OK)
        return hf_report_set(report, err, "no random bytes for a temporary name");
    hf_hex(random, sizeof random, hex);
    if (asprintf(&temporary, "%s.tmp-%s", path, hex) < 0)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    err = write_temporary(os, temporary, bytes, report);
    if (err == HF_OK)
        err = os->path_rename(os, temporary, path);
    if (err == HF_OK)
        err = os->dir_sync(os, engine->cache_dir);
    else
        (void)os->path_remove(os, temporary); /* best effort: the write has failed already */
    free(temporary);
    return err == HF_OK ? HF_OK
                        : hf_report_set(report, err, "writing %s: %s", path, hf_err_text(err));
}

enum hf_err hf_cache_check(const struct hf_engine *engine, const char *path, uint64_t size,
                           uint64_t *ret)
{
    struct hf_os *os = engine->settings.os;
    struct hf_os_stat st;
    enum hf_err err = os->path_stat(os, path, &st);
    if (err != HF_OK)
        return HF_NOT_FOUND;
    if (st.is_dir || st.is_link || st.uid != geteuid() || (st.mode & 0377) != 0)
        return HF_CORRUPT;
    if (size != UINT64_MAX && st.size != size)
        return HF_CORRUPT;
    if (ret != NULL)
        *ret = st.size;
    return HF_OK;
}

void hf_cache_trouble(struct hf_engine *engine, const struct hf_report *report)
{
    pthread_mutex_lock(&engine->trouble_lock);
    engine->troubles++;
    engine->trouble = *report;
    pthread_mutex_unlock(&engine->trouble_lock);
}

uint64_t hf_engine_cache_troubles(struct hf_engine *engine, struct hf_report *last)
{
    pthread_mutex_lock(&engine->trouble_lock);
    uint64_t n = engine->troubles;
    if (last != NULL && n != 0)
        *last = engine->trouble;
    pthread_mutex_unlock(&engine->trouble_lock);
    return n;
}

/* ---- verdicts ---- */

static bool good_kind(const char *kind)
{
    for (const char *c = kind; *c != '\0'; c++)
        if (*c < 'a' || *c > 'z')
            return false;
    return kind[0] != '\0';
}

/* The file's contents without their head. HF_CORRUPT: it is there and not what we wrote. */
static enum hf_err read_verdict(struct hf_engine *engine, const char *path, struct hf_buf *ret)
{
    struct hf_os *os = engine->settings.os;
    struct hf_os_file *f = NULL;
    uint8_t head[HEAD_LEN];
    uint64_t size;
    size_t got = 0, before = ret->len;
    enum hf_err err = hf_cache_check(engine, path, UINT64_MAX, &size);
    if (err != HF_OK)
        return err;
    if (size < HEAD_LEN || size > VERDICT_MAX)
        return HF_CORRUPT;
    err = hf_buf_reserve(ret, (size_t)size);
    if (err == HF_OK)
        err = os->file_open(os, path, HF_OS_READ, &f, NULL);
    if (err != HF_OK)
        return err;
    size_t len = (size_t)size - HEAD_LEN;
    err = os->file_read_at(f, 0, head, HEAD_LEN, &got);
    if (err == HF_OK && got == HEAD_LEN)
        err = os->file_read_at(f, HEAD_LEN, ret->ptr + before, len, &got);
    os->file_close(f);
    if (err != HF_OK)
        return err;
    struct hf_reader r = hf_reader(hf_view(head, sizeof head));
    bool ours = hf_view_eq(hf_read_bytes(&r, 4), hf_view(magic, 4));
    uint32_t crc = hf_read_u32le(&r);
    uint32_t now = hf_crc32c(hf_crc32c(0, head + 8, HEAD_LEN - 8), ret->ptr + before, got);
    if (!ours || got != len || hf_read_u64le(&r) != len || crc != now)
        return HF_CORRUPT;
    ret->len = before + len;
    ret->ptr[ret->len] = '\0';
    return HF_OK;
}

enum hf_err hf_cache_get(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_buf *ret)
{
    HF_ASSERT(good_kind(kind));
    if (engine->cache_dir == NULL)
        return HF_NOT_FOUND;
    char *path = hf_cache_path(engine, kind, key);
    if (path == NULL)
        return HF_NOT_FOUND;
    enum hf_err err = read_verdict(engine, path, ret);
    if (err == HF_CORRUPT) {
        struct hf_report report = {0};
        hf_report_set(&report, HF_CORRUPT, "%s was damaged, or not written by us: removed", path);
        (void)engine->settings.os->path_remove(engine->settings.os,
                                               path); /* a stranger's may refuse to go */
        hf_cache_trouble(engine, &report);
    }
    free(path);
    return err == HF_OK ? HF_OK : HF_NOT_FOUND;
}

enum hf_err hf_cache_put(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_view bytes, struct hf_report *report)
{
    HF_ASSERT(good_kind(kind));
    if (engine->cache_dir == NULL)
        return hf_report_set(report, HF_NOT_FOUND, "there is no cache directory");
    if (bytes.len > VERDICT_MAX - HEAD_LEN)
        return hf_report_set(report, HF_LIMIT, "%zu bytes are too much for one cache entry",
                             bytes.len);
    struct hf_buf rest = {0}, file = {0};
    char *path = hf_cache_path(engine, kind, key);
    enum hf_err err = path == NULL ? HF_LIMIT : hf_write_u64le(&rest, bytes.len);
    if (err == HF_OK)
        err = hf_buf_add_view(&rest, bytes);
    if (err == HF_OK)
        err = hf_buf_add(&file, magic, sizeof magic);
    if (err == HF_OK)
        err = hf_write_u32le(&file, hf_crc32c(0, rest.ptr, rest.len));
    if (err == HF_OK)
        err = hf_buf_add_view(&file, hf_buf_view(&rest));
    if (err == HF_OK)
        err = hf_cache_write(engine, path, hf_buf_view(&file), report);
    else
        hf_report_set(report, err, "out of memory");
    hf_buf_done(&rest);
    hf_buf_done(&file);
    free(path);
    return err;
}
