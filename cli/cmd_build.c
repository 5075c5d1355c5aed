/* cmd_build.c - holdfast build DIR: a C guest from source to component, with clang and our guest tool.
 *
 * The tool (bindings from WIT, core module to component) and the helpers for guests are looked for beside this program, as
 * the build tree and `make install` lay them out; HF_GUEST_TOOL and HF_GUEST_SDK say otherwise. Other languages have
 * builders of their own, which `tools/guest-build` in the source tree drives.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ARGS_MAX 256

struct build {
    const char *dir;
    const char *out;
    bool keep, verbose;
    char tool[PATH_MAX], sdk[PATH_MAX], work[PATH_MAX];
};

struct command {
    char *argv[ARGS_MAX];
    size_t n;
    bool full; /* an argument was lost: nothing is run */
};

static const struct cli_option options[] = {
    {"out", "FILE", "the component to write (the folder's name with .wasm)", CLI_TO(struct build, out, CLI_KIND_TEXT, .max = 1), "a file"},
    {"keep", NULL, "keep the folder with bindings and core module, and say where it is", CLI_TO(struct build, keep, CLI_KIND_ON, .max = 1), NULL},
    {"verbose", NULL, "print the commands that are run", CLI_TO(struct build, verbose, CLI_KIND_ON, .max = 1), NULL},
    {0},
};

__attribute__((format(printf, 2, 3))) static void add(struct command *c, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0 || c->n + 1 >= ARGS_MAX) {
        if (n >= 0)
            free(text);
        c->full = true;
        return;
    }
    c->argv[c->n++] = text;
    c->argv[c->n] = NULL;
}

/* Runs it and frees its arguments; its own messages are for the user to see. Returns its exit code, 127 when it is not there. */
static int run(const struct build *b, struct command *c)
{
    pid_t pid;
    int status = -1, rc = 1;
    if (b->verbose) {
        for (size_t i = 0; i < c->n; i++)
            fprintf(stderr, "%s%s", i > 0 ? " " : "+ ", c->argv[i]);
        fputc('\n', stderr);
    }
    int err = c->full ? E2BIG : posix_spawnp(&pid, c->argv[0], NULL, NULL, c->argv, environ);
    if (err != 0) {
        fprintf(stderr, "holdfast build: %s: %s\n", c->n > 0 ? c->argv[0] : "?", strerror(err));
        rc = err == ENOENT ? 127 : 1;
    } else {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        rc = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    for (size_t i = 0; i < c->n; i++)
        free(c->argv[i]);
    memset(c, 0, sizeof *c);
    return rc;
}

/* The first of `tries` below the folder of this program that exists; HF_... wins. */
static bool locate(const char *env, const char *const *tries, char out[PATH_MAX])
{
    const char *own = getenv(env);
    char exe[PATH_MAX], path[PATH_MAX + 64];
    if (own != NULL && own[0] != 0)
        return realpath(own, out) != NULL;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (slash == NULL)
        return false;
    *slash = 0;
    for (; *tries != NULL; tries++) {
        snprintf(path, sizeof path, "%s/%s", exe, *tries);
        if (realpath(path, out) != NULL)
            return true;
    }
    return false;
}

/* Adds every *.c of a folder; how many. */
static size_t add_sources(struct command *c, const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len > 2 && strcmp(e->d_name + len - 2, ".c") == 0) {
            add(c, "%s/%s", dir, e->d_name);
            n++;
        }
    }
    if (d != NULL)
        closedir(d);
    return n;
}

static void clang(struct command *c)
{
    add(c, "clang");
    add(c, "--target=wasm32-wasi");
    add(c, "-std=gnu11");
    add(c, "-O2");
    add(c, "-ffunction-sections");
    add(c, "-fdata-sections");
}

static int build(struct build *b)
{
    struct command c = {{0}, 0, false};
    char wit[PATH_MAX + 16];
    struct stat st;

    snprintf(wit, sizeof wit, "%s/wit", b->dir);
    if (stat(wit, &st) != 0)
        snprintf(wit, sizeof wit, "%s/wit", b->sdk);
    add(&c, "%s", b->tool);
    add(&c, "bindings");
    add(&c, "%s", wit);
    add(&c, "service");
    add(&c, "%s/gen", b->work);
    int rc = run(b, &c);
    if (rc != 0)
        return rc;

    clang(&c); /* generated code is not held to our warnings */
    add(&c, "-w");
    add(&c, "-c");
    add(&c, "%s/gen/service.c", b->work);
    add(&c, "-o");
    add(&c, "%s/service.o", b->work);
    rc = run(b, &c);
    if (rc == 127)
        fprintf(stderr, "holdfast build: a C guest needs clang, lld, wasi-libc and clang's wasm32 runtime; on Debian:\n"
                        "  apt-get install --no-install-recommends clang lld wasi-libc libclang-rt-dev-wasm32\n");
    if (rc != 0)
        return rc;

    clang(&c);
    add(&c, "-Wall");
    add(&c, "-I%s/gen", b->work);
    add(&c, "-I%s/c", b->sdk);
    if (add_sources(&c, b->dir) == 0) {
        fprintf(stderr, "holdfast build: %s has no .c file\n", b->dir);
        c.full = true;
        run(b, &c);
        return HF_STATUS_USAGE;
    }
    char sdk_c[PATH_MAX + 4];
    snprintf(sdk_c, sizeof sdk_c, "%s/c", b->sdk);
    add_sources(&c, sdk_c);
    add(&c, "%s/service.o", b->work);
    add(&c, "%s/gen/service_component_type.o", b->work);
    add(&c, "-mexec-model=reactor");
    add(&c, "-Wl,--stack-first,-z,stack-size=65536,--gc-sections,--strip-debug");
    add(&c, "-o");
    add(&c, "%s/core.wasm", b->work);
    rc = run(b, &c);
    if (rc != 0)
        return rc;
    add(&c, "%s", b->tool);
    add(&c, "component");
    add(&c, "%s/core.wasm", b->work);
    add(&c, "%s", b->out);
    return run(b, &c);
}

static void remove_tree(const char *path)
{
    struct command c = {{0}, 0, false};
    struct build quiet = {0};
    add(&c, "rm");
    add(&c, "-rf");
    add(&c, "--");
    add(&c, "%s", path);
    run(&quiet, &c);
}

int cmd_build(int argc, char **argv)
{
    static const char *const tools[] = {"libexec/holdfast-guest", "../libexec/holdfast/holdfast-guest", NULL};
    static const char *const sdks[] = {"share/guest", "../share/holdfast/guest", NULL};
    struct build b = {0};
    char name[NAME_MAX + 6], dir[PATH_MAX];
    struct stat st;

    for (int i = 1; i < argc; i++) /* the usual short form */
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = (char *)(uintptr_t) "--out";
    int rc = cli_parse("build", "DIR", "Builds a C guest: every .c file of DIR, for the world `service` of DIR/wit if it is there, else of wasi:http/proxy.\n"
                                       "-o FILE is --out FILE.",
                       options, &b, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    if (argc != 1 || stat(argv[0], &st) != 0 || !S_ISDIR(st.st_mode) || realpath(argv[0], dir) == NULL) {
        fprintf(stderr, "holdfast build: name the folder with the guest's source: holdfast build my-service\n");
        return HF_STATUS_USAGE;
    }
    b.dir = dir;
    if (b.out == NULL) {
        snprintf(name, sizeof name, "%.*s.wasm", NAME_MAX, strrchr(dir, '/') + 1);
        b.out = name;
    }
    if (!locate("HF_GUEST_TOOL", tools, b.tool) || !locate("HF_GUEST_SDK", sdks, b.sdk)) {
        fprintf(stderr, "holdfast build: the guest tool is not beside this program; set HF_GUEST_TOOL and HF_GUEST_SDK\n");
        return HF_STATUS_IO;
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(b.work, sizeof b.work, "%s/holdfast-build-XXXXXX", tmp != NULL && tmp[0] != 0 ? tmp : "/tmp");
    if (mkdtemp(b.work) == NULL) {
        fprintf(stderr, "holdfast build: %s: %s\n", b.work, strerror(errno));
        return HF_STATUS_IO;
    }
    rc = build(&b);
    if (b.keep)
        fprintf(stderr, "holdfast build: kept %s\n", b.work);
    else
        remove_tree(b.work);
    if (rc == 0)
        printf("%s\n", b.out);
    return rc == 0 ? 0 : HF_STATUS_FAILED;
}
