/* value_json_test.c - values as JSON: every type both ways, and errors that name the place in the
 * value and the column. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support_values.h"

static enum hf_err parse(struct fixture *fx, enum type_name type, const char *text,
                         struct hf_value *v, struct hf_report *report)
{
    *report = (struct hf_report){0};
    return hf_value_json_read(fx->types[type], hf_view_of(text), &fx->arena, v, report);
}

struct way { /* `to` NULL: is written as it was read */
    enum type_name type;
    const char *from, *to;
};
static const struct way ways[] = {
    {BOOL, "true", NULL},
    {BOOL, " \t\r\nfalse ", "false"},
    {S8, "-128", NULL},
    {S8, "127", NULL},
    {S8, "-0", "0"},
    {U8, "0", NULL},
    {U8, "255", NULL},
    {S16, "-32768", NULL},
    {U16, "65535", NULL},
    {S32, "-2147483648", NULL},
    {U32, "4294967295", NULL},
    {S64, "-9223372036854775808", NULL},
    {S64, "9223372036854775807", NULL},
    {S64, "9007199254740993", NULL},
    {U64, "18446744073709551615", NULL},
    {F32, "0", NULL},
    {F32, "-0", NULL},
    {F32, "0.1", NULL},
    {F32, "3.4028235e38", NULL},
    {F32, "1e-45", NULL},
    {F32, "\"nan\"", NULL},
    {F32, "\"-inf\"", NULL},
    {F64, "0.1", NULL},
    {F64, "6.022E+23", "6.022e23"},
    {F64, "1e21", NULL},
    {F64, "5e-324", NULL},
    {F64, "1.7976931348623157e308", NULL},
    {F64, "0.30000000000000004", NULL},
    {F64, "\"inf\"", NULL},
    {F64, "\"nan\"", NULL},
    {CHAR, "\"x\"", NULL},
    {CHAR, "\"\\\"\"", NULL},
    {CHAR, "\"\\u2603\"", "\"\xe2\x98\x83\""},
    {CHAR, "\"\\ud83c\\udf0a\"", "\"\xf0\x9f\x8c\x8a\""},
    {CHAR, "\"\\u0000\"", NULL},
    {CHAR, "\"\\udbff\\uDFFF\"", "\"\xf4\x8f\xbf\xbf\""},
    {STRING, "\"\"", NULL},
    {STRING, "\"abc'/\"", NULL},
    {STRING, "\"\\/ \\\\ \\\" \\b\\f\\n\\r\\t\"", "\"/ \\\\ \\\" \\b\\f\\n\\r\\t\""},
    {STRING, "\"\\u001b[31m\\u007f\\u009b\\u202e\"", NULL},
    {STRING, "\"a\\u0000b\"", NULL},
    {STRING, "\"// no comment\"", NULL},
    {LIST_U8, "[]", NULL},
    {LIST_U8, "[ 1,2 ,\n255 ]", "[1, 2, 255]"},
    {LIST_U8, "[0,1,2,3,4,5,6,7,8]", "[0, 1, 2, 3, 4, 5, 6, 7, 8]"},
    {LIST_S16, "[-32768, -1, 0, 5]", NULL},
    {LIST_F32, "[0.5, \"nan\", \"-inf\"]", NULL},
    {LIST_F64, "[0.1, -0, 1e300]", NULL},
    {LIST_STRING, "[\"a\", \"\", \"b\\n\"]", NULL},
    {LIST_LIST, "[[], [1], [2, 3]]", NULL},
    {LIST_BOOL, "[true, false]", NULL},
    {LIST_CHAR, "[\"a\", \"\xc3\xa9\"]", NULL},
    {PAIR, "[7, \"x\"]", NULL},
    {RECORD, "{\"id\": 1, \"full-name\": \"A\", \"age\": 3}", NULL},
    {RECORD, "{\"full-name\":\"A\",\"id\":1}", "{\"id\": 1, \"full-name\": \"A\", \"age\": null}"},
    {RECORD, "{\"age\":null,\"full-name\":\"A\",\"\\u0069d\":1}",
     "{\"id\": 1, \"full-name\": \"A\", \"age\": null}"},
    {OPTIONALS, "{}", "{\"a\": null, \"b\": null}"},
    {VARIANT, "\"empty\"", NULL},
    {VARIANT, "{\"empty\": null}", "\"empty\""},
    {VARIANT, "{\"body\": [79, 75]}", NULL},
    {VARIANT, "{\"pair\": [1, \"a\"]}", NULL},
    {KEYWORDS, "\"ok\"", NULL},
    {KEYWORDS, "{\"some\": 4}", NULL},
    {ENUM, "\"south\"", NULL},
    {ENUM, "\"nan\"", NULL},
    {ENUM, "\"north-WEST2\"", NULL},
    {FLAGS, "[]", NULL},
    {FLAGS, "[\"write\", \"read\"]", "[\"read\", \"write\"]"},
    {FLAGS, "[\"true\"]", NULL},
    {OPTION, "null", NULL},
    {OPTION, "12", NULL},
    {OPTION2, "null", NULL},
    {OPTION2, "{\"some\": null}", NULL},
    {OPTION2, "{\"some\": 1}", NULL},
    {OPTION_VARIANT, "\"ok\"", NULL},
    {OPTION_VARIANT, "{\"some\": 1}", NULL},
    {OPTION_VARIANT, "null", NULL},
    {RESULT, "{\"ok\": 1}", NULL},
    {RESULT, "{\"err\": \"no\"}", NULL},
    {RESULT_OK, "{\"err\": null}", NULL},
    {RESULT_ERR, "{\"ok\": null}", NULL},
    {RESULT_NONE, "{\"ok\": null}", NULL},
    {RESULT_NONE, "{\"err\": null}", NULL},
    {RESULT_OPTION, "{\"ok\": null}", NULL},
    {RESULT_OPTION, "{\"ok\": 1}", NULL},
    {MAP, "[]", NULL},
    {MAP, "[[\"a\", 1], [\"b c\", 2], [\"a\", 3]]", NULL},
};

static void json_every_type_both_ways(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++) {
        const struct way *w = &ways[i];
        struct hf_report report;
        struct hf_value v, again;
        struct hf_buf text = {0};
        if (parse(fx, w->type, w->from, &v, &report) != HF_OK)
            fail_msg("%s: %s", w->from, report.text);
        assert_int_equal(hf_value_json_write(fx->types[w->type], &v, &text), HF_OK);
        assert_string_equal((const char *)text.ptr, w->to != NULL ? w->to : w->from);
        if (parse(fx, w->type, (const char *)text.ptr, &again, &report) != HF_OK)
            fail_msg("%s: %s", (const char *)text.ptr, report.text);
        assert_true(hf_value_eq(fx->types[w->type], &v, &again));
        hf_buf_done(&text);
    }
}

struct wrong {
    enum type_name type;
    const char *text, *says;
};
static const struct wrong wrongs[] = {
    {BOOL, "", "column 1: expected true or false, the text ends here"},
    {BOOL, "truely", "column 1: expected true or false, found `truely`"},
    {BOOL, "1", "column 1: expected true or false, found `1`"},
    {BOOL, "true true", "column 6: expected the end of the text, found `true`"},
    {BOOL, "true // yes", "column 6: expected the end of the text, found `/`"},
    {U8, "256", "column 1: `256` is out of range: a u8 is 0 to 255"},
    {U8, "-1", "column 1: `-1` is out of range: a u8 is 0 to 255"},
    {U8, "1.0", "column 1: `1.0` is not a whole number, a u8 is needed"},
    {U8, "01", "column 1: a number has no leading zeros"},
    {U8, "+1", "column 1: expected a number (u8), found `+`"},
    {U8, "\"1\"", "column 1: expected a number (u8), found `\"`"},
    {U8, "//\n1", "line 1, column 1: expected a number (u8), found `/`"},
    {U64, "18446744073709551616", "out of range: a u64 is 0 to 18446744073709551615"},
    {U64, "1e3", "column 1: `1e3` is not a whole number"},
    {S64, "-9223372036854775809", "out of range"},
    {F32, "1e39", "column 1: `1e39` is out of range of f32"},
    {F64, "NaN", "column 1: expected a number, \"nan\", \"inf\" or \"-inf\", found `NaN`"},
    {F64, "\"infinity\"", "column 1: expected a number, \"nan\""},
    {F64, "1.", "column 3: expected digits behind the point"},
    {F64, ".5", "column 1: expected a number"},
    {CHAR, "\"\"", "column 1: a char is a string of one character"},
    {CHAR, "\"ab\"", "column 1: a char is a string of one character"},
    {CHAR, "7", "column 1: expected a string of one character, found `7`"},
    {CHAR, "\"\\ud800\"", "column 2: half of a surrogate pair"},
    {STRING, "\"a", "column 1: a string without its closing quote"},
    {STRING, "\"a\\\"", "column 1: a string without its closing quote"},
    {STRING, "\"a\nb\"", "line 1, column 3: byte 0a inside a string"},
    {STRING, "\"\\x41\"", "column 2: unknown escape"},
    {STRING, "\"\\u12g4\"", "column 2: unknown escape"},
    {STRING, "\"\\u12\"", "column 2: unknown escape"},
    {STRING, "\"\\udc00x\"", "column 2: half of a surrogate pair"},
    {STRING, "\"\\ud800\\u0041\"", "column 2: half of a surrogate pair"},
    {STRING, "'a'", "column 1: expected a string, found `'`"},
    {STRING, "null", "column 1: expected a string, found `null`"},
    {STRING, "\"\xff\"", "not valid UTF-8"},
    {LIST_U8, "{}", "column 1: expected an array, found `{`"},
    {LIST_U8, "[1, 2,]", "[2]: column 7: expected a number (u8), found `]`"},
    {LIST_U8, "[1 2]", "column 4: expected `,` or `]`, found `2`"},
    {LIST_U8, "[1", "column 3: expected `,` or `]`, the text ends here"},
    {LIST_LIST, "[[1], [2, 300]]", "[1][1]: column 11: `300` is out of range"},
    {LIST_STRING, "[\"a\", 1]", "[1]: column 7: expected a string, found `1`"},
    {PAIR, "[1]", "column 3: the array has 1 values, 2 are needed"},
    {PAIR, "[]", "column 2: the array has 0 values, 2 are needed"},
    {PAIR, "[1, \"a\", 2]", "column 8: the array has more than 2 values"},
    {PAIR, "[1, 2]", "[1]: column 5: expected a string, found `2`"},
    {PAIR, "{\"0\": 1}", "column 1: expected an array of 2"},
    {RECORD, "[]", "column 1: expected an object, found `[`"},
    {RECORD, "{\"id\": 1}", "column 1: field \"full-name\" is missing"},
    {RECORD, "{\"id\": 1, \"id\": 2}", "column 11: field \"id\" is there twice"},
    {RECORD, "{\"id\": 1, \"nmae\": 2}", "column 11: no such field: \"nmae\" in record"},
    {RECORD, "{\"id\": true}", ".id: column 8: expected a number (u32), found `true`"},
    {RECORD, "{\"id\" 1}", "column 7: expected `:`, found `1`"},
    {RECORD, "{id: 1}", "column 2: expected the name of a field, found `id`"},
    {RECORD, "{\"id\": 1,}", "column 10: expected the name of a field, found `}`"},
    {RECORD, "{\"id\": 1, \"full-name\": \"\", \"age\": 256}",
     ".age: column 35: `256` is out of range"},
    {VARIANT, "\"body\"", "column 1: case \"body\" needs its payload: {\"body\": ...}"},
    {VARIANT, "{\"empty\": 1}", "column 11: expected null, for there is no payload, found `1`"},
    {VARIANT, "{\"pair\": [1, 2]}", ".pair[1]: column 14: expected a string, found `2`"},
    {VARIANT, "{\"body\": [], \"empty\": null}",
     "column 12: expected `}` (there is one case), found `,`"},
    {VARIANT, "{}", "column 2: expected the name of a case, found `}`"},
    {VARIANT, "\"nothing\"", "column 1: no such case: \"nothing\" in variant"},
    {VARIANT, "3", "column 1: expected a case"},
    {ENUM, "\"east\"", "column 1: no such case: \"east\""},
    {ENUM, "south", "column 1: expected the name of a case, found `south`"},
    {FLAGS, "[\"read\", \"read\"]", "column 10: flag \"read\" is there twice"},
    {FLAGS, "[\"exec\"]", "column 2: no such flag: \"exec\""},
    {FLAGS, "{\"read\": true}", "column 1: expected an array of names of flags"},
    {OPTION, "\"x\"", "column 1: expected a number (u8)"},
    {OPTION2, "1", "column 1: expected null or {\"some\": ...}, found `1`"},
    {OPTION2, "{\"none\": 1}", "column 2: expected \"some\""},
    {OPTION2, "{\"some\": 256}", ".some: column 10: `256` is out of range"},
    {RESULT, "1", "column 1: expected {\"ok\": ...} or {\"err\": ...}, found `1`"},
    {RESULT, "{\"error\": 1}", "column 2: expected \"ok\" or \"err\""},
    {RESULT, "{\"ok\": 1, \"err\": \"\"}", "column 9: expected `}` (it is one or the other)"},
    {RESULT, "{\"err\": 1}", ".err: column 9: expected a string"},
    {RESULT_NONE, "{\"ok\": 1}", "column 8: expected null, for there is no payload"},
    {MAP, "{\"a\": 1}", "column 1: expected an array of pairs"},
    {MAP, "[[\"a\", 1], [2, 3]]", "[1][0]: column 13: expected a string"},
    {OWN, "1", "a value of type own cannot be written as JSON"},
};

static void json_errors_name_the_place(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(wrongs); i++) {
        struct hf_report report;
        struct hf_value v;
        enum hf_err err = parse(fx, wrongs[i].type, wrongs[i].text, &v, &report);
        if (err != (wrongs[i].type == OWN ? HF_UNSUPPORTED : HF_INVALID))
            fail_msg("%s: %s, %s", wrongs[i].text, hf_err_text(err), report.text);
        const char *at = strstr(report.text, wrongs[i].says);
        bool from_start =
            strchr("cl.[", wrongs[i].says[0]) != NULL; /* else it is the rest of a text */
        if (at == NULL || (from_start && at != report.text))
            fail_msg("%s: '%s', wanted '%s'", wrongs[i].text, report.text, wrongs[i].says);
    }
}

static void json_depth_follows_the_type(void **state)
{
    struct fixture *fx = *state;
    struct hf_report report;
    struct hf_value v;
    char text[2 * HF_TYPE_DEPTH_MAX + 100000];
    int depth = HF_TYPE_DEPTH_MAX - 1;
    memset(text, '[', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(parse(fx, DEEP, text, &v, &report),
                     HF_INVALID); /* deeper than the type: no deeper recursion */
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = '\0';
    assert_int_equal(parse(fx, DEEP, text, &v, &report), HF_OK);
    text[depth] = 'x';
    assert_int_equal(parse(fx, DEEP, text, &v, &report), HF_INVALID);
    assert_int_equal(strncmp(report.text, "[0][0][0]", 9), 0);
}

static void json_memory_is_an_error(void **state)
{
    struct fixture *fx = *state;
    struct hf_arena small;
    struct hf_buf text = {0};
    struct hf_report report = {0};
    struct hf_value v;
    hf_arena_init(&small, 1024, 4096);
    assert_int_equal(hf_buf_add_text(&text, "[\"x\""), HF_OK);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(hf_buf_add_text(&text, ",\"x\""), HF_OK);
    assert_int_equal(hf_buf_add_text(&text, "]"), HF_OK);
    assert_int_equal(
        hf_value_json_read(fx->types[LIST_STRING], hf_buf_view(&text), &small, &v, &report),
        HF_LIMIT);
    hf_buf_done(&text);
    hf_arena_done(&small);
}

/* Every cut of every good text is an error or a value, and nothing behind its end is read
 * (sanitizers see it). */
static void json_cut_texts(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < HF_ARRAY_LEN(ways); i++)
        for (size_t n = 0; n < strlen(ways[i].from); n++) {
            struct hf_report report = {0};
            struct hf_value v;
            char *copy = malloc(n + 1);
            assert_non_null(copy);
            memcpy(copy, ways[i].from, n);
            enum hf_err err = hf_value_json_read(fx->types[ways[i].type], hf_view(copy, n),
                                                 &fx->arena, &v, &report);
            assert_true(err == HF_OK ||
                        (err == HF_INVALID && strstr(report.text, "column ") != NULL));
            free(copy);
        }
}

static void json_strings_of_other_encodings(void **state)
{
    struct fixture *fx = *state;
    struct hf_buf text = {0};
    struct hf_value utf16 = {
        .bytes = (const uint8_t *)"a\0\x03\x26\x3c\xd8\x0a\xdf", .len = 4, .tag = HF_ENC_UTF16};
    struct hf_value latin1 = {.bytes = (const uint8_t *)"\xe9\x9b", .len = 2, .tag = HF_ENC_LATIN1};
    assert_int_equal(hf_value_json_write(fx->types[STRING], &utf16, &text), HF_OK);
    assert_string_equal((const char *)text.ptr, "\"a\xe2\x98\x83\xf0\x9f\x8c\x8a\"");
    hf_buf_clear(&text);
    assert_int_equal(hf_value_json_write(fx->types[STRING], &latin1, &text), HF_OK);
    assert_string_equal((const char *)text.ptr, "\"\xc3\xa9\\u009b\"");
    hf_buf_clear(&text);
    assert_int_equal(hf_value_json_write(fx->types[OWN], &utf16, &text), HF_UNSUPPORTED);
    hf_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_every_type_both_ways),
        cmocka_unit_test(json_errors_name_the_place),
        cmocka_unit_test(json_depth_follows_the_type),
        cmocka_unit_test(json_memory_is_an_error),
        cmocka_unit_test(json_cut_texts),
        cmocka_unit_test(json_strings_of_other_encodings),
    };
    return cmocka_run_group_tests(tests, values_setup, values_teardown);
}
