#!/usr/bin/env python3
"""replay - does the mirror become the volume?

For each seed: a random user works on the mount, gbackup-cli lists what changed, a mirror does what the list
says and nothing else (mirror.py), and must then be the volume's tree; as many rounds as asked.  A failure
prints its seed; its lists, the log of operations and the differences stay in --keep.  The same seed with the
same options does the same work again; only where a rollover falls differs.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
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
    p.add_argument("--keep", required=True, help="folder for what failed")
    p.add_argument("--name", default="replay", help="begins each line of the report")
    p.add_argument("--max-size", type=int, default=65536, help="no write begins beyond")
    p.add_argument("--no-mtime", action="store_true", help="do not compare times of files")
    return p.parse_args()


class Failed(Exception):
    pass


class Seed:
    def __init__(self, o, seed):
        self.o, self.seed = o, seed
        self.session = f"{o.session_prefix}-{seed}"
        self.folder = os.path.join(o.work, f"seed-{seed}")
        self.mount = os.fsencode(o.mount)
        self.noise, self.listed, self.seconds, self.runs = {}, 0, 0.0, 0

    def cli(self, *args):
        start = time.monotonic()
        try:
            r = subprocess.run([self.o.cli, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        except subprocess.TimeoutExpired:
            raise Failed(f"gbackup-cli {' '.join(args)}: no end after 120 s")
        self.seconds += time.monotonic() - start
        self.runs += 1
        said = r.stderr.decode(errors="replace").strip()
        self.log.write(f"gbackup-cli {' '.join(args)}: status {r.returncode} {said}\n")
        if r.returncode:
            raise Failed(f"gbackup-cli {' '.join(args)}: exit status {r.returncode}: {said[:300]}")

    def round(self, number):
        file = os.path.join(self.folder, f"round-{number}.jsonl")
        self.cli(self.session, "--format=jsonl", f"--out-file={file}")
        try:
            _, entries = lists.read(file, "incremental" if number else "full", self.o.volume, self.session)
            stats = self.mirror.apply(entries)
        except (lists.BadList, mirror.Fault) as e:
            raise Failed(str(e))
        except OSError as e:
            raise Failed(f"the list cannot be applied: {e}")
        found = mirror.differences(self.mount, self.mirror.top, mtimes=not self.o.no_mtime)
        if found:
            with open(os.path.join(self.folder, f"round-{number}.diff"), "w") as f:
                f.write("".join(line + "\n" for line in found))
            raise Failed(f"{found[0]} ({len(found)} in all)")
        self.log.write(f"round {number}: {stats}\n")
        if number:
            self.listed += stats.pop("entries")
            for what, n in stats.items():
                self.noise[what] = self.noise.get(what, 0) + n

    def play(self):
        self.wipe()
        rng = random.Random(self.seed)
        number = 0
        try:
            work = workload.Workload(self.mount, rng, self.log, self.o.max_size)
            work.run(self.o.ops)
            self.cli("register", self.session, self.o.host, self.o.volume)
            work.run(self.o.ops // 2)
            self.round(0)
            for number in range(1, self.o.rounds + 1):
                self.log.write(f"--- round {number}\n")
                work.run(self.o.ops)
                self.round(number)
            self.cli("unregister", self.session)
        except Failed as e:
            raise Failed(f"round {number}: {e}")

    def wipe(self):
        for path in sorted(mirror.tree(self.mount), key=lists.depth, reverse=True):
            at = os.path.join(self.mount, path)
            if os.path.isdir(at) and not os.path.islink(at):
                os.rmdir(at)
            else:
                os.unlink(at)

    def run(self):
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "log"), "w") as self.log:
            self.mirror = mirror.Mirror(os.fsencode(os.path.join(self.folder, "mirror")), self.mount)
            try:
                self.play()
            except Failed as e:
                self.log.write(f"FAILED: {e}\n")
                return str(e)
        shutil.rmtree(os.fsencode(self.folder))
        return None

    def keep(self):
        to = os.path.join(self.o.keep, f"{self.o.name}-seed-{self.seed}".replace("/", "-"))
        shutil.rmtree(os.fsencode(to), ignore_errors=True)
        os.makedirs(to)
        for name in os.listdir(self.folder):
            if os.path.isfile(os.path.join(self.folder, name)):
                shutil.copy(os.path.join(self.folder, name), to)
        shutil.rmtree(os.fsencode(self.folder))
        return to


def main():
    o = options()
    first, _, last = o.seeds.partition("-")
    failed = 0
    for n in range(int(first), int(last or first) + 1):
        seed = Seed(o, n)
        start = time.monotonic()
        why = seed.run()
        if why is None:
            noise = "".join(f", {k}: {v}" for k, v in sorted(seed.noise.items()))
            print(f"PASS {o.name}: seed {n}", flush=True)
            print(f"# {o.name}: seed {n}: {time.monotonic() - start:.1f} s, {seed.listed} entries, "
                  f"{seed.seconds / max(seed.runs, 1):.2f} s a command{noise}", file=sys.stderr, flush=True)
        else:
            failed += 1
            print(f"FAIL {o.name}: seed {n}: {why}; kept in {seed.keep()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
