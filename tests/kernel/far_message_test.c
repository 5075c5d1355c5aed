/* far_message_test.c - the scenarios of message_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "message_test.c"
