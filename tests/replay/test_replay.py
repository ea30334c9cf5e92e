#!/usr/bin/env python3
"""test_replay - is the judge itself right?

No volume here: the random user works in a plain folder, an oracle that sees the folder before and after
writes the ideal list, and the mirror must follow.  Then each line of the ideal list is left out in turn, and
that must not pass.  Files of made-up lists hold lists.read() to its promises.
"""

import errno
import json
import os
import random
import shutil
import stat
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import events  # noqa: E402
import lists  # noqa: E402
import mirror  # noqa: E402
import weather  # noqa: E402
import workload  # noqa: E402

GFID = "b3f1a2c4-0000-4000-8000-0000000000%02x"


class Before:
    """A tree as it was; descriptors keep its inode numbers from being used again."""

    def __init__(self, top):
        self.slots, self.was, self.fds = {}, {}, []
        for path in mirror.tree(top):
            at = os.path.join(top, path)
            st = os.lstat(at)
            self.fds.append(os.open(at, os.O_PATH | os.O_NOFOLLOW))
            parent, name = os.path.split(path)
            slot = (os.lstat(os.path.join(top, parent)).st_ino, name)
            self.slots.setdefault(st.st_ino, {})[slot] = path
            self.was[st.st_ino] = state(at, st)

    def close(self):
        for fd in self.fds:
            os.close(fd)


def state(at, st):
    data = None
    if stat.S_ISREG(st.st_mode):
        with open(at, "rb") as f:
            data = f.read()
    xattrs = None if stat.S_ISLNK(st.st_mode) else mirror.user_xattrs(at)
    mtime = st.st_mtime_ns if stat.S_ISREG(st.st_mode) else 0
    return st.st_mode, st.st_uid, st.st_gid, mtime, data, xattrs


def ideal(before, after):
    """What a list ought to say, by slots: a name is (parent inode, basename)."""
    out = []
    for ino in before.slots.keys() | after.slots.keys():
        old, new = before.slots.get(ino, {}), after.slots.get(ino, {})
        lost = sorted(old[s] for s in old.keys() - new.keys())
        gained = sorted(new[s] for s in new.keys() - old.keys())
        while lost and gained:
            out.append(lists.Entry("RENAME", gained.pop(), lost.pop()))
        out += [lists.Entry("DELETE", p) for p in lost]
        out += [lists.Entry("NEW", p) for p in gained]
        if ino in before.was and ino in after.was and before.was[ino] != after.was[ino]:
            out += [lists.Entry("MODIFY", p) for p in new.values() if p not in gained]
    out.sort(key=lambda e: (lists.key(e.path), lists.OPS.index(e.op)))
    return out


class Replay(unittest.TestCase):
    def setUp(self):
        self.folder = os.fsencode(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.volume = os.path.join(self.folder, b"volume")
        os.mkdir(self.volume)

    def rounds(self, seed, count, ops=40):
        """Yields (mirror, ideal list) for each round, the mirror being one round behind."""
        m = mirror.Mirror(os.path.join(self.folder, b"mirror"), self.volume)
        with open(os.devnull, "w") as log:
            w = workload.Workload(self.volume, random.Random(seed), log)
            before = Before(self.volume)
            for _ in range(count):
                w.run(ops)
                after = Before(self.volume)
                yield m, ideal(before, after)
                before.close()
                before = after
            before.close()
            w.close()

    @unittest.skipUnless(os.geteuid() == 0, "chown and mknod need root")
    def test_mirror_follows_the_ideal_list(self):
        for seed in range(1, 21):
            with self.subTest(seed=seed):
                for m, entries in self.rounds(seed, 5):
                    m.apply(entries)
                    self.assertEqual(mirror.differences(self.volume, m.top), [])
                shutil.rmtree(self.volume)
                shutil.rmtree(m.top)
                os.mkdir(self.volume)

    @unittest.skipUnless(os.geteuid() == 0, "chown and mknod need root")
    def test_each_line_left_out_is_noticed(self):
        missed = []
        for number, (m, entries) in enumerate(self.rounds(3, 2, 60)):
            for i in range(len(entries) if number == 1 else 0):
                other = self.copy_of(m)
                try:
                    other.apply([e for e in entries if not self.says_the_same(e, entries[i])])
                    if not mirror.differences(self.volume, other.top):
                        missed.append(entries[i])
                except mirror.Fault:
                    pass
                shutil.rmtree(other.top)
                shutil.rmtree(other.aside, ignore_errors=True)
            m.apply(entries)
        self.assertGreater(len(entries), 20)
        # A DELETE whose place another object took, maybe under a renamed folder, is not needed.
        self.assertEqual([e for e in missed if e.op != "DELETE"], [])
        self.assertLess(len(missed), sum(1 for e in entries if e.op == "DELETE") / 2)

    def says_the_same(self, a, b):
        """MODIFY of another name of the same file is as good."""
        if a.op == b.op == "MODIFY":
            return os.path.samestat(*(os.lstat(os.path.join(self.volume, e.path)) for e in (a, b)))
        return a is b

    def copy_of(self, m):
        """The mirror under another name, hard links kept, inode numbers mapped."""
        other = mirror.Mirror(m.top + b".copy", self.volume)
        new = {}
        for path in mirror.tree(m.top):
            src, at = m.at(path), other.at(path)
            st = os.lstat(src)
            if stat.S_ISDIR(st.st_mode):
                os.mkdir(at)
            elif st.st_ino in new:
                os.link(new[st.st_ino], at, follow_symlinks=False)
                continue
            elif stat.S_ISLNK(st.st_mode):
                os.symlink(os.readlink(src), at)
            elif stat.S_ISREG(st.st_mode):
                shutil.copyfile(src, at)
            else:
                os.mknod(at, st.st_mode, st.st_rdev)
            new[st.st_ino] = at
            other.attributes(src, st, at)
        for volume_ino, ino in m.inodes.items():
            if ino in new and m.owner.get(ino) == volume_ino:
                now = os.lstat(new[ino]).st_ino
                other.inodes[volume_ino], other.owner[now] = now, volume_ino
        return other

    def test_deleting_a_folder_without_its_content_is_a_fault(self):
        m = mirror.Mirror(os.path.join(self.folder, b"mirror"), self.volume)
        os.makedirs(m.at(b"d/e"))
        with self.assertRaises(mirror.Fault):
            m.apply([lists.Entry("DELETE", b"d")])

    def test_an_old_path_never_seen_is_copied_with_its_subtree(self):
        m = mirror.Mirror(os.path.join(self.folder, b"mirror"), self.volume)
        os.makedirs(os.path.join(self.volume, b"new/a/b"))
        m.apply([lists.Entry("RENAME", b"new", b"old")])
        self.assertEqual(mirror.differences(self.volume, m.top), [])

    def test_swapped_folders(self):
        m = mirror.Mirror(os.path.join(self.folder, b"mirror"), self.volume)
        for path in b"a/x", b"b/y":
            os.makedirs(m.at(path))
        for path in b"a/y", b"b/x":
            os.makedirs(os.path.join(self.volume, path))
        m.apply([lists.Entry("RENAME", b"a", b"b"), lists.Entry("RENAME", b"b", b"a")])
        self.assertEqual(mirror.differences(self.volume, m.top), [])


class Lists(unittest.TestCase):
    HEAD = {"gbackup": 1, "kind": "incremental", "volume": "v", "volume_id": GFID % 1, "session": "s",
            "generation": "g", "bricks": []}
    END = {"end": True, "entries": 0, "new": 0, "modify": 0, "delete": 0, "rename": 0, "skipped": 0, "complete": True}

    def read(self, *entries, head=None, end=None):
        counts = {op: sum(1 for e in entries if e["op"].lower() == op) for op in lists.COUNTS}
        last = {**self.END, **counts, "entries": len(entries), **(end or {})}
        lines = [{**self.HEAD, **(head or {})}, *entries, last]
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("".join(json.dumps(o) + "\n" for o in lines))
            f.flush()
            return lists.read(f.name)[1]

    @staticmethod
    def new(path, **more):
        return {"op": "NEW", "path": path, "type": "f", "gfid": GFID % 2, "data": True, "meta": True, "xattr": True, **more}

    def test_path_order_has_the_slash_lowest(self):
        got = self.read(self.new("a"), self.new("a/b"), self.new("a/\u00e9"), self.new("a b"), self.new("a-b"), self.new("b"))
        self.assertEqual([e.path for e in got], [b"a", b"a/b", "a/\u00e9".encode(), b"a b", b"a-b", b"b"])

    def test_names_that_are_not_utf8(self):
        e = self.new("x")
        del e["path"]
        e["path_b64"] = "Yf8="
        self.assertEqual(self.read(e)[0].path, b"a\xff")

    def test_bad_lists(self):
        delete = {"op": "DELETE", "path": "a", "gfid": GFID % 2}
        bad = {
            "out of order": lambda: self.read(self.new("a b"), self.new("a/b")),
            "twice": lambda: self.read(self.new("a"), self.new("a")),
            "ops of one path out of order": lambda: self.read(self.new("a"), delete),
            "internal": lambda: self.read(self.new(".glusterfs/00")),
            "internal anonymous": lambda: self.read(self.new(".glusterfs-anonymous-inode-1/x")),
            "shard": lambda: self.read(self.new(".shard/x")),
            "dot dot": lambda: self.read(self.new("a/../b")),
            "leading slash": lambda: self.read(self.new("/a")),
            "empty": lambda: self.read(self.new("")),
            "rename to itself": lambda: self.read(self.new("a", op="RENAME", old_path="a")),
            "old_path with NEW": lambda: self.read(self.new("a", old_path="b")),
            "unknown op": lambda: self.read(self.new("a", op="LINK"), end={"entries": 1}),
            "no type": lambda: self.read(self.new("a", type=None)),
            "both spellings": lambda: self.read(self.new("a", path_b64="YQ==")),
            "base64 without need": lambda: self.read({"op": "DELETE", "path_b64": "YQ=="}),
            "wrong sum": lambda: self.read(self.new("a"), end={"entries": 2}),
            "wrong count": lambda: self.read(self.new("a"), end={"new": 0}),
            "incomplete": lambda: self.read(self.new("a"), end={"complete": False}),
            "not NEW in a full list": lambda: self.read(delete, head={"kind": "full"}),
            "no volume id": lambda: self.read(head={"volume_id": "x"}),
            "no generation in a session's list": lambda: self.generation(),
        }
        for what, act in bad.items():
            with self.subTest(what), self.assertRaises(lists.BadList):
                act()

    def generation(self):
        with tempfile.NamedTemporaryFile("w") as f:
            head = {k: v for k, v in self.HEAD.items() if k != "generation"}
            f.write(json.dumps(head) + "\n" + json.dumps(self.END) + "\n")
            f.flush()
            lists.read(f.name, session="s")

    def test_torn_file(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(json.dumps(self.HEAD) + "\n" + json.dumps(self.END))
            f.flush()
            with self.assertRaises(lists.BadList):
                lists.read(f.name)


class Given(unittest.TestCase):
    """weather.Weather: what is tried again, and what is not."""

    def answers(self, *answers):
        answers = list(answers)

        def what():
            n = answers.pop(0)
            if n:
                raise OSError(n, os.strerror(n))
            return "given"
        return what

    def test_what_a_fault_spoils_is_tried_again_and_everything_else_is_told(self):
        patiently = weather.Weather(lambda text: None, patience=60)
        self.assertEqual(patiently(b"a", self.answers(errno.EIO, errno.ENOTCONN, 0)), "given")
        for n in (errno.ENOENT, errno.ESTALE, errno.EACCES):
            with self.subTest(errno=n), self.assertRaises(OSError):
                patiently(b"a", self.answers(n))

    def test_who_waited_in_vain_does_not_wait_again_but_looks(self):
        told = []
        patiently = weather.Weather(told.append, patience=0)
        for _ in range(2):
            with self.assertRaises(weather.GivenUp):
                patiently(b"a", self.answers(errno.EIO))
        self.assertEqual(told, ["given up: a: Input/output error"])
        patiently.patience = 3600
        with self.assertRaises(weather.GivenUp):
            patiently(b"a/b", self.answers(errno.EIO))
        self.assertEqual(patiently(b"a", self.answers(0)), "given")
        self.assertEqual(patiently.lost, {})


class Users(unittest.TestCase):
    """What the user does not do while GlusterFS mends itself (0093)."""

    def setUp(self):
        self.top = os.fsencode(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.top)
        log = open(os.devnull, "w")
        self.addCleanup(log.close)
        self.user = workload.Workload(self.top, random.Random(1), log)
        for name in (b"a", b"b", b"c", b"d"):
            self.user.make(name)
        for name in (b"a2", b"a3"):
            self.user.link(b"a", name)

    def life(self, kind, *verbs):
        life = events.Life(kind, random.Random(1), lambda *args: None)
        for verb in verbs:
            life.event(verb)
        return life

    def test_one_name_of_a_file_goes_before_the_heal(self):
        self.user.pending = True
        self.user.remove(b"a2")
        for what in (lambda: self.user.remove(b"a3"), lambda: self.user.move(b"a3", b"e"), lambda: self.user.move(b"b", b"a")):
            self.assertRaises(OSError, what)
        self.user.remove(b"b")
        self.user.pending = False
        self.user.remove(b"a3")

    def test_what_replaced_another_stays_before_the_heal(self):
        self.user.pending = True
        self.user.move(b"b", b"c")
        self.assertRaises(OSError, self.user.move, b"c", b"e")
        self.user.move(b"d", b"c")
        self.user.remove(b"c")

    def test_nothing_is_replaced_while_bricks_are_drained(self):
        self.user.draining = True
        self.assertRaises(OSError, self.user.move, b"b", b"c")
        self.user.move(b"b", b"e")

    def test_heals_are_pending_where_there_are_replicas(self):
        for verbs, pending, unhealed in ((["kill"], True, True), (["replace"], True, False), (["kill", "reset"], True, True),
                                         (["kill", "restart", "healed"], False, False)):
            life = self.life("2x2", *verbs)
            self.assertEqual((life.pending, life.unhealed), (pending, unhealed), verbs)
        life = self.life("dist3", "kill", "restart")
        self.assertFalse(life.pending or life.unhealed)


class Lives(unittest.TestCase):
    def test_what_befalls_bricks_befalls_bricks_of_the_volume(self):
        """And those that are new are in folders that never were a brick's."""
        for kind in events.SHAPES:
            for seed in range(10):
                rng = random.Random(seed)
                now = {str(n) for n in range(events.SHAPES[kind][0])}
                ever = set(now)

                def do(verb, *args):
                    old = {"kill": args, "restart": args, "reset": args, "replace": args[:1], "drain": args, "remove": args}.get(verb, ())
                    new = args if verb == "add" else args[1:] if verb == "replace" else ()
                    self.assertLessEqual(set(old), now, (kind, seed, verb, args))
                    self.assertFalse(set(new) & ever, (kind, seed, verb, args))
                    ever.update(new)
                    now.update(new)
                    if verb in ("replace", "remove"):
                        now.difference_update(old)

                life = events.Life(kind, rng, do)
                names = life.names() * 2
                rng.shuffle(names)
                for name in names:
                    if life.fits(name):
                        for _ in life.steps(name):
                            pass


@unittest.skipUnless(os.geteuid() == 0, "trusted xattrs are root's")
class Damaged(unittest.TestCase):
    """weather.Bricks: two sets of two bricks."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.tops = [os.path.join(self.folder, f"v-{i}") for i in range(4)]
        for top in self.tops:
            os.mkdir(top)
            os.setxattr(top, "trusted.gfid", b"\0" * 15 + b"\1")
        self.bricks = weather.Bricks(self.tops, "v", 2)

    def put(self, path, number, *on, blames=()):
        for i in on:
            at = os.path.join(self.tops[i], path)
            os.makedirs(at)
            os.setxattr(at, "trusted.gfid", bytes([number] * 16))
            for blamed in blames:
                os.setxattr(at, f"trusted.afr.v-client-{blamed}", bytes(11) + b"\1")

    def is_damaged(self, path, *stuck):
        return self.bricks.is_damaged(path, set(stuck))

    def test_what_one_set_has_or_one_brick_lacks_is_not(self):
        self.put("whole", 2, 0, 1)
        self.put("lacking", 3, 0)
        self.put("blamed", 4, 0, blames=[1])
        self.put("blamed", 4, 1)
        for path in (b"whole", b"lacking", b"blamed", b"nowhere", b"nowhere/below"):
            self.assertFalse(self.is_damaged(path), path)

    def test_two_objects_by_one_name(self):
        self.put("a", 2, 0)
        self.put("a", 3, 1)
        self.put("b", 4, 1)
        self.put("b", 5, 2)
        for path in (b"a", b"a/below", b"b"):
            self.assertTrue(self.is_damaged(path), path)
        self.assertFalse(self.is_damaged(b"c"))

    def test_all_blame_each_other(self):
        self.put("a", 2, 0, blames=[1])
        self.put("a", 2, 1, blames=[0])
        self.assertTrue(self.is_damaged(b"a/below"))

    def test_a_name_on_some_bricks_counts_where_heals_are_stuck(self):
        self.put("d", 2, 0, 1)
        self.put("d/a", 3, 0)
        self.assertFalse(self.is_damaged(b"d/a"))
        self.assertTrue(self.is_damaged(b"d/a", b"\2" * 16))


if __name__ == "__main__":
    unittest.main()
