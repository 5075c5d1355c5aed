/* blob_int.h - what blob.c, blob_reader.c, blob_pool.c, blob_spill.c and blob_share.c share; nobody
 * else includes it.
 *
 * Bytes lie in a chain of segments in order. `base` is the first byte that is still here, `low` the
 * slowest reader's place (base while there is no reader), `pushed` the end. A reader's segment is
 * the one that holds its next byte, or the last one when it has read all (NULL: there is none);
 * adding a segment keeps that true.
 *
 * With a keeper (blob_spill.h) a segment is, in this order, being filled; SEALED, when nothing can be
 * added to it any more; COLD, while nobody reads it and it may go; on its way (move); in the file
 * and in memory (placed, data); in the file only (placed, no data). A reader that is at it keeps
 * its data, or has it brought back.
 */
#ifndef HF_KERNEL_BLOB_INT_H
#define HF_KERNEL_BLOB_INT_H

#include "kernel/blob_spill.h"

enum hf_seg_kind { HF_SEG_INLINE, HF_SEG_BUF, HF_SEG_SMALL, HF_SEG_LARGE };
#define HF_SEG_SMALL_SIZE 4096u /* of the allocation, its head included */
#define HF_SEG_LARGE_CAP  (64u * 1024) /* a whole default window is one read and one write */
#define HF_SEG_LARGE_SIZE (HF_SEG_LARGE_CAP + sizeof(struct hf_seg))
#define HF_BLOB_SPILL_LEAST 4096u /* bytes of one piece that are worth it */
#define HF_BLOB_ONE_MAX   (1024u * 1024) /* more of a complete blob lies in pieces, where they may spill */

struct hf_blob_move;
struct hf_shared; /* blob_share.c */
struct hf_seg {
    struct hf_seg *next;
    uint8_t *data; /* NULL: in the file */
    struct hf_shared *shared; /* what data lies in, when other workers may have it too; else NULL */
    uint64_t at;   /* offset of data[0] in the blob */
    size_t len, cap;
    enum hf_seg_kind kind;
    uint32_t n_readers; /* those that are at it */
    bool placed;        /* it lies in the file */
    enum hf_err err;    /* it could not be read back; until the readers that want it are gone */
    uint64_t place;
    struct hf_blob *blob;
    struct hf_blob_move *move; /* it is on its way */
    struct hf_list link;       /* hf_blob.cold; or waiting to be read: hf_blob_spill.wanted */
};
#define HF_SEG_SMALL_CAP (HF_SEG_SMALL_SIZE - sizeof(struct hf_seg))

struct hf_blob {
    struct hf_blob_pool *pool;
    uint32_t refs; /* holders and readers; the producer is not counted */
    uint32_t n_readers;
    bool producing;     /* the producer's hidden reference */
    bool ended;         /* finish or fail was said */
    bool telling, told; /* readers are being told of news; news came meanwhile */
    bool slowed;        /* no room, whatever the window says: the file is behind */
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
    struct hf_list cold;    /* segments that may go */
    struct hf_list in_cold; /* the pool's list of blobs that have some */
    struct hf_list in_slow; /* ... of those whose producers wait for the file */
    size_t going;           /* of memory: on its way to the file */
    struct hf_seg own;      /* of a complete blob; its inline bytes lie behind the struct */
};

struct hf_blob_spill;
struct hf_blob_pool {
    uint32_t refs;
    size_t live, memory;
    size_t kept, keep_max;
    size_t held;          /* sum of all blobs' memory */
    struct hf_seg *small; /* with their bytes behind them */
    struct hf_seg *large; /* with data */
    struct hf_seg *bare;  /* heads of large ones, and ... */
    void *blocks;         /* ... their data, chained through its first bytes */
    struct hf_blob *heads; /* chained through .cursor */
    struct hf_blob_spill *spill; /* NULL: all stays in memory */
};

/* blob_pool.c. A segment with room; NULL: no memory. */
struct hf_seg *hf_seg_new(struct hf_blob_pool *pool, enum hf_seg_kind kind);
void hf_seg_free(struct hf_blob_pool *pool, struct hf_seg *seg);
/* Its data alone, which is a LARGE or a BUF segment's. block: `len` bytes for one, and the NUL of a
 * hf_buf that is read into; NULL: no memory. */
uint8_t *hf_seg_block(struct hf_blob_pool *pool, enum hf_seg_kind kind, size_t len);
void hf_seg_block_free(struct hf_blob_pool *pool, enum hf_seg_kind kind, uint8_t *data);
/* One of them is not the pool's any more: it will be given to free() by whoever is last. */
void hf_seg_block_leaves(struct hf_blob_pool *pool, enum hf_seg_kind kind);
struct hf_seg *hf_seg_bare(struct hf_blob_pool *pool); /* LARGE, without data; NULL: no memory */
/* blob_share.c */
void hf_shared_unref(struct hf_shared *s);
/* blob.c: a complete one of len bytes, cap of storage, whose own segment is BUF and empty yet; it may
 * spill once it is filled; a segment more at its end. */
struct hf_blob *hf_blob_whole(struct hf_blob_pool *pool, size_t cap, size_t len);
void hf_blob_became_cold(struct hf_blob *b);
void hf_blob_add_seg(struct hf_blob *b, struct hf_seg *seg);
struct hf_blob *hf_blob_alloc(struct hf_blob_pool *pool, size_t inline_bytes);
void hf_blob_dealloc(struct hf_blob *b); /* its segments are gone */

/* blob.c: frees what no reference can read any more, and fires the producer's wait if that makes
 * room. */
void hf_blob_settle(struct hf_blob *b);
void hf_blob_unref_settle(struct hf_blob *b); /* of a reader that is gone; unref does it where it matters */
/* Readers hear of bytes, of bytes that are back, or of the end. A reader's wake may read, advance
 * and close readers, this one or another, and so let the producer's wake push or end the blob.
 * False: that was the end of it, the blob is gone. */
bool hf_blob_tell(struct hf_blob *b);

/* blob_reader.c: the reader's segment is this one now (NULL: none). */
void hf_blob_reader_enter(struct hf_blob_reader *r, struct hf_seg *seg);
/* What its wait follows. */
static inline bool hf_blob_reader_ready(const struct hf_blob_reader *r)
{
    const struct hf_seg *seg = r->seg;
    return r->at < r->blob->pushed ? seg->data != NULL || seg->err != HF_OK : r->blob->ended;
}

/* blob_spill.c; for pools with a keeper, but where it says so. */
static inline bool hf_blob_spills(const struct hf_blob *b)
{
    return b->pool != NULL && b->pool->spill != NULL;
}
/* Sealed, or its last reader left: it may go from now on. */
void hf_seg_cool(struct hf_blob *b, struct hf_seg *seg);
/* Not any more: somebody reads it, or it is freed. */
void hf_seg_warm(struct hf_blob *b, struct hf_seg *seg);
/* Its data is wanted back. And: nobody wants it any more. */
void hf_seg_want(struct hf_blob *b, struct hf_seg *seg);
void hf_seg_unwant(struct hf_seg *seg);
/* Before it is freed: what lies in the file is forgotten, and what is on its way is the move's. */
void hf_seg_leave(struct hf_blob *b, struct hf_seg *seg);
/* Sends to the file what is too much. b: the blob that grew; NULL: the pool did. */
void hf_blob_press(struct hf_blob_pool *pool, struct hf_blob *b);
/* Its producer is to wait for the file. */
bool hf_blob_is_slowed(struct hf_blob *b);
/* The file takes no more, the bound is passed, and so much more of this blob (NULL: a new one) is not
 * little. Counted. */
bool hf_blob_refuses(struct hf_blob_pool *pool, struct hf_blob *b, size_t more);
void hf_blob_spill_free(struct hf_blob_spill *spill);

#endif
