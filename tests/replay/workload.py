"""workload - a seeded random user of a mounted volume.

Every operation is a method `op_...` of Workload; its weight is beside it in WEIGHTS.  The shapes were
chosen for what has gone wrong in change lists: names that come back as something else, swaps, trips there
and back, moves into and out of directories that move or die, changes below renamed directories.
"""

import os
import stat

from mirror import tree

HOSTILE = (
    b"new\nline", b"tab\there", b"per%cent", b"%0A", b"%20", b"bad\xff\xfeutf8", b"\xc3", b"\xc3\xa9t\xc3\xa9", b"nel\xc2\x85",
    b"ls\xe2\x80\xa8sep", b"cr\rname", b"vt\x0bff\x0c", b"fs\x1cgs\x1d", b"comma,a", b"a,b", b"quote\"", b"quote'", b"back\\slash",
    b"-dash", b"--out-file=x", b" lead", b"trail ", b" ", b"  ", b"nbsp\xc2\xa0", b"...", b".hidden", b"*", b"$(x)", b"`x`", b"~",
    b"#", b"DELETE", b"a b", b"\x02", b"\x7f", b"!", b"CHANGELOG", b"\xff", b"x" * 255, b"\xe2\x82\xac" * 85, b"L" * 254 + b"\n",
)
BELOW = (b".glusterfs", b".shard", b".trashcan")  # the user's own anywhere but at the root

WEIGHTS = {
    "create": 14, "write": 8, "append": 5, "truncate": 4, "chmod": 4, "chown": 3, "setxattr": 4, "link": 6,
    "symlink": 3, "special": 2, "mkdir": 7, "rename_file": 8, "rename_dir": 6, "rename_over": 5, "swap": 3,
    "there_and_back": 3, "delete": 8, "delete_tree": 3, "reborn": 4, "atomic_save": 5, "nested_renames": 4,
    "rescue_from_tree": 3, "rename_then_recreate": 3, "utime": 2, "brief_life": 3, "lchown": 1, "link_then_drop": 3,
}


class Workload:
    def __init__(self, top, rng, log, max_size=65536):
        self.top, self.rng, self.log, self.max_size = top, rng, log, max_size
        self.serial = 0
        self.look()

    def look(self):
        self.kinds = {}
        for path in tree(self.top):
            mode = os.lstat(self.at(path)).st_mode
            self.kinds[path] = "d" if stat.S_ISDIR(mode) else "f" if stat.S_ISREG(mode) else "o"

    def run(self, count):
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        for _ in range(count):
            op = self.rng.choices(names, weights)[0]
            if len(self.kinds) < 8:
                op = self.rng.choice(("create", "mkdir"))
            elif len(self.kinds) > 400:
                op = "delete_tree"
            self.log.write(f"{op}\n")
            try:
                getattr(self, "op_" + op)()
            except OSError as e:  # too many links, too long a path: part of the life of a volume
                self.log.write(f"  {e.strerror}\n")
                self.look()

    # ---- choosing --------------------------------------------------------------------------------

    def at(self, path):
        return os.path.join(self.top, path)

    def some(self, kinds):
        fit = [p for p in sorted(self.kinds) if self.kinds[p] in kinds]
        if not fit:
            raise OSError(2, "nothing to work on")
        return self.rng.choice(fit)

    def folder(self):
        fit = [b""] + [p for p in sorted(self.kinds) if self.kinds[p] == "d" and p.count(b"/") < 8]
        return self.rng.choice(fit)

    def fresh(self, parent=None):
        """A path that is free, by a name that may well have been someone's before."""
        parent = self.folder() if parent is None else parent
        for _ in range(50):
            pick = self.rng.random()
            if pick < 0.25:
                name = self.rng.choice(HOSTILE)
            elif pick < 0.28 and parent:
                name = self.rng.choice(BELOW)
            elif pick < 0.7:
                name = b"%c" % self.rng.choice(b"abcdefghij")
            else:
                self.serial += 1
                name = b"n%d" % self.serial
            path = os.path.join(parent, name)
            if path not in self.kinds and len(path) < 3000:
                return path
        raise OSError(17, "no free name")

    def content(self):
        return self.rng.randbytes(self.rng.choice((0, 1, 100, 5000, self.rng.randrange(min(self.max_size, 65536)))))

    # ---- primitives: each logs itself and keeps self.kinds right ------------------------------------

    def do(self, what, *args):
        self.log.write(f"  {what.__name__} {' '.join(repr(a) if not isinstance(a, bytes) or len(a) < 300 else '...' for a in args)}\n")
        return what(*args)

    def make(self, path, data=None):
        data = self.content() if data is None else data
        fd = self.do(os.open, self.at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        self.kinds[path] = "f"

    def pour(self, path, flags, offset=None):
        data = self.rng.randbytes(self.rng.randrange(1, 4000))
        fd = self.do(os.open, self.at(path), os.O_WRONLY | flags)
        try:
            if offset is not None:
                os.lseek(fd, offset, os.SEEK_SET)
            os.write(fd, data)
        finally:
            os.close(fd)

    def move(self, old, new):
        self.do(os.rename, self.at(old), self.at(new))
        moved = {p: k for p, k in self.kinds.items() if p == old or p.startswith(old + b"/")}
        self.kinds = {p: k for p, k in self.kinds.items() if p not in moved and p != new}
        self.kinds.update({new + p[len(old):]: k for p, k in moved.items()})

    def remove(self, path):
        below = [p for p in self.kinds if p == path or p.startswith(path + b"/")]
        for p in sorted(below, key=lambda p: p.count(b"/"), reverse=True):
            self.do(os.rmdir if self.kinds[p] == "d" else os.unlink, self.at(p))
            del self.kinds[p]

    def mkdir(self, path):
        self.do(os.mkdir, self.at(path), 0o755)
        self.kinds[path] = "d"

    # ---- operations ------------------------------------------------------------------------------

    def op_create(self):
        self.make(self.fresh())

    def op_mkdir(self):
        self.mkdir(self.fresh())

    def op_write(self):
        self.pour(self.some("f"), 0, self.rng.choice((0, self.rng.randrange(self.max_size))))

    def op_append(self):
        self.pour(self.some("f"), os.O_APPEND)

    def op_truncate(self):
        self.do(os.truncate, self.at(self.some("f")), self.rng.choice((0, self.rng.randrange(self.max_size))))

    def op_chmod(self):
        self.do(os.chmod, self.at(self.some("fd")), self.rng.choice((0o600, 0o644, 0o755, 0o700, 0o1777, 0o2755)))

    def op_chown(self):
        self.do(os.chown, self.at(self.some("fd")), self.rng.randrange(5), self.rng.randrange(5))

    def op_lchown(self):
        self.do(os.lchown, self.at(self.some("o")), self.rng.randrange(5), self.rng.randrange(5))

    def op_setxattr(self):
        path, name = self.at(self.some("fd")), b"user.%c" % self.rng.choice(b"xyz")
        if self.rng.random() < 0.3 and name.decode() in os.listxattr(path):
            self.do(os.removexattr, path, name)
        else:
            self.do(os.setxattr, path, name, b"%d" % self.rng.randrange(1000))

    def op_utime(self):
        t = self.rng.randrange(10 ** 9) * 10 ** 9 + self.rng.randrange(10 ** 9)
        path = self.at(self.some("fd"))
        self.log.write(f"  utime {path!r}\n")
        os.utime(path, ns=(t, t))

    def op_link(self):
        old, new = self.some("f"), self.fresh()
        self.do(os.link, self.at(old), self.at(new))
        self.kinds[new] = "f"

    def op_link_then_drop(self):
        old, new = self.some("f"), self.fresh()
        self.do(os.link, self.at(old), self.at(new))
        self.kinds[new] = "f"
        self.remove(old)

    def op_symlink(self):
        path = self.fresh()
        self.do(os.symlink, self.rng.choice((b"nowhere", b"..", b"/etc/passwd", b"\xff", b"a/b/c")), self.at(path))
        self.kinds[path] = "o"

    def op_special(self):
        path = self.fresh()
        kind = self.rng.choice((stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK))
        self.do(os.mknod, self.at(path), kind | 0o600, os.makedev(1, 3) if kind == stat.S_IFCHR else 0)
        self.kinds[path] = "o"

    def op_rename_file(self):
        self.move(self.some("fo"), self.fresh())

    def op_rename_dir(self):
        old = self.some("d")
        new = self.fresh()
        if not (new + b"/").startswith(old + b"/"):
            self.move(old, new)

    def op_rename_over(self):
        old, new = self.some("fo"), self.some("fo")
        if old != new and not os.path.samestat(os.lstat(self.at(old)), os.lstat(self.at(new))):
            self.move(old, new)

    def op_swap(self):
        kind = self.rng.choice("fd")
        a, b = self.some(kind), self.some(kind)
        if (a + b"/").startswith(b + b"/") or (b + b"/").startswith(a + b"/"):
            return
        t = self.fresh(b"")
        self.move(a, t)
        self.move(b, a)
        self.move(t, b)

    def op_there_and_back(self):
        a = self.some("fd")
        t = self.fresh(os.path.dirname(a))
        self.move(a, t)
        if self.kinds[t] == "f" and self.rng.random() < 0.5:
            self.pour(t, 0)
        self.move(t, a)

    def op_delete(self):
        self.remove(self.some("fo"))

    def op_delete_tree(self):
        self.remove(self.some("d"))

    def op_reborn(self):
        path = self.some("fod")
        self.remove(path)
        if self.rng.random() < 0.6:
            self.make(path)
        else:
            self.mkdir(path)
            self.make(self.fresh(path))

    def op_atomic_save(self):
        path = self.some("f")
        tmp = self.fresh(os.path.dirname(path))
        self.make(tmp)
        self.move(tmp, path)

    def op_nested_renames(self):
        a = self.fresh(b"") if self.rng.random() < 0.3 else self.some("d")
        if a not in self.kinds:
            self.mkdir(a)
        inner = self.fresh(a)
        self.mkdir(inner)
        self.make(self.fresh(inner))
        moved = self.fresh(a)
        self.move(inner, moved)
        b = self.fresh(b"")
        self.move(a, b)
        moved = b + moved[len(a):]
        self.make(self.fresh(moved))
        below = [p for p in sorted(self.kinds) if p.startswith(b + b"/") and self.kinds[p] == "f"]
        self.pour(self.rng.choice(below), os.O_APPEND)
        self.move(self.rng.choice(below), self.fresh(b))

    def op_rescue_from_tree(self):
        d = self.some("d")
        below = [p for p in sorted(self.kinds) if p.startswith(d + b"/")]
        if below:
            saved = self.rng.choice(below)
            self.move(saved, self.fresh(b""))
        self.remove(d)

    def op_rename_then_recreate(self):
        path = self.some("fd")
        kind = self.kinds[path]
        self.move(path, self.fresh(os.path.dirname(path)))
        if kind == "f":
            self.make(path)
        else:
            self.mkdir(path)
            self.make(self.fresh(path))

    def op_brief_life(self):
        path = self.fresh()
        if self.rng.random() < 0.5:
            self.make(path)
        else:
            self.mkdir(path)
            self.make(self.fresh(path))
        if self.rng.random() < 0.5:
            new = self.fresh(b"")
            self.move(path, new)
            path = new
        self.remove(path)
