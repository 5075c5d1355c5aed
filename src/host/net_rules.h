/* net_rules.h - which addresses a guest may reach: rules read from text, and what they grant.
 *
 * Without a rule nothing is granted. Rules only ever add. One rule a text:
 *
 *   [connect:|listen:][tcp:|udp:]PLACE:PORTS    both directions, both protocols when not said
 *   lookup[:NAME]                               names may be looked up, which grants no connection
 *   sockets=N datagrams=N lookups=N buffer=BYTES lookup-ms=N    limits, below
 *
 *   PLACE  loopback              127.0.0.0/8 and ::1; also: the name localhost leads there
 *          10.1.2.3, [::1]       one address; 0.0.0.0 and [::] are the wildcards of listen
 *          10.0.0.0/8, [fd00::/8]   a range
 *          example.com           a name: it may be looked up, and connected to where it led then
 *   PORTS  443, 8000-8099, * (all); 0 stands for "any free port the system chooses", listen only
 *
 * connect  grants connections to the address and datagrams sent to it; the address compared is the
 *          one really used.
 * listen   grants binding to the address and port (0: only by 0 or *), and with it being reached
 *          by anybody who reaches that address.
 * A guest with any connect rule may also bind to port 0 of any address as a client does: such a
 * socket cannot listen, and takes datagrams only from peers that it may send to.
 *
 * A name leads nowhere special: a private, link-local, loopback or otherwise special address
 * (hf_ip_is_special) is granted only by a rule that names its range, whatever a name resolves to.
 * Else whoever runs a domain's name server chooses addresses inside of our network (DNS rebinding).
 *
 * Rules are immutable once read and may be shared by threads; what a guest learned is one thread's.
 * Outgoing HTTP asks the same rules.
 */
#ifndef HF_HOST_NET_RULES_H
#define HF_HOST_NET_RULES_H

#include "os/net.h"

struct hf_net_limits {
    uint32_t sockets;   /* a guest may have open; default 256 */
    uint32_t datagrams; /* of one receive or send; default 64, at most 1024 */
    uint32_t
        lookups; /* at once, for all guests of a service on one worker; default 4, at most 64 */
    uint32_t
        buffer; /* bytes a guest may ask the system for, each way, each socket; default 4 MiB */
    uint32_t lookup_ms; /* then a look-up fails; default 10000 */
};

#define HF_NET_RULES_MAX 1024u
#define HF_NET_NAME_MAX  254u /* with the NUL */

struct hf_net_rules;
/* `texts` ends with NULL; it may be NULL: no rule. HF_INVALID: the report names the text and the
 * column in it. HF_LIMIT: too many, memory. */
enum hf_err hf_net_rules_new(const char *const *texts, struct hf_net_rules **ret,
                             struct hf_report *report);
void hf_net_rules_free(struct hf_net_rules *rules); /* NULL is fine */
const struct hf_net_limits *hf_net_rules_limits(const struct hf_net_rules *rules);

/* A host name as everything here compares it: lower case, without a dot at its end. False: no host
 * name (an empty or long label, a character that is no letter, digit, "-" or "_", all digits at
 * the end as in an address, not ASCII). */
bool hf_net_name(struct hf_view text, char ret[HF_NET_NAME_MAX]);

/* Where names led that a guest looked up: the newest 64. Zeroes: nothing. */
struct hf_net_known {
    struct {
        struct hf_ip ip;
        uint16_t rule;
    } seen[64];
    uint32_t n; /* ever added */
};
/* `name` (by hf_net_name) led to `ip` just now: what a rule for that name then grants. */
void hf_net_rules_learn(const struct hf_net_rules *rules, const char *name, const struct hf_ip *ip,
                        struct hf_net_known *known);

/* Is anything granted that needs a socket of this kind? */
bool hf_net_rules_any(const struct hf_net_rules *rules, enum hf_net_kind kind);
/* `known` may be NULL: then no name helps. */
bool hf_net_rules_connect(const struct hf_net_rules *rules, const struct hf_net_known *known,
                          enum hf_net_kind kind, const struct hf_endpoint *to);
bool hf_net_rules_listen(const struct hf_net_rules *rules, enum hf_net_kind kind,
                         const struct hf_endpoint *at);
/* Is there a rule to connect, so that binding to port 0 as a client makes sense? */
bool hf_net_rules_client(const struct hf_net_rules *rules, enum hf_net_kind kind);
/* May this name be looked up, and may the guest be shown that it led to `ip`? */
bool hf_net_rules_lookup(const struct hf_net_rules *rules, const char *name);
bool hf_net_rules_show(const struct hf_net_rules *rules, const char *name, const struct hf_ip *ip);

#endif
