#!/bin/bash
# inc HOST VOLUME START END: what changed between two moments, without a session.
# Moments are mapped to slices, so a change just outside may be listed too; one inside never misses.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v dist3
mount_volume v
mkdir "$M/d"
for i in a b c d/e; do echo "$i" >"$M/$i"; done
start_gbackupd
long_ago=$(date +%s)
sleep 2
gv set v changelog.changelog on
wait_rollover v
begun=$(date +%s)
sleep 2
echo early >"$M/early"
wait_rollover v
sleep 6
start=$(date +%s)
sleep 1
echo 1 >>"$M/a"
mv "$M/b" "$M/d/b"
rm "$M/c"
mkdir "$M/n"
echo new >"$M/n/new"
sleep 1
end=$(date +%s)
sleep 6
wait_rollover v
echo late >"$M/late"
wait_rollover v

it "lists exactly what changed between START and END"
run_cli 0 inc "$HOST" v "$start" "$end" --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "list" <<'END'
MODIFY a
DELETE c
RENAME b d/b
NEW n
NEW n/new
END

it "ISO-8601 moments mean the same"
cp "$T/got.list" "$T/unix.list"
run_cli 0 inc "$HOST" v "$(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)" "$(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ)" \
        --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "list" <"$T/unix.list"

it "paths leave out what is gone"
run_cli 0 inc "$HOST" v "$start" "$end" --out-file="$T/inc.list"
printf '%s\n' a d/b n n/new >"$T/want.list"
same <(grep -vxE 'd|' "$T/inc.list") "$T/want.list" "list"

it "a wider window holds more"
run_cli 0 inc "$HOST" v "$begun" "$(date +%s)" --format=jsonl --out-file="$T/inc.jsonl"
for line in "NEW early" "NEW late" "MODIFY a" "DELETE c" "RENAME b d/b"; do
        in_list "$T/inc.jsonl" "$line" || problem "no line '$line'"
done

it "a START before history began is a gap"
fails 3 "." inc "$HOST" v "$long_ago" "$end" --out-file="$T/inc.list"

it "START after END is a mistake in the call"
fails 64 "." inc "$HOST" v "$end" "$start" --out-file="$T/inc.list"

it "a moment that is none is a mistake in the call"
for moment in yesterday '' 12x 2026-13-01 -5 99999999999999999999; do
        fails 64 "." inc "$HOST" v "$moment" "$end" --out-file="$T/inc.list"
done
