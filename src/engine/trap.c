/* trap.c - what went wrong in a guest, in words: a reason, and the names of the functions it
 * happened in.
 *
 * The reason is the first one known: an import that refused has written its own into the store's
 * report; otherwise it is the kind of trap, or the text of an error of ours (time, cancel). The
 * backtrace is added once, where the failure is first caught, because that is where all frames are
 * still known. Names come from the guest: they are cleaned and cut.
 */
#include "engine/engine_int.h"

#include <stdio.h>

#define FRAMES_MAX 32
#define NAME_MAX_  128 /* bytes of a function's name shown */

/* ---- reasons ---- */

/* The texts that specification tests look for are part of these. */
static const char *trap_text(wasmtime_trap_code_t code)
{
    switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW: return "call stack exhausted";
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS: return "out of bounds memory access";
    case WASMTIME_TRAP_CODE_HEAP_MISALIGNED: return "unaligned atomic";
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS:
        return "undefined element: out of bounds table access";
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL: return "uninitialized element";
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE: return "indirect call type mismatch";
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW: return "integer overflow";
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO: return "integer divide by zero";
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER: return "invalid conversion to integer";
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
        return "wasm `unreachable` instruction executed";
    case WASMTIME_TRAP_CODE_INTERRUPT: return "interrupt";
    case WASMTIME_TRAP_CODE_OUT_OF_FUEL: return "all fuel consumed";
    case WASMTIME_TRAP_CODE_NULL_REFERENCE: return "null reference";
    case WASMTIME_TRAP_CODE_ARRAY_OUT_OF_BOUNDS: return "out of bounds array access";
    case WASMTIME_TRAP_CODE_ALLOCATION_TOO_LARGE: return "allocation size too large";
    case WASMTIME_TRAP_CODE_CAST_FAILURE: return "cast failure";
    case WASMTIME_TRAP_CODE_UNCAUGHT_EXCEPTION: return "uncaught exception";
    default: return NULL;
    }
}

static void add_text(struct hf_buf *buf, const char *text, size_t len)
{
    if (hf_buf_add(buf, text, len) != HF_OK)
        hf_buf_clear(buf); /* out of memory: the callers say so */
}

/* Wasmtime prints the backtrace first and the reasons after "Caused by:"; the last reason is the
 * first cause. Without that it is the reason alone. */
static void innermost(const char *text, size_t len, struct hf_buf *buf)
{
    static const char mark[] = "Caused by:";
    const char *caused = memmem(text, len, mark, sizeof mark - 1);
    const char *from = caused == NULL ? text : caused + sizeof mark - 1, *end = text + len;
    const char *line = from, *best = from;
    size_t best_len = caused == NULL ? len : 0;
    while (caused != NULL && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop == NULL ? end : stop;
        const char *at = line;
        while (at < stop && (*at == ' ' || (*at >= '0' && *at <= '9') || *at == ':'))
            at++;
        if (stop > at && line > from) { /* a reason: the last one wins */
            best = at;
            best_len = (size_t)(stop - at);
        }
        line = stop + 1;
    }
    add_text(buf, best, best_len);
}

void hf_trap_error_text(wasmtime_error_t *error, struct hf_buf *buf)
{
    wasm_name_t message;
    wasmtime_error_message(error, &message);
    wasmtime_error_delete(error);
    add_text(buf, message.data, message.size);
    wasm_name_delete(&message);
}

void hf_trap_trap_text(wasm_trap_t *trap, struct hf_buf *buf)
{
    wasmtime_trap_code_t code;
    const char *text = wasmtime_trap_code(trap, &code) ? trap_text(code) : NULL;
    if (text != NULL) {
        add_text(buf, text, strlen(text));
    } else {
        wasm_message_t message;
        wasm_trap_message(trap, &message);
        innermost(message.data, strnlen(message.data, message.size), buf);
        wasm_byte_vec_delete(&message);
    }
    wasm_trap_delete(trap);
}

/* ---- memory near its limit ---- */

/* Wasmtime's limiter refuses a growth silently and guests answer with `unreachable`. A memory that
 * has grown and stands in the last eighth of what it may be is a fair suspect; one that was never
 * allowed to grow is not. */
static const struct hf_store_memory *suspect(struct hf_store *s, size_t *size)
{
    for (size_t i = 0; i < s->memories.len; i++) {
        const struct hf_store_memory *m = &s->memories.ptr[i];
        *size = wasmtime_memory_data_size(s->cx, &m->memory);
        if (m->max > m->min && *size >= m->max - m->max / 8)
            return m;
    }
    return NULL;
}

static void set_reason(struct hf_store *s, wasmtime_error_t *error, wasm_trap_t *trap)
{
    struct hf_buf text = {0};
    wasmtime_trap_code_t code = UINT8_MAX;
    if (trap != NULL && wasmtime_trap_code(trap, &code) && trap_text(code) != NULL) {
        const char *reason = trap_text(code);
        size_t size;
        const struct hf_store_memory *m =
            code == WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED ? suspect(s, &size) : NULL;
        s->suspect = m != NULL;
        if (m == NULL)
            hf_report_set(&s->report, HF_TRAP, "%s", reason);
        else
            hf_report_set(&s->report, HF_TRAP, "%s, probably memory: it stands at %zu of %llu KiB",
                          reason, size >> 10, (unsigned long long)m->max >> 10);
        return;
    }
    wasm_name_t message;
    if (trap != NULL)
        wasm_trap_message(trap, &message);
    else
        wasmtime_error_message(error, &message);
    innermost(message.data, strnlen(message.data, message.size), &text);
    wasm_byte_vec_delete(&message);
    hf_report_set(&s->report, HF_TRAP, "%s", text.ptr == NULL ? "failed" : (const char *)text.ptr);
    hf_buf_done(&text);
}

/* ---- backtraces ---- */

static void clean_name(const wasm_name_t *name, char out[NAME_MAX_ + 1])
{
    size_t len = name->size < NAME_MAX_ ? name->size : NAME_MAX_;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name->data[i];
        out[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    out[len] = '\0';
}

static void add_frame(struct hf_report *report, const wasm_frame_t *frame)
{
    char func[NAME_MAX_ + 1], module[NAME_MAX_ + 1] = "";
    const wasm_name_t *name = wasmtime_frame_func_name(frame);
    const wasm_name_t *of = wasmtime_frame_module_name(frame);
    size_t offset = wasm_frame_func_offset(frame);
    if (name == NULL)
        snprintf(func, sizeof func, "function %u", wasm_frame_func_index(frame));
    else
        clean_name(name, func);
    if (of != NULL)
        clean_name(of, module);
    if (offset == SIZE_MAX)
        hf_report_add(report, "  at %s%s%s", module, of == NULL ? "" : "!", func);
    else
        hf_report_add(report, "  at %s%s%s + 0x%zx", module, of == NULL ? "" : "!", func, offset);
}

static void add_backtrace(struct hf_report *report, wasmtime_error_t *error, wasm_trap_t *trap)
{
    wasm_frame_vec_t frames;
    if (trap != NULL)
        wasm_trap_trace(trap, &frames);
    else
        wasmtime_error_wasm_trace(error, &frames);
    for (size_t i = 0; i < frames.size && i < FRAMES_MAX; i++)
        add_frame(report, frames.data[i]);
    if (frames.size > FRAMES_MAX)
        hf_report_add(report, "  and %zu more", frames.size - FRAMES_MAX);
    wasm_frame_vec_delete(&frames);
}

/* ---- on the way up ---- */

enum hf_err hf_trap_caught(struct hf_store *s, wasmtime_error_t *error, wasm_trap_t *trap)
{
    if (s->dying) {
        hf_report_set(&s->report, HF_CANCELLED, "cancelled");
    } else {
        if (s->report.err == HF_OK)
            set_reason(s, error, trap);
        if (!s->traced)
            add_backtrace(&s->report, error, trap);
        s->traced = true;
    }
    if (error != NULL)
        wasmtime_error_delete(error);
    if (trap != NULL)
        wasm_trap_delete(trap);
    return s->dying ? HF_CANCELLED : HF_TRAP;
}

enum hf_err hf_trap_stack(struct hf_store *s)
{
    return hf_report_set(
        &s->report, HF_TRAP,
        "call stack exhausted: guests and host functions call each other too deeply");
}

wasm_trap_t *hf_trap_raise(struct hf_store *s, enum hf_err err)
{
    static const char text[] = "a host function failed";
    if (s->dying)
        hf_report_set(&s->report, HF_CANCELLED, "cancelled");
    else
        hf_report_set(&s->report, err, "a host function failed: %s", hf_err_text(err));
    return wasmtime_trap_new(text, sizeof text - 1);
}
