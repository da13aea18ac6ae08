#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Redis holds the same data under libhresv as without, whatever it gets of huge pages:
# filled, partly deleted, filled again, read back, stopped. No fork here: no snapshot.
. "$(dirname "$0")/../harness/functions.sh"

mib() { echo $(($1 << 20)); }

a_pod() {
	requires redis-server redis-cli
	requires_root
	cgroup_make pod
	fill_commands
}

# 40 MB: 20000 strings of 2000 bytes, a hash, a list; then every third string goes.
fill_commands() {
	awk 'BEGIN {
		pad = sprintf("%1900s", ""); gsub(/ /, "x", pad)
		for (i = 0; i < 20000; i++) print "SET key:" i " " i pad i
		for (i = 0; i < 5000; i++) print "HSET hash field" i " " i * 7
		for (i = 0; i < 5000; i++) print "RPUSH list " i * 3
		for (i = 0; i < 20000; i += 3) print "DEL key:" i
		for (i = 0; i < 20000; i += 6) print "APPEND key:" i " again" i pad
	}' >commands
}

redis() { redis-cli -s "$tmp/socket" "$@"; }

# The control group's removal kills what is left of it.
start() {
	cgroup_exec "$@" redis-server --port 0 --unixsocket "$tmp/socket" --save '' --appendonly no \
		--dir "$tmp" --enable-debug-command yes >log 2>&1 &
	server=$!
	wait_until 10 redis ping
}

stop() {
	redis shutdown nosave
	expect_exit 0 wait "$server"
}

fill_and_digest() {
	redis --pipe <commands >piped || fail "$(cat piped)"
	redis debug digest >digest
	expect_eq "$(redis strlen key:7)" 1902
	expect_eq "$(redis hget hash field4999)" 34993
	expect_eq "$(redis lindex list 4999)" 14997
}

# lives: as without us, under what the pod has now
lives() {
	start env LD_PRELOAD="$BUILD/libhresv.so"
	fill_and_digest
	redis memory purge >/dev/null
	redis flushall >/dev/null
	fill_and_digest
	cmp digest expected || fail "its data differ"
	stop
	pool_expect_unchanged
}

as_without_us() {
	start env
	fill_and_digest
	stop
	mv digest expected
}

test_redis_lives_with_and_without_pages() {
	a_pod
	as_without_us
	pool_set 0
	lives
	pool_set 7
	lives
	pool_set 60
	lives
}

test_redis_lives_under_limits() {
	a_pod
	as_without_us
	pool_set 60
	cgroup_limit fault 0
	lives
	cgroup_limit fault "$(mib 10)"
	lives
	cgroup_limit fault max
	cgroup_limit rsvd "$(mib 10)"
	lives
}

# The limit falls to what is used while it runs: what it has it keeps, more is small.
test_redis_lives_when_its_limit_is_lowered() {
	a_pod
	as_without_us
	pool_set 60
	start env LD_PRELOAD="$BUILD/libhresv.so"
	redis set first 1 >/dev/null
	cgroup_limit fault "$(cgroup_usage fault)"
	redis del first >/dev/null
	fill_and_digest
	cmp digest expected || fail "its data differ"
	stop
	pool_expect_unchanged
}

run_tests "$@"
