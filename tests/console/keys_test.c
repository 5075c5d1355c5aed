/* keys_test.c - /v1/kv: any bytes as keys and values, pages, limits, and stores that answer later.
 */
#include "support.h"

static void expect(struct world *w, const char *method, const char *target, const char *content,
                   unsigned status, const char *part)
{
    const char *body;
    unsigned got = ask(w, method, target, NULL, content, &body);
    if (got != status || strstr(body, part) == NULL)
        fail_msg("%s %s: %u %s, not %u with %s", method, target, got, body, status, part);
}

static void keys_are_set_got_listed_and_deleted(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "GET", "/v1/kv/notes/k", NULL, 404,
           "there is no such key in the bucket \\\"notes\\\"");
    expect(&w, "PUT", "/v1/kv/notes/k", "value", 200,
           "{\"version\":1,\"done\":\"set\",\"name\":\"notes\"}");
    expect(&w, "GET", "/v1/kv/notes/k?service=a", NULL, 200, "value");
    expect(&w, "PUT", "/v1/kv/notes/k", "", 200, "set");
    expect(&w, "GET", "/v1/kv/notes/k", NULL, 200, "");
    expect(&w, "PUT", "/v1/kv/notes/", "no name", 200, "set");
    expect(&w, "PUT", "/v1/kv/notes/a%2Fb%00%FF", "odd", 200, "set");
    expect(&w, "GET", "/v1/kv/notes/a%2fb%00%ff", NULL, 200, "odd");
    expect(&w, "GET", "/v1/kv/notes", NULL, 200, "{\"hex\":\"612f6200ff\"}");
    expect(&w, "GET", "/v1/kv/notes?prefix=k", NULL, 200, "\"keys\":[\"k\"],\"cursor\":null}");
    expect(&w, "DELETE", "/v1/kv/notes/k", NULL, 200, "deleted");
    expect(&w, "DELETE", "/v1/kv/notes/k", NULL, 404, "no such key");
    expect(&w, "GET", "/v1/kv/notes?prefix=k", NULL, 200, "\"keys\":[]");
    world_close(&w);
}

static void buckets_are_counted(void **state)
{
    struct world w;
    struct hf_kv_bucket *shared;
    struct hf_kv_op op = {.kind = HF_KV_SET, .key = HF_VIEW("key"), .value = HF_VIEW("value")};
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "PUT", "/v1/kv/notes/k", "value", 200, "set");
    expect(&w, "PUT", "/v1/kv/notes/kk", "v", 200, "set");
    expect(&w, "GET", "/v1/kv", NULL, 200,
           "{\"version\":1,\"partial\":false,\"buckets\":[{\"service\":\"a\",\"tenant\":null,"
           "\"bucket\":\"notes\",\"keys\":2,\"bytes\":9}]}");
    struct hf_kv *kv = w.node.ops.kv;
    assert_int_equal(hf_kv_bucket(kv, HF_VIEW("tenant:acme"), HF_VIEW("x\"y"), &shared), HF_OK);
    op.bucket = shared;
    assert_int_equal(hf_kv_begin(kv, &op), HF_OK);
    hf_kv_end(kv, &op);
    expect(&w, "GET", "/v1/kv", NULL, 200,
           ",{\"service\":null,\"tenant\":\"acme\",\"bucket\":\"x\\\"y\",\"keys\":1,\"bytes\":8}]}");
    expect(&w, "DELETE", "/v1/kv/notes/k", NULL, 200, "deleted");
    expect(&w, "GET", "/v1/kv", NULL, 200, "\"keys\":1,\"bytes\":3}");
    w.node.ops.kv = NULL;
    expect(&w, "GET", "/v1/kv", NULL, 200, "\"buckets\":[]}");
    w.node.ops.kv = kv;
    world_close(&w);
}

static void what_is_not_granted_is_not_there(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, NULL, NULL);
    expect(&w, "GET", "/v1/kv/other/k", NULL, 404, "it has no such bucket; it has: notes");
    expect(&w, "PUT", "/v1/kv/notes/k?service=x", "v", 404, "there is no service x");
    expect(&w, "GET", "/v1/kv/notes?max=0", NULL, 400, "max one from 1 to 1000");
    expect(&w, "GET", "/v1/kv/notes?cursor=x", NULL, 400, "cursor is a number");
    struct hf_kv *kv = w.node.ops.kv;
    w.node.ops.kv = NULL;
    expect(&w, "GET", "/v1/kv/notes/k", NULL, 400, "no store of keys");
    w.node.ops.kv = kv;
    world_close(&w);
}

static void limits_are_the_stores(void **state)
{
    struct world w;
    char big[1100], target[1400] = "/v1/kv/notes/";
    (void)state;
    world_open(&w, NULL, NULL);
    memset(big, 'v', 1001);
    big[1001] = 0;
    expect(&w, "PUT", "/v1/kv/notes/k", big, 413, "more than the 1000");
    big[1000] = 0;
    expect(&w, "PUT", "/v1/kv/notes/k", big, 200, "set");
    memset(target + strlen(target), 'k', 1025);
    expect(&w, "PUT", target, "v", 400, "key is longer than 1024 bytes");
    world_close(&w);
}

static void long_lists_come_in_pages(void **state)
{
    struct world w;
    char target[128], seen[300] = "";
    const char *body;
    unsigned n = 0, pages = 0;
    (void)state;
    world_open(&w, NULL, NULL);
    for (unsigned i = 0; i < 250; i++) {
        snprintf(target, sizeof target, "/v1/kv/notes/k%03u", i);
        assert_int_equal(ask(&w, "PUT", target, NULL, "v", NULL), 200);
    }
    strcpy(target, "/v1/kv/notes?max=40&prefix=k");
    for (bool more = true; more; pages++) {
        assert_int_equal(ask(&w, "GET", target, NULL, NULL, &body), 200);
        for (const char *at = body; (at = strstr(at, "\"k")) != NULL; at++) {
            unsigned i;
            if (sscanf(at, "\"k%u\"", &i) != 1)
                continue; /* "keys" */
            assert_true(i < 250 && seen[i] == 0);
            seen[i] = 1;
            n++;
        }
        const char *cursor = strstr(body, "\"cursor\":\"");
        more = cursor != NULL;
        if (more)
            snprintf(target, sizeof target, "/v1/kv/notes?max=40&prefix=k&cursor=%.*s",
                     (int)strcspn(cursor + 10, "\""), cursor + 10);
    }
    assert_int_equal(n, 250);
    assert_true(pages >= 7);
    assert_int_equal(ask(&w, "GET", "/v1/kv/notes?max=10&prefix=k249", NULL, NULL, &body), 200);
    assert_non_null(strstr(body, "\"k249\"")); /* looked for through pages where nothing fits */
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_set_got_listed_and_deleted),
        cmocka_unit_test(buckets_are_counted),
        cmocka_unit_test(what_is_not_granted_is_not_there),
        cmocka_unit_test(limits_are_the_stores),
        cmocka_unit_test(long_lists_come_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
