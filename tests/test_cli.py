#!/usr/bin/env python3
"""The commands at the prompt: first error messages, exit codes, inspect, invoke, the cache."""
import json, os, resource, struct, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *


def leb(n):
    out = b""
    while True:
        out += bytes([n & 0x7f | (0x80 if n > 0x7f else 0)])
        n >>= 7
        if n == 0:
            return out


def name(s):
    return leb(len(s)) + s.encode()


def section(id, body):
    return bytes([id]) + leb(len(body)) + body


PREAMBLE = b"\0asm\x0d\0\x01\0"
CORE = b"\0asm\x01\0\0\0"


def core(*sections):
    return CORE + b"".join(sections)


def component(*sections):
    return PREAMBLE + b"".join(sections)


def write(folder, file, data):
    path = os.path.join(folder, file)
    with open(path, "wb") as f:
        f.write(data)
    return path


# Imports instance "acme:thing/iface@1.2.3" with a function `go: func()`.
FUNC_TYPE = b"\x40" + leb(0) + b"\x01\x00"
UNKNOWN_IMPORT = component(
    section(7, leb(1) + b"\x42" + leb(2) + b"\x01" + FUNC_TYPE + b"\x04\x00" + name("go") + b"\x01\x00"),
    section(10, leb(1) + b"\x00" + name("acme:thing/iface@1.2.3") + b"\x05\x00"))
# A core module whose start function traps, or loops; instantiated by the component.
START_TRAP = core(section(1, b"\x01\x60\x00\x00"), section(3, b"\x01\x00"), section(8, b"\x00"), section(10, b"\x01\x03\x00\x00\x0b"))
START_LOOP = core(section(1, b"\x01\x60\x00\x00"), section(3, b"\x01\x00"), section(8, b"\x00"),
                  section(10, b"\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b"))


def instantiating(module):
    return component(section(1, module), section(2, b"\x01\x00\x00\x00"))


# add(a, b: u32) -> u32, lifted from a core module.
ADD = core(section(1, b"\x01\x60\x02\x7f\x7f\x01\x7f"), section(3, b"\x01\x00"), section(7, b"\x01" + name("add") + b"\x00\x00"),
           section(10, b"\x01\x07\x00\x20\x00\x20\x01\x6a\x0b"))
ADD_COMPONENT = component(
    section(1, ADD), section(2, b"\x01\x00\x00\x00"),
    section(7, b"\x01\x40" + leb(2) + name("a") + b"\x79" + name("b") + b"\x79" + b"\x00\x79"),
    section(6, b"\x01\x00\x00\x01\x00" + name("add")),
    section(8, b"\x01\x00\x00\x00\x00\x00"),
    section(11, b"\x01\x00" + name("add") + b"\x01\x00\x00"))
# Uses the canon task.return, which is of the async ABI.
ASYNC = component(section(8, b"\x01\x09\x01\x00\x00"))


def test_help_and_version():
    code, out, _ = holdfast("--version")
    check("--version", code == 0 and out.startswith("holdfast "), out)
    for args in (["--help"], ["serve", "--help"], ["inspect", "--help"], ["invoke", "--help"], ["build", "--help"]):
        code, out, err = holdfast(*args)
        check("help: " + " ".join(args), code == 0 and "usage:" in out, (code, out, err))
    code, _, err = holdfast()
    check("no command: usage, exit 2", code == 2 and "commands:" in err, (code, err))
    code, _, err = holdfast("srve")
    check("unknown command", code == 2 and "no command 'srve'" in err, err)
    code, _, err = holdfast("serve", "--adr", "x", "y")
    check("near miss", code == 2 and "did you mean --addr" in err, err)
    code, _, err = holdfast("serve")
    check("serve without a file", code == 2 and "name the component" in err, err)
    code, _, err = holdfast("serve", "--memory", "lots", "x.wasm")
    check("bad value names what it wants", code == 2 and "a size like" in err, err)


def test_little_address_space():
    """Where a node does not fit into the address space, an option is named that makes it fit."""
    if SAN:
        skip("little address space", "a sanitizer needs more")
        return

    def serve(*args):
        p = subprocess.run([BIN, "serve", *args, "/nowhere/x.wasm"], capture_output=True, timeout=120, text=True, stdin=subprocess.DEVNULL,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 30, 400 << 30)))
        return p.returncode, p.stderr
    code, err = serve("--workers", "256")
    check("256 workers do not fit, and an option says how many do", code == 5 and "--core-instances" in err and "ulimit -v" in err, (code, err))
    code, err = serve("--workers", "256", "--core-instances", "16")
    check("with that option they fit", code == 6 and "x.wasm" in err, (code, err))


def test_options_say_what_they_want():
    """Each kind of option at its ends: what is in range goes on to the missing file (exit 6), what is not is refused by name."""
    good = ["--workers=256", "--max=1", "--max-requests=0", "--queue=1000000", "--idle-timeout=0", "--slice=1ms", "--slice=500us",
            "--request-timeout=1ns", "--memory=64KiB", "--head-max=1MiB", "--body-max=0", "--keyvalue-value=64MiB", "--keyvalue-keys=1",
            "--instances=singleton", "--log=json", "--quiet", "--no-cache"]
    bad = [("--workers=0", "a number from 1 to 256"), ("--workers=257", "a number from 1 to 256"), ("--workers=-1", "a number"),
           ("--max=0", "a number from 1"), ("--max=4294967297", "a number from 1"), ("--queue=1000001", "a number"),
           ("--max-requests=x", "a number"), ("--max-requests=1.5", "a number"), ("--idle-timeout=5x", "a time like"),
           ("--slice=0", "a time like"), ("--request-timeout=0s", "a time like"), ("--memory=65535", "a size like"),
           ("--head-max=1048577", "a size up to 1MiB"), ("--keyvalue-value=0", "a size up to 64MiB"),
           ("--keyvalue-value=65MiB", "a size up to 64MiB"), ("--keyvalue-keys=0", "a number from 1"), ("--instances=per", "'per-request'"),
           ("--instances=", "'per-request'"), ("--log=xml", "'text' or 'json'"), ("--data=", "a folder"), ("--env=K", "K=V"),
           ("--addr=8080", "HOST:PORT"), ("--core-instances=0", "a number from 1"), ("--core-instances=1000001", "a number from 1")]
    for arg in good:
        code, _, err = holdfast("serve", arg, "/nowhere/x.wasm")
        scarce = SAN and code == 5 and "address space" in err  # a sanitizer has taken it for itself
        check("serve %s is taken" % arg, code == 6 and "x.wasm" in err or scarce, (code, err))
    for arg, words in bad:
        name, value = arg.split("=")
        code, _, err = holdfast("serve", arg, "/nowhere/x.wasm")
        check("serve %s is refused" % arg, code == 2 and "%s: '%s' is not" % (name, value) in err and words in err, (code, err))
    code, _, err = holdfast("serve", "--quiet=yes", "x")
    check("a switch takes no value", code == 2 and "--quiet takes no value" in err, err)


def test_completion():
    """Scripts for shells ask the program itself, so all commands and options are there."""
    import re, shutil, subprocess
    env = dict(os.environ, PATH=os.path.dirname(BIN) + ":" + os.environ["PATH"])

    def shell(*argv):
        return subprocess.run(argv, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
    commands = [line.split("\t")[0] for line in holdfast("--_commands")[1].splitlines()]
    check("every command is listed", re.findall(r"^  ([a-z]+) +", holdfast("--help")[1], re.M) == commands and "serve" in commands, commands)
    for command in commands:
        code, out, err = holdfast(command, "--_options")
        names = [line.split("\t")[0] for line in out.splitlines()]
        listed = re.findall(r"^  (--[a-z-]+)", holdfast(command, "--help")[1], re.M)
        check("the options of %s are those of its help" % command, code == 0 and names == listed and names[-1] == "--help", (names, listed))
    ask = 'eval "$(holdfast completion bash)"; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _holdfast holdfast; echo "${COMPREPLY[@]}"'
    for words, want in (("holdfast ser", "serve\n"), ("holdfast serve --max-", "--max-requests --max-age\n"), ("holdfast serve app", "\n"),
                        ("holdfast nothing --x", "\n")):
        p = shell("bash", "-c", ask % words)
        check("bash: %s" % words, p.stdout == want and p.stderr == "", (p.stdout, p.stderr))
    if shutil.which("fish"):
        p = shell("fish", "-c", "holdfast completion fish | source; complete -C 'holdfast ser'; complete -C 'holdfast serve --max-'")
        check("fish", [line.split("\t")[0] for line in p.stdout.splitlines()] == ["serve", "--max-age", "--max-requests"], p.stdout + p.stderr)
    else:
        skip("completion in fish", "fish is not here")
    if shutil.which("zsh"):
        p = shell("zsh", "-fc", "words=(holdfast serve --max); CURRENT=3; compdef() { : }; _describe() { print -r $1 $found }; "
                  'eval "$(holdfast completion zsh)"; _holdfast')
        check("zsh", p.stdout.startswith("option --addr:where to listen (127.0.0.1\\:8080)"), p.stdout + p.stderr)
    else:
        skip("completion in zsh", "zsh is not here")
    for args in ((), ("tcsh",), ("bash", "zsh")):
        code, out, err = holdfast("completion", *args)
        check("completion %s is refused" % " ".join(args), code == 2 and out == "" and "bash, zsh or fish" in err, (code, out, err))


def test_bad_files():
    with tempfile.TemporaryDirectory() as d:
        hello = open(guest("c-hello"), "rb").read()
        cases = [
            ("missing.wasm", None, (6,), "No such file"),
            ("text.wasm", b"hello, I am no wasm\n", (3,), ""),
            ("empty.wasm", b"", (3,), ""),
            ("core.wasm", ADD, (3,), "core module"),
            ("cut.wasm", hello[:len(hello) // 2], (3,), ""),
            ("cut8.wasm", hello[:8 + 3], (3,), ""),
            ("unknown.wasm", UNKNOWN_IMPORT, (4,), "acme:thing/iface"),
            ("async.wasm", ASYNC, (4, 3), "async"),
            ("trap.wasm", instantiating(START_TRAP), (1, 4), ""),
            ("notservice.wasm", ADD_COMPONENT, (4,), "incoming-handler"),
        ]
        for file, data, codes, words in cases:
            path = os.path.join(d, file) if data is None else write(d, file, data)
            code, _, err = holdfast("serve", path, "--addr", "127.0.0.1:0")
            check("serve " + file + ": exit code", code in codes, (code, err))
            check("serve " + file + ": says what and where", words in err and file in err, err)
        code, _, err = holdfast("serve", guest("c-hello"), "--addr", "256.0.0.1:80")
        check("bad address", code in (2, 6) and "256.0.0.1" in err, (code, err))


def test_start_that_traps_or_loops():
    with tempfile.TemporaryDirectory() as d:
        code, _, err = holdfast("invoke", write(d, "t.wasm", instantiating(START_TRAP)), "x")
        check("a start that traps", code == 1 and "unreachable" in err, (code, err))
        code, _, err = holdfast("invoke", "--timeout", "300ms", write(d, "l.wasm", instantiating(START_LOOP)), "x")
        check("a start that loops ends by its deadline", code == 7, (code, err))


def test_inspect():
    code, out, _ = holdfast("inspect", guest("c-hello"))
    check("inspect a service: exit 0", code == 0)
    check("names imports and exports", "wasi:http/types@0.2" in out and "wasi:http/incoming-handler@0.2" in out, out[:2000])
    code, out, _ = holdfast("inspect", "--json", guest("c-hello"))
    try:
        doc = json.loads(out)
    except ValueError:
        doc = {}
    check("inspect --json parses", code == 0 and doc != {}, out[:500])
    check("json carries a version", doc.get("version") == 1, list(doc))
    with tempfile.TemporaryDirectory() as d:
        path = write(d, "unknown.wasm", UNKNOWN_IMPORT)
        code, out, err = holdfast("inspect", path)
        check("inspect names what is missing: exit 4", code == 4, (code, err))
        check("by name", "acme:thing/iface@1.2.3" in out + err and "go" in out + err, (out, err))
        code, out, err = holdfast("inspect", write(d, "no.wasm", b"nope"))
        check("inspect rubbish: exit 3", code == 3, (code, err))
    for g in ("js-hello", "python-hello", "rust-hello", "c-hostile"):
        if have(g):
            code, out, err = holdfast("inspect", guest(g))
            check("inspect %s can run here" % g, code == 0, (code, err))


def test_invoke():
    with tempfile.TemporaryDirectory() as d:
        path = write(d, "add.wasm", ADD_COMPONENT)
        code, out, err = holdfast("invoke", path, "add", "40", "2")
        check("invoke add 40 2", code == 0 and out.strip() == "42", (code, out, err))
        code, out, err = holdfast("invoke", path, "add", "4294967295", "2")
        check("u32 wraps in the guest", out.strip() == "1", (out, err))
        code, _, err = holdfast("invoke", path, "add", "40")
        check("too few arguments", code == 2 and "2 arguments" in err, (code, err))
        code, _, err = holdfast("invoke", path, "add", "40", "x")
        check("bad argument names it", code == 2 and "argument 2" in err, (code, err))
        code, _, err = holdfast("invoke", path, "sub", "1", "2")
        check("unknown export lists what there is", code == 2 and "add" in err, (code, err))


def test_keyvalue_and_config_options():
    code, out, _ = holdfast("serve", "--help")
    check("help says where buckets are kept", "--keyvalue BUCKET" in out and "kept in memory" in out and "--data DIR" in out and "--config K=V" in out, out)
    with tempfile.TemporaryDirectory() as d:
        path = write(d, "add.wasm", ADD_COMPONENT)
        code, out, err = holdfast("invoke", "--keyvalue", "a", "--keyvalue", "b:ro", "--keyvalue", "", "--config", "k=v", path, "add", "1", "2")
        check("invoke takes buckets and configuration", code == 0 and out.strip() == "3", (code, out, err))
        for wrong in (("--keyvalue", "a", "--keyvalue", "a:ro"), ("--keyvalue", "n" * 256), ("--config", "k"), ("--config", "=v"),
                      ("--config", "k=1", "--config", "k=2")):
            code, _, err = holdfast("invoke", *wrong, path, "add", "1", "2")
            check("refused: %s" % " ".join(wrong)[:40], code == 2 and wrong[0] in err, (code, err))
    for wrong in (("--keyvalue-value", "65MiB"), ("--keyvalue-value", "0"), ("--keyvalue-bytes", "x"), ("--keyvalue-keys", "0")):
        code, _, err = holdfast("serve", *wrong, "x.wasm")
        check("refused: %s" % " ".join(wrong), code == 2 and wrong[0] in err, (code, err))


ECHO_WIT = """package test:echo;
world echo {
  record item { name: string, id: u64, tags: list<string>, at: option<option<u8>> }
  variant shape { nothing, circle(f64), box(tuple<s64, u32>) }
  flags rights { read, write, run }
  enum color { red, deep-green }
  export item: func(v: list<item>) -> list<item>;
  export shape: func(v: list<shape>) -> list<shape>;
  export rights: func(v: rights) -> rights;
  export color: func(v: color) -> color;
  export text: func(v: tuple<char, string, bool>) -> tuple<char, string, bool>;
  export small: func(v: tuple<s8, u8, s16, u16, s32, u32, f32>) -> tuple<s8, u8, s16, u16, s32, u32, f32>;
  export bytes: func(v: list<u8>) -> list<u8>;
  export answer: func(v: result<u8, string>) -> result<u8, string>;
  export nothing: func();
}
"""


def echo_source(header):
    """Every exported function gives back what it gets: out of the generated header."""
    import re
    out = '#include "echo.h"\n'
    for ret, name, args in re.findall(r"^(\S+) (exports_echo_\w+)\((.*)\);$", header, re.M):
        params = [a.strip() for a in args.split(",") if a.strip() not in ("", "void")]
        names = [re.findall(r"(\w+)$", p)[0] for p in params]
        if "answer" in name:  # bool f(result *v, u8 *ok, string *err)
            body = "if (v->is_err) *%s = v->val.err; else *%s = v->val.ok; return !v->is_err;" % (names[2], names[1])
        else:
            body = "" if not params else "return %s;" % names[0] if ret != "void" else "*%s = *%s;" % (names[1], names[0])
        out += "%s %s(%s) { %s }\n" % (ret, name, args, body)
    return out


def test_invoke_every_type():
    """The same values as WAVE and as JSON, through a guest that gives them back."""
    import shutil, subprocess
    tool = os.path.join(os.path.dirname(os.path.realpath(BIN)), "libexec", "holdfast-guest")
    if shutil.which("clang") is None:
        return skip("invoke every type", "clang is not here")
    with tempfile.TemporaryDirectory() as d:
        write(d, "echo.wit", ECHO_WIT.encode())
        subprocess.run([tool, "bindings", d + "/echo.wit", "echo", d + "/gen"], check=True)
        write(d, "app.c", echo_source(open(d + "/gen/echo.h").read()).encode())
        built = subprocess.run(["clang", "--target=wasm32-wasi", "-O1", "-w", "-mexec-model=reactor", "-I" + d + "/gen", d + "/app.c", d + "/gen/echo.c",
                                d + "/gen/echo_component_type.o", "-o", d + "/core.wasm"], capture_output=True, text=True)
        if not check("the echo guest is built", built.returncode == 0, built.stderr):
            return
        path = d + "/echo.wasm"
        subprocess.run([tool, "component", d + "/core.wasm", path], check=True)
        same = [  # function, WAVE, JSON
            ("item", '[{name: "a\\"b", id: 18446744073709551615, tags: ["x", ""], at: some(some(7))}, {name: "", id: 0, tags: [], at: some(none)}]',
             '[{"name": "a\\"b", "id": 18446744073709551615, "tags": ["x", ""], "at": {"some": 7}}, {"name": "", "id": 0, "tags": [], "at": {"some": null}}]'),
            ("item", '[{name: "\u2603\U0001f30a", id: 9007199254740993, tags: []}]', '[{"name": "\u2603\U0001f30a", "id": 9007199254740993, "tags": [], "at": null}]'),
            ("shape", "[nothing, circle(0.1), circle(nan), circle(-inf), box((-9223372036854775808, 4294967295))]",
             '["nothing", {"circle": 0.1}, {"circle": "nan"}, {"circle": "-inf"}, {"box": [-9223372036854775808, 4294967295]}]'),
            ("rights", "{read, run}", '["read", "run"]'),
            ("rights", "{}", "[]"),
            ("color", "deep-green", '"deep-green"'),
            ("text", "('\u2603', \"\\n\\t\", true)", '["\u2603", "\\n\\t", true]'),
            ("small", "(-128, 255, -32768, 65535, -2147483648, 4294967295, 3.4028235e38)", "[-128, 255, -32768, 65535, -2147483648, 4294967295, 3.4028235e38]"),
            ("bytes", "[0, 1, 254, 255]", "[0, 1, 254, 255]"),
            ("answer", "ok(1)", '{"ok": 1}'),
            ("answer", 'err("no")', '{"err": "no"}'),
        ]
        for name, wave, text in same:
            code, out, err = holdfast("invoke", path, name, wave)
            check("WAVE %s(%s)" % (name, wave), code == 0 and out == wave + "\n", (code, out, err))
            code, out, err = holdfast("invoke", "--json", path, name, text)
            check("JSON %s(%s)" % (name, text), code == 0 and out == text + "\n", (code, out, err))
            check("and it is JSON to others", json.loads(out) is not NotImplemented)
        code, out, err = holdfast("invoke", "--json", path, "nothing")
        check("no result is null", (code, out) == (0, "null\n"), (code, out, err))
        code, out, err = holdfast("invoke", path, "nothing")
        check("and nothing in WAVE", (code, out) == (0, ""), (code, out, err))
        for args, words in ((("item", '[{"name": "a", "id": 1, "tags": []}, {"name": "b", "id": 1, "tags": ["x", 5]}]'),
                             'argument 1 (v): [1].tags[1]: column 75: expected a string, found `5`'),
                            (("small", "[1, 2, 3, 4, 5, 6]"), "argument 1 (v): column 18: the array has 6 values, 7 are needed"),
                            (("bytes", "[1, 256]"), "argument 1 (v): [1]: column 5: `256` is out of range: a u8 is 0 to 255"),
                            (("bytes", "[1]", "2"), "it takes 1 argument, more were given")):
            code, out, err = holdfast("invoke", "--json", path, *args)
            check("--json error: " + words, code == 2 and words in err, (code, err))
        code, out, err = holdfast("invoke", path, "bytes", "[1, 256]")
        check("a WAVE error has its column", code == 2 and "argument 1 (v): column 5: `256` is out of range" in err, (code, err))


def test_build_a_c_guest():
    """The README's first service, word for word."""
    import re, shutil
    if shutil.which("clang") is None:
        return skip("holdfast build", "clang is not here")
    source = re.search(r"```c\n(.*?)```", open(os.path.join(top, "README.md")).read(), re.S).group(1)
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(os.path.join(d, "hi"))
        with open(os.path.join(d, "hi", "app.c"), "w") as f:
            f.write(source)
        out = os.path.join(d, "hi.wasm")
        code, text, err = holdfast("build", os.path.join(d, "hi"), "-o", out)
        if check("holdfast build", code == 0 and os.path.exists(out), (code, text, err)):
            with Server(out, "--workers", 1) as s:
                check("what was built answers", s.get("/").body == b"hi\n", s.get("/").body)
        os.mkdir(os.path.join(d, "bad"))
        with open(os.path.join(d, "bad", "app.c"), "w") as f:
            f.write("int x = y;\n")
        code, _, err = holdfast("build", os.path.join(d, "bad"), "-o", out + ".2")
        check("an error in the source is shown", code == 1 and "undeclared identifier" in err, (code, err))
        os.mkdir(os.path.join(d, "empty"))
        code, _, err = holdfast("build", os.path.join(d, "empty"), "-o", out + ".3")
        check("an empty folder is said", code == 2 and "nothing to build" in err, (code, err))


def test_cache_is_used_and_mended():
    with tempfile.TemporaryDirectory() as d:
        cache = os.path.join(d, "cache")
        with tempfile.TemporaryDirectory() as d2:
            path = write(d2, "add.wasm", ADD_COMPONENT)
            code, _, err1 = holdfast("invoke", "--cache", cache, path, "add", "1", "2")
            check("first run compiles", code == 0, err1)
            files = [os.path.join(r, f) for r, _, fs in os.walk(cache) for f in fs]
            check("the cache has files, only ours to read", files and all(os.stat(f).st_mode & 0o277 == 0 for f in files),
                  [(f, oct(os.stat(f).st_mode)) for f in files])
            check("and its folder too", os.stat(cache).st_mode & 0o077 == 0)
            code, _, err2 = holdfast("invoke", "--cache", cache, path, "add", "1", "2")
            check("second run says nothing of compiling", code == 0 and "compil" not in err2, err2)
            for f in files:  # damage everything
                os.chmod(f, 0o600)
                with open(f, "r+b") as h:
                    h.truncate(max(0, os.path.getsize(f) // 2))
                os.chmod(f, 0o400)
            code, out, err3 = holdfast("invoke", "--cache", cache, path, "add", "1", "2")
            check("a damaged cache is mended", code == 0 and out.strip() == "3", (code, out, err3))
            os.chmod(cache, 0o777)
            code, _, err = holdfast("invoke", "--cache", cache, path, "add", "1", "2")
            check("a cache folder others can write is refused, clearly", code in (0, 6) and (code == 0 or "cache" in err), (code, err))


run_tests(sys.modules[__name__])
