#!/bin/bash
# What stands beside a list (FILE.manifest), what only --sweep sees, and verify, which looks for what a list lacks.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

# field FILE PATH: a member of a JSON file, `bricks.0.used`.
field() {
        python3 - "$1" "$2" <<'END'
import json, sys
o = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    o = o[int(key)] if isinstance(o, list) else o[key]
print(json.dumps(o) if not isinstance(o, str) else o)
END
}
# belongs LIST: its manifest tells its size and SHA-256.
belongs() {
        is "$(field "$1.manifest" list.bytes)" "$(stat -c %s "$1")" "bytes of ${1##*/}"
        is "$(field "$1.manifest" list.sha256)" "$(sha256sum <"$1" | cut -d ' ' -f 1)" "sha256 of ${1##*/}"
        is "$(field "$1.manifest" list.name)" "${1##*/}" "name"
}
names_in() { find "$1" -mindepth 1 -printf '%f\n' | sort | paste -sd ' '; }

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir "$M/d" "$T/lists"
for f in a b c d/e d/f d/g; do echo "$f" >"$M/$f"; done
L=$T/lists

it "a list has a manifest that belongs to it"
run_cli 0 register s "$HOST" v
run_cli 0 s --out-file="$L/first"
is "$(names_in "$L")" "first first.manifest" "files"
is "$(stat -c %a "$L/first.manifest")" 600 "mode"
belongs "$L/first"
is "$(field "$L/first.manifest" kind)" full "kind"
is "$(field "$L/first.manifest" session)" s "session"
is "$(field "$L/first.manifest" base)" null "base"
is "$(field "$L/first.manifest" complete)" true "complete"
is "$(field "$L/first.manifest" counts.entries)" 7 "entries"
is "$(python3 -c '
import json, sys
print(sorted(b["used"] for b in json.load(open(sys.argv[1]))["bricks"]))' "$L/first.manifest")" \
        "['history', 'history', 'scan', 'scan']" "bricks used"

it "manifests of a session are a chain: generations, positions and windows follow each other"
echo 1 >>"$M/a"
run_cli 0 s --format=jsonl --prefix=/x --out-file="$L/second"
belongs "$L/second"
is "$(field "$L/second.manifest" kind)" incremental "kind"
is "$(field "$L/second.manifest" base)" "$(field "$L/first.manifest" generation)" "base"
is "$(field "$L/second.manifest" list.prefix)" /x "prefix"
for i in 0 1 2 3; do
        is "$(field "$L/second.manifest" bricks.$i.used)" history "brick $i used"
        is "$(field "$L/second.manifest" bricks.$i.cursor_before)" "$(field "$L/first.manifest" bricks.$i.cursor_after)" \
                "position of brick $i"
        [ "$(field "$L/second.manifest" bricks.$i.window_from)" -le "$(field "$L/second.manifest" bricks.$i.window_to)" ] ||
                problem "brick $i: its window ends before it begins"
done

it "--no-manifest leaves none, and takes an older one away"
run_cli 0 s --no-manifest --out-file="$L/second"
is "$(names_in "$L")" "first first.manifest second" "files"

it "no manifest beside standard output; full and inc have one"
(cd "$L" && run_cli 0 full "$HOST" v --out-file=-)
is "$(names_in "$L")" "first first.manifest second" "files"
run_cli 0 full "$HOST" v --format=changes --out-file="$L/full"
belongs "$L/full"
is "$(field "$L/full.manifest" bricks.0.window_from)" 0 "window of a full list"

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
