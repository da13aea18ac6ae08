#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# No call of ours waits for ever: not from a signal handler that interrupted another,
# not in the child of a threaded process, not when threads are cancelled in the middle,
# not among a hundred thousand ranges. And no page stays behind.
TEST_TIMEOUT=90
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/semantics/prog-lifetime

lives() {
	requires_file "$prog" "$BUILD/libhresv.so"
	timeout 60 env LD_PRELOAD="$BUILD/libhresv.so" "$prog" "$1" >said 2>&1 ||
		fail "status $? (124: a deadlock): $(tail -n 5 said)"
	cat said
	pool_expect_unchanged
}

test_handlers_may_call_what_they_interrupt() {
	pool_set 24
	lives signals
}

test_handlers_may_call_what_they_interrupt_without_pages() {
	pool_set 0
	lives signals
}

test_children_of_a_threaded_process_may_call() {
	pool_set 64
	lives fork
}

test_threads_may_be_cancelled_between_calls() {
	pool_set 24
	lives cancel
}

test_threads_may_be_cancelled_within_calls() {
	pool_set 24
	lives cancel-anywhere
}

test_calls_among_a_hundred_thousand_ranges_end() {
	pool_set 24
	lives ranges
}

run_tests "$@"
