/* image.c - saved memories, and putting a memory back by copying only what was written.
 *
 * An instance's memory begins as a private mapping of its initial bytes (or as nothing at all);
 * every page the guest writes becomes an anonymous page of its own. The kernel can list those:
 * PAGEMAP_SCAN (Linux 6.7) over the memory gives ranges of pages that are not file pages and are
 * present or swapped. They, and nothing else, are copied from the image.
 *
 * The mask matters, for a page that is missed shows one tenant's data to the next:
 *   - SWAPPED belongs to it: a page that the kernel is just moving (compaction) is reported so, and
 * not as PRESENT;
 *   - a page that was only read where nothing was mapped is the shared page of zeroes (PFNZERO): it
 * equals the image exactly if the image's page is zero, so those are compared with a bitmap and not
 * copied. Anything unexpected - an error, a category we did not ask for, a range outside - is
 * HF_UNKNOWN, and the caller throws the instance away.
 *
 * A page once written stays anonymous for the life of the instance: the cost of a reset follows the
 * union of what all requests wrote. Reading an untouched memory maps its pages too and makes every
 * later scan slow, which is why an image is taken from an instance that never serves.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel's structures and constants: the headers of this system may be older than the kernel.
 */
struct scan_region {
    uint64_t start, end, categories;
};
struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define PAGE_FILE    (UINT64_C(1) << 2)
#define PAGE_PRESENT (UINT64_C(1) << 3)
#define PAGE_SWAPPED (UINT64_C(1) << 4)
#define PAGE_ZERO    (UINT64_C(1) << 5)

#define REGIONS 256 /* of one system call; more take more calls */

/* Lies in a page that a fork wipes: /proc/self/pagemap of the parent says nothing about the child.
 */
struct hf_scanner {
    uint64_t alive;
    int fd;
    size_t page;
    struct scan_region regions[REGIONS];
};

struct hf_memimage {
    size_t size, page;
    uint8_t *bytes;  /* zero pages are never touched, so they cost nothing */
    uint64_t zero[]; /* a bit a page */
};

/* ---- scanners ---- */

static int scan(struct hf_scanner *s, uintptr_t start, uintptr_t end, uintptr_t *walk_end)
{
    struct scan_arg arg = {
        .size = sizeof arg,
        .start = start,
        .end = end,
        .vec = (uintptr_t)s->regions,
        .vec_len = REGIONS,
        .category_inverted = PAGE_FILE,
        .category_mask = PAGE_FILE,
        .category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED,
        .return_mask = PAGE_ZERO,
    };
    int n = ioctl(s->fd, SCAN_IOCTL, &arg);
    *walk_end = (uintptr_t)arg.walk_end;
    return n;
}

enum hf_err hf_scanner_new(struct hf_scanner **ret, struct hf_report *report)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct hf_scanner *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return hf_report_set(report, HF_LIMIT, "page scanner: out of memory");
    s->page = page;
    s->fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uintptr_t walk_end, at = (uintptr_t)s & ~(page - 1);
    if (s->fd < 0 || madvise(s, sizeof *s, MADV_WIPEONFORK) != 0 ||
        scan(s, at, at + page, &walk_end) != 1) {
        int number = errno;
        if (s->fd >= 0)
            close(s->fd);
        munmap(s, sizeof *s);
        return hf_report_set(
            report, HF_UNSUPPORTED,
            "page scanner: this kernel cannot list written pages (PAGEMAP_SCAN, Linux 6.7): %s",
            strerror(number));
    }
    s->alive = 1;
    *ret = s;
    return HF_OK;
}

void hf_scanner_free(struct hf_scanner *s)
{
    if (s == NULL)
        return;
    if (s->alive)
        close(s->fd);
    munmap(s, sizeof *s);
}

/* ---- images ---- */

static bool is_zero(const uint8_t *page, size_t len)
{
    return page[0] == 0 && memcmp(page, page + 1, len - 1) == 0;
}

static bool zero_bit(const struct hf_memimage *img, size_t i)
{
    return img->zero[i / 64] >> i % 64 & 1;
}

enum hf_err hf_memimage_take(struct hf_store *store, const struct hf_memory *m,
                             struct hf_memimage **ret)
{
    uint8_t *base;
    size_t size, page = (size_t)sysconf(_SC_PAGESIZE);
    hf_memory_get(store, m, &base, &size);
    if (size % page != 0)
        return HF_UNSUPPORTED; /* pages of the guest smaller than ours */
    size_t pages = size / page;
    struct hf_memimage *img = calloc(1, sizeof *img + (pages + 63) / 64 * sizeof img->zero[0]);
    if (img == NULL)
        return HF_LIMIT;
    img->size = size;
    img->page = page;
    if (size > 0) {
        img->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (img->bytes == MAP_FAILED) {
            free(img);
            return HF_LIMIT;
        }
    }
    for (size_t i = 0; i < pages; i++) {
        if (is_zero(base + i * page, page))
            img->zero[i / 64] |= UINT64_C(1) << i % 64;
        else
            memcpy(img->bytes + i * page, base + i * page, page);
    }
    if (size > 0)
        (void)mprotect(img->bytes, size, PROT_READ); /* a seat belt: nobody may write it */
    *ret = img;
    return HF_OK;
}

void hf_memimage_free(struct hf_memimage *img)
{
    if (img == NULL)
        return;
    if (img->size > 0)
        munmap(img->bytes, img->size);
    free(img);
}

size_t hf_memimage_size(const struct hf_memimage *img)
{
    return img->size;
}

struct hf_view hf_memimage_bytes(const struct hf_memimage *img)
{
    return hf_view(img->bytes, img->size);
}

/* ---- reset ---- */

struct reset {
    struct hf_scanner *scanner;
    const struct hf_memimage *img;
    uint8_t *base;
    uint64_t max_pages, copied; /* max 0: no limit */
    struct hf_reset_stats *stats;
};

/* Pages [first, last) get the image's bytes, in runs of zero and other pages. */
static void copy_back(struct reset *r, size_t first, size_t last)
{
    size_t page = r->img->page;
    while (first < last) {
        bool zero = zero_bit(r->img, first);
        size_t stop = first + 1;
        while (stop < last && zero_bit(r->img, stop) == zero)
            stop++;
        if (zero)
            memset(r->base + first * page, 0, (stop - first) * page);
        else
            memcpy(r->base + first * page, r->img->bytes + first * page, (stop - first) * page);
        first = stop;
    }
}

static enum hf_err put_back(struct reset *r, size_t first, size_t last)
{
    r->copied += last - first;
    if (r->max_pages != 0 && r->copied > r->max_pages)
        return HF_LIMIT;
    copy_back(r, first, last);
    r->stats->pages_copied += last - first;
    return HF_OK;
}

static enum hf_err reset_region(struct reset *r, const struct scan_region *region)
{
    uintptr_t base = (uintptr_t)r->base;
    size_t page = r->img->page;
    if ((region->categories & ~PAGE_ZERO) != 0 || region->start < base ||
        region->end > base + r->img->size || region->start >= region->end ||
        (region->start - base) % page != 0 || (region->end - base) % page != 0)
        return HF_UNKNOWN;
    size_t first = (region->start - base) / page, last = (region->end - base) / page;
    r->stats->regions++;
    if (region->categories == 0)
        return put_back(r, first, last);
    enum hf_err err = HF_OK;
    for (; err == HF_OK && first < last;
         first++) { /* zero pages now: right where the image has zeroes */
        if (zero_bit(r->img, first))
            r->stats->pages_zero++;
        else
            err = put_back(r, first, first + 1);
    }
    return err;
}

enum hf_err hf_memory_reset(struct hf_scanner *s, struct hf_store *store, const struct hf_memory *m,
                            const struct hf_memimage *img, uint64_t max_pages,
                            struct hf_reset_stats *stats)
{
    struct hf_reset_stats unwanted = {0};
    struct reset r = {.scanner = s,
                      .img = img,
                      .max_pages = max_pages,
                      .stats = stats == NULL ? &unwanted : stats};
    size_t size;
    hf_memory_get(store, m, &r.base, &size);
    if (size > img->size)
        return HF_LIMIT;
    if (size != img->size || !s->alive || s->page != img->page ||
        (uintptr_t)r.base % img->page != 0)
        return HF_UNKNOWN;
    uintptr_t at = (uintptr_t)r.base, end = at + size;
    while (at < end) {
        uintptr_t walk_end;
        int n = scan(s, at, end, &walk_end);
        if (n < 0 || n > REGIONS || walk_end <= at || walk_end > end)
            return HF_UNKNOWN;
        for (int i = 0; i < n; i++) {
            enum hf_err err = reset_region(&r, &s->regions[i]);
            if (err != HF_OK)
                return err;
        }
        at = walk_end; /* a full vector stops the walk early: go on from there */
    }
    return HF_OK;
}
