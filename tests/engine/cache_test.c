/* cache_test.c - compiled code and verdicts on disk: found again, and not used when in any doubt.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char *dir;

static void set_cache(struct hf_engine_settings *s)
{
    s->cache_dir = dir;
}

static const uint8_t key[32] = {1, 2, 3};

/* Loads under `key`; the module must work. Returns whether it was a hit. */
static bool load_and_run(struct hf_engine *e, int32_t want)
{
    char text[200];
    struct hf_buf b = {0};
    struct hf_report report = {0};
    struct guest g = {.store = make_store(e), .engine = e};
    bool hit = false;
    int32_t result = 0;
    snprintf(text, sizeof text,
             "(module $cached (memory 1) (data \"x\") (func (export \"f\") (param i32) (result "
             "i32) (i32.const %d)))",
             want);
    wat(text, &b);
    if (hf_module_load(e, hf_buf_view(&b), key, &g.module, &hit, &report) != HF_OK)
        fail_msg("%s", report.text);
    assert_int_equal(hf_module_gate(g.module), HF_GATE_DATA_OPS); /* the verdict comes with it */
    assert_int_equal(hf_core_new(g.store, g.module, NULL, 0, &g.core, &report), HF_OK);
    assert_int_equal(call_i32(&g, "f", 0, &result), HF_OK);
    assert_int_equal(result, want);
    guest_done(&g);
    hf_buf_done(&b);
    return hit;
}

/* Path of the entry of that kind. */
static char *entry(const char *kind)
{
    char *found = NULL;
    DIR *d = opendir(dir);
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, kind, strlen(kind)) == 0) {
            assert_null(found);
            assert_true(asprintf(&found, "%s/%s", dir, e->d_name) > 0);
        }
    closedir(d);
    assert_non_null(found);
    return found;
}

static int cached_engine(void **state)
{
    dir = make_dir();
    assert_int_equal(rmdir(dir), 0);
    *state = make_engine(set_cache);
    return 0;
}

static int cached_done(void **state)
{
    hf_engine_free(*state);
    remove_dir(dir);
    return 0;
}

static void compiled_code_is_found_again(void **state)
{
    struct stat st;
    struct hf_engine *e = *state;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_false(load_and_run(e, 5));
    assert_true(load_and_run(e, 5));
    struct hf_engine *other = make_engine(set_cache);
    assert_true(load_and_run(other, 5));
    hf_engine_free(other);
    char *code = entry("code");
    assert_int_equal(stat(code, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(hf_engine_cache_troubles(e, NULL), 0);
    free(code);
}

/* A key is what somebody says; code is run. */
static void a_key_that_meant_another_module_does_not_bring_it(void **state)
{
    struct hf_engine *e = *state;
    assert_false(load_and_run(e, 5));
    assert_false(load_and_run(e, 6)); /* as long, and 6 must come out */
    assert_true(load_and_run(e, 6));
    assert_false(load_and_run(e, 500));
    assert_true(load_and_run(e, 500));
    assert_int_equal(hf_engine_cache_troubles(e, NULL), 0);
}

static void other_settings_find_nothing(void **state)
{
    struct hf_engine *e = *state;
    assert_false(load_and_run(e, 5));
    struct hf_engine_settings s = *hf_engine_get_settings(e);
    struct hf_engine *min = NULL;
    struct hf_report report = {0};
    s.keep_wasm_features_min = true;
    assert_int_equal(hf_engine_new(&s, &min, &report), HF_OK);
    assert_false(load_and_run(min, 5));
    assert_true(load_and_run(min, 5));
    assert_true(load_and_run(e, 5));
    hf_engine_free(min);
}

static void without_a_key_nothing_is_kept(void **state)
{
    struct hf_engine *e = *state;
    hf_module_unref(make_module(e, "(module)"));
    DIR *d = opendir(dir);
    struct dirent *f;
    while ((f = readdir(d)) != NULL)
        assert_true(f->d_name[0] == '.');
    closedir(d);
}

/* Each way to damage an entry: found, removed, said, compiled again, kept again. */
static void damaged_code_is_removed_and_compiled_again(void **state)
{
    struct hf_engine *e = *state;
    struct hf_report last = {0};
    assert_false(load_and_run(e, 5));
    for (int way = 0; way < 6; way++) {
        char *path = entry(way < 4 ? "code" : "gate");
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(chmod(path, 0600), 0);
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        switch (way) {
        case 0: assert_int_equal(ftruncate(fd, st.st_size / 2), 0); break;
        case 1: assert_int_equal(ftruncate(fd, 0), 0); break;
        case 2: assert_int_equal(pwrite(fd, "stranger", 8, 0), 8); break;
        case 3: assert_int_equal(pwrite(fd, "\x90\x90\x90", 3, st.st_size / 2), 3); break;
        case 4: assert_int_equal(pwrite(fd, "x", 1, st.st_size - 1), 1); break;
        default: assert_int_equal(ftruncate(fd, 3), 0); break;
        }
        close(fd);
        assert_int_equal(chmod(path, 0400), 0);
        free(path);
        assert_false(load_and_run(e, 5));
        assert_int_equal(hf_engine_cache_troubles(e, &last), way + 1);
        assert_true(last.len > 0);
        assert_true(load_and_run(e, 5));
    }
}

static void code_that_others_could_write_is_not_used(void **state)
{
    struct hf_engine *e = *state;
    assert_false(load_and_run(e, 5));
    char *path = entry("code");
    assert_int_equal(chmod(path, 0644), 0);
    assert_false(load_and_run(e, 5));
    assert_true(load_and_run(e, 5));
    /* A link in its place leads somewhere else. */
    char *real;
    assert_true(asprintf(&real, "%s/elsewhere", dir) > 0);
    assert_int_equal(rename(path, real), 0);
    assert_int_equal(symlink(real, path), 0);
    assert_false(load_and_run(e, 5));
    assert_true(load_and_run(e, 5));
    free(real);
    free(path);
}

static void a_cache_that_cannot_be_written_is_no_failure(void **state)
{
    struct hf_engine *e = *state;
    if (geteuid() == 0) { /* root writes anywhere: take the directory away instead */
        assert_int_equal(rmdir(dir), 0);
    } else {
        assert_int_equal(chmod(dir, 0500), 0);
    }
    struct hf_report last = {0};
    assert_false(load_and_run(e, 5));
    assert_false(load_and_run(e, 5));
    assert_int_equal(hf_engine_cache_troubles(e, &last), 2);
    assert_report(&last, "code-");
    if (geteuid() == 0)
        assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0700), 0);
}

static void *load_there(void *arg)
{
    load_and_run(arg, 5);
    return NULL;
}

static void two_threads_compile_the_same_at_once(void **state)
{
    struct hf_engine *e = *state;
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, load_there, e), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_true(load_and_run(e, 5));
    assert_int_equal(hf_engine_cache_troubles(e, NULL), 0);
    free(entry("code")); /* one, and nothing temporary: */
    DIR *d = opendir(dir);
    struct dirent *f;
    while ((f = readdir(d)) != NULL)
        assert_null(strstr(f->d_name, ".tmp-"));
    closedir(d);
}

static void refused_dir(const char *path, enum hf_err want, const char *text)
{
    struct hf_engine_settings s;
    struct hf_engine *e = NULL;
    struct hf_report report = {0};
    hf_engine_settings_init(&s);
    s.instances_max = s.stacks_max = 10;
    s.cache_dir = path;
    assert_int_equal(hf_engine_new(&s, &e, &report), want);
    assert_report(&report, text);
}

static void a_directory_that_is_not_ours_alone_is_refused(void **state)
{
    (void)state;
    char *d = make_dir(), *sub;
    assert_int_equal(chmod(d, 0755), 0);
    refused_dir(d, HF_DENIED, "others may enter it (mode 0755)");
    assert_int_equal(chmod(d, 0770), 0);
    refused_dir(d, HF_DENIED, "chmod 700");
    assert_int_equal(chmod(d, 0700), 0);
    assert_true(asprintf(&sub, "%s/x", d) > 0);
    assert_int_equal(symlink("/tmp", sub), 0);
    refused_dir(sub, HF_DENIED, "symbolic link");
    assert_int_equal(unlink(sub), 0);
    int fd = open(sub, O_CREAT | O_WRONLY, 0600);
    close(fd);
    refused_dir(sub, HF_DENIED, "it is a file");
    refused_dir("", HF_INVALID, "empty");
    assert_int_equal(unlink(sub), 0);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(sub, 0700), 0);
        assert_int_equal(chown(sub, 12345, 12345), 0);
        refused_dir(sub, HF_DENIED, "belongs to user 12345");
        assert_int_equal(rmdir(sub), 0);
    } else {
        printf("SKIP: a directory of another user: needs root\n");
    }
    free(sub);
    remove_dir(d);
}

static void verdicts_are_kept_and_checked(void **state)
{
    struct hf_engine *e = *state;
    struct hf_report report = {0};
    struct hf_buf b = {0};
    uint8_t other[32] = {9};
    assert_int_equal(hf_cache_get(e, "verdict", key, &b), HF_NOT_FOUND);
    assert_int_equal(hf_cache_put(e, "verdict", key, HF_VIEW("valid"), &report), HF_OK);
    assert_int_equal(hf_cache_put(e, "verdict", other, HF_VIEW(""), &report), HF_OK);
    assert_int_equal(hf_cache_get(e, "verdict", key, &b), HF_OK);
    assert_true(hf_view_eq(hf_buf_view(&b), HF_VIEW("valid")));
    assert_int_equal(hf_cache_get(e, "verdict", other, &b), HF_OK);
    assert_int_equal(b.len, 5); /* appended nothing */
    assert_int_equal(hf_cache_get(e, "names", key, &b), HF_NOT_FOUND);
    assert_int_equal(hf_cache_put(e, "verdict", key, HF_VIEW("changed"), &report),
                     HF_OK); /* renamed over */
    hf_buf_clear(&b);
    assert_int_equal(hf_cache_get(e, "verdict", key, &b), HF_OK);
    assert_true(hf_view_eq(hf_buf_view(&b), HF_VIEW("changed")));
    assert_int_equal(hf_cache_get(engine, "verdict", key, &b),
                     HF_NOT_FOUND); /* an engine without a cache */
    assert_int_equal(hf_cache_put(engine, "verdict", key, HF_VIEW("x"), &report), HF_NOT_FOUND);
    hf_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compiled_code_is_found_again, cached_engine, cached_done),
        cmocka_unit_test_setup_teardown(a_key_that_meant_another_module_does_not_bring_it,
                                        cached_engine, cached_done),
        cmocka_unit_test_setup_teardown(other_settings_find_nothing, cached_engine, cached_done),
        cmocka_unit_test_setup_teardown(without_a_key_nothing_is_kept, cached_engine, cached_done),
        cmocka_unit_test_setup_teardown(damaged_code_is_removed_and_compiled_again, cached_engine,
                                        cached_done),
        cmocka_unit_test_setup_teardown(code_that_others_could_write_is_not_used, cached_engine,
                                        cached_done),
        cmocka_unit_test_setup_teardown(a_cache_that_cannot_be_written_is_no_failure, cached_engine,
                                        cached_done),
        cmocka_unit_test_setup_teardown(two_threads_compile_the_same_at_once, cached_engine,
                                        cached_done),
        cmocka_unit_test(a_directory_that_is_not_ours_alone_is_refused),
        cmocka_unit_test_setup_teardown(verdicts_are_kept_and_checked, cached_engine, cached_done),
    };
    signals_keep();
    return cmocka_run_group_tests(tests, engine_set_up, engine_tear_down);
}
