/* cmd_call.c - holdfast call|send NAME [BODY|-]: a message to a process of a running node, and what
 * it answers.
 *
 * What the node sends is a line of JSON, then the answer's body, then its blob as it comes
 * (doc/admin.md). */
#include "cli/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX   (1u << 20)
#define UPLOAD_MAX (255u << 20)
#define HEAD_MAX   (256u * 1024)

struct settings {
    struct cli_admin admin; /* first: cli_admin_parse fills it */
    const char *metadata, *blob, *blob_to;
    uint64_t timeout_ns;
};

// clang-format off
#define TO_TEXT(field) CLI_TO(struct settings, field, CLI_KIND_TEXT, .max = 1)
#define OPTIONS_BOTH \
    {"blob", "FILE", "a file that goes along as the message's blob; - is standard input", TO_TEXT(blob), "a file"}, \
    {"metadata", "TEXT", "what goes along as the message's metadata", TO_TEXT(metadata), "some text"}
// clang-format on

static const struct cli_option call_options[] = {
    OPTIONS_BOTH,
    {"blob-to", "FILE", "put the answer's blob there (it follows the body on standard output)",
     TO_TEXT(blob_to), "a file"},
    {"timeout", "TIME",
     "wait so long for an answer (what the process's class says, 30s if nothing)",
     CLI_TO(struct settings, timeout_ns, CLI_KIND_TIME, .min = 1, .max = UINT64_MAX),
     "a time like 3s"},
    {"json", NULL, "the answer as JSON; its blob only with --blob-to", ADMIN_ON(json), NULL},
    CLI_OPTIONS_ADMIN,
    {0},
};
static const struct cli_option send_options[] = {
    OPTIONS_BOTH,
    CLI_OPTIONS_ADMIN,
    {0},
};

/* ---- what goes ---- */

struct upload {
    char *bytes;
    size_t len, body_len;
};

static int read_failed(const char *command, const char *what, size_t max)
{
    char words[512];
    if (errno == EFBIG)
        snprintf(words, sizeof words, "%.400s has more than %zu MiB", what, max >> 20);
    else
        snprintf(words, sizeof words, "%.400s cannot be read: %s", what, strerror(errno));
    return cli_fail(command, HF_STATUS_IO, words);
}

static int take_body(const char *command, const char *body, struct upload *u)
{
    bool from_stdin = body != NULL && strcmp(body, "-") == 0;
    u->len = body == NULL ? 0 : strlen(body);
    u->bytes =
        from_stdin ? cli_read_stream(stdin, BODY_MAX, &u->len) : strdup(body == NULL ? "" : body);
    u->body_len = u->len;
    if (u->bytes == NULL && from_stdin && errno == EFBIG)
        return cli_fail(command, HF_STATUS_LIMIT,
                        "a message's body has 1 MiB at most; more is a blob: --blob -");
    return u->bytes != NULL ? 0 : read_failed(command, "standard input", BODY_MAX);
}

static int take_blob(const char *command, const char *path, struct upload *u)
{
    size_t len;
    bool from_stdin = strcmp(path, "-") == 0;
    char *blob = from_stdin ? cli_read_stream(stdin, UPLOAD_MAX, &len)
                            : cli_read_file(path, UPLOAD_MAX, &len);
    if (blob == NULL)
        return read_failed(command, from_stdin ? "standard input" : path, UPLOAD_MAX);
    char *both = realloc(u->bytes, u->len + len + 1);
    if (both != NULL) {
        memcpy(both + u->len, blob, len);
        u->bytes = both;
        u->len += len;
    }
    free(blob);
    return both != NULL ? 0 : cli_fail(command, HF_STATUS_LIMIT, "out of memory");
}

static bool add(char *target, size_t size, const char *name, const char *value)
{
    size_t n = strlen(target);
    int more = snprintf(target + n, size - n, "%s", name);
    return more >= 0 && (size_t)more < size - n &&
           cli_escape(target + n + more, size - n - (size_t)more, value, strlen(value));
}

static bool make_target(char *target, size_t size, const char *verb, const char *name,
                        const struct settings *s, const struct upload *u)
{
    char number[32], verb_and_body[64];
    target[0] = 0;
    snprintf(number, sizeof number, "%zu", u->body_len);
    snprintf(verb_and_body, sizeof verb_and_body, "/%s?body=", verb);
    bool ok = add(target, size, "/v1/processes/", name) && add(target, size, verb_and_body, number);
    if (s->blob != NULL)
        ok = ok && add(target, size, "&blob", "");
    if (s->metadata != NULL)
        ok = ok && add(target, size, "&metadata=", s->metadata);
    if (s->timeout_ns != 0) {
        snprintf(number, sizeof number, "%lluns", (unsigned long long)s->timeout_ns);
        ok = ok && add(target, size, "&timeout=", number);
    }
    return ok;
}

/* ---- what comes ---- */

struct coming {
    const struct settings *s;
    char head[HEAD_MAX], *body;
    size_t head_len, body_len, body_got;
    json_t *info;
    FILE *blob_file;
    uint64_t blob_bytes;
    int code; /* 0, or that it cannot be written (it was said) */
    bool bad;
};

static bool cannot_write(struct coming *c, const char *what)
{
    char words[512];
    snprintf(words, sizeof words, "%.400s cannot be written: %s", what, strerror(errno));
    c->code = cli_fail("call", HF_STATUS_IO, words);
    return false;
}

static bool read_head(struct coming *c)
{
    c->info = json_loadb(c->head, c->head_len, 0, NULL);
    c->body_len = (size_t)json_integer_value(json_object_get(c->info, "body_bytes"));
    if (c->info == NULL)
        return false;
    c->body = malloc(c->body_len + 1);
    return c->body != NULL;
}

static bool take_body_bytes(struct coming *c, const char *bytes, size_t n)
{
    memcpy(c->body + c->body_got, bytes, n);
    c->body_got += n;
    if (c->body_got < c->body_len || c->s->admin.json)
        return true;
    return (fwrite(c->body, 1, c->body_len, stdout) == c->body_len && fflush(stdout) == 0) ||
           cannot_write(c, "the answer");
}

static bool take_blob_bytes(struct coming *c, const char *bytes, size_t n)
{
    c->blob_bytes += n;
    if (c->blob_file != NULL)
        return fwrite(bytes, 1, n, c->blob_file) == n || cannot_write(c, c->s->blob_to);
    return c->s->admin.json || (fwrite(bytes, 1, n, stdout) == n && fflush(stdout) == 0) ||
           cannot_write(c, "the answer's blob");
}

static bool each(void *ctx, const void *data, size_t n)
{
    struct coming *c = ctx;
    const char *bytes = data;
    if (c->info == NULL) {
        const char *end = memchr(bytes, '\n', n);
        size_t part = end == NULL ? n : (size_t)(end - bytes);
        c->bad = part > HEAD_MAX - c->head_len;
        if (c->bad)
            return false;
        memcpy(c->head + c->head_len, bytes, part);
        c->head_len += part;
        if (end == NULL)
            return true;
        c->bad = !read_head(c);
        if (c->bad)
            return false;
        bytes += part + 1;
        n -= part + 1;
    }
    size_t part = c->body_len - c->body_got < n ? c->body_len - c->body_got : n;
    if (part > 0 && !take_body_bytes(c, bytes, part))
        return false;
    return part == n || take_blob_bytes(c, bytes + part, n - part);
}

static json_t *text_or_hex(const char *bytes, size_t n)
{
    json_t *ret = json_stringn(n == 0 ? "" : bytes, n);
    char *hex = ret == NULL ? malloc(2 * n + 1) : NULL;
    for (size_t i = 0; hex != NULL && i < n; i++)
        sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
    if (hex != NULL)
        ret = json_pack("{s:s}", "hex", hex);
    free(hex);
    return ret;
}

static int show(struct coming *c)
{
    if (c->bad || c->info == NULL || c->body_got < c->body_len)
        return cli_fail("call", HF_STATUS_FAILED,
                        "the node's answer is not what this version understands, or broke off");
    if (c->blob_file != NULL && fflush(c->blob_file) != 0) {
        cannot_write(c, c->s->blob_to);
        return c->code;
    }
    if (c->s->admin.json) {
        json_object_del(c->info, "body_bytes");
        json_object_set_new(c->info, "body", text_or_hex(c->body, c->body_len));
        if (json_is_true(json_object_get(c->info, "blob")))
            json_object_set_new(c->info, "blob_bytes", json_integer((json_int_t)c->blob_bytes));
        json_dumpf(c->info, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (isatty(1)) {
        printf("\n");
    }
    return fflush(stdout) == 0 ? 0 : cli_fail("call", HF_STATUS_IO, "the answer cannot be written");
}

static int call(const struct settings *s, const char *target, const struct upload *u)
{
    struct coming *c = calloc(1, sizeof *c);
    int code;
    if (c == NULL)
        return cli_fail("call", HF_STATUS_LIMIT, "out of memory");
    c->s = s;
    if (s->blob_to != NULL && (c->blob_file = fopen(s->blob_to, "wb")) == NULL) {
        cannot_write(c, s->blob_to);
        code = c->code;
    } else {
        code = cli_admin_call("call", &s->admin, "POST", target, u->bytes, u->len, each, c, NULL,
                              NULL);
        code = code != 0 ? code : c->code != 0 ? c->code : show(c);
    }
    if (c->blob_file != NULL)
        fclose(c->blob_file);
    json_decref(c->info);
    free(c->body);
    free(c);
    return code;
}

/* ---- the commands ---- */

static int run(const char *verb, const char *about, const struct cli_option *options, int argc,
               char **argv)
{
    struct settings s = {0};
    struct upload u = {0};
    char *target = NULL;
    const size_t size = 32768;
    int code;
    if (!cli_admin_parse(verb, "NAME [BODY|-]", about, options, &s.admin, &argc, argv, &code))
        return code;
    if (argc < 1 || argc > 2) {
        fprintf(stderr,
                "holdfast %s: name one process, and what to say: holdfast %s cart/42 hello\n", verb,
                verb);
        return HF_STATUS_USAGE;
    }
    const char *body = argc == 2 ? argv[1] : NULL;
    if (body != NULL && strcmp(body, "-") == 0 && s.blob != NULL && strcmp(s.blob, "-") == 0)
        return cli_fail(verb, HF_STATUS_USAGE, "standard input is the body or the blob, not both");
    code = take_body(verb, body, &u);
    if (code == 0 && s.blob != NULL)
        code = take_blob(verb, s.blob, &u);
    if (code == 0 && (target = malloc(size)) == NULL)
        code = cli_fail(verb, HF_STATUS_LIMIT, "out of memory");
    if (code == 0 && !make_target(target, size, verb, argv[0], &s, &u))
        code = cli_fail(verb, HF_STATUS_USAGE, "the name or the metadata is too long");
    if (code == 0)
        code = options == call_options ? call(&s, target, &u)
                                       : cli_admin_call(verb, &s.admin, "POST", target, u.bytes,
                                                        u.len, NULL, NULL, NULL, NULL);
    free(target);
    free(u.bytes);
    return code;
}

int cmd_call(int argc, char **argv)
{
    return run("call",
               "Sends a request to a process of a running node and prints its answer: the body, "
               "then its blob. BODY - is standard\n"
               "input. Exit code when there is no answer: 7 not in time, 10 no such process, 11 "
               "its mailbox is full, 12 it died,\n"
               "13 it let go of the request without an answer, 5 a limit, 8 the node is stopping.",
               call_options, argc, argv);
}

int cmd_send(int argc, char **argv)
{
    return run("send",
               "Sends a message that wants no answer to a process of a running node. BODY - is "
               "standard input. Exit code 0: it lies\n"
               "in the mailbox; 10 no such process, 11 its mailbox is full, 5 a limit, 8 the node "
               "is stopping.",
               send_options, argc, argv);
}
