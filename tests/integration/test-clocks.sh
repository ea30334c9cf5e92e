#!/bin/bash
# Clocks that are wrong, differ from brick to brick, and step: a session's lists are exact all the same.
# A brick process gets a clock of its own by libfaketime; so do agents, in part of the test.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

FAKE=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$FAKE" ] || gb_skip_all "faketime is not installed"

# clock VOLUME BRICK OFFSET: the brick is started anew under a clock that is OFFSET (`-1h`) from the true one.
clock() {
        local pid line=()
        pid=$(brick_pid "$1" "$2")
        mapfile -d '' -t line <"/proc/$pid/cmdline"
        kill_brick "$1" "$2"
        LD_PRELOAD=$FAKE FAKETIME=$3 DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 "${line[@]}" >>"$T/log/brick.out" 2>&1 </dev/null
        wait_for 20 brick_is_up "$1" "$2" || gb_die "$1: brick $2 does not start under another clock"
        wait_for 30 gb_client_connected "$1" "$2" || gb_die "$1: the mount misses brick $2"
}
# The time that the last closed slice of a brick is named by, less the true one.
off() { echo $(($(getfattr --absolute-names --only-values -n trusted.glusterfs.htime "$(changelogs "$1" "$2")/htime/$(current_htime "$1" "$2")" | cut -d : -f 1) - $(date +%s))); }

start_gbackupd
L=$T/lists
mkdir "$L"

n=0
# round WHAT: work, a list, which must say the work and nothing else.
round() {
        n=$((n + 1))
        echo "$n" >"$M/new-$n"
        mkdir "$M/dir-$n"
        echo "$n" >"$M/dir-$n/in"
        echo "$n" >>"$M/grows"
        [ "$n" = 1 ] || mv "$M/dir-$((n - 1))" "$M/moved-$((n - 1))"
        [ "$n" = 1 ] || rm "$M/new-$((n - 1))"
        run_cli 0 s --format=jsonl --out-file="$L/list" || return
        {
                echo "NEW new-$n" && echo "NEW dir-$n" && echo "NEW dir-$n/in" && echo "MODIFY grows"
                [ "$n" = 1 ] || echo "RENAME dir-$((n - 1)) moved-$((n - 1))"
                [ "$n" = 1 ] || echo "DELETE new-$((n - 1))"
        } | sort >"$T/want"
        # What changed around the last list comes again; that is no fault here.
        python3 "$LISTS" "$L/list" --all | grep -v '^MODIFY \(new\|dir\|moved\|swept\)-' | grep -vxE 'MODIFY .*/in|' | sort >"$T/got"
        same "$T/got" "$T/want" "$1, list $n"
}

make_volume v dist3
mount_volume v
echo 0 >"$M/grows"
run_cli 0 register s "$HOST" v
run_cli 0 s --out-file="$L/list"

it "clocks that differ from brick to brick, and step back and forth with restarts"
round "true clocks"
steps=("0 -1h" "1 +3h" "0 +2d")
[ -z "${GB_LONG:-}" ] || steps+=("0 -30s" "2 -5m" "1 -90m" "2 +10m" "0 +0" "1 +0" "2 -3d" "2 +0")
for step in "${steps[@]}"; do
        # shellcheck disable=SC2086
        set -- $step
        echo "in between" >"$M/between-$n-$1"
        rm "$M/between-$n-$1"
        clock v "$1" "$2"
        round "brick $1 at $2"
        if [ "$2" = -1h ] || [ "$2" = +2d ]; then
                wait_rollover v
                ahead=$(off v 0)
                [ "$ahead" -lt -3590 ] || [ "$ahead" -gt 172000 ] || problem "testbed: the clock of brick 0 is only $ahead s off"
                round "brick $1 at $2, again"
        fi
done

it "an agent with a wrong clock"
stop_gbackupd
LD_PRELOAD=$FAKE FAKETIME=-2h DONT_FAKE_MONOTONIC=1 start_gbackupd
round "agent at -2h"
wait_rollover v
round "agent at -2h, again"
stop_gbackupd
start_gbackupd
round "agent at +0"

it "a sweep finds what changed, whatever clocks agents and bricks had"
for i in 1 2 3 4 5 6; do echo 1 >"$M/swept-$i"; done
# swept WHAT: nothing records this.
swept() {
        for i in 1 2 3 4 5 6; do fallocate -p -l 1 "$M/swept-$i"; done
        run_cli 0 s --sweep --format=jsonl --out-file="$L/list" || return
        for i in 1 2 3 4 5 6; do in_list "$L/list" "MODIFY swept-$i" || problem "$1: no line of swept-$i"; done
}
for offset in +2h -2h; do
        stop_gbackupd
        LD_PRELOAD=$FAKE FAKETIME=$offset DONT_FAKE_MONOTONIC=1 start_gbackupd
        for i in 1 2; do
                settle v
                run_cli 0 s --out-file="$L/list"
        done
        swept "the agent at $offset"
        for i in 1 2; do
                settle v
                run_cli 0 s --out-file="$L/list"
        done
        stop_gbackupd
        start_gbackupd
        swept "the agent was at $offset when the last list was made"
done
clock v 1 -1h
swept "a brick at -1h"
for i in 1 2; do
        settle v
        run_cli 0 s --out-file="$L/list"
done
swept "a brick at -1h, again"

if [ -n "${GB_LONG:-}" ]; then
        it "several steps between two lists"
        for o in -2h +1h -4d +0; do
                clock v 0 $o
                wait_rollover v
        done
        round "after all of them"
        settle v
        round "and then"
fi

it "inc by times of this clock, over bricks with others"
make_volume w dist3
mount_volume w
mkdir "$M/d"
clock w 0 -1h
clock w 1 +3h
gv set w changelog.changelog on
wait_rollover w
for i in 1 2 3 4 5 6; do echo early >"$M/early-$i"; done
wait_rollover w
sleep 14
start=$(date +%s)
sleep 1
for i in 1 2 3 4 5 6; do echo 1 >"$M/d/between-$i"; done
sleep 1
end=$(date +%s)
sleep 14
wait_rollover w
for i in 1 2 3 4 5 6; do echo late >"$M/late-$i"; done
wait_rollover w
for i in 1 2 3 4 5 6; do echo "NEW d/between-$i"; done >"$T/want"
run_cli 0 inc "$HOST" w "$start" "$end" --format=jsonl --out-file="$L/inc" && listed "$L/inc" "list" <"$T/want"

it "inc over a clock that was set since is a gap"
clock w 0 +0
wait_rollover w
run_cli 3 inc "$HOST" w "$start" "$end" --format=jsonl --out-file="$L/inc"
