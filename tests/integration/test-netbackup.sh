#!/bin/bash
# NetBackup's hooks, called as NetBackup documents: arguments, environment, time-outs, streams, retries.  nbclient.py
# stands in for its client and is dumb: it saves what the list names.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
VM=$M
make_volume w dist1 changelog.rollover-time 8
mount_volume w
WM=$M M=$VM
start_gbackupd
export GBACKUP_CLI=$CLI GBACKUP_HOOK_LOG=$T/hook.log GBACKUP_NETBACKUP_CONF=$T/netbackup.conf
HOOKS=$GB_HERE/../../netbackup STATE=$T/nb LOG=$T/nb.log STORE=$T/store
LIST=$STATE/s.list

# conf [KEY=VALUE]...: netbackup.conf, with these for policy `pol` besides what it needs
conf() {
        printf '%s\n' '[*]' "state_dir = $STATE" "log = $LOG" "netbackup_dir = $T/openv" \
                '[other]' 'session = w' "mount = $WM" "list = $T/w.list" 'timeout = 3' \
                '[pol]' 'session = s' "mount = $VM" "$@" >"$GBACKUP_NETBACKUP_CONF"
}
said() { tail -qn 2 "$LOG" "$GBACKUP_HOOK_LOG" 2>/dev/null | tr '\n' ' '; }

# hook STATUS NAME ARGS...: nothing may hold its descriptors when it has ended, and nothing comes out there.
hook() {
        local want=$1 name=$2 got
        shift 2
        got=$( (timeout -k 5 60 "$HOOKS/$name.gbackup" "$@" 2>&1 </dev/null; echo "status $?") | tail -n 2)
        [ "$got" = "status $want" ] || problem "$name $*: $got, want $want: $(said)"
}
start() { hook "$1" bpstart_notify client pol "$2" "$3"; }
end() { hook 0 bpend_notify client pol "$1" "$2" "$3"; }
# exit_hook SCHEDULE TYPE STATUS STREAM DONE_TRYING, on the primary
exit_hook() { hook "${6:-0}" backup_exit_notify client pol "$1" "$2" "$3" "$4" "$5"; }
save() { ok "saving $LIST" python3 "$GB_HERE/nbclient.py" "$LIST" "$STORE" "${1:-raw}"; }
# job SCHEDULE TYPE: one that goes well
job() {
        start 0 "$1" "$2"
        save
        end "$1" "$2" 0
        exit_hook "$1" "$2" 0 0 1
}
generation() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["generation"])' "$LIST.manifest"; }
state() { "$CLI" show s --json 2>/dev/null | python3 -c 'import json, sys
n = json.load(sys.stdin)["nodes"][0][sys.argv[1]]
print(n["generation"] if n else "none")' "$1"; }
committed() { is "$(state committed)" "$1" "committed generation"; }
has() { grep -qxF -- "$VM/$1" "$LIST" || problem "not in the list: $1 (it has: $(head -n 5 "$LIST" | tr '\n' ' '))"; }
hasnt() { ! grep -qxF -- "$VM/$1" "$LIST" || problem "in the list: $1"; }
# The store has every file as it is on the volume.
saved() {
        (cd "$VM" && find . -type f -print0) | while IFS= read -r -d '' f; do
                cmp -s "$VM/$f" "$STORE$VM/$f" || printf '%s ' "$f"
        done >"$T/unsaved"
        [ ! -s "$T/unsaved" ] || problem "not saved, or not as it is: $(head -c 300 "$T/unsaved")"
}

conf
mkdir -p "$VM/d/sub" "$T/openv"
for f in one two three d/four d/sub/five; do echo "$f" >"$VM/$f"; done
run_cli 0 register s "$HOST" v
run_cli 0 register w "$HOST" w

it "what NetBackup would never say is refused, and said in the log"
hook 64 bpstart_notify client pol daily
hook 64 bpstart_notify client pol daily DAILY
hook 64 bpstart_notify client ../pol daily FULL
hook 64 backup_exit_notify client pol daily FULL 0 x 1
hook 64 backup_exit_notify -oProxyCommand=x pol daily FULL 0 0 1
hook 78 bpstart_notify client nobody daily FULL
grep -q 'no section \[nobody\]' "$GBACKUP_HOOK_LOG" || problem "the hook's log says: $(said)"
conf 'timeout = soon'
start 78 full FULL
conf 'session = t'
start 78 full FULL
grep -q 'given twice' "$GBACKUP_HOOK_LOG" || problem "the hook's log says: $(said)"
conf
start 78 adhoc UBAK

it "a time-out: the hook fails in time, its list is made all the same and adopted by the next try"
begun=$SECONDS
hook 1 bpstart_notify client other full FULL
[ $((SECONDS - begun)) -le 12 ] || problem "it took $((SECONDS - begun)) s"
grep -q 'still being made' "$LOG" || problem "the log says: $(said)"
for _ in 1 2 3 4 5 6; do
        grep -q 'other full FULL.* gets the list' "$LOG" && break
        timeout 60 "$HOOKS/bpstart_notify.gbackup" client other full FULL
done
grep -q 'other full FULL.* gets the list' "$LOG" || problem "never ready: $(said)"
is "$("$CLI" show w --json | grep -c '"kind": "full"')" 1 "prepared lists of w"

it "without the volume mounted there is no backup"
umount "$VM"
start 1 full FULL
grep -q 'nothing is mounted' "$LOG" || problem "the log says: $(said)"
mount -t glusterfs "$HOST:/w" "$VM"
start 78 full FULL
umount "$VM"
mount_volume v

it "FULL: the mount point is the list; committed when backup_exit_notify says so"
start 0 full FULL
is "$(head -n 1 "$LIST")" "$VM" "first line"
committed none
save
end full FULL 0
committed none
exit_hook full FULL 0 0 1
committed "$(generation)"
saved

it "INCR: what changed since; names made to break a list, as far as a line can hold them"
mkdir "$VM/h" "$VM/empty" && python3 "$GB_HERE/hostile.py" "$VM/h"
find "$VM/h" -depth \( -name $'*\n*' -o -type p -o -type s -o -type c \) -exec rm -rf {} +
rm -rf "$VM/h/long"
# Listed rightly, but the mount takes a file of mode 01000 for one that is migrating and at times reads nothing.
rm "$VM/h/kinds/sticky"
echo more >>"$VM/one"
mv "$VM/d" "$VM/dd"
rm "$VM/three"
start 0 daily INCR
for f in one dd/four dd/sub/five empty; do has "$f"; done
for f in dd dd/sub h three two; do hasnt "$f"; done
save
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$(generation)"
saved

it "INCR: what is gone is saved with it, and a restore can be pruned by that"
is "$(tail -n 2 "$LIST")" "$LIST.gone
$LIST.manifest" "last lines"
is "$(tr '\0' ' ' <"$LIST.gone")" "$VM/d $VM/three " "names that are gone"
[ -e "$STORE$VM/three" ] || problem "the store has forgotten the file by itself"
(cd "$STORE" && sed -z "s|^/||" ".$LIST.gone" | xargs -0 rm -rf --)
is "$(cd "$STORE$VM" && find . -type f | LC_ALL=C sort | md5sum)" "$(cd "$VM" && find . -type f | LC_ALL=C sort | md5sum)" "files after pruning"

it "nothing changed: the list still has a line that exists, or NetBackup would end with status 71"
settle v
job daily INCR
settle v
start 0 daily INCR
is "$(cat "$LIST")" "$LIST.gone
$LIST.manifest" "list"
save
end daily INCR 0
exit_hook daily INCR 0 0 1

it "tried again: the same list; committed when the last try is good"
echo x >"$VM/retry"
start 0 daily INCR
has retry
first=$(generation) before=$(state committed)
end daily INCR 13
exit_hook daily INCR 13 0 0
committed "$before"
start 0 daily INCR
is "$(generation)" "$first" "generation of the second try"
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$first"

it "the last try failed: nothing is committed, and the next list tells it again"
echo x >"$VM/failed"
start 0 daily INCR
end daily INCR 0
exit_hook daily INCR 84 0 1
committed "$first"
is "$(state pending)" none "prepared generation"
start 0 daily INCR
has failed
[ "$(generation)" != "$first" ] || problem "the same generation"
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$(generation)"

it "partially successful: kept by default, committed if so configured"
echo x >"$VM/partial"
start 0 daily INCR
before=$(state committed)
end daily INCR 1
exit_hook daily INCR 1 0 1
committed "$before"
conf 'partial = commit'
start 0 daily INCR
has partial
end daily INCR 1
exit_hook daily INCR 1 0 1
committed "$(generation)"
conf

it "CINC: since the last full, whatever came between; INCR goes on from there"
start 0 weekly CINC
for f in one dd/four retry failed partial; do has "$f"; done
end weekly CINC 0
exit_hook weekly CINC 0 0 1
committed "$(generation)"
echo x >"$VM/after-cinc"
start 0 daily INCR
has after-cinc
hasnt one
end daily INCR 0
exit_hook daily INCR 0 0 1

# stream N COUNT COMMAND...: with NetBackup's environment of a stream
stream() {
        local n=$1 count=$2
        shift 2
        STREAM_NUMBER=$n STREAM_COUNT=$count "$@"
}

it "streams: one list for all of them; committed when every one is good"
echo x >"$VM/streams"
: >"$LOG"
before=$(state committed)
for n in 1 2 3; do stream $n 3 timeout 60 "$HOOKS/bpstart_notify.gbackup" client pol daily INCR & done
failed=0
for n in 1 2 3; do wait -n || failed=$((failed + 1)); done
is "$failed" 0 "starts that failed"
has streams
is "$(grep -c 'gets the list' "$LOG") $(grep -c 'joins the list' "$LOG")" "1 2" "lists made and joined"
for n in 1 2 3; do stream $n 3 end daily INCR 0; done
exit_hook daily INCR 0 1 1
exit_hook daily INCR 24 2 0
exit_hook daily INCR 0 3 1
exit_hook daily INCR 0 -1 0
committed "$before"
stream 2 3 start 0 daily INCR
is "$(grep -c 'gets the list' "$LOG")" 1 "lists made"
stream 2 3 end daily INCR 0
committed "$before"
exit_hook daily INCR 0 2 1
committed "$(generation)"

it "streams without numbers: the parent job has the last word"
echo x >"$VM/unnumbered"
before=$(state committed)
start 0 daily INCR
end daily INCR 0
exit_hook daily INCR 0 1 1
committed "$before"
start 0 daily INCR
end daily INCR 0
exit_hook daily INCR 0 2 1
committed "$before"
exit_hook daily INCR 0 -1 1
committed "$(generation)"

it "a list prepared by a timer is adopted; while a job runs none is prepared"
echo x >"$VM/timer"
run_cli 0 netbackup prepare pol INCR daily
ready=$(generation)
: >"$LOG"
start 0 daily INCR
is "$(generation)" "$ready" "generation of the job"
run_cli 4 netbackup prepare pol INCR daily
is "$(generation)" "$ready" "generation after the refusal"
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$ready"

it "a prepared list of another kind is not adopted"
run_cli 0 netbackup prepare pol INCR daily
ready=$(generation)
start 0 weekly CINC
[ "$(generation)" != "$ready" ] || problem "the incremental list was given to a cumulative job"
exit_hook weekly CINC 1 0 1

it "a list damaged after it was made is not handed over"
run_cli 0 netbackup prepare pol INCR daily
ready=$(generation)
echo "$VM/two" >>"$LIST"
start 0 daily INCR
[ "$(generation)" != "$ready" ] || problem "the damaged list was adopted"

it "another list made meanwhile: nothing is committed, nothing is lost"
echo x >"$VM/overtaken"
run_cli 0 prepare s --out-file="$T/by-hand.list"
before=$(state committed)
end daily INCR 0
exit_hook daily INCR 0 0 1 64
committed "$before"
run_cli 0 abort s
start 0 daily INCR
has overtaken
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$(generation)"

it "agents away when the backup is known to be good: the next hook commits"
echo x >"$VM/late"
start 0 daily INCR
end daily INCR 0
ready=$(generation) before=$(state committed)
stop_gbackupd
exit_hook daily INCR 0 0 1 69
start_gbackupd
committed "$before"
start 0 daily INCR
committed "$ready"
end daily INCR 0
exit_hook daily INCR 0 0 1

it "the volume goes away under a backup: the backup is thrown away"
start 0 daily INCR
umount "$VM"
hook 1 bpend_notify client pol daily INCR 0
mount_volume v
before=$(state committed)
exit_hook daily INCR 0 0 1
exit_hook daily INCR 40 0 1
committed "$before"

it "on a primary server that is no client the exit hook reaches the client by GBACKUP_RSH, and only by a host name"
start 0 daily INCR
end daily INCR 0
cat >"$T/rsh" <<END
#!/bin/bash
[ "\$1 \$2" = "client gbackup-cli" ] || exit 9
shift 2
GBACKUP_NETBACKUP_CONF=$GBACKUP_NETBACKUP_CONF exec "$CLI" "\$@"
END
chmod +x "$T/rsh"
there=$GBACKUP_NETBACKUP_CONF
export GBACKUP_NETBACKUP_CONF=$T/none GBACKUP_RSH=$T/rsh
hook 64 backup_exit_notify 'client;id' pol daily INCR 0 0 1
hook 64 backup_exit_notify -Fx pol daily INCR 0 0 1
hook 9 backup_exit_notify other pol daily INCR 0 0 1
exit_hook daily INCR 0 0 1
export GBACKUP_NETBACKUP_CONF=$there
unset GBACKUP_RSH
committed "$(generation)"

it "commit_on = bpend: committed with the last stream that was sent"
conf 'commit_on = bpend'
echo x >"$VM/bpend"
stream 1 2 start 0 daily INCR
stream 2 2 start 0 daily INCR
has bpend
stream 1 2 end daily INCR 0
[ "$(state committed)" != "$(generation)" ] || problem "committed after one of two streams"
stream 2 2 end daily INCR 0
committed "$(generation)"

it "what cannot be a line: the job fails, or FILE.skipped has it, as configured"
conf
long=$(printf 'n%.0s' $(seq 240))
mkdir -p "$VM/long/$long/$long/$long/$long"
echo x >"$VM/long/$long/$long/$long/$long/$long"
echo x >"$VM/line"$'\n'"break"
before=$(state committed)
start 5 daily INCR
[ -s "$LIST.skipped" ] || problem "no $LIST.skipped"
conf 'skipped = allow'
start 0 daily INCR
tr '\0\n' '\n?' <"$LIST.skipped" >"$T/skipped"
grep -qx 'line?break' "$T/skipped" || problem "skipped: $(cat -v "$T/skipped")"
grep -q "^long/$long/.*/$long$" "$T/skipped" || problem "the long path is not skipped: $(cut -c 1-40 "$T/skipped")"
is "$(awk 'length > 1023' "$LIST" | wc -l)" 0 "lines NetBackup would leave out"
end daily INCR 0
exit_hook daily INCR 0 0 1
committed "$(generation)"

it "deliver = include: everything excluded, the list included with its wildcards escaped; a FULL takes both back"
conf 'deliver = include' 'skipped = allow'
echo x >"$VM/a*[b]{c}?\\d"
start 0 daily INCR
include=$T/openv/include_list.pol.daily exclude=$T/openv/exclude_list.pol.daily
is "$(grep -v '^#' "$exclude")" '*' "exclude list"
is "$(sed 1d "$include" | sha256sum)" "$(sha256sum <"$LIST")" "include list"
grep -qxF -- "$VM/a\\*\\[b\\]\\{c\\}\\?\\\\d" "$include" || problem "not escaped: $(cat "$include")"
save escaped
cmp -s "$VM/a*[b]{c}?\\d" "$STORE$VM/a*[b]{c}?\\d" || problem "not saved"
end daily INCR 0
exit_hook daily INCR 0 0 1
start 0 daily FULL
[ ! -e "$include" ] && [ ! -e "$exclude" ] || problem "the lists are still there"
end daily FULL 0
exit_hook daily FULL 0 0 1
echo mine >"$include"
start 78 daily INCR
is "$(cat "$include")" mine "include list written by hand"

it "full = names; ubak as configured"
conf 'full = names' 'ubak = incremental' 'skipped = allow'
start 0 monthly FULL
has dd/sub/five
hasnt dd/sub
end monthly FULL 0
exit_hook monthly FULL 0 0 1
committed "$(generation)"
echo x >"$VM/user"
start 0 adhoc UBAK
has user
end adhoc UBAK 0
exit_hook adhoc UBAK 0 0 1
committed "$(generation)"
