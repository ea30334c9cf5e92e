#!/bin/bash
# An older gbackup beside this one: its CLI with our gbackupd, our CLI with its gbackupd, and what each leaves on disk for
# the other.  Either it works or it says what to do.  With GB_LONG; GB_OLD is the commit, GB_OLD_BUILD where it was built.
# shellcheck source-path=SCRIPTDIR
GB_OLD=${GB_OLD:-909ac57}
top=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${GB_INSIDE:-}" ]; then
        [ -n "${GB_LONG:-}" ] || { echo "SKIP upgrade: builds an older version: --long"; exit 77; }
        if [ -z "${GB_OLD_BUILD:-}" ]; then
                git -C "$top" cat-file -e "$GB_OLD^{commit}" 2>/dev/null || { echo "SKIP upgrade: no commit $GB_OLD here"; exit 77; }
                old=$(mktemp -d "${TMPDIR:-/tmp}/gb.old.XXXXXX") || exit 1
                trap 'rm -rf "$old"' EXIT
                mkdir "$old/build" && git -C "$top" archive "$GB_OLD" | tar x -C "$old" && cd "$old" && ./bootstrap >log 2>&1 &&
                        cd build && ../configure --disable-werror >>../log 2>&1 &&
                        for dir in rpc agent cli daemon; do make -C $dir >>../log 2>&1 || break; done
                export GB_OLD_BUILD=$old/build
                [ -x "$GB_OLD_BUILD/daemon/gbackupd" ] || { echo "FAIL upgrade: build of $GB_OLD: $(tail -n 1 "$old/log")"; exit 1; }
                "$top/tests/integration/test-upgrade.sh" "$@"
                exit
        fi
fi
. "$(dirname "$0")/functions.sh"

NEW_CLI=$CLI NEW_AGENT=$AGENT
export GBACKUP_CLI_STATE=$T/registry # each was configured for a prefix of its own
with() { # CLI AGENT: old or new of each
        [ "$1" = old ] && CLI=$GB_OLD_BUILD/cli/gbackup-cli || CLI=$NEW_CLI
        [ "$2" = old ] && AGENT=$GB_OLD_BUILD/daemon/gbackupd || AGENT=$NEW_AGENT
        [ -z "$gb_agent_pid" ] || stop_gbackupd
        start_gbackupd
}
full() {
        run_cli 0 full "$HOST" v -0 --out-file="$T/full"
        found "$M" >"$T/want"
        same "$T/full" "$T/want" "full list"
}

make_volume v 2x2
mount_volume v
mkdir "$M/d"
for i in 1 2 3 4 5 6; do echo $i >"$M/d/f$i"; done

it "an old session, made by the old version"
with old old
run_cli 0 register s "$HOST" v
run_cli 0 s --out-file="$T/list"
settle v
run_cli 0 s --out-file="$T/list"
echo x >"$M/d/new" && mv "$M/d/f1" "$M/d/moved" && rm "$M/d/f2"

it "old CLI, new gbackupd: full lists work; changes say what to do, and nothing moves"
with old new
full
fails '[12]' 'same version of gbackup on both sides' s --out-file="$T/list"
run_cli 0 sessions
run_cli 0 status "$HOST" v

it "new CLI, old gbackupd: the same"
with new old
full
fails '[12]' 'same version of gbackup on both sides' s --out-file="$T/list"
fails '[12]' 'too old to select by size or time' full "$HOST" v --quiet --min-size=1 --out-file="$T/list"
run_cli 0 sessions
run_cli 0 status "$HOST" v

it "new CLI, new gbackupd: the old session goes on where it stood"
with new new
run_cli 0 prepare s --format=jsonl --out-file="$T/list.jsonl" && listed "$T/list.jsonl" "list" <<'END'
DELETE d/f2
RENAME d/f1 d/moved
NEW d/new
END
run_cli 0 commit s

it "back again: the old version goes on with what the new one left"
echo y >"$M/d/newer"
with old old
run_cli 0 s --format=jsonl --out-file="$T/list.jsonl" && in_list "$T/list.jsonl" 'NEW d/newer' || problem "no NEW d/newer"
