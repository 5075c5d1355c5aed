/* show_test.c - what the admin door shows keeps its shape: JSON (version 1) and metrics against the
 * files of tests/console/shown/. HF_SHOWN=write writes them anew: look at the difference before it
 * is committed.
 */
#include "support.h"

#define FOLDER "tests/console/shown/"

static void expect(bool ok, struct hf_buf *b, const char *file)
{
    static char old[1 << 17];
    char path[128];
    const char *env = getenv("HF_SHOWN");
    bool write = env != NULL && strcmp(env, "write") == 0;
    assert_true(ok);
    snprintf(path, sizeof path, FOLDER "%s", file);
    FILE *f = fopen(path, write ? "w" : "r");
    if (f == NULL)
        fail_msg("%s cannot be opened: run from the project's folder", path);
    if (write) {
        assert_int_equal(fwrite(b->ptr, 1, b->len, f), b->len);
    } else {
        size_t n = fread(old, 1, sizeof old - 1, f);
        if (!hf_view_eq(hf_view(old, n), hf_buf_view(b)))
            fail_msg("%s says\n%.*s\nbut now it is\n%.*s", path, (int)n, old,
                     HF_FMT(hf_buf_view(b)));
    }
    assert_int_equal(fclose(f), 0);
    hf_buf_done(b);
}

static void json_and_metrics(void **state)
{
    struct played p;
    struct hf_admin_node node;
    struct hf_buf b = {0};
    const struct hf_view keys[] = {HF_VIEW("k1"), HF_VIEW("k\xff"), HF_VIEW(""), HF_VIEW("other")};
    uint64_t number = 3;
    (void)state;
    played_init(&p);
    p.ops.node(&p, &node);
    p.picture.workers.ptr[1].silent = true;
    const struct hf_json_look l = {&p.ops, &node, &p.picture};
    expect(hf_json_node(&b, &l), &b, "node.json");
    expect(hf_json_services(&b, &l), &b, "services.json");
    expect(hf_json_service(&b, &l, &p.picture.services.ptr[1]), &b, "service.json");
    expect(hf_json_instances(&b, &l, HF_VIEW("")), &b, "instances.json");
    expect(hf_json_instances(&b, &l, HF_VIEW("a")), &b, "instances_of_a.json");
    expect(hf_json_error(&b, 4, HF_VIEW("two\nlines, \"quoted\" and \xff")), &b, "error.json");
    expect(hf_json_done(&b, "killed", HF_VIEW("a"), HF_VIEW("words"), &number), &b, "done.json");
    expect(hf_json_keys(&b, HF_VIEW("notes"), keys, 4, HF_VIEW("k"), UINT64_MAX), &b, "keys.json");
    expect(hf_metrics_write(&b, &l), &b, "metrics.txt");
    played_done(&p);
}

/* A label may hold anything: it stays one label. */
static void names_are_escaped(void **state)
{
    struct played p;
    struct hf_admin_node node;
    struct hf_buf b = {0};
    char longest[HF_SHOT_NAME_MAX];
    (void)state;
    played_init(&p);
    p.ops.node(&p, &node);
    strcpy(p.picture.services.ptr[0].name, "a\"b\\c\nd");
    memset(longest, '"', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    strcpy(p.picture.services.ptr[1].name, longest);
    strcpy(p.picture.services.ptr[1].tenant, longest);
    const struct hf_json_look l = {&p.ops, &node, &p.picture};
    assert_true(hf_metrics_write(&b, &l));
    assert_non_null(strstr((char *)b.ptr,
                           "holdfast_pool_max{service=\"a\\\"b\\\\c?d\",tenant=\"default\"} 16\n"));
    for (char *at = strtok((char *)b.ptr, "\n"); at != NULL; at = strtok(NULL, "\n"))
        assert_true(at[0] == '#' || strncmp(at, "holdfast_", 9) == 0 ||
                    strncmp(at, "process_", 8) == 0);
    hf_buf_done(&b);
    played_done(&p);
}

static void shots_of_one_service_are_one(void **state)
{
    struct hf_picture p = {0};
    struct hf_shot shot = {.worker = {.number = 4}};
    (void)state;
    struct hf_shot_service *s = hf_shot_add_service(&shot, "x"); /* the old one, still busy */
    s->old = true;
    s->max = 100;
    s->started = 5;
    strcpy(s->component, "old.wasm");
    hf_shot_add_instance(&shot, 1, "busy", 1, 1, 10);
    s = hf_shot_add_service(&shot, "x");
    s->max = 8;
    s->started = 2;
    strcpy(s->component, "new.wasm");
    hf_shot_add_instance(&shot, 2, "idle", 1, 1, 20);
    hf_shot_add_service(&shot, "gone")->old = true;
    assert_int_equal(hf_picture_add(&p, &shot), HF_OK);
    hf_picture_sort(&p);
    assert_int_equal(p.services.len, 2);
    const struct hf_shot_service *x = hf_picture_service(&p, HF_VIEW("x"));
    assert_int_equal(x->max, 8); /* what runs */
    assert_int_equal(x->started, 7);
    assert_int_equal(x->busy + x->idle, 2);
    assert_int_equal(x->memory, 30);
    assert_false(x->old);
    assert_string_equal(x->component, "new.wasm");
    assert_true(hf_picture_service(&p, HF_VIEW("gone"))->old);
    assert_null(hf_picture_service(&p, HF_VIEW("y")));
    hf_picture_deployed(&p, HF_VIEW("x"), "old.wasm", 5); /* the shots are of another moment */
    assert_int_equal(x->deployed_unix_ms, 0);
    hf_picture_deployed(&p, HF_VIEW("x"), "new.wasm", 5);
    hf_picture_deployed(&p, HF_VIEW("y"), "new.wasm", 5);
    assert_int_equal(x->deployed_unix_ms, 5);
    hf_picture_done(&p);
    hf_shot_clear(&shot);
    assert_int_equal(shot.worker.number, 4);
    assert_int_equal(shot.instances.len + shot.services.len, 0);
    hf_shot_done(&shot);
}

static void reasons_beyond_the_last_are_other(void **state)
{
    static char whys[40][8];
    struct hf_shot_service s = {0};
    uint64_t sum = 0;
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(whys[i], sizeof whys[i], "w%u", i % 20);
        hf_shot_add_end(&s, whys[i], i);
    }
    for (unsigned i = 0; i < HF_SHOT_ENDS_MAX; i++)
        sum += s.ends[i].n;
    assert_int_equal(sum, 40 * 39 / 2);
    assert_string_equal(s.ends[0].why, "w0");
    assert_int_equal(s.ends[1].n, 1 + 21);
    assert_string_equal(s.ends[HF_SHOT_ENDS_MAX - 1].why, "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_and_metrics),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(shots_of_one_service_are_one),
        cmocka_unit_test(reasons_beyond_the_last_are_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
