#!/bin/bash
# HOST in its forms: every way to an agent gives the same list.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
mkdir "$M/d"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/d/$i"; done
found "$M" >"$T/want"

start_gbackupd

it "local: no daemon is needed"
stop_gbackupd
run_cli 0 full local v -0 --out-file="$T/list"
same "$T/list" "$T/want" "list"
start_gbackupd

it "an address of this machine: its socket"
run_cli 0 full "$HOST" v -0 --out-file="$T/list"
same "$T/list" "$T/want" "list"

it "unix:PATH"
run_cli 0 full "unix:$GBACKUP_SOCKET" v -0 --out-file="$T/list"
same "$T/list" "$T/want" "list"

it "--rsh: a program that reaches the node"
cat >"$T/rsh" <<END
#!/bin/sh
[ "\$1" = "$HOST" ] || exit 1
shift
[ "\$1" = gbackupd ] || exit 1
shift
exec "$AGENT" --config "$T/gbackupd.conf" "\$@"
END
chmod +x "$T/rsh"
run_cli 0 full "$HOST" v -0 --rsh="$T/rsh" --out-file="$T/list"
same "$T/list" "$T/want" "list"
fails 69 "." full "$HOST" v --rsh=/nonexistent --out-file="$T/list"

it "tcp:127.0.0.1:PORT, for tests only"
stop_gbackupd
"$AGENT" --config "$T/gbackupd.conf" --listen 127.0.0.1:24017 2>"$T/tcp.err" &
agent=$!
tcp_ready() { python3 -c 'import socket; socket.create_connection(("127.0.0.1", 24017)).close()' 2>/dev/null; }
wait_for 10 tcp_ready
run_cli 0 full tcp:127.0.0.1:24017 v -0 --out-file="$T/list"
same "$T/list" "$T/want" "list"
run_cli 0 register s tcp:127.0.0.1:24017 v
run_cli 0 s -0 --out-file="$T/list"
same "$T/list" "$T/want" "list of a session"
kill "$agent"
wait "$agent"
is $? 0 "gbackupd ends on SIGTERM"

it "TCP beyond loopback is refused on both sides until it is encrypted"
fails 64 "TLS" full tcp:10.99.0.1:24017 v --out-file="$T/list"
"$AGENT" --config "$T/gbackupd.conf" --listen 10.99.0.1:24017 2>"$T/tcp.err"
is $? 64 "gbackupd --listen 10.99.0.1:24017"
grep -q TLS "$T/tcp.err" || problem "gbackupd does not say why: $(cat "$T/tcp.err")"

it "another machine, and a name nobody knows: 69"
fails 69 "--rsh" full 192.0.2.1 v --out-file="$T/list"
fails 69 "unknown host" full no-such-host.invalid v --out-file="$T/list"
