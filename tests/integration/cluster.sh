# shellcheck shell=bash
# cluster.sh - a real GlusterFS cluster of several nodes on one machine.
#
# `. "$(dirname "$0")/cluster.sh"` puts the test into a box, as functions.sh does (whose words are all there),
# and `start_cluster 3` makes three nodes in it.  Each node has a network, mount and UTS namespace of its own,
# with its own glusterd, /run, /var/lib/glusterd, /var/log/glusterfs, /var/lib/gbackup and /etc/gbackup.  They
# meet on a bridge; the box itself is one more machine there, `client`, with the mounts, no glusterd and no
# gbackupd.  Process ids are the same everywhere.  When the box ends, all of it is gone.
#
# Node K is `nK` (10.99.0.K, and fd99::K as nK-6) in everybody's hosts file; `client` is 10.99.0.100.
#
#   start_cluster N             N nodes, glusterd on each, all of one pool
#   on NODE COMMAND...          on that node (`client`: here).  The pid of the command is that of `on`.
#   start_agents [NODE...]      gbackupd on these or all nodes; agent_pid NODE, agent_pids NODE (all, workers last),
#                               no_workers NODE
#   kill_agent NODE [-SIGNAL]   the listening process (TERM); kill_workers NODE [-SIGNAL]: only those of connections
#   stop_agents [NODE...]
#   cluster_volume NAME TYPE [OPTION VALUE]...  bricks spread over the nodes, round robin; types as make_volume
#   brick_node NAME I, brick_path NAME I (seen from the box), brick_name NAME I (HOST:PATH, as glusterd has it)
#   mount_volume NAME           in the box, at M
#   kill_brick, restart_brick, settle ...: as in node.sh
#   cut_link NODE               nothing goes to the node nor comes from it; silence, no errors
#   cut_to NODE, cut_from NODE  one direction only;  heal_link NODE ends any of the three
#   crash_node NODE             kill -9 of all that runs there; revive_node NODE: glusterd and bricks again
#   set_skew NODE SECONDS       clock of glusterd, bricks and gbackupd started there from now on
#   start_glusterd_on NODE, kill_glusterd NODE, reaches FROM TO (by TCP, with agents running)
#   run_cli, fails              on the node CLI_NODE (n1, or `client`), with --rsh=CLI_RSH unless that is empty
#   generations SESSION KIND    committed or pending: the generation on every node that answers, each once
#   start_cli ARGS...           in the background, as CLI_PID; output in $OUT and $ERR
GB_NO_NODE=1
# shellcheck source=tests/integration/functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
for gb_command in nsenter bridge; do
        command -v "$gb_command" >/dev/null || gb_skip_all "$gb_command is not installed"
done

NODES=()
# shellcheck disable=SC2034 # for the sourcing script
HOST=n1
CLI_NODE=n1
CLI_RSH=$T/rsh
GB_RELAY_PORT=24099
declare -A gb_holder gb_agent gb_relay gb_skew

# ---- nodes ------------------------------------------------------------------------------------------

start_cluster() {
        local i
        gb_private
        hostname client
        ip link add gbr0 type bridge
        ip link set gbr0 up
        ip addr add 10.99.0.100/24 dev gbr0
        ip -6 addr add fd99::100/64 dev gbr0 nodad 2>/dev/null
        for ((i = 1; i <= $1; i++)); do NODES+=("n$i"); done
        gb_write_hosts >"$T/hosts"
        mount --bind "$T/hosts" /etc/hosts
        gb_write_rsh
        for i in "${NODES[@]}"; do gb_make_node "$i"; done
        for i in "${NODES[@]}"; do start_glusterd_on "$i"; done
        for i in "${NODES[@]}"; do wait_for 60 gb_glusterd_answers_on "$i" || gb_die "glusterd does not answer on $i"; done
        for i in "${NODES[@]:1}"; do
                on n1 gluster --mode=script peer probe "$i" >"$T/gluster.out" 2>&1 || gb_die "peer probe $i: $(cat "$T/gluster.out")"
        done
        for i in "${NODES[@]}"; do wait_for 60 gb_sees_all "$i" || gb_die "$i does not see all peers"; done
}

gb_write_hosts() {
        local node
        printf '127.0.0.1 localhost\n10.99.0.100 client\nfd99::100 client-6\n'
        for node in "${NODES[@]}"; do printf '10.99.0.%s %s\nfd99::%s %s-6\n' "${node#n}" "$node" "${node#n}" "$node"; done
}

# The node lives as long as its holder.
gb_make_node() {
        local node=$1 d=$T/$1 pid
        mkdir -p "$d"/{lib,run/gluster,run/lock,run/gbackup,state,etc} "$T/log/$node/gluster" "$T/bricks/$node" "$T/bricks/here"
        mkdir -p /etc/gbackup
        # shellcheck disable=SC2016 # for the inner shell
        unshare --net --mount --uts --propagation private bash -c '
                hostname "$1"
                mount --bind "$2/run" /run && mount --bind "$2/lib" /var/lib/glusterd &&
                mount --bind "$3/log/$1/gluster" /var/log/glusterfs && mount --bind "$2/state" /var/lib/gbackup &&
                mount --bind "$2/etc" /etc/gbackup && mount --bind "$3/bricks/$1" "$3/bricks/here" &&
                echo ready >"$2/ready" && exec sleep infinity' - "$node" "$d" "$T" &
        pid=$!
        gb_holder[$node]=$pid
        wait_for 20 test -s "$d/ready" || gb_die "node $node does not start"
        ip link add "v$node" type veth peer name eth0 netns "$pid" || gb_die "no network for $node"
        ip link set "v$node" master gbr0 up
        nsenter -t "$pid" -n sh -c "
                ip link set lo up; ip link set eth0 up
                ip addr add 10.99.0.${node#n}/24 dev eth0
                ip -6 addr add fd99::${node#n}/64 dev eth0 nodad 2>/dev/null"
}

# Sets gb_words to what runs the command there.  Only `"${gb_words[@]}" &` has the pid of the command as $!.
gb_words_on() {
        local node=$1
        shift
        gb_words=(env "$@")
        [ "$node" = client ] || gb_words=(nsenter -t "${gb_holder[$node]}" -n -m -u -- env "$@")
}
on() {
        local gb_words
        gb_words_on "$@"
        "${gb_words[@]}"
}

# As gb_words_on, with the clock of that node.
gb_words_on_clock() {
        local node=$1 lib
        shift
        if [ -n "${gb_skew[$node]:-}" ]; then
                for lib in /usr/lib/*/faketime/libfaketime.so.1; do :; done
                set -- LD_PRELOAD="$lib" FAKETIME="${gb_skew[$node]}s" FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
        fi
        gb_words_on "$node" "$@"
}
set_skew() {
        compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || gb_skip_all "faketime is not installed"
        gb_skew[$1]=$(printf '%+d' "$2")
}

start_glusterd_on() {
        local gb_words
        gb_words_on_clock "$1" glusterd -p /run/glusterd.pid
        "${gb_words[@]}" || gb_die "glusterd does not start on $1"
}
gb_glusterd_answers_on() { on "$1" gluster --mode=script pool list >/dev/null 2>&1; }
gb_sees_all() { [ "$(on "$1" gluster --mode=script pool list 2>/dev/null | grep -c 'Connected')" = "${#NODES[@]}" ]; }
kill_glusterd() {
        local pid
        pid=$(cat "$T/$1/run/glusterd.pid") && kill -KILL "$pid" && wait_for 20 gb_process_gone "$pid"
}

gb_node_pids() {
        local net p
        net=$(readlink "/proc/${gb_holder[$1]}/ns/net")
        for p in /proc/[0-9]*; do
                [ "$(readlink "$p/ns/net" 2>/dev/null)" != "$net" ] || echo "${p#/proc/}"
        done | grep -vx "${gb_holder[$1]}"
}
crash_node() {
        local pids
        pids=$(gb_node_pids "$1")
        # shellcheck disable=SC2086 # many
        [ -z "$pids" ] || kill -KILL $pids 2>/dev/null
        unset "gb_agent[$1]" "gb_relay[$1]"
}
revive_node() {
        rm -f "$T/$1"/run/gluster/vols/*/*.pid "$T/$1"/run/*.pid "$T/$1"/run/gbackup/*
        start_glusterd_on "$1"
        wait_for 60 gb_glusterd_answers_on "$1" || gb_die "glusterd does not answer on $1"
        wait_for 60 gb_sees_all "$1" || gb_die "$1 does not see all peers"
}

# ---- the network ------------------------------------------------------------------------------------

cut_link() { ip link set "v$1" down; }
# A neighbour entry with the address of nobody: packets leave and never arrive.
gb_mislead() { # FROM TO
        [ "$1" = "$2" ] || on "$1" ip neigh replace "$(gb_address "$2")" lladdr 02:00:00:00:00:99 nud permanent dev "$(gb_device "$1")"
}
gb_lead() {
        [ "$1" = "$2" ] || on "$1" ip neigh del "$(gb_address "$2")" dev "$(gb_device "$1")" 2>/dev/null
}
gb_address() { [ "$1" = client ] && echo 10.99.0.100 || echo "10.99.0.${1#n}"; }
gb_device() { [ "$1" = client ] && echo gbr0 || echo eth0; }
cut_to() {
        local node
        for node in "${NODES[@]}" client; do gb_mislead "$node" "$1"; done
}
cut_from() {
        local node
        for node in "${NODES[@]}" client; do gb_mislead "$1" "$node"; done
}
reaches() {
        on "$1" python3 -c 'import socket, sys; socket.create_connection(sys.argv[1:3], timeout=1)' "$2" "$GB_RELAY_PORT" 2>/dev/null
}
heal_link() {
        local node
        ip link set "v$1" up
        for node in "${NODES[@]}" client; do
                gb_lead "$node" "$1"
                gb_lead "$1" "$node"
        done
}

# ---- volumes ----------------------------------------------------------------------------------------

gv() { on n1 gluster --mode=script volume "$@" >"$T/gluster.out" 2>&1 || gb_die "gluster volume $*: $(tr '\n' ' ' <"$T/gluster.out")"; }

brick_node() { echo "${NODES[$2 % ${#NODES[@]}]}"; }
brick_path() { echo "$T/bricks/$(brick_node "$1" "$2")/$1-$2"; }
brick_name() { echo "$(brick_node "$1" "$2"):$T/bricks/here/$1-$2"; }
brick_pidfile() {
        local node path=$T/bricks/here/$1-$2
        node=$(brick_node "$1" "$2")
        path=${path#/}
        echo "$T/$node/run/gluster/vols/$1/$node-${path//\//-}.pid"
}
# Seen by the glusterd of its own node.
brick_is_up() {
        brick_runs "$1" "$2" &&
                on "$(brick_node "$1" "$2")" gluster --mode=script volume status "$1" "$(brick_name "$1" "$2")" detail 2>/dev/null |
                piped '^Online *: Y'
}

cluster_volume() {
        local name=$1 type=$2 bricks layout i n=()
        shift 2
        gb_volume_layout "$type"
        for ((i = 0; i < bricks; i++)); do
                mkdir -p "$(brick_path "$name" $i)"
                n+=("$(brick_name "$name" $i)")
        done
        # shellcheck disable=SC2086 # layout is words
        gv create "$name" $layout "${n[@]}" force
        gv set "$name" changelog.rollover-time 3
        gv set "$name" network.ping-timeout 4
        while [ $# -ge 2 ]; do
                gv set "$name" "$1" "$2"
                shift 2
        done
        gv start "$name"
        for ((i = 0; i < bricks; i++)); do
                wait_for 60 brick_is_up "$name" $i || gb_die "$name: brick $i does not start"
        done
}

restart_brick() {
        local i node
        node=$(brick_node "$1" "$2")
        for i in 1 2 3 4 5 6; do
                on "$node" gluster --mode=script volume start "$1" force >/dev/null 2>&1
                wait_for 5 brick_is_up "$1" "$2" && break
        done
        brick_is_up "$1" "$2" || gb_die "restart_brick $1 $2: does not start"
        ! is_mounted "$1" || wait_for 30 gb_client_connected "$1" "$2" ||
                gb_die "restart_brick $1 $2: the mount does not reconnect"
}

# ---- gbackupd ---------------------------------------------------------------------------------------

gb_write_config() { printf '[gbackupd]\nlog_level = debug\n'; }

start_agents() {
        local node gb_words
        [ $# -gt 0 ] || set -- "${NODES[@]}"
        for node; do
                gb_write_config >"$T/$node/etc/gbackupd.conf"
                gb_words_on_clock "$node" "$AGENT"
                "${gb_words[@]}" >>"$T/log/$node/gbackupd.log" 2>&1 </dev/null &
                gb_agent[$node]=$!
                [ -n "${gb_relay[$node]:-}" ] || gb_start_relay "$node"
        done
        for node; do wait_for 20 gb_agent_on_ready "$node" || gb_die "gbackupd is not ready on $node: $(tail -n 3 "$T/log/$node/gbackupd.log")"; done
}
gb_agent_on_ready() {
        kill -0 "${gb_agent[$1]}" 2>/dev/null || gb_die "gbackupd ended on $1: $(tail -n 3 "$T/log/$1/gbackupd.log")"
        python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$T/$1/run/gbackup/agent.sock" 2>/dev/null
}
agent_pid() { echo "${gb_agent[$1]:-}"; }
gb_workers() { ps -o pid= --ppid "${gb_agent[$1]:-0}"; }
no_workers() { [ -z "$(gb_workers "$1")" ]; }
agent_pids() {
        agent_pid "$1"
        gb_workers "$1"
}
kill_agent() {
        local pid=${gb_agent[$1]}
        unset "gb_agent[$1]"
        kill "${2:--TERM}" "$pid"
        wait_for 20 gb_child_ended "$pid" || gb_die "gbackupd on $1 does not end"
        wait "$pid" 2>/dev/null
}
kill_workers() {
        local pids
        pids=$(gb_workers "$1")
        # shellcheck disable=SC2086 # many
        [ -z "$pids" ] || kill "${2:--KILL}" $pids 2>/dev/null
}
stop_agents() {
        local node
        [ $# -gt 0 ] || set -- "${NODES[@]}"
        for node; do [ -z "${gb_agent[$node]:-}" ] || kill_agent "$node"; done
}
cleanup_fn stop_agents

# The channel between the nodes: --rsh with a program that goes over the nodes' network.
gb_write_rsh() {
        # shellcheck disable=SC2016 # for the script
        printf '#!/bin/sh\nexec python3 %s "$1" %s\n' "$GB_HERE/relay.py" "$GB_RELAY_PORT" >"$T/rsh"
        chmod +x "$T/rsh"
}
gb_start_relay() {
        local gb_words
        gb_words_on "$1" python3 "$GB_HERE/relay.py" serve "$(gb_address "$1")" "$GB_RELAY_PORT" /run/gbackup/agent.sock
        "${gb_words[@]}" >/dev/null 2>&1 </dev/null &
        gb_relay[$1]=$!
}

# ---- gbackup-cli ------------------------------------------------------------------------------------

GB_CLI_PROGRAM=$CLI
# start_cli ARGS...: in the background, as CLI_PID; output in $OUT and $ERR.
start_cli() {
        local gb_words
        gb_words_on "$CLI_NODE" "$GB_CLI_PROGRAM" ${CLI_RSH:+--rsh="$CLI_RSH"} "$@"
        "${gb_words[@]}" >"$OUT" 2>"$ERR" </dev/null &
        # shellcheck disable=SC2034 # for the sourcing script
        CLI_PID=$!
}
gb_run_program() { # for run_cli
        local seconds=$1
        shift
        on "$CLI_NODE" timeout -k 5 "$seconds" "$GB_CLI_PROGRAM" ${CLI_RSH:+--rsh="$CLI_RSH"} "$@"
}
# generations SESSION KIND: the generation of a kind (committed, pending) on every node that answers, each once.
generations() {
        gb_run_program 60 show "$1" --json 2>/dev/null | python3 -c '
import json, sys
print(*sorted({(n.get(sys.argv[1]) or {}).get("generation") or "-" for n in json.load(sys.stdin)["nodes"] if "error" not in n}))' "$2"
}
