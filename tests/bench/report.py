#!/usr/bin/python3
"""report - the table of compare.sh, and whether the bars are met.

report.py TIMES PEAKS
    TIMES: lines `group/what wall cpu rss load` of `measure run`, in the order of the table.  A ratio is the
    median of `what` over that of the first row of its group, which is gbackup's.
    PEAKS: lines of `measure watch`.
Exit status 1 if a bar is missed that is not marked as a goal.
"""

import statistics
import sys

# group, one, other, factor, hard: median(one) * factor <= median(other)
BARS = (
    ("full", "gbackup full", "find on the mount", 20, True),
    ("full", "gbackup full", "glusterfind query --full", 10, True),
    ("full", "gbackup full", "bare loop, both bricks at once", 1 / 1.2, False),
    ("mixed", "gbackup SESSION", "glusterfind pre", 4, True),
    ("mixed", "gbackup SESSION", "glusterfind pre", 50, False),
    ("unchanged", "gbackup SESSION", "glusterfind pre", 4, True),
)


def read(name):
    groups = {}
    with open(name) as f:
        for line in f:
            key, *numbers = line.rsplit(" ", 4)
            group, what = key.split("/", 1)
            groups.setdefault(group, {}).setdefault(what, []).append([float(n) for n in numbers])
    return groups


def wall(runs):
    return statistics.median(r[0] for r in runs)


def table(groups):
    heads = ("median s", "min", "max", "ratio", "cpu s", "rss MiB", "runs", "load")
    print(" " * 46 + "".join(f"{head:>{width}}" for head, width in zip(heads, (9, 9, 9, 9, 8, 9, 5, 6))))
    for group, rows in groups.items():
        unit = None
        print(group)
        for what, runs in rows.items():
            unit = unit or wall(runs)
            walls = [r[0] for r in runs]
            print(
                f"  {what:<44}{wall(runs):9.3f}{min(walls):9.3f}{max(walls):9.3f}{wall(runs) / unit:9.2f}"
                f"{statistics.median(r[1] for r in runs):8.2f}{max(r[2] for r in runs):9.1f}{len(runs):5}"
                f"{statistics.mean(r[3] for r in runs):6.1f}"
            )


def peaks(name):
    best = {}
    with open(name) as f:
        for line in f:
            what, mib = line.rsplit(" ", 1)
            best[what] = max(best.get(what, 0.0), float(mib))
    print("largest worker of gbackupd")
    for what, mib in best.items():
        print(f"  {what:<76}{mib:9.1f} MiB")


def bars(groups):
    missed = False
    print("bars")
    for group, one, other, factor, hard in BARS:
        rows = groups.get(group, {})
        if one not in rows or other not in rows:
            continue
        ratio = wall(rows[other]) / wall(rows[one])
        met = ratio >= factor
        missed |= hard and not met
        word = "met" if met else "MISSED" if hard else "goal, not yet"
        if factor >= 1:
            text = f"{ratio:.1f} x faster, wanted {factor} x"
        else:
            text = f"{1 / ratio:.2f} x its time, wanted at most {1 / factor:.2f} x"
        print(f"  {group + ': ' + one + ' vs ' + other:<62}{text:<44}{word}")
    return 1 if missed else 0


def main():
    groups = read(sys.argv[1])
    table(groups)
    peaks(sys.argv[2])
    return bars(groups)


sys.exit(main())
