/* rewrite.c - a module with its inside made reachable: more exports, and no start section.
 *
 * Every memory and mutable numeric global that the module defines, and its start function, become
 * exports under reserved names (engine_int.h, HF_RESERVED). Only the export and start sections change; function bodies are
 * copied as they are, so offsets in backtraces (counted from the start of a function) stay true.
 * Without a start section, instantiation runs no guest code: we call the function when we are ready
 * for it to wait or to spin (hf_core_start).
 */
#include "engine/engine_int.h"

enum { SECTION_EXPORT = 7, KIND_FUNC = 0, KIND_MEMORY = 2, KIND_GLOBAL = 3 };

/* By hand: Python's main module has 490 globals, looked up for each instance. */
void hf_reserved_name(char what, size_t i, char name[HF_RESERVED_MAX])
{
    static const char prefix[] = HF_RESERVED;
    char digits[20];
    size_t n = 0, at = sizeof prefix - 1;
    memcpy(name, prefix, at);
    name[at++] = what;
    do
        digits[n++] = (char)('0' + i % 10);
    while ((i /= 10) != 0);
    while (n > 0)
        name[at++] = digits[--n];
    name[at] = '\0';
}

static enum hf_err add_export(struct hf_buf *b, char what, size_t i, uint8_t kind, uint32_t index)
{
    char name[HF_RESERVED_MAX];
    hf_reserved_name(what, i, name);
    enum hf_err err = hf_write_name(b, hf_view_of(name));
    if (err == HF_OK)
        err = hf_buf_add_byte(b, kind);
    return err == HF_OK ? hf_write_leb_u32(b, index) : err;
}

/* The added entries; *n says how many. */
static enum hf_err add_exports(const struct hf_wasm *w, struct hf_buf *b, uint32_t *n)
{
    enum hf_err err = HF_OK;
    uint32_t memories = 0, globals = 0;
    for (size_t i = w->imported_memories; err == HF_OK && i < w->memories.len; i++)
        err = add_export(b, 'm', memories++, KIND_MEMORY, (uint32_t)i);
    for (uint32_t i = 0; err == HF_OK && i < w->globals.len; i++)
        if (hf_wasm_own_global(w, i))
            err = add_export(b, 'g', globals++, KIND_GLOBAL, i);
    if (err == HF_OK && w->has_start)
        err = add_export(b, 's', 0, KIND_FUNC, w->start);
    *n = memories + globals + w->has_start;
    return err;
}

static enum hf_err export_section(const struct hf_wasm *w, struct hf_buf *ret)
{
    struct hf_buf added = {0}, head = {0};
    uint32_t n = 0;
    struct hf_view old = {0}; /* the entries there are, without their count */
    if (w->export_section.end != 0) {
        struct hf_reader r = hf_reader(w->export_section.body);
        hf_read_leb_u32(&r);
        old = hf_view(r.at, hf_reader_left(&r));
    }
    enum hf_err err = add_exports(w, &added, &n);
    if (err == HF_OK)
        err = hf_write_leb_u32(&head, (uint32_t)w->exports.len + n);
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, SECTION_EXPORT);
    if (err == HF_OK)
        err = hf_write_leb_u32(ret, (uint32_t)(head.len + old.len + added.len));
    if (err == HF_OK)
        err = hf_buf_add_view(ret, hf_buf_view(&head));
    if (err == HF_OK)
        err = hf_buf_add_view(ret, old);
    if (err == HF_OK)
        err = hf_buf_add_view(ret, hf_buf_view(&added));
    hf_buf_done(&added);
    hf_buf_done(&head);
    return err;
}

static enum hf_err refuse_clash(const struct hf_wasm *w, struct hf_report *report)
{
    for (size_t i = 0; i < w->exports.len; i++) {
        struct hf_view name = w->exports.ptr[i].name;
        if (hf_view_starts(name, HF_VIEW(HF_RESERVED)))
            return hf_report_set(
                report, HF_INVALID,
                "the core module exports \"%.*s\": names that begin with \"" HF_RESERVED
                "\" are reserved, rename the export",
                (int)(name.len < 128 ? name.len : 128), (const char *)name.ptr);
    }
    return HF_OK;
}

enum hf_err hf_wasm_rewrite(const struct hf_wasm *w, struct hf_buf *ret, struct hf_report *report)
{
    enum hf_err err = refuse_clash(w, report);
    if (err != HF_OK)
        return err;
    bool has = w->export_section.end != 0;
    size_t place = has ? w->export_section.at : w->export_place;
    size_t after = has ? w->export_section.end : place;
    size_t start_at = w->has_start ? w->start_section.at : w->bytes.len;
    size_t start_end = w->has_start ? w->start_section.end : w->bytes.len;
    HF_ASSERT(place <= after && after <= start_at && start_at <= start_end); /* order: wasm.c */

    err = hf_buf_reserve(ret, w->bytes.len + 64);
    if (err == HF_OK)
        err = hf_buf_add(ret, w->bytes.ptr, place);
    if (err == HF_OK)
        err = export_section(w, ret);
    if (err == HF_OK)
        err = hf_buf_add(ret, w->bytes.ptr + after, start_at - after);
    if (err == HF_OK)
        err = hf_buf_add(ret, w->bytes.ptr + start_end, w->bytes.len - start_end);
    return err == HF_OK ? HF_OK
                        : hf_report_set(report, err, "rewriting the core module: out of memory");
}
