/* component_store_test.c - components by their content in a folder: whole or not there, verified, bounded, never one that is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "node/component_store.h"
#include "node/whole_file.h"

struct at {
    char dir[64];
    struct hf_component_store s;
    struct hf_report why;
};

static void begin(struct at *t, uint64_t count, uint64_t bytes)
{
    memset(t, 0, sizeof *t);
    strcpy(t->dir, "/tmp/hf-components-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    hf_report_init(&t->why);
    assert_int_equal(hf_component_store_init(&t->s, t->dir, count, bytes), HF_OK);
}

static void end(struct at *t)
{
    char command[128];
    hf_component_store_done(&t->s);
    snprintf(command, sizeof command, "rm -rf %s", t->dir);
    assert_int_equal(system(command), 0);
}

static void lock(struct at *t)
{
    assert_int_equal(hf_component_store_lock(&t->s, &t->why), HF_OK);
}

/* Puts it, `age` seconds ago. */
static void put(struct at *t, const char *text, int age, uint8_t hash[HF_SHA256_LEN])
{
    struct timespec when[2] = {{.tv_sec = 1700000000 - age}, {.tv_sec = 1700000000 - age}};
    assert_int_equal(hf_component_store_put(&t->s, hf_view_of(text), hash, &t->why), HF_OK);
    char *path = hf_component_store_path(&t->s, hash);
    assert_int_equal(utimensat(AT_FDCWD, path, when, 0), 0);
    free(path);
}

static enum hf_err get(struct at *t, const uint8_t hash[HF_SHA256_LEN], const char *want)
{
    struct hf_buf bytes = {0};
    hf_report_init(&t->why);
    enum hf_err err = hf_component_store_get(&t->s, hash, &bytes, &t->why);
    if (err == HF_OK)
        assert_true(hf_view_eq_text(hf_buf_view(&bytes), want));
    else
        assert_int_equal(bytes.len, 0); /* nothing of what was refused */
    hf_buf_done(&bytes);
    return err;
}

static void write_over(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void what_is_put_is_got(void **state)
{
    struct at t;
    uint8_t a[HF_SHA256_LEN], b[HF_SHA256_LEN], none[HF_SHA256_LEN] = {1};
    char text[HF_COMPONENT_TEXT_MAX];
    struct stat st;
    (void)state;
    begin(&t, 0, 0);
    assert_int_not_equal(stat(t.s.folder, &st), 0); /* nothing is made before it is needed */
    assert_int_equal(get(&t, none, ""), HF_NOT_FOUND);
    lock(&t);
    put(&t, "abc", 0, a);
    put(&t, "abc", 0, b);
    assert_string_equal(hf_component_hash_text(a, text), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_memory_equal(a, b, sizeof a);
    assert_true(hf_component_store_has(&t.s, a));
    assert_false(hf_component_store_has(&t.s, none));
    assert_int_equal(get(&t, a, "abc"), HF_OK);
    assert_int_equal(stat(t.s.folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(hf_component_store_remove(&t.s, a, &t.why), HF_OK);
    assert_int_equal(hf_component_store_remove(&t.s, a, &t.why), HF_NOT_FOUND);
    end(&t);
}

/* Read, changed bytes are no component; put again, they are right. */
static void a_file_that_is_not_what_its_name_says(void **state)
{
    struct at t;
    uint8_t a[HF_SHA256_LEN];
    (void)state;
    begin(&t, 0, 0);
    lock(&t);
    put(&t, "abc", 0, a);
    char *path = hf_component_store_path(&t.s, a);
    static const char *const others[] = {"abd", "", "ab", "abcd"};
    for (size_t i = 0; i < 4; i++) {
        write_over(path, others[i]);
        assert_int_equal(get(&t, a, ""), HF_CORRUPT);
        assert_non_null(strstr(t.why.text, path));
        assert_non_null(strstr(t.why.text, "is not what its name says"));
        assert_non_null(strstr(t.why.text, "holdfast components add"));
    }
    put(&t, "abc", 0, a);
    assert_int_equal(get(&t, a, "abc"), HF_OK);
    free(path);
    end(&t);
}

static void hashes_as_people_write_them(void **state)
{
    uint8_t a[HF_SHA256_LEN], b[HF_SHA256_LEN];
    char text[HF_COMPONENT_TEXT_MAX + 8];
    (void)state;
    for (size_t i = 0; i < sizeof a; i++)
        a[i] = (uint8_t)(i * 37);
    hf_component_hash_text(a, text);
    assert_true(hf_component_hash_of(text, b));
    assert_memory_equal(a, b, sizeof a);
    for (char *p = text + 7; *p != 0; p++)
        *p = *p >= 'a' && *p <= 'f' ? (char)(*p - 32) : *p;
    assert_true(hf_component_hash_of(text, b));
    assert_memory_equal(a, b, sizeof a);
    strcat(text, "0");
    assert_false(hf_component_hash_of(text, b));
    text[70] = 0; /* a digit too few */
    assert_false(hf_component_hash_of(text, b));
    text[69] = 'g';
    text[70] = '0';
    text[71] = 0;
    assert_false(hf_component_hash_of(text, b));
    assert_false(hf_component_hash_of("sha256:", b));
    assert_false(hf_component_hash_of("", b));
    assert_false(hf_component_hash_of("SHA256:00", b));
}

static size_t count(struct at *t)
{
    struct hf_stored_list all = {0};
    assert_int_equal(hf_component_store_list(&t->s, &all, &t->why), HF_OK);
    for (size_t i = 1; i < all.len; i++)
        assert_true(all.ptr[i - 1].used_ns >= all.ptr[i].used_ns);
    size_t n = all.len;
    HF_VEC_DONE(&all);
    return n;
}

static void what_nothing_uses_leaves_oldest_first(void **state)
{
    struct at t;
    uint8_t h[6][HF_SHA256_LEN], pins[2][HF_SHA256_LEN];
    char text[2] = "a";
    size_t removed;
    (void)state;
    begin(&t, 4, 0);
    lock(&t);
    for (int i = 0; i < 6; i++, text[0]++)
        put(&t, text, 100 - i, h[i]); /* the first is the oldest */
    memcpy(pins[0], h[0], sizeof h[0]);
    memcpy(pins[1], h[2], sizeof h[2]);
    assert_int_equal(hf_component_store_prune(&t.s, (const uint8_t(*)[HF_SHA256_LEN])pins, 2, &removed, &t.why), HF_OK);
    assert_int_equal(removed, 2);
    assert_true(hf_component_store_has(&t.s, h[0]) && hf_component_store_has(&t.s, h[2]));
    assert_false(hf_component_store_has(&t.s, h[1]) || hf_component_store_has(&t.s, h[3]));
    t.s.bytes_max = 1; /* by bytes: the rest but what is in use, though that is too much by itself */
    assert_int_equal(hf_component_store_prune(&t.s, (const uint8_t(*)[HF_SHA256_LEN])pins, 2, &removed, &t.why), HF_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(count(&t), 2);
    put(&t, "a", 0, h[0]); /* put again it is new */
    assert_int_equal(hf_component_store_prune(&t.s, NULL, 0, &removed, &t.why), HF_OK);
    assert_true(hf_component_store_has(&t.s, h[0]) && !hf_component_store_has(&t.s, h[2]));
    end(&t);
}

static void room_is_what_is_in_use(void **state)
{
    struct at t;
    uint8_t h[3][HF_SHA256_LEN];
    (void)state;
    begin(&t, 3, 100);
    lock(&t);
    put(&t, "0123456789", 0, h[0]);
    put(&t, "a", 0, h[1]);
    memset(h[2], 9, sizeof h[2]); /* not there: it counts for nothing */
    const uint8_t(*pins)[HF_SHA256_LEN] = (const uint8_t(*)[HF_SHA256_LEN])h;
    assert_int_equal(hf_component_store_room(&t.s, pins, 3, 1, 89, &t.why), HF_OK);
    assert_int_equal(hf_component_store_room(&t.s, pins, 3, 1, 90, &t.why), HF_LIMIT);
    assert_non_null(strstr(t.why.text, "3 components of 101 bytes would be in use, and 3 of 100 may be there; raise max or bytes_max in [node.components]"));
    hf_report_init(&t.why);
    assert_int_equal(hf_component_store_room(&t.s, pins, 3, 2, 2, &t.why), HF_LIMIT);
    hf_report_init(&t.why);
    assert_int_equal(hf_component_store_room(&t.s, pins, 1, 2, 2, &t.why), HF_OK);
    end(&t);
}

/* What a process that died was writing goes; what others put there stays, and is no component. */
static void leftovers_and_strangers(void **state)
{
    struct at t;
    uint8_t a[HF_SHA256_LEN];
    char path[256], big[256];
    struct stat st;
    (void)state;
    begin(&t, 0, 0);
    lock(&t);
    put(&t, "abc", 0, a);
    hf_component_store_unlock(&t.s);
    snprintf(path, sizeof path, "%s/" HF_WHOLE_FILE_BEGUN "sha256-00.wasm", t.s.folder);
    write_over(path, "half");
    snprintf(big, sizeof big, "%s/sha256-BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD.wasm", t.s.folder);
    write_over(big, "in capitals");
    snprintf(big, sizeof big, "%s/README", t.s.folder);
    write_over(big, "mine");
    lock(&t);
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(stat(big, &st), 0);
    assert_int_equal(count(&t), 1);
    end(&t);
}

/* Of two that would write one waits; that it is gone, however it went, lets the other in. */
static void one_at_a_time(void **state)
{
    struct at t;
    int ready[2];
    char byte;
    (void)state;
    begin(&t, 0, 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool ok = hf_component_store_lock(&t.s, &t.why) == HF_OK && write(ready[1], "x", 1) == 1;
        for (; ok;)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int fd = open(t.s.folder, O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* it is the first's */
    struct hf_component_store other = t.s;
    pid_t waiter = fork();
    if (waiter == 0)
        _exit(hf_component_store_lock(&other, &t.why) == HF_OK ? 7 : 1); /* waits for the first */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    int status;
    assert_int_equal(waitpid(waiter, &status, 0), waiter);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    close(fd);
    close(ready[0]);
    close(ready[1]);
    end(&t);
}

/* A disk that is full: an error in words, and nothing but what was there. (A file that may not grow is as good.) */
static void a_full_disk_leaves_what_there_was(void **state)
{
    struct at t;
    uint8_t a[HF_SHA256_LEN], b[HF_SHA256_LEN];
    char *big = malloc(100001);
    struct rlimit was, less;
    (void)state;
    begin(&t, 0, 0);
    lock(&t);
    put(&t, "abc", 0, a);
    memset(big, 'x', 100000);
    big[100000] = 0;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    less = was;
    less.rlim_cur = 50000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    enum hf_err err = hf_component_store_put(&t.s, hf_view_of(big), b, &t.why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(err, HF_IO);
    assert_non_null(strstr(t.why.text, "File too large"));
    assert_false(hf_component_store_has(&t.s, b));
    assert_int_equal(count(&t), 1);
    hf_component_store_unlock(&t.s);
    char command[200];
    snprintf(command, sizeof command, "test $(ls -A %s | wc -l) = 1", t.s.folder);
    assert_int_equal(system(command), 0); /* no half file either */
    free(big);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(a_file_that_is_not_what_its_name_says),
        cmocka_unit_test(hashes_as_people_write_them),
        cmocka_unit_test(what_nothing_uses_leaves_oldest_first),
        cmocka_unit_test(room_is_what_is_in_use),
        cmocka_unit_test(leftovers_and_strangers),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_full_disk_leaves_what_there_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
