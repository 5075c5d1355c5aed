/* head.c - writing and reading the flat HTTP head (layout: head.h).
 *
 * The reader checks everything once, the field list included, so that walking needs no checks and
 * no error. The writer refuses what the reader would refuse: what was written can be read.
 *
 * Not here: whether a method, a field name or a value is good HTTP. That is the gateway's and the
 * guest's business.
 */
#include "base/head.h"

#define VERSION    1u
#define FIXED_LEN  16u /* bytes before the first str */
#define AT_FIELDS  8u  /* where n_fields stands */
#define AT_TOTAL   12u
#define STATUS_MIN 100u
#define STATUS_MAX 999u

#define REQUEST_FLAGS                                                                              \
    (HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH | HF_HEAD_NO_BODY)
#define RESPONSE_FLAGS (HF_HEAD_NO_BODY | HF_HEAD_RETIRE)

/* A str that is absent is empty. */
static bool parts_fit(uint32_t flags, struct hf_view scheme, struct hf_view authority,
                      struct hf_view path)
{
    return ((flags & HF_HEAD_HAS_SCHEME) || scheme.len == 0) &&
           ((flags & HF_HEAD_HAS_AUTHORITY) || authority.len == 0) &&
           ((flags & HF_HEAD_HAS_PATH) || path.len == 0);
}

static void put_u32le(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* Room for n bytes more, unless the head would outgrow its 32-bit length. */
static inline enum hf_err reserve(struct hf_head_writer *w, uint64_t n)
{
    size_t len = w->buf->len - w->start;
    if (HF_UNLIKELY(len > UINT32_MAX || n > UINT32_MAX - len))
        return HF_LIMIT;
    return hf_buf_reserve(w->buf, n);
}

/* Bytes that a str takes; those that no head has room for stay that many, and cannot wrap. */
static inline uint64_t str_len(struct hf_view v)
{
    return 4 + (uint64_t)(v.len < UINT32_MAX ? v.len : UINT32_MAX);
}

/* For which there is room. */
static inline void put_str(struct hf_buf *buf, struct hf_view v)
{
    uint8_t *p = buf->ptr + buf->len;
    put_u32le(p, (uint32_t)v.len);
    if (v.len > 0)
        memcpy(p + 4, v.ptr, v.len);
    buf->len += 4 + v.len;
}

static inline void put_end(struct hf_buf *buf)
{
    buf->ptr[buf->len] = '\0';
}

static enum hf_err write_fixed(struct hf_head_writer *w, enum hf_head_kind kind, uint16_t status,
                               uint32_t flags)
{
    const uint8_t fixed[FIXED_LEN] = {
        VERSION,        (uint8_t)kind,         (uint8_t)status,        (uint8_t)(status >> 8),
        (uint8_t)flags, (uint8_t)(flags >> 8), (uint8_t)(flags >> 16), (uint8_t)(flags >> 24),
    };
    return hf_buf_add(w->buf, fixed, sizeof fixed);
}

enum hf_err hf_head_begin_request(struct hf_head_writer *w, struct hf_buf *buf, uint32_t flags,
                                  struct hf_view method, struct hf_view scheme,
                                  struct hf_view authority, struct hf_view path)
{
    *w = (struct hf_head_writer){buf, buf->len, 0};
    if ((flags & ~REQUEST_FLAGS) != 0 || !parts_fit(flags, scheme, authority, path))
        return HF_INVALID;
    enum hf_err err = write_fixed(w, HF_HEAD_REQUEST, 0, flags);
    if (err == HF_OK)
        err = reserve(w, str_len(method) + str_len(scheme) + str_len(authority) + str_len(path));
    if (err != HF_OK)
        return err;
    put_str(w->buf, method);
    put_str(w->buf, scheme);
    put_str(w->buf, authority);
    put_str(w->buf, path);
    put_end(w->buf);
    return HF_OK;
}

enum hf_err hf_head_begin_response(struct hf_head_writer *w, struct hf_buf *buf, uint32_t flags,
                                   uint16_t status)
{
    *w = (struct hf_head_writer){buf, buf->len, 0};
    if ((flags & ~RESPONSE_FLAGS) != 0 || status < STATUS_MIN || status > STATUS_MAX)
        return HF_INVALID;
    return write_fixed(w, HF_HEAD_RESPONSE, status, flags);
}

enum hf_err hf_head_field_room(struct hf_head_writer *w, struct hf_view name, size_t value_len,
                               uint8_t **value)
{
    struct hf_view room = hf_view(NULL, value_len);
    enum hf_err err =
        w->n_fields == UINT32_MAX ? HF_LIMIT : reserve(w, str_len(name) + str_len(room));
    if (err != HF_OK)
        return err;
    put_str(w->buf, name);
    put_u32le(w->buf->ptr + w->buf->len, (uint32_t)value_len);
    *value = w->buf->ptr + w->buf->len + 4;
    w->buf->len += 4 + value_len;
    put_end(w->buf);
    w->n_fields++;
    return HF_OK;
}

enum hf_err hf_head_field(struct hf_head_writer *w, struct hf_view name, struct hf_view value)
{
    enum hf_err err =
        w->n_fields == UINT32_MAX ? HF_LIMIT : reserve(w, str_len(name) + str_len(value));
    if (HF_UNLIKELY(err != HF_OK)) /* half a field never stays */
        return err;
    put_str(w->buf, name);
    put_str(w->buf, value);
    put_end(w->buf);
    w->n_fields++;
    return HF_OK;
}

enum hf_err hf_head_fields(struct hf_head_writer *w, const struct hf_head *from)
{
    size_t len = w->buf->len - w->start;
    if (from->n_fields > UINT32_MAX - w->n_fields || from->fields.len > UINT32_MAX ||
        len > UINT32_MAX - from->fields.len)
        return HF_LIMIT;
    enum hf_err err = hf_buf_add_view(w->buf, from->fields);
    if (err == HF_OK)
        w->n_fields += from->n_fields;
    return err;
}

struct hf_view hf_head_end(struct hf_head_writer *w)
{
    size_t len = w->buf->len - w->start;
    HF_ASSERT(len >= FIXED_LEN && len <= UINT32_MAX);
    uint8_t *head = w->buf->ptr + w->start;
    put_u32le(head + AT_FIELDS, w->n_fields);
    put_u32le(head + AT_TOTAL, (uint32_t)len);
    return hf_view(head, len);
}

void hf_head_abort(struct hf_head_writer *w)
{
    HF_ASSERT(w->start <= w->buf->len);
    w->buf->len = w->start;
    if (w->buf->ptr != NULL)
        w->buf->ptr[w->start] = '\0';
}

/* How far a head is read. */
struct cursor {
    const uint8_t *at, *end, *start;
};

static enum hf_err corrupt(struct hf_report *report, const struct cursor *c, const char *what)
{
    return hf_report_set(report, HF_CORRUPT, "HTTP head: %s (near byte %zu)", what,
                         (size_t)(c->at - c->start));
}

/* False: it is not there; the cursor stays where it begins. */
static inline bool read_str(struct cursor *c, struct hf_view *ret)
{
    if (HF_UNLIKELY(c->end - c->at < 4))
        return false;
    uint32_t len = hf_head_u32(c->at);
    if (HF_UNLIKELY(len > (size_t)(c->end - c->at) - 4))
        return false;
    *ret = hf_view(c->at + 4, len);
    c->at += 4 + (size_t)len;
    return true;
}

static enum hf_err read_request(struct cursor *c, struct hf_head *head, struct hf_report *report)
{
    if (!read_str(c, &head->method) || !read_str(c, &head->scheme) ||
        !read_str(c, &head->authority) || !read_str(c, &head->path))
        return corrupt(report, c, "the request line is cut off");
    if (head->status != 0)
        return corrupt(report, c, "a request with a status");
    if ((head->flags & ~REQUEST_FLAGS) != 0)
        return corrupt(report, c, "unknown request flags");
    if (!parts_fit(head->flags, head->scheme, head->authority, head->path))
        return corrupt(report, c, "a part that its flag denies");
    return HF_OK;
}

static enum hf_err read_response(struct cursor *c, struct hf_head *head, struct hf_report *report)
{
    head->method = head->scheme = head->authority = head->path = (struct hf_view){0};
    if (head->status < STATUS_MIN || head->status > STATUS_MAX)
        return corrupt(report, c, "status out of range");
    if ((head->flags & ~RESPONSE_FLAGS) != 0)
        return corrupt(report, c, "unknown response flags");
    return HF_OK;
}

/* Behind the str at p; NULL: there is none before `end`. */
static inline const uint8_t *behind_str(const uint8_t *p, const uint8_t *end)
{
    if (HF_UNLIKELY(end - p < 4))
        return NULL;
    uint32_t len = hf_head_u32(p);
    p += 4;
    return HF_LIKELY(len <= (size_t)(end - p)) ? p + len : NULL;
}

/* Exactly n fields. Ends early: each takes 8 bytes at least. */
static bool fields_fit(struct hf_view fields, uint32_t n)
{
    const uint8_t *p = fields.ptr, *end = p + fields.len;
    for (uint64_t i = 0; i < 2 * (uint64_t)n && p != NULL; i++)
        p = behind_str(p, end);
    return p == end;
}

/* They do not fit: says where. */
static enum hf_err bad_fields(struct cursor *c, uint32_t n, struct hf_report *report)
{
    struct hf_view str;
    for (uint64_t i = 0; i < 2 * (uint64_t)n; i++)
        if (!read_str(c, &str))
            return corrupt(report, c, "the fields are cut off");
    return corrupt(report, c, "bytes behind the last field");
}

static inline enum hf_err read_head(struct hf_view bytes, struct hf_head *ret,
                                    struct hf_report *report)
{
    const uint8_t *p = bytes.ptr;
    struct cursor c = {p, p, p};
    if (bytes.len < FIXED_LEN)
        return corrupt(report, &c, "too short");
    c.at = p + FIXED_LEN;
    c.end = p + bytes.len;
    ret->kind = (enum hf_head_kind)p[1];
    ret->status = (uint16_t)(p[2] | p[3] << 8);
    ret->flags = hf_head_u32(p + 4);
    ret->n_fields = hf_head_u32(p + AT_FIELDS);
    if (p[0] != VERSION)
        return corrupt(report, &c, "unknown version");
    if (hf_head_u32(p + AT_TOTAL) != bytes.len)
        return corrupt(report, &c, "not as long as it says");

    enum hf_err err;
    if (p[1] == HF_HEAD_REQUEST)
        err = read_request(&c, ret, report);
    else if (p[1] == HF_HEAD_RESPONSE)
        err = read_response(&c, ret, report);
    else
        err = corrupt(report, &c, "neither request nor response");
    if (HF_UNLIKELY(err != HF_OK))
        return err;

    ret->fields = hf_view(c.at, (size_t)(c.end - c.at));
    return HF_LIKELY(fields_fit(ret->fields, ret->n_fields)) ? HF_OK
                                                             : bad_fields(&c, ret->n_fields, report);
}

enum hf_err hf_head_read(struct hf_view bytes, struct hf_head *ret, struct hf_report *report)
{
    enum hf_err err = read_head(bytes, ret, report);
    if (HF_UNLIKELY(err != HF_OK))
        *ret = (struct hf_head){0};
    return err;
}

bool hf_head_find(const struct hf_head *head, struct hf_view name, struct hf_view *value)
{
    struct hf_view field, found;
    for (size_t at = 0; hf_head_next(head, &at, &field, &found);) {
        if (hf_view_eq_nocase(field, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}
