#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
#
# Programs that cut, reserve, commit and give back their memory page by page: two
# collectors of the JVM, node, allocators above our mmap, arenas aligned by trimming.
# Each computes the same under us, has huge pages where they can be, and leaves none.
TEST_TIMEOUT=300
. "$(dirname "$0")/../harness/functions.sh"

LIBRARIES=/usr/lib/$(gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")

# compare MIN_HUGE_KB COMMAND...: plainly and under us, "sum X huge KB" at the end
compare() {
	local least=$1 kb
	shift
	"$@" >plain 2>&1 || fail "plainly: $(tail -n 5 plain)"
	preload "$@" >ours 2>&1 || fail "under us, status $?: $(tail -n 15 ours)"
	expect_eq "$(sed -n 's/^sum \([^ ]*\).*/\1/p' ours)" "$(sed -n 's/^sum \([^ ]*\).*/\1/p' plain)" "$*"
	kb=$(sed -n 's/^sum .* huge \([0-9]*\)/\1/p' ours)
	echo "huge at the peak: $kb kB"
	[ "${kb:-0}" -ge "$least" ] || fail "$kb kB huge, expected at least $least: $(tail -n 3 ours)"
	pool_expect_unchanged
}

java_grow() {
	requires java javac
	javac -d . "$SOURCE/tests/programs/Grow.java"
}

# The heap is reserved whole and committed piece by piece.
test_java_g1_grows_and_shrinks_its_heap_on_huge_pages() {
	java_grow
	pool_set 60
	compare 20000 java -XX:+UseG1GC -Xms16m -Xmx1g -cp . Grow 80
}

test_java_parallel_grows_and_shrinks_its_heap_on_huge_pages() {
	java_grow
	pool_set 60
	compare 20000 java -XX:+UseParallelGC -Xms16m -Xmx1g -cp . Grow 80
}

test_java_with_a_gigabyte_and_few_pages_lives() {
	java_grow
	pool_set 16
	compare 2048 java -XX:+UseG1GC -Xmx1g -cp . Grow 200
}

test_java_that_gives_memory_back_returns_pages() {
	java_grow
	pool_set 60
	compare 2048 java -XX:+UseParallelGC -XX:MinHeapFreeRatio=5 -XX:MaxHeapFreeRatio=10 \
		-Xms16m -Xmx256m -cp . Grow 60
}

test_node_with_a_large_heap_computes_the_same() {
	requires node
	cat >grow.js <<-'END'
		const fs = require('fs');
		let sum = 0, kb = 0, x = 1;
		const next = () => x = (x * 1103515245 + 12345) % 2147483648;
		for (let wave = 0; wave < 3; wave++) {
			const kept = new Map(), buffers = [];
			for (let i = 0; i < 300000; i++)
				kept.set('k' + i, { a: next(), b: [i, next()], c: 'v'.repeat(i % 40) });
			for (let i = 0; i < 20; i++)
				buffers.push(Buffer.alloc(3 << 20, next() & 255));
			for (const [k, v] of kept) sum = (sum * 31 + v.a + v.b[1] + k.length + v.c.length) % 1e12;
			for (const b of buffers) sum = (sum + b[b.length - 1]) % 1e12;
			for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
				const m = /^(?:Private|Shared)_Hugetlb: +(\d+)/.exec(line);
				if (m && +m[1]) kb += +m[1];
			}
		}
		console.log(`sum ${sum} huge ${kb}`);
	END
	pool_set 48
	compare 2048 node grow.js
}

# above LIBRARY: its malloc, our mmap
above() {
	local library=$LIBRARIES/$1
	requires_file "$library" "$BUILD/tests/programs/prog-stress"
	pool_set 48
	LD_PRELOAD=$library "$BUILD/tests/programs/prog-stress" >plain 2>&1 || fail "plainly: $(cat plain)"
	LD_PRELOAD="$library:$BUILD/libhresv.so" "$BUILD/tests/programs/prog-stress" >ours 2>&1 ||
		fail "status $?: $(tail -n 5 ours)"
	cat ours
	expect_eq "$(cut -d' ' -f1,2 ours)" "$(cut -d' ' -f1,2 plain)"
	[ "$(cut -d' ' -f4 ours)" -ge "$2" ] || fail "expected $2 kB huge: $(cat ours)"
	pool_expect_unchanged
}

# It maps with MAP_NORESERVE where the kernel overcommits, and that is left alone.
test_jemalloc_above_our_mmap_computes_the_same() { above libjemalloc.so.2 0; }
test_mimalloc_above_our_mmap_computes_the_same() { above libmimalloc.so.2 2048; }
# It asks for less than a huge page at a time.
test_tcmalloc_above_our_mmap_computes_the_same() { above libtcmalloc_minimal.so.4 0; }

test_arenas_of_all_kinds_are_huge_and_leave_nothing() {
	requires_file "$BUILD/tests/programs/prog-arenas"
	pool_set 48
	compare 2048 "$BUILD/tests/programs/prog-arenas"
}

run_tests "$@"
