/* fs_test.c - granted folders: opening, attributes, names, data; each verb says what the system
 * says. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_fs.h"

static const struct hf_fs_new_time now = {.how = HF_FS_NOW};

/* ---- opening ---- */

static void open_flags(void **state)
{
    const struct place *p = *state;
    struct stat st;
    p->fs->close(p->fs, opened(p, "file", HF_FS_READ, 0));
    opened(p, "none", HF_FS_READ, ENOENT);
    opened(p, "file", HF_FS_DIRECTORY, ENOTDIR);
    p->fs->close(p->fs, opened(p, "sub", HF_FS_DIRECTORY, 0));
    opened(p, "sub", HF_FS_WRITE, EISDIR);
    opened(p, "file", HF_FS_WRITE | HF_FS_CREATE | HF_FS_EXCLUSIVE, EEXIST);
    opened(p, "dangling", HF_FS_WRITE | HF_FS_CREATE | HF_FS_EXCLUSIVE | HF_FS_FOLLOW, EEXIST);
    opened(p, "tofile", HF_FS_READ, ELOOP);
    p->fs->close(p->fs, opened(p, "tofile", HF_FS_READ | HF_FS_FOLLOW, 0));
    p->fs->close(p->fs, opened(p, "tosub/deep", HF_FS_READ, 0)); /* links on the way are followed */
    int fd = opened(p, "new", HF_FS_READ | HF_FS_WRITE | HF_FS_CREATE | HF_FS_EXCLUSIVE, 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    p->fs->close(p->fs, fd);
    fd = opened(p, "file", HF_FS_WRITE | HF_FS_TRUNCATE, 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    p->fs->close(p->fs, fd);
    assert_int_equal(stat(path(p->in, "file"), &st), 0);
    assert_int_equal(st.st_size, 0);
}

/* Nobody is at the other end of the pipe; an open that waited would hang the test (and the alarm
 * would end it). */
static void special_files_are_refused_at_once(void **state)
{
    const struct place *p = *state;
    static const uint32_t ways[] = {HF_FS_READ, HF_FS_WRITE, HF_FS_READ | HF_FS_WRITE,
                                    HF_FS_WRITE | HF_FS_CREATE};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct hf_fs_stat st;
    alarm(20);
    assert_int_equal(mkfifo(path(p->in, "pipe"), 0644), 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", p->in);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    bool device = mknod(path(p->in, "null"), S_IFCHR | 0666, (1 << 8) | 3) == 0;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++) {
        opened(p, "pipe", ways[i], ENOTSUP);
        opened(p, "socket", ways[i], ENOTSUP);
        if (device && access(path(p->in, "null"), R_OK) == 0) {
            int number, fd;
            enum hf_fs_type type;
            number = p->fs->open(p->fs, p->dir, "null", ways[i], &fd, &type);
            assert_true(number == ENOTSUP || number == EACCES); /* EACCES: mounted nodev */
        }
    }
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "pipe", true, &st), 0);
    assert_int_equal(st.type, HF_FS_PIPE);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "socket", true, &st), 0);
    assert_int_equal(st.type, HF_FS_SOCKET);
    close(s);
    alarm(0);
}

/* ---- attributes ---- */

static void attributes(void **state)
{
    const struct place *p = *state;
    struct hf_fs_stat a, b;
    struct stat st;
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "file", false, &a), 0);
    assert_int_equal(stat(path(p->in, "file"), &st), 0);
    assert_int_equal(a.type, HF_FS_FILE);
    assert_int_equal(a.size, 7);
    assert_int_equal(a.links, 1);
    assert_true(a.ino == st.st_ino && a.dev == st.st_dev);
    assert_true(a.modified.s == st.st_mtim.tv_sec && a.modified.ns == (uint32_t)st.st_mtim.tv_nsec);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "tofile", false, &b), 0);
    assert_int_equal(b.type, HF_FS_LINK);
    assert_int_equal(b.size, 4);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "tofile", true, &b), 0);
    assert_true(b.ino == a.ino);
    int fd = opened(p, "file", HF_FS_READ, 0);
    assert_int_equal(p->fs->stat(p->fs, fd, &b), 0);
    assert_true(b.ino == a.ino && b.size == a.size);
    p->fs->close(p->fs, fd);
}

static void times(void **state)
{
    const struct place *p = *state;
    static const struct hf_fs_new_time keep = {.how = HF_FS_KEEP},
                                       then = {.how = HF_FS_AT, .at = {1234567890, 123456789}},
                                       bad = {.how = HF_FS_AT, .at = {1, 1000000000}},
                                       old = {.how = HF_FS_AT, .at = {-5, 0}};
    struct hf_fs_stat before, st;
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "file", false, &before), 0);
    int fd = opened(p, "file", HF_FS_READ, 0);
    assert_int_equal(p->fs->set_times(p->fs, fd, &keep, &then), 0);
    assert_int_equal(p->fs->stat(p->fs, fd, &st), 0);
    assert_true(st.modified.s == 1234567890 && st.modified.ns == 123456789);
    assert_true(st.accessed.s == before.accessed.s && st.accessed.ns == before.accessed.ns);
    assert_int_equal(p->fs->set_times(p->fs, fd, &bad, &keep), EINVAL);
    assert_int_equal(p->fs->set_times(p->fs, fd, &old, &now), 0);
    assert_int_equal(p->fs->stat(p->fs, fd, &st), 0);
    assert_true(st.accessed.s == -5 && st.modified.s >= before.modified.s);
    p->fs->close(p->fs, fd);
    /* The link's own times, or its target's. */
    assert_int_equal(p->fs->set_times_at(p->fs, p->dir, "tofile", false, &then, &then), 0);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "file", false, &st), 0);
    assert_true(st.modified.s != 1234567890);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "tofile", false, &st), 0);
    assert_true(st.modified.s == 1234567890);
    assert_int_equal(p->fs->set_times_at(p->fs, p->dir, "tofile", true, &then, &then), 0);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "file", false, &st), 0);
    assert_true(st.modified.s == 1234567890);
}

static void links(void **state)
{
    const struct place *p = *state;
    char text[64];
    size_t n = 0;
    struct hf_fs_stat a, b;
    assert_int_equal(p->fs->readlink(p->fs, p->dir, "sub/back", text, sizeof text, &n), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "../file", 7);
    assert_int_equal(p->fs->readlink(p->fs, p->dir, "sub/back", text, 3, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(v_readlink(p, "file"), EINVAL);
    assert_int_equal(v_readlink(p, "sub"), EINVAL);
    assert_int_equal(p->fs->symlink(p->fs, "/etc/passwd", p->dir, "x"), EPERM);
    assert_int_equal(p->fs->symlink(p->fs, "../../up", p->dir, "x"),
                     0); /* to say it is fine, to use it is not */
    assert_int_equal(v_stat(p, "x"), EPERM);
    assert_int_equal(v_stat(p, "sub/back"), 0);
    assert_int_equal(p->fs->link(p->fs, p->dir, "file", p->dir, "sub/hard"), 0);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "file", false, &a), 0);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "sub/hard", false, &b), 0);
    assert_true(a.ino == b.ino && b.links == 2);
    assert_int_equal(p->fs->link(p->fs, p->dir, "file", p->dir, "sub/hard"), EEXIST);
    assert_int_equal(p->fs->link(p->fs, p->dir, "none", p->dir, "y"), ENOENT);
    assert_int_equal(p->fs->link(p->fs, p->dir, "sub", p->dir, "y"), EPERM);
    assert_int_equal(p->fs->link(p->fs, p->dir, "zigzag", p->dir, "y"),
                     0); /* the link itself, not what is outside */
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "y", false, &a), 0);
    assert_int_equal(a.type, HF_FS_LINK);
    outside_is_whole(p);
}

static void names(void **state)
{
    const struct place *p = *state;
    struct hf_fs_stat st;
    assert_int_equal(v_mkdir(p, "a"), 0);
    assert_int_equal(v_mkdir(p, "a"), EEXIST);
    assert_int_equal(v_mkdir(p, "none/a"), ENOENT);
    assert_int_equal(v_mkdir(p, "file/a"), ENOTDIR);
    assert_int_equal(v_mkdir(p, "tosub/a"), 0);
    assert_int_equal(v_rmdir(p, "sub"), ENOTEMPTY);
    assert_int_equal(v_rmdir(p, "sub/a"), 0);
    assert_int_equal(v_rmdir(p, "file"), ENOTDIR);
    assert_int_equal(v_unlink(p, "a"), EISDIR);
    assert_int_equal(v_unlink(p, "zigzag"), 0); /* the link, not what it leads to */
    assert_int_equal(v_unlink(p, "absolute"), 0);
    assert_int_equal(p->fs->rename(p->fs, p->dir, "file", p->dir, "a/moved"), 0);
    assert_int_equal(p->fs->rename(p->fs, p->dir, "a", p->dir, "a/b"), EINVAL);
    assert_int_equal(p->fs->rename(p->fs, p->dir, "a", p->dir, "sub"), ENOTEMPTY);
    assert_int_equal(p->fs->rename(p->fs, p->dir, "a/moved", p->dir, "sub"), EISDIR);
    int sub = opened(p, "sub", HF_FS_DIRECTORY, 0);
    assert_int_equal(p->fs->rename(p->fs, p->dir, "a/moved", sub, "here"), 0);
    assert_int_equal(p->fs->rename(p->fs, sub, "here", sub, "../there"), EPERM);
    assert_int_equal(p->fs->rename(p->fs, sub, "../tofile", p->dir, "z"), EPERM);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "sub/here", false, &st), 0);
    p->fs->close(p->fs, sub);
    outside_is_whole(p);
}

/* ---- data ---- */

static void reading_and_writing(void **state)
{
    const struct place *p = *state;
    char text[32];
    size_t n;
    int fd = opened(p, "file", HF_FS_READ | HF_FS_WRITE, 0);
    assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 3, &n), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(text, "tent", 4);
    assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 7, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(p->fs->write_at(p->fs, fd, "XY", 2, 1, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(p->fs->append(p->fs, fd, "++", 2, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 0, &n), 0);
    assert_int_equal(n, 9);
    assert_memory_equal(text, "cXYtent++", 9);
    assert_int_equal(p->fs->write_at(p->fs, fd, "end", 3, 20, &n), 0); /* a hole between */
    assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 9, &n), 0);
    assert_int_equal(n, 14);
    assert_memory_equal(text, "\0\0\0\0\0\0\0\0\0\0\0end", 14);
    assert_int_equal(p->fs->set_size(p->fs, fd, 2), 0);
    assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 0, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(p->fs->sync(p->fs, fd, true) | p->fs->sync(p->fs, fd, false), 0);
    for (int a = HF_FS_NORMAL; a <= HF_FS_NO_REUSE; a++)
        assert_int_equal(p->fs->advise(p->fs, fd, 0, 0, (enum hf_fs_advice)a), 0);
    assert_int_equal(p->fs->advise(p->fs, fd, UINT64_MAX, 0, HF_FS_NORMAL), EINVAL);
    assert_int_equal(p->fs->advise(p->fs, fd, 0, UINT64_MAX, HF_FS_NORMAL), EINVAL);
    p->fs->close(p->fs, fd);
    fd = opened(p, "file", HF_FS_READ, 0);
    assert_int_equal(p->fs->write_at(p->fs, fd, "XY", 2, 1, &n), EBADF);
    assert_int_equal(p->fs->append(p->fs, fd, "XY", 2, &n), EBADF);
    p->fs->close(p->fs, fd);
}

/* What was just written is in memory; what was thrown out of it is not waited for, or (where the
 * system keeps it) is there. */
static void reading_without_waiting(void **state)
{
    const struct place *p = *state;
    static char bytes[1 << 20], text[1 << 20];
    size_t n;
    int fd = opened(p, "big", HF_FS_READ | HF_FS_WRITE | HF_FS_CREATE, 0);
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(p->fs->write_at(p->fs, fd, bytes, sizeof bytes, 0, &n), 0);
    assert_int_equal(p->fs->read_now(p->fs, fd, text, sizeof text, 0, &n), 0);
    assert_int_equal(n, sizeof bytes);
    assert_memory_equal(text, bytes, n);
    assert_int_equal(p->fs->read_now(p->fs, fd, text, sizeof text, sizeof bytes, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(p->fs->read_now(p->fs, fd, text, sizeof text, UINT64_MAX, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(p->fs->sync(p->fs, fd, false), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    int number = p->fs->read_now(p->fs, fd, text, sizeof text, 0, &n);
    assert_true(number == EAGAIN || number == 0);
    if (number == 0)
        assert_true(n > 0 && memcmp(text, bytes, n) == 0);
    assert_int_equal(p->fs->read_at(p->fs, fd, text, 4096, 0, &n), 0);
    assert_int_equal(n, 4096);
    assert_int_equal(p->fs->read_now(p->fs, fd, text, 4096, 0, &n), 0); /* it is in memory now */
    assert_true(n > 0 && n <= 4096);
    p->fs->close(p->fs, fd);
    fd = opened(p, "big", HF_FS_WRITE, 0);
    assert_int_equal(p->fs->read_now(p->fs, fd, text, 1, 0, &n), EBADF);
    p->fs->close(p->fs, fd);
}

static void huge_offsets(void **state)
{
    const struct place *p = *state;
    static const uint64_t far[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, INT64_MAX - 1};
    char text[8];
    size_t n = 9;
    int fd = opened(p, "file", HF_FS_READ | HF_FS_WRITE, 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(far); i++) {
        assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, far[i], &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(p->fs->write_at(p->fs, fd, "abcd", 4, far[i], &n), EFBIG);
        assert_int_equal(n, 0);
    }
    assert_int_equal(p->fs->set_size(p->fs, fd, UINT64_MAX), EFBIG);
    int number = p->fs->set_size(p->fs, fd, INT64_MAX);
    assert_true(number == EFBIG || number == EINVAL || number == 0); /* as the file system can */
    p->fs->close(p->fs, fd);
}

/* As cli/main.c does, the signal is ignored; a part of the write went. */
static void a_limit_on_file_size(void **state)
{
    const struct place *p = *state;
    pid_t pid = fork();
    if (pid == 0) {
        enum hf_fs_type type;
        size_t n = 99;
        int fd;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
        if (p->fs->open(p->fs, p->dir, "file", HF_FS_WRITE, &fd, &type) != 0)
            _exit(1);
        if (p->fs->write_at(p->fs, fd, "abcdefgh", 8, 4090, &n) != EFBIG || n != 6)
            _exit(2);
        if (p->fs->append(p->fs, fd, "abcdefgh", 8, &n) != EFBIG || n != 0)
            _exit(3);
        _exit(p->fs->set_size(p->fs, fd, 5000) == EFBIG ? 0 : 4);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- folders ---- */

static void listing(void **state)
{
    const struct place *p = *state;
    struct hf_fs_list *list, *other;
    struct hf_view name;
    enum hf_fs_type type;
    char file[64];
    unsigned seen = 0, odd = 0;
    assert_int_equal(p->fs->mkdir(p->fs, p->dir, "many"), 0);
    for (int i = 0; i < 1000; i++) { /* several pieces */
        snprintf(file, sizeof file, "many/name-%04d", i);
        assert_int_equal(v_create(p, file), 0);
    }
    assert_int_equal(v_create(p, "many/\xff\xfe"), 0); /* names are bytes here */
    int many = opened(p, "many", HF_FS_DIRECTORY, 0);
    assert_int_equal(p->fs->list_open(p->fs, many, &list), 0);
    assert_int_equal(p->fs->list_open(p->fs, many, &other), 0);
    p->fs->close(p->fs, many);
    for (;;) {
        assert_int_equal(p->fs->list_next(p->fs, list, &name, &type), 0);
        if (name.ptr == NULL)
            break;
        assert_int_equal(type, HF_FS_FILE);
        assert_false(hf_view_eq_text(name, ".") || hf_view_eq_text(name, ".."));
        odd += hf_view_eq_text(name, "\xff\xfe");
        seen++;
    }
    assert_int_equal(seen, 1001);
    assert_int_equal(odd, 1);
    assert_int_equal(p->fs->list_next(p->fs, list, &name, &type), 0); /* the end stays the end */
    assert_null(name.ptr);
    assert_int_equal(p->fs->list_next(p->fs, other, &name, &type),
                     0); /* one does not move the other */
    assert_non_null(name.ptr);
    p->fs->list_close(p->fs, list);
    p->fs->list_close(p->fs, other);
    p->fs->list_close(p->fs, NULL);
    int fd = opened(p, "file", HF_FS_READ, 0);
    assert_int_equal(p->fs->list_open(p->fs, fd, &list), ENOTDIR);
    p->fs->close(p->fs, fd);
}

static void types_in_a_listing(void **state)
{
    const struct place *p = *state;
    struct hf_fs_list *list;
    struct hf_view name;
    enum hf_fs_type type;
    unsigned right = 0;
    assert_int_equal(mkfifo(path(p->in, "pipe"), 0644), 0);
    assert_int_equal(p->fs->list_open(p->fs, p->dir, &list), 0);
    while (p->fs->list_next(p->fs, list, &name, &type) == 0 && name.ptr != NULL) {
        right += hf_view_eq_text(name, "pipe") && type == HF_FS_PIPE;
        right += hf_view_eq_text(name, "sub") && type == HF_FS_FOLDER;
        right += hf_view_eq_text(name, "file") && type == HF_FS_FILE;
        right += hf_view_eq_text(name, "up") && type == HF_FS_LINK;
    }
    assert_int_equal(right, 4);
    p->fs->list_close(p->fs, list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(open_flags),
        IN_PLACE(special_files_are_refused_at_once),
        IN_PLACE(attributes),
        IN_PLACE(times),
        IN_PLACE(links),
        IN_PLACE(names),
        IN_PLACE(reading_and_writing),
        IN_PLACE(reading_without_waiting),
        IN_PLACE(huge_offsets),
        IN_PLACE(a_limit_on_file_size),
        IN_PLACE(listing),
        IN_PLACE(types_in_a_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
