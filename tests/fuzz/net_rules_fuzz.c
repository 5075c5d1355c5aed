/* net_rules_fuzz.c - any text as network rules, one a line: what is refused has a column within the
 * text; what is read is asked about an address and a name of the input, and never grants a special
 * address to a name alone.
 *
 * rooms: base
 * files: src/host/net_rules.c src/host/net_rules_read.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "host/net_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static void ask(const struct hf_net_rules *rules, const uint8_t *data, size_t size,
                const char *last)
{
    struct hf_net_known known = {0};
    struct hf_endpoint e = {.port = 80};
    char name[HF_NET_NAME_MAX];
    e.ip.family = size % 2 == 0 ? HF_IPV4 : HF_IPV6;
    memcpy(e.ip.bytes, data,
           size < (e.ip.family == HF_IPV4 ? 4u : 16u) ? size
           : e.ip.family == HF_IPV4                   ? 4u
                                                      : 16u);
    bool by_range = hf_net_rules_connect(rules, NULL, HF_NET_TCP, &e);
    MUST(!by_range || hf_net_rules_any(rules, HF_NET_TCP));
    MUST(!hf_net_rules_listen(rules, HF_NET_UDP, &e) || hf_net_rules_any(rules, HF_NET_UDP));
    if (!hf_net_name(hf_view_of(last), name))
        return;
    MUST(strlen(name) < HF_NET_NAME_MAX && strlen(name) <= strlen(last));
    hf_net_rules_learn(rules, name, &e.ip, &known);
    bool named = hf_net_rules_connect(rules, &known, HF_NET_TCP, &e);
    MUST(named || !by_range);
    MUST(!named || by_range || (!hf_ip_is_special(&e.ip) && hf_net_rules_lookup(rules, name)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *texts[17] = {NULL};
    struct hf_report report = {0};
    struct hf_net_rules *rules = NULL;
    size_t n = 0, column;
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    copy[size] = 0;
    for (char *at = copy; at != NULL && n < 16; n++) {
        texts[n] = at;
        at = strchr(at, '\n');
        if (at != NULL)
            *at++ = 0;
    }
    enum hf_err err = hf_net_rules_new(texts, &rules, &report);
    if (err == HF_OK) {
        ask(rules, data, size, texts[n - 1]);
        hf_net_rules_free(rules);
    } else {
        const char *at = NULL; /* the last: the rule itself may have such words */
        for (const char *it = report.text; (it = strstr(it, "\": column ")) != NULL; it++)
            at = it;
        MUST(err == HF_INVALID && strncmp(report.text, "network rule \"", 14) == 0);
        MUST(at != NULL && sscanf(at, "\": column %zu", &column) == 1 && column >= 1 &&
             column <= size + 1);
    }
    free(copy);
    return 0;
}
