/* units.h - times and sizes as people write them: "1.5s", "250ms", "64MiB", "10GB". */
#ifndef HF_BASE_UNITS_H
#define HF_BASE_UNITS_H

#include "base/bytes.h"

/* A number, perhaps with decimals, and a unit: ns, us, ms, s, m, h, d. `bare_ns` is what a number
 * without one counts, 0: it must have one. At most 292 years. False: it is no such text, and *ret
 * is unchanged. */
bool hf_units_duration(struct hf_view text, uint64_t bare_ns, uint64_t *ret);
/* B, kB, MB, GB, TB (1000 each); KiB, MiB, GiB, TiB, K, M, G, T (1024 each); none: bytes. Below
 * 2^63. Case does not matter. A fraction of a byte is dropped. */
bool hf_units_size(struct hf_view text, uint64_t *ret);

#define HF_UNITS_TEXT_MAX 32
/* The shortest exact text: "1500ms", "2h", "64MiB"; 0 is "0s", "0B". NUL-terminated; returns `to`.
 */
const char *hf_units_print_duration(uint64_t ns, char to[HF_UNITS_TEXT_MAX]);
const char *hf_units_print_size(uint64_t bytes, char to[HF_UNITS_TEXT_MAX]);

#endif
