/* fake.h - a world in memory for tests: simulated time, seeded bytes, files, sockets, faults.
 *
 * Single-threaded. Time moves only by hf_os_fake_advance, or in poller_wait when nothing is ready:
 * then it jumps to `until_ns` (with UINT64_MAX and nothing ready, poller_wait returns 0 at once). A
 * poller takes real descriptors too (hf_wake_fd) and looks at them without waiting. Permissions of
 * files are kept, not enforced.
 */
#ifndef HF_OS_FAKE_H
#define HF_OS_FAKE_H

#include "os/os.h"

/* NULL when memory is out. Free pollers and files before the world; sockets still open are closed
 * by it. */
struct hf_os *hf_os_fake_new(uint64_t seed);
void hf_os_fake_free(struct hf_os *os); /* NULL is fine */
void hf_os_fake_advance(struct hf_os *os, uint64_t ns);
/* How many bytes a socket takes before writev says HF_AGAIN (default 65536). */
void hf_os_fake_socket_room(struct hf_os *os, size_t bytes);
/* The nth next call of that kind ("file_append", "file_sync", "writev", "read", ...: the member's
 * name in struct hf_os) fails with err; 1 = the next. Up to 32 may be armed at once. A failed
 * file_append leaves some of its bytes, how many follows from the seed; the others change nothing.
 */
void hf_os_fake_fail(struct hf_os *os, const char *call, unsigned nth, enum hf_err err);
/* Most bytes one read or writev moves (default: no limit); 1 shows every split. */
void hf_os_fake_chunk(struct hf_os *os, size_t bytes);

#endif
