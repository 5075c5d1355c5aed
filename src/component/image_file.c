/* image_file.c - an image as bytes: writer and reader of the format.
 *
 * All numbers are little-endian. A file is a head, the state, then every memory in the order of the
 * component's program. Each part has a CRC-32C of its own, so that what is wrong can be placed.
 *
 *   head     8  "HFIMAGE1"
 *            4  version: 1
 *            4  bytes of the head, with its CRC: 208
 *            8  bytes of the file
 *           32  SHA-256 of the component
 *           32  hash of the layout (hf_image_layout): how memories, globals and instances are
 * numbered 64  fingerprint of the engine, as text 4  bytes of a page; 4 memories; 4 globals; 4
 * component instances 8  memory_max; 8 call_bytes_max; 4 handles_max; 4 slice_ticks
 * (hf_instance_settings) 4  bytes of the state, with its CRC; 4 list_bytes_max; 4
 * string_bytes_max 4  CRC of the head before it state    4  names of host resources; each: 2 bytes of length, the name 16  each global
 *               each component instance:
 *            1  flags: 1 may enter, 2 may leave; at rest always 3
 *            4  length of the handle table; 4 first free entry; 4 live ones; 4 newest serial
 *               each entry from 1 on: 1 kind, and
 *                 0 free: 4 next free entry
 *                 1 guest resource: 4 which; 4 rep; 4 serial
 *                 2 host resource: 4 number of its name; 4 serial; 4 bytes of its recipe; the
 * recipe 4  CRC of the state before it memory   8  bytes of the memory; 4 runs of written pages,
 * ascending; each: 4  first page; 4 pages, and 2^31 if all are zero; 4 CRC of the bytes (0 for
 * zeroes) 4  CRC of the memory's part so far the bytes of the runs that have some
 *
 * Pages in no run are as instantiation makes them. The head's place, length and CRC stay the same
 * in all versions, so that a damaged file can be told from one of another version.
 *
 * The reader takes any bytes: CRCs find accidents, and what they guard is checked as if they were
 * not there. Under HF_FUZZ they are not looked at.
 */
#include <stdlib.h>

#include "base/codec.h"
#include "base/hash.h"
#include "component/image_int.h"

#define VERSION    1u
#define HEAD_LEN   208u
#define NAMES_MAX  100000u
#define RUN_ZERO   (UINT32_C(1) << 31)
#define FLAGS_REST 3u
#define RUN_LEN    12u /* bytes */
#define ENTRY_MIN  5u  /* bytes of the shortest handle entry */

static const uint8_t magic[8] = {'H', 'F', 'I', 'M', 'A', 'G', 'E', '1'};
enum kind { KIND_FREE, KIND_GUEST, KIND_HOST };

/* ---- writing ---- */

struct names { /* of host resource types, in the order of their first use */
    const struct hf_resource_type **types;
    uint32_t n;
};

static uint32_t name_number(const struct names *names, const struct hf_resource_type *t)
{
    uint32_t i = 0;
    while (i < names->n && names->types[i] != t)
        i++;
    return i;
}

static enum hf_err list_names(const struct hf_image *img, struct names *ret)
{
    size_t most = 0;
    for (uint32_t c = 0; c < img->n_cis; c++)
        most += img->tables[c].live;
    ret->types = calloc(most + 1, sizeof(const struct hf_resource_type *));
    if (ret->types == NULL)
        return HF_LIMIT;
    for (uint32_t c = 0; c < img->n_cis; c++)
        for (uint32_t i = 1; i < img->tables[c].len; i++) {
            const struct hf_resource_type *t = img->tables[c].entries[i].type;
            if (t != NULL && t->host != NULL && name_number(ret, t) == ret->n)
                ret->types[ret->n++] = t;
        }
    return HF_OK;
}

static enum hf_err write_names(const struct hf_image *img, const struct names *names,
                               struct hf_buf *b)
{
    struct hf_buf name = {0};
    enum hf_err err = hf_write_u32le(b, names->n);
    for (uint32_t i = 0; i < names->n && err == HF_OK; i++) {
        hf_buf_clear(&name);
        err = hf_registry_resource_name(hf_component_registry(img->component), names->types[i],
                                        &name);
        if (err == HF_OK && name.len > UINT16_MAX)
            err = HF_LIMIT;
        if (err == HF_OK)
            err = hf_write_u16le(b, (uint16_t)name.len);
        if (err == HF_OK)
            err = hf_buf_add_view(b, hf_buf_view(&name));
    }
    hf_buf_done(&name);
    return err;
}

static enum hf_err write_entry(const struct hf_image *img, const struct hf_image_table *t,
                               uint32_t i, const struct names *names, struct hf_buf *b)
{
    const struct hf_handle *h = &t->entries[i];
    if (h->type == NULL) {
        HF_TRY(hf_buf_add_byte(b, KIND_FREE));
        return hf_write_u32le(b, h->next);
    }
    if (h->type->host == NULL) {
        HF_TRY(hf_buf_add_byte(b, KIND_GUEST));
        HF_TRY(hf_write_u32le(b, h->type->index));
        HF_TRY(hf_write_u32le(b, (uint32_t)h->rep));
        return hf_write_u32le(b, h->serial);
    }
    const struct hf_image_recipe *r = &t->recipes[i];
    HF_TRY(hf_buf_add_byte(b, KIND_HOST));
    HF_TRY(hf_write_u32le(b, name_number(names, h->type)));
    HF_TRY(hf_write_u32le(b, h->serial));
    HF_TRY(hf_write_u32le(b, r->len));
    return r->len == 0 ? HF_OK : hf_buf_add(b, img->recipes.ptr + r->at, r->len);
}

static enum hf_err write_table(const struct hf_image *img, const struct hf_image_table *t,
                               const struct names *names, struct hf_buf *b)
{
    HF_TRY(hf_buf_add_byte(b, FLAGS_REST));
    HF_TRY(hf_write_u32le(b, t->len));
    HF_TRY(hf_write_u32le(b, t->free));
    HF_TRY(hf_write_u32le(b, t->live));
    HF_TRY(hf_write_u32le(b, t->serial));
    for (uint32_t i = 1; i < t->len; i++)
        HF_TRY(write_entry(img, t, i, names, b));
    return HF_OK;
}

static enum hf_err write_crc(struct hf_buf *b, size_t from)
{
    return hf_write_u32le(b, hf_crc32c(0, b->ptr + from, b->len - from));
}

static enum hf_err write_state(const struct hf_image *img, struct hf_buf *b)
{
    struct names names = {0};
    size_t from = b->len;
    enum hf_err err = list_names(img, &names);
    if (err == HF_OK)
        err = write_names(img, &names, b);
    for (uint32_t i = 0; i < img->n_globals && err == HF_OK; i++)
        err = hf_buf_add(b, &img->globals[i], sizeof img->globals[i]);
    for (uint32_t c = 0; c < img->n_cis && err == HF_OK; c++)
        err = write_table(img, &img->tables[c], &names, b);
    if (err == HF_OK)
        err = write_crc(b, from);
    free(names.types);
    return err;
}

/* The memory's part up to its bytes; *bytes of them follow. */
static enum hf_err write_runs(const struct hf_memimage *m, size_t page, struct hf_buf *b,
                              uint64_t *bytes)
{
    size_t from = b->len, at = 0, n, runs = 0;
    bool zero;
    for (; hf_memimage_next(m, &at, &n, &zero); at += n)
        runs++;
    HF_TRY(hf_write_u64le(b, hf_memimage_size(m)));
    HF_TRY(hf_write_u32le(b, (uint32_t)runs));
    *bytes = 0;
    for (at = 0; hf_memimage_next(m, &at, &n, &zero); at += n) {
        HF_TRY(hf_write_u32le(b, (uint32_t)at));
        HF_TRY(hf_write_u32le(b, (uint32_t)n | (zero ? RUN_ZERO : 0)));
        HF_TRY(hf_write_u32le(b, zero ? 0 : hf_crc32c(0, hf_memimage_run(m, at, n).ptr, n * page)));
        *bytes += zero ? 0 : n * page;
    }
    return write_crc(b, from);
}

static enum hf_err write_head(const struct hf_image *img, size_t page, uint64_t file_len,
                              size_t state_len, struct hf_buf *b)
{
    uint8_t layout[32];
    HF_TRY(hf_image_layout(img->component, layout));
    HF_TRY(hf_buf_add(b, magic, sizeof magic));
    HF_TRY(hf_write_u32le(b, VERSION));
    HF_TRY(hf_write_u32le(b, HEAD_LEN));
    HF_TRY(hf_write_u64le(b, file_len));
    HF_TRY(hf_buf_add(b, hf_component_hash(img->component), 32));
    HF_TRY(hf_buf_add(b, layout, 32));
    HF_TRY(hf_buf_add(b, hf_engine_fingerprint(hf_component_engine(img->component)), 64));
    HF_TRY(hf_write_u32le(b, (uint32_t)page));
    HF_TRY(hf_write_u32le(b, img->n_memories));
    HF_TRY(hf_write_u32le(b, img->n_globals));
    HF_TRY(hf_write_u32le(b, img->n_cis));
    HF_TRY(hf_write_u64le(b, img->memory_max));
    HF_TRY(hf_write_u64le(b, img->call_bytes_max));
    HF_TRY(hf_write_u32le(b, img->handles_max));
    HF_TRY(hf_write_u32le(b, img->slice_ticks));
    HF_TRY(hf_write_u32le(b, (uint32_t)state_len));
    HF_TRY(hf_write_u32le(b, img->list_bytes_max));
    HF_TRY(hf_write_u32le(b, img->string_bytes_max));
    return write_crc(b, 0);
}

struct parts { /* of a file that is being written */
    struct hf_buf head, state, runs;
    size_t *run_ends; /* of each memory, in runs */
    uint64_t bytes;   /* of all pages */
};

static enum hf_err make_parts(const struct hf_image *img, size_t page, struct parts *p)
{
    p->run_ends = calloc(img->n_memories + 1, sizeof *p->run_ends);
    if (p->run_ends == NULL)
        return HF_LIMIT;
    HF_TRY(write_state(img, &p->state));
    if (p->state.len > UINT32_MAX)
        return HF_LIMIT;
    for (uint32_t i = 0; i < img->n_memories; i++) {
        struct hf_buf one = {0}; /* its CRC is over it alone */
        uint64_t bytes = 0;
        enum hf_err err = write_runs(img->memories[i], page, &one, &bytes);
        if (err == HF_OK)
            err = hf_buf_add_view(&p->runs, hf_buf_view(&one));
        hf_buf_done(&one);
        HF_TRY(err);
        p->run_ends[i] = p->runs.len;
        p->bytes += bytes;
    }
    uint64_t len = HEAD_LEN + p->state.len + p->runs.len + p->bytes;
    HF_TRY(write_head(img, page, len, p->state.len, &p->head));
    HF_ASSERT(p->head.len == HEAD_LEN);
    return HF_OK;
}

static enum hf_err give(const struct hf_image *img, const struct parts *p, hf_image_sink_fn sink,
                        void *ctx)
{
    size_t from = 0;
    HF_TRY(sink(ctx, hf_buf_view(&p->head)));
    HF_TRY(sink(ctx, hf_buf_view(&p->state)));
    for (uint32_t i = 0; i < img->n_memories; i++) {
        const struct hf_memimage *m = img->memories[i];
        size_t at = 0, n;
        bool zero;
        HF_TRY(sink(ctx, hf_view(p->runs.ptr + from, p->run_ends[i] - from)));
        from = p->run_ends[i];
        for (; hf_memimage_next(m, &at, &n, &zero); at += n)
            if (!zero)
                HF_TRY(sink(ctx, hf_memimage_run(m, at, n)));
    }
    return HF_OK;
}

enum hf_err hf_image_save(const struct hf_image *img, hf_image_sink_fn sink, void *ctx,
                          struct hf_report *report)
{
    struct parts p = {0};
    size_t page = hf_memimage_page();
    if (!hf_image_portable(img, report))
        return img->no_way.err;
    enum hf_err err = make_parts(img, page, &p);
    if (err == HF_OK)
        err = give(img, &p, sink, ctx);
    hf_buf_done(&p.head);
    hf_buf_done(&p.state);
    hf_buf_done(&p.runs);
    free(p.run_ends);
    return err == HF_OK ? HF_OK
                        : hf_report_set(report, err, "saving an image: %s", hf_err_text(err));
}

static enum hf_err add_to_buf(void *ctx, struct hf_view bytes)
{
    return hf_buf_add_view(ctx, bytes);
}

enum hf_err hf_image_save_buf(const struct hf_image *img, struct hf_buf *ret,
                              struct hf_report *report)
{
    return hf_image_save(img, add_to_buf, ret, report);
}

/* ---- reading ---- */

struct head {
    uint64_t file_len;
    uint32_t page, n_memories, n_globals, n_cis, state_len;
};
struct input {
    struct hf_reader r;
    struct hf_image *img;
    struct hf_report *report;
    struct head head;
    const struct hf_resource_type **names;
    uint32_t n_names;
};

static enum hf_err corrupt(struct input *in, const char *what)
{
    return hf_report_set(in->report, HF_CORRUPT, "the image is damaged: %s (at byte %zu)", what,
                         hf_reader_pos(&in->r));
}

/* The four bytes that come next are the CRC of all from `from`. */
static bool crc_fits(struct hf_reader *r, const uint8_t *from)
{
    uint32_t want = hf_crc32c(0, from, (size_t)(r->at - from));
    uint32_t have = hf_read_u32le(r);
#ifdef HF_FUZZ
    (void)want, (void)have;
    return !r->bad;
#else
    return !r->bad && have == want;
#endif
}

static bool data_fits(struct hf_view data, uint32_t crc)
{
#ifdef HF_FUZZ
    (void)crc;
    return data.ptr != NULL;
#else
    return data.ptr != NULL && hf_crc32c(0, data.ptr, data.len) == crc;
#endif
}

/* ---- head ---- */

static enum hf_err check_identity(struct input *in, struct hf_view component, struct hf_view layout,
                                  struct hf_view engine)
{
    const struct hf_component *c = in->img->component;
    uint8_t here[32];
    char is[65], was[65];
    if (!hf_view_eq(component, hf_view(hf_component_hash(c), 32))) {
        hf_hex(hf_component_hash(c), 32, is);
        hf_hex(component.ptr, 32, was);
        return hf_report_set(in->report, HF_INVALID,
                             "the image is of another component: of %s, this one is %s", was, is);
    }
    if (!hf_view_eq_text(engine, hf_engine_fingerprint(hf_component_engine(c))))
        return hf_report_set(in->report, HF_INVALID,
                             "the image was made with another engine (version, settings or "
                             "machine): %.*s, this one is %s",
                             HF_FMT(engine), hf_engine_fingerprint(hf_component_engine(c)));
    if (hf_image_layout(c, here) != HF_OK)
        return hf_report_set(in->report, HF_LIMIT, "reading an image: out of memory");
    if (!hf_view_eq(layout, hf_view(here, sizeof here)))
        return hf_report_set(in->report, HF_INVALID,
                             "the image was made by a version of Holdfast that numbers memories "
                             "and globals in another way");
    return HF_OK;
}

static enum hf_err read_head(struct input *in, size_t file_len)
{
    struct hf_reader *r = &in->r;
    struct hf_image *img = in->img;
    struct head *h = &in->head;
    const uint8_t *start = r->at;
    if (!hf_view_eq(hf_read_bytes(r, sizeof magic), hf_view(magic, sizeof magic)))
        return corrupt(in, "it does not begin as an image does");
    uint32_t version = hf_read_u32le(r), len = hf_read_u32le(r);
    h->file_len = hf_read_u64le(r);
    if (r->bad || len < 32 || len > 1u << 16 || len > file_len)
        return corrupt(in, "the head's length");
    r->at = start + len - 4;
    if (!crc_fits(r, start))
        return corrupt(in, "the head's checksum");
    if (version != VERSION || len != HEAD_LEN)
        return hf_report_set(in->report, HF_UNSUPPORTED,
                             "the image is of version %u, this Holdfast reads version %u", version,
                             VERSION);
    if (h->file_len != file_len)
        return hf_report_set(in->report, HF_CORRUPT,
                             "the image is damaged: it has %zu bytes, its head says %llu", file_len,
                             (unsigned long long)h->file_len);
    r->at = start + 24;
    struct hf_view component = hf_read_bytes(r, 32), layout = hf_read_bytes(r, 32);
    struct hf_view engine = hf_read_bytes(r, 64);
    h->page = hf_read_u32le(r);
    h->n_memories = hf_read_u32le(r);
    h->n_globals = hf_read_u32le(r);
    h->n_cis = hf_read_u32le(r);
    img->memory_max = hf_read_u64le(r);
    img->call_bytes_max = hf_read_u64le(r);
    img->handles_max = hf_read_u32le(r);
    img->slice_ticks = hf_read_u32le(r);
    h->state_len = hf_read_u32le(r);
    img->list_bytes_max = hf_read_u32le(r);
    img->string_bytes_max = hf_read_u32le(r);
    HF_TRY(check_identity(in, component, layout, engine));
    if (h->page != hf_memimage_page())
        return hf_report_set(in->report, HF_INVALID,
                             "the image was made on a machine with pages of %u bytes, here they "
                             "have %zu",
                             h->page, hf_memimage_page());
    if (h->n_memories != img->n_memories || h->n_globals != img->n_globals ||
        h->n_cis != img->n_cis)
        return corrupt(in, "the head's counts");
    r->at = start + HEAD_LEN;
    return HF_OK;
}

/* ---- state ---- */

static enum hf_err read_names(struct input *in)
{
    const struct hf_registry *reg = hf_component_registry(in->img->component);
    uint32_t n = hf_read_u32le(&in->r);
    if (in->r.bad || n > NAMES_MAX || n > hf_reader_left(&in->r) / 2)
        return corrupt(in, "the number of resource names");
    in->names = calloc(n + 1u, sizeof(const struct hf_resource_type *));
    if (in->names == NULL)
        return hf_report_set(in->report, HF_LIMIT, "reading an image: out of memory");
    for (; in->n_names < n; in->n_names++) {
        struct hf_view name = hf_read_bytes(&in->r, hf_read_u16le(&in->r));
        if (in->r.bad)
            return corrupt(in, "a resource's name");
        const struct hf_resource_type *t = hf_registry_resource_named(reg, name);
        if (t == NULL || t->recipe == NULL)
            return hf_report_set(in->report, HF_UNSUPPORTED,
                                 "the image has host objects that are not made here: %.*s",
                                 (int)(name.len < 200 ? name.len : 200), (const char *)name.ptr);
        in->names[in->n_names] = t;
    }
    return HF_OK;
}

static enum hf_err read_host(struct input *in, struct hf_image_table *t, uint32_t i)
{
    struct hf_reader *r = &in->r;
    struct hf_image *img = in->img;
    uint32_t name = hf_read_u32le(r), serial = hf_read_u32le(r), len = hf_read_u32le(r);
    if (r->bad || name >= in->n_names || serial > t->serial || len > HF_RECIPE_MAX)
        return corrupt(in, "a host object's handle");
    struct hf_view recipe = hf_read_bytes(r, len);
    if (r->bad)
        return corrupt(in, "a host object's recipe");
    if (t->recipes == NULL)
        t->recipes = calloc(t->len, sizeof *t->recipes);
    if (t->recipes == NULL || img->recipes.len > UINT32_MAX - HF_RECIPE_MAX)
        return HF_LIMIT;
    t->recipes[i] = (struct hf_image_recipe){(uint32_t)img->recipes.len, len};
    t->entries[i].type = in->names[name];
    t->entries[i].own = 1;
    t->entries[i].serial = serial & HF_SERIAL_MAX;
    return len == 0 ? HF_OK : hf_buf_add_view(&img->recipes, recipe);
}

static enum hf_err read_entry(struct input *in, struct hf_image_table *t, uint32_t i)
{
    struct hf_reader *r = &in->r;
    const struct hf_program *p = hf_component_program(in->img->component);
    struct hf_handle *h = &t->entries[i];
    uint32_t which, serial;
    switch (hf_read_u8(r)) {
    case KIND_FREE:
        h->next = hf_read_u32le(r);
        return r->bad || h->next >= t->len ? corrupt(in, "a free handle") : HF_OK;
    case KIND_GUEST:
        which = hf_read_u32le(r);
        h->rep = hf_read_u32le(r);
        serial = hf_read_u32le(r);
        if (r->bad || which >= p->n_resources || serial > t->serial)
            return corrupt(in, "a guest resource's handle");
        h->type = &p->resources[which].type;
        h->own = 1;
        h->serial = serial & HF_SERIAL_MAX;
        return HF_OK;
    case KIND_HOST: return read_host(in, t, i);
    default: return corrupt(in, "the kind of a handle");
    }
}

/* Every free entry is in the list once, and nothing else (H1). */
static bool free_list_fits(const struct hf_image_table *t)
{
    uint32_t n = 0, most = t->len == 0 ? 0 : t->len - 1 - t->live;
    for (uint32_t i = t->free; i != 0; i = t->entries[i].next)
        if (i >= t->len || t->entries[i].type != NULL || n++ == most) /* a ring would be longer */
            return false;
    return n == most;
}

static enum hf_err read_table(struct input *in, struct hf_image_table *t)
{
    struct hf_reader *r = &in->r;
    uint8_t flags = hf_read_u8(r);
    t->len = hf_read_u32le(r);
    t->free = hf_read_u32le(r);
    t->live = hf_read_u32le(r);
    t->serial = hf_read_u32le(r);
    if (r->bad || flags != FLAGS_REST)
        return corrupt(in, "the flags of a component instance");
    if (t->len > HF_HANDLES_MAX || t->live >= (t->len == 0 ? 1 : t->len) ||
        t->serial > HF_SERIAL_MAX || (t->len != 0 && t->len - 1 > hf_reader_left(r) / ENTRY_MIN))
        return corrupt(in, "the head of a handle table");
    if (t->len == 0)
        return t->free == 0 ? HF_OK : corrupt(in, "the head of a handle table");
    t->entries = calloc(t->len, sizeof *t->entries);
    if (t->entries == NULL)
        return hf_report_set(in->report, HF_LIMIT, "reading an image: out of memory");
    uint32_t live = 0;
    for (uint32_t i = 1; i < t->len; i++) {
        HF_TRY(read_entry(in, t, i));
        live += t->entries[i].type != NULL;
    }
    if (live != t->live || !free_list_fits(t))
        return corrupt(in, "the free list of a handle table");
    return HF_OK;
}

static enum hf_err read_state(struct input *in)
{
    struct hf_reader *r = &in->r;
    const uint8_t *start = r->at, *end = r->end;
    if (in->head.state_len < 8 || in->head.state_len > hf_reader_left(r))
        return corrupt(in, "the length of the state");
    r->at = start + in->head.state_len - 4;
    if (!crc_fits(r, start))
        return corrupt(in, "the checksum of globals and handles");
    r->at = start;
    r->end = start + in->head.state_len - 4;
    HF_TRY(read_names(in));
    for (uint32_t i = 0; i < in->img->n_globals; i++) {
        struct hf_view v = hf_read_bytes(r, sizeof in->img->globals[i]);
        if (r->bad)
            return corrupt(in, "a global");
        memcpy(&in->img->globals[i], v.ptr, v.len);
    }
    for (uint32_t c = 0; c < in->img->n_cis; c++)
        HF_TRY(read_table(in, &in->img->tables[c]));
    if (r->at != r->end)
        return corrupt(in, "more behind the handle tables");
    r->at += 4;
    r->end = end;
    return HF_OK;
}

/* ---- memories ---- */

static enum hf_err read_pages(struct input *in, struct hf_memimage *m, struct hf_reader runs,
                              uint32_t n)
{
    size_t page = in->head.page, pages = hf_memimage_size(m) / page, next = 0;
    for (; n > 0; n--) {
        uint32_t first = hf_read_u32le(&runs), count = hf_read_u32le(&runs);
        uint32_t crc = hf_read_u32le(&runs);
        bool zero = (count & RUN_ZERO) != 0;
        count &= ~RUN_ZERO;
        if (first < next || first >= pages || count == 0 || count > pages - first)
            return corrupt(in, "a run of pages");
        next = (size_t)first + count;
        if (zero && crc != 0)
            return corrupt(in, "a run of zero pages");
        if (zero) {
            hf_memimage_put(m, first, count, NULL);
            continue;
        }
        struct hf_view data = hf_read_bytes(&in->r, count * page);
        if (!data_fits(data, crc))
            return hf_report_set(in->report, HF_CORRUPT,
                                 "the image is damaged: pages %u to %zu of a memory (before byte "
                                 "%zu) do not have their checksum",
                                 first, next - 1, hf_reader_pos(&in->r));
        hf_memimage_put(m, first, count, data.ptr);
    }
    return HF_OK;
}

static enum hf_err read_memory(struct input *in, struct hf_memimage **ret)
{
    struct hf_reader *r = &in->r;
    const struct hf_engine *engine = hf_component_engine(in->img->component);
    const uint8_t *start = r->at;
    uint64_t size = hf_read_u64le(r);
    uint32_t n = hf_read_u32le(r);
    if (r->bad || n > hf_reader_left(r) / RUN_LEN)
        return corrupt(in, "the head of a memory");
    struct hf_reader runs = hf_reader(hf_read_bytes(r, (size_t)n * RUN_LEN));
    if (!crc_fits(r, start))
        return corrupt(in, "the checksum of a memory's head");
    if (size > hf_engine_get_settings(engine)->memory_max)
        return hf_report_set(in->report, HF_LIMIT,
                             "a memory of the image has %llu bytes, memory_max allows %llu",
                             (unsigned long long)size,
                             (unsigned long long)hf_engine_get_settings(engine)->memory_max);
    enum hf_err err =
        hf_memimage_new_lent(size, r->at, ret); /* its pages are next, run after run */
    if (err == HF_UNSUPPORTED)
        return corrupt(in, "the size of a memory");
    if (err != HF_OK)
        return hf_report_set(in->report, err, "reading an image: out of memory");
    return read_pages(in, *ret, runs, n);
}

static enum hf_err read_all(struct input *in, size_t file_len)
{
    HF_TRY(read_head(in, file_len));
    HF_TRY(read_state(in));
    for (uint32_t i = 0; i < in->img->n_memories; i++) {
        enum hf_err err = read_memory(in, &in->img->memories[i]);
        if (err != HF_OK)
            return hf_report_wrap(in->report, err, "memory %u", i);
    }
    return in->r.at == in->r.end ? HF_OK : corrupt(in, "more behind the last memory");
}

enum hf_err hf_image_parse(struct hf_component *c, struct hf_view bytes, struct hf_image **ret,
                           struct hf_report *report)
{
    struct hf_buf why = {0};
    enum hf_err err = HF_OK;
    if (hf_component_gate(c, &why) != 0)
        err = hf_report_set(report, HF_UNSUPPORTED, "no image of this component is possible: %.*s",
                            HF_FMT(why));
    hf_buf_done(&why);
    if (err != HF_OK)
        return err;
    struct input in = {.r = hf_reader(bytes), .img = hf_image_new(c), .report = report};
    if (in.img == NULL)
        return hf_report_set(report, HF_LIMIT, "reading an image: out of memory");
    err = read_all(&in, bytes.len);
    free(in.names);
    if (err != HF_OK) {
        hf_report_set(report, err, "reading an image: %s", hf_err_text(err));
        hf_image_unref(in.img);
        return err;
    }
    *ret = in.img;
    return HF_OK;
}
