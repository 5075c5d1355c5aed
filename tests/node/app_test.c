/* app_test.c - what a node serves is changed while it runs: applied, deployed, rolled back; what fails changes nothing. */
#include "support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/engine.h"
#include "os/os.h"

#define REUSE      HF_INSTANCES_REUSE
#define SINGLETON  HF_INSTANCES_SINGLETON
#define SECOND     1000000000ull

static bool have_guests(void)
{
    char path[512];
    if (guest("c-versions", path) && guest("c-hello", path) && guest("c-hooks", path))
        return true;
    printf("SKIP: app_test: guests are not built\n");
    return false;
}
#define NEED_GUESTS()                                                                                                              \
    do {                                                                                                                           \
        (void)state;                                                                                                               \
        if (!have_guests())                                                                                                        \
            skip();                                                                                                                \
    } while (0)

static struct hf_service_options service(const char *name, const char *path, const char *prefix)
{
    struct hf_service_options so;
    hf_service_options_init(&so);
    so.name = name;
    so.path = path;
    so.prefix = prefix;
    return so;
}

static void apply(struct node *n, const struct hf_service_options *services, size_t count)
{
    expect(n, hf_node_apply(n->node, services, count, &n->msg), HF_STATUS_OK, "");
}

static enum hf_status deploy(struct node *n, const char *name, struct bytes b)
{
    enum hf_status st = hf_node_deploy(n->node, name, b.ptr, b.len, &n->msg);
    free(b.ptr);
    return st;
}

/* One service "s" of version 1 from DIR/s.wasm, running. */
static struct hf_service_options begin(struct node *n, char path[256])
{
    node_init(n);
    node_open(n);
    snprintf(path, 256, "%s", node_file(n, "s.wasm", version_of('1')));
    struct hf_service_options so = service("s", path, "/");
    apply(n, &so, 1);
    node_run(n);
    http_expect(n, "/", "version-1");
    return so;
}

static void an_apply_replaces_what_changed(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    for (char v = '2'; v <= '6'; v++) {
        char want[] = "version-0";
        node_file(&n, "s.wasm", version_of(v));
        want[8] = v - 1;
        http_expect(&n, "/", want); /* a file alone is no change */
        want[8] = v;
        apply(&n, &so, 1);
        for (int i = 0; i < 8; i++)
            http_expect(&n, "/", want); /* on whichever worker: it holds when apply has returned */
    }
    node_close(&n);
}

static void what_stays_keeps_its_instances(void **state)
{
    struct node n;
    char a[256], b[256];
    NEED_GUESTS();
    node_init(&n);
    n.options.workers = 1;
    node_open(&n);
    snprintf(a, sizeof a, "%s", node_file(&n, "a.wasm", version_of('1')));
    snprintf(b, sizeof b, "%s", node_file(&n, "b.wasm", version_of('2')));
    struct hf_service_options so[2] = {service("a", a, "/a"), service("b", b, "/")};
    so[1].max = 1;
    apply(&n, so, 2);
    node_run(&n);
    http_expect(&n, "/count", "version-2 1");
    node_file(&n, "a.wasm", version_of('3'));
    apply(&n, so, 2);
    http_expect(&n, "/a", "version-3");
    http_expect(&n, "/count", "version-2 2"); /* b was left alone */
    const struct hf_route elsewhere[] = {{.path = "/count", .method = "GET"}};
    so[1].routes = elsewhere;
    so[1].n_routes = 1;
    apply(&n, so, 2);
    http_expect(&n, "/count", "version-2 3"); /* also when only its routes change */
    char body[256];
    assert_int_equal(http_ask(&n, "/", body, sizeof body), 404);
    so[1].env = (const char *const[]){"K=V", NULL};
    apply(&n, so, 2);
    http_expect(&n, "/count", "version-2 1"); /* other options: other instances */
    node_close(&n);
}

static void services_come_and_go(void **state)
{
    struct node n;
    char path[256], body[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    struct hf_service_options two[2] = {so, service("t", path, "/t")};
    apply(&n, two, 2);
    http_expect(&n, "/t", "version-1");
    apply(&n, two + 1, 1);
    assert_int_equal(http_ask(&n, "/", body, sizeof body), 404);
    http_expect(&n, "/t", "version-1");
    apply(&n, NULL, 0);
    assert_int_equal(http_ask(&n, "/t", body, sizeof body), 404);
    apply(&n, two, 2); /* the same names once more */
    http_expect(&n, "/t", "version-1");
    struct hf_service_options third = service("u", path, "/u");
    expect(&n, hf_node_add_service(n.node, &third, &n.msg), HF_STATUS_OK, "");
    http_expect(&n, "/u", "version-1");
    node_close(&n);
}

static void what_was_accepted_is_finished_by_the_old(void **state)
{
    struct node n;
    char path[256], body[512];
    int fds[6];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    so.max = 2; /* one instance a worker: requests stand in its queue */
    apply(&n, &so, 1);
    for (int i = 0; i < 6; i++) {
        fds[i] = http_open(&n);
        http_send(fds[i], "GET", "/stream", NULL);
    }
    while (http_ask(&n, "/", body, sizeof body) != 200) {
    }
    node_file(&n, "s.wasm", version_of('2'));
    apply(&n, &so, 1);
    http_expect(&n, "/", "version-2");
    for (int i = 0; i < 6; i++) {
        assert_int_equal(http_read(fds[i], body, sizeof body), 200);
        assert_string_equal(body, "version-1version-1version-1version-1version-1");
        http_send(fds[i], "GET", "/", NULL); /* the connection goes on, to the new one */
        assert_int_equal(http_read(fds[i], body, sizeof body), 200);
        assert_string_equal(body, "version-2");
        close(fds[i]);
    }
    apply(&n, NULL, 0); /* removed with requests in hand */
    node_close(&n);
}

static void a_removed_service_finishes_too(void **state)
{
    struct node n;
    char path[256], body[512];
    NEED_GUESTS();
    for (int singleton = 0; singleton < 2; singleton++) {
        struct hf_service_options so = begin(&n, path);
        so.instances = singleton ? SINGLETON : REUSE;
        apply(&n, &so, 1);
        int fds[6];
        for (int i = 0; i < 6; i++) {
            fds[i] = http_open(&n);
            http_send(fds[i], "GET", "/stream", NULL);
        }
        http_expect(&n, "/", "version-1");
        apply(&n, NULL, 0);
        assert_int_equal(http_ask(&n, "/", body, sizeof body), 404);
        for (int i = 0; i < 6; i++) {
            int status = http_read(fds[i], body, sizeof body);
            if (status == 404) /* its connection was not looked at before: then it was not accepted */
                assert_true(i > 0);
            else
                assert_string_equal(body, "version-1version-1version-1version-1version-1");
            close(fds[i]);
        }
        node_close(&n);
    }
}

/* ---- deploys ---- */

static void a_deploy_can_be_rolled_back_and_that_too(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_USAGE, "service \"s\" has nothing to go back to");
    expect(&n, deploy(&n, "s", version_of('2')), HF_STATUS_OK, "");
    http_expect(&n, "/", "version-2");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_OK, "");
    http_expect(&n, "/", "version-1");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_OK, "");
    http_expect(&n, "/", "version-2");
    expect(&n, deploy(&n, "s", version_of('2')), HF_STATUS_OK, ""); /* it serves already: what is kept stays */
    expect(&n, deploy(&n, "s", version_of('3')), HF_STATUS_OK, "");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_OK, "");
    http_expect(&n, "/", "version-2");
    apply(&n, &so, 1); /* the same options as before: what was deployed stays */
    http_expect(&n, "/", "version-2");
    so.env = (const char *const[]){"K=V", NULL};
    apply(&n, &so, 1); /* other options, the same file: still */
    http_expect(&n, "/", "version-2");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_OK, "");
    http_expect(&n, "/", "version-3");
    node_file(&n, "s.wasm", version_of('4'));
    apply(&n, &so, 1); /* what the options name is another one now: it is meant */
    http_expect(&n, "/", "version-4");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_USAGE, "nothing to go back to");
    node_close(&n);
}

/* ---- what fails changes nothing ---- */

static struct bytes of_text(const char *text)
{
    struct bytes b = {strdup(text), strlen(text)};
    return b;
}

static struct bytes of_guest(const char *name)
{
    char path[512];
    assert_true(guest(name, path));
    return file_read(path);
}

static struct bytes of_wat(const char *text)
{
    struct hf_buf out = {0};
    struct hf_report report = {0};
    if (hf_engine_wat(text, strlen(text), &out, &report) != HF_OK)
        fail_msg("%s", report.text);
    return (struct bytes){(char *)out.ptr, out.len};
}

static void bad_deploys_change_nothing(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    const struct {
        struct bytes bytes;
        enum hf_status status;
        const char *words;
    } rows[] = {
        {of_text("rubbish"), HF_STATUS_INVALID, "service \"s\": the new component"},
        {of_text(""), HF_STATUS_INVALID, "service \"s\": the new component"},
        {of_wat("(module)"), HF_STATUS_INVALID, "is a core module"},
        {of_wat("(component)"), HF_STATUS_UNSUPPORTED, "does not export wasi:http/incoming-handler"},
        {of_wat("(component (import \"my:own/thing@1.0.0\" (instance (export \"f\" (func)))))"), HF_STATUS_UNSUPPORTED,
         "my:own/thing@1.0.0"},
        {of_guest("c-command"), HF_STATUS_INVALID, "is a core module"},
    };
    begin(&n, path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(&n, deploy(&n, "s", rows[i].bytes), rows[i].status, rows[i].words);
        http_expect(&n, "/", "version-1");
    }
    struct bytes half = version_of('2');
    half.len /= 2;
    expect(&n, deploy(&n, "s", half), HF_STATUS_INVALID, "service \"s\": the new component");
    expect(&n, deploy(&n, "nobody", version_of('2')), HF_STATUS_USAGE, "there is no service named \"nobody\"; there are \"s\"");
    expect(&n, hf_node_rollback(n.node, "nobody", &n.msg), HF_STATUS_USAGE, "there is no service named \"nobody\"");
    expect(&n, hf_node_rollback(n.node, "s", &n.msg), HF_STATUS_USAGE, "nothing to go back to"); /* none of them was kept */
    http_expect(&n, "/", "version-1");
    node_close(&n);
}

static void a_component_that_does_not_start_changes_nothing(void **state)
{
    static const char *const hooks[][2] = {{"HOOK=fail", "no database today"}, {"HOOK=trap", "unreachable"}};
    struct node n;
    char path[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    for (size_t i = 0; i < 2; i++) {
        so.env = (const char *const[]){hooks[i][0], NULL};
        apply(&n, &so, 1); /* c-versions does not care; what is deployed to it will */
        expect(&n, deploy(&n, "s", of_guest("c-hooks")), HF_STATUS_FAILED, hooks[i][1]);
        assert_non_null(strstr(n.msg.text, "does not start"));
        http_expect(&n, "/", "version-1");
    }
    so.env = (const char *const[]){"HOOK=spin", NULL};
    so.request_timeout_ns = SECOND / 4;
    apply(&n, &so, 1);
    expect(&n, deploy(&n, "s", of_guest("c-hooks")), HF_STATUS_TIMEOUT, "s does not start: it took longer than 250 ms");
    http_expect(&n, "/", "version-1");
    node_close(&n);
}

static void bad_applies_change_nothing(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    struct hf_service_options two[2] = {so, so};
    node_file(&n, "s.wasm", version_of('2')); /* a change that would be taken up if any of these were applied in part */
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "there are two services named \"s\"");
    two[1].name = "t";
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE,
           "services \"s\" and \"t\" have the same route: host any, path /, method any");
    const struct hf_route routes[] = {{.host = "Example.org", .path = "/x", .method = "GET"},
                                      {.host = "example.org", .path = "/x", .method = "GET"}};
    two[1].routes = routes;
    two[1].n_routes = 2;
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE,
           "services \"t\" and \"t\" have the same route: host example.org, path /x, method GET");
    const struct hf_route odd = {.path = "x"};
    two[1].routes = &odd;
    two[1].n_routes = 1;
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "service \"t\": route \"x\": a path prefix starts with /");
    two[1] = service("t", "/nowhere/t.wasm", "/t");
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_IO, "service \"t\": /nowhere/t.wasm: No such file");
    two[1] = service("t", path, "/t");
    two[1].min = 4;
    two[1].max = 3;
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "service \"t\": min is more than max");
    two[1].max = 0;
    two[1].min = 129;
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "service \"t\": min is more than max, which is 64 a worker");
    two[1] = service("t", path, "/t");
    two[1].net = (const char *const[]){"nonsense", NULL};
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "service \"t\": ");
    two[1] = service("t", path, "/t");
    two[1].dirs = (const char *const[]){"/nowhere/at/all::/d", NULL};
    assert_int_not_equal(hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_OK);
    two[1] = service("", path, "/t");
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "1 to 127 bytes");
    two[1].name = "t\n";
    expect(&n, hf_node_apply(n.node, two, 2, &n.msg), HF_STATUS_USAGE, "no control characters");
    struct hf_service_options *many = calloc(1001, sizeof *many);
    expect(&n, hf_node_apply(n.node, many, 1001, &n.msg), HF_STATUS_LIMIT, "at most 1000 services");
    free(many);
    for (int i = 0; i < 4; i++)
        http_expect(&n, "/", "version-1");
    apply(&n, &so, 1);
    http_expect(&n, "/", "version-2");
    node_close(&n);
}

/* The template started, but the instances that are to serve find no room: then nothing is switched on any worker. */
static void instances_that_do_not_start_change_nothing(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    node_init(&n);
    n.options.instances_max = 20; /* core instances; one of c-versions is a few of them */
    node_open(&n);
    snprintf(path, sizeof path, "%s", node_file(&n, "s.wasm", version_of('1')));
    struct hf_service_options so = service("s", path, "/");
    apply(&n, &so, 1);
    node_run(&n);
    http_expect(&n, "/", "version-1");
    node_file(&n, "s.wasm", version_of('2'));
    so.min = 60;
    for (int i = 0; i < 3; i++) {
        expect(&n, hf_node_apply(n.node, &so, 1, &n.msg), HF_STATUS_FAILED, "service \"s\" does not start");
        for (int k = 0; k < 4; k++)
            http_expect(&n, "/", "version-1");
    }
    so.min = 2;
    for (int tries = 0; hf_node_apply(n.node, &so, 1, &n.msg) != HF_STATUS_OK; tries++)
        assert_true(tries < 200); /* those of the failed change are on their way out */
    http_expect(&n, "/", "version-2");
    node_close(&n);
}

/* ---- singletons ---- */

static void requests_wait_for_the_next_singleton(void **state)
{
    struct node n;
    char path[256], body[512], before = '1';
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    so.instances = SINGLETON;
    apply(&n, &so, 1);
    http_expect(&n, "/count", "version-1 1");
    http_expect(&n, "/count", "version-1 2");
    for (char v = '2'; v <= '6'; before = v++) {
        char old[] = "version-0", got;
        int slow[4], next[4];
        unsigned number, seen = 0;
        old[8] = before;
        for (int i = 0; i < 4; i++) {
            slow[i] = http_open(&n);
            http_send(slow[i], "GET", "/stream", NULL);
        }
        http_expect(&n, "/", old);
        node_file(&n, "s.wasm", version_of(v));
        apply(&n, &so, 1);
        for (int i = 0; i < 4; i++) {
            next[i] = http_open(&n);
            http_send(next[i], "GET", "/count", NULL);
        }
        for (int i = 0; i < 4; i++) {
            assert_int_equal(http_read(next[i], body, sizeof body), 200);
            assert_int_equal(sscanf(body, "version-%c %u", &got, &number), 2);
            assert_int_equal(got, v);
            assert_true(number >= 1 && number <= 8 && (seen & (1u << number)) == 0); /* one instance counts them all */
            seen |= 1u << number;
            assert_int_equal(http_read(slow[i], body, sizeof body), 200);
            assert_int_equal(strlen(body), 5 * strlen("version-1"));
            close(slow[i]);
            close(next[i]);
        }
    }
    node_close(&n);
}

/* Its hooks say in the log when an instance begins and when it has gone. */
static void two_of_a_singleton_never_live_at_once(void **state)
{
    struct node n;
    char path[512], log[256], body[256], line[512], env[32];
    NEED_GUESTS();
    node_init(&n);
    assert_true(guest("c-hooks", path));
    snprintf(log, sizeof log, "%s/log", n.dir);
    fflush(stderr);
    int saved = dup(2), to = open(log, O_CREAT | O_RDWR | O_APPEND, 0600);
    assert_true(saved >= 0 && to >= 0);
    dup2(to, 2);
    node_open(&n);
    struct hf_service_options so = service("two", path, "/"); /* whose home is the second worker: instances have large numbers */
    const char *const list[] = {env, NULL};
    so.instances = SINGLETON;
    so.env = list;
    for (int i = 0; i < 10; i++) {
        snprintf(env, sizeof env, "V=%d", i);
        enum hf_status st = hf_node_apply(n.node, &so, 1, &n.msg);
        if (i == 0)
            node_run(&n);
        if (st != HF_STATUS_OK || (i % 3 != 0 && http_ask(&n, "/", body, sizeof body) != 200))
            break; /* the lines will show it */
    }
    node_stop(&n);
    dup2(saved, 2);
    close(saved);
    close(to);
    FILE *f = fopen(log, "r");
    unsigned long long id = 0, live = 0;
    unsigned lives = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        const char *at = strstr(line, "two[");
        if (at == NULL || sscanf(at, "two[%llu]", &id) != 1 || id < 1ull << 48)
            continue; /* the one that is started to look at it */
        if (strstr(line, "init") != NULL) {
            assert_int_equal(live, 0);
            live = id;
            lives++;
        } else if (strstr(line, "shutdown after") != NULL) {
            assert_int_equal(live, id);
            live = 0;
        }
    }
    fclose(f);
    assert_in_range(lives, 6, 10); /* one that nobody asked anything may be replaced before it was born */
    assert_int_equal(live, 0);
    node_close(&n);
}

static void an_instance_s_mode_can_change(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    static const enum hf_instances modes[] = {SINGLETON, HF_INSTANCES_PER_REQUEST, SINGLETON, REUSE, HF_INSTANCES_PER_REQUEST};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        so.instances = modes[i];
        apply(&n, &so, 1);
        for (int k = 0; k < 8; k++)
            http_expect(&n, "/", "version-1");
        if (modes[i] != REUSE)
            http_expect(&n, "/count", modes[i] == SINGLETON ? "version-1 9" : "version-1 1");
    }
    node_close(&n);
}

/* ---- before and after ---- */

static void before_a_run_a_change_is_at_once(void **state)
{
    struct node n;
    char path[256];
    NEED_GUESTS();
    node_init(&n);
    node_open(&n);
    node_listen(&n); /* workers are there, and serve nothing */
    snprintf(path, sizeof path, "%s", node_file(&n, "s.wasm", version_of('1')));
    struct hf_service_options so = service("s", path, "/");
    apply(&n, &so, 1);
    expect(&n, deploy(&n, "s", version_of('2')), HF_STATUS_OK, "");
    expect(&n, deploy(&n, "s", of_text("rubbish")), HF_STATUS_INVALID, "the new component");
    node_run(&n);
    http_expect(&n, "/", "version-2");
    node_stop(&n);
    expect(&n, hf_node_apply(n.node, NULL, 0, &n.msg), HF_STATUS_STOPPED, "stopped");
    node_close(&n);
}

/* No descriptor is left for what a worker needs: said, nothing half made is run, and later it works. */
static void workers_that_cannot_be_made(void **state)
{
    struct node n;
    struct rlimit all, few;
    char path[256];
    NEED_GUESTS();
    for (int more = 0; more < 12; more++) { /* for the first worker's parts, for the second's */
        node_init(&n);
        node_open(&n);
        snprintf(path, sizeof path, "%s", node_file(&n, "s.wasm", version_of('1')));
        struct hf_service_options so = service("s", path, "/");
        apply(&n, &so, 1);
        int next = dup(0);
        close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
        few = all;
        few.rlim_cur = (rlim_t)(next + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        if (more < 4) {
            enum hf_status run = hf_node_run(n.node, &n.msg);
            enum hf_status listen = hf_node_listen(n.node, "127.0.0.1:0", n.bound, &n.msg);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
            assert_true(run == HF_STATUS_LIMIT || run == HF_STATUS_IO);
            assert_true(listen == HF_STATUS_LIMIT || listen == HF_STATUS_IO);
            assert_string_not_equal(n.msg.text, "");
        } else { /* at some number the listener is what fails */
            (void)!hf_node_listen(n.node, "127.0.0.1:0", n.bound, &n.msg);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
        }
        n.bound[0] = 0;
        if (more % 4 == 3) {
            hf_node_stop(n.node);
        } else {
            node_run(&n);
            http_expect(&n, "/", "version-1");
        }
        node_close(&n);
    }
}

struct changer {
    struct node *n;
    const struct hf_service_options *so;
    _Atomic unsigned done;
    enum hf_status last;
    bool again;
};

static void *change_all_the_time(void *arg)
{
    struct changer *c = arg;
    struct hf_words msg;
    struct bytes versions[2] = {version_of('3'), version_of('4')};
    do {
        struct bytes b = versions[c->done % 2];
        c->last = hf_node_deploy(c->n->node, "s", b.ptr, b.len, &msg);
        c->done++;
    } while (c->last == HF_STATUS_OK);
    free(versions[0].ptr);
    free(versions[1].ptr);
    return NULL;
}

static void a_stop_in_the_middle_of_a_change(void **state)
{
    char path[256];
    NEED_GUESTS();
    for (int i = 0; i < 10; i++) {
        struct node n;
        struct hf_service_options so = begin(&n, path);
        struct changer c = {.n = &n, .so = &so};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, change_all_the_time, &c), 0);
        int fd = http_open(&n);
        http_send(fd, "GET", "/stream", NULL);
        while (c.done < (unsigned)i)
            usleep(100);
        hf_node_stop(n.node);
        pthread_join(thread, NULL);
        assert_int_equal(c.last, HF_STATUS_STOPPED);
        char body[512];
        int status = http_read(fd, body, sizeof body);
        assert_true(status == 200 || status == 0); /* in hand: finished; else the connection was not looked at */
        close(fd);
        pthread_join(n.thread, NULL);
        n.runs = false;
        node_close(&n);
    }
}

static void callers_take_turns(void **state)
{
    struct node n;
    char path[256], body[64];
    pthread_t threads[3];
    NEED_GUESTS();
    struct hf_service_options so = begin(&n, path);
    struct changer c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = (struct changer){.n = &n, .so = &so};
        assert_int_equal(pthread_create(&threads[i], NULL, change_all_the_time, &c[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        assert_int_equal(http_ask(&n, "/", body, sizeof body), 200);
        assert_true(memcmp(body, "version-", 8) == 0);
    }
    hf_node_stop(n.node);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(c[i].last, HF_STATUS_STOPPED);
    }
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_apply_replaces_what_changed),
        cmocka_unit_test(what_stays_keeps_its_instances),
        cmocka_unit_test(services_come_and_go),
        cmocka_unit_test(what_was_accepted_is_finished_by_the_old),
        cmocka_unit_test(a_removed_service_finishes_too),
        cmocka_unit_test(a_deploy_can_be_rolled_back_and_that_too),
        cmocka_unit_test(bad_deploys_change_nothing),
        cmocka_unit_test(a_component_that_does_not_start_changes_nothing),
        cmocka_unit_test(bad_applies_change_nothing),
        cmocka_unit_test(instances_that_do_not_start_change_nothing),
        cmocka_unit_test(requests_wait_for_the_next_singleton),
        cmocka_unit_test(two_of_a_singleton_never_live_at_once),
        cmocka_unit_test(an_instance_s_mode_can_change),
        cmocka_unit_test(before_a_run_a_change_is_at_once),
        cmocka_unit_test(workers_that_cannot_be_made),
        cmocka_unit_test(a_stop_in_the_middle_of_a_change),
        cmocka_unit_test(callers_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
