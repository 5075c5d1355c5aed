/* support_evict.c - see support_evict.h. */
#include "support_evict.h"

void scene_open(struct scene *sc, uint32_t resident_max, const char *letters)
{
    stage_open_with(&sc->s, &(struct hf_kernel_settings){.resident_max = resident_max});
    stage_spill(&sc->s, &sc->r);
    stage_classes(&sc->s, letters);
    sc->s.defaults = "r";
}

struct hf_evict_stats scene_stats(const struct scene *sc)
{
    struct hf_evict_stats st;
    hf_kernel_evict_stats(sc->s.k, &st);
    return st;
}

void scene_forget_log(struct stage *s)
{
    hf_buf_clear(&s->log);
}

void scene_evict_first(struct scene *sc, unsigned n)
{
    char name[20];
    for (unsigned i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "a/%u", i);
        stage_go(&sc->s, name);
    }
    scene_forget_log(&sc->s);
}
