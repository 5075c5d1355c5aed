/* support.h - what several tests of this room need: cmocka in its order, and a world to test in. */
#ifndef HF_TESTS_OS_SUPPORT_H
#define HF_TESTS_OS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "os/fake.h"

/* The same tests run in both worlds: this is what they get as their state. */
struct world {
    struct hf_os *os;
    bool fake;
    char dir[64]; /* a folder of the test's own, empty at start */
};

int world_linux(void **state);
int world_fake(void **state);
int world_end(void **state);

/* path = dir/name; good until the next call but three. */
const char *world_path(struct world *w, const char *name);

#define IN_BOTH_WORLDS(test)                                                                       \
    {#test " (linux)", test, world_linux, world_end, NULL},                                        \
    {                                                                                              \
#test " (fake)", test, world_fake, world_end, NULL                                         \
    }

#endif
