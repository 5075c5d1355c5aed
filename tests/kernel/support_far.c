/* support_far.c - see support_far.h. */
#include "support_far.h"

struct net_letter {
    struct hf_list in_pipe;
    struct hf_far_letter letter;
};

static struct net_letter *of(struct hf_far_letter *l)
{
    return HF_CONTAINER_OF(l, struct net_letter, letter);
}

uint32_t net_place(const struct net *net, struct hf_view name)
{
    if (net->place != NULL)
        return net->place(name, net->n);
    return hf_name_shard(hf_name_group_of(name, (struct hf_view){0}), HF_SHARDS) % net->n;
}

static uint32_t on_place(void *ctx, struct hf_view name)
{
    const struct net_place *p = ctx;
    return net_place(p->net, name);
}

static struct hf_far_letter *on_make(void *ctx)
{
    struct net *net = ((const struct net_place *)ctx)->net;
    if (net->fail_at > 0 && --net->fail_at == 0)
        return NULL;
    struct net_letter *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    net->live++;
    return &n->letter;
}

static void on_drop(void *ctx, struct hf_far_letter *l)
{
    ((const struct net_place *)ctx)->net->live--;
    free(of(l));
}

static const struct hf_far_ops ops;

static void on_send(void *ctx, uint32_t to, struct hf_far_letter *l)
{
    const struct net_place *p = ctx;
    struct net *net = p->net;
    assert_true(to < net->n && to != p->here);
    assert_int_equal(l->from, p->here);
    net->crossed++;
    if (net->ks[to] == NULL) {
        hf_far_letter_drop(l, &ops, ctx);
        return;
    }
    hf_list_push_back(&net->pipes[p->here][to], &of(l)->in_pipe);
    net->waiting++;
}

static const struct hf_far_ops ops = {on_place, on_make, on_drop, on_send};

void net_open(struct net *net, uint32_t n, const struct hf_kernel_settings *ks)
{
    uint32_t (*place)(struct hf_view, uint32_t) = net->place;
    assert_true(n <= NET_MAX);
    *net = (struct net){.n = n, .place = place};
    for (uint32_t i = 0; i < NET_MAX; i++)
        for (uint32_t j = 0; j < NET_MAX; j++)
            hf_list_init(&net->pipes[i][j]);
    for (uint32_t i = 0; i < n; i++) {
        struct hf_kernel_settings s = *ks;
        s.id_base = ks->id_base + ((uint64_t)i << 48) + (i > 0);
        net->places[i] = (struct net_place){net, i};
        assert_int_equal(hf_kernel_new(&s, &net->ks[i]), HF_OK);
        if (n > 1)
            hf_kernel_set_far(net->ks[i], i, &ops, &net->places[i]);
    }
}

void net_close(struct net *net)
{
    for (uint32_t i = 0; i < net->n; i++) {
        struct hf_kernel *k = net->ks[i];
        hf_kernel_free(k);
        net->ks[i] = NULL;
    }
    for (uint32_t i = 0; i < net->n; i++)
        for (uint32_t j = 0; j < net->n; j++)
            for (struct hf_list *at; (at = hf_list_pop_front(&net->pipes[i][j])) != NULL;)
                hf_far_letter_drop(&HF_LIST_ENTRY(at, struct net_letter, in_pipe)->letter, &ops,
                                   &net->places[i]);
    assert_int_equal(net->live, 0);
}

struct hf_kernel *net_home(const struct net *net, struct hf_view name)
{
    return net->ks[net->n == 1 ? 0 : net_place(net, name)];
}

bool net_deliver(struct net *net, uint64_t *rnd_state)
{
    uint64_t skip = 0, at = 0;
    uint32_t full = 0;
    for (uint32_t i = 0; i < net->n * net->n; i++)
        full += !hf_list_empty(&net->pipes[i / net->n][i % net->n]);
    if (full == 0)
        return false;
    if (rnd_state != NULL)
        skip = rnd(rnd_state) % full;
    for (uint32_t i = 0; i < net->n * net->n; i++) {
        struct hf_list *pipe = &net->pipes[i / net->n][i % net->n];
        if (hf_list_empty(pipe) || at++ != skip)
            continue;
        struct net_letter *l = HF_LIST_ENTRY(hf_list_pop_front(pipe), struct net_letter, in_pipe);
        net->waiting--;
        hf_far_arrive(net->ks[i % net->n], &l->letter);
        return true;
    }
    return false;
}

void net_walk_blobs(const struct net *net, void (*each)(void *ctx, struct hf_blob *blob), void *ctx)
{
    for (uint32_t i = 0; i < net->n; i++) {
        hf_kernel_walk_blobs(net->ks[i], each, ctx);
        for (uint32_t j = 0; j < net->n; j++)
            HF_LIST_FOR (at, &net->pipes[i][j]) {
                struct hf_blob *b = HF_LIST_ENTRY(at, struct net_letter, in_pipe)->letter.blob;
                if (b != NULL)
                    each(ctx, b);
            }
    }
}

size_t net_blobs_live(const struct net *net)
{
    size_t live = 0;
    for (uint32_t i = 0; i < net->n; i++)
        live += hf_blob_pool_live(hf_kernel_blobs(net->ks[i]));
    return live;
}

void net_stats(const struct net *net, struct hf_far_stats *ret)
{
    *ret = (struct hf_far_stats){0};
    for (uint32_t i = 0; i < net->n; i++) {
        struct hf_far_stats one;
        hf_far_get_stats(net->ks[i], &one);
        for (size_t k = 0; k < HF_ARRAY_LEN(ret->sent); k++) {
            ret->sent[k] += one.sent[k];
            ret->arrived[k] += one.arrived[k];
        }
        ret->guests += one.guests;
    }
}
