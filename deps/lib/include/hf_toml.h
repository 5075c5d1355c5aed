/*
 * TOML for C: the C side of deps/lib/src/toml_read.rs, kept by hand. What keys mean is not known
 * here.
 */
#ifndef HF_TOML_H
#define HF_TOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * TOML 1.1 as one array: a node, then what is below it, then the next beside it. The nodes of the
 * root table come first. Texts lie in `text`, not terminated; spans are bytes of the source, end
 * not included.
 */
enum hf_deps_toml_kind {
    HF_DEPS_TOML_STRING,
    HF_DEPS_TOML_INTEGER, /* text: decimal digits; as it was written when it does not fit into 64
                             bits */
    HF_DEPS_TOML_FLOAT,
    HF_DEPS_TOML_BOOLEAN,
    HF_DEPS_TOML_DATETIME,
    HF_DEPS_TOML_ARRAY, /* of tables ([[name]]) too */
    HF_DEPS_TOML_TABLE
};
struct hf_deps_toml_place {
    uint32_t text, text_len; /* in hf_deps_toml.text */
    uint32_t at, end;        /* in the source; of a table its header's (or first key's) */
};
struct hf_deps_toml_node {
    uint32_t kind;                   /* enum hf_deps_toml_kind */
    uint32_t below;                  /* nodes that follow and are inside this one */
    struct hf_deps_toml_place key;   /* zeroes in an array */
    struct hf_deps_toml_place value; /* text: of what is no array or table */
};
struct hf_deps_toml {
    const struct hf_deps_toml_node *nodes;
    size_t n_nodes;
    const struct hf_deps_toml_place
        *mistakes; /* what is not TOML, in words; the tree is then what could be understood */
    size_t n_mistakes;
    const char *text;
    /* more that is the archive's own */
};

/*
 * `bytes` (borrowed, at most 16 MiB) is read by a thread with a stack for the deepest tree; it has
 * ended on return. Free the result with hf_deps_toml_free. NULL: no thread could be started, or the
 * parser has a bug. Any thread, no state.
 */
struct hf_deps_toml *hf_deps_toml_read(const uint8_t *bytes, size_t len);
void hf_deps_toml_free(struct hf_deps_toml *tree);

#ifdef __cplusplus
}
#endif

#endif
