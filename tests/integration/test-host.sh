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

# A folder of keys as gbackup-cli tls setup makes it, here by openssl.
uuid=$(sed -n 's/^UUID=//p' /var/lib/glusterd/glusterd.info)
mkdir -m 700 "$T/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gbnode \
        -addext "subjectAltName=URI:urn:uuid:$uuid" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$T/tls/node.key" -out "$T/tls/node.pem" 2>/dev/null || gb_die "openssl makes no certificate"
cp "$T/tls/node.pem" "$T/tls/peers.pem"
export GBACKUP_TLS_DIR=$T/tls

it "tcp:HOST:PORT: TLS, IPv4 and IPv6, whichever certificates are there now"
stop_gbackupd
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\nlog_level = debug\ntls_dir = %s\nlisten = [::]:24018\n' "$GBACKUP_SOCKET" "$T/tls"
}
start_gbackupd
for at in 127.0.0.1:24018 "$HOST:24018" "[::1]:24018" localhost:24018; do
        run_cli 0 full "tcp:$at" v -0 --out-file="$T/list"
        same "$T/list" "$T/want" "list by tcp:$at"
done
run_cli 0 --port=24018 full tcp:gbnode v -0 --out-file="$T/list"
run_cli 0 register s "tcp:$HOST:24018" v
run_cli 0 s -0 --out-file="$T/list"
same "$T/list" "$T/want" "list of a session"

it "without usable certificates: no TLS, no list, and it says what to do"
mv "$T/tls/peers.pem" "$T/tls/away.pem"
fails 78 "peers.pem.*|tls setup" full "tcp:$HOST:24018" v --out-file="$T/list"
mkdir -m 700 "$T/tls2"
cp "$T"/tls/node.* "$T/tls2" && cp "$T/tls/node.pem" "$T/tls2/peers.pem"
fails 69 "does not offer TLS" full "tcp:$HOST:24018" v --tls-dir="$T/tls2" --out-file="$T/list"
chmod 644 "$T/tls2/node.key"
fails 78 "others may read this private key" full "tcp:$HOST:24018" v --tls-dir="$T/tls2" --out-file="$T/list"
mv "$T/tls/away.pem" "$T/tls/peers.pem"
run_cli 0 full "tcp:$HOST:24018" v -0 --out-file="$T/list"

it "sockets of systemd are taken over in place of our own"
stop_gbackupd
cat >"$T/activate.py" <<'END'
import os, socket, sys
local, tcp = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET6)
os.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])
local.bind(sys.argv[1])
tcp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
tcp.bind(("::", 24020))
for s in local, tcp:
    s.listen()
a, b = os.dup(local.fileno()), os.dup(tcp.fileno())
os.dup2(a, 3)
os.dup2(b, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[2], sys.argv[2:])
END
python3 "$T/activate.py" "$GBACKUP_SOCKET" "$AGENT" --config "$T/gbackupd.conf" >"$T/log/gbackupd.log" 2>&1 </dev/null &
gb_agent_pid=$!
wait_for 20 gb_agent_ready || problem "gbackupd is not ready: $(tail -n 3 "$T/log/gbackupd.log")"
for at in "$HOST" "tcp:$HOST:24020" "tcp:[::1]:24020"; do
        run_cli 0 full "$at" v -0 --out-file="$T/list"
        same "$T/list" "$T/want" "list by $at"
done
fails 69 "no gbackupd at" full "tcp:$HOST:24018" v --out-file="$T/list"
stop_gbackupd
start_gbackupd

it "strangers of one address are few; who has shown a certificate is no stranger"
stop_gbackupd
eval "gb_more_$(declare -f gb_write_config)"
gb_write_config() {
        gb_more_gb_write_config
        echo "max_workers_per_address = 2"
}
start_gbackupd
# 2x2: one connection for the calls, two or more for the streams.
run_cli 0 full "tcp:$HOST:24018" v -0 --out-file="$T/list"
same "$T/list" "$T/want" "list"
python3 -c '
import socket, sys
held = [socket.create_connection(("127.0.0.1", 24018)) for i in range(2)]
third = socket.create_connection(("127.0.0.1", 24018))
held[0].settimeout(5)
print(len(held[0].recv(1)))
other = socket.create_connection(("::1", 24018))
other.settimeout(1)
try:
    print(len(other.recv(1)))
except TimeoutError:
    print("kept")' >"$T/strangers.out" 2>&1
is "$(paste -sd ' ' "$T/strangers.out")" "0 kept" "the oldest stranger of that address when a third one comes, one of another"
wait_for 20 run_cli 0 full "tcp:127.0.0.1:24018" v -0 --out-file="$T/list"

it "a host that is none, and a name nobody knows: 69"
fails 69 "unknown host" full no-such-host.invalid v --out-file="$T/list"
fails 69 "no gbackupd at" full "tcp:$HOST:24019" v --out-file="$T/list"
fails 64 "expected tcp:" full "tcp:[::1:24018" v --out-file="$T/list"
fails 64 "expected tcp:" full "tcp:$HOST:x" v --out-file="$T/list"
