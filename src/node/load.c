/* load.c - a component from a file: reading, progress while it compiles. */
#include "node/node_int.h"
#include "node/whole_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (UINT64_C(512) << 20)

enum hf_err hf_file_read(const char *path, struct hf_buf *ret, struct hf_report *report)
{
    return hf_whole_file_read(path, FILE_MAX, ret, report);
}

struct progress {
    const char *path;
    struct hf_os *os;
    uint64_t begun_ns;
    bool tty;
};

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct progress *p = ctx;
    if (done == 0) {
        p->begun_ns = p->os->now_ns(p->os);
        fprintf(stderr, "compiling %s (%.1f MB, once: the result is kept) ...%s", p->path, (double)total / 1e6, p->tty ? "" : "\n");
    } else if (done >= total) {
        fprintf(stderr, "%scompiled in %.1f s\n", p->tty ? "\r\033[K" : "", (double)(p->os->now_ns(p->os) - p->begun_ns) / 1e9);
    } else if (p->tty) {
        fprintf(stderr, "\r\033[Kcompiling %s ... %3.0f%%", p->path, 100.0 * (double)done / (double)total);
    }
    fflush(stderr);
}

enum hf_err hf_node_load_bytes(struct hf_node *node, const char *what, struct hf_view bytes, struct hf_component **ret,
                               struct hf_report *report)
{
    struct progress p = {.path = what, .os = node->os, .tty = isatty(2) == 1};
    struct hf_load_options lo = {.progress = node->opt.progress ? on_progress : NULL, .progress_ctx = &p};
    enum hf_err err = hf_component_load(node->engine, node->registry, bytes, &lo, ret, report);
    return err == HF_OK ? HF_OK : hf_report_wrap(report, err, "%s", what);
}

enum hf_err hf_node_load(struct hf_node *node, const char *path, bool adapt, struct hf_component **ret, struct hf_report *report)
{
    struct hf_buf bytes = {0};
    enum hf_err err = hf_file_read(path, &bytes, report);
    if (err == HF_OK && adapt && hf_node_is_core(hf_buf_view(&bytes))) {
        err = hf_node_adapt(node, &bytes, report);
        if (err != HF_OK)
            hf_report_wrap(report, err, "%s", path);
    }
    if (err == HF_OK)
        err = hf_node_load_bytes(node, path, hf_buf_view(&bytes), ret, report);
    hf_buf_done(&bytes);
    return err;
}
