#!/usr/bin/env python3
"""holdfast new and holdfast build: what they make, what they refuse, what they say is missing; and that both work where
`make install` puts them. From `new` to a served request in four languages: tests/tutorial.py."""
import os, shutil, stat, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import BIN, SAN, check, run_tests, skip, top

LANGS = {"c": "app.c", "js": "app.js", "python": "app.py", "rust": "src/lib.rs"}


def run(*args, cwd, env=None, bin=BIN):
    p = subprocess.run([bin, *args], capture_output=True, text=True, cwd=cwd, env=env, timeout=300, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr


def files(d):
    return sorted(os.path.relpath(os.path.join(r, f), d) for r, _, fs in os.walk(d) for f in fs)


def write(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def test_new_makes_a_project():
    with tempfile.TemporaryDirectory() as d:
        for lang, source in LANGS.items():
            code, out, err = run("new", "my-" + lang, "--lang", lang, cwd=d)
            p = os.path.join(d, "my-" + lang)
            check("new --lang %s" % lang, code == 0 and err == "", (code, err))
            check("it says what comes next", "cd my-%s\n" % lang in out and "holdfast build" in out and "./test.sh" in out, out)
            made = files(p)
            check("%s: source, test, README, .gitignore, world" % lang,
                  {source, "holdfast.toml", "test.sh", "README.md", ".gitignore", "wit/service.wit"} <= set(made), made)
            check("no template's name is left", not [f for f in made if "dot-" in f], made)
            texts = {f: open(os.path.join(p, f)).read() for f in made}
            check("no mark is left", not [f for f, t in texts.items() if "@NAME@" in t])
            check("its manifest names what build makes", 'component = "my-%s.wasm"' % lang in texts["holdfast.toml"])
            check("its name is in the source", "Hello from my-%s" % lang in texts[source])
            check("the test can be run", os.stat(os.path.join(p, "test.sh")).st_mode & stat.S_IXUSR)
            check("nothing else can", not os.stat(os.path.join(p, "README.md")).st_mode & stat.S_IXUSR)
        code, out, _ = run("new", "by-another-name/", "--lang=javascript", cwd=d)
        check("javascript is js", code == 0 and "app.js" in files(os.path.join(d, "by-another-name")), out)
        os.mkdir(os.path.join(d, "empty"))
        code, out, err = run("new", ".", "--lang", "c", cwd=os.path.join(d, "empty"))
        check("an empty folder is filled", code == 0 and "cd " not in out and "empty.wasm" in out, (code, out, err))


def test_new_refuses():
    with tempfile.TemporaryDirectory() as d:
        write(os.path.join(d, "full", "precious.txt"), "mine")
        write(os.path.join(d, "file"), "mine")
        cases = [
            (("full", "--lang", "c"), 2, "not empty (it has precious.txt)"),
            (("file", "--lang", "c"), 2, "Not a directory"),
            (("x",), 2, "which language? --lang c, js, python or rust"),
            (("x", "--lang", "cobol"), 2, "no template for 'cobol'; there are: c, js, python, rust\n"),
            (("x", "--lang", "go"), 2, "Go makes commands, not services"),
            (("x", "--lang="), 2, "'' is not c, js, python or rust"),
            ((), 2, "give one name"),
            (("a", "b", "--lang", "c"), 2, "give one name"),
            (("", "--lang", "c"), 2, "give one name"),
            (("Hello", "--lang", "c"), 2, "'Hello' cannot be a project's name"),
            (("1st", "--lang", "c"), 2, "'1st' cannot be a project's name"),
            (("a-", "--lang", "c"), 2, "'a-' cannot be a project's name"),
            (("a b", "--lang", "c"), 2, "cannot be a project's name"),
            (("../a/..", "--lang", "c"), 2, "'..' cannot be a project's name"),
            (("/", "--lang", "c"), 2, "cannot be a project's name"),
            (("a" * 64, "--lang", "c"), 2, "at most 63"),
            (("no/such/place", "--lang", "c"), 6, "no/such/place: No such file"),
        ]
        for args, want, words in cases:
            code, out, err = run("new", *args, cwd=d)
            check("new %s is refused" % " ".join(args), code == want and words in err and out == "", (code, out, err))
        check("nothing was made or changed", files(d) == ["file", "full/precious.txt"] and
              open(os.path.join(d, "full", "precious.txt")).read() == "mine", files(d))
        code, _, err = run("new", "x", "--lang", "c", cwd=d, env=dict(os.environ, HF_GUEST_SDK=os.path.join(d, "full")))
        check("missing templates are said by path", code == 6 and "full/templates/common: No such file" in err, (code, err))
        code, _, err = run("new", "y", "--lang", "c", cwd=d, env=dict(os.environ, HF_GUEST_SDK=os.path.join(d, "none")))
        check("a missing SDK is said", code == 6 and "HF_GUEST_SDK" in err, (code, err))


def test_build_finds_the_language():
    with tempfile.TemporaryDirectory() as d:
        def folder(name, *have):
            os.makedirs(os.path.join(d, name), exist_ok=True)
            for f in have:
                write(os.path.join(d, name, f))
            return name
        write(os.path.join(d, "sdk", "build"), '#!/bin/sh\necho "$@" >&2\n')  # says what it was asked
        os.chmod(os.path.join(d, "sdk", "build"), 0o755)
        env = dict(os.environ, HF_GUEST_SDK=os.path.join(d, "sdk"))
        for name, have, args, want in [
            ("rusty", ["Cargo.toml", "shim.c"], [], "rust %s/rusty rusty.wasm"),
            ("gone", ["go.mod"], [], "go %s/gone gone.wasm"),
            ("snake", ["app.py"], ["--keep", "--verbose", "--no-install"], "--keep --verbose --no-install python %s/snake snake.wasm"),
            ("script", ["app.js"], ["--out", "x/y.wasm"], "js %s/script x/y.wasm"),
            ("own", ["own.js"], ["-o", "y.wasm"], "js %s/own y.wasm"),
            ("see", ["anything.c"], [], "c %s/see see.wasm"),
            ("both", ["app.js", "app.py"], ["--lang", "python"], "python %s/both both.wasm"),
        ]:
            code, out, err = run("build", folder(name, *have), *args, cwd=d, env=env)
            check("build %s" % name, code == 0 and want % os.path.realpath(d) in err and out == want.split()[-1] + "\n", (code, out, err))
        code, out, err = run("build", cwd=os.path.join(d, "see"), env=env)
        check("build takes this folder", code == 0 and "/see see.wasm" in err, (code, out, err))
        for args, words in [
            (["both"], "looks like Python (app.py) and like JavaScript (app.js): say which with --lang"),
            ([folder("nothing", "README.md")], "nothing to build: no Cargo.toml, go.mod, app.py, app.js or .c file"),
            (["nowhere"], "nowhere: name one folder"),
            (["see", "own"], "own: name one folder"),
            (["see", "--lang", "perl"], "'perl' is not c, go, js, python or rust"),
        ]:
            code, out, err = run("build", *args, cwd=d, env=env)
            check("build %s is refused" % " ".join(args), code == 2 and words in err and out == "", (code, out, err))
        for rc, want in ((1, 1), (2, 2), (3, 4), (9, 1)):
            write(os.path.join(d, "sdk", "build"), "#!/bin/sh\nexit %d\n" % rc)
            code, out, _ = run("build", "see", cwd=d, env=env)
            check("the script's %d is exit %d" % (rc, want), code == want and out == "", (code, out))


def path_without(d, *names):
    """A PATH whose folders have everything of the usual one but `names`."""
    os.makedirs(d)
    for folder in reversed(os.environ["PATH"].split(":")):
        for f in os.listdir(folder) if os.path.isdir(folder) else []:
            if f not in names:
                link = os.path.join(d, f)
                if os.path.lexists(link):
                    os.unlink(link)
                os.symlink(os.path.join(folder, f), link)
    return d


def test_what_is_missing_is_named():
    with tempfile.TemporaryDirectory() as d:
        for lang in LANGS:
            run("new", "my-" + lang, "--lang", lang, cwd=d)
        gone = path_without(os.path.join(d, "bin"), "clang", "wasm-ld", "node", "python3", "cargo", "rustc", "rustup")
        empty = os.path.join(d, "cache")
        for lang, words in [("c", ("a C guest needs clang lld wasi-libc libclang-rt-dev-wasm32", "apt-get install")),
                            ("js", ("node >= 18 and npm", "apt-get install")), ("python", ("python3 >= 3.9", "apt-get install")),
                            ("rust", ("install rustup", "rustup target add wasm32-wasip2"))]:
            code, out, err = run("build", cwd=os.path.join(d, "my-" + lang), env=dict(os.environ, PATH=gone, HF_CACHE=empty))
            check("missing for %s: exit 4" % lang, code == 4 and out == "", (code, out, err))
            check("and how it is had", all(w in err for w in words if shutil.which("apt-get") or "apt" not in w), err)
            check("nothing was made", not os.path.exists(os.path.join(d, "my-" + lang, "my-%s.wasm" % lang)))
        for lang, tool, words in [("js", "node", "componentize-js"), ("python", "python3", "componentize-py")]:
            if shutil.which(tool) is None:
                skip("no-install " + lang, tool + " is not here")
                continue
            code, _, err = run("build", "--no-install", cwd=os.path.join(d, "my-" + lang), env=dict(os.environ, HF_CACHE=empty))
            check("--no-install fetches nothing for %s" % lang, code == 4 and words in err and "--no-install" in err, (code, err))
        check("the cache has nothing", not os.path.exists(empty) or os.listdir(empty) == [], os.path.exists(empty) and os.listdir(empty))


def test_a_failed_build_leaves_the_old_one():
    if shutil.which("clang") is None:
        return skip("a failed build", "clang is not here")
    with tempfile.TemporaryDirectory() as d:
        run("new", "my-c", "--lang", "c", cwd=d)
        p = os.path.join(d, "my-c")
        code, out, err = run("build", cwd=p)
        before = open(os.path.join(p, "my-c.wasm"), "rb").read() if code == 0 else b""
        check("it builds", code == 0 and before[:4] == b"\0asm" and "warning" not in err, (code, err))
        with open(os.path.join(p, "app.c"), "a") as f:
            f.write("int x = y;\n")
        code, out, err = run("build", cwd=p)
        check("an error in the source is shown", code == 1 and "app.c" in err and "undeclared identifier" in err and out == "", (code, out, err))
        check("the old component is as it was", open(os.path.join(p, "my-c.wasm"), "rb").read() == before)
        check("nothing lies beside it", not [f for f in os.listdir(p) if ".new" in f], os.listdir(p))


def test_installed():
    """make install into an empty folder: what is there works alone."""
    if SAN or shutil.which("clang") is None:
        return skip("installed", "in the ordinary build, with clang")
    with tempfile.TemporaryDirectory() as d:
        p = subprocess.run(["make", "install", "DESTDIR=" + d, "PREFIX=/usr"], cwd=top, capture_output=True, text=True)
        if not check("make install", p.returncode == 0, p.stdout + p.stderr):
            return
        links = [os.path.join(r, f) for r, ds, fs in os.walk(d) for f in fs + ds
                 if os.path.islink(os.path.join(r, f)) and "/" in os.readlink(os.path.join(r, f))] # the library's own are names alone
        check("nothing points back into the source tree", not links, links)
        bin = os.path.join(d, "usr/bin/holdfast")
        share = os.path.join(d, "usr/share")
        page = open(os.path.join(share, "man/man1/holdfast.1")).read()
        check("the manual page has every command", all("\n.SS holdfast %s " % c in page for c in ("serve", "exec", "new", "build")), page[:2000])
        check("and every option", page.count("\n.B \\-\\-") > 60 and "\n.B \\-\\-allow\\-outbound HOST[:PORT]\nwhere its" in page, page[:2000])
        if shutil.which("groff"):
            p = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, capture_output=True, text=True)
            check("groff has nothing to say about it", p.returncode == 0 and p.stderr == "", p.stderr)
        for f in ("bash-completion/completions/holdfast", "zsh/site-functions/_holdfast", "fish/vendor_completions.d/holdfast.fish"):
            check("completion for %s" % f.split("/")[0], "--_options" in open(os.path.join(share, f)).read())
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        work = os.path.join(d, "work")
        os.mkdir(work)
        code, out, err = run("new", "installed", "--lang", "c", cwd=work, env=env, bin=bin)
        check("new from there", code == 0, (code, out, err))
        p = subprocess.run(["./test.sh"], cwd=os.path.join(work, "installed"), env=dict(env, HOLDFAST=bin), capture_output=True, text=True)
        check("the project's own test", p.returncode == 0 and p.stdout.count("ok ") == 4, (p.returncode, p.stdout, p.stderr))


run_tests(sys.modules[__name__])
