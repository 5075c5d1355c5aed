/* cmd_top.c - holdfast top: services of a running node, again every second; q ends it. Not on a terminal: once. */
#include "cli/admin.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"interval", "TIME", "between two looks (1s)", CLI_TO(struct cli_admin, interval_ns, CLI_KIND_TIME, .min = 100000000, .max = 3600000000000),
     "a time from 100ms"},
    CLI_OPTIONS_ADMIN,
    {0},
};

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
    (void)sig;
    ended = 1;
}

static bool keys_on(struct termios *before)
{
    struct termios t;
    if (!isatty(0) || tcgetattr(0, before) != 0)
        return false;
    t = *before;
    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(0, TCSANOW, &t) == 0;
}

/* Sleeps; true: somebody pressed q, or a signal came. */
static bool wait_key(bool keys, uint64_t ns)
{
    struct pollfd p = {.fd = keys ? 0 : -1, .events = POLLIN};
    char c = 0;
    int n = poll(&p, 1, (int)(ns / 1000000));
    if (n > 0 && read(0, &c, 1) <= 0)
        return true; /* the terminal is gone */
    return ended || c == 'q' || c == 'Q' || c == 3;
}

static void print_head(const json_t *node, const char *addr, uint64_t interval)
{
    char up[16], memory[16], every[16];
    double connections = 0;
    size_t i, silent = 0;
    json_t *w;
    json_array_foreach(json_object_get(node, "workers"), i, w)
    {
        connections += cli_number_of(json_object_get(w, "connections"), "open");
        silent += json_is_true(json_object_get(w, "silent"));
    }
    printf("holdfast %s at %s, up %s, %zu workers, %.0f connections, %s resident%s; every %s, q ends\n", cli_text_of(node, "holdfast"),
           addr, cli_time_text(cli_number_of(node, "uptime_ms") * 1e6, up), json_array_size(json_object_get(node, "workers")),
           connections, cli_bytes_text(cli_number_of(node, "resident_bytes"), memory),
           json_is_true(json_object_get(node, "stopping")) ? ", STOPPING" : "", cli_time_text((double)interval, every));
    if (silent > 0)
        printf("%zu workers do not answer: their figures are old\n", silent);
    printf("\n");
}

int cmd_top(int argc, char **argv)
{
    struct cli_admin s = {.interval_ns = 1000000000};
    struct termios before;
    int code;
    if (!cli_admin_parse("top", "", "Shows what services do, again every second; q ends it. When its output is no terminal: once, over\n"
                                    "one interval.",
                         options, &s, &argc, argv, &code))
        return code;
    if (argc > 0) {
        fprintf(stderr, "holdfast top: it takes no operands\n");
        return HF_STATUS_USAGE;
    }
    bool live = isatty(1), keys = live && keys_on(&before);
    struct sigaction on = {.sa_handler = on_signal};
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    json_t *old = cli_admin_get("top", &s, "/v1/services", &code);
    while (code == 0) {
        bool over = wait_key(keys, s.interval_ns);
        json_t *node = over ? NULL : cli_admin_get("top", &s, "/v1/node", &code);
        json_t *now = node == NULL ? NULL : cli_admin_get("top", &s, "/v1/services", &code);
        if (now != NULL) {
            if (live)
                printf("\033[H\033[2J");
            print_head(node, s.addr, s.interval_ns);
            cli_print_services(now, old);
            fflush(stdout);
            json_decref(old);
            old = json_incref(now);
        }
        json_decref(node);
        json_decref(now);
        if (over || !live)
            break;
    }
    json_decref(old);
    if (keys)
        tcsetattr(0, TCSANOW, &before);
    return code;
}
