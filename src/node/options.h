/* options.h - what a caller of the API asks for one service: checked, copied, compared.
 *
 * A copy owns all that it points at, is never changed, and is shared by reference counts that any thread may move.
 */
#ifndef HF_NODE_OPTIONS_H
#define HF_NODE_OPTIONS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "holdfast/holdfast.h"

#define HF_SERVICE_NAME_MAX 127 /* bytes */

struct hf_options {
    _Atomic uint32_t refs;
    struct hf_arena arena;
    /* name is always there; routes too, and host and prefix, which say the same, are NULL. */
    struct hf_service_options o;
};

/* A struct of options of a caller whose header may be older: what it has, and zeroes for the rest. False: no such size. */
bool hf_options_widen(const void *from, size_t size, void *to, size_t full);

/* What the caller got wrong, said before anything is loaded; USAGE then. */
enum hf_status hf_node_check_options(const struct hf_service_options *o, struct hf_words *msg);

/* `o` was checked. LIMIT: memory. */
enum hf_err hf_options_new(const struct hf_service_options *o, struct hf_options **ret);
struct hf_options *hf_options_ref(struct hf_options *o);
void hf_options_unref(struct hf_options *o); /* NULL is fine */
/* Would the same instances serve them? Everything counts but where requests come in (routes, body_max) and the component's
 * path and sha256: what lies there is compared by its content. */
bool hf_options_same(const struct hf_options *a, const struct hf_options *b);

#endif
