/* support_try.h - any bytes as a component, all the way: validated, loaded, started, called, each
 * for a short time. What must hold whatever the bytes are is asserted.
 *
 *   - What the validator rejects is never loaded.
 *   - What it accepts is loaded, or refused by name (HF_UNSUPPORTED), or for a limit; where we are
 *     stricter it is HF_INVALID and said so (two known places).
 *   - What is loaded starts, waits, traps with words, or runs into a limit.
 * Used by the fuzz target and by the test with mutated components.
 */
#ifndef HF_TESTS_WAST_SUPPORT_TRY_H
#define HF_TESTS_WAST_SUPPORT_TRY_H

#include "support_host.h"

enum try_end { /* how far it came */
               TRY_INVALID,
               TRY_REFUSED, /* unsupported, or a limit of loading */
               TRY_STOPPED, /* its start trapped, waits or takes too long */
               TRY_STARTED, /* every call was ended by a trap or by us */
               TRY_RAN,     /* a call returned */
               TRY_ENDS
};
struct try_world {
    struct hf_engine *engine;
    struct hf_registry *registry;
    struct wast_host host;
};
void try_open(struct try_world *w);
void try_close(struct try_world *w);
enum try_end try_component(struct try_world *w, struct hf_view bytes);

#endif
