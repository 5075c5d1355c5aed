/* fs_resolve_test.c - granted folders: no path leads out of one, by any verb, at any moment. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fs_path.h"
#include "support_fs.h"

/* ---- every verb as one of a table ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(nothing_leads_out),        IN_PLACE(magic_links_are_not_followed),
        IN_PLACE(empty_and_long_paths),     IN_PLACE(deep_nesting),
        IN_PLACE(dots_are_no_names),        IN_PLACE(slashes_at_the_end),
        cmocka_unit_test(splits),           IN_PLACE(roots),
        IN_PLACE(no_grant_without_openat2), IN_PLACE(a_link_swapped_meanwhile),
        IN_PLACE(a_folder_moved_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
