/* resolve.h - names looked up on the node's job threads, as something a guest can wait for.
 *
 * The system's resolver blocks and cannot be interrupted, so a look-up is a job with memory of its
 * own: the look-up's owner may go, or its deadline pass, while the job still runs; it then comes
 * home to nobody. What runs is counted until it is home, abandoned or not, so that no guest can
 * fill the job threads. Literal addresses and "localhost" (RFC 6761) are answered without a job.
 *
 * What may be looked up and shown is its caller's business (net_rules.h). One thread.
 */
#ifndef HF_HOST_RESOLVE_H
#define HF_HOST_RESOLVE_H

#include "host/io.h"
#include "host/net_rules.h"
#include "kernel/timer.h"

struct hf_resolver; /* of one thread: counts what runs */
enum hf_err hf_resolver_new(struct hf_io *io, struct hf_net *net, uint32_t max,
                            struct hf_resolver **ret);
/* Look-ups of it are gone; jobs of theirs may still come home, as long as the io's parts live. NULL
 * is fine. */
void hf_resolver_free(struct hf_resolver *r);
uint32_t hf_resolver_running(const struct hf_resolver *r); /* jobs handed in and not home */

struct hf_resolve;
/* `name` by hf_net_name. The deadline is timeout_ns after now_ns, by the kernel's timers. HF_LIMIT:
 * too many run, here or on the job threads. */
enum hf_err hf_resolve_new(struct hf_resolver *r, struct hf_kernel *k, const char *name,
                           uint64_t now_ns, uint64_t timeout_ns, struct hf_resolve **ret);
/* A look-up that is over, with one result. HF_LIMIT: memory. */
enum hf_err hf_resolve_literal(struct hf_resolver *r, const struct hf_ip *ip,
                               struct hf_resolve **ret);
void hf_resolve_free(struct hf_resolve *q);            /* abandons what runs; NULL is fine */
struct hf_wait *hf_resolve_wait(struct hf_resolve *q); /* ready: next will not say AGAIN */
/* AGAIN: not known yet. OK: the next address. CLOSED: there are no more. Else why there are none;
 * the same again when asked again (the deadline: HF_NET_TRY_LATER). */
enum hf_net_err hf_resolve_next(struct hf_resolve *q, struct hf_ip *ret);

#endif
