/* route.c - the route table (route.h).
 *
 * One array in order of precedence; the first rule that fits wins. A worker has few routes and
 * looks once a request, so order is worth more than a clever index; ROUTES_MAX keeps the walk
 * short.
 */
#include "gateway/route.h"

#include <stdlib.h>

#include "base/vec.h"

#define ROUTES_MAX 4096u

enum host_kind { HOST_EXACT, HOST_SUFFIX, HOST_ANY };

struct rule {
    enum host_kind kind;
    struct hf_view host; /* lower case; SUFFIX: with its leading dot */
    struct hf_view prefix, method;
    struct hf_route_target target;
    char *text; /* owns the bytes of all of them */
};
struct hf_route_table {
    struct rule *ptr;
    size_t len, cap;
};

enum hf_err hf_route_table_new(struct hf_route_table **ret)
{
    *ret = calloc(1, sizeof **ret);
    return *ret == NULL ? HF_LIMIT : HF_OK;
}

void hf_route_table_free(struct hf_route_table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->len; i++)
        free(t->ptr[i].text);
    HF_VEC_DONE(t);
    free(t);
}

static struct hf_view put(char **at, struct hf_view v)
{
    struct hf_view ret = hf_view(*at, v.len);
    if (v.len > 0)
        memcpy(*at, v.ptr, v.len);
    *at += v.len;
    return ret;
}

static bool rule_init(struct rule *r, struct hf_view host, struct hf_view prefix,
                      struct hf_view method, const struct hf_route_target *target)
{
    *r = (struct rule){.kind = host.len == 0 ? HOST_ANY : HOST_EXACT};
    if (hf_view_starts(host, HF_VIEW("*."))) {
        r->kind = HOST_SUFFIX;
        host = hf_view_skip(host, 1);
    }
    r->text = malloc(host.len + prefix.len + method.len + target->service.len + 1);
    if (r->text == NULL)
        return false;
    for (size_t i = 0; i < host.len; i++)
        r->text[i] =
            (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] | 0x20 : host.ptr[i]);
    r->host = hf_view(r->text, host.len);
    char *at = r->text + host.len;
    r->prefix = put(&at, prefix);
    r->method = put(&at, method);
    r->target = (struct hf_route_target){put(&at, target->service), target->body_max};
    return true;
}

/* Below 0: a goes before b. Longer suffixes before shorter ones, for the same reason as with
 * prefixes. */
static int rule_cmp(const struct rule *a, const struct rule *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == HOST_SUFFIX && a->host.len != b->host.len)
        return a->host.len > b->host.len ? -1 : 1;
    if (a->prefix.len != b->prefix.len)
        return a->prefix.len > b->prefix.len ? -1 : 1;
    return (int)(a->method.len == 0) - (int)(b->method.len == 0);
}

enum hf_err hf_route_add(struct hf_route_table *t, struct hf_view host, struct hf_view prefix,
                         struct hf_view method, const struct hf_route_target *target,
                         struct hf_report *report)
{
    if (prefix.len == 0 || prefix.ptr[0] != '/')
        return hf_report_set(report, HF_INVALID, "route \"%.*s\": a path prefix starts with /",
                             HF_FMT(prefix));
    if (target->service.len == 0)
        return hf_report_set(report, HF_INVALID, "route \"%.*s\" leads nowhere: name a service",
                             HF_FMT(prefix));
    struct hf_view plain = hf_view_starts(host, HF_VIEW("*.")) ? hf_view_skip(host, 2) : host;
    if (hf_view_find(plain, '*') < plain.len)
        return hf_report_set(
            report, HF_INVALID,
            "route host \"%.*s\": * only stands alone at the front, as in *.example.org",
            HF_FMT(host));
    if (t->len >= ROUTES_MAX)
        return hf_report_set(report, HF_LIMIT, "more than %u routes", ROUTES_MAX);
    struct rule r;
    if (!HF_VEC_RESERVE(t, 1) || !rule_init(&r, host, prefix, method, target))
        return hf_report_set(report, HF_LIMIT, "no memory for a route");
    size_t at = t->len;
    while (at > 0 && rule_cmp(&r, &t->ptr[at - 1]) < 0)
        at--;
    memmove(&t->ptr[at + 1], &t->ptr[at], (t->len - at) * sizeof r);
    t->ptr[at] = r;
    t->len++;
    return HF_OK;
}

/* host[:port] or [address][:port] without the port and without the root's dot. */
static struct hf_view bare_host(struct hf_view host)
{
    size_t start = host.len > 0 && host.ptr[0] == '[' ? hf_view_find(host, ']') : 0;
    if (start < host.len)
        host.len = start + hf_view_find(hf_view_skip(host, start), ':');
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

static bool host_fits(const struct rule *r, struct hf_view host)
{
    switch (r->kind) {
    case HOST_EXACT: return hf_view_eq_nocase(r->host, host);
    case HOST_SUFFIX:
        return host.len > r->host.len &&
               hf_view_eq_nocase(r->host, hf_view_skip(host, host.len - r->host.len));
    default: return true;
    }
}

/* "/api" fits "/api" and "/api/x", not "/apix"; "/api/" fits only what is below. */
static bool prefix_fits(struct hf_view prefix, struct hf_view path)
{
    return hf_view_starts(path, prefix) &&
           (path.len == prefix.len || prefix.ptr[prefix.len - 1] == '/' ||
            path.ptr[prefix.len] == '/');
}

bool hf_route_find(const struct hf_route_table *t, struct hf_view host, struct hf_view path,
                   struct hf_view method, struct hf_route_target *target)
{
    host = bare_host(host);
    for (size_t i = 0; i < t->len; i++) {
        const struct rule *r = &t->ptr[i];
        if (host_fits(r, host) && prefix_fits(r->prefix, path) &&
            (r->method.len == 0 || hf_view_eq(r->method, method))) {
            *target = r->target;
            return true;
        }
    }
    return false;
}
