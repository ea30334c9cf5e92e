#!/bin/bash
# What `make install` puts where, and that it works from there: units, completion, hooks of glusterd, the job.
set -u -o pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
GB_BUILD=${GB_BUILD:-$top/build}
failed=0
to=$(mktemp -d "${TMPDIR:-/tmp}/gb.install.XXXXXX") || exit 1
trap 'rm -rf "$to"' EXIT

pass() { echo "PASS install: $1"; }
fail() {
        echo "FAIL install: $1: $2" | tr '\n' ' '
        echo
        failed=1
}

name="make install DESTDIR puts everything below it"
if ! make -C "$GB_BUILD" install DESTDIR="$to" >"$to.log" 2>&1; then
        fail "$name" "$(tail -n 3 "$to.log")"
        exit 1
fi
rm -f "$to.log"
prefix=$(sed -n 's/^prefix = //p' "$GB_BUILD/Makefile") var=$(sed -n 's/^localstatedir = //p' "$GB_BUILD/Makefile")
libexec=$(make -s -C "$GB_BUILD/extras" -f - print <<<'include Makefile
print: ; @echo $(pkglibexecdir)')
var=${var//'${prefix}'/$prefix}
missing=''
for file in "$prefix"/{sbin/gbackupd,bin/gbackup-cli,lib/systemd/system/gbackupd.service,lib/systemd/system/gbackup@.timer} \
        "$prefix"/share/man/man7/gbackup{,-errors,-protocol}.7 "$prefix/share/bash-completion/completions/gbackup-cli" \
        "$var"/lib/glusterd/hooks/1/{set,reset,add-brick,remove-brick,delete}/post; do
        [ -e "$to$file" ] || missing="$missing $file"
done
[ -z "$missing" ] && pass "$name" || fail "$name" "missing:$missing"

name="no placeholder is left in what was installed"
left=$(grep -rlE '@[a-z]+dir@|\$\{prefix\}' "$to" --include='*.service' --include='*.timer' --include='*.conf' --include='gbackup-job' --include='*.sh')
[ -z "$left" ] && pass "$name" || fail "$name" "$left"

name="systemd finds nothing wrong with the units"
if command -v systemd-analyze >/dev/null; then
        units=$to$prefix/lib/systemd/system
        for unit in "$units"/gbackup*@.*; do cp "$unit" "${unit/@./@x.}"; done
        said=$(SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$units"/gbackupd.service "$units"/gbackup*@x.* 2>&1 |
                grep -F "$units" | grep -v 'is not executable')
        [ -z "$said" ] && pass "$name" || fail "$name" "$said"
else
        echo "SKIP install: $name: no systemd-analyze"
fi

# complete_words PROGRAM WORDS...: what completion offers for the last one.
complete_words() {
        (
                PATH=$to$prefix/bin:$to$prefix/sbin:$PATH GBACKUP_CLI_STATE=$to/registry
                export GBACKUP_CLI_STATE
                compopt() { :; }
                # shellcheck disable=SC1090 # installed just now
                . "$to$prefix/share/bash-completion/completions/$1"
                COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
                "_${1//-/_}"
                printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
        )
}
offers() { # WANT PROGRAM WORDS...
        local want=$1 got
        shift
        got=$(complete_words "$@")
        [ "$got" = "$want" ] || fail "$name" "'$*': '$got', want '$want'"
}
name="completion offers commands, sessions, options and their values"
mkdir "$to/registry"
printf '{"session": "weekly", "host": "h", "volume": "v"}\n' >"$to/registry/weekly.json"
printf '{"session": "sess.vol", "host": "h", "volume": "vol"}\n' >"$to/registry/sess.vol.json"
before=$failed
offers "doctor" gbackup-cli doc
offers "weekly" gbackup-cli week
offers "sess.vol weekly" gbackup-cli commit ""
offers "purge" gbackup-cli changelog pu
offers "--progress=" gbackup-cli --prog
offers "json" gbackup-cli --progress = j
offers "create delete list post pre query" gbackup-glusterfind ""
offers "sess" gbackup-glusterfind pre ""
offers "vol" gbackup-glusterfind pre sess ""
offers "vol" gbackup-glusterfind query v
offers "both" gbackup-glusterfind query vol out --type b
offers "--debug --force --help --reset-session-time" gbackup-glusterfind create --
offers "--regenerate-outfile" gbackup-glusterfind pre sess vol out --reg
offers "" gbackup-glusterfind query vol out --reg
offers "debug" gbackupd --log-level d
[ "$failed" != "$before" ] || pass "$name"

name="completion knows every option of every program"
before=$failed
for program in gbackup-cli gbackupd; do
        said=$(complete_words $program -- | tr ' ' '\n' | tr -d =)
        for option in $(PATH=$to$prefix/bin:$to$prefix/sbin:$PATH $program --help | grep -oE '^ +(-., )?--[a-z-]+' | sed 's/.*--/--/'); do
                grep -qxe "$option" <<<"$said" || fail "$name" "$program $option"
        done
done
said=$(for command in create pre post query list delete; do complete_words gbackup-glusterfind $command --; done | tr ' ' '\n')
for option in $("$to$prefix/bin/gbackup-glusterfind" --help | grep -oE -- '--[a-z-]+' | sort -u); do
        grep -qxe "$option" <<<"$said" || fail "$name" "gbackup-glusterfind $option"
done
[ "$failed" != "$before" ] || pass "$name"

name="hooks note what concerns change records, and nothing else"
hook=$to$var/lib/glusterd/hooks/1/set/post/S60gbackup-set.sh
sed -i "s|^events=.*|events=$to/state/events|" "$to$var"/lib/glusterd/hooks/1/*/post/*
mkdir "$to/state"
"$hook" --volname=v -o changelog.changelog=off --gd-workdir=/var/lib/glusterd
"$hook" --volname=v -o performance.cache-size=1GB --gd-workdir=/var/lib/glusterd
"$hook" --volname=../../etc/x -o changelog.changelog=off
"$to$var/lib/glusterd/hooks/1/add-brick/post/S60gbackup-add-brick.sh" --volname=v --version=1 --volume-op=add-brick --gd-workdir=/x
"$to$var/lib/glusterd/hooks/1/delete/post/S60gbackup-delete.sh" --volname=v
got=$(cut -d ' ' -f 2- "$to/state/events/v" | paste -sd ';')
[ "$got" = "set changelog.changelog=off;add-brick;delete" ] && [ "$(ls "$to/state/events")" = v ] && pass "$name" ||
        fail "$name" "$got; $(ls "$to/state/events")"

name="the job refuses what is no session name"
said=$("$to$libexec/gbackup-job" ../x 2>&1)
[ $? = 64 ] && pass "$name" || fail "$name" "$said"
exit $failed
