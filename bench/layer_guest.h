/* layer_guest.h - the guest of layer_bench.c and the host under it: each host function does as
 * little as it can, each loop of the guest is one crossing. */
#ifndef HF_BENCH_LAYER_GUEST_H
#define HF_BENCH_LAYER_GUEST_H

#include "component/host.h"

/* ---- the host's side ---- */

#define LIST 65536u

static const char api_wit[] =
    "(component (type $it (component (type (instance"
    " (export \"thing\" (type (sub resource))) (type (own 0))"
    " (type (record (field \"a\" u32) (field \"b\" u64) (field \"c\" f64) (field \"d\" bool)"
    "   (field \"e\" string) (field \"f\" string) (field \"g\" u8) (field \"h\" s32)))"
    " (export \"rec\" (type (eq 2)))"
    " (type (func (param \"a\" u32) (param \"b\" u32) (result u32))) (export \"add\" (func (type "
    "4)))"
    " (type (func (param \"s\" string) (result string))) (export \"echo\" (func (type 5)))"
    " (type (list u8)) (type (func (param \"b\" 6))) (export \"take\" (func (type 7)))"
    " (type (func (param \"n\" u32) (result 6))) (export \"give\" (func (type 8)))"
    " (type (func (param \"r\" 3))) (export \"put\" (func (type 9)))"
    " (type (func (result 3))) (export \"get\" (func (type 10)))"
    " (type (func (result 1))) (export \"make\" (func (type 11)))"
    ")) (export \"bench:host/api@1.0.0\" (instance (type 0))))) (export \"api\" (type $it)))";

static uint8_t list[LIST];
static uint64_t sink;

static enum hf_err do_add(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    (void)call;
    result->u64 = (uint32_t)(args[0].u64 + args[1].u64);
    return HF_OK;
}

static enum hf_err do_echo(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)call;
    *result = args[0];
    return HF_OK;
}

static enum hf_err do_take(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)call, (void)result;
    sink += args[0].len;
    return HF_OK;
}

static enum hf_err do_give(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)call;
    *result = hf_value_bytes(hf_view(list, args[0].u64));
    return HF_OK;
}

static struct hf_value fields[8];

static enum hf_err do_get(struct hf_call *call, const struct hf_value *args,
                          struct hf_value *result)
{
    (void)call, (void)args;
    *result = (struct hf_value){.items = fields, .len = 8};
    return HF_OK;
}

static enum hf_err do_make(struct hf_call *call, const struct hf_value *args,
                           struct hf_value *result)
{
    (void)call, (void)args;
    result->obj = list;
    return HF_OK;
}

static enum hf_err drop_thing(struct hf_call *call, void *obj)
{
    (void)call, (void)obj;
    return HF_OK;
}

static const struct hf_host_resource thing_ops = {"thing", drop_thing};
static const struct hf_binding bindings[] = {
    {"add", do_add},  {"echo", do_echo}, {"take", do_take}, {"give", do_give},
    {"put", do_take}, {"get", do_get},   {"make", do_make}, {NULL, NULL},
};

/* ---- the guest ---- */

#define LOOP(name, body)                                                                           \
    "(func (export \"" name "\") (param i32) (loop $l " body                                       \
    " (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
#define LIFT(name)                                                                                 \
    "(func (export \"" name "\") (param \"n\" u32) (canon lift (core func $m \"" name "\")))"

static const char guest_wat[] =
    "(component (import \"bench:host/api@1.0.0\" (instance $h"
    "  (export \"thing\" (type $thing (sub resource)))"
    "  (type $r (record (field \"a\" u32) (field \"b\" u64) (field \"c\" f64) (field \"d\" bool)"
    "    (field \"e\" string) (field \"f\" string) (field \"g\" u8) (field \"h\" s32)))"
    "  (export \"rec\" (type $rec (eq $r)))"
    "  (export \"add\" (func (param \"a\" u32) (param \"b\" u32) (result u32)))"
    "  (export \"echo\" (func (param \"s\" string) (result string)))"
    "  (export \"take\" (func (param \"b\" (list u8))))"
    "  (export \"give\" (func (param \"n\" u32) (result (list u8))))"
    "  (export \"put\" (func (param \"r\" $rec)))"
    "  (export \"get\" (func (result $rec)))"
    "  (export \"make\" (func (result (own $thing))))))"
    " (alias export $h \"thing\" (type $thing)) (type $mine (resource (rep i32)))"
    " (core module $L (memory (export \"memory\") 4)"
    "  (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 131072)))"
    " (core instance $l (instantiate $L))"
    " (core func $add (canon lower (func $h \"add\")))"
    " (core func $echo (canon lower (func $h \"echo\") (memory $l \"memory\") (realloc (func $l "
    "\"realloc\"))))"
    " (core func $take (canon lower (func $h \"take\") (memory $l \"memory\")))"
    " (core func $give (canon lower (func $h \"give\") (memory $l \"memory\") (realloc (func $l "
    "\"realloc\"))))"
    " (core func $put (canon lower (func $h \"put\") (memory $l \"memory\")))"
    " (core func $get (canon lower (func $h \"get\") (memory $l \"memory\") (realloc (func $l "
    "\"realloc\"))))"
    " (core func $make (canon lower (func $h \"make\"))) (core func $drop (canon resource.drop "
    "$thing))"
    " (core func $new (canon resource.new $mine)) (core func $end (canon resource.drop $mine))"
    " (core instance $i (export \"add\" (func $add)) (export \"echo\" (func $echo))"
    "  (export \"take\" (func $take)) (export \"give\" (func $give)) (export \"put\" (func $put))"
    "  (export \"get\" (func $get)) (export \"make\" (func $make)) (export \"drop\" (func $drop))"
    "  (export \"new\" (func $new)) (export \"end\" (func $end)))"
    " (core module $M (import \"l\" \"memory\" (memory 4))"
    "  (import \"i\" \"add\" (func $add (param i32 i32) (result i32)))"
    "  (import \"i\" \"echo\" (func $echo (param i32 i32 i32)))"
    "  (import \"i\" \"take\" (func $take (param i32 i32)))"
    "  (import \"i\" \"give\" (func $give (param i32 i32)))"
    "  (import \"i\" \"put\" (func $put (param i32 i64 f64 i32 i32 i32 i32 i32 i32 i32)))"
    "  (import \"i\" \"get\" (func $get (param i32)))"
    "  (import \"i\" \"make\" (func $make (result i32)))"
    "  (import \"i\" \"drop\" (func $drop (param i32)))"
    "  (import \"i\" \"new\" (func $new (param i32) (result i32)))"
    "  (import \"i\" \"end\" (func $end (param i32)))"
    "  (data (i32.const 256) \"sixty-four bytes of plain text, as most strings in the wild "
    "are.\")" LOOP("add", "(drop (call $add (i32.const 1) (local.get 0)))")
        LOOP("echo", "(call $echo (i32.const 256) (i32.const 64) (i32.const 64))") LOOP(
            "take", "(call $take (i32.const 65536) (i32.const 65536))")
            LOOP("give", "(call $give (i32.const 65536) (i32.const 64))") LOOP(
                "put", "(call $put (i32.const 1) (i64.const 2) (f64.const 3) (i32.const 1) "
                       "(i32.const 256)"
                       " (i32.const 12) (i32.const 268) (i32.const 20) (i32.const 7) (i32.const "
                       "8))") LOOP("get", "(call $get (i32.const 64))")
                LOOP("make", "(call $drop (call $make))") LOOP(
                    "new",
                    "(call $end (call $new (i32.const 1)))") "  (func (export \"id\") (param i32) "
                                                             "(result i32) (local.get 0))"
                                                             "  (func (export \"post\") (param "
                                                             "i32))"
                                                             "  (func (export \"text\") (param i32 "
                                                             "i32) (result i32)"
                                                             "    (i32.store (i32.const 64) "
                                                             "(local.get 0)) (i32.store (i32.const "
                                                             "68) (local.get 1))"
                                                             "    (i32.const 64)))"
                                                             " (core instance $m (instantiate $M "
                                                             "(with \"l\" (instance $l)) (with "
                                                             "\"i\" (instance $i)))) " LIFT("add")
                                                                 LIFT("echo") LIFT("take") LIFT(
                                                                     "give") LIFT("put") LIFT("get")
                                                                     LIFT("make") LIFT(
                                                                         "new") "(func (export "
                                                                                "\"id\") (param "
                                                                                "\"n\" u32) "
                                                                                "(result u32) "
                                                                                "(canon lift (core "
                                                                                "func $m \"id\")"
                                                                                " (post-return "
                                                                                "(func $m "
                                                                                "\"post\"))))"
                                                                                "(func (export "
                                                                                "\"text\") (param "
                                                                                "\"s\" string) "
                                                                                "(result string) "
                                                                                "(canon lift (core "
                                                                                "func $m \"text\")"
                                                                                " (memory $l "
                                                                                "\"memory\") "
                                                                                "(realloc (func $l "
                                                                                "\"realloc\")) "
                                                                                "(post-return "
                                                                                "(func $m "
                                                                                "\"post\")))))";

/* Five core modules, joined as the tools for C do it: the program with its memory, a shim with a
 * table so that it can be made first, an adapter over its memory, what fills the table, and a
 * library. */
static const char five_wat[] =
    "(component"
    " (core module $Shim (type $t (func (param i32))) (table (export \"t\") 4 4 funcref)"
    "  (func (export \"0\") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))"
    "  (func (export \"1\") (param i32) (call_indirect (type $t) (local.get 0) (i32.const 1))))"
    " (core instance $shim (instantiate $Shim))"
    " (core module $Lib (func (export \"sqr\") (param i32) (result i32)"
    "  (i32.mul (local.get 0) (local.get 0))))"
    " (core instance $lib (instantiate $Lib))"
    " (core module $Main (import \"w\" \"0\" (func $out (param i32))) (import \"w\" \"1\" (func "
    "(param "
    "i32)))"
    "  (import \"lib\" \"sqr\" (func $sqr (param i32) (result i32)))"
    "  (memory (export \"memory\") 2) (global $sp (mut i32) (i32.const 65536))"
    "  (data (i32.const 1024) \"constants of a program\") (data (i32.const 8192) \"its variables\")"
    "  (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 70000))"
    "  (func (export \"run\") (param i32) (result i32) (call $out (i32.const 1024))"
    "   (call $sqr (local.get 0))))"
    " (core instance $main (instantiate $Main (with \"w\" (instance $shim)) (with \"lib\" "
    "(instance "
    "$lib))))"
    " (core module $Adapter (import \"m\" \"memory\" (memory 0))"
    "  (import \"m\" \"realloc\" (func $r (param i32 i32 i32 i32) (result i32)))"
    "  (global $state (mut i32) (i32.const 0))"
    "  (func (export \"out\") (param i32) (global.set $state (i32.load8_u (local.get 0))))"
    "  (func (export \"end\") (param i32) (unreachable)))"
    " (core instance $adapter (instantiate $Adapter (with \"m\" (instance $main))))"
    " (core module $Fix (import \"\" \"t\" (table 4 4 funcref)) (import \"\" \"0\" (func $0 (param "
    "i32)))"
    "  (import \"\" \"1\" (func $1 (param i32))) (elem (i32.const 0) func $0 $1))"
    " (core instance (instantiate $Fix (with \"\" (instance (export \"t\" (table $shim \"t\"))"
    "  (export \"0\" (func $adapter \"out\")) (export \"1\" (func $adapter \"end\"))))))"
    " (func (export \"run\") (param \"n\" u32) (result u32) (canon lift (core func $main "
    "\"run\"))))";

#endif
