/* support_fs.h - folders for tests of wasi:filesystem, and short ways to call its functions. */
#ifndef HF_TESTS_HOST_SUPPORT_FS_H
#define HF_TESTS_HOST_SUPPORT_FS_H

#include "support.h"

/* base/rw is granted as /rw, base/ro as /ro for reading only; base/out is not. Each holds "file"
 * ("content"), a folder "sub" with "deep" ("deep"), and symlinks: "out" to ../out, "abs" to /,
 * "tofile" to file, "loop" to itself. */
struct folder {
    char base[64];
    char grants[2][160];
    const char *dirs[3];
    int fds; /* open before it was made */
};
void folder_make(struct folder *f);
/* Nothing outside was changed, and no handle of the system is left. */
void folder_end(struct folder *f);
/* base/name; good until the next call but three. */
const char *folder_path(const struct folder *f, const char *name);
void folder_put(const struct folder *f, const char *name, const char *text);
/* The file's text (at most 255 bytes); "(none)" when it is not there. */
const char *folder_get(const struct folder *f, const char *name);

/* A world with the two grants, one script, everything put away. `fs` may be NULL. */
extern struct folder here; /* of the script that runs */
void run_fs(void **state, script_fn script, const struct world_settings *s);
/* A test that is one script. */
#define TEST(name)                                                                                 \
    static void name##_script(struct guest *t);                                                    \
    static void name(void **state)                                                                 \
    {                                                                                              \
        run_fs(state, name##_script, NULL);                                                        \
    }                                                                                              \
    static void name##_script(struct guest *t)

/* ---- for scripts ---- */
enum { READ = 1, WRITE = 2, MUTATE = 32 };                       /* descriptor-flags */
enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 }; /* open-flags */
enum { NOFOLLOW = 0, FOLLOW = 1 };                               /* path-flags */
enum {                                                           /* error-code */
       E_ACCESS,
       E_WOULD_BLOCK,
       E_ALREADY,
       E_BAD_DESCRIPTOR,
       E_BUSY,
       E_DEADLOCK,
       E_QUOTA,
       E_EXIST,
       E_FILE_TOO_LARGE,
       E_ILLEGAL,
       E_IN_PROGRESS,
       E_INTERRUPTED,
       E_INVALID,
       E_IO,
       E_IS_DIRECTORY,
       E_LOOP,
       E_TOO_MANY_LINKS,
       E_MESSAGE_SIZE,
       E_NAME_TOO_LONG,
       E_NO_DEVICE,
       E_NO_ENTRY,
       E_NO_LOCK,
       E_MEMORY,
       E_NO_SPACE,
       E_NOT_DIRECTORY,
       E_NOT_EMPTY,
       E_NOT_RECOVERABLE,
       E_UNSUPPORTED,
       E_NO_TTY,
       E_NO_SUCH_DEVICE,
       E_OVERFLOW,
       E_NOT_PERMITTED,
       E_PIPE,
       E_READ_ONLY,
       E_INVALID_SEEK,
       E_TEXT_BUSY,
       E_CROSS_DEVICE,
       DONE = 1000 /* ok(...) */
};
/* ok: DONE; error: its code. -1: the call itself failed. */
int code(const struct hf_value *r);
/* The handle in an ok(...); 0: none. */
static inline uint32_t got(const struct hf_value *r)
{
    return code(r) == DONE ? (uint32_t)r->items[0].u64 : 0;
}
uint32_t preopen(struct guest *t, const char *name); /* a new descriptor of it; 0: none */
uint32_t open_path(struct guest *t, uint32_t dir, const char *name, uint64_t how, uint64_t flags,
                   int *why);
/* Fails the script unless the call of `name` answers `want`. */
#define WANT(want, name, ...)                                                                      \
    do {                                                                                           \
        CALL(r_, name, __VA_ARGS__);                                                               \
        if (code(r_) != (want)) {                                                                  \
            char text_[160];                                                                       \
            snprintf(text_, sizeof text_, "%s answers %d, not %d", name, code(r_), (int)(want));   \
            guest_failed(t, __FILE__, __LINE__, text_);                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)
/* `uint32_t var = open-at(...)`, which must work. */
#define OPEN(var, dir, name, how, flags)                                                           \
    uint32_t var = open_path(t, dir, name, how, flags, NULL);                                      \
    CHECK(var != 0)
#define OPEN_FAILS(want, dir, name, how, flags)                                                    \
    do {                                                                                           \
        int why_ = -1;                                                                             \
        CHECK(open_path(t, dir, name, how, flags, &why_) == 0);                                    \
        CHECK_INT(why_, want);                                                                     \
    } while (0)

#endif
