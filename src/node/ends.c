/* ends.c - see ends.h. */
#include "node/ends.h"

#include <stdio.h>
#include <string.h>

#define SAY_NS 1000000000u

void hf_ends_init(struct hf_ends *e, const char *service, struct hf_log *log)
{
    *e = (struct hf_ends){.log = log, .service = service};
}

static size_t find(struct hf_ends *e, const char *why)
{
    size_t i = 0;
    while (i + 1 < HF_ENDS_MAX && e->reasons[i].why != NULL && strcmp(e->reasons[i].why, why) != 0)
        i++;
    if (e->reasons[i].why == NULL)
        e->reasons[i].why = i + 1 < HF_ENDS_MAX ? why : "other";
    return i;
}

void hf_ends_note(void *ends, const struct hf_ended *d)
{
    struct hf_ends *e = ends;
    size_t i = find(e, d->why);
    e->reasons[i].n++;
    /* What a stop ends is in the sum, and what failed said so itself. */
    bool quiet = strcmp(d->why, "closed") == 0 || strcmp(d->why, "killed") == 0 ||
                 strcmp(d->why, "per-request") == 0 || strcmp(d->why, "spare") == 0;
    if (e->log == NULL || quiet)
        return;
    if (d->now_ns < e->reasons[i].say_ns) {
        e->reasons[i].unsaid++;
        return;
    }
    char more[64] = "";
    if (e->reasons[i].unsaid > 0)
        snprintf(more, sizeof more, " (and %llu more since the last)",
                 (unsigned long long)e->reasons[i].unsaid);
    hf_log_say(e->log, "end", "%s[%llu] %s: %s after %llu requests, %llu ms old%s", e->service,
               (unsigned long long)d->process, d->in_order ? "retired" : "ended", d->why,
               (unsigned long long)d->served,
               (unsigned long long)((d->now_ns - d->born_ns) / 1000000), more);
    e->reasons[i].unsaid = 0;
    e->reasons[i].say_ns = d->now_ns + SAY_NS;
}

void hf_ends_add(struct hf_ends *to, const struct hf_ends *from)
{
    for (size_t i = 0; i < HF_ENDS_MAX && from->reasons[i].why != NULL; i++)
        to->reasons[find(to, from->reasons[i].why)].n += from->reasons[i].n;
}

void hf_ends_text(const struct hf_ends *e, struct hf_buf *ret)
{
    for (size_t i = 0; i < HF_ENDS_MAX && e->reasons[i].why != NULL; i++)
        (void)!hf_buf_printf(ret, "%s%llu %s", i > 0 ? ", " : "",
                             (unsigned long long)e->reasons[i].n, e->reasons[i].why);
}
