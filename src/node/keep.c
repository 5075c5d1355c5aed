/* keep.c - see keep.h. */
#include "node/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf.h"
#include "base/vec.h"
#include "node/node_int.h"
#include "node/whole_file.h"

/* ---- the folder ---- */

enum hf_err hf_keep_open(const char *dir, uint64_t count_max, uint64_t bytes_max,
                         struct hf_keep **ret, struct hf_report *report)
{
    struct hf_keep *k = calloc(1, sizeof *k);
    *ret = NULL;
    if (k == NULL)
        return hf_report_set(report, HF_LIMIT, "out of memory");
    enum hf_err err = hf_component_store_init(&k->store, dir, count_max, bytes_max);
    if (err == HF_OK && asprintf(&k->path, "%s/" HF_DEPLOYED_FILE, dir) < 0) {
        k->path = NULL;
        err = HF_LIMIT;
    }
    if (err != HF_OK)
        hf_report_set(report, err, "out of memory");
    else
        err = hf_deployed_read(dir, &k->record, report);
    if (err == HF_OK) {
        hf_whole_file_abort(k->path); /* what one that was killed was about to write */
        *ret = k;
    } else {
        hf_keep_close(k);
    }
    return err;
}

void hf_keep_close(struct hf_keep *k)
{
    if (k == NULL)
        return;
    hf_component_store_done(&k->store);
    hf_deployed_done(&k->record);
    hf_deployed_done(&k->next);
    free(k->path);
    free(k);
}

/* ---- looking ---- */

void hf_keep_what(const uint8_t hash[HF_SHA256_LEN], uint64_t at_unix_ms, char to[96])
{
    char hex[2 * HF_SHA256_LEN + 1], when[32] = "long ago";
    time_t t = (time_t)(at_unix_ms / 1000);
    struct tm tm;
    hf_hex(hash, HF_SHA256_LEN, hex);
    if (gmtime_r(&t, &tm) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm);
    snprintf(to, 96, "sha256:%.12s, deployed %s", hex, when);
}

const struct hf_deployed_service *hf_keep_deployed(struct hf_node *node,
                                                   const struct hf_app_entry *e)
{
    const struct hf_service_options *o = &e->options->o;
    const struct hf_deployed_service *d =
        node->keep == NULL ? NULL : hf_deployed_find(&node->keep->record, o->name);
    char what[96], hex[2 * HF_SHA256_LEN + 1];
    if (d == NULL || !d->deployed || o->kind != HF_KIND_SERVICE)
        return NULL;
    bool same = memcmp(d->manifest, e->file, HF_SHA256_LEN) == 0;
    hf_keep_what(d->component, d->at_unix_ms, what);
    hf_hex(e->file, HF_SHA256_LEN, hex);
    if (!same)
        hf_log_say(
            node->log, "notice",
            "service %s: %s is another component (sha256:%.12s) than when %s; it is what is served",
            o->name, o->path, hex, what);
    else if (!node->opt.quiet && memcmp(d->component, e->file, HF_SHA256_LEN) != 0)
        hf_log_say(node->log, "notice", "service %s: serves %s, not %s", o->name, what, o->path);
    return same ? d : NULL;
}

enum hf_err hf_keep_get(struct hf_node *node, const uint8_t hash[HF_SHA256_LEN], struct hf_buf *ret,
                        struct hf_report *report)
{
    char text[HF_COMPONENT_TEXT_MAX];
    if (node->keep == NULL)
        return hf_report_set(report, HF_NOT_FOUND, "%s: there is no component store",
                             hf_component_hash_text(hash, text));
    enum hf_err err = hf_component_store_get(&node->keep->store, hash, ret, report);
    return err == HF_OK
               ? HF_OK
               : hf_report_wrap(
                     report, err,
                     "what was deployed cannot be had (without %s what the options name is served)",
                     node->keep->path);
}

const struct hf_deployed_service *hf_keep_has(const struct hf_node *node, const char *name,
                                              const uint8_t hash[HF_SHA256_LEN])
{
    const struct hf_deployed_service *d =
        node->keep == NULL ? NULL : hf_deployed_find(&node->keep->record, name);
    return d != NULL && d->deployed && memcmp(d->component, hash, HF_SHA256_LEN) == 0 ? d : NULL;
}

/* ---- the next record ---- */

struct arrivals { /* what is about to be put into the store */
    uint8_t hash[2][HF_SHA256_LEN];
    size_t n;
};

static bool will_have(const struct hf_keep *k, const struct arrivals *a,
                      const uint8_t hash[HF_SHA256_LEN])
{
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(a->hash[i], hash, HF_SHA256_LEN) == 0)
            return true;
    return hf_component_store_has(&k->store, hash);
}

static enum hf_err add_entry(struct hf_keep *k, const struct arrivals *a,
                             const struct hf_app_entry *e)
{
    const uint8_t *serves = hf_component_hash(e->service->component);
    struct hf_deployed_service s = {.deployed = false};
    struct hf_view name = hf_view_of(e->options->o.name);
    if (!hf_utf8_valid(name.ptr, name.len)) /* it has no place in JSON */
        return HF_OK;
    memcpy(s.name, name.ptr, name.len);
    memcpy(s.manifest, e->file, sizeof s.manifest);
    if (e->deployed_ms != 0 &&
        (memcmp(serves, e->file, HF_SHA256_LEN) == 0 || will_have(k, a, serves))) {
        s.deployed = true;
        s.at_unix_ms = e->deployed_ms;
        memcpy(s.component, serves, sizeof s.component);
        s.has_before = e->has_kept && will_have(k, a, e->kept_hash);
        if (s.has_before)
            memcpy(s.before, e->kept_hash, sizeof s.before);
    }
    return !s.deployed && !will_have(k, a, s.manifest) ? HF_OK
           : HF_VEC_PUSH(&k->next, s)                  ? HF_OK
                                                       : HF_LIMIT;
}

static enum hf_err make_next(struct hf_keep *k, const struct hf_app *to, bool whole,
                             const struct arrivals *a)
{
    enum hf_err err = HF_OK;
    k->next.len = 0;
    for (size_t i = 0; i < to->n && err == HF_OK; i++)
        err = add_entry(k, a, &to->entries[i]);
    for (size_t i = 0; i < k->record.len && !whole && err == HF_OK; i++)
        if (hf_app_find(to, k->record.ptr[i].name) == NULL && k->next.len < HF_DEPLOYED_MAX)
            err = HF_VEC_PUSH(&k->next, k->record.ptr[i]) ? HF_OK : HF_LIMIT;
    return err;
}

/* ---- a change ---- */

static enum hf_err put_all(struct hf_keep *k, const struct hf_view *news, size_t n,
                           struct arrivals *a, struct hf_report *report)
{
    uint8_t(*pins)[HF_SHA256_LEN];
    size_t n_pins, n_more = 0;
    uint64_t more = 0;
    for (size_t i = 0; i < a->n; i++)
        if (!hf_component_store_has(&k->store, a->hash[i])) {
            n_more++;
            more += news[i].len;
        }
    enum hf_err err = hf_deployed_pins(&k->next, &pins, &n_pins);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    err = hf_component_store_room(&k->store, (const uint8_t(*)[HF_SHA256_LEN])pins, n_pins, n_more,
                                  more, report);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        err = hf_component_store_put(&k->store, news[i], a->hash[i], report);
    free(pins);
    return err;
}

static enum hf_err prepare(struct hf_keep *k, struct hf_report *report)
{
    struct hf_buf text = {0};
    enum hf_err err = hf_deployed_write(&k->next, &text);
    if (err != HF_OK)
        hf_report_set(report, err, "out of memory");
    else
        err = hf_whole_file_prepare(k->path, hf_buf_view(&text), report);
    hf_buf_done(&text);
    return err;
}

enum hf_err hf_keep_begin(struct hf_node *node, const struct hf_app *to, bool whole,
                          const struct hf_view *news, size_t n_news, struct hf_report *report)
{
    struct hf_keep *k = node->keep;
    struct arrivals a = {.n = 0};
    if (k == NULL)
        return HF_OK;
    HF_ASSERT(n_news <= HF_ARRAY_LEN(a.hash) && !k->begun);
    for (; a.n < n_news; a.n++)
        hf_sha256(news[a.n].ptr, news[a.n].len, a.hash[a.n]);
    enum hf_err err = make_next(k, to, whole, &a);
    if (err != HF_OK)
        return hf_report_set(report, err, "out of memory");
    if (n_news == 0 && !k->doubt && hf_deployed_same(&k->record, &k->next))
        return HF_OK;
    err = hf_component_store_lock(&k->store, report);
    if (err == HF_OK)
        err = put_all(k, news, n_news, &a, report);
    if (err == HF_OK)
        err = prepare(k, report);
    k->begun = err == HF_OK;
    if (err != HF_OK)
        hf_component_store_unlock(&k->store);
    return err == HF_OK ? HF_OK : hf_report_wrap(report, err, "it cannot be kept");
}

/* What nothing refers to leaves, oldest first, when there is too much of it. That it cannot is no
 * failure of the change. */
static void tidy(struct hf_node *node)
{
    struct hf_keep *k = node->keep;
    struct hf_report why;
    uint8_t(*pins)[HF_SHA256_LEN];
    size_t n, removed = 0;
    hf_report_init(&why);
    if (hf_deployed_pins(&k->record, &pins, &n) != HF_OK)
        return;
    enum hf_err err = hf_component_store_prune(&k->store, (const uint8_t(*)[HF_SHA256_LEN])pins, n,
                                               &removed, &why);
    if (err != HF_OK)
        hf_log_say(node->log, "notice", "components that nothing uses could not be removed: %s",
                   why.text);
    else if (removed > 0 && !node->opt.quiet)
        hf_log_say(node->log, "notice", "%zu component%s that nothing uses removed from %s",
                   removed, removed == 1 ? "" : "s", k->store.folder);
    free(pins);
}

enum hf_err hf_keep_end(struct hf_node *node, bool done, struct hf_report *report)
{
    struct hf_keep *k = node->keep;
    enum hf_err err = HF_OK;
    if (k == NULL || !k->begun)
        return HF_OK;
    k->begun = false;
    if (done)
        err = hf_whole_file_commit(k->path, report);
    k->doubt = done && err != HF_OK;
    if (done && err == HF_OK) {
        struct hf_deployed was = k->record;
        k->record = k->next;
        k->next = was;
        tidy(node);
    } else {
        hf_whole_file_abort(k->path);
    }
    hf_component_store_unlock(&k->store);
    return err == HF_OK
               ? HF_OK
               : hf_report_wrap(report, err, "it is served now, and will not be after a restart");
}
