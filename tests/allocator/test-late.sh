#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the engine needs of libc for its threads and its profiler, which are off unless a
# user asks, is found when it is called (preload/late.c): asked for, they work.
. "$(dirname "$0")/../harness/functions.sh"

# with CONF: a program whose malloc has these options; prints the names of its threads
with() {
	requires python3
	MALLOC_CONF=$1 PYTHONMALLOC=malloc preload python3 - <<-'END'
		import glob, threading
		kept = [bytearray(3000) for _ in range(5000)]
		threading.Thread(target=lambda: kept.append(bytearray(1 << 22))).start()
		print(*(open(name).read().strip() for name in glob.glob("/proc/self/task/*/comm")))
	END
}

test_background_threads_of_the_engine_start_and_have_their_name() {
	with background_thread:true >said
	expect_contains said jemalloc_bg_thd
}

test_the_engines_profiler_writes_stacks_and_mappings() {
	with "prof:true,prof_final:true,lg_prof_sample:12,prof_prefix:$tmp/profile" >said
	cat "$tmp"/profile.*.heap >all
	expect_contains all "@ 0x"
	expect_contains all MAPPED_LIBRARIES
	expect_contains all libhresv.so
}

run_tests "$@"
