/* http1_body.c - request bodies: counted ones and chunked ones (http1.h).
 *
 * A byte-wise machine for the lines between chunks; the data itself is handed on as views. Refuses
 * what decoders quarrel about: LF without CR, space around a size, more digits than 64 bits hold,
 * endless extensions.
 */
#include "gateway/http1.h"

enum { COUNTED, SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS, OVER };

void hf_http1_body_init(struct hf_http1_body *b, bool chunked, uint64_t length)
{
    *b = (struct hf_http1_body){
        .chunked = chunked,
        .left = chunked ? 0 : length,
        .state = chunked      ? SIZE
                 : length > 0 ? COUNTED
                              : OVER,
    };
}

void hf_http1_body_took(struct hf_http1_body *b, uint64_t n)
{
    HF_ASSERT(b->state == COUNTED && n <= b->left);
    b->left -= n;
    b->data += n;
    if (b->left == 0)
        b->state = OVER;
}

bool hf_http1_body_over(const struct hf_http1_body *b)
{
    return b->state == OVER;
}

static enum hf_http1_body_kind refuse(struct hf_refusal *why, const char *text)
{
    *why = (struct hf_refusal){400, text};
    return HF_BODY_REFUSED;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a chunk's line, its end, or the end of its data. NULL: fine. */
static const char *line_byte(struct hf_http1_body *b, uint8_t c)
{
    int digit = hex_digit(c);
    switch (b->state) {
    case SIZE:
        if (digit >= 0) {
            if (b->left > (uint64_t)INT64_MAX >> 4 || b->line == 16)
                return "a chunk size too large";
            b->left = b->left << 4 | (unsigned)digit;
            b->line++;
            return NULL;
        }
        if (b->line == 0 || (c != '\r' && c != ';'))
            return c == '\n' && b->line > 0 ? "a chunk line ends in LF without CR"
                                            : "a chunk size that is no number";
        b->state = c == ';' ? EXTENSION : SIZE_LF;
        return NULL;
    case EXTENSION:
        if (c == '\r') {
            b->state = SIZE_LF;
            return NULL;
        }
        if (!hf_strict_is_value(hf_view(&c, 1)))
            return "a control character in a chunk extension";
        b->extension++;
        if (++b->line > HF_HTTP1_CHUNK_LINE_MAX)
            return "a chunk line too long";
        if (b->extension > HF_HTTP1_CHUNK_EXTENSION_MAX + b->data)
            return "more chunk extensions than data";
        return NULL;
    case SIZE_LF:
        if (c != '\n')
            return "a CR without LF in a chunk line";
        b->state = b->left > 0 ? DATA : TRAILERS;
        return NULL;
    case DATA_CR: b->state = DATA_LF; return c == '\r' ? NULL : "a chunk longer than its size";
    default:
        HF_ASSERT(b->state == DATA_LF);
        b->state = SIZE;
        b->line = 0;
        return c == '\n' ? NULL : "a CR without LF after a chunk";
    }
}

static enum hf_http1_body_kind trailers(struct hf_http1_body *b, struct hf_view *bytes,
                                        uint32_t max, struct hf_view *data, struct hf_refusal *why)
{
    for (;;) {
        const uint8_t *lf = memchr(bytes->ptr + b->trailer_at, '\n', bytes->len - b->trailer_at);
        size_t end = lf == NULL ? bytes->len : (size_t)(lf - bytes->ptr) + 1;
        if (end > max) {
            *why = (struct hf_refusal){431, "the trailers are longer than this server allows"};
            return HF_BODY_REFUSED;
        }
        b->trailer_at = (uint32_t)end;
        if (lf == NULL)
            return HF_BODY_MORE;
        if (end < 2 || lf[-1] != '\r')
            return refuse(why, "a trailer line ends in LF without CR");
        if (end > 2 && lf[-2] != '\n')
            continue;
        b->state = OVER;
        *data = hf_view_take(*bytes, end);
        *bytes = hf_view_skip(*bytes, end);
        return end == 2 ? HF_BODY_END : HF_BODY_TRAILERS;
    }
}

enum hf_http1_body_kind hf_http1_body_next(struct hf_http1_body *b, struct hf_view *bytes,
                                           size_t room, uint32_t trailers_max, struct hf_view *data,
                                           struct hf_refusal *why)
{
    for (;;) {
        if (b->state == OVER)
            return HF_BODY_END;
        if (bytes->len == 0)
            return HF_BODY_MORE;
        if (b->state == TRAILERS)
            return trailers(b, bytes, trailers_max, data, why);
        if (b->state == COUNTED || b->state == DATA) {
            if (room == 0)
                return HF_BODY_FULL;
            uint64_t most = b->left < room ? b->left : room;
            *data = hf_view_take(*bytes, most < SIZE_MAX ? (size_t)most : SIZE_MAX);
            *bytes = hf_view_skip(*bytes, data->len);
            b->left -= data->len;
            b->data += data->len;
            if (b->left == 0)
                b->state = b->state == DATA ? DATA_CR : OVER;
            return HF_BODY_DATA;
        }
        const char *bad = line_byte(b, bytes->ptr[0]);
        if (bad != NULL)
            return refuse(why, bad);
        *bytes = hf_view_skip(*bytes, 1);
    }
}
