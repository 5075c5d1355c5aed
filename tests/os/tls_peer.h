/* tls_peer.h - for tests: certificates made on the spot, and a TLS server over memory.
 *
 * The server is the library's own, so that our client is tested against something we did not write.
 * Everything static: tests of several rooms include it.
 */
#ifndef HF_TESTS_OS_TLS_PEER_H
#define HF_TESTS_OS_TLS_PEER_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/bytes.h"

#define PEER_FN  static __attribute__((unused))
#define PEER_DAY (24L * 3600)

struct peer_cert {
    EVP_PKEY *key;
    X509 *cert;
};

PEER_FN void peer_must(bool good, const char *what)
{
    if (good)
        return;
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "test certificates: %s failed\n", what);
    abort();
}

PEER_FN void peer_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    peer_must(e != NULL && X509_add_ext(cert, e, -1) == 1, value);
    X509_EXTENSION_free(e);
}

/* names: "DNS:example.org,IP:127.0.0.1"; NULL: a CA. ca NULL: signed by itself. */
PEER_FN struct peer_cert peer_cert_new(const struct peer_cert *ca, const char *names, long from_s,
                                       long until_s)
{
    static long serial = 1;
    struct peer_cert c = {EVP_EC_gen("P-256"), X509_new()};
    peer_must(c.key != NULL && c.cert != NULL, "a key");
    X509_NAME *name = X509_get_subject_name(c.cert);
    X509_set_version(c.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(c.cert), until_s);
    X509_set_pubkey(c.cert, c.key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)(names == NULL ? "test root" : "test"), -1,
                               -1, 0);
    X509_set_issuer_name(c.cert, ca == NULL ? name : X509_get_subject_name(ca->cert));
    X509 *issuer = ca == NULL ? c.cert : ca->cert;
    if (names == NULL)
        peer_extend(c.cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
    else
        peer_extend(c.cert, issuer, NID_subject_alt_name, names);
    peer_must(X509_sign(c.cert, ca == NULL ? c.key : ca->key, EVP_sha256()) > 0, "signing");
    return c;
}

PEER_FN void peer_cert_done(struct peer_cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->cert);
}

/* As PEM. */
PEER_FN struct hf_buf peer_pem(const struct peer_cert *c)
{
    struct hf_buf buf = {0};
    char *ptr;
    BIO *bio = BIO_new(BIO_s_mem());
    peer_must(bio != NULL && PEM_write_bio_X509(bio, c->cert) == 1, "PEM");
    long len = BIO_get_mem_data(bio, &ptr);
    peer_must(hf_buf_add(&buf, ptr, (size_t)len) == HF_OK, "memory");
    BIO_free(bio);
    return buf;
}

struct peer { /* a server over memory */
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

PEER_FN int peer_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                      const unsigned char *in, unsigned inlen, void *arg)
{
    (void)ssl, (void)arg;
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, outlen, ours, sizeof ours - 1, in, inlen) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* version 0: what the library likes best. */
PEER_FN void peer_open(struct peer *p, const struct peer_cert *c, int version)
{
    p->ctx = SSL_CTX_new(TLS_server_method());
    peer_must(p->ctx != NULL && SSL_CTX_use_certificate(p->ctx, c->cert) == 1 &&
                  SSL_CTX_use_PrivateKey(p->ctx, c->key) == 1,
              "a server");
    if (version != 0) {
        SSL_CTX_set_security_level(p->ctx, 0);
        SSL_CTX_set_min_proto_version(p->ctx, version);
        SSL_CTX_set_max_proto_version(p->ctx, version);
    }
    SSL_CTX_set_alpn_select_cb(p->ctx, peer_alpn, NULL);
    p->ssl = SSL_new(p->ctx);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    peer_must(p->ssl != NULL && p->in != NULL && p->out != NULL, "a server");
    BIO_set_mem_eof_return(p->in, -1);
    BIO_set_mem_eof_return(p->out, -1);
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_accept_state(p->ssl);
}

PEER_FN void peer_close(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    ERR_clear_error();
}

/* Ciphertext from the client; ciphertext to it is put behind `out`. */
PEER_FN void peer_feed(struct peer *p, struct hf_view bytes)
{
    if (bytes.len > 0)
        peer_must(BIO_write(p->in, bytes.ptr, (int)bytes.len) == (int)bytes.len, "feeding");
    if (!SSL_is_init_finished(p->ssl))
        (void)SSL_do_handshake(p->ssl);
    ERR_clear_error();
}

PEER_FN void peer_drain(struct peer *p, struct hf_buf *out)
{
    char bytes[4096];
    int n;
    while ((n = BIO_read(p->out, bytes, sizeof bytes)) > 0)
        peer_must(hf_buf_add(out, bytes, (size_t)n) == HF_OK, "memory");
}

PEER_FN void peer_say(struct peer *p, struct hf_view text)
{
    if (text.len > 0)
        peer_must(SSL_write(p->ssl, text.ptr, (int)text.len) == (int)text.len, "writing");
}

/* What the client said, behind `ret`. */
PEER_FN void peer_hear(struct peer *p, struct hf_buf *ret)
{
    char bytes[4096];
    int n;
    while (SSL_is_init_finished(p->ssl) && (n = SSL_read(p->ssl, bytes, sizeof bytes)) > 0)
        peer_must(hf_buf_add(ret, bytes, (size_t)n) == HF_OK, "memory");
    ERR_clear_error();
}

#endif
