#!/bin/bash
# Bad callers at the TCP port: beside each kind of them an honest one is served, from their own address too.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"
requires "openssl is not installed" command -v openssl

PORT=24018
make_volume v dist1
mount_volume v
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/$i"; done
found "$M" >"$T/want"

uuid=$(sed -n 's/^UUID=//p' /var/lib/glusterd/glusterd.info)
mkdir -m 700 "$T/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gbnode \
        -addext "subjectAltName=URI:urn:uuid:$uuid" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$T/tls/node.key" -out "$T/tls/node.pem" 2>/dev/null || gb_die "openssl makes no certificate"
cp "$T/tls/node.pem" "$T/tls/peers.pem"
export GBACKUP_TLS_DIR=$T/tls
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\ntls_dir = %s\nlisten = [::]:%s\n' "$GBACKUP_SOCKET" "$T/tls" "$PORT"
}
start_gbackupd
now_ms() { echo $(($(date +%s%N) / 1000000)); }
run_cli 0 full "tcp:127.0.0.1:$PORT" v -0 --out-file="$T/list"
begin=$(now_ms)
for _ in 1 2 3; do run_cli 0 full "tcp:127.0.0.1:$PORT" v -0 --out-file="$T/list"; done
alone=$((($(now_ms) - begin) / 3))

slow=1
! grep -q fsanitize "$GB_BUILD/Makefile" || slow=4
gb_child_count() { wc -w <"/proc/$1/task/$1/children"; }
# beside WHAT KIND N [ADDRESSES]
beside() {
        local what=$1 pid begin took most
        shift
        python3 "$GB_HERE/strangers.py" "$1" "$2" "$PORT" "${3:-1}" >"$T/strangers.out" 2>&1 &
        pid=$!
        wait_for 30 grep -q ready "$T/strangers.out" || problem "$what: $(cat "$T/strangers.out")"
        begin=$(now_ms)
        for _ in 1 2 3; do
                run_cli 0 full "tcp:127.0.0.1:$PORT" v -0 --out-file="$T/list" && same "$T/list" "$T/want" "$what: list"
        done
        took=$((($(now_ms) - begin) / 3))
        run_cli 0 full "$HOST" v -0 --out-file="$T/list" && same "$T/list" "$T/want" "$what: list by the local socket"
        most=$(gb_child_count "$gb_agent_pid")
        kill "$pid"
        wait "$pid" 2>/dev/null
        echo "# $what: $took ms, alone $alone ms, $most workers"
        # generous: the callers live on this machine as well
        [ "$took" -lt $((5 * alone + 4000 * slow)) ] || problem "$what: a list takes $took ms, alone $alone ms"
        [ "$most" -le 64 ] || problem "$what: $most workers"
        kill -0 "$gb_agent_pid" 2>/dev/null || problem "$what: gbackupd is gone"
}

it "a thousand idle connections of one address"
beside idle idle 1000
it "a thousand idle connections of a hundred addresses"
beside idle-100 idle 1000 100
it "callers that send a byte now and then, nonsense, records without end; that do not read"
for kind in loris garbage huge deaf; do beside $kind $kind 100 10; done

it "they leave nothing behind"
none() { [ "$(gb_child_count "$gb_agent_pid")" = 0 ]; }
wait_for 15 none || problem "$(gb_child_count "$gb_agent_pid") workers are left"
is "$(find "/proc/$gb_agent_pid/fd" -type l | wc -l | awk '{print ($1 < 20)}')" 1 "descriptors of the listener"
