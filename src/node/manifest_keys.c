/* manifest_keys.c - the table of a manifest's keys (manifest_keys.h), and what can be asked of it. */
#include "node/manifest_keys.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/units.h"
#include "node/manifest_int.h"

#define AT(type, field) .offset = offsetof(type, field), .width = sizeof(((type *)NULL)->field)
#define NODE(field)     AT(struct hf_node_options, field)
#define SERVICE(field)  AT(struct hf_service_options, field)
#define ADMIN(field)    AT(struct hf_reading_admin, field)
#define PROCESS(field)  AT(struct hf_reading_process, field)
#define ROUTE(field)    AT(struct hf_route, field)
#define RANGE(a, b)     .min = (a), .max = (b)
#define NO_RANGE        .min = 0
#define MS              UINT64_C(1000000)
#define DAYS            UINT64_C(86400000000000)
#define TIMES           .min = MS, .max = 365 * DAYS
#define ANY_SIZE        (UINT64_C(1) << 62)
#define TEXT_MAX        65536
#define ADDRESS         "^(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+|localhost):[0-9]{1,5}$"
#define VARIABLE        "^[A-Za-z_][A-Za-z0-9_]*$"
#define ROUTE_PATH      "^/[!-\"$-)+->@-~]*$" /* no space, no #, *, ? */
#define HOST_PATTERN    "^(\\[[0-9A-Fa-f:.]+\\]|(\\*\\.)?[A-Za-z0-9._-]+)$"
#define PATH_LEN_MAX    4095

static const char *const log_formats[] = {"text", "json", NULL};                         /* enum hf_log_format */
static const char *const access_formats[] = {"own", "common", "combined", NULL};         /* enum hf_access_format */
static const char *const lifecycles[] = {"reuse", "per-request", "singleton", NULL};      /* enum hf_instances */

static const char *const shapes[] = {"handler", "runner", NULL};                          /* enum hf_kind, less 1 */
static const char *const restarts[] = {"never", "always", "some", NULL};                  /* enum hf_restarts */

static const struct hf_key keys[] = {
    {"holdfast", HF_KEY_INTEGER, HF_KEY_REQUIRED, NULL, "The version of this format: 1.", RANGE(1, 1)},

    {"node", HF_KEY_TABLE, 0, NULL, "The process that serves.", .enter = hf_enter_node},
    {"node.workers", HF_KEY_INTEGER, 0, "one a core", "Threads that serve.", RANGE(1, 256), NODE(workers)},
    {"node.data", HF_KEY_PATH, HF_KEY_OR_FALSE, "`.holdfast`", "Folder for what outlives the process; `false`: everything in memory.",
     RANGE(1, PATH_LEN_MAX), NODE(data_dir), .set = hf_set_no_data},
    {"node.cache", HF_KEY_PATH, 0, "the user's cache folder", "Folder for compiled code.", RANGE(1, PATH_LEN_MAX), NODE(cache_dir)},
    {"node.drain", HF_KEY_DURATION, 0, "`10s`", "How long a stop waits for requests in hand.", TIMES, NODE(drain_ns)},
    {"node.log", HF_KEY_CHOICE, 0, "`text`", "Form of the log on standard error.", NODE(log), .choices = log_formats},
    {"node.access", HF_KEY_CHOICE, 0, "`own`", "Form of the access log when `log` is `text`.", NODE(access), .choices = access_formats},
    {"node.quiet", HF_KEY_BOOLEAN, 0, "`false`", "No access log and no notices; guests' output and errors stay.", NODE(quiet)},
    {"node.debug", HF_KEY_BOOLEAN, 0, "`false`", "Answers say which instance made them: header `holdfast-instance`.", NODE(debug)},
    {"node.no_trace", HF_KEY_BOOLEAN, 0, "`false`", "No trace context and no request ids: their headers are headers like others.",
     NODE(no_trace)},
    {"node.connections", HF_KEY_INTEGER, 0, "20000", "Open connections at most, each worker.", RANGE(1, 10000000), NODE(connections_max)},
    {"node.head_max", HF_KEY_SIZE, 0, "`32KiB`", "Largest head of a request, then 431.", RANGE(1024, 1 << 20), NODE(head_max)},
    {"node.body_max", HF_KEY_SIZE, 0, "no limit", "Largest body of a request, then 413; a service may say its own.", RANGE(1, ANY_SIZE),
     NODE(body_max)},
    {"node.head_timeout", HF_KEY_DURATION, 0, "`10s`", "For a whole head, then 408.", TIMES, NODE(head_timeout_ns)},
    {"node.body_timeout", HF_KEY_DURATION, 0, "`30s`", "Without progress of a body, then 408.", TIMES, NODE(body_timeout_ns)},
    {"node.keep_alive", HF_KEY_DURATION, 0, "`75s`", "How long an idle connection is kept.", TIMES, NODE(idle_timeout_ns)},
    {"node.outbound_max", HF_KEY_INTEGER, 0, "64", "Connections of guests' requests to one host and port, each worker and service.",
     RANGE(1, 100000), NODE(outbound_max)},
    {"node.instances_max", HF_KEY_INTEGER, 0, "16 for each instance that the services may have, 1000 to 20000",
     "Core instances of all services together: a component has one to a dozen.", RANGE(1, 1000000), NODE(instances_max)},
    {"node.resident_max", HF_KEY_INTEGER, 0, "a sixteenth of `instances_max`",
     "Instances of named processes in memory; past it those that were idle for longest are put into a file (`doc/processes.md`).",
     RANGE(1, 1000000), NODE(resident_max)},
    {"node.names_max", HF_KEY_INTEGER, 0, "1000000", "Named processes, those in the file included.", RANGE(1, 100000000), NODE(names_max)},
    {"node.spill_max", HF_KEY_SIZE, 0, "`4GiB`", "Largest size of that file.", RANGE(1 << 16, ANY_SIZE), NODE(spill_max)},
    {"node.blob_memory_max", HF_KEY_SIZE, 0, "`256MiB`",
     "Bytes of blobs (of messages and of HTTP) in memory; past it those that have lain longest are put into a file (`doc/processes.md`).",
     RANGE(1 << 16, ANY_SIZE), NODE(blob_memory_max)},
    {"node.blob_resident_max", HF_KEY_SIZE, 0, "`8MiB`", "Bytes of one blob in memory: what is more gives way first.", RANGE(1 << 16, ANY_SIZE),
     NODE(blob_resident_max)},
    {"node.blob_file_max", HF_KEY_SIZE, 0, "`16GiB`", "Largest size of the file of blobs.", RANGE(1 << 16, ANY_SIZE), NODE(blob_file_max)},
    {"node.keyvalue", HF_KEY_TABLE, 0, NULL, "Limits of each key-value bucket.", NO_RANGE},
    {"node.keyvalue.value_max", HF_KEY_SIZE, 0, "`1MiB`", "Largest value.", RANGE(1, 64 << 20), NODE(keyvalue_value_max)},
    {"node.keyvalue.keys_max", HF_KEY_INTEGER, 0, "1000000", "Keys at most.", RANGE(1, INT64_MAX), NODE(keyvalue_keys_max)},
    {"node.keyvalue.bytes_max", HF_KEY_SIZE, 0, "`256MiB`", "Keys and values together.", RANGE(1, ANY_SIZE), NODE(keyvalue_bytes_max)},

    {"node.components", HF_KEY_TABLE, 0, NULL, "The component store in the data folder: what was deployed, and what is named by its content.",
     NO_RANGE},
    {"node.components.max", HF_KEY_INTEGER, 0, "100", "Components at most. What no service uses and no rollback would put back leaves, oldest first.",
     RANGE(1, 100000), NODE(components_max)},
    {"node.components.bytes_max", HF_KEY_SIZE, 0, "`1GiB`", "All of them together.", RANGE(1, ANY_SIZE), NODE(components_bytes_max)},

    {"listen", HF_KEY_TABLE, 0, NULL, "Where requests come in.", .enter = hf_enter_listen},
    {"listen.http", HF_KEY_STRINGS, HF_KEY_OR_ONE, "`127.0.0.1:8080`", "Addresses for HTTP; port 0 lets the system choose.", RANGE(1, 127),
     AT(struct hf_reading_listen, http), .like = "an address like \"127.0.0.1:8080\"", .pattern = ADDRESS, .check = hf_check_address},

    {"admin", HF_KEY_TABLE, 0, NULL, "The admin door: what `holdfast ps`, `reload` and a scraper talk to.", .enter = hf_enter_admin,
     .leave = hf_leave_admin},
    {"admin.socket", HF_KEY_PATH, HF_KEY_OR_FALSE, "`.holdfast/admin.sock`", "Unix socket, for this user alone; `false`: none.",
     RANGE(1, 107), ADMIN(socket), .set = hf_set_no_socket, .check = hf_check_socket},
    {"admin.listen", HF_KEY_STRING, 0, "none", "Loopback address besides; asks for the token.", RANGE(1, 127), ADMIN(listen),
     .like = "an address like \"127.0.0.1:9090\"", .pattern = ADDRESS, .check = hf_check_loopback},
    {"admin.token", HF_KEY_STRING, 0, "none", "The token itself; better is one of the next two.", RANGE(16, 512), ADMIN(token),
     .like = "16 to 512 letters, digits and signs", .pattern = "^[!-~]{16,512}$", .check = hf_check_token},
    {"admin.token_file", HF_KEY_PATH, 0, "none", "File whose first line is the token.", RANGE(1, PATH_LEN_MAX), ADMIN(token_file)},
    {"admin.token_env", HF_KEY_STRING, 0, "none", "Variable of the environment that has the token.", RANGE(1, 255), ADMIN(token_env),
     .like = "the name of a variable", .pattern = VARIABLE, .check = hf_check_variable},

    {"services", HF_KEY_TABLE, HF_KEY_REQUIRED, NULL, "The services; each has a name.", NO_RANGE},
    {"services.*", HF_KEY_TABLE, 0, NULL, "A `wasi:http` component and how it is served.", .enter = hf_enter_service,
     .leave = hf_leave_service},
    {"services.*.component", HF_KEY_PATH, HF_KEY_REQUIRED | HF_KEY_OR_TABLE, NULL,
     "The component's file; or `sha256:` and 64 digits: one of the component store.", RANGE(1, PATH_LEN_MAX), SERVICE(path),
     .set = hf_set_component, .pattern = "^(?!sha256:)|^sha256:[0-9A-Fa-f]{64}$"},
    {"services.*.component.path", HF_KEY_PATH, HF_KEY_REQUIRED, NULL, "The component's file.", RANGE(1, PATH_LEN_MAX), SERVICE(path)},
    {"services.*.component.sha256", HF_KEY_STRING, 0, "not compared", "What its bytes hash to; another file is refused.", RANGE(64, 64),
     SERVICE(sha256), .like = "64 hexadecimal digits", .pattern = "^[0-9A-Fa-f]{64}$", .check = hf_check_sha256},
    {"services.*.routes", HF_KEY_ARRAY, 0, "every request", "Which requests come here; a string is a `path`.", NO_RANGE},
    {"services.*.routes[]", HF_KEY_STRING, HF_KEY_OR_TABLE, NULL, "A `path`, or a table.", RANGE(1, 4096), ROUTE(path),
     .like = "a path like \"/api\"", .set = hf_set_route, .pattern = ROUTE_PATH, .check = hf_check_route_path, .enter = hf_enter_route, .leave = hf_leave_route},
    {"services.*.routes[].host", HF_KEY_STRING, 0, "any", "`example.org`, or `*.example.org` for any below.", RANGE(1, 255), ROUTE(host),
     .like = "a host name like \"example.org\" or \"*.example.org\"", .pattern = HOST_PATTERN, .check = hf_check_host},
    {"services.*.routes[].path", HF_KEY_STRING, 0, "`/`", "Prefix of whole segments: `/api` is `/api` and `/api/x`.", RANGE(1, 4096),
     ROUTE(path), .like = "a path like \"/api\"", .pattern = ROUTE_PATH, .check = hf_check_route_path},
    {"services.*.routes[].method", HF_KEY_STRING, 0, "any", "`GET`, `POST`, ...", RANGE(1, 32), ROUTE(method),
     .like = "a method like \"GET\"", .pattern = "^[A-Z-]+$", .check = hf_check_method},
    {"services.*.tenant", HF_KEY_STRING, 0, "`default`", "Label that counters and limits are summed by.", RANGE(1, 64), SERVICE(tenant),
     .like = "letters, digits, \"-\", \"_\" and \".\"", .pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", .check = hf_check_tenant},

    {"services.*.instances", HF_KEY_CHOICE, HF_KEY_POOL, "`reuse`",
     "`reuse`: an instance serves one request after another. `per-request`: each request sees one as fresh as after its start. "
     "`singleton`: one instance takes all requests, one after another.",
     SERVICE(instances), .choices = lifecycles},
    {"services.*.min", HF_KEY_INTEGER, HF_KEY_POOL, "1 a worker", "Instances kept ready, over all workers.", RANGE(1, 100000), SERVICE(min)},
    {"services.*.max", HF_KEY_INTEGER, HF_KEY_POOL, "64 a worker", "Instances at most, over all workers.", RANGE(1, 100000), SERVICE(max)},
    {"services.*.max_requests", HF_KEY_INTEGER, HF_KEY_POOL, "never", "An instance retires after so many requests.", RANGE(1, INT64_MAX),
     SERVICE(max_requests)},
    {"services.*.max_age", HF_KEY_DURATION, HF_KEY_POOL, "never", "An instance retires when it is so old and free.", TIMES, SERVICE(max_age_ns)},
    {"services.*.idle_timeout", HF_KEY_DURATION, HF_KEY_HANDLER, "never", "An instance that served nothing for so long ends.", TIMES,
     SERVICE(idle_timeout_ns)},
    {"services.*.queue", HF_KEY_INTEGER, HF_KEY_POOL, "1024", "Requests that may wait for an instance, each worker; then 503.", RANGE(1, 1000000),
     SERVICE(queue_max)},
    {"services.*.queue_timeout", HF_KEY_DURATION, HF_KEY_POOL, "the request timeout", "How long one may wait there, then 503.", TIMES,
     SERVICE(queue_timeout_ns)},
    {"services.*.request_timeout", HF_KEY_DURATION, 0, "`30s`", "For a whole request, then 504 and the instance ends.", TIMES,
     SERVICE(request_timeout_ns)},
    {"services.*.after_timeout", HF_KEY_DURATION, HF_KEY_POOL, "what is left of the request's",
     "From an answer's head on, for its body and work after it.", TIMES, SERVICE(after_timeout_ns)},
    {"services.*.slice", HF_KEY_DURATION, 0, "`10ms`", "A guest that computes makes way for others after so long.",
     RANGE(MS, 10000 * MS), SERVICE(slice_ns)},
    {"services.*.memory", HF_KEY_SIZE, 0, "`4GiB`", "Each linear memory may grow to this.", RANGE(65536, UINT64_C(1) << 40),
     SERVICE(memory_max)},
    {"services.*.handles", HF_KEY_INTEGER, 0, "100000", "Resources an instance may hold.", RANGE(1, 100000000), SERVICE(handles_max)},
    {"services.*.files", HF_KEY_INTEGER, 0, "1024", "Files and folders an instance may have open.", RANGE(1, 1000000), SERVICE(files_max)},
    {"services.*.body_max", HF_KEY_SIZE, 0, "that of `[node]`", "Largest body of a request, then 413.", RANGE(1, ANY_SIZE),
     SERVICE(body_max)},

    {"services.*.log_lines", HF_KEY_INTEGER, 0, "1000", "Lines its instances may print a second, each worker; more are dropped and counted.",
     RANGE(1, INT64_MAX), SERVICE(log_lines_max)},
    {"services.*.log_bytes", HF_KEY_SIZE, 0, "`1MiB`", "And bytes.", RANGE(1, ANY_SIZE), SERVICE(log_bytes_max)},
    {"services.*.no_trace", HF_KEY_BOOLEAN, 0, "`false`", "Its outgoing requests carry no `traceparent` but what it sets itself.", SERVICE(no_trace)},

    {"services.*.keyvalue", HF_KEY_STRINGS, 0, "none", "Buckets of `wasi:keyvalue` it may open: `NAME`, or `NAME:ro` to read only.",
     RANGE(1, 258), SERVICE(keyvalue), .like = "a bucket's name", .check = hf_check_bucket},
    {"services.*.dirs", HF_KEY_STRINGS, 0, "none", "Folders: `HOST::GUEST`, `HOST::GUEST:ro` to read only.", RANGE(1, 2 * PATH_LEN_MAX),
     SERVICE(dirs), .like = "a folder like \"./data::/data\"", .set = hf_set_dirs},
    {"services.*.net", HF_KEY_STRINGS, 0, "nothing", "Rules of the network, as in `doc/network.md`.", RANGE(1, 512), SERVICE(net),
     .like = "a rule like \"loopback:8080\"", .check = hf_check_net},
    {"services.*.outbound", HF_KEY_STRINGS, 0, "nowhere", "Where its HTTP requests may go: `HOST`, `HOST:PORT`, `10.0.0.0/8:443`.",
     RANGE(1, 512), SERVICE(outbound), .like = "a place like \"example.com\" or \"loopback:8080\"", .pattern = "^[^*/]+(/[0-9]+(:.*)?)?$", .check = hf_check_outbound},
    {"services.*.tls_ca", HF_KEY_PATH, 0, "the system's roots alone", "PEM file of more roots for its https requests.",
     RANGE(1, PATH_LEN_MAX), SERVICE(tls_ca)},

    {"services.*.env", HF_KEY_MAP, 0, "none", "Variables for the guest. Nothing is expanded in them.", RANGE(0, TEXT_MAX), SERVICE(env)},
    {"services.*.env_from", HF_KEY_STRINGS, 0, "none", "Variables that it gets from Holdfast's own environment; each must be there.",
     RANGE(1, 255), AT(struct hf_reading_service, env_from), .like = "the name of a variable", .pattern = VARIABLE, .check = hf_check_variable},
    {"services.*.args", HF_KEY_STRINGS, 0, "none", "Arguments for the guest.", RANGE(0, TEXT_MAX), SERVICE(args), .like = "an argument"},
    {"services.*.config", HF_KEY_MAP, 0, "none", "Values for `wasi:config`.", RANGE(0, TEXT_MAX), SERVICE(config)},

    {"services.*.process", HF_KEY_TABLE, 0, NULL,
     "Makes it a class of named processes that send each other messages (`doc/processes.md`), and no `wasi:http` service. `instances`, `min`, `max`, `max_requests`, `max_age`, `queue`, `queue_timeout` and `after_timeout` are not for it; a `runner` has no `idle_timeout` and no `turn_timeout` either. Routes lead to the process of its own name.",
     .enter = hf_enter_process},
    {"services.*.process.shape", HF_KEY_CHOICE, 0, "`handler`", "`handler`: called once a message. `runner`: takes them itself.",
     PROCESS(shape), .choices = shapes},
    {"services.*.process.sends", HF_KEY_STRINGS, 0, "nobody", "Whom it may message: `cart/42`, `cart/*`, `*`.", RANGE(1, 256), PROCESS(o.sends),
     .like = "a name like \"cart/42\", or the beginning of names and \"*\"", .pattern = "^(\\*|[a-z0-9][!-~]*)$", .check = hf_check_name_pattern},
    {"services.*.process.spawns", HF_KEY_STRINGS, 0, "nobody", "Classes that it may spawn.", RANGE(1, 256), PROCESS(o.spawns),
     .like = "the name of a class", .pattern = "^(\\*|[a-z0-9][!-~]*)$", .check = hf_check_name_pattern},
    {"services.*.process.restart", HF_KEY_CHOICE, 0, "`never`",
     "When one fails. `never`: the next message makes a new one. `always`: after back-off, its mailbox is kept. `some`: the same, `restart_max` times in `restart_within`.",
     PROCESS(o.restart), .choices = restarts},
    {"services.*.process.restart_max", HF_KEY_INTEGER, 0, "5", "Of `some`.", RANGE(1, 1000000), PROCESS(o.restart_max)},
    {"services.*.process.restart_within", HF_KEY_DURATION, 0, "`60s`", "Of `some`.", TIMES, PROCESS(o.restart_within_ns)},
    {"services.*.process.backoff", HF_KEY_DURATION, 0, "`100ms`", "Before the first restart; doubled each time.", TIMES, PROCESS(o.backoff_ns)},
    {"services.*.process.backoff_max", HF_KEY_DURATION, 0, "`60s`", "And no longer than this.", TIMES, PROCESS(o.backoff_max_ns)},
    {"services.*.process.max", HF_KEY_INTEGER, 0, "10000", "Processes of the class at a time.", RANGE(1, 100000000), PROCESS(o.processes_max)},
    {"services.*.process.mailbox", HF_KEY_INTEGER, 0, "1024", "Requests that may wait for each.", RANGE(1, 1000000), PROCESS(o.mailbox_max)},
    {"services.*.process.resident_max", HF_KEY_INTEGER, HF_KEY_HANDLER, "as many as the node",
     "Of them in memory; past it those that were idle for longest are put into a file.", RANGE(1, 1000000), PROCESS(o.resident_max)},
    {"services.*.process.warm", HF_KEY_INTEGER, 0, "none",
     "Instances started ahead, when there is nothing else to do, for names to come; shared out between the workers.", RANGE(1, 10000),
     PROCESS(o.warm)},
    {"services.*.process.turn_timeout", HF_KEY_DURATION, HF_KEY_HANDLER, "never", "A message that takes longer fails the process.", TIMES,
     PROCESS(o.turn_timeout_ns)},
    {"services.*.process.spawned", HF_KEY_BOOLEAN, 0, "`false`", "Only another process makes one; a message to a new name does not.",
     PROCESS(o.spawned)},
    {"services.*.process.trap_links", HF_KEY_BOOLEAN, 0, "`false`", "Hears of the death of a linked process instead of dying with it.",
     PROCESS(o.trap_links)},

    {"processes", HF_KEY_TABLE, HF_KEY_LATER, NULL, "Process classes; today they are `[services.NAME.process]`.", NO_RANGE},
    {"flows", HF_KEY_TABLE, HF_KEY_LATER, NULL, "Durable flows.", NO_RANGE},
    {"console", HF_KEY_TABLE, HF_KEY_LATER, NULL, "The web console.", NO_RANGE},
    {"store", HF_KEY_TABLE, HF_KEY_LATER, NULL, "A store shared by nodes.", NO_RANGE},
    {"tls", HF_KEY_TABLE, HF_KEY_LATER, NULL, "TLS.", NO_RANGE},
};

const struct hf_key *hf_keys(size_t *n)
{
    *n = HF_ARRAY_LEN(keys);
    return keys;
}

const char *hf_key_name(const struct hf_key *k)
{
    const char *dot = strrchr(k->path, '.');
    return dot == NULL ? k->path : dot + 1;
}

bool hf_key_is_in(const struct hf_key *k, const struct hf_key *of)
{
    size_t len = of == NULL ? 0 : strlen(of->path);
    const char *name = k->path + (of == NULL ? 0 : len + 1);
    if (of != NULL && (strncmp(k->path, of->path, len) != 0 || k->path[len] != '.'))
        return false;
    return strpbrk(name, ".[") == NULL;
}

const struct hf_key *hf_key_find(const struct hf_key *of, struct hf_view name)
{
    const struct hf_key *any = NULL;
    for (size_t i = 0; i < HF_ARRAY_LEN(keys); i++) {
        if (!hf_key_is_in(&keys[i], of))
            continue;
        const char *own = hf_key_name(&keys[i]);
        if (strcmp(own, "*") == 0)
            any = &keys[i];
        else if (hf_view_eq_text(name, own))
            return &keys[i];
    }
    return any;
}

const struct hf_key *hf_key_element(const struct hf_key *of)
{
    size_t len = strlen(of->path);
    for (size_t i = 0; i < HF_ARRAY_LEN(keys); i++)
        if (strncmp(keys[i].path, of->path, len) == 0 && strcmp(keys[i].path + len, "[]") == 0)
            return &keys[i];
    return NULL;
}

const char *hf_key_near(const struct hf_key *of, struct hf_view name)
{
    const char *best = NULL;
    unsigned least = HF_NEAR_FAR;
    for (size_t i = 0; i < HF_ARRAY_LEN(keys); i++) {
        if (!hf_key_is_in(&keys[i], of) || (keys[i].flags & HF_KEY_LATER) != 0)
            continue;
        struct hf_view own = hf_view_of(hf_key_name(&keys[i]));
        unsigned d = hf_near_distance(name, own);
        if (d < least && hf_near_enough(name, own)) {
            least = d;
            best = hf_key_name(&keys[i]);
        }
    }
    return best;
}

const struct hf_key *hf_key_elsewhere(struct hf_view name)
{
    for (size_t i = 0; i < HF_ARRAY_LEN(keys); i++)
        if (hf_view_eq_text(name, hf_key_name(&keys[i])) && (keys[i].flags & HF_KEY_LATER) == 0)
            return &keys[i];
    return NULL;
}

void hf_key_place(const struct hf_key *k, const char *name, char *to, size_t size)
{
    const char *end = strrchr(k->path, '.');
    if (end == NULL) {
        snprintf(to, size, "the top of the file");
        return;
    }
    size_t n = 0;
    bool array = end - k->path > 2 && end[-1] == ']';
    n += (size_t)snprintf(to, size, "%s", array ? "[[" : "[");
    for (const char *at = k->path; at < end - (array ? 2 : 0) && n < size; at++)
        n += (size_t)snprintf(to + n, size - n, "%.*s", *at == '*' ? 64 : 1, *at == '*' ? name : at);
    if (n < size)
        snprintf(to + n, size - n, "%s", array ? "]]" : "]");
}

static void choices(const struct hf_key *k, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; k->choices[i] != NULL && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s\"%s\"", i == 0 ? "" : k->choices[i + 1] == NULL ? " or " : ", ", k->choices[i]);
}

static void range(const struct hf_key *k, char *to, size_t size)
{
    char a[HF_UNITS_TEXT_MAX], b[HF_UNITS_TEXT_MAX];
    bool open = k->max >= ANY_SIZE; /* nobody reaches it */
    if (k->type == HF_KEY_DURATION) {
        snprintf(to, size, ", %s to %s", hf_units_print_duration(k->min, a), hf_units_print_duration(k->max, b));
    } else if (k->type == HF_KEY_SIZE) {
        hf_units_print_size(k->min, a);
        snprintf(to, size, open ? ", at least %s" : ", %s to %s", a, hf_units_print_size(k->max, b));
    } else if (open) {
        snprintf(to, size, " from %" PRIu64, k->min);
    } else if (k->min == k->max) {
        snprintf(to, size, ": %" PRIu64, k->min);
    } else {
        snprintf(to, size, " from %" PRIu64 " to %" PRIu64, k->min, k->max);
    }
}

void hf_key_wanted(const struct hf_key *k, char *to, size_t size)
{
    char extra[160] = "";
    const char *what = "";
    switch (k->type) {
    case HF_KEY_TABLE: what = "a table"; break;
    case HF_KEY_ARRAY: what = "an array"; break;
    case HF_KEY_STRING: what = k->like != NULL ? k->like : "a string"; break;
    case HF_KEY_PATH: what = "a path"; break;
    case HF_KEY_STRINGS:
        what = "an array of strings";
        if (k->like != NULL)
            snprintf(extra, sizeof extra, ", each %s", k->like);
        break;
    case HF_KEY_MAP: what = "a table of strings"; break;
    case HF_KEY_BOOLEAN: what = "true or false"; break;
    case HF_KEY_INTEGER: what = "an integer"; range(k, extra, sizeof extra); break;
    case HF_KEY_DURATION: what = k->max < 30000 * MS ? "a time like \"10ms\"" : "a time like \"30s\""; range(k, extra, sizeof extra); break;
    case HF_KEY_SIZE: what = k->max < 64 << 20 ? "a size like \"32KiB\"" : "a size like \"64MiB\""; range(k, extra, sizeof extra); break;
    case HF_KEY_CHOICE: choices(k, extra, sizeof extra); break;
    }
    snprintf(to, size, "%s%s%s%s%s", what, extra, (k->flags & HF_KEY_OR_ONE) != 0 ? ", or one string" : "",
             (k->flags & HF_KEY_OR_TABLE) != 0 ? ", or a table" : "", (k->flags & HF_KEY_OR_FALSE) != 0 ? ", or false" : "");
}
