/* log_ring.c - see log_ring.h.
 *
 * Bytes lie in one array, each line behind the one before, never around its end: when the rest is
 * too short, that stays unused until the next round. Entries say where, in an array of their own,
 * so that the newest lines of one service are found without touching bytes.
 */
#include "console/log_ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BYTES_DEFAULT (1024u * 1024)
#define LINES_DEFAULT 16384u
#define SERVICE_MAX   255u

struct entry {
    uint32_t at, len; /* service, line and its end, one after the other */
    uint32_t service_len;
};
struct hf_log_ring {
    pthread_mutex_t lock; /* held for one line, or for what one read takes */
    uint8_t *bytes;
    struct entry *entries;
    size_t bytes_max, write_at;
    uint32_t lines_max;
    uint64_t oldest, next; /* numbers: of the oldest line there is, and of the next one */
    _Atomic bool armed;
    void (*bell)(void *ctx);
    void *bell_ctx;
};

enum hf_err hf_log_ring_new(size_t bytes_max, uint32_t lines_max, struct hf_log_ring **ret)
{
    struct hf_log_ring *r = calloc(1, sizeof *r);
    if (r == NULL)
        return HF_LIMIT;
    r->bytes_max = bytes_max == 0 ? BYTES_DEFAULT : bytes_max;
    r->lines_max = lines_max == 0 ? LINES_DEFAULT : lines_max;
    HF_ASSERT(r->bytes_max <= UINT32_MAX);
    pthread_mutex_init(&r->lock, NULL);
    r->bytes = malloc(r->bytes_max);
    r->entries = calloc(r->lines_max, sizeof *r->entries);
    if (r->bytes == NULL || r->entries == NULL) {
        hf_log_ring_free(r);
        return HF_LIMIT;
    }
    *ret = r;
    return HF_OK;
}

void hf_log_ring_free(struct hf_log_ring *r)
{
    if (r == NULL)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r->bytes);
    free(r->entries);
    free(r);
}

static struct entry *entry_of(const struct hf_log_ring *r, uint64_t number)
{
    return &r->entries[number % r->lines_max];
}

/* Lets the oldest lines go that lie in [from, to). */
static void clear(struct hf_log_ring *r, size_t from, size_t to)
{
    while (r->oldest < r->next) {
        const struct entry *e = entry_of(r, r->oldest);
        if (e->at < from || e->at >= to)
            return;
        r->oldest++;
    }
}

static void add(struct hf_log_ring *r, struct hf_view service, struct hf_view line)
{
    size_t len = service.len + line.len + 1; /* never nothing: each has a place of its own */
    if (len > r->bytes_max)
        return;
    if (r->bytes_max - r->write_at < len) {
        clear(r, r->write_at, r->bytes_max);
        r->write_at = 0;
    }
    clear(r, r->write_at, r->write_at + len);
    if (r->next - r->oldest == r->lines_max)
        r->oldest++;
    *entry_of(r, r->next) = (struct entry){
        .at = (uint32_t)r->write_at, .len = (uint32_t)len, .service_len = (uint32_t)service.len};
    if (service.len > 0)
        memcpy(r->bytes + r->write_at, service.ptr, service.len);
    if (line.len > 0)
        memcpy(r->bytes + r->write_at + service.len, line.ptr, line.len);
    r->bytes[r->write_at + len - 1] = '\n';
    r->write_at += len;
    r->next++;
}

void hf_log_ring_add(struct hf_log_ring *r, struct hf_view service, struct hf_view line)
{
    if (r == NULL)
        return;
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    pthread_mutex_lock(&r->lock);
    add(r, hf_view_take(service, SERVICE_MAX), hf_view_take(line, HF_LOG_RING_LINE_MAX));
    pthread_mutex_unlock(&r->lock);
    if (atomic_load_explicit(&r->armed, memory_order_relaxed) &&
        atomic_exchange(&r->armed, false) && r->bell != NULL)
        r->bell(r->bell_ctx);
}

static bool is_of(const struct hf_log_ring *r, const struct entry *e, struct hf_view service)
{
    return service.len == 0 || hf_view_eq(hf_view(r->bytes + e->at, e->service_len), service);
}

uint64_t hf_log_ring_tail(struct hf_log_ring *r, struct hf_view service, uint64_t lines)
{
    pthread_mutex_lock(&r->lock);
    uint64_t at = r->next;
    for (uint64_t i = r->next; i > r->oldest && lines > 0; i--)
        if (is_of(r, entry_of(r, i - 1), service)) {
            at = i - 1;
            lines--;
        }
    pthread_mutex_unlock(&r->lock);
    return at;
}

enum hf_err hf_log_ring_read(struct hf_log_ring *r, struct hf_view service, uint64_t *at,
                             size_t max, struct hf_buf *ret, uint64_t *lost)
{
    size_t room = max > HF_LOG_RING_LINE_MAX + 1 ? max : HF_LOG_RING_LINE_MAX + 1, used = 0;
    *lost = 0;
    if (hf_buf_reserve(ret, room) != HF_OK)
        return HF_LIMIT;
    pthread_mutex_lock(&r->lock);
    if (*at < r->oldest) {
        *lost = r->oldest - *at;
        *at = r->oldest;
    }
    for (; *at < r->next; (*at)++) {
        const struct entry *e = entry_of(r, *at);
        size_t len = e->len - e->service_len;
        if (!is_of(r, e, service))
            continue;
        if (used > 0 && used + len > max)
            break;
        memcpy(ret->ptr + ret->len, r->bytes + e->at + e->service_len, len);
        ret->len += len;
        used += len;
    }
    pthread_mutex_unlock(&r->lock);
    ret->ptr[ret->len] = '\0';
    return used > 0 || *lost > 0 ? HF_OK : HF_AGAIN;
}

void hf_log_ring_set_bell(struct hf_log_ring *r, void (*bell)(void *ctx), void *ctx)
{
    r->bell = bell;
    r->bell_ctx = ctx;
}

void hf_log_ring_arm(struct hf_log_ring *r)
{
    atomic_store(&r->armed, true);
}
