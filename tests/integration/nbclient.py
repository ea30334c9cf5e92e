#!/usr/bin/env python3
"""nbclient - what a NetBackup client does with a list of files.  nbclient.py LIST STORE [raw]

Saves what the lines name into STORE: a directory with all it holds, anything else alone.  `*?[]{}` are wildcards
unless a backslash protects them, or `raw` is given.  A line of more than 1023 bytes is left out.  Status 71: none
of the files in the list exist."""

import glob
import os
import shutil
import sys

store = os.fsencode(sys.argv[2])
raw = sys.argv[3:] == ["raw"]


def names(line):
    if raw:
        return [line]
    pattern, plain, wild = b"", b"", False
    i = 0
    while i < len(line):
        c = line[i : i + 1]
        if c == b"\\":
            i += 1
            c = line[i : i + 1]
            pattern += glob.escape(c)
            plain += c
        else:
            wild = wild or c in b"*?[]{}"
            pattern += c
            plain += c
        i += 1
    return glob.glob(pattern) if wild else [plain]


def save(path):
    to = store + path
    os.makedirs(os.path.dirname(to), exist_ok=True)
    if os.path.islink(path):
        if not os.path.islink(to):
            os.symlink(os.readlink(path), to)
    elif os.path.isdir(path):
        os.makedirs(to, exist_ok=True)
        for name in os.listdir(path):
            save(os.path.join(path, name))
    elif os.path.isfile(path):
        shutil.copyfile(path, to)


found = 0
with open(sys.argv[1], "rb") as lines:
    for line in lines.read().split(b"\n"):
        if not line or line.startswith(b"#") or len(line) > 1023:
            continue
        for name in names(line):
            if os.path.lexists(name):
                save(name)
                found += 1
sys.exit(0 if found else 71)
