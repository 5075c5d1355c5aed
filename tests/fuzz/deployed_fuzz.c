/* deployed_fuzz.c - any bytes as the record of what was deployed: read, or refused in words; what was read is written as a text that
 * says the same.
 *
 * rooms: base
 * files: src/node/deployed.c src/node/component_store.c src/node/whole_file.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/deployed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static void check(const struct hf_deployed *d)
{
    uint8_t(*pins)[HF_SHA256_LEN];
    size_t n;
    MUST(d->len <= HF_DEPLOYED_MAX);
    for (size_t i = 0; i < d->len; i++) {
        const struct hf_deployed_service *s = &d->ptr[i];
        size_t len = strnlen(s->name, sizeof s->name);
        MUST(len >= 1 && len <= HF_SERVICE_NAME_MAX);
        MUST(hf_deployed_find(d, s->name) == s); /* no name is there twice */
        MUST(s->deployed || (!s->has_before && s->at_unix_ms == 0));
        MUST(s->at_unix_ms <= INT64_MAX);
    }
    MUST(hf_deployed_pins(d, &pins, &n) == HF_OK && n >= d->len && n <= 3 * d->len);
    free(pins);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_deployed d, again;
    struct hf_report report;
    struct hf_buf text = {0};
    hf_report_init(&report);
    enum hf_err err = hf_deployed_parse(hf_view(data, size), "deployed.json", &d, &report);
    if (err != HF_OK) {
        MUST(err == HF_CORRUPT || err == HF_UNSUPPORTED);
        MUST(strncmp(report.text, "deployed.json ", 14) == 0 && d.ptr == NULL);
        return 0;
    }
    check(&d);
    MUST(hf_deployed_write(&d, &text) == HF_OK);
    MUST(hf_deployed_parse(hf_buf_view(&text), "deployed.json", &again, &report) == HF_OK);
    MUST(hf_deployed_same(&d, &again));
    hf_buf_done(&text);
    hf_deployed_done(&d);
    hf_deployed_done(&again);
    return 0;
}
