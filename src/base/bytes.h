/* bytes.h - borrowed bytes are a view, owned bytes a buffer.
 *
 * A view owns nothing and is valid as long as what it looks into. A buffer owns heap bytes and
 * grows by doubling; it is NUL-terminated past its length whenever it has storage, so text in it
 * can be printed.
 */
#ifndef HF_BASE_BYTES_H
#define HF_BASE_BYTES_H

#include <string.h>

#include "base/err.h"

struct hf_view {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;
};

/* printf("%.*s", HF_FMT(view)) */
#define HF_FMT(v) (int)(v).len, (const char *)(v).ptr
/* A view of a string literal. */
#define HF_VIEW(lit) ((struct hf_view){(const uint8_t *)("" lit), sizeof(lit) - 1})

static inline struct hf_view hf_view(const void *ptr, size_t len)
{
    return (struct hf_view){(const uint8_t *)ptr, len};
}
static inline struct hf_view hf_view_of(const char *text) /* NULL gives an empty view */
{
    return hf_view(text, text == NULL ? 0 : strlen(text));
}
static inline bool hf_view_eq(struct hf_view a, struct hf_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool hf_view_eq_text(struct hf_view a, const char *text)
{
    return hf_view_eq(a, hf_view_of(text));
}
bool hf_bytes_eq_nocase(const uint8_t *a, const uint8_t *b, size_t len);
static inline bool hf_view_eq_nocase(struct hf_view a, struct hf_view b) /* ASCII case only */
{
    return a.len == b.len && hf_bytes_eq_nocase(a.ptr, b.ptr, a.len);
}
int hf_view_cmp(struct hf_view a, struct hf_view b); /* memcmp order, shorter first on a tie */
bool hf_view_starts(struct hf_view a, struct hf_view prefix);
bool hf_view_ends(struct hf_view a, struct hf_view suffix);
/* Index of the first byte `c`, or a.len. */
size_t hf_view_find(struct hf_view a, uint8_t c);
/* Without the first n bytes; n > len gives an empty view at the end. */
static inline struct hf_view hf_view_skip(struct hf_view a, size_t n)
{
    if (n > a.len)
        n = a.len;
    return n == 0 ? a : hf_view(a.ptr + n, a.len - n);
}
static inline struct hf_view hf_view_take(struct hf_view a, size_t n) /* at most n bytes */
{
    return hf_view(a.ptr, n < a.len ? n : a.len);
}
/* Heap copy with a NUL behind it; NULL when memory ran out. free() it. */
char *hf_view_dup(struct hf_view a);

struct hf_buf {
    uint8_t *ptr;
    size_t len;
    size_t cap; /* usable bytes, the NUL not counted */
};

/* A buffer belongs to one thread at a time. Bytes given to the adding functions must not lie in the
 * buffer itself. */
void hf_buf_init(struct hf_buf *buf); /* or zeroes */
void hf_buf_free(struct hf_buf *buf); /* done's half for those with storage */
static inline void hf_buf_done(struct hf_buf *buf) /* frees; the buffer is empty and usable again */
{
    if (buf->ptr != NULL) /* many never had any */
        hf_buf_free(buf);
    else
        buf->len = buf->cap = 0;
}
static inline void hf_buf_clear(struct hf_buf *buf)
{
    buf->len = 0;
    if (buf->ptr != NULL)
        buf->ptr[0] = '\0';
}
static inline struct hf_view hf_buf_view(const struct hf_buf *buf)
{
    return hf_view(buf->ptr, buf->len);
}
/* Room for `extra` more bytes behind len. HF_LIMIT when memory is out; the buffer is then
 * unchanged. */
enum hf_err hf_buf_grow(struct hf_buf *buf, size_t extra) HF_MUST_CHECK; /* reserve's rare half */
HF_MUST_CHECK static inline enum hf_err hf_buf_reserve(struct hf_buf *buf, size_t extra)
{
    return HF_LIKELY(buf->ptr != NULL && buf->cap - buf->len >= extra) ? HF_OK
                                                                      : hf_buf_grow(buf, extra);
}
enum hf_err hf_buf_add(struct hf_buf *buf, const void *ptr, size_t len) HF_MUST_CHECK;
enum hf_err hf_buf_add_view(struct hf_buf *buf, struct hf_view v) HF_MUST_CHECK;
enum hf_err hf_buf_add_byte(struct hf_buf *buf, uint8_t c) HF_MUST_CHECK;
enum hf_err hf_buf_add_text(struct hf_buf *buf, const char *text) HF_MUST_CHECK;
/* HF_INVALID: the format cannot be printed (longer than INT_MAX, bad wide character). */
enum hf_err hf_buf_printf(struct hf_buf *buf, const char *fmt, ...) HF_MUST_CHECK
    __attribute__((format(printf, 2, 3)));
/* Drops the first n bytes (n <= len), moving the rest down. */
void hf_buf_consume(struct hf_buf *buf, size_t n);
/* Gives the storage away: *ret is heap memory for free(), the buffer is empty after. */
void hf_buf_take(struct hf_buf *buf, uint8_t **ret, size_t *ret_len);

#endif
