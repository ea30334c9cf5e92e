#!/bin/bash
# Replay on one volume.  From the caller: GB_REPLAY_TYPE (2x2), GB_REPLAY_SEEDS (1-5), GB_REPLAY_ROUNDS (5),
# GB_REPLAY_OPS (40), GB_REPLAY_EVENTS (none; names out of events.py, `random`, `all`), GB_REPLAY_CROWD (0: names in
# one big directory), GB_REPLAY_SCOPE and GB_REPLAY_EXCLUDE (none; of the session), GB_REPLAY_OPTIONS (of the volume: `OPTION VALUE ...`),
# GB_REPLAY_MULTIPLEX (not empty: bricks share a process), GB_REPLAY_NAME.
type=${GB_REPLAY_TYPE:-2x2}
GB_TESTNAME=${GB_REPLAY_NAME:-replay-$type}
# shellcheck source=tests/integration/functions.sh
. "$(dirname "$0")/../integration/functions.sh"

# With flush-behind a write may reach the bricks after close(2) returned, so after the list was taken.
options="performance.flush-behind off ${GB_REPLAY_OPTIONS:-}"
[ -z "${GB_REPLAY_MULTIPLEX:-}" ] || gluster volume set all cluster.brick-multiplex on >/dev/null || exit 1
# shellcheck disable=SC2086 # options is words
make_volume v "$type" $options
mount_volume v acl
start_gbackupd
more=()
[[ $type != shard* ]] || more=(--max-size 9000000 --no-mtime)
mkdir "$T/work"

python3 -u "$GB_HERE/../replay/replay.py" --name "$GB_TESTNAME" --seeds "${GB_REPLAY_SEEDS:-1-5}" \
        --rounds "${GB_REPLAY_ROUNDS:-5}" --ops "${GB_REPLAY_OPS:-40}" --volume v --mount "$M" --host "$HOST" \
        --cli "$CLI" --work "$T/work" --bricks "$T/bricks" --keep "$GB_LOGS" --crowd "${GB_REPLAY_CROWD:-0}" \
        ${GB_REPLAY_SCOPE:+--scope "$GB_REPLAY_SCOPE"} ${GB_REPLAY_EXCLUDE:+--exclude "$GB_REPLAY_EXCLUDE"} \
        --type "$type" --options "$options" --events "${GB_REPLAY_EVENTS:-}" \
        --event-command "$GB_HERE/../replay/event.sh" "${more[@]}" || gb_failed=1
it "gbackupd ends on SIGTERM after the work"
stop_gbackupd
