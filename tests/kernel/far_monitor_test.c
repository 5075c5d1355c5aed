/* far_monitor_test.c - the scenarios of monitor_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "monitor_test.c"
