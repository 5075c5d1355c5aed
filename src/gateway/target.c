/* target.c - authority and path of a request (target.h). */
#include "gateway/target.h"

static bool refuse(struct hf_refusal *why, uint16_t status, const char *text)
{
    *why = (struct hf_refusal){status, text};
    return false;
}

static bool is_digits(struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return false;
    return true;
}

/* RFC 3986 reg-name: unreserved, percent, sub-delims. */
static bool is_name_byte(uint8_t c)
{
    static const bool is_name[256] = {
        ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true,
        ['.'] = true,         ['_'] = true,         ['~'] = true,         ['%'] = true,
        ['!'] = true,         ['$'] = true,         ['&'] = true,         ['\''] = true,
        ['('] = true,         [')'] = true,         ['*'] = true,         ['+'] = true,
        [','] = true,         [';'] = true,         ['='] = true,
    };
    return is_name[c];
}

static bool is_address_byte(uint8_t c) /* inside brackets: IPv6, no zone */
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
}

bool hf_target_is_authority(struct hf_view v)
{
    size_t n = 0;
    if (v.len > 0 && v.ptr[0] == '[') {
        for (n = 1; n < v.len && is_address_byte(v.ptr[n]);)
            n++;
        if (n == 1 || n == v.len || v.ptr[n] != ']')
            return false;
        n++;
    } else {
        while (n < v.len && is_name_byte(v.ptr[n]))
            n++;
        if (n == 0)
            return false;
    }
    if (n == v.len)
        return true;
    return v.ptr[n] == ':' && v.len - n <= 6 && is_digits(hf_view_skip(v, n + 1));
}

static struct hf_view without_query(struct hf_view path)
{
    return hf_view_take(path, hf_view_find(path, '?'));
}

static bool absolute_form(struct hf_view target, struct hf_target *ret, struct hf_refusal *why)
{
    const struct hf_view scheme = HF_VIEW("http://");
    if (!hf_view_eq_nocase(hf_view_take(target, scheme.len), scheme))
        return refuse(why, 400, "a request target that is neither a path nor an http URL");
    struct hf_view rest = hf_view_skip(target, scheme.len);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
        n++;
    ret->authority = hf_view_take(rest, n);
    ret->path = hf_view_skip(rest, n);
    if (!hf_target_is_authority(ret->authority))
        return refuse(why, 400, "a request target whose host is malformed");
    if (ret->path.len == 0)
        ret->path = HF_VIEW("/");
    if (ret->path.ptr[0] != '/')
        return refuse(why, 400, "a request target with a query but no path");
    ret->route = without_query(ret->path);
    return true;
}

bool hf_target_read(struct hf_view method, struct hf_view target, struct hf_view host,
                    struct hf_target *ret, struct hf_refusal *why)
{
    *ret = (struct hf_target){.authority = host};
    if (host.len > 0 && !hf_target_is_authority(host))
        return refuse(why, 400, "a Host that is malformed");
    if (hf_view_eq_text(method, "CONNECT"))
        return refuse(why, 501, "CONNECT is not offered here");
    if (target.len > 0 && target.ptr[0] == '/') {
        ret->path = target;
        ret->route = without_query(target);
        return true;
    }
    if (hf_view_eq_text(target, "*")) {
        if (!hf_view_eq_text(method, "OPTIONS"))
            return refuse(why, 400, "the target * without OPTIONS");
        ret->path = target;
        ret->route = HF_VIEW("/");
        return true;
    }
    return absolute_form(target, ret, why);
}
