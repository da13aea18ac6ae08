#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Calls that go through syscall(2) meet us as those by name do, and all others are
# what they always were.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-syscall

test_syscall_passes_what_is_not_ours_without_us() { expect_exit 0 "$prog" passed; }
test_syscall_passes_what_is_not_ours() { expect_exit 0 preload "$prog" passed; }

test_syscall_passes_what_is_not_ours_with_pages() {
	pool_set 8
	expect_exit 0 preload "$prog" passed
	pool_expect_unchanged
}

test_huge_mapping_by_number_dies_of_a_fault_limit_without_us() {
	pool_set 2
	cgroup_make pod
	cgroup_limit fault 0
	expect_exit 135 cgroup_exec "$prog" huge
}

test_huge_mapping_by_number_is_refused_when_it_cannot_be_proven() {
	pool_set 2
	cgroup_make pod
	cgroup_limit fault 0
	expect_exit 3 preload cgroup_exec "$prog" huge
	cgroup_limit fault max
	expect_exit 0 preload cgroup_exec "$prog" huge
	pool_expect_unchanged
}

run_tests "$@"
