/* support_rows.h - requests that must be refused, shared by the tests of the parser and of the
 * whole gateway. */
#ifndef HF_TESTS_GATEWAY_SUPPORT_ROWS_H
#define HF_TESTS_GATEWAY_SUPPORT_ROWS_H

#include "gateway/http1.h"

struct row {
    const char *what;
    const char *bytes;
    size_t len;
    uint16_t status;
    const char *text; /* must be in the refusal */
};
#define ROW(what, lit, status, text)                                                               \
    {                                                                                              \
        what, "" lit, sizeof(lit) - 1, status, text                                                \
    }

extern const struct row refused[];
extern const size_t refused_len;

#endif
