/* bytes_test.c - views at their edges, buffers against a plain array, the NUL behind everything. */
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static void views_compare(void **state)
{
    (void)state;
    struct hf_view none = hf_view(NULL, 0), abc = HF_VIEW("abc"), abd = HF_VIEW("abd");
    assert_true(hf_view_eq(none, HF_VIEW("")));
    assert_true(hf_view_eq_text(abc, "abc"));
    assert_false(hf_view_eq_text(abc, "ab"));
    assert_true(hf_view_eq_text(none, NULL));
    assert_true(hf_view_cmp(abc, abd) < 0);
    assert_true(hf_view_cmp(HF_VIEW("ab"), abc) < 0);
    assert_true(hf_view_cmp(abc, HF_VIEW("ab")) > 0);
    assert_true(hf_view_cmp(HF_VIEW("\xff"), HF_VIEW("a")) > 0); /* bytes, not signed chars */
    assert_int_equal(hf_view_cmp(none, HF_VIEW("")), 0);
    assert_true(hf_view_cmp(none, abc) < 0);
    assert_true(hf_view_starts(abc, HF_VIEW("ab")));
    assert_true(hf_view_starts(abc, none));
    assert_false(hf_view_starts(HF_VIEW("ab"), abc));
    assert_true(hf_view_ends(abc, HF_VIEW("bc")));
    assert_false(hf_view_ends(abc, HF_VIEW("ab")));
    assert_false(hf_view_ends(HF_VIEW("c"), abc));
}

static void nocase_is_ascii_only(void **state)
{
    (void)state;
    assert_true(hf_view_eq_nocase(HF_VIEW("Content-Length"), HF_VIEW("cONTENT-lENGTH")));
    assert_false(hf_view_eq_nocase(HF_VIEW("ab"), HF_VIEW("abc")));
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t x = (uint8_t)a, y = (uint8_t)b;
            bool letters = (a | 32) >= 'a' && (a | 32) <= 'z' && (a | 32) == (b | 32);
            assert_int_equal(hf_view_eq_nocase(hf_view(&x, 1), hf_view(&y, 1)), a == b || letters);
            for (size_t len = 7; len <= 18; len += 11) { /* bytes one by one, and eight at a time */
                for (size_t at = 0; at < len; at++) {
                    uint8_t left[18] = "k@Z[`z{\x80\xdaK@Z[`z{\x80\xda", right[18];
                    memcpy(right, left, sizeof right);
                    left[at] = x, right[at] = y;
                    if (hf_view_eq_nocase(hf_view(left, len), hf_view(right, len)) != (a == b || letters))
                        fail_msg("%u and %u at %zu of %zu", a, b, at, len);
                }
            }
        }
    }
}

static void views_cut(void **state)
{
    (void)state;
    struct hf_view abc = HF_VIEW("abc");
    assert_true(hf_view_eq_text(hf_view_skip(abc, 1), "bc"));
    assert_int_equal(hf_view_skip(abc, 9).len, 0);
    assert_ptr_equal(hf_view_skip(abc, 9).ptr, abc.ptr + 3);
    assert_true(hf_view_eq_text(hf_view_take(abc, 2), "ab"));
    assert_int_equal(hf_view_take(abc, SIZE_MAX).len, 3);
    assert_null(hf_view_skip(hf_view(NULL, 0), 5).ptr);
    assert_int_equal(hf_view_find(abc, 'c'), 2);
    assert_int_equal(hf_view_find(abc, 'x'), 3);
    assert_int_equal(hf_view_find(hf_view(NULL, 0), 0), 0);
    char *copy = hf_view_dup(hf_view("a\0b", 3));
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
    copy = hf_view_dup(hf_view(NULL, 0));
    assert_string_equal(copy, "");
    free(copy);
}

static void buffer_against_array(void **state)
{
    (void)state;
    enum { MAX = 20000 };
    static uint8_t model[MAX];
    static const char text[] = "twenty-three characters";
    uint64_t seed = 1;
    size_t len = 0;
    struct hf_buf buf = {0};
    for (int step = 0; step < 20000; step++) {
        size_t n = rng_below(&seed, sizeof text);
        uint64_t what = rng_below(&seed, 16);
        if (len + n + 30 > MAX || what == 0) {
            hf_buf_clear(&buf);
            len = 0;
        } else if (what < 6) {
            assert_int_equal(hf_buf_add(&buf, text, n), HF_OK);
            memcpy(model + len, text, n);
            len += n;
        } else if (what < 8) {
            assert_int_equal(hf_buf_add_byte(&buf, (uint8_t)n), HF_OK);
            model[len++] = (uint8_t)n;
        } else if (what < 12) {
            assert_int_equal(hf_buf_printf(&buf, "%.*s%d", (int)n, text, step), HF_OK);
            len += (size_t)sprintf((char *)model + len, "%.*s%d", (int)n, text, step);
        } else if (what < 14) {
            size_t drop = rng_below(&seed, len + 1);
            hf_buf_consume(&buf, drop);
            memmove(model, model + drop, len - drop);
            len -= drop;
        } else {
            assert_int_equal(hf_buf_reserve(&buf, n), HF_OK);
            assert_true(buf.cap - buf.len >= n);
        }
        assert_int_equal(buf.len, len);
        assert_true(len == 0 || memcmp(buf.ptr, model, len) == 0);
        assert_true(buf.ptr == NULL || buf.ptr[len] == '\0');
    }
    hf_buf_done(&buf);
    assert_null(buf.ptr);
    assert_int_equal(hf_buf_add_text(&buf, "again"), HF_OK);
    uint8_t *ptr;
    hf_buf_take(&buf, &ptr, &len);
    assert_string_equal(ptr, "again");
    assert_int_equal(len, 5);
    assert_null(buf.ptr);
    free(ptr);
}

static void too_much_is_a_limit_and_changes_nothing(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    assert_int_equal(hf_buf_add_text(&buf, "keep"), HF_OK);
    assert_int_equal(hf_buf_reserve(&buf, SIZE_MAX), HF_LIMIT);
    assert_int_equal(hf_buf_reserve(&buf, SIZE_MAX - 2), HF_LIMIT);
    assert_int_equal(hf_buf_reserve(&buf, PTRDIFF_MAX - 2), HF_LIMIT);
    assert_string_equal(buf.ptr, "keep");
    assert_int_equal(buf.len, 4);
    hf_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare),
        cmocka_unit_test(nocase_is_ascii_only),
        cmocka_unit_test(views_cut),
        cmocka_unit_test(buffer_against_array),
        cmocka_unit_test(too_much_is_a_limit_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
