/* files_test.c - clock, random bytes and files: the same promises in the real world and in the fake
 * one. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static struct hf_os_file *must_open(struct world *w, const char *name, enum hf_os_open how)
{
    struct hf_os_file *f = NULL;
    static struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = w->os->file_open(w->os, world_path(w, name), how, &f, &report);
    if (err != HF_OK)
        fail_msg("%s", report.text);
    return f;
}

static void expect_open(struct world *w, const char *name, enum hf_os_open how, enum hf_err want)
{
    struct hf_os_file *f = NULL;
    static struct hf_report report;
    hf_report_init(&report);
    assert_int_equal(w->os->file_open(w->os, world_path(w, name), how, &f, &report), want);
    assert_null(f);
    assert_int_equal(report.err, want);
    assert_non_null(strstr(report.text, name));
}

static void expect_content(struct world *w, const char *name, const char *want)
{
    char got[256];
    size_t n;
    struct hf_os_file *f = must_open(w, name, HF_OS_READ);
    assert_int_equal(w->os->file_read_at(f, 0, got, sizeof got, &n), HF_OK);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, n);
    w->os->file_close(f);
}

static void write_file(struct world *w, const char *name, enum hf_os_open how, const char *text)
{
    struct hf_os_file *f = must_open(w, name, how);
    assert_int_equal(w->os->file_append(f, text, strlen(text)), HF_OK);
    assert_int_equal(w->os->file_sync(f), HF_OK);
    w->os->file_close(f);
}

static void append_and_read_at(void **state)
{
    struct world *w = *state;
    char got[16];
    size_t n;
    write_file(w, "a", HF_OS_CREATE, "hello ");
    write_file(w, "a", HF_OS_APPEND, "world");
    expect_content(w, "a", "hello world");
    struct hf_os_file *f = must_open(w, "a", HF_OS_READ);
    assert_int_equal(w->os->file_read_at(f, 6, got, 3, &n), HF_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(got, "wor", 3);
    assert_int_equal(w->os->file_read_at(f, 9, got, sizeof got, &n), HF_OK);
    assert_int_equal(n, 2); /* short only at the end */
    assert_int_equal(w->os->file_read_at(f, 11, got, sizeof got, &n), HF_OK);
    assert_int_equal(n, 0);
    assert_int_equal(w->os->file_read_at(f, 1000, got, 1, &n), HF_OK);
    assert_int_equal(n, 0);
    assert_int_equal(w->os->file_read_at(f, UINT64_MAX, got, 1, &n), HF_INVALID);
    assert_int_not_equal(w->os->file_append(f, "x", 1), HF_OK); /* opened to read */
    w->os->file_close(f);
    w->os->file_close(NULL);
}

static void create_wants_nothing_there(void **state)
{
    struct world *w = *state;
    expect_open(w, "none", HF_OS_READ, HF_NOT_FOUND);
    expect_open(w, "no/folder", HF_OS_CREATE, HF_NOT_FOUND);
    write_file(w, "a", HF_OS_CREATE, "x");
    expect_open(w, "a", HF_OS_CREATE, HF_INVALID);
    assert_int_equal(w->os->path_mkdir(w->os, world_path(w, "d"), 0700), HF_OK);
    expect_open(w, "d", HF_OS_READ, HF_INVALID);
    expect_open(w, "d", HF_OS_APPEND, HF_INVALID);
}

static void stat_tells(void **state)
{
    struct world *w = *state;
    struct hf_os_stat st;
    assert_int_equal(w->os->path_stat(w->os, world_path(w, "a"), &st), HF_NOT_FOUND);
    write_file(w, "a", HF_OS_CREATE, "12345");
    assert_int_equal(w->os->path_stat(w->os, world_path(w, "a"), &st), HF_OK);
    assert_int_equal(st.size, 5);
    assert_int_equal(st.mode, 0600); /* nobody else's */
    assert_false(st.is_dir || st.is_link);
    assert_int_equal(w->os->path_chmod(w->os, world_path(w, "a"), 0400), HF_OK);
    assert_int_equal(w->os->path_stat(w->os, world_path(w, "a"), &st), HF_OK);
    assert_int_equal(st.mode, 0400);
    assert_int_equal(w->os->path_chmod(w->os, world_path(w, "b"), 0400), HF_NOT_FOUND);
    assert_int_equal(w->os->path_stat(w->os, w->dir, &st), HF_OK);
    assert_true(st.is_dir);
}

static void folders(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    assert_int_equal(os->path_mkdir(os, world_path(w, "d"), 0700), HF_OK);
    assert_int_equal(os->path_mkdir(os, world_path(w, "d"), 0700),
                     HF_OK); /* fine when it is there */
    assert_int_equal(os->path_mkdir(os, world_path(w, "d/"), 0700), HF_OK);
    assert_int_equal(os->path_mkdir(os, world_path(w, "x/y"), 0700), HF_NOT_FOUND);
    write_file(w, "f", HF_OS_CREATE, "x");
    assert_int_equal(os->path_mkdir(os, world_path(w, "f"), 0700), HF_INVALID);
    write_file(w, "d/f", HF_OS_CREATE, "inside");
    assert_int_equal(os->path_remove(os, world_path(w, "d")), HF_INVALID); /* not empty */
    assert_int_equal(os->dir_sync(os, world_path(w, "d")), HF_OK);
    assert_int_equal(os->dir_sync(os, world_path(w, "none")), HF_NOT_FOUND);
    assert_int_equal(os->path_rename(os, world_path(w, "d"), world_path(w, "e")), HF_OK);
    expect_content(w, "e/f", "inside");
    expect_open(w, "d/f", HF_OS_READ, HF_NOT_FOUND);
    assert_int_equal(os->path_remove(os, world_path(w, "e/f")), HF_OK);
    assert_int_equal(os->path_remove(os, world_path(w, "e")), HF_OK);
    assert_int_equal(os->path_remove(os, world_path(w, "e")), HF_NOT_FOUND);
}

static void rename_replaces(void **state)
{
    struct world *w = *state;
    struct hf_os *os = w->os;
    write_file(w, "old", HF_OS_CREATE, "old");
    write_file(w, "new", HF_OS_CREATE, "new");
    struct hf_os_file *f = must_open(w, "old", HF_OS_READ);
    assert_int_equal(os->path_rename(os, world_path(w, "new"), world_path(w, "old")), HF_OK);
    expect_content(w, "old", "new");
    expect_open(w, "new", HF_OS_READ, HF_NOT_FOUND);
    char got[8];
    size_t n;
    assert_int_equal(os->file_read_at(f, 0, got, sizeof got, &n),
                     HF_OK); /* who has it open keeps it */
    assert_int_equal(n, 3);
    assert_memory_equal(got, "old", 3);
    os->file_close(f);
    assert_int_equal(os->path_rename(os, world_path(w, "none"), world_path(w, "x")), HF_NOT_FOUND);
    assert_int_equal(os->path_rename(os, world_path(w, "old"), world_path(w, "old")), HF_OK);
    expect_content(w, "old", "new");
}

static void clock_and_random(void **state)
{
    struct world *w = *state;
    uint64_t before = w->os->now_ns(w->os);
    assert_true(before > 0);
    assert_true(w->os->now_ns(w->os) >= before);
    assert_true(w->os->wall_ns(w->os) > (uint64_t)1700000000 * 1000000000u);
    uint8_t a[100] = {0}, b[100] = {0};
    assert_int_equal(w->os->random(w->os, a, sizeof a), HF_OK);
    assert_int_equal(w->os->random(w->os, b, sizeof b), HF_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 50, a, 50);
    assert_int_equal(w->os->random(w->os, NULL, 0), HF_OK);
}

/* Linux only: links are told, not followed; a named pipe does not hang the opener. */
static void links_and_pipes(void **state)
{
    struct world *w = *state;
    struct hf_os_stat st;
    assert_int_equal(symlink("nowhere", world_path(w, "link")), 0);
    assert_int_equal(w->os->path_stat(w->os, world_path(w, "link"), &st), HF_OK);
    assert_true(st.is_link);
    assert_int_equal(mkfifo(world_path(w, "pipe"), 0600), 0);
    expect_open(w, "pipe", HF_OS_READ, HF_INVALID);
    expect_open(w, "pipe", HF_OS_APPEND, HF_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH_WORLDS(append_and_read_at),
        IN_BOTH_WORLDS(create_wants_nothing_there),
        IN_BOTH_WORLDS(stat_tells),
        IN_BOTH_WORLDS(folders),
        IN_BOTH_WORLDS(rename_replaces),
        IN_BOTH_WORLDS(clock_and_random),
        {"links_and_pipes (linux)", links_and_pipes, world_linux, world_end, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
