#!/usr/bin/env python3
"""killer.py PID N SIGNAL - wait until process PID has N children, then send them the signal.

The workers of a gbackupd live for milliseconds; a shell is too slow to meet them in the middle of their work.
Ends with 1 after 20 seconds without so many.
"""
import os
import signal
import sys
import time

pid, n, sig = sys.argv[1], int(sys.argv[2]), getattr(signal, "SIG" + sys.argv[3])
end = time.monotonic() + 20
while time.monotonic() < end:
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        children = f.read().split()
    if len(children) >= n:
        for child in children:
            try:
                os.kill(int(child), sig)
            except ProcessLookupError:
                pass
        sys.exit(0)
    time.sleep(0.0005)
sys.exit(1)
