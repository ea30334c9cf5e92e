#!/bin/bash
# event.sh VERB VOLUME [ARG]...: something happens to the volume of a replay, which runs this inside its box.
#
#   kill N, restart N          the process of brick N
#   heals off|on               the self-heal daemon
#   healed                     wait until nothing is left to heal
#   stopstart [OPTION VALUE]   the whole volume; an option set in between
#   roll N                     N forced rollovers; set OPTION VALUE
#   add N...                   new bricks; rebalance, balanced: start it, wait for its end
#   drain N..., drained N..., remove N...   remove-brick start, wait for its end, commit
#   replace OLD NEW, reset N   a brick by an empty one, at another path or the same
#   quota, bitrot              on
#   fresh TYPE [OPTION VALUE]...   delete the volume, make it anew
set -u
GB_INSIDE=1
# shellcheck source=tests/integration/node.sh
. "$(dirname "$0")/../integration/node.sh"

verb=$1 vol=$2
shift 2

bricks() {
        local n
        for n; do echo "$HOST:$(brick_path "$vol" "$n")"; done
}
gb_try() { gluster --mode=script "$@" >"$T/event.out" 2>&1; }

# What the index of heals holds, besides the files its entries are links of.
gb_indexed() { find "$T"/bricks/"$vol"-*/.glusterfs/indices/{xattrop,dirty} -mindepth 1 ! -name 'xattrop-*' ! -name 'dirty-*' 2>/dev/null; }
gb_is_healed() {
        gluster --mode=script volume heal "$vol" >/dev/null 2>&1
        [ -z "$(gb_indexed)" ] && gluster --mode=script volume heal "$vol" info >"$T/heal.out" 2>&1 &&
                ! grep -q '^Number of entries: [^0]' "$T/heal.out"
}
gb_task_ended() { # status of a rebalance or remove-brick
        gb_try volume "$@" && ! grep -q 'in progress' "$T/event.out" && grep -q completed "$T/event.out"
}
# Numbers of the folders of the volume's bricks; others have been its bricks.
numbers() { gluster volume info "$vol" | sed -nE "s|^Brick[0-9]+: .*/$vol-([0-9]+).*|\1|p"; }
all_connected() {
        local n
        for n in $(numbers); do
                ! brick_runs "$vol" "$n" || wait_for 30 gb_client_connected "$vol" "$n" || gb_die "$vol: the mount misses brick $n"
        done
}
# Of symlinks and the like with several names a disperse set (10.3) cannot be drained (`creating symlink failed [No data
# available]` in the log of the rebalance, each time): each name becomes an object of its own, under the same path.
part_names() {
        ! gluster volume info "$vol" | piped '^Type:.*Disperse' || find "$T/mnt/$vol" ! -type d ! -type f -links +1 -execdir \
                sh -c 'cp -a -- "$1" ./.anew && mv -fT -- ./.anew "$1"' - {} \;
}
add_bricks() {
        local n new
        for n; do mkdir -p "$(brick_path "$vol" "$n")"; done
        mapfile -t new < <(bricks "$@")
        gv add-brick "$vol" "${new[@]}" force
        for n; do wait_for 30 brick_is_up "$vol" "$n" || gb_die "$vol: new brick $n does not start"; done
        all_connected
}

case $verb in
kill) kill_brick "$vol" "$1" ;;
restart) restart_brick "$vol" "$1" ;;
heals) gv set "$vol" "$(gluster volume info "$vol" | piped '^Type:.*Disperse' && echo cluster.disperse-self-heal-daemon || echo cluster.self-heal-daemon)" "$1" ;;
healed) wait_for 120 gb_is_healed || gb_die "$vol: not healed after 120 s: $(gb_indexed | head -n 3 | tr '\n' ' ')" ;;
stopstart)
        gv stop "$vol"
        [ $# = 0 ] || gv set "$vol" "$1" "$2"
        gv start "$vol"
        for n in $(numbers); do
                wait_for 30 brick_is_up "$vol" "$n" || gb_die "$vol: brick $n does not start"
        done
        all_connected
        ;;
roll)
        for ((n = 0; n < $1; n++)); do
                gv set "$vol" changelog.rollover-time $((3 + (n + 1) % 2))
                sleep 1.3
        done
        ;;
set)
        gv set "$vol" "$1" "$2"
        sleep 1.3
        ;;
add) add_bricks "$@" ;;
rebalance) gv rebalance "$vol" start force ;;
balanced) wait_for 120 gb_task_ended rebalance "$vol" status || gb_die "$vol: rebalance: $(tr '\n' ' ' <"$T/event.out")" ;;
drain | drained | remove)
        mapfile -t old < <(bricks "$@")
        case $verb in
        drain) gv remove-brick "$vol" "${old[@]}" start ;;
        drained) wait_for 120 gb_task_ended remove-brick "$vol" "${old[@]}" status || gb_die "$vol: remove-brick: $(tr '\n' ' ' <"$T/event.out")" ;;
        remove)
                # Refused while a file could not be moved, because it changed meanwhile: move again.
                for n in 1 2 3 4; do
                        gb_try volume remove-brick "$vol" "${old[@]}" commit && break
                        [ "$n" -lt 4 ] || gb_die "$vol: remove-brick: $(tr '\n' ' ' <"$T/event.out")"
                        gv remove-brick "$vol" "${old[@]}" stop
                        part_names
                        gv remove-brick "$vol" "${old[@]}" start
                        wait_for 120 gb_task_ended remove-brick "$vol" "${old[@]}" status || gb_die "$vol: remove-brick does not end"
                done
                ;;
        esac
        ;;
replace)
        mkdir -p "$(brick_path "$vol" "$2")"
        gv replace-brick "$vol" "$(bricks "$1")" "$(bricks "$2")" commit force
        wait_for 30 brick_is_up "$vol" "$2" || gb_die "$vol: the new brick does not start"
        wait_for 30 gb_client_connected "$vol" "$2" || gb_die "$vol: the mount misses the new brick"
        ;;
reset)
        gv reset-brick "$vol" "$(bricks "$1")" start
        rm -rf "$(brick_path "$vol" "$1")"
        mkdir "$(brick_path "$vol" "$1")"
        gv reset-brick "$vol" "$(bricks "$1")" "$(bricks "$1")" commit force
        wait_for 30 brick_is_up "$vol" "$1" || gb_die "$vol: the brick that was reset does not start"
        wait_for 30 gb_client_connected "$vol" "$1" || gb_die "$vol: the mount misses the brick that was reset"
        ;;
quota)
        # Where a file is older than this, has not got a pgfid xattr, and is renamed, GlusterFS claims success
        # and does nothing: so it is for empty volumes only.
        gv quota "$vol" enable
        gv quota "$vol" limit-usage / 50GB
        ;;
bitrot) gv bitrot "$vol" enable ;;
fresh)
        umount "$T/mnt/$vol"
        gv stop "$vol" force
        gv delete "$vol"
        rm -rf "$T"/bricks/"$vol"-*
        type=$1
        shift
        make_volume "$vol" "$type" "$@"
        mount_volume "$vol" acl
        ;;
*) gb_die "event.sh: no event $verb" ;;
esac
