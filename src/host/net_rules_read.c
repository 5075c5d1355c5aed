/* net_rules_read.c - rules from text (grammar: net_rules.h), with the column of what is wrong. */
#include "host/net_rules_int.h"

#include <stdlib.h>

struct reader {
    const char *text;
    struct hf_view rest;
    struct hf_report *report;
};

static enum hf_err bad(const struct reader *rd, const char *what)
{
    size_t column = (size_t)(rd->rest.ptr - (const uint8_t *)rd->text) + 1;
    return hf_report_set(rd->report, HF_INVALID, "network rule \"%.100s\": column %zu: %s",
                         rd->text, column, what);
}

static bool take_word(struct reader *rd, const char *word)
{
    struct hf_view w = hf_view_of(word);
    if (!hf_view_starts(rd->rest, w))
        return false;
    rd->rest = hf_view_skip(rd->rest, w.len);
    return true;
}

/* Digits, at most `max`; nothing is taken when there is none or it is too large. */
static bool take_number(struct reader *rd, uint32_t max, uint32_t *ret)
{
    uint64_t n = 0;
    size_t len = 0;
    while (len < rd->rest.len && rd->rest.ptr[len] >= '0' && rd->rest.ptr[len] <= '9' && len < 10)
        n = n * 10 + (rd->rest.ptr[len++] - '0');
    if (len == 0 || n > max)
        return false;
    rd->rest = hf_view_skip(rd->rest, len);
    *ret = (uint32_t)n;
    return true;
}

bool hf_net_name(struct hf_view text, char ret[HF_NET_NAME_MAX])
{
    size_t label = 0;
    bool digits = true; /* of the label at hand */
    if (text.len > 1 && text.ptr[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.len >= HF_NET_NAME_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        bool digit = c >= '0' && c <= '9';
        if (c == '.') {
            if (label == 0 || ret[i - 1] == '-')
                return false;
            label = 0;
            digits = true;
        } else if (digit || (c >= 'a' && c <= 'z') || c == '_' || (c == '-' && label > 0)) {
            digits &= digit;
            if (++label > 63)
                return false;
        } else {
            return false;
        }
        ret[i] = (char)c;
    }
    ret[text.len] = 0;
    return label > 0 && !digits && ret[text.len - 1] != '-';
}

/* ---- places ---- */

static enum hf_err read_bits(struct reader *rd, struct hf_net_rule *r)
{
    uint32_t max = r->net.family == HF_IPV6 ? 128 : 32, bits = max;
    if (take_word(rd, "/") && !take_number(rd, max, &bits))
        return bad(rd, max == 32 ? "wanted the bits of a range, 0 to 32"
                                 : "wanted the bits of a range, 0 to 128");
    r->bits = bits;
    return HF_OK;
}

/* "10.0.0.1/8" would be read as 10.0.0.0/8 by some and as a mistake by others. */
static bool is_range_start(const struct hf_net_rule *r)
{
    for (unsigned bit = r->bits; bit < (r->net.family == HF_IPV6 ? 128u : 32u); bit++)
        if (r->net.bytes[bit / 8] & (0x80 >> bit % 8))
            return false;
    return true;
}

static enum hf_err read_v6(struct reader *rd, struct hf_net_rule *r)
{
    struct reader start = *rd;
    rd->rest = hf_view_skip(rd->rest, 1);
    size_t len = 0;
    while (len < rd->rest.len && rd->rest.ptr[len] != ']' && rd->rest.ptr[len] != '/')
        len++;
    if (!hf_ip_parse(hf_view_take(rd->rest, len), &r->net) || r->net.family != HF_IPV6)
        return bad(rd, "wanted an IPv6 address");
    if (hf_ip_is_mapped(&r->net))
        return bad(rd, "an IPv4 address in IPv6 form is never used: write it as IPv4");
    rd->rest = hf_view_skip(rd->rest, len);
    r->place = PLACE_RANGE;
    enum hf_err err = read_bits(rd, r);
    if (err != HF_OK)
        return err;
    if (!take_word(rd, "]"))
        return bad(rd, "wanted ]");
    return is_range_start(r) ? HF_OK : bad(&start, "bits are set behind the range's first address");
}

static enum hf_err read_v4(struct reader *rd, struct hf_net_rule *r, size_t len)
{
    struct reader start = *rd;
    rd->rest = hf_view_skip(rd->rest, len);
    r->place = PLACE_RANGE;
    enum hf_err err = read_bits(rd, r);
    if (err != HF_OK)
        return err;
    return is_range_start(r) ? HF_OK : bad(&start, "bits are set behind the range's first address");
}

static enum hf_err read_name(struct reader *rd, struct hf_net_rule *r, size_t len)
{
    char name[HF_NET_NAME_MAX];
    if (!hf_net_name(hf_view_take(rd->rest, len), name))
        return bad(rd, "wanted loopback, an address, a range or a host name");
    if (strcmp(name, "localhost") == 0)
        return bad(rd, "localhost is called loopback here");
    r->place = PLACE_NAME;
    r->name = strdup(name);
    if (r->name == NULL)
        return hf_report_set(rd->report, HF_LIMIT, "out of memory");
    rd->rest = hf_view_skip(rd->rest, len);
    return HF_OK;
}

static enum hf_err read_place(struct reader *rd, struct hf_net_rule *r)
{
    size_t len = 0;
    if (rd->rest.len > 0 && rd->rest.ptr[0] == '[')
        return read_v6(rd, r);
    while (len < rd->rest.len && rd->rest.ptr[len] != ':' && rd->rest.ptr[len] != '/')
        len++;
    struct hf_view word = hf_view_take(rd->rest, len);
    if (hf_view_eq_text(word, "loopback")) {
        r->place = PLACE_LOOPBACK;
        rd->rest = hf_view_skip(rd->rest, len);
        return HF_OK;
    }
    if (hf_ip_parse(word, &r->net))
        return read_v4(rd, r, len);
    return read_name(rd, r, len);
}

static enum hf_err read_ports(struct reader *rd, struct hf_net_rule *r)
{
    uint32_t lo = 0, hi = UINT16_MAX;
    if (!take_word(rd, "*")) {
        if (!take_number(rd, UINT16_MAX, &lo))
            return bad(rd, "wanted a port, a range of ports like 8000-8099, or *");
        hi = lo;
        bool range = take_word(rd, "-");
        struct reader last = *rd;
        if (range && (!take_number(rd, UINT16_MAX, &hi) || hi < lo))
            return bad(&last, "wanted the last port of the range");
    }
    if (rd->rest.len > 0)
        return bad(rd, "wanted the end of the rule");
    r->port_lo = (uint16_t)lo;
    r->port_hi = (uint16_t)hi;
    if (hi == 0 && !(r->flags & RULE_LISTEN))
        return bad(rd, "port 0 is a free port to listen on: nobody can be connected to there");
    return HF_OK;
}

static enum hf_err read_lookup(struct reader *rd, struct hf_net_rule *r)
{
    r->place = PLACE_ANY_NAME;
    if (rd->rest.len == 0)
        return HF_OK;
    if (!take_word(rd, ":"))
        return bad(rd, "wanted :NAME, or the end of the rule");
    enum hf_err err = read_name(rd, r, rd->rest.len);
    r->flags = 0;
    return err;
}

static enum hf_err read_rule(struct reader *rd, struct hf_net_rule *r)
{
    unsigned way = 0, kind = 0;
    if (hf_view_eq_text(rd->rest, "lookup") || hf_view_starts(rd->rest, HF_VIEW("lookup:"))) {
        take_word(rd, "lookup");
        return read_lookup(rd, r);
    }
    for (;;) { /* each word once */
        struct reader start = *rd;
        unsigned w = take_word(rd, "connect:")  ? RULE_CONNECT
                     : take_word(rd, "listen:") ? RULE_LISTEN
                                                : 0;
        unsigned k = w != 0                  ? 0
                     : take_word(rd, "tcp:") ? RULE_TCP
                     : take_word(rd, "udp:") ? RULE_UDP
                                             : 0;
        if (w == 0 && k == 0)
            break;
        if ((w != 0 && way != 0) || (k != 0 && kind != 0))
            return bad(&start, "that was said already; a rule for both leaves it out");
        way |= w;
        kind |= k;
    }
    r->flags =
        (way != 0 ? way : RULE_CONNECT | RULE_LISTEN) | (kind != 0 ? kind : RULE_TCP | RULE_UDP);
    struct reader place = *rd;
    enum hf_err err = read_place(rd, r);
    if (err != HF_OK)
        return err;
    if (r->place == PLACE_NAME) {
        if (way == RULE_LISTEN)
            return bad(&place, "a name can be connected to; what to listen on is an address");
        r->flags &= ~(unsigned)RULE_LISTEN;
    }
    if (!take_word(rd, ":"))
        return bad(rd, "wanted : and a port, a range of ports, or *");
    return read_ports(rd, r);
}

/* ---- limits ---- */

static bool is_limit(struct hf_view text)
{
    return hf_view_find(text, '=') < text.len;
}

static enum hf_err read_limit(struct reader *rd, struct hf_net_limits *limits)
{
    const struct {
        const char *name;
        uint32_t *to, max;
    } known[] = {{"sockets=", &limits->sockets, 1u << 20},
                 {"datagrams=", &limits->datagrams, 1024},
                 {"lookups=", &limits->lookups, 64},
                 {"buffer=", &limits->buffer, 1u << 30},
                 {"lookup-ms=", &limits->lookup_ms, 3600000}};
    for (size_t i = 0; i < HF_ARRAY_LEN(known); i++) {
        uint32_t n;
        if (!take_word(rd, known[i].name))
            continue;
        struct reader number = *rd;
        if (!take_number(rd, known[i].max, &n) || n == 0)
            return bad(&number, "wanted a number from 1 within the limit's own (net_rules.h)");
        if (rd->rest.len > 0)
            return bad(rd, "wanted the end of the limit");
        *known[i].to = n;
        return HF_OK;
    }
    return bad(rd, "wanted one of sockets=, datagrams=, lookups=, buffer=, lookup-ms=");
}

enum hf_err hf_net_rules_new(const char *const *texts, struct hf_net_rules **ret,
                             struct hf_report *report)
{
    size_t n = 0;
    while (texts != NULL && texts[n] != NULL)
        n++;
    if (n > HF_NET_RULES_MAX)
        return hf_report_set(report, HF_LIMIT, "more than %u network rules", HF_NET_RULES_MAX);
    struct hf_net_rules *rules = calloc(1, sizeof *rules + n * sizeof rules->rules[0]);
    if (rules == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    rules->limits = (struct hf_net_limits){256, 64, 4, 4u << 20, 10000};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < n && err == HF_OK; i++) {
        struct reader rd = {texts[i], hf_view_of(texts[i]), report};
        err = is_limit(rd.rest) ? read_limit(&rd, &rules->limits)
                                : read_rule(&rd, &rules->rules[rules->n++]);
    }
    if (err != HF_OK) {
        hf_net_rules_free(rules);
        return err;
    }
    *ret = rules;
    return HF_OK;
}
