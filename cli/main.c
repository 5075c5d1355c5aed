/* main.c - holdfast COMMAND. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"run", cmd_run, "run the app of a manifest, holdfast.toml"},
    {"check", cmd_check, "check an app: its manifest and every component"},
    {"serve", cmd_serve, "serve a wasi:http component"},
    {"exec", cmd_exec, "run a command (wasi:cli/run, or a WASI preview 1 module)"},
    {"inspect", cmd_inspect, "what a component imports and exports, and whether it can run here"},
    {"invoke", cmd_invoke, "call an exported function and print its result"},
    {"new", cmd_new, "make a project: a service in C, JavaScript, Python or Rust"},
    {"build", cmd_build, "build a component from source"},
    {"completion", cmd_completion, "print a script that completes commands in bash, zsh or fish"},
    {"call", cmd_call, "send a request to a process of a running node, print the answer"},
    {"send", cmd_send, "send a message to one, which wants no answer"},
    {"ps", cmd_ps, "services and instances of a running node"},
    {"top", cmd_top, "what its services do, every second"},
    {"logs", cmd_logs, "the newest lines of its log; -f goes on"},
    {"kv", cmd_kv, "get, set, list and delete keys of its buckets"},
    {"reload", cmd_reload, "have it read its manifest again"},
    {"deploy", cmd_deploy, "give one of its services another component"},
    {"rollback", cmd_rollback, "undo a deploy"},
    {"components", cmd_components, "components kept by their content: list, add, remove"},
    {"kill", cmd_kill, "end instances, or a process by name"},
    {"stop", cmd_stop, "have it finish what it has in hand, and end"},
};

static void help(FILE *out)
{
    fprintf(out, "holdfast %s - a durable WebAssembly process kernel\n\nusage: holdfast COMMAND [OPTIONS] ...\n\ncommands:\n", hf_version());
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].about);
    fprintf(out, "\nholdfast COMMAND --help tells more; holdfast --version prints the version.\n"
                 "exit codes: 0 done, 1 the guest failed, 2 usage, 3 not a valid component or manifest, 4 it needs what is missing here,\n"
                 "5 a limit, 6 a file or address, 7 out of time. exec: the command's own (holdfast exec --help)\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return HF_STATUS_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("holdfast %s\n", hf_version());
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--_commands") == 0) { /* asked by shells (cmd_completion.c) and tools/man */
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
            printf("%s\t%s\n", commands[i].name, commands[i].about);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            signal(SIGXFSZ, SIG_IGN); /* a guest that writes past the limit of a file's size is told so, and nobody else */
            return commands[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "holdfast: there is no command '%s'\n", argv[1]);
    help(stderr);
    return HF_STATUS_USAGE;
}
