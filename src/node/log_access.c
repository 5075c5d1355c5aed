/* log_access.c - see log_access.h. */
#include "node/log_access.h"

#define FIXED_MAX 640u /* names, numbers and ids of the longest form */

static void escaped(struct hf_pen *p, struct hf_view v)
{
    hf_pen_escaped(p, v, HF_ESCAPE_TEXT);
}

static void trace_id(struct hf_pen *p, const struct hf_trace *t)
{
    char digits[32];
    hf_hex64(t->hi, digits);
    hf_hex64(t->lo, digits + 16);
    hf_pen_view(p, hf_view(digits, sizeof digits));
}

static void span_id(struct hf_pen *p, const struct hf_trace *t)
{
    char digits[16];
    hf_hex64(t->span, digits);
    hf_pen_view(p, hf_view(digits, sizeof digits));
}

static uint64_t microseconds(const struct hf_access *a)
{
    return a->end_ns > a->start_ns ? (a->end_ns - a->start_ns) / 1000 : 0;
}

/* Its first line: the rest was said when it happened. */
static struct hf_view first_line(struct hf_view v)
{
    return hf_view_take(v, hf_view_find(v, '\n'));
}

/* ---- ours ---- */

static void own(struct hf_pen *p, struct hf_log_clock *clock, uint64_t wall_ns,
                const struct hf_access *a)
{
    uint64_t us = microseconds(a);
    hf_pen_iso(p, clock, wall_ns);
    HF_PEN_LIT(p, " access ");
    hf_pen_view(p, a->peer);
    *p->at++ = ' ';
    escaped(p, a->method);
    *p->at++ = ' ';
    escaped(p, a->target);
    *p->at++ = ' ';
    hf_pen_number(p, a->status);
    *p->at++ = ' ';
    hf_pen_number(p, a->bytes_out);
    *p->at++ = ' ';
    hf_pen_number(p, us / 1000);
    *p->at++ = '.';
    *p->at++ = (uint8_t)('0' + us / 100 % 10);
    *p->at++ = (uint8_t)('0' + us / 10 % 10);
    *p->at++ = (uint8_t)('0' + us % 10);
    HF_PEN_LIT(p, "ms");
    if (a->service.len > 0) {
        *p->at++ = ' ';
        escaped(p, a->service);
        *p->at++ = '[';
        hf_pen_number(p, a->process);
        *p->at++ = ']';
    }
    if (a->request_id.len > 0) {
        HF_PEN_LIT(p, " id=");
        hf_pen_view(p, a->request_id); /* harmless: hf_request_id_ok, or ours */
    }
    if (strcmp(a->how, "ok") != 0) {
        *p->at++ = ' ';
        hf_pen_text(p, a->how);
    }
    if (a->detail.len > 0) {
        HF_PEN_LIT(p, ": ");
        escaped(p, first_line(a->detail));
    }
}

/* ---- everybody's ---- */

/* "127.0.0.1:80" and "[::1]:80" without the port. */
static struct hf_view host_of(struct hf_view peer)
{
    if (peer.len > 0 && peer.ptr[0] == '[') {
        peer = hf_view_skip(peer, 1);
        return hf_view_take(peer, hf_view_find(peer, ']'));
    }
    return hf_view_take(peer, hf_view_find(peer, ':'));
}

static void quoted(struct hf_pen *p, struct hf_view v)
{
    *p->at++ = '"';
    hf_pen_escaped(p, v.len > 0 ? v : HF_VIEW("-"), HF_ESCAPE_QUOTED);
    *p->at++ = '"';
}

static void common(struct hf_pen *p, struct hf_log_clock *clock, uint64_t wall_ns,
                   const struct hf_access *a)
{
    struct hf_view host = host_of(a->peer);
    hf_pen_escaped(p, host.len > 0 ? host : HF_VIEW("-"), HF_ESCAPE_QUOTED);
    HF_PEN_LIT(p, " - - [");
    hf_pen_clf(p, clock, wall_ns);
    HF_PEN_LIT(p, "] \"");
    if (a->method.len == 0) {
        *p->at++ = '-'; /* what came was no request line */
    } else {
        hf_pen_escaped(p, a->method, HF_ESCAPE_QUOTED);
        *p->at++ = ' ';
        hf_pen_escaped(p, a->target.len > 0 ? a->target : HF_VIEW("-"), HF_ESCAPE_QUOTED);
        *p->at++ = ' ';
        hf_pen_text(p, a->protocol);
    }
    HF_PEN_LIT(p, "\" ");
    hf_pen_number(p, a->status != 0 ? a->status : 499); /* the client left first: nginx's number */
    *p->at++ = ' ';
    if (a->bytes_out == 0)
        *p->at++ = '-';
    else
        hf_pen_number(p, a->bytes_out);
}

/* ---- JSON ---- */

static void field(struct hf_pen *p, const char *name, struct hf_view v)
{
    HF_PEN_LIT(p, ",\"");
    hf_pen_text(p, name);
    HF_PEN_LIT(p, "\":\"");
    hf_pen_escaped(p, v, HF_ESCAPE_JSON);
    *p->at++ = '"';
}

static void number(struct hf_pen *p, const char *name, uint64_t n)
{
    HF_PEN_LIT(p, ",\"");
    hf_pen_text(p, name);
    HF_PEN_LIT(p, "\":");
    hf_pen_number(p, n);
}

static void json(struct hf_pen *p, struct hf_log_clock *clock, uint64_t wall_ns,
                 const struct hf_access *a, bool agent)
{
    HF_PEN_LIT(p, "{\"time\":\"");
    hf_pen_iso(p, clock, wall_ns);
    HF_PEN_LIT(p, "\",\"level\":\"access\"");
    field(p, "service", a->service);
    field(p, "peer", a->peer);
    field(p, "method", a->method);
    field(p, "target", a->target);
    field(p, "host", a->host);
    field(p, "protocol", hf_view_of(a->protocol));
    number(p, "status", a->status);
    number(p, "in", a->bytes_in);
    number(p, "out", a->bytes_out);
    number(p, "us", microseconds(a));
    number(p, "instance", a->process);
    field(p, "how", hf_view_of(a->how));
    if (hf_trace_is(&a->trace)) {
        HF_PEN_LIT(p, ",\"trace_id\":\"");
        trace_id(p, &a->trace);
        HF_PEN_LIT(p, "\",\"span_id\":\"");
        span_id(p, &a->trace);
        *p->at++ = '"';
        field(p, "request_id", a->request_id);
    }
    if (agent && a->referer.len > 0)
        field(p, "referer", a->referer);
    if (agent && a->agent.len > 0)
        field(p, "user_agent", a->agent);
    if (a->detail.len > 0)
        field(p, "detail", a->detail);
    *p->at++ = '}';
}

enum hf_err hf_access_line(struct hf_buf *buf, enum hf_access_form form, struct hf_log_clock *clock,
                           uint64_t wall_ns, const struct hf_access *a)
{
    size_t strange = a->method.len + a->target.len + a->host.len + a->peer.len + a->service.len +
                     a->request_id.len + a->referer.len + a->agent.len + a->detail.len;
    enum hf_err err = hf_buf_reserve(buf, FIXED_MAX + HF_ESCAPE_MAX * strange);
    if (err != HF_OK)
        return err;
    struct hf_pen p = {buf->ptr + buf->len};
    switch (form) {
    case HF_ACCESS_FORM_OWN: own(&p, clock, wall_ns, a); break;
    case HF_ACCESS_FORM_COMMON: common(&p, clock, wall_ns, a); break;
    case HF_ACCESS_FORM_COMBINED:
        common(&p, clock, wall_ns, a);
        *p.at++ = ' ';
        quoted(&p, a->referer);
        *p.at++ = ' ';
        quoted(&p, a->agent);
        break;
    case HF_ACCESS_FORM_JSON:
    case HF_ACCESS_FORM_JSON_AGENT:
        json(&p, clock, wall_ns, a, form == HF_ACCESS_FORM_JSON_AGENT);
        break;
    }
    *p.at++ = '\n';
    buf->len = (size_t)(p.at - buf->ptr);
    buf->ptr[buf->len] = '\0';
    return HF_OK;
}
