#!/usr/bin/env python3
"""Guests that provoke every error, forge what they can and never stop, beside a good process whose neighbour they are: it loses no
message, and what the kernel holds is at its end what it was at its start. Each attack is a script of examples/c/puppet."""
import os, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from puppets import *

# The good one echoes; the evil ones may do all that a manifest can allow, and fail in every way it has.
APP = puppet("good", sends="[]", spawns="[]") + puppet("evil", more='restart = "some"\nrestart_max = 3\nbackoff = "1ms"\nmax = 200\nmailbox = 64\n') + \
    puppet("again", more='restart = "always"\nbackoff = "1ms"\nbackoff_max = "5ms"\nmax = 50\n') + puppet("tight", more="mailbox = 1\n") + \
    puppet("slow", more='turn_timeout = "200ms"\n') + puppet("poor", sends='["good"]', spawns="[]")
APP = APP.replace('[services.poor]\n', '[services.poor]\nmemory = "8MiB"\n')


class Neighbour(threading.Thread):
    """Asks the good process on and on, each time something else; what it does not get back is counted."""

    def __init__(self, w):
        super().__init__(daemon=True)
        self.w, self.over, self.asked, self.wrong = w, False, 0, []

    def run(self):
        while not self.over:
            self.asked += 1
            want = ("ok", "message-%d" % self.asked, b"blob-%d" % self.asked)
            got = self.w.ask("good", "r+ message-%d" % self.asked, want[2])
            if got != want:
                self.wrong.append((want, got))


def held(w):
    """What the kernel holds: every process that there is, with all it can name, and the node's blobs."""
    names = [i["process"] for i in json.loads(w.http("GET", "/v1/instances")[1])["instances"] if "process" in i]
    looks = [w.look(n) for n in names]
    return {"waiting": sum(o["mailbox"] for o in looks if o), "pending": sum(o["pending"] for o in looks if o),
            "tokens": sum(o["tokens"] for o in looks if o), "blobs": sum(o["blobs"] for o in looks if o),
            "timers": sum(o["timers"] for o in looks if o)}


def settles(w, seconds=60):
    """Until nothing is held any more but by the good one, whose neighbour may be asking."""
    end = time.monotonic() + seconds * SLOW
    while True:
        last = held(w)
        if not any(last.values()) or time.monotonic() > end:
            return last
        time.sleep(0.05)


def attack(name, script, blob=None, target="evil/1", more="", words=None, times=1):
    """One attack with a neighbour; then those that did it are killed, and the kernel is as it was."""
    with Puppets(APP) as w:
        check("the good one lives", w.ask("good", "r hello")[1] == "hello")
        neighbour = Neighbour(w)
        neighbour.start()
        answers = [w.ask(target, script, blob, more) for _ in range(times)]
        before, end = neighbour.asked, time.monotonic() + 60 * SLOW
        while neighbour.asked < before + 20 and time.monotonic() < end:
            time.sleep(0.01)  # it goes on while the attack does
        check("%s: the good one goes on" % name, neighbour.asked >= before + 20, neighbour.asked)
        neighbour.over = True
        neighbour.join(120 * SLOW)
        check("%s: no message of the good one is lost" % name, neighbour.wrong == [], neighbour.wrong[:2])
        check("%s: the node lives" % name, w.server.alive(), w.server.text()[-500:])
        if words is not None:
            check("%s: it is told" % name, words(w, answers), answers[:3])
        for i in json.loads(w.http("GET", "/v1/instances")[1])["instances"]:
            if i.get("process", "good") != "good":
                w.http("POST", "/v1/processes/%s/kill" % i["process"].replace("/", "%2F").replace("~", "%7E"))
        last = settles(w)
        check("%s: nothing is held" % name, not any(last.values()), last)
        bodies = [sum(x["bodies"]["live"] for x in w.node()["workers"])]
        end = time.monotonic() + 60 * SLOW
        while bodies[-1] != 0 and time.monotonic() < end:
            bodies.append(sum(x["bodies"]["live"] for x in w.node()["workers"]))
        check("%s: no blob is left" % name, bodies[-1] == 0, bodies[-1])


def count(w, class_name, member):
    s = next(s for s in json.loads(w.http("GET", "/v1/services")[1])["services"] if s["name"] == class_name)
    return s[member] if member in s else s["failures"][member]


# ---- what is made up ----
def test_forged_tokens_ids_and_capabilities():
    attack("forged", "x 200 {a! 1 a! 2 a! 281474976710656 a! 18446744073709551615 c! 1 c! 5} x 50 {h good g good t good {} ? good} r done",
           target="poor/1", words=lambda w, a: a[0][:2] == ("ok", "done") and "a!:no-request" in w.log("poor/1"))


def test_names_and_metadata_past_their_limits():
    long = "evil/" + "x" * 251
    attack("limits", "t %s {} S evil %s S evil .. S evil {a b} s %s {} {} meta 1100000 t evil/2 {} size 1100000 t evil/2 {} ctx 1100000 s evil/2 {} {} r log"
           % (long, "x" * 300, "evil/}"), words=lambda w, a: a[0][0] == "ok" and a[0][1].count("too-large") == 3 and "S:invalid" in a[0][1])


def test_handles_of_blobs_are_given_once():
    attack("blobs", "x 300 {s= evil/2 {keep d} {}} x 100 {t+ evil/3 {keep}} r+ done", b"b" * 100000, words=lambda w, a: a[0][1] == "done")


# ---- too much ----
def test_a_guest_that_respawns_for_ever():
    def restarts(w, a):
        end = time.monotonic() + 60 * SLOW
        while (w.look("again") or {"restarts": 0})["restarts"] < 10 and time.monotonic() < end:
            time.sleep(0.01)
        return w.look("again")["restarts"] >= 10
    attack("respawn", "on {m again t again F} m again t again F r begun", words=restarts)


def test_a_guest_that_fails_again_and_again_is_given_up():
    attack("give up", "F", times=8, words=lambda w, a: all(x[0] in ("dead", "full") for x in a) and count(w, "evil", "dead") >= 4)


def test_a_guest_that_spawns_without_end():
    attack("spawn", "x 5000 {S evil -} r log", words=lambda w, a: "S:limit" in a[0][1])


def test_a_family_that_spawns_itself():
    attack("family", "S evil - t evil/1 {S evil - S evil - S evil -} r ok", times=40, words=lambda w, a: a[0][1] == "ok")


def test_a_flooded_mailbox():
    attack("flood", "x 20000 {t tight {}} x 2000 {s tight {d} {}} r log", words=lambda w, a: "t:limit" in a[0][1] or "s:limit" in a[0][1])


def test_a_flood_of_blobs():
    attack("blobs kept", "x 200 {s+ evil/2 {keep d} {}} x 200 {s+ evil/3 {d} {}} r ok", b"x" * (1 << 20), times=3)


def test_forwards_in_a_ring():
    ring = "f+ evil/2 {f+ evil/3 {f+ evil/1 {f+ evil/2 {f+ evil/3 {r+ out}}}}}"
    attack("ring", ring, b"round", words=lambda w, a: all(x == ("ok", "out", b"round") for x in a), times=5)


def test_awaits_in_a_ring():
    attack("awaits", "k evil/2 {k evil/3 {k evil/1 {} r log} r log} r log", words=lambda w, a: "cycle" in a[0][1])


def test_timers_and_watches_without_end():
    attack("timers", "x 1000 {T 600000} x 1000 {m good} r log", words=lambda w, a: "T:limit" in a[0][1] and "m:limit" in a[0][1])


# ---- what is never done ----
def test_a_guest_that_dies_with_requests():
    attack("dies", "s evil/2 {d} {} s evil/3 {d} {} k evil/4 {s evil/1 {} {} r x} F", b"blob", times=3, words=lambda w, a: all(x[0] in ("dead", "full") for x in a))


def test_a_guest_that_dies_with_deferred_requests():
    attack("dies later", "d s evil/2 {s evil/1 {F} {} r x} {}", b"blob", words=lambda w, a: a[0][0] == "dead")


def test_a_guest_that_never_answers():
    attack("never", "d keep", b"blob", more="&timeout=50ms", times=5, words=lambda w, a: all(x[0] == "timeout" for x in a))


def test_a_guest_that_lets_go():
    attack("lets go", "say x", b"blob", times=5, words=lambda w, a: all(x[0] == "unanswered" for x in a))


def test_a_guest_that_answers_after_it_moved():
    attack("moved", "d f evil/2 {r x} a now r again a twice", b"blob", words=lambda w, a: a[0][1] == "now" and "f:deferred" in w.log("evil/1"))


def test_a_guest_that_computes_for_ever():
    attack("loop", "loop", target="slow/1", words=lambda w, a: a[0][0] in ("dead", "timeout"))


def test_a_guest_that_takes_all_memory():
    attack("memory", "L", target="poor/1", words=lambda w, a: a[0][0] in ("dead", "limit"))


if __name__ == "__main__":
    if not have("c-puppet"):
        skip("guests", "the C guests are not built")
        print("0 passed, 0 failed")
        sys.exit(0)
    run_tests(sys.modules[__name__])
