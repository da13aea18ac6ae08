#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 3700
#
# aarch64, built by the cross compiler, on Debian's arm64 kernels in emulated machines: base pages of
# 4 KiB and of 16 KiB. On request alone, by HRESV_MACHINES=all (make check-aarch64): it takes minutes.
. "$(dirname "$0")/../harness/functions.sh"

TEST_TIMEOUT=1800

# tests_of DIRECTORY...
tests_of() {
	local directory
	for directory; do
		(cd "$work/aarch64/build" && ls "tests/$directory"/test-*)
	done
}

build_it() {
	local status=0
	work=$BUILD/machines
	[ "${HRESV_MACHINES:-}" = all ] || skip "HRESV_MACHINES=all (make check-aarch64)"
	requires qemu-system-aarch64 aarch64-linux-gnu-gcc cpio apt-get dpkg-deb
	"$SOURCE/tests/machines/cross" "$SOURCE" "$work" >"$tmp/built" 2>&1 || status=$?
	[ "$status" != 77 ] || skip "packages for arm64"
	[ "$status" = 0 ] || fail "$(grep -m3 -E 'error|Error' "$tmp/built")"
}

# in_machine KERNEL OPTION... -- TEST...
in_machine() {
	local status=0
	HRESV_MACHINE_LIBRARIES=$work/aarch64/libraries nice "$SOURCE/tests/machines/boot" \
		"$work/aarch64/build" "$1" "$work" "${@:2}" >"$tmp/said" 2>&1 || status=$?
	[ "$status" != 77 ] || skip "the package of Linux $1"
	cat "$tmp/said"
	note "$(sed -n 's/^.*=== \(Linux .*\)/\1/p' "$tmp/said"): $(grep -c '^ok' "$tmp/said") passed," \
		"$(grep -c '^not ok' "$tmp/said") failed, $(grep -c '^skip' "$tmp/said") skipped"
	[ "$status" = 0 ] || fail "Linux $1: $(grep -m3 -E '^not ok|^=== [1-9]|cannot' "$tmp/said")"
}

test_unit_tests_hold_on_pages_of_16_kib() {
	build_it
	# shellcheck disable=SC2046
	in_machine arm64-16k:6.12 guest_limit=200 -- $(tests_of unit)
}

test_programs_hold_on_pages_of_4_kib() {
	build_it
	# shellcheck disable=SC2046
	in_machine arm64:6.12 guest_limit=400 -- $(tests_of unit kernel) tests/machines/guest-nodes \
		tests/preload/test-mmap tests/fork/test-fork tests/semantics/test-one-mapping
}

run_tests "$@"
