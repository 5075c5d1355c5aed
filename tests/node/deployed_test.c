/* deployed_test.c - the record of what was deployed: its format as text, what is refused, any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/vec.h"
#include "node/deployed.h"

/* Version 1 as it is written. A change here is a new version: records of this one lie on people's disks. */
static const char golden[] =
    "{\n"
    "  \"version\": 1,\n"
    "  \"services\": [\n"
    "    {\n"
    "      \"name\": \"web\",\n"
    "      \"manifest\": \"sha256:0101010101010101010101010101010101010101010101010101010101010101\",\n"
    "      \"deployed\": {\n"
    "        \"component\": \"sha256:0202020202020202020202020202020202020202020202020202020202020202\",\n"
    "        \"before\": \"sha256:0303030303030303030303030303030303030303030303030303030303030303\",\n"
    "        \"at_unix_ms\": 1764300000000\n"
    "      }\n"
    "    },\n"
    "    {\n"
    "      \"name\": \"a \\\"b\\\" \\u00e4\",\n"
    "      \"manifest\": \"sha256:0404040404040404040404040404040404040404040404040404040404040404\",\n"
    "      \"deployed\": {\n"
    "        \"component\": \"sha256:0505050505050505050505050505050505050505050505050505050505050505\",\n"
    "        \"before\": null,\n"
    "        \"at_unix_ms\": 0\n"
    "      }\n"
    "    },\n"
    "    {\n"
    "      \"name\": \"by-hash\",\n"
    "      \"manifest\": \"sha256:0606060606060606060606060606060606060606060606060606060606060606\"\n"
    "    }\n"
    "  ]\n"
    "}\n";

static struct hf_deployed example(void)
{
    struct hf_deployed d = {0};
    struct hf_deployed_service s = {.name = "web", .deployed = true, .has_before = true, .at_unix_ms = 1764300000000};
    memset(s.manifest, 1, sizeof s.manifest);
    memset(s.component, 2, sizeof s.component);
    memset(s.before, 3, sizeof s.before);
    assert_true(HF_VEC_PUSH(&d, s));
    s = (struct hf_deployed_service){.name = "a \"b\" \xc3\xa4", .deployed = true};
    memset(s.manifest, 4, sizeof s.manifest);
    memset(s.component, 5, sizeof s.component);
    assert_true(HF_VEC_PUSH(&d, s));
    s = (struct hf_deployed_service){.name = "by-hash"};
    memset(s.manifest, 6, sizeof s.manifest);
    assert_true(HF_VEC_PUSH(&d, s));
    return d;
}

static void version_1_is_this_text(void **state)
{
    struct hf_deployed d = example(), back;
    struct hf_buf text = {0};
    struct hf_report why;
    uint8_t(*pins)[HF_SHA256_LEN];
    size_t n;
    (void)state;
    hf_report_init(&why);
    assert_int_equal(hf_deployed_write(&d, &text), HF_OK);
    assert_int_equal(hf_buf_add_byte(&text, 0), HF_OK);
    char plain[sizeof golden];
    /* jansson writes what is UTF-8 as it is */
    const char *escaped = strstr(golden, "\\u00e4");
    snprintf(plain, sizeof plain, "%.*s\xc3\xa4%s", (int)(escaped - golden), golden, escaped + 6);
    assert_string_equal((const char *)text.ptr, plain);
    assert_int_equal(hf_deployed_parse(hf_view_of(golden), "deployed.json", &back, &why), HF_OK);
    assert_true(hf_deployed_same(&d, &back));
    assert_int_equal(hf_deployed_pins(&back, &pins, &n), HF_OK);
    assert_int_equal(n, 6);
    bool seen[7] = {false};
    for (size_t i = 0; i < n; i++)
        seen[pins[i][0]] = true;
    for (int i = 1; i <= 6; i++)
        assert_true(seen[i]); /* a rollback's too */
    back.ptr[0].at_unix_ms++;
    assert_false(hf_deployed_same(&d, &back));
    free(pins);
    hf_buf_done(&text);
    hf_deployed_done(&d);
    hf_deployed_done(&back);
}

#define HASH "sha256:0101010101010101010101010101010101010101010101010101010101010101"
#define ONE(members) "{\"version\":1,\"services\":[{" members "}]}"

static void what_is_no_record_is_refused_in_words(void **state)
{
    static const struct {
        const char *text, *words;
        enum hf_err err;
    } rows[] = {
        {"", "line 1, column 0: '[' or '{' expected near end of file", HF_CORRUPT},
        {"[]", "it has no \"version\"", HF_CORRUPT},
        {"{\"version\":1", "line 1, column 12: '}' expected near end of file", HF_CORRUPT},
        {"{\"version\":1,\"version\":1,\"services\":[]}", "duplicate object key", HF_CORRUPT},
        {"{\"version\":\"1\",\"services\":[]}", "it has no \"version\"", HF_CORRUPT},
        {"{\"version\":0,\"services\":[]}", "it has no \"version\"", HF_CORRUPT},
        {"{\"version\":2,\"services\":7}", "was written by a newer Holdfast: its version is 2, this one knows 1; remove the file",
         HF_UNSUPPORTED},
        {"{\"version\":1}", "it has no \"services\"", HF_CORRUPT},
        {"{\"version\":1,\"services\":[7]}", "service 1 has no \"name\" of 1 to 127 bytes", HF_CORRUPT},
        {ONE("\"name\":\"\",\"manifest\":\"" HASH "\""), "service 1 has no \"name\"", HF_CORRUPT},
        {ONE("\"name\":\"a\\u0000b\",\"manifest\":\"" HASH "\""), "\\u0000 is not allowed", HF_CORRUPT},
        {ONE("\"name\":\"web\""), "\"manifest\" of service 1 is no \"sha256:...\"", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "0\""), "\"manifest\" of service 1 is no", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\",\"deployed\":null"), "\"deployed\" of service 1 is no object", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\",\"deployed\":{}"), "the \"component\" that was deployed to service 1", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\",\"deployed\":{\"component\":\"" HASH "\"}"), "the \"before\" of service 1 is neither",
         HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\",\"deployed\":{\"component\":\"" HASH "\",\"before\":null}"),
         "\"at_unix_ms\" of service 1 is no time", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\",\"deployed\":{\"component\":\"" HASH "\",\"before\":null,\"at_unix_ms\":-1}"),
         "\"at_unix_ms\" of service 1 is no time", HF_CORRUPT},
        {ONE("\"name\":\"web\",\"manifest\":\"" HASH "\"},{\"name\":\"web\",\"manifest\":\"" HASH "\""), "service \"web\" is there twice",
         HF_CORRUPT},
        {"\xff", "line 1", HF_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hf_deployed d;
        struct hf_report why;
        hf_report_init(&why);
        assert_int_equal(hf_deployed_parse(hf_view_of(rows[i].text), "D/deployed.json", &d, &why), rows[i].err);
        if (strstr(why.text, rows[i].words) == NULL || strncmp(why.text, "D/deployed.json ", 16) != 0 ||
            strstr(why.text, "remove the file") == NULL)
            fail_msg("%s\n%s", rows[i].text, why.text);
        assert_int_equal(d.len, 0);
        assert_null(d.ptr);
    }
}

/* Cut anywhere, any byte another: read or refused with words, never more than that. */
static void any_bytes(void **state)
{
    char text[sizeof golden];
    size_t good = 0;
    (void)state;
    for (size_t i = 0; i < sizeof golden - 1; i++)
        for (unsigned c = 0; c < 256; c += i % 3 == 0 ? 1 : 17) {
            struct hf_deployed d;
            struct hf_report why;
            hf_report_init(&why);
            memcpy(text, golden, sizeof golden);
            text[i] = (char)c;
            size_t len = c == 0 ? i : sizeof golden - 1;
            enum hf_err err = hf_deployed_parse(hf_view(text, len), "f", &d, &why);
            assert_true(err == HF_OK || (why.text[0] != 0 && d.len == 0));
            good += err == HF_OK;
            hf_deployed_done(&d);
        }
    assert_true(good > 0);
}

static void bounded(void **state)
{
    struct hf_deployed d;
    struct hf_report why;
    struct hf_buf b = {0};
    (void)state;
    hf_report_init(&why);
    assert_int_equal(hf_buf_add_text(&b, "{\"version\":1,\"services\":["), HF_OK);
    for (unsigned i = 0; i <= HF_DEPLOYED_MAX; i++)
        assert_int_equal(hf_buf_printf(&b, "%s{\"name\":\"s%u\",\"manifest\":\"" HASH "\"}", i > 0 ? "," : "", i), HF_OK);
    assert_int_equal(hf_buf_add_text(&b, "]}"), HF_OK);
    assert_int_equal(hf_deployed_parse(hf_buf_view(&b), "f", &d, &why), HF_CORRUPT);
    assert_non_null(strstr(why.text, "it has 1001 services, more than 1000"));
    hf_buf_clear(&b);
    for (unsigned i = 0; i < HF_DEPLOYED_BYTES_MAX; i++)
        assert_int_equal(hf_buf_add_byte(&b, '['), HF_OK);
    hf_report_init(&why);
    assert_int_equal(hf_deployed_parse(hf_buf_view(&b), "f", &d, &why), HF_CORRUPT); /* deep: jansson's own bound */
    assert_non_null(strstr(why.text, "maximum parsing depth"));
    assert_int_equal(hf_buf_add_byte(&b, '['), HF_OK);
    hf_report_init(&why);
    assert_int_equal(hf_deployed_parse(hf_buf_view(&b), "f", &d, &why), HF_CORRUPT);
    assert_non_null(strstr(why.text, "has more than 4 MiB"));
    hf_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_this_text),
        cmocka_unit_test(what_is_no_record_is_refused_in_words),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
