"""Not a test itself: test_tutorial_*.py are, one for each language. doc/tutorial.md, word for word: every command of its console blocks is run as it stands, in a shell for each terminal, and what
it prints is compared with what is shown. Each language has a home folder of its own.

A block's first line may say `lang=X` (only then), `terminal=N` (1 if not; 2 is opened when it is first named) and `in=source` (in
this source tree). In a block a line "$ COMMAND" is run; the lines below are its output, where "..." alone is
any lines and inside a line any text. "^C" interrupts the terminal's command. A command whose output is there but which
does not end (a server) is left running; a block without a command waits for more of its output."""
import os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import SAN, check, skip, top

PAGE = os.path.join(top, "doc", "tutorial.md")
LANGS = ("c", "js", "python", "rust")
SECONDS = 540  # for one command: a first build fetches and compiles


class Block:
    def __init__(self, info, text, line):
        self.line = line
        words = dict(w.split("=") for w in info.split())
        self.lang, self.terminal, self.source = words.get("lang"), words.get("terminal", "1"), words.get("in") == "source"
        self.steps = []  # [command or "^C" or None, expected lines]
        for l in text.splitlines():
            if l.startswith("$ ") or l == "^C":
                self.steps.append([l[2:] if l != "^C" else l, []])
            else:
                if not self.steps:
                    self.steps.append([None, []])
                self.steps[-1][1].append(l)


def blocks():
    text = open(PAGE).read()
    for m in re.finditer(r"^```([a-z]*)([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        line = text[:m.start()].count("\n") + 1
        if m.group(1) == "console":
            yield Block(m.group(2), m.group(3), line)
        elif m.group(1) in ("sh", "bash", "shell", ""):
            check("line %d: commands are in console blocks" % line, False, m.group(0)[:100])


def pattern(lines):
    out = ""
    for l in lines:
        out += r"(?:.*\n)*?" if l == "..." else re.escape(l).replace(r"\.\.\.", ".*") + r"\n"
    return out


class Terminal:
    """A shell that is given one command after another; its output is one stream, as a screen's."""

    def __init__(self, env, cwd):
        self.p = subprocess.Popen(["bash", "--norc"], env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, bufsize=1, start_new_session=True)
        self.text, self.at, self.n, self.busy = "", 0, 0, False
        self.more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            with self.more:
                self.text += line
                self.more.notify_all()
        with self.more:
            self.text += "@@closed\n"
            self.more.notify_all()

    def wait(self, regex, seconds=SECONDS):
        """The match of it in what has not been looked at yet, or None."""
        end = time.monotonic() + seconds
        with self.more:
            while True:
                m = re.compile(regex).search(self.text, self.at)
                if m or "@@closed" in self.text or time.monotonic() > end:
                    return m
                self.more.wait(0.2)

    def send(self, command):
        self.n += 1
        self.busy = True
        self.p.stdin.write("{ %s\n} </dev/null; echo \"@@%d $?\"\n" % (command, self.n))
        self.p.stdin.flush()

    def children(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[1]) == self.p.pid:
                    yield int(pid)
            except OSError:
                pass

    def seen(self):
        return self.text[self.at:]

    def finish(self, seconds=SECONDS):
        """Waits for the command's end: (its exit code, all of its output that has not been looked at)."""
        m = self.wait(r"@@%d (\d+)\n" % self.n, seconds)
        if m is None:
            return None, self.seen()
        out, self.at, self.busy = self.text[self.at:m.start()], m.end(), False
        return int(m.group(1)), out

    def close(self):
        """Ends the shell with all that it began: they are one process group."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.p.pid, sig)
            except ProcessLookupError:
                break
            if sig == signal.SIGTERM:
                self.wait(r"@@closed", 15)
        self.p.wait()


def step(t, where, command, expected):
    """One command and its output, or more output of the one that runs. True: as the page says."""
    if command == "^C":
        for pid in list(t.children()):
            os.kill(pid, signal.SIGINT)
        code, out = t.finish(30)
        return check(where + " ends by ctrl-c", code == 0 and re.fullmatch(pattern(expected), out), (code, out))
    if command is not None:
        if t.busy:
            return check(where + ": the terminal is free", False, t.seen())
        t.send(command)
    # Either the command ends and its output is as shown, or what is shown has come and it goes on.
    regex, end = pattern(expected), r"@@%d \d+\n" % t.n
    m = t.wait(end if command is not None and not is_server(command) else r"(?:%s)|%s" % (regex or r"(?!)", end))
    if m is None or re.fullmatch(end, m.group(0)) or not is_server(command or "holdfast run"):
        code, out = t.finish(1)
        return check(where, code == 0 and re.fullmatch(regex, out), (code, out, "expected", "\n".join(expected)))
    t.at = m.end()
    return check(where, True)


def is_server(command):
    return re.match(r"holdfast (run|serve|logs -f)\b", command) is not None


def follow(lang, home):
    projects = os.path.join(home, "projects")
    os.mkdir(projects)
    real = os.path.expanduser("~")
    with socket.socket() as s:  # one that is free, as the page asks for
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    cache = os.environ.get("HF_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(real, ".cache"), "holdfast")
    # What was fetched and compiled before is used; PORT is what the page says may be set.
    env.update(HOME=home, PORT=str(port), HF_CACHE=cache, CARGO_TARGET_DIR=os.path.join(cache, "rust-guests"),
               CARGO_HOME=os.environ.get("CARGO_HOME", os.path.join(real, ".cargo")),
               RUSTUP_HOME=os.environ.get("RUSTUP_HOME", os.path.join(real, ".rustup")))
    terminals, ran = {}, 0
    try:
        for b in blocks():
            if b.lang not in (None, lang):
                continue
            if b.terminal not in terminals:
                terminals[b.terminal] = Terminal(env, projects)
            t = terminals[b.terminal]
            if b.source:
                t.send("cd '%s'" % top)
                t.finish()
            for command, expected in b.steps:
                where = "%s, line %d: %s" % (lang, b.line, command or "(more output)")
                if not step(t, where, command, expected):
                    return None
                ran += command is not None
            if b.source:
                t.send("cd '%s'" % projects)
                t.finish()
        return ran
    finally:
        for t in terminals.values():
            t.close()


def every_command(lang):
    if SAN:
        return skip("the tutorial", "in the ordinary build")
    p = subprocess.run(["tools/setup", "--check", "guest-" + lang], cwd=top, capture_output=True, text=True)
    if p.returncode != 0:
        return skip("the tutorial in " + lang, p.stderr.strip().splitlines()[-1])
    load, cores = os.getloadavg()[0], os.cpu_count()
    if lang in ("js", "python") and load > 4 * cores:  # minutes of compiling would become an hour
        return skip("the tutorial in " + lang, "the machine is busy: load %.0f on %d cores" % (load, cores))
    home = tempfile.mkdtemp()
    try:
        started = time.monotonic()
        ran = follow(lang, home)
        if check("all of the page in " + lang, ran is not None and ran > 20, ran):
            print("%s: %d commands in %.0f s" % (lang, ran, time.monotonic() - started), flush=True)
    finally:
        shutil.rmtree(home)


def the_page():
    """What the tests rest on: each language has its blocks, in the same places."""
    each = {l: [len(b.steps) for b in blocks() if b.lang == l] for l in LANGS}
    check("the same steps in every language", len(set(map(tuple, each.values()))) == 1 and len(each["c"]) >= 2, each)
    check("no other languages", {b.lang for b in blocks()} == {None, *LANGS})
