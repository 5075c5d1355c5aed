/* manifest_say.c - what is said of a manifest's mistakes, in the order of the text, and the texts that live as long as it does. */
#include "node/manifest_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"

/* ---- mistakes ---------------------------------------------------------------------------------------------- */

static void keep(struct hf_reading *r, uint32_t at, char *text)
{
    r->n_mistakes++;
    if (text == NULL) {
        r->no_memory = true;
    } else if (r->mistakes.len >= HF_MANIFEST_KEPT_MAX) {
        free(text);
    } else if (!HF_VEC_PUSH(&r->mistakes, (struct hf_mistake){at, text})) {
        r->no_memory = true;
        free(text);
    }
}

void hf_mistake(struct hf_reading *r, uint32_t at, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    keep(r, at, text);
}

void hf_mistake_of(struct hf_reading *r, const struct hf_key *k, uint32_t at, const char *fmt, ...)
{
    char place[160], *said = NULL, *text = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&said, fmt, args) < 0)
        said = NULL;
    va_end(args);
    hf_key_place(k, r->name, place, sizeof place);
    const char *name = hf_key_name(k);
    if (said != NULL && asprintf(&text, "'%.*s' %s %s %s", (int)strcspn(name, "["), name, place[0] == '[' ? "in" : "at", place, said) < 0)
        text = NULL;
    free(said);
    keep(r, at, text);
}

void hf_reading_place(const struct hf_reading *r, uint32_t at, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < r->source.len; i++) {
        if (r->source.ptr[i] == '\n') {
            ++*line;
            *column = 1;
        } else if ((r->source.ptr[i] & 0xC0) != 0x80) { /* not inside a character */
            ++*column;
        }
    }
}

static int by_place(const void *a, const void *b)
{
    const struct hf_mistake *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : strcmp(x->text, y->text);
}

enum hf_err hf_reading_tell(struct hf_reading *r, struct hf_report *report)
{
    if (r->no_memory)
        return hf_report_set(report, HF_LIMIT, "%s: out of memory", r->file);
    if (r->n_mistakes == 0)
        return HF_OK;
    if (r->mistakes.len > 1)
        qsort(r->mistakes.ptr, r->mistakes.len, sizeof *r->mistakes.ptr, by_place);
    for (size_t i = 0; i < r->mistakes.len && i < HF_MANIFEST_SHOWN_MAX; i++) {
        unsigned line, column;
        hf_reading_place(r, r->mistakes.ptr[i].at, &line, &column);
        if (i == 0)
            hf_report_set(report, HF_INVALID, "%s:%u:%u: %s", r->file, line, column, r->mistakes.ptr[i].text);
        else
            hf_report_add(report, "%s:%u:%u: %s", r->file, line, column, r->mistakes.ptr[i].text);
    }
    if (r->n_mistakes > HF_MANIFEST_SHOWN_MAX)
        hf_report_add(report, "%s: and %zu more", r->file, r->n_mistakes - HF_MANIFEST_SHOWN_MAX);
    return HF_INVALID;
}

/* ---- texts ------------------------------------------------------------------------------------------------- */

struct hf_view hf_reading_text(const struct hf_reading *r, struct hf_deps_toml_place place)
{
    return hf_view(r->toml->text + place.text, place.text_len);
}

const char *hf_reading_copy(struct hf_reading *r, struct hf_view text)
{
    struct hf_view v = hf_arena_copy(&r->m->arena, text);
    if (v.ptr == NULL)
        r->no_memory = true;
    return (const char *)v.ptr;
}

const char *hf_reading_print(struct hf_reading *r, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) {
        r->no_memory = true;
        return NULL;
    }
    const char *copy = hf_reading_copy(r, hf_view(text, (size_t)n));
    free(text);
    return copy;
}

const char *hf_reading_join(struct hf_reading *r, const char *path)
{
    if (r->dir == NULL || r->dir[0] == 0 || path[0] == '/')
        return hf_reading_copy(r, hf_view_of(path));
    bool slash = r->dir[strlen(r->dir) - 1] == '/';
    return hf_reading_print(r, "%s%s%s", r->dir, slash ? "" : "/", path);
}

const char *hf_reading_shown(struct hf_view text, char to[HF_SHOWN_MAX])
{
    size_t n = 0, most = text.len > 40 ? 40 : text.len;
    while (most < text.len && most > 0 && (text.ptr[most] & 0xC0) == 0x80)
        most--; /* whole characters */
    for (size_t i = 0; i < most; i++)
        to[n++] = (char)(text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ? '?' : text.ptr[i]);
    strcpy(to + n, most < text.len ? "..." : "");
    return to;
}
