"""A node of puppets (examples/c/puppet): processes that do what they are told through the admin door, for tests of what guests may do.

What `ask` brings is (answer, body, blob): "ok" or the word of the failure, text, and the blob's bytes or None.
"""
import json, os, time

from hf import *

PUPPET = guest("c-puppet")


def puppet(name, sends='["*"]', spawns='["*"]', more=""):
    return '[services.%s]\ncomponent = "%s"\n[services.%s.process]\nsends = %s\nspawns = %s\n%s' % (name, PUPPET, name, sends, spawns, more)


class Puppets(App):
    """Classes p, q, s, d: all may message and spawn all; or those that `text` says."""

    def __init__(self, text=None, *args):
        # bounds of a class and refused tells are of each worker: one
        super().__init__("holdfast = 1\n[node]\ndata = false\ndrain = \"100ms\"\n" + (text or "".join(puppet(n) for n in "pqsd")),
                         *(args or ("--workers", "1")))

    def http(self, method, target, body=None):
        c = Unix(os.path.join(self.path, ".holdfast", "admin.sock"))
        try:
            c.request(method, target, body)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def message(self, verb, name, script, blob=None, more=""):
        body = script.encode()
        target = "/v1/processes/%s/%s?body=%d%s%s" % (name.replace("/", "%2F"), verb, len(body), "&blob" if blob is not None else "", more)
        return self.http("POST", target, body + (blob or b""))

    def ask(self, name, script, blob=None, more=""):
        status, got = self.message("call", name, script, blob, more)
        if status != 200:
            return json.loads(got)["status"], json.loads(got)["error"], None
        line, rest = got.split(b"\n", 1)
        head = json.loads(line)
        n = head["body_bytes"]
        return head["answer"], rest[:n].decode(), rest[n:] if head["blob"] else None

    def tell(self, name, script, blob=None):
        return json.loads(self.message("send", name, script, blob)[1]).get("done")

    def log(self, name):
        """What it has noted, and forgets with that."""
        return self.ask(name, "r log")[1].strip()

    def log_until(self, name, part):
        """Its notes, asked for until `part` is in them: what happens by itself has happened then."""
        got = ""
        end = time.monotonic() + 60 * SLOW
        while part not in got and time.monotonic() < end:
            got += self.log(name) + " "
        return got.strip()

    def look(self, name):
        status, got = self.http("GET", "/v1/processes/" + name.replace("/", "%2F"))
        return json.loads(got) if status == 200 else None

    def node(self):
        return json.loads(self.http("GET", "/v1/node")[1])
