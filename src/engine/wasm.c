/* wasm.c - reading the small sections of a core module: what it imports, exports and defines.
 *
 * Code, elements and data are stepped over, so reading costs the same however large a module is.
 * Bytes may come from anybody and need not be valid; every count is held against the engine's own
 * limits and the bytes that are left. Wasmtime validates again when it compiles; here only what we
 * use must be sound.
 */
#include "base/vec.h"
#include "engine/engine_int.h"

#define ITEMS_MAX   1000000u            /* of one kind; the engine's validator has the same bound */
#define PARAMS_MAX  1000u               /* of a function type, results too */
#define SCRATCH_MAX ((size_t)512 << 20) /* bytes of decoded types */

enum section {
    SEC_CUSTOM,
    SEC_TYPE,
    SEC_IMPORT,
    SEC_FUNC,
    SEC_TABLE,
    SEC_MEMORY,
    SEC_GLOBAL,
    SEC_EXPORT,
    SEC_START,
    SEC_ELEMENT,
    SEC_CODE,
    SEC_DATA,
    SEC_DATA_COUNT,
    SEC_TAG,
    SEC_N
};

/* Place of each section in a module, by its number. */
static const uint8_t order[SEC_N] = {
    [SEC_TYPE] = 1,        [SEC_IMPORT] = 2, [SEC_FUNC] = 3,   [SEC_TABLE] = 4, [SEC_MEMORY] = 5,
    [SEC_TAG] = 6,         [SEC_GLOBAL] = 7, [SEC_EXPORT] = 8, [SEC_START] = 9, [SEC_ELEMENT] = 10,
    [SEC_DATA_COUNT] = 11, [SEC_CODE] = 12,  [SEC_DATA] = 13,
};

struct parse {
    struct hf_wasm *w;
    struct hf_reader r; /* of the section's body */
    struct hf_report *report;
};

static enum hf_err bad(struct parse *p, const char *what)
{
    return hf_report_set(p->report, HF_INVALID, "core module: %s (at byte %zu)", what,
                         (size_t)(p->r.at - p->w->bytes.ptr));
}

#define KIND_EXACT 0x20 /* the validator takes it whatever is enabled; Wasmtime does not */

static enum hf_err exact(struct parse *p)
{
    return hf_report_set(
        p->report, HF_UNSUPPORTED,
        "core module: functions of exact type (custom descriptors) are not here (at byte %zu)",
        (size_t)(p->r.at - p->w->bytes.ptr));
}

static enum hf_err too_many(struct parse *p, const char *what)
{
    return hf_report_set(p->report, HF_LIMIT, "core module: more than %u %s", ITEMS_MAX, what);
}

static enum hf_err no_memory(struct parse *p)
{
    return hf_report_set(p->report, HF_LIMIT, "core module: out of memory while reading it");
}

/* A count of items of at least one byte each. */
static enum hf_err read_count(struct parse *p, size_t have, const char *what, uint32_t *n)
{
    *n = hf_read_leb_u32(&p->r);
    if (p->r.bad || *n > hf_reader_left(&p->r))
        return bad(p, "a count is larger than its section");
    return *n > ITEMS_MAX - have ? too_many(p, what) : HF_OK;
}

/* ---- types ---- */

static enum hf_core_type read_valtype(struct parse *p)
{
    uint8_t c = hf_read_u8(&p->r);
    switch (c) {
    case 0x7f: return HF_I32;
    case 0x7e: return HF_I64;
    case 0x7d: return HF_F32;
    case 0x7c: return HF_F64;
    case 0x7b: return HF_V128;
    case 0x70: return HF_FUNCREF;
    case 0x6f: return HF_EXTERNREF;
    case 0x63: /* nullable reference to ... */
    case 0x64: {
        bool shared = p->r.at < p->r.end && *p->r.at == 0x65;
        if (shared)
            hf_read_u8(&p->r);
        int64_t heap = hf_read_leb_s33(&p->r);
        if (c == 0x63 && !shared && heap == -0x10)
            return HF_FUNCREF;
        return c == 0x63 && !shared && heap == -0x11 ? HF_EXTERNREF : HF_REF_OTHER;
    }
    default:
        if (c < 0x68 || c > 0x7b)
            hf_reader_fail(&p->r);
        return HF_REF_OTHER;
    }
}

static enum hf_err read_valtypes(struct parse *p, uint32_t *n, const enum hf_core_type **ret)
{
    enum hf_err err = read_count(p, 0, "values", n);
    if (err != HF_OK)
        return err;
    if (*n > PARAMS_MAX)
        return bad(p, "a function type has more than 1000 parameters or results");
    enum hf_core_type *types = hf_arena_array(&p->w->scratch, *n + 1u, sizeof *types);
    if (types == NULL)
        return no_memory(p);
    for (uint32_t i = 0; i < *n; i++)
        types[i] = read_valtype(p);
    *ret = types;
    return p->r.bad ? bad(p, "malformed value type") : HF_OK;
}

static void read_field(struct parse *p) /* of a struct or array: storage type and mutability */
{
    if (p->r.at < p->r.end && (*p->r.at == 0x77 || *p->r.at == 0x78))
        hf_read_u8(&p->r);
    else
        read_valtype(p);
    hf_read_u8(&p->r);
}

static enum hf_err read_subtype(struct parse *p)
{
    struct hf_wasm_type t = {0};
    uint8_t form = hf_read_u8(&p->r);
    enum hf_err err = HF_OK;
    if (form == 0x50 || form == 0x4f) { /* subtype of ... */
        for (uint32_t n = hf_read_leb_u32(&p->r); n > 0 && !p->r.bad; n--)
            hf_read_leb_u32(&p->r);
        form = hf_read_u8(&p->r);
    }
    switch (form) {
    case 0x60:
        t.is_func = true;
        err = read_valtypes(p, &t.func.n_params, &t.func.params);
        if (err == HF_OK)
            err = read_valtypes(p, &t.func.n_results, &t.func.results);
        break;
    case 0x5f:
        for (uint32_t n = hf_read_leb_u32(&p->r); n > 0 && !p->r.bad; n--)
            read_field(p);
        break;
    case 0x5e: read_field(p); break;
    default: return bad(p, "unknown form of type");
    }
    if (err == HF_OK && p->r.bad)
        err = bad(p, "malformed type");
    if (err == HF_OK && p->w->types.len >= ITEMS_MAX)
        err = too_many(p, "types");
    if (err == HF_OK && !HF_VEC_PUSH(&p->w->types, t))
        err = no_memory(p);
    return err;
}

static enum hf_err read_types(struct parse *p)
{
    uint32_t n;
    enum hf_err err = read_count(p, 0, "types", &n);
    for (; err == HF_OK && n > 0; n--) {
        uint32_t group = 1;
        if (p->r.at < p->r.end && *p->r.at == 0x4e) {
            hf_read_u8(&p->r);
            err = read_count(p, p->w->types.len, "types", &group);
        }
        for (; err == HF_OK && group > 0; group--)
            err = read_subtype(p);
    }
    return err;
}

/* ---- what is imported or defined ---- */

static enum hf_err add_func(struct parse *p, uint32_t type)
{
    if (p->r.bad || type >= p->w->types.len || !p->w->types.ptr[type].is_func)
        return bad(p, "a function's type is not there");
    return HF_VEC_PUSH(&p->w->funcs, type) ? HF_OK : no_memory(p);
}

static enum hf_err read_limits(struct parse *p, struct hf_wasm_memory *m)
{
    uint8_t flags = hf_read_u8(&p->r);
    *m = (struct hf_wasm_memory){
        .max = UINT64_MAX, .page_log2 = 16, .shared = flags & 2, .memory64 = flags & 4};
    m->min = hf_read_leb_u64(&p->r);
    if (flags & 1)
        m->max = hf_read_leb_u64(&p->r);
    if (flags & 8)
        m->page_log2 = (uint8_t)hf_read_leb_u32(&p->r);
    if (p->r.bad || flags > 15 || m->page_log2 > 16)
        return bad(p, "malformed limits");
    return HF_OK;
}

static enum hf_err read_memory(struct parse *p)
{
    struct hf_wasm_memory m;
    enum hf_err err = read_limits(p, &m);
    if (err != HF_OK)
        return err;
    return HF_VEC_PUSH(&p->w->memories, m) ? HF_OK : no_memory(p);
}

static enum hf_err read_table(struct parse *p, bool may_init)
{
    struct hf_wasm_memory limits;
    bool init = may_init && p->r.at < p->r.end && *p->r.at == 0x40;
    if (init && hf_view_eq(hf_read_bytes(&p->r, 2), HF_VIEW("\x40\x00")) == false)
        return bad(p, "malformed table");
    read_valtype(p);
    enum hf_err err = read_limits(p, &limits);
    if (err == HF_OK && init && !hf_gate_skip_const(&p->r))
        err = bad(p, "malformed constant expression");
    if (err != HF_OK)
        return err;
    return HF_VEC_PUSH(&p->w->tables, (struct hf_wasm_table){limits.min}) ? HF_OK : no_memory(p);
}

static enum hf_err read_global(struct parse *p, bool init)
{
    struct hf_wasm_global g = {.type = read_valtype(p)};
    uint8_t mut = hf_read_u8(&p->r);
    g.mut = mut & 1;
    if (p->r.bad || mut > 3)
        return bad(p, "malformed global");
    if (init && !hf_gate_skip_const(&p->r))
        return bad(p, "malformed constant expression");
    return HF_VEC_PUSH(&p->w->globals, g) ? HF_OK : no_memory(p);
}

static enum hf_err read_tag(struct parse *p)
{
    hf_read_u8(&p->r); /* attribute: exception */
    hf_read_leb_u32(&p->r);
    p->w->tags++;
    return p->r.bad ? bad(p, "malformed tag") : HF_OK;
}

/* The item's kind and type, from what was just added at the end of its index space. */
static void describe(const struct hf_wasm *w, struct hf_core_item *item, enum hf_core_kind kind,
                     uint32_t index)
{
    item->kind = kind;
    if (kind == HF_CORE_FUNC)
        item->func = w->types.ptr[w->funcs.ptr[index]].func;
    if (kind == HF_CORE_MEMORY) {
        const struct hf_wasm_memory *m = &w->memories.ptr[index];
        item->memory_min = m->min;
        item->memory_max = m->max;
        item->memory64 = m->memory64;
        item->shared = m->shared;
    }
}

static enum hf_err read_import(struct parse *p)
{
    struct hf_wasm *w = p->w;
    struct hf_core_item item = {.module = hf_read_name(&p->r), .name = hf_read_name(&p->r)};
    uint8_t kind = hf_read_u8(&p->r);
    enum hf_err err = p->r.bad ? bad(p, "malformed import") : HF_OK;
    if (err != HF_OK)
        return err;
    switch (kind) {
    case 0:
        err = add_func(p, hf_read_leb_u32(&p->r));
        if (err == HF_OK)
            describe(w, &item, HF_CORE_FUNC, w->imported_funcs++);
        break;
    case 1:
        err = read_table(p, false);
        w->imported_tables++;
        item.kind = HF_CORE_TABLE;
        break;
    case 2:
        err = read_memory(p);
        if (err == HF_OK)
            describe(w, &item, HF_CORE_MEMORY, w->imported_memories++);
        break;
    case 3:
        err = read_global(p, false);
        w->imported_globals++;
        item.kind = HF_CORE_GLOBAL;
        break;
    case 4:
        err = read_tag(p);
        item.kind = HF_CORE_TAG;
        break;
    case KIND_EXACT: return exact(p);
    default: return bad(p, "unknown kind of import");
    }
    if (err == HF_OK && !HF_VEC_PUSH(&w->imports, item))
        err = no_memory(p);
    return err;
}

static enum hf_err read_export(struct parse *p)
{
    struct hf_wasm *w = p->w;
    struct hf_core_item item = {.name = hf_read_name(&p->r)};
    uint8_t kind = hf_read_u8(&p->r);
    uint32_t index = hf_read_leb_u32(&p->r);
    const struct {
        enum hf_core_kind kind;
        size_t len;
    } spaces[] = {
        {HF_CORE_FUNC, w->funcs.len},
        {HF_CORE_TABLE, w->tables.len},
        {HF_CORE_MEMORY, w->memories.len},
        {HF_CORE_GLOBAL, w->globals.len},
        {HF_CORE_TAG, w->tags},
    };
    if (!p->r.bad && kind == KIND_EXACT)
        return exact(p);
    if (p->r.bad || kind >= HF_ARRAY_LEN(spaces) || index >= spaces[kind].len)
        return bad(p, "an export names nothing");
    describe(w, &item, spaces[kind].kind, index);
    return HF_VEC_PUSH(&w->exports, item) ? HF_OK : no_memory(p);
}

/* ---- sections ---- */

static enum hf_err read_items(struct parse *p, enum section id)
{
    struct hf_wasm *w = p->w;
    uint32_t n;
    enum hf_err err = read_count(p, id == SEC_FUNC ? w->funcs.len : 0, "items of one kind", &n);
    for (; err == HF_OK && n > 0; n--)
        switch (id) {
        case SEC_IMPORT: err = read_import(p); break;
        case SEC_FUNC: err = add_func(p, hf_read_leb_u32(&p->r)); break;
        case SEC_TABLE: err = read_table(p, true); break;
        case SEC_MEMORY: err = read_memory(p); break;
        case SEC_GLOBAL: err = read_global(p, true); break;
        case SEC_EXPORT: err = read_export(p); break;
        default: err = read_tag(p); break;
        }
    return err;
}

static enum hf_err read_section(struct parse *p, enum section id, const struct hf_wasm_span *span)
{
    struct hf_wasm *w = p->w;
    enum hf_err err = HF_OK;
    switch (id) {
    case SEC_TYPE: err = read_types(p); break;
    case SEC_START:
        w->start_section = *span;
        w->start = hf_read_leb_u32(&p->r);
        w->has_start = true;
        if (p->r.bad || w->start >= w->funcs.len)
            err = bad(p, "the start function is not there");
        break;
    case SEC_ELEMENT: w->elements = *span; return HF_OK;
    case SEC_CODE: w->code = *span; return HF_OK;
    case SEC_DATA: w->data = *span; return HF_OK;
    case SEC_DATA_COUNT: return HF_OK;
    case SEC_EXPORT:
        w->export_section = *span;
        err = read_items(p, id);
        break;
    default: err = read_items(p, id); break;
    }
    if (err == HF_OK && p->r.at != p->r.end)
        err = bad(p, "a section is longer than what is in it");
    return err;
}

static enum hf_err read_module(struct parse *p)
{
    struct hf_wasm *w = p->w;
    struct hf_reader file = hf_reader(w->bytes);
    uint8_t last = 0;
    if (!hf_view_eq(hf_read_bytes(&file, 4), HF_VIEW("\0asm")))
        return hf_report_set(p->report, HF_INVALID, "not a WebAssembly file (no \\0asm at byte 0)");
    if (hf_read_u32le(&file) != 1)
        return hf_report_set(p->report, HF_INVALID,
                             "not a core module of version 1 (at byte 4): components go elsewhere");
    w->export_place = w->bytes.len;
    while (file.at < file.end) {
        struct hf_wasm_span span = {.at = hf_reader_pos(&file)};
        uint8_t id = hf_read_u8(&file);
        span.body = hf_read_name(&file);
        span.end = hf_reader_pos(&file);
        p->r = file;
        if (file.bad)
            return bad(p, "a section is longer than the file");
        if (id == SEC_CUSTOM)
            continue;
        if (id >= SEC_N || order[id] <= last)
            return bad(p, "unknown section, or sections out of order");
        if (order[id] > order[SEC_EXPORT] && last <= order[SEC_EXPORT] &&
            w->export_place == w->bytes.len)
            w->export_place = span.at;
        last = order[id];
        p->r = hf_reader(span.body);
        enum hf_err err = read_section(p, id, &span);
        if (err != HF_OK)
            return err;
    }
    return HF_OK;
}

enum hf_err hf_wasm_read(struct hf_view bytes, struct hf_wasm *ret, struct hf_report *report)
{
    *ret = (struct hf_wasm){.bytes = bytes};
    hf_arena_init(&ret->scratch, 4096, SCRATCH_MAX);
    struct parse p = {.w = ret, .r = hf_reader(bytes), .report = report};
    return read_module(&p);
}

void hf_wasm_done(struct hf_wasm *w)
{
    hf_arena_done(&w->scratch);
    HF_VEC_DONE(&w->types);
    HF_VEC_DONE(&w->funcs);
    HF_VEC_DONE(&w->tables);
    HF_VEC_DONE(&w->memories);
    HF_VEC_DONE(&w->globals);
    HF_VEC_DONE(&w->imports);
    HF_VEC_DONE(&w->exports);
}

bool hf_wasm_own_global(const struct hf_wasm *w, uint32_t index)
{
    const struct hf_wasm_global *g = &w->globals.ptr[index];
    return index >= w->imported_globals && g->mut && g->type <= HF_V128;
}
