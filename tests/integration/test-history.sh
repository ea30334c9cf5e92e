#!/bin/bash
# History that is not whole, in every way there is: recognised, named, nothing advanced; with --on-gap=full the
# replica set is listed in full and the session goes on; what a whole sibling tells is enough.
#
# Each fault is a function that does it to one brick; all volumes live through the same time, so that its waiting
# is paid once.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

start_gbackupd
mkdir "$T/lists"

cl() { changelogs "$1" "$2"; }
# The closed slice that recorded `in-a-slice`.
slice() { grep -rlaF --include='CHANGELOG.[0-9]*' in-a-slice "$(cl "$1" "$2")" | head -n 1; }
# Put bytes over those that begin at the first PATTERN + OFFSET of a file.
poke() { # FILE PATTERN OFFSET BYTES
        local at
        at=$(grep -obaF -- "$2" "$1" | head -n 1 | cut -d : -f 1)
        [ -n "$at" ] || problem "testbed: no $2 in $1"
        printf "$4" | dd of="$1" bs=1 seek=$((at + $3)) conv=notrunc status=none
}
htime() { echo "$(cl "$1" "$2")/htime/$(current_htime "$1" "$2")"; }

# ---- faults: NAME VOLUME BRICK ------------------------------------------------------------------------
f_slice_deleted() { rm "$(slice "$1" "$2")"; }
f_slice_torn() { truncate -s -3 "$(slice "$1" "$2")"; }
f_slice_short() { # at the end of a record
        local file at
        file=$(slice "$1" "$2")
        at=$(python3 -c '
import re, sys
data = open(sys.argv[1], "rb").read()
print([m.start() for m in re.finditer(rb"(?<=\0)[DME][0-9a-f]{8}-[0-9a-f]{4}-", data)][-1])' "$file")
        truncate -s "$at" "$file"
}
f_slice_header_only() { truncate -s 51 "$(slice "$1" "$2")"; }
f_slice_empty() { truncate -s 0 "$(slice "$1" "$2")"; }
f_slice_header() { poke "$(slice "$1" "$2")" version 0 'vers1on'; }
f_slice_gfid() { poke "$(slice "$1" "$2")" /in-a-slice -30 'z'; }
f_slice_other_gfid() { # it is one, but another
        local file old
        file=$(slice "$1" "$2")
        old=$(grep -oa '[0-9a-f-]\{36\}/in-a-slice' "$file" | head -n 1)
        poke "$file" /in-a-slice -1 "$([ "${old:35:1}" = 1 ] && echo 2 || echo 1)"
}
f_slice_fop() {
        python3 -c '
import re, sys
data = bytearray(open(sys.argv[1], "rb").read())
m = re.search(rb"\0(23|3|4)\0", data)
data[m.start(1):m.end(1)] = b"99"[: m.end(1) - m.start(1)]
open(sys.argv[1], "r+b").write(data)' "$(slice "$1" "$2")"
}
f_slice_name() { poke "$(slice "$1" "$2")" in-a-slice 0 'IN'; }
f_slice_zeros() {
        local f
        f=$(slice "$1" "$2")
        dd if=/dev/zero of="$f" bs=1 seek=100 count=$(($(stat -c %s "$f") - 100)) conv=notrunc status=none
}
f_slice_foreign() { # another brick's
        cp "$(find "$T"/bricks/other-0/.glusterfs/changelogs/2* -name 'CHANGELOG.*' -size +0 | sort | tail -n 1)" "$(slice "$1" "$2")"
}
f_htime_deleted() { rm "$(htime "$1" "$2")"; }
f_htime_torn() { truncate -s -5 "$(htime "$1" "$2")"; }
f_htime_middle() { # in the window
        local h
        h=$(htime "$1" "$2")
        printf '\001\002\003' | dd of="$h" bs=1 seek=$(($(stat -c %s "$h") - 100)) conv=notrunc status=none
}
f_htime_prefix() { # entries of another brick's, or from before the brick was moved
        python3 - "$(htime "$1" "$2")" <<'END'
import sys
entries = open(sys.argv[1], "rb").read().split(b"\0")
for i in range(-5, -2):
    entries[i] = b"/elsewhere" + entries[i][10:]
open(sys.argv[1], "r+b").write(b"\0".join(entries))
END
}
# The brick is put back as it was before its last change: a copy, made while the volume was stopped.
before_older() {
        without_mount "$1" cp -a "$(brick_path "$1" "$2")" "$T/older-$1-$2"
}
f_older() {
        without_mount "$1" put_back "$1" "$2"
}
put_back() {
        rm -rf "$(brick_path "$1" "$2")"
        mv "$T/older-$1-$2" "$(brick_path "$1" "$2")"
}
without_mount() { # VOLUME COMMAND...: stopped
        local volume=$1
        shift
        umount "$T/mnt/$volume"
        gv stop "$volume"
        "$@" || problem "testbed: $*"
        gv start "$volume"
        all_up "$volume"
        mount_volume "$volume"
}
f_moved_away() { mv "$(cl "$1" "$2")" "$(cl "$1" "$2").away"; }
# Once the brick rolls over nobody can know: it takes the slice for an empty one.  So it has time.
f_live_truncated() {
        local live i
        live=$(cl "$1" "$2")/CHANGELOG
        gv set "$1" changelog.rollover-time 120
        sleep 5 # the rollover that it waits for already
        for i in 1 2 3 4 5 6 7 8; do # the record is not there at once
                echo x >>"$T/mnt/$1/in-live"
                sleep 0.5
                [ "$(stat -c %s "$live")" -le 51 ] || { truncate -s 51 "$live" && return; }
        done
        problem "testbed: no record in CHANGELOG"
}
after_live_truncated() { gv set "$1" changelog.rollover-time 3; }
f_live_emptied() { echo x >"$T/mnt/$1/in-live"; truncate -s 0 "$(cl "$1" "$2")/CHANGELOG"; echo y >"$T/mnt/$1/more-live"; }
f_same_second() { # two rollovers of one name: until it comes out
        local i
        for ((i = 0; i < 40; i++)); do # a busy machine takes a second for one
                echo x >"$T/mnt/$1/s$i"
                gv set "$1" changelog.rollover-time 4
                echo x >"$T/mnt/$1/t$i"
                gv set "$1" changelog.rollover-time 3
                sleep 0.5
                named_twice "$1" "$2" && return
        done
        problem "testbed: no two rollovers in one second"
}
named_twice() { tr '\0' '\n' <"$(htime "$1" "$2")" | grep CHANGELOG | sort | uniq -d | piped .; }
f_rollover_1() { # a busy machine may be too late for two in one second: until it comes out
        local i
        gv set "$1" changelog.rollover-time 1
        for ((i = 0; i < 100; i++)); do
                echo x >"$T/mnt/$1/s$i"
                sleep 0.2
                [ "$i" -lt 20 ] || ! named_twice "$1" "$2" || break
        done
        named_twice "$1" "$2" || problem "testbed: no two rollovers in one second"
        gv set "$1" changelog.rollover-time 3
        sleep 1.5
}
f_off_on() {
        gv set "$1" changelog.changelog off
        sleep 1.3
        echo x >"$T/mnt/$1/unseen"
        gv set "$1" changelog.changelog on
        sleep 1.3
}
f_dir_changed() {
        mkdir -p "$T/elsewhere-$1"
        gv set "$1" changelog.changelog-dir "$T/elsewhere-$1"
        sleep 1.3
        echo x >"$T/mnt/$1/unseen"
        sleep 4
        gv set "$1" changelog.changelog-dir "$(cl "$1" "$2")"
        sleep 1.3
}
f_silent() {
        without_mount "$1" gv set "$1" changelog.changelog off
        echo x >"$M/unseen"
        rm "$M/old"
        without_mount "$1" gv set "$1" changelog.changelog on
}
f_silent_kill() { # without a stop of the volume
        umount "$T/mnt/$1"
        kill_brick "$1" "$2"
        gv set "$1" changelog.changelog off
        restart_brick "$1" "$2"
        mount_volume "$1"
        echo x >"$M/unseen"
        umount "$M"
        kill_brick "$1" "$2"
        gv set "$1" changelog.changelog on
        restart_brick "$1" "$2"
        mount_volume "$1"
}
f_version() { # glusterd's files are older ones
        local pid
        gv stop "$1"
        pid=$(cat /run/glusterd.pid)
        kill "$pid"
        wait_for 10 gb_process_gone "$pid"
        sed -i 's/^version=.*/version=2/' "/var/lib/glusterd/vols/$1/info"
        start_glusterd
        gv start "$1"
        all_up "$1"
}

all_up() {
        local i
        for ((i = 0; ; i++)); do
                [ -d "$(brick_path "$1" $i)" ] || break
                wait_for 30 brick_is_up "$1" $i || gb_die "$1: brick $i does not start"
        done
}

# ---- what each volume lives through ------------------------------------------------------------------

# cases TYPE STATUS BRICKS FAULT...: the fault befalls these bricks of a volume of its own; STATUS is that of the
# next list: 3, or 0 when another brick has it all.
all=()
cases() {
        local type=$1 status=$2 bricks=$3 f
        shift 3
        for f; do all+=("$type-${bricks// /}-$(tr _ - <<<"$f")|$type|$status|$bricks|$f"); done
}
each() { # COMMAND: with v, type, status, bricks, fault, M and list set
        local one
        for one in "${all[@]}"; do
                IFS='|' read -r v type status bricks fault <<<"$one"
                M=$T/mnt/$v list=$T/lists/$v
                "$@"
        done
}
pause() { wait_rollover "$v"; } # of the last one: they all roll over together, more or less
begin() {
        make_volume "$v" "$type"
        mount_volume "$v"
        for f in old gone kept; do echo 1 >"$M/$f"; done
        run_cli 0 register "s-$v" "$HOST" "$v"
        run_cli 0 "s-$v" --out-file="$list"
}
work_before() {
        local b
        [ "$(type -t "before_$fault")" != function ] || for b in $bricks; do "before_$fault" "$v" "$b"; done
        echo 2 >"$M/second"
}
plain_list() { run_cli 0 "s-$v" --out-file="$list"; }
work() {
        echo 3 >"$M/in-a-slice"
        rm "$M/gone"
        echo 3 >"$M/beside"
}
more_work() { echo 4 >"$M/later"; }

full_list() { # as --on-gap=full gives it: all that is there, and marked
        local at
        run_cli 0 "s-$v" --on-gap=full --format=jsonl --out-file="$list" || return
        for at in head tail; do
                $at -n 1 "$list" | piped -F '"full_sets":[0]' || problem "$at does not say full_sets: $($at -n 1 "$list")"
        done
        found "$M" | tr '\0' '\n' | sed 's/^/NEW /' | sort >"$T/want"
        python3 "$LISTS" "$list" | grep '^NEW ' | sort >"$T/got"
        same "$T/got" "$T/want" "full list"
}
judge() {
        local b
        it "${fault#f_} of brick $bricks of $type"
        for b in $bricks; do "f_$fault" "$v" "$b"; done
        if [ "$status" = 3 ]; then
                fails 3 "replica set 0: .*/bricks/$v-[0-9].*history from 20.*Z to 20.*Z: [^;]+; run a full list" "s-$v" --out-file="$list"
                fails 3 "$v" "s-$v" --out-file="$list"
                full_list
                [ "$(type -t "after_$fault")" != function ] || "after_$fault" "$v"
        else
                run_cli 0 "s-$v" --format=jsonl --out-file="$list"
                for line in "NEW in-a-slice" "NEW beside" "NEW later" "DELETE gone"; do
                        in_list "$list" "$line" || problem "no line '$line'"
                done
        fi
}
afterwards() {
        it "${fault#f_} of brick $bricks of $type: the list after it is exact"
        echo 5 >"$M/afterwards"
        run_cli 0 "s-$v" --format=jsonl --out-file="$list" && listed "$list" "list" <<<"NEW afterwards"
}

# In --long all of them; the others here stand for what each finds out.
cases dist1 3 0 slice_short slice_other_gfid slice_foreign live_truncated same_second silent_kill
cases rep2 0 0 slice_short
cases rep2 3 "0 1" slice_name
if [ -n "${GB_LONG:-}" ]; then
        cases dist1 3 0 dir_changed slice_deleted slice_torn slice_header_only slice_empty slice_header slice_gfid slice_fop slice_name \
                slice_zeros htime_torn htime_middle htime_prefix off_on silent version rollover_1 older
        cases rep2 0 1 slice_deleted slice_torn slice_foreign htime_torn htime_deleted live_truncated moved_away slice_zeros
        cases rep2 3 "0 1" slice_deleted slice_zeros htime_torn htime_prefix older
        cases disp 3 "0 1 2" slice_deleted slice_short
        cases disp 0 1 slice_deleted slice_short
fi

make_volume other dist1
mount_volume other
run_cli 0 register s-other "$HOST" other
each begin
pause
each work_before
pause
each plain_list
echo foreign >"$T/mnt/other/in-a-slice"
pause
each work
pause
pause
each more_work
each judge
settle "$v"
settle other
each plain_list
sleep 4
each plain_list
each afterwards

it "slices and damage from before the last list are nobody's business"
v=other M=$T/mnt/other
echo 1 >"$M/1"
run_cli 0 s-other --out-file="$T/lists/other"
settle other
run_cli 0 s-other --out-file="$T/lists/other"
settle other
run_cli 0 s-other --out-file="$T/lists/other"
find "$(cl other 0)"/[0-9]* -type f | head -n 2 | while read -r f; do echo x >"$f"; done
find "$(cl other 0)"/[0-9]* -type f | tail -n +3 | xargs -r rm
printf x | dd of="$(htime other 0)" bs=1 seek=3 conv=notrunc status=none
echo 2 >"$M/2"
run_cli 0 s-other --format=jsonl --out-file="$T/lists/other" && listed "$T/lists/other" "list" <<<"NEW 2"
