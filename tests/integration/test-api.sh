#!/bin/bash
# libgbackup as a program meets it: installed, found by pkg-config, the example built and run; and the example that
# reads jsonl in Python.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/functions.sh"
top=$GB_HERE/../..

make_volume v 2x2
mount_volume v
start_gbackupd
mkdir -p "$M/dir/sub"
for f in a gone dir/b dir/sub/c; do echo "$f" >"$M/$f"; done
printf x >"$M/"$'bad\xff'

it "what is installed is enough to build with"
make -C "$GB_BUILD/lib" install DESTDIR="$T/root" >"$T/install.log" 2>&1 || problem "make install: $(tail -n 2 "$T/install.log")"
libdir=$(dirname "$(find "$T/root" -name libgbackup.so.0)")
pc() { PKG_CONFIG_SYSROOT_DIR=$T/root PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config "$@" gbackup; }
# ThreadSanitizer in a library alone has no threads.
san=$(grep -qs -- '-fsanitize=thread' "$GB_BUILD/lib/Makefile" && echo -fsanitize=thread)
# shellcheck disable=SC2046,SC2086 # words
ok "compile" cc -std=c11 -Wall -Wextra -Werror $san "$top/lib/example.c" $(pc --cflags --libs) -o "$T/example"
is "$(pc --modversion)" "$("$CLI" --version | sed 's/.* //')" "version"
is "$(nm -D --defined-only "$libdir/libgbackup.so.0" | grep -v 'gbackup_[a-z_]*@@GBACKUP_0$' | grep -vc ' A GBACKUP_0$')" 0 \
        "symbols that are not the library's"

# example STATUS ARGS...: its output, sorted, in $T/api.out
example() {
        local want=$1 got=0
        shift
        LD_LIBRARY_PATH=$libdir timeout 120 "$T/example" "$@" >"$T/api.raw" 2>"$T/api.err" || got=$?
        is "$got" "$want" "status of example $*: $(cat "$T/api.err")"
        LC_ALL=C sort "$T/api.raw" >"$T/api.out"
}

[ -x "$T/example" ] || exit
it "the example: a first list, all names"
example 0 s "$HOST" v
printf '%s\n' 'NEW d dir' 'NEW d dir/sub' 'NEW f a' $'NEW f bad\xff' 'NEW f dir/b' 'NEW f dir/sub/c' 'NEW f gone' 'full: 7 entries' >"$T/want"
same "$T/api.out" "$T/want" "output"
settle v
example 0 s

it "the example: what changed, then nothing"
settle v
example 0 s
is "$(cat "$T/api.out")" "incremental: 0 entries" "output"
echo more >>"$M/a"
rm "$M/gone"
mv "$M/dir" "$M/moved"
echo new >"$M/new"
run_cli 0 prepare s --format=jsonl --out-file="$T/s.jsonl"
example 0 s
printf '%s\n' 'DELETE f gone' 'MODIFY f a' 'NEW f new' 'RENAME d dir -> moved' 'incremental: 4 entries' >"$T/want"
same "$T/api.out" "$T/want" "output"

it "the example: a backup that fails is no commit"
echo again >"$M/again"
LD_LIBRARY_PATH=$libdir "$T/example" s >/dev/full 2>"$T/api.err"
is $? 1 "status with a full disk"
example 0 s
grep -q '^NEW f again$' "$T/api.out" || problem "not told again: $(cat "$T/api.out")"

it "the example: errors are the command's"
example 1 nosuch
grep -q 'no session "nosuch" here' "$T/api.err" || problem "says $(cat "$T/api.err")"
example 1 s "$HOST" v
example 64 -x "$HOST" v

cat >"$T/more.c" <<'END'
/* What the example leaves out: lists without a session, selections, stopping, cancelling. */
#include <libgbackup.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int count(void *arg, const struct gbackup_entry *e)
{
        if (strlen(e->path) != e->path_len || (e->op == GBACKUP_RENAME) != (e->old_path != NULL))
                return 1;
        ++*(int *)arg;
        return 0;
}
static int stop(void *arg, const struct gbackup_entry *e)
{
        (void)e;
        return ++*(int *)arg == 2;
}
int main(int argc, char **argv)
{
        const char *host = argv[argc - 1];
        gbackup *h = gbackup_new();
        int n = 0;

        printf("%d", gbackup_full(h, host, "v", count, &n));
        printf(" %d", n);
        n = 0;
        printf(" %d", gbackup_full(h, host, "v", stop, &n));
        printf(" %d %s\n", n, gbackup_error(h));
        n = 0;
        printf("%d", gbackup_set(h, "exclude", "sub"));
        printf("%d", gbackup_set(h, "exclude", "a["));
        printf("%d", gbackup_set(h, "nonsense", "x"));
        printf("%d", gbackup_set(h, "expand", NULL));
        printf(" %d", gbackup_full(h, host, "v", count, &n));
        printf(" %d", n);
        n = 0;
        printf(" %d", gbackup_changes(h, host, "v", time(NULL) - 3, time(NULL), count, &n));
        printf(" %d %s\n", n > 0, gbackup_error(h));
        gbackup_cancel(h);
        printf("%d", gbackup_full(h, host, "v", count, &n));
        printf(" %s\n", *gbackup_error(h) ? "said why" : "silent");
        gbackup_free(h);
        return 0;
}
END
it "lists without a session, selections, stopping, cancelling"
echo '_Thread_local char much[1 << 19];' >"$T/much.c" # more than the stack of the library's threads
# shellcheck disable=SC2046,SC2086
ok "compile" cc -std=c11 -Wall -Wextra -Werror $san "$T/more.c" "$T/much.c" $(pc --cflags --libs) -o "$T/more"
names=$(found "$M" | tr -dc '\0' | wc -c)
some=$(found "$M" | grep -zvE '(^|/)sub(/|$)' | tr -dc '\0' | wc -c)
echo x >>"$M/a"
LD_LIBRARY_PATH=$libdir timeout 120 "$T/more" "$HOST" >"$T/api.out" 2>"$T/api.err" || problem "status $?: $(cat "$T/api.err")"
printf '%s\n' "0 $names 1 2 stopped by the caller [system]" "064640 0 $some 0 1 " "1 said why" >"$T/want"
same "$T/api.out" "$T/want" "output"

it "the example in Python reads a list, and no half of one"
ok "read" python3 "$top/lib/example.py" "$T/s.jsonl"
python3 "$top/lib/example.py" "$T/s.jsonl" >"$T/py.out"
printf '%s\n' 'incremental v' 'read f a' 'gone gone' 'moved dir to moved' 'read f new' >"$T/want"
same "$T/py.out" "$T/want" "output"
head -n -1 "$T/s.jsonl" >"$T/half.jsonl"
! python3 "$top/lib/example.py" "$T/half.jsonl" >/dev/null 2>&1 || problem "half a list passes"
run_cli 0 full "$HOST" v --format=jsonl --out-file="$T/full.jsonl"
python3 "$top/lib/example.py" "$T/full.jsonl" >"$T/py.out"
grep -aqx $'read f bad\xff' "$T/py.out" || problem "a name that is not UTF-8 is lost"
