#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The examples compile as their first lines say, run, and show what they promise.
. "$(dirname "$0")/../harness/functions.sh"

examples=$SOURCE/examples

# build NAME COMPILER [ARGUMENT]...
build() {
	local name=$1 compiler=$2
	shift 2
	requires "$compiler"
	requires_file "$BUILD/libhresv-malloc.so"
	"$compiler" -O1 -Wall -Wextra -Werror -I"$SOURCE/include" -o "${name%.*}" "$examples/$name" "$@" \
		-L"$BUILD" -lhresv-malloc -Wl,-rpath,"$BUILD" || fail "cannot compile $name"
}

test_buffer_pool_adapts_to_what_there_is() {
	build buffer-pool.c cc -std=c11 -D_GNU_SOURCE
	pool_set 6
	./buffer-pool 16 >said
	expect_contains said "could be had: 12 MiB, then pool-short binds"
	expect_contains said "start: 16 MiB, 12 huge"
	expect_contains said "fell back 1 times"
	expect_contains said "half given back: 16 MiB, 8 huge"
	expect_contains said "grown: 24 MiB, 12 huge"
}

test_shared_cache_is_one_for_two_processes_or_refused() {
	build shared-cache.c cc -std=c11 -D_GNU_SOURCE
	pool_set 4
	./shared-cache >said
	expect_contains said "worker: 8 MiB huge"
	expect_contains said "parent: written by the worker"
	pool_set 3
	expect_exit 1 ./shared-cache 2>said
	expect_contains said "no cache: the pool has too few free pages"
}

test_program_with_its_own_jemalloc_has_an_arena_on_huge_pages() {
	requires_file /usr/include/jemalloc/jemalloc.h
	build own-jemalloc.c cc -D_GNU_SOURCE -ljemalloc
	pool_set 16
	HUGETLB_MALLOC_START=0 ./own-jemalloc >said
	expect_contains said "24 MiB, 24 huge"
}

test_python_reserves_by_ctypes() {
	requires python3
	pool_set 6
	preload python3 "$examples/huge.py" >said
	expect_contains said "hello, 4 MiB huge"
	expect_contains said "64 TiB: the pool has too few free pages"
}

test_pmr_containers_are_huge() {
	build pmr.cc c++ -std=c++17
	pool_set 16
	./pmr >said
	expect_contains said "100000 words, huge"
}

run_tests "$@"
