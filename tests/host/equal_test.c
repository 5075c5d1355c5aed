/* equal_test.c - every guest there is, under per-request: whatever a request did - ended well,
 * trapped, was cancelled, lost its client or its body, grew its memory - the next one finds an
 * instance that equals the template's image in every byte, global, handle and flag, or a new one.
 * (equal_big_test.c: the same for the large guests.)
 */
#include "support_equal.h"
#include "support_guests.h"

static const struct req get = {.path = "/"};

static void c_hello(void **state)
{
    (void)state;
    equal_all_ways("c-hello", &get, false, 12);
}
static void c_counter(void **state)
{
    (void)state;
    equal_all_ways("c-counter", &get, false, 12);
}
static void c_slow(void **state)
{
    (void)state;
    equal_all_ways("c-slow", &get, false, 12);
}
static void c_echo(void **state)
{
    (void)state;
    equal_all_ways("c-echo", &(struct req){.method = "POST", .path = "/", .body = "to and fro"},
                   true, 12);
}
static void rust_hello(void **state)
{
    (void)state;
    equal_all_ways("rust-hello", &get, false, 12);
}

/* ---- the hostile guest: every misdeed it knows ---- */

static void c_hostile(void **state)
{
    static const char *const deeds[] = {
        "/remember",    "/count",        "/leakhandles", "/flood-handles", "/use-dropped",
        "/wrong-type",  "/invented",     "/drop-twice",  "/drop-parent",   "/poll-nothing",
        "/poll-twice",  "/take-twice",   "/set-twice",   "/bad-pointer",   "/clockrand",
        "/print",       "/exit-before",  "/exit",        "/exit-error",    "/exit-code",
        "/leak",        "/hoard",        "/grow",        "/before-set",    "/after-set",
        "/in-body",     "/after-end",    "/deep",        "/deep-calls",    "/outside",
        "/bad-call",    "/sleepforever", "/late",        "/noanswer",      "/drop-outparam",
        "/seterr",      "/too-short",    "/too-long",    "/abandon",       "/empty",
        "/past-permit", "/ignore-body",  "/sink",        "/trailers",      "/bad-headers",
        "/endless",     "/large-headers", "/huge-headers",
    };
    const struct req r = {.path = "/remember"};
    struct equal *e = malloc(sizeof *e);
    (void)state;
    assert_non_null(e);
    equal_all_ways("c-hostile", &r, false, 12);
    if (!equal_begin(e, "c-hostile", 0)) {
        free(e);
        return;
    }
    struct world *w = &e->w;
    equal_good(e, &r, false);
    for (size_t d = 0; d < HF_ARRAY_LEN(deeds); d++) {
        size_t i =
            post_with(w, NULL, &(struct req){.path = deeds[d], .body = "abc", .timeout_ns = 2 * S});
        equal_run(e);
        if (w->requests[i].answers == 1 && w->requests[i].kind == HF_ANSWER_OK &&
            strcmp(deeds[d], "/endless") != 0)
            take_all(w, i);
        world_pass(w, 1 * S);
        world_pass(w, 2 * S);
        equal_forget(e, i);
        equal_run(e);
        /* Whichever it finds, it must be right: the watch and the answer say so. */
        size_t k = post_with(w, NULL, &r);
        equal_run(e);
        assert_int_equal(status(w, k), 200);
        assert_string_equal(take_all(w, k), e->answer);
        equal_run(e);
        equal_forget(e, k);
    }
    print_message("c-hostile: after %zu misdeeds %u requests found an equal instance, %u a new "
                  "one\n",
                  HF_ARRAY_LEN(deeds), equal_found(), equal_fresh());
    assert_true(equal_found() > 40 && equal_fresh() > 10);
    equal_end(e);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_hello), cmocka_unit_test(c_counter), cmocka_unit_test(c_slow),
        cmocka_unit_test(c_echo),  cmocka_unit_test(c_hostile), cmocka_unit_test(rust_hello),
    };
    return cmocka_run_group_tests_name("equal", tests, guests_open, guests_close);
}
