/* swap_test.c - routes are replaced while exchanges go on: each keeps the table that it was routed
 * by, and no longer. */
#include "support.h"

#include <stdio.h>

struct routes {
    struct hf_gateway_routes r;
    struct hf_route_table *table;
    unsigned released;
};

static void on_released(struct hf_gateway_routes *r)
{
    struct routes *mine = HF_CONTAINER_OF(r, struct routes, r);
    mine->released++;
    hf_route_table_free(mine->table); /* whoever still looks at it is seen by a sanitizer */
    mine->table = NULL;
}

static void make(struct routes *mine, const char *path)
{
    const struct hf_route_target to = {HF_VIEW("service"), 0};
    memset(mine, 0, sizeof *mine);
    assert_int_equal(hf_route_table_new(&mine->table), HF_OK);
    assert_int_equal(
        hf_route_add(mine->table, HF_VIEW(""), hf_view_of(path), HF_VIEW(""), &to, NULL), HF_OK);
    mine->r = (struct hf_gateway_routes){.table = mine->table, .released = on_released};
}

static void ask(struct client *c, const char *path, const char *status)
{
    char text[128];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    hf_buf_clear(&c->got);
    assert_true(client_send(c, hf_view(text, (size_t)n)));
    client_run(c);
    if (strstr((char *)c->got.ptr, status) == NULL)
        fail_msg("%s: %.60s", path, (char *)c->got.ptr);
    hf_buf_clear(&c->got);
}

static void routes_are_replaced_while_exchanges_go_on(void **state)
{
    struct world w;
    struct client a, b;
    struct routes first, second;
    (void)state;
    world_open(&w, NULL, true);
    client_open(&a, &w);
    client_open(&b, &w);
    make(&first, "/echo");
    make(&second, "/hello");
    ask(&b, "/hello", "200 OK");
    hf_gateway_set_routes(w.gw, &first.r);
    ask(&b, "/hello", "404 Not Found");
    SEND(&a, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234");
    client_run(&a);
    hf_gateway_set_routes(w.gw, &second.r);
    assert_int_equal(first.released, 0); /* a request is half here */
    ask(&b, "/hello", "200 OK");
    ask(&b, "/echo", "404 Not Found");
    hf_buf_clear(&a.got);
    SEND(&a, "56789");
    client_run(&a);
    assert_non_null(strstr((char *)a.got.ptr, "56789"));
    assert_int_equal(first.released, 1);
    ask(&a, "/hello", "200 OK"); /* the connection goes on, by the new ones */
    make(&first, "/");
    hf_gateway_set_routes(w.gw, &first.r); /* nobody is under way */
    assert_int_equal(second.released, 1);
    assert_int_equal(first.released, 0);
    client_close(&a);
    client_close(&b);
    world_close(&w);
    assert_int_equal(first.released, 0); /* the gateway's end is no release */
    hf_route_table_free(first.table);
}

static void without_routes_nothing_is_found(void **state)
{
    struct world w;
    struct client c;
    struct hf_gateway *gw;
    struct routes mine;
    (void)state;
    world_open(&w, NULL, true);
    const struct hf_gateway_settings s = {.os = w.os, .poller = w.poller, .kernel = w.kernel};
    assert_int_equal(hf_gateway_new(&s, &gw, NULL), HF_OK);
    hf_gateway_free(w.gw);
    w.gw = gw;
    struct hf_os_addr any = {"127.0.0.1:0"};
    assert_int_equal(hf_gateway_listen(gw, &any, false, &w.addr, NULL), HF_OK);
    client_open(&c, &w);
    ask(&c, "/hello", "404 Not Found");
    make(&mine, "/hello");
    hf_gateway_set_routes(gw, &mine.r);
    ask(&c, "/hello", "200 OK");
    client_close(&c);
    world_close(&w);
    hf_route_table_free(mine.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_replaced_while_exchanges_go_on),
        cmocka_unit_test(without_routes_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
