/* value_scan.h - the tokens of WAVE text: where we are, labels, numbers, characters and strings.
 *
 * Internal to value_parse.c, which knows the types. Columns count characters from 1; the line is
 * named only when the text has more than one. The text is valid UTF-8 (checked by hf_scan_init), so
 * that only ends are looked for here.
 */
#ifndef HF_COMPONENT_VALUE_SCAN_H
#define HF_COMPONENT_VALUE_SCAN_H

#include "base/arena.h"
#include "component/value.h"

struct hf_scan {
    const uint8_t *start, *at, *end;
    struct hf_arena *arena;
    struct hf_report *report;
};

enum hf_err hf_scan_init(struct hf_scan *s, struct hf_view text, struct hf_arena *arena,
                         struct hf_report *report) HF_MUST_CHECK;
/* Reports "column N: ..." for a place in the text; returns err. */
enum hf_err hf_scan_fail(struct hf_scan *s, const uint8_t *where, enum hf_err err, const char *fmt,
                         ...) __attribute__((format(printf, 4, 5)));
/* The same, with what stands at the place: "expected a u8, found \"x\"". */
enum hf_err hf_scan_expected(struct hf_scan *s, const uint8_t *where, const char *what);
enum hf_err hf_scan_no_memory(struct hf_scan *s);

void hf_scan_space(struct hf_scan *s); /* white space and comments */
/* Skips space; true and past it when the next byte is c. */
bool hf_scan_take(struct hf_scan *s, char c);
bool hf_scan_peek(struct hf_scan *s, char c);
enum hf_err hf_scan_need(struct hf_scan *s, char c, const char *after) HF_MUST_CHECK;

/* A label or keyword; empty when none stands here. *escaped: it had a "%", so it is no keyword. */
struct hf_view hf_scan_label(struct hf_scan *s, bool *escaped);
bool hf_label_is_keyword(struct hf_view label);

/* A number that stands here, as text, grammar checked; *whole: neither fraction nor exponent. */
enum hf_err hf_scan_number(struct hf_scan *s, const char *what, struct hf_view *ret,
                           bool *whole) HF_MUST_CHECK;
enum hf_err hf_scan_char(struct hf_scan *s, uint32_t *ret) HF_MUST_CHECK;
/* "..." and """...""", decoded into the arena. */
enum hf_err hf_scan_string(struct hf_scan *s, struct hf_view *ret) HF_MUST_CHECK;

#endif
