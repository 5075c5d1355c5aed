/* survey.h - everything that can be known about a file before code is compiled: valid, parsed,
 * linked without modules.
 *
 * Internal to the room: the common first half of hf_component_load and hf_component_inspect.
 */
#ifndef HF_COMPONENT_SURVEY_H
#define HF_COMPONENT_SURVEY_H

#include "component/link.h"

struct hf_survey {
    struct hf_arena arena; /* tree, types, frames, ports */
    struct hf_component_limits limits;
    uint8_t hash[32]; /* SHA-256 of the file */
    const struct hf_tree *tree;
    struct hf_linked linked;
    struct hf_buf
        missing; /* gated features and missing imports, one a line; empty: it can run here */
};

/* Looks into `bytes` as long as the survey lives. A core module: HF_INVALID and what to do. The
 * validator's verdict is cached under the file's hash. Free with hf_survey_done, also after an
 * error. */
enum hf_err hf_survey_make(struct hf_engine *engine, const struct hf_registry *reg,
                           struct hf_view bytes, const struct hf_component_limits *limits,
                           struct hf_survey *ret, struct hf_report *report);
void hf_survey_done(struct hf_survey *s);
/* Full validation, or the verdict of an earlier one; `hash` is the file's. */
enum hf_err hf_survey_validate(struct hf_engine *engine, struct hf_view bytes,
                               const uint8_t hash[32], struct hf_report *report);

#endif
