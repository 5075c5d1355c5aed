/* far_restart_test.c - the scenarios of restart_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "restart_test.c"
