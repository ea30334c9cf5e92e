#!/bin/bash
# What an operator sees of a volume, and what he may take away: status, doctor, metrics, changelog usage and purge.
. "$(dirname "$0")/functions.sh"
requires "sqlite3 module of python3" python3 -c 'import sqlite3'

findings() { # JSON [LEVEL]: "level code where session" of each, sorted
        python3 - "$1" "${2:-}" <<'PY'
import json, sys
doc = json.load(open(sys.argv[1]))
for f in doc["findings"]:
    if sys.argv[2] in ("", f["level"]):
        assert f["text"] and f["remedy"] and f["where"], f
        print(f["level"], f["code"], f["session"] or "-")
PY
}
codes() { findings "$OUT" "${1:-}" | awk '{print $2}' | sort -u | paste -sd ' '; }
has() { piped -Eq -- "$1" <"$OUT" || grep -Eq -- "$1" "$OUT" || problem "no line matches '$1': $(head -n 5 "$OUT")"; }
get() { python3 -c 'import json, sys; print(eval("j" + sys.argv[2], {"j": json.load(open(sys.argv[1])), "len": len, "sum": sum}))' "$OUT" "$1"; }

make_volume v 2x2
mount_volume v
eval "$(declare -f gb_write_config | sed '1s/gb_write_config/gb_config_before/')"
gb_write_config() {
        gb_config_before
        printf 'tls_dir = %s\n' "$T/tls"
}
start_gbackupd
cd "$T" || exit 1

it "doctor says before the first session what is not there yet"
run_cli 1 doctor "$HOST" v --json
is "$(codes)" "changelog-off no-session" "findings"
is "$(get '["exit_status"]')" 1 "exit status in the JSON"

# old_slice BRICK DAYS: a closed slice of that long ago, as an orphan; prints its path.
# No session may have a position yet: a slice that was born after that belongs to its window, whatever its name.
old_slice() {
        local ts dir
        ts=$(($(date +%s) - $2 * 86400))
        dir=$(changelogs v "$1")/$(date -u -d "@$ts" +%Y/%m/%d)
        mkdir -p "$dir"
        printf 'GlusterFS Changelog | version: v1.2 | encoding : 2\n' >"$dir/CHANGELOG.$ts"
        touch -d "@$ts" "$dir/CHANGELOG.$ts"
        echo "$dir/CHANGELOG.$ts"
}
there() { [ -f "$1" ]; }

declare -A old
for brick in 0 1 2 3; do
        for days in 90 80 70 60 50 40 20 10; do old[$brick.$days]=$(old_slice $brick $days); done
done

it "doctor has nothing to mend on a healthy volume"
mkdir "$M/d"
for i in 1 2 3 4; do echo "$i" >"$M/d/f$i"; done
run_cli 0 register nightly "$HOST" v --quiet
run_cli 0 nightly --quiet --out-file="$T/full.list"
settle v
for i in 1 2 3 4; do echo more >>"$M/d/f$i"; done
run_cli 0 doctor "$HOST" v
has '^volume v: faults 0, warnings 0, notes 0: the next list will be complete'
run_cli 0 doctor "$HOST" v --json
is "$(codes)" "" "findings"

it "status tells of agents, bricks and sessions"
run_cli 0 status "$HOST" v
has "^  $HOST  up  gbackupd [0-9.]+  clock [+-]0\.0[0-9]* s"
has "^  set 1  $HOST:.*/v-3  up  pending heals 0  last rollover 20.*history .* in [0-9]+ slices since (20|never)"
has '^  nightly  full 20.* \([0-9]+ s ago\)  last full 20'
run_cli 0 status "$HOST" v --json
is "$(get '["sessions"][0]["session"]') $(get '["agents"][0]["up"]') $(len=4 get '["bricks"][3]["usable"]')" "nightly True True" "JSON"

it "a prepared run is told, and is no fault"
run_cli 0 prepare nightly --quiet --out-file="$T/inc.list"
run_cli 0 doctor "$HOST" v --json
is "$(findings "$OUT")" "note session-prepared nightly" "findings"
run_cli 0 status "$HOST" v
has '^  nightly .*prepared 20'
run_cli 0 abort nightly --quiet

it "metrics are what node_exporter reads"
: >"$M/$(printf 'two\nlines')" && run_cli 5 prepare nightly --quiet --out-file="$T/inc.list" && rm "$M/$(printf 'two\nlines')"
run_cli 0 abort nightly --quiet
run_cli 0 metrics "$HOST" v
cp "$OUT" "$T/metrics.out"
run_cli 0 metrics "$HOST" v --textfile="$T/gbackup.prom"
is "$(stat -c %a "$T/gbackup.prom")" 644 "mode"
python3 - "$T/gbackup.prom" "$T/metrics.out" >"$T/prom.said" 2>&1 <<'PY' || problem "$(cat "$T/prom.said")"
import re, sys
for name in sys.argv[1:]:
    kinds, seen = {}, {}
    for line in open(name):
        line = line.rstrip("\n")
        if line.startswith("# TYPE "):
            kinds[line.split()[2]] = line.split()[3]
        elif not line.startswith("# HELP "):
            m = re.fullmatch(r'(gbackup_[a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\} (-?\d+)', line)
            assert m, line
            assert m[1] in kinds, line
            seen.setdefault(m[1], []).append(int(m[3]))
    assert seen["gbackup_brick_up"] == [1] * 4, seen
    assert seen["gbackup_session_last_commit_seconds"][0] > 1.6e9, seen
    assert seen["gbackup_session_lists_total"] == [3] and seen["gbackup_session_list_skipped"] == [1], seen
    assert seen["gbackup_session_gaps_total"] == [0] and "gbackup_session_list_entries" in seen, seen
    assert sum(seen["gbackup_changelog_slices"]) > 0 and "gbackup_agent_up" in seen, seen
PY

it "progress for programs is a JSON object a line, and no part of the list"
run_cli 0 full "$HOST" v --progress=json --out-file=-
python3 - "$ERR" >"$T/progress.said" 2>&1 <<'PY' || problem "$(tail -n 1 "$T/progress.said")"
import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
assert lines and lines[0]["progress"] == "full list", lines
for l in lines:
    assert {"progress", "entries", "per_second", "elapsed_ms", "passed", "bricks"} == set(l), l
PY
is "$(wc -l <"$OUT")" 5 "lines of the list"

it "on a terminal the last line tells how many entries there are, and where"
python3 - "$CLI" full "$HOST" v --out-file="$T/tty.list" >"$T/tty.out" 2>&1 <<'PY' || problem "fails on a terminal: $(cat -v "$T/tty.out")"
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], lambda fd: os.read(fd, 4096), lambda fd: b"")))
PY
piped -q "full list: 5 entries in $T/tty.list, 0:0" <"$T/tty.out" || problem "says: $(cat -v "$T/tty.out")"

# ---- purge ------------------------------------------------------------------------------------------

it "changelog usage tells what history costs and who needs it"
# What is open has no slice yet: how much of this test one rollover-time holds depends on the machine.
wait_rollover v
slices=()
for brick in 0 1 2 3; do
        slices[brick]=$(find "$(changelogs v $brick)" -path '*/[0-9][0-9]/CHANGELOG.*' | wc -l)
done
[ "$((slices[0] + slices[1] + slices[2] + slices[3]))" -gt 32 ] || problem "no slice but the old ones: ${slices[*]}"
run_cli 0 changelog usage "$HOST" v
is "$(grep -c 'needed from 20.* on by session nightly (committed)' "$OUT")" 4 "bricks that the session needs"
run_cli 0 changelog usage "$HOST" v --json
for brick in 0 1 2 3; do is "$(get '["bricks"]['$brick']["slices"]')" "${slices[brick]}" "slices of brick $brick"; done

it "changelog purge removes nothing unless told so"
run_cli 0 changelog purge "$HOST" v
has "/v-0: .*would remove 4 slices" # 90 to 40 days, less two
grep -q 'nothing is removed' "$ERR" || problem "does not say that nothing is removed"
for path in "${old[@]}"; do there "$path" || problem "$path is gone"; done

it "changelog purge keeps what is younger than --keep, and two slices before"
run_cli 0 changelog purge "$HOST" v --yes --json
is "$(get '["purged"]') $(get '["bricks"][2]["removable"]')" "True 4" "what it removed"
for brick in 0 1 2 3; do
        for days in 90 80 70 60; do ! there "${old[$brick.$days]}" || problem "$days days old: still there"; done
        for days in 50 40 20 10; do there "${old[$brick.$days]}" || problem "$days days old: gone"; done
done
run_cli 0 changelog purge "$HOST" v --keep=0 --yes
has '/v-1: .*removed 2 slices' # 50 and 40; 20 and 10 are the margin

it "after a purge the next incremental list is complete"
run_cli 0 doctor "$HOST" v
run_cli 0 nightly --quiet --format=jsonl --out-file="$T/inc.jsonl"
listed "$T/inc.jsonl" "the list" <<'END'
MODIFY d/f1
MODIFY d/f2
MODIFY d/f3
MODIFY d/f4
END

# Set the stored positions of a session back by so many days, as if it had not been run since.
set_back() {
        python3 - /var/lib/gbackup/sessions.db "$1" "$2" <<'PY'
import re, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
rows = db.execute("""SELECT cursor.rowid IS NULL, cursor.generation, cursor.brick, cursor.cursor FROM cursor
    JOIN generation ON cursor.generation = generation.id JOIN session ON generation.session = session.id
    WHERE session.name = ?""".replace("cursor.rowid IS NULL", "0"), (sys.argv[2],)).fetchall()
assert rows
for _, generation, brick, cursor in rows:
    back = lambda m: b"%s=%d" % (m[1], int(m[2]) and int(m[2]) - int(sys.argv[3]) * 86400)
    db.execute("UPDATE cursor SET cursor = ? WHERE generation = ? AND brick = ?",
               (re.sub(rb"(last|prev)=(\d+)", back, cursor), generation, brick))
db.commit()
PY
}

it "changelog purge leaves what a session needs that has not run for long"
run_cli 0 unregister nightly --quiet
for brick in 0 1 2 3; do
        for days in 90 80 70 60 50 40; do old[$brick.$days]=$(old_slice $brick $days); done
done
settle v
for session in nightly slow; do
        run_cli 0 register $session "$HOST" v --quiet
        run_cli 0 $session --quiet --out-file="$T/slow.list"
done
cp /var/lib/gbackup/sessions.db "$T/sessions.db"
set_back slow 55
run_cli 0 changelog purge "$HOST" v --keep=0 --yes
has 'by session slow \((committed|last_full)\); removed 2 slices'
for days in 70 60 50 40 20 10; do there "${old[0.$days]}" || problem "$days days old: gone"; done
for days in 90 80; do ! there "${old[0.$days]}" || problem "$days days old: still there"; done

it "after that purge sessions have their history still"
cp "$T/sessions.db" /var/lib/gbackup/sessions.db
run_cli 0 slow --quiet --out-file="$T/slow.list"
run_cli 0 nightly --quiet --out-file="$T/inc.list"

it "changelog purge is refused while a session runs, and while one is unknown to a node"
python3 - <<'PY' &
import fcntl, glob, time
held = [open(p, "r+") for p in glob.glob("/var/lib/gbackup/locks/*.lock")]
for f in held: fcntl.flock(f, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(20)
PY
holder=$!
sleep 1
run_cli 4 changelog purge "$HOST" v --keep=0 --yes
grep -q 'is locked\|busy\|in use\|running\|holds' "$OUT" || problem "says: $(head -n 2 "$OUT")"
kill "$holder" && wait "$holder" 2>/dev/null
run_cli 0 unregister slow --quiet
printf '{"session": "ghost", "host": "%s", "volume": "v"}\n' "$HOST" >/var/lib/gbackup/cli/ghost.json
fails 4 "nothing was removed: session ghost is known to 0 of 1 nodes" changelog purge "$HOST" v --yes
run_cli 1 doctor "$HOST" v --json
is "$(findings "$OUT" fault)" "fault session-unknown ghost" "faults"
rm /var/lib/gbackup/cli/ghost.json

it "bad words of changelog are told in one line"
fails 64 "changelog shrink: it is usage or purge" changelog shrink "$HOST" v
fails 64 "--keep takes a number of days" changelog purge "$HOST" v --keep=-1
fails 64 "usage: gbackup-cli changelog usage\|purge HOST VOLUME" changelog purge "$HOST"

# ---- what is wrong ----------------------------------------------------------------------------------

it "doctor sees a brick that is down, heals that wait, and that its replica stands in"
kill_brick v 0
echo again >>"$M/d/f1"; echo again >>"$M/d/f2"; echo again >>"$M/d/f3"; echo again >>"$M/d/f4"
run_cli 1 doctor "$HOST" v --json
is "$(codes warning) / $(codes fault)" "brick-down heals-pending / " "findings"
run_cli 2 status "$HOST" v
has 'v-0  DOWN'

it "doctor exits with 2 when a replica set has no brick left"
kill_brick v 1
run_cli 2 doctor "$HOST" v --json
is "$(codes fault)" "set-missing" "faults"
restart_brick v 0
restart_brick v 1

it "doctor sees options that break history"
gv set v changelog.rollover-time 1
run_cli 3 doctor "$HOST" v --json
is "$(codes fault)" "gap rollover-time" "faults"
has 'gluster volume set v changelog.rollover-time 15'
gv set v changelog.rollover-time 3
sleep 2
gv set v storage.gfid2path off
run_cli 1\|3 doctor "$HOST" v --json
findings "$OUT" | piped '^warning gfid2path-off' || problem "does not see gfid2path off: $(findings "$OUT" | head -n 5)"
gv set v storage.gfid2path on

it "doctor sees a torn slice before a run does, names the session, and exits as its run would"
run_cli 0 register torn "$HOST" v --quiet
run_cli 0 torn --quiet --out-file="$T/torn.list"
echo x >>"$M/d/f1"; echo x >>"$M/d/f2"; echo x >>"$M/d/f3"; echo x >>"$M/d/f4"
settle v
for brick in 0 1 2 3; do
        newest=$(find "$(changelogs v $brick)" -name 'CHANGELOG.*' ! -path '*/htime/*' ! -path '*/csnap/*' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
        printf 'Dtorn' >>"$newest"
done
run_cli 3 doctor "$HOST" v --json
findings "$OUT" fault | piped '^fault gap torn' || problem "findings: $(findings "$OUT" | head -n 5)"
run_cli 3 torn --quiet --out-file="$T/torn.list"
grep -q '\[gap\]$' "$ERR" || problem "says: $(cat "$ERR")"

it "doctor sees a certificate that is another node's and expires soon"
mkdir -p "$T/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gbnode \
        -addext subjectAltName=URI:urn:uuid:01234567-89ab-4cde-8f01-23456789abcd \
        -keyout "$T/tls/node.key" -out "$T/tls/node.pem" 2>/dev/null || problem "openssl makes no certificate"
run_cli '[0-9]*' doctor "$HOST" v
has "node.pem: the certificate of gbnode expires in [12] days"
has "node.pem: the certificate is not of this node's uuid"

it "an agent that is away is told, with what to do"
stop_gbackupd
fails 69 "gbackupd|agent|No such file|connect" doctor "$HOST" v
