/* preview1.c - a core module of WASI preview 1, made ready to be put behind the preview 1 adapter.
 *
 * What gets lost or broken there is mended here, in the module's bytes:
 *
 * - The adapter turns `proc_exit(42)` into exit(err): the code is gone. wasi:cli/exit has
 *   `exit-with-code`, whose core signature is that of proc_exit: the import is renamed, and the
 *   world that offers it is added as the custom section that componentising reads.
 * - A module that imports nothing else gets no adapter, which is what makes a command of `_start`.
 *   It gets a function more, exported as wasi:cli/run.
 * - The adapter takes two pages of the module's memory, and both Go's heap and the malloc of older
 *   C libraries take them for their own: preview1_memory.c.
 */
#include "engine/preview1.h"

#define PREVIEW1 "wasi_snapshot_preview1"

/* ---- adding to it ---- */

enum hf_err hf_p1_no_memory(struct hf_p1 *e)
{
    return hf_report_set(e->report, HF_LIMIT, "core module: out of memory while rewriting it");
}

enum hf_err hf_p1_add_function(struct hf_p1 *e, struct hf_view type, struct hf_view code,
                               struct hf_view name, uint32_t *index)
{
    uint32_t f = (uint32_t)e->w->funcs.len + e->n_added[HF_P1_FUNC];
    enum hf_err err = hf_buf_add_view(&e->added[HF_P1_TYPE], type);
    if (err == HF_OK)
        err = hf_write_leb_u32(&e->added[HF_P1_FUNC],
                               (uint32_t)e->w->types.len + e->n_added[HF_P1_TYPE]);
    if (err == HF_OK && name.len > 0) {
        err = hf_write_name(&e->added[HF_P1_EXPORT], name);
        if (err == HF_OK)
            err = hf_buf_add_byte(&e->added[HF_P1_EXPORT], 0);
        if (err == HF_OK)
            err = hf_write_leb_u32(&e->added[HF_P1_EXPORT], f);
        e->n_added[HF_P1_EXPORT]++;
    }
    if (err == HF_OK)
        err = hf_write_name(&e->added[HF_P1_CODE], code);
    e->n_added[HF_P1_TYPE]++;
    e->n_added[HF_P1_FUNC]++;
    e->n_added[HF_P1_CODE]++;
    if (index != NULL)
        *index = f;
    return err;
}

enum hf_err hf_p1_add_global(struct hf_p1 *e, uint32_t value, uint32_t *index)
{
    struct hf_buf *b = &e->added[HF_P1_GLOBAL];
    *index = (uint32_t)e->w->globals.len + e->n_added[HF_P1_GLOBAL]++;
    enum hf_err err = hf_buf_add(b, "\x7f\x01\x41", 3); /* (mut i32) (i32.const */
    if (err == HF_OK)
        err = hf_write_leb_s64(b, (int32_t)value);
    return err == HF_OK ? hf_buf_add_byte(b, 0x0b) : err;
}

/* ---- what it is ---- */

static void read_customs(struct hf_p1 *e)
{
    struct hf_reader r = hf_reader(hf_view_skip(e->w->bytes, 8));
    while (r.at < r.end && !r.bad) {
        uint8_t id = hf_read_u8(&r);
        struct hf_reader body = hf_reader(hf_read_name(&r));
        if (id != 0)
            continue;
        struct hf_view name = hf_read_name(&body);
        e->is_go |= hf_view_starts(name, HF_VIEW("go:buildid"));
        e->has_world |= hf_view_starts(name, HF_VIEW("component-type"));
    }
}

static enum hf_err check_imports(struct hf_p1 *e)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < e->w->imports.len; i++) {
        const struct hf_core_item *item = &e->w->imports.ptr[i];
        if (hf_view_eq_text(item->module, PREVIEW1) && item->kind == HF_CORE_FUNC)
            continue;
        if (wrong++ == 0)
            hf_report_set(e->report, HF_UNSUPPORTED,
                          "it is a core module that imports what is not WASI preview 1 (" PREVIEW1
                          "):");
        if (wrong <= 10)
            hf_report_add(e->report, "  \"%.*s\" \"%.*s\"%s",
                          (int)(item->module.len < 100 ? item->module.len : 100),
                          (const char *)item->module.ptr,
                          (int)(item->name.len < 100 ? item->name.len : 100),
                          (const char *)item->name.ptr,
                          hf_view_eq_text(item->module, "wasi_unstable")
                              ? " (preview 0: build it with a newer toolchain)"
                              : "");
    }
    if (wrong > 10)
        hf_report_add(e->report, "  and %u more", wrong - 10);
    return wrong == 0 ? HF_OK : HF_UNSUPPORTED;
}

static bool exports(const struct hf_wasm *w, const char *name, enum hf_core_kind kind)
{
    for (size_t i = 0; i < w->exports.len; i++)
        if (w->exports.ptr[i].kind == kind && hf_view_eq_text(w->exports.ptr[i].name, name))
            return true;
    return false;
}

static enum hf_err check_exports(struct hf_p1 *e)
{
    if (exports(e->w, "_start", HF_CORE_FUNC))
        return HF_OK;
    if (exports(e->w, "_initialize", HF_CORE_FUNC))
        return hf_report_set(e->report, HF_UNSUPPORTED,
                             "it is a core module that exports _initialize and no _start: a "
                             "library (reactor), not a command");
    return hf_report_set(e->report, HF_UNSUPPORTED,
                         "it is a core module that exports no _start, so it is not a command");
}

/* ---- proc_exit ---- */

static bool is_proc_exit(const struct hf_core_item *item)
{
    return hf_view_eq_text(item->module, PREVIEW1) && hf_view_eq_text(item->name, "proc_exit") &&
           item->func.n_params == 1 && item->func.n_results == 0 && item->func.params[0] == HF_I32;
}

static enum hf_err rename_exit(struct hf_p1 *e, bool *renamed)
{
    const struct hf_wasm *w = e->w;
    struct hf_buf *b = &e->replaced[HF_P1_IMPORT];
    *renamed = false;
    for (size_t i = 0; i < w->imports.len; i++)
        *renamed |= is_proc_exit(&w->imports.ptr[i]);
    if (!*renamed)
        return HF_OK;
    enum hf_err err = hf_write_leb_u32(b, (uint32_t)w->imports.len);
    for (size_t i = 0; i < w->imports.len && err == HF_OK;
         i++) { /* functions all of them: check_imports */
        const struct hf_core_item *item = &w->imports.ptr[i];
        bool this_one = is_proc_exit(item);
        err = hf_write_name(b, this_one ? HF_VIEW("wasi:cli/exit@0.2.12") : item->module);
        if (err == HF_OK)
            err = hf_write_name(b, this_one ? HF_VIEW("exit-with-code") : item->name);
        if (err == HF_OK)
            err = hf_buf_add_byte(b, 0);
        if (err == HF_OK)
            err = hf_write_leb_u32(b, w->funcs.ptr[i]);
    }
    return err == HF_OK ? HF_OK : hf_p1_no_memory(e);
}

/* ---- a command without the adapter ---- */

/* Whether any import is left to the adapter. */
static bool needs_adapter(const struct hf_wasm *w)
{
    for (size_t i = 0; i < w->imports.len; i++)
        if (!is_proc_exit(&w->imports.ptr[i]))
            return true;
    return false;
}

/* Index and signature of the function exported as _start. */
static bool find_start(const struct hf_wasm *w, uint32_t *ret)
{
    struct hf_reader r = hf_reader(w->export_section.body);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0 && !r.bad; n--) {
        bool it = hf_view_eq_text(hf_read_name(&r), "_start");
        it = hf_read_u8(&r) == 0 && it;
        *ret = hf_read_leb_u32(&r);
        if (it) {
            const struct hf_functype *t = &w->types.ptr[w->funcs.ptr[*ret]].func;
            return t->n_params == 0 && t->n_results == 0;
        }
    }
    return false;
}

/* func() -> result: calls _start and returns ok. */
static enum hf_err add_run(struct hf_p1 *e)
{
    struct hf_buf code = {0};
    uint32_t start = 0;
    if (!find_start(e->w, &start))
        return hf_report_set(e->report, HF_UNSUPPORTED,
                             "core module: _start is no function without parameters and results");
    enum hf_err err = hf_buf_add(&code, "\0\x10", 2);
    if (err == HF_OK)
        err = hf_write_leb_u32(&code, start);
    if (err == HF_OK)
        err = hf_buf_add(&code, "\x41\0\x0b", 3);
    if (err == HF_OK)
        err = hf_p1_add_function(e, HF_VIEW("\x60\0\x01\x7f"), hf_buf_view(&code),
                                 HF_VIEW("wasi:cli/run@0.2.12#run"), NULL);
    hf_buf_done(&code);
    return err == HF_OK ? HF_OK : hf_p1_no_memory(e);
}

/* ---- putting it together ---- */

/* The section as it will be: what replaces it, and what is added at its end. `old` may be empty: it
 * was not there. */
static enum hf_err put_section(struct hf_p1 *e, uint8_t id, struct hf_view old, struct hf_buf *ret)
{
    struct hf_buf b = {0};
    enum hf_err err = HF_OK;
    if (id < HF_P1_SECTIONS && e->replaced[id].len > 0)
        old = hf_buf_view(&e->replaced[id]);
    uint32_t more = id < HF_P1_SECTIONS ? e->n_added[id == HF_P1_DATA_COUNT ? HF_P1_DATA : id]
                                        : 0; /* data count comes before data */
    if (more > 0) {
        struct hf_reader r = hf_reader(old);
        uint32_t n = old.len == 0 ? 0 : hf_read_leb_u32(&r); /* sound: it was validated */
        err = hf_write_leb_u32(&b, n + more);
        if (err == HF_OK)
            err = hf_buf_add(&b, r.at, hf_reader_left(&r));
        if (err == HF_OK)
            err = hf_buf_add_view(&b, hf_buf_view(&e->added[id]));
        if (id != HF_P1_DATA_COUNT)
            e->n_added[id] = 0;
        old = hf_buf_view(&b);
    }
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, id);
    if (err == HF_OK)
        err = hf_write_name(ret, old);
    hf_buf_done(&b);
    return err;
}

/* Sections that it has not and now needs, of those that come before `id` (0: all of them). */
static enum hf_err put_missing(struct hf_p1 *e, uint8_t id, struct hf_buf *ret)
{
    static const uint8_t order[] = {
        HF_P1_TYPE, HF_P1_IMPORT,     HF_P1_FUNC, 4,         5, 13, HF_P1_GLOBAL, HF_P1_EXPORT, 8,
        9,          HF_P1_DATA_COUNT, HF_P1_CODE, HF_P1_DATA};
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(order) && order[i] != id && err == HF_OK; i++)
        if (order[i] < HF_P1_SECTIONS && order[i] != HF_P1_DATA_COUNT && e->n_added[order[i]] > 0)
            err = put_section(e, order[i], (struct hf_view){0}, ret);
    return err;
}

/* The custom section with the world, out of the object file that the bindings are linked with. */
static enum hf_err put_world(struct hf_view object, struct hf_buf *ret)
{
    struct hf_reader r = hf_reader(hf_view_skip(object, 8));
    while (r.at < r.end && !r.bad) {
        uint8_t id = hf_read_u8(&r);
        struct hf_view body = hf_read_name(&r);
        struct hf_reader in = hf_reader(body);
        if (id == 0 && hf_view_starts(hf_read_name(&in), HF_VIEW("component-type"))) {
            enum hf_err err = hf_buf_add_byte(ret, 0);
            return err == HF_OK ? hf_write_name(ret, body) : err;
        }
    }
    return HF_NOT_FOUND;
}

/* Hints about places in the code, which have moved. */
static bool is_stale(const struct hf_p1 *e, uint8_t id, struct hf_view body)
{
    struct hf_reader r = hf_reader(body);
    return id == 0 && e->replaced[HF_P1_CODE].len > 0 &&
           hf_view_starts(hf_read_name(&r), HF_VIEW("metadata.code."));
}

static enum hf_err write_all(struct hf_p1 *e, struct hf_view world, struct hf_buf *ret)
{
    struct hf_reader r = hf_reader(hf_view_skip(e->w->bytes, 8));
    enum hf_err err = hf_buf_add_view(ret, hf_view_take(e->w->bytes, 8));
    while (err == HF_OK && r.at < r.end) {
        uint8_t id = hf_read_u8(&r);
        struct hf_view body = hf_read_name(&r);
        if (is_stale(e, id, body))
            continue;
        if (id != 0)
            err = put_missing(e, id, ret);
        if (err == HF_OK)
            err = put_section(e, id, body, ret);
    }
    if (err == HF_OK)
        err = put_missing(e, 0, ret);
    if (err == HF_OK && world.len > 0) {
        err = put_world(world, ret);
        HF_ASSERT(err != HF_NOT_FOUND); /* it is built in */
    }
    return err == HF_OK ? HF_OK : hf_p1_no_memory(e);
}

/* Everything but what was made for components already: its imports are those of its own world. */
static enum hf_err prepare(struct hf_p1 *e, const struct hf_preview1_worlds *worlds,
                           struct hf_view *world)
{
    bool renamed = false;
    enum hf_err err = check_imports(e);
    if (err == HF_OK)
        err = rename_exit(e, &renamed);
    if (renamed)
        *world = worlds->exit;
    if (err == HF_OK && !needs_adapter(e->w)) {
        *world = worlds->exit_and_run;
        err = add_run(e);
    } else if (err == HF_OK && !e->has_realloc) { /* else the adapter asks there */
        err = e->is_go ? hf_p1_go_hole(e) : hf_p1_own_size(e);
    }
    return err;
}

enum hf_err hf_preview1_prepare(struct hf_view module, const struct hf_preview1_worlds *worlds,
                                struct hf_buf *ret, struct hf_report *report)
{
    struct hf_wasm w;
    struct hf_p1 e = {.w = &w, .report = report};
    struct hf_view world = {0};
    enum hf_err err = hf_wasm_read(module, &w, report);
    if (err == HF_OK) {
        read_customs(&e);
        e.has_realloc = exports(&w, "cabi_realloc", HF_CORE_FUNC) ||
                        exports(&w, "cabi_realloc_adapter", HF_CORE_FUNC);
        err = check_exports(&e);
    }
    if (err == HF_OK && !e.has_world)
        err = prepare(&e, worlds, &world);
    if (err == HF_OK)
        err = write_all(&e, world, ret);
    for (unsigned i = 0; i < HF_P1_SECTIONS; i++) {
        hf_buf_done(&e.added[i]);
        hf_buf_done(&e.replaced[i]);
    }
    hf_wasm_done(&w);
    return err;
}
