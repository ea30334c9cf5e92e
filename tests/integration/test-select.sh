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

# ---- what is measured ---------------------------------------------------------------------------------

# sized FILE BYTES
sized() { truncate -s "$2" "$M/$1"; }
mkdir -p "$M/big/dir"
for f in stays grows shrinks moves written gone; do sized big/$f 2M; done
for f in small grown small-moves small-gone dir/small; do sized big/$f 1K; done
touch -d 2001-02-03 "$M/big/stays" "$M/big/small"
ln -s stays "$M/big/link"

it "full: --min-size, --max-size, --newer are of regular files"
run_cli 0 full "$HOST" v --scope=big --min-size=2M --out-file="$T/list"
is "$(tr '\n' ' ' <"$T/list")" "big/dir big/gone big/grows big/link big/moves big/shrinks big/stays big/written " "--min-size"
run_cli 0 full "$HOST" v --scope=big --min-size=1024 --max-size=2097151 --type=f --out-file="$T/list"
is "$(tr '\n' ' ' <"$T/list")" "big/dir/small big/grown big/small big/small-gone big/small-moves " "--min-size and --max-size"
run_cli 0 full "$HOST" v --scope=big --newer=2001-02-04 --type=f --max-size=1K --out-file="$T/list"
is "$(tr '\n' ' ' <"$T/list")" "big/dir/small big/grown big/small-gone big/small-moves " "--newer"
fails 64 'is no size' full "$HOST" v --min-size=1.5G --out-file="$T/out"
fails 64 'is no time' full "$HOST" v --newer=yesterday --out-file="$T/out"

it "a session keeps sizes and times, too"
run_cli 0 register large "$HOST" v --scope=big --min-size=1M
run_cli 0 large --out-file="$T/list"
is "$(tr '\n' ' ' <"$T/list")" "big/dir big/gone big/grows big/link big/moves big/shrinks big/stays big/written " "first list"
for option in --min-size=1M --max-size=1 --newer=1; do
        fails 64 'said when it is registered' large $option --out-file="$T/out"
done
settle v
for i in 1 2; do run_cli 0 large --out-file="$T/list"; done # the window before the next one is empty, too

it "changes: a size of now decides what is worth reading; deletions and old names are all told"
sized big/grown 3M && sized big/shrinks 1K && echo x >>"$M/big/written" && echo x >>"$M/big/small"
mv "$M/big/moves" "$M/big/dir/moved" && mv "$M/big/small-moves" "$M/big/small-moved"
rm "$M/big/gone" "$M/big/small-gone"
sized big/new 1M && sized big/new-small 1K
mv "$M/big/dir" "$M/big/dir2" && echo x >>"$M/big/dir2/small"
run_cli 0 prepare large --format=jsonl --out-file="$T/list.jsonl"
listed "$T/list.jsonl" "list" <<'END'
RENAME big/dir big/dir2
RENAME big/moves big/dir2/moved
DELETE big/gone
MODIFY big/grown
NEW big/new
DELETE big/small-gone
DELETE big/small-moves
MODIFY big/written
END
run_cli 0 verify large "$T/list.jsonl"
run_cli 0 prepare large --out-file="$T/list"
is "$(tr '\n' ' ' <"$T/list")" "big/dir2 big/dir2/moved big/grown big/new big/written " "paths"
run_cli 0 verify large "$T/list"
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["selection"]["min_size"] == 1 << 20' "$T/list.manifest" ||
        problem "the manifest does not say the size"

it "sizes are those that users see, on disperse and sharded volumes and with an arbiter"
for kind in disp shard arb; do
        make_volume k$kind $kind
        mount_volume k$kind
        for i in 1 2 3 4; do head -c 5000000 /dev/zero >"$M/large-$i" && head -c 3000000 /dev/zero >"$M/small-$i"; done
        run_cli 0 full "$HOST" k$kind --min-size=4M --out-file="$T/list"
        is "$(tr '\n' ' ' <"$T/list")" "large-1 large-2 large-3 large-4 " "$kind"
        run_cli 0 full "$HOST" k$kind --max-size=3000000 --out-file="$T/list"
        is "$(tr '\n' ' ' <"$T/list")" "small-1 small-2 small-3 small-4 " "$kind, --max-size"
        now=$(($(date +%s) + 2)) && sleep 3
        echo x | dd of="$M/large-2" bs=1 seek=4900000 conv=notrunc status=none
        run_cli 0 full "$HOST" k$kind --newer=$now --out-file="$T/list"
        want="large-2 "
        # Nobody knows when a file of several blocks was written to: all of them are listed.
        [ $kind != shard ] || want="large-1 large-2 large-3 large-4 "
        is "$(tr '\n' ' ' <"$T/list")" "$want" "$kind, --newer"
done
