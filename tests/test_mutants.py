#!/usr/bin/env python3
"""The list of mutants (tests/mutants/list) keeps up with the code: what each changes stands once in its file, its test is there.
Whether they are caught is for `make mutants`, which takes long."""
import importlib.machinery, importlib.util, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


def load():
    loader = importlib.machinery.SourceFileLoader("mutants", os.path.join(top, "tests", "mutants", "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(module)
    return module.read_list()


def text_of(path):
    full = os.path.join(top, path)
    return open(full, encoding="utf-8").read() if os.path.exists(full) else ""


def test_the_list():
    mutants = load()
    names = [m.name for m in mutants]
    check("each name once", len(set(names)) == len(names), sorted(n for n in set(names) if names.count(n) > 1))
    for m in mutants:
        old, new = "\n".join(m.old), "\n".join(m.new)
        n = text_of(m.file).count(old) if old else 0
        check("%s: its text stands once in %s" % (m.name, m.file), n == 1, n)
        check("%s: it changes something, and says what" % m.name, old != new and m.what != "")
        check("%s: its test is there" % m.name, text_of("tests/%s.c" % m.test) != "", m.test)


run_tests(sys.modules[__name__])
