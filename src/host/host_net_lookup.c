/* host_net_lookup.c - wasi:sockets/ip-name-lookup: names to addresses, as far as the rules let the
 * guest ask and know (net_rules.h). What it is shown is remembered: a rule for the name grants it.
 */
#include "host/net_int.h"

#include <stdlib.h>

#define MS 1000000ull

struct lookup {
    struct hf_obj obj;
    struct hf_resolve *q;
    bool literal, shown; /* shown: one address was given at least */
    char name[HF_NET_NAME_MAX];
};

static void lookup_destroy(struct hf_obj *obj)
{
    hf_resolve_free(HF_CONTAINER_OF(obj, struct lookup, obj)->q);
}

static enum hf_net_code begin(struct hf_guest *g, struct lookup *l, const struct hf_ip *literal,
                              enum hf_err *err)
{
    const struct hf_net_rules *rules = hf_guest_net_rules(g);
    if (literal != NULL) {
        *err = hf_resolve_literal(hf_guest_resolver(g), literal, &l->q);
        return NET_OUT_OF_MEMORY;
    }
    *err = hf_resolve_new(hf_guest_resolver(g), hf_turn_kernel(g->turn), l->name,
                          hf_turn_now(g->turn), hf_net_rules_limits(rules)->lookup_ms * MS, &l->q);
    return NET_TEMPORARY_RESOLVER_FAILURE; /* too many at once: later */
}

static enum hf_err resolve_addresses(struct hf_call *call, const struct hf_value *args,
                                     struct hf_value *result)
{
    struct hf_guest *g = hf_guest_of(call);
    const struct hf_net_rules *rules = hf_guest_net_rules(g);
    struct hf_view text = hf_value_view(&args[1]);
    struct hf_ip ip;
    char name[HF_NET_NAME_MAX];
    bool any = hf_net_rules_any(rules, HF_NET_TCP) || hf_net_rules_any(rules, HF_NET_UDP);
    bool literal = hf_ip_parse(text, &ip);
    if (!literal && !hf_net_name(text, name))
        return hf_net_fail(call, NET_INVALID_ARGUMENT, result);
    if (literal ? !any : !hf_net_rules_lookup(rules, name))
        return hf_net_fail(call, NET_ACCESS_DENIED, result);
    if (literal && hf_ip_is_mapped(&ip))
        return hf_net_fail(call, NET_INVALID_ARGUMENT, result);
    struct lookup *l = hf_obj_new(g, sizeof *l, "resolve-address-stream", NULL, lookup_destroy);
    if (l == NULL)
        return hf_call_limit(call, "host memory for resources");
    l->literal = literal;
    if (!literal)
        memcpy(l->name, name, sizeof name);
    enum hf_err err;
    enum hf_net_code code = begin(g, l, literal ? &ip : NULL, &err);
    if (err != HF_OK) {
        hf_obj_release(&l->obj);
        return hf_net_fail(call, code, result);
    }
    return hf_net_ok_value(call, hf_value_obj(l), result);
}

static enum hf_err resolve_next(struct hf_call *call, const struct hf_value *args,
                                struct hf_value *result)
{
    struct lookup *l = args[0].obj;
    struct hf_guest *g = hf_guest_of(call);
    const struct hf_net_rules *rules = hf_guest_net_rules(g);
    struct hf_guest_net *mine = hf_guest_net(g);
    struct hf_ip ip;
    enum hf_net_err err;
    do
        err = hf_resolve_next(l->q, &ip);
    while (err == HF_NET_OK && !l->literal && !hf_net_rules_show(rules, l->name, &ip));
    if (err == HF_NET_CLOSED && l->shown)
        return hf_net_ok_value(call, hf_value_case(0, NULL), result);
    if (err == HF_NET_CLOSED) /* all there is is not for it */
        return hf_net_fail(call, NET_NAME_UNRESOLVABLE, result);
    if (err != HF_NET_OK)
        return hf_net_fail(call, hf_net_code(err), result);
    if (mine == NULL)
        return hf_net_fail(call, NET_OUT_OF_MEMORY, result);
    if (!l->literal)
        hf_net_rules_learn(rules, l->name, &ip, &mine->known);
    l->shown = true;
    struct hf_value *address = hf_call_alloc(call, sizeof *address);
    if (address == NULL || !hf_net_write_ip(call, &ip, address))
        return hf_call_limit(call, "memory of a call");
    return hf_net_ok_value(call, hf_value_case(1, address), result);
}

static enum hf_err subscribe(struct hf_call *call, const struct hf_value *args,
                             struct hf_value *result)
{
    struct lookup *l = args[0].obj;
    result->obj = hf_pollable_new(call, hf_resolve_wait(l->q), &l->obj);
    return result->obj == NULL ? HF_TRAP : HF_OK;
}

static const struct hf_host_resource lookup_ops = {"resolve-address-stream", hf_obj_drop};

enum hf_err hf_host_bind_lookup(struct hf_registry *reg, struct hf_report *report)
{
    static const char *const iface = "wasi:sockets/ip-name-lookup";
    static const struct hf_binding table[] = {
        {"resolve-addresses", resolve_addresses},
        {"[method]resolve-address-stream.resolve-next-address", resolve_next},
        {"[method]resolve-address-stream.subscribe", subscribe},
        {NULL, NULL},
    };
    enum hf_err err =
        hf_registry_bind_resource(reg, iface, "resolve-address-stream", &lookup_ops, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, iface, table, report);
}
