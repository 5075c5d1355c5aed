/* context.c - see context.h. */
#include "gateway/context.h"

enum { OTHER, PARENT, STATE, ID };

/* By length and first letter: nearly every field is none of them. */
static inline unsigned which(struct hf_view name)
{
    if (name.len < 10 || name.len > 12)
        return OTHER;
    uint8_t first = name.ptr[0] | 0x20;
    if (name.len == 10 && first == 't')
        return hf_view_eq_nocase(name, HF_VIEW("tracestate")) ? STATE : OTHER;
    if (name.len == 11 && first == 't')
        return hf_view_eq_nocase(name, HF_VIEW("traceparent")) ? PARENT : OTHER;
    if (name.len == 12 && first == 'x')
        return hf_view_eq_nocase(name, HF_VIEW("x-request-id")) ? ID : OTHER;
    return OTHER;
}

bool hf_context_owns(struct hf_view name)
{
    return which(name) != OTHER;
}

void hf_context_take(const struct hf_strict_field *fields, uint32_t n, struct hf_ids *ids,
                     struct hf_context *ret)
{
    struct hf_view parent = {0}, id = {0};
    unsigned n_parents = 0, n_ids = 0, n_states = 0, members = 0;
    bool state_ok = true;
    for (uint32_t i = 0; i < n; i++) {
        if (fields[i].hop)
            continue;
        switch (which(fields[i].name)) {
        case PARENT:
            parent = fields[i].value;
            n_parents++;
            break;
        case STATE:
            state_ok = state_ok && hf_tracestate_ok(fields[i].value, &members);
            n_states++;
            break;
        case ID:
            id = fields[i].value;
            n_ids++;
            break;
        default: break;
        }
    }
    *ret = (struct hf_context){0};
    if (n_parents == 1 && hf_traceparent_read(parent, &ret->trace)) {
        ret->trace.span = hf_ids_next(ids);
        ret->state = n_states > 0 && state_ok && members > 0;
    } else {
        hf_trace_new(&ret->trace, ids);
    }
    if (n_ids == 1 && hf_request_id_ok(id))
        ret->id = id;
}

enum hf_err hf_context_write(const struct hf_context *c, const struct hf_strict_field *fields,
                             uint32_t n, struct hf_head_writer *w)
{
    uint8_t *parent, *id;
    enum hf_err err = hf_head_field_room(w, HF_VIEW("traceparent"), HF_TRACEPARENT_LEN, &parent);
    if (err == HF_OK)
        hf_traceparent_write(&c->trace, (char *)parent);
    for (uint32_t i = 0; c->state && err == HF_OK && i < n; i++)
        if (!fields[i].hop && which(fields[i].name) == STATE)
            err = hf_head_field(w, HF_VIEW("tracestate"), fields[i].value);
    if (err != HF_OK)
        return err;
    if (c->id.len > 0)
        return hf_head_field(w, HF_VIEW("x-request-id"), c->id);
    err = hf_head_field_room(w, HF_VIEW("x-request-id"), 16, &id);
    if (err == HF_OK)
        hf_hex64(c->trace.span, (char *)id);
    return err;
}
