/* far_forward_test.c - the scenarios of forward_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "forward_test.c"
