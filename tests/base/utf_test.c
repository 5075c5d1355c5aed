/* utf_test.c - text against brute force (rule V6): every scalar value, every short byte string, and
 * errors planted at every place of long blocks, where the fast validator works.
 *
 * The slow validator here is written from the definition: decode by the bit pattern, then ask
 * whether the value may be encoded that long.
 */
#include "base/utf.h"

#include <string.h>

#include "support.h"

static size_t slow_scalar(const uint8_t *s, size_t left, uint32_t *cp)
{
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xE0) == 0xC0 ? 2
               : (s[0] & 0xF0) == 0xE0 ? 3
               : (s[0] & 0xF8) == 0xF0 ? 4
                                       : 0;
    if (n == 0 || n > left)
        return 0;
    uint32_t v = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        v = v << 6 | (s[i] & 0x3F);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
        return 0;
    *cp = v;
    return n;
}

static size_t slow_prefix(const uint8_t *s, size_t len)
{
    size_t i = 0, n;
    uint32_t cp;
    while (i < len && (n = slow_scalar(s + i, len - i, &cp)) > 0)
        i += n;
    return i;
}

static void check_utf8(const uint8_t *s, size_t len)
{
    size_t want = slow_prefix(s, len);
    if (hf_utf8_valid_prefix(s, len) != want || hf_utf8_valid(s, len) != (want == len))
        fail_msg("prefix %zu, wanted %zu of %zu", hf_utf8_valid_prefix(s, len), want, len);
}

static void v6_every_scalar_there_and_back(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint8_t bytes[4], units[4];
        uint32_t slow;
        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        size_t at = 0, n = hf_utf8_put(bytes, cp), u = hf_utf16_put(units, cp);
        assert_int_equal(slow_scalar(bytes, n, &slow), n);
        assert_int_equal(slow, cp);
        assert_true(hf_utf8_valid(bytes, n));
        assert_int_equal(hf_utf8_next(bytes, n, &at), cp);
        assert_int_equal(at, n);
        at = 0;
        assert_true(hf_utf16_valid(units, u / 2));
        assert_int_equal(hf_utf16_next(units, u / 2, &at), cp);
        assert_int_equal(at, u / 2);
        assert_int_equal(hf_utf8_len_of_utf16(units, u / 2), n);
        assert_int_equal(hf_utf16_units_of_utf8(bytes, n), u / 2);
        assert_int_equal(hf_utf8_is_latin1(bytes, n), cp <= 0xFF);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(hf_utf8_valid_prefix(bytes, cut), 0);
    }
}

/* All of one, two and three bytes; of four, those whose first byte begins four. */
static void v6_every_short_string(void **state)
{
    (void)state;
    uint8_t s[4];
    for (uint32_t v = 0; v < 1u << 24; v++) {
        s[0] = (uint8_t)(v >> 16);
        s[1] = (uint8_t)(v >> 8);
        s[2] = (uint8_t)v;
        if (s[2] == 0 && s[1] == 0)
            check_utf8(s, 1);
        if (s[2] == 0)
            check_utf8(s, 2);
        check_utf8(s, 3);
    }
    for (uint32_t v = 0; v < 1u << 19; v++) { /* F0..FF; bytes 3 and 4 by their telling bits only */
        static const uint8_t third[] = {0x00, 0x7F, 0x80, 0x8F, 0xBF, 0xC0, 0xF0, 0xFF};
        s[0] = (uint8_t)(0xF0 | (v & 15));
        s[1] = (uint8_t)(v >> 4);
        s[2] = third[v >> 12 & 7];
        s[3] = third[v >> 15 & 7];
        check_utf8(s, 4);
    }
}

/* The fast validator sees blocks of 64: put each short string at every place around the borders of
 * the blocks, within ASCII and within text of two, three and four bytes a character. */
static void v6_short_strings_inside_blocks(void **state)
{
    (void)state;
    static const char *const around[] = {"a", "\xC3\xA9", "\xE4\xB8\x80", "\xF0\x9F\x98\x80"};
    static const uint8_t telling[] = {0x00, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                      0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                      0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
    enum { N = sizeof telling };
    uint64_t seed = 8;
    for (size_t a = 0; a < HF_ARRAY_LEN(around); a++) {
        uint8_t text[260];
        size_t unit = strlen(around[a]);
        for (unsigned c = 0; c < N * N * N; c++) {
            uint8_t s[3] = {telling[c % N], telling[c / N % N], telling[c / N / N]};
            for (int i = 0; i < 3; i++) {
                for (size_t k = 0; k + unit <= sizeof text; k += unit)
                    memcpy(text + k, around[a], unit);
                size_t at = rng_below(&seed, 200), len = at + 3 + rng_below(&seed, 50);
                if (i == 0) /* at a border */
                    at = 64 * (1 + rng_below(&seed, 3)) - rng_below(&seed, 5);
                at -= at % unit;
                memcpy(text + at, s, 3);
                check_utf8(text, len < at + 3 ? at + 3 : len);
                check_utf8(text, sizeof text);
            }
        }
    }
}

static size_t random_text(uint64_t *seed, uint8_t *out, size_t room, uint32_t below)
{
    size_t len = 0, want = rng_below(seed, room + 1);
    while (len + 4 <= want) {
        uint64_t r = rng_next(seed);
        if (r % 4 == 0) { /* a run of ASCII */
            for (size_t n = r / 4 % 70; n > 0 && len + 4 <= want; n--)
                out[len++] = (uint8_t)('a' + n % 26);
            continue;
        }
        uint32_t cp = (uint32_t)((r >> 8) % (r % 4 == 1 ? 0x100 : r % 4 == 2 ? 0x3000 : 0x110000));
        if (cp < below && (cp < 0xD800 || cp > 0xDFFF))
            len += hf_utf8_put(out + len, cp);
    }
    return len;
}

static void v6_random_text_with_one_byte_wrong(void **state)
{
    (void)state;
    static uint8_t text[1000];
    uint64_t seed = 9;
    for (int i = 0; i < 30000; i++) {
        size_t len = random_text(&seed, text, sizeof text, 0x110000);
        assert_true(hf_utf8_valid(text, len));
        if (len == 0)
            continue;
        text[rng_below(&seed, len)] = (uint8_t)rng_next(&seed);
        check_utf8(text, len);
        check_utf8(text, rng_below(&seed, len + 1));
    }
}

static void v6_random_bytes(void **state)
{
    (void)state;
    uint8_t bytes[300];
    uint64_t seed = 10;
    for (int i = 0; i < 30000; i++) {
        size_t len = rng_below(&seed, sizeof bytes + 1);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t)(i % 2 ? rng_next(&seed) : rng_next(&seed) % 130);
        check_utf8(bytes, len);
        size_t ascii = 0;
        while (ascii < len && bytes[ascii] < 0x80)
            ascii++;
        assert_int_equal(hf_ascii_prefix(bytes, len), ascii);
    }
    assert_true(hf_utf8_valid(NULL, 0));
}

static void v6_utf16_pairs(void **state)
{
    (void)state;
    static const uint16_t telling[] = {0,      'a',    0xD7FF, 0xD800, 0xDBFF, 0xDC00,
                                       0xDFFF, 0xE000, 0xFFFF, 0x00D8, 0x00DC};
    enum { N = HF_ARRAY_LEN(telling), LEN = 40 };
    uint64_t seed = 11;
    for (int i = 0; i < 200000; i++) {
        uint8_t raw[2 * LEN + 1], *s = raw + 1; /* unaligned */
        size_t len = rng_below(&seed, LEN + 1);
        uint16_t units[LEN];
        for (size_t k = 0; k < len; k++)
            units[k] =
                rng_below(&seed, 12) == 0 ? telling[rng_below(&seed, N)] : (uint16_t)('a' + k);
        bool want = true;
        for (size_t k = 0; k < len; k++) {
            s[2 * k] = (uint8_t)units[k];
            s[2 * k + 1] = (uint8_t)(units[k] >> 8);
        }
        for (size_t k = 0; k < len && want; k++) {
            if (units[k] < 0xD800 || units[k] > 0xDFFF)
                continue;
            want = units[k] < 0xDC00 && k + 1 < len && units[k + 1] >= 0xDC00 &&
                   units[k + 1] <= 0xDFFF;
            k++;
        }
        assert_int_equal(hf_utf16_valid(s, len), want);
    }
    assert_true(hf_utf16_valid(NULL, 0));
    for (uint32_t unit = 0; unit < 0x10000;
         unit++) { /* every unit alone, at each place of a block */
        uint8_t s[32] = {0};
        size_t at = unit % 16;
        s[2 * at] = (uint8_t)unit;
        s[2 * at + 1] = (uint8_t)(unit >> 8);
        assert_int_equal(hf_utf16_valid(s, 16), unit < 0xD800 || unit > 0xDFFF);
    }
}

/* Through UTF-16 and back, measured before and exact to the byte: the buffers end where the measure
 * says. */
static void transcoding_there_and_back(void **state)
{
    (void)state;
    static uint8_t text[3000];
    uint64_t seed = 12;
    for (int i = 0; i < 5000; i++) {
        size_t len = random_text(&seed, text, i % 50 == 0 ? sizeof text : 200, 0x110000),
               scalars = 0, n16 = 0;
        for (size_t at = 0; at < len; scalars++) {
            uint32_t cp = hf_utf8_next(text, len, &at);
            n16 += cp >= 0x10000 ? 2 : 1;
        }
        size_t units = hf_utf16_units_of_utf8(text, len);
        assert_int_equal(units, n16);
        uint8_t *wide = test_malloc(2 * units + 1), *back = test_malloc(len + 1);
        assert_int_equal(hf_utf8_to_utf16(text, len, wide), 2 * units);
        assert_true(hf_utf16_valid(wide, units));
        assert_int_equal(hf_utf8_len_of_utf16(wide, units), len);
        assert_int_equal(hf_utf16_to_utf8(wide, units, back), len);
        assert_memory_equal(back, text, len);
        size_t a = 0, b = 0;
        while (a < len)
            assert_int_equal(hf_utf8_next(text, len, &a), hf_utf16_next(wide, units, &b));
        test_free(wide);
        test_free(back);
    }
}

static void latin1_there_and_back(void **state)
{
    (void)state;
    uint64_t seed = 13;
    for (int i = 0; i < 5000; i++) {
        uint8_t latin[500];
        size_t len = rng_below(&seed, sizeof latin + 1);
        for (size_t k = 0; k < len; k++)
            latin[k] = (uint8_t)(rng_next(&seed) % (i % 2 ? 256 : 129));
        size_t size = hf_utf8_len_of_latin1(latin, len);
        uint8_t *text = test_malloc(size + 1), *back = test_malloc(len + 1);
        assert_int_equal(hf_latin1_to_utf8(latin, len, text), size);
        assert_true(hf_utf8_valid(text, size));
        assert_true(hf_utf8_is_latin1(text, size));
        assert_int_equal(hf_utf8_to_latin1(text, size, back), len);
        assert_memory_equal(back, latin, len);
        test_free(text);
        test_free(back);
    }
    uint8_t text[100];
    for (size_t at = 0; at + 2 <= sizeof text; at++) { /* one character too many, anywhere */
        memset(text, 'a', sizeof text);
        memcpy(text + at, "\xC4\x80", 2); /* 100, the first past FF */
        assert_false(hf_utf8_is_latin1(text, sizeof text));
        memcpy(text + at, "\xC3\xBF", 2);
        assert_true(hf_utf8_is_latin1(text, sizeof text));
    }
}

/* The counters add up per lane in bytes: long runs of the dearest characters must not overflow
 * them. */
static void long_text_is_counted_right(void **state)
{
    (void)state;
    enum { N = 100000 };
    static const uint32_t dear[] = {'a', 0xE9, 0x4E00, 0x1F600};
    uint8_t *text = test_malloc(4 * N), *wide = test_malloc(4 * N);
    for (size_t d = 0; d < HF_ARRAY_LEN(dear); d++) {
        size_t len = 0, units = 0;
        for (size_t i = 0; i < N; i++) {
            len += hf_utf8_put(text + len, dear[d]);
            units += hf_utf16_put(wide + 2 * units, dear[d]) / 2;
        }
        assert_int_equal(hf_utf16_units_of_utf8(text, len), units);
        assert_int_equal(hf_utf8_len_of_utf16(wide, units), len);
    }
    memset(text, 0xFF, N);
    assert_int_equal(hf_utf8_len_of_latin1(text, N), 2 * N);
    test_free(text);
    test_free(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v6_every_scalar_there_and_back),
        cmocka_unit_test(v6_every_short_string),
        cmocka_unit_test(v6_short_strings_inside_blocks),
        cmocka_unit_test(v6_random_text_with_one_byte_wrong),
        cmocka_unit_test(v6_random_bytes),
        cmocka_unit_test(v6_utf16_pairs),
        cmocka_unit_test(transcoding_there_and_back),
        cmocka_unit_test(latin1_there_and_back),
        cmocka_unit_test(long_text_is_counted_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
