#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# hresv why and hresv status PID on processes that run under us, and on the file they
# leave behind.
. "$(dirname "$0")/../harness/functions.sh"

hresv=$BUILD/hresv
hold=$BUILD/tests/tools/prog-hold
MIB=1048576

# holds ARGUMENT...: prog-hold under the preload with them, until the test ends; $pid
holds() {
	requires_file "$hresv" "$hold"
	mkfifo in
	LD_PRELOAD=$BUILD/libhresv.so "$hold" "$@" <in >out &
	pid=$!
	cleanup_fn kill "$pid"
	exec 7>in
	wait_until 20 grep -q ready out
}

# json FILTER FILE: a value out of JSON, by a Python expression on j
json() { python3 -c "import json,sys; j=json.load(open(sys.argv[1])); print($1)" "$2"; }

test_why_tells_what_is_huge_and_what_the_pool_lacked() {
	requires python3
	pool_set 6
	holds 8 8
	"$hresv" why "$pid" >said
	expect_contains said "pool-short: a larger pool: vm.nr_hugepages"
	grep -Eq '8 MiB +8 MiB +- +2 MiB +huge' said || fail "no huge mapping: $(cat said)"
	"$hresv" why --json "$pid" >said.json
	expect_eq "$(json 'j["uses"]["mmap"]["huge"]' said.json)" $((12 * MIB))
	expect_eq "$(json 'j["uses"]["mmap"]["small"]' said.json)" "{'pool-short': $((4 * MIB))}"
	expect_eq "$(json 'sum(m["huge"] for m in j["mappings"])' said.json)" $((12 * MIB))
	expect_eq "$(json 'j["decisions"][0]["why"], j["decisions"][0]["huge"]' said.json)" \
		"pool-short $((4 * MIB))"
	expect_eq "$(json 'j["huge_bytes"]' said.json)" $((12 * MIB))
}

# 8 + 8 MiB were asked for: 8 pages.
test_why_says_how_many_pages_would_have_done() {
	requires python3
	pool_set 3
	holds 8 8
	"$hresv" status --json "$pid" >said.json
	expect_eq "$(json 'j["wanted_pages"], j["wanted_at_most"]' said.json)" "8 False"
	"$hresv" status "$pid" >said
	expect_contains said "for all of it to be huge: 8 pages of 2 MiB; the pool has 3, 0 free"
}

test_small_memory_has_its_reason_at_its_address() {
	requires python3
	pool_set 0
	holds 8
	"$hresv" why --json "$pid" >said.json
	expect_eq "$(json '[m["why"] for m in j["mappings"] if m["bytes"] == 8 << 20 and m["backing"] in ("small", "transparent")]' said.json)" \
		"['pool-short']"
}

# The process is not stopped, not even for a moment: it is asked for nothing.
test_why_leaves_the_process_running_and_without_descriptors() {
	pool_set 4
	holds 8
	ls -l "/proc/$pid/fd" | awk 'NR > 1 { print $9, $11 }' | sort >before
	"$hresv" why "$pid" >/dev/null
	ls -l "/proc/$pid/fd" | awk 'NR > 1 { print $9, $11 }' | sort | cmp - before
	expect_eq "$(awk '/^TracerPid/ { print $2 }' "/proc/$pid/status")" 0
	grep -q 'hresv-stats\|/memfd' "/proc/$pid/maps" && fail "a mapping for it alone"
	return 0
}

test_forked_child_counts_for_itself() {
	requires python3
	local child
	pool_set 16
	holds fork 8
	wait_until 20 grep -q child out
	child=$(awk '/^child/ { print $2 }' out)
	"$hresv" status --json "$pid" >parent.json
	"$hresv" status --json "$child" >child.json
	expect_eq "$(json 'j["uses"]["mmap"]["requests"]' parent.json)" 1
	expect_eq "$(json 'j["uses"]["mmap"]["requests"]' child.json)" 0
	kill "$child"
}

test_file_after_exit_reads_as_the_process_did() {
	requires python3
	requires_file "$hresv" "$hold"
	pool_set 6
	HUGETLB_VERBOSE=2 HUGETLB_STATS=$tmp/stats.%p.json preload "$hold" 8 8 </dev/null >out 2>table
	expect_contains table "for all of it to be huge: 8 pages of 2 MiB (the pool has 6,"
	expect_eq "$(stat -c %a stats.*.json)" 600
	python3 -m json.tool stats.*.json >/dev/null
	"$hresv" why stats.*.json >said
	expect_contains said "huge by libhresv: at its end 12 MiB, at most 12 MiB"
	expect_contains said "for all of it to be huge: 8 pages of 2 MiB"
	"$hresv" why --json stats.*.json >said.json
	expect_eq "$(json 'j["uses"]["mmap"]["small"]' said.json)" "{'pool-short': $((4 * MIB))}"
}

test_stats_file_replaces_a_file_whole_and_follows_no_link() {
	requires_file "$hresv" "$hold"
	pool_set 4
	echo old >stats.json
	echo precious >precious
	ln -s precious link.json
	HUGETLB_STATS=stats.json preload "$hold" 8 </dev/null >out
	grep -q hresv-stats stats.json || fail "not written: $(cat stats.json)"
	HUGETLB_STATS=link.json preload "$hold" 8 </dev/null >out 2>said
	expect_contains said "HUGETLB_STATS=link.json is a symbolic link: not written"
	expect_eq "$(cat precious)" precious
	HUGETLB_STATS=nowhere/stats.json preload "$hold" 8 </dev/null >out 2>said
	expect_contains said "cannot be written: error 2"
	HUGETLB_STATS=/dev/full preload "$hold" 8 </dev/null >out 2>said
	expect_contains said "cannot be written: error 28"
	[ -c /dev/full ] || fail "a device was replaced"
	expect_eq "$(ls)" "$(printf '%s\n' link.json out precious said stats.json)"
}

test_a_program_that_asks_for_nothing_writes_nothing() {
	echo old >stats.json
	HUGETLB_STATS=stats.json preload true
	expect_eq "$(cat stats.json)" old
}

test_process_without_us_is_said_to_be_so() {
	requires_file "$hresv" "$hold"
	mkfifo in
	"$hold" 8 <in >out &
	pid=$!
	cleanup_fn kill "$pid"
	exec 7>in
	wait_until 20 grep -q ready out
	"$hresv" why "$pid" >said
	expect_contains said "libhresv is not loaded in it"
	"$hresv" status "$pid" >said
	expect_contains said "libhresv is not loaded in it"
}

# In a namespace it is another pid to itself, and its counts are its own all the same.
test_process_in_a_pid_namespace_is_told_from_outside() {
	requires_root
	requires unshare python3
	requires_file "$hresv" "$hold"
	unshare --pid true 2>/dev/null || skip "pid namespaces"
	mkfifo in
	LD_PRELOAD=$BUILD/libhresv.so unshare --pid --fork --kill-child "$hold" 8 <in >out &
	cleanup_fn kill $!
	exec 7>in
	wait_until 20 grep -q ready out
	"$hresv" status --json "$(pgrep -P $!)" >said.json
	expect_eq "$(json 'j["uses"]["mmap"]["asked"], j["copied"]' said.json)" "$((8 * MIB)) False"
}

# A child between vfork and exec has its parent's memory, and no counts of its own.
test_copy_of_a_process_is_called_one() {
	local copy
	holds copy 8
	copy=$(awk '/^copy/ { print $2 }' out)
	cleanup_fn kill "$copy"
	"$hresv" status "$copy" >said
	expect_contains said "it is a copy of process $pid"
	"$hresv" status "$pid" >said
	grep -q "is a copy" said && fail "the process itself is called a copy"
	return 0
}

test_another_users_process_is_told_as_far_as_it_may_be() {
	requires_root
	pool_set 4
	holds 8
	chmod 755 .
	expect_exit 1 as_user nobody "$hresv" why "$pid" >said 2>errors
	expect_contains said "8 MiB on huge pages"
	expect_contains said "its memory is not ours to read"
	expect_contains errors "its mappings are not ours to read"
}

test_user_sees_a_process_of_his_own() {
	requires_root
	pool_set 4
	requires_file "$hresv" "$hold"
	mkfifo in
	chmod 666 in
	requires setpriv
	setpriv --reuid=nobody --regid="$(id -g nobody)" --init-groups env LD_PRELOAD="$BUILD/libhresv.so" \
		"$hold" 8 <in >out &
	pid=$!
	cleanup_fn kill "$pid"
	exec 7>in
	wait_until 20 grep -q ready out
	[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" = 0 ] ||
		skip "kernel.yama.ptrace_scope = 0"
	as_user nobody "$hresv" why "$pid" >said
	expect_contains said "huge by libhresv: 8 MiB"
}

test_nonsense_is_refused_by_name() {
	requires_file "$hresv"
	expect_exit 2 "$hresv" why 2>said
	expect_exit 2 "$hresv" why 1 2 2>said
	expect_exit 1 "$hresv" why 2147483647 2>said
	expect_contains said "process 2147483647: there is none"
	expect_exit 1 "$hresv" why nofile 2>said
	expect_contains said "nofile: No such file"
	printf '{"format": "hresv-stats", "version": 99}' >newer
	expect_exit 1 "$hresv" why newer 2>said
	expect_contains said "another version"
	head -c 100000 /dev/urandom >noise
	expect_exit 1 "$hresv" why noise
	expect_exit 1 "$hresv" why /dev/zero
	printf '%200000s' '' | tr ' ' '[' >deep
	expect_exit 1 "$hresv" why deep 2>said
	expect_contains said "not a file that HUGETLB_STATS wrote"
	expect_exit 2 "$hresv" status nobody
}

run_tests "$@"
