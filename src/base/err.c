/* err.c - texts of the error kinds, and reports: bounded text that says what went wrong.
 *
 * A report never allocates: it must work when memory is what ran out. Text that does not fit is cut
 * and ends in
 * "...", so a reader sees that something is missing.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hf_err_text(enum hf_err err)
{
    static const char *const texts[] = {
#define X(name, text) text,
        HF_ERR_LIST(X)
#undef X
    };
    if ((unsigned)err >= HF_ARRAY_LEN(texts))
        return "unheard-of";
    return texts[err];
}

void hf_report_init(struct hf_report *report)
{
    report->err = HF_OK;
    report->len = 0;
    report->text[0] = '\0';
}

/* Marks text that filled the report as cut. `wanted` is the length it would have had. */
static void settle(struct hf_report *report, size_t wanted)
{
    if (wanted < sizeof report->text) {
        report->len = (uint32_t)wanted;
        return;
    }
    report->len = sizeof report->text - 1;
    memcpy(report->text + report->len - 3, "...", 4);
}

enum hf_err hf_report_set(struct hf_report *report, enum hf_err err, const char *fmt, ...)
{
    HF_ASSERT(err != HF_OK);
    if (report == NULL || report->err != HF_OK)
        return err;

    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(report->text, sizeof report->text, fmt, args);
    va_end(args);
    report->err = err;
    if (n < 0) {
        report->text[0] = '\0';
        n = 0;
    }
    settle(report, (size_t)n);
    return err;
}

enum hf_err hf_report_wrap(struct hf_report *report, enum hf_err err, const char *fmt, ...)
{
    HF_ASSERT(err != HF_OK);
    if (report == NULL)
        return err;

    char before[HF_REPORT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(before, sizeof before - 2, fmt, args);
    va_end(args);
    if (n < 0)
        return err;
    size_t len = (size_t)n < sizeof before - 3 ? (size_t)n : sizeof before - 3;
    size_t old = report->len;
    if (report->err == HF_OK) { /* nothing was reported: the context is all there is */
        report->err = err;
        old = 0;
    }
    if (old > 0) {
        memcpy(before + len, ": ", 2);
        len += 2;
    }

    size_t keep = old;
    if (len + keep > sizeof report->text - 1)
        keep = sizeof report->text - 1 - len;
    memmove(report->text + len, report->text, keep);
    memcpy(report->text, before, len);
    report->text[len + keep] = '\0';
    settle(report, len + old);
    return err;
}

void hf_report_add(struct hf_report *report, const char *fmt, ...)
{
    if (report == NULL)
        return;
    size_t at = report->len;
    if (at + 1 >= sizeof report->text) /* full, and already marked as cut */
        return;
    if (at > 0)
        report->text[at++] = '\n';

    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(report->text + at, sizeof report->text - at, fmt, args);
    va_end(args);
    if (n < 0) {
        report->text[report->len] = '\0';
        return;
    }
    settle(report, at + (size_t)n);
}

_Noreturn void hf_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    fflush(stderr);
    abort();
}
