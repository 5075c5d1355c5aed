/* cmd_new.c - holdfast new NAME --lang LANG: a project that builds, runs and has a test.
 *
 * Its files are those of guest/templates/common and guest/templates/LANG, which lie beside this
 * program: "dot-" in front of a name becomes ".", @NAME@ in a file the project's name.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN_MAX 63

static const struct language {
    const char *lang, *name, *source;
} languages[] = {
    {"c", "C", "app.c"},
    {"js", "JavaScript", "app.js"},
    {"python", "Python", "app.py"},
    {"rust", "Rust", "src/lib.rs"},
};
enum { N_LANGUAGES = sizeof languages / sizeof languages[0] };

struct project {
    const char *lang; /* as it was written */
    char name[NAME_LEN_MAX + 1];
};

static const struct cli_option options[] = {
    {"lang", "LANG", "c, js, python or rust", CLI_TO(struct project, lang, CLI_KIND_TEXT, .max = 1),
     "c, js, python or rust"},
    {0},
};

static const struct language *language_of(const char *lang)
{
    static const char *const others[][2] = {
        {"javascript", "js"}, {"node", "js"}, {"py", "python"}, {"rs", "rust"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(lang, others[i][0]) == 0)
            lang = others[i][1];
    for (size_t i = 0; i < N_LANGUAGES; i++)
        if (strcmp(lang, languages[i].lang) == 0)
            return &languages[i];
    return NULL;
}

/* What a service, a Cargo package and an npm package may all be called. */
static bool name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return name[0] >= 'a' && name[0] <= 'z' && name[n] == 0 && n <= NAME_LEN_MAX && name[n - 1] != '-';
}

/* ---- copying --------------------------------------------------------------------------------------------- */

static int fail_at(const char *what, const char *path)
{
    fprintf(stderr, "holdfast new: %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

static int copy_file(const struct project *p, const char *from, const char *to)
{
    static const char mark[] = "@NAME@";
    size_t len;
    char *text = cli_read_file(from, SIZE_MAX, &len);
    if (text == NULL)
        return fail_at("read", from);
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, access(from, X_OK) == 0 ? 0777 : 0666);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    int rc = 0;
    if (out != NULL) {
        const char *at = text;
        for (const char *hit; (hit = strstr(at, mark)) != NULL; at = hit + sizeof mark - 1)
            fprintf(out, "%.*s%s", (int)(hit - at), at, p->name);
        fputs(at, out);
        rc = ferror(out) != 0 ? -1 : 0;
        if (fclose(out) != 0)
            rc = -1;
    }
    free(text);
    return out == NULL || rc != 0 ? fail_at("write", to) : 0;
}

static int copy_tree(const struct project *p, const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *e;
    int rc = 0;
    if (d == NULL)
        return fail_at("read", from);
    if (mkdir(to, 0777) != 0 && errno != EEXIST)
        rc = fail_at("make", to);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        char src[PATH_MAX], dst[PATH_MAX];
        struct stat st;
        const char *name = e->d_name;
        bool dot = strncmp(name, "dot-", 4) == 0;
        if (name[0] == '.')
            continue;
        if (snprintf(src, sizeof src, "%s/%s", from, name) >= (int)sizeof src ||
            snprintf(dst, sizeof dst, "%s/%s%s", to, dot ? "." : "", dot ? name + 4 : name) >=
                (int)sizeof dst) {
            errno = ENAMETOOLONG;
            rc = fail_at("make", to);
        } else if (stat(src, &st) != 0) {
            rc = fail_at("read", src);
        } else {
            rc = S_ISDIR(st.st_mode) ? copy_tree(p, src, dst) : copy_file(p, src, dst);
        }
    }
    closedir(d);
    return rc;
}

/* ---- the command ----------------------------------------------------------------------------------------- */

/* A folder that is there must be empty: nothing of anybody's is written over. 0, else after a message. */
static int folder_free(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = 0;
    if (d == NULL)
        return errno == ENOENT ? 0 : fail_at("use", dir);
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            fprintf(stderr, "holdfast new: %s is there and not empty (it has %s): choose another name\n", dir,
                    e->d_name);
            rc = -1;
        }
    closedir(d);
    return rc;
}

static int set_name(struct project *p, const char *dir)
{
    char whole[PATH_MAX];
    const char *last = dir;
    size_t len = strlen(dir);
    if (strcmp(dir, ".") == 0 && realpath(dir, whole) != NULL)
        last = whole, len = strlen(whole);
    while (len > 1 && last[len - 1] == '/')
        len--;
    const char *base = memrchr(last, '/', len);
    base = base == NULL ? last : base + 1;
    len -= (size_t)(base - last);
    snprintf(p->name, sizeof p->name, "%.*s", (int)(len < sizeof p->name ? len : 0), base);
    if (name_ok(p->name))
        return 0;
    fprintf(stderr,
            "holdfast new: '%.*s' cannot be a project's name: small letters, digits and '-', a letter first, at most "
            "%d\n",
            (int)len, base, NAME_LEN_MAX);
    return -1;
}

static enum hf_status make(const struct project *p, const struct language *l, const char *dir)
{
    const char *parts[] = {"common", l->lang};
    char sdk[PATH_MAX], from[PATH_MAX + 64];
    if (cli_guest_sdk(sdk) == NULL)
        return (enum hf_status)cli_fail("new", HF_STATUS_IO,
                                        "the templates are not beside this program; set HF_GUEST_SDK");
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        fail_at("make", dir);
        return HF_STATUS_IO;
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/templates/%s", sdk, parts[i]);
        if (copy_tree(p, from, dir) != 0) {
            fprintf(stderr, "holdfast new: what was made so far is in %s\n", dir);
            return HF_STATUS_IO;
        }
    }
    printf("made %s, a service in %s: %s is its source, holdfast.toml says how it is served\n\n"
           "next:\n",
           p->name, l->name, l->source);
    if (strcmp(dir, ".") != 0)
        printf("  cd %s\n", dir);
    printf("  ./test.sh               # builds it, starts it on a free port, asks it, ends it\n"
           "  holdfast build          # makes %s.wasm\n"
           "  holdfast run --watch    # serves it on http://127.0.0.1:8080/ until ctrl-c, and every new build of it\n",
           p->name);
    return HF_STATUS_OK;
}

int cmd_new(int argc, char **argv)
{
    struct project p = {0};
    int rc = cli_parse("new", "NAME",
                       "Makes the folder NAME (or, for '.', fills this one) with an HTTP service: source, its world, a test.\n"
                       "An existing folder must be empty.",
                       options, &p, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc != 1 || argv[0][0] == 0) {
        fprintf(stderr, "holdfast new: give one name: holdfast new hello --lang js\n");
        return HF_STATUS_USAGE;
    }
    if (p.lang == NULL) {
        fprintf(stderr, "holdfast new: which language? --lang c, js, python or rust\n");
        return HF_STATUS_USAGE;
    }
    const struct language *l = language_of(p.lang);
    if (l == NULL) {
        fprintf(stderr, "holdfast new: there is no template for '%s'; there are: c, js, python, rust%s\n", p.lang,
                strcmp(p.lang, "go") == 0 ? ". (Go makes commands, not services: holdfast build and holdfast exec do those)" : "");
        return HF_STATUS_USAGE;
    }
    if (set_name(&p, argv[0]) != 0 || folder_free(argv[0]) != 0)
        return HF_STATUS_USAGE;
    return (int)make(&p, l, argv[0]);
}
