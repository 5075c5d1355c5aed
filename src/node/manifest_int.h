/* manifest_int.h - the inside of a manifest: what manifest.c, manifest_read.c and manifest_set.c share. */
#ifndef HF_NODE_MANIFEST_INT_H
#define HF_NODE_MANIFEST_INT_H

#include "base/arena.h"
#include "holdfast/holdfast.h"
#include "node/manifest_keys.h"

#define HF_MANIFEST_BYTES_MAX    (1u << 20)
#define HF_MANIFEST_SERVICES_MAX 1000u /* as many as a node takes */
#define HF_MANIFEST_ROUTES_MAX   4096u /* of all services */
#define HF_MANIFEST_LIST_MAX     1024u /* entries of one array or map of strings */
#define HF_MANIFEST_SHOWN_MAX    20u   /* mistakes that are written out */
#define HF_MANIFEST_KEPT_MAX     1000u /* mistakes kept to be sorted */
#define HF_MANIFEST_NAME         "holdfast.toml"
#define HF_MANIFEST_FOLDER       ".holdfast" /* beside it: data and the admin socket when it says nothing else */

/* ---- what was read ----------------------------------------------------------------------------------------- */

struct hf_manifest {
    struct hf_arena arena; /* all texts and lists */
    struct hf_node_options node;
    struct hf_service_options *services;
    size_t n_services;
    const char *const *listeners;
    size_t n_listeners;
    const char *admin[2]; /* addresses of the admin door */
    size_t n_admin;
};

/* Reads `text`. `file` is what messages call it; `dir` (NULL or "": none needed) is put before relative paths. Opens no file but
 * [admin] token_file, looks whether components that are named by their content are there, and reads the environment of this process. HF_INVALID: the report has up to HF_MANIFEST_SHOWN_MAX mistakes,
 * a line each, in the order of the text; HF_LIMIT: too long, or memory. */
enum hf_err hf_manifest_parse(struct hf_view text, const char *file, const char *dir, struct hf_manifest **ret,
                              struct hf_report *report);
/* Names of keys of [node], [listen] and [admin] whose values differ, with ", " between them; empty: none. What a running node
 * does not change. */
enum hf_err hf_manifest_differs(const struct hf_manifest *a, const struct hf_manifest *b, struct hf_buf *ret) HF_MUST_CHECK;
/* manifest_doc.c */
enum hf_err hf_manifest_schema_write(struct hf_buf *ret);
enum hf_err hf_manifest_keys_write(struct hf_buf *ret);

/* ---- while it is read -------------------------------------------------------------------------------------- */

struct hf_reading_route {
    struct hf_route route;
    const char *service;
    uint32_t at; /* its place in the source */
};
struct hf_reading_listen { /* root: [listen] */
    const char *const *http;
};
struct hf_reading_admin {
    const char *socket, *listen, *token, *token_file, *token_env;
    bool no_socket;
};
struct hf_reading_process {
    struct hf_process_options o;
    uint32_t shape;
};
struct hf_reading_service {
    struct hf_service_options o;
    const struct hf_reading_process *process; /* NULL: it is no class of processes */
    const char *const *env_from;
    size_t first_route, n_routes; /* in hf_reading.routes */
    bool by_content;              /* component = "sha256:...": o.sha256 is set, o.path when the data folder is known */
    uint32_t component_at;        /* where that stands */
};

struct hf_reading {
    struct hf_manifest *m;
    struct hf_view source;
    const char *file, *dir;
    const struct hf_deps_toml *toml;
    struct {
        struct hf_mistake {
            uint32_t at;
            char *text;
        } *ptr;
        size_t len, cap;
    } mistakes;
    size_t n_mistakes; /* those that were not kept, too */
    bool no_memory;
    const char *name; /* of the service that is being read; NULL: none */
    struct {
        struct hf_reading_service *ptr;
        size_t len, cap;
    } services;
    struct {
        struct hf_reading_route *ptr;
        size_t len, cap;
    } routes;
    size_t before_route; /* mistakes, when a route's table began */
    struct hf_reading_listen listen;
    struct hf_reading_admin admin;
    bool no_data; /* data = false */
};

/* manifest_say.c */
/* Says that the bytes from `at` on are wrong. */
void hf_mistake(struct hf_reading *r, uint32_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As hf_mistake, with whose value it is before: "'max' in [services.web] ". */
void hf_mistake_of(struct hf_reading *r, const struct hf_key *k, uint32_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* HF_OK when there was no mistake; else all of them as the report. */
enum hf_err hf_reading_tell(struct hf_reading *r, struct hf_report *report);
/* Line and column (characters, both from 1) of a byte of the source. */
void hf_reading_place(const struct hf_reading *r, uint32_t at, unsigned *line, unsigned *column);
struct hf_view hf_reading_text(const struct hf_reading *r, struct hf_deps_toml_place place);
/* Copies that live as long as the manifest; NULL: no memory, which is noted. */
const char *hf_reading_copy(struct hf_reading *r, struct hf_view text);
const char *hf_reading_join(struct hf_reading *r, const char *path); /* relative ones behind the manifest's folder */
const char *hf_reading_print(struct hf_reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define HF_SHOWN_MAX 56
/* As it is shown in a message: at most a line's worth, no control characters; returns `to`. */
const char *hf_reading_shown(struct hf_view text, char to[HF_SHOWN_MAX]);

/* manifest_value.c */
extern const char *const hf_reading_kinds[]; /* by enum hf_deps_toml_kind: "a string", ... */
#define HF_EACH_BELOW(n, it)                                                                                                           \
    for (const struct hf_deps_toml_node *it = (n) + 1, *it##_end = (n) + 1 + (n)->below; it < it##_end; it += 1 + it->below)
/* A value that is no table with keys of its own and no array of such: checked and put where its row says. */
void hf_reading_value(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target);
/* The checked text of a string; a PATH's is joined. NULL: mistaken. */
const char *hf_reading_string(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n);
/* Of STRINGS: ends with NULL. Without those that were mistaken. NULL: mistaken as a whole. */
const char **hf_reading_strings(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n);
/* False after it has said that there are too many entries. */
bool hf_reading_small(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n);

/* manifest_check.c and manifest_set.c: what rows of the table do beyond their type. */
#define HF_CHECK(name) bool name(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text)
#define HF_SET(name)   void name(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
#define HF_ENTER(name) void *name(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target)
HF_CHECK(hf_check_address);
HF_CHECK(hf_check_loopback);
HF_CHECK(hf_check_socket);
HF_CHECK(hf_check_token);
HF_CHECK(hf_check_sha256);
HF_CHECK(hf_check_host);
HF_CHECK(hf_check_route_path);
HF_CHECK(hf_check_method);
HF_CHECK(hf_check_tenant);
HF_CHECK(hf_check_bucket);
HF_CHECK(hf_check_net);
HF_CHECK(hf_check_outbound);
HF_CHECK(hf_check_variable);
HF_CHECK(hf_check_name_pattern);
bool hf_is_label(struct hf_view v);      /* a name of a service, a tenant */
bool hf_is_token(const char *text);
HF_SET(hf_set_component);
HF_SET(hf_set_dirs);
HF_SET(hf_set_no_data);
HF_SET(hf_set_no_socket);
HF_SET(hf_set_route);
HF_ENTER(hf_enter_node);
HF_ENTER(hf_enter_listen);
HF_ENTER(hf_enter_admin);
HF_ENTER(hf_enter_service);
HF_ENTER(hf_enter_route);
HF_ENTER(hf_enter_process);
HF_SET(hf_leave_admin);
HF_SET(hf_leave_service);
HF_SET(hf_leave_route);
void hf_leave_root(struct hf_reading *r); /* what must hold of all of it, when each part is right */

#endif
