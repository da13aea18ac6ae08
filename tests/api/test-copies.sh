#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Linked to one library of ours and started under another: one copy is live, and it
# is the one that interposes.
. "$(dirname "$0")/../harness/functions.sh"

program() {
	requires_file "$BUILD/libhresv-malloc.so"
	cat >prog.c <<-'END'
		#include <hresv.h>
		#include <stdio.h>
		#include <string.h>
		#include <sys/mman.h>
		int main(void)
		{
			struct hresv_want want = { .bytes = 4 << 20 };
			struct hresv_counters c;
			void *at, *mine;

			mine = mmap(0, 6 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			memset(mine, 1, 6 << 20);
			if (hresv_alloc(&want, &at, 0))
				return 1;
			hresv_counters_read(&c, sizeof(c));
			printf("%zu %zu\n", hresv_huge_bytes(mine, 6 << 20) >> 20, (size_t)c.huge_now >> 20);
			/* What libc frees, the same copy must know of. */
			munmap(at, 4 << 20);
			hresv_counters_read(&c, sizeof(c));
			printf("%zu\n", (size_t)c.huge_now >> 20);
			return 0;
		}
	END
}

test_program_linked_to_one_and_started_under_another_has_one_live_copy() {
	program
	cc -o prog prog.c -I"$SOURCE/include" -L"$BUILD" -lhresv-malloc -Wl,-rpath,"$BUILD" || fail "link"
	pool_set 8
	HUGETLB_MALLOC_START=1G preload ./prog >said
	expect_eq "$(cat said)" "6 10
6"
	HUGETLB_MALLOC_START=1G ./prog >said
	expect_eq "$(head -n 1 said)" "0 4"
}

test_program_linked_to_the_preload_library_is_rerouted() {
	program
	cc -o prog prog.c -I"$SOURCE/include" -L"$BUILD" -lhresv -Wl,-rpath,"$BUILD" || fail "link"
	pool_set 8
	HUGETLB_MALLOC_START=1G ./prog >said
	expect_eq "$(cat said)" "6 10
6"
}

test_static_program_has_the_api() {
	program
	cc -static -o prog prog.c -I"$SOURCE/include" "$BUILD/libhresv-malloc.a" || fail "link"
	pool_set 8
	HUGETLB_MALLOC_START=1G ./prog >said
	expect_eq "$(head -n 1 said)" "0 4"
}

run_tests "$@"
