#!/bin/bash
# What doctor and changelog purge see only when nodes are compared: agents that are away, clocks that differ, sessions
# that not all nodes know.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cluster.sh"
requires "faketime is not installed" command -v faketime

mkdir "$T/lists"
start_cluster 3
set_skew n2 30
cluster_volume v dist3
mount_volume v
mkdir "$M/d"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/d/$i"; done
start_agents

codes() { # LEVEL: "code where" of each finding
        python3 - "$OUT" "$1" <<'PY' | paste -sd ';'
import json, sys
for f in json.load(open(sys.argv[1]))["findings"]:
    if f["level"] == sys.argv[2]:
        print(f["code"], f["session"] or f["where"])
PY
}

it "clocks of nodes that differ are measured"
run_cli 0 register s n1 v --quiet
run_cli 0 s --quiet --out-file="$T/lists/list"
run_cli 1 doctor n1 v --json
is "$(codes warning) / $(codes fault)" "clocks n2 / " "findings"
run_cli 0 status n1 v
grep -Eq '^  n2  up  .*clock \+(29|30|31)\.' "$OUT" || problem "status: $(grep '^  n2' "$OUT")"

it "an agent that is away is told with its set, and the exit status is that of a list"
stop_agents n3
run_cli 2 doctor n1 v --json
is "$(codes fault)" "set-missing $(brick_name v 2)" "faults"
[[ $(codes warning) = *"agent-down n3"* ]] || problem "warnings: $(codes warning)"
run_cli 2 s --quiet --out-file="$T/lists/list"

it "changelog purge removes nothing while an agent is away"
run_cli '[1-9][0-9]*' changelog purge n1 v --keep=0 --yes
grep -q 'nothing was removed: n3' "$ERR" || problem "says: $(cat "$ERR")"

it "a session that a node has lost is told, and purge refuses"
rm "$T/n3/state/sessions.db"
start_agents n3
run_cli 1 doctor n1 v --json
[[ ";$(codes warning);" = *";session-unknown s;"* ]] || problem "warnings: $(codes warning)"
fails 4 "nothing was removed: session s is known to 2 of 3 nodes" changelog purge n1 v --keep=0 --yes
