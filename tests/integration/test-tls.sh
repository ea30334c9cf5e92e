#!/bin/bash
# Trust between nodes: set up by one command, by clients of every kind, and by those who should be refused.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cluster.sh"
requires "openssl is not installed" command -v openssl

# glusterd's folder of peer_* programs, with ours on top.
helpers=$(sed -n "s/^glusterlibexecdir = //p" "$GB_BUILD/daemon/Makefile")
mkdir "$T/libexec"
cp "$GB_BUILD/daemon/peer_gbackup_tls" "$T/libexec/"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$T/libexec:$helpers" "$helpers" || gb_skip_all "no overlay mounts"

mkdir "$T/lists"
start_cluster 3
CLI_RSH=
cluster_volume v rep3
cluster_volume w dist3
mount_volume w
mkdir "$M/only-w"
mount_volume v
mkdir "$M/d"
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/d/$i"; done
found "$M" >"$T/want"
start_agents

fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f; }
full() { # HOST VOLUME: the list is the volume
        run_cli 0 full "$1" "$2" -0 --out-file="$T/lists/list" && same "$T/lists/list" "$T/want" "list by $1"
}

it "before tls setup: another node offers no TLS, and it says what to do"
fails 78 "tls setup" full n2 v --out-file="$T/lists/list"

it "tls setup: keys on every node, certificates on all, private keys nowhere else"
run_cli 0 tls setup
for node in "${NODES[@]}"; do
        d=$T/$node/etc/tls
        is "$(stat -c %a "$d/node.key")" 600 "mode of the key of $node"
        is "$(stat -c %a "$d")" 700 "mode of the folder on $node"
        grep -q "SHA256:$(fingerprint "$d/node.pem")  new" "$OUT" || problem "setup does not show the fingerprint of $node: $(cat "$OUT")"
        cmp -s "$d/peers.pem" "$T/n1/etc/tls/peers.pem" || problem "$node has another peers.pem"
        openssl x509 -in "$d/node.pem" -noout -ext subjectAltName | piped "urn:uuid:$(sed -n 's/^UUID=//p' "$T/$node/lib/glusterd.info")" ||
                problem "$node: no uuid in its certificate"
        grep -rl "PRIVATE KEY" "$T/$node/lib" "$T/$node/etc" "$T/log/$node" | grep -v "^$d/node.key$" | while read -r f; do problem "a private key in $f"; done
done
is "$(grep -c BEGIN "$T/n1/etc/tls/peers.pem")" 3 "certificates in peers.pem"
grep -q "not encrypted" "$ERR" || problem "no warning about glusterd's channel: $(cat "$ERR")"

it "lists from every node over TLS, without a restart"
for CLI_NODE in n1 n2; do
        full n1 v
        full n3 v
done
CLI_NODE=n1
full tcp:n1 v
grep -q "hello from gbackup-cli .*, node " "$T/log/n3/gbackupd.log" || problem "n3 does not log who came: $(tail -n 3 "$T/log/n3/gbackupd.log")"

it "setup again changes nothing"
before=$(cat "$T"/n*/etc/tls/* | sha256sum)
run_cli 0 tls setup
is "$(grep -c "as before" "$OUT")" 3 "nodes as before"
is "$(cat "$T"/n*/etc/tls/* | sha256sum)" "$before" "keys and lists"

it "a machine that is no node: key, add-client, trust"
export GBACKUP_TLS_DIR=$T/clienttls
CLI_NODE=client
run_cli 0 tls key backup1
cp "$OUT" "$T/backup1.pem"
is "$(stat -c %a "$T/clienttls/node.key")" 600 "mode of the client's key"
fails 78 "peers.pem" full n1 v --out-file="$T/lists/list"
cp "$T/n1/etc/tls/peers.pem" "$T/clienttls/peers.pem"
fails 1 "n1.* refuses our certificate \(backup1\): it is not in the lists there" full n1 v --out-file="$T/lists/list"
rm "$T/clienttls/peers.pem"
unset GBACKUP_TLS_DIR
CLI_NODE=n2
run_cli 0 tls add-client backup1 session v "$T/backup1.pem"
cp "$OUT" "$T/nodes.pem"
for node in "${NODES[@]}"; do
        grep -q "^backup1 session v sha256:$(fingerprint "$T/backup1.pem")$" "$T/$node/etc/tls/clients.conf" || problem "$node does not know backup1"
done
export GBACKUP_TLS_DIR=$T/clienttls
CLI_NODE=client
run_cli 0 tls trust "$T/nodes.pem"

it "full list from there, by name, IPv4 and IPv6"
full n1 v
full n3 v
full 10.99.0.2 v
full tcp:n2-6 v
full "tcp:[fd99::3]:24017" v

it "session from there: first list, then what changed"
run_cli 0 register s n2 v
run_cli 0 s --out-file="$T/lists/list.jsonl" --format=jsonl
settle v
rm "$M/d/1"
echo more >>"$M/d/2"
mkdir "$M/e"
run_cli 0 s --out-file="$T/lists/list.jsonl" --format=jsonl
listed "$T/lists/list.jsonl" "the incremental" <<'END'
DELETE d/1
MODIFY d/2
NEW e
END
found "$M" >"$T/want"

it "it may have the volume it was given, and no other"
fails 1 "client backup1 has no right to volume w" full n1 w --out-file="$T/lists/list"

it "list right: lists, but no sessions"
unset GBACKUP_TLS_DIR
CLI_NODE=n2
run_cli 0 tls add-client backup1 list 'v,w' "$T/backup1.pem"
CLI_NODE=client
export GBACKUP_TLS_DIR=$T/clienttls
full n1 v
run_cli 0 full n1 w --out-file="$T/lists/list"
is "$(cat "$T/lists/list")" only-w "list of w"
fails 1 "needs 'session'" register s2 n1 v
run_cli "1|2" s --out-file="$T/lists/list"
grep -q "SESSION_LOCK needs 'session'" "$ERR" || problem "it says: $(cat "$ERR")"

it "a removed client is refused at its next connection"
unset GBACKUP_TLS_DIR
CLI_NODE=n2
run_cli 0 tls remove-client backup1
is "$(cat "$T"/n?/etc/tls/clients.pem)" "" "clients.pem"
fails 1 "no client backup1" tls remove-client backup1
CLI_NODE=client
export GBACKUP_TLS_DIR=$T/clienttls
fails 1 "refuses our certificate" full n1 v --out-file="$T/lists/list"
unset GBACKUP_TLS_DIR
CLI_NODE=n1
is "$(agent_pids n1 | wc -l)" 1 "processes of gbackupd on n1 when nobody is connected"

# ---- who should be refused --------------------------------------------------------------------------

# s_client MESSAGE OPTIONS...: STARTTLS by hand, then openssl's client; what it says is in $T/said.
cat >"$T/starttls.py" <<'END'
import socket, ssl, struct, sys
host, cert, cadir, version, alpn = sys.argv[1:6]
def call(proc, flavor, xid=1):
    body = struct.pack(">10I", xid, 0, 2, 0x2b5a0b4e, 1, proc, flavor, 0, 0, 0)
    s.sendall(struct.pack(">I", 0x80000000 | len(body)) + body)
    return reply()
def reply():
    n = struct.unpack(">I", take(4))[0] & 0x7fffffff
    return take(n)
def take(n):
    b = b""
    while len(b) < n:
        got = s.recv(n - len(b))
        if not got:
            raise EOFError("closed")
        b += got
    return b
s = socket.create_connection((host, 24017), timeout=8)
try:
    if version == "plain":
        for proc in range(1, 22):
            r = call(proc, 0)
            assert struct.unpack(">4I", r[4:20]) == (1, 1, 1, 5), (proc, r)  # reply, denied, auth error, too weak
        assert struct.unpack(">5I", call(0, 0)[4:24]) == (1, 0, 0, 0, 0)
        print("TOOWEAK")
        sys.exit()
    assert b"STARTTLS" in call(0, 7)
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if version == "1.2":
        c.maximum_version = ssl.TLSVersion.TLSv1_2
    if cert != "-":
        c.load_cert_chain(cert + "/node.pem", cert + "/node.key")
    if alpn != "-":
        c.set_alpn_protocols([alpn])
    s = c.wrap_socket(s)
    r = call(0, 0)
    print("SERVED" if struct.unpack(">I", r[20:24])[0] == 0 else "REFUSED")
except (ssl.SSLError, EOFError, ConnectionError) as e:
    print("REFUSED", e)
END
bad_client() { on "$1" python3 "$T/starttls.py" "${@:2}" >"$T/said" 2>&1; }
refused() {
        bad_client "${@:2}"
        grep -q "^REFUSED" "$T/said" || problem "$1: $(cat "$T/said")"
        grep -qi "$1" "$T/said" || problem "the client is told '$(cat "$T/said")', want $1"
}
certificate() { # FOLDER UUID
        mkdir -p "$1"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fake \
                -addext "subjectAltName=URI:urn:uuid:$2" -addext basicConstraints=critical,CA:FALSE \
                -keyout "$1/node.key" -out "$1/node.pem" 2>/dev/null || problem "openssl makes no certificate"
}
uuid_of() { sed -n 's/^UUID=//p' "$T/$1/lib/glusterd.info"; }

it "bad clients: no certificate, foreign one, TLS 1.2, other ALPN, none; and the good one beside them"
certificate "$T/foreign" "$(uuid_of n2)"
bad_client client 10.99.0.1 "$T/n2/etc/tls" - 1.3 sunrpc
is "$(cat "$T/said")" SERVED "the good client"
refused CERTIFICATE_REQUIRED client 10.99.0.1 - - 1.3 sunrpc
refused UNKNOWN_CA client 10.99.0.1 "$T/foreign" - 1.3 sunrpc
refused PROTOCOL_VERSION client 10.99.0.1 "$T/n2/etc/tls" - 1.2 sunrpc
refused no.application.protocol client 10.99.0.1 "$T/n2/etc/tls" - 1.3 http/1.1
bad_client client 10.99.0.1 "$T/n2/etc/tls" - 1.3 -
grep -q ^REFUSED "$T/said" || problem "no ALPN: $(cat "$T/said")"

it "before TLS nothing but NULL is answered, rpcinfo's ping is"
bad_client client 10.99.0.1 - - plain -
is "$(cat "$T/said")" TOOWEAK "calls in clear"
if command -v rpcinfo >/dev/null; then
        # program 0x2b5a0b4e; port 24017 is 93.209 in a universal address
        ok "rpcinfo over IPv4" rpcinfo -a 10.99.0.1.93.209 -T tcp 727321422 1
        ok "rpcinfo over IPv6" rpcinfo -a fd99::1.93.209 -T tcp6 727321422 1
else
        problem "rpcinfo is not installed"
fi

it "a node in the place of another: the certificate must name the one that was dialled"
# n3's name leads to n2, everywhere but on n3 itself.
sed 's/^10.99.0.2 n2$/10.99.0.2 n2 n3/; /^10.99.0.3 n3$/d; /n3-6/d' "$T/hosts" >"$T/hosts.wrong"
cp "$T/hosts" "$T/hosts.right"
cat "$T/hosts.wrong" >"$T/hosts"
run_cli 2 full n2 w --out-file="$T/lists/list"
grep -q "node $(uuid_of n2) answers there, not $(uuid_of n3)" "$ERR" || problem "it says: $(cat "$ERR")"
cat "$T/hosts.right" >"$T/hosts"
full n2 v

it "an agent with the right uuid and a key of its own"
certificate "$T/foreign3" "$(uuid_of n3)"
mv "$T/n3/etc/tls" "$T/n3/etc/tls.away"
mkdir -m 700 "$T/n3/etc/tls"
cp "$T/foreign3"/node.* "$T/n3/etc/tls.away/peers.pem" "$T/n3/etc/tls/"
run_cli 2 full n2 w --out-file="$T/lists/list"
grep -q "the certificate of .* is not accepted: it is not in our lists" "$ERR" || problem "it says: $(cat "$ERR")"
rm -r "$T/n3/etc/tls"
mv "$T/n3/etc/tls.away" "$T/n3/etc/tls"

it "a node that left the pool is refused although its certificate is still listed"
certificate "$T/left" 01234567-89ab-cdef-0123-456789abcdef
cat "$T/left/node.pem" >>"$T/n1/etc/tls/peers.pem"
cp "$T/n1/etc/tls/peers.pem" "$T/left/"
CLI_NODE=client
fails 1 "node 01234567.* does not belong to this pool" full n1 v --tls-dir="$T/left" --out-file="$T/lists/list"
CLI_NODE=n1
run_cli 0 tls setup
grep -q "fake .*no longer trusted" "$OUT" || problem "setup does not tell whom it dropped: $(cat "$OUT")"
is "$(grep -c BEGIN "$T/n1/etc/tls/peers.pem")" 3 "certificates in peers.pem"

# ---- life of keys -----------------------------------------------------------------------------------

it "tls status: who trusts whom, what expires"
run_cli 0 tls status
is "$(grep -c '^node .* trusts all nodes that are up$' "$OUT")" 3 "nodes that trust all"
is "$(grep -c '^peer ' "$OUT")" 3 "peers"
run_cli 0 tls status --json
ok "JSON" python3 -c 'import json, sys
s = json.load(open(sys.argv[1]))
assert len(s["nodes"]) == 3 and not s["problems"] and s["own"]["days_left"] > 1800 and not s["secure_channel"], s' "$OUT"

it "renewed keys: every certificate is a new one, lists work, old ones are no longer trusted"
cp "$T/n2/etc/tls/node.pem" "$T/old.pem" && cp -r "$T/n2/etc/tls" "$T/old2"
run_cli 0 tls setup --renew
is "$(grep -c renewed "$OUT")" 3 "nodes renewed"
cmp -s "$T/old.pem" "$T/n2/etc/tls/node.pem" && problem "n2 has its old certificate"
is "$(grep -c BEGIN "$T/n3/etc/tls/peers.pem")" 3 "certificates in peers.pem"
grep -q "$(fingerprint "$T/old.pem")" "$T/n3/etc/tls/peers.pem" && problem "the old certificate is still trusted"
is "$(find "$T"/n?/etc/tls -name '*.new')" "" "left over"
full n3 v
refused UNKNOWN_CA client 10.99.0.1 "$T/old2" - 1.3 sunrpc

it "a peer that is down is named, keeps its place, and catches up"
kill_glusterd n3
gb_n3_is_down() { on n1 gluster --mode=script pool list 2>/dev/null | piped 'n3 .*Disconnected'; }
wait_for 60 gb_n3_is_down || problem "glusterd does not notice that n3 is down"
run_cli 2 tls setup
grep -q "^n3 .*DOWN" "$OUT" || problem "setup does not name n3: $(cat "$OUT")"
grep -q "node n3 is down" "$ERR" || problem "no message: $(cat "$ERR")"
is "$(grep -c BEGIN "$T/n1/etc/tls/peers.pem")" 3 "certificates in peers.pem"
run_cli 2 tls add-client backup1 session v "$T/backup1.pem"
start_glusterd_on n3
wait_for 60 gb_sees_all n3 || problem "n3 does not come back"
wait_for 60 gb_sees_all n1 || problem "n1 does not see n3"
CLI_NODE=n3
fails 64 "newer list of clients .*run this there" tls setup
CLI_NODE=n1
run_cli 1 tls status
grep -q "node n3 has another list of clients" "$OUT" || problem "status does not tell: $(cat "$OUT")"
run_cli 0 tls setup
grep -q ^backup1 "$T/n3/etc/tls/clients.conf" || problem "n3 does not know backup1"
run_cli 0 tls status

it "a locked node keeps what it has"
touch "$T/n2/etc/tls/locked"
fails 1 "node n2: .*locked keeps keys and lists as they are" tls setup --renew
rm "$T/n2/etc/tls/locked"

it "renewed keys where there are clients: they get the list first, and nobody is cut off"
client() { # ARGS of run_cli or fails
        CLI_NODE=client GBACKUP_TLS_DIR=$T/clienttls "$@"
}
listed_by_client() { client run_cli 0 full "$1" v -0 --out-file="$T/lists/list" && same "$T/lists/list" "$T/want" "$2"; }
run_cli 0 tls setup
client run_cli 0 tls trust "$T/n1/etc/tls/peers.pem"
cp -r "$T/clienttls" "$T/clienttls.old"
cp "$T/n2/etc/tls/node.pem" "$T/old.pem"
run_cli 0 tls setup --renew
is "$(grep -c "as before$" "$OUT") $(grep -c "next, not in use yet$" "$OUT")" "3 3" "nodes as before, and their next certificates"
grep -q "^client backup1 needs" "$OUT" || problem "the client is not named: $(cat "$OUT")"
grep -q "not in use yet: give .*peers.pem .*tls setup --renew again" "$ERR" || problem "it does not say what to do: $(cat "$ERR")"
cmp -s "$T/old.pem" "$T/n2/etc/tls/node.pem" || problem "n2 changed over"
run_cli 0 tls setup
run_cli 0 tls status
is "$(grep -c "a next key waits" "$OUT")" 3 "nodes of which status says so"
listed_by_client n2 "list before the client has the new list"
client run_cli 0 tls trust "$T/n3/etc/tls/peers.pem"
listed_by_client n2 "list before the change-over"
run_cli 0 tls setup --renew
is "$(grep -c "renewed$" "$OUT") $(grep -c "next" "$OUT")" "3 0" "renewed nodes, next certificates"
is "$(grep -c BEGIN "$T/n3/etc/tls/peers.pem")" 3 "certificates in peers.pem"
listed_by_client n2 "list after it"
mv "$T/clienttls" "$T/clienttls.new" && mv "$T/clienttls.old" "$T/clienttls"
client fails 1 "is not accepted: it is not in our lists" full n2 v --out-file="$T/lists/list"

it "a client with a new key: it is told what to do, and so are those it calls"
rm -r "$T/clienttls" && mv "$T/clienttls.new" "$T/clienttls"
client run_cli 0 tls key backup1 --renew && cp "$OUT" "$T/backup1.pem"
grep -q "refuses this machine until .*tls add-client" "$ERR" || problem "it does not say what to do: $(cat "$ERR")"
client fails 1 "refuses our certificate .*tls add-client" full n2 v --out-file="$T/lists/list"
run_cli 0 tls add-client backup1 session v "$T/backup1.pem"
listed_by_client n2 "list after add-client"
client run_cli 0 tls key backup1
[ ! -s "$ERR" ] || problem "an old key: it says $(cat "$ERR")"

it "certificates of an authority, as GlusterFS has them: a common name needs a line in clients.conf"
mkdir "$T/ca"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -addext keyUsage=keyCertSign \
        -keyout "$T/ca/ca.key" -out "$T/ca/glusterfs.ca" 2>/dev/null || problem "no authority"
for name in storage mount; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name.example.com" \
                -keyout "$T/ca/$name.key" -out "$T/ca/$name.csr" 2>/dev/null &&
                openssl x509 -req -in "$T/ca/$name.csr" -CA "$T/ca/glusterfs.ca" -CAkey "$T/ca/ca.key" -CAcreateserial -days 2 \
                        -out "$T/ca/$name.pem" 2>/dev/null || problem "no certificate of $name"
done
authority_folder() { # FOLDER NAME
        mkdir -m 700 "$1"
        ln -s "$T/ca/$2.key" "$1/node.key"
        ln -s "$T/ca/$2.pem" "$1/node.pem"
        ln -s "$T/ca/glusterfs.ca" "$1/peers.pem"
        echo 'nodes node * cn:storage.example.com' >"$1/clients.conf"
}
for node in "${NODES[@]}"; do
        mv "$T/$node/etc/tls" "$T/$node/etc/tls.own"
        authority_folder "$T/$node/etc/tls" storage
done
authority_folder "$T/mount" mount
full n2 v
CLI_NODE=client
fails 1 "certificate 'mount.example.com' SHA256:[0-9a-f]* has no rights here" full n1 v --tls-dir="$T/mount" --out-file="$T/lists/list"
for node in "${NODES[@]}"; do echo 'backup list v cn:mount.example.com' >>"$T/$node/etc/tls/clients.conf"; done
run_cli 0 --tls-dir="$T/mount" full n1 v -0 --out-file="$T/lists/list"
same "$T/lists/list" "$T/want" "list"
echo '# nobody' >"$T/mount/clients.conf"
fails 1 "certificate 'storage.example.com' SHA256:[0-9a-f]* is no node's" full n1 v --tls-dir="$T/mount" --out-file="$T/lists/list"
for node in "${NODES[@]}"; do rm -r "$T/$node/etc/tls" && mv "$T/$node/etc/tls.own" "$T/$node/etc/tls"; done
CLI_NODE=n1

it "wrong words"
fails 64 "usage: gbackup-cli tls add-client" tls add-client x
fails 64 "tls setup, status" tls nonsense
fails 64 "is no right" tls add-client x admin v "$T/backup1.pem"
fails 64 "volumes are names" tls add-client x list 'v;reboot' "$T/backup1.pem"
fails 64 "certificate of a node" tls add-client x list v "$T/n2/etc/tls/node.pem"
fails 78 "no certificate in it" tls add-client x list v /etc/hostname
CLI_NODE=client
fails 1 "has to run on a node" tls setup
