/* Memory that grows and is not given back. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 65536, MIB = 1024 * 1024 };

static uint64_t leaked;
/* Where it goes, so that the compiler does not see that nobody looks at it and leave it out. */
static unsigned char *volatile kept_block;

/* Touched, not only asked for; a refusal is what a limit looks like to a guest that checks. */
static void leak(hf_request request, hf_outparam out)
{
    unsigned char *lost = malloc(MIB);
    wasi_http_types_incoming_request_drop_own(request);
    if (!lost) {
        hf_reply_text(out, 507, "out of memory\n");
        return;
    }
    memset(lost, (int)(leaked & 0x7f) + 1, MIB);
    kept_block = lost;
    leaked += MIB;
    answer_number(out, leaked);
}

/* A guest that does not check: a refused growth becomes a trap. */
static void hoard(hf_request request, hf_outparam out)
{
    (void)request;
    (void)out;
    for (;;) {
        unsigned char *lost = malloc(MIB);
        if (!lost)
            __builtin_trap();
        memset(lost, 1, MIB);
        kept_block = lost;
    }
}

/* Once an instance: after it the memory is larger than at the start, and stays so. */
static void grow(hf_request request, hf_outparam out)
{
    static int grown;
    wasi_http_types_incoming_request_drop_own(request);
    if (!grown) {
        size_t before = __builtin_wasm_memory_grow(0, 64);
        if (before == SIZE_MAX) {
            hf_reply_text(out, 507, "growth refused\n");
            return;
        }
        memset((unsigned char *)(before * PAGE), 1, 64 * PAGE);
        grown = 1;
    }
    answer_number(out, __builtin_wasm_memory_size(0));
}

/* A secret left behind: under per-request the second answer must be "clean". */
static void remember(hf_request request, hf_outparam out)
{
    static char secret[16];
    static char *kept;
    char answer[40] = "clean\n";
    wasi_http_types_incoming_request_drop_own(request);
    if (secret[0] != '\0' || kept)
        strcpy(answer, "the last request's secret is here\n");
    strcpy(secret, "hunter2");
    kept = malloc(1024);
    if (kept)
        strcpy(kept, "hunter2");
    hf_reply_text(out, 200, answer);
}

static void count(hf_request request, hf_outparam out)
{
    static uint64_t requests;
    wasi_http_types_incoming_request_drop_own(request);
    answer_number(out, ++requests);
}

const struct path memory_paths[] = {
    {"/leak", leak, "keeps 1 MiB more each time, answers the total"},
    {"/hoard", hoard, "takes all memory it can get, then traps"},
    {"/grow", grow, "grows its memory once by 4 MiB, answers its pages"},
    {"/remember", remember, "says whether it sees what an earlier request left"},
    {"/count", count, "counts these requests in a global"},
    {NULL, NULL, NULL},
};
