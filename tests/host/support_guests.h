/* support_guests.h - guests of every toolchain (build/guests), in an engine that keeps their
 * compiled code in build/code-cache: the large ones take seconds to compile. HF_GUESTS and
 * HF_TEST_CACHE name other folders.
 */
#ifndef HF_TESTS_HOST_SUPPORT_GUESTS_H
#define HF_TESTS_HOST_SUPPORT_GUESTS_H

#include "support.h"

/* cmocka's group: engine and registry, one set a process; *state is not used. */
int guests_open(void **state);
int guests_close(void **state);
/* Engine and registry with this guest's component, to be given back (hf_component_unref). False: it
 * is not built (said). */
bool guests_load(const char *name, struct shared *ret);

#endif
