/* support_far.h - several kernels in one thread, joined by a queue that loses nothing and delays as
 * a seed says: letters from one kernel to another keep their order, whatever else falls between. */
#ifndef HF_TESTS_KERNEL_SUPPORT_FAR_H
#define HF_TESTS_KERNEL_SUPPORT_FAR_H

#include "kernel/named_int.h"
#include "support.h"

enum { NET_MAX = 4 };

struct net {
    struct hf_kernel *ks[NET_MAX]; /* NULL: it was freed */
    uint32_t n;
    struct net_place {
        struct net *net;
        uint32_t here;
    } places[NET_MAX];
    struct hf_list pipes[NET_MAX][NET_MAX]; /* from, to */
    size_t waiting, live;                   /* letters on their way; that there are at all */
    uint64_t crossed;
    uint32_t (*place)(struct hf_view name, uint32_t n); /* NULL: by shard */
    uint64_t fail_at; /* the make that fails, counted down; 0: none does */
};

/* ks[0..n) are made with ids that do not meet. */
void net_open(struct net *net, uint32_t n, const struct hf_kernel_settings *ks);
void net_close(struct net *net); /* frees kernels, checks that no letter is left */
uint32_t net_place(const struct net *net, struct hf_view name);
struct hf_kernel *net_home(const struct net *net, struct hf_view name);
/* The next letter of one pipe, chosen by *rnd (NULL: of the first that has one). False: there is
 * none. */
bool net_deliver(struct net *net, uint64_t *rnd);
void net_walk_blobs(const struct net *net, void (*each)(void *ctx, struct hf_blob *blob),
                    void *ctx);
size_t net_blobs_live(const struct net *net);
/* Of all kernels. */
void net_stats(const struct net *net, struct hf_far_stats *ret);

#endif
