#!/bin/bash
# Lists in the formats of other programs: each program reads its list, of hostile names, and what it stored is
# compared with the volume.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"

make_volume v 2x2
mount_volume v
start_gbackupd
hostile_names "$M"
mkdir -p "$M/moving/in/deep" "$M/going/deep" "$M/swap" "$M/becomes file" "$M/#dir" "$M/;dir"
for f in moving/a moving/in/b moving/in/deep/c going/1 going/deep/2 swap/old "becomes file/x" write delete rename two \
        "#dir/x" ";dir/x" "becomes dir"; do
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

run_cli 0 s -0 --out-file="$T/s.list"
settle v
run_cli 0 s -0 --out-file="$T/s.list"
echo more >>"$M/write"
rm "$M/delete" && rm -r "$M/going"
mv "$M/rename" "$M/-renamed a%b"
mv "$M/moving" "$M/moved dir"
mv "$M/swap" "$M/swapped" && mkdir "$M/swap" && echo new >"$M/swap/new"
rm -r "$M/becomes file" && echo file >"$M/becomes file"
rm "$M/becomes dir" && mkdir "$M/becomes dir" && echo in >"$M/becomes dir/in"
ln "$M/write" "$M/one more"
mv "$M/#dir" "$M/#dirs" && mv "$M/;dir/x" "$M/;x"
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
