/* between.c - see between.h.
 *
 * A crossing is one letter that goes over with the request and comes home with the answer; it
 * belongs to one side at a time. A cancel is a second letter beside it, and comes home, too: the
 * crossing is freed when both are home. Kernels outlive crossings; the way by which one went lives
 * until it is home, since a worker may read the name there, and until its class is gone.
 */
#include "link/between.h"

#include <stdlib.h>

#include "base/map.h"
#include "kernel/blob_share.h"

struct hf_between {
    struct hf_kernel *k;
    struct hf_carrier carrier;
    size_t window;
    struct hf_port port; /* of requests that others sent to this kernel */
    struct hf_map
        out; /* crossings that this worker sent, by request id, while somebody waits for them */
    struct hf_list all_out; /* every crossing of this worker's that is not home */
    struct hf_list routes;
    uint32_t n_in; /* requests of others that this kernel owes an answer */
};

struct route { /* a remote class: its ctx */
    struct hf_between *here, *there;
    struct hf_list in_here;
    char *name;
    uint32_t refs; /* crossings that are not home, and its class */
    void (*gone)(void *ctx, const struct hf_class_stats *last);
    void *gone_ctx;
};

struct crossing {
    struct hf_letter letter, cancel;
    struct hf_between *home, *there;
    struct route *route;
    struct hf_list in_home;
    struct hf_view target;
    uint64_t id, there_id; /* of the request, in each kernel; there_id 0: not posted, or answered */
    uint64_t timeout_ns;
    bool over, cancelled, cancel_home; /* home's: answered; a cancel was sent; it has come back */
    /* what goes over: the message, later the answer */
    struct hf_answer answer; /* its body is the message's on the way out */
    struct hf_blob_share *share;
    struct hf_carry *carry;
};

static void route_unref(struct route *r)
{
    if (--r->refs > 0)
        return;
    hf_list_remove(&r->in_here);
    free(r->name);
    free(r);
}

static void crossing_free(struct crossing *x)
{
    hf_list_remove(&x->in_home);
    route_unref(x->route);
    hf_buf_done(&x->answer.body);
    hf_blob_share_free(x->share);
    free(x);
}

/* ---- bodies ---- */

/* Takes *blob (may be NULL) for the way from `from` to `to`. */
static enum hf_err pack(struct crossing *x, struct hf_between *from, struct hf_between *to,
                        struct hf_blob **blob)
{
    x->carry = NULL;
    x->share = NULL;
    if (*blob == NULL)
        return HF_OK;
    x->share = hf_blob_share(*blob);
    if (x->share != NULL) {
        hf_blob_unref(*blob);
        *blob = NULL;
        return HF_OK;
    }
    x->carry = hf_carry_new(&from->carrier, &to->carrier, blob);
    return x->carry == NULL ? HF_LIMIT : HF_OK;
}

/* What pack took, at the other side. */
static enum hf_err unpack(struct crossing *x, struct hf_between *here, struct hf_blob **ret)
{
    struct hf_carry *carry = x->carry;
    struct hf_blob_share *share = x->share;
    x->carry = NULL;
    x->share = NULL;
    *ret = NULL;
    if (share != NULL)
        *ret = hf_blob_of_share(hf_kernel_blobs(here->k), share);
    else if (carry != NULL)
        *ret = hf_carry_open(carry, hf_kernel_blobs(here->k), here->window);
    else
        return HF_OK;
    return *ret == NULL ? HF_LIMIT : HF_OK;
}

static void unpack_nothing(struct crossing *x)
{
    if (x->carry != NULL)
        hf_carry_refuse(x->carry);
    hf_blob_share_free(x->share);
    x->carry = NULL;
    x->share = NULL;
}

/* ---- there: the request of another worker ---- */

static void on_home(struct hf_letter *letter);
static void on_cancel_home(struct hf_letter *letter);

static void go_home(struct crossing *x)
{
    x->letter.deliver = on_home;
    hf_wake_post(x->home->carrier.wake, &x->letter);
}

static void on_answer(struct hf_port *port, void *tag, struct hf_answer *a)
{
    struct hf_between *b = HF_CONTAINER_OF(port, struct hf_between, port);
    struct crossing *x = tag;
    b->n_in--;
    x->there_id = 0;
    enum hf_err err = pack(
        x, b, x->home, &a->blob); /* one that could not be packed stays, and the kernel frees it */
    x->answer = *a;
    x->answer.blob = NULL;
    hf_buf_init(&a->body);
    if (err != HF_OK) {
        x->answer.kind = HF_ANSWER_LIMITED;
        hf_buf_clear(&x->answer.body);
    }
    go_home(x);
}

static void on_request(struct hf_letter *letter)
{
    struct crossing *x = HF_CONTAINER_OF(letter, struct crossing, letter);
    struct hf_between *b = x->there;
    if (b->carrier.closing)
        return;
    struct hf_post post = {.target = x->target,
                           .body = x->answer.body,
                           .timeout_ns = x->timeout_ns,
                           .port = &b->port,
                           .tag = x};
    hf_buf_init(&x->answer.body);
    enum hf_err err = unpack(x, b, &post.blob);
    if (err == HF_OK)
        err = hf_port_post(b->k, &post, &x->there_id);
    if (err == HF_OK) {
        b->n_in++;
        return;
    }
    hf_buf_done(&post.body);
    hf_blob_unref(post.blob);
    x->there_id = 0;
    x->answer =
        (struct hf_answer){.kind = err == HF_NOT_FOUND ? HF_ANSWER_NO_SUCH : HF_ANSWER_FULL};
    go_home(x);
}

static void on_cancel(struct hf_letter *letter)
{
    struct crossing *x = HF_CONTAINER_OF(letter, struct crossing, cancel);
    if (x->there->carrier.closing)
        return;
    if (x->there_id != 0)
        hf_port_cancel(x->there->k, x->there_id); /* its answer comes with the next flush */
    x->cancel.deliver = on_cancel_home;
    hf_wake_post(x->home->carrier.wake, &x->cancel);
}

/* ---- home ---- */

static void free_if_home(struct crossing *x)
{
    if (x->over && (!x->cancelled || x->cancel_home))
        crossing_free(x);
}

static void on_cancel_home(struct hf_letter *letter)
{
    struct crossing *x = HF_CONTAINER_OF(letter, struct crossing, cancel);
    if (x->home->carrier.closing)
        return;
    x->cancel_home = true;
    free_if_home(x);
}

static void on_home(struct hf_letter *letter)
{
    struct crossing *x = HF_CONTAINER_OF(letter, struct crossing, letter);
    struct hf_between *b = x->home;
    if (b->carrier.closing)
        return;
    if (!x->cancelled) {
        hf_map_remove_u64(&b->out, x->id);
        if (unpack(x, b, &x->answer.blob) != HF_OK) {
            hf_buf_clear(&x->answer.body);
            x->answer.kind = HF_ANSWER_LIMITED;
        }
        if (!hf_remote_answer(b->k, x->id, &x->answer))
            HF_ASSERT(!"a request that is not cancelled is away");
    } else {
        unpack_nothing(x);
    }
    x->over = true;
    free_if_home(x);
}

static enum hf_err send(void *ctx, uint64_t id, struct hf_buf *body, struct hf_blob **blob,
                        uint64_t timeout_ns)
{
    struct route *r = ctx;
    struct hf_between *b = r->here;
    struct crossing *x = calloc(1, sizeof *x);
    if (x == NULL)
        return HF_LIMIT;
    *x = (struct crossing){.home = b,
                           .there = r->there,
                           .route = r,
                           .target = hf_view_of(r->name),
                           .id = id,
                           .timeout_ns = timeout_ns,
                           .letter.deliver = on_request};
    hf_list_init(&x->in_home);
    r->refs++;
    enum hf_err err = hf_map_put_u64(&b->out, id, x, NULL);
    if (err == HF_OK && (err = pack(x, b, r->there, blob)) != HF_OK)
        hf_map_remove_u64(&b->out, id);
    if (err != HF_OK) {
        crossing_free(x);
        return err;
    }
    x->answer.body = *body;
    hf_buf_init(body);
    hf_list_push_back(&b->all_out, &x->in_home);
    hf_wake_post(r->there->carrier.wake, &x->letter);
    return HF_OK;
}

static void cancel(void *ctx, uint64_t id)
{
    struct route *r = ctx;
    struct crossing *x = hf_map_get_u64(&r->here->out, id);
    if (r->here->carrier.closing)
        return;
    HF_ASSERT(x != NULL && !x->cancelled);
    hf_map_remove_u64(&r->here->out, id);
    x->cancelled = true;
    x->cancel.deliver = on_cancel;
    hf_wake_post(x->there->carrier.wake, &x->cancel);
}

static const struct hf_remote_ops ops = {send, cancel};

/* ---- making and ending ---- */

enum hf_err hf_between_new(struct hf_kernel *k, struct hf_wake *wake, size_t window,
                           struct hf_between **ret)
{
    struct hf_between *b = calloc(1, sizeof *b);
    if (b == NULL)
        return HF_LIMIT;
    b->k = k;
    b->window = window;
    b->port.answer = on_answer;
    hf_carrier_init(&b->carrier, wake);
    hf_map_init(&b->out, 0);
    hf_list_init(&b->all_out);
    hf_list_init(&b->routes);
    *ret = b;
    return HF_OK;
}

static void class_gone(void *ctx, const struct hf_class_stats *last)
{
    struct route *r = ctx;
    void (*gone)(void *ctx, const struct hf_class_stats *last) = r->gone;
    void *gone_ctx = r->gone_ctx;
    route_unref(r);
    if (gone != NULL)
        gone(gone_ctx, last);
}

enum hf_err hf_between_add(struct hf_between *b, const char *name, struct hf_between *there,
                           const struct hf_remote_settings *s, struct hf_class **ret,
                           struct hf_report *report)
{
    struct route *r = calloc(1, sizeof *r);
    if (r == NULL || (r->name = strdup(name)) == NULL) {
        free(r);
        return hf_report_set(report, HF_LIMIT, "out of memory");
    }
    r->here = b;
    r->there = there;
    r->refs = 1;
    r->gone = s->gone;
    r->gone_ctx = s->gone_ctx;
    hf_list_push_back(&b->routes, &r->in_here);
    struct hf_remote_settings way = *s;
    way.ops = &ops;
    way.ctx = way.gone_ctx = r;
    way.gone = class_gone;
    enum hf_err err = hf_class_add_remote(b->k, name, &way, ret, report);
    if (err != HF_OK)
        route_unref(r);
    return err;
}

void hf_between_flush(struct hf_between *b)
{
    hf_carrier_flush(&b->carrier);
}

bool hf_between_busy(const struct hf_between *b)
{
    return hf_carrier_busy(&b->carrier);
}

bool hf_between_idle(const struct hf_between *b)
{
    return b->n_in == 0 && hf_list_empty(&b->all_out) && hf_list_empty(&b->carrier.from_here);
}

struct hf_carrier *hf_between_carrier(struct hf_between *b)
{
    return &b->carrier;
}

void hf_between_stop(struct hf_between *b)
{
    if (b != NULL)
        hf_carrier_stop(&b->carrier);
}

void hf_between_free(struct hf_between *b)
{
    if (b == NULL)
        return;
    hf_carrier_free_all(&b->carrier);
    while (!hf_list_empty(&b->all_out))
        crossing_free(HF_LIST_ENTRY(b->all_out.next, struct crossing, in_home));
    HF_ASSERT(hf_list_empty(&b->routes)); /* their classes went with the kernel */
    hf_map_done(&b->out);
    free(b);
}
