#!/bin/bash
# History that cannot be trusted is a gap (3), told in one line; it is never an empty list.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

start_gbackupd
mkdir "$T/lists"
list=$T/lists/out

# begin NAME: a volume of one brick with a session, a closed slice with a change in it, and one more change.
begin() {
        make_volume "$1" dist1
        mount_volume "$1"
        echo 1 >"$M/old"
        run_cli 0 register "s-$1" "$HOST" "$1"
        run_cli 0 "s-$1" --out-file="$T/first.list"
        wait_rollover "$1"
        echo 1 >"$M/in-a-slice"
        wait_rollover "$1"
        wait_rollover "$1"
        echo 2 >"$M/later"
}
# The closed slice that recorded `in-a-slice`.
slice() { grep -rlaF --include='CHANGELOG.[0-9]*' in-a-slice "$(changelogs "$1" 0)"/[0-9]*; }
gap() {
        fails 3 "." "s-$1" --out-file="$list"
        fails 3 "." "s-$1" --out-file="$list"
}

it "the same without damage is no gap"
begin sound
run_cli 0 s-sound --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "list" <<'END'
NEW in-a-slice
NEW later
END

it "changelog switched off"
begin off
gv set off changelog.changelog off
gap off
now=$(date +%s)
fails 3 "." inc "$HOST" off $((now - 5)) "$now" --out-file="$list"

it "changelog off and on again: a new HTIME"
begin offon
gv set offon changelog.changelog off
sleep 2
echo unseen >"$M/unseen"
gv set offon changelog.changelog on
sleep 2
gap offon

it "a corrupt slice"
begin corrupt
file=$(slice corrupt)
[ -n "$file" ] || problem "testbed: no slice holds the change"
printf '\377\376\375garbage' | dd of="$file" bs=1 seek=60 conv=notrunc status=none
gap corrupt

it "a torn slice"
begin torn
file=$(slice torn)
truncate -s -3 "$file"
gap torn

it "a slice that is missing"
begin missing
rm "$(slice missing)"
gap missing

it "changelog off and on while the volume was stopped leaves no mark in HTIME"
begin silent
umount "$M"
gv stop silent
gv set silent changelog.changelog off
gv start silent
mount_volume silent
echo unseen >"$M/unseen"
umount "$M"
gv stop silent
sleep 1
gv set silent changelog.changelog on
gv start silent
wait_for 20 brick_is_up silent 0
mount_volume silent
gap silent

it "--on-gap=full lists the replica set in full, says so, and the session goes on"
run_cli 0 s-silent --on-gap=full --format=jsonl --out-file="$T/gap.jsonl"
head -n 1 "$T/gap.jsonl" | grep -F '"full_sets":[0]' >/dev/null || problem "the header does not say full_sets: $(head -n 1 "$T/gap.jsonl")"
tail -n 1 "$T/gap.jsonl" | grep -F '"full_sets":[0]' >/dev/null || problem "the trailer does not say full_sets: $(tail -n 1 "$T/gap.jsonl")"
grep -F 'is listed in full' "$ERR" >/dev/null || problem "stderr does not say it: $(cat "$ERR")"
listed "$T/gap.jsonl" "list" <<'END'
NEW in-a-slice
NEW later
NEW old
NEW unseen
END
settle silent
run_cli 0 s-silent --out-file="$T/settled.list"
echo 1 >"$M/afterwards"
run_cli 0 s-silent --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "list afterwards" <<'END'
NEW afterwards
END

it "after a gap a new session starts full again"
run_cli 0 unregister s-offon
run_cli 0 register s-offon "$HOST" offon
run_cli 0 s-offon -0 --out-file="$T/full"
found "$T/mnt/offon" >"$T/want"
same "$T/full" "$T/want" "list"

it "a volume made anew under the same name: told, nothing moves on, and --on-gap=full begins anew"
begin anew
umount "$M"
gv stop anew force
gv delete anew
rm -rf "$T"/bricks/anew-*
make_volume anew dist1
mount_volume anew
echo 1 >"$M/of the new one"
for i in 1 2; do fails 3 "session s-anew is of an earlier volume named anew" s-anew --out-file="$list"; done
fails 3 "session s-anew is of an earlier volume named anew" commit s-anew
run_cli 0 s-anew --on-gap=full --format=jsonl --out-file="$T/anew.jsonl" && listed "$T/anew.jsonl" "list" <<<"NEW of%20the%20new%20one"
piped -F '"kind":"full"' <"$T/anew.jsonl" || problem "not a full list: $(head -n 1 "$T/anew.jsonl")"
settle anew
run_cli 0 s-anew --out-file="$T/settled.list"
echo 2 >"$M/later"
run_cli 0 s-anew --format=jsonl --out-file="$T/anew.jsonl" && listed "$T/anew.jsonl" "list afterwards" <<<"NEW later"

it "a directory that a failed rename left without a handle, and what is below it, is listed"
mkdir -p "$M/a/sub" "$M/full/in"
for f in a/x a/sub/f; do echo 1 >"$M/$f"; done
settle anew
for i in 1 2; do
        run_cli 0 s-anew --out-file="$T/settled.list"
        settle anew
done
gfid=$(getfattr --absolute-names --only-values -n glusterfs.gfid.string "$M/a")
! python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$M/a" "$M/full" 2>/dev/null || problem "testbed: the rename succeeded"
[ ! -L "$(brick_path anew 0)/.glusterfs/${gfid:0:2}/${gfid:2:2}/$gfid" ] || problem "testbed: the handle is there"
chmod 700 "$M/a"
echo 2 >>"$M/a/sub/f"
rm "$M/a/x"
mkdir "$M/a/n"
echo 1 >"$M/a/n/y"
run_cli 0 s-anew --format=jsonl --out-file="$T/anew.jsonl" && listed "$T/anew.jsonl" "list" --all <<'END'
MODIFY a
NEW a/n
NEW a/n/y
MODIFY a/sub/f
DELETE a/x
END
mv "$M/a" "$M/b"
run_cli 0 s-anew --format=jsonl --out-file="$T/anew.jsonl" && in_list "$T/anew.jsonl" "RENAME a b" || problem "no rename of a"

it "where an emptied directory was that another one replaced, nobody knows among hundreds; --on-gap=full goes on"
mkdir "$M/from" "$M/onto"
mkdir "$M"/{from,onto}/{1..260}
echo 1 >"$M/onto/7/lost"
for i in 1 2; do
        run_cli 0 s-anew --out-file="$T/settled.list"
        settle anew
done
rm "$M/onto/7/lost"
python3 -c 'import os, sys
for i in range(1, 261): os.rename(f"{sys.argv[1]}/from/{i}", f"{sys.argv[1]}/onto/{i}")' "$M"
for i in 1 2; do fails 3 "does not tell where directory" s-anew --out-file="$list"; done
run_cli 0 s-anew --on-gap=full --format=jsonl --out-file="$T/anew.jsonl"
tail -n 1 "$T/anew.jsonl" | piped -F '"full_sets":[0]' || problem "the trailer does not say full_sets: $(tail -n 1 "$T/anew.jsonl")"
found "$M" | tr '\0' '\n' | wc -l >"$T/want"
is "$(python3 "$LISTS" "$T/anew.jsonl" --all | grep -cE '^(NEW|RENAME) ')" "$(cat "$T/want")" "names listed"
echo 3 >"$M/on"
run_cli 0 s-anew --format=jsonl --out-file="$T/anew.jsonl" && in_list "$T/anew.jsonl" "NEW on" || problem "the session does not go on"
