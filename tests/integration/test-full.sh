#!/bin/bash
# The full list of every kind of volume is what find(1) finds on the mount: no name more, none less, in path order.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

start_gbackupd
for type in dist3 rep2 2x2 rep3 arb disp shard; do
        vol=v$type
        make_volume "$vol" "$type"
        mount_volume "$vol"
        hostile_names "$M"
        for i in $(seq 40); do echo "$i" >"$M/file-$i"; done
        for i in $(seq 40); do mv "$M/file-$i" "$M/moved-$i"; done # most leave a linkto file behind
        [ "$type" != shard ] || dd if=/dev/zero of="$M/of-shards" bs=1M count=9 status=none
        found "$M" >"$T/want"

        it "$type: paths -0 is what find finds"
        run_cli 0 full "$HOST" "$vol" -0 --out-file="$T/full" && same "$T/full" "$T/want" "list"

        it "$type: jsonl keeps the promises of its format"
        run_cli 0 full "$HOST" "$vol" --format=jsonl --out-file="$T/full.jsonl" &&
                ok "list" python3 "$LISTS" "$T/full.jsonl"
        is "$(($(wc -l <"$T/full.jsonl") - 2))" "$(tr -dc '\0' <"$T/want" | wc -c)" "number of entries"
done

# From here on the 2x2 volume.
vol=v2x2 M=$T/mnt/v2x2
found "$M" >"$T/want"

it "HOST local needs no daemon"
stop_gbackupd
run_cli 0 full local "$vol" -0 --out-file="$T/local" && same "$T/local" "$T/want" "list"
start_gbackupd

it "- is stdout"
run_cli 0 full "$HOST" "$vol" -0 --out-file=- && same "$OUT" "$T/want" "list"

it "the default out-file is output.txt"
mkdir "$T/cwd"
(cd "$T/cwd" && "$CLI" full "$HOST" "$vol" --null) || problem "exit status $?"
same "$T/cwd/output.txt" "$T/want" "list"

it "names with a newline go to FILE.skipped, and the exit status says so"
run_cli 5 full "$HOST" "$vol" --out-file="$T/plain"
python3 - "$T/want" "$T/want.plain" "$T/want.skipped" <<'END'
import sys
names = open(sys.argv[1], "rb").read().split(b"\0")[:-1]
open(sys.argv[2], "wb").write(b"".join(n + b"\n" for n in names if b"\n" not in n))
open(sys.argv[3], "wb").write(b"".join(n + b"\0" for n in names if b"\n" in n))
END
same "$T/plain" "$T/want.plain" "list"
same "$T/plain.skipped" "$T/want.skipped" "skipped names"

it "--type and --prefix"
run_cli 0 full "$HOST" "$vol" -0 --type=l --prefix=/mnt/v --out-file="$T/links"
find "$M" -type l -printf '/mnt/v/%P\0' | sort -z >"$T/want.links"
same <(sort -z "$T/links") "$T/want.links" "list"

it "changes: one NEW each, in glusterfind's encoding"
run_cli 0 full "$HOST" "$vol" --format=changes --out-file="$T/full.changes"
sed -z 's/%/%25/g; s/ /%20/g; s/\n/%0A/g; s/^/NEW /' "$T/want" | tr '\0' '\n' >"$T/want.changes"
same "$T/full.changes" "$T/want.changes" "list"

it "an empty volume has an empty list"
make_volume void dist3
run_cli 0 full "$HOST" void --out-file="$T/void"
is "$(stat -c %s "$T/void" 2>&1)" 0 "size of the list"
