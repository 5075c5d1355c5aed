/* far_named_class_test.c - the scenarios of named_class_test.c with their processes on different kernels. */
#define STAGE_FAR
#include "named_class_test.c"
