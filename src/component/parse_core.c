/* parse_core.c - core types: decoded only to find their end.
 *
 * They matter for module imports alone, which are refused by name, and every module is checked by
 * the engine. So nothing is kept but how many indices a definition takes (a recursion group takes
 * one for each member).
 */
#include "component/parse_in.h"

/* Heap type: a negative s33 or an index. Indices are not checked: nothing looks them up. */
static enum hf_err read_heap_type(struct hf_parser *p, struct hf_reader *r)
{
    if (hf_reader_left(r) != 0 && *r->at == 0x65) /* shared */
        hf_read_u8(r);
    hf_read_leb_s33(r);
    return hf_parse_check(p, r, "a core heap type");
}

static enum hf_err read_storage(struct hf_parser *p, struct hf_reader *r, bool packed_allowed)
{
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a core value type", &c));
    if (c == 0x63 || c == 0x64)
        return read_heap_type(p, r);
    /* Numbers 7b..7f, packed 77 78, abbreviated references 68..75. */
    if ((c >= 0x7b && c <= 0x7f) || (c >= 0x68 && c <= 0x75) ||
        (packed_allowed && (c == 0x77 || c == 0x78)))
        return HF_OK;
    return hf_parse_fail(p, r, HF_INVALID, "core value type 0x%02x does not exist", c);
}

enum hf_err hf_parse_core_valtype(struct hf_parser *p, struct hf_reader *r)
{
    return read_storage(p, r, false);
}

static enum hf_err read_valtypes(struct hf_parser *p, struct hf_reader *r)
{
    uint32_t n;
    HF_TRY(hf_parse_count(p, r, "core value types", &n));
    for (uint32_t i = 0; i < n; i++)
        HF_TRY(read_storage(p, r, false));
    return HF_OK;
}

static enum hf_err read_field(struct hf_parser *p, struct hf_reader *r)
{
    bool mutable;
    HF_TRY(read_storage(p, r, true));
    return hf_parse_flag(p, r, "a core field", &mutable);
}

static enum hf_err read_comp_type(struct hf_parser *p, struct hf_reader *r, uint8_t c)
{
    uint32_t n;
    if (c == 0x65) /* shared */
        HF_TRY(hf_parse_u8(p, r, "a core type", &c));
    switch (c) {
    case 0x60: HF_TRY(read_valtypes(p, r)); return read_valtypes(p, r);
    case 0x5f:
        HF_TRY(hf_parse_count(p, r, "core fields", &n));
        for (uint32_t i = 0; i < n; i++)
            HF_TRY(read_field(p, r));
        return HF_OK;
    case 0x5e: return read_field(p, r);
    case 0x5d: return read_heap_type(p, r);
    default: return hf_parse_fail(p, r, HF_INVALID, "core type 0x%02x does not exist", c);
    }
}

static enum hf_err read_sub_type(struct hf_parser *p, struct hf_reader *r, uint8_t c)
{
    if (c == 0x50 || c == 0x4f) {
        uint32_t n, index;
        HF_TRY(hf_parse_count(p, r, "super types", &n));
        for (uint32_t i = 0; i < n; i++)
            HF_TRY(hf_parse_u32(p, r, "a super type", &index));
        HF_TRY(hf_parse_u8(p, r, "a core type", &c));
    }
    return read_comp_type(p, r, c);
}

/* `*count`: indices it takes. */
static enum hf_err read_rec_type(struct hf_parser *p, struct hf_reader *r, uint8_t c,
                                 uint32_t *count)
{
    *count = 1;
    if (c != 0x4e)
        return read_sub_type(p, r, c);
    HF_TRY(hf_parse_count(p, r, "a recursion group", count));
    for (uint32_t i = 0; i < *count; i++) {
        HF_TRY(hf_parse_u8(p, r, "a core type", &c));
        HF_TRY(read_sub_type(p, r, c));
    }
    return HF_OK;
}

/* ---- module types ---- */

static enum hf_err read_limits(struct hf_parser *p, struct hf_reader *r)
{
    uint8_t flags;
    HF_TRY(hf_parse_u8(p, r, "core limits", &flags));
    if (flags > 0x0f)
        return hf_parse_fail(p, r, HF_INVALID, "core limits 0x%02x do not exist", flags);
    hf_read_leb_u64(r);
    if (flags & 1)
        hf_read_leb_u64(r);
    if (flags & 8)
        hf_read_leb_u32(r); /* page size */
    return hf_parse_check(p, r, "core limits");
}

static enum hf_err read_core_extern(struct hf_parser *p, struct hf_reader *r)
{
    uint32_t index;
    uint8_t c;
    bool flag;
    HF_TRY(hf_parse_u8(p, r, "a core import or export", &c));
    switch (c) {
    case 0x00:
    case 0x20: return hf_parse_u32(p, r, "a core function type", &index); /* 20: exact */
    case 0x01: HF_TRY(read_storage(p, r, false)); return read_limits(p, r);
    case 0x02: return read_limits(p, r);
    case 0x03:
        HF_TRY(read_storage(p, r, false));
        return hf_parse_flag(p, r, "a core global", &flag);
    case 0x04:
        HF_TRY(hf_parse_u8(p, r, "a core tag", &c));
        return hf_parse_u32(p, r, "a core tag", &index);
    default:
        return hf_parse_fail(p, r, HF_INVALID, "core import or export 0x%02x does not exist", c);
    }
}

static enum hf_err read_module_decl(struct hf_parser *p, struct hf_reader *r)
{
    struct hf_view name;
    uint32_t count;
    uint8_t c;
    HF_TRY(hf_parse_u8(p, r, "a module type", &c));
    switch (c) {
    case 0x00:
        HF_TRY(hf_parse_name(p, r, "a core import", &name));
        HF_TRY(hf_parse_name(p, r, "a core import", &name));
        return read_core_extern(p, r);
    case 0x01: HF_TRY(hf_parse_u8(p, r, "a core type", &c)); return read_rec_type(p, r, c, &count);
    case 0x02:
        for (int i = 0; i < 2; i++) {
            uint8_t want = i == 0 ? 0x10 : 0x01;
            HF_TRY(hf_parse_u8(p, r, "an alias in a module type", &c));
            if (c != want)
                return hf_parse_fail(p, r, HF_INVALID,
                                     "an alias in a module type that is no outer type");
        }
        HF_TRY(hf_parse_u32(p, r, "an alias in a module type", &count));
        return hf_parse_u32(p, r, "an alias in a module type", &count);
    case 0x03: HF_TRY(hf_parse_name(p, r, "a core export", &name)); return read_core_extern(p, r);
    default:
        return hf_parse_fail(p, r, HF_INVALID, "declaration 0x%02x of a module type does not exist",
                             c);
    }
}

enum hf_err hf_parse_core_type(struct hf_open *o, struct hf_reader *r)
{
    struct hf_parser *p = o->p;
    uint32_t n, count = 1;
    struct hf_def *def;
    uint8_t c;

    HF_TRY(hf_parse_count_items(o, r, 1));
    HF_TRY(hf_parse_u8(p, r, "a core type", &c));
    if (c == 0x50) { /* a module type; a sub type that is not final stands behind 00 (Binary.md) */
        HF_TRY(hf_parse_count(p, r, "a module type", &n));
        for (uint32_t i = 0; i < n; i++)
            HF_TRY(read_module_decl(p, r));
    } else if (c == 0x00) {
        HF_TRY(hf_parse_u8(p, r, "a core type", &c));
        if (c != 0x50)
            return hf_parse_fail(p, r, HF_INVALID, "core type 0x00 0x%02x does not exist", c);
        HF_TRY(read_sub_type(p, r, c));
    } else {
        HF_TRY(read_rec_type(p, r, c, &count));
    }
    HF_TRY(hf_parse_count_items(o, r, count));
    HF_TRY(hf_parse_add(o, HF_DEF_CORE_TYPE, HF_SORT_CORE_TYPE, &def));
    def->core_type.count = count;
    o->scope->n[HF_SORT_CORE_TYPE] += count - 1; /* a group may be empty: none added then */
    return HF_OK;
}
