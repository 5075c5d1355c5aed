/* mutate_test.c - thousands of components that somebody bent: loaded, and run where they still can,
 * without a crash.
 *
 * The same bent components in every run: a seeded generator over the small components of our own
 * cases and, when it is at hand, of the public suite. HF_MUTATE says how many (default 10000),
 * HF_MUTATE_SEED another seed. A crash leaves the culprit in build/mutate.wasm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <signal.h>

#include <cmocka.h>

#include "base/vec.h"
#include "support_bend.h"
#include "support_try.h"

#define SEED_BYTES_MAX 8192
#define FILES_MAX      2000
#define CULPRIT        "build/mutate.wasm"

struct corpus {
    struct {
        struct hf_buf *ptr;
        size_t len, cap;
    } files;
};

/* ---- the corpus ---- */

static void add_file(struct corpus *c, const char *path)
{
    uint8_t part[4096];
    struct hf_buf b = {0}, wasm = {0};
    struct hf_report report = {0};
    size_t len = strlen(path), n;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    while ((n = fread(part, 1, sizeof part, f)) != 0)
        assert_int_equal(hf_buf_add(&b, part, n), HF_OK);
    fclose(f);
    if (strcmp(path + len - 4, ".wat") == 0) {
        if (hf_engine_wat((const char *)b.ptr, b.len, &wasm, &report) != HF_OK)
            hf_buf_clear(&wasm); /* wrong on purpose */
        hf_buf_done(&b);
        b = wasm;
    }
    /* What is valid stays so more often than what is not becomes it. */
    if (b.len > 8 && b.len <= SEED_BYTES_MAX && c->files.len < FILES_MAX &&
        hf_engine_validate(NULL, hf_buf_view(&b), NULL) == HF_OK)
        assert_true(HF_VEC_PUSH(&c->files, b));
    else
        hf_buf_done(&b);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of names: the same corpus on every machine. */
static void add_folder(struct corpus *c, const char *dir, int depth)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[1024];
        const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (dot != NULL && (strcmp(dot, ".wasm") == 0 || strcmp(dot, ".wat") == 0))
            add_file(c, path);
        else if (name[0] != '.' && depth > 0)
            add_folder(c, path, depth - 1);
        free(entries[i]);
    }
    free(entries);
}

/* ---- the test ---- */

static void bend_seed(const struct corpus *c, struct hf_buf *ret)
{
    const struct hf_buf *from = &c->files.ptr[bend_below((uint32_t)c->files.len)];
    const struct hf_buf *other = &c->files.ptr[bend_below((uint32_t)c->files.len)];
    HF_ASSERT(hf_buf_add(ret, from->ptr, from->len) == HF_OK);
    for (uint32_t n = 1 + bend_below(3); n > 0 && ret->len > 9; n--)
        bend(ret, hf_buf_view(other));
}

static const struct hf_buf *on_trial;

/* Aborts (assertions, sanitizers) keep the culprit. */
static void keep_culprit(int sig)
{
    FILE *f = fopen(CULPRIT, "wb");
    if (f != NULL && on_trial != NULL) {
        fwrite(on_trial->ptr, 1, on_trial->len, f);
        fclose(f);
        fprintf(stderr, "the component is in %s\n", CULPRIT);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static unsigned long number(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static void bent_components_do_not_crash(void **state)
{
    struct corpus c = {0};
    struct try_world w;
    char dir[1024];
    unsigned tally[TRY_ENDS] = {0};
    (void)state;
    const char *suites = getenv("HF_SUITES");
    unsigned long n = number("HF_MUTATE", 10000);
    bend_rng = number("HF_MUTATE_SEED", 88172645463325252u);
    try_open(&w);
    signal(SIGABRT, keep_culprit);
    add_folder(&c, "tests/wast/own", 1);
    snprintf(dir, sizeof dir, "%s/component-model", suites == NULL ? "../shared/suites" : suites);
    add_folder(&c, dir, 2);
    assert_true(c.files.len > 30);
    for (unsigned long i = 0; i < n; i++) {
        struct hf_buf b = {0};
        bend_seed(&c, &b);
        on_trial = &b;
        tally[try_component(&w, hf_buf_view(&b))]++;
        on_trial = NULL;
        hf_buf_done(&b);
    }
    print_message(
        "%lu bent components from %zu: %u invalid, %u refused, %u stopped at the start, %u "
        "started, %u ran\n",
        n, c.files.len, tally[TRY_INVALID], tally[TRY_REFUSED], tally[TRY_STOPPED],
        tally[TRY_STARTED], tally[TRY_RAN]);
    assert_true(n < 1000 || tally[TRY_RAN] > n / 200); /* else it tests the validator alone */
    for (size_t i = 0; i < c.files.len; i++)
        hf_buf_done(&c.files.ptr[i]);
    HF_VEC_DONE(&c.files);
    try_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bent_components_do_not_crash),
    };
    return cmocka_run_group_tests_name("mutate", tests, NULL, NULL);
}
