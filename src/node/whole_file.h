/* whole_file.h - files that are there whole and durable, or as they were before: written beside, synced, renamed, and the folder
 * synced. What is written beside has a name that begins with HF_WHOLE_FILE_BEGUN, in the same folder.
 *
 * Who writes sees to it that nobody else writes the same file meanwhile. Blocks; any thread.
 */
#ifndef HF_NODE_WHOLE_FILE_H
#define HF_NODE_WHOLE_FILE_H

#include "base/bytes.h"
#include "base/err.h"

#define HF_WHOLE_FILE_BEGUN ".begun-"

/* Adds what is in a regular file of at most `max` bytes (whole MiB) to *ret. HF_INVALID: it is none; HF_NOT_FOUND, HF_IO,
 * HF_LIMIT. The report names it. */
enum hf_err hf_whole_file_read(const char *path, uint64_t max, struct hf_buf *ret, struct hf_report *report);

/* What `path` is to hold is on disk, beside it: what may fail for want of room has been done. Replaces an earlier prepare. */
enum hf_err hf_whole_file_prepare(const char *path, struct hf_view bytes, struct hf_report *report);
/* It takes its place. HF_IO: the report says which step failed; `path` is as before or new, whole either way. */
enum hf_err hf_whole_file_commit(const char *path, struct hf_report *report);
void hf_whole_file_abort(const char *path);

/* Takes away what was prepared in a folder by processes that are gone; there may be none that prepares now. */
enum hf_err hf_whole_file_sweep(const char *folder, struct hf_report *report);
enum hf_err hf_whole_file_sync_folder(const char *folder, struct hf_report *report);

#endif
