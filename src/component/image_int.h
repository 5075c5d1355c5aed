/* image_int.h - what an image is, for image*.c and their tests; internal to the room. */
#ifndef HF_COMPONENT_IMAGE_INT_H
#define HF_COMPONENT_IMAGE_INT_H

#include <stdatomic.h>

#include "component/instance.h"

#ifndef HF_TRY /* as parse_in.h has it; the two are not seen together */
#define HF_TRY(expr)                                                                               \
    do {                                                                                           \
        enum hf_err try_err = (expr);                                                              \
        if (try_err != HF_OK)                                                                      \
            return try_err;                                                                        \
    } while (0)
#endif

#define HF_RECIPE_MAX (UINT32_C(1) << 18) /* bytes of one object's (host.h) */
struct hf_image_recipe { /* of one host object: bytes in hf_image.recipes */
    uint32_t at, len;
};
struct hf_image_table {              /* one handle table */
    struct hf_handle *entries;       /* len of them; NULL when len is 0; obj means nothing */
    struct hf_image_recipe *recipes; /* the same; NULL: no host object among them */
    uint32_t len, free, live, serial;
};
struct hf_image {
    _Atomic uint32_t refs;
    struct hf_component *component;
    bool whole;              /* every byte of every memory: an instance can be reset to it */
    struct hf_report no_way; /* why no instance can be made of it (a host object); err HF_OK: can */
    uint64_t memory_max, call_bytes_max; /* limits, as hf_instance_settings has them */
    uint32_t handles_max, slice_ticks, list_bytes_max, string_bytes_max;
    uint32_t n_memories, n_globals, n_cis; /* in the order of hf_instance_parts */
    struct hf_memimage **memories;
    union hf_val *globals;
    struct hf_image_table *tables; /* one for each component instance */
    struct hf_buf recipes;
    struct hf_image *base; /* a reference: memories hold what is not as there; or NULL */
};

/* With its arrays, all empty; counts are the program's. NULL: memory is out. */
struct hf_image *hf_image_new(struct hf_component *c);
/* All 16 bytes defined, whatever the type: bits can be compared. */
union hf_val hf_image_global(struct hf_instance *inst, const struct hf_global *g);
/* What the numbers in an image depend on beside the component's bytes: how memories, globals and
 * component instances are counted. HF_LIMIT. */
enum hf_err hf_image_layout(const struct hf_component *c, uint8_t ret[32]);
/* While an instance is made of an image, in place of the start functions (steps.c): the core
 * instance's memories get the image's sizes, so that segments of modules that come later fit as
 * they did then. */
struct hf_loading {
    const struct hf_image *img;
    uint32_t memories; /* of them, seen so far */
};
enum hf_err hf_image_grow_core(struct hf_instance *inst, const struct hf_step *step);

#endif
