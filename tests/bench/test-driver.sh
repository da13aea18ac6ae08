#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The bench's driver, with workloads of no size: who runs in which order, what counts as
# a result, that what was borrowed is put back, and that report and plots are well formed.
. "$(dirname "$0")/../harness/functions.sh"

POOL=/proc/sys/vm/nr_hugepages

# bench [OPTION...]: two contenders and whatever workloads are in $tmp/workloads
bench() { HRESV_BUILD="$tmp/build" "$SOURCE/bench/run" --config "$tmp/contenders.conf" \
	--workloads "$tmp/workloads" --docs "$tmp/docs" "$@"; }

# field: a bench with one workload, which notes in $tmp/ran who ran it
field() {
	requires python3
	requires_file "$BUILD/bench/measure"
	mkdir -p build/bench workloads
	cp "$BUILD/bench/measure" "$BUILD/bench/warm" build/bench
	cat >contenders.conf <<-END
		# who
		glibc   malloc   -
		other   malloc   -   OTHER=yes
		gone    malloc   $tmp/libgone.so
	END
	cat >workloads/alloc-none.sh <<-END
		#!/bin/sh
		# alloc-none.sh - nothing
		# section: allocator
		# cases: 1 2
		# memory: 1
		echo "\$CONTENDER" >>$tmp/ran
		\$LAUNCH sh -c '[ -z "\$OTHER" ] || [ ! -e $tmp/lie ] || echo "result 2"'
		echo "metric speed_per_s \$1"
		echo "result 1"
	END
	chmod +x workloads/alloc-none.sh
	pool_lock
}

test_driver_moves_the_order_on_each_round() {
	field
	bench --cases 1 --rounds 3 >said
	expect_eq "$(paste -s -d ' ' ran)" "glibc other other glibc glibc other" "the order"
	expect_contains said "skipped: gone: no libgone.so"
}

test_driver_counts_no_run_with_another_result() {
	field
	sed -i 's/^echo "result 1"/[ -z "$LIES" ] || exit 0; echo "result 1"/; s/^\$LAUNCH.*/LIES=$($LAUNCH printenv OTHER); [ -z "$LIES" ] || echo "result 2"/' \
		workloads/alloc-none.sh
	bench --cases 1 --rounds 2 >said
	expect_contains said "failed: other: result 2, others had 1"
	expect_contains docs/BENCHMARKS.md "| other | failed |"
}

test_driver_counts_no_run_that_died() {
	field
	sed -i 's/^\$LAUNCH.*/[ $CONTENDER = glibc ] || kill -BUS $$/' workloads/alloc-none.sh
	bench --cases 1 --rounds 1 >said
	expect_contains said "failed: other: signal 7"
}

test_driver_goes_on_where_it_was_stopped() {
	field
	bench --cases 1 --rounds 1 >said
	bench --rounds 1 >said
	expect_eq "$(wc -l <ran)" 4 "runs of two cases"
	bench --rounds 1 --fresh >said
	expect_eq "$(wc -l <ran)" 8 "runs, then all again"
}

test_driver_has_some_rounds_of_everything_before_more_of_anything() {
	field
	sed -i 's/\$CONTENDER/$CONTENDER$1/' workloads/alloc-none.sh
	bench --contenders glibc --rounds 3 >said
	expect_eq "$(head -n 4 ran | paste -s -d ' ')" "glibc1 glibc1 glibc2 glibc2" "the order"
	# What takes least is first now.
	expect_eq "$(tail -n +5 ran | sort | paste -s -d ' ')" "glibc1 glibc2" "then"
}

test_driver_ends_in_its_budget_and_says_what_it_had_no_time_for() {
	field
	sed -i 's/^\$LAUNCH.*/sleep 1/' workloads/alloc-none.sh
	bench --cases 1 --contenders glibc --rounds 5 --budget 0.04 >said
	expect_contains said "no time for another round"
	expect_contains docs/BENCHMARKS.md "No time for all rounds: alloc-none 1 ("
	[ "$(wc -l <ran)" -lt 5 ] || fail "all five rounds"
	bench --cases 1 --contenders glibc --rounds 2 >said
	expect_contains docs/BENCHMARKS.md "in 2 sittings"
}

test_driver_starts_over_on_another_machine() {
	field
	bench --cases 1 --rounds 1 >said
	sed -i 's/"kernel": "[^"]*"/"kernel": "1.0"/' build/bench/results.jsonl
	bench --cases 1 --rounds 1 >said
	expect_contains said "another kernel than that of results.jsonl"
	expect_eq "$(wc -l <ran)" 4 "runs, then all again"
}

test_driver_report_has_every_goal_and_its_plots_are_well_formed() {
	field
	sed -i 's/^# section: allocator/# section: scale\n# show: speed_per_s\n# plot: speed_per_s what/' workloads/alloc-none.sh
	bench --rounds 1 >said
	expect_eq "$(grep -cE '^\| G[0-9]+ \|' docs/BENCHMARKS.md)" 16 "goals"
	expect_contains docs/BENCHMARKS.md "(benchmarks/alloc-none-speed_per_s.svg)"
	python3 - docs/benchmarks/*.svg <<-'END'
		import sys, xml.etree.ElementTree as tree
		assert len(sys.argv) > 1
		for name in sys.argv[1:]:
		    root = tree.parse(name).getroot()
		    assert root.tag.endswith("svg") and len(list(root.iter())) > 10, name
	END
}

test_driver_sets_the_pool_and_puts_it_back() {
	local was
	requires_root
	field
	was=$(cat $POOL)
	sed -i "s,^# memory,# pool: $((was + 3))\n# memory,; s,^\\\$LAUNCH.*,cat $POOL >>$tmp/pools," workloads/alloc-none.sh
	bench --cases 1 --rounds 1 >said
	expect_eq "$(sort -u pools)" $((was + 3)) "the pool of a run"
	expect_eq "$(cat $POOL)" "$was" "the pool after"
	expect_eq "$(grep -c "$tmp" /proc/mounts || :)" 0 "mounts"
}

# gone PID: if it is there still
gone() { kill -KILL "$1" 2>/dev/null || :; }

test_driver_that_is_terminated_puts_the_pool_back() {
	local was driver
	requires_root
	field
	was=$(cat $POOL)
	sed -i "s,^# memory,# pool: $((was + 3))\n# memory,; s,^\\\$LAUNCH.*,exec sleep 60," workloads/alloc-none.sh
	bench --cases 1 --rounds 1 >said 2>&1 &
	driver=$!
	cleanup_fn gone $driver
	wait_until 20 test -e ran
	python3 -c 'import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGTERM)' \
		"$(pgrep -P $driver -f bench/run || echo $driver)"
	wait $driver || true
	expect_eq "$(cat $POOL)" "$was" "the pool after"
}

# Whoever holds the lock has the pool; who waits has nothing to put back.
test_driver_that_is_terminated_while_it_waits_leaves_the_pool_alone() {
	local was driver
	requires_root
	field
	was=$(cat $POOL)
	pool_set $((was + 2))
	sed -i "s,^# memory,# pool: $((was + 3))\n# memory," workloads/alloc-none.sh
	exec 8>"$tmp/lock"
	flock 8
	env -u HRESV_POOL_LOCKED HRESV_POOL_LOCK="$tmp/lock" HRESV_BUILD="$tmp/build" "$SOURCE/bench/run" --config contenders.conf \
		--workloads workloads --docs docs --cases 1 --rounds 1 >said 2>&1 8>&- &
	driver=$!
	cleanup_fn gone $driver
	wait_until 20 grep -q 'alloc-none 1' said
	wait_until 20 grep -q -- "-> FLOCK .* $driver " /proc/locks
	kill -TERM $driver
	wait $driver || true
	expect_eq "$(cat $POOL)" $((was + 2)) "the pool after"
	expect_eq "$(wc -l 2>/dev/null <ran || echo 0)" 0 "runs"
}

run_tests "$@"
