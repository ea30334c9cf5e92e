#!/bin/bash
# The levels of a session: full again, incremental, cumulative (since the last full), mark.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir "$M/d"
for f in one two three d/four; do echo "$f" >"$M/$f"; done
run_cli 0 register s "$HOST" v

# run LEVEL: the list of a committed run, in $T/l.jsonl
run() { run_cli 0 s --level="$1" --format=jsonl --out-file="$T/l.jsonl"; }
kind() { head -n 1 "$T/l.jsonl" | python3 -c 'import json, sys; print(json.load(sys.stdin)["kind"])'; }

it "incremental and cumulative need something to begin from"
fails 3 "a full list is needed" s --level=incremental --out-file="$T/none.list"
fails 3 "a full list is needed" s --level=cumulative --out-file="$T/none.list"
run auto
is "$(kind)" full "kind of the first"

it "cumulative tells of everything since the full, incremental of what came since the last list"
settle v
run incremental
settle v
echo more >>"$M/one"
run incremental && listed "$T/l.jsonl" "first incremental" <<<"MODIFY one"
settle v
mv "$M/two" "$M/d/two"
rm "$M/three"
run incremental
for line in "RENAME two d/two" "DELETE three"; do
        in_list "$T/l.jsonl" "$line" || problem "incremental: no line '$line'"
done
echo new >"$M/new"
run cumulative
for line in "MODIFY one" "RENAME two d/two" "DELETE three" "NEW new"; do
        in_list "$T/l.jsonl" "$line" || problem "cumulative: no line '$line'"
done
is "$(kind)" incremental "kind of a cumulative list"

it "an incremental list follows the cumulative one"
settle v
run incremental
settle v
echo newer >"$M/newer"
run incremental && listed "$T/l.jsonl" "list" <<<"NEW newer"

it "a prepared full changes nothing until it is committed"
run_cli 0 prepare s --level=full -0 --out-file="$T/full.list"
found "$M" >"$T/want"
same "$T/full.list" "$T/want" "full list"
run_cli 0 abort s
run_cli 0 prepare s --level=cumulative --format=jsonl --out-file="$T/l.jsonl"
in_list "$T/l.jsonl" "MODIFY one" || problem "an aborted full moved the position"

it "after a new full a cumulative list begins there"
run full
is "$(kind)" full "kind"
settle v
run incremental
settle v
rm "$M/one"
run cumulative
in_list "$T/l.jsonl" "DELETE one" || problem "no DELETE"
! in_list "$T/l.jsonl" "DELETE three" || problem "tells of what was before the full"

it "commit GENERATION commits that list and no other"
generation() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["generation"])' "$1.manifest"; }
run_cli 0 prepare s --out-file="$T/a.list"
run_cli 0 prepare s --out-file="$T/b.list"
fails 64 "not prepared any more" commit s "$(generation "$T/a.list")"
run_cli 0 commit s "$(generation "$T/b.list")"
run_cli 0 commit s "$(generation "$T/b.list")"
fails 64 "not prepared any more" commit s "$(generation "$T/a.list")"

it "mark writes no list and is a full to what follows"
rm -f "$T/mark.list"
settle v
run_cli 0 s --level=mark --out-file="$T/mark.list"
[ ! -e "$T/mark.list" ] || problem "there is a list"
run_cli 0 show s --json
ok "show" python3 -c 'import json, sys
n = json.load(open(sys.argv[1]))["nodes"][0]
assert n["committed"]["kind"] == "full" and n["last_full"]["generation"] == n["committed"]["generation"], n' "$OUT"
settle v
run incremental
settle v
echo marked >"$M/marked"
run cumulative && listed "$T/l.jsonl" "list after mark" <<<"NEW marked"

it "show names a cumulative run"
run_cli 0 show s
grep -q 'committed  *cumulative' "$OUT" || problem "show says: $(tr '\n' ' ' <"$OUT")"
