/* blob.h - bodies: reference-counted bytes that may still be arriving and that nobody copies on the
 * way.
 *
 * A blob has one producer (bytes at hand, a socket, a guest) and any number of readers; a reference
 * that is not a reader is a holder (a message, a handle). Bytes are kept while a holder could still
 * open a reader at the start; when every reference is a reader, what all readers have passed is
 * freed, so a streamed body of any size needs only its window. Backpressure: the producer may push
 * while `room` > 0, where room = window - bytes not yet passed by the slowest reader (all bytes,
 * while there is none).
 *
 * One thread (a blob belongs to its worker). Nothing here does I/O: producers are told of room by a
 * wait, readers of bytes by a wait. Past a bound bytes go to a file and come back: blob_spill.h.
 */
#ifndef HF_KERNEL_BLOB_H
#define HF_KERNEL_BLOB_H

#include "base/bytes.h"
#include "kernel/wait.h"

#define HF_BLOB_LEN_UNKNOWN UINT64_MAX
#define HF_BLOB_WINDOW      (64u * 1024)

struct hf_blob;

/* Where blobs of one worker get their segments from and give them back to, so that a warm stream
 * allocates nothing. Counted: its maker's reference and each live blob made in it keep it. The
 * kernel has one: hf_kernel_blobs (port.h). Wherever a pool is asked for, NULL means plain memory.
 */
struct hf_blob_pool;
/* keep_max: bytes kept for reuse at most; 0 = 1 MiB. NULL: no memory. */
struct hf_blob_pool *hf_blob_pool_new(size_t keep_max);
void hf_blob_pool_unref(struct hf_blob_pool *pool);        /* NULL is fine */
size_t hf_blob_pool_live(const struct hf_blob_pool *pool); /* blobs made in it and not freed yet */
/* Bytes of their segments, those kept for reuse included. */
size_t hf_blob_pool_memory(const struct hf_blob_pool *pool);

/* A complete blob. of_bytes copies once, one allocation; of_buf takes the buffer's storage (the
 * buffer is empty after, but keeps it on failure). NULL: no memory. In a pool that spills, of_bytes
 * of 4 KiB and more takes two allocations, more than 1 MiB are copied into pieces, and NULL is
 * also said when the file takes no more. */
struct hf_blob *hf_blob_of_bytes(struct hf_view bytes);
struct hf_blob *hf_blob_of_buf(struct hf_buf *buf);
struct hf_blob *hf_blob_of_bytes_in(struct hf_blob_pool *pool, struct hf_view bytes);
struct hf_blob *hf_blob_of_buf_in(struct hf_blob_pool *pool, struct hf_buf *buf);
/* A blob that its producer fills. `len` = declared length or HF_BLOB_LEN_UNKNOWN; `window` bytes (0
 * = HF_BLOB_WINDOW). The caller gets one reference (to pass on) and is the producer until finish or
 * fail. */
struct hf_blob *hf_blob_new(uint64_t len, size_t window);
struct hf_blob *hf_blob_new_in(struct hf_blob_pool *pool, uint64_t len, size_t window);

struct hf_blob *hf_blob_ref(struct hf_blob *blob);
void hf_blob_unref(struct hf_blob *blob); /* NULL is fine */

/* It is complete, and all of it is in memory now. */
bool hf_blob_at_hand(const struct hf_blob *blob);
uint64_t hf_blob_declared(const struct hf_blob *blob); /* as given, or the length once complete */
uint64_t hf_blob_pushed(const struct hf_blob *blob);   /* bytes so far */
bool hf_blob_complete(const struct hf_blob *blob);     /* finished with all that was declared */
enum hf_err hf_blob_error(const struct hf_blob *blob); /* HF_OK, or what fail said */
size_t hf_blob_memory(const struct hf_blob *blob);     /* bytes of storage held now */

/* ---- producer ---- The producer keeps the blob alive itself: hf_blob_new's producer side is one
 * more, hidden reference that finish or fail gives up. After finish/fail the producer may not touch
 * the blob any more. */
size_t hf_blob_room(const struct hf_blob *blob);
/* Ready: room > 0, or nobody is left to read. */
struct hf_wait *hf_blob_room_wait(struct hf_blob *blob);
/* Ready: nobody is left to read. For a producer that has room and waits for bytes to push; what this
 * wakes may note it, and not end the blob at once. */
struct hf_wait *hf_blob_gone_wait(struct hf_blob *blob);
/* False: every reference but the producer's is gone. */
bool hf_blob_wanted(const struct hf_blob *blob);
/* Copies bytes in, all or none. HF_CLOSED: nobody is left to read (bytes dropped). More than room
 * is allowed (the producer decides; normally by one push), more than the declared length is
 * HF_INVALID. HF_LIMIT: memory, or the producer has forgotten the window: more than 1 MiB + 4
 * windows are not passed. */
enum hf_err hf_blob_push(struct hf_blob *blob, struct hf_view bytes);
/* Lends up to `want` bytes of writable space at the end (at least 1, or NULL when memory is out),
 * to be filled and then committed: a socket reads straight into the blob. A push, another reserve,
 * or the end takes back what was lent. commit says what push says, and takes none of them on an
 * error. */
uint8_t *hf_blob_reserve(struct hf_blob *blob, size_t want, size_t *got);
enum hf_err hf_blob_commit(struct hf_blob *blob, size_t n);
/* Ends it. finish with less than the declared length is a failure: readers get HF_INVALID after the
 * bytes that came. After fail readers still get the bytes that came, then `err` (not HF_OK or
 * HF_AGAIN). */
void hf_blob_finish(struct hf_blob *blob);
void hf_blob_fail(struct hf_blob *blob, enum hf_err err);
/* Trailers: an encoded head (base/head.h) attached before finish, or empty. Copies. */
enum hf_err hf_blob_set_trailers(struct hf_blob *blob, struct hf_view head);
struct hf_view hf_blob_trailers(const struct hf_blob *blob);

/* ---- readers ---- */
struct hf_blob_reader {
    struct hf_blob *blob;
    struct hf_list in_blob;
    struct hf_wait wait; /* ready: peek would not say HF_AGAIN */
    uint64_t at;
    void *seg, *last; /* private */
};
/* Takes the caller's reference and sets *blob NULL; starts at byte 0 (asserts that the bytes are
 * still there). _at: starts at byte `at`, or at the end of what has come, without reading what is
 * before. */
void hf_blob_reader_open(struct hf_blob_reader *r, struct hf_blob **blob);
void hf_blob_reader_open_at(struct hf_blob_reader *r, struct hf_blob **blob, uint64_t at);
/* What it lent may go to a file once it is closed: who still wants it keeps it open. */
bool hf_blob_reader_holds(const struct hf_blob_reader *r);
void hf_blob_reader_close(struct hf_blob_reader *r); /* fine twice and on zeroes */
/* `to` (closed or zeroes) goes on where `from` was; `from` is closed after. */
void hf_blob_reader_move(struct hf_blob_reader *from, struct hf_blob_reader *to);
/* Lends the next contiguous bytes (never empty with HF_OK), until the reader goes on. HF_AGAIN: none
 * yet, or they are on their way back from a file (blob_spill.h), which can be said of complete
 * blobs. HF_CLOSED: the clean end. Else: it failed, with what fail said (HF_IO when that was
 * HF_CLOSED; hf_blob_error tells), or with what reading the file said. */
enum hf_err hf_blob_reader_peek(struct hf_blob_reader *r, struct hf_view *ret);
/* Passes n bytes (at most what peek lent, or iov): may free them, and gives the producer room. */
void hf_blob_reader_advance(struct hf_blob_reader *r, size_t n);
/* Fills iov with what is there; returns entries (0: peek says why), *len the bytes in them. */
struct iovec;
int hf_blob_reader_iov(struct hf_blob_reader *r, struct iovec *iov, int max, size_t *len);

#endif
