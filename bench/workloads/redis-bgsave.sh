#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# redis-bgsave.sh - Redis saves MIB of values (BGSAVE) while every key is overwritten; "tight":
# before it does, the pool is cut down to the pages in use: redis-bgsave MIB spare|tight
#
#	fork_us		until fork() was over, as Redis measured it
#	sets_per_s	keys overwritten in a second, 16 at a time, while the save ran
#	stall_ms	the longest that a client waited for one SET
#	save_s		until the save was over
#
# section: programs
# goals: G6 G7
# cases: 64,tight 256,spare 256,tight 1024,spare 1024,tight
# brief: 512,spare 512,tight 64,tight
# rounds: 64,tight:100
# contenders: glibc glibc-thp glibc-huge jemalloc jemalloc-thp mimalloc-huge ours
# few: glibc glibc-huge mimalloc-huge ours 512,tight:mimalloc-huge,ours 64,tight:ours
# pool: 64,tight:140 256,spare:536 256,tight:536 512,spare:970 512,tight:970 1024,spare:1840 1024,tight:1840
# memory: 64,tight:300 256,spare:1000 256,tight:1000 512,spare:1700 512,tight:1700 1024,spare:3200 1024,tight:3200
# show: fork_us
# needs: redis-server
# timeout: 180
. "$BENCH/redis.bash"
start
keys=$(($1 * 1024))
"$client" $port $keys set a >/dev/null
if [ "$2" = tight ]; then
	awk '/^HugePages_Total/ { t = $2 } /^HugePages_Free/ { f = $2 } END { print t - f }' /proc/meminfo \
		>/proc/sys/vm/nr_hugepages
fi
"$client" $port $keys save bgsave b 2>&1 | tee "$dir/said" |
	awk '$2 > 0 && NF >= 10 { print "metric fork_us", $2; print "metric sets_per_s", $4
		print "metric stall_ms", $6; print "metric save_s", $10 }'
grep -q 'fork' "$dir/said" || { cat "$dir/said"; exit 1; }
server_said
"$client" $port $keys check b >/dev/null
echo "result $keys"
