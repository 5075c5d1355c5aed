/* name_test.c - names outlive everything: their grammar, groups and shards never change. */
#include "kernel/named_int.h"
#include "support.h"

static void good_names(void **state)
{
    static const char *const names[] = {"a",
                                        "stock",
                                        "0",
                                        "my-app.v2_x",
                                        "cart/42",
                                        "cart/Anna@example.org",
                                        "cart/{user:7}/orders/1",
                                        "cart/x{u}y",
                                        "a/.b",
                                        "a/b/c/d/e",
                                        "a/~17",
                                        "a/~{g}17",
                                        "a/%C3%A9",
                                        "a/_-+:=,;@%!$~()*"};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        struct hf_report report = {0};
        if (hf_name_check(hf_view_of(names[i]), &report) != HF_OK)
            fail_msg("%s", report.text);
    }
}

static void bad_names_say_where(void **state)
{
    static const struct {
        const char *name, *says;
    } bad[] = {
        {"", "a name begins with a class"},
        {"/a", "a name begins with a class"},
        {"A", "name A: 'A' cannot stand at byte 0"},
        {"-a", "name -a: '-' cannot stand at byte 0"},
        {"a b", "name: byte 0x20 cannot stand at byte 1"},
        {"A b", "name A b: 'A' cannot stand at byte 0"},
        {"aB", "name aB: 'B' cannot stand at byte 1"},
        {"a/", "name a/: the part at byte 2 is empty, . or .."},
        {"a//b", "name a//b: the part at byte 2 is empty, . or .."},
        {"a/.", "name a/.: the part at byte 2 is empty, . or .."},
        {"a/../b", "name a/../b: the part at byte 2 is empty, . or .."},
        {"a/b\xC3\xA9", "name: byte 0xc3 cannot stand at byte 3"},
        {"a/b\x7F", "name: byte 0x7f cannot stand at byte 3"},
        {"a/b\"", "name a/b\": '\"' cannot stand at byte 3"},
        {"a/{}", "name a/{}: '}' cannot stand at byte 3"},
        {"a/{b", "name a/{b: the brace at byte 2 is not closed in its part"},
        {"a/{b/c}", "name a/{b/c}: the brace at byte 2 is not closed in its part"},
        {"a/b}", "name a/b}: '}' cannot stand at byte 3"},
        {"a/{b}{c}", "name a/{b}{c}: '{' cannot stand at byte 5"},
        {"a/{b}/{c}", "name a/{b}/{c}: '{' cannot stand at byte 6"},
        {"a/{{b}}", "name a/{{b}}: '{' cannot stand at byte 3"},
        {"a{b}", "name a{b}: '{' cannot stand at byte 1"},
        {"a/b{{\x1b[31m", "name a/b{{: '{' cannot stand at byte 4"}, /* nothing for a terminal */
        {"a//\n", "name a//: the part at byte 2 is empty, . or .."},
        {"a/{b/\x80", "name a/{b/: the brace at byte 2 is not closed in its part"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(bad); i++) {
        struct hf_report report = {0};
        assert_int_equal(hf_name_check(hf_view_of(bad[i].name), &report), HF_INVALID);
        assert_string_equal(report.text, bad[i].says);
        assert_int_equal(hf_name_check(hf_view_of(bad[i].name), NULL), HF_INVALID);
    }
    struct hf_report report = {0};
    assert_int_equal(hf_name_check(hf_view("a\0b", 3), &report), HF_INVALID);
    assert_string_equal(report.text, "name: byte 0x00 cannot stand at byte 1");
}

static void lengths(void **state)
{
    char name[HF_NAME_MAX + 2];
    (void)state;
    memset(name, 'a', sizeof name);
    assert_int_equal(hf_name_check(hf_view(name, HF_NAME_CLASS_MAX), NULL), HF_OK);
    assert_int_equal(hf_name_check(hf_view(name, HF_NAME_CLASS_MAX + 1), NULL), HF_INVALID);
    assert_int_equal(hf_name_check_class(hf_view(name, HF_NAME_CLASS_MAX), NULL), HF_OK);
    assert_int_equal(hf_name_check_class(hf_view(name, HF_NAME_CLASS_MAX + 1), NULL), HF_INVALID);
    name[1] = '/';
    assert_int_equal(hf_name_check_class(hf_view(name, 3), NULL), HF_INVALID);
    assert_int_equal(hf_name_check(hf_view(name, HF_NAME_MAX), NULL), HF_OK);
    assert_int_equal(hf_name_check(hf_view(name, HF_NAME_MAX + 1), NULL), HF_INVALID);
}

static void groups(void **state)
{
    static const struct {
        const char *name, *parent, *group;
    } cases[] = {{"cart/42", "", "cart/42"},
                 {"cart/42", "g", "g"},
                 {"cart/{u}/1", "g", "u"},
                 {"cart/x{user:7}y", "", "user:7"},
                 {"stock", "", "stock"}};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(cases); i++) {
        struct hf_view g = hf_name_group_of(hf_view_of(cases[i].name), hf_view_of(cases[i].parent));
        assert_true(hf_view_eq_text(g, cases[i].group));
    }
    assert_true(hf_view_eq_text(hf_name_class(HF_VIEW("cart/42/x")), "cart"));
    assert_true(hf_view_eq_text(hf_name_class(HF_VIEW("stock")), "stock"));
    assert_true(hf_name_is_made(HF_VIEW("a/~1")));
    assert_true(hf_name_is_made(HF_VIEW("a/b/~1")));
    assert_false(hf_name_is_made(HF_VIEW("a/b~1")));
}

/* Golden: a process must be found where it was left, by every later version. */
static void shards_never_change(void **state)
{
    static const struct {
        const char *group;
        uint32_t shard;
    } golden[] = {
        {"a", 31}, {"stock", 93},      {"cart/42", 181}, {"user:7", 180}, {"Anna@example.org", 191},
        {"", 194}, {"cart/{u}/1", 145}};
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(golden); i++) {
        struct hf_view g = hf_view_of(golden[i].group);
        assert_int_equal(hf_name_shard(g, HF_SHARDS), golden[i].shard);
        assert_int_equal(hf_name_shard(g, 1), 0);
    }
    unsigned counts[HF_SHARDS] = {0}; /* and they are spread */
    for (unsigned i = 0; i < 256 * 100; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "cart/%u", i);
        counts[hf_name_shard(hf_view(name, (size_t)n), HF_SHARDS)]++;
    }
    for (size_t i = 0; i < HF_SHARDS; i++)
        assert_true(counts[i] > 50 && counts[i] < 160);
}

static void patterns(void **state)
{
    (void)state;
    assert_true(hf_name_matches(HF_VIEW("cart/42"), HF_VIEW("cart/*")));
    assert_true(hf_name_matches(HF_VIEW("cart/42"), HF_VIEW("cart/42")));
    assert_true(hf_name_matches(HF_VIEW("cart/42"), HF_VIEW("*")));
    assert_false(hf_name_matches(HF_VIEW("cart"), HF_VIEW("cart/*")));
    assert_false(hf_name_matches(HF_VIEW("cart/421"), HF_VIEW("cart/42")));
    assert_false(hf_name_matches(HF_VIEW("cart/4"), HF_VIEW("")));
    assert_int_equal(hf_name_check_pattern(HF_VIEW("cart/*"), NULL), HF_OK);
    assert_int_equal(hf_name_check_pattern(HF_VIEW("*"), NULL), HF_OK);
    assert_int_equal(hf_name_check_pattern(HF_VIEW("cart/{u*"), NULL), HF_OK);
    assert_int_equal(hf_name_check_pattern(HF_VIEW(""), NULL), HF_INVALID);
    assert_int_equal(hf_name_check_pattern(HF_VIEW("a b*"), NULL), HF_INVALID);
    assert_int_equal(hf_name_check_pattern(HF_VIEW("Cart"), NULL), HF_INVALID);
}

/* Whatever the bytes: an answer with words, and what is accepted has pieces that lie in it. */
static void any_bytes(void **state)
{
    static const char alphabet[] = "aZ0./{}~-_*\x01\x80 %@";
    uint64_t seed = 1;
    unsigned good = 0;
    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        char name[24];
        size_t len = rnd(&seed) % sizeof name;
        for (size_t j = 0; j < len; j++)
            name[j] = alphabet[rnd(&seed) % (i % 2 ? sizeof alphabet - 1 : 7)];
        struct hf_report report = {0};
        struct hf_view v = hf_view(name, len);
        if (hf_name_check(v, &report) != HF_OK) {
            assert_true(report.len > 0);
            for (size_t j = 0; j < report.len; j++)
                assert_true(report.text[j] >= ' ' && report.text[j] < 127);
            continue;
        }
        good++;
        struct hf_view class = hf_name_class(v), group = hf_name_group(v);
        assert_int_equal(hf_name_check_class(class, NULL), HF_OK);
        assert_true(class.ptr == v.ptr && group.len < v.len);
        assert_true(hf_name_matches(v, v) || memchr(v.ptr, '*', v.len) != NULL);
        (void)hf_name_shard(hf_name_group_of(v, group), HF_SHARDS);
    }
    assert_true(good > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names),
        cmocka_unit_test(bad_names_say_where),
        cmocka_unit_test(lengths),
        cmocka_unit_test(groups),
        cmocka_unit_test(shards_never_change),
        cmocka_unit_test(patterns),
        cmocka_unit_test(any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
