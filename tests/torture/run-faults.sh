#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 14400
#
# Whole programs, with a system call of the library's that fails: each place it calls from,
# each error that call may answer (faults.py). Part of make torture, not of make check.
# Briefly, from one seed and so the same each time; HRESV_FAULTS_SECONDS makes it long, and
# 0 runs all there are.
. "$(dirname "$0")/../harness/functions.sh"

SECONDS_OF_IT=${HRESV_FAULTS_SECONDS:-}
TEST_TIMEOUT=$((${SECONDS_OF_IT:-20} ? ${SECONDS_OF_IT:-20} + 300 : 14400))

# In the short run those that take a tenth of a second.
only=()
[ -n "$SECONDS_OF_IT" ] || only=(--only family,family-copy,maps,python-text,sqlite)

# runs SECONDS OPTION...
runs() {
	requires python3
	requires_root
	requires_file "$BUILD/tests/torture/libhresv-faults.so"
	pool_set 60
	python3 -B "$SOURCE/tests/torture/faults.py" --build "$BUILD" --seed "${HRESV_FAULTS_SEED:-1}" \
		--seconds "${SECONDS_OF_IT:-$1}" "${only[@]}" "${@:2}" >"$tmp/said" 2>&1 ||
		fail "$(tail -c 3000 "$tmp/said")"
	cat "$tmp/said"
	pool_expect_unchanged
}

test_programs_are_right_whichever_call_of_ours_fails() { runs 9; }

test_programs_are_right_where_no_call_of_a_kind_works() { runs 3 --always; }

test_programs_run_within_the_limits_they_run_within_without_us() { runs 3 --limits; }

# Each way of huge memory, and none.
test_a_program_with_as_many_mappings_as_it_may_goes_on() {
	local full=$BUILD/tests/torture/prog-full setting
	local settings=(HUGETLB_ACTIVE=yes HUGETLB_FORK=copy HUGETLB_FORK=share HUGETLB_MALLOC_START=0)
	[ "$(cat /proc/sys/vm/max_map_count)" -le 80000 ] || skip "a vm.max_map_count of 80000 at most"
	expect_eq "$("$full")" right "without us"
	for setting in "${settings[@]}"; do
		pool_set 40
		expect_eq "$(env "$setting" LD_PRELOAD="$BUILD/libhresv.so" "$full")" right "$setting"
		pool_set 3
		expect_eq "$(env "$setting" LD_PRELOAD="$BUILD/libhresv.so" "$full")" right "$setting, a short pool"
	done
	pool_expect_unchanged
}

run_tests "$@"
