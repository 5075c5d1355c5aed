/* host_fs.c - descriptors of wasi:filesystem: how they come and go, the preopened ones, and the binding of all. */
#include "host/fs_int.h"
#include "host/service_int.h"

#include <stdlib.h>

const struct hf_fs *hf_fs_of(const struct hf_guest *g)
{
    return g->worker->svc->grants->fs;
}

/* ---- open files ---- */

int hf_fs_count_more(struct hf_guest *g)
{
    uint32_t max = hf_guest_settings(g)->files_max;
    if (g->fs.files >= (max == 0 ? HF_FS_FILES_MAX : max))
        return EMFILE;
    g->fs.files++;
    return 0;
}

void hf_fs_count_less(struct hf_guest *g)
{
    HF_ASSERT(g->fs.files > 0);
    g->fs.files--;
}

struct hf_fs_file *hf_fs_file_ref(struct hf_fs_file *file)
{
    file->refs++;
    return file;
}

static void close_handle(struct hf_guest *g, int fd)
{
    const struct hf_fs *fs = hf_fs_of(g);
    fs->close(fs, fd);
    hf_fs_count_less(g);
}

void hf_fs_file_unref(struct hf_fs_file *file)
{
    if (file == NULL || --file->refs > 0)
        return;
    if (!file->lent)
        close_handle(file->guest, file->fd);
    free(file);
}

static void descriptor_destroy(struct hf_obj *obj)
{
    hf_fs_file_unref(HF_CONTAINER_OF(obj, struct hf_descriptor, obj)->file);
}

static struct hf_descriptor *make(struct hf_guest *g, int fd, bool lent, const char *kind)
{
    struct hf_descriptor *d = hf_obj_new(g, sizeof *d, kind, NULL, descriptor_destroy);
    if (d == NULL)
        return NULL;
    d->file = calloc(1, sizeof *d->file);
    if (d->file == NULL) {
        hf_obj_release(&d->obj);
        return NULL;
    }
    *d->file = (struct hf_fs_file){.fd = fd, .refs = 1, .lent = lent, .guest = g};
    return d;
}

struct hf_descriptor *hf_descriptor_new(struct hf_guest *g, int fd, const struct hf_descriptor *like)
{
    struct hf_descriptor *d = make(g, fd, false, "descriptor");
    if (d == NULL) {
        close_handle(g, fd);
        return NULL;
    }
    d->folder = like->folder;
    d->read = like->read;
    d->write = like->write;
    d->mutate = like->mutate;
    return d;
}

struct hf_descriptor *hf_descriptor_of_grant(struct hf_guest *g, const struct hf_fs_grant *grant)
{
    /* A kind of its own: it holds nothing of the guest's, so an image may keep it (service.c). */
    struct hf_descriptor *d = make(g, grant->fd, true, "preopened descriptor");
    if (d == NULL)
        return NULL;
    d->folder = d->read = true;
    d->mutate = !grant->read_only;
    return d;
}

void hf_fs_guest_done(struct hf_guest *g)
{
    free(g->fs.piece);
    g->fs.piece = NULL;
}

/* ---- preopens ---- */

static enum hf_err get_directories(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    const struct hf_fs_grants *grants = g->worker->svc->grants;
    struct hf_value *v = hf_call_alloc(call, (grants->n * 3 + 1) * sizeof *v);
    (void)args;
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    for (size_t i = 0; i < grants->n; i++) {
        struct hf_value *pair = v + grants->n + 2 * i;
        struct hf_descriptor *d = hf_descriptor_of_grant(g, &grants->list[i]);
        if (d == NULL) {
            while (i-- > 0)
                hf_obj_release(v[i].items[0].obj);
            return hf_call_limit(call, "host memory for descriptors");
        }
        pair[0] = hf_value_obj(d);
        pair[1] = hf_value_bytes(hf_view_of(grants->list[i].guest));
        v[i] = (struct hf_value){.items = pair, .len = 2};
    }
    result->items = v;
    result->len = (uint32_t)grants->n;
    return HF_OK;
}

/* ---- binding ---- */

static const struct hf_host_resource descriptor_ops = {"descriptor", hf_obj_drop};
static const struct hf_host_resource entries_ops = {"directory-entry-stream", hf_obj_drop};
static const struct hf_binding preopens_table[] = {{"get-directories", get_directories}, {NULL, NULL}};

enum hf_err hf_host_bind_fs(struct hf_registry *reg, struct hf_report *report)
{
    static const char types[] = "wasi:filesystem/types";
    const struct hf_binding *const tables[] = {hf_fs_file_methods, hf_fs_path_methods, hf_fs_stream_methods,
                                               hf_fs_folder_methods};
    enum hf_err err = hf_registry_bind_resource(reg, types, "descriptor", &descriptor_ops, report);
    if (err == HF_OK)
        err = hf_registry_bind_resource(reg, types, "directory-entry-stream", &entries_ops, report);
    for (size_t i = 0; i < HF_ARRAY_LEN(tables) && err == HF_OK; i++)
        err = hf_registry_bind_all(reg, types, tables[i], report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:filesystem/preopens", preopens_table, report);
}
