#!/bin/bash
# compare.sh - `make bench`: gbackup beside what people use today and beside the floor, in one go on this machine.
#
# Parts alone, on made bricks on ext4 and XFS: walks beside find(1), bfs(1) and a bare loop (bare.c), caches warm and
# cold; merge beside sort(1); parsing.  Then one real volume through glusterd: full lists and incrementals beside
# glusterfind, find on the mount, and bare loops.  Checks the lists.  Prints a table of seconds and ratios, writes it
# as Markdown and SVG, and fails when a list is wrong or a bar of report.py is missed.  Needs root.
#
# GB_BUILD            build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES      files of each brick set (200000)
# GB_BENCH_CHANGES    changes of the incrementals, one after the other (10000 100000): a quarter each of creates,
#                     modifies, renames, deletes; together at most half of the files
# GB_BENCH_ROUNDS     measurements of each thing (5)
# GB_BENCH_PARTS      `only` the parts, `no` parts; both
# GB_BENCH_OUT        folder of bench.md and bench.svg ($GB_BUILD)
# GB_BENCH_THEN       a command to run in the box at the end, to look closer: $T, $M, $HOST, $CLI are set
# glusterfind takes part if python3-pyxattr and ssh-keygen are there, bfs if it is installed.
#
# Competitors take turns, so what else the machine does hits all alike: ratios mean more than seconds.  Each session of
# either tool sees the same changes: there is one for each measurement.  Bricks are filled and changed by brickmaker.c:
# the volume is stopped then, and what it makes is what GlusterFS would have made.

GB_TESTNAME=bench
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/node.sh
. "$here/../integration/node.sh"

files=${GB_BENCH_FILES:-200000} changes=${GB_BENCH_CHANGES:-10000 100000} rounds=${GB_BENCH_ROUNDS:-5}
times=$T/times peaks=$T/peaks failed=0
glusterfind=
V=bench

problem() {
        echo "bench: $1" >&2
        failed=1
}
say() { printf '# %s\n' "$*"; }
trap 'stop_gbackupd' EXIT

# timed GROUP/NAME COMMAND...: stdout goes to $T/out.
timed() {
        local name=$1
        shift
        "$T/measure" run "$times" "$name" "${gb_agent_pid:-0}" "$T/out" "$@" 2>"$T/err" ||
                problem "$name: status $?: $(tail -n 2 "$T/err")"
}
watched() {
        local name=$1
        shift
        "$T/measure" watch "$peaks" "$name" "${gb_agent_pid:-0}" /dev/null "$@" 2>"$T/err" ||
                problem "$name: status $?: $(tail -n 2 "$T/err")"
}
each() { seq 1 "$rounds"; }

# ---- glusterfind --------------------------------------------------------------------------------------

# What Debian's packages leave out, and a private place for the keys that it gives to root.
prepare_glusterfind() {
        local home
        if ! command -v glusterfind >/dev/null || ! command -v ssh-keygen >/dev/null ||
                ! /usr/bin/python3 -c 'import xattr; xattr.list' 2>/dev/null; then
                say "no glusterfind: needs glusterfs-server, openssh-client and python3-pyxattr"
                return
        fi
        home=$(getent passwd root | cut -d: -f6)
        mkdir -p "$home/.ssh" /var/lib/misc
        mount -t tmpfs -o mode=700 tmpfs "$home/.ssh"
        mount -t tmpfs tmpfs /var/lib/misc
        mkdir -p /var/lib/glusterd/glusterfind/.keys
        glusterfind=1
}

# It ends with status 0 and an empty list when its agents fail; then its time means nothing.
glusterfind_list() {
        [ -s "$1" ] || problem "glusterfind wrote an empty list: $(tail -n 2 "$T/err")"
}

# ---- parts ------------------------------------------------------------------------------------------------

# A made brick on a file system of its own; how many inodes it needs is known.
made_brick() {
        truncate -s 8G "$T/$1.img"
        case $1 in
        ext4) mkfs.ext4 -q -F -I 512 -N $((files * 3 / 2 + 200000)) "$T/$1.img" ;;
        xfs) mkfs.xfs -q -f "$T/$1.img" ;;
        esac || gb_die "mkfs.$1 fails"
        mkdir "$T/$1"
        mount -o loop "$T/$1.img" "$T/$1" || gb_die "no loop mount"
        mkdir "$T/$1/brick"
        "$T/brickmaker" fill "$files" "$T/$1/brick" || gb_die "cannot make a brick"
}
# Nothing of that file system is left in memory: neither its inodes nor its blocks.
chill() {
        umount "$T/$1" || gb_die "$1 is busy"
        dd of="$T/$1.img" oflag=nocache conv=notrunc,fdatasync count=0 2>"$T/err" || gb_die "dd: $(cat "$T/err")"
        mount -o loop "$T/$1.img" "$T/$1" || gb_die "no loop mount"
}
# walk_row GROUP NAME COMMAND...
walk_row() {
        local name=$1/$2
        shift 2
        [ -z "$cold" ] || chill "$cold"
        timed "$name" "$@"
}
compare_walks() {
        local i brick=$T/$1/brick names="walk of names, $1, $2" looks="walk with linkto, $1, $2"
        cold=
        [ "$2" = warm ] || cold=$1
        for i in 0 $(each); do
                [ "$i" != 0 ] || cp "$times" "$T/times.warm-up"
                walk_row "$names" "gbackup, 2 threads" "$T/walk" -t 2 "$brick"
                [ "$i" != 0 ] || cp "$T/out" "$T/walked"
                walk_row "$names" "gbackup, 1 thread" "$T/walk" "$brick"
                walk_row "$names" "find" find "$brick" -path "$brick/.glusterfs" -prune -o -print
                ! command -v bfs >/dev/null ||
                        walk_row "$names" "bfs" bfs "$brick" -path "$brick/.glusterfs" -prune -o -print
                walk_row "$names" "bare loop" "$T/bare" "$brick"
                walk_row "$looks" "gbackup, 2 threads" "$T/walk" -l -t 2 "$brick"
                cmp -s "$T/out" "$T/walked" || problem "walks with and without linkto differ"
                walk_row "$looks" "gbackup, 1 thread" "$T/walk" -l "$brick"
                walk_row "$looks" "bare loop with statx" "$T/bare" -s "$brick"
                [ "$i" != 0 ] || mv "$T/times.warm-up" "$times"
        done
        [ "$(wc -l <"$T/walked")" = $((files + (files + 99) / 100 + (files + 1999) / 2000)) ] ||
                problem "$1: the walk lists $(wc -l <"$T/walked") entries"
}
# In memory: gbackup syncs its list, sort does not, and a disk would be all that is seen.
compare_merge() {
        local i kind
        mkdir "$T/merges"
        mount -t tmpfs tmpfs "$T/merges" || gb_die "no tmpfs"
        for kind in turns hashed runs same; do
                mkdir "$T/merges/in"
                "$T/merge-bench" make "$T/merges/in" 16 "$files" $kind || gb_die "merge make"
                for i in $(each); do
                        timed "merge of 16 lanes, $kind/gbackup" "$T/merge-bench" run "$T/merges/out" "$T/merges/in" 16
                        timed "merge of 16 lanes, $kind/sort -m -u" sort -m -u -o "$T/merges/sorted" "$T"/merges/in/*.txt
                done
                cmp -s "$T/merges/out" "$T/merges/sorted" || problem "merge and sort -m -u differ"
                rm -rf "$T"/merges/*
        done
        umount "$T/merges"
}
measure_parsing() {
        local coding brick
        for coding in ascii binary; do
                brick=$T/parse-$coding
                mkdir "$brick"
                "$T/brickmaker" fill 20000 "$brick"
                # shellcheck disable=SC2046 # one option or none
                "$T/brickmaker" change $([ $coding = ascii ] || printf %s -e) 20000 0 20000 5000 5000 5000 5000 "$brick" >"$T/out"
                say "parsing, $coding: $("$T/slices" -n 50 "$brick"/.glusterfs/changelogs/*/*/*/CHANGELOG.*)"
                rm -rf "$brick"
        done
}
compare_parts() {
        local fs
        measure_parsing
        compare_merge
        for fs in ext4 xfs; do
                made_brick $fs
                compare_walks $fs warm
                compare_walks $fs cold
                umount "$T/$fs"
                rm "$T/$fs.img"
        done
}

# ---- the full list --------------------------------------------------------------------------------------

compare_full() {
        local i bricks
        bricks=("$(brick_path $V 0)" "$(brick_path $V 2)")
        # Once without a clock: warm.
        "$CLI" -q full "$HOST" $V --out-file="$T/full" || problem "gbackup-cli full: status $?"
        for i in $(each); do
                timed "full/gbackup full" "$CLI" -q full "$HOST" $V --out-file="$T/full"
                timed "full/bare loop, both bricks at once" "$T/bare" -s -p "${bricks[@]}"
                timed "full/bare loop, one brick after another" "$T/bare" -s "${bricks[@]}"
                timed "full/bare loop, at once, no statx" "$T/bare" -p "${bricks[@]}"
                timed "full/gbackup full, local (no daemon)" "$CLI" -q full local $V --out-file="$T/full-local"
                timed "full/find on the mount" find "$M" -mindepth 1 -printf '%P\n'
                [ "$i" != 1 ] || mv "$T/out" "$T/found"
                if [ -n "$glusterfind" ]; then
                        timed "full/glusterfind query --full" glusterfind query $V "$T/query" --full
                        glusterfind_list "$T/query"
                fi
        done
        watched "full list" "$CLI" -q full "$HOST" $V --out-file="$T/full"
        # `/` sorts below every byte.
        tr / '\001' <"$T/found" | sort | tr '\001' / >"$T/found.sorted"
        cmp -s "$T/full" "$T/found.sorted" || problem "the full list is not what find finds on the mount"
        cmp -s "$T/full" "$T/full-local" || problem "the full lists through the daemon and without it differ"
        say "full list: $(wc -l <"$T/full") paths, equal to what find on the mount says"
}

# ---- incrementals -----------------------------------------------------------------------------------------

# check_changes TRUTH PATHS CHANGES: everything that was changed is in both lists.
check_changes() {
        awk '$1 != "DELETE" { print $NF }' "$1" | sort >"$T/must"
        check_list paths "$T/must" "$2"
        sort "$1" >"$T/truth.sorted"
        check_list changes "$T/truth.sorted" "$3"
}
# check_list WHAT MUST LIST
check_list() {
        local missed more
        sort "$3" >"$T/list.sorted"
        missed=$(comm -23 "$2" "$T/list.sorted" | tee "$T/missed" | wc -l)
        more=$(comm -13 "$2" "$T/list.sorted" | wc -l)
        [ "$missed" = 0 ] || problem "$1: $missed are not in the list, as $(head -n 1 "$T/missed")"
        say "$1: $(wc -l <"$2") wanted, $missed missed, $more more listed"
}

# It holds back what is younger than a rollover, and loses what comes within one of `create`.
pause_for_glusterfind() { [ -z "$glusterfind" ] || sleep 32; }

open_sessions() {
        local i s
        for i in $(each) watch; do
                for s in paths changes; do
                        "$CLI" -q register "$s-$i" "$HOST" $V >"$T/err" 2>&1 || problem "register: $(cat "$T/err")"
                done
        done
        if [ -n "$glusterfind" ]; then
                for i in $(each); do
                        glusterfind create "glusterfind-$i" $V >"$T/err" 2>&1 ||
                                problem "glusterfind create: $(tail -n 1 "$T/err")"
                done
        fi
        settle $V
        for i in $(each) watch; do
                "$CLI" -q "changes-$i" --out-file="$T/first" || problem "the first run of a session fails"
                if [ "$i" = watch ]; then
                        watched "first run of a session" "$CLI" -q "paths-$i" --out-file="$T/first"
                else
                        timed "first run of a session/gbackup SESSION" "$CLI" -q "paths-$i" --out-file="$T/first"
                fi
        done
        pause_for_glusterfind
}

# Work on the bricks: the volume is stopped meanwhile.
bricks_of_volume() { for i in 0 1 2 3; do brick_path $V $i; done; }
on_bricks() {
        # shellcheck disable=SC2046 # four paths without blanks
        "$T/brickmaker" "$@" $(bricks_of_volume)
}
change_bricks() {
        umount "$M"
        gv stop $V force
        on_bricks change -v $V -r 2 "$@" >"$T/truth" || gb_die "cannot change the bricks"
        gv start $V
        for i in 0 1 2 3; do
                wait_for 30 brick_is_up $V $i || gb_die "brick $i does not start"
        done
        mount_volume $V
}

# compare_changes GROUP LO HI N
compare_changes() {
        local group=$1 i start=$SECONDS since q=$(($4 / 4))
        since=$(date +%s)
        change_bricks "$files" "$2" "$3" $q $q $q $q
        say "$group: $(wc -l <"$T/truth") changes made in $((SECONDS - start)) s"
        pause_for_glusterfind
        for i in $(each); do
                timed "$group/gbackup SESSION" "$CLI" -q "paths-$i" --out-file="$T/paths"
                timed "$group/gbackup SESSION --format=changes" \
                        "$CLI" -q "changes-$i" --format=changes --out-file="$T/changes"
                # shellcheck disable=SC2046 # four paths without blanks
                timed "$group/bare loop, slices and lgetxattr" "$T/barechanges" $((since - 1)) $(bricks_of_volume)
                if [ -n "$glusterfind" ]; then
                        timed "$group/glusterfind pre" glusterfind pre "glusterfind-$i" $V "$T/pre"
                        glusterfind_list "$T/pre"
                fi
        done
        watched "$group" "$CLI" -q paths-watch --out-file="$T/paths"
        "$CLI" -q changes-watch --out-file="$T/first" || problem "changes-watch fails"
        check_changes "$T/truth" "$T/paths" "$T/changes"
        [ -n "$glusterfind" ] || return
        for i in $(each); do
                glusterfind post "glusterfind-$i" $V >"$T/err" 2>&1 || problem "post: $(tail -n 1 "$T/err")"
        done
}

compare_unchanged() {
        local i
        settle $V
        pause_for_glusterfind
        for i in $(each); do
                "$CLI" -q "paths-$i" --out-file="$T/paths" || problem "paths-$i fails"
                timed "unchanged/gbackup SESSION" "$CLI" -q "paths-$i" --out-file="$T/paths"
                timed "unchanged/gbackup prepare" "$CLI" -q prepare "paths-$i" --out-file="$T/paths"
                timed "unchanged/gbackup commit" "$CLI" -q commit "paths-$i"
                timed "unchanged/gbackup status" "$CLI" -q status "$HOST" $V
                timed "unchanged/gluster volume info --xml" gluster --mode=script volume info $V --xml
                [ -z "$glusterfind" ] ||
                        timed "unchanged/glusterfind pre" glusterfind pre "glusterfind-$i" $V "$T/pre"
        done
        say "nothing changed: $(wc -l <"$T/paths") paths listed"
}

# ---- all of it -----------------------------------------------------------------------------------------

start_node
export GBACKUP_CLI_STATE=$T/state/cli # whatever --localstatedir says
: >"$times"
: >"$peaks"
build=$GB_BUILD
compile() {
        local name=$1
        shift
        ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -pthread -I"$build" -I"$here/../../rpc" -I"$build/rpc" \
                -I"$here/../../agent" -I"$here/../../cli" -o "$T/$name" "$@" || gb_die "cannot compile $name"
}
for helper in bare barechanges measure; do
        compile $helper "$here/$helper.c"
done
compile brickmaker "$here/brickmaker.c" -lxxhash
agent_libs=("$build/agent/libgbagent.a" "$build/rpc/libgbbase.a" -lxml2 -lxxhash)
compile walk "$here/walk.c" "${agent_libs[@]}"
compile slices "$here/slices.c" "${agent_libs[@]}"
compile merge-bench "$here/merge.c" "$build/cli/libgbcli.a" "$build/rpc/libgbbase.a" -lcrypto
say "$(nproc) CPUs, $(uname -r), $(gluster --version | head -n 1), scratch on $(stat -f -c %T "$T")," \
        "load $(cut -d' ' -f1-3 /proc/loadavg)"
[ "${GB_BENCH_PARTS:-}" = no ] || compare_parts
if [ "${GB_BENCH_PARTS:-}" != only ]; then
        prepare_glusterfind
        make_volume $V 2x2 changelog.rollover-time 15
        start=$SECONDS
        on_bricks fill -v $V -r 2 "$files" || gb_die "cannot fill the volume"
        say "$files files made in $((SECONDS - start)) s"
        mount_volume $V
        start_gbackupd
        sleep 1
        say "idle gbackupd: $(sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$gb_agent_pid/status")"
        compare_full
        open_sessions
        lo=0
        for n in $changes; do
                compare_changes "$n changes" $lo $((lo + 2 * n < files ? lo + 2 * n : files)) "$n"
                lo=$((lo + 2 * n))
        done
        compare_unchanged
fi

echo
"$here/report.py" "$times" "$peaks" "${GB_BENCH_OUT:-$GB_BUILD}" || failed=1
[ -z "${GB_BENCH_THEN:-}" ] || (
        export T M HOST CLI
        bash -c "$GB_BENCH_THEN"
)
exit "$failed"
