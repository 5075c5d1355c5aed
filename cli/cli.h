/* cli.h - what the commands share: option parsing, units, exit codes. Commands see include/holdfast/ only. */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

#include "holdfast/holdfast.h"

#include <limits.h>
#include <stdio.h>

enum cli_kind {
    CLI_KIND_CALL = 0, /* `call` does it */
    CLI_KIND_ON,       /* bool: a switch */
    CLI_KIND_U32,      /* uint32_t: a number */
    CLI_KIND_U64,      /* uint64_t: a number */
    CLI_KIND_SIZE,     /* uint64_t: cli_size */
    CLI_KIND_TIME,     /* uint64_t, nanoseconds: cli_duration */
    CLI_KIND_TEXT,     /* const char *: the argument itself, not empty */
    CLI_KIND_WORD      /* an enum: which of `words` it is */
};
/* Where an option's value goes, and what it may be: made by CLI_CALL and CLI_TO (options.h has shorter ones). */
struct cli_target {
    enum cli_kind kind;
    size_t at;                                /* offset into the command's settings */
    uint64_t min, max;                        /* of numbers, sizes and times */
    const char *const *words;                 /* NULL at the end */
    int (*call)(void *to, const char *value); /* 0, or -1 when the value makes no sense */
};
#define CLI_CALL(f) {.kind = CLI_KIND_CALL, .call = (f)}
#define CLI_TO(type, field, k, ...) {.kind = (k), .at = offsetof(type, field), __VA_ARGS__}

/* One option of a command. `arg` names its argument in the help; NULL: a switch. */
struct cli_option {
    const char *name; /* without "--" */
    const char *arg;
    const char *help;
    struct cli_target target;
    const char *expect; /* what a value looks like, for the message */
};
/* Parses `argv[1..]` into `to`; operands (and everything behind "--") are left in argv[0..*argc). "--name value" and
 * "--name=value" are the same. Returns 0; 1 when help was printed; -1 after a message on standard error. */
int cli_parse(const char *command, const char *operands, const char *about, const struct cli_option *options, void *to, int *argc,
              char **argv);

/* "3s", "250ms", "2m", "1h", "500us", a bare number is seconds. */
int cli_duration(const char *text, uint64_t *ns);
/* "64MiB", "1GB", "4096", "16k". */
int cli_size(const char *text, uint64_t *bytes);
int cli_number(const char *text, uint64_t max, uint64_t *n);

/* Prints "holdfast COMMAND: message" and, when useful, what to do next; returns the exit code. */
int cli_fail(const char *command, enum hf_status status, const char *message);

/* What the build tree and `make install` lay beside this program; a variable of the environment that is set wins. The full path
 * in `out`, or NULL: it is not there. */
const char *cli_guest_tool(char out[PATH_MAX]); /* holdfast-guest; HF_GUEST_TOOL */
const char *cli_guest_sdk(char out[PATH_MAX]);  /* the folder guest/; HF_GUEST_SDK */

/* All of a file, or of what a stream still has, with a NUL behind it, free() it; NULL: errno, EFBIG for more than max bytes. */
void *cli_read_file(const char *path, size_t max, size_t *len);
void *cli_read_stream(FILE *f, size_t max, size_t *len);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_invoke(int argc, char **argv);
int cmd_build(int argc, char **argv);
int cmd_new(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_kv(int argc, char **argv);
int cmd_components(int argc, char **argv);

#endif
