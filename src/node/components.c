/* components.c - the public API of the component store: by hand, without a node, or beside one that
 * runs. */
#include "base/vec.h"
#include "node/node_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define DIGITS_MIN 8u

struct opened {
    struct hf_component_store store;
    struct hf_deployed record;
    struct hf_report report;
};

/* With the lock, what services use stays what it is: a node changes its record under it. */
static enum hf_err open_store(struct opened *o, const char *dir, bool lock)
{
    hf_report_init(&o->report);
    o->record = (struct hf_deployed){0};
    struct stat st;
    enum hf_err err = hf_component_store_init(&o->store, dir, 0, 0);
    if (err != HF_OK)
        return hf_report_set(&o->report, err, "out of memory");
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return hf_report_set(&o->report, HF_IO, "%s: there is no such folder", dir);
    if (lock)
        err = hf_component_store_lock(&o->store, &o->report);
    return err == HF_OK ? hf_deployed_read(dir, &o->record, &o->report) : err;
}

static enum hf_status close_store(struct opened *o, enum hf_err err, struct hf_words *msg)
{
    hf_component_store_done(&o->store);
    hf_deployed_done(&o->record);
    return hf_node_result(err, &o->report, msg);
}

/* ---- adding ---- */

static enum hf_err check_kind(const char *path, struct hf_view bytes, struct hf_report *report)
{
    static const uint8_t begins[8] = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
    if (bytes.len >= sizeof begins && memcmp(bytes.ptr, begins, sizeof begins) == 0)
        return HF_OK;
    if (hf_node_is_core(bytes))
        return hf_report_set(report, HF_INVALID, "%s is a core module, not a component", path);
    return hf_report_set(report, HF_INVALID, "%s is not a WebAssembly component", path);
}

enum hf_status hf_components_add(const char *dir, const char *path, char name[80],
                                 struct hf_words *msg)
{
    struct opened o;
    struct hf_buf bytes = {0};
    uint8_t hash[HF_SHA256_LEN];
    char text[HF_COMPONENT_TEXT_MAX];
    hf_report_init(&o.report);
    enum hf_err err = hf_file_read(path, &bytes, &o.report);
    if (err == HF_OK)
        err = check_kind(path, hf_buf_view(&bytes), &o.report);
    if (err != HF_OK) {
        hf_buf_done(&bytes);
        return hf_node_result(err, &o.report, msg);
    }
    mkdir(dir, 0700); /* there already, or opening the store says what is wrong */
    err = open_store(&o, dir, true);
    if (err == HF_OK)
        err = hf_component_store_put(&o.store, hf_buf_view(&bytes), hash, &o.report);
    if (err == HF_OK)
        snprintf(name, 80, "%s", hf_component_hash_text(hash, text));
    hf_buf_done(&bytes);
    return close_store(&o, err, msg);
}

/* ---- listing ---- */

static bool uses(const struct hf_deployed_service *s, const uint8_t hash[HF_SHA256_LEN])
{
    return memcmp(s->manifest, hash, HF_SHA256_LEN) == 0 ||
           (s->deployed && (memcmp(s->component, hash, HF_SHA256_LEN) == 0 ||
                            (s->has_before && memcmp(s->before, hash, HF_SHA256_LEN) == 0)));
}

static enum hf_err used_by(const struct hf_deployed *record, const uint8_t hash[HF_SHA256_LEN],
                           struct hf_buf *ret)
{
    enum hf_err err = HF_OK;
    hf_buf_clear(ret);
    for (size_t i = 0; i < record->len && err == HF_OK; i++)
        if (uses(&record->ptr[i], hash))
            err = hf_buf_printf(ret, "%s%s", ret->len > 0 ? ", " : "", record->ptr[i].name);
    return err == HF_OK ? hf_buf_add_byte(ret, 0) : err;
}

enum hf_status hf_components_list(const char *dir,
                                  void (*each)(void *ctx, const struct hf_stored_component *c),
                                  void *ctx, struct hf_words *msg)
{
    struct opened o;
    struct hf_stored_list all = {0};
    struct hf_buf by = {0};
    char text[HF_COMPONENT_TEXT_MAX];
    enum hf_err err = open_store(&o, dir, false);
    if (err == HF_OK)
        err = hf_component_store_list(&o.store, &all, &o.report);
    for (size_t i = 0; i < all.len && err == HF_OK; i++) {
        err = used_by(&o.record, all.ptr[i].hash, &by);
        if (err != HF_OK)
            break;
        each(ctx,
             &(struct hf_stored_component){.name = hf_component_hash_text(all.ptr[i].hash, text),
                                           .bytes = all.ptr[i].bytes,
                                           .added_unix_ms = all.ptr[i].used_ns / 1000000,
                                           .used_by = (const char *)by.ptr});
    }
    HF_VEC_DONE(&all);
    hf_buf_done(&by);
    return close_store(&o, err, msg);
}

/* ---- removing ---- */

/* The one whose digits begin so. */
static enum hf_err find(const struct hf_stored_list *all, const char *name, const uint8_t **ret,
                        struct hf_report *report)
{
    const char *digits = strncmp(name, HF_COMPONENT_NAME, strlen(HF_COMPONENT_NAME)) == 0
                             ? name + strlen(HF_COMPONENT_NAME)
                             : name;
    char hex[2 * HF_SHA256_LEN + 1];
    size_t len = strlen(digits), n = 0;
    bool ok = len >= DIGITS_MIN && len < sizeof hex;
    for (size_t i = 0; i < len && ok; i++)
        ok = isxdigit((unsigned char)digits[i]) != 0;
    if (!ok)
        return hf_report_set(
            report, HF_NOT_FOUND,
            "\"%.100s\" is no name of a component: that is sha256: and %u to 64 hexadecimal digits",
            name, DIGITS_MIN);
    for (size_t i = 0; i < all->len; i++) {
        hf_hex(all->ptr[i].hash, HF_SHA256_LEN, hex);
        if (strncasecmp(hex, digits, len) == 0) {
            *ret = all->ptr[i].hash;
            n++;
        }
    }
    if (n == 1)
        return HF_OK;
    return n == 0 ? hf_report_set(report, HF_NOT_FOUND, "there is no component %s", name)
                  : hf_report_set(report, HF_NOT_FOUND,
                                  "there are %zu components that begin with %s", n, name);
}

enum hf_status hf_components_remove(const char *dir, const char *name, struct hf_words *msg)
{
    struct opened o;
    struct hf_stored_list all = {0};
    struct hf_buf by = {0};
    const uint8_t *hash = NULL;
    bool theirs = false; /* what is wrong is the caller's */
    enum hf_err err = open_store(&o, dir, true);
    if (err == HF_OK)
        err = hf_component_store_list(&o.store, &all, &o.report);
    if (err == HF_OK) {
        err = find(&all, name, &hash, &o.report);
        theirs = err == HF_NOT_FOUND;
    }
    if (err == HF_OK)
        err = used_by(&o.record, hash, &by);
    if (err == HF_OK && by.ptr[0] != 0) {
        theirs = true;
        err = hf_report_set(&o.report, HF_NOT_FOUND, "%s is in use: by %s", name,
                            (const char *)by.ptr);
    }
    if (err == HF_OK)
        err = hf_component_store_remove(&o.store, hash, &o.report);
    HF_VEC_DONE(&all);
    hf_buf_done(&by);
    enum hf_status st = close_store(&o, err, msg);
    return theirs ? HF_STATUS_USAGE : st;
}
