/* fake_file.c - files and folders in memory.
 *
 * A folder must be there before something is put in it; "/" and the folder of relative paths always
 * are. Paths are compared as text, but for slashes at the end. Permissions are kept, not enforced.
 * There are no links.
 *
 * A file that is removed or replaced while open lives on until it is closed, as on Linux.
 */
#include "os/fake_parts.h"

#include <stdlib.h>

#include "base/vec.h"

struct fake_node {
    char *path;
    struct hf_buf data;
    uint32_t mode;
    bool is_dir;
    unsigned refs; /* the listing and every open file */
};

struct hf_os_file {
    struct hf_fake *fake;
    struct fake_node *node;
    bool writable;
};

static void node_unref(struct fake_node *node)
{
    if (node == NULL || --node->refs > 0)
        return;
    hf_buf_done(&node->data);
    free(node->path);
    free(node);
}

void hf_fake_files_done(struct hf_fake *fake)
{
    for (size_t i = 0; i < fake->nodes.len; i++)
        node_unref(fake->nodes.ptr[i]);
    HF_VEC_DONE(&fake->nodes);
}

static struct hf_view trim(const char *path)
{
    struct hf_view v = hf_view_of(path);
    while (v.len > 1 && v.ptr[v.len - 1] == '/')
        v.len--;
    return v;
}

/* Index in the listing, or its length. */
static size_t find(struct hf_fake *fake, struct hf_view path)
{
    size_t i = 0;
    while (i < fake->nodes.len && !hf_view_eq_text(path, fake->nodes.ptr[i]->path))
        i++;
    return i;
}

static struct fake_node *lookup(struct hf_fake *fake, struct hf_view path)
{
    size_t i = find(fake, path);
    return i < fake->nodes.len ? fake->nodes.ptr[i] : NULL;
}

static bool is_root(struct hf_view path)
{
    return path.len == 0 || hf_view_eq_text(path, "/") || hf_view_eq_text(path, ".");
}

static bool has_parent(struct hf_fake *fake, struct hf_view path)
{
    struct hf_view parent = path;
    while (parent.len > 0 && parent.ptr[parent.len - 1] != '/')
        parent.len--;
    if (parent.len > 1)
        parent.len--; /* the slash */
    struct fake_node *node = lookup(fake, parent);
    return is_root(parent) || (node != NULL && node->is_dir);
}

/* True for a path inside the folder. */
static bool is_inside(const char *path, struct hf_view dir)
{
    struct hf_view v = hf_view_of(path);
    return v.len > dir.len && hf_view_starts(v, dir) && v.ptr[dir.len] == '/';
}

static struct fake_node *node_new(struct hf_fake *fake, struct hf_view path, bool is_dir,
                                  uint32_t mode)
{
    struct fake_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->refs = 1;
    node->is_dir = is_dir;
    node->mode = mode;
    node->path = hf_view_dup(path);
    if (node->path == NULL || !HF_VEC_PUSH(&fake->nodes, node)) {
        node_unref(node);
        return NULL;
    }
    return node;
}

/* Takes it out of the listing; who has it open keeps it. */
static void unlist(struct hf_fake *fake, size_t i)
{
    node_unref(fake->nodes.ptr[i]);
    fake->nodes.ptr[i] = fake->nodes.ptr[--fake->nodes.len];
}

enum hf_err hf_fake_file_open(struct hf_os *os, const char *path, enum hf_os_open how,
                              struct hf_os_file **ret, struct hf_report *report)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view name = trim(path);
    enum hf_err err = hf_fake_fault(fake, FAKE_file_open);
    if (err != HF_OK)
        return hf_report_set(report, err, "opening %s: injected", path);
    struct fake_node *node = lookup(fake, name);
    if (is_root(name) || (node != NULL && node->is_dir))
        return hf_report_set(report, HF_INVALID, "opening %s: not a file", path);
    if (node != NULL && how == HF_OS_CREATE)
        return hf_report_set(report, HF_INVALID, "opening %s: it is there already", path);
    if (node == NULL && (how == HF_OS_READ || !has_parent(fake, name)))
        return hf_report_set(report, HF_NOT_FOUND, "opening %s: not found", path);

    struct hf_os_file *f = calloc(1, sizeof *f);
    if (f != NULL && node == NULL)
        node = node_new(fake, name, false, 0600);
    if (f == NULL || node == NULL) {
        free(f);
        return hf_report_set(report, HF_LIMIT, "opening %s: out of memory", path);
    }
    node->refs++;
    *f = (struct hf_os_file){fake, node, how != HF_OS_READ};
    *ret = f;
    return HF_OK;
}

enum hf_err hf_fake_file_read_at(struct hf_os_file *f, uint64_t at, void *buf, size_t len,
                                 size_t *got)
{
    *got = 0;
    enum hf_err err = hf_fake_fault(f->fake, FAKE_file_read_at);
    if (err != HF_OK)
        return err;
    if (at > INT64_MAX || len > INT64_MAX - at)
        return HF_INVALID;
    struct hf_view rest = hf_view_take(hf_view_skip(hf_buf_view(&f->node->data), at), len);
    if (rest.len > 0)
        memcpy(buf, rest.ptr, rest.len);
    *got = rest.len;
    return HF_OK;
}

/* A failing append leaves some of the bytes, how many is the seed's whim: the contract allows it,
 * so callers must bear it. */
enum hf_err hf_fake_file_append(struct hf_os_file *f, const void *buf, size_t len)
{
    if (!f->writable)
        return HF_INVALID;
    enum hf_err err = hf_fake_fault(f->fake, FAKE_file_append);
    if (err == HF_OK)
        return hf_buf_add(&f->node->data, buf, len);
    if (hf_buf_add(&f->node->data, buf, hf_fake_number(f->fake) % (len + 1)) != HF_OK)
        return HF_LIMIT;
    return err;
}

enum hf_err hf_fake_file_sync(struct hf_os_file *f)
{
    return hf_fake_fault(f->fake, FAKE_file_sync);
}

void hf_fake_file_close(struct hf_os_file *f)
{
    if (f == NULL)
        return;
    node_unref(f->node);
    free(f);
}

enum hf_err hf_fake_path_stat(struct hf_os *os, const char *path, struct hf_os_stat *ret)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view name = trim(path);
    enum hf_err err = hf_fake_fault(fake, FAKE_path_stat);
    if (err != HF_OK)
        return err;
    struct fake_node *node = lookup(fake, name);
    if (node != NULL)
        *ret = (struct hf_os_stat){node->data.len, node->mode, 0, node->is_dir, false};
    else if (name.len > 0 && is_root(name))
        *ret = (struct hf_os_stat){0, 0755, 0, true, false};
    else
        return HF_NOT_FOUND;
    return HF_OK;
}

enum hf_err hf_fake_path_mkdir(struct hf_os *os, const char *path, uint32_t mode)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view name = trim(path);
    enum hf_err err = hf_fake_fault(fake, FAKE_path_mkdir);
    if (err != HF_OK)
        return err;
    if (is_root(name))
        return name.len > 0 ? HF_OK : HF_NOT_FOUND;
    struct fake_node *node = lookup(fake, name);
    if (node != NULL)
        return node->is_dir ? HF_OK : HF_INVALID;
    if (!has_parent(fake, name))
        return HF_NOT_FOUND;
    return node_new(fake, name, true, mode) != NULL ? HF_OK : HF_LIMIT;
}

static bool is_empty_dir(struct hf_fake *fake, struct hf_view dir)
{
    for (size_t i = 0; i < fake->nodes.len; i++) {
        if (is_inside(fake->nodes.ptr[i]->path, dir))
            return false;
    }
    return true;
}

/* Gives a node a new path; what follows the first `skip` bytes of the old one is kept behind `to`.
 */
static bool move_node(struct fake_node *node, size_t skip, struct hf_view to)
{
    struct hf_buf path = {0};
    uint8_t *text;
    size_t len;
    if (hf_buf_add_view(&path, to) != HF_OK || hf_buf_add_text(&path, node->path + skip) != HF_OK) {
        hf_buf_done(&path);
        return false;
    }
    hf_buf_take(&path, &text, &len);
    free(node->path);
    node->path = (char *)text;
    return true;
}

enum hf_err hf_fake_path_rename(struct hf_os *os, const char *from, const char *to)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view old = trim(from), name = trim(to);
    enum hf_err err = hf_fake_fault(fake, FAKE_path_rename);
    if (err != HF_OK)
        return err;
    struct fake_node *node = lookup(fake, old), *there = lookup(fake, name);
    if (node == NULL || !has_parent(fake, name))
        return HF_NOT_FOUND;
    if (node == there)
        return HF_OK;
    if (is_root(name) || is_inside(to, old))
        return HF_INVALID;
    if (there != NULL &&
        (there->is_dir != node->is_dir || (there->is_dir && !is_empty_dir(fake, name))))
        return HF_INVALID;
    if (there != NULL)
        unlist(fake, find(fake, name));

    for (size_t i = 0; i < fake->nodes.len; i++) {
        struct fake_node *each = fake->nodes.ptr[i];
        if ((each == node || is_inside(each->path, old)) && !move_node(each, old.len, name))
            return HF_LIMIT;
    }
    return HF_OK;
}

enum hf_err hf_fake_path_remove(struct hf_os *os, const char *path)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view name = trim(path);
    enum hf_err err = hf_fake_fault(fake, FAKE_path_remove);
    if (err != HF_OK)
        return err;
    size_t i = find(fake, name);
    if (i == fake->nodes.len)
        return HF_NOT_FOUND;
    if (fake->nodes.ptr[i]->is_dir && !is_empty_dir(fake, name))
        return HF_INVALID;
    unlist(fake, i);
    return HF_OK;
}

enum hf_err hf_fake_path_chmod(struct hf_os *os, const char *path, uint32_t mode)
{
    struct hf_fake *fake = hf_fake_of(os);
    enum hf_err err = hf_fake_fault(fake, FAKE_path_chmod);
    if (err != HF_OK)
        return err;
    struct fake_node *node = lookup(fake, trim(path));
    if (node == NULL)
        return HF_NOT_FOUND;
    node->mode = mode;
    return HF_OK;
}

enum hf_err hf_fake_dir_sync(struct hf_os *os, const char *path)
{
    struct hf_fake *fake = hf_fake_of(os);
    struct hf_view name = trim(path);
    enum hf_err err = hf_fake_fault(fake, FAKE_dir_sync);
    if (err != HF_OK)
        return err;
    struct fake_node *node = lookup(fake, name);
    return (name.len > 0 && is_root(name)) || (node != NULL && node->is_dir) ? HF_OK : HF_NOT_FOUND;
}
