/* hash_test.c - known answers, and the hardware CRC against the table at every length and cut. */
#include "base/hash.h"

#include <string.h>

#include "support.h"

/* RFC 3720, appendix B.4; the last is the check value of the catalogue of CRCs. */
static void crc32c_known_answers(void **state)
{
    (void)state;
    uint8_t zeroes[32] = {0}, ones[32], up[32], down[32];
    static const uint8_t scsi_read[48] = {
        0x01, 0xC0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};
    memset(ones, 0xFF, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const void *ptr;
        size_t len;
        uint32_t crc;
    } known[] = {
        {zeroes, 32, 0x8A9136AA},
        {ones, 32, 0x62A8AB43},
        {up, 32, 0x46DD794E},
        {down, 32, 0x113FDB5C},
        {scsi_read, 48, 0xD9963A56},
        {"123456789", 9, 0xE3069283},
        {NULL, 0, 0},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(known); i++) {
        assert_int_equal(hf_crc32c(0, known[i].ptr, known[i].len), known[i].crc);
        assert_int_equal(hf_crc32c_table(0, known[i].ptr, known[i].len), known[i].crc);
    }
}

static void crc32c_hardware_equals_table(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    uint64_t seed = 14;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rng_next(&seed);
    for (size_t len = 0; len < 9000; len += 1 + len / 200) {
        uint32_t start = (uint32_t)rng_next(&seed);
        const uint8_t *p = bytes + rng_below(&seed, 16);
        uint32_t want = hf_crc32c_table(start, p, len);
        size_t cut = rng_below(&seed, len + 1);
        assert_int_equal(hf_crc32c(start, p, len), want);
        assert_int_equal(hf_crc32c(hf_crc32c(start, p, cut), p + cut, len - cut), want);
    }
    uint32_t crc = hf_crc32c(0, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i += 97) { /* one bit anywhere changes it */
        bytes[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_not_equal(hf_crc32c(0, bytes, sizeof bytes), crc);
        bytes[i] ^= (uint8_t)(1u << (i % 8));
    }
}

static void check_sha(const char *text, size_t repeats, const char *want)
{
    char hex[2 * HF_SHA256_LEN + 1];
    uint8_t out[HF_SHA256_LEN];
    struct hf_sha256 *h = hf_sha256_new();
    assert_non_null(h);
    for (size_t i = 0; i < repeats; i++)
        hf_sha256_add(h, text, strlen(text));
    hf_sha256_end(h, out);
    hf_hex(out, sizeof out, hex);
    assert_string_equal(hex, want);
    if (repeats == 1) {
        hf_sha256(text, strlen(text), out);
        hf_hex(out, sizeof out, hex);
        assert_string_equal(hex, want);
    }
}

/* FIPS 180-4 examples. */
static void sha256_known_answers(void **state)
{
    (void)state;
    check_sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_sha("aaaaaaaaaa", 100000,
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    hf_sha256_free(hf_sha256_new()); /* given up half-way */
    hf_sha256_free(NULL);
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    char out[9];
    hf_hex((const uint8_t *)"\x00\x9a\xBC\xff", 4, out);
    assert_string_equal(out, "009abcff");
    hf_hex(NULL, 0, out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_known_answers),
        cmocka_unit_test(crc32c_hardware_equals_table),
        cmocka_unit_test(sha256_known_answers),
        cmocka_unit_test(hex_is_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
