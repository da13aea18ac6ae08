#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# What tools find without running a program, and what sanitizers find in the unit tests.
# The rest takes minutes: make analyze, make sanitize, make sanitize-thread.
TEST_TIMEOUT=300
. "$(dirname "$0")/../harness/functions.sh"

test_cppcheck_finds_nothing_new() {
	requires cppcheck
	"$SOURCE/scripts/analyze.sh" "$SOURCE" "$SOURCE/tests/lint/analyze.expected" cppcheck >"$tmp/said" ||
		fail "$(head -c 1000 "$tmp/said")"
}

test_unit_tests_are_clean_under_address_and_undefined_behaviour_sanitizers() {
	requires_file "$SOURCE/config.mk" "$BUILD/libharness.a"
	echo 'int main(void) { return 0; }' | gcc -fsanitize=address,undefined -x c -o "$tmp/any" - &&
		"$tmp/any" || skip "libasan and libubsan"
	make -s -C "$SOURCE" -j2 BUILD="$BUILD/sanitize" SANITIZE=address,undefined ONLY=unit sanitize-run \
		>"$tmp/said" 2>&1 || fail "$(grep -E -m5 'error|ERROR|not ok' "$tmp/said")"
	grep -E '^[1-9][0-9]* passed, 0 failed' "$tmp/said"
}

run_tests "$@"
