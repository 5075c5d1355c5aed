/* fault.h - why an exchange with another server failed: the same words for name look-ups, TLS, the
 * HTTP client and the guests that asked.
 *
 * A kind to branch on, a number where the kind has one, and a text for people.
 */
#ifndef HF_BASE_FAULT_H
#define HF_BASE_FAULT_H

#include "base/err.h"

#define HF_FAULT_LIST(X)                                                                           \
    X(HF_FAULT_NONE)                                                                               \
    X(HF_FAULT_DENIED)          /* not granted */                                                  \
    X(HF_FAULT_DNS_TIMEOUT)     /* the look-up took too long */                                    \
    X(HF_FAULT_DNS)             /* the look-up failed */                                           \
    X(HF_FAULT_NOT_FOUND)       /* there is no such name, or it has no address */                  \
    X(HF_FAULT_IP_PROHIBITED)   /* it has addresses, and none was granted */                       \
    X(HF_FAULT_UNROUTABLE)      /* no way leads to the address */                                  \
    X(HF_FAULT_REFUSED)         /* nobody listens there */                                         \
    X(HF_FAULT_CONNECT_TIMEOUT) /* no connection in time */                                        \
    X(HF_FAULT_LIMIT)           /* too many connections or requests to it already */               \
    X(HF_FAULT_TERMINATED)      /* the connection ended before an answer */                        \
    X(HF_FAULT_READ_TIMEOUT)    /* nothing came for too long */                                    \
    X(HF_FAULT_WRITE_TIMEOUT)   /* the server took nothing for too long */                         \
    X(HF_FAULT_TLS_PROTOCOL)    /* the bytes are no TLS that we speak, or end without its end */   \
    X(HF_FAULT_TLS_CERTIFICATE) /* the certificate is not to be trusted: text says why */          \
    X(HF_FAULT_TLS_ALERT)       /* the server ended TLS: number is the alert */                    \
    X(HF_FAULT_REQUEST_BODY)    /* not as long as content-length says: number is what came */      \
    X(HF_FAULT_INCOMPLETE)      /* the answer broke off */                                         \
    X(HF_FAULT_HEAD_SIZE)    /* the answer's head is larger than allowed: number is the limit */   \
    X(HF_FAULT_TRAILER_SIZE) /* the same for its trailers */                                       \
    X(HF_FAULT_CODING)       /* a transfer coding that we do not speak */                          \
    X(HF_FAULT_UPGRADE)      /* it switches to a protocol that nobody asked for */                 \
    X(HF_FAULT_PROTOCOL)     /* the answer is no HTTP/1.1 that can be read in one way only */      \
    X(HF_FAULT_INTERNAL)     /* memory, descriptors: nothing to do with the server */

enum hf_fault_kind {
#define X(name) name,
    HF_FAULT_LIST(X)
#undef X
        HF_FAULT_COUNT
};

struct hf_fault {
    enum hf_fault_kind kind;
    uint64_t number;
    char text[160]; /* NUL-terminated */
};

/* Sets all of it unless something was said already (the first cause wins). */
void hf_fault_set(struct hf_fault *f, enum hf_fault_kind kind, uint64_t number, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));

#endif
