#!/bin/bash
# Lists of a volume that is being worked on, see live.py.  From the caller: GB_REPLAY_TYPE (2x2),
# GB_REPLAY_SEEDS (1-3), GB_REPLAY_ROUNDS (6), GB_REPLAY_RATE (100 operations a second).
type=${GB_REPLAY_TYPE:-2x2}
GB_TESTNAME=live-$type
# shellcheck source=tests/integration/functions.sh
. "$(dirname "$0")/../integration/functions.sh"

make_volume v "$type" performance.flush-behind off
mount_volume v
start_gbackupd
mkdir "$T/work"
export GBACKUP_CLI_STATE=$T/state/cli

python3 -u "$GB_HERE/../replay/live.py" --name "$GB_TESTNAME" --seeds "${GB_REPLAY_SEEDS:-1-3}" \
        --rounds "${GB_REPLAY_ROUNDS:-6}" --rate "${GB_REPLAY_RATE:-100}" --volume v --mount "$M" --host "$HOST" \
        --bricks "$T/bricks" --state "$T/state" --cli "$CLI" --work "$T/work" --keep "$GB_LOGS" ${GB_REPLAY_CARELESS:+--careless} || gb_failed=1
it "gbackupd ends on SIGTERM after the work"
stop_gbackupd
