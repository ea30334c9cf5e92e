#!/usr/bin/env python3
"""nemesis - lists of a volume whose nodes, bricks, networks and agents fail all the while.

For each seed: users work on the mount of a volume of three nodes, gbackup-cli takes lists, and faults come and
go, drawn by the seed.  A list of exit status 0 counts, any other status is an announcement, and nothing may have
moved on then.  At the end all is mended and healed, the users stop, and after one more list of status 0 the mirror
must be the volume.

The consumer is that of live.py.  It keeps a mirror for each generation that a session may still be at, as a
product keeps its backups: a list is applied to a copy of the mirror of its `base`, and what had exit status 0
must be the base of the next one.  After status 3 it takes a full list and begins anew.

Faults are words that test-nemesis.sh does, asked through a pipe.  Two kinds, drawn independently:

  of the volume   a node is cut off, in one direction or both; its bricks are killed; it crashes and comes back,
                  maybe with another clock.  One at a time, and healed before the next: two replicas of a set
                  that each miss writes of the other are a split brain, which no list can mend.  With three
                  replicas the next one need not wait for heals.
  of gbackup      gbackupd is killed, restarted, its workers are; the state directory is full; glusterd is gone;
                  the clock of an agent steps; gbackup-cli is killed at any moment.  As many as come.
"""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lists  # noqa: E402
import live  # noqa: E402
import mirror  # noqa: E402
import weather  # noqa: E402

Failed = live.Failed
NODES = ("n1", "n2", "n3")
ANNOUNCED = (1, 2, 3, 4, 69)


class User(live.User):
    """Works with what the mount gives."""

    def __init__(self, *args):
        self.weather = weather.Weather(lambda text: self.log.write(text + "\n"))
        super().__init__(*args)

    def look(self):
        self.kinds = {path: "d" if stat.S_ISDIR(st.st_mode) else "f" if stat.S_ISREG(st.st_mode) else "o"
                      for path, st in self.weather.tree(self.top)}


class Consumer(live.Consumer):
    """What the mount does not give is tried again with the next list; in the end compare() wants to know why."""

    def __init__(self, top, volume, note, careful, patiently):
        super().__init__(top, volume, note, careful)
        self.patiently = patiently
        self.owed, self.owed_below = set(), set()  # listed, and not given: paths, directories

    def copy(self, entries, moved):
        owed, self.owed = self.owed & self.unread, set()
        below, self.owed_below = self.owed_below, set()
        super().copy(entries, moved)
        for path in sorted(owed, key=lists.key):
            self.copy_one(lists.Entry("MODIFY", path))
        for path in sorted(below, key=lists.key):
            self.copy_below(path)

    def copy_now(self, e, src):
        try:
            self.patiently(e.path, super().copy_now, e, src)
        except weather.GivenUp:
            self.skip(e, "not given by the mount")
            self.owed.add(e.path)

    def names_in(self, at):
        try:
            return self.patiently(at, super().names_in, at)
        except weather.GivenUp:
            self.count("directory not given by the mount")
            self.owed_below.add(at)
            return []

    def copied(self, top):
        """This mirror once more, at top: the same names, links and times, other inodes."""
        subprocess.run(["cp", "-a", "--", self.top, top], check=True)
        new = object.__new__(Consumer)
        new.__dict__.update(self.__dict__)
        new.top, new.aside, new.unread = top, top + b".aside", set(self.unread)
        new.owed, new.owed_below = set(self.owed), set(self.owed_below)
        inode = {os.lstat(os.path.join(self.top, p)).st_ino: os.lstat(os.path.join(top, p)).st_ino for p in mirror.tree(self.top)}
        new.owner = {inode[i]: v for i, v in self.owner.items() if i in inode}
        new.inodes = {v: inode[i] for v, i in self.inodes.items() if i in inode}
        return new


def bricks_of(o):
    """The bricks of its volume, as folders."""
    return [os.path.join(o.bricks, node, b) for node in NODES for b in os.listdir(os.path.join(o.bricks, node))
            if b.startswith(o.volume + "-")]


def unescape(text):
    """What lists.escape() made."""
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())


class Shell:
    """The words of test-nemesis.sh, by a pipe; one at a time."""

    def __init__(self, note):
        self.note, self.lock = note, threading.Lock()

    def __call__(self, *words):
        with self.lock:
            self.note(f"=== {' '.join(words)}")
            print(*words, flush=True)
            said = sys.stdin.readline().strip()
        self.note(f"=== {words[0]}: {said}")
        if not said:
            raise Failed(f"the test bed ended at: {' '.join(words)}")
        return said == "0"


class Nemesis(threading.Thread):
    """Lets faults come and go until it is told to stop; then mends all."""

    def __init__(self, o, seed, shell, note):
        super().__init__(daemon=True)
        self.o, self.shell, self.note = o, shell, note
        self.rng = random.Random(f"{seed} faults")
        self.end_asked = threading.Event()
        self.trouble = {node: {} for node in NODES}  # of gbackup: kind -> when it ends
        self.away = None  # of the volume: (node, when it ends)
        self.to_heal = set()
        self.drawn, self.error = [], None

    def run(self):
        try:
            while not self.end_asked.is_set():
                self.step()
                self.end_asked.wait(self.rng.uniform(0.2, 1.5))
            self.mend()
        except Exception as e:  # told by whoever waits for this thread
            self.error = e

    def step(self):
        now = time.monotonic()
        for node, kinds in self.trouble.items():
            for kind in [k for k, end in kinds.items() if end < now]:
                self.over(node, kind)
        if self.away and self.away[1] < now:
            self.volume_over()
        pick = self.rng.random()
        if pick < 0.45 and self.o.faults_of_gbackup:
            self.gbackup_fault()
        elif pick < 0.75 or not self.o.faults_of_gbackup:
            self.volume_fault()

    def draw(self, kind, node):
        self.drawn.append(f"{kind} {node}")

    # ---- of gbackup -------------------------------------------------------------------------------

    def gbackup_fault(self):
        node = self.rng.choice(NODES)
        kind = self.rng.choice(self.o.faults_of_gbackup)
        long = self.rng.uniform(0.5, 7)
        if kind in self.trouble[node] or self.away and self.away[0] == node and self.away[2] == "crash":
            return
        if kind == "workers":
            self.draw(kind, node)
            self.shell("workers", node)
        elif kind == "pair":  # the way from one node to another, not that to the mount
            other = self.rng.choice([n for n in NODES if n != node])
            self.draw(kind, f"{node}>{other}")
            self.shell("pair", node, other)
            self.trouble[node][kind] = time.monotonic() + long
        elif kind == "clock":
            self.draw(kind, node)
            self.shell("clock", node, str(self.rng.choice((-3000, -100, -7, -2, 2, 7, 100, 3000, 0))))
        else:
            self.draw(kind, node)
            self.shell(kind, node)
            self.trouble[node][kind] = time.monotonic() + long

    def over(self, node, kind):
        del self.trouble[node][kind]
        self.shell({"agent": "agent_back", "term": "agent_back", "disk": "disk_back", "glusterd": "glusterd_back", "pair": "pair_back"}[kind], node)

    # ---- of the volume ----------------------------------------------------------------------------

    def volume_fault(self):
        if self.away or not self.o.faults_of_volume:
            return
        if self.to_heal and (self.o.type != "rep3" or self.rng.random() < 0.5):
            if not self.healed(0):
                return
        node, kind = self.rng.choice(NODES), self.rng.choice(self.o.faults_of_volume)
        if kind == "crash" and self.trouble[node]:
            return
        self.draw(kind, node)
        self.shell(kind, node)
        self.away = node, time.monotonic() + self.rng.uniform(0.5, 14), kind

    def volume_over(self):
        (node, _, kind), self.away = self.away, None
        if kind == "crash":
            self.shell("revive", node, str(self.rng.choice((0, 0, 0, -30, 30, 400, -400))))
        self.shell("node_back", node)
        self.to_heal = self.bricks().indexed()

    def bricks(self):
        return weather.Bricks(bricks_of(self.o), self.o.volume, 3 if self.o.type == "rep3" else 2)

    def healed(self, seconds):
        """Whether all that waited for a heal got it, and what that made wait, too.  The users go on, so there are
        always some entries."""
        end = time.monotonic() + seconds
        while True:
            self.shell("heal")
            time.sleep(1)
            now = self.bricks().indexed()
            left = self.to_heal & now
            if not left:
                self.to_heal, was = now, self.to_heal
                if not was:
                    return True
            else:
                self.to_heal = left
            if time.monotonic() > end:
                return False

    def mend(self):
        self.note("mending all")
        if self.away and self.away[2] == "crash":
            self.shell("revive", self.away[0], "0")
            self.away = self.away[0], 0, ""
        for node, kinds in self.trouble.items():
            for kind in sorted(kinds, reverse=True):
                self.over(node, kind)
        for node in NODES:
            self.shell("node_back", node)
        self.away = None

    def all_healed(self):
        """When nobody works on the volume.  Returns what cannot be healed, as gfids."""
        left, same = None, 0
        for _ in range(90):
            was, left = left, self.bricks().indexed()
            same = same + 1 if left == was else 0
            if not left or same == 20:
                return {gfid for _, gfid in left}
            self.shell("heal")
            time.sleep(2)
        raise Failed(f"the volume does not end to heal: {sorted(left)[:3]}")

    def quiet(self):
        if self.error:
            raise self.error


class Seed(live.Seed):
    def __init__(self, o, seed):
        super().__init__(o, seed)
        self.session = f"nemesis-{seed}"
        self.statuses, self.attempt, self.mirrors, self.kept_to = {}, 0, {}, None
        self.must_base = False  # generation that has to be the next list's base; None: any we know
        self.looks, self.damaged, self.stuck = 0, [], set()
        self.patiently = weather.Weather(self.note)

    # ---- commands -----------------------------------------------------------------------------------

    def cli(self, *args, kill=None, may=ANNOUNCED):
        """Status and what was said; -9 when it was killed: `kill` is a number of seconds, or a path and a number,
        so long after the path is there."""
        self.note(f"gbackup-cli {' '.join(args)}" + (f" (to be killed: {kill})" if kill else ""))
        start = time.monotonic()
        command = self.o.cli.split() + list(args)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            if kill:
                self.kill(p, kill)
            try:
                out, said = p.communicate(timeout=self.o.limit)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGABRT)
                raise Failed(f"gbackup-cli {' '.join(args)}: no end after {self.o.limit} s")
        took = time.monotonic() - start
        self.slowest = max(self.slowest, took)
        said = said.decode(errors="replace").strip()
        self.note(f"status {p.returncode} after {took:.2f} s: {said}")
        self.statuses[p.returncode] = self.statuses.get(p.returncode, 0) + 1
        if p.returncode == -9 and (kill or self.o.on_node):
            return -9, said, ""
        if p.returncode and p.returncode not in may:
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {p.returncode}: {said[:300]}")
        if p.returncode and not said and args[0] not in ("status", "doctor", "verify"):
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {p.returncode} without a word")
        return p.returncode, said, out.decode(errors="replace")

    @staticmethod
    def kill(p, kill):
        if isinstance(kill, tuple):
            path, kill = kill
            while p.poll() is None and not os.path.exists(path):
                time.sleep(0.0005)
        try:
            p.wait(kill)
        except subprocess.TimeoutExpired:
            p.kill()

    # ---- lists --------------------------------------------------------------------------------------

    def manifest(self, file):
        """Of a list that is there, whole."""
        try:
            with open(file + ".manifest", encoding="utf-8") as f:
                told = json.load(f)
            with open(file, "rb") as f:
                data = f.read()
        except FileNotFoundError:
            return None
        return told if told["list"]["sha256"] == hashlib.sha256(data).hexdigest() else None

    def take(self, form, kill):
        """One try to make a list and have it count.  Whether it does."""
        self.attempt += 1
        file = os.path.join(self.folder, f"list-{self.attempt}.jsonl")
        kill = (file, kill[1]) if isinstance(kill, tuple) else kill
        level = ("--level=full",) if self.want_full else ()
        status, said, _ = self.cli("run" if form == "run" else "prepare", self.session, "--format=jsonl", f"--out-file={file}", *level, kill=kill)
        told = self.manifest(file)
        if told is None:
            if status == 0:
                raise Failed("exit status 0 without a list")
            if os.path.exists(file):
                raise Failed(f"exit status {status}, and a list without its manifest")
            self.want_full = self.want_full or status == 3
            if self.want_full and status == 3 and level:
                raise Failed(f"a full list ends with exit status 3: {said[:200]}")
            return False
        if status not in (0, -9) and "commit" not in said:
            raise Failed(f"exit status {status}, and a list is there: {said[:200]}")
        self.apply(file, told)
        if form == "run":
            if status == 0:
                self.counts(told["generation"])
            return status == 0
        if form == "abort":
            self.cli("abort", self.session)
            return False
        return self.commit(told["generation"])

    def counts(self, generation):
        self.must_base, self.want_full = generation, False
        self.note(f"counts: {generation}")

    def commit(self, generation):
        for _ in range(3):
            kill = self.rng.choice((None, None, self.rng.uniform(0, 0.1))) if not self.calm else None
            if self.cli("commit", self.session, generation, kill=kill)[0] == 0:
                self.counts(generation)
                return True
            time.sleep(self.rng.uniform(0, 2))
        return False

    def apply(self, file, told):
        base, generation = told["base"], told["generation"]
        full = told["kind"] == "full"
        _, entries = lists.read(file, told["kind"], self.o.volume, self.session)
        if not full and base not in self.mirrors:
            raise Failed(f"{os.path.basename(file)} follows {base}, of which there is no mirror: {list(self.mirrors)}")
        if self.must_base and base != self.must_base:
            raise Failed(f"{os.path.basename(file)} follows {base}, and {self.must_base} was to count")
        if base and not self.must_base:
            self.note(f"it was {base} that counts")
        top = os.fsencode(os.path.join(self.folder, f"mirror-{self.attempt}"))
        self.note(f"applying {os.path.basename(file)}: {told['kind']}, {base} to {generation}, bricks " +
                  " ".join(f"{b['brick']}:{b['used']}" for b in told["bricks"]))
        consumer = Consumer(top, self.mount, self.note, True, self.patiently) if full else self.mirrors[base].copied(top)
        stats = consumer.apply(entries)
        self.note(f"{os.path.basename(file)}: {stats}")
        for what, n in stats.items():
            self.stats[what] = self.stats.get(what, 0) + n
        for old in [g for g in self.mirrors if g != base]:
            shutil.rmtree(self.mirrors.pop(old).top, ignore_errors=True)
        self.mirrors[generation], self.must_base = consumer, None
        if base:
            self.bases.add(base)

    def round(self):
        if self.rng.random() < 0.3:
            self.look_at_it()
        form = self.rng.choice(("run", "run", "prepare", "abort"))
        pick = self.rng.random()
        kill = None if pick < 0.6 else self.rng.uniform(0, 1.2) if pick < 0.75 else ("", self.rng.choice((0, 0.002, 0.01, 0.03)))
        return self.take(form, kill)

    def look_at_it(self):
        """What an administrator would ask in the middle of it: an answer in time, whatever it says."""
        what = self.rng.choice(("status", "doctor", "show", "verify"))
        self.looks += 1
        start = time.monotonic()
        if what == "show":
            self.cli("show", self.session, "--json")
        elif what == "verify":
            made = [n for n in os.listdir(self.folder) if n.endswith(".jsonl.manifest") and os.path.exists(os.path.join(self.folder, n[:-9]))]
            if made:
                self.cli("verify", self.session, os.path.join(self.folder, self.rng.choice(sorted(made))[:-9]), may=(1, 2, 3, 4, 64, 69))
        else:
            self.cli(what, self.o.host, self.o.volume)
        took = time.monotonic() - start
        self.longest_look = max(self.longest_look, (took, what))
        if took > self.o.look_limit:
            raise Failed(f"{what} took {took:.0f} s")

    def surely(self, what, tries, *args):
        """When nothing is wrong any more."""
        for n in range(tries):
            if what(*args):
                return
            time.sleep(3)
        raise Failed(f"all is mended, and {tries} tries made no list that counts")

    # ---- the test -----------------------------------------------------------------------------------

    def play(self):
        self.longest_look, self.bases, self.want_full, self.calm = (0.0, "-"), set(), False, True
        shell = Shell(self.note)
        if not shell("volume", self.o.volume, self.o.type):
            raise Failed("no volume")
        self.nemesis = nemesis = Nemesis(self.o, self.seed, shell, self.note)
        with open(os.path.join(self.folder, "first.log"), "w") as f:
            User(self.mount, self.o.users, random.Random(self.seed), live.Stamped(f, "first"), 1000, self.o.max_size).run(60)
        self.must_zero("register", self.session, self.o.host, self.o.volume)
        users = live.Users(self.o, self.seed, self.folder)
        try:
            self.surely(self.take, 5, "run", None)
            self.calm = False
            nemesis.start()
            counted, end = 0, time.monotonic() + self.o.seconds
            while time.monotonic() < end:
                time.sleep(self.rng.uniform(0, 2))
                users.check()
                nemesis.quiet()
                counted += self.round()
            nemesis.end_asked.set()
            nemesis.join(200)
            nemesis.quiet()
            self.calm = True
            self.surely(self.take, 10, "run", None)
        finally:
            users.stop()
            nemesis.end_asked.set()
        self.note("the users are gone")
        self.unhealed(nemesis.all_healed())
        self.look_around()
        time.sleep(self.rng.choice((0, 0, 4, 7)))
        self.note(f"{counted} lists counted while there were faults")
        self.judge()
        shell("no_volume", self.o.volume)

    def unhealed(self, gfids):
        self.stuck = {bytes.fromhex(g.replace("-", "")) for g in gfids}
        for g in sorted(gfids):
            self.note(f"beyond help: {g}")

    def look_around(self):
        for _ in range(2):
            for _ in self.patiently.tree(self.mount):
                pass

    def given_up(self):
        """How often a user, or the reader of a list, gave up waiting for a path."""
        n = 0
        for name in os.listdir(self.folder):
            if name == "log" or name.endswith(".log"):
                with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as f:
                    n += sum("given up: " in line for line in f)
        return n

    def must_zero(self, *args):
        status, said, _ = self.cli(*args)
        if status:
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {status}: {said[:300]}")

    def judge(self):
        self.surely(self.take, 10, "run", None)
        found = self.compare("end")
        if not found:
            self.must_zero("unregister", self.session)
            return
        time.sleep(3)
        again = self.compare("end-again")
        self.surely(self.take, 10, "run", None)
        later = self.compare("later")
        raise Failed(f"{found[0]} ({len(found)} in all, {len(again)} a moment later, {len(later)} after one more list)")

    def compare(self, name):
        """Bricks hold different objects by one name, or all blame each other, and no heal ends that: GlusterFS itself lost
        its way (a linkto file of what a rename replaced, say).  What the mount shows there is no tree that a list
        could tell of.  Everything else counts, also what the mount does not give."""
        self.consumer = self.mirrors[self.must_base]
        found = mirror.differences(self.mount, self.consumer.top, tell_unread=True)
        with open(os.path.join(self.folder, f"round-{name}.diff"), "w") as f:
            f.write("".join(line + "\n" for line in found))
        return [line for line in found if not self.is_damaged(line)]

    def is_damaged(self, line):
        bricks = self.nemesis.bricks()
        if not any(bricks.is_damaged(unescape(path), self.stuck) for path in line.rsplit(": ", 1)[1].split(" ")):
            return False
        if line not in self.damaged:
            self.damaged.append(line)
            self.note(f"damaged: {line}")
        return True

    def run(self):
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "log"), "w") as self.log:
            try:
                self.play()
            except (Failed, lists.BadList, mirror.Fault, OSError) as e:
                why = f"{type(e).__name__}: {e}" if isinstance(e, OSError) else str(e)
                self.note("FAILED: " + "".join(traceback.format_exception(e)))
                return why
            finally:
                self.given = self.given_up()
        shutil.rmtree(os.fsencode(self.folder))
        return None

    def keep(self):
        to = super().keep()
        for node in NODES:
            top = os.path.join(self.o.bricks, node)
            for brick in os.listdir(top):
                logs = os.path.join(top, brick, ".glusterfs/changelogs")
                if brick.startswith(self.o.volume + "-") and os.path.isdir(logs):
                    shutil.copytree(logs, os.path.join(to, brick), ignore=shutil.ignore_patterns("csnap"))
        return to

    def story(self):
        told = [f"{n} times {s}" for s, n in sorted(self.statuses.items())]
        told.append("slowest look {1} {0:.1f} s".format(*self.longest_look) if self.looks else "no looks")
        told += [f"{k}: {v}" for k, v in sorted(self.stats.items())]
        told.append(f"{self.given} paths given up")
        told += [f"{len(self.stuck)} beyond help"] if self.stuck else []
        told += [f"damaged by GlusterFS: {line}" for line in self.damaged[:5]]
        told += [f"{len(self.damaged)} damaged in all"] if len(self.damaged) > 5 else []
        return ", ".join(told)


def options():
    p = live.parser(__doc__.split("\n")[0])
    p.add_argument("--seconds", type=float, default=60, help="of faults")
    p.add_argument("--type", default="rep3")
    p.add_argument("--limit", type=float, default=150, help="seconds for a command that makes a list")
    p.add_argument("--look-limit", type=float, default=90, help="seconds for status, doctor, show, verify")
    p.add_argument("--faults-of-volume", default="cut_both,cut_in,cut_out,bricks,crash", type=lambda s: [w for w in s.split(",") if w])
    p.add_argument("--faults-of-gbackup", default="agent,term,workers,disk,glusterd,clock,pair", type=lambda s: [w for w in s.split(",") if w])
    p.add_argument("--on-node", action="store_true", help="gbackup-cli runs on a node, and dies with it")
    p.add_argument("--report", type=int, default=2, help="descriptor for PASS and FAIL")
    return p.parse_args()


def main():
    o = options()
    live.User, live.Users.patience = User, weather.PATIENCE + 60
    seed = Seed(o, int(o.seeds))
    report = os.fdopen(o.report, "w", buffering=1)
    start = time.monotonic()
    why = seed.run()
    print(f"# {o.name}: seed {o.seeds}: {time.monotonic() - start:.1f} s, {seed.story()}", file=sys.stderr, flush=True)
    print(f"# {o.name}: seed {o.seeds}: {', '.join(seed.nemesis.drawn)}", file=sys.stderr, flush=True)
    if why is None:
        print(f"PASS {o.name}: seed {o.seeds}", file=report)
    else:
        print(f"FAIL {o.name}: seed {o.seeds}: {why}; kept in {seed.keep()}", file=report)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
