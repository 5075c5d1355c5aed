/* support_evict.h - a stage whose idle processes are evicted past a bound (evict_test.c,
 * asleep_test.c). */
#ifndef HF_TESTS_KERNEL_SUPPORT_EVICT_H
#define HF_TESTS_KERNEL_SUPPORT_EVICT_H

#include "support_named.h"
#include "support_spill.h"

struct scene {
    struct stage s;
    struct keeper r;
};

/* Classes by their letters, as of stage_classes; everybody answers. */
void scene_open(struct scene *sc, uint32_t resident_max, const char *letters);
struct hf_evict_stats scene_stats(const struct scene *sc);
void scene_forget_log(struct stage *s);
/* a/1, a/2 ... a/n get a message each; room for one less: a/1 is evicted. */
void scene_evict_first(struct scene *sc, unsigned n);

#endif
