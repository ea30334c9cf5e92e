#!/bin/bash
# A part of a volume: --scope, --include, --exclude, --type.  What passes its border is NEW or DELETE, name by name.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
hostile_names "$M"
mkdir -p "$M/in/deep/cache" "$M/in/tree/sub" "$M/out/tree/sub" "$M/in/stay" "$M/top/scope"
for f in in/a in/b.tmp in/deep/cache/x in/deep/y in/tree/1 in/tree/sub/2 out/tree/3 out/tree/sub/4 out/c.txt in/stay/s in/stay/t.tmp \
        out/write in/gone top/scope/f; do
        echo "$f" >"$M/$f"
done
# like found, but only the paths that match, and not those that do not: chosen REGEX NOT-REGEX
chosen() { found "$M" | grep -zE "$1" | grep -zvE "$2"; }

it "full: --scope is what lies below"
chosen '^in/' '^$' >"$T/want"
run_cli 0 full "$HOST" v -0 --scope=/in/ --out-file="$T/list" && same "$T/list" "$T/want" "list"

it "full: --exclude takes whole trees, --include names what is left, excludes win"
chosen . '(^|/)(cache|[^/]*\.tmp)(/|$)' >"$T/want"
run_cli 0 full "$HOST" v -0 --exclude=cache --exclude='*.tmp' --out-file="$T/list" && same "$T/list" "$T/want" "excludes"
chosen '\.txt$|^in(/|$)' '\.tmp$|^in/deep' >"$T/want"
run_cli 0 full "$HOST" v -0 --exclude=/in/deep --include='*.txt' --exclude='*.tmp' --include=/in --out-file="$T/list"
same "$T/list" "$T/want" "includes and excludes"

it "what is no glob, or no scope, is refused"
fails 64 'is no glob' full "$HOST" v --exclude='a[b' --out-file="$T/out"
fails 64 'is no glob' full "$HOST" v --include='a/' --out-file="$T/out"
fails 64 'not the path' full "$HOST" v --scope=../x --out-file="$T/out"
fails 64 'no directory in it' full "$HOST" v --scope=nowhere --out-file="$T/out"
fails 64 'no directory in it' full "$HOST" v --scope=in/a --out-file="$T/out"
fails 64 'no directory in it' register no "$HOST" v --scope=nowhere
run_cli 0 sessions && ! grep -q '^no' "$OUT" || problem "the session was registered"

it "a session keeps its selection, and no run may have another"
run_cli 0 register part "$HOST" v --scope=in --exclude='*.tmp'
run_cli 0 register txt "$HOST" v --include='*.txt'
run_cli 0 register top "$HOST" v --scope=top/scope
run_cli 0 register files "$HOST" v --type=f
run_cli 0 register all "$HOST" v
chosen '^in/' '\.tmp$' >"$T/want"
run_cli 0 part -0 --out-file="$T/list" && same "$T/list" "$T/want" "first list"
run_cli 0 txt -0 --out-file="$T/list"
is "$(tr '\0' ' ' <"$T/list")" "out/c.txt " "first list of *.txt"
run_cli 0 top -0 --out-file="$T/list"
run_cli 0 files -0 --out-file="$T/list"
for option in --scope=in --exclude=x --include=y --type=f; do
        fails 64 'said when it is registered' part $option --out-file="$T/out"
done
fails 64 'said when it is registered' files --type=fd --out-file="$T/out"
run_cli 0 prepare files -0 --type=f --out-file="$T/list" # its own may be repeated
fails 64 'said when it is registered' all --type=l --out-file="$T/out"
run_cli 0 prepare all -0 --level=full --type=d --out-file="$T/list" # a full list builds on nothing
find "$M" -mindepth 1 -type d -printf '%P\n' | sort >"$T/want" # no name of a directory has a newline
same <(tr '\0' '\n' <"$T/list" | sort) "$T/want" "full list of directories"
run_cli 0 abort all
settle v
for s in part txt top files; do run_cli 0 $s -0 --out-file="$T/list"; done

mv "$M/out/tree" "$M/in/came"          # into the scope: NEW, each name
mv "$M/in/tree" "$M/out/went"          # out of it: DELETE, each name
mv "$M/in/stay" "$M/in/moved"          # within
mv "$M/in/a" "$M/in/a.tmp"             # to an excluded name
mv "$M/in/b.tmp" "$M/in/b"             # from one
mv "$M/out/c.txt" "$M/in/c.doc"
echo more >>"$M/out/write"
rm "$M/in/gone"
mv "$M/out" "$M/outer"
mv "$M/top" "$M/taken"

it "renames across the border of a scope, and to and from excluded names"
run_cli 0 prepare part --format=jsonl --out-file="$T/list.jsonl"
listed "$T/list.jsonl" "list" <<'END'
DELETE in/a
NEW in/b
NEW in/c.doc
NEW in/came
NEW in/came/3
NEW in/came/sub
NEW in/came/sub/4
DELETE in/gone
RENAME in/stay in/moved
DELETE in/tree
DELETE in/tree/1
DELETE in/tree/sub
DELETE in/tree/sub/2
END
run_cli 0 prepare part -0 --out-file="$T/list"
is "$(tr '\0' ' ' <"$T/list")" "in/b in/c.doc in/came in/came/3 in/came/sub in/came/sub/4 in/moved in/moved/s " "paths"
run_cli 0 verify part "$T/list"
run_cli 0 verify part "$T/list.jsonl"

it "an include: the directory moved, the file in it is told"
run_cli 0 prepare txt --format=jsonl --out-file="$T/list.jsonl"
in_list "$T/list.jsonl" 'DELETE out/c.txt' || problem "no DELETE out/c.txt: $(cat "$T/list.jsonl")"

it "the scope itself went away: all of it is a DELETE"
run_cli 0 prepare top --format=jsonl --out-file="$T/list.jsonl"
listed "$T/list.jsonl" "list" <<'END'
DELETE top/scope
DELETE top/scope/f
END

it "--type without d: files below renamed directories are renamed one by one"
run_cli 0 prepare files --format=changes --out-file="$T/list"
for line in 'RENAME in/tree/1 outer/went/1' 'RENAME out/tree/sub/4 in/came/sub/4' 'RENAME in/stay/t.tmp in/moved/t.tmp' \
        'MODIFY outer/write' 'RENAME out/write outer/write'; do
        grep -qx "$line" "$T/list" || problem "no line $line in $(tr '\n' ';' <"$T/list")"
done
