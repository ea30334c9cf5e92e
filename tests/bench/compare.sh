#!/bin/bash
# compare.sh - gbackup beside what people use today, on one real volume in one run: `find` on the mount and
# glusterfind; and beside the floor, a bare loop over the bricks (bare.c).  Prints a table of seconds and
# ratios, checks the lists, and fails when a list is wrong or a bar of report.py is missed.  Needs root; takes
# about ten minutes, most of them filling the volume and waiting for glusterfind's rollovers.
#
# GB_BUILD           build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES     files of the volume (200000)
# GB_BENCH_CHANGES   changes of a run (10000): a quarter each of creates, modifies, renames, deletes
# GB_BENCH_ROUNDS    measurements of each thing (3)
# GB_BENCH_KINDS     not empty: besides, GB_BENCH_CHANGES of each kind alone
# GB_BENCH_THEN      a command to run in the box at the end, to look closer: $T, $M, $HOST, $CLI are set
# glusterfind takes part if python3-pyxattr and ssh-keygen are there.
#
# Competitors take turns, so what else the machine does hits all alike: ratios mean more than seconds.  All
# caches are warm.  Each session of either tool sees the same changes: there is one for each measurement.

GB_TESTNAME=bench
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/node.sh
. "$here/../integration/node.sh"

files=${GB_BENCH_FILES:-200000} changes=${GB_BENCH_CHANGES:-10000} rounds=${GB_BENCH_ROUNDS:-3}
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

# compare_changes GROUP LO HI CREATES MODIFIES RENAMES DELETES
compare_changes() {
        local group=$1 i start=$SECONDS
        shift
        "$T/tree" change "$M" "$@" >"$T/truth" || gb_die "cannot change the tree"
        say "$group: $(wc -l <"$T/truth") changes made in $((SECONDS - start)) s"
        pause_for_glusterfind
        for i in $(each); do
                timed "$group/gbackup SESSION" "$CLI" -q "paths-$i" --out-file="$T/paths"
                timed "$group/gbackup SESSION --format=changes" \
                        "$CLI" -q "changes-$i" --format=changes --out-file="$T/changes"
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
for helper in bare measure tree; do
        ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -pthread -o "$T/$helper" "$here/$helper.c" ||
                gb_die "cannot compile $helper.c"
done
prepare_glusterfind
make_volume $V 2x2 changelog.rollover-time 15
mount_volume $V
say "$(nproc) CPUs, $(uname -r), $(gluster --version | head -n 1), bricks on $(stat -f -c %T "$T/bricks")," \
        "load $(cut -d' ' -f1-3 /proc/loadavg)"
start=$SECONDS
"$T/tree" fill "$M" "$files" || gb_die "cannot fill the volume"
say "$files files made in $((SECONDS - start)) s"
start_gbackupd

compare_full
open_sessions
compare_changes mixed 0 $((files / 2)) $((changes / 4)) $((changes / 4)) $((changes / 4)) $((changes / 4))
compare_unchanged
if [ -n "${GB_BENCH_KINDS:-}" ]; then
        eighth=$((files / 8))
        compare_changes "creates" $((4 * eighth)) $((5 * eighth)) "$changes" 0 0 0
        compare_changes "modifies" $((5 * eighth)) $((6 * eighth)) 0 "$changes" 0 0
        compare_changes "renames" $((6 * eighth)) $((7 * eighth)) 0 0 "$changes" 0
        compare_changes "deletes" $((7 * eighth)) $((8 * eighth)) 0 0 0 "$changes"
fi

echo
"$here/report.py" "$times" "$peaks" || failed=1
[ -z "${GB_BENCH_THEN:-}" ] || (
        export T M HOST CLI
        bash -c "$GB_BENCH_THEN"
)
exit "$failed"
