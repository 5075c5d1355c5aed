/* manifest.c - cli/manifest.h. */
#include "cli/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *cli_lifecycle(const struct hf_service_options *s)
{
    static const char *const lifecycles[] = {"reuse", "per-request", "singleton"}; /* by enum hf_instances */
    static const char *const processes[] = {[HF_KIND_HANDLER] = "handler", [HF_KIND_RUNNER] = "runner"};
    return s->kind == HF_KIND_SERVICE ? lifecycles[s->instances] : processes[s->kind];
}

void cli_service_print(const struct hf_service_options *s, FILE *to)
{
    fprintf(to, "  %-12s %s (%s%s", s->name, s->path, s->kind == HF_KIND_SERVICE ? "" : "process, ", cli_lifecycle(s));
    if (s->max != 0)
        fprintf(to, ", at most %u", s->max);
    if (s->tenant != NULL)
        fprintf(to, ", tenant %s", s->tenant);
    fprintf(to, ")\n");
    for (size_t i = 0; i < s->n_routes; i++) {
        const struct hf_route *r = &s->routes[i];
        fprintf(to, "  %-12s   %s%s%s%s\n", "", r->method != NULL ? r->method : "", r->method != NULL ? " " : "",
                r->host != NULL ? r->host : "", r->path);
    }
}

void cli_manifest_print(const struct hf_manifest *m, FILE *to)
{
    size_t n;
    const struct hf_service_options *services = hf_manifest_services(m, &n);
    for (size_t i = 0; i < n; i++)
        cli_service_print(&services[i], to);
}

static enum hf_status failed(struct hf_words *msg, const char *what, const char *path, const char *instead)
{
    snprintf(msg->text, sizeof msg->text, "%s %s cannot be made: %s; %s", what, path, strerror(errno), instead);
    return HF_STATUS_IO;
}

/* Kept out of version control by itself, whatever the project says. Failing is no harm. */
static void ignore(const char *folder)
{
    char path[4300];
    const char *base = strrchr(folder, '/');
    if (strcmp(base == NULL ? folder : base + 1, ".holdfast") != 0)
        return;
    snprintf(path, sizeof path, "%s/.gitignore", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, "*\n", 2) != 2)
        unlink(path);
    close(fd);
}

bool cli_folder_make(const char *folder)
{
    struct stat st;
    if (mkdir(folder, 0700) == 0) {
        ignore(folder);
        return true;
    }
    return errno == EEXIST && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

enum hf_status cli_manifest_folders(struct hf_manifest *m, struct hf_words *msg)
{
    const char *data = hf_manifest_node(m)->data_dir;
    size_t n;
    const char *const *admin = hf_manifest_admin(m, &n);
    if (data != NULL && !cli_folder_make(data))
        return failed(msg, "the data folder", data, "name another, data = \"PATH\" in [node], or data = false to keep nothing");
    for (size_t i = 0; i < n; i++) {
        char folder[128];
        if (strncmp(admin[i], "unix:", 5) != 0)
            continue;
        snprintf(folder, sizeof folder, "%s", admin[i] + 5);
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash == folder)
            continue;
        *slash = 0;
        if (!cli_folder_make(folder))
            return failed(msg, "the folder of the admin socket", folder,
                          "name another, socket = \"PATH\" in [admin], or socket = false to have none");
    }
    return HF_STATUS_OK;
}

void cli_json_string(FILE *to, const char *text)
{
    if (text == NULL) {
        fputs("null", to);
        return;
    }
    fputc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++)
        if (*p == '"' || *p == '\\')
            fprintf(to, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(to, "\\u%04x", *p);
        else
            fputc(*p, to);
    fputc('"', to);
}
