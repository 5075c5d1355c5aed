/* admin_kill.c - ending instances from outside: a letter to the worker that has the instance, or to all for all of a service. */
#include "node/admin_int.h"

#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hf_kill;
struct kill_letter {
    struct hf_letter letter;
    struct hf_kill *kill;
    struct hf_worker *worker;
    uint64_t ended;
};
struct hf_kill {
    struct hf_door *door;
    struct hf_admin_task *task; /* NULL: nobody waits any more */
    char service[HF_SHOT_NAME_MAX];
    uint64_t id; /* 0: all of the service */
    uint32_t n, back;
    struct kill_letter letters[];
};

/* ---- on the worker's thread ---- */

struct ids {
    uint64_t *ptr;
    size_t len, cap;
};

static void note_id(void *ctx, const struct hf_instance_view *i)
{
    struct ids *ids = ctx;
    (void)!HF_VEC_PUSH(ids, i->process); /* no memory: fewer end, and the answer's number says so */
}

static uint64_t kill_all(struct hf_worker *w, const char *service)
{
    struct ids ids = {0};
    uint64_t ended = 0;
    HF_LIST_FOR (n, &w->shares) {
        const struct hf_share *share = HF_LIST_ENTRY(n, struct hf_share, in_worker);
        if (share->host != NULL && share->class != NULL && strcmp(hf_app_service_name(share->service), service) == 0)
            hf_class_visit(share->class, note_id, &ids);
    }
    for (size_t i = 0; i < ids.len; i++)
        ended += hf_kernel_kill(w->kernel, ids.ptr[i], "operator");
    HF_VEC_DONE(&ids);
    return ended;
}

static void come_back(struct hf_letter *letter);

static void at_worker(struct hf_letter *letter)
{
    struct kill_letter *l = HF_CONTAINER_OF(letter, struct kill_letter, letter);
    const struct hf_kill *k = l->kill;
    if (!l->worker->ended) /* else its last letters are being delivered */
        l->ended = k->id == 0 ? kill_all(l->worker, k->service) : hf_kernel_kill(l->worker->kernel, k->id, "operator");
    l->letter.deliver = come_back;
    hf_wake_post(k->door->wake, &l->letter);
}

/* ---- on the door's ---- */

static void come_back(struct hf_letter *letter)
{
    struct hf_kill *k = HF_CONTAINER_OF(letter, struct kill_letter, letter)->kill;
    uint64_t ended = 0;
    char words[256] = "";
    if (++k->back < k->n)
        return;
    for (uint32_t i = 0; i < k->n; i++)
        ended += k->letters[i].ended;
    if (ended == 0 && k->id != 0)
        snprintf(words, sizeof words, "there is no instance %llu (any more)", (unsigned long long)k->id);
    else if (ended == 0)
        snprintf(words, sizeof words, "there is no instance of a service \"%s\" now", k->service);
    if (k->task != NULL) {
        k->task->number = ended;
        k->task->hold = NULL;
        hf_door_task_done(k->task, ended > 0 ? 200 : 404, ended > 0 ? HF_STATUS_OK : HF_STATUS_USAGE, words);
    }
    free(k);
}

void hf_door_kill_begin(struct hf_door *door, struct hf_admin_task *task)
{
    struct hf_node *node = door->node;
    uint64_t number = task->id >> 48; /* ids of a worker's kernel have its number there */
    uint32_t first = task->id == 0 ? 0 : (uint32_t)number, n = task->id == 0 ? node->n_workers : 1;
    if (first + n > node->n_workers) {
        hf_door_task_done(task, 404, HF_STATUS_USAGE, "there is no such instance");
        return;
    }
    struct hf_kill *k = calloc(1, sizeof *k + n * sizeof k->letters[0]);
    if (k == NULL) {
        hf_door_task_done(task, 503, HF_STATUS_LIMIT, "out of memory");
        return;
    }
    k->door = door;
    k->task = task;
    k->id = task->id;
    k->n = n;
    snprintf(k->service, sizeof k->service, "%s", task->name);
    task->hold = k;
    for (uint32_t i = 0; i < n; i++) {
        struct kill_letter *l = &k->letters[i];
        l->kill = k;
        l->worker = &node->workers[first + i];
        l->letter.deliver = at_worker;
        hf_wake_post(l->worker->wake, &l->letter);
    }
}

void hf_door_kill_end(struct hf_admin_task *task)
{
    struct hf_kill *k = task->hold;
    if (k != NULL)
        k->task = NULL;
    task->hold = NULL;
}
