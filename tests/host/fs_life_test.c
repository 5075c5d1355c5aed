/* fs_life_test.c - wasi:filesystem: limits, the end of an instance, images, and which folders are
 * granted. */
#include <errno.h>

#include "host/fs_int.h"
#include "support_fs.h"

/* ---- limits ---- */

static void descriptors_run_out_script(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw"), held[16];
    CHECK(rw != 0);
    for (int i = 0; i < 10; i++) { /* preopened ones are the service's and not counted */
        held[i] = open_path(t, rw, "file", 0, READ, NULL);
        CHECK(held[i] != 0);
    }
    OPEN_FAILS(E_MEMORY, rw, "file", 0, READ);
    OPEN_FAILS(E_MEMORY, rw, "new", CREATE, WRITE);
    WANT(E_MEMORY, "descriptor.read-directory", H(rw));
    CHECK(strcmp(folder_get(&here, "rw/new"), "(none)") == 0);
    CALL(s, "descriptor.read-via-stream", H(held[0]), U(0));
    DROP(held[0]); /* its stream holds the file open */
    OPEN_FAILS(E_MEMORY, rw, "file", 0, READ);
    DROP(got(s));
    CALL(d, "descriptor.read-directory", H(rw));
    CHECK(code(d) == DONE);
    OPEN_FAILS(E_MEMORY, rw, "file", 0, READ);
    DROP(got(d));
    OPEN_FAILS(E_NO_ENTRY, rw, "none", 0, READ); /* what fails counts nothing */
    OPEN_FAILS(E_NO_ENTRY, rw, "none", 0, READ);
    OPEN(last, rw, "file", 0, READ);
    /* All are left open: the end of the instance closes them (folder_end counts). */
}
static void descriptors_run_out(void **state)
{
    run_fs(state, descriptors_run_out_script, &(struct world_settings){.files_max = 10});
}

TEST(everything_left_open)
{
    uint32_t rw = preopen(t, "/rw"), ro = preopen(t, "/ro");
    CHECK(rw != 0 && ro != 0);
    OPEN(f, rw, "file", 0, READ | WRITE);
    OPEN(d, ro, "sub", DIRECTORY, READ);
    CALL(a, "descriptor.read-via-stream", H(f), U(0));
    CALL(p, "input-stream.subscribe", H(got(a)));
    DO("input-stream.read", H(got(a)), U(2)); /* lent still */
    DO("descriptor.write-via-stream", H(f), U(0));
    DO("descriptor.append-via-stream", H(f));
    CALL(l, "descriptor.read-directory", H(d));
    DO("directory-entry-stream.read-directory-entry", H(got(l)));
    (void)p;
}

static void dies_with_files_open(struct guest *t)
{
    everything_left_open_script(t);
    t->err = hf_call_trap(t->call, "as it was told");
}
static void a_trap_closes_all(void **state)
{
    struct world w;
    folder_make(&here);
    world_open_with(&w, state, &(struct world_settings){.dirs = here.dirs});
    for (int i = 0; i < 3; i++) {
        size_t r = post(&w, dies_with_files_open);
        world_run(&w);
        expect_dead(&w, r, "as it was told");
    }
    world_close(&w);
    folder_end(&here);
}

/* ---- images ---- */

static void start_takes_preopens(struct guest *t)
{
    CALL(list, "get-directories");
    CHECK_INT(list->len, 2);
    for (uint32_t i = 0; i < 2; i++)
        t->w->kept[i] = (uint32_t)list->items[i].items[0].u64;
}

static void uses_the_preopen_of_the_start(struct guest *t)
{
    OPEN(f, t->w->kept[0], "count", CREATE, READ | WRITE); /* leaked: the reset drops it */
    CALL(r, "descriptor.read", H(f), U(10), U(0));
    char text[16];
    snprintf(text, sizeof text, "%u",
             r->items[0].items[0].len == 0 ? 1 : r->items[0].items[0].bytes[0] - '0' + 1u);
    WANT(DONE, "descriptor.write", H(f), T(text), U(0));
    CALL(s, "descriptor.read-via-stream", H(f), U(0));
    (void)s;
    answer(t, text);
}

/* What libraries hold from their start, before the first request: no state of the guest's is in it.
 */
static void an_image_keeps_preopens(void **state)
{
    struct hf_service_counts counts;
    struct hf_class_stats stats;
    struct world w;
    folder_make(&here);
    world_open_with(&w, state,
                    &(struct world_settings){.dirs = here.dirs,
                                             .lifecycle = HF_LIFE_PER_REQUEST,
                                             .image = true,
                                             .on_start = start_takes_preopens});
    static const char *const want[] = {"1", "2", "3", "4"};
    for (size_t n = 0; n < 4; n++) {
        size_t i = post(&w, uses_the_preopen_of_the_start);
        world_run(&w);
        assert_string_equal(take_all(&w, i), want[n]);
        assert_int_equal(handles(&w), 2);
        assert_int_equal(objects(&w), 2);
    }
    hf_service_worker_counts(w.worker, &counts);
    hf_class_get_stats(w.class, &stats);
    assert_int_equal(counts.resets, 4);
    assert_int_equal(stats.started, 1);
    world_close(&w);
    folder_end(&here);
}

static void start_opens_a_file(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
}
static void start_opens_a_stream(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    OPEN(f, rw, "file", 0, READ);
    DO("descriptor.read-via-stream", H(f), U(0));
    DROP(f);
}
static void start_lists_a_folder(struct guest *t)
{
    uint32_t rw = preopen(t, "/rw");
    CHECK(rw != 0);
    DO("descriptor.read-directory", H(rw));
}

/* Another instance may have found another file there, and an offset cannot be put back. */
static void an_image_of_open_files_is_refused(void **state)
{
    static const struct {
        script_fn start;
        const char *why;
    } all[] = {{start_opens_a_file, "it keeps a descriptor"},
               {start_opens_a_stream, "it keeps a file input-stream"},
               {start_lists_a_folder, "it keeps a directory-entry-stream"}};
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        struct world w;
        folder_make(&here);
        world_open_with(&w, state,
                        &(struct world_settings){.dirs = here.dirs,
                                                 .lifecycle = HF_LIFE_PER_REQUEST,
                                                 .no_image = all[i].why,
                                                 .on_start = all[i].start});
        world_close(&w);
        folder_end(&here);
    }
}

/* ---- grants ---- */

static struct hf_fs_grants *grants_of(const char *a, const char *b, enum hf_err want,
                                      const char *text)
{
    const char *dirs[] = {a, b, NULL};
    struct hf_fs_grants *g = NULL;
    static struct hf_report report;
    hf_report_init(&report);
    enum hf_err err = hf_fs_grants_open(hf_fs_linux(), dirs, &g, &report);
    if (err != want || (text != NULL && strstr(report.text, text) == NULL))
        fail_msg("\"%s\" \"%s\": %s: %s", a, b, hf_err_text(err), report.text);
    return g;
}

static void grants_are_read(void **state)
{
    static const struct {
        const char *tail, *guest;
        bool read_only;
    } all[] = {
        {"::/data", "/data", false}, {"::/data:ro", "/data", true},
        {"::/", "/", false},         {"::.", ".", false},
        {"::./", ".", false},        {"::/a//b/./c/", "/a/b/c", false},
        {"::./x/", "x", false},      {"::/./", "/", false},
        {"::/x:rw", "/x:rw", false}, {"::/\xc3\xa9", "/\xc3\xa9", false},
        {"::/a b:ro", "/a b", true}, {"::/...", "/...", false},
    };
    char text[200];
    (void)state;
    folder_make(&here);
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        snprintf(text, sizeof text, "%s%s", here.base, all[i].tail);
        struct hf_fs_grants *g = grants_of(text, NULL, HF_OK, NULL);
        assert_int_equal(g->n, 1);
        assert_string_equal(g->list[0].guest, all[i].guest);
        assert_string_equal(g->list[0].host, here.base);
        assert_int_equal(g->list[0].read_only, all[i].read_only);
        hf_fs_grants_close(g);
    }
    snprintf(text, sizeof text, "%s/:ro", here.base); /* HOST alone */
    struct hf_fs_grants *g = grants_of(text, NULL, HF_OK, NULL);
    assert_string_equal(g->list[0].guest, here.base);
    assert_true(g->list[0].read_only);
    hf_fs_grants_close(g);
    hf_fs_grants_close(NULL);
    folder_end(&here);
}

static void grants_that_are_refused(void **state)
{
    char a[200], b[200];
    (void)state;
    folder_make(&here);
    snprintf(a, sizeof a, "%s/none::/x", here.base);
    grants_of(a, NULL, HF_NOT_FOUND, "/none cannot be opened: No such file or directory");
    snprintf(a, sizeof a, "%s/rw/file::/x", here.base);
    grants_of(a, NULL, HF_INVALID, "cannot be opened: Not a directory");
    snprintf(a, sizeof a, "%s/rw::/x", here.base);
    snprintf(b, sizeof b, "%s/ro::/y/../x", here.base);
    grants_of(b, NULL, HF_INVALID, "\"..\"");
    snprintf(b, sizeof b, "%s/ro:://x/.:ro", here.base);
    grants_of(a, b, HF_INVALID, "has");
    grants_of("", NULL, HF_INVALID, "HOST::GUEST");
    grants_of("::/x", NULL, HF_INVALID, "HOST::GUEST");
    grants_of("/tmp::", NULL, HF_INVALID, "HOST::GUEST");
    grants_of("/tmp:::ro", NULL, HF_INVALID, "HOST::GUEST");
    grants_of(":ro", NULL, HF_INVALID, "HOST::GUEST");
    grants_of("/tmp::/\xff", NULL, HF_INVALID, "UTF-8");
    const char *many[HF_FS_GRANTS_MAX + 2] = {NULL};
    struct hf_fs_grants *g = NULL;
    for (size_t i = 0; i <= HF_FS_GRANTS_MAX; i++)
        many[i] = "/tmp";
    assert_int_equal(hf_fs_grants_open(hf_fs_linux(), many, &g, NULL), HF_LIMIT);
    folder_end(&here);
}

static int root_of_an_old_kernel(const struct hf_fs *fs, const char *path, int *ret)
{
    (void)fs, (void)path, (void)ret;
    return ENOSYS;
}
static void no_grant_on_an_old_kernel(void **state)
{
    struct hf_fs fs = *hf_fs_linux();
    static const char *const dirs[] = {"/tmp", NULL};
    struct hf_fs_grants *g = NULL;
    static struct hf_report report;
    (void)state;
    fs.root = root_of_an_old_kernel;
    hf_report_init(&report);
    assert_int_equal(hf_fs_grants_open(&fs, dirs, &g, &report), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "openat2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_run_out),
        cmocka_unit_test(everything_left_open),
        cmocka_unit_test(a_trap_closes_all),
        cmocka_unit_test(an_image_keeps_preopens),
        cmocka_unit_test(an_image_of_open_files_is_refused),
        cmocka_unit_test(grants_are_read),
        cmocka_unit_test(grants_that_are_refused),
        cmocka_unit_test(no_grant_on_an_old_kernel),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
