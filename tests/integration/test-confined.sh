#!/bin/bash
# gbackupd under what its unit leaves it: capabilities, system calls, address families, a file system that is read only.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"
requires "systemd-analyze is not installed" command -v systemd-analyze
requires "the filter is written for x86_64" test "$(uname -m)" = x86_64

# What a real unit has as its program.
unit=$GB_BUILD/daemon/gbackupd.service
real=$AGENT AGENT=$T/agent
# A sanitizer cannot write a file there, nor look for leaks behind the filter.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=stderr:detect_leaks=0 UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:log_path=stderr
printf '#!/bin/sh\nexec python3 %s %s %s "$@"\n' "$GB_HERE/confined.py" "$unit" "$real" >"$AGENT" && chmod +x "$AGENT"

make_volume v 2x2
mount_volume v
mkdir "$M/d"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/d/$i"; done
chmod 700 "$M/d"
chown -R 1234:1234 "$M/d"
start_gbackupd
of_status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$gb_agent_pid/status"; }

it "it runs with the unit's capabilities, without new ones, behind a filter"
is "$(of_status CapBnd) $(of_status CapEff)" "0000000000200006 0000000000200006" "capabilities: SYS_ADMIN, DAC_READ_SEARCH, DAC_OVERRIDE"
is "$(of_status NoNewPrivs) $(of_status Seccomp)" "1 2" "NoNewPrivs and Seccomp"

it "a full list, a first list that switches changelog on, and an incremental one"
found "$M" >"$T/want"
run_cli 0 full "$HOST" v -0 --out-file="$T/full" && same "$T/full" "$T/want" "full list"
run_cli 0 register s "$HOST" v
run_cli 0 s -0 --out-file="$T/first" && same "$T/first" "$T/want" "first list"
settle v
mv "$M/d/1" "$M/d/moved"
rm "$M/d/2"
echo x >>"$M/d/3"
mkdir "$M/new"
run_cli 0 s --format=jsonl --out-file="$T/inc.jsonl" && listed "$T/inc.jsonl" "incremental list" <<'END'
DELETE d/2
MODIFY d/3
RENAME d/1 d/moved
NEW new
END
run_cli 0 s --sweep --out-file="$T/nothing"

it "status, doctor and what history costs"
run_cli 0 status "$HOST" v
run_cli 0 doctor "$HOST" v
run_cli 0 changelog usage "$HOST" v
! grep -i 'permitted' "$T/log/gbackupd.log" || problem "refused: $(grep -i permitted "$T/log/gbackupd.log" | head -n 2)"

it "it may write to its own folders, and not to a brick nor to /etc"
may_write() { nsenter -t "$gb_agent_pid" -m touch "$1/written" 2>"$T/said"; }
for dir in /var/lib/gbackup /run/gbackup; do may_write $dir || problem "$dir: $(cat "$T/said")"; done
for dir in "$(brick_path v 0)" /etc /var/lib/glusterd; do ! may_write "$dir" || problem "$dir can be written to"; done
grep -q "Read-only" "$T/said" || problem "touch says: $(cat "$T/said")"
