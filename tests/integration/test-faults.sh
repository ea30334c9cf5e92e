#!/bin/bash
# Agents, bricks, networks and disks fail in the middle of a run.  With a sibling of each replica set the same
# list comes out, byte for byte; without, the exit status is 2, bricks are named and nothing moves on, and
# the run after is whole.  GB_LONG=1: more of each.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cluster.sh"

LONG=${GB_LONG:-}
FILES=$([ -n "$LONG" ] && echo 10000 || echo 2000)

# make_tree DIR N: N files in folders of a hundred
make_tree() {
        python3 -c '
import os, sys
top, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    d = f"{top}/d{i // 100:04}"
    if i % 100 == 0:
        os.makedirs(d, exist_ok=True)
    os.close(os.open(f"{d}/f{i:06}", os.O_CREAT, 0o644))
' "$1" "$2" || gb_die "cannot make files"
}
cli_ends() { ! kill -0 "$CLI_PID" 2>/dev/null || gb_child_ended "$CLI_PID"; }
# ended STATUS WHAT: the program of start_cli ends with that status.
ended() {
        local status=0
        wait_for 120 cli_ends || problem "$2: no end"
        wait "$CLI_PID" || status=$?
        [[ $status =~ ^($1)$ ]] || problem "$2: exit status $status, want $1: $(head -n 3 "$ERR")"
}
# In the middle of a scan or a history: the agent of a node has a second worker, that of a stream.
kill_streaming() { python3 "$GB_HERE/killer.py" "$(agent_pid "$1")" 2 KILL || problem "$1 has no stream"; }

# hold_stream NODE: the stream of a run just begun waits in the middle of its work; let_go NODE
hold_stream() { python3 "$GB_HERE/killer.py" "$(agent_pid "$1")" 2 STOP || problem "$1 has no stream"; }
let_go() { kill_workers "$1" -CONT; }

start_cluster 3
cluster_volume pair rep2   # n1, n2
cluster_volume alone dist3 # one brick on each
start_agents
mount_volume pair
pair=$M
mount_volume alone
alone=$M
mkdir "$T/lists" "$T/save"
list=$T/lists/out
make_tree "$pair" "$FILES"
make_tree "$alone" 600
run_cli 0 register s-pair n1 pair
run_cli 0 register s-alone n1 alone

it "the lists of a cluster, from a node and from a machine that is none"
found "$pair" >"$T/want.pair"
run_cli 0 full n1 pair -0 --out-file="$T/full" && same "$T/full" "$T/want.pair" "list"
found "$alone" >"$T/want.alone"
CLI_NODE=client run_cli 0 full n2 alone -0 --out-file="$T/full" && same "$T/full" "$T/want.alone" "list"

it "an agent is killed during a scan: the sibling continues, nothing twice and nothing lost"
start_cli full n2 pair -0 --out-file="$T/full"
kill_streaming n1 # a scan reads the first brick that is clean
ended 0 "workers of n1 killed" && same "$T/full" "$T/want.pair" "list"

it "an agent is killed during a scan, without a sibling: 2, the brick is named, no list"
for _ in 1 2 3 4 5 6 7 8 9; do # it may be too late once
        echo before >"$list"
        rm -f "$list.manifest"
        start_cli full n1 alone --out-file="$list"
        kill_streaming n3
        wait_for 120 cli_ends
        wait "$CLI_PID"
        status=$?
        [ "$status" = 0 ] || break
done
is "$status" 2 "exit status"
grep -q "n3:.*alone-2" "$ERR" || problem "says: $(cat "$ERR")"
is "$(cat "$list")" before "the old list"
is "$(gb_names "$T/lists")" out "files"

# Changes from here on; both lists of the same window must be the same.
it "first lists"
run_cli 0 s-pair -0 --out-file="$T/first" && same "$T/first" "$T/want.pair" "pair"
run_cli 0 s-alone -0 --out-file="$T/first" && same "$T/first" "$T/want.alone" "alone"
change() { # DIR N: changes N files of each kind
        local dir
        dir=$(find "$1" -mindepth 1 -maxdepth 1 -name 'd*' | sort | sed -n "${2}p")
        mv "$dir" "$dir.moved"
        rm "$dir.moved"/*[05]
        for f in "$dir.moved"/*[1-4]; do echo x >>"$f"; done
        make_tree "$1/new$2" 150
}
change "$pair" 2
change "$alone" 2
settle pair
settle alone
want_window() { # what the changes of this window are
        run_cli 0 prepare s-pair --format=jsonl --out-file="$T/want.jsonl"
        tail -n +2 "$T/want.jsonl" | grep -v '"end":true' >"$T/want.lines"
        [ "$(wc -l <"$T/want.lines")" -gt 150 ] || problem "only $(wc -l <"$T/want.lines") lines"
        run_cli 0 abort s-pair
}
# A brick that was cut off or restarted in a window is not believed without its sibling (decisions 0013, 0033): so each
# fault gets a window of its own, that begins when all clients are back.
changed=2
new_window() {
        wait_for 60 gb_client_connected pair 0 && wait_for 60 gb_client_connected pair 1 && sleep 12
        wait_for 60 no_workers n1 && wait_for 60 no_workers n2 || problem "workers of the run before live on"
        run_cli 0 s-pair --out-file="$T/got"
        changed=$((changed + 1))
        change "$pair" $changed
        settle pair
        want_window
}
want_window
same_window() { # STATUS WHAT: the same changes again, and the session does not move
        ended "$1" "$2" || return
        tail -n +2 "$T/got.jsonl" | grep -v '"end":true' >"$T/got.lines"
        same "$T/got.lines" "$T/want.lines" "$2"
        run_cli 0 abort s-pair
}

it "an agent is killed during a history: the sibling tells all, the same bytes"
for node in n1 n2; do
        CLI_NODE=n3
        cp "$T/n1/state/cli/s-pair.json" "$T/save/" && mkdir -p "$T/n3/state/cli" && cp "$T/save/s-pair.json" "$T/n3/state/cli/"
        start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
        kill_streaming $node
        same_window 0 "workers of $node killed"
done
CLI_NODE=n1

it "a node is gone, HOST too: another one is asked, the same bytes"
for node in n1 n2; do
        CLI_NODE=n3
        kill_agent $node -KILL
        start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
        same_window 0 "no gbackupd on $node"
        start_agents $node
done
CLI_NODE=n1

if [ -n "$LONG" ]; then
        it "a node is cut off before the run, in one direction and in both: the same bytes"
        for cut in cut_link cut_to cut_from; do
                new_window
                $cut n2
                start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
                same_window 0 "n2: $cut"
                heal_link n2
        done
        it "a node is cut off in the middle of a history: the same bytes"
        for cut in cut_link cut_to cut_from; do
                new_window
                start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
                hold_stream n2
                $cut n2
                let_go n2
                same_window 0 "n2: $cut"
                heal_link n2
                wait_for 60 no_workers n2
        done
fi

if [ -n "$LONG" ]; then
        it "a node is cut off in the middle of a scan: the sibling continues, the same bytes"
        found "$pair" >"$T/want.pair"
        for cut in cut_link cut_to cut_from; do
                start_cli full n3 pair -0 --out-file="$T/full"
                hold_stream n1
                $cut n1
                let_go n1
                ended 0 "n1: $cut" && same "$T/full" "$T/want.pair" "$cut: list"
                heal_link n1
                wait_for 60 no_workers n1
        done

        it "gbackupd is restarted in the middle of a scan and of a history: the same bytes"
        found "$pair" >"$T/want.pair"
        start_cli full n2 pair -0 --out-file="$T/full"
        hold_stream n1
        stop_agents n1
        start_agents n1
        ended 0 "n1 restarted" && same "$T/full" "$T/want.pair" "list"
        new_window
        start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
        hold_stream n2
        stop_agents n2
        start_agents n2
        same_window 0 "n2 restarted"

        it "a brick is killed in the middle of a scan and of a history: the same bytes"
        found "$pair" >"$T/want.pair"
        start_cli full n3 pair -0 --out-file="$T/full"
        hold_stream n1
        kill_brick pair 0
        let_go n1
        ended 0 "brick killed" && same "$T/full" "$T/want.pair" "list"
        restart_brick pair 0
        new_window
        start_cli prepare s-pair --format=jsonl --out-file="$T/got.jsonl"
        hold_stream n2
        kill_brick pair 1
        let_go n2
        same_window 0 "brick killed"
        restart_brick pair 1

        it "a brick without a sibling is killed in the middle of a scan: 2 and its name, or all that it has"
        found "$alone" >"$T/want.alone"
        start_cli full n1 alone -0 --out-file="$T/full"
        hold_stream n3
        kill_brick alone 2
        let_go n3
        ended "0|2" "brick killed"
        [ ! -s "$ERR" ] && same "$T/full" "$T/want.alone" "list" || grep -q "n3:.*alone-2" "$ERR" || problem "says: $(cat "$ERR")"
        fails 2 "n3:.*alone-2" -q s-alone --out-file="$list"
        restart_brick alone 2
fi

it "an agent is gone, without a sibling: 2, the brick is named, nothing moves on; the next run is whole"
was=$(generations s-alone committed)
kill_agent n2 -KILL
fails 2 "alone-1" s-alone --out-file="$list"
start_agents n2
is "$(generations s-alone committed)" "$was" "committed generation"
is "$(generations s-alone pending)" "-" "pending generation"
run_cli 0 prepare s-alone --format=jsonl --out-file="$T/got.jsonl" && in_list "$T/got.jsonl" "RENAME d0001 d0001.moved" ||
        problem "the change is not listed"
run_cli 0 commit s-alone

it "only an absent agent knows the last run: 2 and not an older list again"
kill_agent n2
echo x >"$pair/while-n2-is-away"
run_cli 0 s-pair --out-file="$T/got"
start_agents n2
kill_agent n1
fails 2 "last run .* is known only to agents that do not take part: n1" -q s-pair --out-file="$list"
start_agents n1
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
is "$(generations s-pair committed | wc -w)" 1 "generations"

it "a first list where records do not tell where a directory was: it has all names nevertheless"
mkdir "$pair/from" "$pair/onto"
mkdir "$pair"/{from,onto}/{1..260}
echo 1 >"$pair/onto/7/lost"
settle pair
run_cli 0 register s-first n1 pair
start_cli s-first -0 --out-file="$T/got"
hold_stream n1
rm "$pair/onto/7/lost"
python3 -c 'import os, sys
for i in range(1, 261): os.rename(f"{sys.argv[1]}/from/{i}", f"{sys.argv[1]}/onto/{i}")' "$pair"
let_go n1
ended 0 "first list"
grep -q "scanning it once more" "$ERR" || problem "it knew where the directory was: nothing is shown: $(cat "$ERR")"
found "$pair" >"$T/want.pair"
python3 -c 'import sys
want, got = (set(open(f, "rb").read().split(b"\0")) for f in sys.argv[1:])
sys.exit(b"not listed: %r" % sorted(want - got)[:3] if want - got else 0)' "$T/want.pair" "$T/got" || problem "names are missing"
rm -r "$pair/from" "$pair/onto"

it "an agent missed a run: what was recorded between its sibling's cut and its new position is in the list after"
run_cli 0 s-pair --out-file="$T/got" # n2 has told a whole window again
kill_agent n1 -KILL
echo x >"$pair/without-n1"
run_cli 0 s-pair --out-file="$T/got"
start_agents n1
start_cli s-pair --format=jsonl --out-file="$T/got.jsonl"
hold_stream n2
kill_workers n1 -STOP # it is asked for its position when n2 has told all
let_go n2
streams_ended() { [ "$(gb_workers "$1" | wc -l)" -le 1 ]; }
wait_for 20 streams_ended n2 || problem "the stream of n2 does not end"
sleep 1
echo x >"$pair/between"
sleep 1
let_go n1
ended 0 "n1 held"
! in_list "$T/got.jsonl" "NEW between" || problem "it came too early: nothing is shown"
kill_brick pair 1 # n2 is not believed while n1 can tell all
restart_brick pair 1
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
in_list "$T/got.jsonl" "NEW between" || problem "it is in no list"

it "the state directory of a node is full: the sibling stores the session"
echo x >"$pair/on-a-full-disk"
wait_rollover pair
full_disk() { # NODE: its state directory on a disk without room
        cp -a "$T/$1/state/." "$T/save/$1/" 2>/dev/null || { mkdir -p "$T/save/$1" && cp -a "$T/$1/state/." "$T/save/$1/"; }
        on "$1" mount -t tmpfs -o size=256k tmpfs /var/lib/gbackup
        on "$1" cp -a "$T/save/$1/." /var/lib/gbackup/
        on "$1" sh -c 'head -c 300000 /dev/zero >/var/lib/gbackup/filler' 2>/dev/null
}
roomy_disk() {
        on "$1" cp -a /var/lib/gbackup/sessions.db /var/lib/gbackup/locks "$T/$1/state/"
        on "$1" umount -l /var/lib/gbackup
}
stop_agents n2
full_disk n2
start_agents n2
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
in_list "$T/got.jsonl" "NEW on-a-full-disk" || problem "the change is not listed"
grep -q 'n2 takes no part: .*space\|n2.*space' "$ERR" || problem "says: $(cat "$ERR")"

it "the state directory of a node is full, without a sibling: 2, the brick is named, nothing moves on"
was=$(generations s-alone committed)
echo x >"$alone/on-a-full-disk"
fails 2 "alone-1.*space" -q s-alone --out-file="$list"
is "$(generations s-alone committed)" "$was" "committed generation"
stop_agents n2
roomy_disk n2
start_agents n2
run_cli 0 s-alone --format=jsonl --out-file="$T/got.jsonl" && in_list "$T/got.jsonl" "NEW on-a-full-disk" ||
        problem "the change is not listed by the next run"
run_cli 0 s-pair --out-file="$T/got"
is "$(generations s-pair committed | wc -w)" 1 "generations of s-pair"

it "the disk of the out-file is full: an error, the old list stays, nothing moves on"
echo x >"$pair/out-file-full"
mkdir "$T/small"
on n1 mount -t tmpfs -o size=64k tmpfs "$T/small"
on n1 sh -c "echo old >$T/small/out; head -c 60000 /dev/zero >$T/small/filler" 2>/dev/null
was=$(generations s-pair committed)
run_cli 1 full n1 pair --out-file="$T/small/out"
grep -q 'space' "$ERR" || problem "says: $(cat "$ERR")"
is "$(on n1 cat "$T/small/out")" old "the old list"
is "$(on n1 sh -c "ls -A $T/small | wc -l")" 2 "files there"
is "$(generations s-pair committed)" "$was" "committed generation"
on n1 umount "$T/small"

it "a session store is damaged: the sibling tells, and without one it is 2"
echo x >"$pair/damaged-store"
stop_agents n2
cp -a "$T/n2/state/sessions.db" "$T/save/n2.db"
dd if=/dev/urandom of="$T/n2/state/sessions.db" bs=4096 seek=1 count=3 conv=notrunc 2>/dev/null
start_agents n2
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
in_list "$T/got.jsonl" "NEW damaged-store" || problem "the change is not listed"
grep -q 'n2.*damaged' "$ERR" || problem "says: $(cat "$ERR")"
fails 2 "alone-1.*damaged" -q s-alone --out-file="$list"
stop_agents n2
cp -a "$T/save/n2.db" "$T/n2/state/sessions.db"
start_agents n2
run_cli 0 s-alone --out-file="$T/got"
run_cli 0 s-pair --out-file="$T/got"
is "$(generations s-pair committed | wc -w)" 1 "generations of s-pair"

if [ -n "$LONG" ]; then
        it "gbackupd is restarted between prepare and commit"
        echo x >"$pair/restart"
        run_cli 0 prepare s-pair --out-file="$T/got"
        stop_agents
        start_agents
        run_cli 0 commit s-pair
        is "$(generations s-pair pending)" "-" "pending generation"

        it "glusterd is busy: what needs it waits its turn, and succeeds"
        keep_busy() { # NODE: one transaction after the other
                while [ -e "$T/busy" ]; do
                        on "$1" gluster --mode=script volume set later cluster.min-free-disk "$((RANDOM % 9 + 1))%"
                        on "$1" gluster --mode=script volume status later
                done >>"$T/log/busy" 2>&1
        }
        cluster_volume later dist3
        touch "$T/busy"
        busy=()
        for node in n1 n2 n3; do
                keep_busy $node &
                busy+=($!)
        done
        for name in 1 2 3; do
                run_cli 0 register "later-$name" n1 later
                run_cli 0 "later-$name" --out-file="$T/got"
                run_cli 0 status n1 later
                on n2 gluster --mode=script volume set later changelog.changelog off >/dev/null 2>&1
        done
        run_cli 0 s-pair --out-file="$T/got"
        rm "$T/busy"
        wait "${busy[@]}"
        echo "# glusterd said it was busy $(grep -c 'Another transaction' "$T/log/busy") times"
        grep -q 'Another transaction' "$T/log/busy" || problem "glusterd was never busy"
fi

it "glusterd is down on HOST: another node is asked"
kill_glusterd n1
echo x >"$pair/no-glusterd"
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
in_list "$T/got.jsonl" "NEW no-glusterd" || problem "the change is not listed"
start_glusterd_on n1
