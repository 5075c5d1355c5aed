/* hash.h - checksums and content hashes: CRC32C for records, SHA-256 for names of content. */
#ifndef HF_BASE_HASH_H
#define HF_BASE_HASH_H

#include "base/bytes.h"

/* CRC-32C (Castagnoli), hardware where the CPU has SSE4.2, a table elsewhere. Start with 0; feed
 * the result on. */
uint32_t hf_crc32c(uint32_t crc, const void *ptr, size_t len);
/* The same, never by hardware: for tests. */
uint32_t hf_crc32c_table(uint32_t crc, const void *ptr, size_t len);

#define HF_SHA256_LEN 32
struct hf_sha256;                      /* libcrypto's context */
struct hf_sha256 *hf_sha256_new(void); /* NULL when memory is out */
void hf_sha256_add(struct hf_sha256 *h, const void *ptr, size_t len);
void hf_sha256_end(struct hf_sha256 *h, uint8_t out[HF_SHA256_LEN]); /* ends it and frees h */
void hf_sha256_free(struct hf_sha256 *h); /* gives up half-way; NULL is fine */
/* In one go. libcrypto failing (memory out) aborts: there is no hash to go on with. */
void hf_sha256(const void *ptr, size_t len, uint8_t out[HF_SHA256_LEN]);
/* Lower-case hex with NUL: out has 2 * len + 1 bytes. */
void hf_hex(const uint8_t *ptr, size_t len, char *out);

#endif
