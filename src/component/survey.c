/* survey.c - validates (or remembers), parses, links without modules, and says what is missing.
 */
#include "component/survey.h"

#include "base/hash.h"
#include "component/parse_in.h"

/* Definitions and types of one file: the largest real component takes about 1 MB. */
#define SURVEY_BYTES_MAX ((size_t)256 << 20)

/* Only "valid" is remembered, with what said so: a new engine asks again. */
enum hf_err hf_survey_validate(struct hf_engine *engine, struct hf_view bytes,
                               const uint8_t hash[32], struct hf_report *report)
{
    struct hf_view fingerprint = hf_view_of(hf_engine_fingerprint(engine));
    struct hf_buf verdict = {0};
    enum hf_err err = hf_cache_get(engine, "verdict", hash, &verdict);
    bool known = err == HF_OK && hf_view_eq(hf_buf_view(&verdict), fingerprint);
    hf_buf_done(&verdict);
    if (known)
        return HF_OK;
    HF_TRY(hf_engine_validate(engine, bytes, report));
    /* A verdict that cannot be kept costs time at the next start, nothing else. */
    (void)hf_cache_put(engine, "verdict", hash, fingerprint, NULL);
    return HF_OK;
}

static enum hf_err list_missing(struct hf_survey *s, struct hf_report *report)
{
    enum hf_err err = HF_OK;
    for (uint32_t i = 0; i < s->tree->n_gated && err == HF_OK; i++)
        err = hf_buf_printf(&s->missing, "uses %s\n", s->tree->gated[i]);
    if (err == HF_OK)
        err = hf_buf_add_view(&s->missing, hf_buf_view(&s->linked.missing));
    return err == HF_OK ? HF_OK : hf_report_set(report, HF_LIMIT, "out of memory");
}

enum hf_err hf_survey_make(struct hf_engine *engine, const struct hf_registry *reg,
                           struct hf_view bytes, const struct hf_component_limits *limits,
                           struct hf_survey *ret, struct hf_report *report)
{
    *ret = (struct hf_survey){.limits = hf_component_limits_fill(limits)};
    hf_arena_init(&ret->arena, 256 * 1024, SURVEY_BYTES_MAX);
    if (hf_file_kind(bytes) == HF_FILE_MODULE)
        return hf_report_set(report, HF_INVALID,
                             "this is a core module, not a component: make a component of it first "
                             "(holdfast build, or "
                             "the componentizing step of its toolchain); one that is a WASI preview 1 "
                             "command runs as it is with holdfast exec");
    if (bytes.len > ret->limits.bytes_max)
        return hf_report_set(report, HF_LIMIT,
                             "the file has %zu bytes: more than %llu are not taken", bytes.len,
                             (unsigned long long)ret->limits.bytes_max);
    hf_sha256(bytes.ptr, bytes.len, ret->hash);
    HF_TRY(hf_survey_validate(engine, bytes, ret->hash, report));
    HF_TRY(hf_parse(&ret->arena, bytes, &ret->limits, &ret->tree, report));
    struct hf_link_input in = {.tree = ret->tree, .reg = reg, .limits = ret->limits};
    HF_TRY(hf_link(&in, &ret->arena, &ret->arena, &ret->linked, report));
    return list_missing(ret, report);
}

void hf_survey_done(struct hf_survey *s)
{
    hf_buf_done(&s->linked.missing);
    hf_buf_done(&s->missing);
    hf_arena_done(&s->arena);
}
