#!/bin/bash
# The manual says what the programs do: every option, command, setting, exit status, call and error code has its place
# there, and nothing else has.  Needs no GlusterFS and no root.
set -u -o pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
GB_BUILD=${GB_BUILD:-$top/build}
CLI=$GB_BUILD/cli/gbackup-cli AGENT=$GB_BUILD/daemon/gbackupd
failed=0

# told WHAT PROGRAM-SIDE MANUAL-SIDE: the same words, and some at all.
told() {
        local only_program only_manual
        only_program=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
        only_manual=$(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
        if [ -z "$2" ]; then
                echo "FAIL docs: $1: found none in the program"
        elif [ -n "$only_program$only_manual" ]; then
                echo "FAIL docs: $1: not in the manual: ${only_program:-none}; only in the manual: ${only_manual:-none}"
        else
                echo "PASS docs: $1"
                return
        fi
        failed=1
}

# --long words of a help text, at the beginning of a line.
help_options() { "$1" --help | sed -nE 's/^ +(-[a-z0-9A-Z], )?--([a-z-]+).*/\2/p'; }
# --long words that head an entry of a page.
page_options() { grep '^\.It' "$1" | grep -oE 'Fl -[a-z-]+' | sed 's/^Fl -//'; }
# items PAGE SECTION MACRO: first words after `.It MACRO` there.
items() {
        awk -v section="$2" -v macro="$3" '
                /^\.Sh / || /^\.Ss / { inside = substr($0, 5) == section }
                inside && $1 == ".It" && $2 == macro { print $3 }' "$1"
}

told "options of gbackup-cli" "$(help_options "$CLI")" "$(page_options "$top/doc/gbackup-cli.1")"
told "output options of gbackup-glusterfind" "$(help_options "$GB_BUILD/cli/gbackup-glusterfind")" \
        "$(page_options "$top/doc/gbackup-glusterfind.1")"
told "options of gbackupd" "$(help_options "$AGENT")" "$(page_options "$top/doc/gbackupd.8")"
told "commands of gbackup-cli" \
        "$("$CLI" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')" \
        "$(items "$top/doc/gbackup-cli.1" Commands Cm)"
told "formats of gbackup-cli" \
        "$(sed -n 's/.*gb_format_[a-z]* = {.*\.name = "\([a-z]*\)".*/\1/p; s/^ *{*\.name = "\([a-z]*\)".*/\1/p' "$top"/cli/format_*.c)" \
        "$(items "$top/doc/gbackup-cli.1" FORMATS Cm)"
told "exit statuses of gbackup-cli" \
        "$(sed -n 's/^ *GB_EXIT_[A-Z_]* = \([0-9]*\).*/\1/p' "$top/cli/exitcode.h")" \
        "$(awk '/^\.Sh /{inside = $0 == ".Sh EXIT STATUS"} inside && $1 == ".It" {print $2}' "$top/doc/gbackup-cli.1")"
# The example file shows every key with its default; the page has the default in parentheses.
told "settings of gbackupd and their defaults" \
        "$(sed -nE 's/^#([a-z_]+) =( (.*))?$/\1 \3/p' "$GB_BUILD/daemon/gbackupd.conf" | sed 's|[^ ]*/var/lib/gbackup|STATE|; s|[^ ]*/etc/gbackup|ETC|')" \
        "$(sed -nE 's/^\.It Ic ([a-z_]+) Pq (Pa |Li )?(.*)$/\1 \3/p' "$top/doc/gbackupd.conf.5" | sed 's|[^ ]*/var/lib/gbackup|STATE|; s|[^ ]*/etc/gbackup|ETC|')"
told "keys that gbackupd knows" \
        "$(sed -nE 's/^ *(TEXT|NUMBER)\([A-Z_]+, ([a-z_]+).*/\2/p' "$top/daemon/settings.c")" \
        "$(items "$top/doc/gbackupd.conf.5" DESCRIPTION Ic)"
told "settings of the NetBackup hooks" \
        "$(sed -nE 's/^ *\{"([a-z_]+)", KIND_.*/\1/p' "$top/cli/nb_conf.c")" \
        "$(items "$top/doc/gbackup-netbackup.7" CONFIGURATION Ic)"
told "calls" \
        "$(sed -nE 's/^ +[a-z_]+ +GBX_([A-Z_]+)\(.*\) = [0-9]+;/\1/p' "$top/rpc/gbackup.x")" \
        "$(items "$top/doc/gbackup-protocol.7" PROCEDURES Cm)"
told "error codes" \
        "$(sed -nE 's/^ *GB_ERR_([A-Z_]+) = ([0-9]+).*/\2 \1/p' "$top/rpc/base/error.h" | tr 'A-Z_' 'a-z-')" \
        "$(sed -nE 's/^\.It ([0-9]+) Cm ([a-z-]+)$/\1 \2/p' "$top/doc/gbackup-protocol.7")"
told "error codes of messages" \
        "$(sed -nE 's/^ *\[GB_ERR_[A-Z_]+\] = "([a-z-]+)".*/\1/p' "$top/rpc/base/error.c")" \
        "$(items "$top/doc/gbackup-errors.7" MESSAGES Cm)"
told "findings of doctor" \
        "$({ tr -d '\n' <"$top/daemon/examine.c" | grep -oE 'GBX_(NOTE|WARNING|FAULT)[^"]*"[a-z0-9-]+"'
                tr -d '\n' <"$top/daemon/handle_examine.c" | grep -oE 'GBX_(NOTE|WARNING|FAULT)[^"]*"[a-z0-9-]+"'
                grep -oE '(GBX_(NOTE|WARNING|FAULT), |gap \? |: )"[a-z0-9-]+"' "$top/cli/cmd_doctor.c" "$top/daemon/examine.c"; } |
                grep -oE '"[a-z0-9-]+"$' | tr -d '"' | grep -vxE 'ok|fault|warning|note|unknown')" \
        "$(items "$top/doc/gbackup-errors.7" FINDINGS Cm)"
if said=$(python3 "$top/tests/integration/messages.py" "$top" 2>&1); then
        echo "PASS docs: messages of the sources and their remedies"
else
        echo "FAIL docs: $(head -n 3 <<<"$said" | paste -sd ';')"
        failed=1
fi

# The unit as systemd judges it; each version has its own scale.
if [[ $(systemd-analyze --version 2>/dev/null) == "systemd 252 "* ]]; then
        told "score of the unit" \
                "$(systemd-analyze security --offline=true --no-pager "$GB_BUILD/daemon/gbackupd.service" 2>/dev/null | sed -nE 's/.*Overall exposure.*: ([0-9.]+) .*/\1/p')" \
                "$(sed -nE 's/^rates it ([0-9.]+) .*/\1/p' "$top/doc/gbackup-security.7")"
else
        echo "SKIP docs: score of the unit: no systemd 252"
fi

for page in "$top"/doc/*.[1-8]; do
        name=$(basename "$page")
        if command -v mandoc >/dev/null; then
                said=$(mandoc -Tlint -W warning "$page" 2>&1)
        elif command -v man >/dev/null; then
                said=$(MANWIDTH=80 man --warnings -l "$page" 2>&1 >/dev/null)
        else
                echo "SKIP docs: $name is a correct page: neither mandoc nor man"
                continue
        fi
        if [ -n "$said" ]; then
                echo "FAIL docs: $name is a correct page: $(head -n 2 <<<"$said" | paste -sd ';')"
                failed=1
        else
                echo "PASS docs: $name is a correct page"
        fi
done
exit $failed
