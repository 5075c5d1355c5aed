/* name_fuzz.c - any bytes as a process's name, and as a pattern of names: what is refused is said
 * in printable words; what is taken has its class, group and shard within it.
 *
 * rooms: base
 * files: src/kernel/name.c
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : (fprintf(stderr, "not so: %s (line %d)\n", #cond, __LINE__), abort()))

static void refused(enum hf_err err, const struct hf_report *report)
{
    MUST(err == HF_INVALID && report->len > 0);
    for (size_t i = 0; i < report->len; i++)
        MUST(report->text[i] >= ' ' && report->text[i] < 127);
}

static bool lies_in(struct hf_view part, struct hf_view whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void taken(struct hf_view name)
{
    struct hf_view class = hf_name_class(name), group = hf_name_group(name);
    struct hf_view alone = hf_name_group_of(name, hf_view(NULL, 0)),
                   child = hf_name_group_of(name, HF_VIEW("parent"));
    MUST(name.len <= HF_NAME_MAX && class.len <= HF_NAME_CLASS_MAX);
    MUST(hf_name_check_class(class, NULL) == HF_OK && hf_name_check(class, NULL) == HF_OK);
    MUST(class.ptr == name.ptr && (class.len == name.len || name.ptr[class.len] == '/'));
    MUST(lies_in(group, name) && hf_view_find(group, '/') == group.len);
    MUST(group.len == 0 ? hf_view_eq(alone, name) && hf_view_eq_text(child, "parent")
                        : hf_view_eq(alone, group) && hf_view_eq(child, group));
    MUST(hf_name_shard(alone, HF_SHARDS) < HF_SHARDS && hf_name_shard(alone, 1) == 0);
    for (size_t i = 0; i < name.len; i++)
        MUST(name.ptr[i] > ' ' && name.ptr[i] < 127);
    /* What stands before a "/" is a name. */
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/')
            MUST(hf_name_check(hf_view_take(name, i), NULL) == HF_OK);
    MUST(hf_name_is_made(class) == false);
}

/* The first byte says where the input is cut: a name, and a pattern. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hf_view all = hf_view(data, size), rest = hf_view_skip(all, 1);
    size_t cut = size == 0 ? 0 : data[0];
    const struct hf_view names[] = {all, hf_view_take(rest, cut)};
    struct hf_view pattern = hf_view_skip(rest, cut);
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        struct hf_report report = {0};
        enum hf_err err = hf_name_check(names[i], &report);
        MUST(err == hf_name_check(names[i], NULL));
        if (err == HF_OK)
            taken(names[i]);
        else
            refused(err, &report);
        report = (struct hf_report){0};
        err = hf_name_check_class(names[i], &report);
        if (err != HF_OK)
            refused(err, &report);
    }
    struct hf_report report = {0};
    enum hf_err err = hf_name_check_pattern(pattern, &report);
    if (err != HF_OK)
        refused(err, &report);
    bool star = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
    if (hf_name_matches(names[1], pattern))
        MUST(star ? hf_view_starts(names[1], hf_view_take(pattern, pattern.len - 1))
                  : hf_view_eq(names[1], pattern));
    MUST(hf_name_matches(pattern, pattern) || pattern.len == 0);
    return 0;
}
