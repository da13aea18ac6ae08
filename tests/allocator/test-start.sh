#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Whichever of its first mappings a process is refused, its heap starts, or another malloc
# serves it: it computes what it does without us, and says nothing that isn't its own.
. "$(dirname "$0")/../harness/functions.sh"

FIRST_CALLS=70

test_a_process_refused_any_early_mapping_lives() {
	local n mmap=9 faults=$BUILD/tests/torture/libhresv-faults.so family=$BUILD/tests/torture/prog-family
	requires_file "$faults" "$family"
	[ "$(uname -m)" = x86_64 ] || mmap=222
	"$family" 1 1 4 >expected
	for n in $(seq $FIRST_CALLS); do
		env HRESV_FAULT="$n:$mmap:12" LD_PRELOAD="$faults" "$family" 1 1 4 >got 2>&1 ||
			fail "call $n refused: status $? $(head -c 300 got)"
		cmp -s expected got || fail "call $n refused: it says $(head -c 300 got)"
	done
}

# What a heap of huge pages lays out beforehand would be missed.
test_heap_is_the_next_ones_where_little_may_be_mapped() {
	local family=$BUILD/tests/torture/prog-family limit
	requires_file "$family" "$BUILD/libhresv.so"
	"$family" 1 1 6 >expected
	for limit in "-v 60000" "-d 22000"; do
		# shellcheck disable=SC2086
		(ulimit $limit && "$family" 1 1 6 >got) || skip "a program that lives with ulimit $limit"
		# shellcheck disable=SC2086
		(ulimit $limit && HUGETLB_MALLOC_START=0 HUGETLB_VERBOSE=2 preload "$family" 1 1 6) \
			>got 2>said || fail "ulimit $limit: status $? $(head -c 300 said)"
		cmp -s expected got || fail "ulimit $limit: it says $(head -c 300 got)"
		expect_contains said "our malloc stands aside"
	done
	HUGETLB_VERBOSE=2 preload "$family" 1 1 6 >got 2>said
	! grep "stands aside" said || fail "it stands aside without a limit"
}

run_tests "$@"
