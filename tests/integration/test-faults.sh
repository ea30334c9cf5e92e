#!/bin/bash
# Agents, bricks, networks and disks fail in the middle of a run.  With a sibling of each replica set the same
# list comes out, byte for byte; without, the exit status is 2, bricks are named and nothing moves on, and
# the run after is whole.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cluster.sh"

LONG=${GB_LONG:-}
start_cluster 3
cluster_volume pair rep2   # n1, n2
cluster_volume alone dist3 # one brick on each
start_agents
mount_volume alone
alone=$M
mount_volume pair
pair=$M
mkdir "$T/lists"
list=$T/lists/out
session_state() { CLI_NODE=n1 run_cli 0 show "$1" --json && python3 - "$OUT" "$2" <<'END'; }
import json, sys
state = json.load(open(sys.argv[1]))
print(sorted(json.dumps(n.get(sys.argv[2])) for n in state["nodes"]))
END

# make_tree DIR N: N files in folders of a hundred
make_tree() { python3 -c '
import os, sys
top, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    d = f"{top}/d{i // 100:04}"
    if i % 100 == 0:
        os.makedirs(d, exist_ok=True)
    open(f"{d}/f{i:06}", "w").close()
' "$1" "$2"; }
