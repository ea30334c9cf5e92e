"""weather - what GlusterFS itself does to a volume when nodes come and go.

While a fault lasts a mount says EIO, ENOTCONN and the like; who tries again for long enough gets an answer.  Who does
not, met a split brain: two bricks of a set made different objects by one name, or all of them blame each other, and
GlusterFS waits for an administrator.  Bricks tells these from what a list forgot: by the bricks alone, not by what
the mount or a list says.
"""

import errno
import os
import stat
import time

import lists

PATIENCE = 40  # seconds; longer than a fault with its ping timeouts; what was given up is tried again later
STORM = (errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EROFS, errno.EAGAIN, errno.EBADFD, errno.ENODATA, errno.EBUSY)
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


def above(path):
    """The path, and what it lies in, up to the top."""
    while path:
        yield path
        path = os.path.dirname(path)


class GivenUp(Exception):
    """The mount did not give this path within PATIENCE."""


class Weather:
    """Tries again what a fault may have spoiled.  A path that was given up is tried once a time from then on, and so is
    what lies below it: nobody waits for the same thing twice."""

    def __init__(self, note, patience=PATIENCE):
        self.note, self.patience, self.lost = note, patience, {}

    def __call__(self, path, what, *args):
        hopeless = any(p in self.lost for p in above(path))
        end = time.monotonic() + (0 if hopeless else self.patience)
        while True:
            try:
                out = what(*args)
            except OSError as e:
                if e.errno not in STORM:
                    raise
                if time.monotonic() < end:
                    time.sleep(0.3)
                    continue
                if not hopeless:
                    self.lost[path] = e.errno
                    self.note(f"given up: {lists.escape(path)}: {e.strerror}")
                raise GivenUp(path) from e
            self.lost.pop(path, None)
            return out

    def tree(self, top):
        """(path, what lstat says) of all that the mount gives; what goes meanwhile is left out."""
        todo = [b""]
        while todo:
            at = todo.pop()
            try:
                names = self(at, os.listdir, os.path.join(top, at))
            except (GivenUp, FileNotFoundError, NotADirectoryError):
                continue
            except OSError as e:
                if e.errno not in GONE:
                    raise
                continue
            for name in names:
                path = os.path.join(at, name)
                try:
                    st = self(path, os.lstat, os.path.join(top, path))
                except GivenUp:
                    continue
                except OSError as e:
                    if e.errno not in GONE:
                        raise
                    continue
                yield path, st
                if stat.S_ISDIR(st.st_mode):
                    todo.append(path)


class Bricks:
    """The bricks of a volume, as folders, by replica sets: what they hold when nobody works on it."""

    def __init__(self, folders, volume, replica):
        self.volume = volume
        ordered = sorted(folders, key=self.number)
        self.sets = [ordered[i:i + replica] for i in range(0, len(ordered), replica)]

    @staticmethod
    def number(brick):
        return int(brick.rsplit("-", 1)[1])

    def indexed(self):
        """What waits for a heal, as (brick, gfid)."""
        out = set()
        for brick in (b for bricks in self.sets for b in bricks):
            for index in ("xattrop", "dirty"):
                folder = os.path.join(brick, ".glusterfs/indices", index)
                if os.path.isdir(folder):
                    out |= {(brick, name) for name in os.listdir(folder) if not name.startswith(index)}
        return out

    @staticmethod
    def gfid(at):
        try:
            return os.getxattr(at, "trusted.gfid", follow_symlinks=False)
        except OSError:
            return None

    def differ(self, path, absent=False):
        """Whether bricks hold different objects by this name; absent: or one of a set holds none, and its siblings do."""
        found = [[self.gfid(os.path.join(os.fsencode(b), path)) for b in bricks] for bricks in self.sets]
        return len({g for of_set in found for g in of_set if g}) > 1 or absent and any(len(set(of_set)) > 1 for of_set in found)

    def accused(self, path):
        """Whether each brick of a set that holds it is blamed by another: there is nobody to heal from."""
        for bricks in self.sets:
            at = {self.number(b): os.path.join(os.fsencode(b), path) for b in bricks}
            guilty = {n for n in at if any(self.blames(at[m], n) for m in at if m != n)}
            if any(os.path.lexists(a) for a in at.values()) and guilty == set(at):
                return True
        return False

    def blames(self, at, number):
        try:
            return any(os.getxattr(at, f"trusted.afr.{self.volume}-client-{number}"))
        except OSError:
            return False

    def is_damaged(self, path, stuck):
        """Whether no tree can be told of at this path.  stuck: gfids that do not heal, in whose directories names may be on
        some bricks only."""
        for p in above(path):
            if self.differ(p) or self.accused(p):
                return True
            folder = {self.gfid(os.path.join(os.fsencode(b), os.path.dirname(p))) for bricks in self.sets for b in bricks}
            if folder & stuck and self.differ(p, absent=True):
                return True
        return False
