/* ip_test.c - addresses as text, ranges, and what kind of place an address is. (Special ones, many:
 * host/net_rules_test.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ip.h"

static struct hf_ip ip(const char *text)
{
    struct hf_ip v;
    if (!hf_ip_parse(hf_view_of(text), &v))
        fail_msg("%s is no address", text);
    return v;
}

static void text_both_ways(void **state)
{
    static const struct {
        const char *text, *canonical;
    } good[] = {{"0.0.0.0", "0.0.0.0"},
                {"255.255.255.255", "255.255.255.255"},
                {"127.0.0.1", "127.0.0.1"},
                {"9.10.99.100", "9.10.99.100"},
                {"105.200.0.20", "105.200.0.20"},
                {"::", "::"},
                {"::1", "::1"},
                {"2001:DB8:0:0::5", "2001:db8::5"},
                {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
                {"fe80:0:0:0:1:2:3:4", "fe80::1:2:3:4"}};
    static const char *const bad[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        ":",
        ":::",
        "1:2",
        "g::1",
        "::1%lo",
        "[::1]",
        "12345::1",
        "1::2::3",
        "0x7f.0.0.1",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:1.2.3.4.5",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    char text[HF_IP_TEXT_MAX];
    struct hf_ip v;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(good); i++) {
        v = ip(good[i].text);
        assert_string_equal(hf_ip_print(&v, text), good[i].canonical);
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++)
        if (hf_ip_parse(hf_view_of(bad[i]), &v))
            fail_msg("\"%s\" is an address", bad[i]);
    assert_false(hf_ip_parse(hf_view("1.2.3.4\0x", 9), &v));
}

static void ranges(void **state)
{
    struct hf_ip v4 = ip("10.128.0.0"), v6 = ip("2001:db8::"), zero = ip("0.0.0.0"),
                 zero6 = ip("::");
    (void)state;
    for (unsigned bits = 0; bits <= 32;
         bits++) { /* the last bit of the range, and the one before it */
        struct hf_ip in = v4, out = v4;
        assert_true(hf_ip_in(&v4, &v4, bits));
        if (bits < 32) {
            in.bytes[bits / 8] ^= (uint8_t)(0x80 >> bits % 8);
            assert_true(hf_ip_in(&in, &v4, bits));
        }
        if (bits > 0) {
            out.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
            assert_false(hf_ip_in(&out, &v4, bits));
        }
    }
    for (unsigned bits = 1; bits <= 128; bits++) {
        struct hf_ip out = v6;
        out.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
        assert_true(hf_ip_in(&v6, &v6, bits));
        assert_false(hf_ip_in(&out, &v6, bits));
    }
    assert_false(hf_ip_in(&v4, &zero6, 0) || hf_ip_in(&v6, &zero, 0));
}

static void kinds(void **state)
{
    struct hf_ip v;
    (void)state;
    v = ip("127.255.255.255");
    assert_true(hf_ip_is_loopback(&v) && hf_ip_is_special(&v) && !hf_ip_is_any(&v));
    v = ip("::1");
    assert_true(hf_ip_is_loopback(&v) && !hf_ip_is_any(&v) && !hf_ip_is_mapped(&v));
    v = ip("::ffff:127.0.0.1");
    assert_true(hf_ip_is_mapped(&v) && !hf_ip_is_loopback(&v) && hf_ip_is_special(&v));
    v = ip("0.0.0.0");
    assert_true(hf_ip_is_any(&v) && !hf_ip_is_loopback(&v));
    v = ip("::");
    assert_true(hf_ip_is_any(&v));
    v = ip("239.1.1.1");
    assert_true(hf_ip_is_multicast(&v));
    v = ip("255.255.255.255");
    assert_true(hf_ip_is_multicast(&v));
    v = ip("ff02::1");
    assert_true(hf_ip_is_multicast(&v));
    v = ip("223.255.255.255");
    assert_true(!hf_ip_is_multicast(&v) && !hf_ip_is_special(&v));
}

static void endpoints(void **state)
{
    struct hf_endpoint a = {.ip = ip("fe80::1"), .port = 5, .scope = 2, .flow = 1}, b = a;
    (void)state;
    b.flow = 9;
    assert_true(hf_endpoint_eq(&a, &b));
    b.scope = 3;
    assert_false(hf_endpoint_eq(&a, &b));
    b = a;
    b.port = 6;
    assert_false(hf_endpoint_eq(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_both_ways),
        cmocka_unit_test(ranges),
        cmocka_unit_test(kinds),
        cmocka_unit_test(endpoints),
    };
    return cmocka_run_group_tests_name("base/ip", tests, NULL, NULL);
}
