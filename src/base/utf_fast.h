/* utf_fast.h - the block-wise helpers of utf.c and utf_change.c; nobody else includes it.
 *
 * They may stop early, never late: the callers finish what is left one scalar value at a time.
 */
#ifndef HF_BASE_UTF_FAST_H
#define HF_BASE_UTF_FAST_H

#include "base/bytes.h"

/* A length at the front that is valid UTF-8 and ends between two scalar values; 0 when nothing is
 * known. */
size_t hf_utf8_fast_prefix(const uint8_t *s, size_t len);
/* UTF-16LE units at the front that are no surrogates; a multiple of eight. */
size_t hf_utf16_plain_prefix(const uint8_t *s, size_t units);

#endif
