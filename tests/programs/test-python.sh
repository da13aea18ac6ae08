#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Python's mmap module, its processes and its threads do under libhresv what they do
# without: the same program, run plainly and under us, says the same.
. "$(dirname "$0")/../harness/functions.sh"

PYTHON=/usr/bin/python3

mib() { echo $(($1 << 20)); }

a_pod() {
	requires_file $PYTHON
	cgroup_make pod
}

# same_as_without_us FILE: with no pages, few, enough, and limits
same_as_without_us() {
	local pages limit
	cgroup_exec $PYTHON "$1" >expected
	for pages in 0 5 60; do
		pool_set $pages
		for limit in 0 "$(mib 6)" max; do
			[ $pages = 60 ] || [ $limit = max ] || continue
			echo "# $pages pages, limit $limit"
			cgroup_limit fault $limit
			expect_exit 0 cgroup_exec env LD_PRELOAD="$BUILD/libhresv.so" $PYTHON "$1" >got
			diff expected got || fail "it does something else"
			pool_expect_unchanged
		done
	done
}

test_python_mmap_does_the_same() {
	a_pod
	cat >maps.py <<-'END'
		import mmap, hashlib, os, tempfile
		M = 1 << 20
		def digest(m):
		    return hashlib.md5(m[:]).hexdigest()
		def use(m, n):
		    for i in range(0, n, 4093):
		        m[i] = i % 251
		    m[n - 8:n] = b'the end.'
		    print(n, digest(m), m.find(b'the end.'), m.rfind(b'\1\2\3'), len(m))
		for n in (4096, 2 * M, 5 * M + 12345, 16 * M):
		    for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
		        with mmap.mmap(-1, n, flags=flags | mmap.MAP_ANONYMOUS) as m:
		            print(m[:4096] == bytes(4096), m[n - 1])
		            use(m, n)
		            m.move(n // 2, 0, n // 3)
		            print(digest(m))
		            if n >= 4 * M and flags == mmap.MAP_PRIVATE:
		                m.madvise(mmap.MADV_DONTNEED, M, M)
		                print(m[M:2 * M] == bytes(M), m[M - 1], digest(m))
		                m.resize(n + 3 * M)
		                print(digest(m), len(m))
		                m.resize(M)
		                print(digest(m), len(m))
		with tempfile.TemporaryFile() as f:
		    f.truncate(6 * M)
		    with mmap.mmap(f.fileno(), 0) as m:
		        use(m, 6 * M)
		        m.flush()
		        m.resize(9 * M)
		        print(digest(m))
		    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as m:
		        use(m, 9 * M)
		    print(hashlib.md5(os.pread(f.fileno(), 9 * M, 0)).hexdigest())
		for wrong in (lambda: mmap.mmap(-1, 0), lambda: mmap.mmap(999, 4 * M),
		              lambda: mmap.mmap(-1, 4 * M, flags=mmap.MAP_PRIVATE)):
		    try:
		        wrong()
		        print('made')
		    except (OSError, ValueError) as e:
		        print(type(e).__name__, e)
		try:
		    m = mmap.mmap(-1, 4 * M, prot=mmap.PROT_READ)
		    m[0] = 1
		except TypeError as e:
		    print(e)
	END
	same_as_without_us maps.py
}

# The tests of the module itself, as its authors wrote them, before and after a mapping of
# many pages in the same process.
test_python_mmaps_own_tests_pass_and_its_maps_are_huge() {
	requires_file $PYTHON
	$PYTHON -c 'import test.test_mmap' 2>/dev/null || skip "libpython3-testsuite"
	cat >own.py <<-'END'
		import mmap, re, sys, unittest
		import test.test_mmap
		def run():
		    suite = unittest.defaultTestLoader.loadTestsFromModule(test.test_mmap)
		    return unittest.TextTestRunner(stream=sys.stderr).run(suite)
		first = run()
		with mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as m:
		    m[::4096] = bytes([7]) * (len(m) // 4096)
		    kb = sum(int(n) for n in re.findall('_Hugetlb: +([0-9]+)', open('/proc/self/smaps').read()))
		    second = run()
		    print('ran', first.testsRun, second.testsRun, first.wasSuccessful(),
		          second.wasSuccessful(), sum(m[::4096]))
		print('huge', kb)
	END
	$PYTHON own.py >expected 2>err || fail "plainly: $(tail -n 5 err)"
	pool_set 12
	LD_PRELOAD="$BUILD/libhresv.so" $PYTHON own.py >got 2>err || fail "status $?: $(tail -n 5 err)"
	expect_eq "$(head -n 1 got)" "$(head -n 1 expected)"
	expect_contains got "True True"
	[ "$(awk '/^huge/ { print $2 }' got)" -ge 16384 ] || fail "$(cat got)"
	pool_expect_unchanged
}

test_python_processes_and_threads_do_the_same() {
	a_pod
	cat >many.py <<-'END'
		import multiprocessing as mp, subprocess, sys, threading
		from concurrent.futures import ThreadPoolExecutor
		from multiprocessing import shared_memory
		def work(args):
		    name, i, n = args
		    shm = shared_memory.SharedMemory(name=name)
		    part = n // 4
		    shm.buf[i * part:(i + 1) * part] = bytes([i + 1]) * part
		    shm.close()
		    return sum(bytearray(6 << 20)) + i
		def in_thread(i):
		    b = bytearray(5 << 20)
		    b[::4096] = bytes([i]) * len(b[::4096])
		    return sum(b)
		if __name__ == '__main__':
		    mp.set_start_method('spawn')
		    n = 8 << 20
		    shm = shared_memory.SharedMemory(create=True, size=n)
		    with mp.Pool(2) as pool:
		        print(pool.map(work, [(shm.name, i, n) for i in range(4)]))
		    print([shm.buf[i * n // 4] for i in range(4)], sum(shm.buf[::4096]))
		    shm.close()
		    shm.unlink()
		    with ThreadPoolExecutor(4) as threads:
		        print(list(threads.map(in_thread, range(16))))
		    out = subprocess.run([sys.executable, '-c', 'print(len(bytes(10 << 20)))'], capture_output=True)
		    print(out)
	END
	same_as_without_us many.py
}

run_tests "$@"
