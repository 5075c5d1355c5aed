/* outbound.h - where a service's HTTP requests may go: HOST[:PORTS] as rules of net_rules.h.
 *
 *   example.com          ports 80 and 443 when none is said
 *   example.com:8443     10.0.0.0/8:443     [fd00::/8]:*     127.0.0.1:3000     loopback:8080
 *
 * A name never leads to a private or otherwise special address unless a rule names its range
 * (net_rules.h): whoever runs a domain's name server would choose places inside of our network.
 */
#ifndef HF_HOST_OUTBOUND_H
#define HF_HOST_OUTBOUND_H

#include "host/net_rules.h"

/* Both lists end with NULL, or are NULL. `net` is taken as it is, without its limits' meaning.
 * HF_INVALID: the report names the text. */
enum hf_err hf_outbound_rules(const char *const *outbound, const char *const *net,
                              struct hf_net_rules **ret, struct hf_report *report);

#endif
