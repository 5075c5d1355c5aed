/* ip.h - IP addresses as values: text both ways, ranges, and what kind of place an address is.
 *
 * Pure: nothing here touches the network or looks up a name. IPv4 and IPv6 are kept apart: an
 * IPv4-mapped IPv6 address is an IPv6 address, and hf_ip_is_mapped says so.
 */
#ifndef HF_BASE_IP_H
#define HF_BASE_IP_H

#include "base/bytes.h"

enum { HF_IPV4 = 4, HF_IPV6 = 6 };
struct hf_ip {
    uint8_t family; /* HF_IPV4: the first four bytes count, the rest is 0; HF_IPV6 */
    uint8_t bytes[16];
};
struct hf_endpoint { /* an address and a port, host order */
    struct hf_ip ip;
    uint16_t port;
    uint32_t flow, scope; /* IPv6 only */
};

#define HF_IP_TEXT_MAX 48 /* with the NUL */

/* "127.0.0.1" (four decimal numbers, no leading zeroes) or "::1"; no brackets, no zone. */
bool hf_ip_parse(struct hf_view text, struct hf_ip *ret);
/* Canonical text, NUL-terminated; returns `to`. */
const char *hf_ip_print(const struct hf_ip *ip, char to[HF_IP_TEXT_MAX]);
bool hf_ip_eq(const struct hf_ip *a, const struct hf_ip *b);
/* Address, port and scope; a flow label does not make another peer. */
bool hf_endpoint_eq(const struct hf_endpoint *a, const struct hf_endpoint *b);
/* Is `ip` in the range whose first `bits` bits are those of `net`? False across families. */
bool hf_ip_in(const struct hf_ip *ip, const struct hf_ip *net, unsigned bits);

bool hf_ip_is_any(const struct hf_ip *ip);       /* 0.0.0.0, :: */
bool hf_ip_is_loopback(const struct hf_ip *ip);  /* 127.0.0.0/8, ::1 */
bool hf_ip_is_multicast(const struct hf_ip *ip); /* and 255.255.255.255 */
bool hf_ip_is_mapped(const struct hf_ip *ip);    /* ::ffff:0:0/96 */
/* Not an ordinary address of the public Internet: any, loopback, private, link-local, shared,
 * multicast, reserved, for documentation, or an IPv6 form that carries an IPv4 address (mapped,
 * translated, tunnelled). What a name on the Internet must not be able to lead to. Source: the
 * special-purpose address registries (RFC 6890 and what updates it). */
bool hf_ip_is_special(const struct hf_ip *ip);

#endif
