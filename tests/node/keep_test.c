/* keep_test.c - what was deployed outlives a node in its data folder, whole: whatever fails on the
 * way leaves what there was. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#include "base/hash.h"

struct kept {
    char top[64]; /* the folder of all below */
    char file[96], data[96], record[128];
    struct hf_service_options so;
    struct node n;
};

static struct bytes text_of(const char *path)
{
    struct bytes b = {NULL, 0};
    return access(path, F_OK) == 0 ? file_read(path) : b;
}

static void begin(struct kept *k)
{
    char path[512];
    memset(k, 0, sizeof *k);
    if (!guest("c-versions", path)) {
        printf("SKIP: keep_test: guests are not built\n");
        skip();
    }
    strcpy(k->top, "/tmp/hf-keep-XXXXXX");
    assert_non_null(mkdtemp(k->top));
    snprintf(k->file, sizeof k->file, "%s/s.wasm", k->top);
    snprintf(k->data, sizeof k->data, "%s/data", k->top);
    snprintf(k->record, sizeof k->record, "%s/deployed.json", k->data);
    hf_service_options_init(&k->so);
    k->so.name = "s";
    k->so.path = k->file;
    k->so.prefix = "/";
    struct bytes one = version_of('1');
    file_write(k->file, one);
    free(one.ptr);
}

/* A node with that service on that data folder, running. */
static void start(struct kept *k)
{
    node_init(&k->n);
    k->n.options.data_dir = k->data;
    node_open(&k->n);
    expect(&k->n, hf_node_apply(k->n.node, &k->so, 1, &k->n.msg), HF_STATUS_OK, "");
    node_run(&k->n);
}

static void end(struct kept *k)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", k->top);
    assert_int_equal(system(command), 0);
}

static enum hf_status deploy(struct kept *k, char version)
{
    struct bytes b = version_of(version);
    enum hf_status st = hf_node_deploy(k->n.node, "s", b.ptr, b.len, &k->n.msg);
    free(b.ptr);
    return st;
}

static void outlives_the_node(void **state)
{
    struct kept k;
    (void)state;
    begin(&k);
    start(&k);
    expect(&k.n, deploy(&k, '2'), HF_STATUS_OK,
           "serves, also after a restart, while what the manifest names stays as it is");
    expect(&k.n, deploy(&k, '2'), HF_STATUS_OK, "it serves that component already");
    node_close(&k.n);
    start(&k);
    http_expect(&k.n, "/", "version-2");
    expect(&k.n, hf_node_rollback(k.n.node, "s", &k.n.msg), HF_STATUS_OK, "");
    http_expect(&k.n, "/", "version-1");
    node_close(&k.n);
    start(&k);
    http_expect(&k.n, "/", "version-1");
    expect(&k.n, hf_node_rollback(k.n.node, "s", &k.n.msg), HF_STATUS_OK, "");
    http_expect(&k.n, "/", "version-2");
    node_close(&k.n);
    struct bytes three = version_of('3');
    file_write(k.file, three); /* it is meant */
    free(three.ptr);
    start(&k);
    http_expect(&k.n, "/", "version-3");
    expect(&k.n, hf_node_rollback(k.n.node, "s", &k.n.msg), HF_STATUS_USAGE,
           "nothing to go back to");
    node_close(&k.n);
    end(&k);
}

/* The record never names a component that is not there: it could not be started again. */
static void a_full_disk_leaves_the_record(void **state)
{
    struct kept k;
    struct rlimit was, less;
    (void)state;
    begin(&k);
    start(&k);
    expect(&k.n, deploy(&k, '2'), HF_STATUS_OK, "");
    struct bytes before = text_of(k.record), bytes = version_of('3');
    assert_true(before.len > 0 && before.len < bytes.len - 1);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    less = was;
    less.rlim_cur = bytes.len - 1; /* room for the record, not for the component */
    free(bytes.ptr);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    enum hf_status st = deploy(&k, '3');
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    expect(&k.n, st, HF_STATUS_IO, "it cannot be kept: ");
    struct bytes after = text_of(k.record);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.ptr, before.ptr, before.len);
    http_expect(&k.n, "/", "version-2");
    node_close(&k.n);
    start(&k);
    http_expect(&k.n, "/", "version-2");
    node_close(&k.n);
    free(before.ptr);
    free(after.ptr);
    end(&k);
}

/* An apply whose instances do not start: what was recorded stays, and nothing that was prepared is
 * left. */
static void a_change_that_fails_leaves_the_record(void **state)
{
    struct kept k;
    char prepared[128];
    (void)state;
    begin(&k);
    start(&k);
    expect(&k.n, deploy(&k, '2'), HF_STATUS_OK, "");
    node_close(&k.n);
    node_init(&k.n);
    k.n.options.data_dir = k.data;
    k.n.options.instances_max = 20; /* as app_test.c */
    node_open(&k.n);
    expect(&k.n, hf_node_apply(k.n.node, &k.so, 1, &k.n.msg), HF_STATUS_OK, "");
    node_run(&k.n);
    http_expect(&k.n, "/", "version-2"); /* it runs: before that an apply waits for no instance */
    struct bytes before = text_of(k.record), three = version_of('3');
    file_write(k.file, three);
    free(three.ptr);
    k.so.min = 60;
    expect(&k.n, hf_node_apply(k.n.node, &k.so, 1, &k.n.msg), HF_STATUS_FAILED,
           "service \"s\" does not start");
    struct bytes after = text_of(k.record);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.ptr, before.ptr, before.len);
    snprintf(prepared, sizeof prepared, "%s/.begun-deployed.json", k.data);
    assert_int_not_equal(access(prepared, F_OK), 0);
    http_expect(&k.n, "/", "version-2");
    node_close(&k.n);
    free(before.ptr);
    free(after.ptr);
    end(&k);
}

/* Services that are added one by one: the first does not make the node forget what was deployed to
 * the second. */
static void services_come_one_by_one(void **state)
{
    struct kept k;
    (void)state;
    begin(&k);
    struct hf_service_options other = k.so;
    other.name = "other";
    other.prefix = "/other";
    for (int i = 0; i < 3; i++) {
        node_init(&k.n);
        k.n.options.data_dir = k.data;
        node_open(&k.n);
        expect(&k.n, hf_node_add_service(k.n.node, &other, &k.n.msg), HF_STATUS_OK, "");
        expect(&k.n, hf_node_add_service(k.n.node, &k.so, &k.n.msg), HF_STATUS_OK, "");
        node_run(&k.n);
        http_expect(&k.n, "/", i == 0 ? "version-1" : "version-2");
        if (i == 0)
            expect(&k.n, deploy(&k, '2'), HF_STATUS_OK, "");
        node_close(&k.n);
    }
    start(&k); /* without the other: which had nothing */
    http_expect(&k.n, "/", "version-2");
    expect(&k.n, hf_node_apply(k.n.node, NULL, 0, &k.n.msg), HF_STATUS_OK,
           ""); /* and now without this one */
    node_close(&k.n);
    start(&k);
    http_expect(&k.n, "/", "version-1");
    node_close(&k.n);
    end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outlives_the_node),
        cmocka_unit_test(a_full_disk_leaves_the_record),
        cmocka_unit_test(a_change_that_fails_leaves_the_record),
        cmocka_unit_test(services_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
