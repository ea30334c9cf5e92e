"""mirror - a backup that does what the lists say, and nothing else.

A list is correct if and only if this consumer, which never looks at the volume except at listed paths,
ends with the volume's tree.  The rule, from the definition of the list format:

  1. deepest first: take aside every old_path, drop every DELETE;
  2. shallowest first: put the moved ones back, replacing what is there;
  3. in path order: copy NEW and MODIFY from the volume; of an old_path the mirror lacked, copy path and
     everything below it.

Where a consumer could paper over a fault, this one counts it.  A DELETE or old_path the mirror does not
have is noise (allowed, measured); a DELETE of a directory that still holds something means that the list
forgot to say so, and is a fault.
"""

import collections
import errno
import fnmatch
import os
import stat
import time

import lists

COPY = 1 << 20
PATIENCE = 60  # seconds for which a mount may say so of what is being migrated or healed, on a busy machine
PASSING = (errno.ESTALE, errno.EBADFD, errno.EIO)
ACLS = ("system.posix_acl_access", "system.posix_acl_default")


class Fault(Exception):
    pass


def gfid_ino(gfid):
    """The inode number a mount shows: the low eight bytes of the gfid."""
    return int(gfid.replace("-", "")[16:], 16)


# Longest path given to the kernel as it is.
PLAIN = 3900
_doors = collections.deque()


def reach(top, path):
    """top/path as a system call takes it.  A long one leads through a descriptor of a directory on the way,
    and is good until some dozens more were asked for."""
    whole = os.path.join(top, path) if path else top
    if len(whole) <= PLAIN:
        return whole
    cut = whole.rindex(b"/", 0, PLAIN)
    door = os.open(whole[:cut], os.O_PATH | os.O_DIRECTORY)
    _doors.append(door)
    if len(_doors) > 64:
        os.close(_doors.popleft())
    return reach(b"/proc/self/fd/%d" % door, whole[cut + 1:])


def user_xattrs(path):
    return {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)
            if n.startswith("user.") or n in ACLS}


def look_anew():
    """Of a symlink or special file that was migrated a mount (10.3) says ESTALE for as long as it remembers where it was:
    no look-up, no attribute makes it look elsewhere.  What the kernel forgets, the mount forgets."""
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("2")
    time.sleep(1)


def patiently(count, what, *args, **more):
    """A mount may say so for a moment of what is being migrated, or healed, or after bricks came back."""
    for left in reversed(range(PATIENCE)):
        try:
            return what(*args, **more)
        except OSError as e:
            if e.errno not in PASSING or not left:
                raise
            count(errno.errorcode[e.errno])
            look_anew()


def same_bytes(a, b):
    with open(a, "rb") as fa, open(b, "rb") as fb:
        while True:
            x, y = fa.read(COPY), fb.read(COPY)
            if x != y:
                return False
            if not x:
                return True


def tree(top, unread=None):
    """Every path below top, as bytes relative to it, parents first.  unread: takes directories that cannot be read, and
    why, which is an error otherwise."""
    todo = [b""]
    while todo:
        at = todo.pop()
        try:
            with os.scandir(reach(top, at)) as entries:
                for e in entries:
                    path = os.path.join(at, e.name) if at else e.name
                    yield path
                    if e.is_dir(follow_symlinks=False):
                        todo.append(path)
        except OSError as e:
            if unread is None:
                raise
            unread[at] = e.strerror


class Selection:
    """What a session with --scope and --exclude is of.  Globs here are without slashes: names."""

    def __init__(self, scope=None, exclude=()):
        self.scope = os.fsencode(scope) if scope else None
        self.exclude = [os.fsencode(glob) for glob in exclude]

    def __contains__(self, path):
        if self.scope and not path.startswith(self.scope + b"/"):
            return False
        return not any(fnmatch.fnmatchcase(name, glob) for name in path.split(b"/") for glob in self.exclude)

    def bears(self, path):
        """The scope, or above it: a mirror has it to put things into."""
        return self.scope is not None and (self.scope + b"/").startswith(path + b"/")

    def arguments(self):
        return ([b"--scope=" + self.scope] if self.scope else []) + [b"--exclude=" + glob for glob in self.exclude]


def differences(a, b, mtimes=True, content=True, selection=Selection(), tell_unread=False):
    """What distinguishes tree a (the volume) from b (the mirror): a list of sentences.  tell_unread: what of a cannot be
    read is one of them, and no error."""
    out, unread = [], {} if tell_unread else None
    in_a = {p for p in tree(a, unread) if p in selection}
    in_b = {p for p in tree(b) if not selection.bears(p)}
    out += [f"missing in the mirror: {lists.escape(p)}" for p in sorted(in_a - in_b, key=lists.key)]
    out += [f"only in the mirror: {lists.escape(p)}" for p in sorted(in_b - in_a, key=lists.key)]
    groups = {}, {}
    for path in sorted(in_a & in_b, key=lists.key):
        pa, pb = reach(a, path), reach(b, path)
        try:
            sa, sb = os.lstat(pa), os.lstat(pb)
            what = one_difference(pa, sa, pb, sb, mtimes, content)
        except OSError as e:
            if unread is None:
                raise
            unread[path] = e.strerror
            continue
        if what:
            out.append(f"{what}: {lists.escape(path)}")
        if not stat.S_ISDIR(sa.st_mode):
            groups[0].setdefault(sa.st_ino, []).append(path)
            groups[1].setdefault(sb.st_ino, []).append(path)
    out += [f"cannot be read ({why}): {lists.escape(path)}" for path, why in sorted((unread or {}).items())]
    mine, theirs = ({tuple(g) for g in group.values()} for group in groups)
    return out + ["hard links differ: " + " ".join(lists.escape(p) for p in group) for group in sorted(mine - theirs)]


def one_difference(pa, sa, pb, sb, mtimes=True, content=True):
    if stat.S_IFMT(sa.st_mode) != stat.S_IFMT(sb.st_mode):
        return "type differs"
    if stat.S_ISLNK(sa.st_mode):
        if os.readlink(pa) != os.readlink(pb):
            return "link target differs"
    elif sa.st_mode != sb.st_mode:
        return f"mode differs ({sa.st_mode:o}, mirror {sb.st_mode:o})"
    if (sa.st_uid, sa.st_gid) != (sb.st_uid, sb.st_gid):
        return f"owner differs ({sa.st_uid}:{sa.st_gid}, mirror {sb.st_uid}:{sb.st_gid})"
    if stat.S_ISREG(sa.st_mode):
        if sa.st_size != sb.st_size:
            return f"size differs ({sa.st_size}, mirror {sb.st_size})"
        if content and not same_bytes(pa, pb):
            return "content differs"
        if mtimes and sa.st_mtime_ns != sb.st_mtime_ns:
            return f"mtime differs ({sa.st_mtime_ns}, mirror {sb.st_mtime_ns})"
    if not stat.S_ISLNK(sa.st_mode) and user_xattrs(pa) != user_xattrs(pb):
        return "user xattrs or ACLs differ"
    return None


class Mirror:
    def __init__(self, top, volume, check_gfids=True, selection=Selection()):
        self.selection = selection
        self.top, self.volume, self.check_gfids = top, volume, check_gfids
        # Inode numbers of files: on the volume -> in the mirror, and back, because the mirror's file
        # system hands the numbers of dropped files out again.
        self.inodes, self.owner = {}, {}
        self.names = {}  # inode number in the mirror -> names it had when this list's copying began, and since
        self.aside = top + b".aside"
        self.stats = {}
        os.makedirs(top, exist_ok=True)

    def count(self, what, n=1):
        self.stats[what] = self.stats.get(what, 0) + n

    def at(self, path):
        return reach(self.top, path)

    def apply(self, entries):
        self.stats, self.made = {"entries": len(entries)}, set()
        os.makedirs(self.aside)
        moved = self.take(entries)
        if self.selection.scope:
            os.makedirs(self.at(self.selection.scope), exist_ok=True)
        self.put(entries, moved)
        self.copy(entries, moved)
        if os.listdir(self.aside):
            raise Fault("something taken aside was never put back")
        os.rmdir(self.aside)
        return self.stats

    # 1. names of the tree before
    def take(self, entries):
        moved = {}
        before = [(e.path if e.op == "DELETE" else e.old, i, e) for i, e in enumerate(entries)
                  if e.op in ("DELETE", "RENAME")]
        before.sort(key=lambda b: lists.depth(b[0]), reverse=True)
        for path, i, e in before:
            at = self.at(path)
            if not os.path.lexists(at):
                self.count("old_path not in the mirror" if e.op == "RENAME" else "DELETE not in the mirror")
            elif e.op == "RENAME":
                moved[i] = os.path.join(self.aside, b"%d" % i)
                os.rename(at, moved[i])
            else:
                self.drop(at, path)
        return moved

    # 2. their new names
    def put(self, entries, moved):
        for i in sorted(moved, key=lambda i: lists.depth(entries[i].path)):
            try:
                self.make_way(os.path.dirname(entries[i].path))
            except OSError:
                raise Fault(f"{entries[i]!r}: what stands in the way was not said to be gone")
            at = self.at(entries[i].path)
            self.drop(at, entries[i].path)
            os.rename(moved[i], at)

    def make_way(self, folder):
        """Directories that moved ones go into are new, and copied later: the list must say so."""
        if folder and not os.path.isdir(self.at(folder)):
            self.make_way(os.path.dirname(folder))
            os.mkdir(self.at(folder))
            self.made.add(folder)

    # 3. content
    def copy(self, entries, moved):
        self.names = {}
        for path in tree(self.top):
            st = os.lstat(self.at(path))
            if not stat.S_ISDIR(st.st_mode):
                self.names.setdefault(st.st_ino, []).append(path)
        for i, e in enumerate(entries):
            if e.op in ("NEW", "MODIFY"):
                patiently(self.count, self.copy_one, e)
            elif e.op == "RENAME" and i not in moved:
                self.copy_one(e)
                self.copy_below(e.path)
            elif e.op == "RENAME":
                self.judge(e)
            self.made.discard(e.path)
        if self.made:
            raise Fault(f"never said to be new: {lists.escape(sorted(self.made, key=lists.key)[0])}")

    def copy_below(self, path):
        src = reach(self.volume, path)
        if os.path.isdir(src) and not os.path.islink(src):
            for below in sorted(tree(src), key=lists.key):
                self.copy_one(lists.Entry("NEW", os.path.join(path, below)))
                self.made.discard(os.path.join(path, below))

    def judge(self, e):
        """What the list says of an object of the new tree must be so; the volume is at rest."""
        try:
            st = os.lstat(reach(self.volume, e.path))
        except FileNotFoundError:
            self.count("listed, gone by now")
            return None
        kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s",
                stat.S_IFBLK: "b", stat.S_IFCHR: "c"}[stat.S_IFMT(st.st_mode)]
        if e.type is not None and e.type != kind:
            raise Fault(f"{e!r}: listed as type {e.type}, is {kind}")
        if e.gfid is not None and self.check_gfids and gfid_ino(e.gfid) != st.st_ino:
            raise Fault(f"{e!r}: listed with gfid {e.gfid}, the volume's inode is {st.st_ino:x}")
        return st

    def copy_one(self, e):
        st = self.judge(e)
        if st is None:
            return
        src, at = reach(self.volume, e.path), self.at(e.path)
        old = os.lstat(at) if os.path.lexists(at) else None
        if not os.path.isdir(os.path.dirname(at)):
            raise Fault(f"{e!r}: the mirror has no directory to put it into")
        if old is not None and not one_difference(src, st, at, old, mtimes=e.op == "MODIFY"):
            self.count("listed, but the mirror had it already")
        if stat.S_ISDIR(st.st_mode):
            if old is None or not stat.S_ISDIR(old.st_mode):
                self.drop(at, e.path)
                os.mkdir(at)
        elif not self.copy_file(e, src, st, at, old):
            return
        self.attributes(src, st, at)

    def copy_file(self, e, src, st, at, old):
        """True when the inode at `at` is to get the attributes too, False for one more name of a known one."""
        known = self.inodes.get(st.st_ino)
        if self.owner.get(known) != st.st_ino:
            known = None
        if known is not None and (old is None or old.st_ino != known):
            name = self.name_of(known)
            if name is not None:
                self.drop(at, e.path)
                os.link(self.at(name), at, follow_symlinks=False)
                self.names.setdefault(known, []).append(e.path)
                if e.op == "MODIFY":
                    self.count("MODIFY of a name that was another file's")
                return False
        if e.op == "MODIFY" and old is None:
            self.count("MODIFY not in the mirror")
        same = old is not None and old.st_ino == known and stat.S_IFMT(old.st_mode) == stat.S_IFMT(st.st_mode)
        if not same:
            self.drop(at, e.path)
        if stat.S_ISREG(st.st_mode):
            self.bytes(src, at, same)
        elif not same and stat.S_ISLNK(st.st_mode):
            os.symlink(os.readlink(src), at)
        elif not same:
            os.mknod(at, st.st_mode, st.st_rdev)
        now = os.lstat(at).st_ino
        if not same:
            self.inodes[st.st_ino] = now
            self.owner[now] = st.st_ino
            self.names[now] = [e.path]
        return True

    @staticmethod
    def bytes(src, at, in_place):
        with open(src, "rb") as fin, open(at, "r+b" if in_place else "xb") as fout:
            fout.truncate(0)
            while True:
                chunk = fin.read(COPY)
                if not chunk:
                    return
                fout.write(chunk)

    def name_of(self, ino):
        for name in self.names.get(ino, ()):
            try:
                if os.lstat(self.at(name)).st_ino == ino:
                    return name
            except OSError:
                pass
        return None

    def attributes(self, src, st, at):
        os.chown(at, st.st_uid, st.st_gid, follow_symlinks=False)
        if stat.S_ISLNK(st.st_mode):
            return
        os.chmod(at, stat.S_IMODE(st.st_mode))  # before the ACLs, whose mask it would change
        want, have = user_xattrs(src), user_xattrs(at)
        for n in have:
            if n not in want:
                os.removexattr(at, n)
        for n, v in want.items():
            if have.get(n) != v:
                os.setxattr(at, n, v)
        os.utime(at, ns=(st.st_atime_ns, st.st_mtime_ns))

    def drop(self, at, path):
        """Make room.  Whatever a directory still holds was gone or moved on the volume, unsaid."""
        if not os.path.lexists(at):
            return
        if not stat.S_ISDIR(os.lstat(at).st_mode):
            os.unlink(at)
            return
        left = sorted(tree(at))
        if left:
            raise Fault(f"{lists.escape(path)} is another object now, but nothing was said "
                        "of what was below: " + " ".join(lists.escape(p) for p in left[:3]))
        os.rmdir(at)
