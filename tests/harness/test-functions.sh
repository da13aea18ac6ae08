#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# functions.sh notices what it promises to notice. The inner scripts fail; what is
# tested is that they are seen to.
. "$(dirname "$0")/functions.sh"

# inner_script BODY: a test script of one function, run; output in $tmp/said
inner_script() {
	{
		echo ". $HERE/functions.sh"
		echo "test_inner() {"
		echo "$1"
		echo "}"
		echo 'run_tests "$@"'
	} >inner.sh
	bash inner.sh >said 2>&1
}

test_runner_passes_a_test_that_succeeds() {
	expect_exit 0 inner_script true
	expect_contains said "ok test_inner"
}

test_runner_notices_a_command_that_fails() {
	expect_exit 1 inner_script 'false; true'
	expect_contains said "not ok test_inner: line"
}

test_runner_notices_an_unset_variable() {
	expect_exit 1 inner_script 'echo $nowhere; true'
	expect_contains said "not ok test_inner"
}

test_runner_notices_a_test_that_hangs() {
	TEST_TIMEOUT=1 expect_exit 1 inner_script 'sleep 30'
	expect_contains said "timed out after 1 s"
}

test_runner_names_what_a_skipped_test_needs() {
	expect_exit 77 inner_script 'requires no-such-program'
	expect_contains said "skip test_inner: no-such-program"
}

test_expect_exit_reports_both_statuses() {
	expect_exit 1 inner_script 'expect_exit 3 bash -c "exit 4"'
	expect_contains said "expected status 3, got 4"
}

test_cleanup_runs_last_first_when_the_test_was_killed() {
	expect_exit 1 inner_script "cleanup_fn eval 'echo one >>$tmp/order'
		cleanup_fn eval 'echo two >>$tmp/order'
		kill -KILL \$BASHPID"
	expect_eq "$(tr '\n' ' ' <order)" "two one "
}

test_cleanup_runs_when_the_script_is_told_to_stop() {
	inner_script "cleanup_fn touch $tmp/cleaned; touch $tmp/begun; sleep 30" &
	local pid
	wait_until 5 test -e begun
	pid=$(pgrep -o -f "bash inner.sh" --pgroup 0) || fail "no inner script"
	kill -TERM "$pid"
	wait_until 5 test -e cleaned
}

test_pool_set_is_read_back_and_undone_by_a_killed_test() {
	local before
	requires_root
	pool_lock
	before=$(pool_get total)
	expect_exit 1 inner_script 'pool_set 3; expect_eq "$(pool_get total)" 3
		echo reached; kill -KILL $BASHPID'
	expect_contains said reached
	expect_eq "$(pool_get total)" "$before"
}

test_cgroup_limits_what_a_program_may_touch() {
	requires python3
	pool_set 2
	cgroup_make pod/container
	cgroup_limit fault 0
	cat >touch.py <<-END
		import mmap
		m = mmap.mmap(-1, 1 << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
		m[0] = 1
	END
	expect_exit 135 cgroup_exec python3 touch.py
	cgroup_limit fault max
	expect_exit 0 cgroup_exec python3 touch.py
	pool_expect_unchanged
}

test_mount_has_the_quota_it_was_given() {
	pool_set 2
	mount_hugetlbfs "$tmp/huge" size=2M
	expect_eq "$(stat -f -c %b "$tmp/huge")" 1
}

run_tests "$@"
