#!/usr/bin/env python3
"""Writes commands.json: every type in and out, and one of each kind of command that the public suite leaves out."""
import json

commands = [{"type": "module_definition", "line": 1, "name": "Values", "filename": "values.wat", "module_type": "text"}]


def add(**kw):
    commands.append(dict(kw, line=len(commands) + 1))


def value(type, v):
    return {"type": type, "value": v}


def same(field, v, type=None):
    v = value(type or field, v)
    add(type="assert_return", action={"type": "invoke", "field": field, "args": [v]}, expected=[v])


def instance(name):
    add(type="module_instance", instance=name, module="Values")


instance("i")
for text in ("", "abc", "\u2603 \U0001f370", "a\0b"):
    same("string", text)
same("list-u8", [], "list")
same("list-u8", [value("u8", str(n)) for n in (0, 1, 255)], "list")
same("list-string", [value("string", t) for t in ("", "x", "yz")], "list")
same("record", [["x", value("s32", "-1")], ["y", value("s32", "2147483647")]])
same("tuple", [value("s32", "-2147483648"), value("s32", "7")])
same("variant", {"case": "none-at-all", "payload": None})
same("variant", {"case": "text", "payload": value("string", "hi")})
same("variant", {"case": "number", "payload": value("u32", "4294967295")})
same("option", None)
same("option", value("u8", "255"))
same("result", {"Ok": value("u8", "3")})
same("result", {"Err": value("s8", "-3")})
for label in ("red", "green", "blue"):
    same("enum", label)
for labels in ([], ["a"], ["b", "c"], ["a", "b", "c"]):
    same("flags", labels)
for c in ("x", "\U0001f370", "\0"):
    same("char", c)
same("bool", True)
same("bool", False)
same("s8", "-128")
same("u64", "18446744073709551615")
same("f32", str(0x3fc00000))
same("f64", str(0x3ff8000000000000))
same("f32", "nan:canonical")
same("f64", "nan:arithmetic")
add(type="register", name="i", **{"as": "other"})
instance("j")
add(type="action", action={"type": "invoke", "field": "bool", "args": [value("bool", True)]})
add(type="assert_trap", action={"type": "invoke", "field": "trap", "args": []}, text="wasm trap: unreachable")
add(type="assert_trap", action={"type": "invoke", "field": "bool", "args": [value("bool", True)]}, text="cannot enter component instance")
add(type="assert_return", action={"type": "invoke", "module": "i", "field": "bool", "args": [value("bool", True)]}, expected=[value("bool", True)])
add(type="assert_uninstantiable", filename="start.wat", module_type="text", text="unreachable")
add(type="assert_unlinkable", filename="unlinkable.wat", module_type="text", text="not here")
add(type="assert_invalid", filename="invalid.wat", module_type="text", text="unknown")
add(type="assert_malformed", filename="malformed.wat", module_type="text", text="unexpected token")
add(type="module", name="again", filename="values.wat", module_type="text")
same("bool", True)
json.dump({"source_filename": "smoke.wast", "commands": commands}, open("commands.json", "w"), indent=1)
