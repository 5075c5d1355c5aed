/* preview1.h - a core module being changed, for preview1.c and preview1_memory.c. Internal to the
 * room. */
#ifndef HF_ENGINE_PREVIEW1_H
#define HF_ENGINE_PREVIEW1_H

#include "base/codec.h"
#include "engine/engine_int.h"

enum { /* sections, by their numbers in the file */
       HF_P1_TYPE = 1,
       HF_P1_IMPORT = 2,
       HF_P1_FUNC = 3,
       HF_P1_GLOBAL = 6,
       HF_P1_EXPORT = 7,
       HF_P1_CODE = 10,
       HF_P1_DATA = 11,
       HF_P1_DATA_COUNT = 12,
       HF_P1_SECTIONS = 13
};
struct hf_p1 {
    const struct hf_wasm *w;
    struct hf_report *report;
    struct hf_buf replaced[HF_P1_SECTIONS]; /* new bodies, counts included; empty: as it was */
    struct hf_buf added[HF_P1_SECTIONS];    /* items put at the end of a section */
    uint32_t n_added[HF_P1_SECTIONS];
    bool is_go, has_world, has_realloc;
};
enum hf_err hf_p1_no_memory(struct hf_p1 *e); /* reports it */
/* A function more: its type and its body as bytes, the name it is exported by (empty: none). *index
 * may be NULL. */
enum hf_err hf_p1_add_function(struct hf_p1 *e, struct hf_view type, struct hf_view code,
                               struct hf_view name, uint32_t *index);
enum hf_err hf_p1_add_global(struct hf_p1 *e, uint32_t value, uint32_t *index); /* (mut i32) */

/* ---- preview1_memory.c: see there ---- */
enum hf_err hf_p1_go_hole(struct hf_p1 *e);
enum hf_err hf_p1_own_size(struct hf_p1 *e);

#endif
