/* watch.h - files that are looked at while a command runs. */
#ifndef HF_CLI_WATCH_H
#define HF_CLI_WATCH_H

#include "holdfast/holdfast.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_watch;

/* From cli_watch_start on, a thread looks at the files three times a second and calls `changed` with
 * one that is not what it was, once it has held still for one look: a file that is being written is
 * left alone, one that was renamed into place or linked elsewhere is seen, one that is gone is
 * waited for. What `changed` uses is lent until it is closed. 0, or -1 with errno. */
int cli_watch_open(void (*changed)(void *ctx, const char *path), void *ctx, struct cli_watch **ret);
/* These are the files (copied), and this is how they are: before they are first read. Those that it
 * had before stay as they were seen. Before the start, or from `changed`. */
int cli_watch_set(struct cli_watch *w, const char *const *paths, size_t n);
int cli_watch_start(struct cli_watch *w);
/* Waits for a `changed` that runs. NULL is fine. */
void cli_watch_close(struct cli_watch *w);
/* What became of a change, on standard error: "reloaded: hello.wasm changed", or that it was not taken and why. */
void cli_say_reloaded(const char *command, const char *path, enum hf_status st, const char *words);

#endif
