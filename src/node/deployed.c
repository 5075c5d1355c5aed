/* deployed.c - see deployed.h. */
#include "node/deployed.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "node/component_store.h"
#include "node/whole_file.h"

void hf_deployed_done(struct hf_deployed *d)
{
    HF_VEC_DONE(d);
}

/* ---- reading ---- */

#define WHAT_TO_DO "remove the file to go without what was deployed"

static enum hf_err wrong(struct hf_report *report, const char *file, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum hf_err wrong(struct hf_report *report, const char *file, const char *fmt, ...)
{
    char words[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return hf_report_set(report, HF_CORRUPT,
                         "%s is no record of what was deployed: %s; " WHAT_TO_DO, file, words);
}

static bool read_hash(const json_t *o, const char *member, uint8_t hash[HF_SHA256_LEN])
{
    const char *text = json_string_value(json_object_get(o, member));
    return text != NULL && hf_component_hash_of(text, hash);
}

static enum hf_err read_deployment(const json_t *o, const char *file, size_t i,
                                   struct hf_deployed_service *s, struct hf_report *report)
{
    const json_t *before = json_object_get(o, "before"), *at = json_object_get(o, "at_unix_ms");
    s->deployed = true;
    s->has_before = !json_is_null(before);
    if (!json_is_object(o))
        return wrong(report, file, "\"deployed\" of service %zu is no object", i);
    if (!read_hash(o, "component", s->component))
        return wrong(report, file,
                     "the \"component\" that was deployed to service %zu is no \"sha256:...\"", i);
    if (before == NULL || (s->has_before && !read_hash(o, "before", s->before)))
        return wrong(report, file,
                     "the \"before\" of service %zu is neither null nor a \"sha256:...\"", i);
    if (!json_is_integer(at) || json_integer_value(at) < 0)
        return wrong(report, file, "\"at_unix_ms\" of service %zu is no time", i);
    s->at_unix_ms = (uint64_t)json_integer_value(at);
    return HF_OK;
}

static enum hf_err read_service(const json_t *o, const char *file, size_t i,
                                struct hf_deployed *ret, struct hf_report *report)
{
    struct hf_deployed_service s = {.deployed = false};
    const json_t *name = json_object_get(o, "name"), *deployed = json_object_get(o, "deployed");
    size_t len = json_string_length(name);
    if (!json_is_string(name) || len == 0 || len > HF_SERVICE_NAME_MAX ||
        strlen(json_string_value(name)) != len)
        return wrong(report, file, "service %zu has no \"name\" of 1 to %d bytes", i,
                     HF_SERVICE_NAME_MAX);
    memcpy(s.name, json_string_value(name), len);
    if (hf_deployed_find(ret, s.name) != NULL)
        return wrong(report, file, "service \"%s\" is there twice", s.name);
    if (!read_hash(o, "manifest", s.manifest))
        return wrong(report, file, "\"manifest\" of service %zu is no \"sha256:...\"", i);
    enum hf_err err = deployed == NULL ? HF_OK : read_deployment(deployed, file, i, &s, report);
    if (err == HF_OK && !HF_VEC_PUSH(ret, s))
        err = hf_report_set(report, HF_LIMIT, "out of memory");
    return err;
}

static enum hf_err read_all(const json_t *o, const char *file, struct hf_deployed *ret,
                            struct hf_report *report)
{
    const json_t *version = json_object_get(o, "version"),
                 *services = json_object_get(o, "services");
    enum hf_err err = HF_OK;
    if (!json_is_integer(version) || json_integer_value(version) < 1)
        return wrong(report, file, "it has no \"version\"");
    if (json_integer_value(version) > HF_DEPLOYED_VERSION)
        return hf_report_set(report, HF_UNSUPPORTED,
                             "%s was written by a newer Holdfast: its version is %lld, this one "
                             "knows %d; " WHAT_TO_DO,
                             file, (long long)json_integer_value(version), HF_DEPLOYED_VERSION);
    if (!json_is_array(services))
        return wrong(report, file, "it has no \"services\"");
    if (json_array_size(services) > HF_DEPLOYED_MAX)
        return wrong(report, file, "it has %zu services, more than %u", json_array_size(services),
                     HF_DEPLOYED_MAX);
    for (size_t i = 0; i < json_array_size(services) && err == HF_OK; i++)
        err = read_service(json_array_get(services, i), file, i + 1, ret, report);
    return err;
}

enum hf_err hf_deployed_parse(struct hf_view text, const char *file, struct hf_deployed *ret,
                              struct hf_report *report)
{
    json_error_t e;
    *ret = (struct hf_deployed){0};
    if (text.len > HF_DEPLOYED_BYTES_MAX)
        return hf_report_set(
            report, HF_CORRUPT,
            "%s has more than %u MiB: that is no record of what was deployed; " WHAT_TO_DO, file,
            HF_DEPLOYED_BYTES_MAX >> 20);
    json_t *o = json_loadb(text.len == 0 ? "" : (const char *)text.ptr, text.len,
                           JSON_REJECT_DUPLICATES, &e);
    if (o == NULL)
        return wrong(report, file, "line %d, column %d: %s", e.line, e.column, e.text);
    enum hf_err err = read_all(o, file, ret, report);
    json_decref(o);
    if (err != HF_OK)
        hf_deployed_done(ret);
    return err;
}

enum hf_err hf_deployed_read(const char *dir, struct hf_deployed *ret, struct hf_report *report)
{
    struct hf_report why;
    struct hf_buf text = {0};
    char *path = NULL;
    *ret = (struct hf_deployed){0};
    hf_report_init(&why);
    if (asprintf(&path, "%s/" HF_DEPLOYED_FILE, dir) < 0)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    enum hf_err err = hf_whole_file_read(path, HF_DEPLOYED_BYTES_MAX, &text, &why);
    if (err == HF_NOT_FOUND)
        err = HF_OK;
    else if (err != HF_OK)
        err = hf_report_set(report, err, "%s; " WHAT_TO_DO, why.text);
    else
        err = hf_deployed_parse(hf_buf_view(&text), path, ret, report);
    hf_buf_done(&text);
    free(path);
    return err;
}

/* ---- writing ---- */

static json_t *hash_json(const uint8_t hash[HF_SHA256_LEN])
{
    char text[HF_COMPONENT_TEXT_MAX];
    return json_string(hf_component_hash_text(hash, text));
}

/* A name may be any bytes but control characters: what is no UTF-8 has no place in JSON, and such a
 * service none here. */
static json_t *service_json(const struct hf_deployed_service *s)
{
    json_t *o = json_pack("{s:s,s:o}", "name", s->name, "manifest", hash_json(s->manifest));
    if (s->deployed)
        json_object_set_new(o, "deployed",
                            json_pack("{s:o,s:o,s:I}", "component", hash_json(s->component),
                                      "before", s->has_before ? hash_json(s->before) : json_null(),
                                      "at_unix_ms", (json_int_t)s->at_unix_ms));
    return o;
}

static int add_text(const char *text, size_t len, void *to)
{
    return hf_buf_add(to, text, len) == HF_OK ? 0 : -1;
}

enum hf_err hf_deployed_write(const struct hf_deployed *d, struct hf_buf *ret)
{
    json_t *services = json_array(),
           *o = json_pack("{s:i,s:o}", "version", HF_DEPLOYED_VERSION, "services", services);
    bool ok = o != NULL;
    for (size_t i = 0; i < d->len && ok; i++)
        ok = json_array_append_new(services, service_json(&d->ptr[i])) == 0;
    ok = ok && json_dump_callback(o, add_text, ret, JSON_INDENT(2)) == 0 &&
         hf_buf_add_byte(ret, '\n') == HF_OK;
    json_decref(o);
    return ok ? HF_OK : HF_LIMIT;
}

/* ---- looking ---- */

const struct hf_deployed_service *hf_deployed_find(const struct hf_deployed *d, const char *name)
{
    for (size_t i = 0; i < d->len; i++)
        if (strcmp(d->ptr[i].name, name) == 0)
            return &d->ptr[i];
    return NULL;
}

static bool same(const struct hf_deployed_service *a, const struct hf_deployed_service *b)
{
    return strcmp(a->name, b->name) == 0 && memcmp(a->manifest, b->manifest, HF_SHA256_LEN) == 0 &&
           a->deployed == b->deployed && a->has_before == b->has_before &&
           memcmp(a->component, b->component, HF_SHA256_LEN) == 0 &&
           memcmp(a->before, b->before, HF_SHA256_LEN) == 0 && a->at_unix_ms == b->at_unix_ms;
}

bool hf_deployed_same(const struct hf_deployed *a, const struct hf_deployed *b)
{
    bool ret = a->len == b->len;
    for (size_t i = 0; i < a->len && ret; i++)
        ret = same(&a->ptr[i], &b->ptr[i]);
    return ret;
}

enum hf_err hf_deployed_pins(const struct hf_deployed *d, uint8_t (**ret)[HF_SHA256_LEN], size_t *n)
{
    uint8_t(*pins)[HF_SHA256_LEN] = calloc(3 * d->len + 1, sizeof *pins);
    *ret = pins;
    *n = 0;
    if (pins == NULL)
        return HF_LIMIT;
    for (size_t i = 0; i < d->len; i++) {
        const struct hf_deployed_service *s = &d->ptr[i];
        memcpy(pins[(*n)++], s->manifest, HF_SHA256_LEN);
        if (s->deployed)
            memcpy(pins[(*n)++], s->component, HF_SHA256_LEN);
        if (s->deployed && s->has_before)
            memcpy(pins[(*n)++], s->before, HF_SHA256_LEN);
    }
    return HF_OK;
}
