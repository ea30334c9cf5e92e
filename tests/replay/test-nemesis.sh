#!/bin/bash
# Three nodes, TLS, users at work, lists all the while, and faults drawn by a seed: see nemesis.py.  From the
# caller: GB_NEMESIS_SEEDS (1-2; odd ones replica 3, even ones 2x2), GB_NEMESIS_TYPE (of all seeds), GB_NEMESIS_SECONDS
# (60, of faults), GB_NEMESIS_MORE (options of nemesis.py).  One seed again: GB_NEMESIS_SEEDS=N.
GB_TESTNAME=nemesis${GB_NEMESIS_NAME:+-$GB_NEMESIS_NAME}
# shellcheck source=tests/integration/cluster.sh
. "$(dirname "$0")/../integration/cluster.sh"
compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null || gb_skip_all "faketime is not installed"

# glusterd's folder of peer_* programs, with ours on top.
helpers=$(sed -n "s/^glusterlibexecdir = //p" "$GB_BUILD/daemon/Makefile")
mkdir "$T/libexec" "$T/work"
cp "$GB_BUILD/daemon/peer_gbackup_tls" "$T/libexec/"
mount -t overlay overlay -o "lowerdir=$T/libexec:$helpers" "$helpers" || gb_skip_all "no overlay mounts"

start_cluster 3
CLI_RSH=
for node in "${NODES[@]}"; do on "$node" mount -t tmpfs -o size=48m,mode=700 tmpfs /var/lib/gbackup; done
start_agents
run_cli 0 tls setup || exit 1
export GBACKUP_TLS_DIR=$T/clienttls GBACKUP_CLI_STATE=$T/clientstate
"$CLI" tls key client >"$T/client.pem" || exit 1
unset GBACKUP_TLS_DIR
run_cli 0 tls add-client client session '*' "$T/client.pem" && cp "$OUT" "$T/nodes.pem" || exit 1
export GBACKUP_TLS_DIR=$T/clienttls
"$CLI" -q tls trust "$T/nodes.pem" || exit 1

# ---- the words of nemesis.py: status 0 or not, never the end of the test --------------------------------

vol=
bricks_of() { # NODE: numbers of the volume's bricks there
        local i
        for ((i = 0; i < n_bricks; i++)); do [ "$(brick_node "$vol" "$i")" != "$1" ] || echo "$i"; done
}
# Some were made by a fault that ended a moment ago, so glusterd may be busy.
gb_patient() { wait_for 120 on "$1" gluster --mode=script volume "${@:2}"; }

do_volume() {
        local bricks layout
        vol=$1
        gb_volume_layout "$2"
        n_bricks=$bricks
        cluster_volume "$vol" "$2" performance.flush-behind off
        mount_volume "$vol"
}
do_no_volume() {
        umount -l "$T/mnt/$1"
        gb_patient n1 stop "$1" force && gb_patient n1 delete "$1"
        rm -rf "$T"/bricks/n?/"$1"-*
}

do_agent() { do_kill_agent "$1" -KILL; }
do_term() { do_kill_agent "$1" -TERM; }
do_kill_agent() {
        [ -n "$(agent_pid "$1")" ] || return 0
        [ "$2" != -KILL ] || kill_workers "$1"
        kill_agent "$1" "$2"
}
do_agent_back() { [ -n "$(agent_pid "$1")" ] || start_agents "$1"; }
do_workers() { kill_workers "$1"; }
do_clock() {
        set_skew "$1" "$2"
        do_kill_agent "$1" -TERM
        start_agents "$1"
}
do_disk() { on "$1" sh -c 'head -c 100m /dev/zero >/var/lib/gbackup/filler' 2>/dev/null || true; }
do_disk_back() { on "$1" rm -f /var/lib/gbackup/filler; }
do_glusterd() { kill_glusterd "$1"; }
do_glusterd_back() {
        ! on "$1" test -e /proc/"$(cat "$T/$1/run/glusterd.pid" 2>/dev/null || echo none)" || return 0
        start_glusterd_on "$1"
        wait_for 60 gb_glusterd_answers_on "$1"
}
declare -A misled
do_pair() {
        gb_mislead "$1" "$2"
        misled[$1]=$2
}
do_pair_back() { gb_lead "$1" "${misled[$1]}"; }

do_cut_both() { cut_link "$1"; }
do_cut_in() { cut_to "$1"; }
do_cut_out() { cut_from "$1"; }
do_bricks() {
        local i pid
        for i in $(bricks_of "$1"); do pid=$(brick_pid "$vol" "$i") && kill -KILL "$pid"; done
}
do_crash() { crash_node "$1"; }
do_revive() {
        set_skew "$1" "$2"
        rm -f "$T/$1"/run/gluster/vols/*/*.pid "$T/$1"/run/*.pid "$T/$1"/run/gbackup/*
        start_glusterd_on "$1"
        wait_for 60 gb_glusterd_answers_on "$1"
        start_agents "$1"
}
# Whatever it was: its bricks run and the mount has them.
do_node_back() {
        local i
        heal_link "$1"
        for node in "${!misled[@]}"; do gb_lead "$node" "${misled[$node]}"; done
        do_glusterd_back "$1"
        for i in $(bricks_of "$1"); do wait_for 120 brick_back "$1" "$i" || return; done
}
brick_back() {
        brick_runs "$vol" "$2" || { on "$1" timeout 60 gluster --mode=script volume start "$vol" force && sleep 2; } >/dev/null 2>&1
        brick_runs "$vol" "$2" && wait_for 10 gb_client_connected "$vol" "$2"
}
do_heal() {
        local node
        for node in "${NODES[@]}"; do on "$node" timeout 20 gluster --mode=script volume heal "$vol" >/dev/null 2>&1 && return; done
}

# ---- seeds ----------------------------------------------------------------------------------------------

exec 5>&1
seed_runs() { # SEED
        local type=${GB_NEMESIS_TYPE:-} cli=$CLI more=() words pid verb args
        [ -n "$type" ] || { [ $(($1 % 2)) = 1 ] && type=rep3 || type=2x2; }
        if [ $(($1 % 4)) -ge 2 ]; then # every other one of a type from a node
                more=(--on-node)
                gb_words_on n1 "GBACKUP_TLS_DIR=/etc/gbackup/tls" "$CLI"
                cli=${gb_words[*]}
        fi
        # shellcheck disable=SC2086 # options are words
        coproc python3 -u "$GB_HERE/../replay/nemesis.py" --name "$GB_TESTNAME" --seeds "$1" --type "$type" --rate 40 \
                --volume "$type-$1" --mount "$T/mnt/$type-$1" --bricks "$T/bricks" --state "$T" --host n1 --cli "$cli" \
                --work "$T/work" --keep "$GB_LOGS" --report 5 --seconds "${GB_NEMESIS_SECONDS:-60}" "${more[@]}" ${GB_NEMESIS_MORE:-}
        words=("${COPROC[@]}") pid=$COPROC_PID
        exec 6<&"${words[0]}" 7>&"${words[1]}"
        while read -r -u 6 verb args; do
                # shellcheck disable=SC2086 # args are words
                "do_$verb" $args >>"$T/log/faults" 2>&1
                echo $? >&7
        done
        wait "$pid" || gb_failed=$((gb_failed + 1))
        exec 6<&- 7>&-
}
# A fault that cannot be made or mended is told where everybody looks.
gb_die() {
        echo "FAIL $GB_TESTNAME: testbed: $1" >&5
        gb_failed=$((gb_failed + 1))
        exit 1
}

first=${GB_NEMESIS_SEEDS:-1-2}
for ((seed = ${first%-*}; seed <= ${first#*-}; seed++)); do
        seed_runs "$seed"
        [ "$gb_failed" = 0 ] || [ -n "${GB_NEMESIS_ALL:-}" ] || break
done
it "gbackupd ends on SIGTERM after the work"
stop_agents
