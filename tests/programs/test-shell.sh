#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A preloaded shell and all it starts work as ever: a hundred short helpers take no huge
# page, pipelines carry what they carried, make and gcc build the same program.
. "$(dirname "$0")/../harness/functions.sh"

# Any try to take a page in here is counted, as none may be had.
a_pod_without_pages() {
	pool_set 60
	cgroup_make pod
	cgroup_limit fault 0
}

refused_pages() {
	local name
	name=$(size_name "$(default_page_bytes)")
	if [ "$cgroup_version" = 2 ]; then
		awk '/^max / { print $2 }' "$cgroup/hugetlb.$name.events"
	else
		cat "$cgroup/hugetlb.$name.failcnt"
	fi
}

in_pod() { cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" "$@"; }

test_shell_with_a_hundred_helpers_takes_no_page() {
	a_pod_without_pages
	cat >helpers.sh <<-'END'
		for i in {1..20}; do
			/bin/true
			/bin/echo $i
			expr $i + 1
			date +%s | tr -d 0-9
			(exec cat /dev/null)
		done
		[ "$(wc -l </etc/passwd)" -gt 0 ]
	END
	bash helpers.sh >expected
	expect_exit 0 in_pod bash helpers.sh >got 2>said
	diff expected got || fail "they say something else"
	expect_eq "$(cat said)" "" "what they say to standard error"
	expect_eq "$(refused_pages)" 0 "tries to take a page"
	pool_expect_unchanged
}

test_pipelines_carry_the_same_bytes() {
	pool_set 20
	cgroup_make pod
	cat >pipeline.sh <<-'END'
		set -o pipefail
		seq 1 400000 | sort -R --random-source=/bin/bash | gzip -1 | gzip -dc | sort -n -S 20M |
			tee copy | awk '{ s += $1 } END { print NR, s }'
		sha256sum <copy
		head -c 30000000 /dev/zero | tr '\0' a | dd bs=8M iflag=fullblock 2>/dev/null | cksum
		tar -cf - /usr/share/perl5 2>/dev/null | wc -c
		diff <(seq 10) <(seq 11)
		yes | head -n 3
		exit 7
	END
	local status=0
	bash pipeline.sh >expected || status=$?
	expect_exit $status in_pod bash pipeline.sh >got
	diff expected got || fail "they carry something else"
	cgroup_limit fault 0
	expect_exit $status in_pod bash pipeline.sh >got
	diff expected got || fail "under a limit they carry something else"
	pool_expect_unchanged
}

a_program() {
	mkdir "$1"
	cat >"$1/main.c" <<-'END'
		#include <stdio.h>
		int twice(int);
		int main(void) { printf("%d\n", twice(21)); return 0; }
	END
	echo 'int twice(int n) { return n * 2; }' >"$1/twice.c"
	printf 'prog: main.o twice.o\n\tgcc -o $@ $^\n%%.o: %%.c\n\tgcc -g0 -O2 -c -o $@ $<\n' >"$1/Makefile"
}

test_make_and_gcc_build_the_same_program() {
	requires make gcc
	pool_set 20
	cgroup_make pod
	a_program plain
	a_program ours
	make -s -C plain
	expect_exit 0 in_pod make -s -j2 -C ours
	cmp plain/main.o ours/main.o || fail "another object"
	cmp plain/prog ours/prog || fail "another program"
	expect_eq "$(in_pod ours/prog)" 42
	pool_expect_unchanged
}

test_a_program_that_fails_fails_the_same_way() {
	cgroup_make pod
	expect_exit 1 in_pod false
	expect_exit 127 in_pod bash -c 'no-such-program' 2>/dev/null
	expect_exit 143 in_pod bash -c 'kill -TERM $$'
	expect_exit 139 in_pod bash -c 'kill -SEGV $$'
	expect_exit 135 in_pod bash -c 'kill -BUS $$'
	expect_exit 141 in_pod bash -c 'kill -PIPE $$'
}

run_tests "$@"
