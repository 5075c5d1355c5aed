/* support_fs.c - see support_fs.h. */
#include "support_fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

const char *path(const char *dir, const char *name)
{
    static char text[4][512];
    static unsigned turn;
    char *p = text[turn++ % 4];
    snprintf(p, sizeof text[0], "%s/%s", dir, name);
    return p;
}

void put_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

int place_open(void **state)
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

int place_close(void **state)
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

void outside_is_whole(const struct place *p)
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

/* ---- verbs ---- */

static const struct hf_fs_new_time now = {.how = HF_FS_NOW};

int v_open(const struct place *p, const char *name)
{
    enum hf_fs_type type;
    int fd = -1;
    int number = p->fs->open(p->fs, p->dir, name, HF_FS_READ | HF_FS_FOLLOW, &fd, &type);
    if (number == 0)
        p->fs->close(p->fs, fd);
    return number;
}
int v_create(const struct place *p, const char *name)
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
int v_stat(const struct place *p, const char *name)
{
    struct hf_fs_stat st;
    return p->fs->stat_at(p->fs, p->dir, name, true, &st);
}
int v_lstat(const struct place *p, const char *name)
{
    struct hf_fs_stat st;
    return p->fs->stat_at(p->fs, p->dir, name, false, &st);
}
int v_times(const struct place *p, const char *name)
{
    return p->fs->set_times_at(p->fs, p->dir, name, true, &now, &now);
}
int v_readlink(const struct place *p, const char *name)
{
    char text[64];
    size_t n;
    return p->fs->readlink(p->fs, p->dir, name, text, sizeof text, &n);
}
int v_mkdir(const struct place *p, const char *name)
{
    return p->fs->mkdir(p->fs, p->dir, name);
}
int v_unlink(const struct place *p, const char *name)
{
    return p->fs->unlink(p->fs, p->dir, name);
}
int v_rmdir(const struct place *p, const char *name)
{
    return p->fs->rmdir(p->fs, p->dir, name);
}
int v_rename_from(const struct place *p, const char *name)
{
    return p->fs->rename(p->fs, p->dir, name, p->dir, "renamed");
}
int v_rename_to(const struct place *p, const char *name)
{
    return p->fs->rename(p->fs, p->dir, "sub/deep", p->dir, name);
}
int v_link_from(const struct place *p, const char *name)
{
    return p->fs->link(p->fs, p->dir, name, p->dir, "linked");
}
int v_link_to(const struct place *p, const char *name)
{
    return p->fs->link(p->fs, p->dir, "sub/deep", p->dir, name);
}
int v_symlink(const struct place *p, const char *name)
{
    return p->fs->symlink(p->fs, "target", p->dir, name);
}

int opened(const struct place *p, const char *name, uint32_t flags, int want)
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
