/* far_capability_test.c - the scenarios of capability_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "capability_test.c"
