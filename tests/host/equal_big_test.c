/* equal_big_test.c - equal_test.c for the guests that bring an engine of their own: JavaScript,
 * Python. */
#include "support_equal.h"
#include "support_guests.h"

static const struct req get = {.path = "/"};

static void js_hello(void **state)
{
    (void)state;
    equal_all_ways("js-hello", &get, false, 12);
}
static void js_counter(void **state)
{
    (void)state;
    equal_all_ways("js-counter", &get, false, 12);
}
static void js_fetch(void **state)
{
    (void)state;
    equal_all_ways("js-fetch", &get, false, 12);
}
static void python_hello(void **state)
{
    (void)state;
    equal_all_ways("python-hello", &get, false, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(js_hello),
        cmocka_unit_test(js_counter),
        cmocka_unit_test(js_fetch),
        cmocka_unit_test(python_hello),
    };
    return cmocka_run_group_tests_name("equal_big", tests, guests_open, guests_close);
}
