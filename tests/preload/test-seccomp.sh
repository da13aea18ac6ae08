#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A program that filters its own system calls is killed for no call of ours, and its
# memory goes on being right: see prog-seccomp.c.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-seccomp

# lives HOW...: it runs under its filter to the end. 77: no filters here.
lives() {
	local status=0
	"$prog" "$@" </dev/null >said || status=$?
	[ $status != 77 ] || skip "a seccomp filter"
	[ $status = 0 ] || fail "$* without us: status $status"
	expect_exit 0 preload "$prog" "$@" </dev/null >said
	expect_eq "$(cat said)" ready
}

test_filter_by_prctl_kills_for_no_call_of_ours() { lives prctl; }
test_filter_by_number_kills_for_no_call_of_ours() { lives number; }
test_filter_before_the_first_malloc_kills_for_no_call_of_ours() { lives prctl late; }
test_filter_with_all_said_kills_for_no_call_of_ours() { HUGETLB_VERBOSE=3 lives prctl 2>/dev/null; }

# Started with its input open: "ready" means that it has 16 MiB made under the filter.
start() {
	lives "$1"
	pool_set 40
	mkfifo input
	LD_PRELOAD=$BUILD/libhresv.so "$prog" "$1" <input >said &
	cleanup_fn sh -c "kill $! 2>/dev/null || :"
	exec 3>input
	wait_until 60 grep -q ready said
}

finish() {
	exec 3>&-
	wait $!
	pool_expect_unchanged
}

test_memory_under_a_filter_is_small_and_says_so() {
	requires_file "$BUILD/hresv"
	start prctl
	"$BUILD/hresv" why $! >report || fail "$(cat report)"
	expect_contains report seccomp
	finish
}

test_memory_under_a_filter_that_kills_for_none_of_our_calls_is_huge() {
	start forbids
	[ "$(huge_kb $!)" -ge 16384 ] || fail "$(huge_kb $!) KiB are huge"
	finish
}

# With as many pages as there are, with none to spare for a child, and with very few.
test_memory_from_before_a_filter_goes_on_whatever_the_pool_has() {
	lives prctl
	for pages in 30 8 2; do
		pool_set $pages
		for how in prctl 'prctl late'; do
			# shellcheck disable=SC2086
			expect_exit 0 preload "$prog" $how </dev/null >said
		done
		pool_expect_unchanged
	done
}

run_tests "$@"
