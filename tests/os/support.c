/* support.c - worlds for the tests of this room: the real one with a folder of its own, and the
 * fake one. */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 42

static struct world *world_new(struct hf_os *os, bool fake)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_non_null(os);
    w->os = os;
    w->fake = fake;
    return w;
}

int world_linux(void **state)
{
    struct world *w = world_new(hf_os_linux(), false);
    snprintf(w->dir, sizeof w->dir, "/tmp/hf-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

int world_fake(void **state)
{
    struct world *w = world_new(hf_os_fake_new(SEED), true);
    snprintf(w->dir, sizeof w->dir, "/test");
    assert_int_equal(w->os->path_mkdir(w->os, w->dir, 0700), HF_OK);
    *state = w;
    return 0;
}

static int remove_each(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

int world_end(void **state)
{
    struct world *w = *state;
    int rc = 0;
    if (w->fake)
        hf_os_fake_free(w->os);
    else
        rc = nftw(w->dir, remove_each, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return rc;
}

const char *world_path(struct world *w, const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", w->dir, name);
    return path;
}
