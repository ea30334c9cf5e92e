# shellcheck shell=bash
# node.sh - a real GlusterFS node in a box, for tests and the quickstart.
#
# Sourcing it starts the script again inside mount, network, pid and UTS namespaces of its own, with private
# /run, /var/lib/glusterd, /var/log/glusterfs and /var/lib/gbackup; so boxes never meet each other nor a
# GlusterFS of the host, and when the first process of the pid namespace ends, the kernel takes all daemons,
# mounts and addresses with it.  No clean-up can be forgotten.
#
# From the caller:  GB_BUILD   absolute build folder: daemon/gbackupd, cli/gbackup-cli (default ../../build)
#                   GB_LOGS    where the logs of a failed test are kept (default $GB_BUILD/test-logs)
#                   GB_BRICKS  file system of the bricks: dir (default), ext4 or xfs (loop images)
#                   GB_BRICKS_SIZE  of such an image (2G)
#                   GB_KEEP    not empty: keep the scratch folder
# For the script:   T          scratch folder             CLI, AGENT  the two programs
#                   HOST       a node of every volume     M           where the last volume is mounted
#
# The words:  start_node, make_volume NAME TYPE [OPTION VALUE]..., mount_volume NAME, brick_path NAME N,
#             kill_brick NAME N, restart_brick NAME N, wait_rollover NAME, settle NAME, start_gbackupd, stop_gbackupd
# The sourcing script defines `problem WHY`, for what is wrong but not fatal.

set -u -o pipefail
export LC_ALL=C

GB_TESTNAME=${GB_TESTNAME:-$(basename "$0" .sh)}
GB_TESTNAME=${GB_TESTNAME#test-}
GB_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GB_BUILD=${GB_BUILD:-$(cd "$GB_HERE/../.." && pwd)/build}
GB_LOGS=${GB_LOGS:-$GB_BUILD/test-logs}
# shellcheck disable=SC2034 # for the sourcing script
CLI=$GB_BUILD/cli/gbackup-cli
AGENT=$GB_BUILD/daemon/gbackupd
HOST=10.99.0.1
export GB_TESTNAME GB_HERE GB_BUILD GB_LOGS PYTHONDONTWRITEBYTECODE=1

# ---- outside: make the box, wait, throw the scratch folder away --------------------------------------

gb_skip_all() {
        echo "SKIP $GB_TESTNAME: $1"
        exit 77
}

gb_outside() {
        local child status=0 command
        [ "$(id -u)" = 0 ] || gb_skip_all "needs root"
        for command in unshare mount ip glusterd gluster glusterfs setfattr python3; do
                command -v "$command" >/dev/null || gb_skip_all "$command is not installed"
        done
        [ -c /dev/fuse ] || gb_skip_all "no /dev/fuse"
        unshare -m -n -u -p -f --mount-proc true 2>/dev/null || gb_skip_all "may not make namespaces"

        T=$(mktemp -d "${TMPDIR:-/tmp}/gb.XXXXXX") || exit 1
        export T GB_INSIDE=1
        unshare -m -n -u -p -f --mount-proc --kill-child bash "$0" "$@" </dev/null &
        child=$!
        # unshare(1) itself holds TERM back; its child dies with it.
        trap 'kill -KILL "$child" 2>/dev/null' TERM INT HUP
        wait "$child" || status=$?
        if kill -0 "$child" 2>/dev/null; then # a signal ended the first wait
                wait "$child"
                status=143
        fi
        if [ -n "${GB_KEEP:-}" ]; then
                echo "kept: $T"
        else
                gb_remove "$T"
        fi
        exit "$status"
}

# The kernel may still be ending daemons that write there.
gb_remove() {
        local i
        for i in 1 2 3 4 5 6 7 8 9 10; do
                rm -rf "$1" 2>/dev/null && return
                sleep 0.3
        done
        rm -rf "$1"
}

[ -n "${GB_INSIDE:-}" ] || gb_outside "$@"
unset GB_INSIDE

# ---- inside: the node -------------------------------------------------------------------------------

gb_die() {
        echo "$GB_TESTNAME: $1" >&2
        exit 1
}

# grep -q for the end of a pipe: reads all of it, so that the writer never fails with EPIPE (pipefail).
piped() { grep "$@" >/dev/null; }

# wait_for SECONDS COMMAND...: true as soon as the command is.
wait_for() {
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                [ "$SECONDS" -lt "$end" ] || return 1
                sleep 0.1
        done
}

gb_bricks_folder() {
        local kind=${GB_BRICKS:-dir}
        mkdir -p "$T/bricks"
        if [ "$kind" = dir ] && ! setfattr -n trusted.gbtest -v 1 "$T/bricks" 2>/dev/null; then
                kind=ext4
        fi
        case $kind in
        dir) setfattr -x trusted.gbtest "$T/bricks" ;;
        ext4 | xfs)
                truncate -s "${GB_BRICKS_SIZE:-2G}" "$T/bricks.img"
                case $kind in
                ext4) mkfs.ext4 -q -F "$T/bricks.img" ;;
                xfs) mkfs.xfs -q -f "$T/bricks.img" ;;
                esac || gb_die "mkfs.$kind failed"
                mount -o loop "$T/bricks.img" "$T/bricks" || gb_skip_all "no trusted xattrs in $T, no loop mounts"
                ;;
        *) gb_die "GB_BRICKS=$kind: not one of dir, ext4, xfs" ;;
        esac
}

# Folders of the box's own in place of those of the system.
gb_private() {
        local dir
        mount --make-rprivate /
        mkdir -p "$T"/{lib,log,state,mnt,log/gluster}
        mount -t tmpfs -o mode=755 tmpfs /run || gb_die "cannot mount a private /run"
        mkdir -p /run/gluster /run/lock /run/gbackup
        for dir in lib:/var/lib/glusterd log/gluster:/var/log/glusterfs state:/var/lib/gbackup; do
                mkdir -p "${dir#*:}"
                mount --bind "$T/${dir%%:*}" "${dir#*:}" || gb_die "cannot bind over ${dir#*:}"
        done
        ip link set lo up
        gb_bricks_folder
}

gb_node() {
        gb_private
        printf '127.0.0.1 localhost\n%s gbnode\n' "$HOST" >"$T/hosts"
        mount --bind "$T/hosts" /etc/hosts
        hostname gbnode
        ip addr add "$HOST/32" dev lo
}

start_glusterd() {
        glusterd -p /run/glusterd.pid || gb_die "glusterd does not start"
        wait_for 30 gb_glusterd_answers || gb_die "glusterd does not answer"
}
gb_glusterd_answers() { gluster --mode=script pool list >/dev/null 2>&1; }

# ---- volumes ----------------------------------------------------------------------------------------

gv() { gluster --mode=script volume "$@" >"$T/gluster.out" 2>&1 || gb_die "gluster volume $*: $(tr '\n' ' ' <"$T/gluster.out")"; }

brick_path() { echo "$T/bricks/$1-$2"; }

# Sets bricks and layout of the caller.
gb_volume_layout() {
        local type=$1
        case $type in
        dist1) bricks=1 layout= ;;
        dist3) bricks=3 layout= ;;
        rep2) bricks=2 layout="replica 2" ;;
        rep3) bricks=3 layout="replica 3" ;;
        2x2 | shard2x2) bricks=4 layout="replica 2" ;;
        2x3) bricks=6 layout="replica 3" ;;
        3x2) bricks=6 layout="replica 2" ;;
        arb) bricks=6 layout="replica 3 arbiter 1" ;;
        disp) bricks=3 layout="disperse 3 redundancy 1" ;;
        2xdisp) bricks=6 layout="disperse 3 redundancy 1" ;;
        disp6) bricks=6 layout="disperse 6 redundancy 2" ;;
        shard) bricks=2 layout= ;;
        *) gb_die "no type $type" ;;
        esac
}

# make_volume NAME TYPE [OPTION VALUE]...  Changelog stays off: `register` is what turns it on.
# rollover-time is set here, while changelog is off, because two changes of changelog options within one
# second lose a slice; 3 s because a rollover-time of 1 does so all the time.
make_volume() {
        local name=$1 type=$2 bricks layout i n=()
        shift 2
        gb_volume_layout "$type"
        for ((i = 0; i < bricks; i++)); do
                mkdir -p "$(brick_path "$name" $i)"
                n+=("$HOST:$(brick_path "$name" $i)")
        done
        # shellcheck disable=SC2086 # layout is words
        gv create "$name" $layout "${n[@]}" force
        gv set "$name" changelog.rollover-time 3
        [[ $type != shard* ]] || gv set "$name" features.shard on features.shard-block-size 4MB
        while [ $# -ge 2 ]; do
                gv set "$name" "$1" "$2"
                shift 2
        done
        gv start "$name"
        for ((i = 0; i < bricks; i++)); do
                wait_for 30 brick_is_up "$name" $i || gb_die "$name: brick $i does not start"
        done
}

brick_pidfile() {
        local path
        path=$(brick_path "$1" "$2")
        path=${path#/}
        echo "/run/gluster/vols/$1/$HOST-${path//\//-}.pid"
}
brick_pid() { cat "$(brick_pidfile "$1" "$2")" 2>/dev/null; }
brick_runs() {
        local pid
        pid=$(brick_pid "$1" "$2") && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}
# Up: its process runs and glusterd knows its port.
brick_is_up() {
        brick_runs "$1" "$2" &&
                gluster --mode=script volume status "$1" "$HOST:$(brick_path "$1" "$2")" detail 2>/dev/null |
                piped '^Online *: Y'
}
gb_process_gone() { ! kill -0 "$1" 2>/dev/null; }

kill_brick() {
        local pid
        pid=$(brick_pid "$1" "$2") || gb_die "kill_brick $1 $2: no pid file"
        kill -KILL "$pid"
        wait_for 20 gb_process_gone "$pid" || gb_die "kill_brick $1 $2: pid $pid lives on"
        wait_for 20 gb_brick_offline "$1" "$2" || gb_die "kill_brick $1 $2: glusterd does not notice"
        ! is_mounted "$1" || wait_for 20 gb_client_lost "$1" "$2" || gb_die "kill_brick $1 $2: the mount does not notice"
}
gb_brick_offline() { ! brick_is_up "$1" "$2"; }

# `start force` just after a kill may claim success without starting anything.
restart_brick() {
        local i
        for i in 1 2 3 4 5 6; do
                gluster --mode=script volume start "$1" force >/dev/null 2>&1
                wait_for 3 brick_is_up "$1" "$2" && break
        done
        brick_is_up "$1" "$2" || gb_die "restart_brick $1 $2: does not start"
        ! is_mounted "$1" || wait_for 30 gb_client_connected "$1" "$2" ||
                gb_die "restart_brick $1 $2: the mount does not reconnect"
}

is_mounted() { mountpoint -q "$T/mnt/$1"; }
# Which client is that brick's?  Their numbers differ once bricks were replaced.
gb_client_connected() {
        local f
        for f in "$T/mnt/$1/.meta/graphs/active/$1"-client-*/options/remote-subvolume; do
                [[ "$(cat "$f" 2>/dev/null)" != */"$1-$2" ]] || ! grep -qs '^connected = 1' "${f%/options/*}/private" || return 0
        done
        return 1
}
gb_client_lost() { ! gb_client_connected "$1" "$2"; }

# mount_volume NAME [OPTIONS]: at $T/mnt/NAME, with every running brick connected; M is the mount point.
mount_volume() {
        local i
        M=$T/mnt/$1
        mkdir -p "$M"
        mount -t glusterfs ${2:+-o "$2"} "$HOST:/$1" "$M" || gb_die "cannot mount $1"
        for ((i = 0; ; i++)); do
                [ -d "$(brick_path "$1" $i)" ] || break
                ! brick_runs "$1" $i || wait_for 30 gb_client_connected "$1" $i || gb_die "$1: mount misses brick $i"
        done
}

changelogs() { echo "$(brick_path "$1" "$2")/.glusterfs/changelogs"; }
current_htime() { getfattr --only-values -n trusted.glusterfs.current_htime "$(changelogs "$1" "$2")/htime" 2>/dev/null; }
htime_entries() { tr -dc '\0' <"$(changelogs "$1" "$2")/htime/$(current_htime "$1" "$2")" | wc -c; }
# Every slice open now is closed when this returns.  A run lists again what the slice open at its cursor and
# the one before say of content; after two rollovers without work there is nothing to list again: settle.
settle() {
        wait_rollover "$1"
        wait_rollover "$1"
}
wait_rollover() {
        local i before=()
        for ((i = 0; ; i++)); do
                [ -d "$(brick_path "$1" $i)" ] || break
                ! brick_runs "$1" $i || before[i]=$(htime_entries "$1" $i)
        done
        for i in "${!before[@]}"; do
                wait_for 20 gb_htime_grew "$1" "$i" "${before[i]}" || gb_die "$1: brick $i does not roll over"
        done
}
gb_htime_grew() { [ "$(htime_entries "$1" "$2")" -gt "$3" ]; }

# ---- gbackupd ---------------------------------------------------------------------------------------

gb_agent_pid=
start_gbackupd() {
        export GBACKUP_SOCKET=/run/gbackup/agent.sock
        export GBACKUP_GBACKUPD=$AGENT GBACKUP_GBACKUPD_CONFIG=$T/gbackupd.conf
        gb_write_config >"$T/gbackupd.conf"
        "$AGENT" --config "$T/gbackupd.conf" >"$T/log/gbackupd.log" 2>&1 </dev/null &
        gb_agent_pid=$!
        wait_for 20 gb_agent_ready || gb_die "gbackupd is not ready: $(tail -n 3 "$T/log/gbackupd.log")"
}
gb_write_config() {
        printf '[gbackupd]\nsocket = %s\nstate_dir = /var/lib/gbackup\nlog_level = debug\nnice = 0\n' "$GBACKUP_SOCKET"
}
gb_agent_ready() {
        kill -0 "$gb_agent_pid" 2>/dev/null || gb_die "gbackupd ended: $(tail -n 3 "$T/log/gbackupd.log")"
        python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$GBACKUP_SOCKET" 2>/dev/null
}
# Says what went wrong, if anything; one that is deaf to SIGTERM is killed.
stop_gbackupd() {
        local pid=$gb_agent_pid status=0
        [ -n "$pid" ] || return 0
        gb_agent_pid=
        kill -TERM "$pid" 2>/dev/null || problem "gbackupd died on its own: $(tail -n 3 "$T/log/gbackupd.log")"
        if ! wait_for 10 gb_child_ended "$pid"; then
                problem "gbackupd does not end on SIGTERM"
                kill -KILL "$pid"
        fi
        wait "$pid" || status=$?
        [ "$status" = 0 ] || problem "gbackupd ends with status $status"
}
# A child that ended but was not waited for is a zombie; kill -0 still finds it.
gb_child_ended() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

start_node() {
        gb_node
        start_glusterd
}
