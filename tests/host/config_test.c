/* config_test.c - what a service is given by its settings: wasi:config in every version, what settings are refused (buckets too), and the
 * exact versions that wasi:keyvalue and wasi:config are bound by.
 */
#include "support.h"

#include "store/kv.h"

#define END (t->w->seen[7] = 1)

/* ---- settings ---------------------------------------------------------------------------------------------- */

static void refuse(void **state, const struct hf_service_settings *s, const char *words)
{
    struct hf_report report = {0};
    struct hf_service *svc = NULL;
    struct shared *shared = *state;
    struct hf_service_settings copy = *s;
    copy.name = "s";
    copy.component = shared->component;
    assert_int_not_equal(hf_service_new(&copy, &svc, &report), HF_OK);
    assert_null(svc);
    if (strstr(report.text, words) == NULL)
        fail_msg("\"%s\", wanted \"%s\"", report.text, words);
}

static void settings_that_cannot_be(void **state)
{
    struct hf_kv *kv = NULL;
    struct hf_kv_limits limits = {.buckets = 2};
    assert_int_equal(hf_kv_memory_new(&limits, 1, &kv), HF_OK);
    struct hf_services with = {.kv = kv}, without = {0};
    char name[300];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    refuse(state, &(struct hf_service_settings){.services = &without, .keyvalue = (const char *const[]){"b", NULL}},
           "there is no store for it here");
    refuse(state, &(struct hf_service_settings){.services = &with, .keyvalue = (const char *const[]){"b", "b:ro", NULL}},
           "\"b\" is granted twice");
    refuse(state, &(struct hf_service_settings){.services = &with, .keyvalue = (const char *const[]){name, NULL}}, "more than 255 bytes");
    refuse(state, &(struct hf_service_settings){.services = &with, .keyvalue = (const char *const[]){"\xff", NULL}}, "is not UTF-8");
    refuse(state, &(struct hf_service_settings){.services = &with, .keyvalue = (const char *const[]){"b", "c", "d", NULL}},
           "\"d\" is one too many: the store may have 2");
    refuse(state, &(struct hf_service_settings){.services = &with, .config = (const char *const[]){"a=1", "b", NULL}},
           "configuration 2 is not KEY=VALUE");
    refuse(state, &(struct hf_service_settings){.services = &with, .config = (const char *const[]){"=1", NULL}}, "is not KEY=VALUE");
    refuse(state, &(struct hf_service_settings){.services = &with, .config = (const char *const[]){"a=1", "ab=1", "a=2", NULL}},
           "\"a\" is given twice");
    refuse(state, &(struct hf_service_settings){.services = &with, .config = (const char *const[]){"a=\xff", NULL}}, "is not UTF-8");
    hf_kv_close(kv);
}

/* ---- versions ---------------------------------------------------------------------------------------------- */

/* A component that imports one interface, and what loading it says. */
static enum hf_err import(void **state, const char *name, const char *items, struct hf_report *report)
{
    struct shared *s = *state;
    struct hf_component *c = NULL;
    struct hf_buf text = {0}, wasm = {0};
    *report = (struct hf_report){0};
    assert_int_equal(hf_buf_printf(&text, "(component (import \"%s\" (instance %s)))", name, items), HF_OK);
    enum hf_err err = hf_engine_wat((const char *)text.ptr, text.len, &wasm, report);
    if (err != HF_OK)
        fail_msg("%s", report->text);
    err = hf_component_load(s->engine, s->registry, hf_buf_view(&wasm), NULL, &c, report);
    hf_component_unref(c);
    hf_buf_done(&text);
    hf_buf_done(&wasm);
    return err;
}

#define ERROR_TYPE                                                                                                               \
    "(type $e (variant (case \"no-such-store\") (case \"access-denied\") (case \"other\" string)))"                                    \
    "(export \"error\" (type $error (eq $e)))"                                                                                         \
    "(export \"bucket\" (type $b (sub resource)))"
#define OPEN  "(export \"open\" (func (param \"identifier\" string) (result (result (own $b) (error $error)))))"
#define LIST_OF(cursor)                                                                                                                \
    "(type $r (record (field \"keys\" (list string)) (field \"cursor\" (option " cursor "))))"                                         \
    "(export \"key-response\" (type $resp (eq $r)))"                                                                                   \
    "(export \"[method]bucket.list-keys\" (func (param \"self\" (borrow $b)) (param \"cursor\" (option " cursor "))"                    \
    " (result (result $resp (error $error)))))"
#define CONFIG(name)                                                                                                                   \
    "(type $e (variant (case \"upstream\" string) (case \"io\" string))) (export \"" name "\" (type $error (eq $e)))"                  \
    "(export \"get\" (func (param \"key\" string) (result (result (option string) (error $error)))))"

/* A draft has no track: each version has the types it was published with, and nobody answers for another. */
static void versions_are_bound_exactly(void **state)
{
    static const struct {
        const char *name, *items;
        bool ok;
    } rows[] = {
        {"wasi:keyvalue/store@0.2.0-draft", ERROR_TYPE OPEN LIST_OF("u64"), true},
        {"wasi:keyvalue/store@0.2.0-draft2", ERROR_TYPE OPEN LIST_OF("string"), true},
        {"wasi:keyvalue/store@0.2.0-draft", ERROR_TYPE LIST_OF("string"), false},
        {"wasi:keyvalue/store@0.2.0-draft2", ERROR_TYPE LIST_OF("u64"), false},
        {"wasi:keyvalue/store@0.2.0-draft3", ERROR_TYPE OPEN, false},
        {"wasi:keyvalue/store@0.2.0", ERROR_TYPE OPEN, false},
        {"wasi:keyvalue/store", ERROR_TYPE OPEN, false},
        {"wasi:config/store@0.2.0-rc.1", CONFIG("error"), true},
        {"wasi:config/store@0.2.0-draft", CONFIG("error"), true},
        {"wasi:config/runtime@0.2.0-draft", CONFIG("config-error"), true},
        {"wasi:config/runtime@0.2.0-rc.1", CONFIG("config-error"), false},
        {"wasi:config/store@0.2.0-rc.2", CONFIG("error"), false},
    };
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        struct hf_report report;
        enum hf_err err = import(state, rows[i].name, rows[i].items, &report);
        if ((err == HF_OK) != rows[i].ok || (err != HF_OK && (err != HF_UNSUPPORTED || strstr(report.text, rows[i].name) == NULL)))
            fail_msg("row %zu: %s: %s", i, hf_err_text(err), report.text);
    }
}

/* ---- wasi:config ------------------------------------------------------------------------------------------- */

static const char *const config[] = {"a=1", "ab=x=y", "empty=", "\xc3\xa9=\xc3\xa9", NULL};

static void configured(struct guest *t)
{
    static const char *const ifaces[] = {"store@0.2.0-rc.1", "store@0.2.0-draft", "runtime@0.2.0-draft"};
    static const struct {
        struct hf_view key;
        const char *value;
    } rows[] = {{HF_VIEW("a"), "1"},   {HF_VIEW("ab"), "x=y"},       {HF_VIEW("empty"), ""}, {HF_VIEW("\xc3\xa9"), "\xc3\xa9"},
                {HF_VIEW(""), NULL},   {HF_VIEW("A"), NULL},         {HF_VIEW("a="), NULL},  {HF_VIEW("ab=x"), NULL},
                {HF_VIEW("a\0"), NULL}};
    char get[64], all[64];
    for (size_t i = 0; i < HF_ARRAY_LEN(ifaces); i++) {
        snprintf(get, sizeof get, "wasi:config/%s#get", ifaces[i]);
        snprintf(all, sizeof all, "wasi:config/%s#get-all", ifaces[i]);
        for (size_t k = 0; k < HF_ARRAY_LEN(rows); k++) {
            CALL(r, get, hf_value_bytes(rows[k].key));
            CHECK_INT(r->tag, 0);
            CHECK(rows[k].value == NULL ? r->items[0].tag == 0
                                        : r->items[0].tag == 1 && is_text(r->items[0].items, rows[k].value));
        }
        CALL(a, all);
        CHECK(a->tag == 0 && a->items[0].len == 4);
        const struct hf_value *ab = a->items[0].items[1].items;
        CHECK(is_text(&ab[0], "ab") && is_text(&ab[1], "x=y"));
    }
    END;
}

static void config_get_and_get_all(void **state)
{
    struct world w;
    world_open_with(&w, state, &(struct world_settings){.config = config});
    post(&w, configured);
    world_run(&w);
    assert_int_equal(w.seen[7], 1);
    world_close(&w);
}

static void unconfigured(struct guest *t)
{
    CALL(r, "wasi:config/store@0.2.0-rc.1#get", T("a"));
    CHECK(r->tag == 0 && r->items[0].tag == 0);
    CALL(a, "wasi:config/store@0.2.0-rc.1#get-all");
    CHECK(a->tag == 0 && a->items[0].len == 0);
    END;
}

static void config_nothing_given_is_none(void **state)
{
    struct world w;
    world_open(&w, state);
    post(&w, unconfigured);
    world_run(&w);
    assert_int_equal(w.seen[7], 1);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_cannot_be),
        cmocka_unit_test(versions_are_bound_exactly),
        cmocka_unit_test(config_get_and_get_all),
        cmocka_unit_test(config_nothing_given_is_none),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
