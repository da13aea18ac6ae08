#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 14400
#
# A server's days under libhresv while the pool moves: threads, heaps, mappings, snapshots by
# fork; memory, mappings and descriptors stay what they are (endure.py). HRESV_ENDURE_SECONDS
# makes it long (make torture), HRESV_ENDURE_ENV sets variables.
. "$(dirname "$0")/../harness/functions.sh"

SECONDS_OF_IT=${HRESV_ENDURE_SECONDS:-15}
TEST_TIMEOUT=$((SECONDS_OF_IT + 300))

test_a_server_holds_after_many_days_what_it_held_after_few() {
	requires python3
	requires_root
	requires_file "$BUILD/libhresv.so" "$BUILD/tests/torture/prog-endure"
	pool_set 60
	python3 -B "$SOURCE/tests/torture/endure.py" --build "$BUILD" --seconds "$SECONDS_OF_IT" \
		${HRESV_ENDURE_ENV:+--env "$HRESV_ENDURE_ENV"} >"$tmp/said" 2>&1 ||
		fail "$(tail -c 2000 "$tmp/said")"
	cat "$tmp/said"
	pool_expect_unchanged
}

run_tests "$@"
