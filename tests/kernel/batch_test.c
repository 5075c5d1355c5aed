/* batch_test.c - the bytes of a batch outlive the process: golden ones, and no damage goes unseen.
 */
#include "base/hash.h"
#include "support.h"

static const uint8_t golden[] = {
    'H',  'F',  'B',  2,                                             /* magic, version */
    0xA4, 0x00, 0x00, 0x00,                                          /* length */
    0x2A, 0,    0,    0,    0,   0,   0,   0,                        /* seq 42 */
    7,    0,    0,    0,    0,   0,   1,   0,                        /* process 1 << 48 | 7 */
    6,    0,    0,    0,                                             /* records */
    1,    5,    0,    0,    0,   0,   0,   0,   0,                   /* consume message 5: */
    0,    0,    0,    0,    3,   0,   0,   0,   'r', 'e', 'q',       /* a request */
    2,    9,    0,    0,    0,   2,   0,   0,   0,   'i', 'n',       /* input kind 9 */
    3,    5,    0,    0,    0,   0,   0,   0,   0,   0,   0,   0, 0, /* answer to 5: ok */
    5,    0,    0,    0,    'r', 'e', 'p', 'l', 'y',                 /* */
    4,    3,    0,    0,    0,   0,   0,   0,   0,                   /* timer 3 */
    0x00, 0xCA, 0x9A, 0x3B, 0,   0,   0,   0,                        /* at 1 s */
    5,    8,    0,    0,    0,   0,   0,   0,   0,                   /* send 8 */
    5,    0,    0,    0,    0,   0,   0,   0,                        /* under 5 */
    0,    0,    0,    0,    0,   0,   0,   0,                        /* no forward */
    3,    0,    0,    0,    3,   0,   0,   0,   'b', '/', '1',       /* wants an answer, blob */
    2,    0,    0,    0,    'h', 'i',                                /* */
    6,    9,    0,    0,    0,   0,   0,   0,   0,                   /* verb about 9: */
    7,    0,    0,    0,    3,   0,   0,   0,   'b', '/', '1',       /* monitor */
    0xD2, 0x29, 0xE8, 0x62, /* CRC-32C, computed apart from this program */
};

static struct hf_batch *example(void)
{
    struct hf_batch *b;
    assert_int_equal(hf_batch_begin(42, 1ull << 48 | 7, true, &b), HF_OK);
    assert_int_equal(hf_batch_consume(b, 5, 0, HF_VIEW("req")), HF_OK);
    assert_int_equal(hf_batch_input(b, 9, HF_VIEW("in")), HF_OK);
    assert_int_equal(hf_batch_answer(b, 5, HF_ANSWER_OK, HF_VIEW("reply")), HF_OK);
    assert_int_equal(hf_batch_timer(b, 3, 1000000000), HF_OK);
    const struct hf_batch_sent sent = {.id = 8,
                                       .under = 5,
                                       .flags = HF_SENT_WANTS_ANSWER | HF_SENT_BLOB,
                                       .target = HF_VIEW("b/1"),
                                       .body = HF_VIEW("hi")};
    assert_int_equal(hf_batch_send(b, &sent), HF_OK);
    assert_int_equal(hf_batch_verb(b, HF_VERB_MONITOR, 9, HF_VIEW("b/1")), HF_OK);
    hf_batch_seal(b);
    return b;
}

static void golden_bytes(void **state)
{
    struct hf_batch *b = example();
    struct hf_view v = hf_batch_bytes(b);
    (void)state;
    assert_int_equal(hf_batch_seq(b), 42);
    assert_int_equal(v.len, sizeof golden);
    assert_memory_equal(v.ptr, golden, sizeof golden);
    hf_batch_free(b);
}

struct heard {
    struct hf_buf text;
    unsigned n;
    unsigned stop_at; /* error at the n-th */
};

static enum hf_err hear(void *ctx, const struct hf_batch_record *r)
{
    struct heard *h = ctx;
    static const char *const names[] = {"?", "consume", "input", "answer", "timer", "send", "verb"};
    if (++h->n == h->stop_at)
        return HF_IO;
    return hf_buf_printf(&h->text, "%s %llu %u %llu %.*s\n", names[r->kind],
                         (unsigned long long)r->id, r->what, (unsigned long long)r->at_ns,
                         HF_FMT(r->bytes));
}

static void reads_what_it_wrote(void **state)
{
    struct hf_batch *b = example();
    struct heard h = {.n = 0};
    uint64_t seq = 0, process = 0;
    (void)state;
    assert_int_equal(hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, &h, NULL), HF_OK);
    assert_int_equal(seq, 42);
    assert_int_equal(process, 1ull << 48 | 7);
    assert_string_equal(
        (char *)h.text.ptr,
        "consume 5 0 0 req\ninput 0 9 0 in\nanswer 5 0 0 reply\ntimer 3 0 1000000000 \n"
        "send 8 3 0 hi\nverb 9 7 0 b/1\n");
    h.n = 0;
    h.stop_at = 2; /* the reader's own error comes back */
    assert_int_equal(hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, &h, NULL), HF_IO);
    assert_int_equal(h.n, 2);
    hf_buf_done(&h.text);
    hf_batch_free(b);
}

static void empty_and_unrecorded(void **state)
{
    struct hf_batch *b;
    struct heard h = {.n = 0};
    uint64_t seq, process;
    (void)state;
    assert_int_equal(hf_batch_begin(1, 2, true, &b), HF_OK);
    hf_batch_seal(b);
    assert_int_equal(hf_batch_decode(hf_batch_bytes(b), &seq, &process, hear, &h, NULL), HF_OK);
    assert_int_equal(h.n, 0);
    hf_batch_free(b);
    assert_int_equal(hf_batch_begin(1, 2, false, &b), HF_OK);
    assert_int_equal(hf_batch_consume(b, 5, 0, HF_VIEW("req")), HF_OK);
    assert_int_equal(hf_batch_answer(b, 5, 0, HF_VIEW("req")), HF_OK);
    hf_batch_seal(b);
    assert_int_equal(hf_batch_bytes(b).len, 0);
    hf_batch_free(b);
    hf_batch_free(NULL);
}

static enum hf_err decode(struct hf_view bytes, struct hf_report *report, unsigned *n)
{
    struct heard h = {.n = 0};
    uint64_t seq, process;
    hf_report_init(report);
    enum hf_err err = hf_batch_decode(bytes, &seq, &process, hear, &h, report);
    *n = h.n;
    hf_buf_done(&h.text);
    return err;
}

static void every_truncation_is_corrupt(void **state)
{
    struct hf_batch *b = example();
    struct hf_view v = hf_batch_bytes(b);
    struct hf_report report;
    unsigned n;
    (void)state;
    for (size_t len = 0; len < v.len; len++) {
        uint8_t *copy = malloc(len + 1); /* so that reading past the end is seen */
        memcpy(copy, v.ptr, len);
        assert_int_equal(decode(hf_view(copy, len), &report, &n), HF_CORRUPT);
        char place[48];
        snprintf(place, sizeof place, "ends at byte %zu", len);
        assert_non_null(strstr(report.text, place));
        assert_int_equal(n, 0);
        free(copy);
    }
    hf_batch_free(b);
}

static void every_flipped_bit_is_corrupt(void **state)
{
    struct hf_batch *b = example();
    struct hf_view v = hf_batch_bytes(b);
    struct hf_report report;
    uint8_t *copy = malloc(v.len);
    unsigned n;
    (void)state;
    for (size_t bit = 0; bit < v.len * 8; bit++) {
        memcpy(copy, v.ptr, v.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_CORRUPT);
        assert_non_null(strstr(report.text, "byte")); /* says where */
        assert_int_equal(n, 0);                       /* nothing was handed out */
    }
    free(copy);
    hf_batch_free(b);
}

static void reseal(uint8_t *bytes, size_t len)
{
    uint32_t crc = hf_crc32c(0, bytes, len - 4);
    for (unsigned i = 0; i < 4; i++)
        bytes[len - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static void nonsense_with_a_right_checksum(void **state)
{
    struct hf_batch *b = example();
    struct hf_view v = hf_batch_bytes(b);
    struct hf_report report;
    uint8_t *copy = malloc(v.len);
    unsigned n;
    (void)state;
    memcpy(copy, v.ptr, v.len);
    copy[3] = 1; /* another version */
    reseal(copy, v.len);
    assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_UNSUPPORTED);
    assert_non_null(strstr(report.text, "version 1"));

    memcpy(copy, v.ptr, v.len);
    copy[28] = 9; /* no such record */
    reseal(copy, v.len);
    assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_CORRUPT);
    assert_non_null(strstr(report.text, "record 1 of 6, at byte 28"));

    memcpy(copy, v.ptr, v.len);
    copy[41] = 200; /* a body longer than the batch */
    reseal(copy, v.len);
    assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_CORRUPT);

    memcpy(copy, v.ptr, v.len);
    copy[24] = 5; /* one record too many behind */
    reseal(copy, v.len);
    assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_CORRUPT);
    assert_non_null(strstr(report.text, "too many"));
    assert_int_equal(n, 0);

    memcpy(copy, v.ptr, v.len);
    copy[24] = 7; /* one too few */
    reseal(copy, v.len);
    assert_int_equal(decode(hf_view(copy, v.len), &report, &n), HF_CORRUPT);
    free(copy);
    hf_batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes),
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(empty_and_unrecorded),
        cmocka_unit_test(every_truncation_is_corrupt),
        cmocka_unit_test(every_flipped_bit_is_corrupt),
        cmocka_unit_test(nonsense_with_a_right_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
