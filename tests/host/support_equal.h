/* support_equal.h - a guest under per-request, watched: what equal_test.c and equal_big_test.c
 * share.
 *
 * A behaviour of the test's stands before the service's: when a request begins it looks at the
 * instance before the guest does. Misdeeds that a guest cannot do itself are done to it at one of
 * its imports, through the membrane's hook.
 *
 * Tables of functions: elements and sizes of those that a module exports are compared with what
 * they were when the instance was new; the others no code can change (the static gate lets no such
 * instruction pass). Fuel is off; of the epoch, nothing is an instance's but its slice.
 */
#ifndef HF_TESTS_HOST_SUPPORT_EQUAL_H
#define HF_TESTS_HOST_SUPPORT_EQUAL_H

#include "support.h"

struct hf_image;

/* cmocka's group: an engine with the code cache of the build, the host's registry. */
int equal_open(void **state);
int equal_close(void **state);

struct equal {
    struct world w;
    struct shared shared;
    char answer[300]; /* of a good request; every other one must give the same */
};
/* False: the guest is not built (said). */
bool equal_begin(struct equal *e, const char *guest, uint32_t body_window);
void equal_end(struct equal *e);
unsigned equal_found(void);      /* requests that found an instance put back */
unsigned equal_fresh(void);      /* and a new one */
void equal_run(struct equal *e); /* world_run; what is wrong fails the test */
/* A good request: found an instance that was put back (`put_back`), or a new one; same answer. */
void equal_good(struct equal *e, const struct req *r, bool put_back);
void equal_forget(struct equal *e, size_t i); /* the request is done with: room for the next */
/* Good requests; a trap and a growth at each of the first `imports`; clients that leave, bodies
 * that break off; `waits`: cancelled while it waits for its body. After each the next is as the
 * first.
 */
void equal_all_ways(const char *guest, const struct req *r, bool waits, unsigned imports);

#endif
