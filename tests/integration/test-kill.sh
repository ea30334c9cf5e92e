#!/bin/bash
# gbackup-cli ends where it should not: it is killed at each step from prepare to the end, and interrupted in each
# phase.  The session is then at the old generation or at the new one, on all agents the same, and no change is
# in no list.  GB_LONG=1: each step; else some.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cluster.sh"
requires "strace is not installed" command -v strace

LONG=${GB_LONG:-}
start_cluster 2
cluster_volume pair rep2
start_agents
mount_volume pair
pair=$M
run_cli 0 register s-pair n1 pair
run_cli 0 s-pair --out-file="$T/first"

# run_and_kill SYSCALL N: `gbackup-cli s-pair` is killed at its Nth call of SYSCALL; N 0: not, and says how many
# there were.
run_and_kill() {
        local kill=()
        [ "$2" = 0 ] || kill=(-e "inject=$1:signal=KILL:when=$2")
        rm -f "$T/killed.jsonl" "$T/killed.jsonl.manifest"
        # (leaks cannot be looked for under strace)
        on "$CLI_NODE" ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -qq -o "$T/strace.out" -e trace="$1" "${kill[@]}" \
                "$GB_CLI_PROGRAM" ${CLI_RSH:+--rsh="$CLI_RSH"} -q s-pair --format=jsonl --out-file="$T/killed.jsonl" >/dev/null 2>&1
        [ "$2" != 0 ] || grep -c "^$1(" "$T/strace.out"
}
json() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2]) or "-")' "$1" "$2" 2>/dev/null || echo -; }
# A change is in the list of the run that was killed, if the session counts that list, or in the next one.
after_kill() { # NAME WHAT
        local counted=no
        run_cli 0 s-pair --format=jsonl --out-file="$T/next.jsonl" || return
        is "$(generations s-pair committed)" "$(json "$T/next.jsonl.manifest" generation)" "$2: committed"
        is "$(generations s-pair pending)" "-" "$2: pending"
        [ "$(json "$T/next.jsonl.manifest" base)" != "$(json "$T/killed.jsonl.manifest" generation)" ] || counted=yes
        if [ "$counted" = yes ]; then
                in_list "$T/killed.jsonl" "NEW $1" || problem "$2: the session counts a list without $1"
                counted_once=1
        else
                in_list "$T/next.jsonl" "NEW $1" || problem "$2: $1 is in no list"
                uncounted_once=1
        fi
}

it "the CLI is killed at every step between prepare and commit: nothing is lost, all agents agree"
counted_once='' uncounted_once=''
for call in sendto rename linkat fsync; do
        echo x >"$pair/count-$call"
        calls=$(run_and_kill $call 0)
        first=1
        [ $call != sendto ] || first=$((calls - 9)) # from the last of the questions on
        step=1
        [ -n "$LONG" ] || step=3
        for ((i = first; i <= calls; i += step)); do
                echo x >"$pair/at-$call-$i"
                run_and_kill $call $i
                after_kill "at-$call-$i" "killed at $call $i of $calls"
        done
done
[ -n "$counted_once" ] && [ -n "$uncounted_once" ] || problem "the kills were all on one side of the commit"

# interrupted HOLD MS NAME: a run that is interrupted after MS ms; nothing is left of it.  HOLD: words for interrupt.py
mkdir "$T/interrupted" "$T/spill"
interrupted() {
        local status lived
        echo x >"$pair/$3"
        gb_words_on "$CLI_NODE" TMPDIR="$T/spill" "$GB_CLI_PROGRAM" ${CLI_RSH:+--rsh="$CLI_RSH"} s-pair --out-file="$T/interrupted/out"
        # shellcheck disable=SC2086 # words
        read -r status lived < <(python3 "$GB_HERE/interrupt.py" $1 "$2" "${gb_words[@]}")
        [[ $status =~ ^[01]$ ]] || problem "after $2 ms: status $status"
        times+=("$2:$lived")
        [ "$lived" = 0 ] || stopped=$((stopped + 1))
        [ "$lived" -le "$slowest" ] || slowest=$lived
        is "$(gb_names "$T/interrupted" | grep -vx 'out\|out.manifest')$(gb_names "$T/spill")" "" "after $2 ms: files left"
        [ "$lived" = 0 ] || [ "$status" = 0 ] || { # the lock goes with the connection, which takes a moment
                wait_for 5 no_workers n1 && wait_for 5 no_workers n2 || problem "after $2 ms: workers live on"
        }
}
told_times() {
        [ "$stopped" -gt 2 ] || problem "only $stopped runs were interrupted"
        [ "$slowest" -le $((LIMIT * SLOW)) ] || problem "it took up to $slowest ms: ${times[*]}"
        echo "# ^C: $stopped runs, slowest $slowest ms"
}
# 100 ms (cli/cancel.c), and what a busy machine adds.
LIMIT=300 SLOW=1
! grep -q fsanitize "$GB_BUILD/Makefile" || SLOW=4

it "^C ends every phase at once and leaves nothing behind"
slowest=0 stopped=0 times=()
for ms in $([ -n "$LONG" ] && seq 5 10 1200 || echo 5 20 40 60 80 100 130 170 250 400 800); do
        interrupted "" "$ms" "interrupted-at-$ms"
done
told_times

it "^C while no agent answers any more, in every phase"
slowest=0 stopped=0 times=()
for ms in $([ -n "$LONG" ] && seq 5 10 600 || echo 5 20 40 70 110 170 250 400); do
        interrupted "--hold $(agent_pid n1) --hold $(agent_pid n2)" "$ms" "held-at-$ms"
done
told_times

# at_call SYSCALL N: the Nth call of it, by the first thread, is met by SIGINT; N 0: none.  Sets status, lived.
at_call() {
        local inject=()
        [ "$2" = 0 ] || inject=(-e "inject=$1:signal=INT:when=$2")
        on "$CLI_NODE" ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" TMPDIR="$T/spill" strace -qq -ttt -o "$T/strace.out" -e trace="$1" "${inject[@]}" \
                "$GB_CLI_PROGRAM" ${CLI_RSH:+--rsh="$CLI_RSH"} -q s-pair --out-file="$T/interrupted/out" >/dev/null 2>&1
        status=$?
        lived=$(awk '/--- SIGINT/ && !a {a = $1} {b = $1} END {print a ? int((b - a) * 1000) : 0}' "$T/strace.out")
}

[ -z "$LONG" ] || it "^C at every kind of step"
slowest=0 stopped=0 times=()
for call in $([ -z "$LONG" ] || echo connect openat sendto poll fsync linkat rename unlink); do
        echo x >"$pair/steps-$call"
        at_call $call 0
        calls=$(grep -c " $call(" "$T/strace.out")
        [ "$calls" -gt 0 ] || continue
        step=$(((calls + 14) / 15))
        for ((i = 1; i <= calls; i += step)); do
                echo x >"$pair/step-$call-$i"
                at_call $call $i
                [[ $status =~ ^[01]$ ]] || problem "$call $i: status $status"
                # (before the program has its handler a signal may be ignored, as it is in the background of a shell)
                [ "$status" = 1 ] || lived=0
                [ "$lived" = 0 ] || stopped=$((stopped + 1))
                [ "$lived" -le "$slowest" ] || slowest=$lived
                is "$(gb_names "$T/interrupted" | grep -vx 'out\|out.manifest')$(gb_names "$T/spill")" "" "$call $i: files left"
                wait_for 5 no_workers n1 && wait_for 5 no_workers n2 || problem "$call $i: workers live on"
        done
done
[ -z "$LONG" ] || echo "# ^C: $stopped steps, slowest $slowest ms under strace"

it "after all of them: the next run counts, and nothing is pending"
run_cli 0 s-pair --format=jsonl --out-file="$T/got.jsonl"
is "$(generations s-pair pending)" "-" "pending generation"
is "$(generations s-pair committed | wc -w)" 1 "generations"
