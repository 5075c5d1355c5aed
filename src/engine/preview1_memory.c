/* preview1_memory.c - the adapter's two pages, kept from the allocators that would take them for
 * their own.
 *
 * The adapter needs memory for its state and stack, and takes it by memory.grow, in its first call.
 * Two kinds of allocators do not expect anybody else to grow the memory:
 *
 * - Go's takes all memory behind its own data, whoever grew it. So the end of its data is moved up
 * by two pages (`end` in its moduledata, which is where its heap begins), and a function that hands
 * those out is exported as `cabi_realloc_adapter`, which the adapter uses where it is there.
 * moduledata is found by its shape, not by names (they can be stripped): its first word points to
 * the table of functions, whose head is known, and later come the bounds of the data sections in
 *   rising order, the last of which is `end`.
 * - malloc of the C library before 2023 takes, when it is first called, everything up to
 * memory.size. So in modules that ask for it, memory.size becomes the size as the module knows it:
 * as it was declared, until a memory.grow of its own; then as that left it. A global keeps it,
 * every memory.grow goes through a function that sets it.
 */
#include <stdlib.h>

#include "engine/preview1.h"

#define PAGE           65536u
#define HOLE           (2 * PAGE)
#define IMAGE_MAX      ((uint64_t)512 << 20)
#define WORDS_BEFORE   12u /* of moduledata before the bounds, at least */
#define WORDS_SEARCHED 48u
#define RUN_MIN        9u /* bounds: four sections, and `end` */

#define OP_CALL        0x10
#define OP_GLOBAL_GET  0x23
#define OP_MEMORY_SIZE 0x3f
#define OP_MEMORY_GROW 0x40

/* ---- Go ---- */

struct image {
    uint8_t *bytes;
    uint64_t len;      /* allocated: the memory as it begins */
    uint64_t data_end; /* behind the last byte of a data segment */
};

static enum hf_err bad_data(struct hf_p1 *e)
{
    return hf_report_set(e->report, HF_INVALID, "core module: malformed data section");
}

/* Memory as it is after the data segments. */
static enum hf_err make_image(struct hf_p1 *e, struct image *im)
{
    const struct hf_wasm *w = e->w;
    struct hf_reader r = hf_reader(w->data.body);
    if (w->memories.len != 1 || w->imported_memories != 0 || w->memories.ptr[0].page_log2 != 16)
        return hf_report_set(e->report, HF_UNSUPPORTED,
                             "core module: a Go module with other memories than one of its own");
    im->len = w->memories.ptr[0].min <= IMAGE_MAX / PAGE ? w->memories.ptr[0].min * PAGE : 0;
    if (im->len == 0)
        return hf_report_set(e->report, HF_LIMIT,
                             "core module: it begins with more than %llu MiB of memory",
                             (unsigned long long)(IMAGE_MAX >> 20));
    im->bytes = calloc(1, im->len);
    if (im->bytes == NULL)
        return hf_p1_no_memory(e);
    for (uint32_t n = hf_read_leb_u32(&r); n > 0; n--) {
        if (hf_read_leb_u32(&r) != 0 ||
            hf_read_u8(&r) != 0x41) /* active in memory 0, at an i32.const */
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

/* The head of Go's table of functions: a magic number of 1.16 and later, two zeroes, code in steps
 * of 1 byte, words of 8. */
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

static enum hf_err add_segment(struct hf_p1 *e, uint64_t at, uint64_t value)
{
    struct hf_buf *b = &e->added[HF_P1_DATA];
    enum hf_err err = hf_buf_add(b, "\0\x41", 2);
    if (err == HF_OK)
        err = hf_write_leb_s64(b, (int32_t)(uint32_t)at);
    if (err == HF_OK)
        err = hf_buf_add(b, "\x0b\x08", 2);
    if (err == HF_OK)
        err = hf_write_u64le(b, value);
    e->n_added[HF_P1_DATA]++;
    return err;
}

/* realloc(0, 0, align, n) -> i32 that hands out [base, limit) in the order asked for. */
static enum hf_err add_realloc(struct hf_p1 *e, uint32_t base, uint32_t limit)
{
    struct hf_buf code = {0};
    uint32_t next;
    enum hf_err err = hf_p1_add_global(e, base, &next);
    const struct {
        const char *bytes;
        size_t len;
        uint32_t number; /* behind the bytes */
    } parts[] = {
        {"\0\x23", 2, next}, /* no locals; what is returned: next */
        {"\x23", 1, next},   /* next + n -> next */
        {"\x20\x03\x6a\x24", 4, next},
        {"\x23", 1, next}, /* if next > limit: unreachable */
        {"\x41", 1, limit},
        {"\x4b\x04\x40\x00\x0b\x0b", 6, UINT32_MAX},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(parts) && err == HF_OK; i++) {
        err = hf_buf_add(&code, parts[i].bytes, parts[i].len);
        if (err == HF_OK && parts[i].number != UINT32_MAX)
            err = parts[i].bytes[0] == 0x41 ? hf_write_leb_s64(&code, (int32_t)parts[i].number)
                                            : hf_write_leb_u32(&code, parts[i].number);
    }
    if (err == HF_OK)
        err = hf_p1_add_function(e, HF_VIEW("\x60\x04\x7f\x7f\x7f\x7f\x01\x7f"), hf_buf_view(&code),
                                 HF_VIEW("cabi_realloc_adapter"), NULL);
    hf_buf_done(&code);
    return err;
}

enum hf_err hf_p1_go_hole(struct hf_p1 *e)
{
    struct image im = {0};
    uint64_t at = 0;
    enum hf_err err = make_image(e, &im);
    for (uint64_t i = 0; err == HF_OK && at == 0 && i + (uint64_t)WORDS_SEARCHED * 8 <= im.len;
         i += 8)
        at = find_end(&im, i);
    if (err == HF_OK && at == 0)
        err = hf_report_set(
            e->report, HF_UNSUPPORTED,
            "it is a Go module, and where its runtime keeps the end of its data was not found: "
            "this version of Go is not known here");
    if (err == HF_OK) {
        uint64_t base = (word(&im, at) + PAGE - 1) / PAGE * PAGE;
        if (base + HOLE > im.len)
            err =
                hf_report_set(e->report, HF_UNSUPPORTED,
                              "it is a Go module that begins with no free memory behind its data");
        if (err == HF_OK)
            err = add_segment(e, at, base + HOLE);
        if (err == HF_OK)
            err = add_realloc(e, (uint32_t)base, (uint32_t)(base + HOLE));
        if (err == HF_LIMIT)
            err = hf_p1_no_memory(e);
    }
    free(im.bytes);
    return err;
}

/* ---- memory.size as the module knows it ---- */

static enum hf_err unknown_code(struct hf_p1 *e)
{
    return hf_report_set(e->report, HF_UNSUPPORTED,
                         "core module: it asks for the size of its memory, and has an instruction "
                         "that this version does not know");
}

/* One body with its two instructions replaced; *found: memory.size was there. */
static enum hf_err rewrite_body(struct hf_p1 *e, struct hf_view body, uint32_t global,
                                uint32_t grow, struct hf_buf *ret, bool *found)
{
    struct hf_reader r = hf_reader(body);
    uint32_t gate = 0;
    int depth = 0;
    if (!hf_gate_skip_locals(&r))
        return unknown_code(e);
    enum hf_err err = hf_buf_add(ret, body.ptr, hf_reader_pos(&r));
    while (err == HF_OK && r.at < r.end) {
        const uint8_t *from = r.at;
        if (!hf_gate_skip(&r, &depth, &gate))
            return unknown_code(e);
        bool size = *from == OP_MEMORY_SIZE;
        *found |= size;
        if (size || *from == OP_MEMORY_GROW) {
            err = hf_buf_add_byte(ret, size ? OP_GLOBAL_GET : OP_CALL);
            if (err == HF_OK)
                err = hf_write_leb_u32(ret, size ? global : grow);
        } else {
            err = hf_buf_add(ret, from, (size_t)(r.at - from));
        }
    }
    return err == HF_OK ? HF_OK : hf_p1_no_memory(e);
}

static enum hf_err rewrite_code(struct hf_p1 *e, uint32_t global, uint32_t grow, struct hf_buf *ret,
                                bool *found)
{
    struct hf_reader r = hf_reader(e->w->code.body);
    struct hf_buf body = {0};
    uint32_t n = hf_read_leb_u32(&r);
    enum hf_err err = hf_write_leb_u32(ret, n);
    for (; n > 0 && err == HF_OK; n--) {
        hf_buf_clear(&body);
        err = rewrite_body(e, hf_read_name(&r), global, grow, &body, found);
        if (err == HF_OK)
            err = hf_write_name(ret, hf_buf_view(&body));
    }
    hf_buf_done(&body);
    return err;
}

/* grow(n) -> i32: memory.grow, and if it worked the size is noted. */
static enum hf_err add_grow(struct hf_p1 *e, uint32_t global)
{
    /* local.get 0, memory.grow, local.tee 0, if it is not -1: memory.size, global.set ... */
    static const char before[] = "\0\x20\0\x40\0\x22\0\x41\x7f\x47\x04\x40\x3f\0\x24";
    static const char after[] = "\x0b\x20\0\x0b";
    struct hf_buf code = {0};
    enum hf_err err = hf_buf_add(&code, before, sizeof before - 1);
    if (err == HF_OK)
        err = hf_write_leb_u32(&code, global);
    if (err == HF_OK)
        err = hf_buf_add(&code, after, sizeof after - 1);
    if (err == HF_OK)
        err = hf_p1_add_function(e, HF_VIEW("\x60\x01\x7f\x01\x7f"), hf_buf_view(&code),
                                 (struct hf_view){0}, NULL);
    hf_buf_done(&code);
    return err;
}

enum hf_err hf_p1_own_size(struct hf_p1 *e)
{
    const struct hf_wasm *w = e->w;
    struct hf_buf code = {0};
    uint32_t global = (uint32_t)w->globals.len + e->n_added[HF_P1_GLOBAL];
    uint32_t grow = (uint32_t)w->funcs.len + e->n_added[HF_P1_FUNC];
    bool found = false;
    if (w->memories.len != 1 || w->imported_memories != 0 || w->memories.ptr[0].memory64 ||
        w->code.end == 0)
        return HF_OK; /* no memory to share: componentising says so where one is needed */
    enum hf_err err = rewrite_code(e, global, grow, &code, &found);
    if (err == HF_OK && found) {
        err = hf_p1_add_global(e, (uint32_t)w->memories.ptr[0].min, &global);
        if (err == HF_OK)
            err = add_grow(e, global);
        e->replaced[HF_P1_CODE] = code;
        code = (struct hf_buf){0};
    }
    hf_buf_done(&code);
    return err == HF_OK || err == HF_UNSUPPORTED ? err : hf_p1_no_memory(e);
}
