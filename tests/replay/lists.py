#!/usr/bin/env python3
"""lists - read a jsonl list of gbackup-cli and hold it to every promise of its format.

read(file) returns (header, entries) or raises BadList naming the line and the promise.  As a program:
lists.py FILE prints the entries, one a line, `OP path` or `RENAME old new`, bytes outside printable ASCII,
blanks and % as %XX, so that a shell test can compare them.  MODIFY of a directory is left out unless --all is
there: GlusterFS writes such records by itself (a mkdir, a first look at the root), so they prove nothing.
"""

import base64
import binascii
import json
import re
import sys

OPS = ("DELETE", "RENAME", "NEW", "MODIFY")  # in the order in which lines of one path come
COUNTS = ("new", "modify", "delete", "rename")
TYPES = ("f", "d", "l", "p", "s", "b", "c")
GFID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
PATH_MAX = 4095
NAME_MAX = 255

# At the root of a brick, never in a list (facts: names a backup list must exclude).
INTERNAL = (b".glusterfs", b".shard", b".trashcan", b".landfill")
INTERNAL_PREFIX = b".glusterfs-anonymous-inode"


class BadList(Exception):
    pass


class Entry:
    __slots__ = ("op", "path", "old", "type", "gfid", "data", "meta", "xattr")

    def __init__(self, op, path, old=None, type=None, gfid=None, data=True, meta=True, xattr=True):
        self.op, self.path, self.old, self.type, self.gfid = op, path, old, type, gfid
        self.data, self.meta, self.xattr = data, meta, xattr

    def __repr__(self):
        return " ".join([self.op] + [escape(p) for p in (self.old, self.path) if p is not None])


def escape(path):
    return "".join(chr(b) if 0x21 <= b < 0x7F and b != 0x25 else "%%%02X" % b for b in path)


def key(path):
    """Path order: bytes unsigned, `/` below every other byte."""
    return path.replace(b"\0", b"\0\1").replace(b"/", b"\0\0")


def depth(path):
    return path.count(b"/")


def is_internal(path):
    root = path.split(b"/", 1)[0]
    return root in INTERNAL or root.startswith(INTERNAL_PREFIX)


def _path(o, name, where):
    plain, coded = o.get(name), o.get(name + "_b64")
    if (plain is None) == (coded is None):
        raise BadList(f"{where}: needs one of {name} and {name}_b64")
    if plain is not None:
        try:
            path = plain.encode()
        except (AttributeError, UnicodeEncodeError):
            raise BadList(f"{where}: {name} is not a UTF-8 string")
    else:
        try:
            path = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise BadList(f"{where}: {name}_b64 is not base64")
        try:
            path.decode()
        except UnicodeDecodeError:
            pass
        else:
            raise BadList(f"{where}: {name}_b64 of a name that is UTF-8")
    if not path or len(path) > PATH_MAX or b"\0" in path:
        raise BadList(f"{where}: {name} is empty, too long or holds a NUL")
    for part in path.split(b"/"):
        if part in (b"", b".", b"..") or len(part) > NAME_MAX:
            raise BadList(f"{where}: {name} {escape(path)} has an impossible component")
    if is_internal(path):
        raise BadList(f"{where}: internal name {escape(path)}")
    return path


def _entry(o, full, where):
    op = o.get("op")
    if op not in OPS:
        raise BadList(f"{where}: op {op!r}")
    if full and op != "NEW":
        raise BadList(f"{where}: op {op} in a full list")
    path, old = _path(o, "path", where), None
    if op == "RENAME":
        old = _path(o, "old_path", where)
        if old == path:
            raise BadList(f"{where}: renamed to itself: {escape(path)}")
    elif "old_path" in o or "old_path_b64" in o:
        raise BadList(f"{where}: old_path with {op}")
    kind, gfid = o.get("type"), o.get("gfid")
    if kind is None and op != "DELETE" or kind is not None and kind not in TYPES:
        raise BadList(f"{where}: type {kind!r}")
    if gfid is not None and not GFID.match(gfid):
        raise BadList(f"{where}: gfid {gfid!r}")
    flags = [o.get(f, False) for f in ("data", "meta", "xattr")]
    if any(not isinstance(f, bool) for f in flags):
        raise BadList(f"{where}: data, meta, xattr must be true or false")
    if op == "MODIFY" and not any(flags):
        raise BadList(f"{where}: MODIFY of nothing: {escape(path)}")
    return Entry(op, path, old, kind, gfid, *flags)


def _unique(pairs):
    o = dict(pairs)
    if len(o) != len(pairs):
        raise ValueError("a key twice")
    return o


def read(file, kind=None, volume=None, session=None):
    with open(file, "rb") as f:
        raw = f.read()
    if not raw.endswith(b"\n"):
        raise BadList("the last line is not ended")
    lines = []
    for n, line in enumerate(raw[:-1].split(b"\n"), 1):
        try:
            o = json.loads(line.decode(), object_pairs_hook=_unique)
        except ValueError as e:
            raise BadList(f"line {n}: not JSON in UTF-8: {e}")
        if not isinstance(o, dict):
            raise BadList(f"line {n}: not an object")
        lines.append(o)
    if len(lines) < 2:
        raise BadList("no header and trailer")
    head, end = lines[0], lines[-1]

    if head.get("gbackup") != 1 or head.get("kind") not in ("full", "incremental"):
        raise BadList(f"header: {head!r}")
    if not GFID.match(head.get("volume_id", "")) or not head.get("volume") or not isinstance(head.get("bricks"), list):
        raise BadList(f"header lacks volume, volume_id or bricks: {head!r}")
    if session is not None and not head.get("generation"):
        raise BadList(f"header lacks generation: {head!r}")
    for name, want in (("kind", kind), ("volume", volume), ("session", session)):
        if want is not None and head.get(name) != want:
            raise BadList(f"header: {name} is {head.get(name)!r}, want {want!r}")

    full = head["kind"] == "full"
    entries, last, counts = [], None, dict.fromkeys(COUNTS, 0)
    for n, o in enumerate(lines[1:-1], 2):
        e = _entry(o, full, f"line {n}")
        at = (key(e.path), OPS.index(e.op))
        if last is not None and at <= last:
            raise BadList(f"line {n}: {e!r} out of order or twice")
        last = at
        counts[e.op.lower()] += 1
        entries.append(e)

    if end.get("end") is not True or end.get("complete") is not True:
        raise BadList(f"trailer: {end!r}")
    if end.get("entries") != len(entries):
        raise BadList(f"trailer says {end.get('entries')} entries, there are {len(entries)}")
    for op, n in counts.items():
        if end.get(op) != n:
            raise BadList(f"trailer says {end.get(op)} {op}, there are {n}")
    if end.get("skipped") != 0:
        raise BadList(f"trailer: skipped is {end.get('skipped')!r}")
    return head, entries


def main():
    file, show_all = sys.argv[1], "--all" in sys.argv[2:]
    try:
        _, entries = read(file)
    except (BadList, OSError) as e:
        sys.exit(f"{file}: {e}")
    for e in entries:
        if show_all or e.op != "MODIFY" or e.type != "d":
            print(repr(e))


if __name__ == "__main__":
    main()
