/* net_rules.c - see net_rules.h: what the rules grant. (Reading them: net_rules_read.c.) */
#include "host/net_rules_int.h"

#include <stdlib.h>

void hf_net_rules_free(struct hf_net_rules *rules)
{
    if (rules == NULL)
        return;
    for (uint32_t i = 0; i < rules->n; i++)
        free(rules->rules[i].name);
    free(rules);
}

const struct hf_net_limits *hf_net_rules_limits(const struct hf_net_rules *rules)
{
    return &rules->limits;
}

static unsigned kind_bit(enum hf_net_kind kind)
{
    return kind == HF_NET_TCP ? RULE_TCP : RULE_UDP;
}

static bool has(const struct hf_net_rule *r, unsigned flags)
{
    return (r->flags & flags) == flags;
}

/* By address alone. */
static bool covers(const struct hf_net_rule *r, const struct hf_ip *ip)
{
    switch (r->place) {
    case PLACE_LOOPBACK: return hf_ip_is_loopback(ip);
    case PLACE_RANGE: return hf_ip_in(ip, &r->net, r->bits);
    default: return false;
    }
}

static bool port_in(const struct hf_net_rule *r, uint16_t port)
{
    return port >= r->port_lo && port <= r->port_hi;
}

static uint32_t known_len(const struct hf_net_known *known)
{
    return known->n < HF_ARRAY_LEN(known->seen) ? known->n : (uint32_t)HF_ARRAY_LEN(known->seen);
}

static bool is_known(const struct hf_net_known *known, uint32_t rule, const struct hf_ip *ip)
{
    for (uint32_t i = 0; known != NULL && i < known_len(known); i++)
        if (known->seen[i].rule == rule && hf_ip_eq(&known->seen[i].ip, ip))
            return true;
    return false;
}

static bool names(const struct hf_net_rule *r, const char *name)
{
    return r->place == PLACE_NAME && strcmp(r->name, name) == 0;
}

void hf_net_rules_learn(const struct hf_net_rules *rules, const char *name, const struct hf_ip *ip,
                        struct hf_net_known *known)
{
    if (hf_ip_is_special(ip))
        return;
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct hf_net_rule *r = &rules->rules[i];
        if (!names(r, name) || !(r->flags & RULE_CONNECT) || is_known(known, i, ip))
            continue;
        uint32_t at = known->n++ % (uint32_t)HF_ARRAY_LEN(known->seen);
        known->seen[at].ip = *ip;
        known->seen[at].rule = (uint16_t)i;
        if (known->n == 2 * HF_ARRAY_LEN(known->seen)) /* never wraps: it stays full */
            known->n = HF_ARRAY_LEN(known->seen);
    }
}

bool hf_net_rules_any(const struct hf_net_rules *rules, enum hf_net_kind kind)
{
    for (uint32_t i = 0; i < rules->n; i++)
        if ((rules->rules[i].flags & kind_bit(kind)) &&
            (rules->rules[i].flags & (RULE_CONNECT | RULE_LISTEN)))
            return true;
    return false;
}

bool hf_net_rules_connect(const struct hf_net_rules *rules, const struct hf_net_known *known,
                          enum hf_net_kind kind, const struct hf_endpoint *to)
{
    for (uint32_t i = 0; i < rules->n && to->port != 0; i++) {
        const struct hf_net_rule *r = &rules->rules[i];
        if (!has(r, RULE_CONNECT | kind_bit(kind)) || !port_in(r, to->port))
            continue;
        if (covers(r, &to->ip) || (r->place == PLACE_NAME && is_known(known, i, &to->ip)))
            return true;
    }
    return false;
}

bool hf_net_rules_listen(const struct hf_net_rules *rules, enum hf_net_kind kind,
                         const struct hf_endpoint *at)
{
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct hf_net_rule *r = &rules->rules[i];
        if (has(r, RULE_LISTEN | kind_bit(kind)) && port_in(r, at->port) && covers(r, &at->ip))
            return true;
    }
    return false;
}

bool hf_net_rules_client(const struct hf_net_rules *rules, enum hf_net_kind kind)
{
    for (uint32_t i = 0; i < rules->n; i++)
        if (has(&rules->rules[i], RULE_CONNECT | kind_bit(kind)))
            return true;
    return false;
}

bool hf_net_rules_lookup(const struct hf_net_rules *rules, const char *name)
{
    bool local = strcmp(name, "localhost") == 0;
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct hf_net_rule *r = &rules->rules[i];
        if (r->place == PLACE_ANY_NAME || names(r, name) || (local && r->place == PLACE_LOOPBACK))
            return true;
    }
    return false;
}

bool hf_net_rules_show(const struct hf_net_rules *rules, const char *name, const struct hf_ip *ip)
{
    bool special = hf_ip_is_special(ip), named = false, covered = false;
    if (hf_ip_is_mapped(ip))
        return false;
    for (uint32_t i = 0; i < rules->n; i++) {
        const struct hf_net_rule *r = &rules->rules[i];
        if (r->place == PLACE_ANY_NAME || (names(r, name) && !(r->flags & RULE_CONNECT)))
            return true; /* lookup: it may know, which grants nothing */
        named |= names(r, name);
        covered |= covers(r, ip) && (r->flags & RULE_CONNECT);
    }
    return covered || (named && !special);
}
