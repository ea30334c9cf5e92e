#!/usr/bin/env python3
"""strangers.py KIND N PORT [ADDRESSES] - be a bad caller at a gbackupd on 127.0.0.1, until killed.

  idle      N connections that say nothing, opened again when they are closed
  loris     a byte now and then
  garbage   random bytes
  huge      a record that claims to be as long as a record can be
  deaf      asks and asks, and reads no answer
They come from ADDRESSES (1) addresses, 127.0.1.1 and so on.  Prints `ready` when all were tried once.
"""
import os
import selectors
import socket
import struct
import sys
import time

kind, n, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
addresses = int(sys.argv[4]) if len(sys.argv) > 4 else 1
PROGRAM = 0x2B5A0B4E
NULL = struct.pack(">11I", 0x80000000 | 40, 1, 0, 2, PROGRAM, 1, 0, 0, 0, 0, 0)


def begin(i):
    s = socket.socket()
    s.bind((f"127.0.1.{1 + i % addresses}", 0))
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", port))
    return s


def annoy(s):
    try:
        if kind == "loris":
            s.send(NULL[:1])
        elif kind == "garbage":
            s.send(os.urandom(300))
        elif kind == "huge":
            s.send(b"\xff\xff\xff\xff" + b"x" * 100)
        elif kind == "deaf":
            s.send(NULL * 100)
    except OSError:
        pass


poll = selectors.DefaultSelector()
for i in range(n):
    poll.register(begin(i), selectors.EVENT_READ, i)
print("ready", flush=True)
while True:
    end = time.monotonic() + 0.1
    while (left := end - time.monotonic()) > 0:
        for key, _ in poll.select(left):
            try:
                gone = kind != "deaf" and not key.fileobj.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                gone = True
            if gone:
                poll.unregister(key.fileobj)
                key.fileobj.close()
                poll.register(begin(key.data), selectors.EVENT_READ, key.data)
        if kind == "deaf":
            time.sleep(max(0, end - time.monotonic()))
    for key in list(poll.get_map().values()):
        annoy(key.fileobj)
