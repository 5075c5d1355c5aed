/* fault.c - see fault.h. */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

void hf_fault_set(struct hf_fault *f, enum hf_fault_kind kind, uint64_t number, const char *fmt,
                  ...)
{
    va_list args;
    if (f->kind != HF_FAULT_NONE)
        return;
    f->kind = kind;
    f->number = number;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}
