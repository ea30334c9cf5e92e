#!/bin/bash
# What cannot work says so: its own exit status, one line, the old out-file as it was, the session where it was.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v dist3
mount_volume v
export GBACKUP_SOCKET=/run/gbackup/agent.sock
mkdir "$T/lists"
list=$T/lists/output.txt

it "no daemon: 69"
fails 69 "." full "$HOST" v --out-file="$list"
fails 69 "." register s "$HOST" v

start_gbackupd

it "usage: 64"
fails 64 "." full
fails 64 "." full "$HOST"
fails 64 "." full "$HOST" v w
fails 64 "." full "$HOST" v --format=xml --out-file="$list"
fails 64 "." full "$HOST" v --no-such-option --out-file="$list"
fails 64 "." full "$HOST" v --type=q --out-file="$list"
fails 64 "." register s "$HOST"
fails 64 "." inc "$HOST" v 1
fails 64 "." register "a/b" "$HOST" v
fails 64 "." register "" "$HOST" v

it "no arguments: 64, with some help"
timeout 20 "$CLI" >"$OUT" 2>"$ERR" </dev/null
is "$?" 64 "exit status"
[ -s "$ERR" ] || problem "says nothing"

it "unknown volume: 1, and its name"
fails 1 "nosuch" full "$HOST" nosuch --out-file="$list"
fails 1 "nosuch" inc "$HOST" nosuch 1 2 --out-file="$list"
fails 1 "nosuch" register s "$HOST" nosuch
for name in ../v 'v;w' $'v\nx' '%s%n' . ''; do
        fails '1|64' "." full "$HOST" "$name" --out-file="$list"
done

it "unknown session: 1, and its name"
for command in run prepare commit abort show unregister; do
        fails 1 "nosuch" $command nosuch
done
fails 1 "nosuch" nosuch --out-file="$list"

it "a host that is none: 69 or 1"
fails '69|1' "." full no-such-host.invalid v --out-file="$list"

it "a volume that is not started: 1"
mkdir -p "$T/bricks/stopped-0"
gluster --mode=script volume create stopped "$HOST:$T/bricks/stopped-0" force >/dev/null 2>&1
fails '1|2' "stopped" full "$HOST" stopped --out-file="$list"

# A session with a change to tell, which none of the failures below may swallow.
run_cli 0 register s "$HOST" v
for i in $(seq 400); do : >"$M/a-name-that-is-long-enough-to-fill-a-small-disk-$i"; done
run_cli 0 s --out-file="$list"
for i in $(seq 400); do mv "$M"/a-name-*-"$i" "$M/another-name-long-enough-to-fill-a-small-disk-$i"; done

it "out-file in a folder that is not there"
fails 1 "no-such" s --out-file="$T/no-such/output.txt"
[ ! -e "$T/no-such" ] || problem "the folder was made"

it "out-file is a folder"
fails '1|64' "$T/lists" s --out-file="$T/lists"

it "out-file on a read-only file system"
mkdir "$T/ro"
mount -t tmpfs tmpfs "$T/ro"
echo "the list of last time" >"$T/ro/output.txt"
mount -o remount,ro "$T/ro"
fails 1 "." s --out-file="$T/ro/output.txt" 2>/dev/null

it "full disk"
mkdir "$T/small"
mount -t tmpfs -o size=16k tmpfs "$T/small"
fails 1 "." s --out-file="$T/small/output.txt"
grep -qi "space" "$ERR" || problem "does not say that the disk is full: $(cat "$ERR")"

it "stdout closed or full"
timeout 60 "$CLI" s --out-file=- >/dev/full 2>"$ERR" </dev/null
is "$?" 1 "exit status with stdout full"
timeout 60 "$CLI" s --out-file=- >&- 2>"$ERR" </dev/null
is "$?" 1 "exit status with stdout closed"

it "a session in use: 4"
mkfifo "$T/pipe"
timeout 100 "$CLI" s --format=jsonl --out-file=- >"$T/pipe" 2>/dev/null </dev/null &
holder=$!
exec 9<"$T/pipe"
# More than a pipe holds: once the first byte is there, the holder waits for its reader.
read -r -n 1 -t 60 -u 9 || problem "testbed: the holder writes nothing"
fails 4 "s" s --out-file="$list"
fails 4 "s" prepare s --out-file="$list"

it "a dead holder lets go of it"
pkill -KILL -P "$holder"
exec 9<&-
wait "$holder" 2>/dev/null

run_cli 0 s --format=jsonl --out-file="$T/after.jsonl"
it "after all that the session tells what changed before it"
is "$(python3 "$LISTS" "$T/after.jsonl" | grep -c '^RENAME a-name-that-.* another-name-')" 400 "renames listed"

it "gbackupd has survived it all"
kill -0 "$gb_agent_pid" || problem "it is gone"
run_cli 0 full "$HOST" v -0 --out-file="$T/full" && found "$M" >"$T/want" && same "$T/full" "$T/want" "list"
