#!/usr/bin/env python3
"""Writes the modules and commands.json of this folder: core modules beside components, registered and imported."""
import json

commands = []


def add(**kw):
    commands.append(dict(kw, line=len(commands) + 1))


def file(text):
    name = "case%d.wat" % len(commands)
    open(name, "w").write(text + "\n")
    return dict(filename=name, module_type="text")


def v(type, value):
    return {"type": type, "value": str(value)}


def invoke(field, args, **kw):
    return dict({"type": "invoke", "field": field, "args": args}, **kw)


add(type="module", name="lib", **file("""(module
  (memory (export "memory") 1) (global $n (mut i32) (i32.const 40))
  (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
  (func (export "i32") (param i32) (result i32) (local.get 0)) (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0)) (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "two") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "trap") unreachable) (func $deep (export "deep") (call $deep)))"""))
for t, n in (("i32", -1), ("i32", 4294967295), ("i64", -9223372036854775808), ("f32", 0x3fc00000), ("f64", 0x3ff8000000000000)):
    add(type="assert_return", action=invoke(t, [v(t, n)]), expected=[v(t, n)])
add(type="assert_return", action=invoke("f32", [v("f32", 0x7fc00000)]), expected=[v("f32", "nan:canonical")])
add(type="assert_return", action=invoke("two", [v("i32", 1), v("i64", 2)]), expected=[v("i64", 2), v("i32", 1)])
add(type="assert_trap", action=invoke("trap", []), text="wasm trap: unreachable")
add(type="assert_exhaustion", action=invoke("deep", []), text="call stack exhausted")
add(type="assert_return", action=invoke("next", []), expected=[v("i32", 41)])  # a trap ends no core module
add(type="register", name="lib", **{"as": "env"})
add(type="module", **file('(module (import "env" "next" (func $next (result i32))) (import "env" "memory" (memory 1))'
                          ' (func $start (i32.store (i32.const 0) (call $next))) (start $start)'
                          ' (func (export "get") (result i32) (i32.load (i32.const 0))))'))
add(type="assert_return", action=invoke("get", []), expected=[v("i32", 42)])
add(type="assert_return", action=invoke("next", [], module="lib"), expected=[v("i32", 43)])
add(type="assert_unlinkable", text="unknown import", **file('(module (import "env" "nothing" (func)))'))
add(type="assert_unlinkable", text="unknown import", **file('(module (import "nowhere" "next" (func)))'))
add(type="assert_unlinkable", text="incompatible import type", **file('(module (import "env" "next" (func (param i64))))'))
add(type="assert_uninstantiable", text="unreachable", **file("(module (func $f unreachable) (start $f))"))
add(type="assert_invalid", text="type mismatch", **file("(module (func (result i32)))"))
add(type="assert_malformed", text="unexpected token", **file("(module (fun))"))
add(type="module_definition", name="Counter", **file(
    '(module (global $n (mut i32) (i32.const 0)) (func (export "up") (result i32)'
    ' (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))'))
for name in "ab":
    add(type="module_instance", instance=name, module="Counter")
for name, n in (("a", 1), ("a", 2), ("b", 1)):
    add(type="assert_return", action=invoke("up", [], module=name), expected=[v("i32", n)])
json.dump({"source_filename": "core.wast", "commands": commands}, open("commands.json", "w"), indent=1)
