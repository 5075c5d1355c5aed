/* fs_path_fuzz.c - any bytes as paths, for every verb on a folder that is full of ways out.
 * rooms: os base
 *
 * The input is lines, each a verb and one or two paths. Promises checked, beside memory safety:
 *   - a path's split is made of its own bytes: the folder's part, the name, slashes;
 *   - whatever is opened or looked at lies beneath the folder: its device and number are never
 * those of the world outside;
 *   - outside nothing comes, goes or changes;
 *   - no handle is left open.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fs.h"
#include "os/fs_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the world ---- */

static char base[64];

static const char *at(const char *name)
{
    static char text[4][160];
    static unsigned turn;
    char *p = text[turn++ % 4];
    snprintf(p, sizeof text[0], "%s/%s", base, name);
    return p;
}

static void put(const char *name)
{
    FILE *f = fopen(at(name), "w");
    check(f != NULL);
    fputs("secret", f);
    fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    check(remove(path) == 0);
    return 0;
}

/* Made anew when an input changed it: removing and linking is part of the game. */
static void make_inside(void)
{
    (void)nftw(at("in"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    check(mkdir(at("in"), 0755) == 0 && mkdir(at("in/a"), 0755) == 0 &&
          mkdir(at("in/a/b"), 0755) == 0);
    put("in/f");
    put("in/a/f");
    check(symlink("../out", at("in/o")) == 0 && symlink("/", at("in/r")) == 0 &&
          symlink("a", at("in/l")) == 0);
    check(symlink("../../out/f", at("in/a/o")) == 0 && symlink("l/b/../o", at("in/z")) == 0 &&
          symlink("c", at("in/c")) == 0);
    check(symlink(base, at("in/h")) == 0);
}

static struct stat outside[3];

static void look_outside(struct stat st[3])
{
    check(stat(at("out"), &st[0]) == 0 && stat(at("out/f"), &st[1]) == 0 &&
          stat(base, &st[2]) == 0);
}

static void put_away(void)
{
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void set_up(void)
{
    snprintf(base, sizeof base, "%s/hf-fuzz-fs-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(base) != NULL);
    check(mkdir(at("out"), 0755) == 0);
    put("out/f");
    make_inside();
    look_outside(outside);
    atexit(put_away);
}

static bool is_outside(uint64_t dev, uint64_t ino)
{
    struct stat root;
    check(stat("/", &root) == 0);
    for (int i = 0; i < 3; i++)
        if (dev == outside[i].st_dev && ino == outside[i].st_ino)
            return true;
    return dev == root.st_dev && ino == root.st_ino;
}

static void check_outside(void)
{
    struct stat now[3];
    look_outside(now);
    for (int i = 0; i < 3; i++) {
        check(now[i].st_ino == outside[i].st_ino && now[i].st_nlink == outside[i].st_nlink);
        check(i == 2 || (now[i].st_mtim.tv_sec == outside[i].st_mtim.tv_sec &&
                         now[i].st_size == outside[i].st_size &&
                         now[i].st_mtim.tv_nsec == outside[i].st_mtim.tv_nsec));
    }
}

/* ---- paths ---- */

static void check_split(struct hf_view path)
{
    struct hf_fs_split s = hf_fs_split(path);
    check(s.parent <= path.len);
    if (s.kind == HF_FS_LAST_NONE) {
        check(s.parent == path.len);
        for (size_t i = 0; i < path.len; i++)
            check(path.ptr[i] == '/');
        return;
    }
    check(s.name == s.parent && s.name_len > 0 && s.name + s.name_len <= path.len);
    check(s.parent == 0 || path.ptr[s.parent - 1] == '/');
    struct hf_view name = hf_view(path.ptr + s.name, s.name_len);
    check(hf_view_find(name, '/') == name.len);
    bool dots = hf_view_eq_text(name, ".") || hf_view_eq_text(name, "..");
    check(dots == (s.kind == HF_FS_LAST_DOTS));
    for (size_t i = s.name + s.name_len; i < path.len; i++)
        check(path.ptr[i] == '/');
    check(s.slash == (s.name + s.name_len < path.len));
}

static void look(const struct hf_fs *fs, int dir, const char *path, bool follow)
{
    struct hf_fs_stat st;
    if (fs->stat_at(fs, dir, path, follow, &st) == 0)
        check(!is_outside(st.dev, st.ino));
}

static void open_one(const struct hf_fs *fs, int dir, const char *path, uint32_t flags)
{
    struct hf_fs_stat st;
    enum hf_fs_type type;
    size_t n;
    int fd;
    if (fs->open(fs, dir, path, flags & 127, &fd, &type) != 0)
        return;
    check(fs->stat(fs, fd, &st) == 0 && st.type == type &&
          (type == HF_FS_FILE || type == HF_FS_FOLDER));
    check(!is_outside(st.dev, st.ino));
    if (type == HF_FS_FILE)
        (void)fs->write_at(fs, fd, "x", 1, 0, &n); /* only one that was opened for it will */
    fs->close(fs, fd);
}

static bool run(const struct hf_fs *fs, int dir, uint8_t verb, const char *a, const char *b)
{
    static const struct hf_fs_new_time now = {.how = HF_FS_NOW};
    char text[64];
    size_t n;
    switch (verb % 12) {
    case 0: look(fs, dir, a, true); return false;
    case 1: look(fs, dir, a, false); return false;
    case 2:
        open_one(fs, dir, a, (uint32_t)b[0]);
        return (b[0] & (HF_FS_WRITE | HF_FS_CREATE | HF_FS_TRUNCATE)) != 0;
    case 3: (void)fs->readlink(fs, dir, a, text, sizeof text, &n); return false;
    case 4: (void)fs->set_times_at(fs, dir, a, verb & 16, &now, &now); return false;
    case 5: return fs->mkdir(fs, dir, a) == 0;
    case 6: return fs->unlink(fs, dir, a) == 0;
    case 7: return fs->rmdir(fs, dir, a) == 0;
    case 8: return fs->rename(fs, dir, a, dir, b) == 0;
    case 9: return fs->link(fs, dir, a, dir, b) == 0;
    case 10: return fs->symlink(fs, a, dir, b) == 0;
    default: open_one(fs, dir, a, HF_FS_WRITE | HF_FS_CREATE | HF_FS_FOLLOW); return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hf_fs *fs = hf_fs_linux();
    struct hf_view rest = hf_view(data, size);
    bool changed = false;
    int dir, probe;
    if (base[0] == '\0')
        set_up();
    check(fs->root(fs, at("in"), &dir) == 0);
    for (int lines = 0; rest.len > 0 && lines < 20; lines++) {
        struct hf_view line = hf_view_take(rest, hf_view_find(rest, '\n'));
        rest = hf_view_skip(rest, line.len + 1);
        if (line.len == 0)
            continue;
        uint8_t verb = line.ptr[0];
        struct hf_view a = hf_view_skip(line, 1), b;
        a = hf_view_take(a, hf_view_find(a, ' '));
        b = hf_view_skip(line, a.len + 2);
        check_split(a);
        check_split(b);
        char *x = hf_view_dup(a), *y = hf_view_dup(b);
        changed |= run(fs, dir, verb, x, y);
        free(x);
        free(y);
    }
    fs->close(fs, dir);
    check_outside();
    if (changed)
        make_inside();
    check(fs->root(fs, at("in"), &probe) == 0 &&
          probe == dir); /* the lowest free handle is the same: none is left */
    fs->close(fs, probe);
    return 0;
}
