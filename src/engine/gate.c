/* gate.c - the static gate: can an instance of this module be put back in place?
 *
 * A reset restores memories and mutable numeric globals. Tables, segments and garbage-collected
 * objects cannot be read through any API, so a module that could change them has no image. That is
 * decided once, by looking at every instruction; what is absent from the code cannot happen
 * (reference 7.2). The code is scanned, not understood: each instruction is told from the next by
 * the lengths of its immediates. Validity is not checked here.
 *
 * Initial values may be references and objects (a global's, an element's): instantiation makes them
 * again, and nothing that passes here can change them.
 *
 * Not here: a memory that grew (image.c sees it), what the host keeps behind handles (component
 * room).
 */
#include "engine/engine_int.h"

/* How the immediates of an instruction look. */
enum shape {
    NONE,
    U32,       /* one index */
    U32_U32,   /* two */
    BLOCK,     /* a block type, and one block deeper */
    TRY_TABLE, /* the same with a list of catches behind the type */
    END,
    END_U32,
    LABELS, /* br_table */
    TYPES,  /* select with a list of types */
    MEMARG,
    MEMARG_LANE,
    S32,
    S64,
    BYTE,
    BYTES_4,
    BYTES_8,
    BYTES_16,
    HEAP_TYPE,
    CAST, /* flags, label, two heap types */
    UNKNOWN
};

struct range {
    uint16_t first, last;
    uint8_t shape;
    uint8_t gate;
};

/* Opcodes of one byte. What no range names is unknown. */
static const struct range plain[] = {
    {0x00, 0x01, NONE, 0},  /* unreachable, nop */
    {0x02, 0x04, BLOCK, 0}, /* block, loop, if */
    {0x05, 0x05, NONE, 0},  /* else */
    {0x06, 0x06, BLOCK, 0}, /* try (old) */
    {0x07, 0x09, U32, 0},   /* catch (old), throw, rethrow (old) */
    {0x0a, 0x0a, NONE, 0},  /* throw_ref */
    {0x0b, 0x0b, END, 0},
    {0x0c, 0x0d, U32, 0}, /* br, br_if */
    {0x0e, 0x0e, LABELS, 0},
    {0x0f, 0x0f, NONE, 0},    /* return */
    {0x10, 0x10, U32, 0},     /* call */
    {0x11, 0x11, U32_U32, 0}, /* call_indirect */
    {0x12, 0x12, U32, 0},     /* return_call */
    {0x13, 0x13, U32_U32, 0}, /* return_call_indirect */
    {0x14, 0x15, U32, 0},     /* call_ref, return_call_ref */
    {0x18, 0x18, END_U32, 0}, /* delegate (old): ends its block */
    {0x19, 0x1b, NONE, 0},    /* catch_all (old), drop, select */
    {0x1c, 0x1c, TYPES, 0},
    {0x1f, 0x1f, TRY_TABLE, 0},
    {0x20, 0x25, U32, 0}, /* local, global, table.get */
    {0x26, 0x26, U32, HF_GATE_TABLE_OPS},
    {0x28, 0x3e, MEMARG, 0},
    {0x3f, 0x40, U32, 0}, /* memory.size, memory.grow */
    {0x41, 0x41, S32, 0},
    {0x42, 0x42, S64, 0},
    {0x43, 0x43, BYTES_4, 0},
    {0x44, 0x44, BYTES_8, 0},
    {0x45, 0xc4, NONE, 0},
    {0xd0, 0xd0, HEAP_TYPE, 0}, /* ref.null */
    {0xd1, 0xd1, NONE, 0},
    {0xd2, 0xd2, U32, 0},           /* ref.func */
    {0xd3, 0xd3, NONE, HF_GATE_GC}, /* ref.eq */
    {0xd4, 0xd4, NONE, 0},          /* ref.as_non_null */
    {0xd5, 0xd6, U32, 0},           /* br_on_null, br_on_non_null */
};

static const struct range prefix_fb[] = {
    /* garbage collection */
    {0, 1, U32, HF_GATE_GC},       /* struct.new, .new_default */
    {2, 5, U32_U32, HF_GATE_GC},   /* struct.get, .set */
    {6, 7, U32, HF_GATE_GC},       /* array.new, .new_default */
    {8, 10, U32_U32, HF_GATE_GC},  /* array.new_fixed, _data, _elem */
    {11, 14, U32, HF_GATE_GC},     /* array.get, .set */
    {15, 15, NONE, HF_GATE_GC},    /* array.len */
    {16, 16, U32, HF_GATE_GC},     /* array.fill */
    {17, 19, U32_U32, HF_GATE_GC}, /* array.copy, init_data, init_elem */
    {20, 23, HEAP_TYPE, HF_GATE_GC}, {24, 25, CAST, HF_GATE_GC}, {26, 30, NONE, HF_GATE_GC},
};

static const struct range prefix_fc[] = {
    {0, 7, NONE, 0},                      /* saturating truncation */
    {8, 8, U32_U32, HF_GATE_DATA_OPS},    /* memory.init */
    {9, 9, U32, HF_GATE_DATA_OPS},        /* data.drop */
    {10, 10, U32_U32, 0},                 /* memory.copy */
    {11, 11, U32, 0},                     /* memory.fill */
    {12, 12, U32_U32, HF_GATE_TABLE_OPS}, /* table.init */
    {13, 13, U32, HF_GATE_TABLE_OPS},     /* elem.drop */
    {14, 14, U32_U32, HF_GATE_TABLE_OPS}, /* table.copy */
    {15, 15, U32, HF_GATE_TABLE_OPS},     /* table.grow */
    {16, 16, U32, 0},                     /* table.size */
    {17, 17, U32, HF_GATE_TABLE_OPS},     /* table.fill */
    {19, 22, NONE, 0},                    /* 128-bit arithmetic */
};

static const struct range prefix_fd[] = {
    {0x00, 0x0b, MEMARG, 0}, {0x0c, 0x0d, BYTES_16, 0},
    {0x0e, 0x14, NONE, 0},   {0x15, 0x22, BYTE, 0}, /* lanes */
    {0x23, 0x53, NONE, 0},   {0x54, 0x5b, MEMARG_LANE, 0},
    {0x5c, 0x5d, MEMARG, 0}, {0x5e, 0x114, NONE, 0}, /* with relaxed SIMD */
};

static const struct range prefix_fe[] = {
    /* atomics */
    {0x00, 0x02, MEMARG, HF_GATE_SHARED},
    {0x03, 0x03, BYTE, HF_GATE_SHARED}, /* fence */
    {0x10, 0x4e, MEMARG, HF_GATE_SHARED},
};

struct decoded {
    uint8_t shape, gate;
};

static struct decoded look_up(const struct range *ranges, size_t n, uint32_t op)
{
    for (size_t i = 0; i < n && ranges[i].first <= op; i++)
        if (op <= ranges[i].last)
            return (struct decoded){ranges[i].shape, ranges[i].gate};
    return (struct decoded){UNKNOWN, HF_GATE_UNKNOWN};
}

static struct decoded decode(struct hf_reader *r)
{
    uint8_t op = hf_read_u8(r);
    switch (op) {
    case 0xfb: return look_up(prefix_fb, HF_ARRAY_LEN(prefix_fb), hf_read_leb_u32(r));
    case 0xfc: return look_up(prefix_fc, HF_ARRAY_LEN(prefix_fc), hf_read_leb_u32(r));
    case 0xfd: return look_up(prefix_fd, HF_ARRAY_LEN(prefix_fd), hf_read_leb_u32(r));
    case 0xfe: return look_up(prefix_fe, HF_ARRAY_LEN(prefix_fe), hf_read_leb_u32(r));
    default: break;
    }
    /* The commonest first: locals, constants, arithmetic. */
    if (op >= 0x45 && op <= 0xc4)
        return (struct decoded){NONE, 0};
    if (op >= 0x20 && op <= 0x24)
        return (struct decoded){U32, 0};
    if (op >= 0x28 && op <= 0x3e)
        return (struct decoded){MEMARG, 0};
    return look_up(plain, HF_ARRAY_LEN(plain), op);
}

static void skip_memarg(struct hf_reader *r)
{
    if (hf_read_leb_u32(r) & 0x40) /* names its memory */
        hf_read_leb_u32(r);
    hf_read_leb_u64(r);
}

static void skip_valtype(struct hf_reader *r)
{
    uint8_t c = hf_read_u8(r);
    if (c == 0x63 || c == 0x64)
        hf_read_leb_s33(r);
}

static void skip_catches(struct hf_reader *r)
{
    for (uint32_t n = hf_read_leb_u32(r); n > 0 && !r->bad; n--) {
        uint8_t kind = hf_read_u8(r);
        if (kind < 2)
            hf_read_leb_u32(r); /* tag */
        hf_read_leb_u32(r);     /* label */
    }
}

static void skip_block_type(struct hf_reader *r)
{
    if (r->at < r->end && (*r->at == 0x63 || *r->at == 0x64))
        skip_valtype(r);
    else
        hf_read_leb_s33(r);
}

bool hf_gate_skip(struct hf_reader *r, int *depth, uint32_t *gate)
{
    struct decoded d = decode(r);
    *gate |= d.gate;
    switch ((enum shape)d.shape) {
    case NONE: break;
    case U32: hf_read_leb_u32(r); break;
    case U32_U32:
        hf_read_leb_u32(r);
        hf_read_leb_u32(r);
        break;
    case BLOCK:
        skip_block_type(r);
        ++*depth;
        break;
    case TRY_TABLE:
        skip_block_type(r);
        skip_catches(r);
        ++*depth;
        break;
    case END: --*depth; break;
    case END_U32:
        hf_read_leb_u32(r);
        --*depth;
        break;
    case LABELS:
        for (uint32_t n = hf_read_leb_u32(r); n > 0 && !r->bad; n--)
            hf_read_leb_u32(r);
        hf_read_leb_u32(r);
        break;
    case TYPES:
        for (uint32_t n = hf_read_leb_u32(r); n > 0 && !r->bad; n--)
            skip_valtype(r);
        break;
    case MEMARG: skip_memarg(r); break;
    case MEMARG_LANE:
        skip_memarg(r);
        hf_read_u8(r);
        break;
    case S32: hf_read_leb_s32(r); break;
    case S64: hf_read_leb_s64(r); break;
    case BYTE: hf_read_u8(r); break;
    case BYTES_4: hf_read_bytes(r, 4); break;
    case BYTES_8: hf_read_bytes(r, 8); break;
    case BYTES_16: hf_read_bytes(r, 16); break;
    case HEAP_TYPE: hf_read_leb_s33(r); break;
    case CAST:
        hf_read_u8(r);
        hf_read_leb_u32(r);
        hf_read_leb_s33(r);
        hf_read_leb_s33(r);
        break;
    case UNKNOWN: return false;
    }
    return !r->bad;
}

bool hf_gate_skip_const(struct hf_reader *r)
{
    int depth = 0;
    uint32_t gate = 0;
    while (depth >= 0)
        if (!hf_gate_skip(r, &depth, &gate))
            return false;
    return true;
}

/* ---- the sections that only the gate reads ---- */

bool hf_gate_skip_locals(struct hf_reader *r)
{
    for (uint32_t n = hf_read_leb_u32(r); n > 0 && !r->bad; n--) {
        hf_read_leb_u32(r);
        skip_valtype(r);
    }
    return !r->bad;
}

/* To the end of the body. In a valid body the `end` at depth 0 is its last byte; when it is not, we
 * have lost the thread and know nothing. */
static bool scan_body(struct hf_view body, uint32_t *gate)
{
    struct hf_reader r = hf_reader(body);
    int depth = 0;
    hf_gate_skip_locals(&r);
    while (r.at < r.end)
        if (!hf_gate_skip(&r, &depth, gate))
            return !r.bad; /* unknown: said so, and there is no way on */
    if (depth != -1)
        *gate |= HF_GATE_UNKNOWN;
    return !r.bad;
}

static enum hf_err bad_at(const struct hf_wasm *w, const struct hf_reader *r, const char *what,
                          struct hf_report *report)
{
    return hf_report_set(report, HF_INVALID, "core module: malformed %s (at byte %zu)", what,
                         (size_t)(r->at - w->bytes.ptr));
}

static enum hf_err scan_code(const struct hf_wasm *w, uint32_t *gate, struct hf_report *report)
{
    struct hf_reader r = hf_reader(w->code.body);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0 && !r.bad; n--) {
        struct hf_view body = hf_read_name(&r);
        if (r.bad)
            break;
        if (!scan_body(body, gate))
            return bad_at(w, &r, "function body", report);
    }
    return r.bad ? bad_at(w, &r, "code section", report) : HF_OK;
}

static enum hf_err scan_data(const struct hf_wasm *w, uint32_t *gate, struct hf_report *report)
{
    struct hf_reader r = hf_reader(w->data.body);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0 && !r.bad; n--) {
        uint32_t flags = hf_read_leb_u32(&r);
        if (flags == 1)
            *gate |= HF_GATE_DATA_OPS;
        if (flags == 2)
            hf_read_leb_u32(&r); /* memory */
        if (flags != 1 && !hf_gate_skip_const(&r))
            break;
        hf_read_name(&r);
    }
    return r.bad || r.at != r.end ? bad_at(w, &r, "data section", report) : HF_OK;
}

/* Bit 0: not active. Bit 1: declared only (not active) or an explicit table (active). Bit 2:
 * expressions. */
static enum hf_err scan_elements(const struct hf_wasm *w, uint32_t *gate, struct hf_report *report)
{
    struct hf_reader r = hf_reader(w->elements.body);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0 && !r.bad; n--) {
        uint32_t flags = hf_read_leb_u32(&r);
        if ((flags & 3) == 1)
            *gate |= HF_GATE_TABLE_OPS; /* passive */
        if ((flags & 3) == 2)
            hf_read_leb_u32(&r);
        if ((flags & 1) == 0 && !hf_gate_skip_const(&r))
            break;
        if ((flags & 3) != 0 && (flags & 4) != 0)
            skip_valtype(&r);
        else if ((flags & 3) != 0)
            hf_read_u8(&r); /* kind */
        for (uint32_t m = hf_read_leb_u32(&r); m > 0 && !r.bad; m--)
            if ((flags & 4) == 0)
                hf_read_leb_u32(&r);
            else if (!hf_gate_skip_const(&r))
                return bad_at(w, &r, "element section", report);
    }
    return r.bad || r.at != r.end ? bad_at(w, &r, "element section", report) : HF_OK;
}

enum hf_err hf_gate_scan(const struct hf_wasm *w, uint32_t *gate, struct hf_report *report)
{
    *gate = 0;
    for (size_t i = 0; i < w->memories.len; i++)
        *gate |= (w->memories.ptr[i].shared ? HF_GATE_SHARED : 0) |
                 (w->memories.ptr[i].memory64 ? HF_GATE_MEMORY64 : 0);
    for (size_t i = w->imported_globals; i < w->globals.len; i++)
        if (w->globals.ptr[i].mut && w->globals.ptr[i].type >= HF_FUNCREF)
            *gate |= HF_GATE_REF_GLOBALS;
    enum hf_err err = HF_OK;
    if (w->elements.end != 0)
        err = scan_elements(w, gate, report);
    if (err == HF_OK && w->data.end != 0)
        err = scan_data(w, gate, report);
    if (err == HF_OK && w->code.end != 0)
        err = scan_code(w, gate, report);
    return err;
}

void hf_gate_text(uint32_t gate, struct hf_buf *ret)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } texts[] = {
        {HF_GATE_TABLE_OPS,
         "changes tables (table.set, grow, fill, copy, init, elem.drop or passive elements)"},
        {HF_GATE_DATA_OPS, "uses passive data (memory.init, data.drop or passive segments)"},
        {HF_GATE_REF_GLOBALS, "has mutable globals of reference type"},
        {HF_GATE_SHARED, "uses shared memory or atomics"},
        {HF_GATE_GC, "uses garbage-collected objects"},
        {HF_GATE_UNKNOWN, "uses an instruction this version does not know"},
        {HF_GATE_MEMORY64, "has a 64-bit memory"},
    };
    const char *between = "";
    for (size_t i = 0; i < HF_ARRAY_LEN(texts); i++) {
        if ((gate & texts[i].bit) == 0)
            continue;
        if (hf_buf_printf(ret, "%s%s", between, texts[i].text) != HF_OK)
            return; /* text for people: what is there is better than nothing */
        between = "; ";
    }
}

void hf_gate_text_of(uint32_t module, uint32_t gate, struct hf_buf *ret)
{
    if (gate != 0 &&
        hf_buf_printf(ret, "%score module %u ", ret->len != 0 ? "; " : "", module) == HF_OK)
        hf_gate_text(gate, ret);
}

enum hf_err hf_gate_of(struct hf_view module, uint32_t *ret, struct hf_report *report)
{
    struct hf_wasm w;
    *ret = 0;
    enum hf_err err = hf_wasm_read(module, &w, report);
    if (err == HF_OK)
        err = hf_gate_scan(&w, ret, report);
    hf_wasm_done(&w);
    return err;
}
