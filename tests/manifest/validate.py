#!/usr/bin/env python3
"""validate.py SCHEMA: reads a JSON array of TOML texts on stdin, prints a JSON array: for each null when the schema takes it, or why not.

Run by whichever Python has the validator (tests/test_manifest.py looks for one): `jsonschema`, and `tomli` where there is no tomllib.
"""
import json, sys

try:
    import tomllib
except ImportError:
    import tomli as tomllib
import jsonschema

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)


def wrong(text):
    try:
        app = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        return "not TOML: %s" % e
    errors = sorted(validator.iter_errors(app), key=lambda e: list(map(str, e.absolute_path)))
    return "; ".join("%s: %s" % (e.json_path, e.message) for e in errors) or None


json.dump([wrong(text) for text in json.load(sys.stdin)], sys.stdout)
