/* support_find.h - a bound host function by a short name. In a file of its own: the registry's
 * inside and the run-time's (component/canon.h) are not meant to be seen together. */
#ifndef HF_TESTS_HOST_SUPPORT_FIND_H
#define HF_TESTS_HOST_SUPPORT_FIND_H

struct hf_registry;
struct hf_host_func;

/* "fields.append" finds "[method]fields.append", "poll" the function itself, "[constructor]fields"
 * a constructor; "monotonic-clock#now" where the interface must be said. Aborts when there is none.
 */
const struct hf_host_func *find_host_func(const struct hf_registry *reg, const char *want);

/* All interfaces of the host with their types, but whatever is called or dropped in them aborts
 * (support_nowhere.c). */
struct hf_registry *nowhere_registry(void);

#endif
