/* fields_test.c - wasi:http/types `fields` (http-and-poll 1.4). */
#include "support.h"

enum { SYNTAX, FORBIDDEN, IMMUTABLE };

static bool refused(const struct hf_value *r, uint32_t why)
{
    return r != NULL && r->tag == 1 && r->items[0].tag == why;
}

static struct hf_value *append(struct guest *t, uint32_t f, struct hf_value name,
                               struct hf_value value)
{
    const struct hf_value args[] = {H(f), name, value};
    return guest_call(t, "fields.append", args, 3);
}

static struct hf_value *set_one(struct guest *t, uint32_t f, const char *name, const char *value)
{
    struct hf_value one = T(value);
    const struct hf_value args[] = {H(f), T(name), LIST(&one, 1)};
    return guest_call(t, "fields.set", args, 3);
}

static struct hf_value *from_list(struct guest *t, const char *name, const char *value)
{
    struct hf_value pair[2] = {T(name), T(value)};
    struct hf_value entry = {.items = pair, .len = 2};
    const struct hf_value args[] = {LIST(&entry, 1)};
    return guest_call(t, "fields.from-list", args, 1);
}

/* "a=1;B=2;" */
static const char *text_of(struct guest *t, uint32_t f)
{
    static char text[1024];
    const struct hf_value args[] = {H(f)};
    const struct hf_value *r = guest_call(t, "fields.entries", args, 1);
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; r != NULL && i < r->len; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s=%.*s;",
                               HF_FMT(hf_value_view(&r->items[i].items[0])),
                               HF_FMT(hf_value_view(&r->items[i].items[1])));
    return text;
}

static const char *const bad_names[] = {"",     "a b", "a:b",  "a\r\nb", "a\nb", "caf\xc3\xa9",
                                        "a(b",  "a,b", "a\"b", "a/b",    "{a}",  "a\t",
                                        "a\x7f"};
static const char *const bad_values[] = {"a\rb",  "a\nb",  "a\r\n b", "\x01",
                                         "a\x1f", "a\x7f", "\x1b[31m"};
static const char *const good_names[] = {"a",  "A-b",           "x_y.z", "!#$%&'*+-.^_`|~09",
                                         "te", "content-length"};
static const char *const good_values[] = {"",         "a",          "a b\tc", "caf\xc3\xa9",
                                          "\xff\x80", "  padded  ", "\"q\""};
static const char *const forbidden_names[] = {"connection",
                                              "Keep-Alive",
                                              "proxy-authenticate",
                                              "PROXY-AUTHORIZATION",
                                              "proxy-connection",
                                              "transfer-encoding",
                                              "Upgrade",
                                              "hOsT",
                                              "http2-settings"};

static void syntax_of_names(struct guest *t)
{
    uint32_t f = new_fields(t, "");
    CHECK(f != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad_names); i++) {
        CHECK(refused(append(t, f, T(bad_names[i]), T("v")), SYNTAX));
        CHECK(refused(set_one(t, f, bad_names[i], "v"), SYNTAX));
        CHECK(refused(from_list(t, bad_names[i], "v"), SYNTAX));
        CALL(r, "fields.delete", H(f), T(bad_names[i]));
        CHECK(refused(r, SYNTAX));
    }
    CHECK(refused(append(t, f, hf_value_bytes(hf_view("a\0b", 3)), T("v")), SYNTAX));
    for (size_t i = 0; i < HF_ARRAY_LEN(good_names); i++)
        CHECK(append(t, f, T(good_names[i]), T("1"))->tag == 0);
}

static void syntax_of_values(struct guest *t)
{
    uint32_t f = new_fields(t, "");
    CHECK(f != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(bad_values); i++) {
        CHECK(refused(append(t, f, T("x"), T(bad_values[i])), SYNTAX));
        CHECK(refused(set_one(t, f, "x", bad_values[i]), SYNTAX));
        CHECK(refused(from_list(t, "x", bad_values[i]), SYNTAX));
    }
    CHECK(refused(append(t, f, T("x"), hf_value_bytes(hf_view("a\0b", 3))), SYNTAX));
    for (size_t i = 0; i < HF_ARRAY_LEN(good_values); i++)
        CHECK(append(t, f, T("x"), T(good_values[i]))->tag == 0);
    struct hf_value two[2] = {T("good"), T("b\nad")};
    CALL(r, "fields.set", H(f), T("x"), LIST(two, 2));
    CHECK(refused(r, SYNTAX));
    CALL(left, "fields.get", H(f), T("x"));
    CHECK_INT(left->len, HF_ARRAY_LEN(good_values)); /* nothing was changed by the refused set */
}

static void forbidden(struct guest *t)
{
    uint32_t f = new_fields(t, "");
    CHECK(f != 0);
    for (size_t i = 0; i < HF_ARRAY_LEN(forbidden_names); i++) {
        CHECK(refused(append(t, f, T(forbidden_names[i]), T("v")), FORBIDDEN));
        CHECK(refused(set_one(t, f, forbidden_names[i], "v"), FORBIDDEN));
        CHECK(refused(from_list(t, forbidden_names[i], "v"), FORBIDDEN));
        CALL(r, "fields.delete", H(f), T(forbidden_names[i]));
        CHECK(refused(r, FORBIDDEN));
    }
    CHECK(append(t, f, T("te"), T("trailers"))->tag == 0);
    CHECK(append(t, f, T("hosts"), T("v"))->tag == 0);
}

/* Syntax of the name, forbidden, immutable, syntax of the value. */
static void order_of_errors(struct guest *t)
{
    CALL(f, "incoming-request.headers", H(t->request));
    uint32_t h = (uint32_t)f->u64, mine = new_fields(t, "");
    CHECK(refused(append(t, h, T("a b"), T("b\nad")), SYNTAX));
    CHECK(refused(append(t, h, T("host"), T("b\nad")), FORBIDDEN));
    CHECK(refused(append(t, h, T("x"), T("b\nad")), IMMUTABLE));
    CHECK(refused(append(t, mine, T("host"), T("b\nad")), FORBIDDEN));
    CHECK(refused(append(t, mine, T("a b"), T("b\nad")), SYNTAX));
}

static void all_refuse(struct guest *t, uint32_t f)
{
    CHECK(refused(append(t, f, T("x"), T("v")), IMMUTABLE));
    CHECK(refused(set_one(t, f, "x", "v"), IMMUTABLE));
    CALL(r, "fields.delete", H(f), T("x"));
    CHECK(refused(r, IMMUTABLE));
}

static void immutable(struct guest *t)
{
    CALL(f, "incoming-request.headers", H(t->request));
    all_refuse(t, (uint32_t)f->u64);
    CHECK(strcmp(text_of(t, (uint32_t)f->u64), "A-one=1;b-Two=2;") == 0);

    uint32_t response = new_response(t, "x: 1\n");
    CALL(g, "outgoing-response.headers", H(response));
    all_refuse(t, (uint32_t)g->u64);
    CHECK(strcmp(text_of(t, (uint32_t)g->u64), "x=1;") == 0);

    CALL(req, "[constructor]outgoing-request", H(new_fields(t, "y: 2\n")));
    CALL(h, "outgoing-request.headers", H((uint32_t)req->u64));
    all_refuse(t, (uint32_t)h->u64);
    CHECK(strcmp(text_of(t, (uint32_t)h->u64), "y=2;") == 0);
}

static void order_and_casing(struct guest *t)
{
    uint32_t f = new_fields(t, "X-B: 1\na: 2\nx-b: 3\nA: 4\n");
    CHECK(strcmp(text_of(t, f), "X-B=1;a=2;x-b=3;A=4;") == 0);
    CHECK(set_one(t, f, "X-b", "9")->tag == 0);
    CHECK(strcmp(text_of(t, f), "a=2;A=4;X-b=9;") == 0);
}

static void names_ignore_case(struct guest *t)
{
    uint32_t f = new_fields(t, "X-B: 1\na: 2\nx-b: 3\n");
    CALL(r, "fields.get", H(f), T("x-B"));
    CHECK_INT(r->len, 2);
    CHECK(is_text(&r->items[0], "1") && is_text(&r->items[1], "3"));
    CALL(has, "fields.has", H(f), T("A"));
    CHECK_INT(has->u64, 1);
    CALL(gone, "fields.delete", H(f), T("x-B"));
    CHECK_INT(gone->tag, 0);
    CHECK(strcmp(text_of(t, f), "a=2;") == 0);
}

static void absent_and_invalid_names(struct guest *t)
{
    uint32_t f = new_fields(t, "a: 1\n");
    static const char *const names[] = {"b", "a b", "", "host", "a\n"};
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        CALL(r, "fields.get", H(f), T(names[i]));
        CHECK_INT(r->len, 0);
        CALL(has, "fields.has", H(f), T(names[i]));
        CHECK_INT(has->u64, 0);
    }
    CALL(r, "fields.delete", H(f), T("b"));
    CHECK_INT(r->tag, 0);
}

static void set_replaces_and_empty_removes(struct guest *t)
{
    uint32_t f = new_fields(t, "a: 1\nb: 2\nA: 3\n");
    struct hf_value two[2] = {T("x"), T("y")};
    CALL(r, "fields.set", H(f), T("a"), LIST(two, 2));
    CHECK_INT(r->tag, 0);
    CHECK(strcmp(text_of(t, f), "b=2;a=x;a=y;") == 0);
    CALL(e, "fields.set", H(f), T("a"), LIST(NULL, 0));
    CHECK_INT(e->tag, 0);
    CHECK(strcmp(text_of(t, f), "b=2;") == 0);
    CALL(has, "fields.has", H(f), T("a"));
    CHECK_INT(has->u64, 0);
}

static void from_a_list(struct guest *t)
{
    struct hf_value pairs[3][2] = {
        {T("Set-Cookie"), T("a")}, {T("x"), T("")}, {T("set-cookie"), T("b")}};
    struct hf_value entries[3];
    for (size_t i = 0; i < 3; i++)
        entries[i] = (struct hf_value){.items = pairs[i], .len = 2};
    CALL(r, "fields.from-list", LIST(entries, 3));
    CHECK_INT(r->tag, 0);
    uint32_t f = (uint32_t)r->items[0].u64;
    CHECK(strcmp(text_of(t, f), "Set-Cookie=a;x=;set-cookie=b;") == 0);
    CHECK(append(t, f, T("y"), T("1"))->tag == 0); /* mutable */
    CALL(none, "fields.from-list", LIST(NULL, 0));
    CHECK_INT(none->tag, 0);
}

static void clones(struct guest *t)
{
    CALL(own, "incoming-request.headers", H(t->request));
    CALL(c, "fields.clone", H((uint32_t)own->u64));
    uint32_t copy = (uint32_t)c->u64;
    CHECK(append(t, copy, T("x"), T("1"))->tag == 0);
    CHECK(strcmp(text_of(t, copy), "A-one=1;b-Two=2;x=1;") == 0);
    CHECK(strcmp(text_of(t, (uint32_t)own->u64), "A-one=1;b-Two=2;") == 0);
    DROP((uint32_t)own->u64);
    CHECK(strcmp(text_of(t, copy), "A-one=1;b-Two=2;x=1;") == 0);
    CALL(again, "fields.clone", H(copy));
    CHECK(set_one(t, copy, "x", "2")->tag == 0);
    CHECK(strcmp(text_of(t, (uint32_t)again->u64), "A-one=1;b-Two=2;x=1;") == 0);
}

/* A fields of 128 KiB of names and values is the end: there is no error for it, so the guest is. */
static char big[100 * 1024];

static void size_by_append(struct guest *t)
{
    uint32_t f = new_fields(t, "");
    for (size_t i = 0; i < 100000; i++) {
        const struct hf_value args[] = {H(f), T("a"), T("")};
        if (guest_call(t, "fields.append", args, 3) == NULL) {
            CHECK(i > 1000);
            return;
        }
    }
    CHECK(!"endless");
}

static void size_by_set(struct guest *t)
{
    uint32_t f = new_fields(t, "");
    struct hf_value one = hf_value_bytes(hf_view(big, sizeof big));
    DO("fields.set", H(f), T("a"), LIST(&one, 1));
    DO("fields.set", H(f), T("A"), LIST(&one, 1)); /* replaces: fits */
    struct hf_value two[2] = {one, one};
    DO("fields.set", H(f), T("b"), LIST(two, 2));
    CHECK(!"it did not trap");
}

static void size_by_list(struct guest *t)
{
    struct hf_value pair[2] = {T("a"), hf_value_bytes(hf_view(big, sizeof big))};
    struct hf_value entries[2] = {{.items = pair, .len = 2}, {.items = pair, .len = 2}};
    DO("fields.from-list", LIST(entries, 2));
    CHECK(!"it did not trap");
}

static const struct req with_fields = {.fields = "A-one: 1\nb-Two: 2\n"};

static void run_with(void **state, script_fn script)
{
    struct world w;
    world_open(&w, state);
    size_t i = post_with(&w, script, &with_fields);
    world_run(&w);
    assert_int_equal(w.requests[i].kind, HF_ANSWER_UNANSWERED);
    world_close(&w);
}

static void fields_name_is_a_token(void **state)
{
    run_script(state, syntax_of_names);
}
static void fields_value_has_no_controls(void **state)
{
    run_script(state, syntax_of_values);
}
static void fields_forbidden_names_are_refused_everywhere(void **state)
{
    run_script(state, forbidden);
}
static void fields_errors_come_in_order(void **state)
{
    run_with(state, order_of_errors);
}
static void fields_of_messages_are_immutable(void **state)
{
    run_with(state, immutable);
}
static void fields_keep_order_and_casing(void **state)
{
    run_script(state, order_and_casing);
}
static void fields_names_compare_without_case(void **state)
{
    run_script(state, names_ignore_case);
}
static void fields_absent_and_invalid_names_are_not_there(void **state)
{
    run_script(state, absent_and_invalid_names);
}
static void fields_set_replaces_and_empty_list_removes(void **state)
{
    run_script(state, set_replaces_and_empty_removes);
}
static void fields_from_list_keeps_repeats(void **state)
{
    run_script(state, from_a_list);
}
static void fields_clone_is_deep_and_mutable(void **state)
{
    run_with(state, clones);
}
static void fields_past_128_kib_trap(void **state)
{
    memset(big, 'v', sizeof big);
    run_dies(state, size_by_append, "size of a wasi:http fields");
    run_dies(state, size_by_set, "size of a wasi:http fields");
    run_dies(state, size_by_list, "size of a wasi:http fields");
}

/* Every function of every interface of the embedded WIT is bound: a component never misses one. */
static void registry_leaves_nothing_unbound(void **state)
{
    const struct shared *s = *state;
    assert_string_equal(s->unbound.ptr == NULL ? "" : (const char *)s->unbound.ptr, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_leaves_nothing_unbound),
        cmocka_unit_test(fields_name_is_a_token),
        cmocka_unit_test(fields_value_has_no_controls),
        cmocka_unit_test(fields_forbidden_names_are_refused_everywhere),
        cmocka_unit_test(fields_errors_come_in_order),
        cmocka_unit_test(fields_of_messages_are_immutable),
        cmocka_unit_test(fields_keep_order_and_casing),
        cmocka_unit_test(fields_names_compare_without_case),
        cmocka_unit_test(fields_absent_and_invalid_names_are_not_there),
        cmocka_unit_test(fields_set_replaces_and_empty_list_removes),
        cmocka_unit_test(fields_from_list_keeps_repeats),
        cmocka_unit_test(fields_clone_is_deep_and_mutable),
        cmocka_unit_test(fields_past_128_kib_trap),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
