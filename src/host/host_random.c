/* host_random.c - wasi:random: random, insecure, insecure-seed (http-and-poll 1.1). */
#include "host/guest.h"

#define RANDOM_MAX (64u << 20) /* bytes a call may ask for; more is a trap */

static enum hf_err fill(struct hf_call *call, void *buf, size_t len)
{
    struct hf_os *os = hf_guest_services(hf_guest_of(call))->os;
    return os->random(os, buf, len) == HF_OK ? HF_OK : hf_call_trap(call, "wasi:random: the system gave no random bytes");
}

static enum hf_err bytes(struct hf_call *call, uint64_t len, struct hf_value *result)
{
    if (len > RANDOM_MAX)
        return hf_call_trap(call, "wasi:random: %llu bytes asked for, at most %u are given", (unsigned long long)len, RANDOM_MAX);
    uint8_t *buf = hf_call_alloc(call, len > 0 ? (size_t)len : 1);
    if (buf == NULL)
        return hf_call_limit(call, "memory of a call");
    *result = hf_value_bytes(hf_view(buf, (size_t)len));
    return fill(call, buf, (size_t)len);
}

static enum hf_err get_bytes(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    return bytes(call, args[0].u64, result);
}

static enum hf_err get_u64(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)args;
    return fill(call, &result->u64, 8);
}

/* The same for the life of an instance (a reset instance is a new one: service.c draws again). */
static enum hf_err insecure_seed(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    const struct hf_guest *g = hf_guest_of(call);
    struct hf_value *v = hf_call_alloc(call, 2 * sizeof *v);
    (void)args;
    if (v == NULL)
        return hf_call_limit(call, "memory of a call");
    v[0] = hf_value_u64(g->seed[0]);
    v[1] = hf_value_u64(g->seed[1]);
    result->items = v;
    result->len = 2;
    return HF_OK;
}

static const struct hf_binding random_table[] = {{"get-random-bytes", get_bytes}, {"get-random-u64", get_u64}, {NULL, NULL}};
static const struct hf_binding insecure_table[] = {
    {"get-insecure-random-bytes", get_bytes}, {"get-insecure-random-u64", get_u64}, {NULL, NULL}};
static const struct hf_binding seed_table[] = {{"insecure-seed", insecure_seed}, {NULL, NULL}};

enum hf_err hf_host_bind_random(struct hf_registry *reg, struct hf_report *report)
{
    enum hf_err err = hf_registry_bind_all(reg, "wasi:random/random", random_table, report);
    if (err == HF_OK)
        err = hf_registry_bind_all(reg, "wasi:random/insecure", insecure_table, report);
    return err != HF_OK ? err : hf_registry_bind_all(reg, "wasi:random/insecure-seed", seed_table, report);
}
