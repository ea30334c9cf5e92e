#!/bin/bash
# A brick is down: with a sibling nothing is lost; without one the list is not made, and nothing moves on.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

start_gbackupd
make_volume alone dist3
make_volume pair 2x2
mount_volume alone
mount_volume pair
alone=$T/mnt/alone pair=$T/mnt/pair
for vol in alone pair; do
        for i in $(seq 30); do echo "$i" >"$T/mnt/$vol/f$i"; done
        run_cli 0 register "s-$vol" "$HOST" "$vol"
        run_cli 0 "s-$vol" --out-file="$T/first.list"
done
list=$T/lists/out
mkdir "$T/lists"

it "with a sibling: the full list is whole"
found "$pair" >"$T/want"
kill_brick pair 0
run_cli 0 full "$HOST" pair -0 --out-file="$T/full" && same "$T/full" "$T/want" "list"

it "with a sibling: the incremental list is whole"
for i in $(seq 30); do echo x >>"$pair/f$i"; done
mkdir "$pair/made-meanwhile"
mv "$pair/f1" "$pair/made-meanwhile/f1"
rm "$pair/f2"
run_cli 0 s-pair --format=jsonl --out-file="$T/inc.jsonl"
{
        echo "DELETE f2"
        for i in $(seq 3 30); do echo "MODIFY f$i"; done
        echo "NEW made-meanwhile"
        echo "RENAME f1 made-meanwhile/f1"
        echo "MODIFY made-meanwhile/f1"
} >"$T/lines"
python3 "$LISTS" "$T/inc.jsonl" >"$T/got.list"
same <(sort "$T/got.list") <(sort "$T/lines") "list"

it "the brick is back and not yet healed: the full list is whole, without stale names"
gv set pair cluster.self-heal-daemon off
restart_brick pair 0
found "$pair" >"$T/want"
run_cli 0 full "$HOST" pair -0 --out-file="$T/full" && same "$T/full" "$T/want" "list"

it "the brick is healed: no name is invented, none lost"
gv set pair cluster.self-heal-daemon on
gluster --mode=script volume heal pair >/dev/null 2>&1
healed() { ! gluster --mode=script volume heal pair info 2>/dev/null | piped '^Number of entries: [^0]'; }
wait_for 60 healed || problem "no heal within 60 s"
run_cli 0 s-pair --format=jsonl --out-file="$T/inc.jsonl"
ok "list" python3 "$LISTS" "$T/inc.jsonl"
! python3 "$LISTS" "$T/inc.jsonl" | piped -E '^(DELETE|RENAME)' ||
        problem "the heal shows as: $(python3 "$LISTS" "$T/inc.jsonl" | grep -E '^(DELETE|RENAME)' | head -n 3 | paste -sd ';')"
run_cli 0 full "$HOST" pair -0 --out-file="$T/full" && same "$T/full" "$T/want" "full list"

# These changes end in a slice that no index names, because the brick is killed before it is closed.
echo y >>"$alone/f5"
echo y >"$alone/before-the-kill"
holder=0
for i in 0 1 2; do [ ! -e "$(brick_path alone $i)/before-the-kill" ] || holder=$i; done
kill_brick alone "$holder"

it "without a sibling: a full list is refused with 2"
fails 2 "alone-$holder" full "$HOST" alone --out-file="$list"

it "without a sibling: an incremental list is refused with 2"
fails 2 "alone-$holder" s-alone --out-file="$list"
fails 2 "alone-$holder" prepare s-alone --out-file="$list"

it "--partial lists what there is, and still is no success"
timeout 60 "$CLI" full "$HOST" alone --partial --format=jsonl --out-file="$T/partial.jsonl" >"$OUT" 2>"$ERR"
is "$?" 2 "exit status"
grep -q '"path":"f' "$T/partial.jsonl" || problem "no file is listed"
tail -n 1 "$T/partial.jsonl" | piped '"complete":false' || problem "the trailer does not say complete:false"

it "a whole set of siblings down: 2"
kill_brick pair 2
kill_brick pair 3
fails 2 "pair-[23]" full "$HOST" pair --out-file="$list"
fails 2 "pair-[23]" s-pair --out-file="$list"

it "bricks back: the session goes on where it was, over the restart"
restart_brick alone "$holder"
restart_brick pair 2
restart_brick pair 3
run_cli 0 s-alone --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "list" <<'END'
NEW before-the-kill
MODIFY f5
END
run_cli 0 s-pair --format=jsonl --out-file="$T/inc.jsonl"
