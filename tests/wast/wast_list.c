/* wast_list.c - reads expected.txt: which commands of which folder are known to fail, and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "wast.h"

static bool read_line(char *text, struct wast_known *ret)
{
    char range[48];
    int at = 0;
    *ret = (struct wast_known){.first = 0};
    if (sscanf(text, "%95s %47s %n", ret->folder, range, &at) < 2 || text[at] == '\0')
        return false;
    char *end = NULL;
    snprintf(ret->reason, sizeof ret->reason, "%s", text + at);
    if (strcmp(range, "refused") == 0)
        return true;
    ret->first = ret->last = strtoul(range, &end, 10);
    if (*end == '-')
        ret->last = strtoul(end + 1, &end, 10);
    return *end == '\0' && ret->first != 0 && ret->last >= ret->first;
}

static bool read_list(FILE *f, const char *path, struct wast_list *ret)
{
    char text[512];
    unsigned line = 0;
    bool ok = f != NULL;
    if (f == NULL)
        fprintf(stderr, "%s: cannot be read\n", path);
    while (ok && fgets(text, sizeof text, f) != NULL) {
        struct wast_known known;
        line++;
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '#' || text[strspn(text, " \t")] == '\0')
            continue;
        ok = read_line(text, &known) && HF_VEC_PUSH(ret, known);
        if (!ok)
            fprintf(stderr, "%s:%u: wanted \"FOLDER LINE[-LINE]|refused reason\"\n", path, line);
    }
    if (f != NULL)
        fclose(f);
    return ok;
}

bool wast_list_read(const char *path, struct wast_list *ret)
{
    return read_list(fopen(path, "r"), path, ret);
}

/* The Makefile builds from the top of the tree. */
__asm__(".section .rodata\n"
        "wast_expected: .incbin \"tests/wast/expected.txt\"\n"
        "wast_expected_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char wast_expected[], wast_expected_end[];

bool wast_list_builtin(struct wast_list *ret)
{
    size_t len = (size_t)(wast_expected_end - wast_expected);
    return read_list(fmemopen((void *)(uintptr_t)wast_expected, len, "r"), "expected.txt", ret);
}

bool wast_list_matches(const struct wast_known *known, const char *folder)
{
    size_t len = strlen(known->folder);
    if (len != 0 && known->folder[len - 1] == '*')
        return strncmp(known->folder, folder, len - 1) == 0;
    return strcmp(known->folder, folder) == 0;
}

struct wast_known *wast_list_find(const struct wast_list *list, const char *folder,
                                  unsigned long line)
{
    for (size_t i = 0; i < list->len; i++) {
        struct wast_known *k = &list->ptr[i];
        if (wast_list_matches(k, folder) && line >= k->first && line <= k->last)
            return k;
    }
    return NULL;
}

void wast_list_done(struct wast_list *list)
{
    HF_VEC_DONE(list);
}
