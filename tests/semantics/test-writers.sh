#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# Nobody who writes into a huge page notices that it is split, or made whole again:
# no write lost or torn, no EFAULT, no short count, no signal.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/semantics/prog-writers

# writers SPLITS [WRITER...]
writers() {
	requires_file "$prog" "$BUILD/libhresv.so"
	HUGETLB_VERBOSE=2 preload "$prog" "$@" >said 2>err || fail "$(cat said err)"
	cat said err
}

# count WORD: the pages that were WORD (demoted, promoted), from the table at the end
count() { sed -n "s/.*\b$1 \([0-9]*\) page.*/\1/p" err | tail -n 1; }

expect_at_least() { [ "${2:-0}" -ge "$1" ] || fail "expected $1 pages $3, got ${2:-none}"; }

test_stores_survive_thousands_of_demotions() {
	pool_set 12
	writers 4000 store
	expect_at_least 2000 "$(count demoted)" demoted
}

test_reads_into_a_page_survive_thousands_of_demotions() {
	pool_set 12
	writers 2000 pipe file
	expect_at_least 1000 "$(count demoted)" demoted
}

test_io_uring_survives_demotions() {
	pool_set 12
	writers 2000 ring
	expect_at_least 1000 "$(count demoted)" demoted
}

test_process_vm_writev_survives_demotions() {
	pool_set 12
	writers 2000 vm
	expect_at_least 1000 "$(count demoted)" demoted
}

# The device writes past any protection: a page may only be split between two reads.
# Not in $tmp, which may be a tmpfs.
test_direct_reads_survive_thousands_of_demotions() {
	local dir
	dir=$(mktemp -d "$BUILD/direct.XXXXXX")
	cleanup_fn rm -rf "$dir"
	dd if=/dev/zero of="$dir/probe" bs=4096 count=1 oflag=direct 2>probed ||
		skip "a file system with O_DIRECT under the build directory"
	pool_set 12
	cd "$dir"
	requires_file "$prog" "$BUILD/libhresv.so"
	HUGETLB_VERBOSE=2 preload "$prog" 2000 direct >said 2>err || fail "$(cat said err)"
	expect_at_least 1000 "$(count demoted)" demoted
}

# remote SPLITS WAY: much is written at once, pinned long before it is stored
remote() {
	requires_file "$BUILD/tests/semantics/prog-remote" "$BUILD/libhresv.so"
	pool_set 8
	HUGETLB_VERBOSE=2 preload "$BUILD/tests/semantics/prog-remote" "$@" >said 2>err ||
		fail "$(cat said err)"
	cat said err
	expect_at_least $(($1 * 9 / 10)) "$(count demoted)" demoted
}

test_large_process_vm_writev_survives_demotions() {
	remote 200 call
}

test_process_vm_writev_by_syscall_and_to_a_thread_survives_demotions() {
	remote 200 syscall
	remote 200 thread
}

test_writes_through_proc_self_mem_survive_demotions() {
	remote 200 mem
}

test_all_writers_at_once_survive_demotions() {
	pool_set 12
	writers 1000 store pipe file ring vm
	expect_at_least 500 "$(count demoted)" demoted
}

# The pool comes and goes, so that memory starts small and becomes huge under them.
change_pool() {
	local file
	file=$(pool_file "$(default_page_bytes)" nr_hugepages)
	while :; do
		echo 0 >"$file"
		sleep 0.03
		echo 16 >"$file"
		sleep 0.3
	done
}

test_writers_survive_promotion_and_demotion_in_turn() {
	pool_set 16
	change_pool &
	writers 2000 store pipe ring
	expect_at_least 100 "$(count demoted)" demoted
}

# The pool is empty when the memory is made, and is filled then.
test_small_memory_becomes_huge_under_writers() {
	requires_file "$BUILD/tests/semantics/prog-promote"
	pool_set 0
	mkfifo go said
	preload "$BUILD/tests/semantics/prog-promote" <go >said &
	local program=$! word
	exec 4>go 5<said
	read -r word <&5
	expect_eq small "$word"
	pool_set 16
	echo now >&4
	wait "$program" || fail "status $?: 1 lost a write, 2 was never promoted"
}

# Without userfaultfd writers are held by the page's protection, and only for as long.
test_calls_beside_a_page_being_split_without_userfaultfd_know_its_true_protection() {
	local launcher=$BUILD/tests/semantics/prog-without-uffd
	requires_file "$BUILD/tests/semantics/prog-held" "$launcher" "$BUILD/libhresv.so"
	"$launcher" true || skip "the right to a seccomp filter"
	pool_set 8
	HUGETLB_VERBOSE=2 "$launcher" env LD_PRELOAD="$BUILD/libhresv.so" \
		"$BUILD/tests/semantics/prog-held" 1500 >said 2>err || fail "$(cat said err)"
	expect_at_least 1000 "$(count demoted)" demoted
}

run_tests "$@"
