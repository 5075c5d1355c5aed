/* manifest.h - what `run` and `check` share: an app told in lines, and the folders that it needs. */
#ifndef HF_CLI_MANIFEST_H
#define HF_CLI_MANIFEST_H

#include <stdio.h>

#include "cli/cli.h"

/* Each service with its component and its routes, then where the app is watched and what it keeps. */
void cli_manifest_print(const struct hf_manifest *m, FILE *to);
/* One service, `ok` or not, in the same form. */
void cli_service_print(const struct hf_service_options *s, FILE *to);
/* "reuse", "per-request", "singleton"; of a class of processes "handler", "runner". */
const char *cli_lifecycle(const struct hf_service_options *s);
/* Makes the folders that data and the admin socket are in, for this user alone. One that is called .holdfast is kept out of
 * version control by a .gitignore of its own. */
enum hf_status cli_manifest_folders(struct hf_manifest *m, struct hf_words *msg);
/* One of them; it may be there. False: errno. */
bool cli_folder_make(const char *folder);
/* A JSON string, or null. */
void cli_json_string(FILE *to, const char *text);

#endif
