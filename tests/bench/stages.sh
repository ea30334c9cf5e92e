#!/bin/bash
# stages.sh - where the time of a full list goes when it comes over TLS from another node: a profile of the agent and of
# gbackup-cli, in shares of their own CPU time.  Needs root, perf(1), and what tests/integration/cluster.sh needs.
#
# GB_BUILD              build folder; configure it without sanitizers and with -O2
# GB_BENCH_FILES        files of the brick (100000)
# GB_BENCH_ROUNDS       lists (10)
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/integration/cluster.sh
. "$here/../integration/cluster.sh"
requires "perf is not installed" command -v perf

files=${GB_BENCH_FILES:-100000} rounds=${GB_BENCH_ROUNDS:-10}
helpers=$(sed -n "s/^glusterlibexecdir = //p" "$GB_BUILD/daemon/Makefile")
mkdir "$T/libexec"
cp "$GB_BUILD/daemon/peer_gbackup_tls" "$T/libexec/"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$T/libexec:$helpers" "$helpers" || gb_skip_all "no overlay mounts"
${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -O2 -pthread -o "$T/brickmaker" "$here/brickmaker.c" -lxxhash || exit 1

start_cluster 2
CLI_RSH='' CLI_NODE=n2
cluster_volume v dist1
gv stop v force
"$T/brickmaker" fill -v v "$files" "$(brick_path v 0)" || gb_die "cannot fill the brick"
gv start v
wait_for 60 brick_is_up v 0 || gb_die "the brick does not start"
start_agents
run_cli 0 tls setup
kill_agent n1
gb_words_on n1 perf record -q -F 1999 -o "$T/agent.perf" -- "$AGENT"
"${gb_words[@]}" >"$T/log/perf.log" 2>&1 </dev/null &
recorder=$!
wait_for 20 reaches n2 n1 || gb_die "the agent is not ready"

for ((i = 0; i < rounds; i++)); do
        on n2 perf record -q -F 1999 -o "$T/cli.perf.$i" -- "$CLI" -q full n1 v --out-file="$T/list" || gb_die "full fails"
done
kill -TERM "$(pgrep -P "$recorder")" # the agent; perf ends with it
wait "$recorder"
echo "# $(wc -l <"$T/list") paths, $rounds lists"

# What a symbol is part of.
shares() {
        local f
        for f; do perf script -i "$f" -F ip,sym,dso 2>/dev/null; done | awk '
                NF { ip = $1; sym = $2; dso = $NF }
                NF == 0 { next }
                {
                        what = "other"
                        if (dso ~ /kernel|vdso/) what = sym ~ /tcp|sk_|skb|inet|ip_|sock|net/ ? "kernel: network" : "kernel: the rest"
                        else if (dso ~ /libssl/ || (dso ~ /libcrypto/ && sym ~ /aes|gcm|ghash|gmult|chacha|poly/)) what = "TLS"
                        else if (dso ~ /libcrypto/ && sym ~ /sha256/) what = "SHA-256 of the list"
                        else if (dso ~ /libcrypto/) what = "libcrypto: the rest (handshake)"
                        else if (sym ~ /gb_block|next_slowly|gb_common_prefix/) what = "blocks"
                        else if (sym ~ /merge|^next$|play_out|gb_path_cmp/) what = "merge, with decoding"
                        else if (dso ~ /gbackup/) what = "gbackup: the rest"
                        n[what]++
                        all++
                }
                END { for (w in n) printf "%5.1f %%  %s\n", 100 * n[w] / all, w }' | sort -rn
}
echo "agent:"
shares "$T/agent.perf"
echo "gbackup-cli:"
shares "$T"/cli.perf.*
