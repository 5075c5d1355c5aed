/* image.c - which pages of a memory were written, and putting a memory back by copying only those.
 * (memimage.c: the saved bytes themselves.)
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
 * What is not in the list is as the module's own segments made it, here and in the instance that
 * the image was taken of: two instances need not have started the same way (a hash seed is enough
 * to move a heap). So the image knows which of its pages were written, and a reset copies those too
 * that this instance never touched; from then on they are in its list.
 *
 * A page once written stays anonymous for the life of the instance: the cost of a reset follows the
 * union of what all requests wrote. Reading an untouched memory maps its pages too and makes every
 * later scan slow, which is why a whole image is taken from an instance that never serves.
 */
#include "engine/engine_int.h"

#include <errno.h>
#include <fcntl.h>
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

/* ---- walking what was written ---- */

/* Ranges of pages [first, last) in ascending order; `zero`: pages of zeroes that were only read. */
typedef enum hf_err (*range_fn)(void *ctx, size_t first, size_t last, bool zero);

static enum hf_err give_region(const struct scan_region *region, uintptr_t base, size_t size,
                               size_t page, range_fn fn, void *ctx)
{
    if ((region->categories & ~PAGE_ZERO) != 0 || region->start < base ||
        region->end > base + size || region->start >= region->end ||
        (region->start - base) % page != 0 || (region->end - base) % page != 0)
        return HF_UNKNOWN;
    return fn(ctx, (region->start - base) / page, (region->end - base) / page,
              region->categories != 0);
}

static enum hf_err walk(struct hf_scanner *s, const uint8_t *base, size_t size, range_fn fn,
                        void *ctx)
{
    uintptr_t at = (uintptr_t)base, end = at + size;
    if (!s->alive || at % s->page != 0)
        return HF_UNKNOWN;
    while (at < end) {
        uintptr_t walk_end;
        int n = scan(s, at, end, &walk_end);
        if (n < 0 || n > REGIONS || walk_end <= at || walk_end > end)
            return HF_UNKNOWN;
        for (int i = 0; i < n; i++) {
            enum hf_err err = give_region(&s->regions[i], (uintptr_t)base, size, s->page, fn, ctx);
            if (err != HF_OK)
                return err;
        }
        at = walk_end; /* a full vector stops the walk early: go on from there */
    }
    return HF_OK;
}

static enum hf_err mark(void *ctx, size_t first, size_t last, bool zero)
{
    (void)zero; /* nearly always as it was made; counting it as written is never wrong */
    hf_memimage_mark(ctx, first, last);
    return HF_OK;
}

enum hf_err hf_memory_written(struct hf_scanner *s, const uint8_t *base, struct hf_memimage *img)
{
    return walk(s, base, img->size, mark, img);
}

/* ---- reset ---- */

struct reset {
    const struct hf_memimage *img;
    uint8_t *base;
    size_t next;                /* pages below it are as they shall be */
    uint64_t max_pages, copied; /* max 0: no limit */
    struct hf_reset_stats *stats;
};

/* Pages [first, last) get the image's bytes, in runs of zero and other pages. */
static void copy_back(struct reset *r, size_t first, size_t last)
{
    size_t page = r->img->page;
    while (first < last) {
        bool zero = hf_memimage_is_zero(r->img, first);
        size_t stop = first + 1;
        while (stop < last && hf_memimage_is_zero(r->img, stop) == zero)
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

/* Pages up to `to` that this instance never wrote, but the image's did. */
static enum hf_err catch_up(struct reset *r, size_t to)
{
    size_t at = r->next, n;
    bool zero;
    for (; hf_memimage_next(r->img, &at, &n, &zero) && at < to; at += n) {
        size_t stop = at + n < to ? at + n : to;
        if (zero && hf_is_zero(r->base + at * r->img->page, (stop - at) * r->img->page))
            continue; /* writing zeroes over zeroes would only make pages dirty */
        enum hf_err err = put_back(r, at, stop);
        if (err != HF_OK)
            return err;
    }
    r->next = to;
    return HF_OK;
}

static enum hf_err reset_range(void *ctx, size_t first, size_t last, bool zero)
{
    struct reset *r = ctx;
    enum hf_err err = catch_up(r, first);
    r->stats->regions++;
    r->next = last;
    if (err == HF_OK && !zero)
        return put_back(r, first, last);
    for (; err == HF_OK && first < last; first++) {
        /* zero pages now: right where the image has zeroes */
        if (hf_memimage_is_zero(r->img, first))
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
    struct reset r = {
        .img = img, .max_pages = max_pages, .stats = stats == NULL ? &unwanted : stats};
    size_t size;
    hf_memory_get(store, m, &r.base, &size);
    if (size > img->size)
        return HF_LIMIT;
    if (size != img->size || !img->whole || s->page != img->page)
        return HF_UNKNOWN;
    enum hf_err err = walk(s, r.base, size, reset_range, &r);
    return err == HF_OK ? catch_up(&r, size / img->page) : err;
}
