/* support_fs.h - a folder that is granted, full of ways out, and a world outside; each verb as a
 * function of one path. */
#ifndef HF_TESTS_OS_SUPPORT_FS_H
#define HF_TESTS_OS_SUPPORT_FS_H

#include "os/fs.h"
#include "support.h"

/* base/in is granted; base/out, with a file and a folder in it, is the world outside. */
struct place {
    const struct hf_fs *fs;
    char base[64], in[80], out[80];
    int dir;
    int fds; /* open before */
};
int place_open(void **state);
int place_close(void **state); /* no handle is left */
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

const char *path(const char *dir,
                 const char *name); /* dir/name; good until the next call but three */
void put_file(const char *name, const char *text);
/* Outside all is as it was. */
void outside_is_whole(const struct place *p);

/* Opens (closed by the caller) or must fail with `want`; -1 then. */
int opened(const struct place *p, const char *name, uint32_t flags, int want);

/* Each answers 0 or an errno; what it opened is closed again. */
int v_open(const struct place *p, const char *name);
int v_create(const struct place *p, const char *name);
int v_stat(const struct place *p, const char *name);
int v_lstat(const struct place *p, const char *name);
int v_times(const struct place *p, const char *name);
int v_readlink(const struct place *p, const char *name);
int v_mkdir(const struct place *p, const char *name);
int v_unlink(const struct place *p, const char *name);
int v_rmdir(const struct place *p, const char *name);
/* From here to "renamed", or from sub/deep to here; links the same, to "linked". */
int v_rename_from(const struct place *p, const char *name);
int v_rename_to(const struct place *p, const char *name);
int v_link_from(const struct place *p, const char *name);
int v_link_to(const struct place *p, const char *name);
int v_symlink(const struct place *p, const char *name);

#endif
