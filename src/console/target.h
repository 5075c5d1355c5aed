/* target.h - what an admin request is aimed at: segments of its path and values of its query, with
 * their escapes taken out.
 *
 * Segments and values are any bytes (keys are), so everything has a length. An escape that is none,
 * and a path of more segments than any endpoint has, is refused.
 */
#ifndef HF_CONSOLE_TARGET_H
#define HF_CONSOLE_TARGET_H

#include "base/bytes.h"

#define HF_TARGET_SEGMENTS 8u
#define HF_TARGET_QUERIES  16u

struct hf_admin_target {
    uint32_t n_segments, n_queries;
    struct hf_view segment[HF_TARGET_SEGMENTS]; /* "/a/b%2Fc/" is "a", "b/c", "" */
    struct hf_view name[HF_TARGET_QUERIES],
        value[HF_TARGET_QUERIES]; /* a name alone has no value */
    struct hf_buf bytes;          /* what the views look into */
};
/* HF_INVALID: *why says what is wrong; HF_LIMIT. `ret` is done with in any case. */
enum hf_err hf_admin_target_read(struct hf_view path_and_query, struct hf_admin_target *ret,
                                 const char **why);
void hf_admin_target_done(struct hf_admin_target *t);
/* The first value of that name; false: it is not there. */
bool hf_admin_target_query(const struct hf_admin_target *t, const char *name, struct hf_view *ret);
/* A decimal number of that name, `standard` when it is not there. False: it is no number, or above
 * max. */
bool hf_admin_target_number(const struct hf_admin_target *t, const char *name, uint64_t standard,
                            uint64_t max, uint64_t *ret);
/* Digits only, without sign. */
bool hf_admin_number(struct hf_view text, uint64_t max, uint64_t *ret);

#endif
