/* fake_poll.c - readiness in the fake world: asks every watched handle, in turn.
 *
 * Real descriptors are asked too, without waiting, so that a letter queue's bell (os/wake.h) works
 * here. Where the asking begins moves on by one at each wait: with a small `max` nobody starves.
 */
#include "os/fake_parts.h"
#include "os/linux.h"

#include <stdlib.h>

#include "base/vec.h"

struct watch {
    int fd;
    uint32_t interest;
    void *tag;
};

struct hf_os_poller {
    struct hf_list link;
    struct hf_fake *fake;
    struct {
        struct watch *ptr;
        size_t len, cap;
    } watches;
    size_t first;
};

enum hf_err hf_fake_poller_new(struct hf_os *os, struct hf_os_poller **ret)
{
    struct hf_fake *fake = hf_fake_of(os);
    enum hf_err err = hf_fake_fault(fake, FAKE_poller_new);
    if (err != HF_OK)
        return err;
    struct hf_os_poller *p = calloc(1, sizeof *p);
    if (p == NULL)
        return HF_LIMIT;
    p->fake = fake;
    hf_list_push_back(&fake->pollers, &p->link);
    *ret = p;
    return HF_OK;
}

void hf_fake_poller_free(struct hf_os_poller *p)
{
    if (p == NULL)
        return;
    hf_list_remove(&p->link);
    HF_VEC_DONE(&p->watches);
    free(p);
}

static struct watch *find(struct hf_os_poller *p, int fd)
{
    for (size_t i = 0; i < p->watches.len; i++) {
        if (p->watches.ptr[i].fd == fd)
            return &p->watches.ptr[i];
    }
    return NULL;
}

enum hf_err hf_fake_poller_add(struct hf_os_poller *p, int fd, uint32_t interest, void *tag)
{
    enum hf_err err = hf_fake_fault(p->fake, FAKE_poller_add);
    if (err != HF_OK)
        return err;
    if (fd < 0 || find(p, fd) != NULL || (fd >= FAKE_FD_FIRST && !hf_fake_is_open(p->fake, fd)))
        return HF_INVALID;
    return HF_VEC_PUSH(&p->watches, (struct watch){fd, interest, tag}) ? HF_OK : HF_LIMIT;
}

enum hf_err hf_fake_poller_set(struct hf_os_poller *p, int fd, uint32_t interest, void *tag)
{
    enum hf_err err = hf_fake_fault(p->fake, FAKE_poller_set);
    if (err != HF_OK)
        return err;
    struct watch *watch = find(p, fd);
    if (watch == NULL)
        return HF_NOT_FOUND;
    *watch = (struct watch){fd, interest, tag};
    return HF_OK;
}

void hf_fake_poller_remove(struct hf_os_poller *p, int fd)
{
    struct watch *watch = find(p, fd);
    if (watch == NULL)
        return;
    size_t i = (size_t)(watch - p->watches.ptr);
    p->watches.len--;
    memmove(watch, watch + 1, (p->watches.len - i) * sizeof *watch);
}

void hf_fake_pollers_forget(struct hf_fake *fake, int fd)
{
    HF_LIST_FOR(it, &fake->pollers)
    hf_fake_poller_remove(HF_LIST_ENTRY(it, struct hf_os_poller, link), fd);
}

/* What is to be reported: what was asked for; a dead connection always, as readable too. */
static uint32_t ready_of(struct hf_os_poller *p, const struct watch *watch)
{
    if (watch->fd < FAKE_FD_FIRST)
        return hf_linux_probe(NULL, watch->fd, watch->interest);
    uint32_t ready = hf_fake_ready(p->fake, watch->fd);
    uint32_t always = ready & HF_OS_HUP ? HF_OS_HUP | HF_OS_IN : 0;
    return (ready & watch->interest) | always;
}

uint32_t hf_fake_probe(struct hf_os *os, int fd, uint32_t interest)
{
    if (fd < FAKE_FD_FIRST)
        return hf_linux_probe(NULL, fd, interest);
    uint32_t ready = hf_fake_ready(hf_fake_of(os), fd);
    return (ready & interest) | (ready & HF_OS_HUP ? HF_OS_HUP | HF_OS_IN : 0);
}

int hf_fake_poller_fd(const struct hf_os_poller *p)
{
    (void)p;
    return -1; /* time here moves only when somebody waits */
}

size_t hf_fake_poller_wait(struct hf_os_poller *p, uint64_t until_ns, struct hf_os_event *events,
                           size_t max)
{
    size_t n = 0, len = p->watches.len;
    for (size_t i = 0; i < len && n < max; i++) {
        const struct watch *watch = &p->watches.ptr[(p->first + i) % len];
        uint32_t ready = ready_of(p, watch);
        if (ready != 0)
            events[n++] = (struct hf_os_event){watch->tag, ready};
    }
    p->first = len == 0 ? 0 : (p->first + 1) % len;
    if (n == 0 && until_ns != UINT64_MAX && until_ns > p->fake->now_ns)
        p->fake->now_ns = until_ns;
    return n;
}
