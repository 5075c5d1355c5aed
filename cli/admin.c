/* admin.c - finding a running node and asking it (admin.h). */
#include "cli/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ABOVE_MAX 32

/* .holdfast/admin.sock here or in a folder above, as a path that is short however deep we are. */
static bool find_socket(char found[128])
{
    char up[3 * ABOVE_MAX + 8] = "", path[sizeof up + 32];
    struct stat st, root, here;
    bool has_root = stat("/", &root) == 0;
    for (int i = 0; i < ABOVE_MAX; i++) {
        snprintf(path, sizeof path, "%s.holdfast/admin.sock", up);
        if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
            return snprintf(found, 128, "unix:%s", path) < 128;
        snprintf(path, sizeof path, "%s.", up);
        if (!has_root || stat(path, &here) != 0 || (here.st_dev == root.st_dev && here.st_ino == root.st_ino))
            return false;
        strcat(up, "../");
    }
    return false;
}

bool cli_admin_find(const char *command, struct cli_admin *s)
{
    if (s->addr == NULL) {
        const char *env = getenv("HF_ADMIN");
        s->addr = env != NULL && env[0] != 0 ? env : find_socket(s->found) ? s->found : NULL;
    }
    if (s->token == NULL)
        s->token = getenv("HF_ADMIN_TOKEN");
    if (s->addr == NULL) {
        fprintf(stderr,
                "holdfast %s: no node was found: there is no .holdfast/admin.sock in this folder or above it.\n"
                "Start one with: holdfast run, or: holdfast serve app.wasm --admin unix:admin.sock\n"
                "Or say where it is: --admin unix:PATH, --admin HOST:PORT, or HF_ADMIN\n",
                command);
        return false;
    }
    if (strncmp(s->addr, "unix:", 5) != 0 && strchr(s->addr, '/') != NULL) { /* a path alone */
        if (snprintf(s->found, sizeof s->found, "unix:%s", s->addr) >= (int)sizeof s->found) {
            fprintf(stderr, "holdfast %s: the path of the admin socket is too long: %s\n", command, s->addr);
            return false;
        }
        s->addr = s->found;
    }
    return true;
}

bool cli_admin_parse(const char *command, const char *operands, const char *about, const struct cli_option *options,
                     struct cli_admin *s, int *argc, char **argv, int *code)
{
    int rc = cli_parse(command, operands, about, options, s, argc, argv);
    *code = rc > 0 ? 0 : HF_STATUS_USAGE;
    if (rc != 0)
        return false;
    *code = HF_STATUS_IO;
    if (!cli_admin_find(command, s))
        return false;
    *code = 0;
    return true;
}

/* What the node says is wrong, as it says it. */
static int refused(const char *command, uint32_t http, const char *answer)
{
    json_t *o = json_loads(answer, 0, NULL), *code = json_object_get(o, "code");
    const char *words = json_string_value(json_object_get(o, "error"));
    int ret = json_is_integer(code) && json_integer_value(code) > 0 ? (int)json_integer_value(code) : HF_STATUS_FAILED;
    if (words != NULL)
        fprintf(stderr, "holdfast %s: %s\n", command, words);
    else
        fprintf(stderr, "holdfast %s: the node answered %u: %s\n", command, http, answer);
    json_decref(o);
    return ret;
}

int cli_admin_call(const char *command, const struct cli_admin *s, const char *method, const char *target, const void *body,
                   size_t body_len, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx, char **answer, size_t *len)
{
    struct hf_words msg = {{0}};
    char *text = NULL;
    size_t n = 0;
    uint32_t http;
    int ret = 0;
    enum hf_status st = hf_admin_call(s->addr, s->token, method, target, body, body_len, each, ctx, &http, &text, &n, &msg);
    if (st != HF_STATUS_OK)
        ret = cli_fail(command, st, msg.text);
    else if (http < 200 || http > 299)
        ret = refused(command, http, text);
    if (ret == 0 && answer != NULL) {
        *answer = text;
        *len = n;
    } else {
        free(text);
    }
    return ret;
}

json_t *cli_admin_get(const char *command, const struct cli_admin *s, const char *target, int *code)
{
    json_error_t wrong;
    char *text = NULL;
    size_t len;
    *code = cli_admin_call(command, s, "GET", target, NULL, 0, NULL, NULL, &text, &len);
    if (*code != 0)
        return NULL;
    json_t *o = json_loadb(text, len, 0, &wrong);
    if (o == NULL)
        *code = cli_fail(command, HF_STATUS_FAILED, "the node's answer is not JSON: is this a holdfast node's admin door?");
    free(text);
    return o;
}

bool cli_escape(char *to, size_t size, const void *text, size_t len)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    const unsigned char *at = text;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (n + 4 > size)
            return false;
        if (at[i] != 0 && strchr(plain, at[i]) != NULL)
            to[n++] = (char)at[i];
        else
            n += (size_t)sprintf(to + n, "%%%02X", at[i]);
    }
    if (n >= size)
        return false;
    to[n] = 0;
    return true;
}

double cli_number_of(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

const char *cli_text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s == NULL ? "" : s;
}

const char *cli_bytes_text(double bytes, char out[16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    for (; bytes >= 1000 && i < 4; i++)
        bytes /= 1024;
    snprintf(out, 16, i == 0 || bytes >= 100 ? "%.0f%s" : "%.1f%s", bytes, units[i]);
    return out;
}

const char *cli_time_text(double ns, char out[16])
{
    static const struct { double ns; const char *unit; } units[] = {
        {86400e9, "d"}, {3600e9, "h"}, {60e9, "m"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
    size_t i = 0;
    while (i < 5 && ns < units[i].ns)
        i++;
    double n = ns / units[i].ns;
    snprintf(out, 16, n >= 100 || n == 0 ? "%.0f%s" : "%.3g%s", n, units[i].unit);
    return out;
}
