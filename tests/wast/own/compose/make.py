#!/usr/bin/env python3
"""Writes the components and commands.json of this folder: chains of components four deep with every mix of string encodings,
and resources that travel between instances."""
import itertools, json

commands = []
ENCODINGS = {"a": "utf8", "b": "utf16", "c": "latin1+utf16"}
LIBC = """(core module $Libc (memory (export "memory") 2) (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32) (local $p i32)
      (local.set $p (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $p) (local.get $new)))
      (memory.copy (local.get $p) (local.get $old)
        (select (local.get $size) (local.get $new) (i32.lt_u (local.get $size) (local.get $new))))
      (local.get $p)))
  (core instance $libc (instantiate $Libc))"""
OPTIONS = '(memory $libc "memory") (realloc (func $libc "realloc")) string-encoding=%s'


def add(**kw):
    commands.append(dict(kw, line=len(commands) + 1))


def module(text):
    name = "case%d.wat" % len(commands)
    open(name, "w").write(text + "\n")
    add(type="module", filename=name, module_type="text")


def v(type, value):
    return {"type": type, "value": value}


def u32(n):
    return v("u32", str(n))


def returns(field, args=(), result=None):
    add(type="assert_return", action={"type": "invoke", "field": field, "args": list(args)},
        expected=[] if result is None else [result])


def traps(field, text, args=()):
    add(type="assert_trap", action={"type": "invoke", "field": field, "args": list(args)}, text=text)


# ---- strings through four components (the root among them), each with its own encoding ----
def leaf(e):
    return """(component $Leaf-%s %s
  (core module $M (import "libc" "memory" (memory 2))
    (func (export "say") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))
  (core instance $m (instantiate $M (with "libc" (instance $libc))))
  (func (export "say") (param "s" string) (result string) (canon lift (core func $m "say") %s)))""" % (
        e, LIBC, OPTIONS % ENCODINGS[e])


def relay(e):
    return """(component $Relay-%s
  (import "next" (instance $next (export "say" (func (param "s" string) (result string)))))
  %s
  (core func $say (canon lower (func $next "say") %s))
  (core module $M (import "libc" "memory" (memory 2)) (import "next" "say" (func $say (param i32 i32 i32)))
    (func (export "say") (param i32 i32) (result i32) (call $say (local.get 0) (local.get 1) (i32.const 32)) (i32.const 32)))
  (core instance $m (instantiate $M (with "libc" (instance $libc)) (with "next" (instance (export "say" (func $say))))))
  (func (export "say") (param "s" string) (result string) (canon lift (core func $m "say") %s)))""" % (
        e, LIBC, OPTIONS % ENCODINGS[e], OPTIONS % ENCODINGS[e])


parts = [leaf(e) for e in ENCODINGS] + [relay(e) for e in ENCODINGS]
for e in ENCODINGS:
    parts.append("(instance $%s (instantiate $Leaf-%s))" % (e, e))
for n in (2, 3):
    for mix in itertools.product(ENCODINGS, repeat=n):
        parts.append('(instance $%s (instantiate $Relay-%s (with "next" (instance $%s))))' % (
            "".join(mix), mix[0], "".join(mix[1:])))
chains = ["".join(mix) for mix in itertools.product(ENCODINGS, repeat=3)]
for c in chains:
    parts.append('(export "say-%s" (func $%s "say"))' % (c, c))
module("(component\n" + "\n".join(parts) + ")")
for text in ("", "abc", "caf\u00e9", "\u2603 \U0001f370", "a\0b", "\u00e9" * 40 + "\u0416", "\U0001f370" * 20 + "x"):
    for c in chains:
        returns("say-" + c, [v("string", text)], v("string", text))

# ---- resources between instances: Def defines them, User makes, lends and hands them on to Keeper ----
DEF = """(component $Def
    (core module $Count (global $dropped (mut i32) (i32.const 0)) (global $last (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (if (i32.eq (local.get 0) (i32.const 666)) (then unreachable))
        (global.set $dropped (i32.add (global.get $dropped) (i32.const 1))) (global.set $last (local.get 0)))
      (func (export "dropped") (result i32) (global.get $dropped)) (func (export "last") (result i32) (global.get $last))
      (func (export "get") (param i32) (result i32) (local.get 0)))
    (core instance $c (instantiate $Count))
    (type $r' (resource (rep i32) (dtor (func $c "dtor"))))
    (core func $new (canon resource.new $r'))
    (core module $M (import "" "new" (func $new (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
    (export $r "r" (type $r'))
    (func (export "make") (param "n" u32) (result (own $r)) (canon lift (core func $m "make")))
    (func (export "get") (param "r" (borrow $r)) (result u32) (canon lift (core func $c "get")))
    (func (export "dropped") (result u32) (canon lift (core func $c "dropped")))
    (func (export "last") (result u32) (canon lift (core func $c "last"))))"""
IMPORT_DEF = """(import "def" (instance $def (export "r" (type $r (sub resource)))
      (export "make" (func (param "n" u32) (result (own $r)))) (export "get" (func (param "r" (borrow $r)) (result u32)))
      (export "dropped" (func (result u32)))))
    (alias export $def "r" (type $r)) (core func $drop (canon resource.drop $r))"""
KEEPER = """(component $Keeper %s
    (core func $get (canon lower (func $def "get")))
    (core module $M (import "" "drop" (func $drop (param i32))) (import "" "get" (func $get (param i32) (result i32)))
      (global $kept (mut i32) (i32.const 0))
      (func (export "keep") (param i32) (global.set $kept (local.get 0)))
      (func (export "let-go") (call $drop (global.get $kept)))
      (func (export "look") (param i32) (result i32) (local $n i32)
        (local.set $n (call $get (local.get 0))) (call $drop (local.get 0)) (local.get $n))
      (func (export "forget") (param i32))
      (func (export "steal") (param i32) (global.set $kept (local.get 0)) (call $drop (local.get 0)) (call $drop (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "drop" (func $drop)) (export "get" (func $get))))))
    (func (export "keep") (param "r" (own $r)) (canon lift (core func $m "keep")))
    (func (export "let-go") (canon lift (core func $m "let-go")))
    (func (export "look") (param "r" (borrow $r)) (result u32) (canon lift (core func $m "look")))
    (func (export "forget") (param "r" (borrow $r)) (canon lift (core func $m "forget")))
    (func (export "steal") (param "r" (borrow $r)) (canon lift (core func $m "steal"))))""" % IMPORT_DEF
USER = """(component $User %s
    (import "keeper" (instance $k (alias outer 1 $r (type $r))
      (export "keep" (func (param "r" (own $r)))) (export "let-go" (func)) (export "look" (func (param "r" (borrow $r)) (result u32)))
      (export "forget" (func (param "r" (borrow $r)))) (export "steal" (func (param "r" (borrow $r))))))
    (core func $make (canon lower (func $def "make"))) (core func $dropped (canon lower (func $def "dropped")))
    (core func $keep (canon lower (func $k "keep"))) (core func $let-go (canon lower (func $k "let-go")))
    (core func $look (canon lower (func $k "look"))) (core func $forget (canon lower (func $k "forget")))
    (core func $steal (canon lower (func $k "steal")))
    (core instance $h (export "drop" (func $drop)) (export "make" (func $make)) (export "dropped" (func $dropped))
      (export "keep" (func $keep)) (export "let-go" (func $let-go)) (export "look" (func $look))
      (export "forget" (func $forget)) (export "steal" (func $steal)))
    (core module $M
      (import "h" "drop" (func $drop (param i32))) (import "h" "make" (func $make (param i32) (result i32)))
      (import "h" "dropped" (func $dropped (result i32))) (import "h" "keep" (func $keep (param i32)))
      (import "h" "let-go" (func $let-go)) (import "h" "look" (func $look (param i32) (result i32)))
      (import "h" "forget" (func $forget (param i32))) (import "h" "steal" (func $steal (param i32)))
      (func $must (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
      (func (export "hand-on") (local $a i32) (local $b i32)
        (local.set $a (call $make (i32.const 10))) (local.set $b (call $make (i32.const 20)))
        (call $must (i32.eq (call $look (local.get $a)) (i32.const 10)))
        (call $must (i32.eq (call $look (local.get $b)) (i32.const 20)))
        (call $keep (local.get $a))
        (call $must (i32.eqz (call $dropped)))
        (call $drop (local.get $b))
        (call $must (i32.eq (call $dropped) (i32.const 1)))
        (call $let-go)
        (call $must (i32.eq (call $dropped) (i32.const 2))))
      (func (export "gone") (local $a i32) (local.set $a (call $make (i32.const 1)))
        (call $keep (local.get $a)) (drop (call $look (local.get $a))))
      (func (export "forgotten") (call $forget (call $make (i32.const 1))))
      (func (export "stolen") (call $steal (call $make (i32.const 1))))
      (func (export "bad-end") (call $drop (call $make (i32.const 666))))
      (func (export "bad-end-elsewhere") (call $keep (call $make (i32.const 666))) (call $let-go)))
    (core instance $m (instantiate $M (with "h" (instance $h))))
    %s)""" % (IMPORT_DEF, "\n    ".join('(func (export "%s") (canon lift (core func $m "%s")))' % (n, n) for n in (
        "hand-on", "gone", "forgotten", "stolen", "bad-end", "bad-end-elsewhere")))
WORLD = """(component
  %s
  %s
  %s
  (instance $def (instantiate $Def))
  (instance $keeper (instantiate $Keeper (with "def" (instance $def))))
  (instance $user (instantiate $User (with "def" (instance $def)) (with "keeper" (instance $keeper))))
  (export "%%s" (func $user "%%s"))
  (export "dropped" (func $def "dropped")) (export "last" (func $def "last")))""" % (DEF, KEEPER, USER)


def world(name):
    module(WORLD % (name, name))


world("hand-on")
returns("hand-on")
returns("dropped", result=u32(2))
returns("last", result=u32(10))
for name, text in (("gone", "unknown handle index 1"), ("forgotten", "borrow handles still remain at the end of the call"),
                   ("stolen", "unknown handle index 1"), ("bad-end", "unreachable"), ("bad-end-elsewhere", "unreachable")):
    world(name)
    traps(name, text)
    traps("dropped", "cannot enter component instance")  # the whole tree is dead
# ---- an exception does not leave its component: it is a trap, and the caller's handlers do not see it ----
THROWERS = {
    "body": ('(func (export "f") (param i32 i32) (throw $t)) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))'
             ' (func (export "post"))'),
    "realloc": ('(func (export "f") (param i32 i32)) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (throw $t))'
                ' (func (export "post"))'),
    "post": ('(func (export "f") (param i32 i32)) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))'
             ' (func (export "post") (throw $t))'),
    "caught": ('(func $throw (throw $t)) (func (export "f") (param i32 i32) (block $b (try_table (catch_all $b) (call $throw))))'
               ' (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)) (func (export "post"))'),
}
for name, body in THROWERS.items():
    module("""(component
  (component $A
    (core module $M (memory (export "memory") 1) (tag $t) %s)
    (core instance $m (instantiate $M))
    (func (export "f") (param "s" string) (canon lift (core func $m "f") (memory $m "memory") (realloc (func $m "realloc"))
      (post-return (func $m "post")))))
  (component $B (import "f" (func $f (param "s" string)))
    (core module $Libc (memory (export "memory") 1)) (core instance $libc (instantiate $Libc))
    (core func $g (canon lower (func $f) (memory $libc "memory")))
    (core module $M (import "" "g" (func $g (param i32 i32)))
      (func (export "run") (result i32)
        (block $caught (try_table (catch_all $caught) (call $g (i32.const 0) (i32.const 1))) (return (i32.const 1))) (i32.const 2)))
    (core instance $m (instantiate $M (with "" (instance (export "g" (func $g))))))
    (func (export "run") (result u32) (canon lift (core func $m "run"))))
  (instance $a (instantiate $A)) (instance $b (instantiate $B (with "f" (func $a "f"))))
  (export "run" (func $b "run")))""" % body)
    if name == "caught":
        returns("run", result=u32(1))
    else:
        traps("run", "uncaught exception propagated out of component")
json.dump({"source_filename": "compose.wast", "commands": commands}, open("commands.json", "w"), indent=1)
