/* fs_test.c - granted folders: nothing leads out of one, by any verb, and each verb says what the
 * system says. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/fs_path.h"
#include "support.h"

/* base/in is granted; base/out, with a file and a folder in it, is the world outside. */
struct place {
    const struct hf_fs *fs;
    char base[64], in[80], out[80];
    int dir;
    int fds; /* open before */
};

static int count_fds(void)
{
    char name[32];
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        n += access(name, F_OK) == 0;
    }
    return n;
}

static const char *path(const char *dir, const char *name)
{
    static char text[4][512];
    static unsigned turn;
    char *p = text[turn++ % 4];
    snprintf(p, sizeof text[0], "%s/%s", dir, name);
    return p;
}

static void put_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    p->fds = count_fds();
    p->fs = hf_fs_linux();
    snprintf(p->base, sizeof p->base, "/tmp/hf-fs-XXXXXX");
    assert_non_null(mkdtemp(p->base));
    snprintf(p->in, sizeof p->in, "%s/in", p->base);
    snprintf(p->out, sizeof p->out, "%s/out", p->base);
    assert_int_equal(mkdir(p->in, 0755) | mkdir(p->out, 0755), 0);
    assert_int_equal(mkdir(path(p->out, "folder"), 0755) | mkdir(path(p->in, "sub"), 0755), 0);
    assert_int_equal(mkdir(path(p->in, "empty"), 0755), 0);
    put_file(path(p->out, "secret"), "secret");
    put_file(path(p->in, "file"), "content");
    put_file(path(p->in, "sub/deep"), "deep");
    assert_int_equal(symlink(p->out, path(p->in, "absolute")), 0);
    assert_int_equal(symlink("/", path(p->in, "slash")), 0);
    assert_int_equal(symlink("../out", path(p->in, "up")), 0);
    assert_int_equal(symlink("sub/../../out/secret", path(p->in, "zigzag")), 0);
    assert_int_equal(symlink("sub", path(p->in, "tosub")), 0);
    assert_int_equal(symlink("file", path(p->in, "tofile")), 0);
    assert_int_equal(symlink("../file", path(p->in, "sub/back")), 0);
    assert_int_equal(symlink("nowhere", path(p->in, "dangling")), 0);
    assert_int_equal(symlink("loop2", path(p->in, "loop1")), 0);
    assert_int_equal(symlink("loop1", path(p->in, "loop2")), 0);
    assert_int_equal(symlink("/proc/self/root", path(p->in, "magic")), 0);
    assert_int_equal(symlink("../out/x", path(p->in, "notyet")), 0); /* create must not make it */
    assert_int_equal(p->fs->root(p->fs, p->in, &p->dir), 0);
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    char command[128];
    p->fs->close(p->fs, p->dir);
    assert_int_equal(count_fds(), p->fds); /* no test leaves a handle */
    snprintf(command, sizeof command, "rm -rf %s", p->base);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

/* Outside all is as it was. */
static void outside_is_whole(const struct place *p)
{
    struct stat st;
    char text[16] = "";
    FILE *f = fopen(path(p->out, "secret"), "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof text - 1, f), 6);
    fclose(f);
    assert_string_equal(text, "secret");
    assert_int_equal(stat(path(p->out, "folder"), &st), 0);
    assert_int_equal(stat(p->out, &st), 0);
    assert_int_equal(st.st_nlink, 3); /* no folder more */
    assert_int_not_equal(access(path(p->out, "x"), F_OK), 0);
    assert_int_not_equal(access(path(p->base, "x"), F_OK), 0);
}

/* ---- every verb as one of a table ---- */

static const struct hf_fs_new_time now = {.how = HF_FS_NOW};

static int v_open(const struct place *p, const char *name)
{
    enum hf_fs_type type;
    int fd = -1;
    int number = p->fs->open(p->fs, p->dir, name, HF_FS_READ | HF_FS_FOLLOW, &fd, &type);
    if (number == 0)
        p->fs->close(p->fs, fd);
    return number;
}
static int v_create(const struct place *p, const char *name)
{
    enum hf_fs_type type;
    int fd = -1;
    int number =
        p->fs->open(p->fs, p->dir, name, HF_FS_WRITE | HF_FS_CREATE | HF_FS_TRUNCATE | HF_FS_FOLLOW,
                    &fd, &type);
    if (number == 0)
        p->fs->close(p->fs, fd);
    return number;
}
static int v_stat(const struct place *p, const char *name)
{
    struct hf_fs_stat st;
    return p->fs->stat_at(p->fs, p->dir, name, true, &st);
}
static int v_lstat(const struct place *p, const char *name)
{
    struct hf_fs_stat st;
    return p->fs->stat_at(p->fs, p->dir, name, false, &st);
}
static int v_times(const struct place *p, const char *name)
{
    return p->fs->set_times_at(p->fs, p->dir, name, true, &now, &now);
}
static int v_readlink(const struct place *p, const char *name)
{
    char text[64];
    size_t n;
    return p->fs->readlink(p->fs, p->dir, name, text, sizeof text, &n);
}
static int v_mkdir(const struct place *p, const char *name)
{
    return p->fs->mkdir(p->fs, p->dir, name);
}
static int v_unlink(const struct place *p, const char *name)
{
    return p->fs->unlink(p->fs, p->dir, name);
}
static int v_rmdir(const struct place *p, const char *name)
{
    return p->fs->rmdir(p->fs, p->dir, name);
}
static int v_rename_from(const struct place *p, const char *name)
{
    return p->fs->rename(p->fs, p->dir, name, p->dir, "renamed");
}
static int v_rename_to(const struct place *p, const char *name)
{
    return p->fs->rename(p->fs, p->dir, "sub/deep", p->dir, name);
}
static int v_link_from(const struct place *p, const char *name)
{
    return p->fs->link(p->fs, p->dir, name, p->dir, "linked");
}
static int v_link_to(const struct place *p, const char *name)
{
    return p->fs->link(p->fs, p->dir, "sub/deep", p->dir, name);
}
static int v_symlink(const struct place *p, const char *name)
{
    return p->fs->symlink(p->fs, "target", p->dir, name);
}

static const struct verb {
    const char *name;
    int (*run)(const struct place *p, const char *name);
    bool follows; /* the last part too */
} verbs[] = {
    {"open", v_open, true},
    {"create", v_create, true},
    {"stat", v_stat, true},
    {"lstat", v_lstat, false},
    {"times", v_times, true},
    {"readlink", v_readlink, false},
    {"mkdir", v_mkdir, false},
    {"unlink", v_unlink, false},
    {"rmdir", v_rmdir, false},
    {"rename from", v_rename_from, false},
    {"rename to", v_rename_to, false},
    {"link from", v_link_from, false},
    {"link to", v_link_to, false},
    {"symlink", v_symlink, false},
};

static void each_verb(const struct place *p, const char *name, int want, bool followers_only)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(verbs); i++) {
        if (followers_only && !verbs[i].follows)
            continue;
        int got = verbs[i].run(p, name);
        if (got != want)
            fail_msg("%s of \"%.60s\": %s, not %s", verbs[i].name, name,
                     got == 0 ? "done" : strerror(got), strerror(want));
    }
    outside_is_whole(p);
}

static void nothing_leads_out(void **state)
{
    const struct place *p = *state;
    static const char *const outside[] = {"/",
                                          "//",
                                          "/x",
                                          "/etc/passwd",
                                          "..",
                                          "../",
                                          "../x",
                                          "../out/x",
                                          "../in/file",
                                          "sub/../../x",
                                          "sub/../../in/file",
                                          "./../x",
                                          "tosub/../../x",
                                          "absolute/x",
                                          "absolute/secret",
                                          "absolute/folder",
                                          "absolute/../x",
                                          "slash/etc/passwd",
                                          "slash/x",
                                          "up/x",
                                          "up/secret",
                                          "up/folder/..",
                                          "magic/etc/passwd",
                                          "magic/x",
                                          "sub/back/../../../x",
                                          "empty/../../out/secret"};
    for (size_t i = 0; i < HF_ARRAY_LEN(outside); i++) {
        if (strcmp(outside[i], "sub/back/../../../x") == 0) { /* through a file: that comes first */
            each_verb(p, outside[i], ENOTDIR, false);
            continue;
        }
        each_verb(p, outside[i], EPERM, false);
    }
    static const char *const links[] = {"absolute", "slash", "up", "zigzag", "magic", "notyet"};
    for (size_t i = 0; i < HF_ARRAY_LEN(links); i++)
        each_verb(p, links[i], EPERM, true);
}

/* Links of the kernel's own making, which are no text to walk. */
static void magic_links_are_not_followed(void **state)
{
    const struct place *p = *state;
    struct place proc = *p;
    struct hf_fs_stat st;
    assert_int_equal(p->fs->root(p->fs, "/proc/self", &proc.dir), 0);
    assert_int_equal(v_open(&proc, "status"), 0);
    assert_int_equal(v_open(&proc, "root/etc/passwd"), ELOOP);
    assert_int_equal(v_open(&proc, "cwd"), ELOOP);
    assert_int_equal(v_open(&proc, "exe"), ELOOP);
    assert_int_equal(v_stat(&proc, "root"), ELOOP);
    assert_int_equal(p->fs->stat_at(p->fs, proc.dir, "root", false, &st), 0);
    assert_int_equal(st.type, HF_FS_LINK);
    p->fs->close(p->fs, proc.dir);
}

static void empty_and_long_paths(void **state)
{
    const struct place *p = *state;
    char text[8192];
    each_verb(p, "", ENOENT, false);
    each_verb(p, "loop1/x", ELOOP, false);
    each_verb(p, "loop1", ELOOP, true);
    memset(text, 'a', sizeof text);
    text[256] = '\0'; /* a name too long */
    each_verb(p, text, ENAMETOOLONG, false);
    memset(text, 'a', sizeof text);
    text[4095] = '\0';
    each_verb(p, text, ENAMETOOLONG, false);
    memset(text, 'a', sizeof text);
    text[4096] = '\0';
    each_verb(p, text, ENAMETOOLONG, false);
    memset(text, '/', sizeof text); /* "./////" in the longest path that fits, and one more */
    memcpy(text, "none", 4);
    memcpy(text + 4094, "x", 2);
    each_verb(p, text, ENOENT, false);
    memset(text + 4094, '/', 10);
    memcpy(text + 4095, "x", 2);
    each_verb(p, text, ENAMETOOLONG, false);
}

/* As deep as a path can say, and deeper, a step at a time. */
static void deep_nesting(void **state)
{
    const struct place *p = *state;
    enum hf_fs_type type;
    char name[4096] = "";
    size_t n = 0;
    for (int i = 0; i < 400; i++) {
        n += (size_t)snprintf(name + n, sizeof name - n, "d/");
        assert_int_equal(p->fs->mkdir(p->fs, p->dir, name), 0);
    }
    assert_int_equal(v_create(p, strcat(name, "leaf")), 0);
    name[n] = '\0';
    int at;
    assert_int_equal(p->fs->open(p->fs, p->dir, name, HF_FS_DIRECTORY, &at, &type), 0);
    struct hf_fs_stat st;
    assert_int_equal(p->fs->stat_at(p->fs, at, "leaf", false, &st), 0);
    assert_int_equal(p->fs->stat_at(p->fs, at, "../d/leaf", false, &st),
                     EPERM); /* its own folder is the edge */
    p->fs->close(p->fs, at);
    memset(name, 0, sizeof name);
    for (int i = 0; i < 1300; i++)
        strcat(name, "../");
    assert_int_equal(v_stat(p, name), EPERM);
}

static void dots_are_no_names(void **state)
{
    const struct place *p = *state;
    static const char *const dots[] = {".", "./", "sub/.", "sub/..", "sub/../", "tosub/."};
    for (size_t i = 0; i < HF_ARRAY_LEN(dots); i++) {
        assert_int_equal(v_mkdir(p, dots[i]), EEXIST);
        assert_int_equal(v_symlink(p, dots[i]), EEXIST);
        assert_int_equal(v_link_to(p, dots[i]), EEXIST);
        assert_int_equal(v_link_from(p, dots[i]), EPERM);
        assert_int_equal(v_unlink(p, dots[i]), EISDIR);
        assert_int_equal(v_rmdir(p, dots[i]), EINVAL);
        assert_int_equal(v_rename_from(p, dots[i]), EBUSY);
        assert_int_equal(v_rename_to(p, dots[i]), EBUSY);
        assert_int_equal(v_stat(p, dots[i]), 0);
        assert_int_equal(v_open(p, dots[i]), 0);
    }
    assert_int_equal(v_mkdir(p, "none/."), ENOENT);
    assert_int_equal(v_rmdir(p, "file/."), ENOTDIR);
}

static void slashes_at_the_end(void **state)
{
    const struct place *p = *state;
    struct hf_fs_stat st;
    assert_int_equal(v_open(p, "sub/"), 0);
    assert_int_equal(v_open(p, "file/"), ENOTDIR);
    assert_int_equal(v_stat(p, "file/"), ENOTDIR);
    assert_int_equal(v_create(p, "new/"), EISDIR);
    assert_int_equal(v_mkdir(p, "made//"), 0);
    assert_int_equal(v_symlink(p, "link/"), ENOENT);
    assert_int_equal(v_link_to(p, "link/"), ENOENT);
    assert_int_equal(v_link_from(p, "file/"), ENOTDIR);
    assert_int_equal(v_link_from(p, "sub/"), EPERM);
    assert_int_equal(v_link_from(p, "up/"),
                     EPERM); /* followed, and outside: not even what is there is told */
    assert_int_equal(v_link_from(p, "zigzag/"), EPERM);
    assert_int_equal(v_link_from(p, "notyet/"), EPERM);
    assert_int_equal(v_unlink(p, "file/"), ENOTDIR);
    assert_int_equal(v_unlink(p, "sub/"), EISDIR);
    assert_int_equal(v_unlink(p, "tosub/"),
                     ENOTDIR); /* the link is no folder, and is not followed */
    assert_int_equal(v_rmdir(p, "tosub/"), ENOTDIR);
    assert_int_equal(v_rmdir(p, "up/"), ENOTDIR);
    assert_int_equal(v_rename_from(p, "file/"), ENOTDIR);
    assert_int_equal(v_rename_to(p, "other/"), ENOTDIR);
    assert_int_equal(v_rename_from(p, "made/"), 0);
    assert_int_equal(v_rmdir(p, "renamed/"), 0);
    assert_int_equal(p->fs->stat_at(p->fs, p->dir, "tosub/", false, &st), 0);
    assert_int_equal(st.type, HF_FS_FOLDER);
    outside_is_whole(p);
}

static void splits(void **state)
{
    static const struct {
        const char *path;
        enum hf_fs_last kind;
        size_t parent, name, len;
        bool slash;
    } all[] = {
        {"", HF_FS_LAST_NONE, 0, 0, 0, false},     {"/", HF_FS_LAST_NONE, 1, 0, 0, true},
        {"///", HF_FS_LAST_NONE, 3, 0, 0, true},   {"a", HF_FS_LAST_NAME, 0, 0, 1, false},
        {"a/", HF_FS_LAST_NAME, 0, 0, 1, true},    {"/a", HF_FS_LAST_NAME, 1, 1, 1, false},
        {"a/b", HF_FS_LAST_NAME, 2, 2, 1, false},  {"a//bc//", HF_FS_LAST_NAME, 3, 3, 2, true},
        {".", HF_FS_LAST_DOTS, 0, 0, 1, false},    {"..", HF_FS_LAST_DOTS, 0, 0, 2, false},
        {"a/../", HF_FS_LAST_DOTS, 2, 2, 2, true}, {"...", HF_FS_LAST_NAME, 0, 0, 3, false},
        {"..a", HF_FS_LAST_NAME, 0, 0, 3, false},  {"./a", HF_FS_LAST_NAME, 2, 2, 1, false},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        struct hf_fs_split s = hf_fs_split(hf_view_of(all[i].path));
        assert_int_equal(s.kind, all[i].kind);
        assert_int_equal(s.parent, all[i].parent);
        assert_int_equal(s.slash, all[i].slash);
        if (s.kind != HF_FS_LAST_NONE) {
            assert_int_equal(s.name, all[i].name);
            assert_int_equal(s.name_len, all[i].len);
        }
    }
}

/* ---- what cannot be seen from outside the table ---- */

static void roots(void **state)
{
    const struct place *p = *state;
    int fd;
    assert_int_equal(p->fs->root(p->fs, path(p->in, "none"), &fd), ENOENT);
    assert_int_equal(p->fs->root(p->fs, path(p->in, "file"), &fd), ENOTDIR);
    assert_int_equal(p->fs->root(p->fs, path(p->in, "absolute"), &fd),
                     0); /* who grants may choose a link */
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    p->fs->close(p->fs, fd);
}

/* A child whose kernel does not know openat2, or whose filter does not. */
static int root_without_openat2(const struct place *p, unsigned answer)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = HF_ARRAY_LEN(code), .filter = code};
    pid_t pid = fork();
    if (pid == 0) {
        int fd;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
            _exit(200);
        _exit(p->fs->root(p->fs, p->in, &fd));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void no_grant_without_openat2(void **state)
{
    const struct place *p = *state;
    int got = root_without_openat2(p, ENOSYS);
    if (got == 200)
        skip(); /* no filters here */
    assert_int_equal(got, ENOSYS);
    assert_int_equal(root_without_openat2(p, EPERM), ENOSYS);
}

/* ---- opening ---- */

static int opened(const struct place *p, const char *name, uint32_t flags, int want)
{
    enum hf_fs_type type;
    int fd = -1;
    int number = p->fs->open(p->fs, p->dir, name, flags, &fd, &type);
    if (number != want)
        fail_msg("%s: %s, not %s", name, strerror(number), strerror(want));
    if (number == 0)
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return fd;
}

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

/* ---- races: another process moves things while a path is walked ---- */

struct race {
    const struct place *p;
    _Atomic bool stop;
    bool folders;
};

/* "swap" is by turns a folder (with a file in it) and a link to the world outside; or two folders
 * change places, so that a
 * `..` may find itself elsewhere. */
static void *racer(void *arg)
{
    struct race *r = arg;
    const char *in = r->p->in;
    char swap[512], inside[512], link[512];
    snprintf(swap, sizeof swap, "%s/swap", in);
    snprintf(inside, sizeof inside, "%s/inside", in);
    snprintf(link, sizeof link, "%s/link", in);
    while (!atomic_load(&r->stop)) {
        if (r->folders) {
            (void)!rename(path(in, "swap/a"), path(in, "a"));
            (void)!rename(path(in, "a"), path(in, "swap/a"));
            continue;
        }
        syscall(SYS_renameat2, AT_FDCWD, inside, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
    }
    return NULL;
}

static void run_race(struct place *p, const char *name, bool folders)
{
    struct race r = {.p = p, .folders = folders};
    pthread_t thread;
    unsigned inside = 0, refused = 0, other = 0;
    char text[16];
    size_t n;
    assert_int_equal(pthread_create(&thread, NULL, racer, &r), 0);
    for (int i = 0; i < 20000; i++) {
        enum hf_fs_type type;
        int fd;
        int number = p->fs->open(p->fs, p->dir, name, HF_FS_READ | HF_FS_FOLLOW, &fd, &type);
        if (number == 0) {
            assert_int_equal(p->fs->read_at(p->fs, fd, text, sizeof text, 0, &n), 0);
            assert_true(n == 6);
            assert_memory_equal(text, "inside", 6); /* never "secret" */
            p->fs->close(p->fs, fd);
            inside++;
        } else {
            refused += number == EPERM;
            other += number != EPERM && number != ENOENT && number != EAGAIN;
        }
        if (i % 16 == 0 &&
            !folders) { /* verbs that change: whatever they say, outside nothing changes */
            v_mkdir(p, "inside/x");
            v_rmdir(p, "inside/x");
            v_symlink(p, "inside/x");
            v_unlink(p, "inside/x");
            p->fs->rename(p->fs, p->dir, "sub/deep", p->dir, "inside/x");
            p->fs->rename(p->fs, p->dir, "inside/x", p->dir, "sub/deep");
            v_unlink(p, "inside/secret.none");
        }
    }
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(other, 0);
    assert_true(inside > 0);
    if (!folders)
        assert_true(refused > 0); /* else there was no race */
    outside_is_whole(p);
}

static void a_link_swapped_meanwhile(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdir(path(p->in, "inside"), 0755), 0);
    put_file(path(p->in, "inside/secret"), "inside");
    assert_int_equal(symlink("../out", path(p->in, "link")), 0);
    run_race(p, "inside/secret", false);
}

static void a_folder_moved_meanwhile(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdir(path(p->in, "swap"), 0755) | mkdir(path(p->in, "swap/a"), 0755), 0);
    put_file(path(p->in, "secret"), "inside");
    put_file(path(p->in, "swap/secret"), "inside");
    run_race(p, "swap/a/../secret", true);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(nothing_leads_out),
        IN_PLACE(magic_links_are_not_followed),
        IN_PLACE(empty_and_long_paths),
        IN_PLACE(deep_nesting),
        IN_PLACE(dots_are_no_names),
        IN_PLACE(slashes_at_the_end),
        cmocka_unit_test(splits),
        IN_PLACE(roots),
        IN_PLACE(no_grant_without_openat2),
        IN_PLACE(open_flags),
        IN_PLACE(special_files_are_refused_at_once),
        IN_PLACE(attributes),
        IN_PLACE(times),
        IN_PLACE(links),
        IN_PLACE(names),
        IN_PLACE(reading_and_writing),
        IN_PLACE(huge_offsets),
        IN_PLACE(a_limit_on_file_size),
        IN_PLACE(listing),
        IN_PLACE(types_in_a_listing),
        IN_PLACE(a_link_swapped_meanwhile),
        IN_PLACE(a_folder_moved_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
