/* args.c - options, units, messages: small enough to be ours, so that every command has --help, =values and near misses. */
#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void help(const char *command, const char *operands, const char *about, const struct cli_option *o)
{
    printf("usage: holdfast %s [OPTIONS] %s\n\n%s\n\noptions:\n", command, operands, about);
    for (; o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
        printf("  %-28s %s\n", left, o->help);
    }
    printf("  %-28s %s\n", "--help", "this text");
}

/* Letters to change from a to b, for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[40];
    size_t m = strlen(b);
    if (m >= 39)
        return 99;
    for (unsigned j = 0; j <= m; j++)
        row[j] = j;
    for (unsigned i = 1; *a != 0; a++, i++) {
        unsigned diag = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned sub = diag + (*a != b[j - 1]);
            diag = row[j];
            unsigned best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = sub < best ? sub : best;
        }
    }
    return row[m];
}

static const struct cli_option *find(const struct cli_option *options, const char *name, size_t len)
{
    for (const struct cli_option *o = options; o->name != NULL; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static int unknown(const char *command, const struct cli_option *options, const char *name, size_t len)
{
    char word[32];
    const struct cli_option *near = NULL;
    unsigned best = 3;
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    for (const struct cli_option *o = options; o->name != NULL; o++)
        if (distance(word, o->name) < best) {
            best = distance(word, o->name);
            near = o;
        }
    fprintf(stderr, "holdfast %s: there is no option --%s", command, word);
    if (near != NULL)
        fprintf(stderr, "; did you mean --%s?", near->name);
    fprintf(stderr, "\nsee: holdfast %s --help\n", command);
    return -1;
}

/* Values are copied, so that no cast claims what lies at the offset. */
static int set(const struct cli_target *t, void *to, const char *v)
{
    void *at = (char *)to + t->at;
    uint64_t n = 1;
    uint32_t small;
    bool on = true;
    switch (t->kind) {
    case CLI_KIND_CALL: return t->call(to, v);
    case CLI_KIND_ON: memcpy(at, &on, sizeof on); return 0;
    case CLI_KIND_TEXT: memcpy(at, &v, sizeof v); return v[0] == 0 ? -1 : 0;
    case CLI_KIND_WORD:
        for (n = 0; t->words[n] != NULL && strcmp(t->words[n], v) != 0;)
            n++;
        if (t->words[n] == NULL)
            return -1;
        small = (uint32_t)n;
        memcpy(at, &small, sizeof small);
        return 0;
    case CLI_KIND_SIZE:
        if (cli_size(v, &n) != 0)
            return -1;
        break;
    case CLI_KIND_TIME:
        if (cli_duration(v, &n) != 0)
            return -1;
        break;
    default:
        if (cli_number(v, UINT64_MAX, &n) != 0)
            return -1;
    }
    if (n < t->min || n > t->max)
        return -1;
    small = (uint32_t)n;
    if (t->kind == CLI_KIND_U32)
        memcpy(at, &small, sizeof small);
    else
        memcpy(at, &n, sizeof n);
    return 0;
}

int cli_parse(const char *command, const char *operands, const char *about, const struct cli_option *options, void *to, int *argc,
              char **argv)
{
    int out = 0, n = *argc;
    for (int i = 1; i < n; i++) {
        char *a = argv[i];
        if (strcmp(a, "--") == 0) {
            for (i++; i < n; i++)
                argv[out++] = argv[i];
            break;
        }
        if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            help(command, operands, about, options);
            return 1;
        }
        if (strcmp(a, "--_options") == 0) { /* asked by shells (cmd_completion.c) */
            for (const struct cli_option *o = options; o->name != NULL; o++)
                printf("--%s\t%s\n", o->name, o->help);
            puts("--help\tthis command's options");
            return 1;
        }
        if (a[0] != '-' || a[1] != '-') {
            argv[out++] = a;
            continue;
        }
        const char *name = a + 2, *eq = strchr(name, '='), *value = NULL;
        size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
        const struct cli_option *o = find(options, name, len);
        if (o == NULL)
            return unknown(command, options, name, len);
        if (o->arg == NULL && eq != NULL) {
            fprintf(stderr, "holdfast %s: --%s takes no value\n", command, o->name);
            return -1;
        }
        if (o->arg != NULL) {
            value = eq != NULL ? eq + 1 : i + 1 < n ? argv[++i] : NULL;
            if (value == NULL) {
                fprintf(stderr, "holdfast %s: --%s needs a value: %s\n", command, o->name, o->arg);
                return -1;
            }
        }
        if (set(&o->target, to, value) != 0) {
            fprintf(stderr, "holdfast %s: --%s: '%s' is not %s\n", command, o->name, value, o->expect);
            return -1;
        }
    }
    *argc = out;
    return 0;
}

int cli_duration(const char *text, uint64_t *ns)
{
    return hf_read_duration(text, ns) ? 0 : -1;
}

int cli_size(const char *text, uint64_t *bytes)
{
    return hf_read_size(text, bytes) ? 0 : -1;
}

int cli_number(const char *text, uint64_t max, uint64_t *n)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return -1;
    unsigned long long v = strtoull(text, &end, 10);
    if (*end != 0 || v > max)
        return -1;
    *n = v;
    return 0;
}

int cli_fail(const char *command, enum hf_status status, const char *message)
{
    fprintf(stderr, "holdfast %s: %s\n", command, message[0] != 0 ? message : "it failed");
    return (int)status;
}
