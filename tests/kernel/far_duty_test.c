/* far_duty_test.c - the scenarios of duty_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "duty_test.c"
