#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every call about signal masks and actions answers as without us, and none of them
# takes the net away: see prog-signals.c.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-signals

test_signal_calls_answer_as_without_us() {
	"$prog" >want
	preload "$prog" >got
	diff want got || fail "see the differences"
}

test_signal_calls_answer_as_without_us_and_keep_the_net() {
	"$prog" >want
	pool_set 60
	HUGETLB_FORK=share preload "$prog" >got
	diff want got || fail "see the differences"
	pool_set 40
	HUGETLB_FORK=share preload "$prog" >got
	diff want got || fail "see the differences"
	pool_expect_unchanged
}

run_tests "$@"
