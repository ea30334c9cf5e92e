#!/usr/bin/env python3
"""hostile - fill a folder with names made to break a list of names.  hostile.py FOLDER"""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "replay"))
from workload import BELOW, HOSTILE  # noqa: E402

top = os.fsencode(sys.argv[1])


def make(path, data=b"x"):
    with open(os.path.join(top, path), "xb") as f:
        f.write(data)


for i, name in enumerate(HOSTILE):
    make(name)
    if i % 3 == 0:  # and as folders
        os.makedirs(os.path.join(top, b"folders", name))
        make(os.path.join(b"folders", name, b"in"))
for name in BELOW:  # internal at the root, the user's own anywhere else
    os.makedirs(os.path.join(top, b"own", name, b"deep"))
    make(os.path.join(b"own", name, b"file"))

# `/` sorts below every byte
os.mkdir(os.path.join(top, b"order"))
for name in (b"a", b"a!", b"a-b", b"a b", b"a.b", b"a0"):
    os.mkdir(os.path.join(top, b"order", name))
    make(os.path.join(b"order", name, b"z"))

deep = top
for _ in range(60):
    deep = os.path.join(deep, b"deep")
    os.mkdir(deep)
long = os.path.join(top, b"long")
os.mkdir(long)
while len(long) - len(top) < 3000:
    long = os.path.join(long, b"l" * 200)
    os.mkdir(long)

os.makedirs(os.path.join(top, b"kinds", b"empty"))
kinds = os.path.join(top, b"kinds")
make(b"kinds/file")
os.link(os.path.join(kinds, b"file"), os.path.join(kinds, b"link"))
os.link(os.path.join(kinds, b"file"), os.path.join(top, b"own", b"link"))
os.symlink(b"..", os.path.join(kinds, b"to folder"))
os.symlink(b"\xff\n", os.path.join(kinds, b"to nowhere"))
os.mkfifo(os.path.join(kinds, b"fifo"))
os.mknod(os.path.join(kinds, b"null"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
os.mknod(os.path.join(kinds, b"socket"), stat.S_IFSOCK | 0o600)
make(b"kinds/sticky")
os.chmod(os.path.join(kinds, b"sticky"), 0o1000)  # looks like a linkto file, but is a user's
