/* linux_fs_name.c - verbs that act on a name in a folder: make, remove, rename, link.
 *
 * The system has no form of them that resolves beneath a folder. So the folder that holds the name
 * is opened beneath (linux_fs.c), and the call gets that handle and one last part, which these
 * calls never follow. A slash behind the last part goes along: the kernel knows what it means for
 * each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fs_path.h"
#include "os/linux_fs.h"

/* Where a name is. */
struct place {
    int dir;
    bool opened;      /* dir is ours to close */
    const char *name; /* in the caller's path; slashes may follow */
    bool slash;
};

static void leave(const struct place *p)
{
    int kept = errno;
    if (p->opened)
        close(p->dir);
    errno = kept;
}

/* Apart, so that only one path at a time lies on the stack. */
static __attribute__((noinline)) int open_parent(int dir, const char *path, size_t len, int *ret)
{
    char parent[HF_FS_PATH_MAX];
    if (len >= sizeof parent)
        return ENAMETOOLONG;
    memcpy(parent, path, len);
    parent[len] = '\0';
    return hf_linux_beneath(dir, parent, O_PATH | O_DIRECTORY, 0, ret);
}

/* `dots` is what the verb says of `.` and `..`, which are no names: after the walk, so that a path
 * which leads outside is still refused as that. */
static int find(int dir, const char *path, int dots, struct place *ret)
{
    size_t len = strnlen(path, HF_FS_PATH_MAX);
    struct hf_fs_split s = hf_fs_split(hf_view(path, len));
    if (len == HF_FS_PATH_MAX)
        return ENAMETOOLONG;
    if (len == 0)
        return ENOENT;
    if (s.kind == HF_FS_LAST_NONE)
        return EPERM; /* "/" is outside */
    *ret = (struct place){.dir = dir, .name = path + s.name, .slash = s.slash};
    if (s.kind == HF_FS_LAST_DOTS) {
        int fd;
        int number = hf_linux_beneath(dir, path, O_PATH, 0, &fd);
        if (number != 0)
            return number;
        close(fd);
        return dots;
    }
    if (s.parent == 0)
        return 0;
    ret->opened = true;
    return open_parent(dir, path, s.parent, &ret->dir);
}

static int outcome(int rc)
{
    return rc == 0 ? 0 : errno;
}

int hf_linux_fs_mkdir(const struct hf_fs *fs, int dir, const char *path)
{
    struct place p;
    (void)fs;
    int number = find(dir, path, EEXIST, &p);
    if (number != 0)
        return number;
    number = outcome(mkdirat(p.dir, p.name, 0777));
    leave(&p);
    return number;
}

int hf_linux_fs_unlink(const struct hf_fs *fs, int dir, const char *path)
{
    struct place p;
    (void)fs;
    int number = find(dir, path, EISDIR, &p);
    if (number != 0)
        return number;
    number = outcome(unlinkat(p.dir, p.name, 0));
    leave(&p);
    return number;
}

int hf_linux_fs_rmdir(const struct hf_fs *fs, int dir, const char *path)
{
    struct place p;
    (void)fs;
    int number = find(dir, path, EINVAL, &p);
    if (number != 0)
        return number;
    number = outcome(unlinkat(p.dir, p.name, AT_REMOVEDIR));
    leave(&p);
    return number;
}

int hf_linux_fs_rename(const struct hf_fs *fs, int dir, const char *path, int to_dir,
                       const char *to)
{
    struct place from, dest;
    (void)fs;
    int number = find(dir, path, EBUSY, &from);
    if (number != 0)
        return number;
    number = find(to_dir, to, EBUSY, &dest);
    if (number == 0) {
        number = outcome(renameat(from.dir, from.name, dest.dir, dest.name));
        leave(&dest);
    }
    leave(&from);
    return number;
}

int hf_linux_fs_link(const struct hf_fs *fs, int dir, const char *path, int to_dir, const char *to)
{
    struct place from, dest;
    (void)fs;
    int number = find(dir, path, EPERM, &from);
    if (number != 0)
        return number;
    if (from.slash) { /* here the kernel would follow: a folder or an error, and neither can be
                         linked */
        int fd;
        leave(&from);
        number = hf_linux_beneath(dir, path, O_PATH | O_DIRECTORY, 0, &fd);
        if (number == 0)
            close(fd);
        return number == 0 ? EPERM : number;
    }
    number = find(to_dir, to, EEXIST, &dest);
    if (number == 0) {
        number = outcome(linkat(from.dir, from.name, dest.dir, dest.name, 0));
        leave(&dest);
    }
    leave(&from);
    return number;
}

int hf_linux_fs_symlink(const struct hf_fs *fs, const char *target, int dir, const char *path)
{
    struct place p;
    (void)fs;
    if (target[0] == '/')
        return EPERM;
    int number = find(dir, path, EEXIST, &p);
    if (number != 0)
        return number;
    number = outcome(symlinkat(target, p.dir, p.name));
    leave(&p);
    return number;
}
