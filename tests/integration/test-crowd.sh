#!/bin/bash
# One directory with very many names (--long: 100,000), renamed, thinned out and removed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

N=2000
[ -z "${GB_LONG:-}" ] || N=100000
make_volume v 2x2
mount_volume v
start_gbackupd
L=$T/lists
mkdir "$L" "$M/big"
# crowd FROM TO: two at a time, as a mount serves more than one.
crowd() { python3 -c 'import os, sys
for i in range(int(sys.argv[2]), int(sys.argv[3]), 2): os.mknod(f"{sys.argv[1]}/{i:06}", 0o100644)' "$M/big" "$1" "$2"; }
crowd 0 $N &
crowd 1 $N
wait $!

it "a full list has each name"
run_cli 0 register p "$HOST" v
run_cli 0 register j "$HOST" v
run_cli 0 p -0 --out-file="$L/full"
run_cli 0 j --format=jsonl --out-file="$L/list"
found "$M" >"$T/want"
same "$L/full" "$T/want" "list"
for i in 1 2; do
        settle v
        for s in p j; do run_cli 0 $s --out-file="$L/list"; done
done

it "renamed: one line that says so, or all names"
mv "$M/big" "$M/large"
run_cli 0 j --format=jsonl --out-file="$L/list" && listed "$L/list" "jsonl" <<<"RENAME big large"
run_cli 0 p -0 --out-file="$L/paths"
found "$M" >"$T/want"
same "$L/paths" "$T/want" "paths"

it "every second name removed, others changed, and renamed once more"
for i in 1 2; do
        settle v
        for s in p j; do run_cli 0 $s --out-file="$L/list"; done
done
python3 -c 'import os, sys
for i in range(0, int(sys.argv[2]), 2): os.unlink(f"{sys.argv[1]}/{i:06}")
for i in range(1, int(sys.argv[2]), 20): os.chmod(f"{sys.argv[1]}/{i:06}", 0o600)' "$M/large" $N
mv "$M/large" "$M/half"
{
        echo "RENAME large half"
        seq -f "DELETE large/%06.0f" 0 2 $((N - 1))
        seq -f "MODIFY half/%06.0f" 1 20 $((N - 1))
} | sort >"$T/want"
run_cli 0 j --format=jsonl --out-file="$L/list"
python3 "$LISTS" "$L/list" --all | sort >"$T/got"
same "$T/got" "$T/want" "jsonl"
run_cli 0 p -0 --out-file="$L/paths"
found "$M" >"$T/want"
same "$L/paths" "$T/want" "paths"

it "removed as a whole"
rm -r "$M/half"
run_cli 0 j --format=jsonl --out-file="$L/list"
is "$(python3 "$LISTS" "$L/list" --all | grep -c '^DELETE half')" $((N / 2 + 1)) "DELETE lines"
run_cli 0 p -0 --out-file="$L/paths"
is "$(stat -c %s "$L/paths")" 0 "bytes of paths"
