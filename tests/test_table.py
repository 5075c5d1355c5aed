#!/usr/bin/env python3
"""The table of doc/kernel.md from guests: each row is done by processes of examples/c/puppet, and seen by them and from outside.
tests/test_rules.py checks that each row of doc/rules.md names one of these (or another test with guests)."""
import os, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from puppets import *

ALL = Puppets(None, "--workers", "2")  # so that half of all messages go over
N = [0]


def fresh(letter):
    """A process that no other test has seen."""
    N[0] += 1
    return "%s/%d" % (letter, N[0])


def same(name, got, want):
    check(name, got == want, "%r, not %r" % (got, want))


# ---- 1: a request is current ----
def test_verbs_say_at_once_what_they_did():
    p = fresh("p")
    r = ALL.ask(p, "v s nobody {} {} size 1100000 t q x g nobody/1 t q x a! 12345 A c! 999 m q U U h q H q T 1000 C C r log")
    same("said", r, ("ok", "ok t:too-large a!:no-request A:no-request c!:no-request U:no-request h:denied H:no-request C:no-request ", None))


def test_ids_are_of_their_own_and_cannot_be_made_up():
    p, q = fresh("p"), fresh("q")
    r = ALL.ask(p, "s %s {d} {r late} to 60000 s %s {r two} {r log}" % (q, q))
    check("the second one's answer is the second one's", r[0] == "ok" and "<='two'" in r[1], r)
    same("ids of others are no tokens", ALL.ask(p, "x 50 {a! 1 a! 7} r no")[1], "no")


def test_1_a_request_is_current_whether_or_not_it_wants_an_answer():
    p = fresh("p")
    check("a tell", ALL.tell(p, "v r x d b", b"its blob") == "sent")
    same("is current, and wants none", ALL.log(p), "no-request r:no-request d:no-request [its blob]")
    same("a request", ALL.ask(p, "v b r log", b"b"), ("ok", "ok [b] ", None))


def test_1a_respond_goes_to_the_origin_once():
    p = fresh("p")
    same("once", ALL.ask(p, "r one r two v f q x d"), ("ok", "one", None))
    same("and says so", ALL.log(p), "r:already-answered already-answered f:already-answered d:already-answered")
    same("with its blob again", ALL.ask(p, "r+ back", b"bytes"), ("ok", "back", b"bytes"))
    same("with one of its own", ALL.ask(p, "r= mine", b"bytes"), ("ok", "mine", b"of " + p.encode()))
    same("with none", ALL.ask(p, "r none", b"bytes"), ("ok", "none", None))


def test_1b_send_keeps_the_request_and_a_tell_does_not():
    p, q = fresh("p"), fresh("q")
    same("kept with its blob", ALL.ask(p, "s %s {r+ a} {n r log}" % q, b"kept"), ("ok", "<='a'[] [kept] ", None))
    r = ALL.ask(p, "t %s {r x}" % q, b"gone")
    same("a tell keeps nothing", r[0], "unanswered")
    same("nor is it answered", ALL.log(q), "r:no-request")


def test_1b_forward_skips_who_forwards():
    p, q = fresh("p"), fresh("q")
    same("the answer goes straight to the origin", ALL.ask(p, "f+ %s {b r+ from-q} v r x" % q, b"b"), ("ok", "from-q", b"b"))
    same("who forwarded has nothing to say", ALL.log(p), "moved r:moved")
    check("under a tell", ALL.tell(p, "f+ %s {v b}" % q, b"plain") == "sent")
    same("it is a plain tell", ALL.log_until(q, "plain"), "[b] no-request [plain]")


def test_1c_what_is_left_undone_is_unanswered():
    p, q = fresh("p"), fresh("q")
    r = ALL.ask(p, "say nothing", b"b")
    same("at once", r[0], "unanswered")
    same("of another process, too", ALL.ask(p, "s %s {say nothing} {r log}" % q), ("ok", "nothing !unanswered(%s) " % q, None))


# ---- 2: an answer is current, what it came under is nested ----
def test_2_a_response_is_current_and_its_request_nested():
    p, q = fresh("p"), fresh("q")
    r = ALL.ask(p, "s= %s {b r= a} {b n v r log}" % q, b"nested")
    same("both have their blobs", r, ("ok", "<='a'[of %s] [of %s] [nested] ok " % (q, q), None))
    check("under a tell", ALL.tell(p, "s %s {r b} {v n r x}" % q) == "sent")
    same("nothing is nested", ALL.log_until(p, "r:no"), "<='b'[] no-request [] r:no-request")


def test_2a_respond_goes_to_the_nested_ones_origin():
    p, q = fresh("p"), fresh("q")
    same("once", ALL.ask(p, "s %s {r= a} {r+ done r again}" % q, b"mine"), ("ok", "done", b"of " + q.encode()))
    same("and says so", ALL.log(p).split()[-1], "r:already-answered")
    same("the nested blob when the answer has none", ALL.ask(p, "s %s {r a} {r+ done}" % q, b"mine"), ("ok", "done", b"mine"))


def test_2b_send_again_and_again_never_deeper_than_one():
    p, q = fresh("p"), fresh("q")
    script = "s %s {r= 1} {s+ %s {b r= 2} {s+ %s {b r 3} {n r log}}}" % (q, q, q)
    r = ALL.ask(p, script, b"first")
    same("three in series", r, ("ok", "<='1'[of %s] <='2'[of %s] <='3'[] [first] " % (q, q), None))
    same("an answer's blob went along", ALL.log(q), "[of %s] [of %s]" % (q, q))


def test_2b_forward_moves_the_nested_one():
    p, q, s = fresh("p"), fresh("q"), fresh("s")
    r = ALL.ask(p, "s %s {r= a} {f+ %s {b r+ end} v}" % (q, s), b"first")
    same("to its origin", r, ("ok", "end", b"of " + q.encode()))
    same("with the answer's blob", ALL.log(s), "[of %s]" % q)
    check("moved", ALL.log(p).endswith("moved"))


def test_2c_the_next_message_releases_both():
    p, q = fresh("p"), fresh("q")
    same("the nested one is unanswered", ALL.ask(p, "s %s {r a} {say over}" % q)[0], "unanswered")
    same("two of a fan-out: when the last one is over", ALL.ask(p, "s %s {r a} {say 1} s %s {r b} {say 2}" % (q, q))[0], "unanswered")
    same("in their order", ALL.log(p), "<='a'[] over <='a'[] 1 <='b'[] 2")


def test_the_blob_choice():
    p, q = fresh("p"), fresh("q")
    same("explicit", ALL.ask(p, "r= x", b"current")[2], b"of " + p.encode())
    same("current's", ALL.ask(p, "s %s {r= a} {r+ x}" % q, b"nested")[2], b"of " + q.encode())
    same("nested's", ALL.ask(p, "s %s {r a} {r+ x}" % q, b"nested")[2], b"nested")
    same("none", ALL.ask(p, "r+ x")[2], None)
    check("another conversation's", ALL.tell(p, "d", b"held before") == "sent")
    same("is never taken", ALL.ask(p, "r+ x")[2], None)


def test_fan_out_the_first_answer_wins():
    p, q, s = fresh("p"), fresh("q"), fresh("s")
    r = ALL.ask(p, "s %s {r one} {r+ won} s %s {r two} {r+ lost}" % (q, q), b"b")
    same("the first", r, ("ok", "won", b"b"))
    same("the second is told", ALL.log_until(p, "r+:"), "<='one'[] <='two'[] r+:already-answered")


def test_duty_is_closed_once_and_for_ever():
    p, q = fresh("p"), fresh("q")
    same("answered later, by a token", ALL.ask(p, "d v r x s %s {r a} {V a+ later a again}" % q, b"b"), ("ok", "later", b"b"))
    same("only by it", ALL.log_until(p, "a:"), "deferred r:deferred <='a'[] ok a:no-request")
    same("a token that is dropped", ALL.ask(p, "d A")[0], "unanswered")
    same("a token of who dies", ALL.ask(p, "d s %s {r a} {F}" % q)[0], "dead")
    same("in hand of who dies", ALL.ask(p, "F")[0], "dead")
    same("at a limit: it traps, too", ALL.ask(p, "r fine")[1], "fine")


# ---- waiting ----
def test_send_and_await():
    p, q = fresh("p"), fresh("q")
    same("current stays, the answer is a value", ALL.ask(p, "k= %s {b r= a} b v r log" % q, b"mine"), ("ok", "k='a'[of %s] [mine] ok " % q, None))
    same("who answered had what was sent", ALL.log(q), "[of %s]" % p)
    same("oneself", ALL.ask(p, "k %s {} r log" % p), ("ok", "k:cycle ", None))
    same("round a corner", ALL.ask(p, "k %s {k %s {r x} r log} r log" % (q, p)), ("ok", "k='k:cycle '[] ", None))
    same("who dies", ALL.ask(p, "k %s {F} r log" % q), ("ok", "k:dead ", None))
    check("others wait meanwhile", ALL.tell(p, "k %s {r a} say first" % q) == "sent" and ALL.tell(p, "say second") == "sent")
    same("in order", ALL.log(p), "k='a'[] first second")


def test_the_context_comes_back_once():
    p, q = fresh("p"), fresh("q")
    same("with the answer", ALL.ask(p, "s %s {r a} {say context r log}" % q), ("ok", "<='a'[] context ", None))
    same("with the failure", ALL.ask(p, "s %s {F} {say context r log}" % q), ("ok", "!dead(%s) context " % q, None))
    same("of what was cancelled", ALL.ask(p, "s %s {d} {say context r log} c c" % q), ("ok", "c:no-request !cancelled(%s) context " % q, None))


def test_a_timeout_restores_the_request():
    p, q = fresh("p"), fresh("q")
    r = ALL.ask(p, "to 20 s= %s {d} {n v r log}" % q, b"mine")
    same("with target, context and blob; it can still be answered", r, ("ok", "!timeout(%s,blob) [mine] ok " % q, None))
    same("who holds it hears so", ALL.log_until(q, "unwanted"), "unwanted")
    same("a late answer is refused", ALL.ask(q, "V a late r log")[1], "unwanted a:unwanted ")
    same("from outside, too", ALL.ask(q, "d", more="&timeout=20ms")[0], "timeout")


def test_cancel_voids():
    p, q = fresh("p"), fresh("q")
    check("sent and cancelled", ALL.ask(p, "s %s {d} {say x} r ok" % q)[1] == "ok")
    same("", ALL.ask(p, "c r log")[0], "ok")
    check("who waits hears", "unwanted" in ALL.log_until(q, "unwanted"))
    same("and is told", ALL.ask(q, "V r log")[1], "unwanted ")
    check("the origin, too", "!cancelled" in ALL.log_until(p, "!cancelled"))


# ---- errors ----
def test_each_error_is_told():
    with Puppets(puppet("p") + puppet("tight", more="mailbox = 1\n") + puppet("one", more="max = 1\n") + puppet("never", more="spawned = true\n")) as w:
        def told(name, script, want):
            r = w.ask("p/1", "s %s {r log}" % script)
            check(name, r[0] == "ok" and want in r[1], r)
        told("no such process", "gone {}", "!no-such-process(gone)")
        told("not made by a message", "never/1 {}", "!no-such-process(never/1)")
        told("dead", "p/2 {F}", "!dead(p/2)")
        told("unanswered", "p/2 {say x}", "!unanswered(p/2)")
        told("limit", "one/1 {r x} {} s one/2 {}", "!limit(one/2)")
        r = w.ask("p/1", "to 10 s p/3 {d} {r log}")
        check("timeout", "!timeout(p/3)" in r[1], r)
        r = w.ask("p/1", "x 3 {s tight {d} {say x}} to 500 s tight {d} {r log}")
        check("full", "!full(tight)" in r[1] or "!full(tight)" in w.log("p/1"), r)
        r = w.ask("p/1", "f gone {}")
        check("a failed forward names the hop", r[0] == "no-such-process" and "forwarded to gone" in r[1], r)
        r = w.ask("p/1", "k p/1 {} r log")
        check("cycle", r[1] == "k:cycle ", r)


def test_where_errors_appear():
    with Puppets(puppet("p", sends='["q"]', spawns="[]") + puppet("q", more="mailbox = 1\n")) as w:
        same("denied, too-large: by the verb", w.ask("p", "s r/1 {} {} size 2000000 s q {} {} meta 2000000 s q {} {} ctx 2000000 s q {} {} S q - r log")[1],
             "s:denied s:too-large s:too-large s:too-large S:denied ")
        same("limit: by the verb", w.ask("p", "x 1025 {s q {} {}} r log")[1], "s:limit ")
        check("refused tells are counted and told to who monitors", w.ask("p", "m q x 20 {t q {}} r ok")[1] == "ok")
        check("so many", "refused:" in w.log_until("p", "refused:"))


def test_answers_are_never_refused():
    with Puppets(puppet("p", more="mailbox = 1\n") + puppet("q", more="mailbox = 1\n")) as w:
        r = w.ask("p", "s* q {s* p {r 2} {r+ log}} {r log}")
        check("between two full ones", r[0] == "ok" and "<='" in r[1], r)


def test_backpressure_is_full_or_a_sender_that_parks():
    with Puppets(puppet("p") + puppet("q", more="mailbox = 2\n")) as w:
        check("all arrive where it parks", w.ask("p", "x 40 {s* q {say x r a} {say got}} r ok")[1] == "ok")
        notes = ""
        end = time.monotonic() + 60 * SLOW
        while notes.count("got") < 40 and time.monotonic() < end:
            notes += w.log("p") + " "
        check("none was refused", notes.count("<='a'") == 40 and "full" not in notes, notes[:200])
        r = w.ask("p", "x 40 {s q {r a} {say got}} r ok")
        check("without, some are told full", "!full(q)" in w.log_until("p", "!full(q)"))


# ---- ends ----
def test_death_is_told_to_all_at_once():
    p, q, s = fresh("p"), fresh("q"), fresh("s")
    check("it monitors", ALL.ask(q, "r lives")[1] == "lives" and ALL.ask(s, "m %s r ok" % q)[1] == "ok")
    r = ALL.ask(p, "s %s {d} {say 1} s %s {s %s {d} {}} {say 2} s %s {F} {say 3}" % (q, q, s, q), b"b")
    log = ALL.log(p)
    check("each origin", r[0] == "unanswered" and log.count("!dead(%s)" % q) == 3, (r, log))
    notes = ALL.log_until(s, "ended")
    check("one notice a monitor", notes.count("ended %s:dead" % q) == 1, notes)
    if "unwanted" not in notes:
        notes += ALL.log_until(s, "unwanted")
    check("its own requests are void", "unwanted" in notes, notes)


def test_links_take_along():
    with Puppets(puppet("p") + puppet("q") + puppet("trap", more="trap_links = true\n")) as w:
        check("both live", w.ask("q/1", "r ok")[1] == "ok" and w.ask("q/2", "r ok")[1] == "ok")
        check("linked", w.ask("p/1", "l q/1 r ok")[1] == "ok" and w.ask("trap", "l q/1 r ok")[1] == "ok")
        check("it dies", w.ask("q/1", "F")[0] == "dead")
        check("so does the other", w.look("p/1") is None, w.look("p/1"))
        check("who traps is told", "exit q/1:dead" in w.log_until("trap", "exit"))
        check("linked", w.ask("p/2", "l q/2 U r ok")[1] == "ok" and w.ask("q/2", "F")[0] == "dead")
        check("unlinked lives on", w.ask("p/2", "r alive")[1] == "alive")


def test_order_is_that_of_sending():
    p, q = fresh("p"), fresh("q")
    check("fifty", ALL.ask(p, "".join("t %s {say %d} " % (q, i) for i in range(50)) + "r ok")[1] == "ok")
    same("in their order", ALL.log(q), " ".join(map(str, range(50))))


def test_capabilities_are_held_carried_and_kept():
    with Puppets(puppet("p", sends='["q", "s"]') + puppet("q", sends="[]") + puppet("s", sends="[]")) as w:
        same("q may not message s", w.ask("q", "? s t s {} r log")[1], "holds-not t:denied ")
        same("with a message that carries it, it may", w.ask("p", "g s s q {? s t s {say hi} r log} {r log}")[1], "<='holds '[] ")
        same("s got it", w.log_until("s", "hi"), "hi")
        same("not after", w.ask("q", "? s h s r log")[1], "holds-not h:denied ")
        same("unless it keeps it", w.ask("p", "g s s q {h s r kept} {r log}")[1], "<='kept'[] ")
        same("then for ever", w.ask("q", "? s r log")[1], "holds ")
        same("until it drops it", w.ask("q", "H s ? s r log")[1], "holds-not ")
        same("nobody passes on what he does not hold", w.ask("q", "g s r x")[0], "unanswered")
        check("said", "r:denied" in w.log("q"))
        same("a forged token", w.ask("q", "x 100 {a! 3 a! 281474976710657} r ok")[1], "ok")


def test_spawned_children_and_their_parent_hold_each_other():
    with Puppets(puppet("p", sends="[]", spawns='["q"]') + puppet("q", sends="[]", spawns="[]")) as w:
        r = w.ask("p", "SM q key s q/key {self r log} {K s q/key {} {r log}}")
        check("the child knows its parent, and is messaged", r[0] == "ok" and "<='q/key<p '" in r[1], r)
        check("its end is told", "ended q/key:" in (r[1] if "ended" in r[1] else w.log_until("p", "ended")), r)
        same("a name is taken once", w.ask("p", "S q a S q a S s b r log")[1], "S:taken S:denied ")
        same("a child may not spawn", w.ask("q/a", "S q x r log")[1], "S:denied ")


def test_restarts_keep_the_queue():
    with Puppets(puppet("p") + puppet("always", more='restart = "always"\nbackoff = "1ms"\n') +
                 puppet("some", more='restart = "some"\nrestart_max = 2\nbackoff = "1ms"\n')) as w:
        r = w.ask("p", "s always {F} {say 1} s always {say x r again} {r log}")
        check("what waited is served by the next", r[0] == "ok" and "!dead(always)" in r[1] and "<='again'" in r[1], r)
        check("its state is new", w.log("always") == "x")
        r = w.ask("p", "x 3 {s some {F} {}} s some {r x} {r log}")
        check("more than it may: all are told", r[0] == "ok" and r[1].count("!dead(some)") == 4, r)
        check("and the next message makes a new one", w.ask("some", "r new")[1] == "new")
        check("restarts are counted", w.look("always")["restarts"] == 1, w.look("always"))


def test_control_from_outside():
    p = fresh("p")
    check("it lives", ALL.ask(p, "say x r ok")[1] == "ok")
    check("killed", ALL.http("POST", "/v1/processes/%s/kill" % p.replace("/", "%2F"))[0] == 200 and ALL.look(p) is None)
    same("its name makes another", ALL.ask(p, "r log")[1], "")


def test_timers_ring_once():
    p = fresh("p")
    check("set", ALL.ask(p, "on {say rang} T 1 r ok")[1] == "ok")
    same("rings", ALL.log_until(p, "rang"), "timer rang")


if __name__ == "__main__":
    if not have("c-puppet"):
        skip("guests", "the C guests are not built")
        print("0 passed, 0 failed")
        sys.exit(0)
    with ALL:
        run_tests(sys.modules[__name__])
