/* names.h - look-ups that are shared: who asks for a name that is being looked up waits with the
 * others, and what was found is good for a few seconds. For outgoing HTTP, where a thousand
 * requests go to one place. One thread; who may ask and go there is its caller's business
 * (net_rules.h).
 */
#ifndef HF_HOST_NAMES_H
#define HF_HOST_NAMES_H

#include "host/resolve.h"

#define HF_NAMES_IPS_MAX 8u /* addresses of one name that are kept */
#define HF_NAMES_TTL_NS                                                                            \
    5000000000ull          /* a name may move: no resolver tells us for how long it is good */
#define HF_NAMES_MAX 1024u /* names kept or looked up at once */

struct hf_names;
struct hf_name {
    struct hf_wait ready; /* err, ips and n are there */
    enum hf_net_err err;  /* OK: n > 0 */
    struct hf_ip ips[HF_NAMES_IPS_MAX];
    uint32_t n;
    /* private */
    struct hf_names *names;
    struct hf_resolve *q;
    struct hf_waiter waiter;
    struct hf_waitset set;
    uint32_t refs;
    uint64_t until_ns;
    struct hf_list in_names; /* by age */
    char text[HF_NET_NAME_MAX];
};

/* `r` is its alone, and is freed with it. */
enum hf_err hf_names_new(struct hf_resolver *r, struct hf_os *os, struct hf_names **ret);
void hf_names_free(struct hf_names *n); /* no name is referred to any more; NULL is fine */
/* `name` by hf_net_name; timeout_ns for a look-up that begins now. A reference. HF_LIMIT. */
enum hf_err hf_names_ask(struct hf_names *n, struct hf_kernel *k, const char *name, uint64_t now_ns,
                         uint64_t timeout_ns, struct hf_name **ret);
void hf_name_unref(struct hf_name *name); /* NULL is fine; the last one abandons what runs */

#endif
