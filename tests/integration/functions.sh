# shellcheck shell=bash
# functions.sh - the words a test is written in.  `. "$(dirname "$0")/functions.sh"` puts the test into a box
# with a running glusterd (node.sh, whose words are there too) and gives it
#
#             it NAME, is GOT WANT WHAT, ok WHAT COMMAND..., problem WHY, skip WHY,
#             run_cli STATUS ARGS..., fails STATUS REGEX ARGS..., requires WHY COMMAND..., cleanup_fn COMMAND...,
#             same FILE WANTED WHAT, listed JSONL WHAT <WANTED, in_list JSONL LINE, found MOUNT, hostile_names DIR
#             OUT, ERR: output of the last run_cli
#
# With GB_NO_NODE set before, the box is empty: cluster.sh puts several nodes there.
#
# Each `it` closes the one before and prints `PASS|FAIL|SKIP file: name`, with the first reason.

# shellcheck source=tests/integration/node.sh
. "$(dirname "${BASH_SOURCE[0]}")/node.sh"
LISTS=$GB_HERE/../replay/lists.py

# ---- telling ----------------------------------------------------------------------------------------

gb_passed=0 gb_failed=0 gb_skipped=0 gb_name='' gb_why='' gb_skip=''

gb_close() {
        [ -n "$gb_name" ] || return 0
        if [ -n "$gb_why" ]; then
                echo "FAIL $GB_TESTNAME: $gb_name: $gb_why"
                gb_failed=$((gb_failed + 1))
        elif [ -n "$gb_skip" ]; then
                echo "SKIP $GB_TESTNAME: $gb_name: $gb_skip"
                gb_skipped=$((gb_skipped + 1))
        else
                echo "PASS $GB_TESTNAME: $gb_name"
                gb_passed=$((gb_passed + 1))
        fi
        gb_name='' gb_why='' gb_skip=''
}

it() {
        gb_close
        gb_name=$1
}
# The first problem of a behaviour is its reason; all of them go to the log.
problem() {
        local text
        text=$(printf '%s' "$1" | tr '\n\t' '  ' | cut -c 1-400)
        echo "# $GB_TESTNAME: $gb_name: $text" >&2
        [ -n "$gb_name" ] || gb_name=testbed
        [ -n "$gb_why" ] || gb_why=$text
}
skip() { gb_skip=$1; }
is() { [ "$1" = "$2" ] || problem "$3: got '$1', want '$2'"; }
ok() {
        local what=$1 said
        shift
        said=$("$@" 2>&1) || problem "$what: $said"
}
gb_die() {
        echo "FAIL $GB_TESTNAME: testbed: $1"
        gb_failed=$((gb_failed + 1))
        gb_agent_pid= # whatever it says now is a consequence
        exit 1
}
requires() {
        local why=$1
        shift
        "$@" >/dev/null 2>&1 || gb_skip_all "$why"
}

gb_cleanups=()
cleanup_fn() { gb_cleanups+=("$*"); }

gb_exit() {
        local status=$? i
        trap - EXIT
        for ((i = ${#gb_cleanups[@]} - 1; i >= 0; i--)); do ${gb_cleanups[i]}; done
        stop_gbackupd
        gb_close
        if [ "$gb_failed" -gt 0 ]; then
                gb_keep_logs
                status=1
        elif [ "$status" = 0 ] && [ "$gb_passed" = 0 ]; then
                [ "$gb_skipped" -gt 0 ] && status=77 || status=1
        elif [ "$status" != 0 ] && [ "$status" != 77 ]; then
                echo "FAIL $GB_TESTNAME: ended early with status $status"
        fi
        exit "$status"
}

gb_keep_logs() {
        local to=$GB_LOGS/$GB_TESTNAME
        mkdir -p "$to" && cp -a "$T/log/." "$to/" 2>/dev/null
        cp -a "$T"/*.{out,err,list,jsonl,conf} "$to/" 2>/dev/null
        echo "# logs: $to" >&2
}

# ---- gbackup-cli ------------------------------------------------------------------------------------

OUT=$T/cli.out ERR=$T/cli.err

gb_run_program() { # SECONDS ARGS...
        local seconds=$1
        shift
        timeout -k 5 "$seconds" "$CLI" "$@"
}
# run_cli STATUS ARGS...: stdout in $OUT, stderr in $ERR; a problem when the exit status differs (`1|64`: either).
run_cli() {
        local want=$1 got=0
        shift
        gb_run_program 120 "$@" >"$OUT" 2>"$ERR" </dev/null || got=$?
        [[ $got =~ ^($want)$ ]] && return
        problem "gbackup-cli $*: exit status $got, want $want: $(head -n 3 "$ERR")"
        return 1
}

# fails STATUS REGEX ARGS...: the exit status; one line on stderr, matching REGEX; nothing on stdout; and,
# when the arguments name an out-file, the file there before is left as it was, with nothing beside it.
fails() {
        local want=$1 regex=$2 arg file='' lines
        shift 2
        for arg; do
                case $arg in --out-file=?*) file=${arg#--out-file=} ;; esac
        done
        [ ! -d "$file" ] || file=''
        if [ -n "$file" ] && [ -d "$(dirname "$file")" ]; then
                rm -rf "$T/outdir.before"
                echo "the list of last time" >"$file" 2>/dev/null
                gb_names "$(dirname "$file")" >"$T/outdir.before"
        fi
        run_cli "$want" "$@"
        lines=$(wc -l <"$ERR")
        [ "$lines" = 1 ] || problem "gbackup-cli $*: $lines lines on stderr, want one: $(head -n 4 "$ERR")"
        grep -Eq -- "$regex" "$ERR" || problem "gbackup-cli $*: says '$(cat "$ERR")', no match for '$regex'"
        [ ! -s "$OUT" ] || problem "gbackup-cli $*: stdout is not empty: $(head -n 2 "$OUT")"
        if [ -n "$file" ] && [ -e "$file" ]; then
                [ "$(cat "$file")" = "the list of last time" ] || problem "gbackup-cli $*: the old out-file was touched"
                gb_names "$(dirname "$file")" | cmp -s - "$T/outdir.before" ||
                        problem "gbackup-cli $*: left files: $(gb_names "$(dirname "$file")" | tr '\n' ' ')"
        fi
}

gb_names() { find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }

# found MOUNT: what a `paths -0` list of it must hold, in path order.
found() {
        # `/` sorts below every byte: let it be \001 while sorting.  No test name holds a \001.
        find "$1" -mindepth 1 -printf '%P\0' | tr '/' '\001' | sort -z | tr '\001' '/'
}
# same FILE WANTED WHAT: equal, byte by byte; tells the first lines or names that differ.
same() {
        cmp -s "$1" "$2" && return
        problem "$3: $(diff <(tr '\0' '\n' <"$1") <(tr '\0' '\n' <"$2") | grep '^[<>]' | head -n 4 | sed 's/^</extra/; s/^>/missing/' |
                cat -v | cut -c 1-120 | paste -sd ';')"
        return 1
}

# listed FILE WHAT <WANTED: the lines of a jsonl list as lists.py tells them, after its strict checks.
listed() {
        local file=$1 what=$2
        shift 2
        cat >"$T/want.list"
        if ! python3 "$LISTS" "$file" "$@" >"$T/got.list" 2>"$T/lists.err"; then
                problem "$what: $(cat "$T/lists.err")"
                return 1
        fi
        same "$T/got.list" "$T/want.list" "$what"
}
# in_list FILE PATTERN: true when a line, as lists.py tells it, is PATTERN as a whole.
in_list() { python3 "$LISTS" "$1" --all 2>/dev/null | piped -xe "$2"; }

# hostile_names DIR: files, folders, links of every kind, by names made to break a list.
hostile_names() { python3 "$GB_HERE/hostile.py" "$1"; }

trap gb_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
[ -n "${GB_NO_NODE:-}" ] || start_node
