/* wit_text_fuzz.c - any bytes as the text of an embedder's interface: read whole or refused with a place, and refused ones leave
 * nothing behind: the same name can be defined after.
 *
 * rooms: base
 * files: src/component/types.c src/component/type_eq.c src/component/type_text.c
 * files: src/component/names.c src/component/parse.c src/component/parse_section.c
 * files: src/component/parse_type.c src/component/parse_core.c src/component/parse_canon.c
 * files: src/component/eval.c src/component/eval_type.c src/component/eval_bind.c
 * files: src/component/registry.c src/component/registry_wit.c
 * files: src/component/registry_text.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "component/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static enum hf_err nothing(struct hf_call *call, const struct hf_value *args, struct hf_value *result)
{
    (void)call, (void)args, (void)result;
    return HF_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct hf_bound bound = {"f", nothing, NULL};
    struct hf_registry *reg = NULL;
    struct hf_report report;
    hf_report_init(&report);
    MUST(hf_registry_new(&reg) == HF_OK);
    enum hf_err err = hf_registry_define(reg, "a:b/c@1.0.0", hf_view(data, size), &bound, 1, &report);
    MUST(err == HF_OK || report.text[0] != 0);
    MUST((hf_registry_find(reg, HF_VIEW("a:b/c@1.0.0")) != NULL) == (err == HF_OK));
    hf_report_init(&report);
    bool again = hf_registry_define(reg, "a:b/c@1.0.0", HF_VIEW("f: func();"), &bound, 1, &report) == HF_OK;
    MUST(again == (err != HF_OK));
    hf_registry_free(reg);
    return 0;
}
