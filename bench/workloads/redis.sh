#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# redis.sh - Redis with MIB of values, then redis-benchmark's SET, GET and HSET at random,
# 16 at a time: redis MIB
#
# section: programs
# goals: G16
# cases: 200
# contenders: glibc glibc-thp glibc-huge jemalloc jemalloc-thp mimalloc-huge tcmalloc-memfs ours
# few: glibc glibc-huge jemalloc mimalloc-huge ours
# pool: 900
# memory: 800
# show: ops_per_s
# needs: redis-server redis-benchmark
# timeout: 120
. "$BENCH/redis.bash"
start
keys=$(($1 * 1024))
"$client" $port $keys set a >/dev/null
redis-benchmark -p $port -t set,get,hset -n 250000 -r 200000 -d 400 -P 16 --csv 2>/dev/null | tr -d '"' |
	awk -F, '$2 + 0 > 0 { n++; s += 1 / $2 } END { if (n < 3) exit 1; print "metric ops_per_s", n / s }'
server_said
"$client" $port $keys check a >/dev/null
echo "result $keys"
