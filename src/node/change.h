/* change.h - from one app to the next on all workers, while they serve.
 *
 * One thread leads; each step goes to every worker as a letter, and the next begins when all have reported:
 *
 *     prepare   new classes are made beside the old ones and start their instances; reported when all have started
 *     name      classes of processes are made: what has its name at once, and for good (share.c)
 *     switch    within one letter: names and routes lead to the new classes
 *     retire    old classes finish what they had accepted, then they are gone
 *     undo      after a prepare or a name that failed somewhere: as if nothing had been
 *
 * So a request goes to the old or to the new service, never to none; and what one worker sent to another (singletons) finds
 * its class whichever of the two has switched. Workers never wait.
 */
#ifndef HF_NODE_CHANGE_H
#define HF_NODE_CHANGE_H

#include "node/app.h"

struct hf_worker;
struct hf_change_step;

/* Makes `to` (a reference moves when it is HF_OK) the node's app. The caller holds node->change_lock; any thread but a
 * worker's. HF_CANCELLED: the node stops or has stopped. On failure everything is as it was. */
enum hf_err hf_change_run(struct hf_node *node, struct hf_app *to, struct hf_report *report);

/* With run_lock and a node that runs: until something may have changed (run_changed); false: never again. Who steps the node itself
 * turns its first worker. */
bool hf_change_wait(struct hf_node *node);
bool hf_change_running(struct hf_node *node); /* the workers' loops run */
/* A reference to what is served now, or NULL; any thread, waits for no change. */
struct hf_app *hf_node_app(struct hf_node *node);

/* A worker's loop, in each turn: is what it prepares ready? */
void hf_change_look(struct hf_worker *w);
/* It is ended in the middle of one. */
void hf_change_forget(struct hf_worker *w);
/* When it must look again, though nothing happens; UINT64_MAX: never. */
uint64_t hf_change_next_ns(const struct hf_worker *w);

#endif
