/* fs_int.h - wasi:filesystem from the inside: grants, descriptors, and how each function answers. Only src/host/host_fs*.c
 * (and service.c, for the grants) include it.
 *
 * What a guest may do is decided here and not by the system: a descriptor carries `read` and `write` as it was opened and
 * `mutate` as its folder was granted, and everything reached through it inherits that. What a path may reach is decided by
 * os/fs.h.
 */
#ifndef HF_HOST_FS_INT_H
#define HF_HOST_FS_INT_H

#include <errno.h>

#include "host/guest.h"
#include "os/fs.h"

#define HF_FS_FILES_MAX 1024u /* open at once by one guest, if the service does not say */
/* One read or write on the worker's thread: from and to the system's memory that is some 10 us. What is not in memory is
 * fetched by a job first. */
#define HF_FS_PIECE      (64u * 1024)
/* descriptor.write takes more at once: programs that do not look for a short write are common. */
#define HF_FS_WRITE_MAX  (1u << 20)

/* ---- grants (host_fs_grants.c): made with the service, read-only after, shared by its guests ---- */
#define HF_FS_GRANTS_MAX 64u
struct hf_fs_grant {
    int fd;
    bool read_only;
    char *host, *guest; /* the guest's is normalised: no empty or `.` part, no slash at the end */
};
struct hf_fs_grants {
    const struct hf_fs *fs;
    size_t n;
    struct hf_fs_grant list[];
};
/* `dirs` as in hf_service_settings, may be NULL. HF_INVALID: a text is malformed or a guest path comes twice; HF_NOT_FOUND,
 * HF_DENIED, HF_IO: a folder cannot be opened; HF_UNSUPPORTED: the system cannot resolve beneath one. The report names it. */
enum hf_err hf_fs_grants_open(const struct hf_fs *fs, const char *const *dirs, struct hf_fs_grants **ret,
                              struct hf_report *report);
void hf_fs_grants_close(struct hf_fs_grants *grants); /* NULL is fine */

/* descriptor-flags */
enum {
    HF_WASI_READ = 1,
    HF_WASI_WRITE = 2,
    HF_WASI_FILE_SYNC = 4,
    HF_WASI_DATA_SYNC = 8,
    HF_WASI_READ_SYNC = 16,
    HF_WASI_MUTATE_DIRECTORY = 32
};

/* ---- open files ---- An open file is shared by its descriptor and its streams: a stream goes on when the descriptor is
 * dropped. One guest, one thread. */
struct hf_fs_file {
    int fd;
    uint32_t refs;
    bool lent; /* of a grant: not ours to close */
    struct hf_guest *guest;
};
struct hf_descriptor {
    struct hf_obj obj;
    struct hf_fs_file *file;
    bool folder, read, write, mutate;
};
const struct hf_fs *hf_fs_of(const struct hf_guest *g);
/* May it open one more? Then it is counted, until hf_fs_count_less. EMFILE. */
int hf_fs_count_more(struct hf_guest *g);
void hf_fs_count_less(struct hf_guest *g);
struct hf_fs_file *hf_fs_file_ref(struct hf_fs_file *file);
void hf_fs_file_unref(struct hf_fs_file *file);
/* A descriptor of an open handle, which moves in (also when this fails: it is closed, and counted less). NULL: memory. */
struct hf_descriptor *hf_descriptor_new(struct hf_guest *g, int fd, const struct hf_descriptor *like);
/* One of a grant. */
struct hf_descriptor *hf_descriptor_of_grant(struct hf_guest *g, const struct hf_fs_grant *grant);

/* ---- what waits for a disk, off the thread (host_fs_job.c) ---- */
struct hf_fs_job;
enum hf_fs_work {
    HF_FS_SYNC,
    HF_FS_SYNC_DATA,
    HF_FS_FETCH /* `len` bytes from `at` on are read, and forgotten: they are in the system's memory then */
};
/* Begins it, on a handle of its own. `wait` is not ready from now until it is over; it outlives the job's end. An errno, and
 * `wait` is ready: EAGAIN (too many jobs wait), ENOMEM, EMFILE. */
int hf_fs_job_begin(const struct hf_fs_file *file, enum hf_fs_work work, uint64_t at, size_t len, struct hf_wait *wait,
                    struct hf_fs_job **ret);
/* Its outcome, an errno. One that is not over is left behind: EINTR. The job is gone for the caller. */
int hf_fs_job_end(struct hf_fs_job *job);
/* From beginning to end, the guest suspended. *number is the outcome. HF_CANCELLED: return it at once. */
enum hf_err hf_fs_job_run(struct hf_call *call, const struct hf_fs_file *file, enum hf_fs_work work, uint64_t at, size_t len,
                          int *number);

/* ---- results (host_fs_result.c): each fills *result with ok(...) or error(code) ---- */
uint32_t hf_fs_code(int number); /* wasi:filesystem's error-code for an errno */
enum hf_err hf_fs_failed(struct hf_call *call, int number, struct hf_value *result);
enum hf_err hf_fs_done(struct hf_call *call, int number, struct hf_value *result); /* result<_, error-code> */
enum hf_err hf_fs_ok(struct hf_call *call, struct hf_value v, struct hf_value *result);
enum hf_err hf_fs_ok_stat(struct hf_call *call, const struct hf_fs_stat *st, struct hf_value *result);
enum hf_err hf_fs_ok_hash(struct hf_call *call, const struct hf_fs_stat *st, struct hf_value *result);
/* A path argument as the system wants it. 0; EINVAL: a NUL in it; ENAMETOOLONG; ENOENT: empty; ENOMEM. */
int hf_fs_path(struct hf_call *call, const struct hf_value *arg, const char **ret);
int hf_fs_new_time(const struct hf_value *arg, struct hf_fs_new_time *ret);

/* ---- tables of methods, one a file; ends with {NULL, NULL} ---- */
extern const struct hf_binding hf_fs_file_methods[];   /* host_fs_file.c: on what is open */
extern const struct hf_binding hf_fs_path_methods[];   /* host_fs_path.c: ...-at */
extern const struct hf_binding hf_fs_stream_methods[]; /* host_fs_stream.c: ...-via-stream, filesystem-error-code */
extern const struct hf_binding hf_fs_folder_methods[]; /* host_fs_folder.c: read-directory and its stream */

#endif
