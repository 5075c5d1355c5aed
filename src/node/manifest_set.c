/* manifest_set.c - where a manifest's tables go, and what must hold between their values. */
#include "node/manifest_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "kernel/name.h"
#include "node/component_store.h"

/* ---- [node], [listen], [admin] ----------------------------------------------------------------------------- */

void *hf_enter_node(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n, (void)target;
    return &r->m->node;
}

void *hf_enter_listen(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n, (void)target;
    return &r->listen;
}

void *hf_enter_admin(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n, (void)target;
    return &r->admin;
}

void hf_set_no_data(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n, (void)target;
    r->no_data = true;
}

void hf_set_no_socket(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n, (void)target;
    r->admin.no_socket = true;
}

static const struct hf_deps_toml_node *key_of(const struct hf_reading *r, const struct hf_deps_toml_node *n, const char *name)
{
    HF_EACH_BELOW(n, it)
        if (hf_view_eq_text(hf_reading_text(r, it->key), name))
            return it;
    return NULL;
}

/* The first line of the file; NULL after what is wrong was said. */
static const char *token_of_file(struct hf_reading *r, uint32_t at)
{
    char line[600];
    FILE *f = fopen(r->admin.token_file, "re");
    if (f == NULL) {
        hf_mistake(r, at, "[admin] token_file: %s: %s", r->admin.token_file, strerror(errno));
        return NULL;
    }
    bool got = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    if (got)
        line[strcspn(line, "\r\n")] = 0;
    if (!got || !hf_is_token(line)) {
        hf_mistake(r, at, "[admin] token_file: the first line of %s is not 16 to 512 letters, digits and signs", r->admin.token_file);
        return NULL;
    }
    return hf_reading_copy(r, hf_view_of(line));
}

void hf_leave_admin(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    struct hf_reading_admin *a = target;
    uint32_t at = n->value.at;
    (void)k;
    if ((a->token != NULL) + (a->token_file != NULL) + (a->token_env != NULL) > 1) {
        hf_mistake(r, at, "[admin] has more than one of 'token', 'token_file' and 'token_env'");
        return;
    }
    const char *text = a->token;
    if (a->token_env != NULL) {
        text = getenv(a->token_env);
        if (!hf_is_token(text)) {
            hf_mistake(r, at, "[admin] token_env: what %s holds is not 16 to 512 letters, digits and signs", a->token_env);
            return;
        }
        text = hf_reading_copy(r, hf_view_of(text));
    } else if (a->token_file != NULL) {
        text = token_of_file(r, at);
        if (text == NULL)
            return;
    }
    bool said = key_of(r, n, "token") != NULL || key_of(r, n, "token_file") != NULL || key_of(r, n, "token_env") != NULL;
    if (key_of(r, n, "listen") != NULL && !said) /* those that were mistaken are said already */
        hf_mistake(r, at, "[admin] listens on an address, so it needs a token: write token_env = \"NAME\" or token_file = \"PATH\"");
    r->m->node.admin_token = text;
}

/* ---- services: their parts --------------------------------------------------------------------------------- */

/* "HOST::GUEST[:ro]" with HOST behind the manifest's folder; "HOST" alone keeps its name for the guest. */
static const char *folder(struct hf_reading *r, const char *text)
{
    const char *colons = strstr(text, "::");
    size_t len = strlen(text), host_len = colons != NULL ? (size_t)(colons - text) : len;
    bool ro = colons == NULL && len > 3 && strcmp(text + len - 3, ":ro") == 0;
    if (ro)
        host_len -= 3;
    if (r->dir == NULL || r->dir[0] == 0 || text[0] == '/')
        return text;
    const char *host = hf_reading_copy(r, hf_view(text, host_len)), *joined = host == NULL ? NULL : hf_reading_join(r, host);
    if (joined == NULL)
        return NULL;
    return colons != NULL ? hf_reading_print(r, "%s%s", joined, colons) : hf_reading_print(r, "%s::%s%s", joined, host, ro ? ":ro" : "");
}

/* A path, or "sha256:..." */
void hf_set_component(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    struct hf_reading_service *s = target;
    struct hf_view v = hf_reading_text(r, n->value);
    char text[HF_SHOWN_MAX];
    if (!hf_view_starts(v, HF_VIEW(HF_COMPONENT_NAME))) {
        s->o.path = hf_reading_string(r, k, n);
        return;
    }
    const char *hex = hf_reading_copy(r, hf_view_skip(v, strlen(HF_COMPONENT_NAME)));
    if (hex == NULL)
        return;
    if (v.len != strlen(HF_COMPONENT_NAME) + (size_t)2 * HF_SHA256_LEN || strspn(hex, "0123456789abcdefABCDEF") != (size_t)2 * HF_SHA256_LEN) {
        hf_mistake_of(r, k, n->value.at, "is \"%s\"; what a component is named by is sha256: and 64 hexadecimal digits (a file of such a name "
                                         "is \"./sha256:...\")", hf_reading_shown(v, text));
        return;
    }
    for (char *c = (char *)(uintptr_t)hex; *c != 0; c++) /* the arena's own copy */
        *c = (char)tolower((unsigned char)*c);
    s->o.sha256 = hex;
    s->by_content = true;
    s->component_at = n->value.at;
}

void hf_set_dirs(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    const char **list = hf_reading_strings(r, k, n);
    size_t out = 0;
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        const char *colons = strstr(list[i], "::"), *guest = colons == NULL ? NULL : colons + 2;
        if (colons == list[i] || (guest != NULL && (guest[0] == 0 || strcmp(guest, ":ro") == 0)) || list[i][0] == ':') {
            hf_mistake_of(r, k, n->value.at, "has \"%.80s\"; it must be \"HOST::GUEST\" or \"HOST::GUEST:ro\"", list[i]);
            continue;
        }
        const char *text = folder(r, list[i]);
        if (text != NULL)
            list[out++] = text;
    }
    if (list != NULL)
        list[out] = NULL;
    ((struct hf_reading_service *)target)->o.dirs = list;
}

/* ---- services: routes -------------------------------------------------------------------------------------- */

static struct hf_reading_route *add_route(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    if (r->routes.len >= HF_MANIFEST_ROUTES_MAX) {
        if (r->routes.len == HF_MANIFEST_ROUTES_MAX)
            hf_mistake_of(r, k, n->value.at, "is one too many: a manifest has %u routes at most", HF_MANIFEST_ROUTES_MAX);
        return NULL;
    }
    if (!HF_VEC_PUSH(&r->routes, (struct hf_reading_route){.service = r->name, .at = n->value.at})) {
        r->no_memory = true;
        return NULL;
    }
    return &r->routes.ptr[r->routes.len - 1];
}

void *hf_enter_route(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)target;
    r->before_route = r->n_mistakes;
    return add_route(r, k, n);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void note_route(struct hf_reading *r, struct hf_reading_route *new)
{
    if (new->route.path == NULL)
        new->route.path = "/";
    char *host = (char *)(uintptr_t)new->route.host; /* the arena's own copy */
    for (size_t i = 0; host != NULL && host[i] != 0; i++)
        host[i] = (char)(host[i] == '.' && host[i + 1] == 0 ? 0 : tolower((unsigned char)host[i]));
    for (struct hf_reading_route *old = r->routes.ptr; old < new; old++) {
        if (!same_text(old->route.host, new->route.host) || !same_text(old->route.path, new->route.path) ||
            !same_text(old->route.method, new->route.method))
            continue;
        unsigned line, column;
        hf_reading_place(r, old->at, &line, &column);
        hf_mistake(r, new->at, "this route of '%s' is the route of '%s' at %s:%u:%u: %s%s%s%s", new->service, old->service, r->file, line,
                   column, new->route.method != NULL ? new->route.method : "", new->route.method != NULL ? " " : "",
                   new->route.host != NULL ? new->route.host : "any host, ", new->route.path);
        return;
    }
}

void hf_leave_route(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    (void)k, (void)n;
    if (r->n_mistakes == r->before_route)
        note_route(r, target);
    else
        r->routes.len--; /* without what was wrong it would be another route */
}

void hf_set_route(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    const char *path = hf_reading_string(r, k, n);
    struct hf_reading_route *new = path == NULL ? NULL : add_route(r, k, n);
    (void)target;
    if (new == NULL)
        return;
    new->route.path = path;
    note_route(r, new);
}

/* ---- services: the whole ----------------------------------------------------------------------------------- */

void *hf_enter_service(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    struct hf_view name = hf_reading_text(r, n->key);
    char text[HF_SHOWN_MAX];
    struct hf_reading_service new = {.first_route = r->routes.len};
    (void)k, (void)target;
    if (!hf_is_label(name)) {
        hf_mistake(r, n->key.at, "the name of a service, \"%s\", must be 1 to 64 letters, digits, \"-\", \"_\" and \".\", a letter or digit first",
                   hf_reading_shown(name, text));
        return NULL;
    }
    if (r->services.len == HF_MANIFEST_SERVICES_MAX) {
        hf_mistake(r, n->key.at, "service '%s' is one too many: a manifest has %u at most", hf_reading_shown(name, text),
                   HF_MANIFEST_SERVICES_MAX);
        return NULL;
    }
    hf_service_options_init(&new.o);
    new.o.name = r->name = hf_reading_copy(r, name);
    if (r->name == NULL || !HF_VEC_PUSH(&r->services, new)) {
        r->no_memory = true;
        return NULL;
    }
    return &r->services.ptr[r->services.len - 1];
}

/* env, and behind it what comes from our own environment. */
static void add_env(struct hf_reading *r, struct hf_reading_service *s, const struct hf_deps_toml_node *n)
{
    size_t a = 0, b = 0;
    const struct hf_deps_toml_node *from = key_of(r, n, "env_from");
    while (s->o.env != NULL && s->o.env[a] != NULL)
        a++;
    while (s->env_from != NULL && s->env_from[b] != NULL)
        b++;
    if (b == 0)
        return;
    const char **list = hf_arena_array(&r->m->arena, a + b + 1, sizeof *list);
    if (list == NULL) {
        r->no_memory = true;
        return;
    }
    if (a > 0)
        memcpy(list, s->o.env, a * sizeof *list);
    for (size_t i = 0; i < b; i++) {
        const char *name = s->env_from[i];
        for (size_t j = 0; j < a; j++)
            if (strncmp(list[j], name, strlen(name)) == 0 && list[j][strlen(name)] == '=')
                hf_mistake(r, from->value.at, "'env_from' in [services.%s] has %s, which 'env' sets too", s->o.name, name);
        list[a + i] = hf_reading_print(r, "%s=%s", name, getenv(name)); /* is there: hf_check_variable */
    }
    s->o.env = list;
}

/* ---- a service that is a class of processes ---- */

void *hf_enter_process(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    struct hf_reading_service *s = target;
    struct hf_report why;
    struct hf_reading_process *p = hf_arena_array(&r->m->arena, 1, sizeof *p);
    hf_report_init(&why);
    if (p == NULL) {
        r->no_memory = true;
        return NULL;
    }
    memset(p, 0, sizeof *p);
    s->process = p;
    s->o.process = &p->o;
    if (hf_name_check_class(hf_view_of(s->o.name), &why) != HF_OK)
        hf_mistake_of(r, k, n->key.at, "makes a class of processes, and its name cannot be one's: %s", why.text);
    return p;
}

/* Keys of the table `n` of row `of` that say nothing of such a class: who writes one expects something of it. */
static void refuse_keys(struct hf_reading *r, enum hf_kind kind, const struct hf_key *of, const struct hf_deps_toml_node *n)
{
    HF_EACH_BELOW(n, it)
    {
        const struct hf_key *k = hf_key_find(of, hf_reading_text(r, it->key));
        if (k != NULL && (k->flags & HF_KEY_POOL) != 0)
            hf_mistake_of(r, k, it->key.at, "is not for a class of processes: [services.%s.process] has 'max' and 'mailbox'", r->name);
        else if (k != NULL && (k->flags & HF_KEY_HANDLER) != 0 && kind == HF_KIND_RUNNER)
            hf_mistake_of(r, k, it->key.at, "is not for a runner, which takes its messages itself");
    }
}

static void leave_process(struct hf_reading *r, struct hf_reading_service *s, const struct hf_key *k, const struct hf_deps_toml_node *n)
{
    s->o.kind = s->process->shape == 0 ? HF_KIND_HANDLER : HF_KIND_RUNNER;
    refuse_keys(r, s->o.kind, k, n);
    refuse_keys(r, s->o.kind, hf_key_find(k, HF_VIEW("process")), key_of(r, n, "process"));
}

void hf_leave_service(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
{
    struct hf_reading_service *s = target;
    const struct hf_deps_toml_node *max = key_of(r, n, "max"), *min = key_of(r, n, "min");
    add_env(r, s, n);
    if (s->process != NULL)
        leave_process(r, s, k, n);
    else if (s->o.instances == HF_INSTANCES_SINGLETON && max != NULL && s->o.max > 1)
        hf_mistake(r, max->value.at, "'max' in [services.%s] is %u, but a singleton has one instance", s->o.name, s->o.max);
    else if (s->o.instances == HF_INSTANCES_SINGLETON && min != NULL && s->o.min > 1)
        hf_mistake(r, min->value.at, "'min' in [services.%s] is %u, but a singleton has one instance", s->o.name, s->o.min);
    else if (s->o.min != 0 && s->o.max != 0 && s->o.min > s->o.max)
        hf_mistake(r, min->value.at, "'min' in [services.%s] is %u, more than its 'max', %u", s->o.name, s->o.min, s->o.max);
    r->name = NULL;
    const struct hf_deps_toml_node *routes = key_of(r, n, "routes");
    if (routes != NULL && routes->kind == HF_DEPS_TOML_ARRAY && routes->below == 0)
        hf_mistake(r, routes->value.at, "'routes' in [services.%s] is empty, so no request would come here; leave it out for every request",
                   s->o.name);
    if (routes == NULL && s->o.kind == HF_KIND_SERVICE) { /* nothing comes to a process by itself */
        struct hf_deps_toml_node all = {.value = n->value};
        struct hf_reading_route *new;
        r->name = s->o.name;
        new = add_route(r, k, &all);
        r->name = NULL;
        if (new != NULL)
            note_route(r, new);
    }
    s->n_routes = r->routes.len - s->first_route;
}
