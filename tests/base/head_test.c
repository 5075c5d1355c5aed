/* head_test.c - the flat HTTP head: its bytes in version 1 for ever, there and back, and hostile
 * bytes. */
#include "base/head.h"

#include <string.h>

#include "base/codec.h"
#include "support.h"

/* These bytes are in journals. If this test fails, the format changed: make it version 2. */
/* clang-format off */
static const uint8_t golden_request[] = {
    1, 1, 0, 0,    0x07, 0, 0, 0,   2, 0, 0, 0,   77, 0, 0, 0,
    3, 0, 0, 0, 'G', 'E', 'T',
    4, 0, 0, 0, 'h', 't', 't', 'p',
    4, 0, 0, 0, 'a', ':', '8', '0',
    4, 0, 0, 0, '/', 'x', '?', 'y',
    6, 0, 0, 0, 'A', 'c', 'c', 'e', 'p', 't',
    3, 0, 0, 0, '*', '/', '*',
    5, 0, 0, 0, 'X', '-', 'N', 'u', 'l',
    0, 0, 0, 0,
    };
static const uint8_t golden_response[] = {
    1, 2, 0x94, 0x01,   0x18, 0, 0, 0,   1, 0, 0, 0,   27, 0, 0, 0,
    1, 0, 0, 0, 'n',
    2, 0, 0, 0, 0xC3, 0xA9,
};

/* clang-format on */

static struct hf_view golden_request_view(struct hf_buf *buf)
{
    struct hf_head_writer w;
    assert_int_equal(hf_head_begin_request(
                         &w, buf, HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH,
                         HF_VIEW("GET"), HF_VIEW("http"), HF_VIEW("a:80"), HF_VIEW("/x?y")),
                     HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("Accept"), HF_VIEW("*/*")), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("X-Nul"), HF_VIEW("")), HF_OK);
    return hf_head_end(&w);
}

static void golden_bytes_of_version_1(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    assert_int_equal(hf_buf_add_text(&buf, "before"), HF_OK); /* it is appended */
    struct hf_view bytes = golden_request_view(&buf);
    assert_int_equal(bytes.len, sizeof golden_request);
    assert_memory_equal(bytes.ptr, golden_request, sizeof golden_request);
    assert_memory_equal(buf.ptr, "before", 6);

    struct hf_head_writer w;
    assert_int_equal(hf_head_begin_response(&w, &buf, HF_HEAD_NO_BODY | HF_HEAD_RETIRE, 404),
                     HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("n"), HF_VIEW("\xC3\xA9")), HF_OK);
    bytes = hf_head_end(&w);
    assert_int_equal(bytes.len, sizeof golden_response);
    assert_memory_equal(bytes.ptr, golden_response, sizeof golden_response);
    hf_buf_done(&buf);
}

static void golden_bytes_are_read(void **state)
{
    (void)state;
    struct hf_head head;
    struct hf_view name, value;
    size_t at = 0;
    assert_int_equal(hf_head_read(hf_view(golden_request, sizeof golden_request), &head, NULL),
                     HF_OK);
    assert_int_equal(head.kind, HF_HEAD_REQUEST);
    assert_int_equal(head.status, 0);
    assert_int_equal(head.flags, 7);
    assert_int_equal(head.n_fields, 2);
    assert_true(hf_view_eq_text(head.method, "GET"));
    assert_true(hf_view_eq_text(head.scheme, "http"));
    assert_true(hf_view_eq_text(head.authority, "a:80"));
    assert_true(hf_view_eq_text(head.path, "/x?y"));
    assert_true(hf_head_next(&head, &at, &name, &value));
    assert_true(hf_view_eq_text(name, "Accept") && hf_view_eq_text(value, "*/*"));
    assert_true(hf_head_next(&head, &at, &name, &value));
    assert_true(hf_view_eq_text(name, "X-Nul") && value.len == 0);
    assert_false(hf_head_next(&head, &at, &name, &value));
    assert_true(hf_head_find(&head, HF_VIEW("aCCEPT"), &value));
    assert_true(hf_view_eq_text(value, "*/*"));
    assert_false(hf_head_find(&head, HF_VIEW("Accep"), &value));
    assert_true(hf_view_eq_text(value, "*/*")); /* untouched */

    assert_int_equal(hf_head_read(hf_view(golden_response, sizeof golden_response), &head, NULL),
                     HF_OK);
    assert_int_equal(head.kind, HF_HEAD_RESPONSE);
    assert_int_equal(head.status, 404);
    assert_int_equal(head.flags, HF_HEAD_NO_BODY | HF_HEAD_RETIRE);
}

/* Fields keep their order, case and repeats, whatever bytes they hold. */
static void fields_keep_order_and_repeats(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    struct hf_head head;
    assert_int_equal(hf_head_begin_response(&w, &buf, 0, 200), HF_OK);
    for (uint8_t i = 0; i < 200; i++)
        assert_int_equal(hf_head_field(&w, i % 2 ? HF_VIEW("Set-Cookie") : HF_VIEW("set-cookie"),
                                       hf_view(&i, 1)),
                         HF_OK);
    struct hf_view bytes = hf_head_end(&w), name, value;
    assert_int_equal(hf_head_read(bytes, &head, NULL), HF_OK);
    size_t at = 0;
    for (uint8_t i = 0; i < 200; i++) {
        assert_true(hf_head_next(&head, &at, &name, &value));
        assert_true(hf_view_eq_text(name, i % 2 ? "Set-Cookie" : "set-cookie"));
        assert_true(value.len == 1 && value.ptr[0] == i);
    }
    assert_false(hf_head_next(&head, &at, &name, &value));
    hf_buf_done(&buf);
}

static void fields_of_another_head(void **state)
{
    struct hf_buf from = {0}, buf = {0};
    struct hf_head_writer w;
    struct hf_head head, copy;
    struct hf_view name, value;
    size_t at = 0;
    (void)state;
    assert_int_equal(hf_head_begin_response(&w, &from, 0, 200), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("a"), HF_VIEW("1")), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("b"), HF_VIEW("")), HF_OK);
    assert_int_equal(hf_head_read(hf_head_end(&w), &head, NULL), HF_OK);
    assert_int_equal(hf_buf_add_text(&buf, "before"), HF_OK);
    assert_int_equal(hf_head_begin_response(&w, &buf, 0, 404), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("first"), HF_VIEW("x")), HF_OK);
    assert_int_equal(hf_head_fields(&w, &head), HF_OK);
    assert_int_equal(hf_head_fields(&w, &(struct hf_head){0}), HF_OK); /* none */
    assert_int_equal(hf_head_field(&w, HF_VIEW("last"), HF_VIEW("y")), HF_OK);
    assert_int_equal(hf_head_read(hf_head_end(&w), &copy, NULL), HF_OK);
    assert_int_equal(copy.n_fields, 4);
    static const char *const names[] = {"first", "a", "b", "last"};
    static const char *const values[] = {"x", "1", "", "y"};
    for (int i = 0; i < 4; i++) {
        assert_true(hf_head_next(&copy, &at, &name, &value));
        assert_true(hf_view_eq_text(name, names[i]) && hf_view_eq_text(value, values[i]));
    }
    assert_false(hf_head_next(&copy, &at, &name, &value));
    hf_buf_done(&from);
    hf_buf_done(&buf);
}

static void abort_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    assert_int_equal(hf_buf_add_text(&buf, "before"), HF_OK);
    assert_int_equal(hf_head_begin_response(&w, &buf, 0, 200), HF_OK);
    assert_int_equal(hf_head_field(&w, HF_VIEW("a"), HF_VIEW("b")), HF_OK);
    size_t len = buf.len;
    static const uint8_t byte;
    assert_int_equal(hf_head_field(&w, hf_view(&byte, (size_t)UINT32_MAX + 1), HF_VIEW("")),
                     HF_LIMIT);
    assert_int_equal(hf_head_field(&w, HF_VIEW("a"), hf_view(&byte, UINT32_MAX - 20)), HF_LIMIT);
    assert_int_equal(buf.len, len); /* half a field never stays */
    hf_head_abort(&w);
    assert_int_equal(buf.len, 6);
    assert_string_equal(buf.ptr, "before");
    hf_buf_done(&buf);
}

/* A value that is written in place is the same as one that is copied. */
static void room_for_a_value(void **state)
{
    (void)state;
    struct hf_buf buf = {0}, want = {0};
    struct hf_view bytes = golden_request_view(&want);
    struct hf_head_writer w;
    uint8_t *value;
    assert_int_equal(hf_head_begin_request(
                         &w, &buf, HF_HEAD_HAS_SCHEME | HF_HEAD_HAS_AUTHORITY | HF_HEAD_HAS_PATH,
                         HF_VIEW("GET"), HF_VIEW("http"), HF_VIEW("a:80"), HF_VIEW("/x?y")),
                     HF_OK);
    assert_int_equal(hf_head_field_room(&w, HF_VIEW("Accept"), 3, &value), HF_OK);
    memcpy(value, "*/*", 3);
    assert_int_equal(hf_head_field_room(&w, HF_VIEW("X-Nul"), 0, &value), HF_OK);
    assert_true(hf_view_eq(hf_head_end(&w), bytes));
    assert_int_equal(buf.ptr[buf.len], 0);
    hf_buf_done(&buf);
    hf_buf_done(&want);
}

/* The writer refuses what the reader would. */
static void writer_refuses(void **state)
{
    (void)state;
    struct hf_buf buf = {0};
    struct hf_head_writer w;
    struct hf_view get = HF_VIEW("GET"), none = hf_view(NULL, 0), some = HF_VIEW("x");
    assert_int_equal(hf_head_begin_response(&w, &buf, 0, 99), HF_INVALID);
    assert_int_equal(hf_head_begin_response(&w, &buf, 0, 1000), HF_INVALID);
    assert_int_equal(hf_head_begin_response(&w, &buf, HF_HEAD_HAS_PATH, 200), HF_INVALID);
    assert_int_equal(hf_head_begin_request(&w, &buf, HF_HEAD_RETIRE, get, none, none, none),
                     HF_INVALID);
    assert_int_equal(hf_head_begin_request(&w, &buf, 1u << 20, get, none, none, none), HF_INVALID);
    assert_int_equal(hf_head_begin_request(&w, &buf, 0, get, some, none, none), HF_INVALID);
    assert_int_equal(hf_head_begin_request(&w, &buf, 0, get, none, some, none), HF_INVALID);
    assert_int_equal(hf_head_begin_request(&w, &buf, 0, get, none, none, some), HF_INVALID);
    hf_head_abort(&w);
    assert_int_equal(buf.len, 0);
    assert_int_equal(hf_head_begin_request(&w, &buf, HF_HEAD_NO_BODY, get, none, none, none),
                     HF_OK);
    struct hf_head head;
    assert_int_equal(hf_head_read(hf_head_end(&w), &head, NULL), HF_OK);
    hf_buf_done(&buf);
}

static void expect_corrupt(const uint8_t *bytes, size_t len)
{
    static struct hf_report report;
    hf_report_init(&report);
    struct hf_head head;
    uint8_t *exact = test_malloc(len + 1);
    memcpy(exact, bytes, len);
    assert_int_equal(hf_head_read(hf_view(exact, len), &head, &report), HF_CORRUPT);
    assert_int_equal(report.err, HF_CORRUPT);
    assert_true(report.len > 0);
    test_free(exact);
}

static void cut_off_anywhere(void **state)
{
    (void)state;
    uint8_t bytes[sizeof golden_request + 1];
    for (size_t len = 0; len <= sizeof bytes; len++) {
        memcpy(bytes, golden_request, sizeof golden_request);
        bytes[sizeof golden_request] = 0;
        if (len == sizeof golden_request)
            continue;
        expect_corrupt(bytes, len);
        bytes[12] = (uint8_t)len; /* and lying about it */
        expect_corrupt(bytes, len);
    }
}

static void every_fixed_byte_is_checked(void **state)
{
    (void)state;
    uint8_t bytes[sizeof golden_request];
    for (size_t i = 0; i < 16; i++) {
        for (unsigned v = 0; v < 256; v++) {
            memcpy(bytes, golden_request, sizeof bytes);
            bytes[i] = (uint8_t)v;
            bool harmless = v == golden_request[i] || (i == 4 && v == (7 | HF_HEAD_NO_BODY));
            if (!harmless)
                expect_corrupt(bytes, sizeof bytes);
        }
    }
}

/* Random damage: either refused, or every view lies inside and the walk ends after n_fields. */
static void random_damage(void **state)
{
    (void)state;
    uint64_t seed = 15;
    unsigned read = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[sizeof golden_request];
        const uint8_t *from = i % 2 ? golden_request : golden_response;
        size_t len = i % 2 ? sizeof golden_request : sizeof golden_response;
        memcpy(bytes, from, len);
        for (uint64_t n = 1 + rng_below(&seed, 3); n > 0; n--)
            bytes[rng_below(&seed, len)] = (uint8_t)rng_below(&seed, i % 4 < 2 ? 12 : 256);
        struct hf_head head;
        if (hf_head_read(hf_view(bytes, len), &head, NULL) != HF_OK)
            continue;
        read++;
        struct hf_view name, value;
        size_t at = 0, n = 0;
        for (; hf_head_next(&head, &at, &name, &value); n++) {
            assert_true(name.ptr >= bytes && name.ptr + name.len <= bytes + len);
            assert_true(value.ptr >= bytes && value.ptr + value.len <= bytes + len);
        }
        assert_int_equal(n, head.n_fields);
        assert_int_equal(at, head.fields.len);
    }
    assert_true(read > 1000); /* damage to text only stays readable: the test sees both sides */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_of_version_1),
        cmocka_unit_test(golden_bytes_are_read),
        cmocka_unit_test(fields_keep_order_and_repeats),
        cmocka_unit_test(fields_of_another_head),
        cmocka_unit_test(abort_leaves_the_buffer_as_it_was),
        cmocka_unit_test(room_for_a_value),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(cut_off_anywhere),
        cmocka_unit_test(every_fixed_byte_is_checked),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
