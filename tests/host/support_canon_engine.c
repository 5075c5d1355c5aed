/* support_canon_engine.c - see support_canon.c. */
#include "../component/support_canon_engine.c"
