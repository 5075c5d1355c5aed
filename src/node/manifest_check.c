/* manifest_check.c - what a manifest's strings must be: addresses, names, routes, rules. */
#include "node/manifest_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/ip.h"
#include "host/net_rules.h"
#include "host/outbound.h"
#include "kernel/name.h"

static bool port(struct hf_view v)
{
    unsigned long n = 0;
    if (v.len == 0 || v.len > 5)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (!isdigit(v.ptr[i]))
            return false;
        n = n * 10 + (v.ptr[i] - '0');
    }
    return n <= 65535;
}

/* "127.0.0.1:80", "[::1]:80", "localhost:80". */
static bool address(struct hf_view v, struct hf_ip *ip)
{
    size_t colon = v.len;
    while (colon > 0 && v.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || !port(hf_view_skip(v, colon)))
        return false;
    struct hf_view host = hf_view_take(v, colon - 1);
    if (hf_view_eq_text(host, "localhost"))
        host = HF_VIEW("127.0.0.1");
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return hf_ip_parse(hf_view(host.ptr + 1, host.len - 2), ip) && ip->family == HF_IPV6;
    return hf_ip_parse(host, ip) && ip->family == HF_IPV4;
}

bool hf_check_address(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    struct hf_ip ip;
    if (address(hf_view_of(text), &ip))
        return true;
    if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
        hf_mistake_of(r, k, n->value.at, "is a URL, \"%s\"; it must be %s", text, k->like);
    else if (strchr(text, ':') == NULL)
        hf_mistake_of(r, k, n->value.at, "is \"%s\", which has no port; it must be %s", text, k->like);
    else
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; it must be %s", text, k->like);
    return false;
}

bool hf_check_loopback(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    struct hf_ip ip = {0};
    if (!hf_check_address(r, k, n, text))
        return false;
    if (address(hf_view_of(text), &ip) && hf_ip_is_loopback(&ip))
        return true;
    hf_mistake_of(r, k, n->value.at, "is \"%s\"; the admin door listens on loopback addresses only", text);
    return false;
}

bool hf_check_socket(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    if (strlen(text) < sizeof((struct sockaddr_un *)NULL)->sun_path)
        return true;
    hf_mistake_of(r, k, n->value.at, "is %zu bytes long with the manifest's folder; a socket's path has %zu at most", strlen(text),
                  sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return false;
}

bool hf_is_token(const char *text)
{
    size_t len = strlen(text);
    for (const char *p = text; *p != 0; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return len >= 16 && len <= 512;
}

bool hf_check_token(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    if (hf_is_token(text))
        return true;
    hf_mistake_of(r, k, n->value.at, "has a space or a character that is not ASCII; it must be %s", k->like); /* and is not shown */
    return false;
}

static bool name_of_variable(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return false;
    for (const char *p = text; *p != 0; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return true;
}

bool hf_check_variable(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    if (!name_of_variable(text)) {
        hf_mistake_of(r, k, n->value.at, "is \"%s\", no %s", text, k->like + 4);
        return false;
    }
    if (getenv(text) == NULL) {
        hf_mistake_of(r, k, n->value.at, "is \"%s\", which is not set in the environment of this process", text);
        return false;
    }
    return true;
}

bool hf_check_sha256(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    if (text[strspn(text, "0123456789abcdefABCDEF")] == 0)
        return true;
    hf_mistake_of(r, k, n->value.at, "is \"%s\"; it must be %s", text, k->like);
    return false;
}

bool hf_check_host(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    char name[HF_NET_NAME_MAX];
    struct hf_ip ip;
    struct hf_view v = hf_view_of(text), plain = hf_view_starts(v, HF_VIEW("*.")) ? hf_view_skip(v, 2) : v;
    struct hf_view inner = v.len > 2 && v.ptr[0] == '[' && v.ptr[v.len - 1] == ']' ? hf_view(v.ptr + 1, v.len - 2) : v;
    const char *slashes = strstr(text, "://");
    bool is_ip = hf_ip_parse(inner, &ip);
    if (is_ip ? ip.family == HF_IPV4 || inner.ptr != v.ptr : hf_net_name(plain, name))
        return true;
    if (is_ip)
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; an IPv6 address stands in brackets: \"[%s]\"", text, text);
    else if (slashes != NULL)
        hf_mistake_of(r, k, n->value.at, "is a URL, \"%s\"; it must be %s", text, k->like);
    else if (strchr(text, ':') != NULL)
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; a route's host has no port", text);
    else if (strchr(text, '*') != NULL)
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; * only stands alone at the front, as in \"*.example.org\"", text);
    else
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; it must be %s", text, k->like);
    return false;
}

bool hf_check_route_path(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    const char *what = NULL;
    if (text[0] != '/')
        what = "does not start with /";
    else if (strpbrk(text, "?#") != NULL)
        what = "has a query or a fragment";
    else if (strchr(text, '*') != NULL)
        what = "has a *: a path is a prefix already";
    for (const char *p = text; *p != 0 && what == NULL; p++)
        if (*p <= ' ' || *p > '~')
            what = "has a character that a request cannot have: write it as %XX";
    if (what == NULL)
        return true;
    hf_mistake_of(r, k, n->value.at, "is \"%s\", which %s; it must be a path like \"/api\"", text, what);
    return false;
}

bool hf_check_method(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    char upper[33];
    size_t i = 0;
    bool ok = true;
    for (; text[i] != 0 && i < sizeof upper - 1; i++) {
        ok = ok && ((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '-');
        upper[i] = (char)toupper((unsigned char)text[i]);
    }
    upper[i] = 0;
    if (ok)
        return true;
    if (upper[strspn(upper, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] == 0)
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; methods are in capitals: write \"%s\"", text, upper);
    else
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; it must be one method like \"GET\"", text);
    return false;
}

bool hf_is_label(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!isalnum(v.ptr[i]) && (i == 0 || strchr("-_.", v.ptr[i]) == NULL))
            return false;
    return v.len > 0 && v.len <= 64;
}

bool hf_check_tenant(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    if (hf_is_label(hf_view_of(text)))
        return true;
    hf_mistake_of(r, k, n->value.at, "is \"%s\"; it must be %s, a letter or digit first", text, k->like);
    return false;
}

bool hf_check_name_pattern(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    struct hf_report why;
    hf_report_init(&why);
    if (hf_name_check_pattern(hf_view_of(text), &why) == HF_OK)
        return true;
    hf_mistake_of(r, k, n->value.at, "has \"%.40s\": %s", text, why.text);
    return false;
}

bool hf_check_bucket(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    size_t len = strlen(text);
    bool mode = len >= 3 && (strcmp(text + len - 3, ":ro") == 0 || strcmp(text + len - 3, ":rw") == 0);
    len -= mode ? 3 : 0;
    if (len == 0 || len > 255) {
        hf_mistake_of(r, k, n->value.at, "has \"%.40s\"; a bucket's name has 1 to 255 bytes", text);
        return false;
    }
    if (!mode && strrchr(text, ':') != NULL && strlen(strrchr(text, ':')) <= 3) {
        hf_mistake_of(r, k, n->value.at, "has \"%.40s\"; behind a name stands \":ro\", \":rw\" or nothing", text);
        return false;
    }
    return true;
}

/* The rules' own reader knows what is wrong and where in the text. */
static bool rule(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text, bool outbound)
{
    const char *const one[] = {text, NULL};
    struct hf_net_rules *rules = NULL;
    struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = outbound ? hf_outbound_rules(one, NULL, &rules, &report) : hf_net_rules_new(one, &rules, &report);
    hf_net_rules_free(rules);
    if (err == HF_INVALID && outbound) /* which are read as other rules: the words would be about those */
        hf_mistake_of(r, k, n->value.at, "has \"%.80s\"; it must be HOST, HOST:PORT or a range like \"10.0.0.0/8:443\"%s", text,
                      strstr(text, "://") != NULL ? ", no URL" : strchr(text, '*') == text ? "; there are no names with a *" : "");
    else if (err == HF_INVALID)
        hf_mistake_of(r, k, n->value.at, "is wrong: %s", report.text);
    else if (err != HF_OK)
        r->no_memory = true;
    return err == HF_OK;
}

bool hf_check_net(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    return rule(r, k, n, text, false);
}

bool hf_check_outbound(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
{
    return rule(r, k, n, text, true);
}
