#!/usr/bin/env python3
"""suite.py RUNNER: the public Component Model suites, found by HF_SUITES, through the conformance runner.

What is known to fail stands in expected.txt with its reason; one of those that passes fails the run. The async folder is not run: it is
refused by name today.
"""
import os, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
suites = os.path.join(os.environ.get("HF_SUITES", os.path.join(here, "..", "..", "..", "shared", "suites")), "component-model")
if not os.path.isdir(suites):
    print("SKIP: component-model: no suites at HF_SUITES (%s)" % suites)
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)
folders = []
for dirpath, dirs, files in os.walk(suites):
    dirs[:] = sorted(d for d in dirs if d != "async")
    if "commands.json" in files:
        folders.append(dirpath)
if os.path.isdir(os.path.join(suites, "async")):
    print("SKIP: component-model/async: the async ABI is refused by name")
sys.exit(subprocess.run([sys.argv[1], "--expected", os.path.join(here, "expected.txt"), *sorted(folders)]).returncode)
