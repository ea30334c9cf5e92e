#!/bin/bash
# scale.sh - what does not grow: memory of a scan of many bricks, of an incremental that spills, of a list of 200 streams.
# Real volumes, but their bricks are in memory (tmpfs): a million files need 1.5 GiB.  Needs root and GlusterFS.
#
# GB_BUILD              build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES        files of the volume of 16 bricks (1000000)
# GB_BENCH_GFIDS        objects that change in the volume of one brick (300000); several: one after the other, anew
# GB_BENCH_MEMORY       memory_limit that makes it spill (16M)
# GB_BENCH_STREAMS      bricks of the third volume, each a process (200)

GB_TESTNAME=scale
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/node.sh
. "$here/../integration/node.sh"

files=${GB_BENCH_FILES:-1000000} all_gfids=${GB_BENCH_GFIDS:-300000} little=${GB_BENCH_MEMORY:-16M} streams=${GB_BENCH_STREAMS:-200}
failed=0 memory=256M
problem() {
        echo "scale: $1" >&2
        failed=1
}
trap 'stop_gbackupd' EXIT
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\nstate_dir = %s\nnice = 0\nmax_workers = 256\nmemory_limit = %s\n' \
                "$GBACKUP_SOCKET" "$T/state" "$memory"
}

# many_bricks NAME N FILES: a volume of N subvolumes, filled.
many_bricks() {
        local i n=() paths=()
        for ((i = 0; i < $2; i++)); do
                mkdir -p "$(brick_path "$1" "$i")"
                n+=("$HOST:$(brick_path "$1" "$i")")
                paths+=("$(brick_path "$1" "$i")")
        done
        gv create "$1" "${n[@]}" force
        "$T/brickmaker" fill -v "$1" "$3" "${paths[@]}" || gb_die "cannot fill $1"
        gv set "$1" changelog.rollover-time 15
        gv start "$1"
        for ((i = 0; i < $2; i++)); do wait_for 120 brick_is_up "$1" "$i" || gb_die "$1: brick $i does not start"; done
}
# peaks WHAT COMMAND...: MiB of gbackup-cli, of the largest worker; seconds, CPU seconds.
peaks() {
        local what=$1
        shift
        "$T/measure" run "$T/times" "$what" "$gb_agent_pid" "$T/out" "$@" 2>"$T/err" || problem "$what: $(tail -n 2 "$T/err")"
        "$T/measure" watch "$T/peaks" "$what" "$gb_agent_pid" /dev/null "$@" 2>"$T/err" || problem "$what: $(tail -n 2 "$T/err")"
        tail -n 1 "$T/times" | awk -v what="$what" -v worker="$(tail -n 1 "$T/peaks" | awk '{ print $NF }')" \
                '{ printf "%s: %.2f s, CPU %.2f s, gbackup-cli %.1f MiB, largest worker %.1f MiB\n", what, $(NF - 3), $(NF - 2), $(NF - 1), worker }'
}

start_node
export GBACKUP_CLI_STATE=$T/state/cli
mkdir -p "$T/state" "$T/bricks"
mount -t tmpfs -o size=90%,nr_inodes=0 tmpfs "$T/bricks" || gb_die "no tmpfs"
for helper in measure brickmaker barechanges; do
        ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -pthread -o "$T/$helper" "$here/$helper.c" -lxxhash || gb_die "cannot compile $helper"
done

if [ "$files" -gt 0 ]; then
        many_bricks wide 16 "$files"
        start_gbackupd
        peaks "full list of $files files, 16 bricks" "$CLI" -q full "$HOST" wide --out-file="$T/list"
        echo "# $(wc -l <"$T/list") paths"
        [ "$(wc -l <"$T/list")" -ge "$files" ] || problem "paths are missing"
        stop_gbackupd
        gv stop wide force
        gv delete wide
        rm -rf "$T"/bricks/*
fi

for gfids in $all_gfids; do
        [ "$gfids" -gt 0 ] || continue
        many_bricks one 1 "$gfids"
        start_gbackupd
        for s in plenty spilling; do
                "$CLI" -q register $s "$HOST" one >"$T/out" 2>"$T/err" || problem "register: $(cat "$T/err")"
        done
        sleep 16
        for s in plenty spilling; do "$CLI" -q $s --out-file="$T/first" || problem "the first run fails"; done
        stop_gbackupd
        gv stop one force
        since=$(date +%s)
        "$T/brickmaker" change -v one "$gfids" 0 "$gfids" 0 "$gfids" 0 0 "$(brick_path one 0)" >"$T/truth" ||
                gb_die "cannot change the brick"
        gv start one
        wait_for 60 brick_is_up one 0 || gb_die "one: the brick does not start"
        # The same data beside 16 MiB as ten million gfids beside 256 MiB are some 600,000.
        for s in plenty spilling; do
                [ $s = plenty ] && memory=4G || memory=$little
                start_gbackupd
                # A prepared list may be prepared again.
                peaks "$gfids gfids, memory_limit $memory" "$CLI" -q prepare $s --out-file="$T/$s"
                stop_gbackupd
        done
        "$T/measure" run "$T/times" "bare loop" 0 "$T/out" "$T/barechanges" $((since - 1)) "$(brick_path one 0)" ||
                problem "bare loop"
        tail -n 1 "$T/times" | awk '{ printf "bare loop: %.2f s, CPU %.2f s\n", $(NF - 3), $(NF - 2) }'
        cmp -s "$T/plenty" "$T/spilling" || problem "lists differ"
        echo "# $(wc -l <"$T/spilling") paths"
        start_gbackupd
        for s in plenty spilling; do "$CLI" -q unregister $s || problem "unregister $s"; done
        stop_gbackupd
        gv stop one force
        gv delete one
        rm -rf "$T"/bricks/* "$T"/plenty "$T"/spilling "$T/first" "$T/truth"
done

# The last one, because glusterd takes minutes to stop so many bricks; they end with the box.
if [ "$streams" -gt 0 ]; then
        many_bricks streams "$streams" $((streams * 500))
        start_gbackupd
        peaks "full list of $streams bricks" "$CLI" -q full "$HOST" streams --out-file="$T/list"
        echo "# $(wc -l <"$T/list") paths"
        [ "$(wc -l <"$T/list")" -ge $((streams * 500)) ] || problem "paths are missing"
fi
exit "$failed"
