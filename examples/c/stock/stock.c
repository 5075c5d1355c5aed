/*
 * A shop behind HTTP whose stock is kept by the program that embeds the node (examples/embed): GET /NAME asks it for the price,
 * POST /NAME sells one. Any other host refuses the component, and says that shop:stock/prices is missing.
 */
#include "holdfast_http.h"

#include <string.h>

static char text[400];
static size_t at;

static void add(const char *bytes, size_t len)
{
    if (len > sizeof text - 1 - at)
        len = sizeof text - 1 - at;
    memcpy(text + at, bytes, len);
    at += len;
    text[at] = 0;
}

static void add_text(const char *words)
{
    add(words, strlen(words));
}

static void add_number(uint64_t n)
{
    char digits[21];
    add(digits, hf_decimal(digits, n));
}

static uint16_t sell(service_string_t *name)
{
    service_tuple2_string_u32_t one = {*name, 1};
    service_list_tuple2_string_u32_t list = {&one, 1};
    add_text("sold so far: ");
    add_number(shop_stock_prices_sold(&list));
    return 200;
}

static uint16_t look(service_string_t *name)
{
    shop_stock_prices_item_t item;
    shop_stock_prices_trouble_t trouble;
    if (!shop_stock_prices_find(name, &item, &trouble)) {
        if (trouble.tag == SHOP_STOCK_PRICES_TROUBLE_SOLD_OUT) {
            add_text("sold out, more in days: ");
            add_number(trouble.val.sold_out);
            return 409;
        }
        add_text("no such thing");
        return 404;
    }
    add((const char *)item.name.ptr, item.name.len);
    add_text(": ");
    add_number(item.cents);
    add_text(" cents");
    for (size_t i = 0; i < item.tags.len; i++) {
        add_text(i == 0 ? "; " : ", ");
        add((const char *)item.tags.ptr[i].ptr, item.tags.ptr[i].len);
    }
    shop_stock_prices_item_free(&item);
    return 200;
}

void exports_wasi_http_incoming_handler_handle(hf_request request, hf_outparam out)
{
    char path[100];
    wasi_http_types_method_t method;
    hf_request_path(request, path, sizeof path);
    wasi_http_types_method_incoming_request_method(wasi_http_types_borrow_incoming_request(request), &method);
    bool post = method.tag == WASI_HTTP_TYPES_METHOD_POST;
    wasi_http_types_method_free(&method);
    wasi_http_types_incoming_request_drop_own(request);
    service_string_t name = hf_text(path + 1);
    at = 0;
    uint16_t status = post ? sell(&name) : look(&name);
    add_text("\n");
    hf_reply_text(out, status, text);
}
