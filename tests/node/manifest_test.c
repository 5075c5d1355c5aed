/* manifest_test.c - manifests: what each key does, every mistake with its message (tests/manifest/mistakes.txt), limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/manifest_int.h"

#define GOLDEN "tests/manifest/mistakes.txt"
#define HEAD   "holdfast = 1\n"
#define WEB    HEAD "[services.web]\ncomponent = \"web.wasm\"\n"

static struct hf_report report;

static enum hf_err parse(const char *text, struct hf_manifest **ret)
{
    hf_report_init(&report);
    return hf_manifest_parse(hf_view_of(text), "holdfast.toml", "app", ret, &report);
}

static struct hf_manifest *good(const char *text)
{
    struct hf_manifest *m = NULL;
    enum hf_err err = parse(text, &m);
    if (err != HF_OK)
        fail_msg("%s", report.text);
    return m;
}

/* ---- golden messages --------------------------------------------------------------------------------------- */

struct golden {
    char *text; /* the whole file */
    size_t len;
};

static int read_golden(void **state)
{
    static struct golden g;
    FILE *f = fopen(GOLDEN, "r");
    setenv("HF_TEST_TOKEN", "0123456789abcdef", 1);
    setenv("HF_TEST_SHORT", "short", 1);
    unsetenv("HF_TEST_UNSET");
    if (f == NULL)
        return -1;
    g.text = calloc(1, 1 << 20);
    g.len = g.text == NULL ? 0 : fread(g.text, 1, (1 << 20) - 1, f);
    fclose(f);
    *state = &g;
    return g.len > 0 ? 0 : -1;
}

static int free_golden(void **state)
{
    free(((struct golden *)*state)->text);
    return 0;
}

/* Each case of the file: its name, the manifest, and what stands below "---". */
static void every_mistake_has_its_message(void **state)
{
    struct golden *g = *state;
    FILE *out = getenv("HF_WRITE_GOLDEN") != NULL ? fopen(GOLDEN ".new", "w") : NULL;
    char *first = strstr(g->text, "\n=== "), *at = first == NULL ? NULL : first + 1;
    size_t cases = 0, wrong = 0;
    if (out != NULL)
        fwrite(g->text, 1, (size_t)(at - g->text), out);
    while (at != NULL && *at != 0) {
        char *name = at + 4, *end = strchr(name, '\n'), *next = strstr(end, "\n=== "), *line = strstr(end, "\n---\n");
        struct hf_manifest *m = NULL;
        assert_non_null(line);
        char *expected = line + 5, *stop = next != NULL ? next + 1 : g->text + g->len;
        struct hf_view manifest = hf_view(end + 1, line < end + 1 ? 0 : (size_t)(line + 1 - (end + 1)));
        hf_report_init(&report);
        enum hf_err err = hf_manifest_parse(manifest, "holdfast.toml", "app", &m, &report);
        bool same = strlen(report.text) + 1 == (size_t)(stop - expected) && strncmp(report.text, expected, strlen(report.text)) == 0;
        if (err != HF_INVALID || m != NULL || (!same && out == NULL)) {
            print_error("%.*s: %s\n%s\n", (int)(end - name), name, err == HF_OK ? "was taken" : "another message", report.text);
            wrong++;
        }
        hf_manifest_free(m);
        if (out != NULL)
            fprintf(out, "=== %.*s\n%.*s---\n%s\n", (int)(end - name), name, HF_FMT(manifest), report.text);
        cases++;
        at = next != NULL ? next + 1 : NULL;
    }
    if (out != NULL) {
        fclose(out);
        assert_int_equal(rename(GOLDEN ".new", GOLDEN), 0);
    }
    assert_int_equal(wrong, 0);
    assert_true(cases >= 40);
}

/* ---- what a manifest says ---------------------------------------------------------------------------------- */

static const char all_keys[] =
    HEAD "[node]\nworkers = 3\ndata = \"state\"\ncache = \"/var/cache/hf\"\ndrain = \"1.5s\"\nlog = \"json\"\naccess = \"combined\"\nquiet = true\n"
         "debug = true\nno_trace = true\nconnections = 500\nhead_max = \"16KiB\"\nbody_max = 1000\nhead_timeout = \"2s\"\nbody_timeout = \"3s\"\n"
         "keep_alive = \"4s\"\noutbound_max = 5\ninstances_max = 700\n"
         "resident_max = 31\nnames_max = 32\nspill_max = \"33MiB\"\n"
         "blob_memory_max = \"34MiB\"\nblob_resident_max = \"35MiB\"\nblob_file_max = \"36GiB\"\n"
         "[node.keyvalue]\nvalue_max = \"2MiB\"\nkeys_max = 6\nbytes_max = \"1GB\"\n"
         "[node.components]\nmax = 24\nbytes_max = \"25MiB\"\n"
         "[listen]\nhttp = [\"127.0.0.1:8080\", \"[::1]:0\", \"localhost:81\"]\n"
         "[admin]\nsocket = \"run/door\"\nlisten = \"127.0.0.1:9090\"\ntoken = \"0123456789abcdef\"\n"
         "[services.web]\ncomponent = { path = \"web.wasm\", sha256 = \"" "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdef0000" "\" }\n"
         "routes = [\"/a\", { host = \"*.Example.org\", path = \"/b\", method = \"GET\" }, { host = \"[::1]\" }]\n"
         "tenant = \"acme\"\ninstances = \"per-request\"\nmin = 2\nmax = 4\nmax_requests = 10\nmax_age = \"1h\"\nidle_timeout = \"2m\"\n"
         "queue = 7\nqueue_timeout = \"8s\"\nrequest_timeout = \"9s\"\nafter_timeout = \"10s\"\nslice = \"11ms\"\nmemory = \"64MiB\"\n"
         "handles = 12\nfiles = 13\nbody_max = \"14kB\"\nkeyvalue = [\"carts\", \"prices:ro\"]\n"
         "dirs = [\"data::/data\", \"/srv::/srv:ro\", \"shared\", \"logs:ro\"]\nnet = [\"loopback:5432\"]\noutbound = [\"example.com\"]\n"
         "tls_ca = \"ca.pem\"\nenv = { A = \"1\", B = \"${A}\" }\nenv_from = [\"HF_TEST_TOKEN\"]\nargs = [\"x\", \"\", \"x\"]\nconfig = { k = \"v\" }\n"
         "log_lines = 15\nlog_bytes = \"16kB\"\nno_trace = true\n"
         "[services.cart]\ncomponent = \"cart.wasm\"\n"
         "[services.cart.process]\nshape = \"handler\"\nsends = [\"web\", \"cart/*\"]\nspawns = [\"item\"]\nrestart = \"some\"\nrestart_max = 17\n"
         "restart_within = \"18s\"\nbackoff = \"19ms\"\nbackoff_max = \"20s\"\nmax = 21\nmailbox = 22\nturn_timeout = \"23s\"\nspawned = true\n"
         "trap_links = true\nresident_max = 24\nwarm = 25\n"
         "[services.loop]\ncomponent = \"loop.wasm\"\n[services.loop.process]\nshape = \"runner\"\n";

static void each_key_goes_where_it_says(void **state)
{
    (void)state;
    struct hf_manifest *m = good(all_keys);
    const struct hf_node_options *o = hf_manifest_node(m);
    size_t n;
    assert_int_equal(o->workers, 3);
    assert_string_equal(o->data_dir, "app/state");
    assert_string_equal(o->cache_dir, "/var/cache/hf");
    assert_int_equal(o->drain_ns, 1500000000);
    assert_int_equal(o->log, HF_LOG_JSON);
    assert_int_equal(o->access, HF_ACCESS_COMBINED);
    assert_true(o->quiet && o->debug && o->no_trace);
    assert_int_equal(o->connections_max, 500);
    assert_int_equal(o->head_max, 16384);
    assert_int_equal(o->body_max, 1000);
    assert_int_equal(o->head_timeout_ns, 2000000000);
    assert_int_equal(o->body_timeout_ns, 3000000000);
    assert_int_equal(o->idle_timeout_ns, 4000000000);
    assert_int_equal(o->outbound_max, 5);
    assert_int_equal(o->resident_max, 31);
    assert_int_equal(o->names_max, 32);
    assert_int_equal(o->spill_max, 33 << 20);
    assert_int_equal(o->blob_memory_max, 34 << 20);
    assert_int_equal(o->blob_resident_max, 35 << 20);
    assert_int_equal(o->blob_file_max, UINT64_C(36) << 30);
    assert_int_equal(o->instances_max, 700);
    assert_int_equal(o->keyvalue_value_max, 2 << 20);
    assert_int_equal(o->keyvalue_keys_max, 6);
    assert_int_equal(o->keyvalue_bytes_max, 1000000000);
    assert_int_equal(o->components_max, 24);
    assert_int_equal(o->components_bytes_max, 25 << 20);
    assert_string_equal(o->admin_token, "0123456789abcdef");
    const char *const *list = hf_manifest_listeners(m, &n);
    assert_int_equal(n, 3);
    assert_string_equal(list[1], "[::1]:0");
    list = hf_manifest_admin(m, &n);
    assert_int_equal(n, 2);
    assert_string_equal(list[0], "unix:app/run/door");
    assert_string_equal(list[1], "127.0.0.1:9090");
    hf_manifest_free(m);
}

static void each_key_of_a_service_goes_where_it_says(void **state)
{
    (void)state;
    struct hf_manifest *m = good(all_keys);
    size_t n;
    const struct hf_service_options *s = hf_manifest_services(m, &n);
    assert_int_equal(n, 3);
    assert_string_equal(s->name, "web");
    assert_string_equal(s->path, "app/web.wasm");
    assert_int_equal(strlen(s->sha256), 64);
    assert_int_equal(s->n_routes, 3);
    assert_null(s->routes[0].host);
    assert_string_equal(s->routes[0].path, "/a");
    assert_string_equal(s->routes[1].host, "*.example.org");
    assert_string_equal(s->routes[1].path, "/b");
    assert_string_equal(s->routes[1].method, "GET");
    assert_string_equal(s->routes[2].host, "[::1]");
    assert_string_equal(s->routes[2].path, "/");
    assert_string_equal(s->tenant, "acme");
    assert_int_equal(s->instances, HF_INSTANCES_PER_REQUEST);
    assert_int_equal(s->min, 2);
    assert_int_equal(s->max, 4);
    assert_int_equal(s->max_requests, 10);
    assert_int_equal(s->max_age_ns, 3600000000000);
    assert_int_equal(s->idle_timeout_ns, 120000000000);
    assert_int_equal(s->queue_max, 7);
    assert_int_equal(s->queue_timeout_ns, 8000000000);
    assert_int_equal(s->request_timeout_ns, 9000000000);
    assert_int_equal(s->after_timeout_ns, 10000000000);
    assert_int_equal(s->slice_ns, 11000000);
    assert_int_equal(s->memory_max, 64 << 20);
    assert_int_equal(s->handles_max, 12);
    assert_int_equal(s->files_max, 13);
    assert_int_equal(s->body_max, 14000);
    assert_string_equal(s->keyvalue[0], "carts");
    assert_string_equal(s->keyvalue[1], "prices:ro");
    assert_null(s->keyvalue[2]);
    assert_string_equal(s->dirs[0], "app/data::/data");
    assert_string_equal(s->dirs[1], "/srv::/srv:ro");
    assert_string_equal(s->dirs[2], "app/shared::shared");
    assert_string_equal(s->dirs[3], "app/logs::logs:ro");
    assert_null(s->dirs[4]);
    assert_string_equal(s->net[0], "loopback:5432");
    assert_string_equal(s->outbound[0], "example.com");
    assert_string_equal(s->tls_ca, "app/ca.pem");
    assert_string_equal(s->env[0], "A=1");
    assert_string_equal(s->env[1], "B=${A}"); /* nothing is expanded */
    assert_string_equal(s->env[2], "HF_TEST_TOKEN=0123456789abcdef");
    assert_null(s->env[3]);
    assert_string_equal(s->args[0], "x");
    assert_string_equal(s->args[1], "");
    assert_string_equal(s->args[2], "x");
    assert_null(s->args[3]);
    assert_string_equal(s->config[0], "k=v");
    assert_int_equal(s->log_lines_max, 15);
    assert_int_equal(s->log_bytes_max, 16000);
    assert_true(s->no_trace);
    assert_int_equal(s->kind, HF_KIND_SERVICE);
    assert_null(s->process);
    hf_manifest_free(m);
}

static void each_key_of_a_process_goes_where_it_says(void **state)
{
    (void)state;
    struct hf_manifest *m = good(all_keys);
    size_t n;
    const struct hf_service_options *s = hf_manifest_services(m, &n) + 1;
    const struct hf_process_options *p = s->process;
    assert_int_equal(n, 3);
    assert_string_equal(s->name, "cart");
    assert_int_equal(s->kind, HF_KIND_HANDLER);
    assert_int_equal(s[1].kind, HF_KIND_RUNNER);
    assert_int_equal(s->n_routes, 0); /* nothing comes to it by itself */
    assert_string_equal(p->sends[0], "web");
    assert_string_equal(p->sends[1], "cart/*");
    assert_null(p->sends[2]);
    assert_string_equal(p->spawns[0], "item");
    assert_int_equal(p->restart, HF_RESTARTS_SOME);
    assert_int_equal(p->restart_max, 17);
    assert_int_equal(p->restart_within_ns, 18000000000);
    assert_int_equal(p->backoff_ns, 19000000);
    assert_int_equal(p->backoff_max_ns, 20000000000);
    assert_int_equal(p->processes_max, 21);
    assert_int_equal(p->mailbox_max, 22);
    assert_int_equal(p->turn_timeout_ns, 23000000000);
    assert_true(p->spawned && p->trap_links);
    assert_int_equal(p->resident_max, 24);
    assert_int_equal(p->warm, 25);
    hf_manifest_free(m);
}

/* Every row of the table is in the manifest above, so that none is forgotten there. */
static void every_key_is_tried(void **state)
{
    (void)state;
    size_t n;
    const struct hf_key *keys = hf_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const char *name = hf_key_name(&keys[i]);
        bool tried = strpbrk(name, "*[") != NULL || (keys[i].flags & HF_KEY_LATER) != 0 || strncmp(name, "token_", 6) == 0 ||
                     strstr(all_keys, name) != NULL; /* the other two tokens are among the mistakes and below */
        if (!tried)
            fail_msg("%s is in no test", keys[i].path);
    }
}

static void little_is_enough(void **state)
{
    (void)state;
    struct hf_manifest *m = good(WEB);
    size_t n;
    const struct hf_service_options *s = hf_manifest_services(m, &n);
    assert_int_equal(n, 1);
    assert_int_equal(s->n_routes, 1);
    assert_string_equal(s->routes->path, "/");
    assert_int_equal(s->max, 0);
    assert_null(s->env);
    assert_string_equal(hf_manifest_listeners(m, &n)[0], "127.0.0.1:8080");
    assert_int_equal(n, 1);
    assert_string_equal(hf_manifest_admin(m, &n)[0], "unix:app/.holdfast/admin.sock");
    assert_int_equal(n, 1);
    assert_string_equal(hf_manifest_node(m)->data_dir, "app/.holdfast");
    assert_true(hf_manifest_node(m)->instances_max >= 1000);
    hf_manifest_free(m);
}

static void false_means_none(void **state)
{
    (void)state;
    struct hf_manifest *m = good(WEB "[node]\ndata = false\n[admin]\nsocket = false\n");
    size_t n;
    hf_manifest_admin(m, &n);
    assert_int_equal(n, 0);
    assert_null(hf_manifest_node(m)->data_dir);
    hf_manifest_free(m);
}

static void services_keep_the_order_of_the_text(void **state)
{
    (void)state;
    struct hf_manifest *m = good(HEAD "[services.zoo]\ncomponent = \"z\"\n[services.ant]\ncomponent = \"a\"\nroutes = [\"/a\"]\n");
    size_t n;
    const struct hf_service_options *s = hf_manifest_services(m, &n);
    assert_int_equal(n, 2);
    assert_string_equal(s[0].name, "zoo");
    assert_string_equal(s[1].name, "ant");
    hf_manifest_free(m);
}

/* Dotted keys, inline tables and headers are three ways to write one thing. */
static void one_thing_in_three_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        HEAD "[services.web]\ncomponent = \"w\"\nenv = { A = \"1\" }\nroutes = [{ path = \"/x\" }]\n",
        HEAD "services.web.component.path = \"w\"\nservices.web.env.A = \"1\"\n[[services.web.routes]]\npath = \"/x\"\n",
        HEAD "services = { web = { component = \"w\", env.A = \"1\", routes = [\"/x\"] } }\n",
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(forms); i++) {
        struct hf_manifest *m = good(forms[i]);
        size_t n;
        const struct hf_service_options *s = hf_manifest_services(m, &n);
        assert_string_equal(s->path, "app/w");
        assert_string_equal(s->env[0], "A=1");
        assert_int_equal(s->n_routes, 1);
        assert_string_equal(s->routes->path, "/x");
        hf_manifest_free(m);
    }
}

/* ---- limits ------------------------------------------------------------------------------------------------ */

static void refused(const struct hf_buf *text, enum hf_err as, const char *words)
{
    struct hf_manifest *m = NULL;
    hf_report_init(&report);
    assert_int_equal(hf_manifest_parse(hf_buf_view(text), "holdfast.toml", "app", &m, &report), as);
    assert_null(m);
    if (strstr(report.text, words) == NULL)
        fail_msg("not \"%s\" but: %s", words, report.text);
}

static void too_many_services(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, HEAD), HF_OK);
    for (unsigned i = 0; i <= HF_MANIFEST_SERVICES_MAX; i++) {
        if (i == HF_MANIFEST_SERVICES_MAX) {
            struct hf_manifest *m = good((const char *)b.ptr);
            hf_manifest_free(m);
        }
        assert_int_equal(hf_buf_printf(&b, "[services.s%u]\ncomponent = \"c\"\nroutes = [\"/%u\"]\n", i, i), HF_OK);
    }
    refused(&b, HF_INVALID, ":3002:11: service 's1000' is one too many: a manifest has 1000 at most");
    hf_buf_done(&b);
}

static void too_many_routes_and_entries(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_text(&b, HEAD), HF_OK);
    for (unsigned i = 0; i <= HF_MANIFEST_ROUTES_MAX; i++) { /* a list has 1024 at most */
        if (i % 1000 == 0)
            assert_int_equal(hf_buf_printf(&b, "%s[services.s%u]\ncomponent = \"c\"\nroutes = [", i == 0 ? "" : "]\n", i), HF_OK);
        assert_int_equal(hf_buf_printf(&b, "\"/%u\", ", i), HF_OK);
    }
    assert_int_equal(hf_buf_add_text(&b, "]\n"), HF_OK);
    refused(&b, HF_INVALID, "a manifest has 4096 routes at most");
    hf_buf_clear(&b);
    assert_int_equal(hf_buf_add_text(&b, WEB "args = ["), HF_OK);
    for (unsigned i = 0; i <= HF_MANIFEST_LIST_MAX; i++)
        assert_int_equal(hf_buf_add_text(&b, "\"\", "), HF_OK);
    assert_int_equal(hf_buf_add_text(&b, "]\n"), HF_OK);
    refused(&b, HF_INVALID, "'args' in [services.web] has 1025 entries, more than 1024");
    hf_buf_done(&b);
}

static void too_long(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    while (b.len <= HF_MANIFEST_BYTES_MAX)
        assert_int_equal(hf_buf_add_text(&b, "# a comment as long as this is, and as empty\n"), HF_OK);
    refused(&b, HF_LIMIT, "holdfast.toml has more than 1024 KiB");
    hf_buf_done(&b);
}

/* As deep as the parser goes: keys of eighty parts in tables of eighty levels. */
static void too_deep(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    for (int i = 0; i < 100000; i++)
        assert_int_equal(hf_buf_add_text(&b, "["), HF_OK);
    refused(&b, HF_INVALID, "holdfast.toml:1:");
    hf_buf_clear(&b);
    for (int level = 0; level < 79; level++) {
        for (int part = 0; part < 79; part++)
            assert_int_equal(hf_buf_add_text(&b, "a."), HF_OK);
        assert_int_equal(hf_buf_add_text(&b, "a = {"), HF_OK);
    }
    for (int level = 0; level < 79; level++)
        assert_int_equal(hf_buf_add_text(&b, "}"), HF_OK);
    refused(&b, HF_INVALID, "unknown key 'a' at the top of the file");
    hf_buf_clear(&b);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(hf_buf_add_text(&b, "a."), HF_OK);
    refused(&b, HF_INVALID, "holdfast.toml:1:");
    hf_buf_done(&b);
}

/* A file that is all mistakes is refused in bounded time and memory, with the first of them. */
static void a_megabyte_of_mistakes(void **state)
{
    (void)state;
    static const char *const lines[] = {"worers%u = 1\n", "= %u\n", "\x01", "[services.\"%u \"]\n", "[services.s%u]\nmax = 0\n"};
    for (size_t i = 0; i < HF_ARRAY_LEN(lines); i++) {
        struct hf_buf b = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        for (unsigned j = 0; b.len < HF_MANIFEST_BYTES_MAX - 64; j++)
            assert_int_equal(hf_buf_printf(&b, lines[i], j), HF_OK);
#pragma GCC diagnostic pop
        refused(&b, HF_INVALID, "holdfast.toml:1:");
        hf_buf_done(&b);
    }
}

static void not_text(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add(&b, HEAD "[node]\nlog = \"\xff\"\n", sizeof HEAD "[node]\nlog = \"\xff\"\n" - 1), HF_OK);
    refused(&b, HF_INVALID, "holdfast.toml:3:8: not TOML: this is not UTF-8");
    hf_buf_done(&b);
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void from_a_folder_and_from_a_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/hf-manifest-XXXXXX", file[64], token[64], words[128];
    struct hf_manifest *m = NULL;
    struct hf_words msg;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/holdfast.toml", dir);
    snprintf(token, sizeof token, "%s/token", dir);
    assert_int_equal(hf_manifest_read(dir, &m, &msg), HF_STATUS_IO);
    snprintf(words, sizeof words, "there is no holdfast.toml in %s: ", dir);
    assert_ptr_equal(strstr(msg.text, words), msg.text);
    assert_non_null(strstr(msg.text, "holdfast new"));
    put(token, "0123456789abcdef\nnot this\n");
    put(file, WEB "[admin]\ntoken_file = \"token\"\n");
    const char *const ways[] = {dir, file};
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        assert_int_equal(hf_manifest_read(ways[i], &m, &msg), HF_STATUS_OK);
        snprintf(words, sizeof words, "%s/web.wasm", dir);
        assert_string_equal(hf_manifest_services(m, &n)->path, words);
        assert_string_equal(hf_manifest_node(m)->manifest, file);
        assert_string_equal(hf_manifest_node(m)->admin_token, "0123456789abcdef");
        hf_manifest_free(m);
    }
    put(file, "holdfast = 3\n");
    assert_int_equal(hf_manifest_read(dir, &m, &msg), HF_STATUS_INVALID);
    snprintf(words, sizeof words, "%s:1:12: this is a manifest of version 3", file);
    assert_ptr_equal(strstr(msg.text, words), msg.text);
    unlink(token);
    unlink(file);
    rmdir(dir);
}

static void a_default_socket_may_be_too_long(void **state)
{
    (void)state;
    struct hf_manifest *m = NULL;
    char dir[128];
    memset(dir, 'd', sizeof dir - 1);
    dir[sizeof dir - 1] = 0;
    hf_report_init(&report);
    assert_int_equal(hf_manifest_parse(hf_view_of(WEB), "holdfast.toml", dir, &m, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "is too long for one: write socket = \"PATH\" in [admin]"));
}

/* ---- what a reload does not change -------------------------------------------------------------------------- */

static void what_a_running_node_does_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
    } cases[] = {
        {WEB, ""},
        {WEB "max = 3\n", ""}, /* of a service */
        {WEB "[node]\nworkers = 7\ndrain = \"1s\"\n", "node.workers, node.drain"},
        {WEB "[node]\ndata = \"x\"\nquiet = true\n[node.keyvalue]\nkeys_max = 4\n", "node.data, node.quiet, node.keyvalue.keys_max"},
        {WEB "[listen]\nhttp = \"127.0.0.1:1\"\n", "listen.http"},
        {WEB "[admin]\nsocket = false\n", "admin"},
        {WEB "[admin]\ntoken = \"0123456789abcdef\"\n", "admin"},
    };
    struct hf_manifest *first = good(WEB);
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_manifest *m = good(cases[i].text);
        struct hf_buf b = {0};
        assert_int_equal(hf_manifest_differs(first, m, &b), HF_OK);
        assert_string_equal(b.len > 0 ? (const char *)b.ptr : "", cases[i].names);
        hf_buf_done(&b);
        hf_manifest_free(m);
    }
    hf_manifest_free(first);
}

static void the_public_units(void **state)
{
    (void)state;
    uint64_t n = 0;
    assert_true(hf_read_duration("3", &n));
    assert_int_equal(n, 3000000000);
    assert_true(hf_read_size("16k", &n));
    assert_int_equal(n, 16384);
    assert_false(hf_read_duration("3 s", &n));
    assert_false(hf_read_size("-1", &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_mistake_has_its_message, read_golden, free_golden),
        cmocka_unit_test_setup_teardown(each_key_goes_where_it_says, read_golden, free_golden),
        cmocka_unit_test_setup_teardown(each_key_of_a_service_goes_where_it_says, read_golden, free_golden),
        cmocka_unit_test_setup_teardown(each_key_of_a_process_goes_where_it_says, read_golden, free_golden),
        cmocka_unit_test(every_key_is_tried),
        cmocka_unit_test(little_is_enough),
        cmocka_unit_test(false_means_none),
        cmocka_unit_test(services_keep_the_order_of_the_text),
        cmocka_unit_test(one_thing_in_three_forms),
        cmocka_unit_test(too_many_services),
        cmocka_unit_test(too_many_routes_and_entries),
        cmocka_unit_test(too_long),
        cmocka_unit_test(too_deep),
        cmocka_unit_test(a_megabyte_of_mistakes),
        cmocka_unit_test(not_text),
        cmocka_unit_test(from_a_folder_and_from_a_file),
        cmocka_unit_test(a_default_socket_may_be_too_long),
        cmocka_unit_test(what_a_running_node_does_not_change),
        cmocka_unit_test(the_public_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
