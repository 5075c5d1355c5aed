/* host_fs_grants.c - which folders a service's guests get: "HOST::GUEST[:ro]" read and opened.
 *
 * Opened once, when the service is made: a folder that is not there is said before the port is open, and one that is renamed
 * later stays the one that was granted.
 */
#include "host/fs_int.h"

#include <stdlib.h>

#include "base/utf.h"

struct text {
    struct hf_view host, guest;
    bool read_only;
};

static struct text read_text(const char *text)
{
    struct text t = {.guest = hf_view_of(text)};
    if (hf_view_ends(t.guest, HF_VIEW(":ro"))) {
        t.read_only = true;
        t.guest.len -= 3;
    }
    t.host = t.guest;
    for (size_t i = 0; i + 1 < t.host.len; i++)
        if (t.host.ptr[i] == ':' && t.host.ptr[i + 1] == ':') {
            t.guest = hf_view_skip(t.host, i + 2);
            t.host.len = i;
            break;
        }
    return t;
}

/* "/a//b/./" is "/a/b", "./x" is "x", "." stays. NULL: memory. `..` is checked before. */
static char *normal(struct hf_view path)
{
    char *out = malloc(path.len + 2);
    size_t n = 0;
    if (out == NULL)
        return NULL;
    if (path.len > 0 && path.ptr[0] == '/')
        out[n++] = '/';
    while (path.len > 0) {
        struct hf_view part = hf_view_take(path, hf_view_find(path, '/'));
        path = hf_view_skip(path, part.len + 1);
        if (part.len == 0 || hf_view_eq_text(part, "."))
            continue;
        if (n > 0 && out[n - 1] != '/')
            out[n++] = '/';
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = '\0';
    return out;
}

static bool has_dotdot(struct hf_view path)
{
    while (path.len > 0) {
        struct hf_view part = hf_view_take(path, hf_view_find(path, '/'));
        if (hf_view_eq_text(part, ".."))
            return true;
        path = hf_view_skip(path, part.len + 1);
    }
    return false;
}

static enum hf_err check(const char *text, const struct text *t, struct hf_report *report)
{
    if (t->host.len == 0 || t->guest.len == 0)
        return hf_report_set(report, HF_INVALID, "granting \"%s\": HOST::GUEST or HOST::GUEST:ro is wanted, neither of them empty",
                             text);
    if (!hf_utf8_valid(t->guest.ptr, t->guest.len))
        return hf_report_set(report, HF_INVALID, "granting \"%s\": the guest's path is not UTF-8, which is all that it can be told",
                             text);
    if (has_dotdot(t->guest))
        return hf_report_set(report, HF_INVALID, "granting \"%s\": the guest's path has a \"..\" in it", text);
    return HF_OK;
}

static enum hf_err kind_of(int number)
{
    switch (number) {
    case ENOENT: return HF_NOT_FOUND;
    case ENOTDIR: return HF_INVALID;
    case EACCES:
    case EPERM: return HF_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return HF_LIMIT;
    default: return HF_IO;
    }
}

static enum hf_err add(struct hf_fs_grants *grants, const char *text, struct hf_report *report)
{
    struct hf_fs_grant *g = &grants->list[grants->n];
    struct text t = read_text(text);
    enum hf_err err = check(text, &t, report);
    if (err != HF_OK)
        return err;
    *g = (struct hf_fs_grant){.fd = -1, .read_only = t.read_only, .host = hf_view_dup(t.host), .guest = normal(t.guest)};
    grants->n++;
    if (g->host == NULL || g->guest == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    for (size_t i = 0; i + 1 < grants->n; i++)
        if (strcmp(grants->list[i].guest, g->guest) == 0)
            return hf_report_set(report, HF_INVALID, "granting \"%s\": the guest has %s already, as %s", text,
                                 grants->list[i].host, g->guest);
    int number = grants->fs->root(grants->fs, g->host, &g->fd);
    if (number == ENOSYS)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "granting \"%s\": this system cannot resolve paths beneath a folder (openat2, Linux 5.6), so no "
                             "folder can be granted safely",
                             text);
    if (number != 0) {
        g->fd = -1;
        return hf_report_set(report, kind_of(number), "granting \"%s\": the folder %s cannot be opened: %s", text, g->host,
                             strerror(number));
    }
    return HF_OK;
}

enum hf_err hf_fs_grants_open(const struct hf_fs *fs, const char *const *dirs, struct hf_fs_grants **ret,
                              struct hf_report *report)
{
    size_t n = 0;
    while (dirs != NULL && dirs[n] != NULL)
        n++;
    if (n > HF_FS_GRANTS_MAX)
        return hf_report_set(report, HF_LIMIT, "%zu folders are granted; %u can be", n, HF_FS_GRANTS_MAX);
    struct hf_fs_grants *grants = calloc(1, sizeof *grants + n * sizeof grants->list[0]);
    if (grants == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    grants->fs = fs;
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < n && err == HF_OK; i++)
        err = add(grants, dirs[i], report);
    if (err != HF_OK) {
        hf_fs_grants_close(grants);
        return err;
    }
    *ret = grants;
    return HF_OK;
}

void hf_fs_grants_close(struct hf_fs_grants *grants)
{
    if (grants == NULL)
        return;
    for (size_t i = 0; i < grants->n; i++) {
        if (grants->list[i].fd >= 0)
            grants->fs->close(grants->fs, grants->list[i].fd);
        free(grants->list[i].host);
        free(grants->list[i].guest);
    }
    free(grants);
}
