/* observe_bench.c - a node that serves one component, small enough for callgrind: what the log and traces cost is counted in
 * instructions by bench/observability.
 *
 *     observe_bench COMPONENT [quiet] [no-trace] [json] [common] [combined]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holdfast/holdfast.h"

#include <signal.h>

static struct hf_node *node;

static void on_signal(int sig)
{
    (void)sig;
    hf_node_stop(node);
}

static void must(enum hf_status st, const struct hf_words *msg)
{
    if (st == HF_STATUS_OK)
        return;
    fprintf(stderr, "observe_bench: %s\n", msg->text);
    exit(1);
}

int main(int argc, char **argv)
{
    struct hf_node_options o;
    struct hf_service_options s;
    struct hf_words msg;
    char bound[128];
    if (argc < 2) {
        fprintf(stderr, "usage: observe_bench COMPONENT [quiet] [no-trace] [json] [common] [combined]\n");
        return 2;
    }
    hf_node_options_init(&o);
    hf_service_options_init(&s);
    o.workers = 1;
    o.instances_max = 4; /* the address space of more is not to be had under valgrind */
    for (int i = 2; i < argc; i++) {
        o.quiet |= strcmp(argv[i], "quiet") == 0;
        o.no_trace |= strcmp(argv[i], "no-trace") == 0;
        o.log = strcmp(argv[i], "json") == 0 ? HF_LOG_JSON : o.log;
        o.access = strcmp(argv[i], "common") == 0     ? HF_ACCESS_COMMON
                   : strcmp(argv[i], "combined") == 0 ? HF_ACCESS_COMBINED
                                                      : o.access;
    }
    s.path = argv[1];
    s.max = 1;
    must(hf_node_open(&o, &node, &msg), &msg);
    must(hf_node_add_service(node, &s, &msg), &msg);
    must(hf_node_listen(node, "127.0.0.1:0", bound, &msg), &msg);
    signal(SIGTERM, on_signal);
    printf("%s\n", bound);
    fflush(stdout);
    must(hf_node_run(node, &msg), &msg);
    hf_node_close(node);
    return 0;
}
