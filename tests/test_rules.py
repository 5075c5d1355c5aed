#!/usr/bin/env python3
"""doc/rules.md is true: every test it names exists and is run, every rule of the numbered families is there, every rule has a
test or says why it has none, every row of the kernel's table has one in C and one with guests, and no rule stands twice.

A C test is run when its name stands in a table of tests below in its file (cmocka_unit_test(name) or a macro for it); a Python
test when its file calls run_tests. Nothing is said about whether a test is a good one: tests/mutants/run does that.
"""
import os, re, sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAMILIES = [("L", 6), ("F", 5), ("V", 10), ("W", 10), ("C", 6), ("H", 8), ("E", 4), ("S", 17), ("T", 10), ("1.5.", 15), ("R", 80), ("X", 20)]
NAMED = ["2.1 ", "2.2 ", "2.3 ", "2.4 ", "2.5 ", "1.4 ", "B.4 ", "engine: ", "poll: ", "life: ", "kv: ", "membrane: ",
         "fs: ", "net: ", "admin: ", "exec: ", "invoke: ", "log: ", "trace: ", "kernel: ", "manifest: "]  # at least one of each
# The table of doc/kernel.md: each row has a test of behaviours in C and one in which guests do it.
TABLE = ["verbs", "ids", "1 receive", "1a respond", "1b send", "1b forward", "1c next receive", "2 receive a response", "2a respond", "2b send",
         "2b forward", "2c next receive", "blob choice", "fan-out", "duty", "send-and-await", "context", "timeout", "cancel", "errors",
         "where errors appear", "never refused", "backpressure", "death", "links", "order", "capability", "restart", "control"]
GUESTS = ("test_table.py", "test_processes.py", "test_hostile_processes.py")
passed, errors = 0, []
files = {}


def text_of(path):
    if path not in files:
        full = os.path.join(top, "tests", path)
        files[path] = open(full, encoding="utf-8").read() if os.path.exists(full) else None
    return files[path]


def check_test(rule, name):
    m = re.fullmatch(r"([\w/]+\.(?:c|py)):(\w+)", name)
    if m is None:
        return "%s: \"%s\" is not file:function" % (rule, name)
    path, function = m.groups()
    text = text_of(path)
    if text is None:
        return "%s: tests/%s is not there" % (rule, path)
    if path.endswith(".py"):
        found = re.search(r"^def %s\(\):" % function, text, re.M) and "run_tests(" in text and function.startswith("test_")
    else:
        found = re.search(r"^(static void %s\(|TEST\(%s\))" % (function, function), text, re.M) and \
            any(m != "TEST" for m in re.findall(r"(\w+)\(%s\s*[,)]" % function, text))
    return None if found else "%s: tests/%s has no test %s" % (rule, path, function)


def check_rule(rule, says, tests):
    if says == "":
        return ["%s: what does it say?" % rule]
    if tests.startswith("untested"):
        return [] if re.match(r"untested: \w.{9,}", tests) else ["%s: untested, but why?" % rule]
    return [e for e in (check_test(rule, t.strip()) for t in tests.split(",")) if e]


rules = {}
for n, line in enumerate(open(os.path.join(top, "doc", "rules.md"), encoding="utf-8"), 1):
    if not line.startswith("|"):
        continue
    cells = [c.strip() for c in line.strip().strip("|").split("|")]
    if cells[0] == "rule" or set(cells[0]) == {"-"}:
        continue
    if len(cells) != 3:
        errors.append("doc/rules.md:%d: not three columns" % n)
        continue
    if cells[0] in rules:
        errors.append("doc/rules.md:%d: %s stands twice" % (n, cells[0]))
    rules[cells[0]] = cells
for rule, says, tests in rules.values():
    found = check_rule(rule, says, tests)
    errors += found
    passed += not found
for family, count in FAMILIES:
    missing = [family + str(i) for i in range(1, count + 1) if family + str(i) not in rules]
    errors += ["doc/rules.md: rule %s is missing" % r for r in missing]
    passed += not missing
for row in ["kernel: " + name for name in TABLE]:
    tests = [t.strip() for t in rules[row][2].split(",")] if row in rules else []
    if not any(re.match(r"kernel/\w+_test\.c:", t) for t in tests):
        errors.append("doc/rules.md: \"%s\", a row of the kernel's table, has no test of behaviours" % row)
    elif not any(t.split(":")[0] in GUESTS for t in tests):
        errors.append("doc/rules.md: \"%s\", a row of the kernel's table, has no test with guests" % row)
    else:
        passed += 1
for prefix in NAMED:
    if any(r.startswith(prefix) for r in rules):
        passed += 1
    else:
        errors.append("doc/rules.md: no rule begins with \"%s\"" % prefix)
for e in errors:
    print(e)
print("%d passed, %d failed" % (passed, len(errors)))
sys.exit(1 if errors else 0)
