#!/usr/bin/env python3
"""replay - does the mirror become the volume?

For each seed: a random user works on the mount, gbackup-cli lists what changed, a mirror does what the list
says and nothing else (mirror.py), and must then be the volume's tree; as many rounds as asked.  With --events
the volume itself lives, too (events.py): bricks go and come back, are added, are drained.  A failure prints
its seed; its lists, the log of operations and the differences stay in --keep.  The same seed with the same
options does the same work again; only where a rollover falls differs.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import events  # noqa: E402
import lists  # noqa: E402
import mirror  # noqa: E402
import workload  # noqa: E402


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seeds", default="1-5", help="A-B or N")
    p.add_argument("--rounds", type=int, default=5, help="incremental runs after the first, full one")
    p.add_argument("--ops", type=int, default=40, help="operations a round")
    p.add_argument("--volume", required=True)
    p.add_argument("--mount", required=True)
    p.add_argument("--host", default="10.99.0.1")
    p.add_argument("--cli", default="gbackup-cli")
    p.add_argument("--session-prefix", default="replay")
    p.add_argument("--work", required=True, help="folder for mirrors, on a file system with user xattrs")
    p.add_argument("--bricks", required=True, help="folder of the bricks, whose changelogs are kept on failure")
    p.add_argument("--keep", required=True, help="folder for what failed")
    p.add_argument("--name", default="replay", help="begins each line of the report")
    p.add_argument("--max-size", type=int, default=65536, help="no write begins beyond")
    p.add_argument("--no-mtime", action="store_true", help="do not compare times of files")
    p.add_argument("--crowd", type=int, default=0, help="names in the one big directory")
    p.add_argument("--type", default="2x2", help="of the volume, as in node.sh")
    p.add_argument("--events", default="", help="names out of events.py, `random` for one a seed, `all`")
    p.add_argument("--event-command", default="", help="does them: COMMAND VERB VOLUME [ARG]...")
    p.add_argument("--scope", help="of the session")
    p.add_argument("--exclude", action="append", default=[], help="of the session; globs without slashes")
    p.add_argument("--options", default="", help="of the volume, for when it is made anew")
    return p.parse_args()


class Failed(Exception):
    pass


class Seed:
    def __init__(self, o, seed):
        self.o, self.seed = o, seed
        self.session = f"{o.session_prefix}-{seed}"
        self.folder = os.path.join(o.work, f"seed-{seed}")
        self.mount = os.fsencode(o.mount)
        self.selection = mirror.Selection(o.scope, o.exclude)
        self.noise, self.listed, self.seconds, self.runs = {}, 0, 0.0, 0
        self.refused, self.fulls, self.happened, self.again = [], 0, [], 0
        self.work = None

    def event(self, verb, *args):
        self.log.write(f"=== {verb} {' '.join(args)}\n")
        r = subprocess.run([self.o.event_command, verb, self.o.volume, *args], stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=300)
        if r.returncode:
            raise Failed(f"event {verb} {' '.join(args)}: {(r.stdout + r.stderr).decode(errors='replace').strip()[-300:]}")

    def cli(self, *args, may=()):
        """Status 0, or one out of `may`."""
        start = time.monotonic()
        try:
            r = subprocess.run([self.o.cli, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Failed(f"gbackup-cli {' '.join(args)}: no end after 120 s")
        self.seconds += time.monotonic() - start
        self.runs += 1
        self.said = said = r.stderr.decode(errors="replace").strip()
        self.log.write(f"gbackup-cli {' '.join(args)}: status {r.returncode} {said}\n")
        if r.returncode and r.returncode not in may:
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {r.returncode}: {said[:300]}")
        return r.returncode

    def round(self, number, may=None):
        """`may`: statuses by which the list may be refused, and why.  2 is no choice: it must be refused, as with the
        one that events.MUST names."""
        file = os.path.join(self.folder, f"round-{number}.jsonl")
        may = dict(may or {})
        must = may.pop(events.MUST, 2 if 2 in may else None)
        if self.work.overwrote_dir:  # no record tells which directory that was
            may.setdefault(3, "a directory was renamed onto one that was emptied")
        self.work.overwrote_dir = False
        status = self.list(file, may)
        if must is not None and status != must:
            raise Failed(f"exit status {status}, want {must}: {may[must]}")
        if status:
            if os.path.exists(file):
                raise Failed(f"exit status {status}, and a list is there")
            self.refused.append(f"round {number}: {status} ({may[status]})")
            if status == 3:
                self.cli("unregister", self.session)
                self.full(f"{number}-full")
            return
        self.obey(file, number)

    def list(self, file, may):
        for _ in range(3):
            status = self.cli(self.session, "--format=jsonl", f"--out-file={file}", may=(*may, 1))
            if status != 1:
                return status
            if "moved while" not in self.said and "try again" not in self.said:
                break
            self.again += 1
            time.sleep(2)
        raise Failed(f"exit status 1: {self.said[:600]}")

    def full(self, number):
        self.fulls += 1
        self.make_scope()
        self.mirror = mirror.Mirror(os.fsencode(os.path.join(self.folder, f"mirror-{self.fulls}")), self.mount,
                                    selection=self.selection)
        file = os.path.join(self.folder, f"round-{number}.jsonl")
        self.cli("register", self.session, self.o.host, self.o.volume, *map(os.fsdecode, self.selection.arguments()))
        if self.fulls == 1 and not self.o.scope:
            self.work.run(self.o.ops // 2)
        self.list(file, ())
        self.obey(file, number, "full")

    def obey(self, file, number, kind="incremental"):
        try:
            _, entries = lists.read(file, kind, self.o.volume, self.session)
            stats = self.mirror.apply(entries)
        except (lists.BadList, mirror.Fault) as e:
            raise Failed(str(e))
        except OSError as e:
            raise Failed(f"the list cannot be applied: {e}")
        found = self.differences()
        if found:  # the mount may have shown attributes of a moment ago; the volume is at rest, the mirror too
            time.sleep(2)
            found = self.differences()
        if found and self.life.differ:
            found = self.but_just_read(found, entries)
        if found and self.life.unhealed:
            self.later(found)
            return
        if found:
            with open(os.path.join(self.folder, f"round-{number}.diff"), "w") as f:
                f.write("".join(line + "\n" for line in found))
            raise Failed(f"{found[0]} ({len(found)} in all)")
        self.log.write(f"round {number}: {stats}\n")
        if kind == "incremental":
            self.listed += stats.pop("entries")
            for what, n in stats.items():
                self.count(what, n)

    def differences(self):
        return mirror.patiently(self.count, mirror.differences, self.mount, self.mirror.top,
                                mtimes=not self.o.no_mtime and not self.life.unhealed, selection=self.selection)

    def count(self, what, n=1):
        self.noise[what] = self.noise.get(what, 0) + n

    def later(self, found):
        """While heals are pending the volume has not decided yet: a name that was deleted while a brick was down may
        come back from there.  When they are done the mirror must be the volume."""
        self.count("different while heals are pending", len(found))
        self.log.write("".join(f"different while heals are pending: {line}\n" for line in found))

    def but_just_read(self, found, entries):
        """After bricks were away the mount may answer now by the one and now by the other of two replicas that never
        became the same.  What the list said is to be read was read: no list can do more."""
        read = {lists.escape(e.path) for e in entries if e.op in ("NEW", "MODIFY")}
        kept = [line for line in found if "differ" not in line.split(":")[0] or line.rsplit(": ", 1)[1] not in read]
        if len(kept) < len(found):
            self.count("read, and different a moment later", len(found) - len(kept))
            self.log.write("".join(f"different a moment later: {line}\n" for line in found if line not in kept))
        return kept

    def play(self):
        self.rng = random.Random(self.seed)
        self.life = events.Life(self.o.type, self.rng, self.event)
        number = 0
        try:
            self.wipe()
            names = self.chosen()
            if "quota" in names:  # before there are files: see event.sh
                self.life.worn = True
                self.event("quota")
            self.work = workload.Workload(self.mount, self.rng, self.log, self.o.max_size,
                                          0 if self.seed % 4 else self.o.crowd)
            self.work.spoils = not names or not self.life.spare
            self.work.run(self.o.ops)
            self.full(0)
            for number, may in enumerate(self.steps(names), 1):
                self.log.write(f"--- round {number}\n")
                self.round(number, may)
            self.cli("unregister", self.session)
        except (Failed, OSError) as e:
            raise Failed(f"round {number}: {e}")

    def make_scope(self):
        """The user may have anything of that name."""
        if self.o.scope:
            at = os.path.join(self.o.mount, self.o.scope)
            if os.path.lexists(at) and (os.path.islink(at) or not os.path.isdir(at)):
                os.unlink(at)
            os.makedirs(at, exist_ok=True)
            self.work.look()

    def steps(self, names):
        """Work, and what happens meanwhile; yields when a list is due."""
        done = 0
        for name in names:
            self.happened.append(name)
            for may in self.life.steps(name):
                self.work.pending, self.work.draining = self.life.pending, self.life.draining
                if may is False:
                    self.work.run(self.o.ops)
                    continue
                if not isinstance(may, dict) or 2 not in may:
                    self.work.run(self.rng.choice((0, self.o.ops)))
                yield may
                done += 1
                self.work.run(self.rng.choice((0, self.o.ops)))  # and then the next thing happens
        for _ in range(max(self.o.rounds - done, 1 if done else 0)):
            self.work.run(self.o.ops)
            yield None

    def chosen(self):
        fit = self.life.names()
        if self.o.events == "random":
            return [self.rng.choice(fit)]
        if self.o.events == "all":
            return fit
        return [n for n in self.o.events.split(",") if n in fit]

    def wipe(self):
        """Several times, should the mount show names of a moment ago."""
        for _ in range(4):
            left = sorted(mirror.tree(self.mount), key=lists.depth, reverse=True)
            if not left:
                return
            for path in left:
                try:
                    at = mirror.reach(self.mount, path)
                    (os.rmdir if os.path.isdir(at) and not os.path.islink(at) else os.unlink)(at)
                except OSError as e:
                    self.log.write(f"wipe: {e.strerror}\n")
            time.sleep(0.2)
        raise Failed("the volume cannot be emptied")

    def run(self):
        os.makedirs(self.folder)
        why = None
        with open(os.path.join(self.folder, "log"), "w") as self.log:
            try:
                self.play()
            except Failed as e:
                why = str(e)
                self.log.write(f"FAILED: {why}\n")
                self.take_bricks()
            if self.work:
                self.work.close()
            if self.life.worn or (why and self.happened):
                self.event("fresh", self.o.type, *self.o.options.split())
        if why is None:
            remove(self.folder)
        return why

    def take_bricks(self):
        """Before the bricks are made anew: what they had recorded, and their xattrs."""
        for brick in os.listdir(self.o.bricks):
            at = os.path.join(self.o.bricks, brick)
            logs = os.path.join(at, ".glusterfs/changelogs")
            if os.path.isdir(logs):
                shutil.copytree(logs, os.path.join(self.folder, "changelogs", brick), ignore=shutil.ignore_patterns("csnap"))
            with open(os.path.join(self.folder, f"xattrs-{brick}"), "w") as out:
                subprocess.run(["getfattr", "-RPhd", "-m", ".", "-e", "hex", "--absolute-names", at], stdout=out,
                               stderr=subprocess.DEVNULL)

    def keep(self):
        to = os.path.join(self.o.keep, f"{self.o.name}-seed-{self.seed}".replace("/", "-"))
        shutil.rmtree(os.fsencode(to), ignore_errors=True)
        os.makedirs(to)
        for name in os.listdir(self.folder):
            if os.path.isfile(os.path.join(self.folder, name)):
                shutil.copy(os.path.join(self.folder, name), to)
        if os.path.isdir(os.path.join(self.folder, "changelogs")):
            shutil.move(os.path.join(self.folder, "changelogs"), to)
        remove(self.folder)
        return to

    def story(self):
        out = [f"{self.listed} entries", f"{self.seconds / max(self.runs, 1):.2f} s a command"]
        out += [f"{k}: {v}" for k, v in sorted(self.noise.items())]
        out += [f"events: {' '.join(self.happened)}"] if self.happened else []
        out += [f"to be tried again: {self.again}"] if self.again else []
        out += [f"refused: {why}" for why in self.refused]
        return ", ".join(out)


def remove(folder):
    """Also what no path reaches: mirrors hold some longer than a system call takes."""
    subprocess.run(["rm", "-rf", folder], check=True)


def main():
    o = options()
    first, _, last = o.seeds.partition("-")
    failed = 0
    for n in range(int(first), int(last or first) + 1):
        seed = Seed(o, n)
        start = time.monotonic()
        why = seed.run()
        print(f"# {o.name}: seed {n}: {time.monotonic() - start:.1f} s, {seed.story()}", file=sys.stderr, flush=True)
        if why is None:
            what = f" with {' '.join(seed.happened)}" if seed.happened else ""
            print(f"PASS {o.name}: seed {n}{what}", flush=True)
        else:
            failed += 1
            print(f"FAIL {o.name}: seed {n}: {why}; kept in {seed.keep()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
