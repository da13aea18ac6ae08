#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Programs linked to libhugetlbfs.so.0 run on the drop-in, and the distribution's tools work with it.
. "$(dirname "$0")/../harness/functions.sh"

dropin=$BUILD/compat

# linked NAME: a program of the test's, linked to the distribution's library
linked() {
	requires_file /usr/include/hugetlbfs.h
	cat >"$1.c"
	cc -w -o "$1" "$1.c" -lhugetlbfs || fail "cannot link to libhugetlbfs"
	readelf -d "$1" | grep -q 'libhugetlbfs.so.0' || skip "a libhugetlbfs that is libhugetlbfs.so.0"
}

test_program_of_the_distributions_library_runs_on_the_drop_in() {
	requires_file "$dropin/libhugetlbfs.so.0"
	linked prog <<-'END'
		#include <stddef.h>
		#include <hugetlbfs.h>
		#include <stdio.h>
		#include <string.h>
		#include <sys/mman.h>
		int main(void)
		{
			long page = gethugepagesize(), sizes[8];
			char *all = get_huge_pages(3 * page, GHP_DEFAULT), *part;
			printf("size %ld sizes %d base %d\n", page, gethugepagesizes(sizes, 8) > 0,
			       getpagesizes(NULL, 0) > 1);
			if (!all)
				return 1;
			memset(all, 1, 3 * page);
			printf("too many %d\n", get_huge_pages(3 * page, GHP_DEFAULT) == NULL);
			part = get_hugepage_region(3 * page - 100, GHR_DEFAULT);
			memset(part, 1, 3 * page - 100);
			printf("strict %d\n", get_hugepage_region(3 * page, GHR_STRICT) == NULL);
			free_hugepage_region(part);
			/* Split, and freed as a whole all the same. */
			mprotect(all + page, page, PROT_READ);
			free_huge_pages(all);
			printf("gone %d\n", msync(all, 3 * page, MS_ASYNC) != 0);
			printf("nothing %d\n", get_huge_pages(page, 7) == NULL);
			return 0;
		}
	END
	pool_set 4
	LD_LIBRARY_PATH=$dropin ./prog >said || fail "$?"
	expect_eq "$(cat said)" "size $(default_page_bytes) sizes 1 base 1
too many 1
strict 1
gone 1
nothing 1"
	expect_eq "$(pool_get free)" 4
}

test_container_limit_is_a_refusal_and_no_bus_error() {
	requires_file "$dropin/libhugetlbfs.so.0"
	linked prog <<-'END'
		#include <stddef.h>
		#include <hugetlbfs.h>
		#include <string.h>
		int main(void)
		{
			long page = gethugepagesize();
			char *at = get_huge_pages(4 * page, GHP_DEFAULT);
			if (at)
				memset(at, 1, 4 * page);
			return at ? 0 : 3;
		}
	END
	pool_set 6
	cgroup_make pod
	cgroup_limit fault $((2 * $(default_page_bytes)))
	expect_exit 135 cgroup_exec ./prog
	LD_LIBRARY_PATH=$dropin expect_exit 3 cgroup_exec ./prog
}

test_nothing_is_huge_unless_a_variable_says_so() {
	requires_file "$dropin/libhugetlbfs.so.0"
	pool_set 8
	LD_PRELOAD=$dropin/libhugetlbfs.so.0 python3 -c 'import mmap; m = mmap.mmap(-1, 8 << 20); m[0] = 1
print(open("/proc/self/smaps").read().count("KernelPageSize:     2048"))' >said
	expect_eq "$(cat said)" 0
}

test_hugectl_and_pagesize_of_the_distribution_work_with_it() {
	requires_file "$dropin/libhugetlbfs.so.0"
	requires hugectl
	requires pagesize
	pool_set 20
	LD_LIBRARY_PATH=$dropin hugeadm --pool-list >pools || fail "hugeadm"
	expect_contains pools "$(default_page_bytes)"
	LD_LIBRARY_PATH=$dropin pagesize -H >said || fail "pagesize"
	expect_contains said "$(default_page_bytes)"
	ln -s "$dropin/libhugetlbfs.so.0" libhugetlbfs.so
	cat >heap.c <<-'END'
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		int main(void)
		{
			char *volatile at = malloc(8 << 20), line[256];
			long kib = 0, value;
			FILE *f = fopen("/proc/self/smaps", "r");
			memset(at, 1, 8 << 20);
			while (fgets(line, sizeof(line), f))
				if (sscanf(line, "Private_Hugetlb: %ld", &value) == 1)
					kib += value;
			printf("%s\n", kib >= 8 << 10 ? "huge" : "small");
			return 0;
		}
	END
	cc -w -o heap heap.c
	expect_eq "$(hugectl --library-use-path --heap env LD_LIBRARY_PATH="$tmp" ./heap 2>/dev/null ||
		LD_LIBRARY_PATH=$tmp hugectl --library-use-path --heap ./heap)" huge
}

test_hugeedit_marks_what_the_drop_in_then_remaps() {
	requires_file "$dropin/libhugetlbfs.so.0"
	requires hugeedit
	printf 'int main(void) { return 0; }\n' >prog.c
	cc -o prog prog.c -Wl,-z,max-page-size=2097152,-z,common-page-size=2097152
	LD_LIBRARY_PATH=$dropin hugeedit --text ./prog || fail "hugeedit"
	pool_set 8
	HUGETLB_VERBOSE=2 LD_PRELOAD=$dropin/libhugetlbfs.so.0 ./prog 2>said || fail "$?"
	expect_contains said "text"
}

run_tests "$@"
