/* log_text.h - the words of a log line: time, numbers, and bytes of strangers made harmless.
 *
 * A pen writes into memory that was reserved before: nothing here fails, nothing is printed by
 * format, because an access line is written for every request. Pure but for the clock's last second.
 */
#ifndef HF_NODE_LOG_TEXT_H
#define HF_NODE_LOG_TEXT_H

#include "base/bytes.h"

/* How a second is written, kept until the next one comes. Zeroes at first; one thread. */
struct hf_log_clock {
    int64_t second; /* since 1970, + 1; 0: none yet */
    char iso[20];   /* 2026-11-21T08:30:00 */
    char clf[27];   /* 21/Nov/2026:08:30:00 +0000 */
    uint64_t looked_ns, wall_ns; /* of hf_log_access: both clocks when they were looked at */
};

struct hf_pen {
    uint8_t *at;
};
static inline void hf_pen_view(struct hf_pen *p, struct hf_view v)
{
    if (v.len > 0)
        memcpy(p->at, v.ptr, v.len);
    p->at += v.len;
}
#define HF_PEN_LIT(p, lit) hf_pen_view((p), HF_VIEW(lit))
static inline void hf_pen_text(struct hf_pen *p, const char *text)
{
    hf_pen_view(p, hf_view_of(text));
}
#define HF_PEN_NUMBER_MAX 20u
void hf_pen_number(struct hf_pen *p, uint64_t n);
#define HF_PEN_TIME_MAX 26u
void hf_pen_iso(struct hf_pen *p, struct hf_log_clock *c, uint64_t wall_ns); /* ..T08:30:00.123Z */
void hf_pen_clf(struct hf_pen *p, struct hf_log_clock *c, uint64_t wall_ns); /* to the second */

/* Nobody writes a line that is not theirs, moves a terminal's cursor, or ends a string. What is not
 * UTF-8, control characters and DEL come out as \xHH (in JSON \u00HH where they are characters), so a
 * line is always UTF-8. */
enum hf_escape {
    HF_ESCAPE_TEXT,   /* our text lines; a backslash is itself */
    HF_ESCAPE_QUOTED, /* between "quotes": \" and \\, and nothing past ASCII (common log format) */
    HF_ESCAPE_JSON,   /* a JSON string's inside */
    HF_ESCAPE_LINES   /* as TEXT, but line ends stay: words of ours that may hold a stranger's */
};
#define HF_ESCAPE_MAX 6u /* bytes that one may become */
void hf_pen_escaped(struct hf_pen *p, struct hf_view v, enum hf_escape how);

#endif
