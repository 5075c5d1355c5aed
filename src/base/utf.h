/* utf.h - UTF-8, UTF-16 (little endian) and Latin-1: validation, measuring, transcoding.
 *
 * Validity is Unicode's: no overlong forms, no surrogates in UTF-8, no unpaired surrogates in
 * UTF-16, nothing past 10FFFF (reference rule V6). ASCII runs are checked eight or more bytes at a
 * time.
 */
#ifndef HF_BASE_UTF_H
#define HF_BASE_UTF_H

#include "base/bytes.h"

bool hf_utf8_valid(const uint8_t *s, size_t len);
/* Length of the valid prefix; == len when all is valid. */
size_t hf_utf8_valid_prefix(const uint8_t *s, size_t len);
/* Bytes at the front that are ASCII. */
size_t hf_ascii_prefix(const uint8_t *s, size_t len);
/* Decodes one scalar value from valid UTF-8 at *at (< len) and moves *at on. */
uint32_t hf_utf8_next(const uint8_t *s, size_t len, size_t *at);
/* Writes 1-4 bytes for a scalar value (not a surrogate, <= 10FFFF); returns how many. */
unsigned hf_utf8_put(uint8_t out[4], uint32_t cp);

/* The functions with `next` and those that measure or transcode take valid text only: validate
 * first. Nothing past the input is read even so, but what they write or return is then worthless,
 * and `out` may be too small. */

/* UTF-16LE units as bytes (`units` code units at `s`, no alignment needed). */
bool hf_utf16_valid(const uint8_t *s, size_t units);
uint32_t hf_utf16_next(const uint8_t *s, size_t units, size_t *at); /* valid input; *at in units */
unsigned hf_utf16_put(uint8_t out[4], uint32_t cp);                 /* returns bytes: 2 or 4 */

/* Sizes of the result in bytes; input must be valid. */
size_t hf_utf8_len_of_utf16(const uint8_t *s, size_t units);
size_t hf_utf8_len_of_latin1(const uint8_t *s, size_t len);
size_t hf_utf16_units_of_utf8(const uint8_t *s, size_t len);
/* Transcode valid input; `out` has the room the functions above say. Return bytes written. */
size_t hf_utf16_to_utf8(const uint8_t *s, size_t units, uint8_t *out);
size_t hf_latin1_to_utf8(const uint8_t *s, size_t len, uint8_t *out);
size_t hf_utf8_to_utf16(const uint8_t *s, size_t len, uint8_t *out);
/* True when every scalar of valid UTF-8 is <= FF. */
bool hf_utf8_is_latin1(const uint8_t *s, size_t len);
/* Only when hf_utf8_is_latin1; at most len bytes. */
size_t hf_utf8_to_latin1(const uint8_t *s, size_t len, uint8_t *out);

#endif
