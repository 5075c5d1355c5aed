/* import_test.c - own guest imports (holdfast/import.h): every type both ways, what a function does wrong, texts that are wrong. */
#include "support.h"

#include <unistd.h>

#include "engine/engine.h"
#include "holdfast/import.h"

#define B(text) ((struct hf_bytes){(text), strlen(text)})
#define must(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

static void open_node(struct node *n)
{
    node_init(n);
    n->options.workers = 1;
    node_open(n);
}

static void define(struct node *n, const char *wit, const struct hf_import_func *funcs, size_t count, enum hf_status want, const char *words)
{
    expect(n, hf_import_define(n->node, "my:pkg/iface@1.2.0", wit, funcs, count, &n->msg), want, words);
}

/* Exports the interface's function `f` again, of that type: what is called is the import. */
static void call(struct node *n, const char *types, const char *func, const char *args[], size_t n_args, enum hf_status want, const char *text)
{
    char wat[4096], *ret = NULL;
    struct hf_buf bytes = {0};
    struct hf_report report;
    struct hf_service_options so;
    hf_report_init(&report);
    snprintf(wat, sizeof wat,
             "(component (import \"my:pkg/iface@1.0.1\" (instance $i %s (export \"f\" (func %s))))"
             " (alias export $i \"f\" (func $f)) (export \"f\" (func $f)))",
             types, func);
    if (hf_engine_wat(wat, strlen(wat), &bytes, &report) != HF_OK)
        fail_msg("%s", report.text);
    char *copy = malloc(bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    hf_service_options_init(&so);
    so.path = node_file(n, "call.wasm", (struct bytes){copy, bytes.len});
    hf_buf_done(&bytes);
    enum hf_status st = hf_invoke_json(n->node, &so, "f", args, n_args, &ret, &n->msg);
    expect(n, st, want, want == HF_STATUS_OK ? "" : text);
    if (want == HF_STATUS_OK) {
        size_t to = 0;
        for (size_t i = 0; ret[i] != 0; i++)
            if (ret[i] != ' ')
                ret[to++] = ret[i];
        ret[to] = 0;
        assert_string_equal(ret, text);
    }
    free(ret);
}

/* ---- every type, copied by hand from the argument to the result ---- */

static void copy(struct hf_any from, struct hf_any to)
{
    static const char *const cases[] = {"none", "some", "ok", "error", "a", "b", "c"};
    must(hf_any_kind(from) == hf_any_kind(to));
    switch (hf_any_kind(from)) {
    case HF_ANY_NONE: return;
    case HF_ANY_BOOL: hf_any_set_bool(to, hf_any_bool(from)); return;
    case HF_ANY_S8:
    case HF_ANY_S16:
    case HF_ANY_S32:
    case HF_ANY_S64: hf_any_set_s64(to, hf_any_s64(from)); return;
    case HF_ANY_U8:
    case HF_ANY_U16:
    case HF_ANY_U32:
    case HF_ANY_U64:
    case HF_ANY_CHAR:
    case HF_ANY_FLAGS: hf_any_set_u64(to, hf_any_u64(from)); return;
    case HF_ANY_F32:
    case HF_ANY_F64: hf_any_set_f64(to, hf_any_f64(from)); return;
    case HF_ANY_STRING: hf_any_set_text(to, hf_any_text(from)); return;
    case HF_ANY_LIST: hf_any_set_len(to, hf_any_len(from)); /* fall through */
    case HF_ANY_RECORD:
    case HF_ANY_TUPLE:
        for (size_t i = 0; i < hf_any_len(from); i++)
            copy(hf_any_at(from, i), hf_any_at(to, i));
        return;
    case HF_ANY_VARIANT:
    case HF_ANY_ENUM:
    case HF_ANY_OPTION:
    case HF_ANY_RESULT: {
        bool option = hf_any_kind(from) == HF_ANY_OPTION, result = hf_any_kind(from) == HF_ANY_RESULT;
        const char *name = cases[(option ? 0 : result ? 2 : 4) + hf_any_case(from)];
        must(hf_any_is(from, name));
        copy(hf_any_payload(from), hf_any_set_case(to, name));
        return;
    }
    }
}

static bool copies(void *ctx, struct hf_import_call *c)
{
    (*(int *)ctx)++;
    must(hf_import_caller(c).len == 0 || hf_import_caller(c).ptr != NULL);
    copy(hf_import_arg(c, 0), hf_import_result(c));
    return true;
}

#define DEFS "record r { x: s32, y: string } enum e { a, b, c } flags g { one, two, three } variant v { a, b(u8), c(r), } type other = list<r>;"
#define TYPES                                                                                                                              \
    "(type $r (record (field \"x\" s32) (field \"y\" string))) (export \"r\" (type $re (eq $r)))"                                         \
    "(type $e (enum \"a\" \"b\" \"c\")) (export \"e\" (type $ee (eq $e)))"                                                                 \
    "(type $g (flags \"one\" \"two\" \"three\")) (export \"g\" (type $ge (eq $g)))"                                                        \
    "(type $v (variant (case \"a\") (case \"b\" u8) (case \"c\" $re))) (export \"v\" (type $ve (eq $v)))"

static void values_of_every_type_go_both_ways(void **state)
{
    static const struct {
        const char *wit, *wat, *values[4];
    } rows[] = {
        {"bool", "bool", {"true", "false"}},
        {"s8", "s8", {"-128", "127"}},
        {"u8", "u8", {"0", "255"}},
        {"s16", "s16", {"-32768", "32767"}},
        {"u16", "u16", {"65535"}},
        {"s32", "s32", {"-2147483648", "2147483647"}},
        {"u32", "u32", {"4294967295"}},
        {"s64", "s64", {"-9223372036854775808", "9223372036854775807"}},
        {"u64", "u64", {"18446744073709551615"}},
        {"f32", "float32", {"1.5", "-0.25"}},
        {"f64", "float64", {"1e300", "0.1"}},
        {"char", "char", {"\"x\"", "\"\xf0\x9f\x90\x8e\""}},
        {"string", "string", {"\"\"", "\"gr\xc3\xbc\xc3\x9f\""}},
        {"list<u8>", "(list u8)", {"[]", "[1,2,255]"}},
        {"list<s16>", "(list s16)", {"[-1,2,-32768]"}},
        {"list<f32>", "(list float32)", {"[1.5,-2.5]"}},
        {"list<bool>", "(list bool)", {"[true,false,true]"}},
        {"list<string>", "(list string)", {"[\"a\",\"\",\"ccc\"]"}},
        {"list<list<u32>>", "(list (list u32))", {"[[],[1],[2,3]]"}},
        {"tuple<u8, string>", "(tuple u8 string)", {"[7,\"seven\"]"}},
        {"option<u64>", "(option u64)", {"null", "5"}},
        {"option<option<u8>>", "(option (option u8))", {"null", "{\"some\":null}", "{\"some\":3}"}},
        {"result", "(result)", {"{\"ok\":null}", "{\"err\":null}"}},
        {"result<u8>", "(result u8)", {"{\"ok\":3}", "{\"err\":null}"}},
        {"result<_, string>", "(result (error string))", {"{\"ok\":null}", "{\"err\":\"why\"}"}},
        {"result<list<u8>, string>", "(result (list u8) (error string))", {"{\"ok\":[1]}", "{\"err\":\"why\"}"}},
        {"r", "$re", {"{\"x\":-5,\"y\":\"five\"}"}},
        {"e", "$ee", {"\"a\"", "\"c\""}},
        {"g", "$ge", {"[]", "[\"one\",\"three\"]"}},
        {"v", "$ve", {"\"a\"", "{\"b\":9}", "{\"c\":{\"x\":1,\"y\":\"\"}}"}},
        {"other", "(list $re)", {"[]", "[{\"x\":1,\"y\":\"1\"},{\"x\":2,\"y\":\"2\"}]"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct node n;
        char wit[1024], func[256];
        int calls = 0, want = 0;
        struct hf_import_func f = {"f", copies, &calls};
        open_node(&n);
        snprintf(wit, sizeof wit, "/* all of it */ %s f: func(a: %s) -> %s; // the end", DEFS, rows[i].wit, rows[i].wit);
        define(&n, wit, &f, 1, HF_STATUS_OK, "");
        snprintf(func, sizeof func, "(param \"a\" %s) (result %s)", rows[i].wat, rows[i].wat);
        for (size_t k = 0; k < 4 && rows[i].values[k] != NULL; k++, want++)
            call(&n, TYPES, func, (const char *[]){rows[i].values[k]}, 1, HF_STATUS_OK, rows[i].values[k]);
        assert_int_equal(calls, want);
        node_close(&n);
    }
}

/* ---- what a function does wrong ---- */

static bool does_nothing(void *ctx, struct hf_import_call *c)
{
    (void)ctx, (void)c;
    return true;
}

static void what_is_left_unset_is_zero(void **state)
{
    struct node n;
    struct hf_import_func f = {"f", does_nothing, NULL};
    (void)state;
    open_node(&n);
    define(&n, DEFS "f: func() -> tuple<r, v, option<string>, result<r, u8>, list<u8>, g, char>;", &f, 1, HF_STATUS_OK, "");
    call(&n, TYPES, "(result (tuple $re $ve (option string) (result $re (error u8)) (list u8) $ge char))", NULL, 0, HF_STATUS_OK,
         "[{\"x\":0,\"y\":\"\"},\"a\",null,{\"ok\":{\"x\":0,\"y\":\"\"}},[],[],\"\\u0000\"]");
    node_close(&n);
}

static bool goes_wrong(void *ctx, struct hf_import_call *c)
{
    struct hf_any arg = hf_import_arg(c, 0), out = hf_import_result(c);
    struct hf_any x = hf_any_field(out, "x"), s = hf_any_field(out, "s");
    switch (*(int *)ctx) {
    case 0: (void)hf_any_u64(arg); break;
    case 1: hf_any_set_s64(arg, 1); break;
    case 2: hf_any_set_u64(x, 300); break;
    case 3: hf_any_set_text(x, B("300")); break;
    case 4: hf_any_set_text(s, B("\xff\xfe")); break;
    case 5: (void)hf_any_field(out, "zzz"); break;
    case 6: (void)hf_any_at(out, 2); break;
    case 7: (void)hf_import_arg(c, 1); break;
    case 8: hf_any_set_case(out, "ok"); break;
    case 9: hf_any_set_text(s, (struct hf_bytes){"", (size_t)1 << 40}); break;
    case 10: hf_import_fail(c, "the shop is closed"); return false;
    case 11: return false;
    case 12: (void)hf_any_u64(hf_any_payload(arg)); break; /* the first mistake counts */
    case 13: hf_any_set_s64(hf_any_field(out, "n"), 1); break;
    }
    return true;
}

static void mistakes_end_the_guest_and_are_named(void **state)
{
    static const char *const words[] = {
        "takes a value for an unsigned integer that is s8",
        "sets an argument",
        "sets 300, which is no u8",
        "sets a string where u8 is",
        "a string that is not UTF-8",
        "field \"zzz\" of a record that has none of that name",
        "element 2 of 2",
        "argument 1, there are 1",
        "sets a case where record is",
        "memory of a call",
        "my:pkg/iface@1.2.0#f: the shop is closed",
        "my:pkg/iface@1.2.0#f: the host function failed",
        "takes a value for something with cases that is s8",
        "field \"n\"",
    };
    struct node n;
    int which;
    struct hf_import_func f = {"f", goes_wrong, &which};
    (void)state;
    open_node(&n);
    define(&n, "record r { x: u8, s: string } f: func(a: s8) -> r;", &f, 1, HF_STATUS_OK, "");
    for (which = 0; which < 14; which++) {
        call(&n, "(type $r (record (field \"x\" u8) (field \"s\" string))) (export \"r\" (type $re (eq $r)))", "(param \"a\" s8) (result $re)",
             (const char *[]){"-3"}, 1, HF_STATUS_FAILED, words[which]);
    }
    node_close(&n);
}

static bool makes_much(void *ctx, struct hf_import_call *c)
{
    hf_any_set_len(hf_import_result(c), *(size_t *)ctx);
    return true;
}

static void a_result_has_its_limit(void **state)
{
    struct node n;
    size_t len = 1000;
    struct hf_import_func f = {"f", makes_much, &len};
    (void)state;
    open_node(&n);
    define(&n, "f: func() -> list<u64>;", &f, 1, HF_STATUS_OK, "");
    static const size_t lens[] = {SIZE_MAX, SIZE_MAX / 8, UINT32_MAX, (size_t)1 << 30};
    for (size_t i = 0; i < 4; i++) {
        len = lens[i];
        call(&n, "", "(result (list u64))", NULL, 0, HF_STATUS_FAILED, "memory of a call");
    }
    node_close(&n);
}

/* ---- definitions ---- */

static void texts_are_checked(void **state)
{
    static const struct {
        const char *wit, *words;
    } rows[] = {
        {"f: func(a: nobody);", "line 1, column 12: expected a type of values"},
        {"f: func(a: list<u8);", "line 1, column 19: expected `>`"},
        {"\n\n  f func();", "line 3, column 3: expected `record`"},
        {"resource r;", "line 1, column 1: expected `record`"},
        {"use wasi:io/poll.{pollable};", "line 1, column 1: expected `record`"},
        {"f: async func();", "expected `func`"},
        {"record r { x: u8 x: u8 } f: func();", "expected `}`"},
        {"record r { x: u8, x: u8 } f: func();", "\"x\" is there twice"},
        {"record r {} f: func();", ""},
        {"enum e { a } enum e { b } f: func();", "\"e\" is there twice"},
        {"f: func(); f: func();", "\"f\" is there twice"},
        {"record r { r: r } f: func();", "a type of values that stands before this"},
        {"type a = b; type b = u8; f: func();", "a type of values that stands before this"},
        {"Upper_case: func();", ""},
        {"g: func();", "its text has no function \"f\""},
        {"f: func(); g: func();", "nothing is given for its function \"g\""},
        {"", "its text has no function \"f\""},
        {"f: func(", "expected a name"},
        {"f: func() /* no end", "expected `;`"},
        {"f: func(a: stream<u8>);", "a type of values that stands before this"},
    };
    struct node n;
    char deep[2000] = "f: func(a: ", long_text[4];
    int calls = 0;
    struct hf_import_func f[2] = {{"f", copies, &calls}, {"f", copies, &calls}};
    (void)state, (void)long_text;
    open_node(&n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        define(&n, rows[i].wit, f, 1, HF_STATUS_INVALID, rows[i].words);
    for (int i = 0; i < 200; i++)
        strcat(deep, "list<");
    define(&n, deep, f, 1, HF_STATUS_INVALID, "too deep");
    char *large = malloc((300 << 10) + 1);
    memset(large, ' ', 300 << 10);
    large[300 << 10] = 0;
    define(&n, large, f, 1, HF_STATUS_LIMIT, "256 KiB");
    free(large);
    define(&n, "f: func();", f, 2, HF_STATUS_INVALID, "\"f\" is given twice");
    f[1].fn = NULL;
    define(&n, "f: func();", f, 2, HF_STATUS_USAGE, "name or fn is wrong");
    static const char *const names[] = {"f", "my:pkg", "my:pkg/", "", "my:pkg/iface@"};
    for (size_t i = 0; i < 5; i++)
        expect(&n, hf_import_define(n.node, names[i], "f: func();", f, 1, &n.msg), HF_STATUS_INVALID, "");
    static const char *const taken[] = {"wasi:io/poll@0.2.99", "wasi:io/poll@0.2.0", "holdfast:kernel/messages@0.1.0"};
    for (size_t i = 0; i < 3; i++)
        expect(&n, hf_import_define(n.node, taken[i], "f: func();", f, 1, &n.msg), HF_STATUS_INVALID, "is offered already");
    /* All of that has defined nothing. */
    define(&n, "%f: func(a: u8) -> u8;", f, 1, HF_STATUS_OK, "");
    define(&n, "f: func();", f, 1, HF_STATUS_INVALID, "is offered already");
    call(&n, "", "(param \"a\" u8) (result u8)", (const char *[]){"7"}, 1, HF_STATUS_OK, "7");
    expect(&n, hf_import_define(n.node, "my:late/iface@1.0.0", "f: func();", f, 1, &n.msg), HF_STATUS_USAGE, "before the first component");
    node_close(&n);
}

static void a_component_with_other_types_is_refused(void **state)
{
    struct node n;
    int calls = 0;
    struct hf_import_func f = {"f", copies, &calls};
    (void)state;
    open_node(&n);
    define(&n, "f: func(a: u8) -> u8;", &f, 1, HF_STATUS_OK, "");
    call(&n, "", "(param \"a\" u16) (result u8)", (const char *[]){"7"}, 1, HF_STATUS_UNSUPPORTED, "u8");
    assert_int_equal(calls, 0);
    node_close(&n);
}

/* ---- a guest in C behind HTTP ---- */

struct shop {
    uint64_t sold;
};

static bool shop_find(void *ctx, struct hf_import_call *c)
{
    struct hf_bytes name = hf_any_text(hf_import_arg(c, 0));
    struct hf_any out = hf_import_result(c);
    (void)ctx;
    if (name.len == 4 && memcmp(name.ptr, "none", 4) == 0) {
        hf_any_set_u64(hf_any_set_case(hf_any_set_case(out, "error"), "sold-out"), 3);
    } else if (name.len == 5 && memcmp(name.ptr, "apple", 5) == 0) {
        struct hf_any item = hf_any_set_case(out, "ok"), tags = hf_any_field(item, "tags");
        hf_any_set_text(hf_any_field(item, "name"), name);
        hf_any_set_u64(hf_any_field(item, "cents"), 45);
        hf_any_set_len(tags, 2);
        hf_any_set_text(hf_any_at(tags, 0), B("red"));
        hf_any_set_text(hf_any_at(tags, 1), B("round"));
    } else if (name.len == 4 && memcmp(name.ptr, "trap", 4) == 0) {
        hf_import_fail(c, "the cash desk burns");
        return false;
    } else {
        hf_any_set_case(out, "error");
    }
    return true;
}

static bool shop_sold(void *ctx, struct hf_import_call *c)
{
    struct shop *shop = ctx;
    struct hf_any items = hf_import_arg(c, 0);
    struct hf_bytes who = hf_import_caller(c);
    must(who.len == 5 && memcmp(who.ptr, "store", 5) == 0);
    for (size_t i = 0; i < hf_any_len(items); i++)
        shop->sold += hf_any_u64(hf_any_at(hf_any_at(items, i), 1));
    hf_any_set_u64(hf_import_result(c), shop->sold);
    return true;
}

static void a_guest_asks_the_embedder(void **state)
{
    struct node n;
    struct shop shop = {0};
    struct hf_import_func funcs[] = {{"find", shop_find, &shop}, {"sold", shop_sold, &shop}};
    struct hf_service_options so;
    char path[512], body[512];
    (void)state;
    if (!guest("c-stock", path)) {
        printf("SKIP: a_guest_asks_the_embedder: build/guests/c-stock.wasm is not built\n");
        skip();
    }
    open_node(&n);
    expect(&n,
           hf_import_define(n.node, "shop:stock/prices@1.0.0",
                            "record item { name: string, cents: u32, tags: list<string> }\n"
                            "variant trouble { unknown, sold-out(u32) }\n"
                            "find: func(name: string) -> result<item, trouble>;\n"
                            "sold: func(items: list<tuple<string, u32>>) -> u64;\n",
                            funcs, 2, &n.msg),
           HF_STATUS_OK, "");
    hf_service_options_init(&so);
    so.path = path;
    so.name = "store";
    expect(&n, hf_node_add_service(n.node, &so, &n.msg), HF_STATUS_OK, "");
    node_run(&n);
    http_expect(&n, "/apple", "apple: 45 cents; red, round\n");
    assert_int_equal(http_ask(&n, "/none", body, sizeof body), 409);
    assert_string_equal(body, "sold out, more in days: 3\n");
    assert_int_equal(http_ask(&n, "/pear", body, sizeof body), 404);
    assert_int_equal(http_ask(&n, "/trap", body, sizeof body), 500);
    for (int i = 1; i <= 3; i++) {
        int fd = http_open(&n);
        http_send(fd, "POST", "/apple", "");
        assert_int_equal(http_read(fd, body, sizeof body), 200);
        close(fd);
    }
    assert_string_equal(body, "sold so far: 3\n");
    node_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_go_both_ways),
        cmocka_unit_test(what_is_left_unset_is_zero),
        cmocka_unit_test(mistakes_end_the_guest_and_are_named),
        cmocka_unit_test(a_result_has_its_limit),
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(a_component_with_other_types_is_refused),
        cmocka_unit_test(a_guest_asks_the_embedder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
