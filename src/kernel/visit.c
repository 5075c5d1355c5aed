/* visit.c - the instances of a class, for others to look at, and ending one from outside.
 *
 * Who looks is outside of every behaviour, so nothing moves meanwhile; what he sees is as of the
 * last step. Text for people is inspect.c's.
 */
#include "kernel/named_int.h"

void hf_class_visit(const struct hf_class *c,
                    void (*each)(void *ctx, const struct hf_instance_view *i), void *ctx)
{
    HF_LIST_FOR (n, &c->processes) {
        const struct hf_process *p = HF_LIST_ENTRY(n, struct hf_process, in_class);
        const struct hf_instance_view view = {
            .process = p->id,
            .served = p->served,
            .born_ns = p->born_ns,
            .name = p->named == NULL ? (struct hf_view){0} : hf_named_name(p->named),
            .phase = p->spare ? "spare" : hf_phase_text(p->phase),
            .behaviour = c->s.behaviour,
            .state = p->state,
        };
        each(ctx, &view);
    }
}

bool hf_kernel_kill(struct hf_kernel *k, uint64_t process, const char *why)
{
    HF_ASSERT(k->running == NULL);
    HF_LIST_FOR (n, &k->classes) {
        const struct hf_class *c = HF_LIST_ENTRY(n, struct hf_class, in_kernel);
        HF_LIST_FOR (m, &c->processes) {
            struct hf_process *p = HF_LIST_ENTRY(m, struct hf_process, in_class);
            if (p->id != process)
                continue;
            if (p->doom != HF_DOOM_NONE)
                return false;
            hf_process_doom(p, HF_DOOM_KILL, why);
            return true;
        }
    }
    return false;
}
