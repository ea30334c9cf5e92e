#!/bin/bash
GB_TESTNAME=try3
. "$(dirname "$0")/functions.sh"
start_gbackupd
make_volume v dist1; mount_volume v
run_cli 0 register s $HOST v
mkdir $M/big $M/other
python3 - $M/big <<'P'
import os,sys,time
t=time.time()
for i in range(100000):
    os.close(os.open(f"{sys.argv[1]}/{i:06d}",os.O_CREAT|os.O_WRONLY))
print("made", time.time()-t)
P
time run_cli 0 s --out-file=$T/l; wc -l $T/l
settle v; run_cli 0 s --out-file=$T/l; settle v; run_cli 0 s --out-file=$T/l; wc -l $T/l
mv $M/big $M/other/large
for i in 1 2 3; do echo x >$M/other/large/00000$i; done; rm $M/other/large/099999; mv $M/other/large/000004 $M/four; echo n >$M/other/large/new
time run_cli 0 s --format=jsonl --out-file=$T/l; python3 $LISTS $T/l
rm -rf $M/other/large
time run_cli 0 s --format=jsonl --out-file=$T/l; tail -1 $T/l
