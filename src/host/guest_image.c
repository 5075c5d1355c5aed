/* guest_image.c - a guest at rest as bytes, and back: its instance's image, and how host objects
 * that it keeps are made again.
 *
 * Kept beyond this process: "HFGUEST1", the two halves of the insecure seed (8 each, little endian; guests may have
 * remembered it), CRC-32C of these 24, then the image (component/image_file.c).
 *
 * Objects that can be kept: standard streams, the network, requests that are over and fields.
 * Everything else belongs to an exchange, a clock or a socket, and is refused by name. So is
 * whatever has a parent or a child among objects: their order of life would have to be kept, too.
 */
#include "host/service_int.h"

#include "base/codec.h"
#include "base/hash.h"
#include "host/http_int.h"

#include <stdlib.h>

static const uint8_t magic[8] = {'H', 'F', 'G', 'U', 'E', 'S', 'T', '1'};
/* Of an instance that is evicted: what is in its image is the difference to the service's, where that has one. */
static const uint8_t evicted[8] = {'H', 'F', 'E', 'V', 'I', 'C', 'T', '1'};
#define HEAD_LEN 28u

/* ---- recipes ---- */

static enum hf_err refuse(const struct hf_obj *obj, const char *why, struct hf_report *report)
{
    return hf_report_set(report, HF_UNSUPPORTED, "it keeps %s %s%s",
                         strchr("aeiou", obj->kind[0]) != NULL ? "an" : "a", obj->kind, why);
}

static enum hf_err check_alone(const struct hf_obj *obj, struct hf_report *report)
{
    return obj->parent != NULL || hf_obj_has_children(obj)
               ? refuse(obj, " that belongs to another object", report)
               : HF_OK;
}

static enum hf_err no_memory(struct hf_report *report)
{
    return hf_report_set(report, HF_LIMIT, "out of memory");
}

static enum hf_err bad_recipe(struct hf_report *report)
{
    return hf_report_set(report, HF_CORRUPT, "the recipe of a host object is damaged");
}

/* input-stream: 1 byte, closed for the guest. Only one that is at its end: stdin of a service. */
static enum hf_err save_in_stream(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    const struct hf_in_stream *s = obj;
    enum hf_err err = check_alone(&s->obj, report);
    if (err != HF_OK)
        return err;
    if (!hf_in_stream_is_empty(s))
        return refuse(&s->obj, " of a body or a file", report);
    return hf_buf_add_byte(ret, s->closed);
}

static enum hf_err load_in_stream(void *ctx, struct hf_view recipe, void **ret,
                                  struct hf_report *report)
{
    if (recipe.len != 1 || recipe.ptr[0] > 1)
        return bad_recipe(report);
    struct hf_in_stream *s = hf_in_stream_empty(ctx, NULL);
    if (s == NULL)
        return no_memory(report);
    s->closed = recipe.ptr[0];
    *ret = s;
    return HF_OK;
}

/* output-stream: 1 byte, stdout or stderr; 1 closed for the guest; 8 what it may still write. */
static enum hf_err save_out_stream(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    struct hf_out_stream *s = obj;
    enum hf_log_stream which;
    enum hf_err err = check_alone(&s->obj, report);
    if (err != HF_OK)
        return err;
    if (!hf_out_stream_is_log(s, &which))
        return refuse(&s->obj, " of a body or a file", report);
    err = hf_buf_add_byte(ret, (uint8_t)which);
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, s->closed);
    return err == HF_OK ? hf_write_u64le(ret, s->permit) : err;
}

static enum hf_err load_out_stream(void *ctx, struct hf_view recipe, void **ret,
                                   struct hf_report *report)
{
    struct hf_reader r = hf_reader(recipe);
    uint8_t which = hf_read_u8(&r), closed = hf_read_u8(&r);
    uint64_t permit = hf_read_u64le(&r);
    if (r.bad || r.at != r.end || which > HF_LOG_STDERR || closed > 1)
        return bad_recipe(report);
    struct hf_out_stream *s = hf_log_stream_new(ctx, (enum hf_log_stream)which);
    if (s == NULL)
        return no_memory(report);
    s->closed = closed;
    s->permit = permit;
    *ret = s;
    return HF_OK;
}

static enum hf_err save_network(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    (void)ret;
    return check_alone(obj, report);
}

static enum hf_err load_network(void *ctx, struct hf_view recipe, void **ret,
                                struct hf_report *report)
{
    if (recipe.len != 0)
        return bad_recipe(report);
    *ret = hf_obj_new(ctx, sizeof(struct hf_obj), "network", NULL, NULL);
    return *ret == NULL ? no_memory(report) : HF_OK;
}

/* fields: 1 byte, immutable; then a head (base/head.h) with them. */
static enum hf_err save_fields(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    const struct hf_fields *f = obj;
    struct hf_head head = hf_field_store_head(f->store);
    struct hf_head_writer w;
    enum hf_err err = check_alone(&f->obj, report);
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, f->immutable);
    if (err == HF_OK)
        err = hf_head_begin_response(&w, ret, 0, 200);
    if (err == HF_OK)
        err = hf_head_fields(&w, &head);
    if (err == HF_OK)
        hf_head_end(&w);
    return err;
}

static enum hf_err load_fields(void *ctx, struct hf_view recipe, void **ret,
                               struct hf_report *report)
{
    struct hf_head head;
    if (recipe.len < 1 || recipe.ptr[0] > 1 ||
        hf_head_read(hf_view_skip(recipe, 1), &head, NULL) != HF_OK)
        return bad_recipe(report);
    struct hf_field_store *s = hf_field_store_new(ctx);
    if (s != NULL && hf_buf_add_view(&s->buf, head.fields) != HF_OK) {
        hf_field_store_unref(s);
        s = NULL;
    }
    struct hf_fields *f = s == NULL ? NULL : hf_fields_make(ctx, s, recipe.ptr[0]);
    if (f == NULL)
        return no_memory(report);
    s->n = head.n_fields;
    *ret = f;
    return HF_OK;
}

/* incoming-request: 1 byte, its body was taken; then its head. Its exchange is over: the body, if
 * nobody took it, reads as none. */
static enum hf_err save_request(void *obj, struct hf_buf *ret, struct hf_report *report)
{
    const struct hf_incoming_request *r = obj;
    enum hf_err err = check_alone(&r->obj, report);
    if (err == HF_OK && r->blob != NULL)
        err = refuse(&r->obj, " that is being answered", report);
    if (err == HF_OK)
        err = hf_buf_add_byte(ret, r->consumed);
    return err == HF_OK ? hf_buf_add_view(ret, hf_buf_view(&r->store->buf)) : err;
}

static enum hf_err load_request(void *ctx, struct hf_view recipe, void **ret,
                                struct hf_report *report)
{
    struct hf_incoming_request *r;
    if (recipe.len < 1 || recipe.ptr[0] > 1)
        return bad_recipe(report);
    enum hf_err err = hf_http_remake_request(ctx, hf_view_skip(recipe, 1), &r, report);
    if (err != HF_OK)
        return err == HF_LIMIT ? err : HF_CORRUPT;
    r->consumed = recipe.ptr[0];
    *ret = r;
    return HF_OK;
}

enum hf_err hf_host_bind_images(struct hf_registry *reg, struct hf_report *report)
{
    static const struct {
        const char *iface, *name;
        struct hf_host_recipe recipe;
    } all[] = {
        {"wasi:io/streams", "input-stream", {save_in_stream, load_in_stream}},
        {"wasi:io/streams", "output-stream", {save_out_stream, load_out_stream}},
        {"wasi:sockets/network", "network", {save_network, load_network}},
        {"wasi:http/types", "fields", {save_fields, load_fields}},
        {"wasi:http/types", "incoming-request", {save_request, load_request}},
    };
    enum hf_err err = HF_OK;
    for (size_t i = 0; i < HF_ARRAY_LEN(all) && err == HF_OK; i++)
        err = hf_registry_bind_recipe(reg, all[i].iface, all[i].name, &all[i].recipe, report);
    return err;
}

/* ---- a guest as bytes ---- */

static enum hf_err save_head(const struct hf_guest *g, const uint8_t what[8], struct hf_buf *ret)
{
    size_t start = ret->len;
    enum hf_err err = hf_buf_add(ret, what, sizeof magic);
    for (size_t i = 0; i < HF_ARRAY_LEN(g->seed) && err == HF_OK; i++)
        err = hf_write_u64le(ret, g->seed[i]);
    return err == HF_OK ? hf_write_u32le(ret, hf_crc32c(0, ret->ptr + start, 24)) : err;
}

/* `base`: NULL, all of it. */
static enum hf_err save(struct hf_guest *g, const uint8_t what[8], struct hf_image *base, struct hf_buf *ret,
                        struct hf_report *report)
{
    struct hf_service_worker *w = g->worker;
    struct hf_image *img = NULL;
    size_t before = ret->len;
    if (g->http != NULL || g->invoking || g->mail.busy || g->commanding || g->exited)
        return hf_report_set(report, HF_INVALID, "a guest is saved between its calls only");
    hf_guest_log_flush(g);
    if (w->scanner == NULL) /* without one, every page is read */
        (void)hf_scanner_new(&w->scanner, NULL);
    enum hf_err err = base == NULL ? hf_image_take_written(g->inst, w->scanner, &img, report)
                                   : hf_image_take_since(g->inst, w->scanner, base, &img, report);
    if (err == HF_OK && !hf_image_portable(img, report))
        err = HF_UNSUPPORTED;
    if (err == HF_OK)
        err = save_head(g, what, ret);
    if (err == HF_OK)
        err = hf_image_save_buf(img, ret, report);
    hf_image_unref(img);
    if (err != HF_OK && ret->ptr != NULL) {
        ret->len = before;
        ret->ptr[before] = '\0';
    }
    return err == HF_OK ? HF_OK : hf_report_set(report, err, "%s", hf_err_text(err));
}

enum hf_err hf_guest_save(struct hf_guest *g, struct hf_buf *ret, struct hf_report *report)
{
    return save(g, magic, NULL, ret, report);
}

enum hf_err hf_guest_evict(struct hf_guest *g, struct hf_buf *ret, struct hf_report *report)
{
    return save(g, evicted, g->worker->svc->image, ret, report);
}

static enum hf_err load(struct hf_guest *g, const uint8_t what[8], struct hf_image *base, struct hf_view bytes,
                        struct hf_report *report)
{
    const struct hf_service *svc = g->worker->svc;
    struct hf_reader r = hf_reader(bytes);
    struct hf_image *img = NULL;
    struct hf_instance_settings settings = hf_guest_instance_settings(g);
    bool ok = hf_view_eq(hf_read_bytes(&r, sizeof magic), hf_view(what, sizeof magic));
    for (size_t i = 0; i < HF_ARRAY_LEN(g->seed); i++)
        g->seed[i] = hf_read_u64le(&r);
    uint32_t crc = hf_read_u32le(&r);
    if (!ok || r.bad || crc != hf_crc32c(0, bytes.ptr, 24))
        return hf_report_set(report, HF_CORRUPT,
                             "the saved guest is damaged (in its first %u bytes)", HEAD_LEN);
    enum hf_err err = hf_image_parse(svc->component, hf_view_skip(bytes, HEAD_LEN), &img, report);
    if (err == HF_OK && base != NULL)
        hf_image_set_base(img, base);
    if (err == HF_OK)
        err = hf_image_load(img, &settings, &g->inst, report);
    hf_image_unref(img);
    return err;
}

enum hf_err hf_guest_load(struct hf_guest *g, struct hf_view bytes, struct hf_report *report)
{
    return load(g, magic, NULL, bytes, report);
}

enum hf_err hf_guest_revive(struct hf_guest *g, struct hf_view bytes, struct hf_report *report)
{
    return load(g, evicted, g->worker->svc->image, bytes, report);
}
