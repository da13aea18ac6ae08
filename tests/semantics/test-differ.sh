#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
#
# Random memory calls give the same results, errors, content and faults under us, on
# huge pages, as on small ones: with a pool that suffices, one that doesn't, limits
# that change meanwhile, several threads in one huge page, and without userfaultfd.
#
# HRESV_DIFFER_SECONDS=N gives each case N seconds instead of 7; HRESV_DIFFER_FIRST=N
# starts at another seed. A difference is printed as the few calls that show it.
TEST_TIMEOUT=$((${HRESV_DIFFER_SECONDS:-7} * 2 + 300))
. "$(dirname "$0")/../harness/functions.sh"

# differ ARGUMENT...: expects no difference
differ() {
	local prog=$BUILD/tests/semantics/prog-differ
	requires python3
	requires_file "$prog" "$BUILD/libhresv.so"
	"$SOURCE/tests/semantics/differ.py" --prog "$prog" --preload "$BUILD/libhresv.so" \
		--seconds "${HRESV_DIFFER_SECONDS:-7}" --first "${HRESV_DIFFER_FIRST:-1}" \
		"$@" >said 2>&1 || fail "$(cat said)"
	cat said
}

# The judge must agree with itself, or what it says of us is worth nothing.
test_calls_on_small_pages_are_the_same_twice() {
	local prog=$BUILD/tests/semantics/prog-differ
	requires python3
	"$SOURCE/tests/semantics/differ.py" --prog "$prog" --preload "" --seeds 60 >said 2>&1 ||
		fail "$(cat said)"
	"$SOURCE/tests/semantics/differ.py" --prog "$prog" --preload "" --threads 4 --seeds 10 \
		>said 2>&1 || fail "$(cat said)"
}

test_calls_on_huge_pages_are_as_on_small_ones() {
	pool_set 24
	differ
}

test_calls_with_a_pool_too_small_are_as_on_small_pages() {
	pool_set 5
	differ
}

test_calls_without_fallback_to_thp_are_as_on_small_pages() {
	pool_set 9
	differ --env HUGETLB_FALLBACK=small
}

test_calls_of_threads_within_one_huge_page_are_as_on_small_pages() {
	pool_set 24
	differ --threads 4 --batch 10
}

test_calls_of_threads_with_a_pool_too_small_are_as_on_small_pages() {
	pool_set 7
	differ --threads 3 --batch 10
}

# Until told to stop, the limit of group pod goes up and down.
change_limit() {
	while :; do
		for pages in 0 3 20 1 9; do
			cgroup_limit fault $((pages * $(default_page_bytes))) 2>/dev/null || true
			sleep 0.01
		done
	done
}

test_calls_while_a_fault_limit_changes_are_as_on_small_pages() {
	pool_set 24
	cgroup_make pod
	change_limit &
	differ --with "bash -c 'echo \$\$ >$cgroup/cgroup.procs; exec \"\$@\"' --"
	differ --threads 2 --batch 10 --with "bash -c 'echo \$\$ >$cgroup/cgroup.procs; exec \"\$@\"' --"
}

test_calls_without_userfaultfd_are_as_on_small_pages() {
	pool_set 24
	requires_file "$BUILD/tests/semantics/prog-without-uffd"
	"$BUILD/tests/semantics/prog-without-uffd" true || skip "the right to a seccomp filter"
	differ --with "$BUILD/tests/semantics/prog-without-uffd"
}

# without_uffd [--but-for-threads]: threads, on what is left then. What the kernel itself
# writes while a page is split is tried again, and that is all that may differ.
without_uffd() {
	local launcher="$BUILD/tests/semantics/prog-without-uffd $*"
	requires_file "$BUILD/tests/semantics/prog-without-uffd"
	$launcher true || skip "the right to a seccomp filter"
	pool_set 24
	differ --threads 4 --batch 10 --again --with "$launcher"
}

test_calls_of_threads_without_userfaultfd_are_as_on_small_pages() {
	without_uffd
}

test_calls_of_threads_with_userfaultfd_for_threads_alone_are_as_on_small_pages() {
	without_uffd --but-for-threads
}

test_calls_among_forks_are_as_on_small_pages() {
	pool_set 40
	differ --forks
}

test_calls_among_forks_with_a_pool_too_small_are_as_on_small_pages() {
	pool_set 13
	differ --forks
}

test_calls_of_threads_that_fork_are_as_on_small_pages() {
	pool_set 16
	differ --forks --threads 3 --batch 10
}

run_tests "$@"
