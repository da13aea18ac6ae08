#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Text and data on huge pages when there are too few, when limits bind, when others run,
# and when the file is not what it was: the program runs as it would, and nothing leaks.
. "$(dirname "$0")/../harness/functions.sh"
. "$(dirname "$0")/kinds.sh"

RW="HUGETLB_ELFMAP=RW"

exec_with_us() { exec env LD_PRELOAD="$BUILD/libhresv.so" HUGETLB_MMAP=no HUGETLB_MORECORE=no "$@"; }

# hold ENV... PROGRAM: it waits, and its number is in the file pid
hold() {
	rm -f held
	exec_with_us "$@" hold >held &
	echo $! >pid
	wait_until 10 grep -q holding held
}

# pages_of NAME [MAP]: how many it takes when there are enough
pages_of() {
	hold HUGETLB_ELFMAP="${2:-RW}" ./"$1"
	echo $(($(huge_kb "$(cat pid)") / 2048))
	kill "$(cat pid)"
}

# Every pool from empty to twice the need.
test_any_number_of_pages_is_right() {
	local need k
	requires_2_mib
	build prog $BOTH
	pool_set 60
	need=$(pages_of prog)
	[ "$need" -ge 14 ] || fail "it takes $need pages only"
	for ((k = 0; k <= 2 * need; k++)); do
		pool_set "$k"
		same_with_us prog $RW HUGETLB_KEEP_FREE=$((k % 3 ? 0 : 1))
		[ ! -s prog.err ] || fail "$k pages: $(cat prog.err)"
		pool_expect_unchanged
	done
}

test_limits_bind_and_are_said() {
	local limit
	requires_2_mib
	build prog $BOTH
	pool_set 40
	cgroup_make pod
	for limit in 0 2097152 6291456 max; do
		cgroup_limit fault $limit
		[ -e prog.expected ] || ./prog >prog.expected
		cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" HUGETLB_MMAP=no $RW HUGETLB_VERBOSE=2 \
			HUGETLB_MORECORE=no ./prog >got 2>err || fail "limit $limit: $?"
		diff prog.expected got
		[ $limit = max ] || expect_contains err cgroup-fault
	done
	same_with_us prog $RW HUGETLB_LIMIT=4M HUGETLB_VERBOSE=2
	expect_contains prog.err budget
	pool_set 0
	same_with_us prog $RW HUGETLB_FALLBACK=small HUGETLB_VERBOSE=2
	expect_contains prog.err pool-short
}

test_a_thread_that_runs_already_loses_no_write() {
	local pages i
	requires_2_mib
	requires "$GCC"
	"$GCC" -O1 -fPIC -shared -o libfirst.so "$KINDS/kinds-first.c" -Wl,-z,initfirst -pthread
	"$GCC" -O1 -o prog "$KINDS/kinds-threaded.c" $BOTH -L. -lfirst -Wl,-rpath,"$PWD"
	for pages in 1 30; do
		pool_set $pages
		for i in 1 2 3 4 5; do
			with_us $RW ./prog >got 2>err || fail "$(cat got err)"
			expect_eq "$(cat got)" "even, seven 7"
		done
	done
	[ "$(sed -n 's/huge \([0-9]*\) kB/\1/p' err)" -ge 4096 ] || fail "$(cat err)"
}

test_text_without_pool_is_transparent_or_untouched() {
	requires_2_mib
	build prog $BOTH
	pool_set 0
	same_with_us prog $RW HUGETLB_VERBOSE=3
	grep -q never /sys/kernel/mm/transparent_hugepage/enabled || skip "transparent huge pages"
	! grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled || skip "transparent huge pages"
	expect_contains prog.err "text (thp)"
	hold $RW ./prog
	awk '/r-xp.* 0 *$/ { text = 1 } text && /^AnonHugePages/ { print $2; exit }' "/proc/$(cat pid)/smaps" >kb
	kill "$(cat pid)"
	[ "$(cat kb)" -ge 2048 ] || fail "text has $(cat kb) kB"
	same_with_us prog $RW HUGETLB_VERBOSE=3 HUGETLB_FALLBACK=small
	! grep -q thp prog.err || fail "$(cat prog.err)"
}

# A file system that collapses: the file's own pages, which keep their name.
test_text_on_tmpfs_is_collapsed_in_place() {
	requires_2_mib
	requires_root
	mkdir mnt
	mount -t tmpfs none mnt
	cleanup_fn unmount "$PWD/mnt"
	build prog $BOTH
	cp prog libkinds.so mnt
	pool_set 0
	with_us $RW HUGETLB_VERBOSE=3 mnt/prog >got 2>err
	./prog >expected
	diff expected got
	hold $RW mnt/prog
	awk '/mnt\/prog$/ { n++ } n && /^(FilePmdMapped|ShmemPmdMapped)/ { s += $2 } END { print s + 0 }' \
		"/proc/$(cat pid)/smaps" >kb
	kill "$(cat pid)"
	[ "$(cat kb)" -ge 2048 ] || skip "MADV_COLLAPSE on tmpfs"
}

# The file is read by nobody but the kernel: what runs is what was loaded.
test_two_programs_of_one_name_and_one_replaced_while_it_runs() {
	requires_2_mib
	requires "$GCC"
	pool_set 30
	mkdir a b
	for dir in a b; do
		printf '#include <stdio.h>\n#include <string.h>\nstatic const char who[3 << 20] = "%s";\n%s' $dir \
			'int main(int n, char **v) { if (n > 1) getchar(); puts(who + n - n); return strlen(who) - 1; }' |
			"$GCC" -x c -o $dir/prog - $BOTH
		with_us HUGETLB_ELFMAP=R HUGETLB_SHARE=1 $dir/prog >said
		expect_eq "$(cat said)" $dir
	done
	mkfifo go
	exec_with_us $RW a/prog wait <go >said &
	exec 5>go
	wait_until 10 grep -q anon_hugepage /proc/$!/maps
	cp b/prog a/new
	mv a/new a/prog
	echo >&5
	wait $!
	expect_eq "$(cat said)" a
}

test_a_setuid_program_reads_nothing() {
	requires_2_mib
	requires_root
	build prog $BOTH
	pool_set 30
	chmod u+s prog
	chown nobody prog
	chmod 755 "$PWD" && chmod u+s prog
	as_user games true || skip "the user games"
	as_user games env LD_LIBRARY_PATH="$PWD" LD_PRELOAD="$BUILD/libhresv.so" $RW ./prog where >where 2>/dev/null ||
		skip "running it as another user"
	! grep -q huge where || fail "$(cat where)"
}

test_a_read_only_or_noexec_hugetlbfs_is_no_harm() {
	local options
	requires_2_mib
	build prog $BOTH
	pool_set 40
	mount_hugetlbfs "$PWD/mnt"
	for options in ro noexec rw; do
		mount -o "remount,$options" mnt 2>/dev/null || skip "remounting hugetlbfs $options"
		same_with_us prog $RW HUGETLB_PATH="$PWD/mnt"
		[ ! -s prog.err ] || fail "$(cat prog.err)"
	done
	[ -z "$(ls mnt)" ] || fail "left: $(ls mnt)"
}

# Addresses that aren't randomized put the heap behind bss; the loader may be named.
test_other_ways_to_start_a_program_are_right() {
	local loader
	requires_2_mib
	requires setarch
	build prog $BOTH
	pool_set 40
	./prog >prog.expected
	for flag in -R -X -RX; do
		setarch $flag ./prog >/dev/null 2>&1 || continue
		with_us $RW setarch $flag ./prog >got 2>err || fail "setarch $flag: $(cat err)"
		diff prog.expected got
	done
	with_us $RW setarch -R ./prog where >where
	expect_contains where "data rw-p huge"
	expect_contains where "bss rw-p huge"
	loader=$(readelf -lW prog | sed -n 's/.*interpreter: \(.*\)]/\1/p')
	with_us $RW "$loader" ./prog >got 2>err || fail "$loader: $(cat err)"
	diff prog.expected got
	with_us $RW "$loader" ./prog where >where
	expect_contains where "text r-xp huge"
}

test_sizes_are_written_as_libhugetlbfs_writes_them() {
	local map
	requires_2_mib
	build prog $BOTH
	pool_set 40
	for map in R=2M:W=1G RW=2M R:W=2M rw=1G; do
		same_with_us prog HUGETLB_ELFMAP=$map HUGETLB_MINIMAL_COPY=no
		[ ! -s prog.err ] || fail "$map: $(cat prog.err)"
		with_us HUGETLB_ELFMAP=$map ./prog where >where
		case $map in
		RW=2M) expect_eq "$(grep -c huge where)" 7 ;;
		R=2M*) expect_contains where "text r-xp huge" ;;
		esac
	done
	same_with_us prog HUGETLB_ELFMAP=RX
	expect_contains prog.err 'HUGETLB_ELFMAP="RX"'
}

test_share_is_refused_with_the_reason() {
	requires_2_mib
	build prog $BOTH
	pool_set 30
	same_with_us prog $RW HUGETLB_SHARE=1
	expect_contains prog.err 'HUGETLB_SHARE has no effect: '
	[ "$(wc -l <prog.err)" = 1 ] || fail "$(cat prog.err)"
}

# fork: data is copied on write as any memory of ours, text needs no page of a child.
test_fork_with_no_page_to_spare_keeps_both_right() {
	local need way
	requires_2_mib
	build prog $BOTH
	pool_set 60
	need=$(pages_of prog)
	pool_set "$need"
	for way in auto share copy; do
		same_with_us prog $RW HUGETLB_FORK=$way
	done
	pool_set 60
	need=$(pages_of prog R)
	pool_set "$need"
	with_us HUGETLB_ELFMAP=R HUGETLB_FORK=refuse HUGETLB_MMAP=no ./prog >got || fail "text alone refuses a fork"
	diff prog.expected got
}

run_tests "$@"
