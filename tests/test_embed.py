#!/usr/bin/env python3
"""libholdfast as an embedder has it: headers by themselves, what the library shows, an installed tree, the example built against it.

The API's names, numbers and layouts are kept in tests/node/api.golden: a line of it that is not true any more fails, for programs
were built with it. What is new is listed and wants `tests/test_embed.py --write` (and a bump of HF_API_VERSION, if anything of the
old had to change).
"""
import glob, os, re, shutil, subprocess, sys, tempfile, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADERS = sorted(glob.glob(os.path.join(TOP, "include/holdfast/*.h")))
GOLDEN = os.path.join(TOP, "tests/node/api.golden")
BUILD = os.environ.get("HF_BUILD", os.path.join(TOP, "build/dev"))


def sh(*cmd, **kw):
    return subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=300 * SLOW, **kw)


def plain(path):
    text = open(path, encoding="utf-8").read()
    return re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


def functions():
    return sorted(n for h in HEADERS for n in re.findall(r"\bHF_API\b[^;{]*?\b(hf_\w+)\s*\(", plain(h)))


def fields(body):
    """Names of a struct's members."""
    for decl in body.split(";"):
        decl = " ".join(decl.split())
        if not decl:
            continue
        pointer = re.search(r"\(\*(\w+)\)\s*\(", decl)
        if pointer:
            yield pointer.group(1)
            continue
        for part in decl.split(","):
            yield re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", part).group(1)


def golden_now():
    """Compiled: the compiler says what each number is."""
    lines = []
    for h in HEADERS:
        text = plain(h)
        for name, body in re.findall(r"\benum\s+(hf_\w+)\s*\{([^}]*)\}", text):
            for value in re.findall(r"\b(HF_\w+)\s*=", body):
                lines.append(('enum %s' % value, "(long long)%s" % value))
        for name, body in re.findall(r"\bstruct\s+(hf_\w+)\s*\{([^}]*)\}\s*;", text):
            for f in fields(body):
                lines.append(("field %s.%s" % (name, f), "(long long)offsetof(struct %s, %s)" % (name, f)))
                lines.append(("width %s.%s" % (name, f), "(long long)sizeof(((struct %s *)0)->%s)" % (name, f)))
    lines.append(("version", "HF_API_VERSION"))
    with tempfile.TemporaryDirectory() as d:
        src, exe = os.path.join(d, "a.c"), os.path.join(d, "a")
        with open(src, "w") as f:
            f.write("#include <stdio.h>\n#include <stddef.h>\n")
            f.writelines('#include "%s"\n' % h for h in HEADERS)
            f.write("int main(void) {\n")
            f.writelines('printf("%%s %%lld\\n", "%s", (long long)%s);\n' % l for l in lines)
            f.write("}\n")
        p = sh("gcc", "-I", os.path.join(TOP, "include"), src, "-o", exe)
        assert p.returncode == 0, p.stderr
        out = sh(exe).stdout.splitlines()
    return sorted(out + ["func %s" % n for n in functions()])


def test_headers_stand_alone_in_c_and_cpp():
    for h in HEADERS:
        for cc, lang, std in (("gcc", "c", "c11"), ("g++", "c++", "c++17")):
            if not shutil.which(cc):
                print("SKIP: test_headers_stand_alone_in_c_and_cpp: no %s" % cc)
                continue
            p = sh(cc, "-x", lang, "-std=" + std, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I",
                   os.path.join(TOP, "include"), h if lang == "c++" else h)
            check("%s as %s" % (os.path.basename(h), std), "error:" not in p.stderr.replace("pragma once", ""), p.stderr)


def test_what_programs_were_built_with_is_still_so():
    now = golden_now()
    kept = open(GOLDEN).read().splitlines()
    check("there is something to keep", len(kept) > 300 and any(l.startswith("func hf_node_open") for l in kept), len(kept))
    gone = sorted(set(kept) - set(now))
    check("every line of tests/node/api.golden is true", not gone, gone)
    new = sorted(set(now) - set(kept))
    if new:
        print("new in the API (tests/test_embed.py --write keeps it): %s" % ", ".join(new))


def test_the_library_shows_the_api_and_nothing_else():
    if os.environ.get("HF_SAN"):
        print("SKIP: test_the_library_shows_the_api_and_nothing_else: the library is not built with sanitizers")
        return
    want = functions()
    p = sh("nm", "-D", "--defined-only", os.path.join(BUILD, "libholdfast.so"))
    check("shared", sorted(l.split()[-1] for l in p.stdout.splitlines()) == want, p.stdout[:2000] + p.stderr)
    p = sh("nm", "-g", "--defined-only", os.path.join(BUILD, "libholdfast.a"))
    check("static", sorted(l.split()[-1] for l in p.stdout.splitlines() if len(l.split()) == 3) == want, p.stdout[:2000] + p.stderr)
    p = sh("readelf", "-d", os.path.join(BUILD, "libholdfast.so"))
    check("soname", re.search(r"SONAME.*\[libholdfast\.so\.\d+\]", p.stdout), p.stdout)


def run_example(exe, env, what):
    stock = guest("c-stock")
    p = subprocess.Popen([exe, stock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        url = p.stdout.readline().strip()
        check(what + ": it listens", url.startswith("http://127.0.0.1:"), url)
        get = lambda path, data=None: urllib.request.urlopen(url + path, data=data, timeout=60 * SLOW).read().decode()
        check(what + ": a component asks the program", get("/apple") == "apple: 45 cents; red\n")
        for i in range(1, 4):
            check(what + ": and tells it", get("/apple", b"") == "sold so far: %d\n" % i)
        check(what + ": a native process answers", get("/desk") == "asked 1, sold 3\n")
        check(what + ": no thread but its own", len(os.listdir("/proc/%d/task" % p.pid)) == 1, os.listdir("/proc/%d/task" % p.pid))
        check(what + ": and stops it", get("/stop") == "asked 1, sold 3\n")
        out, err = p.communicate(timeout=60 * SLOW)
        check(what + ": it ends in order", p.returncode == 0 and err == "", (p.returncode, err))
    finally:
        if p.poll() is None:
            p.kill()
            p.communicate()


def test_the_example_against_an_installed_tree():
    if os.environ.get("HF_SAN"):
        print("SKIP: test_the_example_against_an_installed_tree: the library is not built with sanitizers")
        return
    if not have("c-stock"):
        print("SKIP: test_the_example_against_an_installed_tree: build/guests/c-stock.wasm is not built")
        return
    with tempfile.TemporaryDirectory() as d:
        # DESTDIR and PREFIX apart, as packagers do: nothing may lie outside, and no file may name DESTDIR.
        p = sh("make", "-s", "install-lib", "DESTDIR=" + d + "/stage", "PREFIX=/opt/hf", cwd=TOP)
        check("make install-lib", p.returncode == 0, p.stdout + p.stderr)
        check("below DESTDIR", os.listdir(d) == ["stage"] and os.listdir(d + "/stage") == ["opt"], os.listdir(d))
        pc = open(d + "/stage/opt/hf/lib/pkgconfig/holdfast.pc").read()
        check("the .pc names the prefix alone", "prefix=/opt/hf\n" in pc and d not in pc and "@" not in pc, pc)
        env = dict(os.environ, PKG_CONFIG_PATH=d + "/stage/opt/hf/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=d + "/stage")
        if not shutil.which("pkg-config"):
            print("SKIP: test_the_example_against_an_installed_tree: no pkg-config")
            return
        flags = sh("pkg-config", "--cflags", "--libs", "holdfast", env=env).stdout.split()
        check("pkg-config", "-lholdfast" in flags, flags)
        check("version", sh("pkg-config", "--modversion", "holdfast", env=env).stdout.strip() == open(TOP + "/VERSION").read().strip())
        src = TOP + "/examples/embed/embed.c"
        p = sh("gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", src, "-o", d + "/shared", *flags)
        check("it builds, shared", p.returncode == 0, p.stderr)
        run_example(d + "/shared", dict(env, LD_LIBRARY_PATH=d + "/stage/opt/hf/lib"), "shared")
        libs = sh("pkg-config", "--static", "--libs", "holdfast", env=env).stdout.split()
        os.unlink(d + "/stage/opt/hf/lib/libholdfast.so")
        flags = sh("pkg-config", "--cflags", "holdfast", env=env).stdout.split()
        p = sh("gcc", "-std=c11", "-D_GNU_SOURCE", src, "-o", d + "/static", *flags, *libs)
        check("it builds, static", p.returncode == 0, p.stderr[-2000:])
        if p.returncode == 0:
            run_example(d + "/static", env, "static")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        with open(GOLDEN, "w") as f:
            f.write("\n".join(golden_now()) + "\n")
        sys.exit(0)
    run_tests(sys.modules[__name__])
