/* app.h - what a node serves at one time: its services and the routes to them.
 *
 * An app is never changed: a change makes the next one, most of whose services are those of the one before. Services are
 * shared by apps and by workers that still let one go, counted by references that any thread may move. The last reference
 * frees what may take long (compiled code is unmapped), so a worker's thread hands that to the jobs.
 */
#ifndef HF_NODE_APP_H
#define HF_NODE_APP_H

#include "component/component.h"
#include "gateway/route.h"
#include "host/io.h"
#include "host/service.h"
#include "kernel/kernel.h"
#include "node/options.h"
#include "os/jobs.h"

#define HF_SERVICES_MAX 1000

struct hf_node;

/* One service in one form: other options or another component are another one, of the same name. */
struct hf_app_service {
    _Atomic uint32_t refs;
    struct hf_node *node;
    struct hf_options *options;
    struct hf_component *component;
    struct hf_service *svc;
    struct hf_class_settings class_settings; /* a worker's share of the limits; each worker fills in what is its own */
    bool singleton; /* one instance, on worker `home`: the others send their requests there */
    uint32_t home;
    uint64_t generation; /* unique in the node: later ones are higher */
    struct hf_job ending;
};

struct hf_app_entry {
    struct hf_app_service *service;
    struct hf_options *options;   /* as asked for last: routes may differ from the service's */
    /* SHA-256 of what lay at options->o.path when it was asked for, or when one was deployed: the service's differs then */
    uint8_t file[32];
    uint64_t deployed_ms;      /* since 1970: when the service's component was deployed; 0: it is what the options name */
    bool has_kept;             /* a rollback puts this one back; else nothing was deployed */
    uint8_t kept_hash[32];
    struct hf_component *kept; /* it; NULL: it is in the component store (keep.h) */
};

struct hf_app {
    _Atomic uint32_t refs;
    struct hf_route_table *routes;
    size_t n;
    struct hf_job ending;
    struct hf_app_entry entries[];
};

/* The name and tenant of a service; lent. */
static inline const char *hf_app_service_name(const struct hf_app_service *s)
{
    return s->options->o.name;
}
static inline const char *hf_app_service_tenant(const struct hf_app_service *s)
{
    return s->options->o.tenant != NULL ? s->options->o.tenant : "default";
}

/* Is it a class of named processes? */
static inline bool hf_app_service_is_class(const struct hf_app_service *s)
{
    return s->options->o.kind != HF_KIND_SERVICE;
}

struct hf_app_service *hf_app_service_ref(struct hf_app_service *s);
struct hf_app *hf_app_ref(struct hf_app *app);
/* `io`: of the worker whose thread this is, while it has jobs; NULL: here and now. NULL services and apps are fine. */
void hf_app_service_unref(struct hf_app_service *s, struct hf_io *io);
void hf_app_unref(struct hf_app *app, struct hf_io *io);

/* The entry of that name, or NULL. `app` may be NULL. */
const struct hf_app_entry *hf_app_find(const struct hf_app *app, const char *name);

/* ---- making the next one: on the caller's thread, which may take long; one change of a node at a time ----
 * In all of them: `from` may be NULL, components are loaded, checked, and started once where they are new. On failure *ret is
 * untouched and msg says which service, and what is wrong with it. */

/* These services and no others. */
enum hf_status hf_app_of(struct hf_node *node, const struct hf_app *from, const struct hf_service_options *services, size_t n,
                         struct hf_app **ret, struct hf_words *msg);
/* One more. */
enum hf_status hf_app_and(struct hf_node *node, const struct hf_app *from, const struct hf_service_options *service,
                          struct hf_app **ret, struct hf_words *msg);
/* Service `name` with another component (a reference is taken), deployed at that time; the one that it has is kept. */
enum hf_status hf_app_with(struct hf_node *node, const struct hf_app *from, const char *name, struct hf_component *component,
                           uint64_t deployed_ms, struct hf_app **ret, struct hf_words *msg);

#endif
