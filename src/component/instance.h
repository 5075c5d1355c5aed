/* instance.h - what instance.c, steps.c and image.c share; internal to the room. The structures are
 * canon.h's. */
#ifndef HF_COMPONENT_INSTANCE_H
#define HF_COMPONENT_INSTANCE_H

#include "component/canon.h"

/* Runs the program: makes core instances, trampolines, resources and lifted functions, with the
 * start functions in between (steps.c). A driver (ctx is the instance): on the fiber, where start
 * functions may block and yield (S16). */
enum hf_err hf_instance_run_steps(void *ctx);

/* hf_instance_call for who lowers the arguments itself (direct.c). */
enum hf_err hf_instance_call_moved(struct hf_instance *inst, const struct hf_export *e);

/* Everything of an instance's state that lies in core instances, as handles kept for the instance's
 * life: found once by name, never again (design engine.md, in-place reset). Order: that of the
 * program's steps. */
struct hf_parts {
    uint32_t n_memories, n_globals;
    struct hf_memory *memories;
    struct hf_global *globals;
};
/* NULL: memory ran out. Only after the start has ended well. */
struct hf_parts *hf_instance_parts(struct hf_instance *inst);

/* Takes the entries added after `serial` out of the table, newest first; host objects that they own
 * are dropped through their ops (call NULL), reps of guest resources forgotten. */
void hf_handles_drop_since(struct hf_handles *t, uint32_t serial);
/* The same for every table of the tree, last component instance first. `all`: from the first entry
 * on, else since the start ended. */
void hf_instance_drop_handles(struct hf_instance *inst, bool all);
/* The last result's host objects, when nobody asked for them. */
void hf_instance_let_go_result(struct hf_instance *inst);

#endif
