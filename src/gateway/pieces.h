/* pieces.h - a message on its way out, as pieces in this order: head, chunk line, body bytes lent
 * by a blob, tail. Answers (conn_out.c) and requests (client_out.c) leave alike.
 *
 * What is in the pieces leaves in one vectored write; when they are gone the next ones are made of
 * what the blob has by then. A body whose length was said is promised: a byte beyond it never
 * leaves, whoever pushes it, and one too few is an error, told before the last byte when it is
 * known by then. Zeroes are an empty message. Knows no sockets, and no order of messages.
 */
#ifndef HF_GATEWAY_PIECES_H
#define HF_GATEWAY_PIECES_H

#include <sys/uio.h>

#include "gateway/http1.h"
#include "kernel/blob.h"

#define HF_GATHER_MAX      64 /* entries of one write */
#define HF_GATHER_BODY_MAX 16 /* of one message's body in it */

struct hf_gather {
    struct iovec iov[HF_GATHER_MAX];
    int n;
    size_t len;
};

struct hf_pieces {
    uint8_t framing; /* enum hf_http1_framing: what its head says */
    struct hf_buf head;
    size_t head_at;
    char chunk[HF_HTTP1_CHUNK_HEAD];
    uint8_t chunk_len, chunk_at;
    uint64_t promised;  /* bytes of a body whose length was said */
    uint64_t left;      /* of them, or of this chunk */
    struct hf_buf tail; /* end of a chunk, of the body */
    size_t tail_at;
};

void hf_pieces_reset(struct hf_pieces *p); /* empty, storage kept */
void hf_pieces_done(struct hf_pieces *p);
bool hf_pieces_gone(const struct hf_pieces *p);
/* Its length was said. */
bool hf_pieces_counted(const struct hf_pieces *p);
/* Nothing stands before the body's next byte: it is what is waited for. */
bool hf_pieces_want_bytes(const struct hf_pieces *p);

/* The head was made, and a body follows it. `length`: what it says, where it says one. */
void hf_pieces_body(struct hf_pieces *p, enum hf_http1_framing framing, uint64_t length);
/* The pieces are gone: makes the next. HF_OK: there are some, or *last says that there will be no
 * more; both may be. HF_AGAIN: nothing yet. HF_INVALID: more came than was promised. HF_LIMIT:
 * memory. Else why the body broke off. */
enum hf_err hf_pieces_next(struct hf_pieces *p, struct hf_blob_reader *body, bool *last);
/* While a body flows, before each write. HF_OK: its next byte is there. HF_AGAIN: not yet, but what
 * stands before it may leave. HF_INVALID: it will be, or is, of another length than was promised.
 * Else why it broke off. */
enum hf_err hf_pieces_check(const struct hf_pieces *p, struct hf_blob_reader *body);
/* Adds what is there to a write; true: all of it. */
bool hf_pieces_add(const struct hf_pieces *p, struct hf_blob_reader *body, struct hf_gather *g);
/* n bytes were written: passes them. What is left of n belongs to the next message. */
size_t hf_pieces_took(struct hf_pieces *p, struct hf_blob_reader *body, size_t n);

#endif
