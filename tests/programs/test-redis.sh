#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Redis holds the same data under libhresv as without, whatever it gets of huge pages:
# filled, partly deleted, filled again, read back, stopped. No fork here: no snapshot.
. "$(dirname "$0")/../harness/functions.sh"

mib() { echo $(($1 << 20)); }

a_pod() {
	requires redis-server redis-cli nm
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

# Its heap is huge through our malloc; Debian's Redis is linked with jemalloc, whose
# own mappings are MAP_NORESERVE and stay as they are.
has_our_malloc() { nm -D --defined-only "$BUILD/libhresv.so" | grep -q ' malloc$'; }

# lives MIN_MIB MAX_MIB: as without us, under what the pod has now; so much of it huge
lives() {
	start env LD_PRELOAD="$BUILD/libhresv.so"
	fill_and_digest
	! has_our_malloc || expect_huge_kb "$(redis info server | awk -F: '/^process_id/ { print $2 + 0 }')" \
		$(($1 << 10)) $(($2 << 10))
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
	lives 0 0
	pool_set 7
	lives 8 14
	pool_set 60
	lives 30 120
}

test_redis_lives_under_limits() {
	a_pod
	as_without_us
	pool_set 60
	cgroup_limit fault 0
	lives 0 0
	cgroup_limit fault "$(mib 10)"
	lives 6 10
	cgroup_limit fault max
	cgroup_limit rsvd "$(mib 10)"
	lives 6 10
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
