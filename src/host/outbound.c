/* outbound.c - see outbound.h. */
#include "host/outbound.h"

#include <stdlib.h>

#define TEXT_MAX 320u

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

/* Behind the brackets of an IPv6 address or range, or anywhere else. */
static bool has_port(const char *text)
{
    const char *end = strrchr(text, ']');
    return strchr(end == NULL ? text : end, ':') != NULL;
}

static enum hf_err translate(const char *text, struct hf_buf *texts, size_t *n,
                             struct hf_report *report)
{
    static const char *const ports[] = {":80", ":443"};
    enum hf_err err = HF_OK;
    size_t len = strlen(text);
    if (len == 0 || len > TEXT_MAX || strchr(text, ' ') != NULL || strchr(text, '=') != NULL)
        return hf_report_set(report, HF_INVALID, "\"%.80s\" is no HOST[:PORT] to allow", text);
    bool port = has_port(text);
    for (size_t i = 0; i < (port ? 1 : HF_ARRAY_LEN(ports)) && err == HF_OK; i++) {
        err = hf_buf_printf(texts, "connect:tcp:%s%s", text, port ? "" : ports[i]);
        if (err == HF_OK)
            err = hf_buf_add_byte(texts, '\0');
        ++*n;
    }
    return err == HF_OK ? err : hf_report_set(report, HF_LIMIT, "out of memory");
}

enum hf_err hf_outbound_rules(const char *const *outbound, const char *const *net,
                              struct hf_net_rules **ret, struct hf_report *report)
{
    struct hf_buf texts = {0};
    size_t n = 0, n_net = count(net);
    const char **all = NULL;
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < count(outbound) && err == HF_OK; i++)
        err = translate(outbound[i], &texts, &n, report);
    if (err == HF_OK && (all = calloc(n + n_net + 1, sizeof *all)) == NULL)
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    if (err == HF_OK) {
        const char *at = (const char *)texts.ptr;
        for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
            all[i] = at;
        for (size_t i = 0; i < n_net; i++)
            all[n + i] = net[i];
        err = hf_net_rules_new(all, ret, report);
    }
    free(all);
    hf_buf_done(&texts);
    return err;
}
