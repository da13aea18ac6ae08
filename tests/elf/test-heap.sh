#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# A last segment whose huge page the heap (brk) shares: huge together, the heap goes on
# behind the page and works as ever; or all is as it was.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

W="HUGETLB_ELFMAP=W"

# Where addresses aren't randomized, the heap begins right behind the last segment.
link_heap() {
	requires_2_mib
	requires "$GCC" setarch
	"$GCC" -O1 -fno-pie -no-pie -o prog "$KINDS/heap.c" -Wl,--section-start=.ours=0x10000000 "$@" 2>said ||
		fail "$(head -c 300 said)"
	setarch -R true || skip "addresses that aren't randomized"
	setarch -R ./prog >expected || fail "by itself: $?"
	setarch -R ./prog where >plain
	case $(cat plain) in *"break 0x10"[0-9]*) ;; *) skip "a heap behind bss: $(cat plain)" ;; esac
}

same_as_plain() {
	with_us "$@" setarch -R ./prog >got 2>err || fail "$*: ended with $?: $(tail -n 3 err)"
	diff expected got || fail "$*: it says something else"
}

test_heap_that_shares_the_page_is_huge_with_it_and_works_on() {
	local early fork
	for early in 20000 0 300000; do
		link_heap -DEARLY_BYTES=$early
		for fork in auto share copy; do
			pool_set 4
			same_as_plain $W HUGETLB_FORK=$fork
			pool_expect_unchanged
		done
		with_us $W setarch -R ./prog where >where
		expect_contains where "ours huge"
		[ $early = 0 ] || expect_contains where "heap huge"
		expect_contains where "break 0x102"
		pool_set 1
		same_as_plain $W	# a child finds no page
	done
}

test_without_a_page_the_break_is_where_it_was() {
	local early
	for early in 20000 0; do
		link_heap -DEARLY_BYTES=$early
		pool_set 0
		same_as_plain $W
		with_us $W setarch -R ./prog where | diff plain - || fail "the break has moved"
		pool_set 4
		same_as_plain $W HUGETLB_LIMIT=0
		with_us HUGETLB_ELFMAP=no setarch -R ./prog where | diff plain - || fail "moved unasked"
	done
}

# A heap that is larger than the page from the beginning on.
test_heap_that_is_past_the_page_stays_where_it_is() {
	link_heap -DEARLY_BYTES=3000000
	pool_set 4
	same_as_plain $W
	with_us $W setarch -R ./prog where >where
	sed 's/.*break/break/' plain >break
	expect_contains where "$(cat break)"
	expect_contains where "ours huge, heap huge"
}

# Marked, without an environment; and all of it executable, as scripts of 2005 had it.
test_marked_segment_on_a_line_is_huge_without_being_asked_for() {
	requires_file "$BUILD/hresv"
	link_heap
	"$BUILD/hresv" elf --mark data prog >said 2>&1 || fail "$(cat said)"
	pool_set 4
	same_as_plain
	with_us setarch -R ./prog where >where
	expect_contains where "ours huge, heap huge"
	link_heap -Wl,-z,execstack
	same_as_plain $W
}

# Where the linker did not put it on a line nothing changes.
test_segment_off_the_line_stays_small() {
	link_heap -Wl,--section-start=.ours=0x10001000
	pool_set 4
	same_as_plain $W
	with_us $W setarch -R ./prog where | diff plain - || fail "the break has moved"
}

run_tests "$@"
