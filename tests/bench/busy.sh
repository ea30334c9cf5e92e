#!/bin/bash
# busy.sh - what a list takes from users: a small-file load on the mount, alone and beside full lists one after the other,
# in turns; at the default settings, with another `nice`, with a `scan_rate`.  And the floor: beside shells of the idle
# class, one for each CPU, that only count: what a virtual machine takes for CPUs that are not idle, whoever uses them.
# A 2x2 volume whose bricks are in memory, so it is about CPU time.  Needs root and GlusterFS.
#
# GB_BUILD            build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES      files of the volume (100000)
# GB_BENCH_LOAD       small files of one load (300)
# GB_BENCH_ROUNDS     pairs (9)

GB_TESTNAME=busy
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/node.sh
. "$here/../integration/node.sh"

files=${GB_BENCH_FILES:-100000} load=${GB_BENCH_LOAD:-300} rounds=${GB_BENCH_ROUNDS:-9}
failed=0
problem() {
        echo "busy: $1" >&2
        failed=1
}
trap 'stop_gbackupd' EXIT
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\nstate_dir = %s\n%s\n' "$GBACKUP_SOCKET" "$T/state" "$setting"
}
# Seconds to create, write, read, stat and delete small files.
small_files() {
        python3 - "$M/load" "$load" <<'END'
import os, sys, time
folder, n = sys.argv[1], int(sys.argv[2])
os.makedirs(folder, exist_ok=True)
begin = time.monotonic()
for i in range(n):
    path = f"{folder}/{i}"
    with open(path, "wb") as f:
        f.write(b"x" * 4096)
    with open(path, "rb") as f:
        f.read()
    os.stat(path)
    os.unlink(path)
print(f"{time.monotonic() - begin:.3f}")
END
}
# While $T/go is there:
lists() {
        while [ -e "$T/go" ]; do
                "$CLI" -q full "$HOST" busy --out-file="$T/list" && echo list >>"$T/lists"
        done
}

count() {
        local i
        for ((i = $(nproc); i > 1; i--)); do count_on & done
        count_on
        wait
}
count_on() {
        # shellcheck disable=SC2016 # that shell's
        chrt -i 0 sh -c 'while [ -e "$1" ]; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; done' - "$T/go"
}
# compare WHAT NAME: pairs of the load alone and beside WHAT; their ratios go to $T/ratios, with the name.
compare() {
        local i alone beside
        for ((i = 0; i < 2; i++)); do
                alone=$(small_files)
                touch "$T/go"
                "$1" &
                beside=$(small_files)
                rm "$T/go"
                wait $!
                printf '%s\t%s\n' "$(awk "BEGIN { print $beside / $alone }")" "$2" >>"$T/ratios"
        done
}

start_node
export GBACKUP_CLI_STATE=$T/state/cli
mkdir -p "$T/state" "$T/bricks"
mount -t tmpfs -o size=50%,nr_inodes=0 tmpfs "$T/bricks" || gb_die "no tmpfs"
${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -pthread -o "$T/brickmaker" "$here/brickmaker.c" -lxxhash || gb_die "cannot compile brickmaker"
make_volume busy 2x2
gv stop busy force
paths=()
for i in 0 1 2 3; do paths+=("$(brick_path busy $i)"); done
"$T/brickmaker" fill -v busy -r 2 "$files" "${paths[@]}" || gb_die "cannot fill the bricks"
gv start busy
for i in 0 1 2 3; do wait_for 60 brick_is_up busy $i || gb_die "brick $i does not start"; done
mount_volume busy
settings=("" "nice = 0" "scan_rate = 50000")
for ((round = 0; round < (rounds + 1) / 2; round++)); do
        for setting in "${settings[@]}"; do
                start_gbackupd
                compare lists "lists${setting:+, }$setting"
                stop_gbackupd
        done
        compare count "counting shells of the idle class"
done
while read -r name; do
        grep -P "\t$name\$" "$T/ratios" | sort -n | awk -v name="$name" '{ r[NR] = $1 }
                END { printf "beside %s: %.2f of the time alone (median of %d pairs, %.2f to %.2f)\n", name, r[int((NR + 1) / 2)], NR, r[1], r[NR] }'
done < <(cut -f 2 "$T/ratios" | awk '!seen[$0]++')
[ "$(wc -l <"$T/lists")" -gt "$rounds" ] || problem "there were hardly any lists"
exit "$failed"
