/* support_link.h - what the tests of parsing and linking share: text to bytes, a registry with test
 * interfaces, loading. */
#ifndef HF_TEST_SUPPORT_LINK_H
#define HF_TEST_SUPPORT_LINK_H

#include "component/component.h"
#include "component/link.h"

/* Component or module text to bytes; fails the test when the text is wrong. Free with hf_buf_done.
 */
struct hf_buf link_wat(const char *text);

struct link_world {
    struct hf_engine *engine;
    struct hf_registry *reg;
    struct hf_component *component; /* of the last link_load that succeeded */
    struct hf_report report;        /* of the last link_load */
};
/* An engine without a cache and an empty registry. */
void link_open(struct link_world *w);
void link_close(struct link_world *w);
/* Adds an encoded WIT package given as text; the test fails when it is refused. */
void link_add_wit(struct link_world *w, const char *text);
/* Binds every function of every interface to a function that does nothing, every resource to a drop
 * that does nothing, and seals. */
void link_bind_all(struct link_world *w);
enum hf_err link_load(struct link_world *w, const char *text);
enum hf_err link_load_with(struct link_world *w, const char *text,
                           const struct hf_load_options *opt);
/* The same, and the test fails unless it ends so. `text` NULL: any words. */
void link_expect(struct link_world *w, enum hf_err err, const char *words, const char *text);
const struct hf_program *link_program(struct link_world *w);
/* Parses and links, survey and all, without asking the validator: for what it would refuse before
 * us. */
enum hf_err link_raw(struct link_world *w, const char *text);
void link_expect_raw(struct link_world *w, enum hf_err err, const char *words, const char *text);
/* The first lines of a component that has a memory and a realloc: everything that a lift of
 * anything needs. */
extern const char link_libc[];

#endif
