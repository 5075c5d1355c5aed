/* cmd_build.c - holdfast build [DIR]: a component from source, with the toolchain at hand.
 *
 * The steps of each language are a script beside the helpers for guests (guest/build), which the
 * source tree's own examples are built by too. Here: which language it is, where the result goes,
 * and what a user sees while it takes ten seconds.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Exit codes of guest/build. */
enum { BUILD_OK = 0, BUILD_FAILED = 1, BUILD_USAGE = 2, BUILD_MISSING = 3 };

static const struct language {
    const char *lang, *name;
    const char *file; /* what a project of it has; the last one: files that end so */
} languages[] = {
    {"rust", "Rust", "Cargo.toml"}, {"go", "Go", "go.mod"}, {"python", "Python", "app.py"},
    {"js", "JavaScript", "app.js"}, {"c", "C", ".c"},
};
enum { N_LANGUAGES = sizeof languages / sizeof languages[0], C = N_LANGUAGES - 1 };
static const char *const words[] = {"rust", "go", "python", "js", "c", NULL};

struct build {
    uint32_t lang; /* of `languages`; N_LANGUAGES: look */
    const char *out;
    bool keep, verbose, no_install;
};

#define TO(field, kind) CLI_TO(struct build, field, kind, .max = 1)
static const struct cli_option options[] = {
    {"lang", "LANG", "c, go, js, python or rust (what the folder looks like)",
     CLI_TO(struct build, lang, CLI_KIND_WORD, .words = words), "c, go, js, python or rust"},
    {"out", "FILE", "the component to write (the folder's name with .wasm); -o is the same",
     TO(out, CLI_KIND_TEXT), "a file"},
    {"no-install", NULL, "fetch no tools into the cache: say what is missing",
     TO(no_install, CLI_KIND_ON), NULL},
    {"keep", NULL, "keep the folder of what lies between (bindings, core module), and say where",
     TO(keep, CLI_KIND_ON), NULL},
    {"verbose", NULL, "print the commands that are run", TO(verbose, CLI_KIND_ON), NULL},
    {0},
};

static bool exists(const char *dir, const char *file)
{
    char path[PATH_MAX + NAME_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return access(path, F_OK) == 0;
}

static bool has_ending(const char *dir, const char *ending)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool found = false;
    while (d != NULL && !found && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name), n = strlen(ending);
        found = len > n && strcmp(e->d_name + len - n, ending) == 0;
    }
    if (d != NULL)
        closedir(d);
    return found;
}

/* C last: other languages' projects may have C files too. False after a message. */
static bool detect(struct build *b, const char *dir, const char *shown)
{
    char own_js[NAME_MAX + 8];
    snprintf(own_js, sizeof own_js, "%.*s.js", NAME_MAX, strrchr(dir, '/') + 1);
    for (uint32_t i = 0; i < C; i++) {
        bool js = strcmp(languages[i].lang, "js") == 0;
        if (!exists(dir, languages[i].file) && !(js && exists(dir, own_js)))
            continue;
        if (b->lang != N_LANGUAGES) {
            fprintf(stderr,
                    "holdfast build: %s looks like %s (%s) and like %s (%s): say which with --lang\n",
                    shown, languages[b->lang].name, languages[b->lang].file, languages[i].name,
                    languages[i].file);
            return false;
        }
        b->lang = i;
    }
    if (b->lang == N_LANGUAGES && has_ending(dir, languages[C].file))
        b->lang = C;
    if (b->lang == N_LANGUAGES)
        fprintf(stderr,
                "holdfast build: %s has nothing to build: no Cargo.toml, go.mod, app.py, app.js or "
                ".c file\n",
                shown);
    return b->lang != N_LANGUAGES;
}

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* Waits for it; on a terminal the line of what is being done counts seconds. Its exit code. */
static int wait_for(pid_t pid, const char *doing)
{
    struct timespec begun, step = {0, 50000000};
    bool terminal = isatty(2) == 1;
    int status = 0, shown = 0;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (;;) {
        pid_t got = waitpid(pid, &status, terminal ? WNOHANG : 0);
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            return BUILD_FAILED;
        if (got != 0)
            continue;
        nanosleep(&step, NULL);
        int now = (int)seconds_since(&begun);
        if (now > shown)
            fprintf(stderr, "\r%s ... %d s", doing, shown = now);
    }
    if (shown > 0)
        fputs("\r\033[K", stderr);
    return WIFEXITED(status) ? WEXITSTATUS(status) : BUILD_FAILED;
}

static enum hf_status build(const struct build *b, const char *sdk, const char *dir)
{
    const char *argv[12];
    char script[PATH_MAX + 8], doing[PATH_MAX + 64];
    size_t n = 0;
    pid_t pid;
    snprintf(script, sizeof script, "%s/build", sdk);
    snprintf(doing, sizeof doing, "building %s from %s", b->out, languages[b->lang].name);
    argv[n++] = script;
    if (b->keep)
        argv[n++] = "--keep";
    if (b->verbose)
        argv[n++] = "--verbose";
    if (b->no_install)
        argv[n++] = "--no-install";
    argv[n++] = languages[b->lang].lang;
    argv[n++] = dir;
    argv[n++] = b->out;
    argv[n] = NULL;
    fprintf(stderr, "%s\n", doing);
    int err = posix_spawn(&pid, script, NULL, NULL, (char *const *)(uintptr_t)argv, environ);
    if (err != 0) {
        fprintf(stderr, "holdfast build: %s: %s%s\n", script, strerror(err),
                err == ENOENT ? " (it needs bash)" : "");
        return HF_STATUS_IO;
    }
    switch (wait_for(pid, doing)) {
    case BUILD_OK: printf("%s\n", b->out); return HF_STATUS_OK;
    case BUILD_USAGE: return HF_STATUS_USAGE;
    case BUILD_MISSING: return HF_STATUS_UNSUPPORTED;
    default: return HF_STATUS_FAILED;
    }
}

int cmd_build(int argc, char **argv)
{
    struct build b = {.lang = N_LANGUAGES};
    char name[NAME_MAX + 6], dir[PATH_MAX], tool[PATH_MAX], sdk[PATH_MAX];
    struct stat st;

    for (int i = 1; i < argc; i++) /* the usual short form */
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = (char *)(uintptr_t) "--out";
    int rc = cli_parse(
        "build", "[DIR]",
        "Builds the component whose source is in DIR (.): app.js or app.py, a Cargo package, or "
        "every .c file; for the world\n"
        "`service` of DIR/wit if it is there, else of wasi:http/proxy. A main.c or a Go module "
        "becomes a plain program for exec.\n"
        "Exit code 0: built, its name is printed; 1: the source is wrong; 4: the language's tools "
        "are missing, and how to get them.",
        options, &b, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    const char *shown = argc == 0 ? "." : argv[0];
    if (argc > 1 || stat(shown, &st) != 0 || !S_ISDIR(st.st_mode) ||
        realpath(shown, dir) == NULL) {
        fprintf(stderr, "holdfast build: %s: name one folder with source: holdfast build my-service\n",
                argc > 1 ? argv[1] : shown);
        return HF_STATUS_USAGE;
    }
    if (b.lang == N_LANGUAGES && !detect(&b, dir, shown))
        return HF_STATUS_USAGE;
    if (b.out == NULL) {
        snprintf(name, sizeof name, "%.*s.wasm", NAME_MAX, strrchr(dir, '/') + 1);
        b.out = name;
    }
    if (cli_guest_tool(tool) == NULL || cli_guest_sdk(sdk) == NULL) {
        fprintf(stderr, "holdfast build: the guest tool is not beside this program; set HF_GUEST_TOOL "
                        "and HF_GUEST_SDK\n");
        return HF_STATUS_IO;
    }
    if (setenv("HF_GUEST_TOOL", tool, 1) != 0 || setenv("HF_SAYS", "holdfast build", 1) != 0)
        return cli_fail("build", HF_STATUS_LIMIT, "out of memory");
    return (int)build(&b, sdk, dir);
}
