#!/usr/bin/python3
"""report - the tables of compare.sh, and whether the bars are met.

report.py TIMES PEAKS FOLDER
    TIMES: lines `group/what wall cpu rss load` of `measure run`, in the order of the table.  A ratio is the
    median of `what` over that of the first row of its group, which is gbackup's.
    PEAKS: lines of `measure watch`.
    FOLDER gets bench.md, the same as Markdown, and bench.svg, a plot of the ratios.
Exit status 1 if a bar is missed that is not marked as a goal.
"""

import html
import math
import os
import statistics
import sys

# beginning of group, one, other, factor, hard: median(one) * factor <= median(other)
BARS = (
    ("walk of names", "gbackup, 1 thread", "find", 1.0, False),
    ("walk of names", "gbackup, 1 thread", "bfs", 1.0, False),
    ("walk of names", "gbackup, 1 thread", "bare loop", 1 / 1.1, False),
    ("walk with linkto", "gbackup, 2 threads", "bare loop with statx", 1 / 0.65, False),
    ("merge", "gbackup", "sort -m -u", 5, False),
    ("full", "gbackup full", "find on the mount", 50, False),
    ("full", "gbackup full", "find on the mount", 20, True),
    ("full", "gbackup full", "glusterfind query --full", 10, False),
    ("full", "gbackup full", "glusterfind query --full", 4, True),
    ("full", "gbackup full", "bare loop, one brick after another", 1 / 1.2, False),
    ("10000", "gbackup SESSION", "glusterfind pre", 4, True),
    ("10000", "gbackup SESSION", "glusterfind pre", 50, False),
    ("10000", "gbackup SESSION", "bare loop, slices and lgetxattr", 0.5, False),
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


def cpu(runs):
    return statistics.median(r[1] for r in runs)


def rows_of(groups):
    """(group, what, seconds, ratio, CPU seconds, its ratio, MiB, runs, load)"""
    for group, rows in groups.items():
        first = next(iter(rows.values()))
        for what, runs in rows.items():
            yield (
                group,
                what,
                wall(runs),
                wall(runs) / wall(first),
                cpu(runs),
                cpu(runs) / max(cpu(first), 1e-3),
                max(r[2] for r in runs),
                len(runs),
                statistics.mean(r[3] for r in runs),
            )


def table(groups):
    heads = ("median s", "ratio", "cpu s", "ratio", "MiB", "runs", "load")
    widths = (10, 8, 9, 8, 8, 5, 6)
    print(" " * 46 + "".join(f"{h:>{w}}" for h, w in zip(heads, widths)))
    last = None
    for group, what, *numbers in rows_of(groups):
        if group != last:
            print(group)
        last = group
        text = (f"{n:{w}.{d}f}" for n, w, d in zip(numbers, widths, (3, 2, 2, 2, 1, 0, 1)))
        print(f"  {what:<44}" + "".join(text))


def markdown(groups, file):
    last = None
    for group, what, *numbers in rows_of(groups):
        if group != last:
            print(f"\n{group}\n\n| | median s | ratio | CPU s | ratio | MiB |", file=file)
            print("| --- | ---: | ---: | ---: | ---: | ---: |", file=file)
        last = group
        seconds, ratio, cpu_seconds, cpu_ratio, mib = numbers[:5]
        print(
            f"| {what} | {seconds:.3f} | {ratio:.2f} | {cpu_seconds:.2f} | {cpu_ratio:.2f} | {mib:.1f} |",
            file=file,
        )


def svg(groups, file):
    """A bar for each row: how many times gbackup's time it takes, on a logarithmic scale."""
    rows = [r for r in rows_of(groups)]
    height = 22 * len(rows) + 26 * len(groups) + 40
    least, most = -1.0, 3.0  # 0.1 to 1000

    def x(ratio):
        return 330 + 450 * (min(max(math.log10(ratio), least), most) - least) / (most - least)

    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" ', file=file, end="")
    print('font-family="sans-serif" font-size="12">', file=file)
    print(f'<rect width="860" height="{height}" fill="white"/>', file=file)
    for power in range(int(least), int(most) + 1):
        at = x(10.0**power)
        print(f'<line x1="{at:.0f}" y1="20" x2="{at:.0f}" y2="{height}" stroke="#ccc"/>', file=file)
        print(f'<text x="{at:.0f}" y="14" text-anchor="middle">{10.0**power:g}</text>', file=file)
    y, last = 40, None
    for group, what, seconds, ratio, *_ in rows:
        if group != last:
            print(f'<text x="8" y="{y}" font-weight="bold">{html.escape(group)}</text>', file=file)
            y += 20
        last = group
        left, right = min(x(1.0), x(ratio)), max(x(1.0), x(ratio))
        colour = "#888" if ratio == 1.0 else "#2a7" if ratio > 1.0 else "#c55"
        print(f'<text x="20" y="{y}">{html.escape(what)}</text>', file=file)
        print(
            f'<rect x="{left:.0f}" y="{y - 10}" width="{max(right - left, 2):.0f}" height="12" fill="{colour}"/>',
            file=file,
        )
        print(f'<text x="{right + 6:.0f}" y="{y}">{ratio:.2f} ({seconds:.3f} s)</text>', file=file)
        y += 22
    print("</svg>", file=file)


def peaks(name):
    best = {}
    with open(name) as f:
        for line in f:
            what, mib = line.rsplit(" ", 1)
            best[what] = max(best.get(what, 0.0), float(mib))
    for what, mib in best.items():
        print(f"largest worker of gbackupd, {what}: {mib:.1f} MiB")


def bars(groups):
    missed = False
    print("bars")
    for begin, one, other, factor, hard in BARS:
        for group, rows in groups.items():
            if not group.startswith(begin) or one not in rows or other not in rows:
                continue
            ratio = wall(rows[other]) / wall(rows[one])
            met = ratio >= factor
            missed |= hard and not met
            word = "met" if met else "MISSED" if hard else "goal, not yet"
            if factor > 1 and one.startswith("gbackup") and other != "bare loop with statx":
                text = f"{ratio:.1f} x faster, wanted {factor:g} x"
            else:
                text = f"{1 / ratio:.2f} x its time, wanted at most {1 / factor:.2f} x"
            print(f"  {group + ': ' + one + ' vs ' + other:<76}{text:<44}{word}")
    return 1 if missed else 0


def main():
    groups = read(sys.argv[1])
    table(groups)
    peaks(sys.argv[2])
    with open(os.path.join(sys.argv[3], "bench.md"), "w") as file:
        markdown(groups, file)
    with open(os.path.join(sys.argv[3], "bench.svg"), "w") as file:
        svg(groups, file)
    return bars(groups)


sys.exit(main())
