#!/bin/bash
# What GlusterFS does not record is in a list with --sweep, and only there.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir "$M/d" "$T/lists"
echo b >"$M/b"
L=$T/lists
run_cli 0 register s "$HOST" v
run_cli 0 s --out-file="$L/list"

it "fallocate, punched holes and zeroed ranges are seen by --sweep, and not without it"
dd if=/dev/urandom of="$M/d/hole" bs=64k count=4 status=none
dd if=/dev/urandom of="$M/d/zero" bs=64k count=4 status=none
dd if=/dev/urandom of="$M/moved" bs=64k count=4 status=none
run_cli 0 register sweep "$HOST" v
run_cli 0 sweep --sweep --out-file="$L/list"
for i in 1 2; do # what the window before told of would be told of again when it is renamed
        settle v
        run_cli 0 sweep --out-file="$L/list"
        run_cli 0 s --out-file="$L/list"
done
sleep 3
fallocate -l 1M "$M/b"
fallocate -p -o 65536 -l 65536 "$M/d/hole"
fallocate -z -o 65536 -l 65536 "$M/d/zero" || skip "no zero range through this mount"
fallocate -p -l 65536 "$M/moved"
mv "$M/moved" "$M/d/moved"
run_cli 0 s --format=jsonl --out-file="$L/without.jsonl" && listed "$L/without.jsonl" "without --sweep" <<<"RENAME moved d/moved"
run_cli 0 sweep --sweep --format=jsonl --out-file="$L/with.jsonl" && listed "$L/with.jsonl" "with --sweep" <<'END'
MODIFY b
MODIFY d/hole
RENAME moved d/moved
MODIFY d/moved
MODIFY d/zero
END

it "a sweep goes back one more window below a folder that was renamed"
mkdir "$M/e" && cp "$M/d/hole" "$M/e/hole"
settle v
run_cli 0 sweep --out-file="$L/list"
sleep 3
fallocate -p -o 131072 -l 65536 "$M/e/hole"
run_cli 0 sweep --sweep --format=jsonl --out-file="$L/one.jsonl" && in_list "$L/one.jsonl" "MODIFY e/hole" || problem "no line of e/hole"
sleep 5
mv "$M/e" "$M/f"
run_cli 0 sweep --sweep --format=jsonl --out-file="$L/two.jsonl" && listed "$L/two.jsonl" "after the rename" <<'END'
RENAME e f
MODIFY f/hole
END

it "inc --sweep"
sleep 3
start=$(date +%s)
fallocate -p -o 0 -l 65536 "$M/d/hole"
sleep 1
end=$(date +%s)
wait_rollover v && sleep 3
run_cli 0 inc "$HOST" v "$start" "$end" --sweep --format=jsonl --out-file="$L/inc.jsonl" &&
        in_list "$L/inc.jsonl" "MODIFY d/hole" || problem "no line of d/hole"

it "a sweep finds the files of changed shards, on any brick"
make_volume sh shard
mount_volume sh
for i in 1 2 3 4 5 6; do dd if=/dev/urandom of="$M/big-$i" bs=1M count=9 status=none; done
run_cli 0 register sh "$HOST" sh
run_cli 0 sh --out-file="$L/list"
settle sh
run_cli 0 sh --out-file="$L/list"
sleep 3
for i in 2 3 5; do fallocate -p -o 5M -l 64k "$M/big-$i"; done
run_cli 0 sh --sweep --format=jsonl --out-file="$L/shards.jsonl" && listed "$L/shards.jsonl" "list" <<'END'
MODIFY big-2
MODIFY big-3
MODIFY big-5
END
