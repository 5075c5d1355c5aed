#!/usr/bin/env python3
"""doc/tutorial.md, command by command, in JavaScript: see tutorial.py."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hf, tutorial


def test_every_command():
    tutorial.every_command("js")


def test_the_page():
    tutorial.the_page()


hf.run_tests(sys.modules[__name__])
