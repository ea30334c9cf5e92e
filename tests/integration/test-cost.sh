#!/bin/bash
# What the paths of the data cost, counted: system calls and instructions for each entry.  No clock is looked at, so a
# busy machine changes nothing; a bound is what was counted when it was written, and a margin.  Needs root, for
# trusted xattrs, and no GlusterFS.
set -u -o pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
GB_BUILD=${GB_BUILD:-$top/build}
failed=0 files=5000

skip() {
        echo "SKIP cost: $1"
        exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for command in strace valgrind gcc; do
        command -v $command >/dev/null || skip "$command is not installed"
done
! grep -qs -- '-fsanitize' "$GB_BUILD/agent/Makefile" || skip "built with sanitizers"
T=$(mktemp -d "${TMPDIR:-/tmp}/gb.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
setfattr -n trusted.gbtest -v 1 "$T" 2>/dev/null || skip "no trusted xattrs in $T"

# compile NAME LIBRARY...
compile() {
        local name=$1
        shift
        gcc -std=gnu17 -D_GNU_SOURCE -O2 -pthread -I"$GB_BUILD" -I"$top/rpc" -I"$top/agent" -I"$top/cli" \
                -o "$T/$name" "$top/tests/bench/$name.c" "$@" || {
                echo "FAIL cost: cannot compile $name"
                exit 1
        }
}
base=$GB_BUILD/rpc/libgbbase.a
compile brickmaker -lxxhash
compile walk "$GB_BUILD/agent/libgbagent.a" "$base" -lxml2 -lxxhash
compile slices "$GB_BUILD/agent/libgbagent.a" "$base" -lxml2 -lxxhash
compile merge "$GB_BUILD/cli/libgbcli.a" "$base" -lcrypto

# at_most WHAT COUNT UNITS BOUND: COUNT for each of UNITS, with two digits.
at_most() {
        local each
        each=$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", a / b }')
        if [ "$2" -gt 0 ] && awk -v a="$each" -v b="$4" 'BEGIN { exit !(a <= b) }'; then
                echo "PASS cost: $1: $each, at most $4"
        else
                echo "FAIL cost: $1: $each, at most $4"
                failed=1
        fi
}
system_calls() {
        strace -f -qq -o "$T/trace" "$@" >"$T/out" 2>"$T/err" || cat "$T/err" >&2
        grep -c '^[0-9]* *[a-z_0-9]*(' "$T/trace"
}
instructions() {
        valgrind --tool=callgrind --callgrind-out-file="$T/callgrind" "$@" >"$T/out" 2>"$T/err" || cat "$T/err" >&2
        sed -n 's/^totals: //p' "$T/callgrind"
}
# The same for nothing: what starting costs.
beyond() {
        echo $(($1 - $2))
}

mkdir "$T/brick" "$T/empty" "$T/lanes" "$T/few" "$T/records"
"$T/brickmaker" fill $files "$T/brick"
"$T/brickmaker" fill 0 "$T/empty"
"$T/brickmaker" fill $files "$T/records"
"$T/brickmaker" change $files 0 $files 1000 1000 1000 1000 "$T/records" >"$T/out"
"$T/merge" make "$T/lanes" 16 2000
"$T/merge" make "$T/few" 16 0
slice=("$T"/records/.glusterfs/changelogs/*/*/*/CHANGELOG.*)

# 50 directories of 100 files.
at_most "system calls a name" \
        "$(beyond "$(system_calls "$T/walk" -c "$T/brick")" "$(system_calls "$T/walk" -c "$T/empty")")" $files 0.07
at_most "system calls a name that may be a linkto file" \
        "$(beyond "$(system_calls "$T/walk" -c -l "$T/brick")" "$(system_calls "$T/walk" -c -l "$T/empty")")" $files 1.07
at_most "instructions a name" \
        "$(beyond "$(instructions "$T/walk" -c "$T/brick")" "$(instructions "$T/walk" -c "$T/empty")")" $files 570
at_most "instructions a name that may be a linkto file" \
        "$(beyond "$(instructions "$T/walk" -c -l "$T/brick")" "$(instructions "$T/walk" -c -l "$T/empty")")" $files 690
at_most "instructions a merged path of 16 lanes" \
        "$(beyond "$(instructions "$T/merge" run "$T/list" "$T/lanes" 16)" "$(instructions "$T/merge" run "$T/list" "$T/few" 16)")" \
        32000 480
at_most "instructions a record" \
        "$(beyond "$(instructions "$T/slices" -n 5 "${slice[@]}")" "$(instructions "$T/slices" -n 1 "${slice[@]}")")" 20000 910
at_most "system calls a slice" \
        "$(beyond "$(system_calls "$T/slices" -n 5 "${slice[@]}")" "$(system_calls "$T/slices" -n 1 "${slice[@]}")")" $((4 * ${#slice[@]})) 8
exit $failed
