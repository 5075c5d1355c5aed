/* support_find.c - see support_find.h. */
#include "support_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "component/registry.h"

static bool name_is(struct hf_view full, const char *want)
{
    if (hf_view_eq_text(full, want))
        return true;
    size_t n = full.len > 0 && full.ptr[0] == '[' ? hf_view_find(full, ']') + 1 : 0;
    bool ctor = hf_view_starts(full, HF_VIEW("[constructor]"));
    return !ctor && hf_view_eq_text(hf_view_skip(full, n), want);
}

const struct hf_host_func *find_host_func(const struct hf_registry *reg, const char *want)
{
    const char *hash = strchr(want, '#');
    char iface[64] = "";
    if (hash != NULL) {
        snprintf(iface, sizeof iface, "/%.*s", (int)(hash - want), want);
        want = hash + 1;
    }
    for (size_t i = 0; i < reg->funcs.len; i++) {
        const struct hf_iface_func *f = &reg->funcs.ptr[i];
        if (name_is(f->func->name, want) && f->func->fn != NULL &&
            (iface[0] == '\0' || hf_view_ends(f->iface->base, hf_view_of(iface)) ||
             hf_view_eq_text(f->iface->name, iface + 1)))
            return f->func;
    }
    fprintf(stderr, "no host function is called %s\n", want);
    abort();
}
