/* err.h - how things go wrong: few kinds, each with a reaction, and a report with the detail.
 *
 * A function that can fail returns `enum hf_err`; callers branch on the kind only. What happened,
 * in words, goes into a `struct hf_report` that the caller lends (NULL is fine: then nobody wants
 * the words). The first report wins: code on the way up adds context with hf_report_wrap, it never
 * replaces.
 *
 * Programmer errors are HF_ASSERT, kept in release builds. Guest, file and network input never
 * reaches one.
 */
#ifndef HF_BASE_ERR_H
#define HF_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_ERR_LIST(X)                                                                             \
    X(HF_OK, "ok")           /* it worked */                                                       \
    X(HF_AGAIN, "again")     /* nothing wrong, not yet: wait for the next event */                 \
    X(HF_LIMIT, "limit")     /* a budget, a setting or the machine ran out */                      \
    X(HF_INVALID, "invalid") /* the caller's bytes or arguments are malformed: say where */        \
    X(HF_UNSUPPORTED, "unsupported") /* well-formed, but what it asks for is not here: name it */  \
    X(HF_NOT_FOUND, "not-found")     /* a name that leads nowhere */                               \
    X(HF_DENIED, "denied")           /* it exists, but was not granted */                          \
    X(HF_IO, "io")                   /* disk or network failed: maybe later */                     \
    X(HF_CORRUPT, "corrupt")         /* stored bytes fail their check: stop, do not guess */       \
    X(HF_TRAP, "trap")               /* the guest ended itself; the node is fine */                \
    X(HF_TIMEOUT, "timeout")         /* a deadline passed */                                       \
    X(HF_CANCELLED, "cancelled")     /* somebody asked for it to stop; unwind, enter no guest */   \
    X(HF_CLOSED, "closed")           /* the other end is gone, or the end was reached */           \
    X(HF_FENCED, "fenced")           /* another owner took over: stop at once */                   \
    X(HF_UNKNOWN, "unknown")         /* it may or may not have happened: look, then decide */

enum hf_err {
#define X(name, text) name,
    HF_ERR_LIST(X)
#undef X
        HF_ERR_COUNT
};

/* The stable short text of a kind ("trap"); never NULL. */
const char *hf_err_text(enum hf_err err);

#define HF_REPORT_MAX 4096 /* bytes of text a report keeps; longer text is cut with "..." */

/* What went wrong, for people. Embedded by the caller, no allocation; hf_report_init or zeroes
 * before use. */
struct hf_report {
    enum hf_err err;          /* the kind first reported; HF_OK = nothing yet */
    uint32_t len;             /* bytes used of text, without the NUL */
    char text[HF_REPORT_MAX]; /* NUL-terminated */
};

void hf_report_init(struct hf_report *report);

/* Sets kind and text unless something was reported already (first wins). Returns `err`, so that one
 * can write `return hf_report_set(report, HF_INVALID, "...", ...)`. `report` may be NULL. err !=
 * HF_OK. */
enum hf_err hf_report_set(struct hf_report *report, enum hf_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts context before the text: "loading app.wasm: " + text. Returns `err` unchanged. `report` may
 * be NULL. */
enum hf_err hf_report_wrap(struct hf_report *report, enum hf_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a line below the text (lists of what is missing, backtraces). `report` may be NULL. */
void hf_report_add(struct hf_report *report, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A programmer error: prints the place to stderr and aborts. Kept in release. */
#define HF_ASSERT(cond) ((cond) ? (void)0 : hf_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void hf_assert_failed(const char *cond, const char *file, int line);

#define HF_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define HF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define HF_LIKELY(x)                       __builtin_expect(!!(x), 1)
#define HF_UNLIKELY(x)                     __builtin_expect(!!(x), 0)
#define HF_MUST_CHECK                      __attribute__((warn_unused_result))

#endif
