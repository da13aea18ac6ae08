#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 7200
#
# Programs and servers compute what they always do while everything moves (squeeze.py).
# HRESV_SQUEEZE_SECONDS makes it long (make torture), HRESV_SQUEEZE_SEED another run. The short
# one is without prog-maps, which finds something about once in a hundred runs (docs/TESTING.md).
. "$(dirname "$0")/../harness/functions.sh"

SECONDS_OF_IT=${HRESV_SQUEEZE_SECONDS:-40}
TEST_TIMEOUT=$((SECONDS_OF_IT + 400))

test_programs_are_right_and_pages_come_back_whatever_moves() {
	requires python3 flock
	requires_root
	requires_file "$BUILD/libhresv.so" "$BUILD/tests/torture/prog-maps"
	pool_lock
	local only=()
	[ -n "${HRESV_SQUEEZE_SECONDS:-}" ] ||
		only=(--only family,malloc,arenas,snapshot,sqlite,python,gcc,redis,postgres)
	python3 -B "$SOURCE/tests/torture/squeeze.py" --build "$BUILD" --seconds "$SECONDS_OF_IT" "${only[@]}" \
		--seed "${HRESV_SQUEEZE_SEED:-1}" >"$tmp/said" 2>&1 ||
		fail "$(tail -c 3000 "$tmp/said")"
	cat "$tmp/said"
}

run_tests "$@"
