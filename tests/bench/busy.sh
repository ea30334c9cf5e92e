#!/bin/bash
# busy.sh - what a list takes from users: a small-file load on the mount, alone and beside full lists one after the other,
# in turns; with `nice` as it is by default and with 0.  A 2x2 volume whose bricks are in memory, so it is about CPU time.
# Needs root and GlusterFS.
#
# GB_BUILD            build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES      files of the volume (100000)
# GB_BENCH_LOAD       small files of one load (300)
# GB_BENCH_ROUNDS     pairs (9)

GB_TESTNAME=busy
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/node.sh
. "$here/../integration/node.sh"

files=${GB_BENCH_FILES:-100000} load=${GB_BENCH_LOAD:-300} rounds=${GB_BENCH_ROUNDS:-9} nice=10
failed=0
problem() {
        echo "busy: $1" >&2
        failed=1
}
trap 'stop_gbackupd' EXIT
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\nstate_dir = %s\nnice = %s\n' "$GBACKUP_SOCKET" "$T/state" "$nice"
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
lists() {
        while [ -e "$T/go" ]; do
                "$CLI" -q full "$HOST" busy --out-file="$T/list" && echo list >>"$T/lists"
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
for nice in 10 0; do
        start_gbackupd
        for ((i = 0; i < rounds; i++)); do
                small_files >>"$T/alone-$nice"
                touch "$T/go"
                lists &
                small_files >>"$T/beside-$nice"
                rm "$T/go"
                wait $!
        done
        stop_gbackupd
        paste "$T/alone-$nice" "$T/beside-$nice" | awk '{ print $2 / $1 }' | sort -n |
                awk -v nice="$nice" -v lists="$(wc -l <"$T/lists")" '{ r[NR] = $1 }
                        END { printf "nice %d: load beside lists %.2f of the time alone (median of %d pairs, %.2f to %.2f)\n",
                                nice, r[int((NR + 1) / 2)], NR, r[1], r[NR] }'
done
[ "$(wc -l <"$T/lists")" -gt "$rounds" ] || problem "there were hardly any lists"
exit "$failed"
