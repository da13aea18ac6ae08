#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The libraries loaded by dlopen(), which is not how they are meant to be used: refused
# where libc keeps no room for their thread-local variables, and harmless else.
. "$(dirname "$0")/../harness/functions.sh"

prog=$BUILD/tests/preload/prog-dlopen

# each_library COMMAND...: run it with each library's path added
each_library() {
	local library
	for library in libhresv.so libhresv-malloc.so compat/libhugetlbfs.so.0; do
		[ ! -e "$BUILD/$library" ] || "$@" "$BUILD/$library"
	done
}

refused_or_harmless() {
	local status=0
	"$prog" "$1" >said || status=$?
	[ $status = 0 ] || expect_contains said "static TLS"
}

test_dlopen_of_a_library_is_harmless_or_refused_for_want_of_room() {
	each_library refused_or_harmless
}

with_room() { GLIBC_TUNABLES=glibc.rtld.optional_static_tls=8192 expect_exit 0 "$prog" "$1"; }

test_library_that_is_opened_and_closed_leaves_forks_threads_and_signals_alone() {
	each_library with_room
}

test_library_that_is_preloaded_is_opened_and_closed_as_any() {
	expect_exit 0 preload "$prog" libhresv.so.0
}

run_tests "$@"
