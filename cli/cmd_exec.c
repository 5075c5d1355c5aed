/* cmd_exec.c - holdfast exec COMPONENT [-- ARGS]: a command on this process's own standard streams.
 *
 * Every code up to 123 is the command's own. Ours are those that env, timeout and the shells use
 * for "it could not be run".
 */
#include "cli/options.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_TIMEOUT = 124,
    EXIT_OURS = 125,
    EXIT_NO_COMMAND = 126,
    EXIT_NO_FILE = 127,
    EXIT_SIGNAL = 128,
    EXIT_TRAP = 134
};

extern char **environ;

#define INSTANCES_MAX                                                                              \
    200u /* core instances: a component has up to a few dozen, and room for each takes time at the \
            start */

static struct hf_node *running; /* for the signal handler alone: a process has one set of signals */
static volatile sig_atomic_t caught;

/* The first one ends the guest, a second one the process. */
static void on_signal(int sig)
{
    if (caught != 0)
        _exit(EXIT_SIGNAL + sig);
    caught = sig;
    hf_node_stop(running);
}

static void set_signals(void (*end)(int))
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction on = {.sa_handler = end}, ignore = {.sa_handler = SIG_IGN}, was;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (sigaction(ends[i], NULL, &was) == 0 &&
            was.sa_handler != SIG_IGN) /* nohup, a shell's background job */
            sigaction(ends[i], &on, NULL);
    sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is the guest's to see */
}

/* One that was closed when we were started must not become the number of a file that we open. */
static void hold_closed(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) /* using it fails, as it should */
            _exit(EXIT_OURS);
}

/* --env first: what is named there wins. NULL: memory out. */
static const char **whole_env(const struct cli_settings *s)
{
    size_t n = 0, own = 0;
    while (environ[own] != NULL)
        own++;
    const char **all = calloc(s->n_env + own + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < s->n_env; i++)
        all[n++] = s->env[i];
    for (size_t i = 0; all != NULL && i < own; i++) {
        const char *eq = strchr(environ[i], '=');
        bool named = eq == NULL || eq == environ[i];
        for (size_t k = 0; k < s->n_env && !named; k++)
            named = strncmp(s->env[k], environ[i], (size_t)(eq - environ[i]) + 1) == 0;
        if (!named)
            all[n++] = environ[i];
    }
    return all;
}

static const struct cli_option options[] = {
    OPT_TIMEOUT("timeout", "for the whole run, then it is ended (no limit)"),
    CLI_OPTIONS_GUEST,
    {"inherit-env", NULL, "the guest also gets the environment of this process (--env wins)",
     OPT_ON(inherit_env), NULL},
    CLI_OPTIONS_CACHE,
    {0},
};

static int code_of(enum hf_status st, int exit_code, const char *path)
{
    switch (st) {
    case HF_STATUS_OK: return exit_code;
    case HF_STATUS_FAILED:
    case HF_STATUS_LIMIT: return EXIT_TRAP;
    case HF_STATUS_TIMEOUT: return EXIT_TIMEOUT;
    case HF_STATUS_INVALID:
    case HF_STATUS_UNSUPPORTED: return EXIT_NO_COMMAND;
    case HF_STATUS_IO: return access(path, F_OK) == 0 ? EXIT_OURS : EXIT_NO_FILE;
    default: return EXIT_OURS;
    }
}

static enum hf_status run(struct cli_settings *s, char **argv, int *exit_code, struct hf_words *msg)
{
    static const int fds[3] = {0, 1, 2};
    const char *slash = strrchr(argv[0], '/');
    s->service.path = argv[0];
    argv[0] = slash == NULL ? argv[0]
                            : argv[0] + (slash - argv[0]) +
                                  1; /* the command's own name, as its users know it */
    s->service.args = (const char *const *)argv;
    s->node.workers = 1;
    s->node.instances_max = INSTANCES_MAX;
    s->node.progress = isatty(2) == 1;
    enum hf_status st = hf_node_open(&s->node, &running, msg);
    if (st != HF_STATUS_OK)
        return st;
    set_signals(on_signal);
    return hf_exec(running, &s->service, fds, exit_code, msg);
}

int cmd_exec(int argc, char **argv)
{
    struct cli_settings s;
    struct hf_words msg = {{0}};
    const char **env = NULL;
    int exit_code = 0;

    hold_closed();
    cli_settings_init(&s);
    int rc = cli_parse("exec", "COMPONENT [-- ARGS]",
                       "Runs a command: a component that exports wasi:cli/run, or a core module of "
                       "WASI preview 1 (what clang and Go emit).\n"
                       "Its standard streams are those of this process. It gets no environment but "
                       "what --env and --inherit-env give.\n"
                       "Exit code: the command's own; 134 it trapped (message and backtrace on "
                       "standard error); 124 --timeout is over;\n"
                       "128+N ended by signal N (130: ctrl-c); 127 there is no such file; 126 the "
                       "file is no command, or needs what is\n"
                       "missing here; 125 anything else that kept it from being run.",
                       options, &s, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : EXIT_OURS;
    if (argc < 1) {
        fprintf(stderr, "holdfast exec: name the command's file: holdfast exec app.wasm -- ARGS\n");
        return EXIT_OURS;
    }
    argv[argc] = NULL;
    if (s.inherit_env) {
        s.service.env = env = whole_env(&s);
        if (env == NULL)
            return cli_fail("exec", HF_STATUS_LIMIT, "out of memory"), EXIT_OURS;
    }
    const char *path = argv[0];
    enum hf_status st = run(&s, argv, &exit_code, &msg);
    bool stopped =
        st != HF_STATUS_OK && caught != 0; /* whatever it was doing: whoever signalled knows why */
    if (st != HF_STATUS_OK && !stopped)
        cli_fail("exec", st, msg.text);
    int code = stopped ? EXIT_SIGNAL + caught : code_of(st, exit_code, path);
    set_signals(SIG_IGN); /* the node goes away now, and so must whoever would call it */
    hf_node_close(running);
    free(env);
    return code;
}
