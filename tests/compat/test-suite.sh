#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# libhugetlbfs' own test suite, from Debian's source package: against the drop-in, and its
# kernel tests under libhresv.so. What does not pass is named here, and docs/LIBHUGETLBFS.md says why.
TEST_TIMEOUT=280
. "$(dirname "$0")/../harness/functions.sh"

suite() { "$SOURCE/tests/compat/run-libhugetlbfs-suite" "$BUILD/libhugetlbfs-suite" "$@"; }

# fetched: or the test is skipped, with what is missing
fetched() {
	requires_root
	local why status=0
	why=$(suite fetch) || status=$?
	[ $status != 77 ] || skip "${why#missing: }"
	[ $status = 0 ] || fail "fetch: $why"
}

# results LIBRARY FILE: every test and its verdict
results() {
	pool_set 256
	suite run "$1" >"$2" 2>"$2.err" || fail "the runner: $(tail -n 3 "$2.err")"
	grep -q 'TEST SUMMARY' "$2" || fail "the runner did not end: $(tail -n 3 "$2")"
}

# not_passed FILE: names of the tests that did not pass
not_passed() {
	sed -n 's/^\(.*\) ([0-9A-Z]*: 64):\t\?\(.*\)$/\2\t\1/p' "$1" | grep -v '^PASS' | cut -f 2- | grep . | sort
}

test_drop_in_passes_what_can_be_passed() {
	requires_file "$BUILD/compat/libhugetlbfs.so.0"
	fetched
	results "$BUILD/compat/libhugetlbfs.so.0" said
	not_passed said >failed || true
	[ ! -s failed ] || fail "$(tr '\n' ';' <failed)"
	[ "$(grep -c 'PASS' said)" -ge 103 ] || fail "only $(grep -c PASS said) passed"
}

# The names of the tests that look at the kernel alone.
kernel_tests='^(zero_filesize_segment|readback|truncate.*|shared|mprotect|mlock|misalign|fallocate_.*|ptrace-write-hugepage|icache-hygiene|slbpacaflush|straddle_.*|huge_.*|map_high_truncate_2|misaligned_offset|task-size-overrun|stack_grow_into_huge|corrupt-by-cow-opt|noresv-.*|readahead_.*|madvise_.*|fadvise_.*|mremap-.*|shm-.*|private|fork-cow|direct|chunk-overcommit|alloc-instantiate-race .*|quota.sh|counters.sh)$'

# These ask for more than there is, or count reservations that proof turns into pages.
unproven='^(map_high_truncate_2|noresv-preserve-resv-page|quota.sh|counters.sh)$'

test_kernel_tests_pass_under_the_preload() {
	requires_file "$BUILD/libhresv.so"
	fetched
	SUITE_PRELOAD=$BUILD/libhresv.so results - said
	not_passed said | grep -E "$kernel_tests" | grep -vE "$unproven" >failed || true
	[ ! -s failed ] || fail "$(tr '\n' ';' <failed)"
}

test_kernel_tests_all_pass_where_huge_requests_are_left_to_the_kernel() {
	requires_file "$BUILD/libhresv.so"
	fetched
	HUGETLB_EXPLICIT=kernel SUITE_PRELOAD=$BUILD/libhresv.so results - said
	not_passed said | grep -E "$kernel_tests" >failed || true
	[ ! -s failed ] || fail "$(tr '\n' ';' <failed)"
}

run_tests "$@"
