#!/usr/bin/env python3
"""live - lists of a volume that does not stop.

For each seed: random users work on the mount without a pause, while gbackup-cli takes the first list and then
one after another, each applied to the mirror at once, and the volume has moved on by then.  Then the users
stop; the mirror must be the volume after one more list.  A list cannot be wrong about the tree of the moment it
was taken and still end there: whatever it forgets to say, no later list says.

The consumer (Consumer) is replay's mirror, in what the man page asks of a consumer of a moving volume:

  a listed path is gone         skipped, and read when a later RENAME moves it or a directory above it
  or another object's by now    the same (a mount's inode numbers are the low halves of gfids)
  an old_path was read late     and holds another object: the same as if it had never been read
  an old_path was never read    path is copied, with what is below it as it is by now
  no directory to put it into   made; its attributes come with a list
  a name of a known inode       linked; what the list calls NEW is read nevertheless, once a list

It has the lists and listed paths, nothing else; it does not look around, and it does not compare.  What a list
said that surprised it is counted.
"""

import argparse
import errno
import multiprocessing
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lists  # noqa: E402
import mirror  # noqa: E402
import workload  # noqa: E402

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP, errno.ENXIO)
TRIES = 3  # of a command that says that the volume moved too fast


class Failed(Exception):
    pass


# ---- the users ------------------------------------------------------------------------------------------


class Stamped:
    """A log whose lines tell when; flushed, so that a killed user leaves it whole."""

    def __init__(self, file, who):
        self.file, self.who = file, who

    def write(self, text):
        self.file.write(f"{time.time():.6f} {self.who} {text}")
        self.file.flush()


class User(workload.Workload):
    """One of several, bound to a rate; each looks at the tree anew when it finds that others were there."""

    def __init__(self, top, number, rng, log, rate, max_size):
        self.number, self.pause, self.due = number, 1 / rate, time.monotonic()
        super().__init__(top, rng, log, max_size)
        self.calm = 250
        self.spoils = False  # nemesis has heals
        # A directory put in the place of another leaves no record of that; paths too long to be opened as one.
        for op in ("dir_over_empty", "long", "deep", "crowd"):
            self.weights[op] = 0

    def fresh(self, parent=None):
        """No two users make the same name: else they would put directories in each other's place, which leaves no
        record and is not what this test is about."""
        while True:
            path = super().fresh(parent)
            if len(os.path.basename(path)) == lists.NAME_MAX:
                path = path[:-1]
            path += b"%c" % (ord("A") + self.number)
            if path not in self.kinds:
                return path

    def look(self):
        while True:
            try:
                return super().look()
            except OSError as e:
                if e.errno not in GONE:
                    raise

    def do(self, what, *args):
        self.due = max(self.due + self.pause, time.monotonic() - 1)
        time.sleep(max(0, self.due - time.monotonic()))
        out = super().do(what, *args)
        self.log.write(f"  . {self.numbers(what, args)}\n")
        return out

    def numbers(self, what, args):
        """Inode numbers of what was touched: the low half of the gfid, by which slices are searched."""
        out = []
        for a in args[:2]:
            if isinstance(a, bytes) and a.startswith(self.top) and what not in (os.unlink, os.rmdir):
                try:
                    out.append(f"{os.lstat(a).st_ino:016x}")
                except OSError:
                    pass
        return " ".join(out)


def use(o, seed, number, file, stop):
    """A user's process."""
    with open(file, "w", buffering=1) as f:
        user = User(os.fsencode(o.mount), number, random.Random(f"{seed} {number}"), Stamped(f, number), o.rate / o.users, o.max_size)
        while not stop.is_set():
            user.run(1)


class Users:
    patience = 60

    def __init__(self, o, seed, folder):
        self.stop_asked = multiprocessing.Event()
        self.all = [multiprocessing.Process(target=use, args=(o, seed, i, os.path.join(folder, f"user-{i}.log"), self.stop_asked))
                    for i in range(o.users)]
        for p in self.all:
            p.start()

    def check(self):
        if not all(p.is_alive() for p in self.all):
            raise Failed("a user of the mount died, see its log")

    def stop(self):
        self.stop_asked.set()
        for p in self.all:
            p.join(self.patience)
            if p.exitcode != 0:
                p.kill()
                raise Failed(f"a user of the mount ended with {p.exitcode}")


# ---- the consumer ---------------------------------------------------------------------------------------


class Moved(Exception):
    """Between two looks at it, the path became another object's."""


class Consumer:
    def __init__(self, top, volume, note, careful):
        self.top, self.volume, self.note, self.careful = top, volume, note, careful
        self.aside = top + b".aside"
        self.inodes = {}  # inode number on the volume -> in the mirror, of files
        self.owner = {}   # inode number in the mirror -> on the volume
        self.unread = set()  # listed, but gone when it was to be read

        os.mkdir(top)

    def at(self, path):
        return os.path.join(self.top, path)

    def count(self, what):
        self.stats[what] = self.stats.get(what, 0) + 1

    def apply(self, entries):
        self.stats = {"entries": len(entries)}
        self.fresh = set()  # inode numbers of the mirror whose content came with this list
        os.mkdir(self.aside)
        self.follow(entries)
        moved = self.take(entries)
        self.put(entries, moved)
        self.copy(entries, moved)
        os.rmdir(self.aside)
        return self.stats

    def follow(self, entries):
        """Names of what was not read, after the renames of this list."""
        moves = {e.old: e.path for e in entries if e.op == "RENAME"}
        deleted = {e.path for e in entries if e.op == "DELETE"}
        self.moved, stay = set(), set()
        for path in self.unread:
            above = path
            while above and above not in moves and above not in deleted:
                above = os.path.dirname(above)
            if above in moves:
                self.moved.add(moves[above] + path[len(above):])
            elif not above:
                stay.add(path)
        self.unread = stay

    def copy(self, entries, moved):
        self.names = {}  # inode number in the mirror -> names
        for path in mirror.tree(self.top):
            st = os.lstat(self.at(path))
            if not stat.S_ISDIR(st.st_mode):
                self.names.setdefault(st.st_ino, []).append(path)
        for i, e in enumerate(entries):
            if e.op in ("NEW", "MODIFY"):
                self.copy_one(e)
            elif e.op == "RENAME" and i not in moved:
                self.copy_one(e)
                self.copy_below(e.path)
        for path in sorted(self.moved, key=lists.key):
            self.copy_one(lists.Entry("MODIFY", path))

    def take(self, entries):
        moved = {}
        before = [(e.path if e.op == "DELETE" else e.old, i) for i, e in enumerate(entries) if e.op in ("DELETE", "RENAME")]
        for path, i in sorted(before, key=lambda b: lists.depth(b[0]), reverse=True):
            at, e = self.at(path), entries[i]
            if not os.path.lexists(at):
                self.count(f"{e.op} of what is not in the mirror")
            elif e.op == "DELETE":
                self.drop(at)
            elif self.careful and self.owner.get(os.lstat(at).st_ino, mirror.gfid_ino(e.gfid)) != mirror.gfid_ino(e.gfid):
                self.note(f"another object's copy: {e!r}")
                self.drop(at)
            else:
                moved[i] = os.path.join(self.aside, b"%d" % i)
                os.rename(at, moved[i])
        return moved

    def put(self, entries, moved):
        """RENAME and NEW put something in the place of whatever is there; but a NEW directory may be one that is known,
        and what was in another one is said to be gone name by name."""
        new = [i for i, e in enumerate(entries) if e.op in ("RENAME", "NEW")]
        for i in sorted(new, key=lambda i: lists.depth(entries[i].path)):
            at = self.at(entries[i].path)
            if entries[i].op == "NEW" and entries[i].type == "d" and os.path.isdir(at) and not os.path.islink(at):
                continue
            self.drop(at)
            if i in moved:
                self.parents(at)
                os.rename(moved[i], at)
                self.note(f"moved {entries[i]!r}")

    def parents(self, at):
        above = os.path.dirname(at)
        if os.path.isdir(above) and not os.path.islink(above):
            return
        self.parents(above)
        self.count("parents made")
        self.drop(above)
        os.mkdir(above)
        self.owner.pop(os.lstat(above).st_ino, None)

    def drop(self, at):
        if os.path.lexists(at):
            self.note(f"dropped {lists.escape(os.path.relpath(at, self.top))}")
        if os.path.isdir(at) and not os.path.islink(at):
            if os.listdir(at):
                self.count("dropped with content")
            shutil.rmtree(at)
        elif os.path.lexists(at):
            os.unlink(at)

    def copy_below(self, path):
        self.count("old_path never read")
        self.note(f"copying below {lists.escape(path)}")
        todo = [path]
        while todo:
            at = todo.pop()
            for name, is_dir in self.names_in(at):
                below = os.path.join(at, name)
                self.copy_one(lists.Entry("MODIFY", below))
                if is_dir:
                    todo.append(below)

    def names_in(self, at):
        try:
            with os.scandir(os.path.join(self.volume, at)) as entries:
                return [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
        except OSError as e:
            if e.errno not in GONE:
                raise
            return []

    def copy_one(self, e):
        src = os.path.join(self.volume, e.path)
        for _ in range(20):
            try:
                self.copy_now(e, src)
                return
            except Moved:
                continue
            except OSError as err:
                if err.errno == errno.ENODATA:
                    continue
                if err.errno not in GONE or isinstance(err.filename, bytes) and not err.filename.startswith(self.volume):
                    raise
                self.skip(e, "gone")
                return
        self.skip(e, "never at rest")

    def skip(self, e, why):
        self.note(f"{why}: {e!r}")
        self.count(f"listed, {why}")
        self.unread.add(e.path)

    def copy_now(self, e, src):
        st = os.lstat(src)
        self.note(f"copying {e!r} {st.st_ino:016x}")
        if e.gfid is not None and self.careful and mirror.gfid_ino(e.gfid) != st.st_ino:
            self.skip(e, "another object")
            return
        self.unread.discard(e.path)
        if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
            fd = os.open(src, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                now = os.fstat(fd)
                if (now.st_ino, stat.S_IFMT(now.st_mode)) != (st.st_ino, stat.S_IFMT(st.st_mode)):
                    raise Moved
                self.take_over(e, src, now, fd)
            finally:
                os.close(fd)
        else:
            self.take_over(e, src, st, None)

    def take_over(self, e, src, st, fd):
        at = self.at(e.path)
        xattrs = {} if stat.S_ISLNK(st.st_mode) else mirror.user_xattrs(src) if fd is None else \
            {n: os.getxattr(fd, n) for n in os.listxattr(fd) if n.startswith("user.") or n in mirror.ACLS}
        target = self.target_of(src) if stat.S_ISLNK(st.st_mode) else None
        data = self.content_of(fd) if stat.S_ISREG(st.st_mode) else None
        self.parents(at)
        old = os.lstat(at) if os.path.lexists(at) else None
        if stat.S_ISDIR(st.st_mode):
            if old is None or not stat.S_ISDIR(old.st_mode):
                self.drop(at)
                os.mkdir(at)
            self.owner[os.lstat(at).st_ino] = st.st_ino
        else:
            ino = self.inode_at(e, at, old, st, target)
            if ino in self.fresh and e.op == "NEW":
                return
            self.fresh.add(ino)
        if data is not None:
            with open(at, "r+b") as f:
                f.truncate(0)
                f.write(data)
        self.set_attributes(at, st, xattrs)

    def name_of(self, ino):
        for name in self.names.get(ino, ()):
            if os.path.lexists(self.at(name)) and os.lstat(self.at(name)).st_ino == ino:
                return name
        return None

    @staticmethod
    def target_of(src):
        try:
            return os.readlink(src)
        except OSError as e:
            if e.errno == errno.EINVAL:
                raise Moved
            raise

    @staticmethod
    def content_of(fd):
        parts = []
        while True:
            parts.append(os.read(fd, mirror.COPY))
            if not parts[-1]:
                return b"".join(parts)

    def inode_at(self, e, at, old, st, target):
        """Have the right inode at `at`: the known one, if another name of the mirror has it, else a fresh one."""
        known = self.inodes.get(st.st_ino)
        if self.owner.get(known) != st.st_ino:
            known = None
        name = self.name_of(known) if known is not None else None
        if old is not None and name is not None and old.st_ino == known and \
                stat.S_IFMT(old.st_mode) == stat.S_IFMT(st.st_mode):
            if target is None or os.readlink(at) == target:
                return known
        if name is not None and (old is None or old.st_ino != known):
            link = os.path.join(self.aside, b"link")
            os.link(self.at(name), link, follow_symlinks=False)
            self.drop(at)  # what is dropped may hold that name
            os.rename(link, at)
            self.names.setdefault(known, []).append(e.path)
            return known
        self.drop(at)
        if stat.S_ISREG(st.st_mode):
            open(at, "xb").close()
        elif target is not None:
            os.symlink(target, at)
        else:
            os.mknod(at, st.st_mode, st.st_rdev)
        now = os.lstat(at).st_ino
        self.inodes[st.st_ino] = now
        self.owner[now] = st.st_ino
        self.names[now] = [e.path]
        return now

    @staticmethod
    def set_attributes(at, st, xattrs):
        os.chown(at, st.st_uid, st.st_gid, follow_symlinks=False)
        if stat.S_ISLNK(st.st_mode):
            return
        os.chmod(at, stat.S_IMODE(st.st_mode))  # before the ACLs, whose mask it would change
        have = mirror.user_xattrs(at)
        for n in have:
            if n not in xattrs:
                os.removexattr(at, n)
        for n, v in xattrs.items():
            if have.get(n) != v:
                os.setxattr(at, n, v)
        os.utime(at, ns=(st.st_atime_ns, st.st_mtime_ns))


# ---- the test -------------------------------------------------------------------------------------------


def parser(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--seeds", default="1-3", help="A-B or N")
    p.add_argument("--rounds", type=int, default=6, help="incremental runs under load, after the first, full one")
    p.add_argument("--rate", type=float, default=100, help="file operations a second, of all users")
    p.add_argument("--users", type=int, default=2)
    p.add_argument("--volume", required=True)
    p.add_argument("--mount", required=True)
    p.add_argument("--bricks", required=True, help="folder of the bricks, whose changelogs are kept on failure")
    p.add_argument("--state", required=True, help="folder of the agent's state, noted in the log")
    p.add_argument("--host", default="10.99.0.1")
    p.add_argument("--cli", default="gbackup-cli")
    p.add_argument("--work", required=True, help="folder for mirrors, on a file system with user xattrs")
    p.add_argument("--keep", required=True, help="folder for what failed")
    p.add_argument("--name", default="live", help="begins each line of the report")
    p.add_argument("--careless", action="store_true", help="the consumer does not look at gfids")
    p.add_argument("--max-size", type=int, default=65536, help="no write begins beyond")
    return p


class Seed:
    def __init__(self, o, seed):
        self.o, self.seed = o, seed
        self.session = f"live-{seed}"
        self.folder = os.path.join(o.work, f"live-{seed}")
        self.mount = os.fsencode(o.mount)
        self.rng = random.Random(f"{seed} rounds")
        self.stats, self.again, self.slowest = {}, 0, 0.0

    def note(self, text):
        self.log.write(f"{time.time():.6f} {text}\n")
        self.log.flush()

    def cli(self, *args):
        start = time.monotonic()
        self.note(f"gbackup-cli {' '.join(args)}")
        try:
            r = subprocess.run([self.o.cli, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Failed(f"gbackup-cli {' '.join(args)}: no end after 120 s")
        self.slowest = max(self.slowest, time.monotonic() - start)
        said = r.stderr.decode(errors="replace").strip()
        self.note(f"status {r.returncode} {said}")
        return r.returncode, said, r.stdout.decode(errors="replace")

    def must(self, *args):
        status, said, out = self.cli(*args)
        if status:
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {status}: {said[:300]}")
        return out

    def listing(self, *args):
        """A command that makes a list may say that names moved too fast; not for ever."""
        for n in range(TRIES):
            status, said, _ = self.cli(*args)
            if not status:
                return
            self.again += 1
        raise Failed(f"gbackup-cli {' '.join(args)}: {TRIES} times exit status {status}: {said[:300]}")

    def note_positions(self):
        """What the agent keeps, for whoever looks into a failure."""
        for name in os.listdir(self.o.state):
            if name.endswith(".db"):
                db = sqlite3.connect(f"file:{self.o.state}/{name}?mode=ro", uri=True)
                for row in db.execute("SELECT s.name, g.state, c.brick, c.cursor, length(g.boundary) FROM session s "
                                      "JOIN generation g ON g.session = s.id JOIN cursor c ON c.generation = g.id "
                                      "WHERE s.name = ?", (self.session,)):
                    self.note(f"position {row}")
                db.close()

    def round(self, number):
        file = os.path.join(self.folder, f"round-{number}.jsonl")
        form = self.rng.choice(("run", "run", "prepare", "abort"))
        if form == "abort":
            self.listing("prepare", self.session, "--format=jsonl", f"--out-file={file}")
            self.must("abort", self.session)
        self.listing("run" if form == "run" else "prepare", self.session, "--format=jsonl", f"--out-file={file}")
        self.note_positions()
        time.sleep(self.rng.choice((0, 0, 0.3, 1)))
        _, entries = lists.read(file, "incremental" if number else "full", self.o.volume, self.session)
        self.note(f"applying round {number}")
        stats = self.consumer.apply(entries)
        self.note(f"round {number}: {stats}")
        for what, n in stats.items():
            self.stats[what] = self.stats.get(what, 0) + n
        if form != "run":
            self.must("commit", self.session)

    def rounds(self, users):
        self.must("register", self.session, self.o.host, self.o.volume)
        for number in range(self.o.rounds + 1):
            time.sleep(self.rng.uniform(0, 2.5))
            users.check()
            self.round(number)

    def look_around(self):
        """A first look makes GlusterFS mend directories that it made while they were renamed; until then the mount
        may show modes that nobody set."""
        for _ in range(2):
            for path in mirror.tree(self.mount):
                try:
                    os.lstat(os.path.join(self.mount, path))
                except OSError as e:
                    if e.errno not in GONE:
                        raise

    def compare(self, number):
        found = mirror.differences(self.mount, self.consumer.top)
        if found:
            with open(os.path.join(self.folder, f"round-{number}.diff"), "w") as f:
                f.write("".join(line + "\n" for line in found))
        return found

    def play(self):
        self.wipe()
        number = self.o.rounds
        with open(os.path.join(self.folder, "first.log"), "w") as f:
            User(self.mount, self.o.users, random.Random(self.seed), Stamped(f, "first"), 1000, self.o.max_size).run(60)
        users = Users(self.o, self.seed, self.folder)
        try:
            self.rounds(users)
            time.sleep(self.rng.uniform(0, 1.5))
        finally:
            users.stop()
        self.note("the users are gone")
        self.look_around()
        time.sleep(self.rng.choice((0, 0, 4, 7)))
        self.round(number + 1)
        found = self.compare(number + 1)
        if not found:
            self.must("unregister", self.session)
            return
        self.round(number + 2)
        later = self.compare(number + 2)
        raise Failed(f"{found[0]} ({len(found)} in all, {len(later)} after one more list)")

    def wipe(self):
        """What the users of the seed before left; GlusterFS may see a name late that one of two made."""
        for _ in range(10):
            for name in os.listdir(self.mount):
                at = os.path.join(self.mount, name)
                if os.path.isdir(at) and not os.path.islink(at):
                    shutil.rmtree(at, ignore_errors=True)
                else:
                    os.unlink(at)
            if not os.listdir(self.mount):
                return
            time.sleep(0.5)
        raise Failed(f"cannot be removed: {os.listdir(self.mount)}")

    def run(self):
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "log"), "w") as self.log:
            self.consumer = Consumer(os.fsencode(os.path.join(self.folder, "mirror")), self.mount, self.note, not self.o.careless)
            try:
                self.play()
            except (Failed, lists.BadList, mirror.Fault) as e:
                self.note(f"FAILED: {e}")
                return str(e)
        shutil.rmtree(os.fsencode(self.folder))
        return None

    def keep(self):
        to = os.path.join(self.o.keep, f"{self.o.name}-seed-{self.seed}".replace("/", "-"))
        shutil.rmtree(to, ignore_errors=True)
        os.makedirs(to)
        for name in os.listdir(self.folder):
            if os.path.isfile(os.path.join(self.folder, name)):
                shutil.copy(os.path.join(self.folder, name), to)
        for brick in os.listdir(self.o.bricks):
            logs = os.path.join(self.o.bricks, brick, ".glusterfs/changelogs")
            if os.path.isdir(logs):
                shutil.copytree(logs, os.path.join(to, brick), ignore=shutil.ignore_patterns("csnap"))
        shutil.rmtree(os.fsencode(self.folder))
        return to


def main():
    o = parser(__doc__.split("\n")[0]).parse_args()
    first, _, last = o.seeds.partition("-")
    failed = 0
    for n in range(int(first), int(last or first) + 1):
        seed = Seed(o, n)
        start = time.monotonic()
        why = seed.run()
        told = "".join(f", {k}: {v}" for k, v in sorted(seed.stats.items()))
        print(f"# {o.name}: seed {n}: {time.monotonic() - start:.1f} s, slowest command {seed.slowest:.2f} s, "
              f"{seed.again} times again{told}", file=sys.stderr, flush=True)
        if why is None:
            print(f"PASS {o.name}: seed {n}", flush=True)
        else:
            failed += 1
            print(f"FAIL {o.name}: seed {n}: {why}; kept in {seed.keep()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
