/* codec_test.c - integers there and back, and what hostile bytes must not achieve.
 *
 * LEB128 is compared with a slow reader that keeps all bits in 128 and judges afterwards.
 */
#include "base/codec.h"

#include "support.h"

/* The rules of core WebAssembly 5.2.2, the long way: at most ceil(bits/7) bytes, and the value,
 * taken at full width, is in the range of the type. Returns the bytes used, 0 when malformed. */
static size_t slow_leb(struct hf_view in, unsigned bits, bool is_signed, int64_t *ret)
{
    __int128 value = 0;
    size_t most = (bits + 6) / 7;
    for (size_t i = 0; i < in.len && i < most; i++) {
        value |= (__int128)(in.ptr[i] & 0x7F) << (7 * i);
        if (in.ptr[i] & 0x80)
            continue;
        if (is_signed && (in.ptr[i] & 0x40))
            value -= (__int128)1 << (7 * (i + 1));
        __int128 one = 1, low = is_signed ? -(one << (bits - 1)) : 0;
        __int128 high = is_signed ? one << (bits - 1) : one << bits;
        if (value < low || value >= high)
            return 0;
        *ret = (int64_t)value;
        return i + 1;
    }
    return 0;
}

static const struct {
    unsigned bits;
    bool is_signed;
} kinds[] = {{32, false}, {64, false}, {32, true}, {33, true}, {64, true}};

static int64_t fast_leb(struct hf_reader *r, size_t kind)
{
    switch (kind) {
    case 0: return (int64_t)(uint64_t)hf_read_leb_u32(r);
    case 1: return (int64_t)hf_read_leb_u64(r);
    case 2: return hf_read_leb_s32(r);
    case 3: return hf_read_leb_s33(r);
    default: return hf_read_leb_s64(r);
    }
}

static void compare(struct hf_view in)
{
    for (size_t kind = 0; kind < HF_ARRAY_LEN(kinds); kind++) {
        int64_t want = 0;
        size_t used = slow_leb(in, kinds[kind].bits, kinds[kind].is_signed, &want);
        struct hf_reader r = hf_reader(in);
        int64_t got = fast_leb(&r, kind);
        assert_int_equal(r.bad, used == 0);
        assert_int_equal(hf_reader_pos(&r), used); /* stays where a bad item began */
        assert_true(got == want);
        if (r.bad)
            assert_int_equal(hf_reader_left(&r), 0);
    }
}

static void leb_random_bytes(void **state)
{
    (void)state;
    static const uint8_t ends[] = {0x00, 0x01, 0x02, 0x07, 0x08, 0x0F, 0x10, 0x1F, 0x3F,
                                   0x40, 0x60, 0x70, 0x71, 0x78, 0x7E, 0x7F, 0x80, 0xFF};
    uint64_t seed = 6;
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[12];
        size_t len = rng_below(&seed, sizeof bytes + 1);
        size_t last = rng_below(&seed, sizeof bytes);
        uint64_t fill = rng_next(&seed);
        for (size_t k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)(0x80 | (fill % 3 == 0   ? 0x7F
                                         : fill % 3 == 1 ? 0
                                                         : rng_next(&seed)));
            if (k == last)
                bytes[k] = ends[rng_below(&seed, sizeof ends)];
        }
        compare(hf_view(bytes, len));
    }
}

static void leb_there_and_back(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        uint64_t v = rng_next(&seed) >> rng_below(&seed, 64);
        if (i < 256)
            v = ((uint64_t)1 << (i % 64)) - (i < 128);
        if (i % 3 == 1)
            v = ~v;
        struct hf_buf b = {0};
        assert_int_equal(hf_write_leb_u64(&b, v), HF_OK);
        assert_int_equal(hf_write_leb_s64(&b, (int64_t)v), HF_OK);
        assert_int_equal(hf_write_leb_u32(&b, (uint32_t)v), HF_OK);
        assert_int_equal(hf_write_leb_s64(&b, (int32_t)v), HF_OK);
        struct hf_reader r = hf_reader(hf_buf_view(&b));
        assert_true(hf_read_leb_u64(&r) == v);
        assert_true(hf_read_leb_s64(&r) == (int64_t)v);
        assert_true(hf_read_leb_u32(&r) == (uint32_t)v);
        assert_true(hf_read_leb_s32(&r) == (int32_t)v);
        assert_false(r.bad);
        assert_int_equal(hf_reader_left(&r), 0);
        hf_buf_done(&b);
    }
}

static void leb_known_bytes(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_write_leb_u64(&b, 624485), HF_OK);
    assert_int_equal(hf_write_leb_s64(&b, -123456), HF_OK);
    assert_int_equal(hf_write_leb_s64(&b, 64), HF_OK);
    assert_int_equal(hf_write_leb_s64(&b, -64), HF_OK);
    static const uint8_t want[] = {0xE5, 0x8E, 0x26, 0xC0, 0xBB, 0x78, 0xC0, 0x00, 0x40};
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.ptr, want, sizeof want);
    hf_buf_done(&b);
}

/* Longer than needed is allowed up to ceil(bits/7) bytes, and not one more. */
static void leb_overlong_forms(void **state)
{
    (void)state;
    static const uint8_t zeroes[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    for (size_t n = 1; n <= sizeof zeroes; n++) {
        struct hf_view in = hf_view(zeroes + sizeof zeroes - n, n);
        struct hf_reader u32 = hf_reader(in), u64 = u32, s33 = u32;
        assert_int_equal(hf_read_leb_u32(&u32), 0);
        assert_int_equal(hf_read_leb_u64(&u64), 0);
        assert_int_equal(hf_read_leb_s33(&s33), 0);
        assert_int_equal(u32.bad, n > 5);
        assert_int_equal(s33.bad, n > 5);
        assert_int_equal(u64.bad, n > 10);
    }
}

static void fixed_width_there_and_back(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_buf_add_byte(&b, 0xAB), HF_OK);
    assert_int_equal(hf_write_u16le(&b, 0x0102), HF_OK);
    assert_int_equal(hf_write_u32le(&b, 0xFFEEDDCC), HF_OK);
    assert_int_equal(hf_write_u64le(&b, 0x8877665544332211), HF_OK);
    static const uint8_t want[] = {0xAB, 2,    1,    0xCC, 0xDD, 0xEE, 0xFF, 0x11,
                                   0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.ptr, want, sizeof want);
    for (size_t len = 0; len <= sizeof want; len++) { /* cut off at every byte */
        uint8_t *exact = test_malloc(len + 1);        /* guarded: a read past the end shows */
        memcpy(exact, want, len);
        struct hf_reader r = hf_reader(hf_view(exact, len));
        assert_int_equal(hf_read_u8(&r), len < 1 ? 0 : 0xAB);
        assert_int_equal(hf_read_u16le(&r), len < 3 ? 0 : 0x0102);
        assert_int_equal(hf_read_u32le(&r), len < 7 ? 0 : 0xFFEEDDCC);
        assert_true(hf_read_u64le(&r) == (len < 15 ? 0 : 0x8877665544332211));
        assert_int_equal(r.bad, len < 15);
        assert_int_equal(hf_reader_pos(&r), len < 1    ? 0
                                            : len < 3  ? 1
                                            : len < 7  ? 3
                                            : len < 15 ? 7
                                                       : 15);
        test_free(exact);
    }
    hf_buf_done(&b);
}

static void bad_reader_stays_bad(void **state)
{
    (void)state;
    struct hf_reader r = hf_reader(HF_VIEW("\x01\x02\x03"));
    assert_int_equal(hf_read_u32le(&r), 0);
    assert_true(r.bad);
    assert_int_equal(hf_read_u8(&r), 0);
    assert_int_equal(hf_read_leb_u32(&r), 0);
    assert_null(hf_read_bytes(&r, 0).ptr);
    assert_null(hf_read_bytes(&r, 1).ptr);
    assert_int_equal(hf_reader_pos(&r), 0);
}

static void bytes_and_names(void **state)
{
    (void)state;
    struct hf_buf b = {0};
    assert_int_equal(hf_write_name(&b, HF_VIEW("name")), HF_OK);
    assert_int_equal(hf_write_name(&b, hf_view(NULL, 0)), HF_OK);
    struct hf_reader r = hf_reader(hf_buf_view(&b));
    assert_true(hf_view_eq_text(hf_read_name(&r), "name"));
    assert_int_equal(hf_read_name(&r).len, 0);
    assert_false(r.bad);
    assert_int_equal(hf_reader_left(&r), 0);
    for (size_t len = 0; len < 5; len++) {
        r = hf_reader(hf_view_take(hf_buf_view(&b), len));
        assert_null(hf_read_name(&r).ptr);
        assert_true(r.bad);
        assert_int_equal(hf_reader_pos(&r), 0);
    }
    r = hf_reader(HF_VIEW("\xFF\xFF\xFF\xFF\x0F"
                          "abc")); /* says 4 GiB */
    assert_null(hf_read_name(&r).ptr);
    assert_true(r.bad);
    r = hf_reader(HF_VIEW("abc"));
    assert_null(hf_read_bytes(&r, SIZE_MAX).ptr);
    hf_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leb_random_bytes),
        cmocka_unit_test(leb_there_and_back),
        cmocka_unit_test(leb_known_bytes),
        cmocka_unit_test(leb_overlong_forms),
        cmocka_unit_test(fixed_width_there_and_back),
        cmocka_unit_test(bad_reader_stays_bad),
        cmocka_unit_test(bytes_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
