/* linux_poll.c - readiness by epoll.
 *
 * Deadlines are nanoseconds; epoll_pwait2 takes them as they are. Where the kernel lacks it
 * (before 5.11) or a sandbox refuses it, milliseconds are rounded up, so that nobody wakes before
 * the time he asked for.
 */
#include "os/linux.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 256u /* events taken from the kernel at once */
#define NS_PER_S  1000000000u
#define NS_PER_MS 1000000u

struct hf_os_poller {
    int fd;
    bool coarse; /* no epoll_pwait2 here */
};

enum hf_err hf_linux_poller_new(struct hf_os *os, struct hf_os_poller **ret)
{
    (void)os;
    struct hf_os_poller *p = calloc(1, sizeof *p);
    if (p == NULL)
        return HF_LIMIT;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0) {
        enum hf_err err = hf_linux_err(errno);
        free(p);
        return err;
    }
    *ret = p;
    return HF_OK;
}

void hf_linux_poller_free(struct hf_os_poller *p)
{
    if (p == NULL)
        return;
    close(p->fd);
    free(p);
}

static enum hf_err control(struct hf_os_poller *p, int op, int fd, uint32_t interest, void *tag)
{
    struct epoll_event event = {.data.ptr = tag};
    if (interest & HF_OS_IN)
        event.events |= EPOLLIN;
    if (interest & HF_OS_OUT)
        event.events |= EPOLLOUT;
    return epoll_ctl(p->fd, op, fd, &event) == 0 ? HF_OK : hf_linux_err(errno);
}

enum hf_err hf_linux_poller_add(struct hf_os_poller *p, int fd, uint32_t interest, void *tag)
{
    enum hf_err err = control(p, EPOLL_CTL_ADD, fd, interest, tag);
    return err == HF_DENIED ? HF_UNSUPPORTED : err; /* EPERM here: a file, nothing else */
}

enum hf_err hf_linux_poller_set(struct hf_os_poller *p, int fd, uint32_t interest, void *tag)
{
    return control(p, EPOLL_CTL_MOD, fd, interest, tag);
}

void hf_linux_poller_remove(struct hf_os_poller *p, int fd)
{
    (void)control(p, EPOLL_CTL_DEL, fd, 0, NULL); /* not there: as wished */
}

int hf_linux_poller_fd(const struct hf_os_poller *p)
{
    return p->fd;
}

uint32_t hf_linux_probe(struct hf_os *os, int fd, uint32_t interest)
{
    struct pollfd asked = {.fd = fd};
    (void)os;
    if (interest & HF_OS_IN)
        asked.events |= POLLIN;
    if (interest & HF_OS_OUT)
        asked.events |= POLLOUT;
    if (poll(&asked, 1, 0) <= 0)
        return 0;
    uint32_t ready = 0;
    if (asked.revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL))
        ready |= HF_OS_IN;
    if (asked.revents & (POLLOUT | POLLERR | POLLNVAL))
        ready |= HF_OS_OUT;
    if (asked.revents & POLLHUP)
        ready |= HF_OS_HUP;
    return ready;
}

static int wait_coarse(struct hf_os_poller *p, struct epoll_event *got, int max, uint64_t left_ns)
{
    int ms = -1;
    if (left_ns != UINT64_MAX) {
        uint64_t up = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);
        ms = up > INT32_MAX ? INT32_MAX : (int)up;
    }
    return epoll_wait(p->fd, got, max, ms);
}

static int wait_fine(struct hf_os_poller *p, struct epoll_event *got, int max, uint64_t left_ns)
{
    struct timespec left = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};
    return epoll_pwait2(p->fd, got, max, &left, NULL);
}

static uint32_t ready_bits(uint32_t events)
{
    uint32_t ready = 0;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        ready |= HF_OS_IN;
    if (events & (EPOLLOUT | EPOLLERR))
        ready |= HF_OS_OUT;
    if (events & EPOLLHUP)
        ready |= HF_OS_HUP;
    return ready;
}

size_t hf_linux_poller_wait(struct hf_os_poller *p, uint64_t until_ns, struct hf_os_event *events,
                            size_t max)
{
    struct epoll_event got[BATCH_MAX];
    int room = (int)(max < BATCH_MAX ? max : BATCH_MAX), n = -1;
    uint64_t left = until_ns;
    if (room == 0)
        return 0;
    if (until_ns != 0 && until_ns != UINT64_MAX) {
        uint64_t now = hf_linux_now_ns(NULL);
        left = until_ns > now ? until_ns - now : 0;
    }

    bool timed = left != 0 && left != UINT64_MAX;
    if (timed && !p->coarse) {
        n = wait_fine(p, got, room, left);
        p->coarse = n < 0 && (errno == ENOSYS || errno == EPERM);
    }
    if (!timed || p->coarse)
        n = wait_coarse(p, got, room, left);
    if (n < 0) {
        HF_ASSERT(errno == EINTR); /* else the arguments were wrong */
        return 0;
    }
    for (int i = 0; i < n; i++)
        events[i] = (struct hf_os_event){got[i].data.ptr, ready_bits(got[i].events)};
    return (size_t)n;
}
