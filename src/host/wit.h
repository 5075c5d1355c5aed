/* wit.h - the WASI packages embedded in the program, encoded from their WIT at build time (tools/embed). */
#ifndef HF_HOST_WIT_H
#define HF_HOST_WIT_H

#include <stdint.h>

struct hf_wit_package {
    const char *name;
    const uint8_t *bytes, *end;
};
extern const struct hf_wit_package hf_wit_packages[]; /* in order of dependency; ends with a NULL name */

#endif
