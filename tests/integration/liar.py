#!/usr/bin/env python3
"""liar.py LIE AGENT ARGS... - a gbackupd that lies: what --rsh runs, between gbackup-cli and a real `AGENT ARGS`.

Everything passes as it is, but for the answers to NEXT: LIE says what becomes of the first one that carries data.
And `elsewhere`: the bricks are on a host that is a way to something else.
The layout of a reply is that of rpc/gbackup.x, that of a block rpc/base/block.h's.
"""
import os
import struct
import subprocess
import sys
import threading

TOPOLOGY, NEXT = 2, 6
lie, command = sys.argv[1], sys.argv[2:]
procedure = {}  # of each call, by its xid


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def block(*paths):
    return b"".join(varint(0) + varint(len(p)) + p + b"f" for p in paths)


class Chunk:
    """The body of a NEXT reply that has one."""

    def __init__(self, body):
        self.seq, self.eof, self.progress, self.entries, n = struct.unpack(">IIQQI", body[4:32])
        at = 32 + (n + 3 & ~3)
        self.cursor, self.times = body[32 : 32 + n], body[at : at + 24]
        (n,) = struct.unpack(">I", body[at + 24 : at + 28])
        self.data = body[at + 28 : at + 28 + n]

    def bytes(self):
        def opaque(b):
            return struct.pack(">I", len(b)) + b + bytes(-len(b) % 4)

        return struct.pack(">IIIQQ", 1, self.seq, self.eof, self.progress, self.entries) + opaque(self.cursor) + self.times + opaque(self.data)


def names(*paths):
    def change(c):
        c.data, c.entries = block(*paths), len(paths)

    return change


def endless():
    """Chunks by the thousand, whatever the agent says."""
    for seq in range(1, 1 << 30):
        c = Chunk(bytes(64))
        c.seq, c.entries = seq, seq * 1000
        c.data = block(*(b"%09d" % n for n in range(seq * 1000, seq * 1000 + 1000)))
        yield c.bytes()


def sets(**fields):
    return lambda c: c.__dict__.update({k: f(getattr(c, k)) for k, f in fields.items()})


LIES = {
    "unsorted": names(b"b", b"a"),
    "twice": names(b"a", b"a"),
    "dotdot": names(b"a/../../etc/passwd"),
    "absolute": names(b"/etc/passwd"),
    "overlong": names(b"a/" * 2500 + b"a"),
    "nul": names(b"a\0b"),
    "shared": lambda c: setattr(c, "data", varint(7) + c.data[1:]),
    "seq": sets(seq=lambda n: n + 1),
    "count": sets(entries=lambda n: n + 1),
    "torn": sets(data=lambda d: d[:-3]),
    "noise": sets(data=lambda d: bytes(b ^ 0xA5 for b in d)),
    "huge": sets(data=lambda d: d + bytes(5 << 20)),
    "cut": None,  # the connection ends in its place
    "zeros": None,
    "endless": endless(),
    "elsewhere": None,
}


def take(f, n):
    got = b""
    while len(got) < n:
        more = f.read(n - len(got))
        if not more:
            sys.exit()
        got += more
    return got


def record(f):
    out, last = b"", False
    while not last:
        (head,) = struct.unpack(">I", take(f, 4))
        out, last = out + take(f, head & 0x7FFFFFFF), bool(head & 0x80000000)
    return out


def calls(agent):
    """From gbackup-cli to the agent."""
    f = os.fdopen(0, "rb", buffering=0)
    try:
        while True:
            r = record(f)
            procedure[r[:4]] = struct.unpack(">I", r[20:24])[0]
            agent.stdin.write(struct.pack(">I", 0x80000000 | len(r)) + r)
            agent.stdin.flush()
    except (OSError, SystemExit):
        agent.kill()


def told(r):
    """What is said in place of this reply; None: nothing, and no more."""
    global lie
    if lie == "elsewhere" and procedure.get(r[:4]) == TOPOLOGY:
        return r.replace(b"10.99.0.1", b"unix:/a/b")
    if not lie or procedure.get(r[:4]) != NEXT:
        return r
    if lie == "endless":
        return r[:24] + next(LIES[lie])
    if r[24:28] != b"\0\0\0\1":
        return r
    c = Chunk(r[24:])
    if not c.data and lie != "seq":
        return r
    if lie == "cut":
        return None
    if lie == "zeros":
        return r[:24] + bytes(len(r) - 24)
    LIES[lie](c)
    lie = ""
    return r[:24] + c.bytes()


assert lie in LIES, lie
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
    threading.Thread(target=calls, args=(agent,), daemon=True).start()
    try:
        while (r := told(record(agent.stdout))) is not None:
            data = struct.pack(">I", 0x80000000 | len(r)) + r
            while data:
                data = data[os.write(1, data) :]
    except BrokenPipeError:
        pass
    finally:
        agent.kill()
    os._exit(0)
