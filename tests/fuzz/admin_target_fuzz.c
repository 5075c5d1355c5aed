/* admin_target_fuzz.c - any bytes as the target of an admin request: what is read is no more than what was given, and the
 * same when it is written again with every byte escaped.
 *
 * rooms: base
 * files: src/console/target.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "console/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static void add_escaped(struct hf_buf *b, struct hf_view v)
{
    for (size_t i = 0; i < v.len; i++)
        MUST(hf_buf_printf(b, "%%%02x", v.ptr[i]) == HF_OK);
}

static void write_again(const struct hf_admin_target *t, struct hf_buf *b)
{
    for (uint32_t i = 0; i < t->n_segments; i++) {
        MUST(hf_buf_add_byte(b, '/') == HF_OK);
        add_escaped(b, t->segment[i]);
    }
    for (uint32_t i = 0; i < t->n_queries; i++) {
        MUST(hf_buf_add_byte(b, i == 0 ? '?' : '&') == HF_OK);
        add_escaped(b, t->name[i]);
        MUST(hf_buf_add_byte(b, '=') == HF_OK);
        add_escaped(b, t->value[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_admin_target t = {0}, again = {0};
    struct hf_buf b = {0};
    const char *why = NULL;
    uint64_t n;
    enum hf_err err = hf_admin_target_read(hf_view(data, size), &t, &why);
    MUST(err == HF_OK || (err == HF_INVALID && why != NULL));
    if (err == HF_OK) {
        size_t sum = 0;
        MUST(t.n_segments >= 1 && t.n_segments <= HF_TARGET_SEGMENTS &&
             t.n_queries <= HF_TARGET_QUERIES);
        for (uint32_t i = 0; i < t.n_segments; i++)
            sum += t.segment[i].len + 1;
        for (uint32_t i = 0; i < t.n_queries; i++)
            sum += t.name[i].len + t.value[i].len;
        MUST(sum <= size);
        write_again(&t, &b);
        MUST(hf_admin_target_read(hf_buf_view(&b), &again, &why) == HF_OK);
        MUST(again.n_segments == t.n_segments && again.n_queries == t.n_queries);
        for (uint32_t i = 0; i < t.n_segments; i++)
            MUST(hf_view_eq(again.segment[i], t.segment[i]));
        for (uint32_t i = 0; i < t.n_queries; i++)
            MUST(hf_view_eq(again.name[i], t.name[i]) && hf_view_eq(again.value[i], t.value[i]));
        if (hf_admin_target_number(&t, "n", 0, 1000, &n))
            MUST(n <= 1000);
    }
    hf_admin_target_done(&t);
    hf_admin_target_done(&again);
    hf_buf_done(&b);
    return 0;
}
