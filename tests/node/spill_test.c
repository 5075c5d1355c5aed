/* spill_test.c - the spill file itself: what is written comes back, room is used again and has its
 * bound, a disk that fails or is full is said. */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "node/spill.h"

struct rig {
    struct hf_jobs *jobs;
    struct hf_wake *wake;
    struct hf_spill_file *f;
    struct hf_kernel *k; /* so that moves have one */
    char trouble[300];
    unsigned troubles;
};

static struct hf_list home; /* of moves */

static void on_trouble(void *ctx, const char *text)
{
    struct rig *r = ctx;
    r->troubles++;
    snprintf(r->trouble, sizeof r->trouble, "%s", text);
}

static void open_rig(struct rig *r, const char *folder, uint64_t max)
{
    *r = (struct rig){0};
    hf_list_init(&home);
    assert_int_equal(hf_jobs_new(2, 0, &r->jobs, NULL), HF_OK);
    assert_int_equal(hf_wake_new(&r->wake, NULL), HF_OK);
    struct hf_spill_settings s = {.folder = folder,
                                  .max = max,
                                  .max_key = "spill_max",
                                  .jobs = r->jobs,
                                  .home = r->wake,
                                  .trouble = on_trouble,
                                  .ctx = r};
    assert_int_equal(hf_spill_file_new(&s, &r->f), HF_OK);
    assert_int_equal(hf_kernel_new(&(struct hf_kernel_settings){0}, &r->k), HF_OK);
}

static void close_rig(struct rig *r)
{
    hf_kernel_free(r->k);
    hf_jobs_free(r->jobs);
    hf_wake_deliver_all(r->wake);
    hf_spill_file_free(r->f);
    hf_wake_free(r->wake);
}

static bool came_home(struct hf_spill_move *m)
{
    hf_list_push_back(&home, &m->in_kernel);
    return true;
}

static struct hf_spill_move *move_of(struct rig *r, bool write)
{
    struct hf_spill_move *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->write = write;
    m->moved = came_home;
    (void)r;
    hf_list_init(&m->link);
    hf_list_init(&m->in_kernel);
    return m;
}

static void await(struct rig *r, struct hf_spill_move *m)
{
    while (!hf_list_linked(&m->in_kernel)) /* it came home */
        if (hf_wake_deliver_all(r->wake) == 0)
            usleep(200);
    hf_list_remove(&m->in_kernel);
}

static void let_go(struct hf_spill_move *m)
{
    hf_buf_done(&m->bytes);
    free(m);
}

/* The descriptor of the nameless file in /tmp that is open; -1: none is. */
static int file_of(void)
{
    char path[64], to[300];
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, to, sizeof to - 1);
        if (n <= 0)
            continue;
        to[n] = '\0';
        if (strncmp(to, "/tmp/", 5) == 0 && strstr(to, "(deleted)") != NULL)
            return fd;
    }
    return -1;
}

static void fill(struct hf_buf *b, size_t len, unsigned seed)
{
    assert_int_equal(hf_buf_reserve(b, len), HF_OK);
    for (size_t i = 0; i < len; i++)
        b->ptr[i] = (uint8_t)(i * 7 + seed + i / 251);
    b->len = len;
}

static enum hf_err write_some(struct rig *r, size_t len, unsigned seed, uint64_t *place, char *why)
{
    struct hf_spill_move *m = move_of(r, true);
    fill(&m->bytes, len, seed);
    m->len = len;
    enum hf_err err = hf_spill_file_ops.write(r->f, m);
    if (err == HF_OK) {
        await(r, m);
        err = m->err;
    }
    *place = m->place;
    if (why != NULL)
        snprintf(why, sizeof m->why, "%s", m->why);
    let_go(m);
    return err;
}

static void check_read(struct rig *r, uint64_t place, size_t len, unsigned seed)
{
    struct hf_spill_move *m = move_of(r, false);
    struct hf_buf want = {0};
    m->place = place;
    m->len = len;
    hf_spill_file_ops.read(r->f, m);
    await(r, m);
    assert_int_equal(m->err, HF_OK);
    fill(&want, len, seed);
    assert_int_equal(m->bytes.len, len);
    assert_memory_equal(m->bytes.ptr, want.ptr, len);
    hf_buf_done(&want);
    let_go(m);
}

static void what_is_written_comes_back_and_room_is_used_again(void **state)
{
    enum { N = 200 };
    struct rig r;
    uint64_t place[N];
    size_t len[N];
    (void)state;
    open_rig(&r, "/tmp", 4 << 20);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < N; i++) {
            len[i] = 1 + (i * 2654435761u + round * 977) % 9000;
            assert_int_equal(write_some(&r, len[i], i, &place[i], NULL), HF_OK);
        }
        for (unsigned i = 0; i < N; i++)
            check_read(&r, place[i], len[i], i);
        for (unsigned i = 0; i < N; i++) /* none lies in another */
            for (unsigned k = 0; k < i; k++)
                assert_true(place[i] + len[i] <= place[k] || place[k] + len[k] <= place[i]);
        for (unsigned i = 0; i < N; i++)
            hf_spill_file_ops.forget(r.f, place[i * 77 % N], len[i * 77 % N]);
        assert_int_equal(hf_spill_file_used(r.f), 0);
    }
    close_rig(&r);
}

static void its_bound_is_its_bound(void **state)
{
    struct rig r;
    uint64_t place[64], other;
    char why[200];
    (void)state;
    open_rig(&r, "/tmp", 64 << 10);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(write_some(&r, 4096, i, &place[i], NULL), HF_OK);
    assert_int_equal(write_some(&r, 1, 0, &other, why), HF_LIMIT);
    assert_non_null(strstr(why, "it has no room for 1 bytes: 65536 of 65536 are in use"));
    assert_int_equal(r.troubles, 1);
    assert_int_equal(write_some(&r, 1, 0, &other, why), HF_LIMIT);
    assert_int_equal(r.troubles, 1); /* once, until it works again */
    hf_spill_file_ops.forget(r.f, place[3], 4096);
    hf_spill_file_ops.forget(r.f, place[5], 4096);
    assert_int_equal(write_some(&r, 5000, 0, &other, why), HF_LIMIT); /* not in one piece */
    hf_spill_file_ops.forget(r.f, place[4], 4096);
    assert_int_equal(write_some(&r, 12288, 9, &other, why), HF_OK); /* three neighbours are one */
    assert_int_equal(other, place[3]);
    check_read(&r, other, 12288, 9);
    check_read(&r, place[6], 4096, 6);
    close_rig(&r);
}

static void where_no_file_can_be_made_it_is_said(void **state)
{
    struct rig r;
    uint64_t place;
    char why[200];
    (void)state;
    open_rig(&r, "/nowhere/at/all", 1 << 20);
    assert_int_equal(write_some(&r, 100, 0, &place, why), HF_IO);
    assert_non_null(strstr(why, "no file can be made in /nowhere/at/all: "));
    assert_string_equal(r.trouble, why);
    close_rig(&r);
}

static void a_disk_that_is_full_is_said_and_gives_its_room_back(void **state)
{
    struct rig r;
    struct rlimit was, small = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY};
    uint64_t place;
    char why[200];
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    open_rig(&r, "/tmp", 1 << 20);
    assert_int_equal(write_some(&r, 9000, 1, &place, why), HF_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t other;
    assert_int_equal(write_some(&r, 9000, 2, &other, why), HF_LIMIT);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_non_null(strstr(why, "writing: File too large"));
    assert_int_equal(hf_spill_file_used(r.f), 9216);
    check_read(&r, place, 9000, 1);
    assert_int_equal(write_some(&r, 9000, 3, &other, why), HF_OK);
    check_read(&r, other, 9000, 3);
    close_rig(&r);
}

/* A large one in which nothing lies is given back; what is written next lies in another. */
static void a_large_file_is_given_back_when_nothing_lies_in_it(void **state)
{
    struct rig r;
    struct stat st;
    uint64_t place, other;
    (void)state;
    open_rig(&r, "/tmp", 64 << 20);
    assert_int_equal(write_some(&r, 20 << 20, 1, &place, NULL), HF_OK);
    assert_int_equal(write_some(&r, 5000, 2, &other, NULL), HF_OK);
    int fd = file_of();
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size >= 20 << 20);
    hf_spill_file_ops.forget(r.f, place, 20 << 20);
    check_read(&r, other, 5000, 2);
    assert_int_equal(file_of(), fd); /* something lies in it */
    struct hf_spill_move *m = move_of(&r, false);
    m->place = other;
    m->len = 5000;
    hf_spill_file_ops.read(r.f, m);
    hf_spill_file_ops.forget(r.f, other, 5000); /* somebody is still at it */
    assert_int_equal(file_of(), fd);
    await(&r, m);
    let_go(m);
    while (file_of() >= 0)
        if (hf_wake_deliver_all(r.wake) == 0)
            usleep(200);
    assert_int_equal(write_some(&r, 6000, 3, &place, NULL), HF_OK);
    check_read(&r, place, 6000, 3);
    assert_int_equal(hf_spill_file_used(r.f), 6144);
    close_rig(&r);
}

/* The threads take no more: it is done at once, and comes home all the same. */
static void a_crowd_at_the_job_threads_stops_no_move(void **state)
{
    struct rig r;
    uint64_t place[64];
    struct hf_spill_move *m[64];
    (void)state;
    open_rig(&r, "/tmp", 1 << 20);
    hf_jobs_free(r.jobs);
    assert_int_equal(hf_jobs_new(1, 1, &r.jobs, NULL), HF_OK);
    hf_spill_file_free(r.f);
    struct hf_spill_settings s = {.folder = "/tmp", .max = 1 << 20, .max_key = "spill_max", .jobs = r.jobs, .home = r.wake};
    assert_int_equal(hf_spill_file_new(&s, &r.f), HF_OK);
    for (unsigned i = 0; i < 64; i++) {
        m[i] = move_of(&r, true);
        fill(&m[i]->bytes, 3000, i);
        m[i]->len = 3000;
        assert_int_equal(hf_spill_file_ops.write(r.f, m[i]), HF_OK);
    }
    for (unsigned i = 0; i < 64; i++) {
        await(&r, m[i]);
        assert_int_equal(m[i]->err, HF_OK);
        place[i] = m[i]->place;
        let_go(m[i]);
    }
    for (unsigned i = 0; i < 64; i++)
        check_read(&r, place[i], 3000, i);
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back_and_room_is_used_again),
        cmocka_unit_test(its_bound_is_its_bound),
        cmocka_unit_test(where_no_file_can_be_made_it_is_said),
        cmocka_unit_test(a_disk_that_is_full_is_said_and_gives_its_room_back),
        cmocka_unit_test(a_large_file_is_given_back_when_nothing_lies_in_it),
        cmocka_unit_test(a_crowd_at_the_job_threads_stops_no_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
