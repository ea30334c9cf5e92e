#!/bin/bash
# The first day, as doc/gbackup.7 tells it: from a registered session to a restored backup, the nightly job, and
# hooks of glusterd that note what somebody does to the records.
. "$(dirname "$0")/functions.sh"
requires "tar" tar --version

make_volume demo 2x2
mount_volume demo
start_gbackupd
mkdir -p "$T"/{backup,etc,inst}
make -s -C "$GB_BUILD/extras" install DESTDIR="$T/inst" >"$T/install.out" 2>&1 || gb_die "make install: $(tail -n 2 "$T/install.out")"
cp -a "$T/inst/var/lib/glusterd/hooks/." /var/lib/glusterd/hooks/
JOB=$(find "$T/inst" -name gbackup-job)
GB_TOP=$GB_HERE/../..

work_1() {
        mkdir -p "$M/home/ann" "$M/projects/apollo" "$M/empty"
        echo "dear diary" >"$M/home/ann/diary"
        echo plan >"$M/projects/apollo/plan"
        ln -s ann/diary "$M/home/link"
        printf x >"$M/home/ann/$(printf 'new\nline')"
}
work_2() {
        echo "today" >>"$M/home/ann/diary"
        mv "$M/projects/apollo" "$M/projects/artemis"
        echo budget >"$M/projects/artemis/budget"
        mkdir "$M/later"
}
archive() { # FILE: the command of the manual
        (cd "$M" && tar --create --no-recursion --null --files-from="$T/backup/list" --ignore-failed-read --file="$1")
}

it "full and incremental archives made from lists, restored, are the volume"
work_1
run_cli 0 register nightly "$HOST" demo --quiet
run_cli 0 prepare nightly --null --quiet --out-file="$T/backup/list"
ok "tar" archive "$T/backup/full.tar"
run_cli 0 commit nightly --quiet
work_2
run_cli 0 prepare nightly --null --quiet --out-file="$T/backup/list"
ok "tar" archive "$T/backup/inc1.tar"
run_cli 0 commit nightly --quiet
mkdir "$T/restored"
ok "extract" tar --extract --file="$T/backup/full.tar" --directory="$T/restored"
ok "extract" tar --extract --file="$T/backup/inc1.tar" --directory="$T/restored"
diff -r --no-dereference "$M" "$T/restored" >"$T/diff.out" 2>&1
is "$(cat "$T/diff.out")" "Only in $T/restored/projects: apollo" "what differs"
run_cli 0 verify nightly "$T/backup/list"

job() { # STATUS ENVIRONMENT...
        local want=$1 got=0
        GBACKUP_CLI=$CLI GBACKUP_BACKUP_DIR=$T/etc "$JOB" nightly >"$T/job.out" 2>"$T/job.err" || got=$?
        is "$got" "$want" "status of the job ($(tail -n 1 "$T/job.err"))"
}
committed() { "$CLI" show nightly | sed -n 's/^ *committed *//p'; }

# From here on a list has only what is done after it.
quiet() {
        settle demo
        run_cli 0 nightly --quiet --out-file="$T/backup/list"
}

it "the nightly job commits when the program of the site succeeds"
sed -e "s|/mnt/demo|$M|; s|/backup/|$T/backup/|" "$GB_TOP/extras/backup.example" >"$T/etc/nightly"
chmod +x "$T/etc/nightly"
printf 'LIST=%s\nOPTIONS="--null --quiet"\n' "$T/backup/nightly.list" >"$T/etc/nightly.conf"
quiet
echo again >>"$M/home/ann/diary"
before=$(committed)
job 0
[ "$(committed)" != "$before" ] || problem "nothing was committed"
is "$(tar --list --file="$(ls "$T"/backup/nightly.2*.tar)")" "home/ann/diary" "what was saved"

it "the nightly job aborts when it fails, and the next list has the same again"
quiet
echo once more >>"$M/projects/artemis/plan"
printf '#!/bin/sh\nexit 7\n' >"$T/etc/nightly"
before=$(committed)
job 7
is "$(committed)" "$before" "the committed run"
run_cli 0 show nightly
grep -Eq 'prepared +none' "$OUT" || problem "it is prepared still: $(cat "$OUT")"
is "$(tr '\0' '\n' <"$T/backup/nightly.list")" "projects/artemis/plan" "list of the failed night"
rm "$T/backup/nightly.list"
job 7
is "$(tr '\0' '\n' <"$T/backup/nightly.list")" "projects/artemis/plan" "list of the next night"

it "without a program the list stays prepared"
rm "$T/etc/nightly"
job 0
run_cli 0 show nightly
grep -Eq 'prepared +incremental' "$OUT" || problem "nothing is prepared: $(cat "$OUT")"
run_cli 0 abort nightly --quiet

it "the nightly job ends as gbackup-cli does when there is no list"
gluster --mode=script volume set demo changelog.changelog off >/dev/null
job 3
grep -q '\[changelog-off\]$' "$T/job.err" || problem "says: $(cat "$T/job.err")"

it "glusterd's hooks have noted it, and doctor tells"
wait_for 20 grep -qs 'set changelog.changelog=off' /var/lib/gbackup/events/demo || problem "no note: $(ls -R /var/lib/gbackup/events 2>&1)"
run_cli 3 doctor "$HOST" demo
grep -Eq 'Z: gluster volume set changelog.changelog=off' "$OUT" || problem "doctor does not tell: $(cat "$OUT")"
