"""workload - a seeded random user of a mounted volume.

Every operation is a method `op_...` of Workload; its weight is beside it in WEIGHTS, and each user (seed)
likes some operations more than others.  The shapes were chosen for what has gone wrong in change lists:
names that come back as something else, swaps, chains, trips there and back, moves into and out of
directories that move or die, changes below renamed directories, the habits of editors and of rsync, trees
deeper than the kernel follows links, paths longer than a system call takes.
"""

import errno
import os
import stat
import struct
import uuid

from mirror import patiently, reach, tree

HOSTILE = (
    b"new\nline", b"tab\there", b"per%cent", b"%0A", b"%20", b"bad\xff\xfeutf8", b"\xc3", b"\xc3\xa9t\xc3\xa9", b"nel\xc2\x85",
    b"ls\xe2\x80\xa8sep", b"cr\rname", b"vt\x0bff\x0c", b"fs\x1cgs\x1d", b"comma,a", b"a,b", b"quote\"", b"quote'", b"back\\slash",
    b"-dash", b"--out-file=x", b" lead", b"trail ", b" ", b"  ", b"nbsp\xc2\xa0", b"...", b".hidden", b"*", b"$(x)", b"`x`", b"~",
    b"#", b"DELETE", b"a b", b"\x02", b"\x7f", b"!", b"CHANGELOG", b"\xff", b"x" * 255, b"\xe2\x82\xac" * 85, b"L" * 254 + b"\n",
    b"+", b"a+b", b"%2B", b" both ", b"\tboth\t", b"\nboth\n", b"\n", b"-", b"--", b"'both'", b"\"both\"", b"\\n", b"RENAME a b",
    b"00000000-0000-0000-0000-000000000001", b"be318638-e8a0-4c6d-977d-7a937aa84806.1", b"lost+found", b"#hash#", b".n.Ab3dEf",
)
# The user's own anywhere but at the root.
BELOW = (b".glusterfs", b".shard", b".trashcan", b".landfill", b".glusterfs-anonymous-inode-x")

WEIGHTS = {
    "create": 14, "write": 8, "append": 5, "truncate": 4, "chmod": 4, "chown": 3, "setxattr": 4, "link": 6,
    "symlink": 3, "special": 2, "mkdir": 7, "rename_file": 8, "rename_dir": 6, "rename_over": 5, "swap": 3,
    "there_and_back": 3, "delete": 8, "delete_tree": 3, "reborn": 4, "atomic_save": 5, "nested_renames": 4,
    "rescue_from_tree": 3, "rename_then_recreate": 3, "utime": 2, "brief_life": 3, "lchown": 1, "link_then_drop": 3,
    "removexattr": 2, "acl": 3, "symlink_like_handle": 2, "swap_dirs": 3, "chain": 3, "deep": 2, "long": 1, "crowd": 1,
    "editor": 5, "rsync": 3, "delete_below_renamed": 3, "dir_over_empty": 3, "write_while_renamed": 2, "late_write": 2,
    "in_vain": 3, "mkdir_then_in_vain": 2, "held": 4, "many_names": 1, "cascade": 2,
}

# POSIX ACLs as the kernel has them in xattrs: a version, then (tag, permissions, id).
ACL_XATTRS = ("system.posix_acl_access", "system.posix_acl_default")
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NO_ID = 1, 2, 4, 8, 16, 32, 0xFFFFFFFF

DEEP = 45            # levels; the kernel follows 40 links
LONG = (b"l" * 200)  # 19 of these are nearly PATH_MAX, and beyond it below a brick's root
CALM = 400           # names; above, trees are deleted


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


def link(old, new):
    os.link(old, new, follow_symlinks=False)


class Workload:
    def __init__(self, top, rng, log, max_size=65536, crowd=0):
        self.top, self.rng, self.log, self.max_size = top, rng, log, max_size
        self.crowd = crowd  # how many names the one big directory gets, 0: none
        self.calm = CALM
        self.overwrote_dir = False
        self.spoils = True  # renames of directories that fail: GlusterFS loses their handles, and heals below never end
        self.pending = False  # heals: see parting()
        self.draining = False  # bricks: see move()
        self.parted, self.replaced = set(), set()
        self.held = []  # open for long
        self.serial = 0
        self.weights = {op: w * rng.choice((0.3, 1, 1, 3)) for op, w in WEIGHTS.items()}
        self.look()

    def look(self):
        self.kinds = patiently(lambda why: self.log.write(f"  {why}\n"), self.seen)

    def seen(self):
        kinds = {}
        for path in tree(self.top):
            mode = os.lstat(reach(self.top, path)).st_mode
            kinds[path] = "d" if stat.S_ISDIR(mode) else "f" if stat.S_ISREG(mode) else "o"
        return kinds

    def run(self, count):
        names, weights = list(self.weights), list(self.weights.values())
        for _ in range(count):
            op = self.rng.choices(names, weights)[0]
            if len(self.kinds) < 8:
                op = self.rng.choice(("create", "mkdir"))
            elif len(self.kinds) > self.calm:
                op = "delete_tree"
            self.log.write(f"{op}\n")
            try:
                getattr(self, "op_" + op)()
            except OSError as e:  # too many links, too long a path: part of the life of a volume
                self.log.write(f"  {e.strerror}\n")
                self.look()

    def close(self):
        """Before the volume goes."""
        for fd in self.held:
            try:
                os.close(fd)
            except OSError as e:
                self.log.write(f"  close: {e.strerror}\n")
        self.held = []

    # ---- choosing --------------------------------------------------------------------------------

    def at(self, path):
        return reach(self.top, path)

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
        told = (repr(a) if not isinstance(a, bytes) or len(a) < 300 else "..." for a in args)
        self.log.write(f"  {what.__name__} {' '.join(told)}\n")
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

    def slot(self, path):
        return os.lstat(self.at(os.path.dirname(path))).st_ino, os.path.basename(path)

    def parting(self, path):
        """A name is about to go while heals are pending: not the second one of a file, for the heal of a replica (10.3) leaves
        that on the brick that was away (0093)."""
        if not self.pending:
            self.parted, self.replaced = set(), set()
            return
        st = os.lstat(self.at(path))
        if st.st_ino in self.parted:
            raise OSError(errno.EBUSY, "not while heals are pending")
        if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
            self.parted.add(st.st_ino)

    def move(self, old, new):
        """What replaced another while heals were pending stays: a brick that lacked it would move the other one along.  While
        bricks are drained nothing is replaced, because a mount that goes by what it knew before may leave the other one
        where it was, by the same name (0093)."""
        if self.draining and self.kinds.get(new, "d") != "d":
            raise OSError(errno.EBUSY, "not while bricks are drained")
        if self.pending and self.slot(old) in self.replaced:
            raise OSError(errno.EBUSY, "not while heals are pending")
        self.parting(old)
        if new in self.kinds:
            self.parting(new)
            if self.pending:
                self.replaced.add(self.slot(new))
        self.do(os.rename, self.at(old), self.at(new))
        moved = {p: k for p, k in self.kinds.items() if p == old or p.startswith(old + b"/")}
        self.kinds = {p: k for p, k in self.kinds.items() if p not in moved and p != new}
        self.kinds.update({new + p[len(old):]: k for p, k in moved.items()})

    def remove(self, path):
        below = [p for p in self.kinds if p == path or p.startswith(path + b"/")]
        for p in sorted(below, key=lambda p: p.count(b"/"), reverse=True):
            self.parting(p)
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

    def link(self, old, new):
        self.do(link, self.at(old), self.at(new))
        self.kinds[new] = self.kinds[old]

    def op_link(self):
        self.link(self.some("ffo"), self.fresh())

    def op_link_then_drop(self):
        old = self.some("fo")
        self.link(old, self.fresh())
        self.remove(old)

    def op_symlink(self):
        path = self.fresh()
        self.do(os.symlink, self.rng.choice((b"nowhere", b"..", b"/etc/passwd", b"\xff", b"a/b/c")), self.at(path))
        self.kinds[path] = "o"

    def op_special(self):
        path = self.fresh()
        kind = self.rng.choice((stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK))
        number = {stat.S_IFCHR: os.makedev(1, 3), stat.S_IFBLK: os.makedev(7, 300)}.get(kind, 0)
        self.do(os.mknod, self.at(path), kind | 0o600, number)
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

    def op_removexattr(self):
        with_xattrs = [p for p in sorted(self.kinds) if self.kinds[p] in "fd" and os.listxattr(self.at(p))]
        if not with_xattrs:
            return self.op_setxattr()
        path = self.rng.choice(with_xattrs)
        for name in os.listxattr(self.at(path)):
            if name.startswith("user.") or name in ACL_XATTRS:
                self.do(os.removexattr, self.at(path), name)
                return None
        return None

    def op_acl(self):
        path = self.some("fd")
        name = ACL_XATTRS[1] if self.kinds[path] == "d" and self.rng.random() < 0.5 else ACL_XATTRS[0]
        modes = [self.rng.randrange(8) for _ in range(5)]
        self.do(os.setxattr, self.at(path), name, acl(
            (USER_OBJ, modes[0] | 6, NO_ID), (USER, modes[1], 1000 + self.rng.randrange(3)), (GROUP_OBJ, modes[2], NO_ID),
            (GROUP, modes[3], 2000), (MASK, 7, NO_ID), (OTHER, modes[4], NO_ID)))

    def op_symlink_like_handle(self):
        """A target as in GlusterFS's own handles of directories, of a gfid that may even exist."""
        g = str(uuid.UUID(bytes=self.rng.randbytes(16)))
        if self.rng.random() < 0.5:
            raw = os.getxattr(self.at(self.folder()), "glusterfs.gfid.string")
            g = raw.decode().rstrip("\0")
        path = self.fresh()
        self.do(os.symlink, f"../../{g[:2]}/{g[2:4]}/{g}/".encode() + os.path.basename(path), self.at(path))
        self.kinds[path] = "o"

    def op_swap_dirs(self):
        parent = self.folder()
        a, b, t = self.fresh(parent), None, None
        self.mkdir(a)
        self.make(self.fresh(a))
        near = [p for p in sorted(self.kinds) if self.kinds[p] == "d" and p != a and not (a + b"/").startswith(p + b"/")]
        b = self.rng.choice(near) if near else None
        if b is None:
            return
        t = self.fresh(parent)
        for old, new in ((a, t), (b, a), (t, b)):
            self.move(old, new)
        self.make(self.fresh(b))

    def op_chain(self):
        """As logs are rotated."""
        folder, links = self.folder(), self.rng.randrange(2, 5)
        names = [os.path.join(folder, b"log") + (b".%d" % i if i else b"") for i in range(links + 1)]
        if any(self.kinds.get(n, "f") != "f" for n in names):
            return
        for old, new in zip(names[-2::-1], names[:0:-1]):
            if old in self.kinds:
                self.move(old, new)
        self.make(names[0])

    def op_deep(self):
        deepest = max(self.kinds, key=lambda p: (p.count(b"/"), p))
        if deepest.count(b"/") < DEEP:
            deepest = self.fresh(b"")
            for _ in range(DEEP):
                self.mkdir(deepest)
                deepest += b"/d"
            self.make(deepest)
        elif self.kinds[deepest] == "f" and self.rng.random() < 0.4:
            self.pour(deepest, os.O_APPEND)
        else:
            self.move(deepest, self.fresh(os.path.dirname(deepest) if self.rng.random() < 0.5 else b""))

    def op_long(self):
        """Files at the end of the longest path there can be; sometimes its top is renamed."""
        top = b"long"
        end = os.path.join(top, *[LONG] * 19)
        if end not in self.kinds:
            path = b""
            for part in end.split(b"/"):
                path = os.path.join(path, part)
                if path not in self.kinds:
                    self.mkdir(path)
        pick = self.rng.random()
        if pick < 0.2:
            self.move(top, b"knot")
            self.make(os.path.join(b"knot", *[LONG] * 19, b"n%d" % self.rng.randrange(99)))
            self.move(b"knot", top)
        elif pick < 0.4:
            self.remove(end)
        else:
            name = os.path.join(end, b"%c" % self.rng.choice(b"abc"))
            if name in self.kinds:
                self.move(name, name + b"2")
            else:
                self.make(name)

    def op_crowd(self):
        if not self.crowd:
            return self.op_create()
        big, self.crowd, self.calm = self.fresh(b""), 0, CALM + self.crowd
        self.log.write(f"  crowd {big!r}\n")
        self.mkdir(big)
        for i in range(self.calm - CALM):
            path = os.path.join(big, b"%05d" % i)
            os.close(os.open(self.at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            self.kinds[path] = "f"
        return None

    def op_editor(self):
        path, habit = self.some("f"), self.rng.randrange(3)
        backup = path + b"~"
        if len(os.path.basename(backup)) > 255 or self.kinds.get(backup, "f") != "f":
            return
        if habit == 0:  # vi: the old file becomes the backup, which goes
            self.move(path, backup)
            self.make(path)
            if self.rng.random() < 0.5:
                self.remove(backup)
        elif habit == 1:  # the backup is a second name of the old file
            if backup in self.kinds:
                self.remove(backup)
            self.do(os.link, self.at(path), self.at(backup))
            self.kinds[backup] = "f"
            tmp = self.fresh(os.path.dirname(path))
            self.make(tmp)
            self.do(os.chmod, self.at(tmp), 0o640)
            self.move(tmp, path)
        else:  # the backup is a copy, the file is written again in place
            if backup not in self.kinds:
                self.make(backup)
            self.pour(path, os.O_TRUNC)

    def op_rsync(self):
        folder = self.folder()
        old = [p for p in sorted(self.kinds) if self.kinds[p] == "f" and os.path.dirname(p) == folder]
        target = self.rng.choice(old) if old and self.rng.random() < 0.6 else self.fresh(folder)
        tmp = os.path.join(folder, b"." + os.path.basename(target)[:200] + b".%06x" % self.rng.randrange(1 << 24))
        if tmp in self.kinds:
            return
        self.make(tmp)
        self.do(os.chown, self.at(tmp), 1000, 1000)
        self.do(os.chmod, self.at(tmp), 0o664)
        t = self.rng.randrange(10 ** 9)
        os.utime(self.at(tmp), (t, t))
        self.move(tmp, target)
        for p in old[:1]:
            if p != target and self.rng.random() < 0.5:
                self.remove(p)  # --delete
        if folder:
            os.utime(self.at(folder), (t, t))

    def op_delete_below_renamed(self):
        old = self.some("d")
        new = self.fresh()
        if (new + b"/").startswith(old + b"/"):
            return
        self.move(old, new)
        below = [p for p in sorted(self.kinds) if p.startswith(new + b"/")]
        for p in self.rng.sample(below, min(len(below), 3)):
            if p in self.kinds:
                self.remove(p)
        if self.rng.random() < 0.4:
            self.move(new, self.fresh(b""))

    def op_dir_over_empty(self):
        old = self.some("d")
        empty = [p for p in sorted(self.kinds) if self.kinds[p] == "d" and p != old and not
                 (p + b"/").startswith(old + b"/") and not any(q.startswith(p + b"/") for q in self.kinds)]
        if empty and self.rng.random() < 0.5:
            new = self.rng.choice(empty)  # maybe there since long
        else:
            new = self.fresh()
            if (new + b"/").startswith(old + b"/"):
                return
            self.mkdir(new)
        self.move(old, new)
        self.overwrote_dir = True

    def op_write_while_renamed(self):
        path = self.some("f")
        new = self.fresh()
        fd = self.do(os.open, self.at(path), os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, b"before")
            self.move(path, new)
            os.write(fd, b"after")
        finally:
            os.close(fd)

    def op_late_write(self):
        """Into a file that has no name any more, or only another one."""
        path = self.some("f")
        fd = self.do(os.open, self.at(path), os.O_WRONLY | os.O_APPEND)
        try:
            self.remove(path)
            os.write(fd, b"nobody reads this, unless it has another name")
        finally:
            os.close(fd)

    def refused(self, what, *args):
        try:
            self.do(what, *args)
        except OSError as e:
            self.log.write(f"  in vain: {e.strerror}\n")
            return
        self.log.write("  not in vain\n")
        self.look()

    def op_in_vain(self):
        """What a volume refuses, some of it after it has begun."""
        full = [p for p in sorted(self.kinds) if self.kinds[p] == "d" and any(q.startswith(p + b"/") for q in self.kinds)]
        pick = self.rng.randrange(7)
        if pick == 0 and full:
            self.refused(os.rmdir, self.at(self.rng.choice(full)))
        elif pick == 1 and full and self.spoils:
            self.refused(os.rename, self.at(self.some("d")), self.at(self.rng.choice(full)))
        elif pick == 2:
            self.refused(os.mkdir, self.at(self.some("fod")))
        elif pick == 3:
            self.refused(os.rename, self.at(self.some("fo")), self.at(self.some("d")))
        elif pick == 4:
            self.refused(os.rename, self.at(self.some("d")), self.at(self.some("fo")))
        elif pick == 5:
            d = self.some("d")
            self.refused(os.rename, self.at(d), self.at(os.path.join(d, b"inside itself")))
        else:  # two names of one file: nothing is to happen
            old = self.some("f")
            new = self.fresh()
            self.link(old, new)
            self.do(os.rename, self.at(old), self.at(new))

    def op_mkdir_then_in_vain(self):
        """A directory to move things into, and the move fails; it stays, or goes again."""
        new, d = self.fresh(), self.some("d")
        self.mkdir(new)
        self.make(self.fresh(new))
        if self.kinds.get(d) == "d" and self.spoils:
            self.refused(os.rename, self.at(d), self.at(new))
        if new in self.kinds and self.rng.random() < 0.4:
            self.remove(new)

    def op_held(self):
        """Files that are open from one list to the next, like logs; whatever became of their names."""
        if len(self.held) < 3:
            self.held.append(self.do(os.open, self.at(self.some("f")), os.O_WRONLY | os.O_APPEND))
        fd = self.rng.choice(self.held)
        try:
            self.log.write(f"  write to {fd}\n")
            os.write(fd, self.rng.randbytes(self.rng.randrange(1, 500)))
            os.fsync(fd)
        except OSError:
            self.held.remove(fd)
            os.close(fd)
            raise
        if self.rng.random() < 0.3:
            self.held.remove(fd)
            os.close(fd)

    def op_many_names(self):
        """More than there is room for in the xattrs of an inode, on some file systems."""
        old, folder = self.some("f"), self.folder()
        for i in range(self.rng.choice((4, 12, 30))):
            new = os.path.join(folder, b"%c" % self.rng.choice(b"pq") * self.rng.choice((20, 200)) + b"%d" % i)
            if new not in self.kinds and len(new) < 3000:
                self.link(old, new)
                if self.rng.random() < 0.3:
                    self.remove(new)

    def op_cascade(self):
        """Directories above and below one another change places: a/b/c becomes c/b/a."""
        parent = self.folder()
        a = self.fresh(parent)
        self.mkdir(a)
        for _ in range(2):
            inner = self.fresh(a)
            self.mkdir(inner)
            self.make(self.fresh(inner))
        old = self.some("d")
        inner = self.rng.choice([p for p in sorted(self.kinds) if self.kinds[p] == "d" and p.startswith(a + b"/")])
        out = self.fresh(parent)
        self.move(inner, out)
        self.move(a, self.fresh(out))
        if old in self.kinds and not (out + b"/").startswith(old + b"/") and not old.startswith(out + b"/"):
            self.move(old, self.fresh(out))
