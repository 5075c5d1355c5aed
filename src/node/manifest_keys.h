/* manifest_keys.h - every key a manifest may have, as one table. Reading it (manifest_read.c), what is said of mistakes in it,
 * the JSON schema and the reference page (manifest_doc.c) all come from here.
 *
 * A path names a place: "node.workers"; "*" is any name ("services.*"), "[]" an element of an array ("services.*.routes[]").
 * The rows of a table's keys follow its own row, in the order in which the reference shows them.
 */
#ifndef HF_NODE_MANIFEST_KEYS_H
#define HF_NODE_MANIFEST_KEYS_H

#include "base/bytes.h"
#include "hf_toml.h"

#define HF_MANIFEST_VERSION 1

struct hf_reading; /* manifest_int.h */

enum hf_key_type {
    HF_KEY_TABLE,    /* its keys are rows: path + "." + name; a row path + ".*" takes any name */
    HF_KEY_ARRAY,    /* of what the row path + "[]" says */
    HF_KEY_STRING,
    HF_KEY_PATH,     /* of a file or folder, relative to the manifest's folder */
    HF_KEY_STRINGS,  /* an array of strings */
    HF_KEY_MAP,      /* a table of strings: any names */
    HF_KEY_INTEGER,
    HF_KEY_BOOLEAN,
    HF_KEY_DURATION, /* "30s" */
    HF_KEY_SIZE,     /* "64MiB", or an integer: bytes */
    HF_KEY_CHOICE    /* one of a few words */
};
enum {
    HF_KEY_REQUIRED = 1,
    HF_KEY_OR_TABLE = 2, /* a table is taken too, its keys are the rows below */
    HF_KEY_OR_ONE = 4,   /* of STRINGS: one string alone is taken too */
    HF_KEY_OR_FALSE = 8, /* `false` is taken too */
    HF_KEY_LATER = 16,   /* a name that is kept for what is not built yet */
    HF_KEY_POOL = 32,    /* of a service's pool of instances: a class of processes has none, and no such key */
    HF_KEY_HANDLER = 64  /* of a class of processes: a runner has no such key */
};

struct hf_key {
    const char *path;
    enum hf_key_type type;
    unsigned flags;
    const char *fallback; /* what holds without it, for the reference; NULL: nothing to say */
    const char *doc;      /* one sentence, or a few words, in Markdown */
    uint64_t min, max;    /* INTEGER; DURATION in ns; SIZE in bytes; STRING, STRINGS, MAP: bytes of each */
    /* Where the value goes in its target, when `set` is NULL (of OR_FALSE `set` is for false alone); PATH and STRING: a const char *; STRINGS and MAP: a const char *const
     * * that ends with NULL, a MAP as "K=V". */
    uint16_t offset, width;
    const char *const *choices; /* of CHOICE, ends with NULL; the value is the index */
    const char *like;           /* of STRING and STRINGS: what is wanted, as "a host name" */
    const char *pattern;        /* of the same, for the schema: what all that `check` takes fits */
    /* Of STRING, PATH, STRINGS (each element): false after it has said what is wrong. NUL-terminated. */
    bool (*check)(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, const char *text);
    void (*set)(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target);
    /* Of a TABLE: where its keys go (NULL: mistaken, look no further), and what must hold when all are read. */
    void *(*enter)(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target);
    void (*leave)(struct hf_reading *r, const struct hf_key *k, const struct hf_deps_toml_node *n, void *target);
};

/* The rows; *n how many. */
const struct hf_key *hf_keys(size_t *n);
/* The row of `name` in the table of row `of` (NULL: the root), or its "*" row, or NULL. */
const struct hf_key *hf_key_find(const struct hf_key *of, struct hf_view name);
/* Of an array's elements; NULL: it has none. */
const struct hf_key *hf_key_element(const struct hf_key *of);
/* Is `k` a key of the table of row `of`? */
bool hf_key_is_in(const struct hf_key *k, const struct hf_key *of);
/* The last part of its path: "workers", "*". */
const char *hf_key_name(const struct hf_key *k);
/* The name that somebody may have meant who wrote `name` in that table; NULL: none is near. */
const char *hf_key_near(const struct hf_key *of, struct hf_view name);
/* The row of another table with that very name; NULL: none. */
const struct hf_key *hf_key_elsewhere(struct hf_view name);
/* "[services.web]" for a path "services.*.max" and name "web": where its table stands; "the top of the file". */
void hf_key_place(const struct hf_key *k, const char *name, char *to, size_t size);
/* What is wanted, as "an integer from 1 to 256", "a time like "30s"". */
void hf_key_wanted(const struct hf_key *k, char *to, size_t size);

#endif
