/* services.c - tables of what lives, for ps and top. */
#include "cli/admin.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- a latency histogram as the node shows it: [times below so many ns, how many] ---- */

static double count_of(const json_t *buckets, double bound)
{
    size_t i;
    json_t *b;
    json_array_foreach(buckets, i, b)
    {
        if (json_number_value(json_array_get(b, 0)) == bound)
            return json_number_value(json_array_get(b, 1));
    }
    return 0;
}

/* The bound below which the part q of all times since `before` (may be NULL) lies; 0: there were none. */
static double quantile(const json_t *now, const json_t *before, double q)
{
    const json_t *b = json_object_get(json_object_get(now, "latency"), "buckets");
    const json_t *old = json_object_get(json_object_get(before, "latency"), "buckets");
    double total = 0, seen = 0;
    size_t i;
    json_t *one;
    json_array_foreach(b, i, one)
    {
        total += json_number_value(json_array_get(one, 1)) - count_of(old, json_number_value(json_array_get(one, 0)));
    }
    json_array_foreach(b, i, one)
    {
        double bound = json_number_value(json_array_get(one, 0));
        seen += json_number_value(json_array_get(one, 1)) - count_of(old, bound);
        if (total > 0 && seen >= q * total)
            return bound;
    }
    return 0;
}

static const json_t *find(const json_t *all, const char *name)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(all, "services"), i, s)
    {
        if (strcmp(cli_text_of(s, "name"), name) == 0)
            return s;
    }
    return NULL;
}

static double requests(const json_t *s, const char *which)
{
    return cli_number_of(json_object_get(s, "requests"), which);
}

static int width_of(const json_t *list, const char *member, int least)
{
    int width = least;
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        int n = (int)strlen(cli_text_of(o, member));
        width = n > width ? n : width;
    }
    return width > 40 ? 40 : width;
}

/* As much of its hash as people compare, and where it came from: "manifest", or how long ago it was deployed. */
static void print_component(const json_t *s)
{
    const char *component = cli_text_of(s, "component"), *hash = strncmp(component, "sha256:", 7) == 0 ? component + 7 : component;
    const char *source = cli_text_of(s, "source");
    char ago[16], from[32];
    if (strcmp(source, "deployed") == 0)
        snprintf(from, sizeof from, "%s ago", cli_time_text(cli_number_of(s, "deployed_ms_ago") * 1e6, ago));
    else
        snprintf(from, sizeof from, "%.13s", source);
    printf("%-12.12s %-13s ", hash, from);
}

void cli_print_services(const json_t *now, const json_t *before)
{
    const json_t *all = json_object_get(now, "services");
    double seconds = (cli_number_of(now, "at_ns") - cli_number_of(before, "at_ns")) / 1e9;
    int width = width_of(all, "name", 7);
    size_t i;
    json_t *s;
    printf("%-*s  %-11s ", width, "SERVICE", "LIFECYCLE");
    if (before == NULL)
        printf("%-12s %-13s ", "COMPONENT", "FROM");
    printf("%9s %6s %8s %8s %8s %8s  %s\n", before != NULL ? "REQ/S" : "REQUESTS", "5XX",
           "P50", "P99", "QUEUED", "MEMORY", "INSTANCES");
    json_array_foreach(all, i, s)
    {
        const json_t *old = find(before, cli_text_of(s, "name")), *in = json_object_get(s, "instances");
        char p50[16], p99[16], memory[16], rate[32];
        double n = requests(s, "total") - requests(old, "total"), bad = requests(s, "5xx") - requests(old, "5xx");
        double t50 = quantile(s, old, .5), t99 = quantile(s, old, .99);
        snprintf(rate, sizeof rate, "%.0f", before != NULL && seconds > 0 ? n / seconds : n);
        printf("%-*.*s  %-11s ", width, width, cli_text_of(s, "name"),
               json_is_true(json_object_get(s, "single_use")) ? "single-use" : cli_text_of(s, "lifecycle"));
        if (before == NULL)
            print_component(s);
        printf("%9s %6.0f %8s %8s %8.0f %8s  %.0f busy, %.0f idle", rate, bad,
               t50 > 0 ? cli_time_text(t50, p50) : "-", t99 > 0 ? cli_time_text(t99, p99) : "-", cli_number_of(s, "queued"),
               cli_bytes_text(cli_number_of(s, "memory_bytes"), memory), cli_number_of(in, "busy"), cli_number_of(in, "idle"));
        if (cli_number_of(in, "starting") > 0)
            printf(", %.0f starting", cli_number_of(in, "starting"));
        if (cli_number_of(in, "leaving") > 0)
            printf(", %.0f leaving", cli_number_of(in, "leaving"));
        if (cli_number_of(in, "spare") > 0)
            printf(", %.0f spare", cli_number_of(in, "spare"));
        printf(" of %.0f%s\n", cli_number_of(s, "max"), json_is_true(json_object_get(s, "removed")) ? " (removed)" : "");
    }
}

void cli_print_instances(const json_t *instances, size_t most)
{
    int width = width_of(instances, "service", 7), names = width_of(instances, "process", 7);
    width = names > width ? names : width;
    size_t i, n = json_array_size(instances);
    json_t *o;
    printf("%-16s  %-*s  %-9s %6s %8s %10s %8s\n", "INSTANCE", width, "SERVICE", "STATE", "WORKER", "AGE", "SERVED", "MEMORY");
    json_array_foreach(instances, i, o)
    {
        char age[16], memory[16];
        if (i == most)
            break;
        long long id = json_integer_value(json_object_get(o, "id")); /* of 63 bits: a double would round it */
        const char *process = cli_text_of(o, "process"), *name = process[0] != 0 ? process : cli_text_of(o, "service");
        printf("%-16lld  %-*.*s  %-9s %6.0f %8s %10.0f %8s\n", id, width, width, name,
               cli_text_of(o, "state"), cli_number_of(o, "worker"), cli_time_text(cli_number_of(o, "age_ms") * 1e6, age),
               cli_number_of(o, "served"), cli_bytes_text(cli_number_of(o, "memory_bytes"), memory));
    }
    if (n > most)
        printf("... and %zu more (--all shows them)\n", n - most);
}

void cli_print_process(const json_t *p)
{
    char a[16], b[16];
    size_t i;
    json_t *line;
    printf("%s\n", cli_text_of(p, "name"));
    printf("  state       %s, on worker %.0f\n", cli_text_of(p, "state"), cli_number_of(p, "worker"));
    if (json_is_integer(json_object_get(p, "instance")))
        printf("  instance    %lld, since %s, %.0f messages taken\n", (long long)json_integer_value(json_object_get(p, "instance")),
               cli_time_text(cli_number_of(p, "age_ms") * 1e6, a), cli_number_of(p, "served"));
    else
        printf("  instance    none now\n");
    printf("  memory      %s, %.0f blobs at hand\n", cli_bytes_text(cli_number_of(p, "memory_bytes"), b), cli_number_of(p, "blobs"));
    printf("  mailbox     %.0f of %.0f\n", cli_number_of(p, "mailbox"), cli_number_of(p, "mailbox_max"));
    printf("  duties      %.0f pending, %.0f deferred\n", cli_number_of(p, "pending"), cli_number_of(p, "tokens"));
    printf("  holds       %.0f capabilities, %.0f watches, %.0f timers\n", cli_number_of(p, "capabilities"), cli_number_of(p, "watches"),
           cli_number_of(p, "timers"));
    printf("  restarts    %.0f\n", cli_number_of(p, "restarts"));
    if (cli_text_of(p, "last_failure")[0] != 0)
        printf("  last failure: %s\n", cli_text_of(p, "last_failure"));
    json_array_foreach(json_object_get(p, "details"), i, line)
    {
        if (i > 0 && json_string_length(line) > 0) /* the first says it all again */
            printf("  %s\n", json_string_value(line) + strspn(json_string_value(line), " "));
    }
}

static void print_counts(const char *title, const json_t *counts)
{
    const char *name;
    json_t *n;
    bool any = false;
    printf("  %-12s", title);
    json_object_foreach((json_t *)(uintptr_t)counts, name, n) /* it only reads */
    {
        if (json_number_value(n) > 0 || strcmp(name, "total") == 0)
            printf("%s%.0f %s", any ? ", " : "", json_number_value(n), name), any = true;
    }
    printf("%s\n", any ? "" : "none");
}

static void print_source(const json_t *s)
{
    const char *source = cli_text_of(s, "source");
    time_t t = (time_t)(cli_number_of(s, "deployed_unix_ms") / 1000);
    struct tm tm;
    char when[32] = "", ago[16];
    if (strcmp(source, "deployed") == 0 && localtime_r(&t, &tm) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
        printf("  from        a deploy at %s, %s ago\n", when, cli_time_text(cli_number_of(s, "deployed_ms_ago") * 1e6, ago));
    } else {
        printf("  from        %s\n", strcmp(source, "manifest") == 0 ? "the manifest" : "the start");
    }
}

void cli_print_service(const json_t *s)
{
    const json_t *in = json_object_get(s, "instances"), *latency = json_object_get(s, "latency");
    char a[16], b[16], c[16];
    printf("%s\n", cli_text_of(s, "name"));
    printf("  component   %s\n", cli_text_of(s, "component"));
    print_source(s);
    printf("  tenant      %s\n", cli_text_of(s, "tenant"));
    printf("  lifecycle   %s%s\n", cli_text_of(s, "lifecycle"),
           json_is_true(json_object_get(s, "single_use")) ? ", each instance takes one request (the component can do no more)" : "");
    printf("  instances   %.0f busy, %.0f idle, %.0f starting, %.0f leaving; from %.0f to %.0f\n", cli_number_of(in, "busy"),
           cli_number_of(in, "idle"), cli_number_of(in, "starting"), cli_number_of(in, "leaving"), cli_number_of(s, "min"),
           cli_number_of(s, "max"));
    if (cli_number_of(in, "spare") > 0 || cli_number_of(s, "warm_starts") > 0)
        printf("  spare       %.0f; %.0f processes took one\n", cli_number_of(in, "spare"), cli_number_of(s, "warm_starts"));
    printf("  memory      %s\n", cli_bytes_text(cli_number_of(s, "memory_bytes"), a));
    printf("  queue       %.0f of %.0f\n", cli_number_of(s, "queued"), cli_number_of(s, "queue_max"));
    print_counts("requests", json_object_get(s, "requests"));
    print_counts("failures", json_object_get(s, "failures"));
    printf("  latency     p50 %s, p99 %s, p99.9 %s\n", cli_time_text(cli_number_of(latency, "p50_ns"), a),
           cli_time_text(cli_number_of(latency, "p99_ns"), b), cli_time_text(cli_number_of(latency, "p999_ns"), c));
    printf("  starts      %.0f, of them %.0f while a request waited; %.0f failed\n", cli_number_of(s, "starts"),
           cli_number_of(s, "cold_starts"), cli_number_of(s, "start_failures"));
    print_counts("ends", json_object_get(s, "ends"));
    if (cli_text_of(s, "last_failure")[0] != 0)
        printf("  last failure: %s\n", cli_text_of(s, "last_failure"));
    printf("\n");
    cli_print_instances(json_object_get(s, "list"), 50);
}
