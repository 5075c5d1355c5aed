/* cmd_logs.c - holdfast logs [-f] [SERVICE]: the newest lines of a running node's log, and those that come. */
#include "cli/admin.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    {"follow", NULL, "go on with lines as they come, until ctrl-c; -f is the same", ADMIN_ON(follow), NULL},
    {"lines", "N", "that many of the newest lines first (1000)", CLI_TO(struct cli_admin, lines, CLI_KIND_U64, .max = 1000000), "a number"},
    CLI_OPTIONS_ADMIN,
    {0},
};

static bool print(void *ctx, const void *bytes, size_t n)
{
    (void)ctx;
    return fwrite(bytes, 1, n, stdout) == n && fflush(stdout) == 0; /* whoever reads us has gone: enough */
}

int cmd_logs(int argc, char **argv)
{
    struct cli_admin s = {.lines = 1000};
    char target[600];
    int code, out = 1;
    bool follow = false;
    for (int i = 1; i < argc; i++) { /* the one short option people type */
        if (strcmp(argv[i], "-f") == 0)
            follow = true;
        else
            argv[out++] = argv[i];
    }
    argc = out;
    if (!cli_admin_parse("logs", "[-f] [SERVICE]",
                         "Prints the newest lines of a running node's log: all of them, or those of a service. The node keeps the\n"
                         "newest 1 MiB; with --follow a reader that is slower than the log misses lines and is told how many.",
                         options, &s, &argc, argv, &code))
        return code;
    if (argc > 1) {
        fprintf(stderr, "holdfast logs: name one service at most\n");
        return HF_STATUS_USAGE;
    }
    follow |= s.follow;
    int n = snprintf(target, sizeof target, "/v1/logs?lines=%llu%s%s", (unsigned long long)s.lines, follow ? "&follow" : "",
                     argc == 1 ? "&service=" : "");
    /* of a process, the lines of its class: that is whose they are */
    if (argc == 1 && !cli_escape(target + n, sizeof target - (size_t)n, argv[0], strcspn(argv[0], "/"))) {
        fprintf(stderr, "holdfast logs: that is no service's name\n");
        return HF_STATUS_USAGE;
    }
    return cli_admin_call("logs", &s, "GET", target, NULL, 0, print, NULL, NULL, NULL);
}
