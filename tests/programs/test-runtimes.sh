#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runtimes and allocators that take huge pages by themselves: the JVM, glibc's tunable,
# tcmalloc on a hugetlbfs mount, mimalloc. In a container whose fault limit is below
# what they take, all die; under libhresv each hears ENOMEM and goes on by the fallback
# it already has. Where pages are enough they stay as huge as they were.
. "$(dirname "$0")/../harness/functions.sh"

LIBRARIES=$(gcc -print-multiarch 2>/dev/null || uname -m)
LIBRARIES=/usr/lib/${LIBRARIES:-x86_64-linux-gnu}
PYTHON=/usr/bin/python3		# the one that is linked with the system's libc

mib() { echo $(($1 << 20)); }

# a_pod FAULT_LIMIT: pages enough for all, and a container that may use so many bytes
a_pod() {
	requires_root
	[ "$(default_page_bytes)" = $((2 << 20)) ] || skip "huge pages of 2 MiB by default"
	pool_set 80
	cgroup_make pod
	cgroup_limit fault "$1"
}

# in_pod LIBRARIES_TO_PRELOAD COMMAND...: "" for none
in_pod() {
	local libraries=$1
	shift
	cgroup_exec env LD_PRELOAD="$libraries" "$@" >said 2>&1
}

ours=$BUILD/libhresv.so

# --- The JVM -----------------------------------------------------------------------

java_program() {
	requires java javac
	cat >Live.java <<-END
		import java.nio.file.*;
		class Live {
			public static void main(String[] a) throws Exception {
				long sum = 0, kb = 0;
				for (int round = 0; round < 40; round++) {
					byte[] b = new byte[1 << 20];
					for (int i = 0; i < b.length; i += 512) b[i] = 1;
					for (byte x : b) sum += x;
				}
				for (String l : Files.readAllLines(Path.of("/proc/self/smaps")))
					if (l.matches("(Private|Shared)_Hugetlb:.*"))
						kb += Long.parseLong(l.replaceAll("[^0-9]", ""));
				System.out.println("sum " + sum + " huge " + kb);
			}
		}
	END
	javac -d . Live.java
}

# One heap of 32 MiB, and a small code cache
java_in_pod() {
	in_pod "$1" java -XX:+UseLargePages -Xms32m -Xmx32m -XX:+UseSerialGC \
		-XX:ReservedCodeCacheSize=8m -XX:-CreateCoredumpOnCrash -cp . Live
}

test_java_dies_of_a_fault_limit_of_0_without_us() {
	java_program
	a_pod 0
	expect_exit 1 java_in_pod ""
	expect_contains said "SIGBUS"
}

test_java_dies_of_a_fault_limit_below_its_heap_without_us() {
	java_program
	a_pod "$(mib 8)"
	expect_exit 1 java_in_pod ""
	expect_contains said "SIGBUS"
}

test_java_lives_with_a_fault_limit_of_0() {
	java_program
	a_pod 0
	expect_exit 0 java_in_pod "$ours"
	expect_contains said "sum 81920 huge 0"
	pool_expect_unchanged
}

test_java_lives_with_a_fault_limit_below_its_heap() {
	java_program
	a_pod "$(mib 8)"
	expect_exit 0 java_in_pod "$ours"
	expect_contains said "sum 81920 huge "
	pool_expect_unchanged
}

test_java_has_a_huge_heap_where_pages_are_enough() {
	local kb
	java_program
	a_pod "$(mib 120)"
	expect_exit 0 java_in_pod "$ours"
	kb=$(awk '/^sum 81920 huge/ { print $4 }' said)
	[ "${kb:-0}" -ge 32768 ] || fail "its heap of 32 MiB has: $(cat said)"
	pool_expect_unchanged
}

# --- Allocators ------------------------------------------------------------------------

# 25 MB in blocks, touched, and read again: prints their sum, then its huge memory.
allocate() {
	local libraries=$1
	shift
	cat >allocate.py <<-END
		import re
		blocks = [bytearray(1 << 16) for i in range(400)]
		for i, block in enumerate(blocks):
		    block[0] = i & 255
		kb = sum(int(n) for n in re.findall('_Hugetlb: +([0-9]+)', open('/proc/self/smaps').read()))
		print('sum', sum(block[0] for block in blocks), 'huge', kb)
	END
	in_pod "$libraries" env "$@" $PYTHON allocate.py
}

# dies LIBRARIES VARIABLE=VALUE...
dies() {
	cgroup_limit fault 0
	expect_exit 135 allocate "$@"
	cgroup_limit fault "$(mib 4)"
	expect_exit 135 allocate "$@"
}

# lives LIBRARIES VARIABLE=VALUE...: under limits nothing, too little, enough
lives() {
	local limit
	for limit in 0 "$(mib 4)" "$(mib 120)"; do
		echo "# fault limit $limit: $*"
		cgroup_limit fault "$limit"
		expect_exit 0 allocate "$@"
		expect_contains said "sum 42936 huge "
		pool_expect_unchanged
	done
	[ "$(awk '/^sum/ { print $4 }' said)" -ge 8192 ] || fail "where pages are enough: $(cat said)"
}

glibc_236() {
	requires_file $PYTHON
	[ "$(printf '%s\n' 2.35 "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -V | head -n 1)" = 2.35 ] ||
		skip "glibc 2.35"
}

test_glibc_tunable_dies_of_a_fault_limit_without_us() {
	glibc_236
	a_pod 0
	dies "" GLIBC_TUNABLES=glibc.malloc.hugetlb=2
}

# Its mmap is a call inside libc that nobody can get between: our malloc replaces it.
test_glibc_tunable_lives_with_a_fault_limit() {
	glibc_236
	requires nm
	nm -D --defined-only "$ours" | grep ' malloc$' >/dev/null || skip "a libhresv.so with its allocator"
	a_pod 0
	lives "$ours" GLIBC_TUNABLES=glibc.malloc.hugetlb=2
}

tcmalloc() {
	TCMALLOC=$LIBRARIES/$1
	requires_file "$TCMALLOC" $PYTHON
	a_pod 0
	mount_hugetlbfs "$tmp/huge"
	MEMFS=TCMALLOC_MEMFS_MALLOC_PATH=$tmp/huge/
}

test_tcmalloc_memfs_dies_of_a_fault_limit_without_us() {
	tcmalloc libtcmalloc.so.4
	dies "$TCMALLOC" "$MEMFS"
}

# In front of us its mmap is the program's, and goes to the kernel by syscall().
test_tcmalloc_memfs_lives_with_a_fault_limit_when_listed_before_us() {
	tcmalloc libtcmalloc.so.4
	lives "$TCMALLOC:$ours" "$MEMFS"
}

test_tcmalloc_memfs_lives_with_a_fault_limit_when_listed_after_us() {
	tcmalloc libtcmalloc.so.4
	lives "$ours:$TCMALLOC" "$MEMFS"
}

test_tcmalloc_minimal_memfs_lives_with_a_fault_limit() {
	tcmalloc libtcmalloc_minimal.so.4
	dies "$TCMALLOC" "$MEMFS"
	lives "$TCMALLOC:$ours" "$MEMFS"
}

mimalloc() {
	MIMALLOC=$LIBRARIES/libmimalloc.so.2
	requires_file "$MIMALLOC" $PYTHON
	a_pod 0
}

test_mimalloc_large_os_pages_dies_of_a_fault_limit_without_us() {
	mimalloc
	dies "$MIMALLOC" MIMALLOC_LARGE_OS_PAGES=1
}

test_mimalloc_large_os_pages_lives_with_a_fault_limit_when_listed_before_us() {
	mimalloc
	lives "$MIMALLOC:$ours" MIMALLOC_LARGE_OS_PAGES=1
}

test_mimalloc_large_os_pages_lives_with_a_fault_limit_when_listed_after_us() {
	mimalloc
	lives "$ours:$MIMALLOC" MIMALLOC_LARGE_OS_PAGES=1
}

run_tests "$@"
