/* signals.h - what signals do to the node of this process: a process has one set of them. */
#ifndef HF_CLI_SIGNALS_H
#define HF_CLI_SIGNALS_H

#include "cli/cli.h"

/* From here on SIGTERM and SIGINT stop the node: the first drains, a second ends at once. SIGPIPE is ignored. */
void cli_signals_stop(struct hf_node *node);
/* SIGHUP has the node read its manifest again, on a thread of its own. Before the node is opened: hold, so that no thread of it
 * takes the signal. False: no thread could be started. */
void cli_signals_hold_reload(void);
bool cli_signals_reload(struct hf_node *node, const char *manifest);
/* The node goes away now, and so must whoever would call it: stop signals are ignored, a reload at work is waited for. */
void cli_signals_over(void);

#endif
