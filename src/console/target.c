/* target.c - see target.h. Decoding never makes text longer, so one buffer of the target's length
 * holds all. */
#include "console/target.h"

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends `in` without its escapes; a plus is a plus. False: an escape that is none. */
static bool decode(struct hf_buf *to, struct hf_view in, struct hf_view *ret)
{
    size_t start = to->len;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        if (c == '%') {
            int high = i + 2 < in.len ? hex(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex(in.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        to->ptr[to->len++] = c; /* reserved */
    }
    *ret = hf_view(to->ptr + start, to->len - start);
    return true;
}

static struct hf_view cut(struct hf_view *rest, uint8_t at)
{
    size_t n = hf_view_find(*rest, at);
    struct hf_view first = hf_view_take(*rest, n);
    *rest = hf_view_skip(*rest, n == rest->len ? n : n + 1);
    return first;
}

static enum hf_err read_path(struct hf_admin_target *t, struct hf_view path, const char **why)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        *why = "a path begins with /";
        return HF_INVALID;
    }
    for (bool more = true; more;) {
        path = hf_view_skip(path, 1);
        size_t n = hf_view_find(path, '/');
        more = n < path.len;
        if (t->n_segments == HF_TARGET_SEGMENTS) {
            *why = "no such path";
            return HF_INVALID;
        }
        if (!decode(&t->bytes, hf_view_take(path, n), &t->segment[t->n_segments++])) {
            *why = "a % in the path is not followed by two hexadecimal digits";
            return HF_INVALID;
        }
        path = hf_view_skip(path, n);
    }
    return HF_OK;
}

static enum hf_err read_query(struct hf_admin_target *t, struct hf_view query, const char **why)
{
    while (query.len > 0) {
        struct hf_view value = cut(&query, '&'), name = cut(&value, '=');
        if (name.len == 0 && value.len == 0)
            continue;
        if (t->n_queries == HF_TARGET_QUERIES) {
            *why = "too many values in the query";
            return HF_INVALID;
        }
        if (!decode(&t->bytes, name, &t->name[t->n_queries]) ||
            !decode(&t->bytes, value, &t->value[t->n_queries])) {
            *why = "a % in the query is not followed by two hexadecimal digits";
            return HF_INVALID;
        }
        t->n_queries++;
    }
    return HF_OK;
}

enum hf_err hf_admin_target_read(struct hf_view target, struct hf_admin_target *t, const char **why)
{
    t->n_segments = t->n_queries = 0;
    hf_buf_clear(&t->bytes);
    if (hf_buf_reserve(&t->bytes, target.len + 1) != HF_OK) {
        *why = "out of memory";
        return HF_LIMIT;
    }
    struct hf_view query = target, path = cut(&query, '?');
    enum hf_err err = read_path(t, path, why);
    return err == HF_OK ? read_query(t, query, why) : err;
}

void hf_admin_target_done(struct hf_admin_target *t)
{
    hf_buf_done(&t->bytes);
    t->n_segments = t->n_queries = 0;
}

bool hf_admin_target_query(const struct hf_admin_target *t, const char *name, struct hf_view *ret)
{
    for (uint32_t i = 0; i < t->n_queries; i++)
        if (hf_view_eq_text(t->name[i], name)) {
            *ret = t->value[i];
            return true;
        }
    return false;
}

bool hf_admin_number(struct hf_view text, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(text.ptr[i] - '0'), &n))
            return false;
    }
    *ret = n;
    return n <= max;
}

bool hf_admin_target_number(const struct hf_admin_target *t, const char *name, uint64_t standard,
                            uint64_t max, uint64_t *ret)
{
    struct hf_view text;
    *ret = standard;
    return !hf_admin_target_query(t, name, &text) || hf_admin_number(text, max, ret);
}
