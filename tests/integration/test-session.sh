#!/bin/bash
# A session: first full, then exactly what changed, in every format; two-phase runs; its life and its end.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir -p "$M/d/sub" "$M/old dir/in" "$M/gone/deep"
for f in keep write chmod delete rename d/moved "old dir/in/a" "old dir/b" gone/1 gone/deep/2 over target linked d/two; do
        echo "$f" >"$M/$f"
done
ln "$M/d/two" "$M/d/names"

it "register switches changelog on and prints nothing on stdout"
run_cli 0 register j "$HOST" v
is "$(wc -c <"$OUT")" 0 "bytes on stdout"
gluster --mode=script volume get v changelog.changelog 2>&1 | piped ' on' || problem "changelog is off"
run_cli 0 register c "$HOST" v
run_cli 0 register p "$HOST" v

it "the first run of each session is full"
found "$M" >"$T/want"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl"
ok "list" python3 "$LISTS" "$T/j.jsonl"
is "$(head -n 1 "$T/j.jsonl" | python3 -c 'import json, sys; o = json.load(sys.stdin); print(o["kind"], o["volume"], o["session"])')" \
        "full v j" "header"
is "$(($(wc -l <"$T/j.jsonl") - 2))" "$(tr -dc '\0' <"$T/want" | wc -c)" "entries"
run_cli 0 c --format=changes --out-file="$T/c.changes"
run_cli 0 p -0 --out-file="$T/p.list" && same "$T/p.list" "$T/want" "list"

it "nothing changed: an empty list, complete"
settle v
run_cli 0 j --out-file="$T/settled.list"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list" </dev/null
is "$(head -n 1 "$T/j.jsonl" | python3 -c 'import json, sys; print(json.load(sys.stdin)["kind"])')" incremental "kind"

it "reading changes nothing"
cat "$M/keep" "$M/write" >/dev/null
ls -lR "$M" >/dev/null
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list" </dev/null

work() {
        echo new >"$M/new"
        mkdir "$M/newdir"
        echo x >"$M/newdir/file"
        echo more >>"$M/write"
        chmod 600 "$M/chmod"
        rm "$M/delete"
        rm -r "$M/gone"
        mv "$M/rename" "$M/renamed"
        mv "$M/d/moved" "$M/d/sub/moved"
        mv "$M/old dir" "$M/new dir"
        mv "$M/over" "$M/target"
        echo brief >"$M/brief" && rm "$M/brief"
        ln "$M/linked" "$M/d/link"
        echo y >>"$M/d/two"
        ln -s nowhere "$M/sym"
}
work

it "jsonl: NEW, MODIFY, DELETE and RENAME, each once"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list" <<'END'
MODIFY chmod
NEW d/link
MODIFY d/names
RENAME d/moved d/sub/moved
MODIFY d/two
DELETE delete
DELETE gone
DELETE gone/1
DELETE gone/deep
DELETE gone/deep/2
NEW new
RENAME old%20dir new%20dir
NEW newdir
NEW newdir/file
RENAME rename renamed
NEW sym
RENAME over target
MODIFY write
END

it "changes: the same in glusterfind's words; another session has its own past"
run_cli 0 c --format=changes --out-file="$T/c.changes"
python3 "$LISTS" "$T/j.jsonl" --all >"$T/want.changes" && same "$T/c.changes" "$T/want.changes" "list"

it "paths: what has to be read now, with everything below a renamed folder"
run_cli 0 p --out-file="$T/p.list"
# Of folders only the new ones need to be there.
grep -vxE 'd|d/sub|' "$T/p.list" >"$T/p.files"
cat >"$T/want.list" <<'END'
chmod
d/link
d/names
d/sub/moved
d/two
new
new dir
new dir/b
new dir/in
new dir/in/a
newdir
newdir/file
renamed
sym
target
write
END
same "$T/p.files" "$T/want.list" "list"

# fresh: nothing but what comes now is in the next list.
fresh() {
        settle v
        run_cli 0 j -0 --out-file="$T/settled.list"
}

it "there and back: no line but maybe a DELETE of the name in between"
fresh
mv "$M/keep" "$M/there" && mv "$M/there" "$M/keep"
mv "$M/d/sub" "$M/sub there" && mv "$M/sub there" "$M/d/sub"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl"
is "$(python3 "$LISTS" "$T/j.jsonl" | grep -vxE 'DELETE (there|sub%20there)')" "" "other lines"

it "hard links: a new name is NEW, a lost one DELETE, a moved one RENAME, a write MODIFY at all of them"
fresh
echo z >>"$M/linked"
mv "$M/d/link" "$M/d/fourth"
rm "$M/d/names"
ln "$M/write" "$M/third"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list" <<'END'
RENAME d/link d/fourth
MODIFY d/fourth
DELETE d/names
MODIFY linked
NEW third
END

it "changes of folders themselves are listed"
chmod 700 "$M/d/sub"
setfattr -n user.note -v 1 "$M/newdir"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl"
for line in "MODIFY d/sub" "MODIFY newdir"; do
        in_list "$T/j.jsonl" "$line" || problem "no line '$line'"
done

it "names made to break a list, in an incremental one"
fresh
mkdir "$M/hostile"
python3 "$GB_HERE/hostile.py" "$M/hostile"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl"
ok "list" python3 "$LISTS" "$T/j.jsonl"
python3 "$LISTS" "$T/j.jsonl" | sort >"$T/got.names"
find "$M/hostile" -printf 'hostile/%P\0' | python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import lists
names = sys.stdin.buffer.read().split(b"\0")[:-1]
print("\n".join(sorted("NEW " + lists.escape(n.rstrip(b"/") if n == b"hostile/" else n) for n in names)))
' "$GB_HERE/../replay" | sort >"$T/want.names"
same "$T/got.names" "$T/want.names" "list"
fresh
rm -rf "$M/hostile"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl"
ok "list" python3 "$LISTS" "$T/j.jsonl"
python3 "$LISTS" "$T/j.jsonl" | sort | sed 's/^DELETE /NEW /' >"$T/got.names"
same "$T/got.names" "$T/want.names" "deletes"

it "an abort forgets the run: the next one lists it again"
fresh
echo 1 >"$M/prepared"
run_cli 0 prepare j --format=jsonl --out-file="$T/one.jsonl" && listed "$T/one.jsonl" "prepared list" <<<"NEW prepared"
run_cli 0 abort j
echo 2 >"$M/prepared-2"
settle v
run_cli 0 prepare j --format=jsonl --out-file="$T/two.jsonl" && listed "$T/two.jsonl" "list after abort" <<'END'
NEW prepared
NEW prepared-2
END

it "a commit makes it the past; a second one changes nothing"
run_cli 0 commit j
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list after commit" </dev/null

it "a prepared list survives a killed gbackupd"
echo 3 >"$M/prepared-3"
settle v
run_cli 0 prepare j --format=jsonl --out-file="$T/one.jsonl" && listed "$T/one.jsonl" "prepared list" <<<"NEW prepared-3"
kill -KILL "$gb_agent_pid"
wait "$gb_agent_pid" 2>/dev/null
gb_agent_pid=
start_gbackupd
run_cli 0 commit j
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list after commit" </dev/null

it "an abort after the commit is refused or changes nothing"
timeout 60 "$CLI" abort j >"$OUT" 2>"$ERR"
run_cli 0 j --format=jsonl --out-file="$T/j.jsonl" && listed "$T/j.jsonl" "list" </dev/null

it "a run works with a volume that does not stop changing"
(for i in $(seq 300); do echo "$i" >"$M/busy-$i" && mv "$M/busy-$i" "$M/done-$i"; done) &
busy=$!
for i in 1 2 3; do
        run_cli 0 j --format=jsonl --out-file="$T/busy-$i.jsonl"
        ok "list $i" python3 "$LISTS" "$T/busy-$i.jsonl"
done
wait "$busy"
run_cli 0 j --format=jsonl --out-file="$T/busy-4.jsonl"
cat "$T"/busy-?.jsonl | grep -o '"done-[0-9]*"' | sort -u | wc -l >"$T/count"
is "$(cat "$T/count")" 300 "files listed in one of the runs"

it "sessions and show tell what there is"
run_cli 0 sessions
for s in j c p; do grep -qw "$s" "$OUT" || problem "sessions does not list $s"; done
run_cli 0 show j
grep -qw v "$OUT" || problem "show j does not name the volume"
run_cli 0 show j --json
ok "show --json" python3 -m json.tool "$OUT"

it "register twice is refused"
fails 1 "j" register j "$HOST" v

it "unregister ends it"
run_cli 0 unregister c
run_cli 0 sessions
! grep -qw c "$OUT" || problem "sessions still lists c"
fails 1 "c" c --out-file="$T/gone.list"
