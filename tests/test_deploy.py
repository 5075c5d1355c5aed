#!/usr/bin/env python3
"""What was deployed outlives the node: after a restart, after kill -9 at any moment, until the manifest names another component.
Components by their content hash: the store's commands, manifests that name one.

HF_ROUNDS sets how often a node is killed in the middle of a deploy (24).
"""
import hashlib, json, os, random, re, shutil, signal, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

ROUNDS = int(os.environ.get("HF_ROUNDS", "6" if SAN else "24"))
ONE = open(guest("c-versions"), "rb").read()
MANIFEST = """holdfast = 1
[node]
workers = 2
%s
[services.web]
component = %s
"""


def version(n):
    return ONE.replace(b"version-1", b"version-%d" % n)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class App:
    """A folder with a manifest and components of versions 1 to 9: web.wasm is the first."""

    def __init__(self, component='"web.wasm"', node=""):
        self.path = tempfile.mkdtemp(prefix="hf-deploy-")
        self.data = os.path.join(self.path, ".holdfast")
        self.admin = "unix:%s/admin.sock" % self.data
        for n in range(1, 10):
            self.put("%d.wasm" % n, version(n))
        self.put("web.wasm", version(1))
        self.manifest(component, node)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.path)

    def put(self, name, data):
        new = self.file(name + ".new")
        with open(new, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.rename(new, self.file(name))

    def manifest(self, component='"web.wasm"', node="", more=""):
        self.put("holdfast.toml", MANIFEST % (node, component) + more)

    def file(self, *names):
        return os.path.join(self.path, *names)

    def run(self, *args):
        return Server(self.path, *args, command="run")

    def cli(self, *args):
        return holdfast(*args, "--admin", self.admin)

    def deploy(self, n):
        return self.cli("deploy", self.file("%d.wasm" % n))

    def components(self, *args):
        return holdfast("components", *args, "--data", self.data)

    def stored(self):
        folder = os.path.join(self.data, "components")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def record(self):
        return json.load(open(os.path.join(self.data, "deployed.json")))

    def service(self):
        return json.loads(self.cli("inspect", "web", "--json")[1])


def name_of(n):
    return "sha256-%s.wasm" % sha(version(n))


def serves(s, n):
    body = s.get("/").body
    return body.startswith(b"version-%d" % n) or print("    it serves %r, not version %d" % (body[:20], n))


# ---- over a restart ----
def test_a_deploy_outlives_the_node():
    with App() as a:
        with a.run() as s:
            rc, out, err = a.deploy(2)
            check("deployed", rc == 0 and "sha256:%s serves, also after a restart" % sha(version(2)) in out, out + err)
            check("served", serves(s, 2))
            one = a.service()
            check("the door says which and since when", one["component"] == "sha256:" + sha(version(2)) and one["source"] == "deployed" and
                  0 <= time.time() * 1000 - one["deployed_unix_ms"] < 600000 and one["deployed_ms_ago"] < 600000, one)
            out = a.cli("ps")[1]
            check("so does ps", re.search(r"^web +reuse +%s \d+\S* ago " % sha(version(2))[:12], out, re.M), out)
            out = a.cli("inspect", "web")[1]
            check("and inspect", "component   sha256:%s\n" % sha(version(2)) in out and re.search(r"^  from +a deploy at \d{4}-.*ago$", out, re.M), out)
            check("the store has both", a.stored() == sorted([name_of(1), name_of(2)]), a.stored())
            check("for this user alone", all(os.stat(a.file(".holdfast", "components", f)).st_mode & 0o777 == 0o600 for f in a.stored()))
        with a.run() as s:
            check("after a restart", serves(s, 2))
            check("and said", s.wait_line("web: serves sha256:%s, deployed 2" % sha(version(2))[:12]), s.text())
            check("the door says when it was deployed, not when the node started", a.service()["deployed_unix_ms"] == one["deployed_unix_ms"])
            rc, out, err = a.cli("rollback")
            check("a rollback after a restart", rc == 0 and serves(s, 1), out + err)
            now = a.service()
            check("and the door says that it is the manifest's", now["source"] == "manifest" and now["deployed_unix_ms"] is None and
                  now["component"] == "sha256:" + sha(version(1)), now)
            s.stop(signal.SIGKILL)
        with a.run() as s:
            check("is kept too", serves(s, 1))
            check("and can be undone", a.cli("rollback")[0] == 0 and serves(s, 2))
            check("twice", a.cli("rollback")[0] == 0 and serves(s, 1))
            for n in (3, 4, 5):
                check("deploy %d" % n, a.deploy(n)[0] == 0 and serves(s, n))
            s.stop(signal.SIGKILL)
        with a.run() as s:
            check("the last of several", serves(s, 5))
            check("and the one before", a.cli("rollback")[0] == 0 and serves(s, 4))
            check("ends well", s.stop() == 0)


def test_the_manifest_wins_when_it_names_another():
    with App() as a:
        with a.run() as s:
            check("deployed", a.deploy(2)[0] == 0)
            rc, out, err = a.cli("reload")
            check("a reload of the same keeps it", rc == 0 and serves(s, 2), out + err)
        a.put("web.wasm", version(3))
        with a.run() as s:
            check("another file is what is meant", serves(s, 3))
            check("and that is said", s.wait_line(r"service web: \S+web.wasm is another component \(sha256:%s\) than when sha256:%s, deployed 2"
                                                  % (sha(version(3))[:12], sha(version(2))[:12])), s.text())
            rc, out, err = a.cli("rollback")
            check("nothing to go back to", rc == 2 and "nothing to go back to" in err, err)
        a.put("web.wasm", version(1))
        with a.run() as s:
            check("and it stays gone", serves(s, 1))
            check("deployed", a.deploy(2)[0] == 0)
            a.manifest('"3.wasm"')
            check("another name is what is meant", a.cli("reload")[0] == 0 and serves(s, 3))
        a.manifest()
        with a.run() as s:
            check("for good", serves(s, 1))
            check("deployed", a.deploy(2)[0] == 0)
            a.manifest(more='request_timeout = "20s"\n')
            check("other options are no other component", a.cli("reload")[0] == 0 and serves(s, 2))
            a.put("moved.wasm", version(1))
            a.manifest('"moved.wasm"')
            check("the same bytes elsewhere neither", a.cli("reload")[0] == 0 and serves(s, 2))
            a.manifest(by_content(1))
            check("nor by their hash", a.cli("reload")[0] == 0 and serves(s, 2))
        with a.run() as s:
            check("nor after a restart", serves(s, 2))


def test_deploying_the_manifests_own_file():
    """The file that the manifest names is built anew, and deployed: what lies there then is what the manifest names."""
    with App() as a:
        with a.run() as s:
            a.put("web.wasm", version(2))
            rc, out, err = a.cli("deploy", a.file("web.wasm"))
            check("deployed", rc == 0 and serves(s, 2), err)
            check("what was before is nowhere", "a rollback works until the node stops" in out, out)
            check("a rollback works", a.cli("rollback")[0] == 0 and serves(s, 1))
            check("back again", a.cli("rollback")[0] == 0 and serves(s, 2))
            a.put("web.wasm", version(3))
            check("again", a.cli("deploy", a.file("web.wasm"))[0] == 0)
        with a.run() as s:
            check("after a restart", serves(s, 3))
            check("a rollback goes to the one that was deployed before", a.cli("rollback")[0] == 0 and serves(s, 2))
        with a.run() as s:
            check("and stays", serves(s, 2))


def test_without_a_data_folder():
    with App(node="data = false") as a:
        a.admin = "unix:%s/admin.sock" % a.path
        a.manifest(node="data = false\n[admin]\nsocket = \"admin.sock\"")
        with a.run() as s:
            rc, out, err = a.deploy(2)
            check("said", rc == 0 and "sha256:%s serves until the node stops: it has no data folder" % sha(version(2)) in out, out + err)
            check("served", serves(s, 2))
            check("and back", a.cli("rollback")[0] == 0 and serves(s, 1) and a.cli("rollback")[0] == 0)
        with a.run() as s:
            check("gone", serves(s, 1))
            check("and nothing was made", not os.path.exists(a.data))


def test_serve_keeps_it_too():
    with App() as a:
        args = ("--data", a.file("kept"), "--admin", "unix:%s" % a.file("door"))
        a.admin = args[-1]
        with Server(a.file("web.wasm"), *args) as s:
            check("deployed", a.deploy(2)[0] == 0 and serves(s, 2))
        with Server(a.file("web.wasm"), *args) as s:
            check("kept", serves(s, 2) and a.cli("rollback")[0] == 0 and serves(s, 1))


# ---- what is damaged ----
def fails(a):
    p = subprocess.run([BIN, "run", a.path, "--addr", "127.0.0.1:0"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=60 * SLOW)
    return p.returncode, p.stderr


def test_what_is_damaged_is_refused_in_words():
    with App() as a:
        with a.run() as s:
            check("deployed", a.deploy(2)[0] == 0)
        whole = os.path.join(a.data, "components", name_of(2))
        for what, data in (("cut", version(2)[:100]), ("changed", version(3)), ("empty", b"")):
            with open(whole, "wb") as f:
                f.write(data)
            rc, err = fails(a)
            check("a component that was %s" % what, rc == 3 and "service \"web\": what was deployed cannot be had" in err and
                  "%s is not what its name says: its SHA-256 is %s" % (whole, sha(data)) in err, (rc, err))
        rc, out, err = a.components("add", a.file("2.wasm"))
        check("put right", rc == 0, err)
        with a.run() as s:
            check("it serves", serves(s, 2))
        os.unlink(whole)
        rc, err = fails(a)
        check("one that is gone", rc == 6 and "deployed.json" in err and whole in err, (rc, err))
        record = os.path.join(a.data, "deployed.json")
        text = open(record).read()
        for what, data, code, words in (("cut", text[:50], 3, "is no record of what was deployed: line"),
                                        ("newer", text.replace('"version": 1', '"version": 2'), 4, "newer Holdfast: its version is 2"),
                                        ("rubbish", "\0" * 1000, 3, "is no record"), ("empty", "", 3, "is no record")):
            a.put(".holdfast/deployed.json", data)
            rc, err = fails(a)
            check("a record that is %s" % what, rc == code and record in err and words in err and "remove the file" in err, (rc, err))
        os.unlink(record)
        with a.run() as s:
            check("without it the manifest's", serves(s, 1))


def test_a_full_disk_changes_nothing():
    """A limit on the size of files stands for it: components are larger, the record is not."""
    with App() as a:
        with a.run() as s:
            check("deployed", a.deploy(2)[0] == 0)
            import resource
            soft, hard = resource.prlimit(s.p.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(s.p.pid, resource.RLIMIT_FSIZE, (len(version(3)) - 1, hard))
            before = a.record(), a.stored()
            rc, out, err = a.deploy(3)
            check("refused", rc == 6 and "it cannot be kept" in err and "File too large" in err, (rc, out, err))
            check("nothing changed", serves(s, 2) and (a.record(), a.stored()) == before)
            resource.prlimit(s.p.pid, resource.RLIMIT_FSIZE, (soft, hard))
            check("with room it works", a.deploy(3)[0] == 0 and serves(s, 3))


# ---- killed at any moment ----
def kill_when(s, deploying, how, a, delay):
    """Ends the node after some time, or as soon as the deploy has come so far; that it is over ends the waiting."""
    before = set(a.stored())
    if how == "time":
        time.sleep(delay)
    while how == "component" and deploying.is_alive() and set(a.stored()) == before:
        pass
    while how == "record" and deploying.is_alive() and not os.path.exists(os.path.join(a.data, ".begun-deployed.json")):
        pass
    s.stop(signal.SIGKILL)


def test_killed_in_the_middle_of_a_deploy():
    """Old or new, whole; what was acknowledged is the new one. The moments: any, spread over the time that a deploy takes; the store
    is being written; the record is being written, and the change made."""
    rng = random.Random(7)
    with App() as a:
        with a.run("--quiet") as s:
            begun = time.monotonic()
            check("deployed", a.deploy(2)[0] == 0)
            takes = time.monotonic() - begun
        old, seen = 2, {"old": 0, "new": 0, "acknowledged": 0}
        for i in range(ROUNDS):
            new = 1 + old % 9
            for f in a.stored():
                if f != name_of(old):
                    os.unlink(os.path.join(a.data, "components", f)) # so that what is deployed is written
            with a.run("--quiet") as s:
                if not check("round %d: it serves what it served" % i, serves(s, old)):
                    return
                result = []
                t = threading.Thread(target=lambda: result.append(a.deploy(new)))
                t.start()
                kill_when(s, t, ("time", "component", "record")[i % 3], a, takes * (0.5 + rng.random()))
                t.join(60 * SLOW)
            with a.run("--quiet") as s:
                body = s.get("/").body[:9]
                acknowledged = result[0][0] == 0
                check("round %d: old or new" % i, body == b"version-%d" % new or (body == b"version-%d" % old and not acknowledged),
                      (body, old, new, result))
                seen["new" if body == b"version-%d" % new else "old"] += 1
                seen["acknowledged"] += acknowledged
                r = a.record()["services"][0]["deployed"]
                check("round %d: the record is of what serves" % i, r["component"] == "sha256:" + sha(version(int(body[8:9]))), r)
                check("round %d: it goes on" % i, a.deploy(new)[0] == 0 and serves(s, new))
                check("round %d: nothing half is left" % i, not [f for f in os.listdir(a.data) + a.stored() if f.startswith(".begun")])
                old = new
        print("killed %d times: %s" % (ROUNDS, seen))


# ---- the store's commands ----
def test_components_by_hand():
    with App() as a:
        rc, out, err = a.components()
        check("no data folder yet", rc == 6 and "there is no such folder" in err, (rc, out, err))
        rc, out, err = a.components("add", a.file("2.wasm"), a.file("3.wasm"))
        check("two are added before a node ran", rc == 0 and out.split() == ["sha256:" + sha(version(n)) for n in (2, 3)], (out, err))
        check("once more is fine", a.components("add", a.file("2.wasm"))[0] == 0)
        check("they are there", a.stored() == sorted([name_of(2), name_of(3)]), a.stored())
        listed = json.loads(a.components("list", "--json")[1])
        check("listed", listed["version"] == 1 and sorted((c["name"], c["bytes"], c["used_by"]) for c in listed["components"]) ==
              sorted(("sha256:" + sha(version(n)), len(ONE), "") for n in (2, 3)), listed)
        times = [c["added_unix_ms"] for c in listed["components"]]  # a file system's clock may tick in 4 ms: both may be the same
        check("the newest first", times == sorted(times, reverse=True), times)
        check("for people", re.search(r"^sha256:%s +%d +\S+ \S+ +-$" % (sha(version(3)), len(ONE)), a.components()[1], re.M), a.components()[1])
        a.put("rubbish.wasm", b"rubbish" * 10)
        rc, out, err = a.components("add", a.file("rubbish.wasm"))
        check("rubbish is refused", rc == 3 and "is not a WebAssembly component" in err, err)
        rc, out, err = a.components("add", guest("c-command"))
        check("a core module too", rc == 3 and "is a core module, not a component" in err, err)
        check("no such file", a.components("add", a.file("nix.wasm"))[0] == 6)
        with a.run() as s:
            check("deployed", a.deploy(2)[0] == 0)
            for n in (2, 1):
                rc, out, err = a.components("remove", "sha256:" + sha(version(n)))
                check("what a service uses stays, while it runs", rc == 2 and "is in use: by web" in err, err)
        rc, out, err = a.components("remove", sha(version(2))[:12])
        check("and after", rc == 2 and "is in use: by web" in err, err)
        check("another goes", a.components("remove", sha(version(3))[:12].upper())[0] == 0 and a.stored() == sorted([name_of(1), name_of(2)]))
        for bad, words in ((sha(version(3)), "there is no component"), ("sha256:12", "is no name of a component"), ("../x", "is no name")):
            rc, out, err = a.components("remove", bad)
            check("remove %s" % bad, rc == 2 and words in err, err)
        for args, words in ((["add"], "name the files"), (["remove"], "name components"), (["list", "x"], "no operands"), (["nix"], "say what")):
            rc, out, err = a.components(*args)
            check("usage: %s" % args, rc == 2 and words in err, err)
        for args, cwd in ((["list"], a.file("deep", "er")), (["add", a.file("4.wasm")], a.path)):
            os.makedirs(cwd, exist_ok=True)
            p = subprocess.run([BIN, "components", *args], cwd=cwd, capture_output=True, text=True)
            check("without --data: %s" % args, p.returncode == 0 and (args[0] == "add" or sha(version(2)) in p.stdout), p)
    with App() as a:
        p = subprocess.run([BIN, "components", "add", "2.wasm"], cwd=a.path, capture_output=True, text=True)
        check("beside a manifest the folder is made", p.returncode == 0 and a.stored() == [name_of(2)], p)
        check("and is kept out of version control", open(os.path.join(a.data, ".gitignore")).read() == "*\n")
    with tempfile.TemporaryDirectory() as empty:
        p = subprocess.run([BIN, "components"], cwd=empty, capture_output=True, text=True)
        check("nothing near", p.returncode == 6 and "no data folder was found" in p.stderr, p)


# ---- manifests that name a component by its content ----
def by_content(n):
    return '"sha256:%s"' % sha(version(n))


def test_a_component_by_its_content():
    with App(by_content(2)) as a:
        rc, err = fails(a)
        check("what is not there is said, with its place and what to do", rc == 3 and "holdfast.toml:6:13: 'component' in [services.web] is "
              "not in the component store" in err and "`holdfast components add FILE --data %s`" % a.data in err, (rc, err))
        check("it is added", a.components("add", a.file("2.wasm"), a.file("3.wasm"))[0] == 0)
        check("the folder is out of version control", open(os.path.join(a.data, ".gitignore")).read() == "*\n")
        rc, out, err = holdfast("check", a.path)
        check("check takes it", rc == 0 and "all is well" in out, out + err)
        with a.run() as s:
            check("and it runs", serves(s, 2))
            check("it is in use", a.components("remove", sha(version(2)))[0] == 2)
            a.manifest(by_content(4))
            rc, out, err = a.cli("reload")
            check("a reload to one that is not there changes nothing", rc == 3 and "holdfast.toml:6:13:" in err and serves(s, 2), err)
            a.manifest(by_content(3).upper().replace("SHA", "sha"))
            check("to one that is", a.cli("reload")[0] == 0 and serves(s, 3))
            check("in use is the other now", a.components("remove", sha(version(2)))[0] == 0 and a.components("remove", sha(version(3)))[0] == 2)
            check("a deploy over it", a.deploy(5)[0] == 0 and serves(s, 5))
            rc, out, err = a.cli("reload")
            check("stays", rc == 0 and serves(s, 5))
        with a.run() as s:
            check("also over a restart", serves(s, 5) and a.cli("rollback")[0] == 0 and serves(s, 3))
            a.manifest(by_content(5))
            check("one that was deployed can be named", a.cli("reload")[0] == 0 and serves(s, 5))
        path = os.path.join(a.data, "components", name_of(5))
        with open(path, "ab") as f:
            f.write(b"x")
        rc, err = fails(a)
        check("one that changed is refused", rc == 3 and "service \"web\": %s is not the file that is asked for: its SHA-256 is" % path in err, err)


def test_the_store_is_bounded():
    with App(node="[node.components]\nmax = 3") as a:
        check("by hand there is no bound", a.components("add", *[a.file("%d.wasm" % n) for n in (6, 7, 8, 9)])[0] == 0)
        with a.run() as s:
            check("a node keeps it: what nothing uses goes", a.deploy(2)[0] == 0 and len(a.stored()) == 3, a.stored())
            check("what is in use stays", {name_of(1), name_of(2)} <= set(a.stored()), a.stored())
            for n in (3, 4, 5):
                check("deploy %d" % n, a.deploy(n)[0] == 0 and serves(s, n))
                check("the manifest's, the one that serves, the one before", a.stored() == sorted(name_of(m) for m in (1, n - 1, n)), a.stored())
            check("and it is said", s.wait_line("components? that nothing uses removed"), s.text())
            check("a rollback has what it needs", a.cli("rollback")[0] == 0 and serves(s, 4))
        a.manifest(node="[node.components]\nmax = 2")
        with a.run() as s:
            check("less room than is in use: it serves", serves(s, 4))
            rc, out, err = a.deploy(6)
            check("no room is said", rc == 5 and "has no room: 3 components of" in err and "and 2 of" in err and "[node.components]" in err, (rc, err))
            check("and nothing changed", serves(s, 4) and a.stored() == sorted(name_of(m) for m in (1, 4, 5)), a.stored())


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
