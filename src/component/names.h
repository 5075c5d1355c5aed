/* names.h - names of imports and exports: their grammar, strong uniqueness, versions and tracks.
 *
 * A name is a plain name ("run", "[method]r.f") or an interface name ("wasi:io/poll@0.2.12"); the
 * source is Explainer.md, "Import and Export Definitions" and "Name Uniqueness", and for versions
 * reference component-model 1.7 and 1.8. Nothing here allocates except the set; views look into the
 * text they were made from.
 */
#ifndef HF_COMPONENT_NAMES_H
#define HF_COMPONENT_NAMES_H

#include "base/arena.h"
#include "base/map.h"

enum hf_name_kind {
    HF_NAME_PLAIN,       /* label */
    HF_NAME_CONSTRUCTOR, /* [constructor]label */
    HF_NAME_METHOD,      /* [method]label.member */
    HF_NAME_STATIC,      /* [static]label.member */
    HF_NAME_INTERFACE,   /* base "wasi:io/poll", version "0.2.12" or empty */
    HF_NAME_OTHER        /* none of these: "unlocked-dep=<...>", empty, anything */
};
struct hf_name {
    enum hf_name_kind kind;
    struct hf_view label, member;
    struct hf_view base, version;
};
void hf_name_read(struct hf_view text, struct hf_name *ret);
/* Kebab-case: words [a-z][0-9a-z]* or acronyms [A-Z][0-9A-Z]* joined by '-'; only the first must
 * start with a letter. */
bool hf_label_ok(struct hf_view text);

struct hf_semver {
    uint64_t major, minor, patch;
    struct hf_view pre; /* behind '-', may be empty */
};
/* False: not a version as semver.org 2.0.0 defines it (build metadata is accepted and not kept). */
bool hf_semver_read(struct hf_view text, struct hf_semver *ret);
int hf_semver_cmp(const struct hf_semver *a,
                  const struct hf_semver *b); /* precedence, semver.org rule 11 */

/* The track of an interface name (1.8 rule 2): "wasi:io/poll@0.2.12" has base "wasi:io/poll" and
 * track "0.2". False: no track (not an interface name, no version, a pre-release, 0.0.x). Both
 * views look into `text`. */
bool hf_name_track(struct hf_view text, struct hf_view *base, struct hf_view *track);
bool hf_name_same_track(struct hf_view a, struct hf_view b);

/* Names of one scope, strongly unique (S10). */
struct hf_name_set {
    struct hf_map map;
    struct hf_arena *arena; /* canonical copies of the names live here */
};
void hf_name_set_init(struct hf_name_set *set, struct hf_arena *arena);
void hf_name_set_done(struct hf_name_set *set);
/* HF_INVALID: one that reads the same is in already. `strong` false: only equal bytes clash. */
enum hf_err hf_name_set_add(struct hf_name_set *set, struct hf_view name, bool strong,
                            struct hf_report *report);

#endif
