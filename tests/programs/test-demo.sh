#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The demo shows the failure, then the life, and leaves nothing behind, however it ends
# and whatever it may not do.
. "$(dirname "$0")/../harness/functions.sh"

demo() { HRESV_BUILD=$BUILD "$SOURCE/examples/demo.sh" "$@" >said 2>&1; }

needs() {
	requires_file /usr/lib/postgresql/*/bin/initdb
	requires_root
	id postgres >/dev/null 2>&1 || skip "a user postgres"
	pool_lock
	before=$(pool_get total)
	cleanup_fn restore "$before" "$(pool_file "$(default_page_bytes)" nr_hugepages)"
}

nothing_is_left() {
	expect_eq "$(pool_get total)" "$before" "the pool"
	pool_expect_unchanged
	expect_eq "$(echo /tmp/hresv-demo.*)" "/tmp/hresv-demo.*" "its directory"
	find_cgroup
	expect_eq "$(echo "$cgroup_mount"/hresv-demo-*)" "$cgroup_mount/hresv-demo-*" "its group"
}

reads_well() {
	if LC_ALL=C grep -nP '[^\x20-\x7e]' said >odd; then
		fail "not plain ASCII: $(cat odd)"
	fi
	awk 'length > 80 && !/LD_PRELOAD=\//' said >odd
	[ ! -s odd ] || fail "wider than 80 columns: $(cat odd)"
}

test_demo_shows_the_death_and_the_life() {
	find_cgroup
	needs
	expect_exit 0 demo
	expect_contains said "Bus error"
	expect_contains said "exited with exit code 135"
	expect_contains said "cgroup-fault"
	expect_eq "$(grep -c 'server stopped with status 0' said)" 3
	expect_eq "$(grep -Ec '^ *own huge +1 +144 MiB +144 MiB +-$' said)" 1 "all huge in the end"
	reads_well
	nothing_is_left
}

test_demo_without_privilege_says_what_it_would_have_needed() {
	needs
	as_user nobody test -x "$SOURCE/examples/demo.sh" -a -r "$BUILD/libhresv.so" ||
		skip "a source tree that others may read"
	expect_exit 0 as_user nobody env HRESV_BUILD="$BUILD" "$SOURCE/examples/demo.sh" >said 2>&1
	expect_contains said "server stopped with status 0"
	expect_contains said "this would be needed:"
	expect_contains said "As root:"
	reads_well
	nothing_is_left
}

test_demo_that_is_stopped_puts_everything_back() {
	local pid
	find_cgroup
	needs
	demo &
	pid=$!
	wait_until 30 grep -q 'postgres -D' said
	kill -TERM "$(pgrep -P "$pid" -f demo.sh || echo "$pid")"
	wait "$pid" || true
	nothing_is_left
}

run_tests "$@"
