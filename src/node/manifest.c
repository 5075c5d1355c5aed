/* manifest.c - the public API of manifests: files in, options out. */
#include "node/manifest_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "node/node_int.h"

/* ---- files ------------------------------------------------------------------------------------------------- */

/* The file itself when `path` is a folder; malloc'd. */
static char *file_of(const char *path)
{
    struct stat st;
    char *file = NULL;
    size_t len = strlen(path);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return strdup(path);
    if (strcmp(path, ".") == 0)
        return strdup(HF_MANIFEST_NAME);
    return asprintf(&file, "%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/", HF_MANIFEST_NAME) < 0 ? NULL : file;
}

static enum hf_err absent(const char *path, const char *file, struct hf_report *report)
{
    bool folder = strcmp(path, file) != 0;
    return folder ? hf_report_set(report, HF_NOT_FOUND,
                                  "there is no %s in %s: write one (doc/manifest.md), make a project that has one with `holdfast new`,\n"
                                  "or name its folder or file; a single component needs none: `holdfast serve FILE`",
                                  HF_MANIFEST_NAME, strcmp(path, ".") == 0 ? "this folder" : path)
                  : hf_report_set(report, HF_NOT_FOUND, "%s: there is no such file or folder", path);
}

static enum hf_err read_file(const char *path, const char *file, struct hf_buf *ret, struct hf_report *report)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? absent(path, file, report) : hf_report_set(report, HF_IO, "%s: %s", file, strerror(errno));
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    if (!regular)
        return hf_report_set(report, HF_IO, "%s is no file", file);
    if (st.st_size > (off_t)HF_MANIFEST_BYTES_MAX)
        return hf_report_set(report, HF_LIMIT, "%s has more than %u KiB: that is no manifest", file, HF_MANIFEST_BYTES_MAX >> 10);
    return hf_file_read(file, ret, report);
}

static enum hf_err read_manifest(const char *path, struct hf_manifest **ret, struct hf_report *report)
{
    struct hf_buf text = {0};
    struct hf_manifest *m = NULL;
    char *file = file_of(path), *slash = file == NULL ? NULL : strrchr(file, '/'), *dir = NULL;
    if (file == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    dir = slash == NULL ? strdup("") : strndup(file, slash == file ? 1 : (size_t)(slash - file));
    enum hf_err err = dir == NULL ? hf_report_set(report, HF_LIMIT, "out of memory") : read_file(path, file, &text, report);
    if (err == HF_OK)
        err = hf_manifest_parse(hf_buf_view(&text), file, dir, &m, report);
    if (err == HF_OK) {
        m->node.manifest = (const char *)hf_arena_copy(&m->arena, hf_view_of(file)).ptr;
        if (m->node.manifest == NULL)
            err = hf_report_set(report, HF_LIMIT, "out of memory");
    }
    if (err == HF_OK)
        *ret = m;
    else
        hf_manifest_free(m);
    hf_buf_done(&text);
    free(dir);
    free(file);
    return err;
}

enum hf_status hf_manifest_read(const char *path, struct hf_manifest **ret, struct hf_words *msg)
{
    struct hf_report report;
    hf_report_init(&report);
    *ret = NULL;
    return hf_node_result(read_manifest(path, ret, &report), &report, msg);
}

struct hf_node_options *hf_manifest_node(struct hf_manifest *m)
{
    return &m->node;
}

const struct hf_service_options *hf_manifest_services(const struct hf_manifest *m, size_t *n)
{
    *n = m->n_services;
    return m->services;
}

const char *const *hf_manifest_listeners(const struct hf_manifest *m, size_t *n)
{
    *n = m->n_listeners;
    return m->listeners;
}

const char *const *hf_manifest_admin(const struct hf_manifest *m, size_t *n)
{
    *n = m->n_admin;
    return m->admin;
}

static char *text_of(enum hf_err (*write)(struct hf_buf *ret))
{
    struct hf_buf b = {0};
    uint8_t *text = NULL;
    size_t len;
    if (write(&b) == HF_OK)
        hf_buf_take(&b, &text, &len);
    hf_buf_done(&b);
    return (char *)text;
}

char *hf_manifest_schema(void)
{
    return text_of(hf_manifest_schema_write);
}

char *hf_manifest_keys(void)
{
    return text_of(hf_manifest_keys_write);
}

bool hf_read_duration(const char *text, uint64_t *ns)
{
    return hf_units_duration(hf_view_of(text), 1000000000, ns);
}

bool hf_read_size(const char *text, uint64_t *bytes)
{
    return hf_units_size(hf_view_of(text), bytes);
}
