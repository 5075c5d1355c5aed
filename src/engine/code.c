/* code.c - compiled code on disk: found again when it is whole, ours, and of this module.
 *
 * What the gate said and how the file looked lie in a verdict beside the code (kind "gate"). Code
 * without its verdict, or not of the size and checksum written there, is removed and compiled
 * again; so is code whose verdict is about another module. Where files lie and who may own them is
 * cache.c's business.
 */
#include "engine/engine_int.h"

#include <stdlib.h>

#include "base/hash.h"

#define KIND_CODE    "code"
#define KIND_GATE    "gate"
#define SAMPLE_ALL   ((size_t)1 << 20)  /* bytes; files up to this are checked whole */
#define SAMPLE_END   ((size_t)64 << 10) /* of a larger one: this much at either end, */
#define SAMPLE_PAGE  ((size_t)4 << 10)  /* and pages of this size */
#define SAMPLE_PAGES 128u               /* evenly in between */

struct verdict {
    uint32_t gate, crc;
    uint64_t size;  /* of the compiled code */
    uint32_t added; /* exports that the rewrite added: store.c looks for them by name, and takes
                       them for granted */
    uint32_t source_crc; /* of the module it was made from: a key that once meant another module
                            must not bring that */
    uint64_t source_size;
};

static uint32_t added_exports(const struct hf_module *m)
{
    return (uint32_t)(m->n_memories + m->n_globals + m->has_start);
}

/* Parts of a file that are looked at: all of a small one; of a large one its ends and pages in
 * between. A whole CRC would be 90 % of the time of a cached load (7 ms for the 37 MB of
 * JavaScript's engine), and only guards against a failing disk: who can write here can write the
 * CRC. Wholeness comes from syncing before renaming and from the exact size. 0: no more. */
static size_t sample(uint64_t size, size_t i, uint64_t *at)
{
    *at = 0;
    if (size <= SAMPLE_ALL)
        return i == 0 ? (size_t)size : 0;
    if (i == 0)
        return SAMPLE_END;
    if (i > SAMPLE_PAGES) {
        *at = size - SAMPLE_END;
        return i == SAMPLE_PAGES + 1 ? SAMPLE_END : 0;
    }
    *at = size / (SAMPLE_PAGES + 1) * i;
    return SAMPLE_PAGE;
}

static uint32_t bytes_crc(struct hf_view bytes)
{
    uint32_t crc = 0;
    uint64_t at;
    size_t len;
    for (size_t i = 0; (len = sample(bytes.len, i, &at)) != 0; i++)
        crc = hf_crc32c(crc, bytes.ptr + at, len);
    return crc;
}

static enum hf_err file_crc(struct hf_os *os, const char *path, uint64_t size, uint32_t *ret)
{
    struct hf_os_file *f = NULL;
    size_t room = size < SAMPLE_ALL ? (size_t)size : SAMPLE_ALL, len;
    uint8_t *part = malloc(room + 1);
    uint64_t at;
    enum hf_err err = part == NULL ? HF_LIMIT : os->file_open(os, path, HF_OS_READ, &f, NULL);
    *ret = 0;
    for (size_t i = 0; err == HF_OK && (len = sample(size, i, &at)) != 0; i++) {
        size_t got = 0;
        err = os->file_read_at(f, at, part, len, &got);
        if (err == HF_OK && got != len)
            err = HF_CORRUPT;
        *ret = hf_crc32c(*ret, part, got);
    }
    os->file_close(f);
    free(part);
    return err;
}

static enum hf_err decode_verdict(struct hf_view bytes, struct verdict *v)
{
    struct hf_reader r = hf_reader(bytes);
    v->gate = hf_read_u32le(&r);
    v->crc = hf_read_u32le(&r);
    v->size = hf_read_u64le(&r);
    v->added = hf_read_u32le(&r);
    v->source_crc = hf_read_u32le(&r);
    v->source_size = hf_read_u64le(&r);
    return r.bad || r.at != r.end ? HF_NOT_FOUND : HF_OK;
}

/* HF_NOT_FOUND also when it is about another module than this. */
static enum hf_err read_verdict(struct hf_engine *engine, const uint8_t *key,
                                const struct hf_module *m, struct hf_view source, struct verdict *v)
{
    struct hf_buf b = {0};
    enum hf_err err = hf_cache_get(engine, KIND_GATE, key, &b);
    if (err == HF_OK)
        err = decode_verdict(hf_buf_view(&b), v);
    hf_buf_done(&b);
    if (err == HF_OK && (v->added != added_exports(m) || v->source_size != source.len ||
                         v->source_crc != bytes_crc(source)))
        err = HF_NOT_FOUND;
    return err;
}

static enum hf_err map_code(struct hf_engine *engine, const char *path, const struct verdict *v,
                            struct hf_module *m, struct hf_report *report)
{
    uint32_t crc;
    enum hf_err err = hf_cache_check(engine, path, v->size, NULL);
    if (err == HF_NOT_FOUND)
        return err;
    if (err == HF_OK)
        err = file_crc(engine->settings.os, path, v->size, &crc);
    if (err != HF_OK || crc != v->crc)
        return hf_report_set(report, HF_CORRUPT,
                             "%s is damaged or not ours: removed, compiling again", path);
    wasmtime_error_t *error = wasmtime_module_deserialize_file(engine->wasm, path, &m->wasm);
    if (error == NULL)
        return HF_OK;
    struct hf_buf text = {0};
    hf_trap_error_text(error, &text);
    hf_report_set(report, HF_CORRUPT, "%s does not load: removed, compiling again: %s", path,
                  text.ptr == NULL ? "" : (const char *)text.ptr);
    hf_buf_done(&text);
    return HF_CORRUPT;
}

/* HF_OK: m->wasm and m->gate are there. Anything else: compile. */
enum hf_err hf_code_load(struct hf_engine *engine, const uint8_t *key, struct hf_view source,
                         struct hf_module *m)
{
    struct verdict v;
    struct hf_report report = {0};
    if (read_verdict(engine, key, m, source, &v) != HF_OK)
        return HF_NOT_FOUND;
    char *path = hf_cache_path(engine, KIND_CODE, key);
    enum hf_err err = path == NULL ? HF_LIMIT : map_code(engine, path, &v, m, &report);
    if (err == HF_OK)
        m->gate = v.gate;
    if (err == HF_CORRUPT) {
        (void)engine->settings.os->path_remove(engine->settings.os,
                                               path); /* a rename replaces it anyway */
        hf_cache_trouble(engine, &report);
    }
    free(path);
    return err;
}

static enum hf_err write_verdict(struct hf_engine *engine, const uint8_t *key,
                                 const struct verdict *v, struct hf_report *report)
{
    struct hf_buf b = {0};
    enum hf_err err = hf_write_u32le(&b, v->gate);
    if (err == HF_OK)
        err = hf_write_u32le(&b, v->crc);
    if (err == HF_OK)
        err = hf_write_u64le(&b, v->size);
    if (err == HF_OK)
        err = hf_write_u32le(&b, v->added);
    if (err == HF_OK)
        err = hf_write_u32le(&b, v->source_crc);
    if (err == HF_OK)
        err = hf_write_u64le(&b, v->source_size);
    if (err == HF_OK)
        err = hf_cache_put(engine, KIND_GATE, key, hf_buf_view(&b), report);
    hf_buf_done(&b);
    return err;
}

/* Writes the code, then its verdict, and goes on with the mapped file: its pages are the system's,
 * not ours. Failing to keep it is no failure to load. */
void hf_code_keep(struct hf_engine *engine, const uint8_t *key, struct hf_view source,
                  struct hf_module *m)
{
    struct hf_report report = {0};
    wasm_byte_vec_t code;
    wasmtime_error_t *error = wasmtime_module_serialize(m->wasm, &code);
    if (error != NULL) {
        wasmtime_error_delete(error);
        hf_report_set(&report, HF_LIMIT, "compiled code cannot be serialised");
        hf_cache_trouble(engine, &report);
        return;
    }
    struct verdict v = {.gate = m->gate,
                        .crc = bytes_crc(hf_view(code.data, code.size)),
                        .size = code.size,
                        .added = added_exports(m),
                        .source_crc = bytes_crc(source),
                        .source_size = source.len};
    char *path = hf_cache_path(engine, KIND_CODE, key);
    enum hf_err err = path == NULL
                          ? HF_LIMIT
                          : hf_cache_write(engine, path, hf_view(code.data, code.size), &report);
    wasm_byte_vec_delete(&code);
    if (err == HF_OK)
        err = write_verdict(engine, key, &v, &report);
    if (err == HF_OK) {
        struct hf_module mapped = {0}; /* map_code fills in the code alone */
        err = map_code(engine, path, &v, &mapped, &report);
        if (err == HF_OK) {
            wasmtime_module_delete(m->wasm);
            m->wasm = mapped.wasm;
        }
    }
    if (err != HF_OK) {
        hf_report_set(&report, err, "out of memory");
        hf_cache_trouble(engine, &report);
    }
    free(path);
}
