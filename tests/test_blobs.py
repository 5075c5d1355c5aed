#!/usr/bin/env python3
"""Blobs past their bounds: bytes that lie in a file, through a whole node.

HF_BLOB_BYTES is how much is uploaded through the hops; without it 48 MiB (1073741824 is the bar of the kernel's issue).
"""
import hashlib, json, os, re, socket, sys, time, zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hf import *

CHAIN = guest("c-chain")
MIB = 1 << 20
BYTES = int(os.environ.get("HF_BLOB_BYTES", 48 * MIB))
BOUND = 4 * MIB
NODE = 'holdfast = 1\n[node]\ndata = %s\nblob_memory_max = "4MiB"\nblob_resident_max = "1MiB"\n%s'


def process(name, component, sends="[]", routes=""):
    return '[services.%s]\ncomponent = "%s"\n%s[services.%s.process]\nsends = %s\n' % (name, component, routes, name, sends)


HOPS = "".join(process(a, CHAIN, '["%s"]' % b) for a, b in ("ab", "bc", "cd")) + process("d", CHAIN)
TIMES = 'request_timeout = "1h"\n'
UPLOAD = (process("door", guest("js-door"), '["librarian", "shelf/*"]', 'routes = ["/uploads"]\n' + TIMES) +
          process("librarian", guest("python-librarian"), '["shelf/*"]', TIMES) + process("shelf", guest("c-shelf"), "[]", TIMES))


def has_upload():
    return all(have(g) for g in ("js-door", "python-librarian")) or skip("the upload app", "no JavaScript or Python guests")


def pieces(n):
    """n bytes, no two MiB the same."""
    block = bytearray(os.urandom(MIB))
    for at in range(0, n, MIB):
        block[0:8] = (at // MIB).to_bytes(8, "little")
        yield bytes(block[:min(MIB, n - at)])


class Node(App):
    def __init__(self, text, workers="1", data="false", more=""):
        super().__init__(NODE % (data, more) + text, "--workers", workers)

    def upload(self, n):
        """Uploads n bytes; what was answered, what should have been but for the number, and the digest of the bytes."""
        adler, sha = 1, hashlib.sha256()
        with self.server.connect(600 * SLOW) as s:
            try:
                s.sendall(b"POST /uploads HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % n)
                for piece in pieces(n):
                    adler = zlib.adler32(piece, adler)
                    sha.update(piece)
                    s.sendall(piece)
            except OSError:
                pass  # it was answered before its end
            try:
                r = read_response(s, "POST")
                said = r.status, r.body.decode()
            except (OSError, EOFError, RuntimeError, ValueError) as e:
                said = 0, str(e)
        return said, "%d bytes, adler32 %08x\n" % (n, adler), sha.hexdigest()

    def digest_of(self, n):
        """The digest of upload n as it comes back."""
        sha, left = hashlib.sha256(), None
        with self.server.connect(600 * SLOW) as s:
            s.sendall(b"GET /uploads/%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % n)
            head = b""
            while b"\r\n\r\n" not in head:
                head += s.recv(65536)
            head, rest = head.split(b"\r\n\r\n", 1)
            left = int(re.search(rb"(?i)content-length: (\d+)", head).group(1)) - len(rest)
            sha.update(rest)
            while left > 0:
                rest = s.recv(1 << 20)
                if not rest:
                    return "it broke off, %d bytes are missing" % left
                sha.update(rest)
                left -= len(rest)
        return sha.hexdigest()

    def call(self, name, route, n):
        """A message with a blob of n bytes through the admin door; its answer, and what it should be."""
        total = 0
        with self.door() as s:
            s.sendall(b"POST /v1/processes/%s/call?blob&body=0&timeout=%ds&metadata=%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      b"Content-Length: %d\r\n\r\n" % (name.encode(), 600 * SLOW, route.encode(), n))
            for piece in pieces(n):
                total += sum(piece)
                s.sendall(piece)
            got = read_response(s, "POST").body
        return got.split(b"\n", 1)[1].decode(), "%d %d" % (n, total)

    def door(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(600 * SLOW)
        s.connect(os.path.join(self.path, ".holdfast", "admin.sock"))
        return s

    def metrics(self):
        with self.door() as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = read_response(s).body.decode()
        all_of = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                all_of[name.split("{")[0]] = all_of.get(name.split("{")[0], 0) + float(value)
        return all_of

    def peak_kb(self):
        m = re.search(r"VmHWM:\s+(\d+)", open("/proc/%d/status" % self.server.p.pid).read())
        return int(m.group(1))

    def settles(self, seconds=60):
        """The bytes in the file, when none are left or the time is over."""
        end = time.monotonic() + seconds * SLOW
        while True:
            left = self.metrics()["holdfast_blob_file_bytes"]
            if left == 0 or time.monotonic() > end:
                return left
            time.sleep(0.05)


def test_a_blob_goes_over_hops_in_flat_memory():
    for workers in ("1", "2"):
        with Node(HOPS, workers) as node:
            got, want = node.call("a", "b%20c%20d", 2 * MIB)
            check("a small one", got == want, got)
            before, n = node.peak_kb(), 48 * MIB
            got, want = node.call("a", "b%20c%20d", n)
            check("a large one, %s workers" % workers, got == want, got)
            grown = (node.peak_kb() - before) // 1024
            if not SAN:  # a sanitizer keeps what was freed
                check("in flat memory: 24 MiB more at most", grown <= 24, grown)
            m = node.metrics()
            check("it went to the file", m["holdfast_blob_written_bytes_total"] >= n - 3 * BOUND, m)
            check("nothing is left there", node.settles() == 0)
            check("nothing failed", m["holdfast_blob_file_failures_total"] == 0 and m["holdfast_blobs_refused_total"] == 0, m)


def test_an_upload_goes_over_hops_in_flat_memory_and_comes_back():
    if not has_upload():
        return
    with Node(UPLOAD) as node:
        said, want, _ = node.upload(2 * MIB)
        check("a small one", said == (200, "upload 1: " + want), said)
        before = node.peak_kb()
        said, want, sha = node.upload(BYTES)
        check("a large one", said == (200, "upload 2: " + want), said)
        slow = node.server.connect(600 * SLOW)  # a client that reads nothing holds up nobody
        slow.sendall(b"GET /uploads/2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for again in (1, 2):
            check("it comes back, %d" % again, node.digest_of(2) == sha)
        slow.close()
        grown = (node.peak_kb() - before) // 1024
        if not SAN:
            check("in flat memory: 24 MiB more at most", grown <= 24, grown)
        m = node.metrics()
        check("it lies in the file", m["holdfast_blob_file_bytes"] >= BYTES - 2 * BOUND, m)
        check("and was written once", m["holdfast_blob_written_bytes_total"] <= BYTES + 3 * MIB, m)
        check("nothing failed", m["holdfast_blob_file_failures_total"] == 0 and m["holdfast_blobs_refused_total"] == 0, m)
        print("  %d MiB: %d MiB of memory more, %d read again" % (BYTES // MIB, grown, m["holdfast_blob_read_bytes_total"] // MIB))


def test_a_file_that_is_full_is_said_and_neighbours_go_on():
    if not has_upload():
        return
    with Node(UPLOAD + HOPS, more='blob_file_max = "6MiB"\n') as node:
        said, _, _ = node.upload(40 * MIB)
        check("the upload is refused", said[0] in (0, 400, 413, 500, 502, 503, 507), said)
        check("the log says why", node.server.wait_line("blob_file_max"), node.server.text()[-500:])
        got, want = node.call("a", "b%20c%20d", 60000)
        check("a neighbour", got == want, got)
        m = node.metrics()
        check("it is counted", m["holdfast_blob_file_failures_total"] >= 1 and m["holdfast_blobs_refused_total"] >= 1, m)
        check("nothing is left", node.settles() == 0)
        said, want, _ = node.upload(7 * MIB)
        check("and then it goes on", said[0] == 200 and said[1].endswith(want), said)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
