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
    ret->first = ret->last = strtoul(range, &end, 10);
    if (*end == '-')
        ret->last = strtoul(end + 1, &end, 10);
    snprintf(ret->reason, sizeof ret->reason, "%s", text + at);
    return *end == '\0' && ret->first != 0 && ret->last >= ret->first;
}

bool wast_list_read(const char *path, struct wast_list *ret)
{
    FILE *f = fopen(path, "r");
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
            fprintf(stderr, "%s:%u: wanted \"FOLDER LINE[-LINE] reason\"\n", path, line);
    }
    if (f != NULL)
        fclose(f);
    return ok;
}

struct wast_known *wast_list_find(const struct wast_list *list, const char *folder,
                                  unsigned long line)
{
    for (size_t i = 0; i < list->len; i++) {
        struct wast_known *k = &list->ptr[i];
        if (strcmp(k->folder, folder) == 0 && line >= k->first && line <= k->last)
            return k;
    }
    return NULL;
}

void wast_list_done(struct wast_list *list)
{
    HF_VEC_DONE(list);
}
