/* admin.h - what the commands for a running node share: finding it, asking it, telling what it said.
 *
 * Every one of them ends with the node's own words and code when the node refuses.
 */
#ifndef HF_CLI_ADMIN_H
#define HF_CLI_ADMIN_H

#include <jansson.h>

#include "cli/cli.h"

struct cli_admin {
    const char *addr, *token, *service, *prefix;
    bool json, follow, all;
    uint64_t lines, interval_ns;
    char found[128];
};

// clang-format off
#define ADMIN_TEXT(field) CLI_TO(struct cli_admin, field, CLI_KIND_TEXT, .max = 1)
#define ADMIN_ON(field) CLI_TO(struct cli_admin, field, CLI_KIND_ON, .max = 1)
#define CLI_OPTIONS_ADMIN \
    {"admin", "ADDR", "the node's admin door: unix:PATH or HOST:PORT ($HF_ADMIN, else .holdfast/admin.sock here or above)", \
     ADMIN_TEXT(addr), "unix:PATH or HOST:PORT"}, \
    {"token", "TOKEN", "what its HOST:PORT asks for ($HF_ADMIN_TOKEN, which other users of this machine cannot see)", \
     ADMIN_TEXT(token), "the node's admin token"}
// clang-format on

/* cli_parse, and then the node's address: a command goes on with 0. Else *code is its exit code. */
bool cli_admin_parse(const char *command, const char *operands, const char *about, const struct cli_option *options,
                     struct cli_admin *s, int *argc, char **argv, int *code);

/* The address and token, when the options did not say; false: there is none, and what to do was said. */
bool cli_admin_find(const char *command, struct cli_admin *s);

/* One request. 0: *answer (free() it, NULL is fine) is the body of a 2xx answer, *len its bytes; both may be NULL. Else the
 * exit code, and what is wrong was said. `each`: as hf_admin_call. */
int cli_admin_call(const char *command, const struct cli_admin *s, const char *method, const char *target, const void *body,
                   size_t body_len, bool (*each)(void *ctx, const void *bytes, size_t n), void *ctx, char **answer, size_t *len);
/* The answer to a GET, as JSON; NULL: *code is the exit code, and it was said. json_decref it. */
json_t *cli_admin_get(const char *command, const struct cli_admin *s, const char *target, int *code);

/* "/v1/services/" and the text with its escapes; false: it does not fit. Bytes are any. */
bool cli_escape(char *to, size_t size, const void *text, size_t len);

/* Members of JSON objects; 0, "" and NULL where there is none. */
double cli_number_of(const json_t *o, const char *name);
const char *cli_text_of(const json_t *o, const char *name);

/* "1.5MiB", "12s", "340us": at most 8 characters. */
const char *cli_bytes_text(double bytes, char out[16]);
const char *cli_time_text(double ns, char out[16]);

/* services.c: the table of services; with `before` (an older answer, or NULL) rates and times since then. */
void cli_print_services(const json_t *now, const json_t *before);
void cli_print_service(const json_t *service); /* one, with all there is to say */
void cli_print_process(const json_t *process);
void cli_print_instances(const json_t *instances, size_t most);

#endif
