/* ip.c - see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>

bool hf_ip_parse(struct hf_view text, struct hf_ip *ret)
{
    char copy[HF_IP_TEXT_MAX];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *ret = (struct hf_ip){0};
    ret->family = strchr(copy, ':') != NULL ? HF_IPV6 : HF_IPV4;
    return inet_pton(ret->family == HF_IPV6 ? AF_INET6 : AF_INET, copy, ret->bytes) == 1;
}

/* By hand: every outgoing request to a literal address prints it; libc's goes through printf. */
static char *print_v4(const uint8_t bytes[4], char *to)
{
    for (unsigned i = 0; i < 4; i++) {
        uint8_t n = bytes[i];
        if (i > 0)
            *to++ = '.';
        if (n >= 100)
            *to++ = (char)('0' + n / 100);
        if (n >= 10)
            *to++ = (char)('0' + n / 10 % 10);
        *to++ = (char)('0' + n % 10);
    }
    return to;
}

const char *hf_ip_print(const struct hf_ip *ip, char to[HF_IP_TEXT_MAX])
{
    if (ip->family != HF_IPV6) {
        *print_v4(ip->bytes, to) = '\0';
        return to;
    }
    const char *text = inet_ntop(AF_INET6, ip->bytes, to, HF_IP_TEXT_MAX);
    HF_ASSERT(text != NULL); /* there is room */
    return text;
}

bool hf_ip_eq(const struct hf_ip *a, const struct hf_ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool hf_endpoint_eq(const struct hf_endpoint *a, const struct hf_endpoint *b)
{
    return hf_ip_eq(&a->ip, &b->ip) && a->port == b->port && a->scope == b->scope;
}

bool hf_ip_in(const struct hf_ip *ip, const struct hf_ip *net, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    HF_ASSERT(bits <= (net->family == HF_IPV6 ? 128u : 32u));
    if (ip->family != net->family || memcmp(ip->bytes, net->bytes, whole) != 0)
        return false;
    return rest == 0 || (ip->bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

bool hf_ip_is_any(const struct hf_ip *ip)
{
    static const uint8_t zeroes[16];
    return memcmp(ip->bytes, zeroes, sizeof zeroes) == 0;
}

struct range {
    struct hf_ip net;
    unsigned bits;
};
#define V4(a, b, c, d, n)                                                                          \
    {                                                                                              \
        {HF_IPV4, {a, b, c, d}}, n                                                                 \
    }
#define V6(n, ...)                                                                                 \
    {                                                                                              \
        {HF_IPV6, {__VA_ARGS__}}, n                                                                \
    }

static bool in_any(const struct hf_ip *ip, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hf_ip_in(ip, &ranges[i].net, ranges[i].bits))
            return true;
    return false;
}

bool hf_ip_is_loopback(const struct hf_ip *ip)
{
    static const struct range ranges[] = {V4(127, 0, 0, 0, 8),
                                          V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)};
    return in_any(ip, ranges, HF_ARRAY_LEN(ranges));
}

bool hf_ip_is_multicast(const struct hf_ip *ip)
{
    static const struct range ranges[] = {V4(224, 0, 0, 0, 4), V4(255, 255, 255, 255, 32),
                                          V6(8, 0xff)};
    return in_any(ip, ranges, HF_ARRAY_LEN(ranges));
}

bool hf_ip_is_mapped(const struct hf_ip *ip)
{
    static const struct range range = V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);
    return in_any(ip, &range, 1);
}

bool hf_ip_is_special(const struct hf_ip *ip)
{
    static const struct range v4[] = {
        V4(0, 0, 0, 0, 8),      /* this network */
        V4(10, 0, 0, 0, 8),     /* private */
        V4(100, 64, 0, 0, 10),  /* shared behind carriers */
        V4(127, 0, 0, 0, 8),    /* loopback */
        V4(169, 254, 0, 0, 16), /* link-local: clouds answer with credentials there */
        V4(172, 16, 0, 0, 12),  /* private */
        V4(192, 0, 0, 0, 24),   /* protocol assignments */
        V4(192, 0, 2, 0, 24),   /* documentation */
        V4(192, 88, 99, 0, 24), /* 6to4 relays */
        V4(192, 168, 0, 0, 16), /* private */
        V4(198, 18, 0, 0, 15),  /* benchmarks */
        V4(198, 51, 100, 0, 24), V4(203, 0, 113, 0, 24), /* documentation */
        V4(224, 0, 0, 0, 3),                             /* multicast, reserved, broadcast */
    };
    /* Global unicast is 2000::/3; within it: Teredo and other protocol assignments (2001::/23),
     * documentation, 6to4. Everything outside of it is special, NAT64's 64:ff9b::/96 too. */
    static const struct range global = V6(3, 0x20);
    static const struct range v6[] = {V6(23, 0x20, 0x01), V6(32, 0x20, 0x01, 0x0d, 0xb8),
                                      V6(16, 0x20, 0x02), V6(20, 0x3f, 0xff)};
    if (ip->family == HF_IPV4)
        return in_any(ip, v4, HF_ARRAY_LEN(v4));
    return !in_any(ip, &global, 1) || in_any(ip, v6, HF_ARRAY_LEN(v6));
}
