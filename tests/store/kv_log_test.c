/* kv_log_test.c - a row of the key-value store's log: its bytes, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "store/kv_log.h"

static void make(struct hf_buf *row)
{
    const struct hf_kv_log_bucket bucket = {3, 2, 40};
    const struct hf_kv_log_record live = {.kind = HF_KV_LOG_LIVE,
                                          .bucket = 3,
                                          .number = 0x0102,
                                          .version = 0x0a0b,
                                          .key = HF_VIEW("key"),
                                          .value = HF_VIEW("value")},
                                  dead = {.kind = HF_KV_LOG_DEAD, .bucket = 32767},
                                  table = {
                                      .kind = HF_KV_LOG_TABLE, .bucket = 1, .key = HF_VIEW("t")};
    assert_int_equal(hf_kv_log_begin(row, 0x0a0c, 1, 3), HF_OK);
    assert_int_equal(hf_kv_log_add_bucket(row, &bucket), HF_OK);
    assert_int_equal(hf_kv_log_add(row, &live), HF_OK);
    assert_int_equal(hf_kv_log_add(row, &dead), HF_OK);
    assert_int_equal(hf_kv_log_add(row, &table), HF_OK);
    hf_kv_log_end(row);
}

/* These bytes are in people's files: a change of them is a new format. */
static const uint8_t golden[] = {
    0x00, 0x00, 0x00, 0x00,                   /* the sum */
    0x01,                                     /* format */
    0x0c, 0x0a, 0,    0,    0,   0,   0,   0, /* the last version */
    1,    0,    0,    0,    3,   0,   0,   0, /* 1 bucket, 3 records */
    3,    0,    2,    0,    0,   0,   0,   0,   0,   0,   40,  0,   0, 0,    0,    0, 0, 0, 1, 3,
    0,    3,    0,    0,    0,                /* LIVE, bucket, key's length */
    0x02, 0x01, 0,    0,    0,   0,   0,   0, /* number */
    0x0b, 0x0a, 0,    0,    0,   0,   0,   0, /* version */
    5,    0,    0,    0,    'k', 'e', 'y', 'v', 'a', 'l', 'u', 'e', 2, 0xff, 0x7f, 0, 0, 0, 0, /* DEAD
                                                                                                */
    3,    1,    0,    1,    0,   0,   0,   't', /* TABLE */
};
#define SUM 0x2369b5bdu

static void golden_bytes(void **state)
{
    struct hf_buf row = {0};
    (void)state;
    make(&row);
    assert_int_equal(row.len, sizeof golden);
    assert_memory_equal(row.ptr + 4, golden + 4, sizeof golden - 4);
    assert_int_equal((uint32_t)row.ptr[0] | (uint32_t)row.ptr[1] << 8 | (uint32_t)row.ptr[2] << 16 |
                         (uint32_t)row.ptr[3] << 24,
                     SUM);
    hf_buf_done(&row);
}

static void read_back(void **state)
{
    struct hf_buf row = {0};
    struct hf_kv_log_reader r;
    struct hf_kv_log_bucket b;
    struct hf_kv_log_record rec;
    (void)state;
    make(&row);
    assert_int_equal(hf_kv_log_open(&r, hf_buf_view(&row), NULL), HF_OK);
    assert_int_equal(r.version, 0x0a0c);
    assert_true(hf_kv_log_next_bucket(&r, &b));
    assert_true(b.bucket == 3 && b.keys == 2 && b.bytes == 40);
    assert_false(hf_kv_log_next_bucket(&r, &b));
    assert_true(hf_kv_log_next(&r, &rec));
    assert_true(rec.kind == HF_KV_LOG_LIVE && rec.bucket == 3 && rec.number == 0x0102 &&
                rec.version == 0x0a0b);
    assert_true(hf_view_eq_text(rec.key, "key") && hf_view_eq_text(rec.value, "value"));
    assert_true(hf_kv_log_next(&r, &rec));
    assert_true(rec.kind == HF_KV_LOG_DEAD && rec.bucket == 32767 && rec.key.len == 0);
    assert_true(hf_kv_log_next(&r, &rec));
    assert_true(rec.kind == HF_KV_LOG_TABLE && rec.bucket == 1 && hf_view_eq_text(rec.key, "t"));
    assert_false(hf_kv_log_next(&r, &rec));
    hf_buf_done(&row);
}

static void refused(struct hf_buf *row, enum hf_err want, const char *words)
{
    struct hf_kv_log_reader r;
    struct hf_report report = {0};
    enum hf_err err = hf_kv_log_open(&r, hf_buf_view(row), &report);
    if (err != want || strstr(report.text, words) == NULL)
        fail_msg("%s: %s", hf_err_text(err), report.text);
}

static void every_flipped_bit_is_seen(void **state)
{
    struct hf_buf row = {0};
    (void)state;
    make(&row);
    for (size_t i = 0; i < row.len * 8; i++) {
        row.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
        refused(&row, HF_CORRUPT, "its sum is wrong");
        row.ptr[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    hf_buf_done(&row);
}

/* With a sum that is right: by a fault of ours, or somebody's hand. */
static void what_no_row_can_say(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
        enum hf_err err;
        const char *words;
    } rows[] = {
        {4, 2, HF_UNSUPPORTED, "newer Holdfast: its format is 2, this one knows 1"},
        {4, 0, HF_CORRUPT, "no such format, at byte 5"},
        {12, 1, HF_CORRUPT, "no version is so high"},
        {13, 2, HF_CORRUPT, ""}, /* a record read as a bucket */
        {17, 2, HF_CORRUPT, "something follows its end"},
        {17, 4, HF_CORRUPT, "it ends too soon"},
        {21, 0, HF_CORRUPT, "no bucket has such a number"},
        {22, 0x80, HF_CORRUPT, "no bucket has such a number"},
        {30, 0x80, HF_CORRUPT, "no bucket holds so much"},
        {39, 4, HF_CORRUPT, ""}, /* a kind without a value, then its fields read as records */
        {44, 0xff, HF_CORRUPT, "it ends too soon"},
        {47, 0xff, HF_CORRUPT, "a version that was not given yet"},
        {54, 0xff, HF_CORRUPT, "a version that was not given yet"},
    };
    struct hf_buf row = {0};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        make(&row);
        row.ptr[rows[i].at] = rows[i].byte;
        hf_kv_log_end(&row);
        refused(&row, rows[i].err, rows[i].words);
    }
    for (size_t len = 0; len + 1 < sizeof golden; len++) { /* cut anywhere */
        make(&row);
        row.len = len;
        if (len >= 4)
            hf_kv_log_end(&row);
        refused(&row, HF_CORRUPT, len == 4 ? "" : "it ends too soon");
    }
    hf_buf_done(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes),
        cmocka_unit_test(read_back),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(what_no_row_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
