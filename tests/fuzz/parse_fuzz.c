/* parse_fuzz.c - any bytes as a component: parsed, linked without modules, inspected; and as an
 * encoded WIT package.
 * rooms: base
 * files: src/component/types.c src/component/type_eq.c src/component/type_text.c
 * files: src/component/names.c src/component/parse.c src/component/parse_section.c
 * files: src/component/parse_type.c src/component/parse_core.c src/component/parse_canon.c
 * files: src/component/eval.c src/component/eval_type.c src/component/eval_bind.c
 * files: src/component/link.c src/component/link_core.c src/component/link_canon.c
 * files: src/component/link_import.c src/component/survey.c src/component/inspect.c
 * files: src/component/registry.c src/component/registry_wit.c
 * files: src/engine/wasm.c src/engine/gate.c
 *
 * The validator is left out on purpose: nothing here may rest on what it refuses. Promises checked,
 * beside memory safety and no assertion:
 *   - the same bytes give the same answer and the same text, twice;
 *   - an error comes with words, success without, and the JSON holds no control character;
 *   - what is parsed is parsed again when a custom section is put behind it.
 */
#include <stdlib.h>

#include "component/registry.h"
#include "component/survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the engine, as far as a survey asks it ---- */

enum hf_err hf_engine_validate(const struct hf_engine *engine, struct hf_view bytes,
                               struct hf_report *report)
{
    (void)engine;
    (void)bytes;
    (void)report;
    return HF_OK;
}

const char *hf_engine_fingerprint(const struct hf_engine *engine)
{
    (void)engine;
    return "fuzz";
}

enum hf_err hf_cache_get(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_buf *ret)
{
    (void)engine;
    (void)kind;
    (void)key;
    (void)ret;
    return HF_NOT_FOUND;
}

enum hf_err hf_cache_put(struct hf_engine *engine, const char *kind, const uint8_t key[32],
                         struct hf_view bytes, struct hf_report *report)
{
    (void)engine;
    (void)kind;
    (void)key;
    (void)bytes;
    (void)report;
    return HF_OK;
}

/* A survey has no modules. */
size_t hf_module_n_imports(const struct hf_module *m)
{
    (void)m;
    abort();
}

const struct hf_core_item *hf_module_import(const struct hf_module *m, size_t i)
{
    (void)m;
    (void)i;
    abort();
}

const struct hf_core_item *hf_module_find_export(const struct hf_module *m, struct hf_view name)
{
    (void)m;
    (void)name;
    abort();
}

/* ---- checks ---- */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_same(const struct hf_buf *a, const struct hf_buf *b)
{
    check(hf_view_eq(hf_buf_view(a), hf_buf_view(b)));
}

static void inspect_twice(struct hf_view bytes)
{
    struct hf_inspection a, b;
    struct hf_report ra = {0}, rb = {0};
    enum hf_err err = hf_component_inspect(NULL, NULL, bytes, &a, &ra);
    check(hf_component_inspect(NULL, NULL, bytes, &b, &rb) == err);
    check((err == HF_OK) == (ra.len == 0));
    check(strcmp(ra.text, rb.text) == 0);
    if (err != HF_OK)
        return;
    check_same(&a.wit, &b.wit);
    check_same(&a.json, &b.json);
    check_same(&a.missing, &b.missing);
    check(a.runnable == (a.missing.len == 0) || !a.is_component);
    for (size_t i = 0; i + 1 < a.json.len; i++)
        check(a.json.ptr[i] >= 0x20);
    hf_inspection_done(&a);
    hf_inspection_done(&b);
}

static bool parses(struct hf_view bytes)
{
    struct hf_arena arena;
    const struct hf_tree *tree = NULL;
    hf_arena_init(&arena, 4096, 64 << 20);
    enum hf_err err = hf_parse(&arena, bytes, NULL, &tree, NULL);
    hf_arena_done(&arena);
    return err == HF_OK;
}

static void custom_section_changes_nothing(struct hf_view bytes)
{
    static const uint8_t custom[] = {0, 3, 1, 'x', 0xff};
    struct hf_buf longer = {0};
    check(hf_buf_add_view(&longer, bytes) == HF_OK &&
          hf_buf_add(&longer, custom, sizeof custom) == HF_OK);
    if (parses(bytes))
        check(parses(hf_buf_view(&longer)));
    hf_buf_done(&longer);
}

static void as_package(struct hf_view bytes)
{
    struct hf_registry *reg;
    struct hf_report report = {0};
    check(hf_registry_new(&reg) == HF_OK);
    enum hf_err err = hf_registry_add_wit(reg, bytes, &report);
    check((err == HF_OK) == (report.len == 0));
    if (err == HF_OK)
        check(hf_registry_seal(reg, NULL, NULL) == HF_OK || reg->resources.len != 0);
    hf_registry_free(reg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t preamble[8] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
    struct hf_buf framed = {0};
    if (size == 0)
        return 0;
    /* An even first byte: the rest is a file. Odd: the rest is sections behind a good preamble. */
    if (data[0] & 1)
        check(hf_buf_add(&framed, preamble, sizeof preamble) == HF_OK);
    check(hf_buf_add(&framed, data + 1, size - 1) == HF_OK);
    struct hf_view bytes = hf_buf_view(&framed);
    inspect_twice(bytes);
    custom_section_changes_nothing(bytes);
    as_package(bytes);
    hf_buf_done(&framed);
    return 0;
}
