/* far_await_test.c - the scenarios of await_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "await_test.c"
