/* value_scan.h - the tokens of WAVE text: where we are, labels, numbers, characters and strings; and
 * what WAVE and JSON share.
 *
 * Internal to value_parse.c, value_print.c and value_json.c, which know the types. Columns count characters from 1; the line is
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

/* ---- the same of JSON (value_json_scan.c) ---- */
void hf_json_space(struct hf_scan *s);
bool hf_json_peek(struct hf_scan *s, char c);
bool hf_json_take(struct hf_scan *s, char c);
enum hf_err hf_json_need(struct hf_scan *s, char c, const char *what) HF_MUST_CHECK;
bool hf_json_word(struct hf_scan *s, const char *word); /* true, and past it, when it stands here whole */
enum hf_err hf_json_string(struct hf_scan *s, const char *what, struct hf_view *ret) HF_MUST_CHECK;

/* ---- shared by both texts: reading (value_parse.c) ---- */
/* An integer of type t, in its range; a number of a float type, without its words (inf, nan). */
enum hf_err hf_text_int(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret) HF_MUST_CHECK;
enum hf_err hf_text_real(struct hf_scan *s, const struct hf_type *t, struct hf_value *ret) HF_MUST_CHECK;
void hf_text_set_float(const struct hf_type *t, double d, struct hf_value *ret);
bool hf_text_grow(struct hf_scan *s, void **ptr, size_t *cap, size_t len, size_t size);
uint32_t hf_text_find_member(const struct hf_type *t, struct hf_view name, uint32_t hint); /* t->n: none */

/* ---- writing (value_print.c) ---- */
enum hf_err hf_text_print_float(double d, bool single, struct hf_buf *ret) HF_MUST_CHECK;
bool hf_text_is_active(uint32_t cp); /* a terminal would act upon it */
uint32_t hf_text_next_scalar(const struct hf_value *v, size_t *at); /* of a string, *at < v->len */
struct hf_value hf_text_unpack(const struct hf_type *elem, const struct hf_value *list, uint32_t i); /* of a packed list */

#endif
