/* tls.h - TLS 1.2 and 1.3 over memory: ciphertext in, ciphertext out, no socket inside.
 *
 * The owner of a connection moves bytes: what the socket gives is fed, what drain shows is sent,
 * and plaintext is read and written between them. Nothing here blocks or knows a clock. A context
 * (trust and settings) is made once and may be shared by threads; a session belongs to one.
 *
 * A client verifies: chain up to the system's roots or those of the context, the validity times,
 * and the host's name or address. SNI and ALPN (http/1.1) are sent. Renegotiation is refused.
 *
 * Now: clients. A server is the same object with other settings (a later issue).
 */
#ifndef HF_OS_TLS_H
#define HF_OS_TLS_H

#include "base/bytes.h"
#include "base/fault.h"

#define HF_TLS_FEED_MAX (64u * 1024) /* ciphertext that waits to be read, at most */
#define HF_TLS_SEND_MAX                                                                            \
    (64u * 1024) /* ciphertext that waits to be sent before a write says AGAIN */

struct hf_tls_settings {
    const char *ca_file;  /* more roots, PEM; NULL: none */
    struct hf_view ca;    /* the same as bytes; empty: none */
    bool no_system_roots; /* trust those alone */
};
struct hf_tls_context;
/* HF_NOT_FOUND, HF_INVALID: the file or bytes hold no certificates. Reads files: not on a loop. */
enum hf_err hf_tls_context_new(const struct hf_tls_settings *s, struct hf_tls_context **ret,
                               struct hf_report *report);
struct hf_tls_context *hf_tls_context_ref(struct hf_tls_context *ctx);
void hf_tls_context_unref(struct hf_tls_context *ctx); /* NULL is fine */

struct hf_tls;
/* A client's session with `host`: a name, or an address without brackets, to be found in the
 * certificate. HF_INVALID: it is neither. HF_LIMIT. Keeps a reference to ctx. */
enum hf_err hf_tls_new(struct hf_tls_context *ctx, struct hf_view host, struct hf_tls **ret);
void hf_tls_free(struct hf_tls *t); /* NULL is fine */

/* ---- ciphertext ---- */
size_t hf_tls_feed_room(const struct hf_tls *t); /* bytes that feed takes now */
/* At most feed_room bytes; copied. HF_LIMIT: memory. */
enum hf_err hf_tls_feed(struct hf_tls *t, struct hf_view bytes);
void hf_tls_feed_end(struct hf_tls *t); /* the socket has ended */
struct hf_view
hf_tls_drain(const struct hf_tls *t); /* what is to be sent now; lent until any call */
void hf_tls_drained(struct hf_tls *t, size_t n);
/* Gives back what holds no bytes now, but for the first `keep` bytes of storage each way: a session
 * that rests. */
void hf_tls_trim(struct hf_tls *t, size_t keep);
size_t hf_tls_buffers(const struct hf_tls *t); /* storage held for ciphertext */

/* ---- plaintext ---- Each may make ciphertext to drain, also when it fails (alerts). HF_IO: failed
 * for ever, hf_tls_fault says why. */
/* HF_OK: done, the peer is who it should be. HF_AGAIN: feed or drain. */
enum hf_err hf_tls_handshake(struct hf_tls *t);
/* HF_OK with *n > 0; HF_AGAIN; HF_CLOSED: the peer said that this is the end. An end of the socket
 * without that is HF_IO: bytes may be missing (truncation). After HF_OK there may be more. */
enum hf_err hf_tls_read(struct hf_tls *t, void *buf, size_t len, size_t *n);
/* HF_OK with *n > 0 bytes taken; HF_AGAIN: drain first. */
enum hf_err hf_tls_write(struct hf_tls *t, struct hf_view bytes, size_t *n);
void hf_tls_close(struct hf_tls *t); /* says the end, to be drained; reading may go on */

/* Of a failed session: TLS_PROTOCOL, TLS_CERTIFICATE, TLS_ALERT, INTERNAL; text names the step. */
const struct hf_fault *hf_tls_fault(const struct hf_tls *t);
/* "TLSv1.3", "http/1.1" or empty: after the handshake. */
const char *hf_tls_version(const struct hf_tls *t);
struct hf_view hf_tls_protocol(const struct hf_tls *t);

#endif
