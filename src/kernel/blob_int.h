/* blob_int.h - what blob.c, blob_reader.c and blob_pool.c share; nobody else includes it.
 *
 * Bytes lie in a chain of segments in order. `base` is the first byte that is still here, `low` the
 * slowest reader's place (base while there is no reader), `pushed` the end. A reader's segment is
 * the one that holds its next byte, or the last one when it has read all (NULL: there is none);
 * adding a segment keeps that true.
 */
#ifndef HF_KERNEL_BLOB_INT_H
#define HF_KERNEL_BLOB_INT_H

#include "kernel/blob.h"

enum hf_seg_kind { HF_SEG_INLINE, HF_SEG_BUF, HF_SEG_SMALL, HF_SEG_LARGE };
#define HF_SEG_SMALL_SIZE 4096u /* of the allocation, its head included */
#define HF_SEG_LARGE_SIZE                                                                          \
    (64u * 1024 + sizeof(struct hf_seg)) /* a whole default window is one read and one write */

struct hf_seg {
    struct hf_seg *next;
    uint8_t *data;
    uint64_t at; /* offset of data[0] in the blob */
    size_t len, cap;
    enum hf_seg_kind kind;
};
#define HF_SEG_SMALL_CAP (HF_SEG_SMALL_SIZE - sizeof(struct hf_seg))

struct hf_blob {
    struct hf_blob_pool *pool;
    uint32_t refs; /* holders and readers; the producer is not counted */
    uint32_t n_readers;
    bool producing;     /* the producer's hidden reference */
    bool ended;         /* finish or fail was said */
    bool telling, told; /* readers are being told of news; news came meanwhile */
    enum hf_err err;
    uint64_t declared, pushed;
    uint64_t base, low;
    size_t window, memory;
    size_t lent; /* bytes behind the last segment's len that the producer is filling */
    struct hf_seg *head, *tail;
    struct hf_list readers; /* of hf_blob_reader.in_blob */
    struct hf_list *cursor; /* next reader to be told; closing one moves it on */
    struct hf_wait room, gone;
    struct hf_buf trailers;
    struct hf_seg own; /* of a complete blob; its inline bytes lie behind the struct */
};

/* blob_pool.c. A segment with room; NULL: no memory. */
struct hf_seg *hf_seg_new(struct hf_blob_pool *pool, enum hf_seg_kind kind);
void hf_seg_free(struct hf_blob_pool *pool, struct hf_seg *seg);
struct hf_blob *hf_blob_alloc(struct hf_blob_pool *pool, size_t inline_bytes);
void hf_blob_dealloc(struct hf_blob *b); /* its segments are gone */

/* blob.c: frees what no reference can read any more, and fires the producer's wait if that makes
 * room. */
void hf_blob_settle(struct hf_blob *b);

#endif
