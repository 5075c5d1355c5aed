/*
 * A process that counts its messages, one count for each name: `tally/anna` knows nothing of
 * `tally/ben`. Most of such processes are idle most of the time; Holdfast puts those that nobody
 * talks to into a file and brings them back, and the guest does not know (doc/processes.md,
 * "Eviction"). The answer is "NAME COUNT", or "NAME broken" if its memory is not as it was left.
 *
 * Metadata "keep": it also makes a pollable and keeps it, and cannot be put aside as long as it
 * does; "drop": it drops that.
 */
#include "holdfast.h"

#include <stdio.h>

enum { PAGES = 5, SIZE = PAGES * 4096 };

static unsigned count;
static unsigned char memory[SIZE]; /* some of it changes with each message */
static wasi_io_poll_own_pollable_t kept;
static bool keeps;

static bool is_told(const hf_request_in *r, const char *what)
{
    return r->metadata.is_some && r->metadata.val.len == strlen(what) && memcmp(r->metadata.val.ptr, what, strlen(what)) == 0;
}

/* The first message fills it; each writes one byte of one page. */
static bool is_whole(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        unsigned char want = (unsigned char)(i * 31 + i / 251);
        if (count > 0 && i % 4096 == 17 && i / 4096 < PAGES)
            continue;
        if (count > 0 && memory[i] != want)
            return false;
        memory[i] = want;
    }
    return true;
}

void exports_holdfast_kernel_handler_handle(hf_message *m)
{
    if (m->tag == HF_REQUEST) {
        const hf_request_in *r = &m->val.request;
        char text[200];
        service_string_t name;
        if (is_told(r, "keep") && !keeps) {
            kept = wasi_clocks_monotonic_clock_subscribe_duration(1000000000u);
            keeps = true;
        }
        if (is_told(r, "drop") && keeps) {
            wasi_io_poll_pollable_drop_own(kept);
            keeps = false;
        }
        bool whole = is_whole();
        count++;
        memory[count % PAGES * 4096 + 17] = (unsigned char)count;
        holdfast_kernel_processes_name(&name);
        int n = whole ? snprintf(text, sizeof text, "%.*s %u", (int)name.len, (const char *)name.ptr, count)
                      : snprintf(text, sizeof text, "%.*s broken", (int)name.len, (const char *)name.ptr);
        hf_respond(hf_bytes(text, (size_t)n), HF_NO_BLOB);
        service_string_free(&name);
    }
    hf_message_done(m);
}
