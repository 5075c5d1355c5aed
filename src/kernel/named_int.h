/* named_int.h - the inside of named processes: what stands behind a name, and which file moves it.
 *
 *     named.c        the name: made, blocked, over       named_turn.c   a turn: what is in hand
 *     named_end.c    the end of an instance, wishes      restart.c      what follows a death
 *     class_named.c  classes of them, from outside       inspect_named.c  as text and rows
 *     mailbox.c      places in mailboxes, delivery       duty.c         holders, answers, void
 *     pending.c      an origin's side: take, timeout, cancel
 *     say_send.c     send, ask, forward, cancel          say_answer.c   reply, defer, tokens
 *     say_self.c     receive, spawn, timers              capability.c   who may message whom
 *     watch.c        monitors and links                  effect.c       effects happen, or do not
 *     far.c          requests to and of other places     far_watch.c    monitors and links there
 *     far_spawn.c    children there
 *     evict.c        which instances are in memory       asleep.c       names whose instance is not
 *     spare.c        instances made ahead
 *
 * `hf_named` is the name: it outlives its instances (`process`) over restarts, keeps the mailbox
 * and what a restart keeps, and is freed when nobody refers to it. Everything that lies in a
 * mailbox has its place in what it is about (hf_mail), so that putting it there cannot fail: an
 * answer lies in its request, a notice in its watch or timer.
 *
 * A request is held by one process at a time (talk.to): all its holders are of that process.
 */
#ifndef HF_KERNEL_NAMED_INT_H
#define HF_KERNEL_NAMED_INT_H

#include "kernel/kernel_int.h"
#include "kernel/message.h"
#include "kernel/name.h"

struct hf_named_class {
    struct hf_named_settings s; /* defaults filled in; grants and spawns are below */
    char **grants, **spawns;
    size_t n_grants, n_spawns;
    uint32_t n_named;
    /* ---- evict.c, asleep.c ---- */
    uint32_t n_resident, n_leaving, n_asleep;
    uint32_t n_spares, n_spare_processes; /* as of hf_evict */
    bool no_spares;                       /* their start asks who they are */
    struct hf_list spares; /* hf_process.in_class_idle, those that are ready first */
    struct hf_class *class;
    struct hf_list idle;     /* hf_process.in_class_idle */
    struct hf_list entrance; /* hf_process.in_run: new ones that wait for room in memory */
    struct hf_list asleep;   /* hf_asleep.in_class, idle for longest first */
    struct hf_list in_waiting, in_closing; /* the kernel's */
    struct hf_timer clock;                 /* the first of `asleep` has been idle too long */
};

enum hf_named_state {
    HF_NAMED_UNBORN,     /* its parent's batch is not acknowledged */
    HF_NAMED_LIVE,       /* has an instance */
    HF_NAMED_RESTARTING, /* its clock will make one */
    HF_NAMED_ASLEEP,     /* is evicted; LIVE again when it has a process to be revived in */
    HF_NAMED_OVER        /* gone; somebody still refers to it */
};

struct hf_named {
    uint32_t refs;
    struct hf_kernel *kernel;
    struct hf_class *class;
    struct hf_process *process;
    enum hf_named_state state;
    bool suspended;
    bool stopping; /* not restarted */
    struct hf_list in_kernel;
    struct hf_effect going; /* SPAWN */

    struct hf_list mail; /* hf_mail.in_box */
    uint32_t n_requests; /* of it; those count against mailbox_max */
    struct hf_wait mail_wait;

    /* What is in hand: a request (a hold), or what `shown` shows: an answer of `back` (the origin's
     * reference) with what is nested (a hold), or a notice of one of the three. */
    struct hf_request *current, *back, *nested, *void_notice;
    struct hf_watch *watch_notice;
    struct hf_alarm *timer_notice;
    bool showing;
    struct hf_message shown;
    struct hf_wait unwanted;

    struct hf_list pending; /* roots, talk.in_from */
    uint32_t n_pending;
    struct hf_request *asked; /* one of pending, until it is taken */
    /* Was taken (the origin's reference): its capabilities are in hand. */
    struct hf_request *last_asked;
    struct hf_wait asked_wait;
    struct hf_list tokens; /* talk.in_token */
    uint32_t n_tokens;
    struct hf_list parked; /* what it sent that lies over a mailbox's bound: it waits for those */

    struct hf_map caps; /* by name, struct hf_cap */
    struct hf_list watching, watchers;
    uint32_t n_watching;
    struct hf_list alarms;
    uint32_t n_alarms;
    uint64_t next_id;        /* of watches and timers */
    struct hf_named *parent; /* a reference, or NULL */
    struct hf_buf far_parent; /* its name, when it lives elsewhere */
    struct hf_list far_watchers; /* hf_far_watcher.in_of */

    struct hf_timer clock; /* restart */
    uint64_t backoff_ns, born_ns;
    uint64_t *restarts; /* the times of the newest, a ring of restart_max; NULL before the first */
    uint32_t n_restarts, n_life;
    enum hf_answer_kind why_kind;
    struct hf_buf why, kill_text;
    bool has_why;

    /* ---- asleep.c ---- */
    struct hf_asleep *asleep; /* it is evicted, or is being revived; or NULL */
    struct hf_list in_evict;  /* one of three lists of hf_evict */
    const char *parting;      /* static; why it ends when it is revived and has nothing to do */
    bool lost, lost_in_order; /* evicted, and ends */
    struct hf_buf stays;      /* why it could not be evicted */
    uint32_t n_stays;         /* how often */

    uint32_t mark; /* of a walk through who waits for whom */
    struct hf_list in_walk;
    struct hf_view group;
    size_t name_len;
    char name[]; /* behind it, when it is not in the name, the group */
};

/* An evicted name. Folded, it is all that there is of the name; else there is a hf_named beside it,
 * which then has more than a name: capabilities, watches, timers, pending requests, mail. */
struct hf_asleep {
    struct hf_list in_class;
    struct hf_class *class;
    struct hf_named *named;  /* NULL: folded */
    struct hf_named *parent; /* of a folded one (a reference), or NULL */
    uint64_t idle_ns, place, next_id;
    uint32_t len; /* of its bytes */
    uint32_t name_len;
    char name[];
};

struct hf_cap {
    struct hf_cap *next; /* of those that are swept out */
    bool far_child;      /* a child that lives elsewhere */
    size_t len;
    char name[];
};

struct hf_watch {
    uint64_t id;
    bool link, over;          /* over: its notice is made */
    struct hf_named *by, *of; /* of: a reference, while it lives */
    struct hf_watch *pair;    /* a link's other direction, or NULL */
    struct hf_list in_by, in_of;
    struct hf_effect going;
    struct hf_mail mail, refused;
    uint64_t n_refused, n_shown;
    /* far_watch.c: of one elsewhere (far_id, not 0; letter: to take it back, or to say that this
     * end of the link died), or the direction back of another's link. */
    uint64_t far_id;
    uint32_t place;
    bool unborn; /* of a child elsewhere, whose beginning leaves right behind it */
    struct hf_far_letter *letter;
    struct hf_far_watcher *back;
    enum hf_answer_kind kind;
    struct hf_buf why;
    size_t name_len;
    char name[];
};

/* A watch of another place's process on one of ours. */
struct hf_far_watcher {
    uint64_t id;
    uint32_t place;
    bool link;
    struct hf_named *of;
    struct hf_watch *pair; /* a link's direction back, or NULL */
    struct hf_list in_of;
    struct hf_far_letter *letter, *refused; /* of its end; of refused tells, NULL: it is out */
    uint64_t n_refused;
};

struct hf_far_wish { /* a letter that leaves when its batch is acknowledged */
    struct hf_effect going;
    struct hf_kernel *kernel;
    struct hf_far_letter *letter;
    uint32_t to;
};

struct hf_alarm {
    uint64_t id;
    struct hf_named *named;
    struct hf_timer timer;
    struct hf_mail mail;
    struct hf_list in_named;
};

struct hf_end_wish {
    struct hf_effect going;
    struct hf_named *child; /* a reference */
    bool kill;
    struct hf_buf why;
};

static inline struct hf_view hf_named_name(const struct hf_named *n)
{
    return hf_view(n->name, n->name_len);
}
static inline const struct hf_named_settings *hf_named_set(const struct hf_named *n)
{
    return &n->class->named->s;
}
static inline struct hf_named *hf_named_ref(struct hf_named *n)
{
    n->refs++;
    return n;
}
void hf_named_unref(struct hf_named *n); /* NULL is fine */

/* ---- named.c ---- */
/* The one with this name that lives or will; with `make` a new one where a message may make it.
 * NULL: *why is NO_SUCH or LIMITED. */
struct hf_named *hf_named_find(struct hf_kernel *k, struct hf_view name, bool make,
                               enum hf_answer_kind *why);
/* NULL: a limit, or memory. */
struct hf_named *hf_named_new(struct hf_class *c, struct hf_view name, struct hf_view parent_group);
bool hf_named_is_quiet(const struct hf_named *n); /* nothing is left to do, now or later */
void hf_named_settle(struct hf_named *n);         /* it is idle: what comes next */
void hf_named_wake_up(struct hf_named *n);        /* there is mail, or it may run again */
void hf_named_set_blocked(struct hf_named *n);
void hf_named_clock(struct hf_process *p); /* a turn that takes too long, or idleness */
/* The name is free; whoever waits in its mailbox is told why. */
void hf_named_over(struct hf_named *n);

/* One that is in no map and has no process; NULL: memory. */
struct hf_named *hf_named_alloc(struct hf_class *c, struct hf_view name,
                                struct hf_view parent_group);

/* ---- evict.c: which instances are in memory ---- */
void hf_evict_init(struct hf_kernel *k);
/* It has nothing to do: it may be evicted. */
void hf_evict_idle(struct hf_process *p);
/* It is used, or ends: it is not evicted, whatever is under way. */
void hf_evict_keep(struct hf_process *p);
void hf_evict_gone(struct hf_process *p); /* the process is freed */
/* May it start? False: it stands in its class's entrance, and is made runnable when it may. */
bool hf_evict_admits(struct hf_process *p);
/* No new name: nothing can be evicted at present, and there are as many as may be. */
bool hf_evict_refuses(const struct hf_class *c);
/* In place of start for who is evicted: WAIT, or FAILED. */
enum hf_end hf_evict_revive(struct hf_process *p);
bool hf_evict_is_reviving(const struct hf_process *p);
enum hf_end hf_evict_resume(struct hf_process *p);
/* A step's share: at most one image is taken. */
void hf_evict_work(struct hf_kernel *k);
void hf_evict_done(struct hf_kernel *k); /* every process and name is gone */

/* ---- spare.c: instances made ahead ---- */
/* One of the class's for a new name, runnable and counted as in memory; NULL: there is none. */
struct hf_process *hf_spare_take(struct hf_class *c);
/* As many as shall be, where there is room. */
void hf_spare_refill(struct hf_class *c);
void hf_spare_ready(struct hf_process *p); /* its start is done */
/* Its start failed, or the start of somebody for whom all spares go. True: nothing is left to do. */
bool hf_spare_retry(struct hf_process *p);
/* It ends in order: its instance was renewed, and is a spare when it was put back. */
bool hf_spare_renews(struct hf_process *p);
void hf_spare_put_back(struct hf_process *p);
void hf_spare_fit(struct hf_class *c); /* somebody came into memory: spares beyond the bounds go */
void hf_spare_give_way(struct hf_kernel *k); /* one goes, if there is one */
void hf_spare_none(struct hf_class *c);      /* all of the class go */
void hf_spare_doomed(struct hf_process *p);  /* it will be ended; nothing when it is none */
void hf_spare_gone(struct hf_process *p);    /* it is freed; nothing when it is none */

/* ---- asleep.c: names whose instance is not ---- */
struct hf_asleep *hf_asleep_new(const struct hf_named *n);
/* Its instance is stopped: it is evicted now. */
void hf_asleep_begin(struct hf_named *n, struct hf_asleep *a, uint64_t idle_ns);
/* Its bytes are not wanted any more: it is revived, or gone. */
void hf_asleep_end(struct hf_named *n);
/* A folded name is a hf_named again; NULL: there is none (*limited false), or memory. */
struct hf_named *hf_asleep_unfold(struct hf_kernel *k, struct hf_view name, bool *limited);
bool hf_asleep_has(const struct hf_kernel *k, struct hf_view name);
void hf_asleep_fold_later(struct hf_named *n);
void hf_asleep_wake(struct hf_named *n); /* there is mail */
/* It ends with the next step, as it lies there; why: n->parting, or what hf_named_dying would note. */
void hf_asleep_lose(struct hf_named *n, bool in_order);
void hf_asleep_stop(struct hf_named *n);
void hf_asleep_class_open(struct hf_named_class *nc, struct hf_class *c);
void hf_asleep_class_close(struct hf_class *c);
void hf_asleep_class_done(struct hf_class *c);
void hf_asleep_work(struct hf_kernel *k);
uint32_t hf_asleep_leaving(const struct hf_kernel *k); /* of closed classes */
void hf_asleep_free_all(struct hf_kernel *k);
void hf_asleep_each(const struct hf_kernel *k,
                    void (*each)(void *ctx, const struct hf_asleep *folded), void *ctx);

/* ---- named_turn.c ---- */
void hf_named_started(struct hf_process *p);
/* Takes the next message and calls the behaviour; DONE in phase IDLE: there was none. */
enum hf_end hf_named_begin(struct hf_process *p);
void hf_named_turn_done(struct hf_process *p);
/* The next message becomes current. False: none, or memory for its record (then the turn is
 * broken). */
bool hf_named_take_mail(struct hf_named *n);
/* Current and nested are released; open duties of which they were the last holders are answered
 * with kind. `p`: in its turn, or NULL. */
void hf_named_release(struct hf_named *n, struct hf_process *p, enum hf_answer_kind kind,
                      struct hf_view text);
void hf_named_forget_asked(struct hf_named *n);
/* The request in question, or NULL. */
struct hf_request *hf_named_question(const struct hf_named *n);
const struct hf_message *hf_named_message(const struct hf_named *n);
struct hf_blob **hf_named_blob(struct hf_named *n); /* of what is current; NULL: nothing is */
struct hf_blob *hf_named_take_blob(struct hf_named *n);
/* What is inherited by who says so: current's, else nested's; NULL: none. Lent. */
struct hf_blob *hf_named_inherited(struct hf_named *n);

/* ---- named_end.c ---- */
/* Its turn, or start, has failed, or it retires: whoever it holds is told, as the last of its
 * effects. */
void hf_named_dying(struct hf_process *p, enum hf_answer_kind kind, struct hf_view text);
/* Its instance is freed. */
void hf_named_gone(struct hf_named *n, bool in_order, const char *why);
/* Kills what runs; not restarted when `by_wish`. */
void hf_named_end_now(struct hf_named *n, struct hf_view why, bool by_wish);
void hf_named_end_soon(struct hf_named *n);
struct hf_view hf_named_kill_text(const struct hf_named *n);
/* The kernel is freed: who waits is told; what is left goes. */
void hf_named_cancel_all(struct hf_kernel *k);
void hf_named_end_all(struct hf_kernel *k);

/* ---- class_named.c ---- */
void hf_named_class_free(struct hf_named_class *nc);
void hf_named_class_close(struct hf_class *c);
enum hf_err hf_named_post(struct hf_kernel *k, struct hf_post *post, uint64_t *id);

/* ---- inspect_named.c ---- */
void hf_named_describe(const struct hf_named *n, struct hf_buf *ret);
void hf_named_walk_blobs(const struct hf_kernel *k, void (*each)(void *ctx, struct hf_blob *blob),
                         void *ctx);

/* ---- restart.c ---- */
/* Its instance is gone. True: it is made again, now or when its clock rings. */
bool hf_restart_plan(struct hf_named *n, bool in_order);
void hf_restart_now(struct hf_named *n);

/* ---- mailbox.c ---- */
void hf_mail_put(struct hf_named *n, struct hf_mail *m);
/* Takes it out wherever it is in line; fine when it is in none. */
void hf_mail_remove(struct hf_named *n, struct hf_mail *m);
/* The effect of a send: finds the target, puts the request into its mailbox, or says why not. */
void hf_mail_deliver(struct hf_kernel *k, struct hf_request *r);
/* Its duty is open: its origin is told that it is refused, and by whom when it was forwarded. */
void hf_mail_refuse(struct hf_request *r, enum hf_answer_kind kind);
/* Not delivered: its origin is told, a tell is counted. The hold of its way is given up. */
void hf_mail_fail(struct hf_kernel *k, struct hf_request *r, enum hf_answer_kind kind,
                  struct hf_named *n);
/* Into n's mailbox, or its origin is told why not. */
void hf_mail_deliver_to(struct hf_kernel *k, struct hf_request *r, struct hf_named *n);
/* A look for who waits for himself, that goes on to other places: whose, which request of his. */
struct hf_probe {
    uint32_t origin;
    uint64_t origin_id, hops;
};
/* Does `n` wait, over any number of others, for `end`? Where a wait leads elsewhere, `probe` (or
 * NULL) is sent on; *far (or NULL): some do. */
bool hf_mail_waits_for(struct hf_named *n, const struct hf_named *end, const struct hf_probe *probe,
                       bool *far);
/* Who has it in his mailbox or in hand; NULL: nobody here, or it is away. */
struct hf_named *hf_mail_holder(const struct hf_request *live);
struct hf_view hf_mail_why(enum hf_answer_kind kind);
/* It is not over the bound any more (taken, or gone). */
void hf_mail_unpark(struct hf_request *r);

/* ---- duty.c ---- */
void hf_talk_init(struct hf_talk *t);
void hf_talk_unref(struct hf_kernel *k, struct hf_request *r);
void hf_talk_told(struct hf_kernel *k, struct hf_request *r); /* its port has its answer */
void hf_duty_hold(struct hf_request *r);
void hf_duty_release(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                     struct hf_view text);
enum hf_said hf_duty_said(const struct hf_request *r);
/* Its duty must be open. `p`: who answers in its turn; NULL: the kernel. Takes body and blob (or
 * NULL). */
void hf_duty_answer(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                    struct hf_buf *body, struct hf_blob **blob);
void hf_duty_refuse(struct hf_request *r, struct hf_process *p, enum hf_answer_kind kind,
                    struct hf_view text);
/* Nobody waits any more: whoever could answer cannot, and hears of it. An answer on its way is
 * dropped. */
void hf_duty_void(struct hf_kernel *k, struct hf_request *root);
/* The answer's effect. */
void hf_duty_answered(struct hf_kernel *k, struct hf_request *root);

/* ---- pending.c ---- */
/* The origin's one take: answer or error goes to who asked. */
void hf_pending_take(struct hf_kernel *k, struct hf_request *root);
/* Timeout or cancel. */
void hf_pending_over(struct hf_request *root, enum hf_answer_kind kind, struct hf_view text);
/* Taken out of the mailbox, or never to be: the origin's side is over. */
void hf_pending_forget(struct hf_named *n, struct hf_request *root);
/* ... and its answer, if one came. */
void hf_pending_discard(struct hf_named *n, struct hf_request *root);
/* Its origin does not wait any more: whoever could answer hears of it, an effect of this turn. */
void hf_pending_withdraw(struct hf_process *p, struct hf_request *root);
/* All of a dead process. */
void hf_pending_drop_all(struct hf_named *n, struct hf_view why);

/* ---- capability.c ---- */
bool hf_cap_holds(const struct hf_named *n, struct hf_view name);
/* May a message or answer of `bytes` and these be sent: each is held, how many, message_max. */
enum hf_said hf_cap_check(const struct hf_process *p, const struct hf_view *caps, size_t n,
                          size_t bytes);
bool hf_cap_may_spawn(const struct hf_named *n, struct hf_view class);
enum hf_said hf_cap_put(struct hf_named *n, struct hf_view name);
void hf_caps_free(struct hf_named *n);
/* Copies target (or empty), metadata and capabilities into one text; false: memory. */
bool hf_cap_pack(struct hf_buf *text, struct hf_view *target, struct hf_view *metadata,
                 const struct hf_view *from, size_t n, struct hf_view **caps);

/* ---- watch.c ---- */
enum hf_said hf_watch_make(struct hf_process *p, struct hf_view name, bool link, uint64_t *id);
void hf_watch_begin(struct hf_kernel *k, struct hf_watch *w); /* its effect */
void hf_watch_free(struct hf_watch *w);
/* n's instance has ended: all who watch are told. */
void hf_watch_ended(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why);
void hf_watch_refused(struct hf_named *n);

void hf_watch_tell(struct hf_watch *w, enum hf_answer_kind kind, struct hf_view why);
struct hf_watch *hf_watch_new(struct hf_named *by, struct hf_view name, bool link);
void hf_watch_more(struct hf_watch *w, uint64_t refused);

/* ---- far.c: requests ---- */
/* Where it lives, when that is elsewhere and its class is known. */
bool hf_far_place(const struct hf_kernel *k, struct hf_view name, uint32_t *place);
/* NULL: memory. */
struct hf_far_letter *hf_far_make(struct hf_kernel *k, enum hf_far_kind kind, uint64_t id);
void hf_far_drop(struct hf_kernel *k, struct hf_far_letter *letter);
void hf_far_post(struct hf_kernel *k, uint32_t to, struct hf_far_letter *letter);
/* Copies views into the letter's text; false: memory, and nothing of it is left. */
bool hf_far_pack(struct hf_far_letter *letter, struct hf_view target, struct hf_view source,
                 struct hf_view metadata, const struct hf_view *caps, size_t n);
/* The effect of a send: it goes, or its origin is told why not. */
void hf_far_send(struct hf_kernel *k, struct hf_request *r, uint32_t to);
/* A guest's answer is made. */
void hf_far_answer(struct hf_kernel *k, struct hf_request *root);
/* Nobody waits for what is away. */
void hf_far_cancel(struct hf_kernel *k, struct hf_request *live);
/* A guest whose sender parked was taken, or is gone. */
void hf_far_room(struct hf_request *r);
/* Whose process waits for its answer; NULL: a port, or one that lives elsewhere. */
struct hf_named *hf_far_asker(const struct hf_kernel *k, const struct hf_request *root);
void hf_far_probe(struct hf_kernel *k, const struct hf_request *away, const struct hf_probe *probe);
void hf_far_init(struct hf_kernel *k);
/* The kernel is freed: what is away is let go; then the maps. */
void hf_far_end(struct hf_kernel *k);
void hf_far_done(struct hf_kernel *k);

/* ---- far_watch.c ---- */
void hf_far_watch(struct hf_kernel *k, struct hf_watch *w, uint32_t place);
void hf_far_watch_free(struct hf_watch *w); /* its far part */
void hf_far_exit(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why);
void hf_far_ended(struct hf_named *n, enum hf_answer_kind kind, struct hf_view why);
void hf_far_refused(struct hf_named *n);
void hf_far_watch_arrive(struct hf_kernel *k, struct hf_far_letter *letter);
/* What was to watch the child of this SPAWN begins to, or is told why there is none. */
void hf_far_watch_born(struct hf_kernel *k, const struct hf_far_letter *spawn, struct hf_view why);

/* ---- far_spawn.c ---- */
enum hf_said hf_far_spawn(struct hf_process *p, const struct hf_spawn *s, struct hf_view name,
                          uint32_t place, uint64_t *watch);
enum hf_said hf_far_end_child(struct hf_process *p, struct hf_view name, bool kill,
                              struct hf_view why);
void hf_far_wish_happen(struct hf_far_wish *w);
void hf_far_wish_drop(struct hf_far_wish *w);
void hf_far_spawn_arrive(struct hf_kernel *k, struct hf_far_letter *letter);

/* ---- say_self.c ---- */
void hf_alarm_free(struct hf_alarm *a);
/* Notes a verb in the batch of this segment; false: memory, the turn is broken. */
bool hf_say_record(struct hf_process *p, enum hf_verb verb, uint64_t id, struct hf_view name);

#endif
