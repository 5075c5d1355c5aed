/* far_recorded_named_test.c - the scenarios of recorded_named_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "recorded_named_test.c"
