/* admin_int.h - the admin door's node side: what admin.c and the files beside it share.
 *
 *   admin.c       the door: its thread, its listeners, its life
 *   admin_ops.c   the console's table: the node, changes, buckets
 *   admin_look.c  shots of all workers, as letters
 *   admin_kill.c  ending instances, as letters
 *   admin_post.c  messages to processes, one process by name
 *
 * The door has a thread of its own, with a kernel, two gateways (one a way in) and a poller: so it answers while workers are
 * busy, says so when one hangs, and costs them nothing but the letters they answer.
 */
#ifndef HF_NODE_ADMIN_INT_H
#define HF_NODE_ADMIN_INT_H

#include "base/list.h"
#include "console/admin.h"
#include "node/admin.h"
#include "node/node_int.h"

#define HF_LOOK_NS 1000000000u /* a worker that has not answered by then is silent */

struct hf_probe { /* one worker's shot on its way; the letter's memory belongs to whoever has it */
    struct hf_letter letter;
    struct hf_door *door;
    struct hf_worker *worker;
    struct hf_shot fresh; /* the worker fills it */
    struct hf_shot last;  /* the door's: what it said last */
    bool out;             /* it has not come back */
    bool again;           /* it went out for an earlier look: when it is back it goes out for this one */
    bool answered;        /* ... in the look that is under way */
};

struct hf_door_way {
    struct hf_gateway *gateway;
    struct hf_route_table *routes;
    struct hf_admin_entry entry;
};
enum { HF_WAY_UNIX, HF_WAY_TCP, HF_WAYS };

struct hf_door {
    struct hf_node *node;
    struct hf_os *os;
    pthread_t thread;
    bool has_thread;
    _Atomic bool stop; /* the workers have ended */
    _Atomic bool rung; /* the log has news */
    struct hf_os_poller *poller;
    struct hf_wake *wake;
    struct hf_os_watch wake_watch;
    struct hf_io io; /* for its door to the store of buckets */
    struct hf_kernel *kernel;
    struct hf_jobs *jobs; /* one thread: changes come one after another */
    uint32_t deploys;     /* of them, those that hold a component's bytes */
    struct hf_courier courier; /* messages to processes */
    struct hf_log_ring *ring;
    struct hf_admin *admin;
    struct hf_admin_ops ops;
    struct hf_door_way ways[HF_WAYS];
    uint64_t opened_ns, opened_wall_ns, stop_at_ns;

    /* looks: tasks that wait for the one under way, and those that came after it began */
    struct hf_probe *probes; /* one a worker */
    struct hf_list looking, next_look;
    bool look_due;
    uint64_t look_until_ns; /* 0: none is under way */
};

/* admin_ops.c */
void hf_door_ops_init(struct hf_door *door);

/* admin_look.c */
enum hf_err hf_door_look_init(struct hf_door *door);
void hf_door_look_begin(struct hf_door *door, struct hf_admin_task *task);
void hf_door_look_end(struct hf_door *door, struct hf_admin_task *task);
/* Once per turn of the door's loop. */
void hf_door_look_tick(struct hf_door *door, uint64_t now_ns);
void hf_door_look_done(struct hf_door *door);

/* admin_kill.c */
void hf_door_kill_begin(struct hf_door *door, struct hf_admin_task *task);
void hf_door_kill_end(struct hf_admin_task *task);

/* admin_post.c */
void hf_door_post_begin(void *door, struct hf_admin_post *post);
void hf_door_post_end(void *door, struct hf_admin_post *post);
/* HF_ADMIN_PROCESS, HF_ADMIN_END. */
void hf_door_process_begin(struct hf_door *door, struct hf_admin_task *task);
void hf_door_process_end(struct hf_admin_task *task);

/* A task is done. `text` may be NULL. */
void hf_door_task_done(struct hf_admin_task *task, uint16_t http, int code, const char *text);

#endif
