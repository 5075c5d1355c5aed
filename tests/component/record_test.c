/* record_test.c - records: the format, what a recorder refuses, and replays of what real guests do
 * not do (host/replay_test.c has those): start functions, guest resources, cancels in
 * mid-computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "component/record.h"
#include "support_world.h"

/* ---- the format ---- */

static void the_format_to_the_byte(void **state)
{
    struct hf_buf b = {0};
    uint8_t hash[32];
    struct hf_crossing x = {.kind = HF_CROSS_IMPORT,
                            .ci = 2,
                            .iface = HF_VIEW("a:b/c"),
                            .func = HF_VIEW("f"),
                            .args = HF_VIEW("\1\2")};
    (void)state;
    memset(hash, 7, sizeof hash);
    assert_int_equal(hf_record_write_header(&b, hash), HF_OK);
    assert_int_equal(b.len, HF_RECORD_HEADER_LEN);
    assert_memory_equal(b.ptr, "hfrec\1\1\0\7\7", 10);
    hf_buf_clear(&b);
    assert_int_equal(hf_record_write_begin(&b, &x), HF_OK);
    assert_int_equal(b.len, 13);
    assert_memory_equal(b.ptr, "\1\2\5a:b/c\1f\2\1\2", 13);
    hf_buf_clear(&b);
    x.result = HF_VIEW("ok");
    x.text = HF_VIEW("why");
    assert_int_equal(hf_record_write_end(&b, &x), HF_OK);
    x.err = HF_TRAP;
    assert_int_equal(hf_record_write_end(&b, &x), HF_OK);
    x.err = HF_CANCELLED;
    assert_int_equal(hf_record_write_end(&b, &x), HF_OK);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.ptr, "\20\2ok\21\3why\22\3why", 14);
    hf_buf_done(&b);
}

static void what_is_no_record_is_refused(void **state)
{
    static const struct {
        struct hf_view head;
        const char *text;
    } rows[] = {
        {HF_VIEW("hfrec\2\1\0"), "the record has version 2.1.0; this program reads 1.1.0"},
        {HF_VIEW("hfrec\1\2\0"), "version 1.2.0"},
        {HF_VIEW("hfrec\1\1\1"), "version 1.1.1"},
        {HF_VIEW("hfreX\1\1\0"), "this is not a record"},
    };
    (void)state;
    for (size_t i = 0; i < HF_ARRAY_LEN(rows); i++) {
        uint8_t record[HF_RECORD_HEADER_LEN] = {0};
        struct hf_record_reader r;
        struct hf_report report = {0};
        const uint8_t *hash;
        memcpy(record, rows[i].head.ptr, rows[i].head.len);
        assert_int_equal(hf_record_open(&r, hf_view(record, sizeof record), &hash, &report),
                         HF_INVALID);
        assert_non_null(strstr(report.text, rows[i].text));
        record[5] = record[6] = 1;
        assert_int_equal(hf_record_open(&r, hf_view(record, sizeof record - 1), &hash, NULL),
                         HF_INVALID);
    }
}

/* ---- recording and replaying ---- */

/* A started instance that is recorded from before its start. */
static struct hf_instance *record(struct world *w, const char *wat, uint64_t max,
                                  struct hf_recorder **rec)
{
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_new(w, c);
    hf_component_unref(c);
    assert_int_equal(hf_recorder_new(inst, max, rec), HF_OK);
    assert_int_equal(hf_instance_start(inst), HF_OK);
    return inst;
}

/* Replays all of it on a new instance: how the last call ended. No difference is wanted, and the
 * host must not hear of anything. */
static enum hf_err replay(struct world *w, const char *wat, struct hf_view bytes)
{
    struct hf_component *c = world_load(w, wat);
    struct hf_instance *inst = world_new(w, c);
    struct hf_replay *rp;
    struct hf_report report = {0};
    enum hf_err err = HF_OK, next = HF_OK;
    w->log[0] = '\0';
    assert_int_equal(hf_replay_new(inst, bytes, false, &rp, &report), HF_OK);
    while (err == HF_OK && (next = hf_replay_next(rp, &report)) == HF_OK)
        while ((err = hf_instance_poll(inst)) == HF_AGAIN)
            assert_int_equal(hf_instance_why(inst), HF_WHY_SLICE);
    if (err == HF_OK && next != HF_CLOSED)
        fail_msg("%s", report.text);
    if (hf_replay_difference(rp) != NULL)
        fail_msg("%s", hf_replay_difference(rp)->text);
    hf_instance_free(inst);
    assert_string_equal(w->log, "");
    hf_replay_free(rp);
    hf_component_unref(c);
    return err;
}

static const char busy_wat[] =
    WORLD_COMPONENT("(func $start (drop (call $new (i32.const 9)))) (start $start)"
                    "(func (export \"use\") (param i32) (result i32) (local $t i32)"
                    "  (local.set $t (call $make (local.get 0))) (call $block (i32.const 3))"
                    "  (call $log (i32.const 0) (i32.const 2))"
                    "  (drop (call $get (i32.const 1))) (call $drop (i32.const 1))"
                    "  (i32.add (call $take (local.get $t)) (call $new (i32.const 5))))"
                    "(func (export \"fail\") (call $fail))"
                    "(func (export \"spin\") (loop $l (br $l)))"
                    "(data (i32.const 0) \"hi\")",
                    WORLD_LIFT("use", WORLD_U32_U32) WORLD_LIFT("fail", "") WORLD_LIFT("spin", ""));

static void starts_blocks_handles_and_drops(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_recorder *rec;
    struct hf_instance *inst = record(w, busy_wat, 0, &rec);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(world_u32(w, inst, "use", 40, 0), 42); /* 40, and handle 2 came back */
    assert_string_equal(w->log, "new 9;new 40;log hi;get 9;drop 9;drop 40;new 5;");
    hf_instance_free(inst);
    assert_int_equal(replay(w, busy_wat, hf_recorder_bytes(rec)), HF_OK);
    hf_recorder_free(rec);
}

static void a_trap_of_the_host_and_a_cancel_while_it_waits(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_recorder *rec;
    struct hf_instance *inst = record(w, busy_wat, 0, &rec);
    assert_int_equal(world_run(w, inst), HF_OK);
    world_traps(w, inst, "fail", "fail");
    hf_instance_free(inst);
    assert_int_equal(replay(w, busy_wat, hf_recorder_bytes(rec)), HF_TRAP);
    hf_recorder_free(rec);

    const struct hf_value n = hf_value_u64(1);
    inst = record(w, busy_wat, 0, &rec);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(hf_instance_call(inst, world_export(inst, "use"), &n, 1), HF_OK);
    assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
    hf_instance_cancel(inst);
    hf_instance_free(inst);
    assert_int_equal(replay(w, busy_wat, hf_recorder_bytes(rec)), HF_CANCELLED);
    hf_recorder_free(rec);
}

/* Where a computing guest was cut off is not recorded, and it comes to nothing that could be seen.
 * Its replay has to be cut off in the same way, by its owner's deadline. */
static void a_cancel_in_mid_computation(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_recorder *rec;
    struct hf_instance *inst = record(w, busy_wat, 0, &rec);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(hf_instance_call(inst, world_export(inst, "spin"), NULL, 0), HF_OK);
    assert_int_equal(hf_instance_poll(inst), HF_AGAIN);
    assert_int_equal(hf_instance_why(inst), HF_WHY_SLICE);
    hf_instance_cancel(inst);
    struct hf_record_reader r;
    struct hf_record_entry e, last = {0};
    const uint8_t *hash;
    assert_int_equal(hf_record_open(&r, hf_recorder_bytes(rec), &hash, NULL), HF_OK);
    while (hf_record_next(&r, &e, NULL) == HF_OK)
        last = e;
    assert_int_equal(last.end, HF_RECORD_CANCELLED);
    hf_instance_free(inst);
    hf_recorder_free(rec);
}

static void resources_of_the_guest(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_recorder *rec;
    struct hf_instance *inst = record(w, world_guest_resource_wat, 0, &rec);
    const struct hf_value v = hf_value_u64(41);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(world_call(w, inst, "make", &v, 1), HF_OK);
    struct hf_value own = *hf_instance_result(inst);
    assert_int_equal(world_call(w, inst, "get", &own, 1), HF_OK);
    const struct hf_resource_type *t = hf_export_type(world_export(inst, "make"))->result->resource;
    assert_int_equal(hf_instance_drop_guest(inst, t, own.u64), HF_OK);
    assert_int_equal(world_run(w, inst), HF_OK);
    assert_int_equal(world_u32(w, inst, "sum", 0, 0), 41);
    hf_instance_free(inst);
    assert_int_equal(replay(w, world_guest_resource_wat, hf_recorder_bytes(rec)), HF_OK);
    hf_recorder_free(rec);
}

/* Offset of the call of `func` in a record. */
static size_t place_of(struct hf_view record, const char *func)
{
    struct hf_record_reader r;
    struct hf_record_entry e;
    const uint8_t *hash;
    assert_int_equal(hf_record_open(&r, record, &hash, NULL), HF_OK);
    while (hf_record_next(&r, &e, NULL) == HF_OK)
        if (e.end == HF_RECORD_NOT_END && hf_view_eq_text(e.func, func))
            return e.at;
    fail_msg("no call of %s", func);
    return 0;
}

/* The guest traps at the import that would not be recorded; the host does not hear of it. */
static void a_full_record_ends_the_guest(void **state)
{
    struct world *w = world_fresh(state);
    struct hf_recorder *rec;
    size_t max = 0;
    for (int i = 0; i < 2; i++) {
        struct hf_instance *inst = record(w, busy_wat, max, &rec);
        const struct hf_value n = hf_value_u64(40);
        assert_int_equal(world_run(w, inst), HF_OK);
        w->log[0] = '\0';
        assert_int_equal(world_call(w, inst, "use", &n, 1), i == 0 ? HF_OK : HF_TRAP);
        if (i == 0) {
            max = place_of(hf_recorder_bytes(rec), "log") + 5;
            assert_non_null(strstr(w->log, "log hi"));
        } else {
            assert_non_null(strstr(hf_instance_report(inst)->text, "limit: the record is full"));
            assert_true(hf_recorder_bytes(rec).len <= max);
            assert_null(strstr(w->log, "log hi"));
        }
        hf_instance_free(inst);
        hf_recorder_free(rec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_format_to_the_byte),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(starts_blocks_handles_and_drops),
        cmocka_unit_test(a_trap_of_the_host_and_a_cancel_while_it_waits),
        cmocka_unit_test(a_cancel_in_mid_computation),
        cmocka_unit_test(resources_of_the_guest),
        cmocka_unit_test(a_full_record_ends_the_guest),
    };
    return cmocka_run_group_tests_name("record", tests, world_setup, world_teardown);
}
