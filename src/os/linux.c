/* linux.c - the real world as a table: clocks, random bytes, what an errno means.
 *
 * Not here: files (linux_file.c), sockets (linux_net.c), readiness (linux_poll.c).
 */
#include "os/linux.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum hf_err hf_linux_err(int number)
{
    switch (number) {
    case EAGAIN:
    case EINPROGRESS:
    case EINTR: return HF_AGAIN;
    case ENOENT:
    case ENOTDIR:
    case EADDRNOTAVAIL: return HF_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return HF_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return HF_LIMIT;
    case EBADF:
    case EEXIST:
    case ENOTEMPTY:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:
    case EINVAL: return HF_INVALID;
    case EAFNOSUPPORT: return HF_UNSUPPORTED;
    case ECONNRESET:
    case EPIPE: return HF_CLOSED;
    case ETIMEDOUT: return HF_TIMEOUT;
    default: return HF_IO;
    }
}

enum hf_err hf_linux_fail(struct hf_report *report, int number, const char *what,
                          const char *subject)
{
    char text[128];
    /* The GNU one, which may return a text of its own instead of filling ours. */
    return hf_report_set(report, hf_linux_err(number), "%s %s: %s", what, subject,
                         strerror_r(number, text, sizeof text));
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    HF_ASSERT(clock_gettime(clock, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t hf_linux_now_ns(struct hf_os *os)
{
    (void)os;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t wall_ns(struct hf_os *os)
{
    (void)os;
    return clock_ns(CLOCK_REALTIME);
}

static enum hf_err random_bytes(struct hf_os *os, void *buf, size_t len)
{
    (void)os;
    uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return HF_IO;
        p += n;
        len -= (size_t)n;
    }
    return HF_OK;
}

static const struct hf_os table = {
    .name = "linux",
    .now_ns = hf_linux_now_ns,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .file_open = hf_linux_file_open,
    .file_read_at = hf_linux_file_read_at,
    .file_append = hf_linux_file_append,
    .file_sync = hf_linux_file_sync,
    .file_close = hf_linux_file_close,
    .path_stat = hf_linux_path_stat,
    .path_mkdir = hf_linux_path_mkdir,
    .path_rename = hf_linux_path_rename,
    .path_remove = hf_linux_path_remove,
    .path_chmod = hf_linux_path_chmod,
    .dir_sync = hf_linux_dir_sync,
    .listen = hf_linux_listen,
    .accept = hf_linux_accept,
    .connect = hf_linux_connect,
    .connect_result = hf_linux_connect_result,
    .read = hf_linux_read,
    .writev = hf_linux_writev,
    .shutdown_write = hf_linux_shutdown_write,
    .close = hf_linux_close,
    .close_reset = hf_linux_close_reset,
    .probe = hf_linux_probe,
    .poller_new = hf_linux_poller_new,
    .poller_free = hf_linux_poller_free,
    .poller_add = hf_linux_poller_add,
    .poller_set = hf_linux_poller_set,
    .poller_remove = hf_linux_poller_remove,
    .poller_wait = hf_linux_poller_wait,
    .poller_fd = hf_linux_poller_fd,
};

struct hf_os *hf_os_linux(void)
{
    /* The type is not const since a world may have state; this one has none and lies in read-only
     * memory. */
    return (struct hf_os *)(uintptr_t)&table;
}
