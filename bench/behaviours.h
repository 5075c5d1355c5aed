/* behaviours.h - what the benches of messages share: bodies of 64 bytes, behaviours whose state is
 * their class's ctx. Bodies are made and freed by the behaviours, as guests do. */
#ifndef HF_BENCH_BEHAVIOURS_H
#define HF_BENCH_BEHAVIOURS_H

#include <stdlib.h>

#include "kernel/message.h"
#include "kernel/named.h"

enum { BODY = 64 };

static inline void must(bool ok)
{
    if (!ok)
        abort();
}

static inline void fill(struct hf_buf *body)
{
    static const uint8_t bytes[BODY];
    must(hf_buf_add(body, bytes, BODY) == HF_OK);
}

static inline enum hf_end on_start(void *ctx, struct hf_turn *turn, void **state)
{
    (void)turn;
    *state = ctx;
    return HF_END_DONE;
}

static inline void on_stop(void *state)
{
    (void)state;
}

#define BEHAVIOUR(f)                                                                               \
    {                                                                                              \
        .name = #f, .start = on_start, .turn = f, .resume = f, .stop = on_stop                     \
    }

#endif
