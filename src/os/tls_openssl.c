/* tls_openssl.c - tls.h by OpenSSL 3.
 *
 * One small BIO of our own stands between the library and two buffers. It is told when the socket
 * has ended, so that the library can tell a proper end from a cut one.
 */
#include "os/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct hf_tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio;
    uint32_t refs; /* atomic */
};

struct hf_tls {
    struct hf_tls_context *ctx;
    SSL *ssl;
    struct hf_buf in, out;
    size_t in_at, out_at;
    bool in_ended, memory_out, ready, closed;
    struct hf_fault fault;
};

/* ---- the BIO --------------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *buf, int len)
{
    struct hf_tls *t = BIO_get_data(bio);
    size_t there = t->in.len - t->in_at;
    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (there == 0) {
        if (t->in_ended)
            return 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = there < (size_t)len ? there : (size_t)len;
    memcpy(buf, t->in.ptr + t->in_at, n);
    t->in_at += n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *buf, int len)
{
    struct hf_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (hf_buf_add(&t->out, buf, (size_t)len) != HF_OK) {
        t->memory_out = true;
        return -1;
    }
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long n, void *ptr)
{
    const struct hf_tls *t = BIO_get_data(bio);
    (void)n, (void)ptr;
    switch (cmd) {
    case BIO_CTRL_EOF: return t->in_ended && t->in.len == t->in_at;
    case BIO_CTRL_FLUSH: return 1;
    default: return 0;
    }
}

static BIO_METHOD *make_bio(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "holdfast");
    if (m != NULL && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- contexts -------------------------------------------------------------------------------- */

/* Every certificate of a PEM text; how many there were. */
static int add_roots(X509_STORE *store, BIO *pem)
{
    int n = 0;
    X509 *cert;
    while ((cert = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        n += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    ERR_clear_error(); /* the end of the text is an error to it */
    return n;
}

/* The system's roots are read now: the library's own way is to open files in the middle of a
 * handshake, which is on a loop. The places are those of the common distributions. */
static void add_system_roots(SSL_CTX *ssl)
{
    const char *const places[] = {
        getenv(X509_get_default_cert_file_env()),
        X509_get_default_cert_file(),
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    int n = 0;
    for (size_t i = 0; i < HF_ARRAY_LEN(places) && n == 0; i++) {
        BIO *pem = places[i] == NULL ? NULL : BIO_new_file(places[i], "r");
        if (pem != NULL)
            n = add_roots(SSL_CTX_get_cert_store(ssl), pem);
        BIO_free(pem);
    }
    if (n == 0) /* a folder of hashed names is all there is */
        (void)SSL_CTX_set_default_verify_paths(ssl);
    ERR_clear_error();
}

static enum hf_err add_given_roots(SSL_CTX *ssl, const struct hf_tls_settings *s,
                                   struct hf_report *report)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    if (s->ca_file != NULL) {
        BIO *pem = BIO_new_file(s->ca_file, "r");
        ERR_clear_error();
        if (pem == NULL)
            return hf_report_set(report, HF_NOT_FOUND, "%s: cannot be read", s->ca_file);
        int n = add_roots(store, pem);
        BIO_free(pem);
        if (n == 0)
            return hf_report_set(report, HF_INVALID, "%s: no PEM certificate in it", s->ca_file);
    }
    if (s->ca.len > 0) {
        BIO *pem = s->ca.len > INT32_MAX ? NULL : BIO_new_mem_buf(s->ca.ptr, (int)s->ca.len);
        int n = pem == NULL ? 0 : add_roots(store, pem);
        BIO_free(pem);
        if (n == 0)
            return hf_report_set(report, HF_INVALID, "no PEM certificate among the given roots");
    }
    return HF_OK;
}

static bool configure(SSL_CTX *ssl)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(ssl, alpn, sizeof alpn - 1) == 0;
}

enum hf_err hf_tls_context_new(const struct hf_tls_settings *s, struct hf_tls_context **ret,
                               struct hf_report *report)
{
    struct hf_tls_context *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return hf_report_set(report, HF_LIMIT, "no memory for TLS");
    ctx->refs = 1;
    ctx->ssl = SSL_CTX_new(TLS_client_method());
    ctx->bio = make_bio();
    if (ctx->ssl == NULL || ctx->bio == NULL || !configure(ctx->ssl)) {
        hf_tls_context_unref(ctx);
        ERR_clear_error();
        return hf_report_set(report, HF_LIMIT, "no memory for TLS");
    }
    if (!s->no_system_roots)
        add_system_roots(ctx->ssl);
    enum hf_err err = add_given_roots(ctx->ssl, s, report);
    if (err != HF_OK) {
        hf_tls_context_unref(ctx);
        return err;
    }
    *ret = ctx;
    return HF_OK;
}

struct hf_tls_context *hf_tls_context_ref(struct hf_tls_context *ctx)
{
    __atomic_fetch_add(&ctx->refs, 1, __ATOMIC_RELAXED);
    return ctx;
}

void hf_tls_context_unref(struct hf_tls_context *ctx)
{
    if (ctx == NULL || __atomic_sub_fetch(&ctx->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    free(ctx);
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* Whom the certificate must be for. An address is compared as one, and no SNI goes with it. */
static enum hf_err expect_host(SSL *ssl, struct hf_view host)
{
    char name[256];
    if (host.len > 0 && host.ptr[host.len - 1] == '.') /* example.org. is example.org */
        host.len--;
    if (host.len == 0 || host.len >= sizeof name || memchr(host.ptr, 0, host.len) != NULL)
        return HF_INVALID;
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return HF_OK;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, name) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
        return HF_INVALID;
    return HF_OK;
}

enum hf_err hf_tls_new(struct hf_tls_context *ctx, struct hf_view host, struct hf_tls **ret)
{
    struct hf_tls *t = calloc(1, sizeof *t);
    if (t == NULL)
        return HF_LIMIT;
    enum hf_err err = HF_LIMIT;
    t->ctx = hf_tls_context_ref(ctx);
    t->ssl = SSL_new(ctx->ssl);
    BIO *bio = BIO_new(ctx->bio);
    if (t->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        goto fail;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_connect_state(t->ssl);
    err = expect_host(t->ssl, host);
    if (err != HF_OK)
        goto fail;
    ERR_clear_error();
    *ret = t;
    return HF_OK;
fail:
    ERR_clear_error();
    hf_tls_free(t);
    return err;
}

void hf_tls_free(struct hf_tls *t)
{
    if (t == NULL)
        return;
    SSL_free(t->ssl);
    hf_tls_context_unref(t->ctx);
    hf_buf_done(&t->in);
    hf_buf_done(&t->out);
    free(t);
}

/* ---- ciphertext ------------------------------------------------------------------------------ */

size_t hf_tls_feed_room(const struct hf_tls *t)
{
    size_t waits = t->in.len - t->in_at;
    return waits < HF_TLS_FEED_MAX ? HF_TLS_FEED_MAX - waits : 0;
}

enum hf_err hf_tls_feed(struct hf_tls *t, struct hf_view bytes)
{
    HF_ASSERT(bytes.len <= hf_tls_feed_room(t) && !t->in_ended);
    if (t->in_at > 0) {
        hf_buf_consume(&t->in, t->in_at);
        t->in_at = 0;
    }
    return hf_buf_add_view(&t->in, bytes);
}

void hf_tls_feed_end(struct hf_tls *t)
{
    t->in_ended = true;
}

struct hf_view hf_tls_drain(const struct hf_tls *t)
{
    return hf_view(t->out.ptr + t->out_at, t->out.len - t->out_at);
}

void hf_tls_drained(struct hf_tls *t, size_t n)
{
    HF_ASSERT(n <= t->out.len - t->out_at);
    t->out_at += n;
    if (t->out_at < t->out.len)
        return;
    t->out_at = 0;
    hf_buf_clear(&t->out);
    if (t->out.cap > HF_TLS_SEND_MAX)
        hf_buf_done(&t->out);
}

static void trim(struct hf_buf *buf, size_t *at, size_t keep)
{
    if (*at < buf->len || buf->cap <= keep)
        return;
    hf_buf_done(buf);
    *at = 0;
}

void hf_tls_trim(struct hf_tls *t, size_t keep)
{
    trim(&t->in, &t->in_at, keep);
    trim(&t->out, &t->out_at, keep);
}

size_t hf_tls_buffers(const struct hf_tls *t)
{
    return t->in.cap + t->out.cap;
}

/* ---- plaintext ------------------------------------------------------------------------------- */

/* Why the library gave up, in its own words. */
static void explain(struct hf_tls *t, const char *step)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(e);
    long verify = SSL_get_verify_result(t->ssl);
    int code = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
    if (t->memory_out)
        hf_fault_set(&t->fault, HF_FAULT_INTERNAL, 0, "%s: no memory", step);
    else if (code == SSL_R_CERTIFICATE_VERIFY_FAILED || (!t->ready && verify != X509_V_OK))
        hf_fault_set(&t->fault, HF_FAULT_TLS_CERTIFICATE, (uint64_t)verify, "%s: %s", step,
                     X509_verify_cert_error_string(verify));
    else if (code >= SSL_AD_REASON_OFFSET && code <= SSL_AD_REASON_OFFSET + 255)
        hf_fault_set(&t->fault, HF_FAULT_TLS_ALERT, (uint64_t)(code - SSL_AD_REASON_OFFSET), "%s",
                     SSL_alert_desc_string_long(code - SSL_AD_REASON_OFFSET));
    else if (code == SSL_R_UNEXPECTED_EOF_WHILE_READING || (e == 0 && t->in_ended))
        hf_fault_set(&t->fault, HF_FAULT_TLS_PROTOCOL, 0,
                     "%s: the connection ended without TLS's own end", step);
    else
        hf_fault_set(&t->fault, HF_FAULT_TLS_PROTOCOL, 0, "%s: %s", step,
                     reason == NULL ? "unknown" : reason);
}

static enum hf_err result(struct hf_tls *t, int ret, const char *step)
{
    int why = SSL_get_error(t->ssl, ret);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        if (!t->memory_out)
            return HF_AGAIN;
    } else if (why == SSL_ERROR_ZERO_RETURN && t->ready) {
        return HF_CLOSED;
    } else if (why == SSL_ERROR_ZERO_RETURN) {
        hf_fault_set(&t->fault, HF_FAULT_TLS_ALERT, SSL_AD_CLOSE_NOTIFY, "%s",
                     SSL_alert_desc_string_long(SSL_AD_CLOSE_NOTIFY));
    }
    explain(t, step);
    ERR_clear_error();
    return HF_IO;
}

enum hf_err hf_tls_handshake(struct hf_tls *t)
{
    if (t->fault.kind != HF_FAULT_NONE)
        return HF_IO;
    if (t->ready)
        return HF_OK;
    ERR_clear_error();
    int ret = SSL_do_handshake(t->ssl);
    if (ret != 1)
        return result(t, ret, "handshake");
    t->ready = true;
    return HF_OK;
}

enum hf_err hf_tls_read(struct hf_tls *t, void *buf, size_t len, size_t *n)
{
    *n = 0;
    HF_ASSERT(t->ready && len > 0);
    if (t->fault.kind != HF_FAULT_NONE)
        return HF_IO;
    ERR_clear_error();
    int ret = SSL_read_ex(t->ssl, buf, len, n);
    return ret == 1 ? HF_OK : result(t, ret, "reading");
}

enum hf_err hf_tls_write(struct hf_tls *t, struct hf_view bytes, size_t *n)
{
    *n = 0;
    HF_ASSERT(t->ready && bytes.len > 0);
    if (t->fault.kind != HF_FAULT_NONE)
        return HF_IO;
    if (t->closed)
        return HF_CLOSED;
    if (t->out.len - t->out_at >= HF_TLS_SEND_MAX)
        return HF_AGAIN;
    ERR_clear_error();
    int ret = SSL_write_ex(t->ssl, bytes.ptr, bytes.len, n);
    return ret == 1 ? HF_OK : result(t, ret, "writing");
}

void hf_tls_close(struct hf_tls *t)
{
    if (!t->ready || t->closed || t->fault.kind != HF_FAULT_NONE)
        return;
    t->closed = true;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl); /* 0: said, not yet answered, which is all we want */
    ERR_clear_error();
}

const struct hf_fault *hf_tls_fault(const struct hf_tls *t)
{
    return &t->fault;
}

const char *hf_tls_version(const struct hf_tls *t)
{
    return SSL_get_version(t->ssl);
}

struct hf_view hf_tls_protocol(const struct hf_tls *t)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &name, &len);
    return hf_view(name, len);
}
