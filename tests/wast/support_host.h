/* support_host.h - the host that Wasmtime's component suites expect, as a registry. */
#ifndef HF_TESTS_WAST_SUPPORT_HOST_H
#define HF_TESTS_WAST_SUPPORT_HOST_H

#include "component/call.h"

struct wast_host {             /* ctx of every instance */
    uint32_t drops, last_drop; /* of resource1 */
};
/* A sealed registry with what component scripts may import. Free *ret also after an error. */
enum hf_err wast_host_registry(struct hf_registry **ret, struct hf_report *report);

#endif
