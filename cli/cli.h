/* cli.h - what the commands share: option parsing, units, exit codes. Commands see include/holdfast/ only. */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

#include "holdfast/holdfast.h"

/* One option of a command. `arg` names its argument in the help; NULL: a switch. */
struct cli_option {
    const char *name; /* without "--" */
    const char *arg;
    const char *help;
    int (*set)(void *to, const char *value); /* 0, or -1 when the value makes no sense */
    const char *expect;                      /* what a value looks like, for the message */
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

int cmd_serve(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_invoke(int argc, char **argv);
int cmd_build(int argc, char **argv);

#endif
