/* blob_model_test.c - a blob beside a plain byte array: random pushes, reads, opens, closes,
 * holders and ends must look the same through both, for many seeds. In half of them bytes go to a
 * file and come back, late, in any order and with failures. The seed is in the message of a failure.
 */
#include <sys/uio.h>

#include "kernel/blob_int.h"
#include "support_shelf.h"

enum { READERS = 5, LEN_MAX = 400 * 1024, SEEDS = 300, DEEDS = 600 };

struct model {
    uint64_t seed;
    struct hf_blob_pool *pool;
    struct shelf shelf;
    bool spills, read_failed; /* read_failed: a reader may have been told HF_IO */
    struct hf_blob *blob, *holder; /* the producer's side; a holder's reference or NULL */
    struct hf_blob_reader readers[READERS];
    uint64_t at[READERS];
    bool open[READERS];
    uint8_t *bytes;
    size_t len, window;
    uint64_t declared;
    bool ended;
    enum hf_err err;
};

#define CHECK(m, cond)                                                                             \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fail_msg("seed %llu: %s", (unsigned long long)(m)->start, #cond);                      \
    } while (0)

struct run {
    struct model m;
    uint64_t start;
};

static uint64_t below(struct run *r, uint64_t n)
{
    return rnd(&r->m.seed) % n;
}

static unsigned n_open(const struct model *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < READERS; i++)
        n += m->open[i];
    return n;
}

static bool is_wanted(const struct model *m)
{
    return m->holder != NULL || n_open(m) > 0;
}

static uint64_t slowest(const struct model *m)
{
    uint64_t low = UINT64_MAX;
    for (unsigned i = 0; i < READERS; i++)
        if (m->open[i] && m->at[i] < low)
            low = m->at[i];
    return low;
}

static uint64_t slowest_or(const struct model *m, uint64_t none)
{
    return n_open(m) > 0 ? slowest(m) : none;
}

static void compare(struct run *r)
{
    struct model *m = &r->m;
    for (unsigned i = 0; i < READERS; i++) {
        struct hf_view v;
        if (!m->open[i])
            continue;
        enum hf_err err = hf_blob_reader_peek(&m->readers[i], &v);
        CHECK(r, m->readers[i].wait.ready == (err != HF_AGAIN));
        if (m->at[i] < m->len) {
            if (err == HF_AGAIN) /* it is on its way, or waits for others that are */
                CHECK(r, m->spills && m->shelf.n_moves > 0);
            else if (err != HF_OK)
                CHECK(r, m->read_failed && err == HF_IO);
            if (err != HF_OK)
                continue;
            CHECK(r, v.len > 0 && v.len <= m->len - m->at[i]);
            CHECK(r, memcmp(v.ptr, m->bytes + m->at[i], v.len) == 0);
        } else {
            CHECK(r, err == (!m->ended ? HF_AGAIN : m->err == HF_OK ? HF_CLOSED : m->err));
        }
    }
    if (m->ended)
        return;
    CHECK(r, hf_blob_pushed(m->blob) == m->len);
    CHECK(r, hf_blob_wanted(m->blob) == is_wanted(m));
    size_t room = hf_blob_room(m->blob);
    if (m->spills && room == 0) {
        CHECK(r, m->len - slowest_or(m, 0) >= m->window || m->shelf.n_moves > 0);
    } else if (n_open(m) > 0) {
        uint64_t used = m->len - slowest(m);
        CHECK(r, room == (used < m->window ? m->window - used : 0));
    }
    CHECK(r, hf_blob_room_wait(m->blob)->ready == (room > 0 || !is_wanted(m)));
    if (!is_wanted(m))
        CHECK(r, hf_blob_memory(m->blob) == 0);
    else if (m->holder == NULL && !m->spills) /* passed bytes are gone: at most a segment on either side is not full */
        CHECK(r, hf_blob_memory(m->blob) <= m->len - slowest(m) + 4 * HF_SEG_LARGE_SIZE);
}

static void fill(struct run *r, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(rnd(&r->m.seed) >> 56);
}

static size_t some_size(struct run *r)
{
    static const size_t sizes[] = {1, 10, 500, 4096, 5000, 40000};
    size_t n = (size_t)below(r, sizes[below(r, HF_ARRAY_LEN(sizes))]) + 1;
    return n < LEN_MAX - r->m.len ? n : LEN_MAX - r->m.len;
}

static enum hf_err expected(const struct model *m, size_t n)
{
    if (!is_wanted(m))
        return HF_CLOSED;
    return n > m->declared - m->len ? HF_INVALID : HF_OK;
}

/* A file that takes no more may be felt, and nothing is taken then. */
static bool is_as(const struct model *m, enum hf_err err, enum hf_err want)
{
    struct hf_blob_spill_stats s;
    if (err == want)
        return true;
    if (!m->spills || want != HF_OK || err != HF_LIMIT)
        return false;
    hf_blob_spill_get_stats(m->pool, &s);
    return s.refused > 0 && s.write_failures > 0;
}

static void do_push(struct run *r)
{
    struct model *m = &r->m;
    size_t n = some_size(r);
    if (n == 0)
        return;
    fill(r, m->bytes + m->len, n);
    enum hf_err want = expected(m, n), err;
    if (below(r, 2) == 0) {
        err = hf_blob_push(m->blob, hf_view(m->bytes + m->len, n));
    } else {
        size_t lent;
        uint8_t *space = hf_blob_reserve(m->blob, n, &lent);
        CHECK(r, space != NULL && lent >= 1 && lent <= n);
        n = (size_t)below(r, lent + 1);
        memcpy(space, m->bytes + m->len, n);
        want = expected(m, n);
        err = hf_blob_commit(m->blob, n);
    }
    CHECK(r, is_as(m, err, want));
    if (err == HF_OK)
        m->len += n;
}

static enum hf_err peek_says(struct model *m, unsigned i)
{
    struct hf_view v;
    return hf_blob_reader_peek(&m->readers[i], &v);
}

static void do_read(struct run *r)
{
    struct model *m = &r->m;
    unsigned i = (unsigned)below(r, READERS);
    if (!m->open[i])
        return;
    if (below(r, 2) == 0) {
        struct hf_view v;
        if (hf_blob_reader_peek(&m->readers[i], &v) != HF_OK)
            return;
        size_t n = (size_t)below(r, v.len + 1);
        hf_blob_reader_advance(&m->readers[i], n);
        m->at[i] += n;
        return;
    }
    if (m->spills && peek_says(m, i) != HF_OK)
        return;
    struct iovec iov[4];
    size_t len = 0, at = 0;
    int n = hf_blob_reader_iov(&m->readers[i], iov, 4, &len);
    CHECK(r, (n == 0) == (m->at[i] == m->len));
    for (int j = 0; j < n; j++) {
        CHECK(r, memcmp(iov[j].iov_base, m->bytes + m->at[i] + at, iov[j].iov_len) == 0);
        at += iov[j].iov_len;
    }
    CHECK(r, at == len);
    if (n < 4 && !m->spills)
        CHECK(r, len == m->len - m->at[i]);
    size_t some = (size_t)below(r, len + 1);
    hf_blob_reader_advance(&m->readers[i], some);
    m->at[i] += some;
}

static void do_open(struct run *r)
{
    struct model *m = &r->m;
    unsigned i = (unsigned)below(r, READERS);
    if (m->open[i] || m->holder == NULL)
        return;
    struct hf_blob *mine = hf_blob_ref(m->holder);
    m->at[i] = below(r, 2) == 0 ? 0 : below(r, m->len + 1);
    hf_blob_reader_open_at(&m->readers[i], &mine, m->at[i]);
    CHECK(r, m->readers[i].at == m->at[i]);
    m->open[i] = true;
}

static void do_close(struct run *r)
{
    struct model *m = &r->m;
    unsigned i = (unsigned)below(r, READERS);
    if (m->open[i] && below(r, 3) == 0) {
        hf_blob_reader_close(&m->readers[i]);
        m->open[i] = false;
    }
}

static void do_move(struct run *r)
{
    struct model *m = &r->m;
    unsigned i = (unsigned)below(r, READERS), j = (unsigned)below(r, READERS);
    if (!m->open[i] || m->open[j])
        return;
    hf_blob_reader_move(&m->readers[i], &m->readers[j]);
    m->open[i] = false;
    m->open[j] = true;
    m->at[j] = m->at[i];
}

static void do_move_bytes(struct run *r)
{
    struct model *m = &r->m;
    if (!m->spills)
        return;
    m->shelf.write_fails = below(r, 30) == 0;
    m->shelf.read_fails = below(r, 30) == 0;
    m->shelf.max = below(r, 20) == 0 ? 1 : 0;
    m->read_failed |= m->shelf.read_fails;
    for (uint64_t n = below(r, 6); n > 0; n--)
        (void)shelf_go_one(&m->shelf, (size_t)below(r, 16));
}

static void end_it(struct run *r)
{
    struct model *m = &r->m;
    m->ended = true;
    if (below(r, 2) == 0) {
        m->err = m->declared != HF_BLOB_LEN_UNKNOWN && m->len < m->declared ? HF_INVALID : HF_OK;
        hf_blob_finish(m->blob);
    } else {
        m->err = HF_TIMEOUT;
        hf_blob_fail(m->blob, HF_TIMEOUT);
    }
}

static uint64_t all_written, all_read, all_failed;

static void nothing_is_left(struct run *r)
{
    struct model *m = &r->m;
    struct hf_blob_spill_stats s;
    (void)shelf_go(&m->shelf, SIZE_MAX);
    hf_blob_spill_get_stats(m->pool, &s);
    CHECK(r, s.memory == 0 && s.in_file == 0 && s.moves == 0 && m->shelf.used == 0);
    all_written += s.written;
    all_read += s.read;
    all_failed += s.write_failures + s.read_failures;
}

static void one_seed(uint64_t seed, uint8_t *bytes)
{
    struct run r = {.m = {.seed = seed, .bytes = bytes}, .start = seed};
    struct model *m = &r.m;
    m->pool = below(&r, 4) == 0 ? NULL : hf_blob_pool_new(0);
    m->spills = m->pool != NULL && below(&r, 2) == 0;
    if (m->spills)
        shelf_attach(&m->shelf, m->pool, (size_t)below(&r, 4) * 50000, (size_t)below(&r, 4) * 50000);
    m->window = (size_t)below(&r, 100000) + 1;
    m->declared = below(&r, 2) == 0 ? HF_BLOB_LEN_UNKNOWN : below(&r, LEN_MAX);
    m->blob = hf_blob_new_in(m->pool, m->declared, m->window);
    m->holder = m->blob;
    for (unsigned i = 0; i < DEEDS; i++) {
        uint64_t deed = below(&r, 100);
        if (deed < 40) {
            if (!m->ended)
                do_push(&r);
        } else if (deed < 80) {
            do_read(&r);
        } else if (deed < 88) {
            do_open(&r);
        } else if (deed < 92) {
            do_close(&r);
        } else if (deed < 95) {
            do_move(&r);
        } else if (deed == 95 && m->holder != NULL && below(&r, 4) == 0) {
            hf_blob_unref(m->holder);
            m->holder = NULL;
        } else if (deed == 96 && !m->ended && below(&r, 8) == 0) {
            end_it(&r);
        }
        if (below(&r, 3) == 0)
            do_move_bytes(&r);
        compare(&r);
    }
    if (!m->ended)
        end_it(&r);
    compare(&r);
    for (unsigned i = 0; i < READERS; i++)
        hf_blob_reader_close(&m->readers[i]);
    hf_blob_unref(m->holder);
    if (m->pool != NULL) {
        CHECK(&r, hf_blob_pool_live(m->pool) == 0);
        if (m->spills)
            nothing_is_left(&r);
        hf_blob_pool_unref(m->pool);
    }
    if (m->spills)
        shelf_close(&m->shelf);
}

static void looks_like_a_byte_array(void **state)
{
    uint8_t *bytes = malloc(LEN_MAX);
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_seed(seed, bytes);
    assert_true(all_written > 0 && all_read > 0 && all_failed > 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks_like_a_byte_array)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
