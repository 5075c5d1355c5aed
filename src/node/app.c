/* app.c - see app.h: services and apps, their lives. (app_build.c makes the next one.) */
#include "node/app.h"

#include <stdlib.h>
#include <string.h>

/* ---- a service's life ---- */

struct hf_app_service *hf_app_service_ref(struct hf_app_service *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void service_end(struct hf_app_service *s)
{
    hf_service_free(s->svc);
    hf_component_unref(s->component);
    hf_options_unref(s->options);
    s->svc = NULL;
    s->component = NULL;
    s->options = NULL;
}

static void run_service_end(struct hf_job *job)
{
    service_end(HF_CONTAINER_OF(job, struct hf_app_service, ending));
}

static void service_ended(struct hf_job *job)
{
    struct hf_app_service *s = HF_CONTAINER_OF(job, struct hf_app_service, ending);
    if (job->skipped)
        service_end(s);
    free(s);
}

void hf_app_service_unref(struct hf_app_service *s, struct hf_io *io)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    s->ending = (struct hf_job){.run = run_service_end, .done = service_ended};
    if (io != NULL && hf_jobs_submit(io->jobs, &s->ending, io->wake) == HF_OK)
        return;
    service_end(s);
    free(s);
}

/* ---- an app's ---- */

struct hf_app *hf_app_ref(struct hf_app *app)
{
    atomic_fetch_add_explicit(&app->refs, 1, memory_order_relaxed);
    return app;
}

static void app_end(struct hf_app *app)
{
    for (size_t i = 0; i < app->n; i++) {
        hf_app_service_unref(app->entries[i].service, NULL);
        hf_options_unref(app->entries[i].options);
        hf_component_unref(app->entries[i].kept);
    }
    app->n = 0;
    hf_route_table_free(app->routes);
    app->routes = NULL;
}

static void run_app_end(struct hf_job *job)
{
    app_end(HF_CONTAINER_OF(job, struct hf_app, ending));
}

static void app_ended(struct hf_job *job)
{
    struct hf_app *app = HF_CONTAINER_OF(job, struct hf_app, ending);
    if (job->skipped)
        app_end(app);
    free(app);
}

void hf_app_unref(struct hf_app *app, struct hf_io *io)
{
    if (app == NULL || atomic_fetch_sub_explicit(&app->refs, 1, memory_order_acq_rel) != 1)
        return;
    app->ending = (struct hf_job){.run = run_app_end, .done = app_ended};
    if (io != NULL && hf_jobs_submit(io->jobs, &app->ending, io->wake) == HF_OK)
        return;
    app_end(app);
    free(app);
}

const struct hf_app_entry *hf_app_find(const struct hf_app *app, const char *name)
{
    for (size_t i = 0; app != NULL && i < app->n; i++)
        if (strcmp(app->entries[i].options->o.name, name) == 0)
            return &app->entries[i];
    return NULL;
}
