#!/usr/bin/env python3
"""Writes the components and commands.json of this folder: every function and resource of the runner's `host` (support_host.c)."""
import json

commands = []
# What a component of these imports, and each function of `host` lowered under its own name as core instance $host.
IMPORT = """(import "host" (instance $host
    (export "resource1" (type $r (sub resource)))
    (export "[constructor]resource1" (func (param "r" u32) (result (own $r))))
    (export "[static]resource1.assert" (func (param "r" (own $r)) (param "rep" u32)))
    (export "[static]resource1.last-drop" (func (result u32)))
    (export "[static]resource1.drops" (func (result u32)))
    (export "[method]resource1.simple" (func (param "self" (borrow $r)) (param "rep" u32)))
    (export "[method]resource1.take-borrow" (func (param "self" (borrow $r)) (param "b" (borrow $r))))
    (export "[method]resource1.take-own" (func (param "self" (borrow $r)) (param "b" (own $r))))))
  (alias export $host "resource1" (type $r))
  (core func $new (canon lower (func $host "[constructor]resource1")))
  (core func $assert (canon lower (func $host "[static]resource1.assert")))
  (core func $last (canon lower (func $host "[static]resource1.last-drop")))
  (core func $drops (canon lower (func $host "[static]resource1.drops")))
  (core func $simple (canon lower (func $host "[method]resource1.simple")))
  (core func $take-borrow (canon lower (func $host "[method]resource1.take-borrow")))
  (core func $take-own (canon lower (func $host "[method]resource1.take-own")))
  (core func $drop (canon resource.drop $r))
  (core instance $h (export "new" (func $new)) (export "assert" (func $assert)) (export "last" (func $last))
    (export "drops" (func $drops)) (export "simple" (func $simple)) (export "take-borrow" (func $take-borrow))
    (export "take-own" (func $take-own)) (export "drop" (func $drop)))"""
MODULE = """(core module $M
    (import "h" "new" (func $new (param i32) (result i32)))
    (import "h" "assert" (func $assert (param i32 i32)))
    (import "h" "last" (func $last (result i32)))
    (import "h" "drops" (func $drops (result i32)))
    (import "h" "simple" (func $simple (param i32 i32)))
    (import "h" "take-borrow" (func $take-borrow (param i32 i32)))
    (import "h" "take-own" (func $take-own (param i32 i32)))
    (import "h" "drop" (func $drop (param i32)))
    (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    %s)
  (core instance $m (instantiate $M (with "h" (instance $h))))"""


def add(**kw):
    commands.append(dict(kw, line=len(commands) + 1))


def file(text):
    name = "case%d.wat" % len(commands)
    open(name, "w").write(text + "\n")
    return dict(filename=name, module_type="text")


def module(text):
    add(type="module", **file(text))


def unlinkable(text, why):
    add(type="assert_unlinkable", text=why, **file(text))


def u32(n):
    return {"type": "u32", "value": str(n)}


def returns(field, args=(), result=None):
    add(type="assert_return", action={"type": "invoke", "field": field, "args": list(args)},
        expected=[] if result is None else [result])


def traps(field, text, args=()):
    add(type="assert_trap", action={"type": "invoke", "field": field, "args": list(args)}, text=text)


def guest(body, exports):
    lifts = "\n".join('  (func (export "%s") (canon lift (core func $m "%s")))' % (e, e) for e in exports)
    module("(component\n  %s\n  %s\n%s)" % (IMPORT, MODULE % body, lifts))


# Functions: outside any instance, in the instance, in the one inside it.
module("""(component
  (import "host-return-two" (func $two (result u32)))
  (import "host-echo-u32" (func $echo (param "v" u32) (result u32)))
  (import "host" (instance $host
    (export "return-three" (func (result u32)))
    (export "nested" (instance (export "return-four" (func (result u32)))))))
  (core func $two' (canon lower (func $two)))
  (core func $echo' (canon lower (func $echo)))
  (core func $three' (canon lower (func $host "return-three")))
  (core func $four' (canon lower (func $host "nested" "return-four")))
  (core instance $h (export "two" (func $two')) (export "echo" (func $echo')) (export "three" (func $three'))
    (export "four" (func $four')))
  (core module $M
    (import "h" "two" (func $two (result i32))) (import "h" "three" (func $three (result i32)))
    (import "h" "four" (func $four (result i32))) (import "h" "echo" (func $echo (param i32) (result i32)))
    (func (export "all") (result i32)
      (i32.add (i32.mul (call $two) (i32.const 100)) (i32.add (i32.mul (call $three) (i32.const 10)) (call $four))))
    (func (export "echo") (param i32) (result i32) (call $echo (local.get 0))))
  (core instance $m (instantiate $M (with "h" (instance $h))))
  (func (export "all") (result u32) (canon lift (core func $m "all")))
  (func (export "echo") (param "v" u32) (result u32) (canon lift (core func $m "echo"))))""")
returns("all", result=u32(234))
returns("echo", [u32(4294967295)], u32(4294967295))
unlinkable('(component (import "host-return-two" (instance (export "f" (func)))))', "expected instance found func")
unlinkable('(component (import "host-return-two" (instance)))', "expected instance found func")
unlinkable('(component (import "host-return-two" (func (result u64))))', "another type")
unlinkable('(component (import "host-return-nine" (func (result u32))))', "not there")
unlinkable('(component (import "host" (instance (export "return-nine" (func (result u32))))))', "not there")
unlinkable('(component (import "host" (instance (export "return-three" (type (sub resource))))))', "expected resource found func")
unlinkable('(component (import "host" (instance (export "nested" (func)))))', "expected func found instance")
unlinkable('(component (import "host" (instance (export "nested" (instance (export "f" (func)))))))', "not there")

# A core module: as it is, and used.
module("""(component
  (import "host" (instance $host (export "simple-module" (core module
    (export "f" (func (result i32))) (export "g" (global i32))))))
  (core instance $s (instantiate (module $host "simple-module")))
  (core instance $again (instantiate (module $host "simple-module")))
  (core module $M (import "s" "f" (func $f (result i32))) (import "s" "g" (global $g i32))
    (func (export "sum") (result i32) (i32.add (call $f) (global.get $g))))
  (core instance $m (instantiate $M (with "s" (instance $s))))
  (func (export "sum") (result u32) (canon lift (core func $m "sum")))
  (func (export "f") (result u32) (canon lift (core func $again "f"))))""")
returns("sum", result=u32(201))
returns("f", result=u32(101))
module('(component (import "host" (instance $host (export "simple-module" (core module)))) '
       '(core instance (instantiate (module $host "simple-module"))))')
unlinkable("""(component
  (import "host" (instance $host (export "simple-module" (core module (export "nothing" (func))))))
  (core instance $s (instantiate (module $host "simple-module")))
  (func (export "f") (canon lift (core func $s "nothing"))))""", "module export `nothing` not defined")
unlinkable('(component (import "host" (instance (export "no-module" (core module)))))', "not there")

# Resources: identity.
module("""(component (import "host" (instance
  (export "resource1" (type $r (sub resource))) (export "resource2" (type (sub resource)))
  (export "resource1-again" (type (eq $r))) (export "a-name-of-mine" (type (eq $r))))))""")
unlinkable("""(component (import "host" (instance
  (export "resource1" (type (sub resource))) (export "resource2" (type $r (sub resource)))
  (export "resource1-again" (type (eq $r))))))""", "mismatched resource types")
unlinkable('(component (import "host" (instance (export "missing" (type (sub resource))))))', "was not found")

# Resources: made, asked, dropped, counted.
guest("""
    (func (export "count") (local $r i32) (local $s i32) (local $was i32)
      (local.set $was (call $drops))
      (local.set $r (call $new (i32.const 100))) (local.set $s (call $new (i32.const 200)))
      (call $must (i32.eq (local.get $r) (i32.const 1))) (call $must (i32.eq (local.get $s) (i32.const 2)))
      (call $simple (local.get $r) (i32.const 100)) (call $simple (local.get $s) (i32.const 200))
      (call $must (i32.eq (call $drops) (local.get $was)))
      (call $drop (local.get $r))
      (call $must (i32.eq (call $drops) (i32.add (local.get $was) (i32.const 1))))
      (call $must (i32.eq (call $last) (i32.const 100)))
      (call $drop (local.get $s))
      (call $must (i32.eq (call $drops) (i32.add (local.get $was) (i32.const 2))))
      (call $must (i32.eq (call $last) (i32.const 200))))
    (func (export "take") (local $r i32) (local $s i32) (local $was i32)
      (local.set $was (call $drops))
      (local.set $r (call $new (i32.const 7))) (local.set $s (call $new (i32.const 8)))
      (call $take-borrow (local.get $r) (local.get $s)) (call $take-borrow (local.get $r) (local.get $r))
      (call $take-own (local.get $r) (local.get $s))
      (call $assert (local.get $r) (i32.const 7))
      (call $must (i32.eq (call $drops) (local.get $was)))
      (call $must (i32.eq (call $new (i32.const 9)) (local.get $r))) ;; last freed, first used
      (call $drop (local.get $r)))""", ["count", "take"])
returns("count")
returns("take")
returns("take")
TRAPS = [
    ("zero", "(call $assert (i32.const 0) (i32.const 0))", "unknown handle index 0"),
    ("never", "(call $simple (i32.const 5) (i32.const 0))", "unknown handle index 5"),
    ("wrong", "(call $simple (call $new (i32.const 1)) (i32.const 2))", "the resource is 1, not 2"),
    ("twice", "(local $r i32) (local.set $r (call $new (i32.const 1))) (call $drop (local.get $r)) (call $drop (local.get $r))",
     "unknown handle index 1"),
    ("gone", "(local $r i32) (local.set $r (call $new (i32.const 1))) (call $assert (local.get $r) (i32.const 1))"
     " (call $simple (local.get $r) (i32.const 1))", "unknown handle index 1"),
    ("lent", "(local $r i32) (local.set $r (call $new (i32.const 1))) (call $take-own (local.get $r) (local.get $r))",
     "cannot remove owned resource while borrowed"),
]
for name, body, text in TRAPS:
    guest('(func (export "%s") %s)' % (name, body), [name])
    traps(name, text)
    traps(name, "cannot enter component instance")

# Traps that other engines tell in other words: the runner's table.
module("""(component
  (type $v' (variant (case "a" u32) (case "b"))) (export $v "v" (type $v'))
  (core module $M (memory (export "m") 1) (tag $t)
    (func (export "odd") (result i32) (i32.store (i32.const 4) (i32.const 1)) (i32.const 4))
    (func (export "case") (param i32) (result i32) (i32.store8 (i32.const 16) (local.get 0)) (i32.const 16))
    (func (export "throw") (throw $t)))
  (core instance $m (instantiate $M))
  (func (export "odd") (result string) (canon lift (core func $m "odd") (memory $m "m") string-encoding=utf16))
  (func (export "case") (param "n" u32) (result $v) (canon lift (core func $m "case") (memory $m "m")))
  (func (export "throw") (canon lift (core func $m "throw"))))""")
commands[-1]["name"] = "words"
returns("case", [u32(1)], {"type": "variant", "value": {"case": "b", "payload": None}})
traps("case", "discriminant 2 out of range [0..2)", [u32(2)])
for field, text in (("odd", "string pointer not aligned to 2"), ("throw", "uncaught exception propagated out of component")):
    add(type="module", filename=commands[[c.get("name") for c in commands].index("words")]["filename"], module_type="text")
    traps(field, text)

# A component that calls itself through lift and lower enters nothing: the specification allows it.
module("""(component
  (core module $M (func (export "f"))) (core instance $m (instantiate $M))
  (func $f (canon lift (core func $m "f"))) (core func $g (canon lower (func $f)))
  (core module $S (import "" "g" (func $g)) (func $start (call $g)) (start $start))
  (core instance (instantiate $S (with "" (instance (export "g" (func $g)))))))""")

# Instances with nothing in them need nobody.
module('(component (import "not-here" (instance)) (import "nor-here" (instance (export "x" (instance)))))')
json.dump({"source_filename": "host.wast", "commands": commands}, open("commands.json", "w"), indent=1)
