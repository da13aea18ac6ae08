#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 7200
#
# Programs and servers compute what they always do while everything moves (squeeze.py), for
# two minutes.
# HRESV_SQUEEZE_SECONDS makes it long (make torture), HRESV_SQUEEZE_SEED another run.
. "$(dirname "$0")/../harness/functions.sh"

SECONDS_OF_IT=${HRESV_SQUEEZE_SECONDS:-120}
TEST_TIMEOUT=$((SECONDS_OF_IT + 400))

test_programs_are_right_and_pages_come_back_whatever_moves() {
	requires python3 flock
	requires_root
	requires_file "$BUILD/libhresv.so" "$BUILD/tests/torture/prog-maps"
	pool_lock
	python3 -B "$SOURCE/tests/torture/squeeze.py" --build "$BUILD" --seconds "$SECONDS_OF_IT" \
		--seed "${HRESV_SQUEEZE_SEED:-1}" >"$tmp/said" 2>&1 ||
		fail "$(tail -c 3000 "$tmp/said")"
	cat "$tmp/said"
}

run_tests "$@"
