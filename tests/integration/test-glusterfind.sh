#!/bin/bash
# gbackup-glusterfind in the place of glusterfind: its commands, words and lines, and what it promises.
# With GB_LONG the same work is told by the real glusterfind beside it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

export GBACKUP_CLI=$CLI
GF=$GB_BUILD/cli/gbackup-glusterfind
cd "$T" || exit 1

# gf STATUS ARGS...: stdout in $OUT, stderr in $ERR
gf() {
        local want=$1 got=0
        shift
        timeout -k 5 120 "$GF" "$@" >"$OUT" 2>"$ERR" </dev/null || got=$?
        [ "$got" = "$want" ] || problem "gbackup-glusterfind $*: exit status $got, want $want: $(head -n 3 "$OUT" "$ERR" | tr '\n' ' ')"
}
says() { grep -qxF -- "$1" "$OUT" "$ERR" || problem "does not say '$1' but: $(cat "$OUT" "$ERR" | head -n 3)"; }
told() { # FILE <WANTED
        sort >"$T/want.list"
        sort "$1" >"$T/got.list"
        same "$T/got.list" "$T/want.list" "$1"
}

it "GlusterFS's own test of glusterfind, step by step, without a gbackupd that runs"
# As there, the rollover-time is GlusterFS's own; in a normal run the volume is one of ours, which rolls over sooner.
make_volume test-vol dist3 ${GB_LONG:+changelog.rollover-time 15}
mount_volume test-vol
export GBACKUP_GBACKUPD=$AGENT GBACKUP_GBACKUPD_CONFIG=$T/gbackupd.conf GBACKUP_SOCKET=/run/gbackup/agent.sock
gb_write_config >"$T/gbackupd.conf"
before=$(date +%s)
mkdir "$M/dir1"
touch "$M/file1"
gf 0 create sess_vol1 test-vol --force
says "Session sess_vol1 created with volume test-vol"
gf 0 pre sess_vol1 test-vol output_file.txt
says "Generated output file $T/output_file.txt"
gf 0 post sess_vol1 test-vol
says "Session sess_vol1 with volume test-vol updated"
gf 0 list
is "$(grep -c sess_vol1 "$OUT")" 1 "sessions listed"
gf 0 query test-vol --since-time "$before" --end-time "$(date +%s)" output_file.txt
gf 0 query test-vol --since-time "$before" --end-time "$before" output_file.txt # all of it may be one second
gf 0 pre sess_vol1 test-vol output_file.txt --full --regenerate-outfile
is "$(grep -c 'NEW dir1' output_file.txt) $(grep -c 'NEW file1' output_file.txt)" "1 1" "pre --full"
gf 0 query test-vol --full output_file.txt
is "$(grep -c 'NEW dir1' output_file.txt) $(grep -c 'NEW file1' output_file.txt)" "1 1" "query --full"
gf 0 query test-vol --full --tag-for-full-find NEW output_file.txt
is "$(grep -c 'NEW dir1' output_file.txt) $(grep -c 'NEW file1' output_file.txt)" "1 1" "query --full with a tag"
gf 0 query test-vol --full output_file.txt --field-separator "=="
is "$(grep -c 'NEW==dir1' output_file.txt) $(grep -c 'NEW==file1' output_file.txt)" "1 1" "query --full with a separator"
mkdir "$T/bricks/test-vol-3"
gv add-brick test-vol "$HOST:$T/bricks/test-vol-3" force
wait_for 30 brick_is_up test-vol 3 || gb_die "the new brick does not start"
gf 0 create sess_vol test-vol --force
gf 0 list
is "$(grep -c sess_vol1 "$OUT")" 1 "sessions listed"
gf 0 delete sess_vol test-vol
says "Session sess_vol with volume test-vol deleted"

it "a new brick is a gap, not a part of the volume that stays silent"
echo x >"$M/after"
gf 3 pre sess_vol1 test-vol gap.txt --regenerate-outfile
[ ! -e gap.txt ] || problem "there is a list"
gf 0 pre sess_vol1 test-vol gap.txt --on-gap=full --regenerate-outfile
grep -qx 'NEW after' gap.txt || problem "not in the list: $(cat gap.txt)"
gf 0 post sess_vol1 test-vol
gf 0 delete sess_vol1 test-vol
umount "$M"

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir "$M/d" "$M/old" "$M/gone"
for f in write 'a b' 'per%cent' old/in gone/x rename; do echo "$f" >"$M/$f"; done

it "what glusterfind refuses is refused, in its words"
gf 2
gf 2 find v
gf 2 create s
gf 2 create s v --full
gf 2 pre ss v out --type x
gf 1 create s v
gf 1 create 's s' v
gf 1 create default v
says "Invalid session default"
gf 1 pre sess v out
says "Session sess not created with volume v"
gf 1 list --session sess
says "Invalid Session"
gf 0 list
says "No sessions found."
gf 1 query v out
gf 1 query v out --end-time 5
gf 1 query v out --since-time 5 --type f
gf 1 create sess nosuch
gf 0 list
says "No sessions found."

it "create, and everything from that moment on is in the first list; nothing is held back"
gf 0 create sess v
gf 1 create sess v
says "Session sess already created"
gf 0 create sess v --force
gf 1 post sess v
says "Pre script is not run"
echo more >>"$M/write"
echo new >"$M/new name"
echo new >"$M/hundred%"
printf x >"$M/new"$'\n'"line"
mv "$M/old" "$M/moved"
mv "$M/rename" "$M/d/renamed"
rm -r "$M/gone"
gf 0 pre sess v first.txt
says "Generated output file $T/first.txt"
told first.txt <<'END'
MODIFY write
NEW new%20name
NEW hundred%25
NEW new%0Aline
RENAME old moved
RENAME rename d/renamed
DELETE gone
DELETE gone/x
END
is "$(stat -c %a first.txt)" 644 "mode of the list"

it "a second pre needs --regenerate-outfile, and tells the same"
gf 1 pre sess v second.txt
says "Post command is not run after last pre, use --regenerate-outfile"
[ ! -e second.txt ] || problem "there is a list"
gf 0 pre sess v deep/er/second.txt --regenerate-outfile
same deep/er/second.txt first.txt "second list"
gf 0 post sess v
settle v
gf 0 pre sess v third.txt
gf 0 post sess v

it "output options write what glusterfind writes"
settle v
echo x >"$M/o n e"
echo x >>"$M/write"
mv "$M/a b" "$M/d/b c"
gf 0 pre sess v o.txt
told o.txt <<'END'
NEW o%20n%20e
MODIFY write
RENAME a%20b d/b%20c
END
gf 0 pre sess v o.txt --regenerate-outfile -N --no-encode --field-separator '|' --output-prefix pre/fix
told o.txt <<'END'
NEW|pre/fix/o n e
RENAME|pre/fix/a b|pre/fix/d/b c
END
gf 0 pre sess v o.txt --regenerate-outfile --full --tag-for-full-find '' --type d --disable-partial --debug
told o.txt <<'END'
d
moved
END
gf 0 pre sess v o.txt --regenerate-outfile --full --tag-for-full-find ' SAVE ' --type f --output-prefix .
is "$(grep -vc '^SAVE ' o.txt)" 0 "lines without the tag"
grep -qx 'SAVE d/b%20c' o.txt || problem "no file: $(head -n 3 o.txt)"

it "list tells the time of the last post; query since that time what changed"
gf 0 post sess v
gf 0 list --volume v
head -n 1 "$OUT" | grep -Eq '^SESSION {19}VOLUME {20}SESSION TIME' || problem "head line: $(head -n 1 "$OUT")"
sed -n 3p "$OUT" | grep -Eq '^sess {22}v {25}20[0-9-]{8} [0-9:]{8}' || problem "line: $(sed -n 3p "$OUT")"
settle v
now=$(date +%s)
sleep 3
echo x >"$M/queried"
gf 0 query v q.txt --since-time "$now"
grep -qx 'NEW queried' q.txt || problem "not told: $(cat q.txt)"
! grep -q 'o%20n%20e' q.txt || problem "tells of what was long before"

it "a brick set that is down: a failure, no list, and everything later"
echo x >"$M/before-down"
gf 0 pre sess v down.txt
gf 0 post sess v
for i in 1 2 3 4 5 6 7 8; do echo x >"$M/down-$i"; done
rm -f down.txt
kill_brick v 0
kill_brick v 1
gf 1 pre sess v down.txt
[ ! -e down.txt ] || problem "there is a list"
restart_brick v 0
restart_brick v 1
gf 0 pre sess v down.txt
is "$(grep -c '^NEW down-' down.txt)" 8 "files told of"
gf 0 post sess v

it "changelog off and on again is a gap, not an empty list"
gv set v changelog.changelog off
echo x >"$M/unseen"
sleep 1
gv set v changelog.changelog on
gf 3 pre sess v off.txt
[ ! -e off.txt ] || problem "there is a list"
gf 0 pre sess v off.txt --full
grep -qx 'NEW unseen' off.txt || problem "not told by --full"
gf 0 post sess v

it "no key, no authorized_keys, nothing but changelog switched on"
[ ! -e /var/lib/glusterd/glusterfind ] || problem "there is a /var/lib/glusterd/glusterfind"
is "$(gluster volume info v | grep -c 'build-pgfid\|capture-del-path')" 0 "options set besides"
gf 0 delete sess v
gf 1 delete sess v

# ---- beside the real one ------------------------------------------------------------------------------

[ -n "${GB_LONG:-}" ] || exit 0
it "beside glusterfind: every line it tells of this work is told, and its encoding is ours"
command -v glusterfind >/dev/null && /usr/bin/python3 -c 'import xattr; xattr.list' 2>/dev/null && command -v ssh-keygen >/dev/null || {
        skip "glusterfind cannot run here"
        exit 0
}
mkdir -p /var/lib/glusterd/glusterfind/.keys "$T/root" && mount --bind "$T/root" /root
gv set v changelog.rollover-time 15
sleep 2
ok "glusterfind create" glusterfind create theirs v
gf 0 create ours v
sleep 32
for i in 1 2 3 4 5; do echo x >"$M/new $i"; done
mkdir -p "$M/n/e/w" && echo x >"$M/n/e/w/100%"
echo x >"$M/brief" && rm "$M/brief"
mv "$M/queried" "$M/asked"
mv "$M/moved" "$M/moved twice"
rm "$M/down-1"
echo x >>"$M/down-2"
sleep 32
ok "glusterfind pre" glusterfind pre theirs v "$T/theirs.txt"
gf 0 pre ours v "$T/ours.txt"
is "$(sort "$T/theirs.txt" | comm -23 - <(sort "$T/ours.txt"))" "" "lines of glusterfind that are not ours"
is "$(sort "$T/ours.txt" | comm -23 - <(sort "$T/theirs.txt"))" "" "lines that glusterfind does not have"
ok "glusterfind full" glusterfind query v "$T/theirs.txt" --full
gf 0 query v "$T/ours.txt" --full
is "$(grep -v glusterfs-anonymous "$T/theirs.txt" | sort)" "$(sort "$T/ours.txt")" "full list"
