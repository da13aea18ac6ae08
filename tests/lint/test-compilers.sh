#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# The product builds without a warning by clang, and for aarch64.
TEST_TIMEOUT=300
. "$(dirname "$0")/../harness/functions.sh"

# builds_by NAME CONFIGURE_ARGUMENT...
builds_by() {
	local name=$1
	shift
	mkdir "$tmp/$name"
	cd "$tmp/$name"
	{ "$SOURCE/configure" -q --enable-werror "$@" && make -s -j2 all; } >said 2>&1 ||
		fail "$name: $(grep -m 5 -E 'error|warning' said || tail -n 5 said)"
	[ -f build/libhresv.so ] || fail "$name made no libhresv.so"
}

test_clang_builds_everything_without_a_warning() {
	requires clang
	builds_by clang CC=clang
}

test_gcc_builds_for_aarch64_and_without_an_engine_without_a_warning() {
	requires aarch64-linux-gnu-gcc
	builds_by aarch64 CC=aarch64-linux-gnu-gcc --host=aarch64-linux-gnu \
		--with-jemalloc-archive=none --disable-tools
	grep -q 'libjemalloc_pic.a .*: no allocator' said || fail "configure says nothing of it"
	[ ! -e build/libhresv-malloc.so ] || fail "an allocator without an engine"
}

run_tests "$@"
