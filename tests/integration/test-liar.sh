#!/bin/bash
# An agent that lies: a clean error in gbackup-cli, no out-file, and a session stays where it is.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v dist1
mount_volume v
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/file-$i"; done
start_gbackupd
mkdir "$T/lists" "$T/tmp"
export TMPDIR=$T/tmp

believe() { # LIE: the next commands meet an agent that tells it
        printf '#!/bin/sh\nshift 2\nexec python3 %s %s %s --config %s "$@" 2>/dev/null\n' \
                "$GB_HERE/liar.py" "$1" "$AGENT" "$T/gbackupd.conf" >"$T/rsh" && chmod +x "$T/rsh"
}
nothing_left() { is "$(gb_names "$T/tmp")" "" "$1: files left in TMPDIR"; }

it "lies about names, counts and order in a scan"
for lie in unsorted twice dotdot absolute overlong nul shared seq count torn noise huge cut zeros; do
        believe $lie
        fails "1|2" "$HOST" full "$HOST" v --rsh="$T/rsh" --out-file="$T/lists/out"
        echo "# scan, $lie: $(cat "$ERR")"
        nothing_left "$lie"
done

it "lies about where the bricks are"
believe elsewhere
fails 1 "is no host" full "$HOST" v --rsh="$T/rsh" --out-file="$T/lists/out"

it "an endless list ends with the disk"
mkdir "$T/small"
mount -t tmpfs -o size=2m tmpfs "$T/small"
believe endless
fails 1 "space" full "$HOST" v --rsh="$T/rsh" --out-file="$T/small/out"
umount "$T/small"

it "lies in a history: the session does not move, and the next run is whole"
run_cli 0 register s "$HOST" v
run_cli 0 s -0 --out-file="$T/first"
echo x >"$M/new"
mv "$M/file-1" "$M/moved"
rm "$M/file-2"
settle v
run_cli 0 show s --json
was=$(grep -o '"generation": *"[^"]*"' "$OUT")
for lie in seq count torn noise huge cut zeros; do
        believe $lie
        fails "1|2" "$HOST|v-0" s --rsh="$T/rsh" --format=jsonl --out-file="$T/lists/out"
        echo "# history, $lie: $(cat "$ERR")"
        nothing_left "$lie"
done
run_cli 0 show s --json
is "$(grep -o '"generation": *"[^"]*"' "$OUT")" "$was" "generation"
run_cli 0 s --format=jsonl --out-file="$T/lists/out" && listed "$T/lists/out" "list" <<'END'
DELETE file-2
RENAME file-1 moved
NEW new
END
