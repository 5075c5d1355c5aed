/* class_counts.h - what is counted of a class's requests and instances, as one list: the kernel
 * counts, the node sums what is gone, the console what it shows, and none of them forgets one.
 *
 * For any two structs that have these members:
 *
 *     #define ADD(count) to->count += from->count;
 *         HF_CLASS_COUNTS(ADD)
 *     #undef ADD
 */
#ifndef HF_BASE_CLASS_COUNTS_H
#define HF_BASE_CLASS_COUNTS_H

#define HF_CLASS_COUNTS(X)                                                                         \
    X(requests)                                                                                    \
    X(answered)                                                                                    \
    X(unanswered)                                                                                  \
    X(dead)                                                                                        \
    X(timeouts)                                                                                    \
    X(refused)                                                                                     \
    X(cancelled)                                                                                   \
    X(started)                                                                                     \
    X(start_failures)                                                                              \
    X(retired)                                                                                     \
    X(killed)                                                                                      \
    X(cold)                                                                                        \
    X(warm)

#endif
