#!/usr/bin/env python3
"""interrupt.py DELAY_MS COMMAND... - SIGINT after a delay.  Prints the exit status, and how many milliseconds
the program lived on (0: it had ended before).  The delay begins when the program has its signal handlers."""
import os
import signal
import subprocess
import sys
import time



def catches_interrupt(pid):
    with open(f"/proc/{pid}/status") as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    # the interpreter before exec catches it too
    return int(caught.split()[1], 16) & 2 and os.readlink(f"/proc/{pid}/exe").endswith("gbackup-cli")


delay, command = float(sys.argv[1]) / 1000, sys.argv[2:]
with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
    while p.poll() is None and not catches_interrupt(p.pid):
        time.sleep(0.001)
    try:
        p.wait(delay)
        lived = 0
    except subprocess.TimeoutExpired:
        asked = time.monotonic()
        p.send_signal(signal.SIGINT)
        p.wait(20)
        lived = (time.monotonic() - asked) * 1000
print(p.returncode, round(lived))
