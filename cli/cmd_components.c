/* cmd_components.c - holdfast components [list|add|remove]: components by their content, in a node's data folder. No node needs to
 * run, and one may. */
#include "cli/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ABOVE_MAX 32

struct settings {
    const char *data;
    bool json;
    char found[3 * ABOVE_MAX + 32];
};

static const struct cli_option options[] = {
    {"data", "DIR", "the data folder (.holdfast in this folder or above)", CLI_TO(struct settings, data, CLI_KIND_TEXT, .max = 1), "a folder"},
    {"json", NULL, "list: as JSON", CLI_TO(struct settings, json, CLI_KIND_ON, .max = 1), NULL},
    {0},
};

static int usage(const char *words)
{
    fprintf(stderr, "holdfast components: %s\n", words);
    return HF_STATUS_USAGE;
}

/* .holdfast here or above; where there is none but a manifest is here, it is made, as `holdfast run` would. */
static bool find_data(struct settings *s, bool make)
{
    char up[3 * ABOVE_MAX + 8] = "", here[sizeof up + 2];
    struct stat st, root, now;
    bool has_root = stat("/", &root) == 0;
    s->data = s->found;
    for (int i = 0; i < ABOVE_MAX; i++) {
        snprintf(s->found, sizeof s->found, "%s.holdfast", up);
        if (stat(s->found, &st) == 0 && S_ISDIR(st.st_mode))
            return true;
        snprintf(here, sizeof here, "%s.", up);
        if (!has_root || stat(here, &now) != 0 || (now.st_dev == root.st_dev && now.st_ino == root.st_ino))
            break;
        strcat(up, "../");
    }
    strcpy(s->found, ".holdfast");
    if (make && stat("holdfast.toml", &st) == 0 && cli_folder_make(s->found))
        return true;
    fprintf(stderr,
            "holdfast components: no data folder was found: there is no .holdfast in this folder or above it.\n"
            "holdfast run makes one beside its holdfast.toml. Or say where it is: --data DIR\n");
    return false;
}

/* ---- list ---- */

struct listing {
    bool json;
    size_t n;
    uint64_t bytes;
};

static void print_one(void *ctx, const struct hf_stored_component *c)
{
    struct listing *l = ctx;
    time_t t = (time_t)(c->added_unix_ms / 1000);
    struct tm tm;
    char when[32] = "";
    if (l->json) {
        printf("%s\n  {\"name\": \"%s\", \"bytes\": %llu, \"added_unix_ms\": %llu, \"used_by\": ", l->n > 0 ? "," : "", c->name,
               (unsigned long long)c->bytes, (unsigned long long)c->added_unix_ms);
        cli_json_string(stdout, c->used_by);
        printf("}");
    } else {
        if (l->n == 0)
            printf("%-71s  %10s  %-16s  %s\n", "COMPONENT", "BYTES", "ADDED", "USED BY");
        if (localtime_r(&t, &tm) != NULL)
            strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
        printf("%-71s  %10llu  %-16s  %s\n", c->name, (unsigned long long)c->bytes, when, c->used_by[0] != 0 ? c->used_by : "-");
    }
    l->n++;
    l->bytes += c->bytes;
}

static int list(const struct settings *s)
{
    struct hf_words msg;
    struct listing l = {.json = s->json};
    if (l.json)
        printf("{\"version\": 1, \"components\": [");
    enum hf_status st = hf_components_list(s->data, print_one, &l, &msg);
    if (l.json)
        printf("%s]}\n", l.n > 0 ? "\n" : "");
    else if (st == HF_STATUS_OK && l.n == 0)
        printf("%s has no components\n", s->data);
    return st == HF_STATUS_OK ? 0 : cli_fail("components", st, msg.text);
}

/* ---- the command ---- */

int cmd_components(int argc, char **argv)
{
    struct settings s = {0};
    struct hf_words msg;
    char name[80];
    int rc = cli_parse("components", "[list] | add FILE... | remove HASH...",
                       "Components by what is in them, in a data folder's component store: what was deployed, and what was added here. A\n"
                       "manifest may say component = \"sha256:...\", the name that add prints. A node removes what no service uses and no\n"
                       "rollback would put back, oldest first, when there is more than [node.components] lets be.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    const char *verb = argc > 0 ? argv[0] : "list";
    bool add = strcmp(verb, "add") == 0, remove = strcmp(verb, "remove") == 0;
    if (!add && !remove && strcmp(verb, "list") != 0)
        return usage("say what: components list, components add FILE... or components remove HASH...");
    if (add || remove ? argc < 2 : argc > 1)
        return usage(add ? "name the files: components add app.wasm" : remove ? "name components: components remove sha256:..." : "list takes no operands");
    if (s.data == NULL && !find_data(&s, add))
        return HF_STATUS_IO;
    if (add && s.data != s.found)
        cli_folder_make(s.data); /* what is wrong with it is said by who uses it */
    if (!add && !remove)
        return list(&s);
    for (int i = 1; i < argc; i++) {
        enum hf_status st = add ? hf_components_add(s.data, argv[i], name, &msg) : hf_components_remove(s.data, argv[i], &msg);
        if (st != HF_STATUS_OK)
            return cli_fail("components", st, msg.text);
        if (add)
            printf("%s\n", name);
    }
    return 0;
}
