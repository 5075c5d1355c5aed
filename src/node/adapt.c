/* adapt.c - core modules of WASI preview 1 as components: by the guest tool, once; the result is
 * kept beside compiled code.
 *
 * The tool holds the adapter (it is Rust's, like all that knows component encoding); whoever opens
 * the node says where it is. Files between us and it lie in a folder of our own and are gone after.
 * Under which key a result is kept: the module, the tool's own size and time
 * (another tool makes it anew), and like all of the cache the version of what rewrites modules. So
 * a command that was run before costs one hash here.
 */
#include "base/hash.h"
#include "host/wit.h"
#include "node/node_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
extern const struct hf_wit_package
    hf_preview1_worlds[]; /* made from preview1.wit by the build, in this order */

#define SAYS_MAX 1024u /* bytes of the tool's message that are passed on */

bool hf_node_is_core(struct hf_view bytes)
{
    return hf_view_starts(bytes, HF_VIEW("\0asm\1\0\0\0"));
}

static enum hf_err write_file(const char *path, struct hf_view bytes, struct hf_report *report)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum hf_err err = fd < 0 ? HF_IO : HF_OK;
    while (err == HF_OK && bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            err = HF_IO;
        else
            bytes = hf_view_skip(bytes, (size_t)n);
    }
    if (err != HF_OK)
        hf_report_set(report, err, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

/* Runs `tool component in out`; its standard error into *says. Its exit code, or -1. */
static int run_tool(const char *tool, const char *in, const char *out, char says[SAYS_MAX])
{
    char *argv[] = {(char *)(uintptr_t)tool, (char *)(uintptr_t) "component", (char *)(uintptr_t)in,
                    (char *)(uintptr_t)out, NULL};
    posix_spawn_file_actions_t actions;
    size_t len = 0;
    pid_t pid;
    int ends[2], status = 0;

    says[0] = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(says, SAYS_MAX, "%s", strerror(errno));
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    int err = posix_spawn(&pid, tool, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    for (char c; err == 0;) { /* its last words matter least, so the rest is dropped */
        ssize_t n = read(ends[0], &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (len + 1 < SAYS_MAX)
            says[len++] = c;
    }
    close(ends[0]);
    while (len > 0 && says[len - 1] == '\n')
        len--;
    says[len] = 0;
    if (err != 0) {
        snprintf(says, SAYS_MAX, "%s", strerror(err));
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) {
            snprintf(says, SAYS_MAX, "%s", strerror(errno));
            return -1;
        }
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    snprintf(says, SAYS_MAX, "%.900s ended by signal %d", tool, WTERMSIG(status));
    return -1;
}

static enum hf_err componentise(const char *tool, struct hf_view module, struct hf_buf *ret,
                                struct hf_report *report)
{
    char dir[PATH_MAX], in[PATH_MAX + 16], out[PATH_MAX + 16], says[SAYS_MAX];
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/holdfast-exec-XXXXXX", tmp != NULL && tmp[0] != 0 ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return hf_report_set(report, HF_IO, "%s: %s", dir, strerror(errno));
    snprintf(in, sizeof in, "%s/core.wasm", dir);
    snprintf(out, sizeof out, "%s/component.wasm", dir);
    enum hf_err err = write_file(in, module, report);
    if (err == HF_OK) {
        int code = run_tool(tool, in, out, says);
        if (code == 0)
            err = hf_file_read(out, ret, report);
        else
            err = hf_report_set(report, code < 0 ? HF_IO : HF_UNSUPPORTED,
                                "it could not be put behind the WASI preview 1 adapter: %s", says);
    }
    unlink(in);
    unlink(out);
    rmdir(dir);
    return err;
}

static enum hf_err key_of(const char *tool, struct hf_view module, uint8_t key[HF_SHA256_LEN],
                          struct hf_report *report)
{
    struct stat st;
    struct hf_sha256 *h = hf_sha256_new();
    if (h == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    if (stat(tool, &st) != 0) {
        hf_sha256_free(h);
        return hf_report_set(report, HF_IO, "%s: %s", tool, strerror(errno));
    }
    uint64_t marks[] = {(uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                        (uint64_t)st.st_mtim.tv_nsec};
    hf_sha256_add(h, marks, sizeof marks);
    hf_sha256_add(h, module.ptr, module.len);
    hf_sha256_end(h, key);
    return HF_OK;
}

/* The module's bytes as a component, made now. `tool` NULL: there is none. */
static enum hf_err make(struct hf_node *node, const char *tool, struct hf_view bytes,
                        struct hf_buf *ret, struct hf_report *report)
{
    const struct hf_wit_package *exit = &hf_preview1_worlds[0], *run = &hf_preview1_worlds[1];
    struct hf_preview1_worlds worlds = {
        .exit = hf_view(exit->bytes, (size_t)(exit->end - exit->bytes)),
        .exit_and_run = hf_view(run->bytes, (size_t)(run->end - run->bytes)),
    };
    struct hf_buf module = {0};
    enum hf_err err = hf_engine_validate(node->engine, bytes, report);
    if (err == HF_OK)
        err = hf_preview1_prepare(bytes, &worlds, &module, report);
    if (err == HF_OK && tool == NULL)
        err = hf_report_set(report, HF_IO,
                            "it is a core module, and the guest tool that makes components of them "
                            "is not beside this program; set HF_GUEST_TOOL (in the API: "
                            "hf_node_options.guest_tool)");
    if (err == HF_OK)
        err = componentise(tool, hf_buf_view(&module), ret, report);
    hf_buf_done(&module);
    return err;
}

enum hf_err hf_node_adapt(struct hf_node *node, struct hf_buf *bytes, struct hf_report *report)
{
    struct hf_buf component = {0};
    uint8_t key[HF_SHA256_LEN];
    const char *tool = node->guest_tool;
    enum hf_err err = tool != NULL ? key_of(tool, hf_buf_view(bytes), key, report) : HF_OK;
    if (err == HF_OK &&
        (tool == NULL || hf_cache_get(node->engine, "adapted", key, &component) != HF_OK)) {
        err = make(node, tool, hf_buf_view(bytes), &component, report);
        if (err == HF_OK)
            (void)!hf_cache_put(node->engine, "adapted", key, hf_buf_view(&component),
                                NULL); /* else it is made again */
    }
    if (err == HF_OK) {
        hf_buf_done(bytes);
        *bytes = component;
        component = (struct hf_buf){0};
    }
    hf_buf_done(&component);
    return err;
}
