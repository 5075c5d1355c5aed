/* fake.c - the world in memory: its clock, its random bytes, its faults.
 *
 * Everything in it follows from the seed and the calls made, so a failing test fails the same way
 * again.
 *
 * Not here: files (fake_file.c), sockets (fake_net.c), readiness (fake_poll.c).
 */
#include "os/fake_parts.h"

#include <stdlib.h>

#define START_NS      1000000000u /* monotonic time is not 0 at start: 0 means "do not wait" */
#define WALL_START_NS 1750000000000000000u /* June 2025 */
#define ROOM_DEFAULT  65536u

/* SplitMix64. */
uint64_t hf_fake_number(struct hf_fake *fake)
{
    uint64_t z = (fake->rng += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

enum hf_err hf_fake_fault(struct hf_fake *fake, enum fake_call call)
{
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < FAKE_FAULTS_MAX; i++) {
        struct fake_fault *fault = &fake->faults[i];
        if (fault->left > 0 && fault->call == call && --fault->left == 0 && err == HF_OK)
            err = fault->err;
    }
    return err;
}

void hf_os_fake_fail(struct hf_os *os, const char *call, unsigned nth, enum hf_err err)
{
    static const char *const names[] = {
#define X(name) #name,
        FAKE_CALLS(X)
#undef X
    };
    struct hf_fake *fake = hf_fake_of(os);
    size_t which = 0, slot = 0;
    while (which < FAKE_CALL_COUNT && strcmp(names[which], call) != 0)
        which++;
    while (slot < FAKE_FAULTS_MAX && fake->faults[slot].left > 0)
        slot++;
    HF_ASSERT(which < FAKE_CALL_COUNT && slot < FAKE_FAULTS_MAX && nth > 0 && err != HF_OK);
    fake->faults[slot] = (struct fake_fault){(enum fake_call)which, nth, err};
}

static uint64_t now_ns(struct hf_os *os)
{
    return hf_fake_of(os)->now_ns;
}

static uint64_t wall_ns(struct hf_os *os)
{
    return WALL_START_NS + hf_fake_of(os)->now_ns;
}

static enum hf_err random_bytes(struct hf_os *os, void *buf, size_t len)
{
    struct hf_fake *fake = hf_fake_of(os);
    uint8_t *p = buf;
    enum hf_err err = hf_fake_fault(fake, FAKE_random);
    if (err != HF_OK)
        return err;
    while (len > 0) {
        uint64_t number = hf_fake_number(fake);
        size_t n = len < sizeof number ? len : sizeof number;
        memcpy(p, &number, n);
        p += n;
        len -= n;
    }
    return HF_OK;
}

void hf_os_fake_advance(struct hf_os *os, uint64_t ns)
{
    hf_fake_of(os)->now_ns += ns;
}

void hf_os_fake_socket_room(struct hf_os *os, size_t bytes)
{
    hf_fake_of(os)->socket_room = bytes;
}

void hf_os_fake_chunk(struct hf_os *os, size_t bytes)
{
    HF_ASSERT(bytes > 0);
    hf_fake_of(os)->chunk = bytes;
}

struct hf_os *hf_os_fake_new(uint64_t seed)
{
    struct hf_fake *fake = calloc(1, sizeof *fake);
    if (fake == NULL)
        return NULL;
    fake->now_ns = START_NS;
    fake->rng = seed;
    fake->socket_room = ROOM_DEFAULT;
    fake->chunk = SIZE_MAX;
    fake->next_port = FAKE_PORT_FIRST;
    hf_list_init(&fake->pollers);
    fake->os = (struct hf_os){
        .name = "fake",
        .now_ns = now_ns,
        .wall_ns = wall_ns,
        .random = random_bytes,
        .file_open = hf_fake_file_open,
        .file_read_at = hf_fake_file_read_at,
        .file_append = hf_fake_file_append,
        .file_sync = hf_fake_file_sync,
        .file_close = hf_fake_file_close,
        .path_stat = hf_fake_path_stat,
        .path_mkdir = hf_fake_path_mkdir,
        .path_rename = hf_fake_path_rename,
        .path_remove = hf_fake_path_remove,
        .path_chmod = hf_fake_path_chmod,
        .dir_sync = hf_fake_dir_sync,
        .listen = hf_fake_listen,
        .accept = hf_fake_accept,
        .connect = hf_fake_connect,
        .connect_result = hf_fake_connect_result,
        .read = hf_fake_read,
        .writev = hf_fake_writev,
        .shutdown_write = hf_fake_shutdown_write,
        .close = hf_fake_close,
        .close_reset = hf_fake_close_reset,
        .probe = hf_fake_probe,
        .poller_new = hf_fake_poller_new,
        .poller_free = hf_fake_poller_free,
        .poller_add = hf_fake_poller_add,
        .poller_set = hf_fake_poller_set,
        .poller_remove = hf_fake_poller_remove,
        .poller_wait = hf_fake_poller_wait,
        .poller_fd = hf_fake_poller_fd,
    };
    return &fake->os;
}

void hf_os_fake_free(struct hf_os *os)
{
    if (os == NULL)
        return;
    struct hf_fake *fake = hf_fake_of(os);
    HF_ASSERT(hf_list_empty(
        &fake->pollers)); /* a poller that outlives its world is a leak of its owner */
    hf_fake_net_done(fake);
    hf_fake_files_done(fake);
    free(fake);
}
