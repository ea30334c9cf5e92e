#!/usr/bin/env python3
"""example - read a list of gbackup-cli in format jsonl, with nothing but Python.

    gbackup-cli prepare SESSION --format=jsonl --out-file=LIST && ./example.py LIST && gbackup-cli commit SESSION

Prints what a backup has to read, and what is gone, and fails if the list is not whole.
"""

import base64
import json
import os
import sys


def path_of(entry, key):
    """Bytes: not every name is UTF-8."""
    if key + "_b64" in entry:
        return base64.b64decode(entry[key + "_b64"])
    return entry[key].encode()


def read(file):
    """The header, and an iterator of (op, path, old path or None, entry)."""
    header = json.loads(file.readline())
    if header.get("gbackup") != 1:
        raise ValueError("no list of gbackup")

    def entries():
        n = 0
        for line in file:
            entry = json.loads(line)
            if entry.get("end"):
                if not entry["complete"] or entry["entries"] != n or entry["skipped"]:
                    raise ValueError("the list is not complete")
                return
            n += 1
            old = path_of(entry, "old_path") if entry["op"] == "RENAME" else None
            yield entry["op"], path_of(entry, "path"), old, entry
        raise ValueError("the list ends before its end")

    return header, entries()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        header, entries = read(file)
        print(header["kind"], header["volume"])
        for op, path, old, entry in entries:
            if old is not None:
                print("moved", os.fsdecode(old), "to", os.fsdecode(path))
            elif op == "DELETE":
                print("gone", os.fsdecode(path))
            else:
                print("read", entry["type"], os.fsdecode(path))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="surrogateescape")
    main()
