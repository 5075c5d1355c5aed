/* log_access.h - an access line in one of its forms (doc/logs.md). The forms outlive a process and
 * are read by other programs: tests/node/log_access_test.c holds them to the byte. */
#ifndef HF_NODE_LOG_ACCESS_H
#define HF_NODE_LOG_ACCESS_H

#include "gateway/gateway.h"
#include "node/log_text.h"

enum hf_access_form {
    HF_ACCESS_FORM_OWN,
    HF_ACCESS_FORM_COMMON,
    HF_ACCESS_FORM_COMBINED,
    HF_ACCESS_FORM_JSON,      /* one object a line */
    HF_ACCESS_FORM_JSON_AGENT /* with referer and user agent */
};
/* Appends the line, its end too. HF_LIMIT: no memory, nothing is appended. */
enum hf_err hf_access_line(struct hf_buf *buf, enum hf_access_form form, struct hf_log_clock *clock,
                           uint64_t wall_ns, const struct hf_access *a) HF_MUST_CHECK;

#endif
