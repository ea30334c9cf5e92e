#!/bin/bash
# Replay on one volume.  From the caller: GB_REPLAY_TYPE (2x2), GB_REPLAY_SEEDS (1-5), GB_REPLAY_ROUNDS (5),
# GB_REPLAY_OPS (40).
type=${GB_REPLAY_TYPE:-2x2}
GB_TESTNAME=replay-$type
# shellcheck source=tests/integration/functions.sh
. "$(dirname "$0")/../integration/functions.sh"

# With flush-behind a write may reach the bricks after close(2) returned, so after the list was taken.
make_volume v "$type" performance.flush-behind off
mount_volume v
start_gbackupd
more=()
[ "$type" != shard ] || more=(--max-size 9000000 --no-mtime)
mkdir "$T/work"

python3 -u "$GB_HERE/../replay/replay.py" --name "$GB_TESTNAME" --seeds "${GB_REPLAY_SEEDS:-1-5}" \
        --rounds "${GB_REPLAY_ROUNDS:-5}" --ops "${GB_REPLAY_OPS:-40}" --volume v --mount "$M" --host "$HOST" \
        --cli "$CLI" --work "$T/work" --keep "$GB_LOGS" "${more[@]}" || gb_failed=1
it "gbackupd ends on SIGTERM after the work"
stop_gbackupd
