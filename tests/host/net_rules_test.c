/* net_rules_test.c - what network rules grant, and what is said of those that are wrong. No socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/net_rules.h"

static struct hf_net_rules *rules_of(const char *a, const char *b)
{
    const char *const texts[] = {a, b, NULL};
    struct hf_net_rules *rules = NULL;
    struct hf_report report = {0};
    if (hf_net_rules_new(texts, &rules, &report) != HF_OK)
        fail_msg("%s", report.text);
    return rules;
}

/* "10.1.2.3:80", "::1:80" (the last colon is the port's). */
static struct hf_endpoint at(const char *text)
{
    struct hf_endpoint e = {0};
    const char *colon = strrchr(text, ':');
    assert_true(hf_ip_parse(hf_view(text, (size_t)(colon - text)), &e.ip));
    e.port = (uint16_t)atoi(colon + 1);
    return e;
}

enum { TCP_C = 1, TCP_L = 2, UDP_C = 4, UDP_L = 8, ALL = 15 };
static void grants(const char *rule, const char *where, unsigned want)
{
    struct hf_net_rules *r = rules_of(rule, NULL);
    struct hf_endpoint e = at(where);
    unsigned got = (hf_net_rules_connect(r, NULL, HF_NET_TCP, &e) ? TCP_C : 0) |
                   (hf_net_rules_listen(r, HF_NET_TCP, &e) ? TCP_L : 0) |
                   (hf_net_rules_connect(r, NULL, HF_NET_UDP, &e) ? UDP_C : 0) |
                   (hf_net_rules_listen(r, HF_NET_UDP, &e) ? UDP_L : 0);
    if (got != want)
        fail_msg("%s for %s: %x, not %x", rule, where, got, want);
    hf_net_rules_free(r);
}

static void nothing_is_granted_without_a_rule(void **state)
{
    struct hf_net_rules *r = NULL;
    struct hf_endpoint e = at("127.0.0.1:80");
    (void)state;
    assert_int_equal(hf_net_rules_new(NULL, &r, NULL), HF_OK);
    assert_false(hf_net_rules_any(r, HF_NET_TCP) || hf_net_rules_any(r, HF_NET_UDP));
    assert_false(hf_net_rules_connect(r, NULL, HF_NET_TCP, &e) ||
                 hf_net_rules_listen(r, HF_NET_TCP, &e));
    assert_false(hf_net_rules_client(r, HF_NET_TCP) || hf_net_rules_lookup(r, "example.com") ||
                 hf_net_rules_lookup(r, "localhost"));
    assert_int_equal(hf_net_rules_limits(r)->sockets, 256);
    hf_net_rules_free(r);
}

static void places_and_ports(void **state)
{
    (void)state;
    grants("loopback:8080", "127.0.0.1:8080", ALL);
    grants("loopback:8080", "127.200.3.4:8080", ALL);
    grants("loopback:8080", "::1:8080", ALL);
    grants("loopback:8080", "127.0.0.1:8081", 0);
    grants("loopback:8080", "0.0.0.0:8080", 0);
    grants("loopback:8080", "128.0.0.1:8080", 0);
    grants("loopback:8080", "::2:8080", 0);
    grants("loopback:8080", "::ffff:127.0.0.1:8080", 0);
    grants("loopback:8080", "127.0.0.1:0", 0);
    grants("loopback:*", "127.0.0.1:0", TCP_L | UDP_L); /* nobody can be connected to at port 0 */
    grants("loopback:0", "127.0.0.1:0", TCP_L | UDP_L);
    grants("loopback:0", "127.0.0.1:1", 0);
    grants("loopback:*", "127.0.0.1:65535", ALL);
    grants("loopback:8000-8099", "127.0.0.1:8000", ALL);
    grants("loopback:8000-8099", "127.0.0.1:8099", ALL);
    grants("loopback:8000-8099", "127.0.0.1:8100", 0);
    grants("loopback:8000-8099", "127.0.0.1:7999", 0);
    grants("10.0.0.0/8:443", "10.255.1.2:443", ALL);
    grants("10.0.0.0/8:443", "11.0.0.0:443", 0);
    grants("10.1.2.3:443", "10.1.2.3:443", ALL);
    grants("10.1.2.3:443", "10.1.2.2:443", 0);
    grants("192.168.4.128/25:1", "192.168.4.127:1", 0);
    grants("192.168.4.128/25:1", "192.168.4.255:1", ALL);
    grants("0.0.0.0/0:*", "0.0.0.0:5", ALL);
    grants("0.0.0.0/0:*", "::1:5", 0);
    grants("0.0.0.0:80", "0.0.0.0:80", ALL);
    grants("0.0.0.0:80", "127.0.0.1:80", 0);
    grants("[::1]:0", "::1:0", TCP_L | UDP_L);
    grants("[fd00::/8]:9", "fd12:3456::1:9", ALL);
    grants("[fd00::/8]:9", "fe80::1:9", 0);
    grants("[2001:db8::/33]:9", "2001:db8:7fff::1:9", ALL);
    grants("[2001:db8::/33]:9", "2001:db8:8000::1:9", 0);
}

static void directions_and_protocols(void **state)
{
    (void)state;
    grants("connect:loopback:1", "127.0.0.1:1", TCP_C | UDP_C);
    grants("listen:loopback:1", "127.0.0.1:1", TCP_L | UDP_L);
    grants("tcp:loopback:1", "127.0.0.1:1", TCP_C | TCP_L);
    grants("udp:listen:loopback:1", "127.0.0.1:1", UDP_L);
    grants("connect:tcp:loopback:1", "127.0.0.1:1", TCP_C);
    struct hf_net_rules *r = rules_of("connect:udp:loopback:1", NULL);
    assert_true(hf_net_rules_any(r, HF_NET_UDP) && hf_net_rules_client(r, HF_NET_UDP));
    assert_false(hf_net_rules_any(r, HF_NET_TCP) || hf_net_rules_client(r, HF_NET_TCP));
    hf_net_rules_free(r);
    r = rules_of("listen:loopback:1", "lookup");
    assert_true(hf_net_rules_any(r, HF_NET_UDP) && hf_net_rules_any(r, HF_NET_TCP));
    assert_false(hf_net_rules_client(r, HF_NET_TCP));
    hf_net_rules_free(r);
    r = rules_of("lookup", NULL);
    assert_false(hf_net_rules_any(r, HF_NET_TCP));
    hf_net_rules_free(r);
}

static void learn(struct hf_net_rules *r, struct hf_net_known *k, const char *name, const char *ip)
{
    struct hf_ip v;
    assert_true(hf_ip_parse(hf_view_of(ip), &v));
    hf_net_rules_learn(r, name, &v, k);
}

static bool knows(const struct hf_net_rules *r, const struct hf_net_known *k, const char *where)
{
    struct hf_endpoint e = at(where);
    return hf_net_rules_connect(r, k, HF_NET_TCP, &e);
}

static void names_grant_where_they_led(void **state)
{
    struct hf_net_rules *r = rules_of("Example.COM.:443", "connect:other.example:1-9");
    struct hf_net_known k = {0}, empty = {0};
    char ip[32];
    (void)state;
    assert_true(hf_net_rules_lookup(r, "example.com") && hf_net_rules_lookup(r, "other.example"));
    assert_false(hf_net_rules_lookup(r, "www.example.com") || hf_net_rules_lookup(r, "localhost"));
    assert_false(knows(r, &k, "93.184.216.34:443"));
    learn(r, &k, "example.com", "93.184.216.34");
    assert_true(knows(r, &k, "93.184.216.34:443"));
    assert_false(knows(r, &k, "93.184.216.34:444") || knows(r, &k, "93.184.216.34:5") ||
                 knows(r, &k, "93.184.216.35:443"));
    assert_false(knows(r, &empty, "93.184.216.34:443") || knows(r, NULL, "93.184.216.34:443"));
    learn(r, &k, "third.example", "9.9.9.9");
    assert_int_equal(k.n, 1);
    learn(r, &k, "example.com", "93.184.216.34"); /* once */
    assert_int_equal(k.n, 1);
    struct hf_endpoint e = at("93.184.216.34:443");
    assert_false(hf_net_rules_listen(r, HF_NET_TCP, &e));
    for (unsigned i = 0; i < 1000; i++) { /* the newest stay */
        snprintf(ip, sizeof ip, "8.8.%u.%u", i / 200, i % 200);
        learn(r, &k, "other.example", ip);
    }
    assert_true(knows(r, &k, "8.8.4.199:9") && knows(r, &k, "8.8.4.136:9"));
    assert_false(knows(r, &k, "8.8.4.135:9") || knows(r, &k, "93.184.216.34:443"));
    hf_net_rules_free(r);
}

static void special_addresses_are_named_by_range_only(void **state)
{
    static const char *const special[] = {"127.0.0.1",
                                          "10.0.0.1",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.1.1",
                                          "169.254.169.254",
                                          "100.64.0.1",
                                          "0.0.0.0",
                                          "0.1.2.3",
                                          "192.0.0.8",
                                          "192.0.2.1",
                                          "198.18.0.1",
                                          "198.51.100.1",
                                          "203.0.113.1",
                                          "224.0.0.1",
                                          "240.0.0.1",
                                          "192.88.99.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "ff02::1",
                                          "::ffff:8.8.8.8",
                                          "64:ff9b::a00:1",
                                          "2002:a00:1::",
                                          "2001::1",
                                          "2001:db8::1",
                                          "::8.8.8.8",
                                          "fec0::1",
                                          "100::1",
                                          "3fff::1"};
    static const char *const plain[] = {
        "8.8.8.8",         "172.15.0.1",         "172.32.0.1",   "100.128.0.1",    "169.253.0.1",
        "223.255.255.255", "2606:2800:220:1::1", "2a00:1450::1", "2001:4860::8888"};
    struct hf_net_rules *r = rules_of("example.com:80", NULL);
    char where[64];
    struct hf_ip ip;
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(special); i++) {
        struct hf_net_known k = {0};
        learn(r, &k, "example.com", special[i]);
        snprintf(where, sizeof where, "%s:80", special[i]);
        assert_true(hf_ip_parse(hf_view_of(special[i]), &ip));
        if (!hf_ip_is_special(&ip) || knows(r, &k, where) ||
            hf_net_rules_show(r, "example.com", &ip))
            fail_msg("%s is granted to a name", special[i]);
    }
    for (size_t i = 0; i < HF_ARRAY_LEN(plain); i++) {
        struct hf_net_known k = {0};
        learn(r, &k, "example.com", plain[i]);
        snprintf(where, sizeof where, "%s:80", plain[i]);
        assert_true(hf_ip_parse(hf_view_of(plain[i]), &ip));
        if (hf_ip_is_special(&ip) || !knows(r, &k, where) ||
            !hf_net_rules_show(r, "example.com", &ip))
            fail_msg("%s is not granted to a name", plain[i]);
    }
    hf_net_rules_free(r);
    r = rules_of("example.com:80", "10.0.0.0/8:80");
    assert_true(hf_ip_parse(HF_VIEW("10.1.1.1"), &ip));
    assert_true(hf_net_rules_show(r, "example.com", &ip) && knows(r, NULL, "10.1.1.1:80"));
    hf_net_rules_free(r);
}

static void mistakes_have_a_column(void **state)
{
    static const struct {
        const char *text, *column;
    } wrong[] = {
        {"", "column 1: wanted loopback, an address, a range or a host name"},
        {":80", "column 1: wanted loopback"},
        {"loopback", "column 9: wanted : and a port"},
        {"loopback:", "column 10: wanted a port"},
        {"loopback:x", "column 10: wanted a port"},
        {"loopback:65536", "column 10: wanted a port"},
        {"loopback:99999999999", "column 10: wanted a port"},
        {"loopback:-1", "column 10: wanted a port"},
        {"loopback:80 ", "column 12: wanted the end"},
        {"loopback:80-", "column 13: wanted the last port"},
        {"loopback:80-79", "column 13: wanted the last port"},
        {"loopback:*5", "column 11: wanted the end"},
        {"loopback/8:1", "column 9: wanted :"},
        {"localhost:80", "column 1: localhost is called loopback here"},
        {"10.0.0.1/8:80", "column 1: bits are set behind"},
        {"10.0.0.0/33:80", "column 10: wanted the bits of a range, 0 to 32"},
        {"10.0.0.0/:80", "column 10: wanted the bits"},
        {"010.0.0.1:80", "column 1: wanted loopback"},
        {"10.0.0:80", "column 1: wanted loopback"},
        {"::1:80", "column 1: wanted loopback"},
        {"[::1:80", "column 8: wanted ]"},
        {"[::1", "column 5: wanted ]"},
        {"[10.0.0.1]:80", "column 2: wanted an IPv6 address"},
        {"[fd00::1/8]:80", "column 1: bits are set behind"},
        {"[fd00::/129]:80", "column 9: wanted the bits of a range, 0 to 128"},
        {"[::ffff:10.0.0.1]:80", "column 2: an IPv4 address in IPv6 form"},
        {"connect:connect:loopback:1", "column 9: that was said already"},
        {"tcp:connect:udp:loopback:1", "column 13: that was said already"},
        {"listen:example.com:80", "column 8: a name can be connected to"},
        {"connect:loopback:0", "column 19: port 0 is a free port"},
        {"exa mple.com:80", "column 1: wanted loopback"},
        {"b\xc3\xbc"
         "cher.example:80",
         "column 1: wanted loopback"},
        {"lookup:", "column 8: wanted loopback"},
        {"lookup:1.2.3.4", "column 8: wanted loopback"},
        {"sockets=", "column 9: wanted a number"},
        {"sockets=0", "column 9: wanted a number"},
        {"sockets=9x", "column 10: wanted the end"},
        {"datagrams=1025", "column 11: wanted a number"},
        {"colour=9", "column 1: wanted one of sockets="},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(wrong); i++) {
        const char *const texts[] = {"loopback:1", wrong[i].text, NULL};
        struct hf_net_rules *r = NULL;
        struct hf_report report = {0};
        enum hf_err err = hf_net_rules_new(texts, &r, &report);
        if (err != HF_INVALID || strstr(report.text, wrong[i].column) == NULL ||
            strstr(report.text, wrong[i].text) == NULL)
            fail_msg("\"%s\": %s \"%s\", wanted %s", wrong[i].text, hf_err_text(err), report.text,
                     wrong[i].column);
        assert_null(r);
    }
}

static void limits_are_read(void **state)
{
    const char *const texts[] = {"sockets=7", "datagrams=8",  "lookups=9",
                                 "buffer=10", "lookup-ms=11", NULL};
    static const char *many[HF_NET_RULES_MAX + 2];
    struct hf_net_rules *r;
    (void)state;
    assert_int_equal(hf_net_rules_new(texts, &r, NULL), HF_OK);
    const struct hf_net_limits *l = hf_net_rules_limits(r);
    assert_true(l->sockets == 7 && l->datagrams == 8 && l->lookups == 9 && l->buffer == 10 &&
                l->lookup_ms == 11);
    assert_false(hf_net_rules_any(r, HF_NET_TCP));
    hf_net_rules_free(r);
    for (size_t i = 0; i <= HF_NET_RULES_MAX; i++)
        many[i] = "loopback:1";
    assert_int_equal(hf_net_rules_new(many, &r, NULL), HF_LIMIT);
    many[HF_NET_RULES_MAX] = NULL;
    assert_int_equal(hf_net_rules_new(many, &r, NULL), HF_OK);
    hf_net_rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_granted_without_a_rule),
        cmocka_unit_test(places_and_ports),
        cmocka_unit_test(directions_and_protocols),
        cmocka_unit_test(names_grant_where_they_led),
        cmocka_unit_test(special_addresses_are_named_by_range_only),
        cmocka_unit_test(mistakes_have_a_column),
        cmocka_unit_test(limits_are_read),
    };
    return cmocka_run_group_tests_name("host/net_rules", tests, NULL, NULL);
}
