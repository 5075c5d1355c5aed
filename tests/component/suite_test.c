/* suite_test.c - every component of the public suite that the validator takes is parsed and linked,
 * or refused by name.
 *
 * The suite lies in HF_SUITES (default ../shared/suites, beside the checkout); without it the test
 * is skipped. Whether the components then do what the suite says is the wast runner's business
 * (tests/wast).
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support_link.h"

struct tally {
    struct link_world *w;
    unsigned files, invalid, modules, linked, unsupported, unnamed, wrong;
};

static bool read_file(const char *path, struct hf_buf *ret)
{
    uint8_t part[65536];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    for (size_t n; (n = fread(part, 1, sizeof part, f)) != 0;)
        assert_int_equal(hf_buf_add(ret, part, n), HF_OK);
    bool ok = !ferror(f);
    fclose(f);
    return ok;
}

/* Every line behind the first names a builtin, a type, a feature or an import. */
static bool says_what(const char *text)
{
    const char *line = strchr(text, '\n');
    if (line == NULL || line[1] == '\0')
        return false;
    for (; line != NULL; line = strchr(line + 1, '\n'))
        if (strncmp(line, "\nuses ", 6) != 0 && strstr(line, "here") == NULL)
            return false;
    return true;
}

static void one_file(struct tally *t, const char *path)
{
    struct hf_buf b = {0};
    struct hf_component *c = NULL;
    assert_true(read_file(path, &b));
    t->files++;
    struct hf_report *report = &t->w->report;
    hf_report_init(report);
    if (hf_engine_validate(t->w->engine, hf_buf_view(&b), NULL) != HF_OK) {
        t->invalid++;
    } else if (hf_file_kind(hf_buf_view(&b)) != HF_FILE_COMPONENT) {
        t->modules++;
    } else {
        enum hf_err err =
            hf_component_load(t->w->engine, t->w->reg, hf_buf_view(&b), NULL, &c, report);
        t->linked += err == HF_OK;
        t->unsupported += err == HF_UNSUPPORTED;
        if (err == HF_INVALID && strstr(report->text, "(a draft)") != NULL) {
            t->invalid++; /* to us: the validator takes drafts, so that they can be named */
            err = HF_UNSUPPORTED;
        } else if (err == HF_UNSUPPORTED && !says_what(report->text)) {
            t->unnamed++;
            print_error("%s: refused, but not by name: %s\n", path, report->text);
        }
        if (err != HF_OK && err != HF_UNSUPPORTED) {
            t->wrong++;
            print_error("%s: %s: %s\n", path, hf_err_text(err), report->text);
        }
        hf_component_unref(c);
    }
    hf_buf_done(&b);
}

static void walk(struct tally *t, const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024];
        struct stat st;
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.')
            continue;
        assert_true(snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode))
            walk(t, path);
        else if (len > 5 && strcmp(e->d_name + len - 5, ".wasm") == 0)
            one_file(t, path);
    }
    closedir(d);
}

static void what_the_validator_takes_links_or_is_refused_by_name(void **state)
{
    char dir[1024];
    struct stat st;
    struct link_world w;
    (void)state;
    const char *suites = getenv("HF_SUITES");
    snprintf(dir, sizeof dir, "%s/component-model", suites == NULL ? "../shared/suites" : suites);
    if (stat(dir, &st) != 0) {
        print_message("skipped: no suite in %s (set HF_SUITES)\n", dir);
        skip();
    }
    link_open(&w);
    struct tally t = {.w = &w};
    assert_int_equal(hf_registry_seal(w.reg, NULL, NULL), HF_OK);
    walk(&t, dir);
    link_close(&w);
    print_message("%u files: %u invalid, %u modules, %u linked, %u refused by name, %u wrong\n",
                  t.files, t.invalid, t.modules, t.linked, t.unsupported, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.unnamed, 0);
    assert_true(t.linked > 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_validator_takes_links_or_is_refused_by_name),
    };
    return cmocka_run_group_tests_name("public suite", tests, NULL, NULL);
}
