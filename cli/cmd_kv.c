/* cmd_kv.c - holdfast kv get|set|list|delete: the buckets of a running node's services. Values are any bytes. */
#include "cli/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX (64u << 20)
#define TARGET    8192

static const struct cli_option options[] = {
    {"service", "NAME", "whose bucket (the only service's, if there is one)", ADMIN_TEXT(service), "a service's name"},
    {"prefix", "TEXT", "list: keys that begin so", ADMIN_TEXT(prefix), "some text"},
    {"json", NULL, "list: as JSON", ADMIN_ON(json), NULL},
    CLI_OPTIONS_ADMIN,
    {0},
};

static int usage(const char *words)
{
    fprintf(stderr, "holdfast kv: %s\n", words);
    return HF_STATUS_USAGE;
}

static bool add(char *target, const char *text)
{
    size_t n = strlen(target);
    return snprintf(target + n, TARGET - n, "%s", text) < (int)(TARGET - n);
}

static bool add_escaped(char *target, const char *text)
{
    size_t n = strlen(target);
    return cli_escape(target + n, TARGET - n, text, strlen(text));
}

static bool make_target(char target[TARGET], const struct cli_admin *s, const char *bucket, const char *key)
{
    target[0] = 0;
    return add(target, "/v1/kv/") && add_escaped(target, bucket) && (key == NULL || (add(target, "/") && add_escaped(target, key))) &&
           add(target, "?") && (s->service == NULL || (add(target, "service=") && add_escaped(target, s->service)));
}

static int get(const struct cli_admin *s, const char *target)
{
    char *value = NULL;
    size_t len = 0;
    int code = cli_admin_call("kv", s, "GET", target, NULL, 0, NULL, NULL, &value, &len);
    if (code == 0 && (fwrite(value, 1, len, stdout) != len || (isatty(1) && printf("\n") < 0) || fflush(stdout) != 0))
        code = cli_fail("kv", HF_STATUS_IO, "the value cannot be written");
    free(value);
    return code;
}

static int set(const struct cli_admin *s, const char *target, const char *value)
{
    size_t len = value == NULL ? 0 : strlen(value);
    char *bytes = value == NULL || strcmp(value, "-") == 0 ? cli_read_stream(stdin, VALUE_MAX, &len) : strdup(value);
    if (bytes == NULL)
        return cli_fail("kv", HF_STATUS_IO, errno == EFBIG ? "the value has more than 64 MiB" : "the value cannot be read");
    int code = cli_admin_call("kv", s, "PUT", target, bytes, len, NULL, NULL, NULL, NULL);
    free(bytes);
    return code;
}

static void print_key(const json_t *key)
{
    const char *text = json_string_value(key), *hex = cli_text_of(key, "hex");
    if (text != NULL)
        fwrite(text, 1, json_string_length(key), stdout);
    unsigned byte;
    for (; text == NULL && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        putchar((int)byte);
    putchar('\n');
}

/* Page after page. */
static int list(const struct cli_admin *s, char target[TARGET])
{
    json_t *all = json_array();
    size_t base = strlen(target);
    int code = 0;
    for (bool more = true; more && code == 0;) {
        json_t *o = cli_admin_get("kv", s, target, &code), *key;
        size_t i;
        if (o == NULL)
            break;
        json_array_foreach(json_object_get(o, "keys"), i, key)
        {
            if (s->json)
                json_array_append(all, key);
            else
                print_key(key);
        }
        const char *cursor = cli_text_of(o, "cursor");
        more = cursor[0] != 0;
        target[base] = 0;
        if (more && !(add(target, "&cursor=") && add_escaped(target, cursor)))
            code = usage("the node's cursor is too long");
        json_decref(o);
    }
    if (s->json && code == 0) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(all);
    return code;
}

/* What each bucket holds. */
static int list_buckets(const struct cli_admin *s)
{
    int code;
    json_t *o = cli_admin_get("kv", s, "/v1/kv", &code), *b;
    const json_t *all = json_object_get(o, "buckets");
    size_t i;
    if (o != NULL && s->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (o != NULL) {
        printf("%-24s  %-24s  %12s  %9s\n", "OWNER", "BUCKET", "KEYS", "SIZE");
        json_array_foreach(all, i, b)
        {
            char owner[160], size[16];
            const char *tenant = cli_text_of(b, "tenant");
            snprintf(owner, sizeof owner, "%s%s", tenant[0] != 0 ? "tenant:" : "", tenant[0] != 0 ? tenant : cli_text_of(b, "service"));
            printf("%-24s  %-24s  %12.0f  %9s\n", owner, cli_text_of(b, "bucket"), cli_number_of(b, "keys"),
                   cli_bytes_text(cli_number_of(b, "bytes"), size));
        }
    }
    json_decref(o);
    return code;
}

int cmd_kv(int argc, char **argv)
{
    struct cli_admin s = {0};
    char target[TARGET];
    int code;
    if (!cli_admin_parse("kv", "get BUCKET KEY | set BUCKET KEY [VALUE] | list [BUCKET] | delete BUCKET KEY",
                         "Reads and writes the key-value buckets of a running node's services. Values are any bytes: set takes one from\n"
                         "standard input when none is named, get prints it as it is. list without a bucket shows what each of them holds.\n"
                         "Exit code 1: there is no such key.",
                         options, &s, &argc, argv, &code))
        return code;
    const char *verb = argc > 0 ? argv[0] : "";
    bool is_set = strcmp(verb, "set") == 0, is_list = strcmp(verb, "list") == 0, is_get = strcmp(verb, "get") == 0,
         is_delete = strcmp(verb, "delete") == 0;
    if (!is_set && !is_list && !is_get && !is_delete)
        return usage("say what: kv get BUCKET KEY, kv set BUCKET KEY [VALUE], kv list BUCKET or kv delete BUCKET KEY");
    if (is_list && argc == 1)
        return s.prefix != NULL || s.service != NULL ? usage("say which bucket: kv list BUCKET") : list_buckets(&s);
    if (is_list ? argc != 2 : is_set ? argc != 3 && argc != 4 : argc != 3)
        return usage(is_list ? "kv list BUCKET" : is_set ? "kv set BUCKET KEY [VALUE]" : is_get ? "kv get BUCKET KEY" : "kv delete BUCKET KEY");
    if (!make_target(target, &s, argv[1], is_list ? NULL : argv[2]))
        return usage("bucket and key are too long");
    if (is_list && s.prefix != NULL && !(add(target, "&prefix=") && add_escaped(target, s.prefix)))
        return usage("the prefix is too long");
    if (is_get)
        return get(&s, target);
    if (is_set)
        return set(&s, target, argc == 4 ? argv[3] : NULL);
    return is_list ? list(&s, target)
                   : cli_admin_call("kv", &s, "DELETE", target, NULL, 0, NULL, NULL, NULL, NULL);
}
