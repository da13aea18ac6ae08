#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A call that is given an address which can't be read is answered as without us, and
# changes nothing: see prog-unreadable.c.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-unreadable

answers_are_alike() {
	"$prog" >want
	preload "$prog" >got
	diff want got || fail "see the differences"
}

test_calls_with_addresses_that_cannot_be_read_answer_as_without_us() { answers_are_alike; }

test_calls_with_addresses_that_cannot_be_read_answer_so_with_pages() {
	pool_set 8
	answers_are_alike
	pool_expect_unchanged
}

run_tests "$@"
