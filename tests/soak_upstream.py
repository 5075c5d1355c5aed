#!/usr/bin/env python3
"""The server behind the soak's proxy: right answers on some paths, on others what a broken server may say or not say.

Run by tests/soak as a process of its own; prints its port, serves until its standard input ends.
"""
import asyncio, hashlib, sys

STALL_S = 60  # longer than anybody waits


def body_of(n):
    """n bytes that both sides can make: a repeated block, so that a megabyte costs nothing."""
    block = hashlib.sha256(b"%d" % n).digest() * 128
    return (block * (n // len(block) + 1))[:n]


def whole(body, *fields):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(body), b"".join(f + b"\r\n" for f in fields)) + body


def chunks(body):
    out, at, n = b"", 0, 1
    while at < len(body):
        out += b"%x\r\n%s\r\n" % (len(body[at:at + n]), body[at:at + n])
        at, n = at + n, n * 7 % 30011 + 1
    return out


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# path: what is sent, then "close", "reset" or "stall". None: goes on.
LIES = {
    "/short": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500, "close"),
    "/bad-chunk": (CHUNKED + b"5\r\nhello\r\nzz\r\nx\r\n", "close"),
    "/half-chunk": (CHUNKED + b"5\r\nhel", "close"),
    "/no-http": (b"220 mail.example ready\r\n", "close"),
    "/two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "close"),
    "/huge-head": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300000 + b"\r\n\r\n", "close"),
    "/nothing": (b"", "close"),
    "/reset-head": (b"HTTP/1.1 200 OK\r\nCont", "reset"),
    "/reset-body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000, "reset"),
    "/stall-head": (b"", "stall"),
    "/stall-body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst", "stall"),
    # These are whole answers all the same.
    "/more-than-said": (whole(b"right\n") + b"and a lie", "close"),
    "/close-after": (whole(b"right\n"), "close"),
    "/until-close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nright\n", "close"),
}


async def read_body(r, fields):
    if "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while n := int((await r.readline()).split(b";")[0], 16):
            body += await r.readexactly(n)
            await r.readexactly(2)
        while (await r.readline()).strip():
            pass
        return body
    return await r.readexactly(int(fields.get("content-length", 0)))


async def one(r, w):
    """One request and its answer; whether the connection is good for another."""
    line = await r.readline()
    if not line:
        return False
    path, fields = line.decode("latin-1").split()[1], {}
    while h := (await r.readline()).decode("latin-1").strip():
        k, v = h.split(":", 1)
        fields[k.lower()] = v.strip()
    if path == "/slow-head":
        for b in whole(b"right\n"):
            w.write(bytes([b]))
            await w.drain()
            await asyncio.sleep(0.01)
        return True
    if path in LIES:
        data, then = LIES[path]
        w.write(data)
        await w.drain()
        if then == "stall":
            await asyncio.wait_for(r.read(1), STALL_S)  # until the other side has had enough
        if then == "reset":
            w.transport.abort()
        return False
    kind, _, size = path[1:].partition("/")
    body = await read_body(r, fields) if kind == "echo" else body_of(int(size))
    w.write(CHUNKED + chunks(body) + b"0\r\n\r\n" if kind == "chunked" else whole(body))
    await w.drain()
    return True


async def serve(r, w):
    try:
        while await one(r, w):
            pass
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError, IndexError):
        pass  # the other side left in the middle
    finally:
        w.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
