#!/bin/bash
# What stands beside a list (FILE.manifest), and verify, which looks for what a list lacks.
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

all_healed() {
        gluster --mode=script volume heal "$1" >/dev/null 2>&1
        gluster --mode=script volume heal "$1" info >"$T/heal.out" 2>&1 && ! grep -q '^Number of entries: [^0]' "$T/heal.out"
}
# verify STATUS SESSION LIST: the last line is the count.  missed PATHS: the lines before it.
verify() { run_cli "$1" verify "$2" "$3" && tail -n 1 "$OUT" | piped -E '^[0-9]+ missed of [0-9]+ changed; [0-9]+ over-listed of [0-9]+ listed \([0-9.]+ %\)$' ||
        problem "no count: $(tail -n 1 "$OUT")"; }
missed() { is "$(grep -a '^missed ' "$OUT" | sort | paste -sd ';')" "$1" "missed"; }

it "verify finds nothing missed in lists of a session"
make_volume w 2x2
mount_volume w
mkdir -p "$M/d/sub" "$M/old"
for f in a b c gone d/e d/f d/sub/g old/1 old/2 linked; do echo "$f" >"$M/$f"; done
ln "$M/linked" "$M/second name"
for s in start w c p; do run_cli 0 register $s "$HOST" w; done
run_cli 0 start --format=jsonl --out-file="$L/start.jsonl"
for i in 1 2; do
        for s in w c p; do run_cli 0 $s --out-file="$L/$s"; done
        settle w
done
sleep 4
for s in w c p; do run_cli 0 $s --out-file="$L/$s"; done
sleep 4
echo 1 >>"$M/a"
chmod 600 "$M/d/e"
mkdir "$M/new" && echo x >"$M/new/x"
mv "$M/old" "$M/renamed" && echo 2 >>"$M/renamed/1"
mv "$M/b" "$M/d/b"
rm "$M/gone" "$M/second name"
printf 'x' >"$M/new/"$'line\nbreak'
sleep 4
run_cli 0 w --format=jsonl --out-file="$L/w.jsonl"
run_cli 0 c --format=changes --out-file="$L/c.changes"
run_cli 5 p --prefix=/backup --out-file="$L/p.paths"
for list in start/start.jsonl w/w.jsonl; do
        verify 0 "${list%/*}" "$L/${list#*/}"
        missed ""
done
is "$(sed -E 's/.* missed of ([0-9]+) changed.*/\1/' "$OUT")" 7 "changed"

it "verify without gfids: only the other name of a removed link cannot be told"
for list in c/c.changes p/p.paths; do
        verify 1 "${list%/*}" "$L/${list#*/}"
        missed "missed linked"
done

it "verify finds lines that were removed from a list, and says that it was changed"
grep -vE '"path":"(d/e|new/x)"' "$L/w.jsonl" >"$L/cut.jsonl"
cp "$L/w.jsonl.manifest" "$L/cut.jsonl.manifest"
verify 1 w "$L/cut.jsonl"
missed "missed d/e;missed new/x"
grep -q 'not as it was written' "$ERR" || problem "says nothing of the change: $(cat "$ERR")"
run_cli 1 verify w "$L/cut.jsonl" --json
is "$(field "$OUT" missed_paths)" '["d/e", "new/x"]' "missed_paths"
is "$(field "$OUT" intact)" false "intact"
grep -v '^/backup/d/e$' "$L/p.paths" >"$L/cut.paths"
cp "$L/p.paths.manifest" "$L/cut.paths.manifest"
cp "$L/p.paths.skipped" "$L/cut.paths.skipped"
verify 1 p "$L/cut.paths"
missed "missed d/e;missed linked"

it "verify tells what is listed for nothing"
python3 - "$L/w.jsonl" "$L/more.jsonl" <<'END'
import sys
lines = open(sys.argv[1]).readlines()
lines[1:1] = ['{"op":"MODIFY","path":"d/f","type":"f","data":true,"meta":true,"xattr":false}\n',
              '{"op":"MODIFY","path":"no/such","type":"f","data":true,"meta":true,"xattr":false}\n']
open(sys.argv[2], "w").writelines(lines)
END
cp "$L/w.jsonl.manifest" "$L/more.jsonl.manifest"
run_cli 0 verify w "$L/w.jsonl" --json
over=$(field "$OUT" over_listed)
run_cli 0 verify w "$L/more.jsonl" --json
is "$(field "$OUT" over_listed)" $((over + 1)) "over-listed"

it "what changes after a list was made is not held against it"
echo 3 >>"$M/a"
mv "$M/d" "$M/elsewhere"
rm "$M/new/x" "$M/new/"$'line\nbreak' # the slice before the cut is read again, and paths could not say it
echo later >"$M/later"
verify 0 w "$L/w.jsonl"
missed ""

it "an unrecorded change is what verify finds without --sweep, and does not find with it"
mkdir "$M/swept"
for i in 1 2 3; do echo $i >"$M/swept/$i"; done
for i in 1 2; do
        run_cli 0 w --out-file="$L/list"
        run_cli 0 c --out-file="$L/list"
        settle w
        sleep 4
done
fallocate -l 100k "$M/swept/2"
sleep 4
run_cli 0 w --format=jsonl --out-file="$L/w.jsonl"
run_cli 0 c --sweep --format=changes --out-file="$L/c.changes"
verify 1 w "$L/w.jsonl"
missed "missed swept/2"
verify 0 c "$L/c.changes"

it "a directory is missed for what it is itself, not for the names in it"
mkdir "$M/mode" "$M/names" "$M/both"
setfattr -n user.k -v 1 "$M/swept"
for i in 1 2; do
        run_cli 0 w --out-file="$L/list"
        settle w
        sleep 4
done
chmod 700 "$M/mode"
setfattr -x user.k "$M/swept"
touch "$M/names/brief" && rm "$M/names/brief"
mkdir "$M/names/none" "$M/both/none"
rmdir "$M/both" 2>/dev/null && problem "testbed: a full directory was removed"
rmdir "$M/names/none" "$M/both/none"
chmod 711 "$M/both"
touch -d @1000000000 "$M/both"
sleep 4
run_cli 0 w --format=jsonl --out-file="$L/dirs.jsonl"
verify 0 w "$L/dirs.jsonl"
missed ""
grep -vE '"path":"(mode|swept|both)"' "$L/dirs.jsonl" >"$L/cut.jsonl"
cp "$L/dirs.jsonl.manifest" "$L/cut.jsonl.manifest"
verify 1 w "$L/cut.jsonl"
missed "missed both;missed mode;missed swept"

it "what a heal changed on bricks is not missed, what users changed is"
make_volume h rep2
mount_volume h
mkdir "$M/d"
for i in 1 2 3 4 5 6; do echo $i >"$M/d/$i"; done
echo 1 >"$M/really"
run_cli 0 register h "$HOST" h
run_cli 0 h --out-file="$L/list"
kill_brick h 0
for i in 1 2 3; do echo more >>"$M/d/$i"; done
chmod 600 "$M/d/4"
chmod 700 "$M/d"
echo new >"$M/new"
run_cli 0 h --out-file="$L/list"
settle h
run_cli 0 h --out-file="$L/list"
sleep 3
restart_brick h 0
wait_for 60 all_healed h || gb_die "h is not healed"
echo 2 >>"$M/really"
sleep 4
run_cli 0 h --format=jsonl --out-file="$L/h.jsonl"
grep -vE '"path":"(d|d/[1-4]|new)"' "$L/h.jsonl" >"$L/healed.jsonl" # what the heal made listed once more
cp "$L/h.jsonl.manifest" "$L/healed.jsonl.manifest"
verify 0 h "$L/healed.jsonl"
missed ""
run_cli 0 verify h "$L/healed.jsonl" --json
[ "$(field "$OUT" healed)" -ge 4 ] || problem "healed: $(field "$OUT" healed)"
grep -v '"path":"really"' "$L/healed.jsonl" >"$L/cut.jsonl"
cp "$L/h.jsonl.manifest" "$L/cut.jsonl.manifest"
verify 1 h "$L/cut.jsonl"
missed "missed really"

it "verify says in one line what it cannot work with"
fails 1 "manifest" verify w "$T/nothing"
cp "$L/w.jsonl.manifest" "$L/garbage.manifest"
echo '{"op":"NEW"' >"$L/garbage"
fails 1 "garbage: line 1" verify w "$L/garbage"
echo '{}' >"$L/garbage.manifest"
fails 1 "manifest" verify w "$L/garbage"
fails 64 "another volume" verify s "$L/w.jsonl"
