/* preview1.c - a core module of WASI preview 1, made ready to be put behind the preview 1 adapter.
 *
 * Three things get lost or broken there, and are mended here, in the module's bytes:
 *
 * - The adapter turns `proc_exit(42)` into exit(err): the code is gone. wasi:cli/exit has
 *   `exit-with-code`, whose core signature is that of proc_exit: the import is renamed, and the
 *   world that offers it is added as the custom section that componentising reads.
 * - A module that imports nothing else gets no adapter, which is what makes a command of `_start`.
 *   It gets a function more, exported as wasi:cli/run.
 * - The adapter needs two pages of the module's memory and takes them by memory.grow. Go's runtime
 *   takes all memory behind its own data for its heap, whoever grew it, and would overwrite them.
 *   So for Go the end of its data is moved up by two pages (`end` in its moduledata, which is where
 *   its heap begins), and a function that hands out those pages is exported as
 *   `cabi_realloc_adapter`, which the adapter then uses.
 *
 * moduledata is found by its shape, not by names (they can be stripped): its first word points to
 * the table of functions, whose head is known, and later come the bounds of the data sections in
 * rising order, the last of which is `end`.
 */
#include <stdlib.h>

#include "base/codec.h"
#include "engine/engine_int.h"

#define PREVIEW1       "wasi_snapshot_preview1"
#define PAGE           65536u
#define HOLE           (2 * PAGE) /* what the adapter asks for: its state and its stack */
#define IMAGE_MAX      ((uint64_t)512 << 20)
#define WORDS_BEFORE   12u /* of moduledata before the bounds, at least */
#define WORDS_SEARCHED 48u
#define RUN_MIN        9u /* bounds: four sections, and `end` */

enum { TYPE = 1, IMPORT = 2, FUNC = 3, GLOBAL = 6, EXPORT = 7, CODE = 10, DATA = 11, DATA_COUNT = 12, N_SECTIONS = 13 };

struct edit {
    const struct hf_wasm *w;
    struct hf_report *report;
    struct hf_buf added[N_SECTIONS]; /* items put at the end of a section */
    uint32_t n_added[N_SECTIONS];
    struct hf_buf imports; /* if not empty: the import section's new body */
    bool is_go, has_world, has_realloc;
};

static enum hf_err no_memory(struct edit *e)
{
    return hf_report_set(e->report, HF_LIMIT, "core module: out of memory while rewriting it");
}

/* ---- what it is ---- */

static void read_customs(struct edit *e)
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

static enum hf_err check_imports(struct edit *e)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < e->w->imports.len; i++) {
        const struct hf_core_item *item = &e->w->imports.ptr[i];
        if (hf_view_eq_text(item->module, PREVIEW1) && item->kind == HF_CORE_FUNC)
            continue;
        if (wrong++ == 0)
            hf_report_set(e->report, HF_UNSUPPORTED, "it is a core module that imports what is not WASI preview 1 (" PREVIEW1 "):");
        if (wrong <= 10)
            hf_report_add(e->report, "  \"%.*s\" \"%.*s\"%s", (int)(item->module.len < 100 ? item->module.len : 100),
                          (const char *)item->module.ptr, (int)(item->name.len < 100 ? item->name.len : 100),
                          (const char *)item->name.ptr,
                          hf_view_eq_text(item->module, "wasi_unstable") ? " (preview 0: build it with a newer toolchain)" : "");
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

static enum hf_err check_exports(struct edit *e)
{
    if (exports(e->w, "_start", HF_CORE_FUNC))
        return HF_OK;
    if (exports(e->w, "_initialize", HF_CORE_FUNC))
        return hf_report_set(e->report, HF_UNSUPPORTED,
                             "it is a core module that exports _initialize and no _start: a library (reactor), not a command");
    return hf_report_set(e->report, HF_UNSUPPORTED, "it is a core module that exports no _start, so it is not a command");
}

/* ---- proc_exit ---- */

static bool is_proc_exit(const struct hf_core_item *item)
{
    return hf_view_eq_text(item->module, PREVIEW1) && hf_view_eq_text(item->name, "proc_exit") && item->func.n_params == 1 &&
           item->func.n_results == 0 && item->func.params[0] == HF_I32;
}

static enum hf_err rename_exit(struct edit *e, bool *renamed)
{
    const struct hf_wasm *w = e->w;
    struct hf_buf *b = &e->imports;
    *renamed = false;
    for (size_t i = 0; i < w->imports.len; i++)
        *renamed |= is_proc_exit(&w->imports.ptr[i]);
    if (!*renamed)
        return HF_OK;
    enum hf_err err = hf_write_leb_u32(b, (uint32_t)w->imports.len);
    for (size_t i = 0; i < w->imports.len && err == HF_OK; i++) { /* functions all of them: check_imports */
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
    return err == HF_OK ? HF_OK : no_memory(e);
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

/* A function more: its type, its code, and the name under which it is exported. */
static enum hf_err add_function(struct edit *e, struct hf_view type, struct hf_view code, struct hf_view name)
{
    const struct hf_wasm *w = e->w;
    enum hf_err err = hf_buf_add_view(&e->added[TYPE], type);
    if (err == HF_OK)
        err = hf_write_leb_u32(&e->added[FUNC], (uint32_t)w->types.len);
    if (err == HF_OK)
        err = hf_write_name(&e->added[EXPORT], name);
    if (err == HF_OK)
        err = hf_buf_add_byte(&e->added[EXPORT], 0);
    if (err == HF_OK)
        err = hf_write_leb_u32(&e->added[EXPORT], (uint32_t)w->funcs.len);
    if (err == HF_OK)
        err = hf_write_name(&e->added[CODE], code);
    e->n_added[TYPE] = e->n_added[FUNC] = e->n_added[EXPORT] = e->n_added[CODE] = 1;
    return err;
}

/* func() -> result: calls _start and returns ok. */
static enum hf_err add_run(struct edit *e)
{
    struct hf_buf code = {0};
    uint32_t start = 0;
    if (!find_start(e->w, &start))
        return hf_report_set(e->report, HF_UNSUPPORTED, "core module: _start is no function without parameters and results");
    enum hf_err err = hf_buf_add(&code, "\0\x10", 2);
    if (err == HF_OK)
        err = hf_write_leb_u32(&code, start);
    if (err == HF_OK)
        err = hf_buf_add(&code, "\x41\0\x0b", 3);
    if (err == HF_OK)
        err = add_function(e, HF_VIEW("\x60\0\x01\x7f"), hf_buf_view(&code), HF_VIEW("wasi:cli/run@0.2.12#run"));
    hf_buf_done(&code);
    return err == HF_OK ? HF_OK : no_memory(e);
}

/* ---- Go ---- */

struct image {
    uint8_t *bytes;
    uint64_t len;      /* allocated: the memory as it begins */
    uint64_t data_end; /* behind the last byte of a data segment */
};

static enum hf_err bad_data(struct edit *e)
{
    return hf_report_set(e->report, HF_INVALID, "core module: malformed data section");
}

/* Memory as it is after the data segments. */
static enum hf_err make_image(struct edit *e, struct image *im)
{
    const struct hf_wasm *w = e->w;
    struct hf_reader r = hf_reader(w->data.body);
    if (w->memories.len != 1 || w->imported_memories != 0 || w->memories.ptr[0].page_log2 != 16)
        return hf_report_set(e->report, HF_UNSUPPORTED, "core module: a Go module with other memories than one of its own");
    im->len = w->memories.ptr[0].min <= IMAGE_MAX / PAGE ? w->memories.ptr[0].min * PAGE : 0;
    if (im->len == 0)
        return hf_report_set(e->report, HF_LIMIT, "core module: it begins with more than %llu MiB of memory",
                             (unsigned long long)(IMAGE_MAX >> 20));
    im->bytes = calloc(1, im->len);
    if (im->bytes == NULL)
        return no_memory(e);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0; n--) {
        if (hf_read_leb_u32(&r) != 0 || hf_read_u8(&r) != 0x41) /* active in memory 0, at an i32.const */
            return bad_data(e);
        uint32_t at = (uint32_t)hf_read_leb_s32(&r);
        uint8_t end = hf_read_u8(&r);
        struct hf_view bytes = hf_read_name(&r);
        if (r.bad || end != 0x0b || at > im->len || bytes.len > im->len - at)
            return bad_data(e);
        if (bytes.len > 0)
            memcpy(im->bytes + at, bytes.ptr, bytes.len);
        if (at + bytes.len > im->data_end)
            im->data_end = at + bytes.len;
    }
    return HF_OK;
}

static uint64_t word(const struct image *im, uint64_t at)
{
    struct hf_reader r = hf_reader(hf_view(im->bytes + at, 8));
    return hf_read_u64le(&r);
}

/* The head of Go's table of functions: a magic number of 1.16 and later, two zeroes, code in steps of 1 byte, words of 8. */
static bool is_pc_header(const struct image *im, uint64_t at)
{
    return at >= PAGE / 16 && at % 8 == 0 && at <= im->len - 8 && im->bytes[at] >= 0xf0 &&
           memcmp(im->bytes + at + 1, "\xff\xff\xff\0\0\x01\x08", 7) == 0;
}

/* The address of the word that holds `end`, if moduledata begins at `at`; 0: it does not. */
static uint64_t find_end(const struct image *im, uint64_t at)
{
    if (!is_pc_header(im, word(im, at)))
        return 0;
    unsigned run = 0;
    uint64_t last = 0;
    for (unsigned i = WORDS_BEFORE; i < WORDS_SEARCHED; i++) {
        uint64_t v = word(im, at + i * 8u);
        if (run >= RUN_MIN && v < last && last >= im->data_end)
            return at + (i - 1) * 8u;
        bool bound = v >= PAGE / 16 && v <= im->len;
        run = !bound ? 0 : v >= last ? run + 1 : 1;
        last = bound ? v : 0;
    }
    return 0;
}

static enum hf_err add_segment(struct edit *e, uint64_t at, uint64_t value)
{
    struct hf_buf *b = &e->added[DATA];
    enum hf_err err = hf_buf_add(b, "\0\x41", 2);
    if (err == HF_OK)
        err = hf_write_leb_s64(b, (int32_t)(uint32_t)at);
    if (err == HF_OK)
        err = hf_buf_add(b, "\x0b\x08", 2);
    if (err == HF_OK)
        err = hf_write_u64le(b, value);
    e->n_added[DATA] = 1;
    return err;
}

/* (global $next (mut i32) base) and a function that hands out [base, limit) in the order asked for. */
static enum hf_err add_realloc(struct edit *e, uint32_t base, uint32_t limit)
{
    const struct hf_wasm *w = e->w;
    uint32_t global = (uint32_t)w->globals.len;
    struct hf_buf body = {0};
    enum hf_err err = hf_buf_add(&e->added[GLOBAL], "\x7f\x01\x41", 3);
    if (err == HF_OK)
        err = hf_write_leb_s64(&e->added[GLOBAL], (int32_t)base);
    if (err == HF_OK)
        err = hf_buf_add_byte(&e->added[GLOBAL], 0x0b);
    e->n_added[GLOBAL] = 1;

    static const char *const code[] = {"\x23", "\x23", "\x20\x03\x6a\x24", "\x23", "\x41", "\x4b\x04\x40\x00\x0b\x0b"};
    static const uint8_t lengths[] = {1, 1, 4, 1, 1, 6};
    if (err == HF_OK)
        err = hf_buf_add_byte(&body, 0); /* no locals */
    for (size_t i = 0; i < HF_ARRAY_LEN(code) && err == HF_OK; i++) {
        /* next; next + new size -> next; if next > limit: unreachable */
        err = hf_buf_add(&body, code[i], lengths[i]);
        if (err == HF_OK && i != 5)
            err = i == 4 ? hf_write_leb_s64(&body, (int32_t)limit) : hf_write_leb_u32(&body, global);
    }
    if (err == HF_OK)
        err = add_function(e, HF_VIEW("\x60\x04\x7f\x7f\x7f\x7f\x01\x7f"), hf_buf_view(&body), HF_VIEW("cabi_realloc_adapter"));
    hf_buf_done(&body);
    return err;
}

static enum hf_err make_hole(struct edit *e)
{
    struct image im = {0};
    uint64_t at = 0;
    enum hf_err err = make_image(e, &im);
    for (uint64_t i = 0; err == HF_OK && at == 0 && i + (uint64_t)WORDS_SEARCHED * 8 <= im.len; i += 8)
        at = find_end(&im, i);
    if (err == HF_OK && at == 0)
        err = hf_report_set(e->report, HF_UNSUPPORTED,
                            "it is a Go module, and where its runtime keeps the end of its data was not found: "
                            "this version of Go is not known here");
    if (err == HF_OK) {
        uint64_t base = (word(&im, at) + PAGE - 1) / PAGE * PAGE;
        if (base + HOLE > im.len)
            err = hf_report_set(e->report, HF_UNSUPPORTED, "it is a Go module that begins with no free memory behind its data");
        if (err == HF_OK)
            err = add_segment(e, at, base + HOLE);
        if (err == HF_OK)
            err = add_realloc(e, (uint32_t)base, (uint32_t)(base + HOLE));
        if (err == HF_LIMIT)
            err = no_memory(e);
    }
    free(im.bytes);
    return err;
}

/* ---- putting it together ---- */

static enum hf_err put_section(struct edit *e, uint8_t id, struct hf_view body, struct hf_buf *ret)
{
    struct hf_buf b = {0};
    enum hf_err err = HF_OK;
    if (id == IMPORT && e->imports.len > 0) {
        body = hf_buf_view(&e->imports);
    } else if (id < N_SECTIONS && (e->n_added[id] != 0 || (id == DATA_COUNT && e->n_added[DATA] != 0))) {
        struct hf_reader r = hf_reader(body);
        uint32_t n = hf_read_leb_u32(&r); /* sound: hf_wasm_read, make_image */
        err = hf_write_leb_u32(&b, n + e->n_added[id == DATA_COUNT ? DATA : id]); /* data count comes before data */
        if (err == HF_OK)
            err = hf_buf_add(&b, r.at, hf_reader_left(&r));
        if (err == HF_OK)
            err = hf_buf_add_view(&b, hf_buf_view(&e->added[id]));
        e->n_added[id] = 0;
        body = hf_buf_view(&b);
    }
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, id);
    if (err == HF_OK)
        err = hf_write_name(ret, body);
    hf_buf_done(&b);
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

static enum hf_err write_all(struct edit *e, struct hf_view world, struct hf_buf *ret)
{
    struct hf_reader r = hf_reader(hf_view_skip(e->w->bytes, 8));
    enum hf_err err = hf_buf_add_view(ret, hf_view_take(e->w->bytes, 8));
    while (err == HF_OK && r.at < r.end) {
        uint8_t id = hf_read_u8(&r);
        err = put_section(e, id, hf_read_name(&r), ret);
    }
    for (unsigned i = 0; i < N_SECTIONS && err == HF_OK; i++)
        if (e->n_added[i] != 0)
            return hf_report_set(e->report, HF_UNSUPPORTED, "core module: it has no section %u to add to", i);
    if (err == HF_OK && world.len > 0) {
        err = put_world(world, ret);
        HF_ASSERT(err != HF_NOT_FOUND); /* it is built in */
    }
    return err == HF_OK ? HF_OK : no_memory(e);
}

/* Everything but what was made for components already: its imports are those of its own world. */
static enum hf_err prepare(struct edit *e, const struct hf_preview1_worlds *worlds, struct hf_view *world)
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
    } else if (err == HF_OK && e->is_go && !e->has_realloc) {
        err = make_hole(e);
    }
    return err;
}

enum hf_err hf_preview1_prepare(struct hf_view module, const struct hf_preview1_worlds *worlds, struct hf_buf *ret,
                                struct hf_report *report)
{
    struct hf_wasm w;
    struct edit e = {.w = &w, .report = report};
    struct hf_view world = {0};
    enum hf_err err = hf_wasm_read(module, &w, report);
    if (err == HF_OK) {
        read_customs(&e);
        e.has_realloc = exports(&w, "cabi_realloc", HF_CORE_FUNC) || exports(&w, "cabi_realloc_adapter", HF_CORE_FUNC);
        err = check_exports(&e);
    }
    if (err == HF_OK && !e.has_world)
        err = prepare(&e, worlds, &world);
    if (err == HF_OK)
        err = write_all(&e, world, ret);
    for (unsigned i = 0; i < N_SECTIONS; i++)
        hf_buf_done(&e.added[i]);
    hf_buf_done(&e.imports);
    hf_wasm_done(&w);
    return err;
}
