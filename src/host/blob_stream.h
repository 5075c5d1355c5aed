/* blob_stream.h - wasi:io streams over a kernel blob: one end of a body, whoever owns it. Internal to the room.
 *
 * The owner is a host object, parent of the stream or the stream itself; it keeps the reader or the producer's side and may
 * end it while the stream lives. It puts hf_blob_in or hf_blob_out first into its stream object.
 */
#ifndef HF_HOST_BLOB_STREAM_H
#define HF_HOST_BLOB_STREAM_H

#include "host/guest.h"

struct hf_blob_in {
    struct hf_in_stream in;
    struct hf_blob_reader *reader; /* the owner's; NULL, or one without a blob: the stream is at its end */
    /* The error of a blob that broke off with `err`; NULL when memory is out. */
    struct hf_io_error *(*broken)(struct hf_blob_in *s, enum hf_err err);
    struct hf_wait ended;
};
/* An input-stream object of `size` bytes. NULL: memory out. destroy (may be NULL) is called before the rest of it goes. */
struct hf_blob_in *hf_blob_in_new(struct hf_guest *g, size_t size, const char *kind, struct hf_obj *parent,
                                  void (*destroy)(struct hf_obj *obj));
void hf_blob_in_done(struct hf_obj *obj); /* its destroy, or the end of the owner's */

struct hf_blob_out {
    struct hf_out_stream out;
    struct hf_blob **blob; /* the owner's: the producer's side, NULL once it ended. NULL: the owner went first */
    struct hf_wait ended;
};
/* An output-stream object, child of its owner. NULL: memory out. `ops` are those below, or some of the owner's among them. */
struct hf_blob_out *hf_blob_out_new(struct hf_guest *g, struct hf_obj *owner, struct hf_blob **blob, const struct hf_out_ops *ops);
struct hf_blob *hf_blob_out_wanted(struct hf_out_stream *s); /* NULL: nobody is left to read, or it ended */
enum hf_err hf_blob_out_room(struct hf_out_stream *s, uint64_t *ret);
enum hf_err hf_blob_out_flush(struct hf_out_stream *s);
struct hf_wait *hf_blob_out_wait(struct hf_out_stream *s);

#endif
