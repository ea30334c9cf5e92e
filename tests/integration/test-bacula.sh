#!/bin/bash
# Bacula reads our list as gbackup-bareos(7) says: the file set is a program that prepares, a script of the job commits, a full and an incremental backup,
# both restored, are the volume.  A director, a storage and a file daemon of Debian, in the box.  With GB_LONG.
# shellcheck source-path=SCRIPTDIR
[ -n "${GB_LONG:-}" ] || { echo "SKIP bacula: three daemons of another program: --long"; exit 77; }
. "$(dirname "$0")/functions.sh"
for command in bacula-dir bacula-sd bacula-fd bconsole sqlite3; do
        requires "$command is not installed" command -v $command
done

B=$T/bacula L=$T/lists
mkdir -p "$B"/{state,run,volumes,restored} "$L"
for d in dir sd fd; do mkdir "$B/run/$d"; done
sed 's/^[[:space:]]*//' /usr/share/dbconfig-common/data/bacula-director-sqlite3/install/sqlite3 | sqlite3 "$B/state/bacula.db" 2>"$T/sqlite.err" ||
        gb_die "catalog: $(head -n 2 "$T/sqlite.err")"

make_volume demo 2x2
mount_volume demo
start_gbackupd

# ---- the scripts of the manual, with paths of the box -------------------------------------------------

cat >"$B/list" <<END
#!/bin/bash
set -e
mountpoint -q $M
$CLI --quiet prepare demo --level=\$1 --prefix=$M --out-file=$L/demo.list
cat $L/demo.list
END
cat >"$B/after" <<END
#!/bin/bash
exec $CLI --quiet commit demo "\$(python3 -c 'import json
print(json.load(open("$L/demo.list.manifest"))["generation"])')"
END
chmod +x "$B/list" "$B/after"

job() { # NAME LEVEL-OF-THE-LIST: with its file set
        cat <<END
Job {
  Name = "$1"
  Type = Backup
  Level = Full
  Client = fd
  FileSet = "demo-$2"
  Storage = sd
  Pool = pool
  Messages = all
  RunScript {
    RunsWhen = After
    RunsOnSuccess = yes
    RunsOnFailure = no
    RunsOnClient = yes
    Command = "$B/after"
  }
}
FileSet {
  Name = "demo-$2"
  Include {
    Options {
      Recurse = no
      Signature = SHA1
    }
    File = "\\\\|$B/list $2"
  }
}
END
}
cat >"$B/dir.conf" <<END
Director { Name = dir; DIRport = 9101; DirAddress = 127.0.0.1; QueryFile = "/dev/null"; WorkingDirectory = "$B/state"
  PidDirectory = "$B/run/dir"; Maximum Concurrent Jobs = 1; Password = "p"; Messages = all }
Catalog { Name = catalog; dbname = "bacula"; dbuser = ""; dbpassword = "" }
Client { Name = fd; Address = 127.0.0.1; FDPort = 9102; Catalog = catalog; Password = "p" }
Storage { Name = sd; Address = 127.0.0.1; SDPort = 9103; Password = "p"; Device = file; Media Type = File }
Pool { Name = pool; Pool Type = Backup; LabelFormat = "v" }
Messages { Name = all; append = "$T/log/bacula.log" = all }
Job { Name = "restore"; Type = Restore; Client = fd; FileSet = "demo-full"; Storage = sd; Pool = pool; Messages = all; Where = "$B/restored" }
$(job full full)
$(job inc incremental)
END
cat >"$B/sd.conf" <<END
Storage { Name = sd; SDPort = 9103; SDAddress = 127.0.0.1; WorkingDirectory = "$B/state"; Pid Directory = "$B/run/sd" }
Director { Name = dir; Password = "p" }
Device { Name = file; Media Type = File; Archive Device = "$B/volumes"; LabelMedia = yes; Random Access = yes; AutomaticMount = yes
  RemovableMedia = no; AlwaysOpen = no }
Messages { Name = all; director = dir = all }
END
cat >"$B/fd.conf" <<END
FileDaemon { Name = fd; FDport = 9102; FDAddress = 127.0.0.1; WorkingDirectory = "$B/state"; Pid Directory = "$B/run/fd" }
Director { Name = dir; Password = "p" }
Messages { Name = all; director = dir = all }
END
cat >"$B/console.conf" <<END
Director { Name = dir; DIRport = 9101; address = 127.0.0.1; Password = "p" }
END
export GBACKUP_SOCKET # the file daemon's scripts inherit it
for d in sd fd dir; do bacula-$d -f -c "$B/$d.conf" >"$T/log/bacula-$d.out" 2>&1 & done
console() { printf '%s\n' "$@" wait messages quit | timeout 120 bconsole -c "$B/console.conf" >"$T/console.out" 2>&1; }
up() { console status && grep -q 'dir Version' "$T/console.out"; }
wait_for 30 up || gb_die "bacula does not start: $(cat "$T"/log/bacula-*.out "$T/console.out" | head -n 5 | tr '\n' ' ')"
ended_well() { # JOB
        console "run job=$1 yes"
        tac "$T/log/bacula.log" | grep -m 1 'Termination:' | grep -q 'Backup OK\|Restore OK' ||
                problem "job $1: $(grep -i 'err\|fatal\|warn\|Termination' "$T/log/bacula.log" | tail -n 4)"
}

# ---------------------------------------------------------------------------------------------------------

it "a full job saves what the list has, and commits"
mkdir -p "$M/home/ann" "$M/projects/apollo" "$M/empty"
echo "dear diary" >"$M/home/ann/diary"
echo plan >"$M/projects/apollo/plan"
echo gone >"$M/home/todo"
ln -s ann/diary "$M/home/link"
ln "$M/home/ann/diary" "$M/home/ann/hard link"
for name in 'blanks  in' ' blank before' 'quote"' "it's" 'back\slash' '*' '#sharp' '|pipe' '<less' $'bad\xffbyte' 'trailing '; do
        echo "$name" >"$M/home/$name"
done
run_cli 0 register demo "$HOST" demo --quiet
ended_well full
"$CLI" show demo | grep -q 'committed' || problem "not committed: $("$CLI" show demo)"

it "an incremental job saves what changed, old times or not"
settle demo
run_cli 0 abort demo --quiet
echo today >>"$M/home/ann/diary"
mv "$M/projects/apollo" "$M/projects/artemis"
touch -d 2001-01-01 "$M/home/todo" && mv "$M/home/todo" "$M/home/done"
echo budget >"$M/projects/artemis/budget"
ended_well inc

it "both restored, the older first, are the volume"
console "restore jobid=1 client=fd where=$B/restored all done yes" "wait"
console "restore jobid=2 client=fd where=$B/restored all done yes" "wait"
diff -r --no-dereference "$M" "$B/restored$M" >"$T/diff.out" 2>&1
is "$(sort "$T/diff.out" | sed "s|$B/restored$M||" | paste -sd ';')" "Only in /home: todo;Only in /projects: apollo" "what differs"

it "a job whose list cannot be made fails, and nothing moves"
stop_gbackupd
console "run job=inc yes"
tac "$T/log/bacula.log" | grep -m 1 'Termination:' | grep -q 'Error' || problem "it did not fail"
start_gbackupd
echo after >"$M/after"
ended_well inc
grep -q '/after$' "$L/demo.list" || problem "not in the next list: $(cat "$L/demo.list")"
