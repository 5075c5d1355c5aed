/*
 * A program with a node inside: it serves a component (examples/c/stock) whose prices it keeps itself, has a native process that
 * counts what is asked, and goes on with its own work in its own poll() loop. One thread.
 *
 *   cc embed.c $(pkg-config --cflags --libs holdfast) -o embed
 *   ./embed stock.wasm            prints where it listens; ends after a GET of /stop, or with its input
 */
#include <holdfast/holdfast.h>
#include <holdfast/import.h>
#include <holdfast/process.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT(s) ((struct hf_bytes){(s), strlen(s)})

struct shop {
    struct hf_node *node;
    uint64_t sold;
    uint64_t asked;
};

static int is(struct hf_bytes b, const char *text)
{
    return b.len == strlen(text) && memcmp(b.ptr, text, b.len) == 0;
}

/* ---- what the component imports: shop:stock/prices ---- */

static const char *const wit = "record item { name: string, cents: u32, tags: list<string> }\n"
                               "variant trouble { unknown, sold-out(u32) }\n"
                               "find: func(name: string) -> result<item, trouble>;\n"
                               "sold: func(items: list<tuple<string, u32>>) -> u64;\n";

static bool find(void *ctx, struct hf_import_call *call)
{
    struct shop *shop = ctx;
    struct hf_bytes name = hf_any_text(hf_import_arg(call, 0));
    struct hf_any result = hf_import_result(call);
    shop->asked++;
    if (!is(name, "apple")) {
        hf_any_set_case(hf_any_set_case(result, "error"), "unknown");
        return true;
    }
    struct hf_any item = hf_any_set_case(result, "ok");
    hf_any_set_text(hf_any_field(item, "name"), name);
    hf_any_set_u64(hf_any_field(item, "cents"), 45);
    hf_any_set_len(hf_any_field(item, "tags"), 1);
    hf_any_set_text(hf_any_at(hf_any_field(item, "tags"), 0), TEXT("red"));
    return true;
}

static bool sold(void *ctx, struct hf_import_call *call)
{
    struct shop *shop = ctx;
    struct hf_any items = hf_import_arg(call, 0);
    for (size_t i = 0; i < hf_any_len(items); i++)
        shop->sold += hf_any_u64(hf_any_at(hf_any_at(items, i), 1));
    hf_any_set_u64(hf_import_result(call), shop->sold);
    return true;
}

/* ---- a native process behind /desk and /stop ---- */

static enum hf_proc_end desk(void *state, struct hf_proc *p, const struct hf_proc_message *m)
{
    struct shop *shop = state;
    struct hf_proc_http http;
    char text[100];
    if (m->kind != HF_PROC_REQUEST || !hf_proc_http(p, &http))
        return HF_PROC_DONE;
    if (is(http.path, "/stop"))
        hf_node_stop(shop->node);
    snprintf(text, sizeof text, "asked %llu, sold %llu\n", (unsigned long long)shop->asked, (unsigned long long)shop->sold);
    hf_proc_http_respond(p, 200, NULL, 0, TEXT(text));
    return HF_PROC_DONE;
}

static enum hf_status build(struct shop *shop, const char *component, char bound[128], struct hf_words *why)
{
    const struct hf_import_func funcs[] = {{"find", find, shop}, {"sold", sold, shop}};
    const struct hf_route routes[] = {{NULL, "/desk", NULL}, {NULL, "/stop", NULL}};
    struct hf_node_options options;
    struct hf_process_class class;
    struct hf_service_options service;

    hf_node_options_init(&options);
    options.no_threads = true;
    options.quiet = true;
    enum hf_status st = hf_node_open(&options, &shop->node, why);
    if (st == HF_STATUS_OK)
        st = hf_import_define(shop->node, "shop:stock/prices@1.0.0", wit, funcs, 2, why);
    if (st == HF_STATUS_OK) {
        hf_process_class_init(&class);
        class.name = "desk";
        class.routes = routes;
        class.n_routes = 2;
        class.ctx = shop;
        class.handle = desk;
        st = hf_node_add_process(shop->node, &class, why);
    }
    if (st == HF_STATUS_OK) {
        hf_service_options_init(&service);
        service.path = component;
        st = hf_node_add_service(shop->node, &service, why);
    }
    return st == HF_STATUS_OK ? hf_node_listen(shop->node, "127.0.0.1:0", bound, why) : st;
}

/* The program's own loop: here it watches its input and nothing else. */
static enum hf_status loop(struct hf_node *node, struct hf_words *why)
{
    struct pollfd fds[2] = {{.events = POLLIN}, {.fd = 0, .events = POLLIN}};
    enum hf_status st = hf_node_fd(node, &fds[0].fd, why);
    while (st == HF_STATUS_OK) {
        char byte;
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents != 0 && read(0, &byte, 1) <= 0) {
            fds[1].fd = -1;
            hf_node_stop(node);
        }
        if (fds[0].revents != 0)
            st = hf_node_step(node, 2000000, why);
    }
    return st;
}

int main(int argc, char **argv)
{
    struct shop shop = {0};
    struct hf_words why = {0};
    char bound[128];
    if (argc != 2) {
        fprintf(stderr, "usage: embed COMPONENT\n");
        return HF_STATUS_USAGE;
    }
    enum hf_status st = build(&shop, argv[1], bound, &why);
    if (st == HF_STATUS_OK) {
        printf("http://%s\n", bound);
        fflush(stdout);
        st = loop(shop.node, &why);
    }
    hf_node_close(shop.node);
    if (st != HF_STATUS_STOPPED)
        fprintf(stderr, "embed: %s\n", why.text);
    return st == HF_STATUS_STOPPED ? 0 : (int)st;
}
