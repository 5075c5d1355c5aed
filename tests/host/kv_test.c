/* kv_test.c - wasi:keyvalue as a guest sees it: every function and every error, both drafts, over a store that answers at once and
 * over one that answers late. (What a store must do is in tests/store/kv_contract.h; settings, versions and wasi:config: config_test.c.)
 */
#include "support.h"

#include "store/kv.h"
#include "tests/store/kv_late.h"

/* ---- a world with a store -------------------------------------------------------------------------------- */

struct kvworld {
    struct world w;
    struct hf_kv *memory;
    struct kv_late late;
    bool is_late;
};
enum { DRAFT2 = 1 }; /* bit of world.note: which draft a script calls */

static const char *const grants[] = {"b", "other", "read:ro", "", "odd:ro:rw", NULL};

static void kv_open_with(struct kvworld *k, void **state, bool late, const struct hf_kv_limits *limits, struct world_settings s)
{
    assert_int_equal(hf_kv_memory_new(limits, 7, &k->memory), HF_OK);
    kv_late_init(&k->late, k->memory, 3);
    k->is_late = late;
    s.kv = late ? &k->late.kv : k->memory;
    if (s.keyvalue == NULL)
        s.keyvalue = grants;
    world_open_with(&k->w, state, &s);
}

static void kv_run(struct kvworld *k)
{
    world_run(&k->w);
    while (kv_late_step(&k->late))
        world_run(&k->w);
}

static void kv_close(struct kvworld *k)
{
    world_close(&k->w);
    kv_late_done(&k->late); /* nothing of a guest that is gone is held */
    hf_kv_close(k->memory);
}

/* In all four ways. */
static void run_kv_with(void **state, script_fn script, const struct hf_kv_limits *limits)
{
    for (unsigned way = 0; way < 4; way++) {
        struct kvworld k;
        kv_open_with(&k, state, (way & 2) != 0, limits, (struct world_settings){0});
        k.w.note = way & 1;
        size_t i = post(&k.w, script);
        kv_run(&k);
        const struct request *r = &k.w.requests[i];
        if (r->answers != 1 || r->kind == HF_ANSWER_DEAD || r->kind == HF_ANSWER_LIMITED)
            fail_msg("way %u: %u answers: %s", way, r->answers, r->answers == 0 ? "" : (const char *)r->head_bytes.ptr);
        assert_int_equal(k.w.seen[7], 1); /* it came to its end */
        kv_close(&k);
    }
}

static void run_kv(void **state, script_fn script)
{
    run_kv_with(state, script, &(struct hf_kv_limits){0});
}

/* ---- for scripts ------------------------------------------------------------------------------------------ */

#define END (t->w->seen[7] = 1)

/* The function of the draft that is tested. */
static const char *fn(const struct guest *t, const char *iface, const char *name)
{
    static char text[8][96];
    static unsigned at;
    char *to = text[at++ % 8];
    snprintf(to, 96, "wasi:keyvalue/%s@0.2.0-draft%s#%s", iface, (t->w->note & DRAFT2) != 0 ? "2" : "", name);
    return to;
}
#define STORE(name)   fn(t, "store", name)
#define ATOMICS(name) fn(t, "atomics", name)
#define BATCH(name)   fn(t, "batch", name)

static struct hf_value V(struct hf_view v)
{
    return hf_value_bytes(v);
}

/* What a result<_, error> says: "" ok, "no-such-store", "access-denied", or other's text. */
static const char *error_of(const struct hf_value *r)
{
    static char text[256];
    if (r == NULL)
        return "a trap";
    if (r->tag == 0)
        return "";
    const struct hf_value *e = r->items;
    snprintf(text, sizeof text, "%.*s", e->tag == 2 ? (int)e->items[0].len : 0, e->tag == 2 ? (const char *)e->items[0].bytes : "");
    return e->tag == 0 ? "no-such-store" : e->tag == 1 ? "access-denied" : text;
}
#define TRAPS_IN(text, name, ...)                                                                                                      \
    do {                                                                                                                               \
        CHECK(guest_call(t, name, ARGS(__VA_ARGS__)) == NULL && guest_trapped(t, text));                                               \
    } while (0)
#define IS_ERROR(r, text) CHECK(strcmp(error_of(r), text) == 0)
#define IS_OK(r)          CHECK(strcmp(error_of(r), "") == 0)

static uint32_t open_bucket(struct guest *t, const char *name)
{
    const struct hf_value args[] = {T(name)};
    const struct hf_value *r = guest_call(t, STORE("open"), args, 1);
    return r == NULL || r->tag != 0 ? 0 : (uint32_t)r->items[0].u64;
}

static bool set(struct guest *t, uint32_t b, struct hf_view key, struct hf_view value)
{
    const struct hf_value args[] = {H(b), V(key), V(value)};
    const struct hf_value *r = guest_call(t, STORE("bucket.set"), args, 3);
    return r != NULL && r->tag == 0;
}

/* The key's value is this; NULL: it is not there. */
static bool holds(struct guest *t, uint32_t b, struct hf_view key, const char *text)
{
    const struct hf_value args[] = {H(b), V(key)};
    const struct hf_value *r = guest_call(t, STORE("bucket.get"), args, 2);
    if (r == NULL || r->tag != 0)
        return false;
    const struct hf_value *o = r->items;
    return text == NULL ? o->tag == 0 : o->tag == 1 && is_text(o->items, text);
}

/* ---- store ------------------------------------------------------------------------------------------------ */

static void store_functions(struct guest *t)
{
    uint32_t b = open_bucket(t, "b"), again = open_bucket(t, "b"), other = open_bucket(t, "other");
    CHECK(b != 0 && again != 0 && other != 0 && b != again);
    CHECK(holds(t, b, HF_VIEW("k"), NULL));
    CALL(no, STORE("bucket.exists"), H(b), T("k"));
    CHECK(no->tag == 0 && no->items[0].u64 == 0);
    CHECK(set(t, b, HF_VIEW("k"), HF_VIEW("value\0\xff")));
    CALL(yes, STORE("bucket.exists"), H(b), T("k"));
    CHECK(yes->tag == 0 && yes->items[0].u64 == 1);
    CALL(got, STORE("bucket.get"), H(again), T("k")); /* the same bucket by another handle */
    CHECK(got->tag == 0 && got->items[0].tag == 1);
    CHECK(hf_view_eq(hf_value_view(got->items[0].items), HF_VIEW("value\0\xff")));
    CHECK(holds(t, other, HF_VIEW("k"), NULL));
    CALL(gone, STORE("bucket.delete"), H(b), T("k"));
    IS_OK(gone);
    CALL(twice, STORE("bucket.delete"), H(b), T("k")); /* does nothing */
    IS_OK(twice);
    CHECK(holds(t, again, HF_VIEW("k"), NULL));
    END;
}
static void store_does_what_it_says(void **state)
{
    run_kv(state, store_functions);
}

static void odd_keys(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    CHECK(set(t, b, HF_VIEW(""), HF_VIEW("empty")) && set(t, b, HF_VIEW("a\0b"), HF_VIEW("nul")));
    CHECK(set(t, b, HF_VIEW("\xc3\xa9\xf0\x9f\x98\x80"), HF_VIEW("")));
    CHECK(holds(t, b, HF_VIEW(""), "empty") && holds(t, b, HF_VIEW("a\0b"), "nul") && holds(t, b, HF_VIEW("a"), NULL));
    CHECK(holds(t, b, HF_VIEW("\xc3\xa9\xf0\x9f\x98\x80"), ""));
    CALL(list, STORE("bucket.list-keys"), H(b), CASE(0, NULL));
    CHECK(list->tag == 0 && list->items[0].items[0].len == 3 && list->items[0].items[1].tag == 0);
    END;
}
static void keys_may_be_empty_and_hold_nul(void **state)
{
    run_kv(state, odd_keys);
}

static void wrong_names(struct guest *t)
{
    static const char *const names[] = {"c", "B", "read:ro", "b:rw", "odd", "other ", "\xc3\xa9"};
    for (size_t i = 0; i < HF_ARRAY_LEN(names); i++) {
        CALL(r, STORE("open"), T(names[i]));
        IS_ERROR(r, "access-denied"); /* whether there is one or not */
    }
    CALL(nul, STORE("open"), V(HF_VIEW("b\0")));
    IS_ERROR(nul, "access-denied");
    CHECK(open_bucket(t, "") != 0 && open_bucket(t, "read") != 0 && open_bucket(t, "odd:ro") != 0);
    END;
}
static void grants_only_what_is_granted_opens(void **state)
{
    run_kv(state, wrong_names);
}

static void no_store(struct guest *t)
{
    CALL(r, STORE("open"), T("b"));
    IS_ERROR(r, "no-such-store");
    END;
}
static void grants_without_a_store_there_is_none(void **state)
{
    for (unsigned note = 0; note < 2; note++) {
        struct world w;
        world_open(&w, state);
        w.note = note;
        post(&w, no_store);
        world_run(&w);
        assert_int_equal(w.seen[7], 1);
        world_close(&w);
    }
}

static void read_only(struct guest *t)
{
    uint32_t b = open_bucket(t, "read");
    struct hf_value pair[2] = {T("k"), T("v")}, kv = {.items = pair, .len = 2};
    CHECK(b != 0 && holds(t, b, HF_VIEW("k"), NULL));
    CALL(s, STORE("bucket.set"), H(b), T("k"), T("v"));
    IS_ERROR(s, "access-denied");
    CALL(d, STORE("bucket.delete"), H(b), T("k"));
    IS_ERROR(d, "access-denied");
    CALL(i, ATOMICS("increment"), H(b), T("k"), U(1));
    IS_ERROR(i, "access-denied");
    CALL(sm, BATCH("set-many"), H(b), LIST(&kv, 1));
    IS_ERROR(sm, "access-denied");
    CALL(dm, BATCH("delete-many"), H(b), LIST(pair, 1));
    IS_ERROR(dm, "access-denied");
    CALL(gm, BATCH("get-many"), H(b), LIST(pair, 1));
    IS_OK(gm);
    CALL(l, STORE("bucket.list-keys"), H(b), CASE(0, NULL));
    IS_OK(l);
    if ((t->w->note & DRAFT2) != 0) {
        CALL(c, ATOMICS("cas.new"), H(b), T("k"));
        CHECK(c->tag == 0);
        CALL(sw, ATOMICS("swap"), H((uint32_t)c->items[0].u64), T("v"));
        CHECK(sw->tag == 1 && sw->items[0].tag == 0 && sw->items[0].items[0].tag == 1); /* store-error(access-denied) */
    }
    CHECK(holds(t, b, HF_VIEW("k"), NULL));
    END;
}
static void grants_read_only_refuses_every_write(void **state)
{
    run_kv(state, read_only);
}

/* ---- list-keys -------------------------------------------------------------------------------------------- */

static bool next_page(struct guest *t, uint32_t b, struct hf_value *cursor, uint32_t *n)
{
    const struct hf_value args[] = {H(b), *cursor};
    const struct hf_value *r = guest_call(t, STORE("bucket.list-keys"), args, 2);
    if (r == NULL || r->tag != 0)
        return false;
    const struct hf_value *page = r->items[0].items;
    *n = page[0].len;
    *cursor = page[1];
    for (uint32_t i = 0; i < page[0].len; i++) { /* delete while listing */
        const struct hf_value del[] = {H(b), page[0].items[i]};
        if (i % 2 == 0 && guest_call(t, STORE("bucket.delete"), del, 2) == NULL)
            return false;
    }
    return true;
}

static void pages(struct guest *t)
{
    uint32_t b = open_bucket(t, "b"), n = 0, sum = 0, left = 0, rounds = 0;
    struct hf_value cursor = CASE(0, NULL);
    char key[16];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key %u", i);
        CHECK(set(t, b, hf_view_of(key), HF_VIEW("v")));
    }
    do {
        CHECK(next_page(t, b, &cursor, &n) && n <= 7);
        sum += n;
        rounds++;
    } while (cursor.tag != 0);
    CHECK_INT(sum, 100);
    CHECK_INT(rounds, 15);
    for (cursor = CASE(0, NULL), sum = 0; left == 0 || cursor.tag != 0; left++) {
        CHECK(next_page(t, b, &cursor, &n));
        sum += n;
    }
    CHECK_INT(sum, 43); /* of 14 pages of 7, 3 are left each; of the one of 2, one */
    END;
}
static void list_pages_while_deleting(void **state)
{
    run_kv_with(state, pages, &(struct hf_kv_limits){.page_keys = 7});
}

static void cursors(struct guest *t)
{
    static const char *const wrong[] = {"", "0", "x", "1x", "-1", " 1", "18446744073709551616", "99999999999999999999999", "18446744073709551615"};
    uint32_t b = open_bucket(t, "b");
    CHECK(set(t, b, HF_VIEW("k"), HF_VIEW("v")));
    if ((t->w->note & DRAFT2) == 0) {
        struct hf_value far = U(UINT64_MAX), begin = U(0);
        CALL(r, STORE("bucket.list-keys"), H(b), CASE(1, &far));
        IS_ERROR(r, "not a cursor that list-keys gave");
        CALL(z, STORE("bucket.list-keys"), H(b), CASE(1, &begin));
        CHECK(z->tag == 0 && z->items[0].items[0].len == 1);
    }
    for (size_t i = 0; (t->w->note & DRAFT2) != 0 && i < HF_ARRAY_LEN(wrong); i++) {
        struct hf_value c = T(wrong[i]);
        CALL(r, STORE("bucket.list-keys"), H(b), CASE(1, &c));
        IS_ERROR(r, "not a cursor that list-keys gave");
    }
    END;
}
static void list_refuses_a_made_up_cursor(void **state)
{
    run_kv(state, cursors);
}

/* A bucket that is larger than a guest: page by page. */
static void walks(struct guest *t)
{
    uint32_t b = open_bucket(t, "b"), n = 0, sum = 0;
    struct hf_value cursor = CASE(0, NULL);
    do {
        const struct hf_value args[] = {H(b), cursor};
        const struct hf_value *r = guest_call(t, STORE("bucket.list-keys"), args, 2);
        CHECK(r != NULL && r->tag == 0);
        sum += r->items[0].items[0].len;
        cursor = r->items[0].items[1];
        n++;
    } while (cursor.tag != 0);
    CHECK_INT(n, 200);
    CHECK_INT(sum, 200000);
    END;
}
static void list_pages_through_very_many(void **state)
{
    struct kvworld k;
    struct hf_kv_bucket *b;
    kv_open_with(&k, state, true, &(struct hf_kv_limits){0}, (struct world_settings){0});
    assert_int_equal(hf_kv_bucket(k.memory, HF_VIEW("s"), HF_VIEW("b"), &b), HF_OK);
    for (unsigned i = 0; i < 200000; i++) {
        char key[16];
        struct hf_kv_op op = {.kind = HF_KV_SET, .bucket = b, .key = hf_view(key, (size_t)snprintf(key, sizeof key, "%u", i))};
        assert_int_equal(hf_kv_begin(k.memory, &op), HF_OK);
        assert_int_equal(op.r.refusal, HF_KV_NONE);
    }
    post(&k.w, walks);
    kv_run(&k);
    assert_int_equal(k.w.seen[7], 1);
    kv_close(&k);
}

/* ---- atomics ---------------------------------------------------------------------------------------------- */

static void increments(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    CALL(one, ATOMICS("increment"), H(b), T("n"), U(41));
    CHECK(one->tag == 0 && one->items[0].u64 == 41);
    CALL(two, ATOMICS("increment"), H(b), T("n"), U(1));
    CHECK(two->tag == 0 && two->items[0].u64 == 42);
    CHECK(holds(t, b, HF_VIEW("n"), "42"));
    CHECK(set(t, b, HF_VIEW("text"), HF_VIEW("forty-two")));
    CALL(bad, ATOMICS("increment"), H(b), T("text"), U(1));
    IS_ERROR(bad, "the value is not a number of this type in decimal digits");
    CHECK(holds(t, b, HF_VIEW("text"), "forty-two"));
    bool is_signed = (t->w->note & DRAFT2) != 0;
    CHECK(set(t, b, HF_VIEW("max"), is_signed ? HF_VIEW("9223372036854775807") : HF_VIEW("18446744073709551615")));
    CALL(full, ATOMICS("increment"), H(b), T("max"), U(1));
    IS_ERROR(full, "the sum is too large or too small for its type");
    CALL(down, ATOMICS("increment"), H(b), T("m"), U(is_signed ? (uint64_t)-5 : 5));
    CHECK(down->tag == 0 && down->items[0].u64 == (is_signed ? (uint64_t)-5 : 5));
    CHECK(holds(t, b, HF_VIEW("m"), is_signed ? "-5" : "5"));
    END;
}
static void atomics_increment(void **state)
{
    run_kv(state, increments);
}

static uint32_t new_cas(struct guest *t, uint32_t b, const char *key)
{
    const struct hf_value args[] = {H(b), T(key)};
    const struct hf_value *r = guest_call(t, ATOMICS("cas.new"), args, 2);
    return r == NULL || r->tag != 0 ? 0 : (uint32_t)r->items[0].u64;
}

static size_t live_objects(const struct guest *t)
{
    size_t n = 0;
    HF_LIST_FOR (it, &t->g->objects)
        n++;
    return n;
}

static void swaps(struct guest *t)
{
    t->w->note |= DRAFT2; /* there is no cas in the first */
    size_t before = live_objects(t);
    uint32_t b = open_bucket(t, "b"), a = new_cas(t, b, "k"), late = new_cas(t, b, "k");
    CALL(none, ATOMICS("cas.current"), H(a));
    CHECK(none->tag == 0 && none->items[0].tag == 0);
    DROP(b); /* a cas needs its bucket's handle no more */
    CALL(won, ATOMICS("swap"), H(a), T("1"));
    CHECK(won->tag == 0);
    CALL(lost, ATOMICS("swap"), H(late), T("2"));
    CHECK(lost->tag == 1 && lost->items[0].tag == 1); /* cas-failed */
    late = (uint32_t)lost->items[0].items[0].u64;
    CALL(now, ATOMICS("cas.current"), H(late));
    CHECK(now->tag == 0 && now->items[0].tag == 1 && is_text(now->items[0].items, "1"));
    CALL(again, ATOMICS("swap"), H(late), T("3")); /* the new one has the newest version */
    CHECK(again->tag == 0);
    b = open_bucket(t, "b");
    CHECK(holds(t, b, HF_VIEW("k"), "3"));

    uint32_t c = new_cas(t, b, "k"); /* gone and come back with the same bytes is a change */
    CALL(d, STORE("bucket.delete"), H(b), T("k"));
    CHECK(set(t, b, HF_VIEW("k"), HF_VIEW("3")));
    CALL(aba, ATOMICS("swap"), H(c), T("x"));
    CHECK(aba->tag == 1 && aba->items[0].tag == 1);
    c = (uint32_t)aba->items[0].items[0].u64; /* what failed can be tried at once, without a look */
    CALL(retry, ATOMICS("swap"), H(c), T("y"));
    CHECK(retry->tag == 0 && holds(t, b, HF_VIEW("k"), "y"));

    c = new_cas(t, b, "k"); /* a look makes it new */
    CHECK(set(t, b, HF_VIEW("k"), HF_VIEW("z")));
    CALL(look, ATOMICS("cas.current"), H(c));
    CHECK(is_text(look->items[0].items, "z"));
    CALL(fresh, ATOMICS("swap"), H(c), T("4"));
    CHECK(fresh->tag == 0);

    c = new_cas(t, b, "k"); /* a swap takes the handle, whatever comes of it */
    CALL(big, ATOMICS("swap"), H(c), T("more than ten bytes"));
    CHECK(big->tag == 1 && big->items[0].tag == 0 && big->items[0].items[0].tag == 2);
    CHECK(is_text(big->items[0].items[0].items, "the value is longer than 10 bytes"));
    CHECK(hf_handles_at(&t->call->ci->handles, c) == NULL);
    c = new_cas(t, b, "k");
    DROP(c);
    CHECK_INT(live_objects(t), before + 1); /* the bucket */
    CALL(key, ATOMICS("cas.new"), H(b), T("longer than 16 bytes"));
    IS_ERROR(key, "the key is longer than 16 bytes");
    END;
}
static void atomics_swap(void **state)
{
    run_kv_with(state, swaps, &(struct hf_kv_limits){.value_max = 10, .key_max = 16});
}

/* ---- batch ------------------------------------------------------------------------------------------------ */

/* Entry i of a get-many, in either shape. */
static bool entry_is(struct guest *t, const struct hf_value *r, uint32_t i, const char *key, const char *value)
{
    const struct hf_value *e = &r->items[0].items[i];
    if ((t->w->note & DRAFT2) != 0)
        return is_text(&e->items[0], key) && (value == NULL ? e->items[1].tag == 0 : is_text(e->items[1].items, value));
    if (value == NULL)
        return e->tag == 0;
    return e->tag == 1 && is_text(&e->items->items[0], key) && is_text(&e->items->items[1], value);
}

static void batches(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    struct hf_value pairs[4][2] = {{T("a"), T("1")}, {T("b"), T("2")}, {T("c"), T("")}, {T("a"), T("3")}}, list[4];
    struct hf_value keys[4] = {T("c"), T("missing"), T("a"), T("a")};
    for (unsigned i = 0; i < 4; i++)
        list[i] = (struct hf_value){.items = pairs[i], .len = 2};
    CALL(s, BATCH("set-many"), H(b), LIST(list, 4));
    IS_OK(s);
    CALL(g, BATCH("get-many"), H(b), LIST(keys, 4));
    CHECK(g->tag == 0 && g->items[0].len == 4);
    CHECK(entry_is(t, g, 0, "c", "") && entry_is(t, g, 1, "missing", NULL));
    CHECK(entry_is(t, g, 2, "a", "3") && entry_is(t, g, 3, "a", "3")); /* the last of two wins */
    CALL(d, BATCH("delete-many"), H(b), LIST(keys, 3));
    IS_OK(d);
    CHECK(holds(t, b, HF_VIEW("a"), NULL) && holds(t, b, HF_VIEW("b"), "2") && holds(t, b, HF_VIEW("c"), NULL));
    CALL(s0, BATCH("set-many"), H(b), LIST(NULL, 0));
    IS_OK(s0);
    CALL(g0, BATCH("get-many"), H(b), LIST(NULL, 0));
    CHECK(g0->tag == 0 && g0->items[0].len == 0);

    pairs[1][1] = T("longer than ten"); /* one is refused, the others are done */
    CALL(part, BATCH("set-many"), H(b), LIST(list, 3));
    IS_ERROR(part, "the value is longer than 10 bytes");
    CHECK(holds(t, b, HF_VIEW("a"), "1") && holds(t, b, HF_VIEW("b"), "2") && holds(t, b, HF_VIEW("c"), ""));
    struct hf_value five[5] = {T("a"), T("a"), T("a"), T("a"), T("a")};
    CALL(many, BATCH("get-many"), H(b), LIST(five, 5));
    IS_ERROR(many, "one call may name 4 keys");
    CALL(del, BATCH("delete-many"), H(b), LIST(five, 5));
    IS_ERROR(del, "one call may name 4 keys");
    END;
}
static void batch_many_keys(void **state)
{
    run_kv_with(state, batches, &(struct hf_kv_limits){.value_max = 10, .batch_keys = 4});
}

/* Ten thousand times the same megabyte would hold the thread for seconds. */
static void too_much(struct guest *t)
{
    enum { N = 17 };
    static uint8_t value[1 << 20];
    static struct hf_value keys[N], pairs[N][2], list[N];
    uint32_t b = open_bucket(t, "b");
    CHECK(set(t, b, HF_VIEW("k"), hf_view(value, sizeof value)));
    for (unsigned i = 0; i < N; i++) {
        pairs[i][0] = keys[i] = T("k");
        pairs[i][1] = V(hf_view(value, sizeof value - 1));
        list[i] = (struct hf_value){.items = pairs[i], .len = 2};
    }
    CALL(g, BATCH("get-many"), H(b), LIST(keys, N));
    IS_ERROR(g, "the keys and values of one call may have 16777216 bytes");
    CALL(s, BATCH("set-many"), H(b), LIST(list, N));
    IS_ERROR(s, "the keys and values of one call may have 16777216 bytes");
    CALL(still, STORE("bucket.get"), H(b), T("k")); /* nothing was done */
    CHECK(still->items[0].items[0].len == sizeof value);
    CALL(some, BATCH("get-many"), H(b), LIST(keys, 3));
    IS_OK(some);
    END;
}
static void batch_of_more_bytes_than_a_call_may_carry(void **state)
{
    run_kv(state, too_much);
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

static void big_values(struct guest *t)
{
    static uint8_t value[10 << 20];
    uint32_t b = open_bucket(t, "b");
    struct hf_view v = hf_view(value, sizeof value);
    CALL(big, STORE("bucket.set"), H(b), T("k"), V(v));
    IS_ERROR(big, "the value is longer than 1048576 bytes");
    CHECK(set(t, b, HF_VIEW("k"), hf_view_take(v, 1 << 20)));
    CALL(got, STORE("bucket.get"), H(b), T("k"));
    CHECK(got->tag == 0 && got->items[0].items[0].len == 1 << 20);
    CALL(key, STORE("bucket.set"), H(b), V(hf_view_take(v, 1025)), T("v"));
    IS_ERROR(key, "the key is longer than 1024 bytes");
    CALL(get, STORE("bucket.get"), H(b), V(hf_view_take(v, 1025)));
    IS_ERROR(get, "the key is longer than 1024 bytes");
    CALL(inc, ATOMICS("increment"), H(b), V(hf_view_take(v, 1025)), U(1));
    IS_ERROR(inc, "the key is longer than 1024 bytes");
    END;
}
static void limits_of_keys_and_values(void **state)
{
    run_kv(state, big_values);
}

static void fills(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    CHECK(set(t, b, HF_VIEW("1"), HF_VIEW("x")) && set(t, b, HF_VIEW("2"), HF_VIEW("x")));
    CALL(keys, STORE("bucket.set"), H(b), T("3"), T("x"));
    IS_ERROR(keys, "the bucket is full: it may hold 2 keys");
    CALL(bytes, STORE("bucket.set"), H(b), T("2"), T("0123456789"));
    IS_ERROR(bytes, "the bucket is full: it may hold 10 bytes");
    CHECK(holds(t, b, HF_VIEW("2"), "x"));
    uint32_t other = open_bucket(t, "other"); /* has its own */
    CHECK(set(t, other, HF_VIEW("3"), HF_VIEW("x")));
    END;
}
static void limits_of_a_bucket(void **state)
{
    run_kv_with(state, fills, &(struct hf_kv_limits){.keys_max = 2, .bytes_max = 10});
}

/* A store that fails: said, in the guest's error. */
static void broken(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    CALL(s, STORE("bucket.set"), H(b), T("k"), T("v"));
    IS_ERROR(s, "the store's disk is full or broken");
    CALL(g, STORE("bucket.get"), H(b), T("k"));
    IS_ERROR(g, "the store's disk is full or broken");
    CALL(l, STORE("bucket.list-keys"), H(b), CASE(0, NULL));
    IS_ERROR(l, "the store's disk is full or broken");
    struct hf_value keys[2] = {T("k"), T("l")};
    CALL(m, BATCH("get-many"), H(b), LIST(keys, 2));
    IS_ERROR(m, "the store's disk is full or broken");
    END;
}
static void errors_of_the_store_reach_the_guest(void **state)
{
    struct kvworld k;
    kv_open_with(&k, state, true, &(struct hf_kv_limits){0}, (struct world_settings){0});
    k.late.refuse = HF_KV_DISK;
    post(&k.w, broken);
    kv_run(&k);
    assert_int_equal(k.w.seen[7], 1);
    kv_close(&k);
}

/* ---- handles and ends ------------------------------------------------------------------------------------- */

static void dropped(struct guest *t)
{
    uint32_t b = open_bucket(t, "b"), other = open_bucket(t, "b");
    DROP(b);
    TRAPS_IN("handle", STORE("bucket.get"), H(b), T("k"));
    CHECK(set(t, other, HF_VIEW("k"), HF_VIEW("v"))); /* the other is whole */
    TRAPS_IN("handle", STORE("bucket.get"), H(t->out), T("k"));
    if ((t->w->note & DRAFT2) != 0) {
        uint32_t c = new_cas(t, other, "k");
        CALL(s, ATOMICS("swap"), H(c), T("w"));
        TRAPS_IN("handle", ATOMICS("swap"), H(c), T("x"));
        TRAPS_IN("handle", ATOMICS("cas.current"), H(c));
    }
    END;
}
static void handles_dropped_are_no_handles(void **state)
{
    run_kv(state, dropped);
}

static void waits_in(struct guest *t)
{
    uint32_t b = open_bucket(t, "b");
    struct hf_value pair[2] = {T("k"), T("v")}, kv = {.items = pair, .len = 2}, keys[3] = {T("k"), T("l"), T("k")};
    unsigned n = t->w->note / 2;
    t->w->seen[1] = 1;
    switch (n) {
    case 0: DO(STORE("bucket.get"), H(b), T("k")); break;
    case 1: DO(STORE("bucket.set"), H(b), T("k"), T("v")); break;
    case 2: DO(STORE("bucket.delete"), H(b), T("k")); break;
    case 3: DO(STORE("bucket.exists"), H(b), T("k")); break;
    case 4: DO(STORE("bucket.list-keys"), H(b), CASE(0, NULL)); break;
    case 5: DO(ATOMICS("increment"), H(b), T("n"), U(1)); break;
    case 6: DO(BATCH("get-many"), H(b), LIST(keys, 3)); break;
    case 7: DO(BATCH("set-many"), H(b), LIST(&kv, 1)); break;
    case 8: DO(BATCH("delete-many"), H(b), LIST(keys, 3)); break;
    default: DO(ATOMICS("cas.new"), H(b), T("k")); break;
    }
    t->w->seen[2] = 1; /* not reached when it is ended there */
}

/* A guest that is ended in each of its waits: by its deadline, by the end of the node, and when a part of a batch is done. */
static void killed_in_each_wait(void **state)
{
    for (unsigned n = 0; n < 20; n++) {
        for (unsigned how = 0; how < 3; how++) {
            struct kvworld k;
            if (n / 2 == 9 && n % 2 == 0)
                continue; /* no cas in the first draft */
            kv_open_with(&k, state, true, &(struct hf_kv_limits){0}, (struct world_settings){0});
            k.w.note = n;
            post_with(&k.w, waits_in, &(struct req){.timeout_ns = 1 * S});
            world_run(&k.w);
            assert_true(k.w.seen[1] == 1 && k.w.seen[2] == 0 && k.late.waiting > 0);
            if (how == 2 && k.late.waiting > 1)
                assert_true(kv_late_step(&k.late));
            if (how != 1)
                world_pass(&k.w, 2 * S);
            assert_int_equal(k.w.seen[2], 0);
            kv_close(&k);
        }
    }
}

static void waits_to_swap(struct guest *t)
{
    uint32_t b = open_bucket(t, "b"), c = new_cas(t, b, "k");
    t->w->seen[1] = 1;
    if (t->w->seen[3] == 0)
        DO(ATOMICS("swap"), H(c), T("v"));
    else
        DO(ATOMICS("cas.current"), H(c));
    t->w->seen[2] = 1;
}

static void killed_in_a_swap(void **state)
{
    for (unsigned current = 0; current < 2; current++) {
        struct kvworld k;
        kv_open_with(&k, state, true, &(struct hf_kv_limits){0}, (struct world_settings){0});
        k.w.note = DRAFT2;
        k.w.seen[3] = current;
        post_with(&k.w, waits_to_swap, &(struct req){.timeout_ns = 1 * S});
        world_run(&k.w);
        assert_true(kv_late_step(&k.late)); /* cas.new */
        world_run(&k.w);
        assert_true(k.w.seen[1] == 1 && k.late.waiting == 1);
        world_pass(&k.w, 2 * S);
        assert_int_equal(k.w.seen[2], 0);
        kv_close(&k);
    }
}

/* ---- what lasts -------------------------------------------------------------------------------------------- */

static void opens_at_start(struct guest *t)
{
    t->w->kept[0] = open_bucket(t, "b");
    CHECK(t->w->kept[0] != 0);
}

static void counts(struct guest *t)
{
    CALL(n, ATOMICS("increment"), H(t->w->kept[0]), T("n"), U(1));
    CHECK_INT(n->tag, 0);
    t->w->seen[0] = n->items[0].u64;
    CHECK(answer(t, "x"));
}

/* A bucket kept since the start goes into the image: the instance is put back, the store is not. */
static void image_may_keep_a_bucket(void **state)
{
    struct kvworld k;
    kv_open_with(&k, state, false, &(struct hf_kv_limits){0},
                 (struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST, .image = true, .on_start = opens_at_start});
    assert_true(hf_service_has_image(k.w.svc));
    for (unsigned i = 1; i <= 5; i++) {
        size_t r = post(&k.w, counts);
        kv_run(&k);
        take_all(&k.w, r);
        assert_int_equal(k.w.seen[0], i);
    }
    struct hf_service_counts c;
    hf_service_worker_counts(k.w.worker, &c);
    assert_int_equal(c.resets, 5);
    kv_close(&k);
}

static void keeps_a_cas(struct guest *t)
{
    t->w->note = DRAFT2;
    t->w->kept[0] = new_cas(t, open_bucket(t, "b"), "k");
    CHECK(t->w->kept[0] != 0);
}

static void image_may_not_keep_a_cas(void **state)
{
    struct kvworld k; /* its version would be the next request's */
    kv_open_with(&k, state, false, &(struct hf_kv_limits){0},
                 (struct world_settings){.lifecycle = HF_LIFE_PER_REQUEST, .no_image = "it keeps a cas", .on_start = keeps_a_cas});
    kv_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_does_what_it_says),
        cmocka_unit_test(keys_may_be_empty_and_hold_nul),
        cmocka_unit_test(grants_only_what_is_granted_opens),
        cmocka_unit_test(grants_without_a_store_there_is_none),
        cmocka_unit_test(grants_read_only_refuses_every_write),
        cmocka_unit_test(list_pages_while_deleting),
        cmocka_unit_test(list_refuses_a_made_up_cursor),
        cmocka_unit_test(list_pages_through_very_many),
        cmocka_unit_test(atomics_increment),
        cmocka_unit_test(atomics_swap),
        cmocka_unit_test(batch_many_keys),
        cmocka_unit_test(batch_of_more_bytes_than_a_call_may_carry),
        cmocka_unit_test(limits_of_keys_and_values),
        cmocka_unit_test(limits_of_a_bucket),
        cmocka_unit_test(errors_of_the_store_reach_the_guest),
        cmocka_unit_test(handles_dropped_are_no_handles),
        cmocka_unit_test(killed_in_each_wait),
        cmocka_unit_test(killed_in_a_swap),
        cmocka_unit_test(image_may_keep_a_bucket),
        cmocka_unit_test(image_may_not_keep_a_cas),
    };
    return cmocka_run_group_tests(tests, shared_open, shared_close);
}
