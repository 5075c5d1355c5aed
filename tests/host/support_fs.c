/* support_fs.c - see support_fs.h. */
#include "support_fs.h"

#include <sys/stat.h>
#include <unistd.h>

struct folder here;

static int count_fds(void)
{
    char name[32];
    int n = 0;
    for (int fd = 0; fd < 512; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        n += access(name, F_OK) == 0;
    }
    return n;
}

const char *folder_path(const struct folder *f, const char *name)
{
    static char text[4][256];
    static unsigned turn;
    char *p = text[turn++ % 4];
    snprintf(p, sizeof text[0], "%s/%s", f->base, name);
    return p;
}

void folder_put(const struct folder *f, const char *name, const char *text)
{
    FILE *file = fopen(folder_path(f, name), "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

const char *folder_get(const struct folder *f, const char *name)
{
    static char text[256];
    FILE *file = fopen(folder_path(f, name), "r");
    if (file == NULL)
        return "(none)";
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

void folder_make(struct folder *f)
{
    static const char *const tops[] = {"rw", "ro", "out"};
    char name[64];
    memset(f, 0, sizeof *f);
    f->fds = count_fds();
    snprintf(f->base, sizeof f->base, "/tmp/hf-wasi-XXXXXX");
    assert_non_null(mkdtemp(f->base));
    for (size_t i = 0; i < HF_ARRAY_LEN(tops); i++) {
        assert_int_equal(mkdir(folder_path(f, tops[i]), 0755), 0);
        snprintf(name, sizeof name, "%s/sub", tops[i]);
        assert_int_equal(mkdir(folder_path(f, name), 0755), 0);
        snprintf(name, sizeof name, "%s/file", tops[i]);
        folder_put(f, name, "content");
        snprintf(name, sizeof name, "%s/sub/deep", tops[i]);
        folder_put(f, name, "deep");
        snprintf(name, sizeof name, "%s/out", tops[i]);
        assert_int_equal(symlink("../out", folder_path(f, name)), 0);
        snprintf(name, sizeof name, "%s/abs", tops[i]);
        assert_int_equal(symlink("/", folder_path(f, name)), 0);
        snprintf(name, sizeof name, "%s/tofile", tops[i]);
        assert_int_equal(symlink("file", folder_path(f, name)), 0);
        snprintf(name, sizeof name, "%s/loop", tops[i]);
        assert_int_equal(symlink("loop", folder_path(f, name)), 0);
    }
    snprintf(f->grants[0], sizeof f->grants[0], "%s/rw::/rw", f->base);
    snprintf(f->grants[1], sizeof f->grants[1], "%s/ro::/ro:ro", f->base);
    f->dirs[0] = f->grants[0];
    f->dirs[1] = f->grants[1];
}

void folder_end(struct folder *f)
{
    char command[128];
    struct stat st;
    assert_int_equal(count_fds(), f->fds);
    static const char *const kept[] = {"out", "ro"};
    for (size_t i = 0; i < HF_ARRAY_LEN(kept); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/file", kept[i]);
        assert_string_equal(folder_get(f, name), "content");
        snprintf(name, sizeof name, "%s/sub/deep", kept[i]);
        assert_string_equal(folder_get(f, name), "deep");
        assert_int_equal(stat(folder_path(f, kept[i]), &st), 0);
        assert_int_equal(st.st_nlink, 3);
    }
    snprintf(command, sizeof command, "rm -rf %s", f->base);
    assert_int_equal(system(command), 0);
}

void run_fs(void **state, script_fn script, const struct world_settings *given)
{
    struct world_settings s = given == NULL ? (struct world_settings){0} : *given;
    struct world w;
    folder_make(&here);
    s.dirs = here.dirs;
    world_open_with(&w, state, &s);
    size_t i = post(&w, script);
    world_until(&w, i); /* sync is a job */
    const struct request *r = &w.requests[i];
    if (r->answers != 1 || r->kind == HF_ANSWER_DEAD || r->kind == HF_ANSWER_LIMITED)
        fail_msg("%u answers, %s: %s", r->answers, hf_answer_text(r->kind),
                 r->answers == 0 ? "" : (const char *)r->head_bytes.ptr);
    world_close(&w);
    folder_end(&here);
}

int code(const struct hf_value *r)
{
    if (r == NULL)
        return -1;
    return r->tag == 0 ? DONE : (int)r->items[0].tag;
}

uint32_t preopen(struct guest *t, const char *name)
{
    uint32_t found = 0;
    struct hf_value *list = guest_call(t, "get-directories", NULL, 0);
    for (uint32_t i = 0; list != NULL && i < list->len; i++) {
        const struct hf_value *pair = list->items[i].items;
        if (is_text(&pair[1], name) && found == 0)
            found = (uint32_t)pair[0].u64;
        else
            guest_drop(t, (uint32_t)pair[0].u64);
    }
    return found;
}

uint32_t open_path(struct guest *t, uint32_t dir, const char *name, uint64_t how, uint64_t flags,
                   int *why)
{
    const struct hf_value args[] = {H(dir), U(FOLLOW), T(name), U(how), U(flags)};
    struct hf_value *r = guest_call(t, "descriptor.open-at", args, 5);
    if (why != NULL)
        *why = code(r);
    return code(r) == DONE ? (uint32_t)r->items[0].u64 : 0;
}
