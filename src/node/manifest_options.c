/* manifest_options.c - from what was read to options, and what a reload compares. No files: manifest.c. */
#include "node/manifest_int.h"
#include "node/component_store.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_DEFAULT "127.0.0.1:8080"

/* ---- from what was read to options ------------------------------------------------------------------------- */

static void *list(struct hf_reading *r, size_t n, size_t size)
{
    void *p = hf_arena_array(&r->m->arena, n, size);
    if (p == NULL)
        r->no_memory = true;
    return p;
}

static void services(struct hf_reading *r)
{
    struct hf_manifest *m = r->m;
    struct hf_route *routes = list(r, r->routes.len + 1, sizeof *routes);
    m->services = list(r, r->services.len + 1, sizeof *m->services);
    if (r->no_memory)
        return;
    for (size_t i = 0; i < r->routes.len; i++)
        routes[i] = r->routes.ptr[i].route;
    for (size_t i = 0; i < r->services.len; i++) {
        const struct hf_reading_service *s = &r->services.ptr[i];
        m->services[i] = s->o;
        m->services[i].routes = routes + s->first_route;
        m->services[i].n_routes = s->n_routes;
    }
    m->n_services = r->services.len;
}

static void listeners(struct hf_reading *r)
{
    static const char *const standard[] = {LISTEN_DEFAULT, NULL};
    struct hf_manifest *m = r->m;
    m->listeners = r->listen.http != NULL ? r->listen.http : standard;
    while (m->listeners[m->n_listeners] != NULL)
        m->n_listeners++;
}

static void admin(struct hf_reading *r)
{
    struct hf_manifest *m = r->m;
    const char *socket = r->admin.socket;
    if (socket == NULL && !r->admin.no_socket)
        socket = hf_reading_join(r, HF_MANIFEST_FOLDER "/admin.sock");
    if (socket != NULL && strlen(socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        hf_mistake(r, 0, "the path of the admin socket, %s, is too long for one: write socket = \"PATH\" in [admin]", socket);
    if (socket != NULL)
        m->admin[m->n_admin++] = hf_reading_print(r, "unix:%s", socket);
    if (r->admin.listen != NULL)
        m->admin[m->n_admin++] = r->admin.listen;
}

#define RESIDENT 500u /* named processes, where nobody says */

/* Components have up to a dozen core instances. */
static uint32_t instances(const struct hf_manifest *m)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t workers = m->node.workers != 0 ? m->node.workers : cores > 0 ? (uint64_t)cores : 1, sum = 0, named = 0;
    for (size_t i = 0; i < m->n_services; i++) {
        const struct hf_service_options *s = &m->services[i];
        if (s->kind != HF_KIND_SERVICE) /* of all of them those that may be in memory */
            named = m->node.resident_max != 0 ? m->node.resident_max : RESIDENT;
        else
            sum += s->instances == HF_INSTANCES_SINGLETON ? 1 : s->max != 0 ? s->max : 64 * workers;
    }
    sum += named;
    return sum * 16 < 1000 ? 1000 : sum * 16 > 20000 ? 20000 : (uint32_t)(sum * 16);
}

/* Components that are named by their content: files of the data folder's store. */
static void stored(struct hf_reading *r)
{
    const char *data = r->m->node.data_dir;
    for (size_t i = 0; i < r->services.len; i++) {
        struct hf_reading_service *s = &r->services.ptr[i];
        if (!s->by_content)
            continue;
        if (data == NULL) {
            hf_mistake(r, s->component_at, "'component' in [services.%s] is named by its content, and there is no data folder to look for it in: "
                                           "data is false in [node]", s->o.name);
            continue;
        }
        s->o.path = hf_reading_print(r, "%s/" HF_COMPONENTS_FOLDER "/" HF_COMPONENT_FILE_BEGINS "%s" HF_COMPONENT_FILE_ENDS, data, s->o.sha256);
        if (s->o.path != NULL && access(s->o.path, F_OK) != 0)
            hf_mistake(r, s->component_at, "'component' in [services.%s] is not in the component store, %s/" HF_COMPONENTS_FOLDER ": put it there "
                                           "with `holdfast components add FILE --data %s`", s->o.name, data, data);
    }
}

void hf_leave_root(struct hf_reading *r)
{
    if (r->m->node.data_dir == NULL && !r->no_data)
        r->m->node.data_dir = hf_reading_join(r, HF_MANIFEST_FOLDER);
    stored(r);
    services(r);
    listeners(r);
    admin(r);
    if (r->m->node.instances_max == 0)
        r->m->node.instances_max = instances(r->m);
}

void hf_manifest_free(struct hf_manifest *m)
{
    if (m == NULL)
        return;
    hf_arena_done(&m->arena);
    free(m);
}

/* ---- what a reload compares -------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_list(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

static bool same_option(const struct hf_key *k, const struct hf_node_options *a, const struct hf_node_options *b)
{
    const char *x, *y, *at = (const char *)a + k->offset, *bt = (const char *)b + k->offset;
    if (k->type != HF_KEY_PATH && k->type != HF_KEY_STRING)
        return memcmp(at, bt, k->width) == 0;
    memcpy(&x, at, sizeof x);
    memcpy(&y, bt, sizeof y);
    return same_text(x, y);
}

static enum hf_err add(struct hf_buf *ret, const char *name)
{
    return hf_buf_printf(ret, "%s%s", ret->len > 0 ? ", " : "", name);
}

enum hf_err hf_manifest_differs(const struct hf_manifest *a, const struct hf_manifest *b, struct hf_buf *ret)
{
    size_t n;
    enum hf_err err = HF_OK;
    const struct hf_key *keys = hf_keys(&n);
    for (size_t i = 0; i < n && err == HF_OK; i++)
        if (strncmp(keys[i].path, "node.", 5) == 0 && keys[i].width > 0 && !same_option(&keys[i], &a->node, &b->node) &&
            strcmp(keys[i].path, "node.instances_max") != 0) /* changes by itself with the services */
            err = add(ret, keys[i].path);
    if (err == HF_OK && !same_list(a->listeners, a->n_listeners, b->listeners, b->n_listeners))
        err = add(ret, "listen.http");
    if (err == HF_OK && (!same_list((const char *const *)a->admin, a->n_admin, (const char *const *)b->admin, b->n_admin) ||
                         !same_text(a->node.admin_token, b->node.admin_token)))
        err = add(ret, "admin");
    return err;
}
