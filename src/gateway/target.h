/* target.h - what a request is aimed at: authority and path out of the request target and Host.
 *
 * Origin-form, absolute-form (its host wins over Host, RFC 9112 3.2.2) and "*" with OPTIONS.
 * CONNECT is refused: there is no tunnel here. Nothing is decoded or normalised: a service sees the
 * path its client sent.
 */
#ifndef HF_GATEWAY_TARGET_H
#define HF_GATEWAY_TARGET_H

#include "gateway/strict.h"

struct hf_target {
    struct hf_view authority; /* host[:port] as sent; empty: none was said */
    struct hf_view path;      /* with query; "*" for the asterisk form */
    struct hf_view
        route; /* the path without query, "/" for the asterisk form: what routes look at */
};

/* Views into method, target and host, or static. False: *why says what is wrong (400, 501). */
bool hf_target_read(struct hf_view method, struct hf_view target, struct hf_view host,
                    struct hf_target *ret, struct hf_refusal *why);
/* host[:port] with nothing in it that could be read in two ways: no user part, one bracket pair,
 * digits as port. */
bool hf_target_is_authority(struct hf_view v);

#endif
