/* value_text_test.c - values as WAVE text: every type both ways, and errors that name the column.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf.h"
#include "component/value.h"

#include "support_values.h"

static enum hf_err parse(struct fixture *fx, enum type_name type, const char *text,
                         struct hf_value *v, struct hf_report *report)
{
    *report = (struct hf_report){0};
    return hf_value_parse(fx->types[type], hf_view_of(text), &fx->arena, v, report);
}

struct way { /* `to` NULL: prints as it was read */
    enum type_name type;
    const char *from, *to;
};
static const struct way ways[] = {
    {BOOL, "true", NULL},
    {BOOL, " false // not so\n", "false"},
    {S8, "-128", NULL},
    {S8, "127", NULL},
    {S8, "-0", "0"},
    {U8, "0", NULL},
    {U8, "255", NULL},
    {S16, "-32768", NULL},
    {S16, "32767", NULL},
    {U16, "65535", NULL},
    {S32, "-2147483648", NULL},
    {S32, "2147483647", NULL},
    {U32, "4294967295", NULL},
    {S64, "-9223372036854775808", NULL},
    {S64, "9223372036854775807", NULL},
    {U64, "18446744073709551615", NULL},
    {F32, "0", NULL},
    {F32, "-0", NULL},
    {F32, "1", NULL},
    {F32, "3.14", NULL},
    {F32, "0.1", NULL},
    {F32, "16777216", NULL},
    {F32, "3.4028235e38", "3.4028235e38"},
    {F32, "1e-45", "1e-45"},
    {F32, "1.17549435e-38", "1.1754944e-38"},
    {F32, "nan", NULL},
    {F32, "-inf", NULL},
    {F64, "0.1", NULL},
    {F64, "6.022e+23", "6.022e23"},
    {F64, "100000000000000000000", NULL},
    {F64, "1e21", NULL},
    {F64, "0.00001", NULL},
    {F64, "1e-7", "0.0000001"},
    {F64, "1.5e-9", NULL},
    {F64, "1234567.125", NULL},
    {F64, "9007199254740993", "9007199254740992"},
    {F64, "5e-324", NULL},
    {F64, "1.7976931348623157e308", NULL},
    {F64, "0.30000000000000004", NULL},
    {F64, "inf", NULL},
    {F64, "-1E2", "-100"},
    {CHAR, "'x'", NULL},
    {CHAR, "'\xe2\x98\x83'", NULL},
    {CHAR, "'\\u{2603}'", "'\xe2\x98\x83'"},
    {CHAR, "'\"'", NULL},
    {CHAR, "'\\''", NULL},
    {CHAR, "'\\n'", NULL},
    {CHAR, "'\\u{0}'", NULL},
    {CHAR, "'\\u{10ffff}'", "'\xf4\x8f\xbf\xbf'"},
    {CHAR, "'\\u{202e}'", NULL},
    {STRING, "\"\"", NULL},
    {STRING, "\"abc\\t123\"", NULL},
    {STRING, "\"'\\'\\u{27}\"", "\"'''\""},
    {STRING, "\"\\\\\\\"\\r\\n\"", NULL},
    {STRING, "\"\\u{1b}[31m\\u{7f}\\u{9b}\"", NULL},
    {STRING, "\"\\u{002603}\xf0\x9f\x8c\x8a\"", "\"\xe2\x98\x83\xf0\x9f\x8c\x8a\""},
    {STRING, "\"a\\u{0}b\"", NULL},
    {STRING, "\"\"\"\n\"\"\"", "\"\""},
    {STRING, "\"\"\"\n    Trailing indent\n  tells\n  \"\"\"", "\"  Trailing indent\\ntells\""},
    {STRING, "\"\"\"\n\nlines\n\n\"\"\"", "\"\\nlines\\n\""},
    {STRING, "\"\"\"\nquotes \"\"\\\"\" \\u{41}\n\"\"\"", "\"quotes \\\"\\\"\\\"\\\" A\""},
    {LIST_U8, "[]", NULL},
    {LIST_U8, "[ 1,2 ,\n255, ]", "[1, 2, 255]"},
    {LIST_S16, "[-32768, -1, 0, 5]", NULL},
    {LIST_F32, "[0.5, nan, -inf]", NULL},
    {LIST_F64, "[0.1, -0, 1e300]", NULL},
    {LIST_STRING, "[\"a\", \"\", \"b\\n\"]", NULL},
    {LIST_LIST, "[[], [1], [2, 3]]", NULL},
    {LIST_BOOL, "[true, false]", NULL},
    {LIST_CHAR, "['a', '\xc3\xa9']", NULL},
    {LIST_U8, "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
     "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]"},
    {PAIR, "(7, \"x\",)", "(7, \"x\")"},
    {RECORD, "{id: 1, full-name: \"A\", age: some(3)}", NULL},
    {RECORD, "{%age: none, full-name: \"A\", id: 1,}", "{id: 1, full-name: \"A\"}"},
    {RECORD, "{id: 1, full-name: \"A\", age: 9}", "{id: 1, full-name: \"A\", age: some(9)}"},
    {OPTIONALS, "{:}", NULL},
    {OPTIONALS, "{ : }", "{:}"},
    {OPTIONALS, "{}", "{:}"},
    {OPTIONALS, "{b: 1}", "{b: some(1)}"},
    {VARIANT, "empty", NULL},
    {VARIANT, "body([79, 75])", NULL},
    {VARIANT, "%pair ( (1, \"a\") )", "pair((1, \"a\"))"},
    {KEYWORDS, "%ok", NULL},
    {KEYWORDS, "%some(4)", NULL},
    {KEYWORDS, "plain", NULL},
    {ENUM, "south", NULL},
    {ENUM, "%nan", NULL},
    {ENUM, "north-WEST2", NULL},
    {FLAGS, "{}", NULL},
    {FLAGS, "{write, read,}", "{read, write}"},
    {FLAGS, "{true}", NULL},
    {FLAGS, "{%true}", "{true}"},
    {OPTION, "none", NULL},
    {OPTION, "some(1)", NULL},
    {OPTION, "12", "some(12)"},
    {OPTION2, "some(none)", NULL},
    {OPTION2, "some(some(1))", NULL},
    {OPTION2, "some(1)", "some(some(1))"},
    {OPTION_VARIANT, "%ok", "some(%ok)"},
    {OPTION_VARIANT, "some(%some(1))", NULL},
    {RESULT, "ok(1)", NULL},
    {RESULT, "1", "ok(1)"},
    {RESULT, "err(\"no\")", NULL},
    {RESULT_OK, "\"flat\"", "ok(\"flat\")"},
    {RESULT_OK, "err", NULL},
    {RESULT_ERR, "ok", NULL},
    {RESULT_ERR, "err(\"x\")", NULL},
    {RESULT_NONE, "ok", NULL},
    {RESULT_NONE, "err", NULL},
    {RESULT_OPTION, "ok(some(1))", NULL},
    {MAP, "{}", NULL},
    {MAP, "{:}", "{}"},
    {MAP, "{\"a\": 1, \"b c\": 2,}", "{\"a\": 1, \"b c\": 2}"},
    {RESULT_OPTION, "ok(1)", "ok(some(1))"},
};

static void test_every_type_both_ways(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++) {
        const struct way *w = &ways[i];
        const char *to = w->to != NULL ? w->to : w->from;
        struct hf_value v, again;
        struct hf_report report;
        struct hf_buf text = {0};
        if (parse(fx, w->type, w->from, &v, &report) != HF_OK)
            fail_msg("%s: %s", w->from, report.text);
        assert_int_equal(hf_value_print(fx->types[w->type], &v, &text), HF_OK);
        if (!hf_view_eq_text(hf_buf_view(&text), to))
            fail_msg("%s printed as %s, wanted %s", w->from, text.ptr, to);
        /* Canonical text reads back as an equal value. */
        if (parse(fx, w->type, (const char *)text.ptr, &again, &report) != HF_OK)
            fail_msg("%s: %s", text.ptr, report.text);
        assert_true(hf_value_eq(fx->types[w->type], &v, &again));
        hf_buf_done(&text);
    }
}

/* \r\n before content is a line break; an escaped \r stays; empty lines need the indent only where
 * it is not 0. */
static void test_multiline_line_breaks(void **state)
{
    struct fixture *fx = *state;
    struct hf_value v;
    struct hf_report report;
    assert_int_equal(parse(fx, STRING, "\"\"\"\r\n    two\r\n  one\\r\n  \n  \"\"\"", &v, &report),
                     HF_OK);
    assert_true(hf_view_eq_text(hf_value_view(&v), "  two\none\r\n"));
}

struct bad {
    enum type_name type;
    const char *text, *message;
    enum hf_err err; /* 0 = HF_INVALID */
};
static const struct bad bads[] = {
    {BOOL, "", "column 1: expected a bool (true or false), the text ends here", 0},
    {BOOL, "%true", "column 1: expected a bool", 0},
    {BOOL, "truex", "column 1: expected a bool (true or false), found `truex`", 0},
    {BOOL, "true false", "column 6: expected the end of the text, found `false`", 0},
    {U8, "256", "column 1: `256` is out of range: a u8 is 0 to 255", 0},
    {U8, "-1", "column 1: `-1` is out of range: a u8 is 0 to 255", 0},
    {S8, " 128", "column 2: `128` is out of range: an s8 is -128 to 127", 0},
    {U64, "18446744073709551616", "out of range", 0},
    {S64, "-9223372036854775809", "out of range", 0},
    {U64, "99999999999999999999999999", "out of range", 0},
    {U32, "1.0", "column 1: `1.0` is not a whole number, a u32 is needed", 0},
    {U32, "1e3", "is not a whole number", 0},
    {U32, "007", "column 1: a number has no leading zeros", 0},
    {U32, "-", "column 1: expected a u32, found `-`", 0},
    {U32, "0x1", "column 2: expected the end of the number, found `x1`", 0},
    {F64, "1.", "column 3: expected digits behind the point, the text ends here", 0},
    {F64, "1e", "column 3: expected digits of an exponent", 0},
    {F64, ".5", "column 1: expected an f64", 0},
    {F64, "1e999", "column 1: `1e999` is out of range of f64", 0},
    {F32, "1e39", "column 1: `1e39` is out of range of f32", 0},
    {F32, "-nan", "column 1: expected an f32", 0},
    {F32, "infinity", "column 1: expected an f32, found `infinity`", 0},
    {CHAR, "''", "column 2: a char is not empty", 0},
    {CHAR, "'ab'", "column 3: a char is one Unicode scalar value", 0},
    {CHAR, "'\\u{d800}'", "column 2: \\u{...} needs the hex number", 0},
    {CHAR, "'\\u{110000}'", "column 2: \\u{...} needs", 0},
    {CHAR, "'\\u{}'", "column 2: \\u{...} needs", 0},
    {CHAR, "'\\u{4", "column 2: \\u{...} needs", 0},
    {CHAR, "'\\q'", "column 2: unknown escape", 0},
    {CHAR, "'", "column 1: a char without an end", 0},
    {CHAR, "\"a\"", "column 1: expected a char ('x'), found `\"`", 0},
    {STRING, "\"abc", "column 1: a string without its closing quote", 0},
    {STRING, "\"a\nb\"", "line 1, column 1: a string without its closing quote in its line", 0},
    {STRING, "\"\xc3\xa9\\x\"", "column 3: unknown escape", 0},
    {STRING, "\"\"\"x\n\"\"\"", "column 4: a line break must follow the opening", 0},
    {STRING, "\"\"\"\nab\"\"\"", "line 2, column 3: only spaces may stand before the closing", 0},
    {STRING, "\"\"\"\n  a\n b\n  \"\"\"", "line 3, column 1: this line has fewer leading spaces",
     0},
    {STRING, "\"\"\"\nabc", "line 1, column 1: a string without its closing \"\"\"", 0},
    {STRING, "\"\xff\"", "column 2: not valid UTF-8", 0},
    {LIST_U8, "[1 2]", "column 4: expected `,` or `]` behind a list element, found `2`", 0},
    {LIST_U8, "[1,,2]", "column 4: expected a u8, found `,`", 0},
    {LIST_U8, "[1, 300]", "column 5: `300` is out of range", 0},
    {LIST_U8, "[1", "column 3: expected `,` or `]` behind a list element, the text ends here", 0},
    {LIST_U8, "{}", "column 1: expected a list ([...]), found `{`", 0},
    {PAIR, "(1)", "column 3: the tuple has 1 values, 2 are needed", 0},
    {PAIR, "(1, \"a\", 2)", "column 10: the tuple has more than 2 values", 0},
    {PAIR, "[1, \"a\"]", "column 1: expected a tuple ((...)), found `[`", 0},
    {RECORD, "{id: 1}", "column 1: field `full-name` is missing", 0},
    {RECORD, "{:}", "column 1: field `id` is missing", 0},
    {RECORD, "{id: 1, id: 2}", "column 9: field `id` is there twice", 0},
    {RECORD, "{id: 1, nick: 2}", "column 9: no such field: `nick` in record", 0},
    {RECORD, "{id 1}", "column 5: expected `:` behind the name of a field, found `1`", 0},
    {RECORD, "{id: 1; }", "column 7: expected `,` or `}` behind a field, found `;`", 0},
    {OPTIONALS, "{: a: 1}", "column 4: expected `}` behind `{:`", 0},
    {VARIANT, "boddy", "column 1: no such case: `boddy` in variant", 0},
    {VARIANT, "empty(1)", "column 6: `empty` takes no payload", 0},
    {VARIANT, "body", "column 5: `body` needs its payload: body(...)", 0},
    {VARIANT, "body([1]", "column 9: expected `)` behind the payload, the text ends here", 0},
    {VARIANT, "Body([1])", "column 1: no such case: `Body`", 0},
    {VARIANT, "7", "column 1: expected case, found `7`", 0},
    {KEYWORDS, "ok", "column 1: `ok` is a keyword; the case is written %ok", 0},
    {ENUM, "nan", "column 1: `nan` is a keyword; the case is written %nan", 0},
    {ENUM, "west", "column 1: no such case: `west` in enum", 0},
    {FLAGS, "{read, read}", "column 8: flag `read` is there twice", 0},
    {FLAGS, "{run}", "column 2: no such flag: `run` in flags", 0},
    {FLAGS, "{:}", "column 2: expected flag, found `:`", 0},
    {MAP, "{a: 1}", "column 2: expected a string (\"...\"), found `a`", 0},
    {MAP, "{\"a\" 1}", "column 6: expected `:` behind a key, found `1`", 0},
    {MAP, "[]", "column 1: expected a map ({key: value}), found `[`", 0},
    {OPTION, "some", "column 5: `some` needs its payload", 0},
    {OPTION, "none(1)", "column 5: `none` takes no payload", 0},
    {OPTION2, "1", "column 1: expected some(...) or none, found `1`", 0},
    {RESULT_NONE, "1", "column 1: expected ok or err, found `1`", 0},
    {RESULT_OPTION, "some(1)", "column 1: expected ok or err, found `some`", 0},
    {RESULT, "err(1)", "column 5: expected a string", 0},
    {U8, "1 // more\n 2", "line 2, column 2: expected the end of the text, found `2`", 0},
    {U8, "\x01", "column 1: expected a u8, found byte 01", 0},
    {OWN, "1", "column 1: a value of type own cannot be written as text", HF_UNSUPPORTED},
};

static void test_errors_name_the_column(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(bads); i++) {
        const struct bad *b = &bads[i];
        struct hf_value v;
        struct hf_report report;
        enum hf_err err = parse(fx, b->type, b->text, &v, &report);
        if (err != (b->err != HF_OK ? b->err : HF_INVALID) ||
            strstr(report.text, b->message) == NULL)
            fail_msg("`%s`: %s: %s; wanted: %s", b->text, hf_err_text(err), report.text,
                     b->message);
    }
}

static void test_packed_lists(void **state)
{
    struct fixture *fx = *state;
    struct hf_value v;
    struct hf_report report;
    assert_int_equal(parse(fx, LIST_S16, "[-2, 258]", &v, &report), HF_OK);
    assert_int_equal(v.len, 2);
    assert_memory_equal(v.bytes, "\xfe\xff\x02\x01", 4);
    assert_int_equal(parse(fx, LIST_F32, "[nan]", &v, &report), HF_OK);
    assert_memory_equal(v.bytes, "\x00\x00\xc0\x7f", 4);
    assert_int_equal(parse(fx, S8, "-1", &v, &report), HF_OK);
    assert_int_equal(v.s64, -1);
}

static void test_strings_of_other_encodings(void **state)
{
    struct fixture *fx = *state;
    struct hf_value utf8 = hf_value_bytes(HF_VIEW("a\xc3\xa9"));
    struct hf_value latin1 = {.bytes = (const uint8_t *)"a\xe9", .len = 2, .tag = HF_ENC_LATIN1};
    struct hf_value utf16 = {.bytes = (const uint8_t *)"a\0\xe9\0", .len = 2, .tag = HF_ENC_UTF16};
    struct hf_value other = {.bytes = (const uint8_t *)"a\0\xea\0", .len = 2, .tag = HF_ENC_UTF16};
    struct hf_value half = {
        .bytes = (const uint8_t *)"a\0\xe9\0", .len = 2, .tag = HF_ENC_LATIN1_UTF16};
    const struct hf_value *all[] = {&utf8, &latin1, &utf16, &half};
    for (size_t i = 0; i < HF_ARRAY_LEN(all); i++) {
        struct hf_buf text = {0};
        assert_int_equal(hf_value_print(fx->types[STRING], all[i], &text), HF_OK);
        assert_string_equal((char *)text.ptr, "\"a\xc3\xa9\"");
        hf_buf_done(&text);
        for (size_t k = 0; k < HF_ARRAY_LEN(all); k++)
            assert_true(hf_value_eq(fx->types[STRING], all[i], all[k]));
        assert_false(hf_value_eq(fx->types[STRING], all[i], &other));
        assert_false(hf_value_eq(fx->types[STRING], &other, all[i]));
    }
}

static void test_values_differ(void **state)
{
    static const struct way pairs[] = {
        {U32, "1", "2"},
        {F64, "1", "2"},
        {F64, "nan", "1"},
        {LIST_U8, "[1]", "[2]"},
        {LIST_U8, "[]", "[2]"},
        {LIST_F32, "[1]", "[2]"},
        {PAIR, "(1, \"a\")", "(1, \"b\")"},
        {VARIANT, "empty", "body([])"},
        {VARIANT, "body([1])", "body([])"},
        {OPTION, "none", "1"},
        {ENUM, "south", "%nan"},
        {FLAGS, "{read}", "{}"},
        {STRING, "\"a\"", "\"ab\""},
        {BOOL, "true", "false"},
        {LIST_STRING, "[\"a\"]", "[\"b\"]"},
    };
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(pairs); i++) {
        struct hf_value a, b;
        struct hf_report report;
        assert_int_equal(parse(fx, pairs[i].type, pairs[i].from, &a, &report), HF_OK);
        assert_int_equal(parse(fx, pairs[i].type, pairs[i].to, &b, &report), HF_OK);
        assert_false(hf_value_eq(fx->types[pairs[i].type], &a, &b));
        assert_true(hf_value_eq(fx->types[pairs[i].type], &a, &a));
    }
    struct hf_value nan1 = {.f64 = NAN}, nan2 = {.f64 = -NAN};
    assert_true(hf_value_eq(fx->types[F64], &nan1, &nan2));
}

static void test_handles_are_not_printed(void **state)
{
    struct fixture *fx = *state;
    struct hf_value v = hf_value_u64(1);
    struct hf_buf text = {0};
    assert_int_equal(hf_value_print(fx->types[OWN], &v, &text), HF_UNSUPPORTED);
    hf_buf_done(&text);
}

/* The deepest type there can be, and text that is deeper than its type. */
static void test_depth_follows_the_type(void **state)
{
    struct fixture *fx = *state;
    char text[2 * HF_TYPE_DEPTH_MAX + 1];
    struct hf_value v;
    struct hf_report report;
    size_t deep = HF_TYPE_DEPTH_MAX - 1;
    memset(text, '[', deep);
    memset(text + deep, ']', deep);
    text[2 * deep] = '\0';
    assert_int_equal(parse(fx, DEEP, text, &v, &report), HF_OK);
    memset(text, '[', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(parse(fx, DEEP, text, &v, &report), HF_INVALID);
    assert_non_null(strstr(report.text, "column 100: expected a u8, found `[`"));
}

static void test_arena_limit_is_an_error(void **state)
{
    struct fixture *fx = *state;
    struct hf_arena small;
    struct hf_buf text = {0};
    struct hf_value v;
    hf_arena_init(&small, 256, 1024);
    assert_int_equal(hf_buf_add_text(&text, "[\"a\""), HF_OK);
    for (int i = 0; i < 200; i++)
        assert_int_equal(hf_buf_add_text(&text, ", \"a\""), HF_OK);
    assert_int_equal(hf_buf_add_text(&text, "]"), HF_OK);
    struct hf_report report = {0};
    assert_int_equal(
        hf_value_parse(fx->types[LIST_STRING], hf_buf_view(&text), &small, &v, &report), HF_LIMIT);
    assert_non_null(strstr(report.text, "the value takes more than 1024 bytes"));
    hf_arena_done(&small);
    hf_buf_done(&text);
}

/* Every prefix of a long text is an error or a value, never a crash or a read past its end. */
static void test_cut_text(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++) {
        size_t len = strlen(ways[i].from);
        for (size_t n = 0; n <= len; n++) {
            uint8_t *exact = malloc(n + (n == 0)); /* ASan sees a read past the end */
            assert_non_null(exact);
            memcpy(exact, ways[i].from, n);
            struct hf_value v;
            struct hf_report report = {0};
            enum hf_err err =
                hf_value_parse(fx->types[ways[i].type], hf_view(exact, n), &fx->arena, &v, &report);
            assert_true(err == HF_OK || (err == HF_INVALID && report.len > 0));
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_both_ways),
        cmocka_unit_test(test_multiline_line_breaks),
        cmocka_unit_test(test_errors_name_the_column),
        cmocka_unit_test(test_packed_lists),
        cmocka_unit_test(test_strings_of_other_encodings),
        cmocka_unit_test(test_values_differ),
        cmocka_unit_test(test_handles_are_not_printed),
        cmocka_unit_test(test_depth_follows_the_type),
        cmocka_unit_test(test_arena_limit_is_an_error),
        cmocka_unit_test(test_cut_text),
    };
    return cmocka_run_group_tests_name("value text", tests, values_setup, values_teardown);
}
