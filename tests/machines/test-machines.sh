#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 1500
#
# Other kernels, two nodes, groups of version 1, huge pages counted as memory, books the
# kernel has spoilt: in machines emulated in software, each with a pool of its own. HRESV_MACHINES=all
# (make machines) runs all that is tested here in each of them, an hour, and on more kernels;
# else what the kernel decides alone.
. "$(dirname "$0")/../harness/functions.sh"

TEST_TIMEOUT=800
[ "${HRESV_MACHINES:-}" != all ] || TEST_TIMEOUT=3600

# Tests of a directory, as boot takes them.
all_of() {
	local directory
	for directory; do
		(cd "$BUILD" && ls "tests/$directory"/test-*)
	done
}

# The facts, and more where there is time.
usual() {
	all_of kernel
	[ "${HRESV_MACHINES:-}" != all ] || all_of unit faults preload fork api
}

summary() {
	note "$(printf '%s: %d passed, %d failed, %d skipped; %d mistakes of the kernel provoked' \
		"$(sed -n 's/^.*=== \(Linux .*\)/\1/p' "$tmp/said")" "$(grep -c '^ok' "$tmp/said")" \
		"$(grep -c '^not ok' "$tmp/said")" "$(grep -c '^skip' "$tmp/said")" \
		"$(grep -c '^# bug .*: provoked' "$tmp/said")")"
}

# in_machine KERNEL OPTION... -- TEST...
in_machine() {
	local status=0
	requires qemu-system-x86_64 cpio apt-get dpkg-deb
	requires_file "$BUILD/tests/machines/guest-nodes"
	nice "$SOURCE/tests/machines/boot" "$BUILD" "$1" "$BUILD/machines" "${@:2}" >"$tmp/said" 2>&1 ||
		status=$?
	[ "$status" != 77 ] || skip "the package of Linux $1"
	cat "$tmp/said"
	summary "$1"
	[ "$status" = 0 ] || fail "Linux $1: $(grep -m3 -E '^not ok|^=== [1-9]|cannot' "$tmp/said")"
}

nothing_skipped() {
	! grep -m1 '^skip' "$tmp/said" || [ "${HRESV_MACHINES:-}" = all ] ||
		fail "something is missing in the machine"
}

# What make check has no time for.
when_all_are_run() {
	[ "${HRESV_MACHINES:-}" = all ] || skip "HRESV_MACHINES=all (make machines)"
}

# No MADV_POPULATE_WRITE, no mremap of huge pages, no userfaultfd for them: the oldest way.
test_linux_5_10_holds() {
	when_all_are_run
	# shellcheck disable=SC2046
	in_machine 5.10 guest_limit=600 -- $(all_of kernel) tests/machines/guest-nodes tests/preload/test-mmap
}

test_linux_6_1_with_groups_of_version_1_holds() {
	# shellcheck disable=SC2046
	in_machine 6.1 guest_cgroup=1 guest_limit=200 -- $(usual) tests/machines/guest-nodes \
		tests/preload/test-limits tests/fork/test-policy
}

test_linux_6_12_holds() {
	# shellcheck disable=SC2046
	in_machine 6.12 guest_limit=200 -- $(usual) tests/machines/guest-nodes \
		tests/machines/guest-nodes-api \
		tests/machines/guest-crew tests/machines/guest-provoke tests/machines/guest-bugs
	nothing_skipped
}

# In make check the short part of it: that kernel's own mistakes.
test_newest_linux_holds() {
	# shellcheck disable=SC2046
	if [ "${HRESV_MACHINES:-}" = all ]; then
		in_machine newest guest_limit=200 -- $(usual) tests/machines/guest-nodes \
			tests/machines/guest-provoke tests/machines/guest-bugs
	else
		in_machine newest guest_limit=200 -- tests/machines/guest-provoke tests/machines/guest-bugs
	fi
	nothing_skipped
}

# Its kernel unmaps what a child has, and forgets the reservations of others; later ones of 6.12 do not.
test_linux_6_12_with_that_mistake_harms_us_not() {
	when_all_are_run
	in_machine 6.12.107 guest_limit=200 -- tests/machines/guest-provoke tests/machines/guest-bugs
	grep -q '^# bug A .*: provoked' "$tmp/said" || fail "the mistake is not there"
}

# A page of 1 GiB, had at boot above 4 GiB; what doesn't fit it lies on pages of 2 MiB.
test_linux_6_12_with_a_page_of_1_gib_uses_it_where_asked() {
	HRESV_MACHINE_MIB=4608 in_machine 6.12 guest_limit=200 hugepagesz=1G hugepages=1 -- \
		"tests/preload/test-one-gib mmap_of_1_gib_pages_off_their_line_has_the_usual_ones_before_and_behind" \
		"tests/preload/test-one-gib part_of_a_segment_of_1_gib_pages_can_be_unmapped"
	nothing_skipped
}

test_linux_6_12_that_counts_huge_pages_as_memory_holds() {
	in_machine 6.12 guest_accounting=1 guest_limit=200 -- tests/machines/guest-accounting
	nothing_skipped
}

run_tests "$@"
