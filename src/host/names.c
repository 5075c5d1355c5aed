/* names.c - see names.h. A name that nobody refers to holds no look-up: what is left of it is
 * addresses and a time, so that nothing of the kernel's is kept past it.
 */
#include "host/names.h"

#include <stdlib.h>

#include "base/map.h"

struct hf_names {
    struct hf_resolver *resolver;
    struct hf_os *os; /* its clock */
    struct hf_map map; /* of hf_name, by text */
    struct hf_list all;
};

static void name_free(struct hf_name *name)
{
    hf_map_remove(&name->names->map, hf_view_of(name->text));
    hf_list_remove(&name->in_names);
    hf_wait_done(&name->ready);
    free(name);
}

/* What was found; then the look-up only waits to be freed, which may not be here (it wakes us). */
static void on_wake(struct hf_waitset *set)
{
    struct hf_name *name = HF_CONTAINER_OF(set, struct hf_name, set);
    struct hf_ip ip;
    enum hf_net_err err;
    while ((err = hf_resolve_next(name->q, &ip)) == HF_NET_OK)
        if (name->n < HF_NAMES_IPS_MAX)
            name->ips[name->n++] = ip;
    if (err == HF_NET_AGAIN) {
        hf_waitset_park(&name->set, false);
        return;
    }
    name->err = err != HF_NET_CLOSED ? err : name->n == 0 ? HF_NET_NO_NAME : HF_NET_OK;
    if (name->until_ns != 0) /* else it is out of the map already */
        name->until_ns = name->names->os->now_ns(name->names->os) + HF_NAMES_TTL_NS;
    hf_wait_fire(&name->ready);
}

enum hf_err hf_names_new(struct hf_resolver *r, struct hf_os *os, struct hf_names **ret)
{
    struct hf_names *n = calloc(1, sizeof *n);
    if (n == NULL)
        return HF_LIMIT;
    n->resolver = r;
    n->os = os;
    hf_map_init(&n->map, HF_NAMES_MAX);
    hf_list_init(&n->all);
    *ret = n;
    return HF_OK;
}

void hf_names_free(struct hf_names *n)
{
    if (n == NULL)
        return;
    while (!hf_list_empty(&n->all)) {
        struct hf_name *name = HF_LIST_ENTRY(n->all.next, struct hf_name, in_names);
        HF_ASSERT(name->refs == 0);
        name_free(name);
    }
    hf_map_done(&n->map);
    hf_resolver_free(n->resolver);
    free(n);
}

/* Those whose time is over, and the oldest when there are too many. */
static void expire(struct hf_names *n, uint64_t now_ns)
{
    HF_LIST_FOR_SAFE (it, &n->all) {
        struct hf_name *name = HF_LIST_ENTRY(it, struct hf_name, in_names);
        bool over = name->until_ns <= now_ns;
        if (!over && n->map.len < HF_NAMES_MAX)
            break;
        if (name->refs == 0)
            name_free(name);
    }
}

static enum hf_err look_up(struct hf_names *n, struct hf_kernel *k, const char *text,
                           uint64_t now_ns, uint64_t timeout_ns, struct hf_name **ret)
{
    size_t len = strlen(text);
    struct hf_name *name = calloc(1, sizeof *name);
    if (name == NULL)
        return HF_LIMIT;
    HF_ASSERT(len < sizeof name->text);
    memcpy(name->text, text, len + 1);
    enum hf_err err = hf_resolve_new(n->resolver, k, text, now_ns, timeout_ns, &name->q);
    if (err == HF_OK)
        err = hf_map_put(&n->map, hf_view_of(name->text), name, NULL);
    if (err != HF_OK) {
        hf_resolve_free(name->q);
        free(name);
        return err;
    }
    name->names = n;
    name->refs = 1;
    name->until_ns = now_ns + timeout_ns + HF_NAMES_TTL_NS;
    hf_list_push_back(&n->all, &name->in_names);
    hf_wait_init(&name->ready, false);
    hf_waitset_init(&name->set, on_wake);
    hf_waiter_arm(&name->waiter, hf_resolve_wait(name->q), &name->set);
    if (!hf_waitset_park(&name->set, false))
        on_wake(&name->set);
    *ret = name;
    return HF_OK;
}

enum hf_err hf_names_ask(struct hf_names *n, struct hf_kernel *k, const char *text, uint64_t now_ns,
                         uint64_t timeout_ns, struct hf_name **ret)
{
    expire(n, now_ns);
    struct hf_name *name = hf_map_get(&n->map, hf_view_of(text));
    if (name != NULL && name->until_ns > now_ns) {
        name->refs++;
        *ret = name;
        return HF_OK;
    }
    if (name != NULL) { /* too old, and still in somebody's hand: he keeps it, under no name */
        hf_map_remove(&n->map, hf_view_of(name->text));
        name->until_ns = 0;
        name->text[0] = '\0';
    }
    return look_up(n, k, text, now_ns, timeout_ns, ret);
}

void hf_name_unref(struct hf_name *name)
{
    if (name == NULL || --name->refs > 0)
        return;
    hf_waiter_disarm(&name->waiter);
    hf_waitset_unpark(&name->set);
    hf_resolve_free(name->q);
    name->q = NULL;
    /* Nothing found is not kept: the next one may find it. */
    if (!name->ready.ready || name->err != HF_NET_OK || name->until_ns == 0)
        name_free(name);
}
