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

# What a heap of huge pages lays out beforehand would be missed, and what others build aside.
test_programs_run_within_the_limits_they_run_within_without_us() {
	local family=$BUILD/tests/torture/prog-family limit
	requires_file "$family" "$BUILD/libhresv.so"
	pool_set 24
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
	"$BUILD/tests/torture/prog-maps" 1 40 1 >expected
	(ulimit -v 57344 && preload "$BUILD/tests/torture/prog-maps" 1 40 1) >got 2>&1 || fail "mappings: $(cat got)"
	expect_eq "$(sed 's/ huge .*//' got)" "$(sed 's/ huge .*//' expected)"
	HUGETLB_VERBOSE=2 preload "$family" 1 1 6 >got 2>said
	! grep "stands aside" said || fail "it stands aside without a limit"
	grep -q "mmap .* 6 MiB  *6 MiB  *-" said || fail "nothing is huge without a limit: $(cat said)"
}

run_tests "$@"
