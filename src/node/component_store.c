/* component_store.c - see component_store.h. */
#include "node/component_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "node/whole_file.h"

#define PREFIX HF_COMPONENT_FILE_BEGINS
#define SUFFIX HF_COMPONENT_FILE_ENDS

/* ---- names ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Exactly 64 digits and then `end`. */
static bool read_hash(const char *hex, const char *end, uint8_t hash[HF_SHA256_LEN])
{
    for (size_t i = 0; i < HF_SHA256_LEN; i++) {
        int high = digit(hex[2 * i]),
            low = high < 0 ? -1 : digit(hex[2 * i + 1]); /* a NUL is no digit */
        if (low < 0)
            return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return strcmp(hex + (size_t)2 * HF_SHA256_LEN, end) == 0;
}

bool hf_component_hash_of(const char *text, uint8_t hash[HF_SHA256_LEN])
{
    size_t n = strlen(HF_COMPONENT_NAME);
    return strncmp(text, HF_COMPONENT_NAME, n) == 0 && read_hash(text + n, "", hash);
}

const char *hf_component_hash_text(const uint8_t hash[HF_SHA256_LEN],
                                   char to[HF_COMPONENT_TEXT_MAX])
{
    strcpy(to, HF_COMPONENT_NAME);
    hf_hex(hash, HF_SHA256_LEN, to + strlen(HF_COMPONENT_NAME));
    return to;
}

/* Ours are in small letters: one name for one content. */
static bool hash_of_file(const char *name, uint8_t hash[HF_SHA256_LEN])
{
    size_t n = strlen(PREFIX);
    if (strncmp(name, PREFIX, n) != 0 || !read_hash(name + n, SUFFIX, hash))
        return false;
    return strpbrk(name + n, "ABCDEF") == NULL;
}

static void name_of(const uint8_t hash[HF_SHA256_LEN], char name[96])
{
    strcpy(name, PREFIX);
    hf_hex(hash, HF_SHA256_LEN, name + strlen(PREFIX));
    strcat(name, SUFFIX);
}

/* ---- the folder ---- */

enum hf_err hf_component_store_init(struct hf_component_store *s, const char *dir,
                                    uint64_t count_max, uint64_t bytes_max)
{
    *s = (struct hf_component_store){
        .count_max = count_max != 0 ? count_max : HF_COMPONENTS_MAX,
        .bytes_max = bytes_max != 0 ? bytes_max : HF_COMPONENTS_BYTES_MAX,
        .lock_fd = -1,
    };
    if (asprintf(&s->folder, "%s/" HF_COMPONENTS_FOLDER, dir) < 0)
        s->folder = NULL;
    return s->folder == NULL ? HF_LIMIT : HF_OK;
}

void hf_component_store_done(struct hf_component_store *s)
{
    if (s->folder != NULL)
        hf_component_store_unlock(s);
    free(s->folder);
    s->folder = NULL;
}

static enum hf_err failed(const struct hf_component_store *s, struct hf_report *report)
{
    return hf_report_set(report, HF_IO, "%s: %s", s->folder, strerror(errno));
}

/* The folder's own name is durable before anything in it is. */
static enum hf_err make_folder(const struct hf_component_store *s, struct hf_report *report)
{
    char *slash = strrchr(s->folder, '/');
    if (mkdir(s->folder, 0700) != 0)
        return errno == EEXIST ? HF_OK : failed(s, report);
    *slash = 0;
    enum hf_err err = hf_whole_file_sync_folder(s->folder, report);
    *slash = '/';
    return err;
}

/* Asks again and again: who waits in flock() waits for ever for a process that was suspended. */
static enum hf_err wait_for_lock(const struct hf_component_store *s, struct hf_report *report)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct timespec now, until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HF_COMPONENTS_LOCK_S;
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return failed(s, report);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > until.tv_sec)
            return hf_report_set(report, HF_IO,
                                 "%s is being changed by another process, for more than %d seconds",
                                 s->folder, HF_COMPONENTS_LOCK_S);
        nanosleep(&pause, NULL);
    }
    return HF_OK;
}

enum hf_err hf_component_store_lock(struct hf_component_store *s, struct hf_report *report)
{
    HF_ASSERT(s->lock_fd < 0);
    enum hf_err err = make_folder(s, report);
    if (err != HF_OK)
        return err;
    s->lock_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = s->lock_fd < 0 ? failed(s, report) : wait_for_lock(s, report);
    if (err == HF_OK)
        err = hf_whole_file_sweep(s->folder, report);
    if (err != HF_OK)
        hf_component_store_unlock(s);
    return err;
}

void hf_component_store_unlock(struct hf_component_store *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    s->lock_fd = -1;
}

char *hf_component_store_path(const struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN])
{
    char name[96], *path = NULL;
    name_of(hash, name);
    return asprintf(&path, "%s/%s", s->folder, name) < 0 ? NULL : path;
}

static enum hf_err no_memory(struct hf_report *report)
{
    return hf_report_set(report, HF_LIMIT, "out of memory");
}

/* ---- one component ---- */

bool hf_component_store_has(const struct hf_component_store *s, const uint8_t hash[HF_SHA256_LEN])
{
    struct stat st;
    char *path = hf_component_store_path(s, hash);
    bool ret = path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return ret;
}

static enum hf_err verify(const char *path, struct hf_view bytes, const uint8_t hash[HF_SHA256_LEN],
                          struct hf_report *report)
{
    uint8_t is[HF_SHA256_LEN];
    char text[2 * HF_SHA256_LEN + 1];
    hf_sha256(bytes.ptr, bytes.len, is);
    if (memcmp(is, hash, HF_SHA256_LEN) == 0)
        return HF_OK;
    hf_hex(is, HF_SHA256_LEN, text);
    return hf_report_set(
        report, HF_CORRUPT,
        "%s is not what its name says: its SHA-256 is %s; it was changed or is damaged, and is not "
        "used. `holdfast components add FILE` with the right file puts it right",
        path, text);
}

enum hf_err hf_component_store_get(const struct hf_component_store *s,
                                   const uint8_t hash[HF_SHA256_LEN], struct hf_buf *ret,
                                   struct hf_report *report)
{
    size_t before = ret->len;
    char *path = hf_component_store_path(s, hash);
    if (path == NULL)
        return no_memory(report);
    enum hf_err err = hf_whole_file_read(path, HF_COMPONENT_BYTES_MAX, ret, report);
    if (err == HF_OK)
        err = verify(path, hf_view_skip(hf_buf_view(ret), before), hash, report);
    if (err != HF_OK)
        ret->len = before;
    free(path);
    return err;
}

enum hf_err hf_component_store_put(struct hf_component_store *s, struct hf_view bytes,
                                   uint8_t hash[HF_SHA256_LEN], struct hf_report *report)
{
    struct hf_report unused;
    struct hf_buf there = {0};
    HF_ASSERT(s->lock_fd >= 0);
    if (bytes.len > HF_COMPONENT_BYTES_MAX)
        return hf_report_set(report, HF_LIMIT, "a component may have 512 MiB at most");
    hf_sha256(bytes.ptr, bytes.len, hash);
    char *path = hf_component_store_path(s, hash);
    if (path == NULL)
        return no_memory(report);
    hf_report_init(&unused);
    bool same = hf_component_store_get(s, hash, &there, &unused) == HF_OK;
    hf_buf_done(&there);
    enum hf_err err = same ? (utimensat(AT_FDCWD, path, NULL, 0) != 0 ? failed(s, report) : HF_OK)
                           : hf_whole_file_prepare(path, bytes, report);
    if (err == HF_OK)
        err = same ? hf_whole_file_sync_folder(s->folder, report)
                   : hf_whole_file_commit(path, report);
    free(path);
    return err;
}

enum hf_err hf_component_store_remove(struct hf_component_store *s,
                                      const uint8_t hash[HF_SHA256_LEN], struct hf_report *report)
{
    HF_ASSERT(s->lock_fd >= 0);
    char *path = hf_component_store_path(s, hash);
    if (path == NULL)
        return no_memory(report);
    enum hf_err err = unlink(path) == 0 ? HF_OK
                      : errno == ENOENT
                          ? hf_report_set(report, HF_NOT_FOUND, "there is no %s", path)
                          : hf_report_set(report, HF_IO, "%s: %s", path, strerror(errno));
    free(path);
    return err;
}

/* ---- all of them ---- */

static int newest_first(const void *a, const void *b)
{
    const struct hf_stored *x = a, *y = b;
    if (x->used_ns != y->used_ns)
        return x->used_ns > y->used_ns ? -1 : 1;
    return memcmp(x->hash, y->hash, sizeof x->hash);
}

enum hf_err hf_component_store_list(const struct hf_component_store *s, struct hf_stored_list *ret,
                                    struct hf_report *report)
{
    enum hf_err err = HF_OK;
    DIR *dir = opendir(s->folder);
    if (dir == NULL)
        return errno == ENOENT ? HF_OK : failed(s, report);
    for (struct dirent *e; err == HF_OK && (e = readdir(dir)) != NULL;) {
        struct hf_stored one;
        struct stat st;
        if (!hash_of_file(e->d_name, one.hash) ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        one.bytes = (uint64_t)st.st_size;
        one.used_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
        if (ret->len >= HF_COMPONENTS_SEEN_MAX)
            err = hf_report_set(report, HF_LIMIT, "%s has more than %u files", s->folder,
                                HF_COMPONENTS_SEEN_MAX);
        else if (!HF_VEC_PUSH(ret, one))
            err = no_memory(report);
    }
    closedir(dir);
    if (ret->len > 0)
        qsort(ret->ptr, ret->len, sizeof ret->ptr[0], newest_first);
    return err;
}

static bool is_in(const uint8_t (*pins)[HF_SHA256_LEN], size_t n, const uint8_t hash[HF_SHA256_LEN])
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(pins[i], hash, HF_SHA256_LEN) == 0)
            return true;
    return false;
}

enum hf_err hf_component_store_room(const struct hf_component_store *s,
                                    const uint8_t (*pins)[HF_SHA256_LEN], size_t n_pins,
                                    size_t n_more, uint64_t more, struct hf_report *report)
{
    struct hf_stored_list all = {0};
    uint64_t count = n_more, bytes = more;
    enum hf_err err = hf_component_store_list(s, &all, report);
    for (size_t i = 0; i < all.len; i++)
        if (is_in(pins, n_pins, all.ptr[i].hash)) {
            count++;
            bytes += all.ptr[i].bytes;
        }
    HF_VEC_DONE(&all);
    if (err == HF_OK && (count > s->count_max || bytes > s->bytes_max))
        err = hf_report_set(report, HF_LIMIT,
                            "%s has no room: %llu components of %llu bytes would be in use, and "
                            "%llu of %llu may be there; "
                            "raise max or bytes_max in [node.components] of the manifest",
                            s->folder, (unsigned long long)count, (unsigned long long)bytes,
                            (unsigned long long)s->count_max, (unsigned long long)s->bytes_max);
    return err;
}

enum hf_err hf_component_store_prune(struct hf_component_store *s,
                                     const uint8_t (*pins)[HF_SHA256_LEN], size_t n_pins,
                                     size_t *removed, struct hf_report *report)
{
    struct hf_stored_list all = {0};
    uint64_t count = 0, bytes = 0;
    size_t gone = 0;
    enum hf_err err = hf_component_store_list(s, &all, report);
    for (size_t i = 0; i < all.len; i++) {
        count++;
        bytes += all.ptr[i].bytes;
    }
    for (size_t i = all.len;
         i > 0 && err == HF_OK && (count > s->count_max || bytes > s->bytes_max); i--) {
        const struct hf_stored *one = &all.ptr[i - 1];
        if (is_in(pins, n_pins, one->hash))
            continue;
        err = hf_component_store_remove(s, one->hash, report);
        if (err == HF_NOT_FOUND)
            err = HF_OK;
        count--;
        bytes -= one->bytes;
        gone++;
    }
    HF_VEC_DONE(&all);
    if (removed != NULL)
        *removed = gone;
    return err;
}
