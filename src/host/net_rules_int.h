/* net_rules_int.h - a rule as read, for net_rules*.c. */
#ifndef HF_HOST_NET_RULES_INT_H
#define HF_HOST_NET_RULES_INT_H

#include "host/net_rules.h"

enum { RULE_CONNECT = 1, RULE_LISTEN = 2, RULE_TCP = 4, RULE_UDP = 8 };
enum hf_net_place {
    PLACE_LOOPBACK,
    PLACE_RANGE,
    PLACE_NAME,
    PLACE_ANY_NAME /* "lookup" */
};
struct hf_net_rule {
    enum hf_net_place place;
    unsigned flags;
    struct hf_ip net;
    unsigned bits;
    uint16_t port_lo, port_hi;
    char *name;
};
struct hf_net_rules {
    struct hf_net_limits limits;
    uint32_t n;
    struct hf_net_rule rules[];
};

#endif
