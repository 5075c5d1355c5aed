/* memimage.c - the saved bytes of one memory, and what is known of each of its pages.
 *
 * A page of an image is zero or has bytes; and it was written since its memory was made, or is as
 * the module's segments made it. A whole image has the bytes of every page and can be reset to. One
 * of written pages alone has no others: it is made in the time that they take, and makes a fresh
 * memory equal, for the fresh one has the rest.
 *
 * The bytes lie in a mapping as large as the memory: pages that are zero or not known are never
 * touched and cost nothing. Or, of an image that was read, where they were: one page behind the
 * other, without those that are zero, and copied once, into the memory that is made of it.
 */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

bool hf_is_zero(const uint8_t *p, size_t len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static void set_bits(uint64_t *bits, size_t first, size_t last)
{
    for (; first < last; first++)
        bits[first / 64] |= UINT64_C(1) << first % 64;
}

static bool bit(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

bool hf_memimage_is_zero(const struct hf_memimage *img, size_t page)
{
    return bit(img->zero, page);
}

void hf_memimage_mark(struct hf_memimage *img, size_t first, size_t last)
{
    set_bits(img->written, first, last);
}

/* ---- making ---- */

size_t hf_memimage_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static enum hf_err blank(uint64_t size, struct hf_memimage **ret)
{
    size_t page = hf_memimage_page();
    if (size % page != 0)
        return HF_UNSUPPORTED; /* pages of the guest smaller than ours */
    size_t words = (size_t)((size / page + 63) / 64);
    struct hf_memimage *img = calloc(1, sizeof *img + 2 * words * sizeof img->zero[0]);
    if (img == NULL)
        return HF_LIMIT;
    img->size = (size_t)size;
    img->page = page;
    img->written = img->zero + words;
    *ret = img;
    return HF_OK;
}

enum hf_err hf_memimage_new_lent(uint64_t size, const uint8_t *lent, struct hf_memimage **ret)
{
    enum hf_err err = blank(size, ret);
    if (err == HF_OK)
        (*ret)->lent = (*ret)->lent_end = lent;
    return err;
}

enum hf_err hf_memimage_new(uint64_t size, struct hf_memimage **ret)
{
    struct hf_memimage *img;
    enum hf_err err = blank(size, &img);
    if (err != HF_OK)
        return err;
    if (size > 0) {
        img->bytes = mmap(NULL, img->size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (img->bytes == MAP_FAILED) {
            free(img);
            return HF_LIMIT;
        }
    }
    *ret = img;
    return HF_OK;
}

void hf_memimage_free(struct hf_memimage *img)
{
    if (img == NULL)
        return;
    if (img->bytes != NULL)
        munmap(img->bytes, img->size);
    free(img);
}

void hf_memimage_put(struct hf_memimage *img, size_t first, size_t n, const uint8_t *bytes)
{
    HF_ASSERT(first <= img->size / img->page && n <= img->size / img->page - first);
    set_bits(img->written, first, first + n);
    if (bytes == NULL) {
        set_bits(img->zero, first, first + n);
    } else if (img->lent != NULL) {
        HF_ASSERT(bytes == img->lent_end);
        img->lent_end += n * img->page;
    } else {
        memcpy(img->bytes + first * img->page, bytes, n * img->page);
    }
}

/* A seat belt: nobody may write it from now on. */
static void seal(struct hf_memimage *img)
{
    if (img->size > 0)
        (void)mprotect(img->bytes, img->size, PROT_READ);
}

/* Of the memory as it is now: which pages were written. */
static enum hf_err begin(struct hf_scanner *s, struct hf_store *store, const struct hf_memory *m,
                         uint8_t **bytes, struct hf_memimage **ret)
{
    size_t size;
    hf_memory_get(store, m, bytes, &size);
    enum hf_err err = hf_memimage_new(size, ret);
    if (err != HF_OK)
        return err;
    if (s == NULL)
        hf_memimage_mark(*ret, 0, size / (*ret)->page);
    else
        err = hf_memory_written(s, *bytes, *ret); /* before anything is read */
    if (err != HF_OK)
        hf_memimage_free(*ret);
    return err;
}

enum hf_err hf_memimage_take(struct hf_scanner *s, struct hf_store *store,
                             const struct hf_memory *m, bool whole, struct hf_memimage **ret)
{
    uint8_t *base;
    struct hf_memimage *img;
    enum hf_err err = begin(s, store, m, &base, &img);
    if (err != HF_OK)
        return err;
    size_t pages = img->size / img->page;
    img->whole = whole || s == NULL;
    for (size_t i = 0; i < pages; i++) {
        const uint8_t *page = base + i * img->page;
        if (!img->whole && !bit(img->written, i))
            continue;
        if (hf_is_zero(page, img->page))
            set_bits(img->zero, i, i + 1);
        else
            memcpy(img->bytes + i * img->page, page, img->page);
    }
    seal(img);
    *ret = img;
    return HF_OK;
}

static void clear_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool is_as_in(const struct hf_memimage *base, size_t i, const uint8_t *page, bool zero)
{
    if (i >= base->size / base->page)
        return zero;
    if (bit(base->zero, i))
        return zero;
    return memcmp(page, base->bytes + i * base->page, base->page) == 0;
}

enum hf_err hf_memimage_take_since(struct hf_scanner *s, struct hf_store *store,
                                   const struct hf_memory *m, const struct hf_memimage *base,
                                   struct hf_memimage **ret)
{
    uint8_t *bytes;
    size_t size;
    struct hf_memimage *img;
    hf_memory_get(store, m, &bytes, &size);
    if (!base->whole || base->size > size)
        return HF_INVALID;
    enum hf_err err = begin(s, store, m, &bytes, &img);
    if (err != HF_OK)
        return err;
    size_t pages = img->size / img->page;
    for (size_t word = 0; word < (base->size / base->page + 63) / 64; word++)
        img->written[word] |= base->written[word]; /* this one need not have written them, too */
    for (size_t i = 0; i < pages; i++) {
        if (img->written[i / 64] == 0) {
            i |= 63;
            continue;
        }
        if (!bit(img->written, i))
            continue;
        const uint8_t *page = bytes + i * img->page;
        bool zero = hf_is_zero(page, img->page);
        if (is_as_in(base, i, page, zero))
            clear_bit(img->written, i);
        else if (zero)
            set_bits(img->zero, i, i + 1);
        else
            memcpy(img->bytes + i * img->page, page, img->page);
    }
    seal(img);
    *ret = img;
    return HF_OK;
}

/* ---- asking ---- */

size_t hf_memimage_size(const struct hf_memimage *img)
{
    return img->size;
}

bool hf_memimage_whole(const struct hf_memimage *img)
{
    return img->whole;
}

struct hf_view hf_memimage_bytes(const struct hf_memimage *img)
{
    HF_ASSERT(img->lent == NULL);
    return hf_view(img->bytes, img->size);
}

/* Pages before it that have bytes. */
static size_t rank(const struct hf_memimage *img, size_t page)
{
    size_t n = 0;
    for (size_t i = 0; i < page / 64; i++)
        n += (size_t)__builtin_popcountll(img->written[i] & ~img->zero[i]);
    if (page % 64 != 0)
        n += (size_t)__builtin_popcountll(img->written[page / 64] & ~img->zero[page / 64] &
                                          ((UINT64_C(1) << page % 64) - 1));
    return n;
}

struct hf_view hf_memimage_run(const struct hf_memimage *img, size_t page, size_t n)
{
    const uint8_t *p =
        img->lent != NULL ? img->lent + rank(img, page) * img->page : img->bytes + page * img->page;
    return hf_view(p, n * img->page);
}

bool hf_memimage_next(const struct hf_memimage *img, size_t *page, size_t *n, bool *zero)
{
    size_t pages = img->size / img->page, at = *page;
    while (at < pages && !bit(img->written, at)) /* whole words of nothing are most of it */
        at = img->written[at / 64] >> at % 64 == 0 ? (at / 64 + 1) * 64 : at + 1;
    if (at >= pages)
        return false;
    size_t stop = at + 1;
    *zero = bit(img->zero, at);
    while (stop < pages && bit(img->written, stop) && bit(img->zero, stop) == *zero)
        stop++;
    *page = at;
    *n = stop - at;
    return true;
}

/* ---- using ---- */

enum hf_err hf_memimage_apply(struct hf_store *store, const struct hf_memory *m,
                              const struct hf_memimage *img)
{
    uint8_t *base;
    size_t size;
    hf_memory_get(store, m, &base, &size);
    if (size != img->size)
        return HF_INVALID;
    return hf_memimage_apply_base(store, m, img);
}

enum hf_err hf_memimage_apply_base(struct hf_store *store, const struct hf_memory *m,
                                   const struct hf_memimage *img)
{
    uint8_t *base;
    size_t size, at = 0, n;
    bool zero;
    const uint8_t *lent = img->lent;
    hf_memory_get(store, m, &base, &size);
    if (size < img->size)
        return HF_INVALID;
    for (; hf_memimage_next(img, &at, &n, &zero); at += n) {
        uint8_t *to = base + at * img->page;
        if (!zero && lent != NULL) {
            memcpy(to, lent, n * img->page);
            lent += n * img->page;
        } else if (!zero) {
            memcpy(to, img->bytes + at * img->page, n * img->page);
        } else if (!hf_is_zero(to, n * img->page)) {
            memset(to, 0, n * img->page);
        }
    }
    return HF_OK;
}
