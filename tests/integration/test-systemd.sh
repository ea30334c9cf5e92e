#!/bin/bash
# The units under a real systemd, as the first process of a machine of its own: what is installed on an overlay over this
# machine's files, a glusterd that it starts, and nothing else but the journal.
# shellcheck source-path=SCRIPTDIR
GB_NO_NODE=1
. "$(dirname "$0")/functions.sh"
SYSTEMD=/lib/systemd/systemd
requires "systemd is not installed" test -x "$SYSTEMD"
requires "systemctl is not installed" command -v systemctl
gb_private
gb_write_address() {
        printf '127.0.0.1 localhost\n%s gbnode\n' "$HOST" >"$T/hosts"
        ip addr add "$HOST/32" dev lo
        hostname gbnode
}
gb_write_address

# ---- the machine ----------------------------------------------------------------------------------------

R=$T/root GROUPS_AT=$T/cgroup
mkdir "$R" "$GROUPS_AT" "$T/over"
mount -t tmpfs -o mode=755 tmpfs "$T/over" && mkdir "$T/over/up" "$T/over/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$T/over/up,workdir=$T/over/work" "$R" 2>/dev/null || gb_skip_all "no overlay mounts"
mount -t cgroup2 cgroup2 "$GROUPS_AT" 2>/dev/null || gb_skip_all "no cgroup v2"
group=$GROUPS_AT/gbackup-test-$$-$RANDOM
mkdir "$group" 2>/dev/null || gb_skip_all "may not make cgroups"
remove_group() { wait_for 10 gb_rmdirs "$group"; }
gb_rmdirs() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || [ ! -d "$1" ]; }
cleanup_fn remove_group

# What this machine has of units and state is not to come up there.
rm -rf "$R"/etc/systemd/system/* "$R"/var/lib/{glusterd,gbackup,systemd} "$R"/var/log/{glusterfs,journal} "$R"/etc/gbackup "$R"/etc/fstab
mkdir -p "$R"/var/lib/glusterd "$R/var/log/glusterfs"
cp "$T/hosts" "$R/etc/hosts"
printf '[Unit]\nWants=systemd-journald.service\nAfter=systemd-journald.service\n' >"$R/etc/systemd/system/sysinit.target"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' >"$R/etc/systemd/system/gbtest.target"
make -C "$GB_BUILD" install DESTDIR="$R" >"$T/log/install" 2>&1 || gb_die "make install: $(tail -n 3 "$T/log/install")"
B=/mnt # bricks and lists, inside and outside; /tmp is not the unit's (PrivateTmp)
mount --bind "$T/bricks" "$B" && mount --bind "$B" "$R$B"

# The first process: its own pids, mounts, cgroups and IPC; of /proc and /sys it may write to its cgroups only.
# shellcheck disable=SC2016 # for the inner shell
unshare --pid --mount --ipc --fork --kill-child --propagation private bash -c '
        echo 0 >"$2/cgroup.procs" && exec unshare --cgroup bash -c "
                set -e
                mount -t tmpfs -o mode=755 tmpfs $1/run
                mount -t proc proc $1/proc && mount -t sysfs -o ro sysfs $1/sys
                mount --bind $1/proc/sys $1/proc/sys && mount -o remount,bind,ro $1/proc/sys
                mount -t tmpfs -o mode=755 tmpfs $1/sys/fs/cgroup && mount -t cgroup2 cgroup2 $1/sys/fs/cgroup
                mount --rbind /dev $1/dev
                mkdir -p $1/run/gluster
                cd $1 && mkdir -p run/old && pivot_root . run/old && umount -l /run/old
                exec env -i container=gbackup-test PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C $3 --system --unit=gbtest.target \
                        --log-target=journal --show-status=0 --crash-reboot=0"' - "$R" "$group" "$SYSTEMD" \
        >"$T/log/systemd" 2>&1 </dev/null &
outer=$!
halt() { kill -KILL "$outer" 2>/dev/null; wait "$outer" 2>/dev/null; }
cleanup_fn halt
first_process() { init=$(ps -o pid= --ppid "$outer" | tr -d ' ') && [ -n "$init" ]; }
wait_for 20 first_process || gb_die "no first process: $(cat "$T/log/systemd")"
inside() { nsenter -t "$init" -m -p -i -C -- "$@"; }
booted() { [ "$(inside systemctl is-active gbtest.target 2>/dev/null)" = active ]; }
wait_for 40 booted || gb_skip_all "systemd cannot be started here: $(tail -n 2 "$T/log/systemd" | tr '\n' ' ')"

systemctl_is() { is "$(inside systemctl show -P "$2" "$1")" "$3" "$1: $2"; }
state_is() { systemctl_is "$1" ActiveState "$2"; }
journal() { inside journalctl --no-pager -o cat "$@"; }
inside_cli() { # STATUS ARGS...
        local want=$1 got=0
        shift
        inside timeout -k 5 120 gbackup-cli "$@" >"$OUT" 2>"$ERR" </dev/null || got=$?
        is "$got" "$want" "gbackup-cli $*: exit status ($(head -n 2 "$ERR" | tr '\n' ' '))"
}
gluster_inside() { inside gluster --mode=script "$@" >"$T/gluster.out" 2>&1 || gb_die "gluster $*: $(cat "$T/gluster.out")"; }
main_pid() { inside systemctl show -P MainPID gbackupd.service; }
of_status() { inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main_pid)/status"; }

it "it starts after glusterd, says when it is ready, and runs confined"
inside systemctl start glusterd.service || problem "glusterd: $(journal -u glusterd -n 3)"
glusterd_answers() { inside gluster --mode=script pool list >/dev/null 2>&1; }
wait_for 30 glusterd_answers || gb_die "glusterd does not answer"
mkdir -p "$B"/v-{0,1} "$T/mnt/v"
gluster_inside volume create v "$HOST:$B/v-0" "$HOST:$B/v-1" force
gluster_inside volume set v changelog.rollover-time 3
gluster_inside volume start v
mounted() { glusterfs --volfile-server="$HOST" --volfile-id=v "$T/mnt/v" 2>/dev/null && mountpoint -q "$T/mnt/v" && mkdir -p "$T/mnt/v/d"; }
wait_for 30 mounted || gb_die "no mount"
M=$T/mnt/v
for i in 1 2 3 4 5 6 7 8 9; do echo "$i" >"$M/d/$i"; done
ok "start" inside systemctl start gbackupd.service
state_is gbackupd.service active
systemctl_is gbackupd.service SubState running
systemctl_is gbackupd.service StatusErrno 0
is "$(of_status CapBnd) $(of_status NoNewPrivs) $(of_status Seccomp)" "0000000000200006 1 2" "capabilities, NoNewPrivs, Seccomp"
journal -u gbackupd.service | piped "listens on /run/gbackup/agent.sock" || problem "the journal has no word of it: $(journal -u gbackupd.service | tail -n 3)"

it "a full list, a first list, and what changed"
found "$M" >"$T/want"
inside_cli 0 full "$HOST" v -0 --out-file="$B/full" && same "$B/full" "$T/want" "full list"
inside_cli 0 register s "$HOST" v
inside_cli 0 s -0 --out-file="$B/first" && same "$B/first" "$T/want" "first list"
sleep 7 # a slice
mv "$M/d/1" "$M/d/moved"
rm "$M/d/2"
inside_cli 0 s --format=jsonl --out-file="$B/inc.jsonl" && listed "$B/inc.jsonl" "incremental list" <<'END'
DELETE d/2
RENAME d/1 d/moved
END

it "reload: the same process goes on"
pid=$(main_pid)
printf '[gbackupd]\nlog_level = debug\n' >"$B/conf" && inside cp "$B/conf" /etc/gbackup/gbackupd.conf
ok "reload" inside systemctl reload gbackupd.service
is "$(main_pid)" "$pid" "main process"
state_is gbackupd.service active
journal -u gbackupd.service | piped "configuration reloaded" || problem "nothing was reloaded: $(journal -u gbackupd.service | tail -n 2)"

it "killed: it is started again"
inside kill -KILL "$pid"
again() { [ "$(inside systemctl show -P NRestarts gbackupd.service)" = 1 ] && [ "$(inside systemctl is-active gbackupd.service)" = active ]; }
wait_for 20 again || problem "it is $(inside systemctl is-active gbackupd.service)"
inside_cli 0 status "$HOST" v

it "stopped: at once, with nothing left of it"
start=$SECONDS
ok "stop" inside systemctl stop gbackupd.service
[ $((SECONDS - start)) -le 5 ] || problem "it took $((SECONDS - start)) s"
state_is gbackupd.service inactive
systemctl_is gbackupd.service Result success
! inside pgrep -x gbackupd >"$T/left" || problem "processes are left: $(cat "$T/left")"

it "sockets of systemd: the first caller starts it, by its own socket and by TCP; they outlive it"
ok "start of the socket" inside systemctl start gbackupd.socket
state_is gbackupd.service inactive
inside_cli 0 full "$HOST" v -0 --out-file="$B/full"
state_is gbackupd.service active
systemctl_is gbackupd.service NRestarts 0
ok "stop of the service" inside systemctl stop gbackupd.service
state_is gbackupd.socket active
rpcping() { inside python3 -c '
import socket, struct, sys
s = socket.create_connection((sys.argv[1], 24017), timeout=20)
call = struct.pack(">10I", 7, 0, 2, int(sys.argv[2], 0), 1, 0, 0, 0, 0, 0)
s.sendall(struct.pack(">I", 0x80000000 | len(call)) + call)
answer = s.recv(28, socket.MSG_WAITALL)
sys.exit(answer[4:16] != struct.pack(">3I", 7, 1, 0))' "$1" "$program"; }
program=$(sed -n 's/^} = \(0x[0-9a-fA-F]*\);/\1/p' "$GB_HERE/../../rpc/gbackup.x")
ok "NULL by IPv4" rpcping 127.0.0.1
state_is gbackupd.service active
ok "NULL by IPv6" rpcping ::1
ok "stop" inside systemctl stop gbackupd.socket gbackupd.service
[ ! -e "$R/run/gbackup/agent.sock" ] || problem "the socket is left"

it "a backup by gbackup@SESSION.service, and its timer"
ok "start of gbackupd" inside systemctl start gbackupd.service
mkdir "$B/backup"
printf '#!/bin/sh\ncp "$1" %s/backup/list\n' "$B" >"$B/program" && chmod 755 "$B/program"
inside mkdir -p /etc/gbackup/backup && inside cp "$B/program" /etc/gbackup/backup/s
rm "$M/d/3"
ok "the backup" inside systemctl start gbackup@s.service
[ -e "$B/backup/list" ] || problem "the program did not run: $(journal -u gbackup@s.service | tail -n 3)"
systemctl_is gbackup@s.service Result success
inside_cli 0 show s
! grep -q pending "$OUT" || problem "it was not committed: $(cat "$OUT")"
ok "the timer" inside systemctl start gbackup@s.timer
state_is gbackup@s.timer active
[ -n "$(inside systemctl show -P NextElapseUSecRealtime gbackup@s.timer)" ] || problem "the timer never elapses"

it "numbers by gbackup-metrics@VOLUME.service"
inside mkdir -p /var/lib/prometheus/node-exporter
ok "metrics" inside systemctl start gbackup-metrics@v.service
inside grep -q '^gbackup_' /var/lib/prometheus/node-exporter/gbackup-v.prom || problem "no numbers: $(journal -u gbackup-metrics@v.service | tail -n 3)"

it "it understands all that our units say, and complains of nothing"
for unit in gbackupd.service gbackupd.socket gbackup@s.service gbackup@s.timer gbackup-metrics@v.service gbackup-metrics@v.timer; do
        systemctl_is "$unit" LoadState loaded
done
said=$(journal | grep -a gbackup | grep -aE 'Unknown|Failed to parse|ignoring|not supported|Failed to (set|apply|add|mount|drop)')
is "$said" "" "the journal"
is "$(inside systemctl --no-legend --plain --failed list-units 'gbackup*')" "" "failed units"
