/* far_run_test.c - the scenarios of run_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "run_test.c"
