#!/bin/bash
# Lists in the formats of other programs: each program reads its list, of hostile names, and what it stored is
# compared with the volume.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
hostile_names "$M"
rm "$M/kinds/sticky" "$M/kinds/to nowhere" # GlusterFS cannot read the one, restic 0.14 not keep the target of the other
printf old >"$M/alike" && touch -d @1000000000 "$M/alike"
mkdir -p "$M/moving/in/deep" "$M/going/deep" "$M/swap" "$M/becomes file" "$M/#dir" "$M/;dir" "$M/to link"
for f in moving/a moving/in/b moving/in/deep/c going/1 going/deep/2 swap/old "becomes file/x" write delete rename two \
        "#dir/x" ";dir/x" "to link/link" "becomes dir"; do
        echo "$f" >"$M/$f"
done
ln "$M/two" "$M/moving/names"
run_cli 0 register s "$HOST" v

# glusterfind's own functions write what a jsonl list says: glusterfind.py JSONL FULL-TAG|- SEPARATOR PREFIX ENCODE
cat >"$T/glusterfind.py" <<'END'
import base64, glob, json, sys, xml.etree.ElementTree
sys.modules["xml.etree.cElementTree"] = xml.etree.ElementTree
sys.path[:0] = glob.glob("/usr/lib*/*/glusterfs/glusterfind") + glob.glob("/usr/lib*/glusterfs/glusterfind")
import utils
from gfind_py2py3 import gfind_write, gfind_write_row

tag, separator, prefix, encode = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5] == "encode"
out = open(1, "w", encoding="utf-8", errors="surrogateescape", newline="\n")

class Prepare:
    output_prefix, no_encode = prefix, not encode

class Encoded: # gfind_write* encode by themselves, and refuse what is not UTF-8
    def write(self, data):
        out.write(data if isinstance(data, str) else data.decode())

def path(o, key):
    raw = base64.b64decode(o[key + "_b64"]) if key + "_b64" in o else o[key].encode()
    return raw.decode(errors="surrogateescape")

for line in open(sys.argv[1]):
    o = json.loads(line)
    if "op" not in o:
        continue
    if tag != "-":
        utils.output_write(out, path(o, "path"), prefix, encode=encode, tag=tag, field_separator=separator)
    elif o["op"] == "RENAME":
        gfind_write_row(Encoded(), o["op"], separator, utils.output_path_prepare(path(o, "old_path"), Prepare),
                        utils.output_path_prepare(path(o, "path"), Prepare))
    else:
        gfind_write(Encoded(), o["op"], separator, utils.output_path_prepare(path(o, "path"), Prepare))
END
glusterfind() { python3 "$T/glusterfind.py" "$@" >"$T/want.gf" 2>"$T/gf.err" || problem "glusterfind.py: $(tail -n 1 "$T/gf.err")"; }

it "glusterfind: a full list is what glusterfind's own code writes"
run_cli 0 full "$HOST" v --format=jsonl --out-file="$T/full.jsonl"
run_cli 0 full "$HOST" v --format=glusterfind --out-file="$T/gf"
glusterfind "$T/full.jsonl" NEW " " . encode && same "$T/gf" "$T/want.gf" "list"
run_cli 0 full "$HOST" v --format=glusterfind --tag-for-full= --field-separator=ignored --out-file="$T/gf"
glusterfind "$T/full.jsonl" "" ignored . encode && same "$T/gf" "$T/want.gf" "list without a tag"
run_cli 0 full "$HOST" v --format=glusterfind --tag-for-full=FOUND --field-separator='|0' --prefix=/mnt/v --out-file="$T/gf"
glusterfind "$T/full.jsonl" FOUND '|0' /mnt/v encode && same "$T/gf" "$T/want.gf" "list with tag, separator and prefix"

it "glusterfind: --no-encode is raw, and what would break a line is skipped"
run_cli 5 full "$HOST" v --format=glusterfind --no-encode --out-file="$T/gf"
python3 - "$T/full.jsonl" "$T/plain.jsonl" <<'END'
import base64, json, sys
with open(sys.argv[2], "w") as out:
    for line in open(sys.argv[1]):
        o = json.loads(line)
        if "op" in o and b"\n" not in (base64.b64decode(o["path_b64"]) if "path_b64" in o else o["path"].encode()):
            out.write(line)
END
glusterfind "$T/plain.jsonl" NEW " " . raw && same "$T/gf" "$T/want.gf" "list"
is "$(tr -dc '\0' <"$T/gf.skipped" | wc -c)" "$(($(grep -c '"op"' "$T/full.jsonl") - $(wc -l <"$T/plain.jsonl")))" "names skipped"

it "glusterfind: options of its own are refused elsewhere"
for option in --field-separator=x --tag-for-full=x --no-encode --encode-plus --only-namespace-changes; do
        fails 64 'belong to --format=glusterfind' full "$HOST" v --format=changes $option --out-file="$T/out"
done

# stored.py MOUNT COPY LIST KINDS [more|mirror]: the copy holds what the list names, as it is on the mount: sorts, content,
# targets, hard links among themselves.  `more`: what else lies in the copy does not matter; `mirror`: the copy is the mount.
# Only these kinds, of f d l p s b c; d is not exact, because some programs make the folders above by themselves.
cat >"$T/stored.py" <<'END'
import os, stat, sys
mount, copy, kinds = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[4]
how = sys.argv[5] if len(sys.argv) > 5 else ""
LETTERS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s", stat.S_IFBLK: "b",
           stat.S_IFCHR: "c"}

def look(fd, name):
    st = os.lstat(name, dir_fd=fd)
    kind = LETTERS[stat.S_IFMT(st.st_mode)]
    what = None
    if kind == "f":
        with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as f:
            what = f.read()
    elif kind == "l":
        what = os.readlink(name, dir_fd=fd)
    return kind, what, st.st_ino

def tree(top):
    found = {}
    for folder, dirs, files, fd in os.fwalk(top):
        for name in dirs + files:
            found[os.path.relpath(os.path.join(folder, name), top)] = look(fd, name)
    return found

there, here = tree(mount), tree(copy)
listed = open(sys.argv[3], "rb").read().split(b"\n" if kinds == "f" else b"\0")
listed = {n[2:] if n.startswith(b"./") else n for n in listed if n}
wanted = set(there) if how == "mirror" else listed
bad = []
for path in sorted(wanted):
    if path not in there:
        bad.append((path, "is listed and not on the mount"))
    elif path not in here:
        bad.append((path, "is missing"))
    elif there[path][:2] != here[path][:2]:
        bad.append((path, "differs: " + there[path][0] + here[path][0]))
for path in sorted(set(here) - wanted):
    if how != "more" and (how == "mirror" or here[path][0] != "d"):
        bad.append((path, "is more"))
links = {}
if kinds != "f":
    for path in listed & set(there) & set(here):
        if there[path][0] == "f":
            links.setdefault(there[path][2], set()).add(here[path][2])
    bad += [(b"", "a file has become %d" % len(inodes)) for inodes in links.values() if len(inodes) > 1]
for path in there:
    if there[path][0] not in kinds and path in wanted and how != "mirror":
        bad.append((path, "this program cannot store"))
print("%d listed, %d wrong:" % (len(wanted), len(bad)), bad[:4])
sys.exit(bool(bad) or not wanted)
END
stored() { ok "what it stored" python3 "$T/stored.py" "$M" "$@"; }
# run_tool LIST: by the command line that --show-command prints.
run_tool() {
        local command
        command=$("$CLI" --show-command --format="$1" --out-file="$T/$1.list") || problem "--show-command: $command"
        said=$(MOUNT=$M TARGET=$TARGET timeout 120 bash -c "$command" 2>&1) || problem "$command: status $?: $said"
}
export RESTIC_PASSWORD=x BORG_PASSPHRASE=x BORG_BASE_DIR=$T/borg RESTIC_CACHE_DIR=$T/restic.cache
export XDG_CONFIG_HOME=$T/config BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes
restore() { # TOOL FOLDER
        rm -rf "$2" && mkdir "$2"
        case $1 in
        tar) tar -x -f "$TARGET" -C "$2" ;;
        bsdtar) bsdtar -x -f "$TARGET" -C "$2" ;;
        cpio) (cd "$2" && cpio -i -d --quiet --no-absolute-filenames) <"$TARGET" ;;
        borg) (cd "$2" && borg extract "$TARGET") ;;
        restic) restic -q -r "$TARGET" restore latest --target "$2" ;;
        esac
}
tools="tar bsdtar cpio borg restic"
target_of() { # TOOL RUN: sets TARGET and makes it ready
        TARGET=$T/$1.$2
        case $1 in
        borg)
                [ -d "$T/borg.repo" ] || borg init -e none "$T/borg.repo" || problem "borg init"
                TARGET=$T/borg.repo::$2
                ;;
        restic)
                TARGET=$T/restic.repo
                [ -d "$TARGET" ] || restic -q -r "$TARGET" init || problem "restic init"
                ;;
        esac
}
# What these programs cannot store is skipped: sockets, and to restic folders that only changed.
status_of() { case $1 in rsync | cpio) echo 0 ;; *) echo 5 ;; esac; }

for tool in $tools; do
        it "$tool: all of a volume, by a full list"
        command -v "$tool" >/dev/null || { skip "$tool is not installed"; continue; }
        run_cli "$(status_of "$tool")" full "$HOST" v --format="$tool" --out-file="$T/$tool.list"
        target_of "$tool" full
        run_tool "$tool"
        ok "restore" restore "$tool" "$T/restored"
        kinds=fdlpbc
        [ "$tool" != cpio ] || kinds=fdlpbcs
        stored "$T/restored" "$T/$tool.list" "$kinds"
        case $tool in cpio) skipped='' ;; borg) skipped="cr\rname kinds/socket " ;; *) skipped="kinds/socket " ;; esac
        is "$(cat "$T/$tool.list.skipped" 2>/dev/null | tr '\0' ' ')" "$(printf '%b' "$skipped")" "names skipped"
done

it "rsync: all of a volume, by a full list"
run_cli 0 prepare s --format=rsync --out-file="$T/rsync.list"
mkdir "$T/mirror"
TARGET=$T/mirror
run_tool rsync
stored "$T/mirror" "$T/rsync.list" fdlpsbc mirror

it "rclone: the files of a volume; what else there is is skipped"
run_cli 5 full "$HOST" v --format=rclone --out-file="$T/rclone.list"
mkdir "$T/rclone"
TARGET=$T/rclone
run_tool rclone
stored "$T/rclone" "$T/rclone.list" f
python3 - "$T/full.jsonl" "$T/rclone.list" "$T/rclone.list.skipped" <<'END' || problem "a name is neither in the list nor skipped"
import base64, json, sys
all, dirs = set(), set()
for line in open(sys.argv[1]):
    o = json.loads(line)
    if "op" in o:
        path = base64.b64decode(o["path_b64"]) if "path_b64" in o else o["path"].encode()
        (dirs if o["type"] == "d" else all).add(path)
        while b"/" in path:
            path = path.rsplit(b"/", 1)[0]
            dirs.discard(path)
told = set(open(sys.argv[2], "rb").read().split(b"\n")) | set(open(sys.argv[3], "rb").read().split(b"\0"))
sys.exit(told - {b""} != all | dirs)
END

it "--show-command wants a program and a file"
fails 64 'goes with --format' --show-command --format=jsonl
fails 64 'needs a file' --show-command --format=tar -o -
fails 64 'below the folder' full "$HOST" v --format=rsync --prefix=/x --out-file="$T/out"
fails 64 'reads lines' full "$HOST" v --format=rclone -0 --out-file="$T/out"

run_cli 0 s -0 --out-file="$T/s.list"
settle v
run_cli 0 s -0 --out-file="$T/s.list"
echo more >>"$M/write"
printf new >"$M/alike" && touch -d @1000000000 "$M/alike" # size and time as before
rm "$M/delete" && rm -r "$M/going"
mv "$M/rename" "$M/-renamed a%b"
mv "$M/moving" "$M/moved dir"
mv "$M/swap" "$M/swapped" && mkdir "$M/swap" && echo new >"$M/swap/new"
rm -r "$M/becomes file" && echo file >"$M/becomes file"
rm "$M/becomes dir" && mkdir "$M/becomes dir" && echo in >"$M/becomes dir/in"
ln "$M/write" "$M/one more"
mv "$M/#dir" "$M/#dirs" && mv "$M/;dir/x" "$M/;x"
rm -r "$M/to link" && ln -s own "$M/to link"
mkdir "$M/fresh" "$M/fresh/empty" && echo x >"$M/fresh/a+b"

it "glusterfind: an incremental list is what glusterfind's own code writes"
run_cli 0 prepare s --format=jsonl --out-file="$T/inc.jsonl"
run_cli 0 prepare s --format=glusterfind --out-file="$T/gf"
glusterfind "$T/inc.jsonl" - " " . encode && same "$T/gf" "$T/want.gf" "list"
run_cli 0 prepare s --format=glusterfind --field-separator='||' --prefix=some/dir/ --out-file="$T/gf"
glusterfind "$T/inc.jsonl" - "||" some/dir/ encode && same "$T/gf" "$T/want.gf" "list with separator and prefix"
fails 64 'cannot be read back' verify s "$T/gf"

it "glusterfind: --encode-plus and --only-namespace-changes"
run_cli 0 prepare s --format=glusterfind --encode-plus --out-file="$T/gf"
grep -qx 'NEW fresh/a%2Bb' "$T/gf" || problem "no line for fresh/a+b: $(grep fresh "$T/gf")"
run_cli 0 verify s "$T/gf"
run_cli 0 prepare s --format=glusterfind --only-namespace-changes --out-file="$T/gf"
glusterfind <(grep -v '"op":"MODIFY"' "$T/inc.jsonl") - " " . encode && same "$T/gf" "$T/want.gf" "list"
is "$(grep -c '"op":"MODIFY"' "$T/inc.jsonl" | grep -c '^0$')" 0 "lists without MODIFY"

for tool in $tools; do
        it "$tool: what changed, by an incremental list"
        command -v "$tool" >/dev/null || { skip "$tool is not installed"; continue; }
        run_cli 0 prepare s --format="$tool" --out-file="$T/$tool.list"
        target_of "$tool" inc
        run_tool "$tool"
        ok "restore" restore "$tool" "$T/restored"
        stored "$T/restored" "$T/$tool.list" fdlpbc
        python3 - "$T/inc.jsonl" "$T/restored" <<'END' || problem "what is NEW, MODIFY or RENAME is not all there"
import base64, json, os, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    if o.get("op") in ("NEW", "MODIFY", "RENAME"):
        os.lstat(os.path.join(os.fsencode(sys.argv[2]), o["path"].encode()))
END
        [ -f "$T/restored/moved dir/in/deep/c" ] || problem "what lies below a renamed folder is missing"
done

it "rsync: what changed, moved and is gone, by an incremental list"
run_cli 0 prepare s --format=rsync --out-file="$T/rsync.list"
TARGET=$T/mirror
run_tool rsync
stored "$T/mirror" "$T/rsync.list" fdlpsbc mirror
ok "verify" "$CLI" -q verify s "$T/rsync.list"

it "rclone: the files that changed, by an incremental list"
run_cli 5 prepare s --format=rclone --out-file="$T/rclone.list"
is "$(tr '\0' ' ' <"$T/rclone.list.skipped")" "fresh/empty to link " "names skipped"
rm -r "$T/rclone" && mkdir "$T/rclone"
printf old >"$T/rclone/alike" && touch -d @1000000000 "$T/rclone/alike"
TARGET=$T/rclone
run_tool rclone
stored "$T/rclone" "$T/rclone.list" f

it "csv and tsv say what jsonl says"
run_cli 0 prepare s --format=jsonl --out-file="$T/inc.jsonl"
run_cli 0 prepare s --format=csv --out-file="$T/inc.csv"
run_cli 0 prepare s --format=tsv --out-file="$T/inc.tsv"
run_cli 0 full "$HOST" v --format=jsonl --out-file="$T/full.jsonl"
run_cli 0 full "$HOST" v --format=csv --out-file="$T/full.csv"
run_cli 0 full "$HOST" v --format=tsv --out-file="$T/full.tsv"
for list in inc full; do
        python3 - "$T/$list" <<'END' || problem "$list: they differ"
import base64, csv, json, re, sys
def path(o, key):
    raw = base64.b64decode(o[key + "_b64"]) if key + "_b64" in o else o.get(key, "").encode()
    return raw.decode(errors="surrogateescape")
rows = []
for line in open(sys.argv[1] + ".jsonl"):
    o = json.loads(line)
    if "op" in o:
        changed = "".join(c for c, k in zip("dmx", ("data", "meta", "xattr")) if o[k])
        rows.append([o["op"], o["type"], path(o, "path"), path(o, "old_path"), o.get("gfid", ""), changed])
how = {"errors": "surrogateescape", "newline": ""}
got = list(csv.reader(open(sys.argv[1] + ".csv", **how), strict=True))
back = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
tsv = [[re.sub(r"\\(.)", lambda m: back[m[1]], cell) for cell in line.split("\t")]
       for line in open(sys.argv[1] + ".tsv", **how).read().split("\n")[:-1]]
sys.exit(got[1:] != rows or tsv[1:] != rows or got[0] != tsv[0] or not rows)
END
done

it "--split: each path in one part, with all its lines; the first has what wants an order"
run_cli 0 prepare s --format=jsonl --split=4 --out-file="$T/parts"
for i in 1 2 3 4; do python3 "$LISTS" "$T/parts.$i" >"$T/got.list" 2>"$T/lists.err" || problem "part $i: $(cat "$T/lists.err")"; done
python3 - "$T/inc.jsonl" "$T"/parts.[1-4] <<'END' || problem "the parts are not the list"
import json, sys
def lines(file):
    return [l for l in open(file) if '"op"' in l]
parts = [lines(f) for f in sys.argv[2:]]
whole = sorted(lines(sys.argv[1]))
assert sorted(sum(parts, [])) == whole, "lines"
paths = [{json.loads(l)["path"] for l in p} for p in parts]
assert sum(len(p) for p in paths) == len(set().union(*paths)), "a path in two parts"
for p in parts[1:]:
    assert p and all(json.loads(l)["op"] in ("NEW", "MODIFY") and json.loads(l)["type"] != "d" for l in p), "order"
END
run_cli 0 verify s "$T/parts"
run_cli 0 prepare s --format=changes --split=2 --out-file="$T/parts"
is "$(cd "$T" && echo parts*)" "parts.1 parts.2 parts.manifest" "files after a list in fewer parts"
echo >>"$T/parts.2"
run_cli 1 verify s "$T/parts"
run_cli 0 prepare s --format=rsync --split=3 --out-file="$T/parts"
run_cli 0 prepare s --format=rsync --out-file="$T/rsync.list"
is "$(cat "$T"/parts.[1-3] | sort -z | md5sum)" "$(sort -z "$T/rsync.list" | md5sum)" "lines of rsync's parts"

it "--split: parts of a full list weigh the same, and tar stores them side by side"
mkdir -p "$M/many"/{a,b,c} && (cd "$M/many" && touch {a,b,c}/{1..400})
run_cli 5 full "$HOST" v --format=tar --split=3 --out-file="$T/tar"
counts=$(for i in 1 2 3; do tr -dc '\0' <"$T/tar.$i" | wc -c; done)
# shellcheck disable=SC2086 # words
python3 -c 'import sys; n = list(map(int, sys.argv[1:])); sys.exit(max(n) - min(n) > 0.07 * max(n))' $counts || problem "lines: $counts"
(
        cd "$M" || exit 1
        tars=()
        for i in 1 2 3; do
                tar -c -f "$T/part$i.tar" --null --no-recursion -T "$T/tar.$i" &
                tars+=($!)
        done
        for i in "${tars[@]}"; do wait "$i" || exit 1; done
) || problem "tar"
rm -rf "$T/restored" && mkdir "$T/restored"
for i in 2 3 1; do tar -x -f "$T/part$i.tar" -C "$T/restored" || problem "tar -x"; done
cat "$T"/tar.[123] >"$T/want.tar"
# Names of one file in two parts become two files.
for file in "$T/restored" "$M"; do (cd "$file" && xargs -0 stat -c '%F %s %n' <"$T/want.tar"); done | sort | uniq -u >"$T/differ"
grep -v '^directory' "$T/differ" | grep -q . && problem "restored: $(head -n 3 "$T/differ")"

it "--split is refused where there are no files"
fails 64 'needs a file' full "$HOST" v --split=2 -o -
fails 64 'takes a number' full "$HOST" v --split=0 --out-file="$T/out"
fails 64 'takes a number' full "$HOST" v --split=65 --out-file="$T/out"
fails 64 'leave --split out' --show-command --format=tar --split=2
