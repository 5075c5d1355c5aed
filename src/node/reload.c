/* reload.c - a running node reads its manifest again: services change, what is for a start is said. */
#include "node/manifest_int.h"
#include "node/node_int.h"

#include <stdio.h>

/* What an app has become, in words, from the services that there were and those that there are. */
static enum hf_err tell(const struct hf_app *was, const struct hf_app *is, struct hf_buf *ret)
{
    size_t same = 0;
    enum hf_err err = HF_OK;
    for (size_t i = 0; is != NULL && i < is->n && err == HF_OK; i++) {
        const char *name = is->entries[i].options->o.name;
        const struct hf_app_entry *old = hf_app_find(was, name);
        if (old != NULL && old->service == is->entries[i].service)
            same++;
        else
            err = hf_buf_printf(ret, "%s %s, ", old == NULL ? "new" : "changed", name);
    }
    for (size_t i = 0; was != NULL && i < was->n && err == HF_OK; i++)
        if (hf_app_find(is, was->entries[i].options->o.name) == NULL)
            err = hf_buf_printf(ret, "gone %s, ", was->entries[i].options->o.name);
    return err == HF_OK ? hf_buf_printf(ret, "%zu as before", same) : err;
}

static void done(struct hf_node *node, const struct hf_app *was, const struct hf_manifest *m, struct hf_words *msg)
{
    struct hf_buf changes = {0}, kept = {0};
    bool ok = tell(was, node->app, &changes) == HF_OK;
    if (!node->opt.quiet)
        hf_log_say(node->log, "reload", "%s: %s", m->node.manifest, ok ? (const char *)changes.ptr : "done");
    if (node->manifest != NULL && hf_manifest_differs(node->manifest, m, &kept) == HF_OK && kept.len > 0) {
        snprintf(msg->text, sizeof msg->text, "not changed before the next start: %.*s", HF_FMT(hf_buf_view(&kept)));
        hf_log_say(node->log, "reload", "%s: %s", m->node.manifest, msg->text);
    }
    hf_buf_done(&changes);
    hf_buf_done(&kept);
}

enum hf_status hf_node_reload(struct hf_node *node, const char *path, struct hf_words *msg)
{
    struct hf_words own;
    struct hf_manifest *m = NULL;
    if (msg == NULL)
        msg = &own;
    pthread_mutex_lock(&node->change_lock); /* while it reads, too: of two reloads the later one applies what was written later */
    struct hf_app *was = node->app == NULL ? NULL : hf_app_ref(node->app);
    enum hf_status st = hf_manifest_read(path, &m, msg);
    if (st == HF_STATUS_OK)
        st = hf_node_apply_locked(node, m->services, m->n_services, msg);
    if (st == HF_STATUS_OK)
        done(node, was, m, msg);
    else
        hf_log_say(node->log, "reload", "refused, nothing has changed: %s", msg->text);
    pthread_mutex_unlock(&node->change_lock);
    hf_app_unref(was, NULL);
    hf_manifest_free(m);
    return st;
}
