#!/usr/bin/env python3
"""interrupt.py [--hold PID]... DELAY_MS COMMAND... - SIGINT after a delay.  Prints the exit status, and how many
milliseconds the program lived on (0: it had ended before).  The delay begins when the program has its signal handlers.

--hold: at that moment the children of the process PID, the workers of a gbackupd, are stopped, so that nothing that the
program waits for comes; when it has ended they go on.
"""
import os
import select
import signal
import subprocess
import sys
import time


def catches_interrupt(pid):
    with open(f"/proc/{pid}/status") as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    # the interpreter before exec catches it too
    return int(caught.split()[1], 16) & 2 and os.readlink(f"/proc/{pid}/exe").endswith("gbackup-cli")


def tell_children(parents, sig):
    for parent in parents:
        with open(f"/proc/{parent}/task/{parent}/children") as f:
            for child in f.read().split():
                try:
                    os.kill(int(child), sig)
                except ProcessLookupError:
                    pass


def ends_within(p, seconds):
    """As p.wait(), which looks now and then only."""
    end = select.poll()
    fd = os.pidfd_open(p.pid)
    try:
        end.register(fd, select.POLLIN)
        return bool(end.poll(seconds * 1000))
    finally:
        os.close(fd)


words, hold = sys.argv[1:], []
while words[0] == "--hold":
    hold.append(words[1])
    del words[:2]
delay, command = float(words[0]) / 1000, words[1:]
with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
    while p.poll() is None and not catches_interrupt(p.pid):
        time.sleep(0.001)
    lived = 0
    if p.poll() is None and not ends_within(p, delay):
        tell_children(hold, signal.SIGSTOP)
        asked = time.monotonic()
        p.send_signal(signal.SIGINT)
        try:
            if not ends_within(p, 20):
                p.kill()
        finally:
            lived = (time.monotonic() - asked) * 1000
            tell_children(hold, signal.SIGCONT)
    p.wait()
print(p.returncode, round(lived))
