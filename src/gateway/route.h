/* route.h - from host and path to the name of a class, and what goes with it.
 *
 * Precedence: an exact host before "*.suffix" before none; then the longest path prefix (whole
 * segments), then a rule that names a method before one that does not, then the order of adding.
 * Read-only once a gateway uses it.
 */
#ifndef HF_GATEWAY_ROUTE_H
#define HF_GATEWAY_ROUTE_H

#include "base/bytes.h"

struct hf_route_table;

struct hf_route_target {
    struct hf_view service; /* the class's name */
    uint64_t body_max;      /* bytes of a request's body; 0: the gateway's */
};

enum hf_err hf_route_table_new(struct hf_route_table **ret);
void hf_route_table_free(struct hf_route_table *t);
/* Empty host = any, "*.example.org" = any below; prefix starts with '/'; empty method = any. Texts
 * are copied. */
enum hf_err hf_route_add(struct hf_route_table *t, struct hf_view host, struct hf_view prefix,
                         struct hf_view method, const struct hf_route_target *target,
                         struct hf_report *report);
/* False: no route. Its view lives as long as the table. `host` may carry a port; case does not
 * matter. */
bool hf_route_find(const struct hf_route_table *t, struct hf_view host, struct hf_view path,
                   struct hf_view method, struct hf_route_target *target);

#endif
