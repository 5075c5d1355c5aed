/* support_canon.c - the hand-made guest of the component tests (support_canon.h there), for this room too. */
#include "../component/support_canon.c"
