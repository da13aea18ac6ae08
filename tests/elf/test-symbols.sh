#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Code that lies on huge pages has its names still: for gdb and core dumps by itself, for
# perf by a map that is written when asked for.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

exec_with_us() { exec env LD_PRELOAD="$BUILD/libhresv.so" HUGETLB_MMAP=no HUGETLB_MORECORE=no "$@"; }

# hold ENV...: ./prog waits, and its number is in the file pid
hold() {
	exec_with_us HUGETLB_ELFMAP=RW "$@" ./prog hold >held &
	echo $! >pid
	cleanup_fn rm -f "/tmp/perf-$!.map"
	wait_until 10 grep -q holding held
	[ "$(huge_kb "$(cat pid)")" -gt 8000 ] || fail "nothing is huge"
}

a_prog() {
	requires_2_mib
	build prog $BOTH
	pool_set 30
}

test_gdb_names_code_data_and_frames() {
	requires gdb
	a_prog
	hold
	timeout 60 gdb -q -batch -nx -p "$(cat pid)" -ex bt -ex 'info symbol one' -ex 'print small_data' \
		-ex 'print $_siginfo' ./prog >said 2>&1 || true
	! grep -q 'ptrace: Operation not permitted' said || skip "the right to trace"
	expect_contains said "hold ()"
	expect_contains said "main (argc="
	expect_contains said "one in section .text"
	expect_contains said '$1 = 4'
	kill "$(cat pid)"
}

test_gdb_stops_at_a_breakpoint_in_huge_text() {
	requires gdb
	a_prog
	cat >commands <<-END
		set environment LD_PRELOAD $BUILD/libhresv.so
		set environment HUGETLB_ELFMAP RW
		set environment HUGETLB_MMAP no
		set environment HUGETLB_MORECORE no
		break functions
		run
		bt
		info proc mappings
		delete
		continue
	END
	timeout 60 gdb -q -batch -nx -iex 'set startup-with-shell off' -x commands ./prog >said 2>&1 || true
	! grep -q 'ptrace' said || skip "the right to trace"
	expect_contains said "functions () at"
	expect_contains said "exited normally"
}

test_core_dump_names_the_code() {
	requires gdb
	a_prog
	hold
	timeout 60 gdb -q -batch -nx -p "$(cat pid)" -ex 'gcore dumped' ./prog >said 2>&1 || true
	[ -e dumped ] || skip "gcore: $(tail -n 1 said)"
	kill "$(cat pid)"
	gdb -q -batch -nx ./prog dumped -ex bt -ex 'print numbers[2]' >said 2>&1
	expect_contains said "hold ()"
	expect_contains said '$1 = 4'
}

# The kernel's own: the default filter keeps private huge pages (bit 5).
test_core_dump_of_the_kernel_has_text_and_data() {
	requires gdb
	a_prog
	[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip "core_pattern core"
	ulimit -c unlimited || skip "core dumps"
	hold
	kill -SEGV "$(cat pid)"
	wait "$(cat pid)" || true
	ls core* >/dev/null 2>&1 || skip "a core dump"
	gdb -q -batch -nx ./prog core* -ex bt -ex 'print numbers[2]' -ex 'x/i one' >said 2>&1
	expect_contains said "hold ()"
	expect_contains said '$1 = 4'
}

test_perf_map_names_functions_where_they_are() {
	local map at
	a_prog
	hold HUGETLB_PERF_MAP=yes HUGETLB_ELFLIBS=libkinds.so
	map=/tmp/perf-$(cat pid).map
	[ -e "$map" ] || fail "no $map"
	expect_eq "$(stat -c '%a %u' "$map")" "600 $(id -u)"
	for name in main one functions library_sum; do
		grep -qE "^[0-9a-f]+ [0-9a-f]+ $name\$" "$map" || fail "$name is not in the map"
	done
	at=$(awk '$3 == "main" { print $1 }' "$map")
	awk -v at="$at" '{ split($1, r, "-") } r[1] <= at && at < r[2] && length(at) == length(r[1]) && /r-xp/' \
		"/proc/$(cat pid)/maps" >where
	expect_contains where anon_hugepage
	kill "$(cat pid)"
}

test_perf_map_is_never_written_through_a_link() {
	a_prog
	echo mine >mine
	exec_with_us HUGETLB_ELFMAP=RW HUGETLB_PERF_MAP=yes sh -c 'ln -s "$PWD/mine" /tmp/perf-$$.map; echo $$ >pid; exec ./prog' >got 2>err &
	wait $!
	rm -f "/tmp/perf-$(cat pid).map"
	expect_eq "$(cat mine)" mine
	expect_contains err "cannot make /tmp/perf-$(cat pid).map"
	./prog | diff - got
	exec_with_us HUGETLB_ELFMAP=RW HUGETLB_PERF_MAP=yes sh -c 'echo old >/tmp/perf-$$.map; echo $$ >pid; exec ./prog' >got 2>err &
	wait $!
	grep -q ' main$' "/tmp/perf-$(cat pid).map" || fail "an old one of ours stays: $(cat err)"
	rm -f "/tmp/perf-$(cat pid).map"
	with_us HUGETLB_ELFMAP=RW ./prog >/dev/null
	! compgen -G "/tmp/perf-$!.map" >/dev/null || fail "made unasked"
}

# A perf that comes later sees no file; one that was there from the start remembers it.
test_perf_report_has_the_names() {
	local asked how
	requires perf
	a_prog
	cat >loop.c <<-'END'
		#include <stdio.h>
		__attribute__((noinline)) static unsigned spins(unsigned n) { unsigned x = 1; while (n--) x = x * 3 + (n ^ x >> 3); return x; }
		int main(void) { unsigned x = 0; puts("holding"); fflush(stdout); for (int i = 0; i < 1000; i++) x += spins(100000000 + i); printf("%u\n", x); return 0; }
	END
	"$GCC" -O1 -g -o loop loop.c $BOTH
	for asked in yes no; do
		exec_with_us HUGETLB_ELFMAP=R HUGETLB_PERF_MAP=$asked ./loop >held &
		echo $! >pid
		cleanup_fn rm -f "/tmp/perf-$!.map"
		wait_until 10 grep -q holding held
		timeout 60 perf record -q -e cpu-clock -F 500 -p "$(cat pid)" -o "data.$asked" sleep 0.3 >out 2>&1 ||
			skip "perf record: $(tail -n 1 out)"
		kill "$(cat pid)"
		perf report -i "data.$asked" --stdio -f >"report.$asked" 2>/dev/null || skip "perf report"
	done
	expect_contains report.yes spins
	! grep -q spins report.no || fail "the map is needless"
}

run_tests "$@"
