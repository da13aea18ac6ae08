#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Programs that live of making processes do under us what they do without, and the
# pool is whole again after.
. "$(dirname "$0")/../harness/functions.sh"

test_python_multiprocessing_computes_the_same_on_an_exact_pool() {
	requires python3
	cat >work.py <<-'END'
		import mmap, multiprocessing, sys
		size = 16 << 20
		m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
		for i in range(0, size, 4096):
		    m[i] = i >> 12 & 255
		def child(n):
		    for i in range(0, size, 4096):
		        m[i] = n
		    return sum(m[i] for i in range(0, size, 4096)) // (size >> 12)
		if __name__ == "__main__":
		    multiprocessing.set_start_method("fork")
		    with multiprocessing.Pool(4) as pool:
		        got = pool.map(child, range(1, 5), chunksize=1)
		    print(got, sum(m[i] for i in range(0, size, 4096)))
	END
	python3 work.py >want
	for pages in 8 9 16 60; do
		pool_set $pages
		preload timeout 60 python3 work.py >got
		cmp want got || fail "pool $pages: $(cat got)"
		pool_expect_unchanged
	done
}

test_prefork_server_of_50_children_answers_every_request() {
	requires python3
	cat >server.py <<-'END'
		import mmap, os, socket
		size = 8 << 20
		m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
		m[:] = b"p" * size
		s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(128)
		children = []
		for n in range(50):
		    pid = os.fork()
		    if pid == 0:
		        while True:
		            c, _ = s.accept()
		            word = c.recv(100)
		            if word == b"stop":
		                os._exit(0)
		            at = int(word) * 4096 % size
		            old = m[at:at + 1]
		            m[at:at + 5] = b"child"
		            c.sendall(old + m[at:at + 5]); c.close()
		    children.append(pid)
		m[:] = b"q" * size
		good = 0
		for n in range(600):
		    c = socket.create_connection(s.getsockname()); c.sendall(str(n).encode())
		    got = c.recv(100); c.close()
		    good += got in (b"pchild", b"cchild")
		for pid in children:
		    c = socket.create_connection(s.getsockname()); c.sendall(b"stop"); c.close()
		ends = [os.waitpid(pid, 0)[1] for pid in children]
		print(good, set(ends), m[:] == b"q" * size)
	END
	for pages in 4 5 40; do
		pool_set $pages
		expect_eq "$(preload timeout 60 python3 server.py)" "600 {0} True" "pool $pages"
		pool_expect_unchanged
	done
}

test_make_with_four_jobs_builds_what_it_builds_without_us() {
	requires make gcc
	mkdir a b
	for i in 1 2 3 4 5 6; do
		echo "int f$i(int x) { return x * $i; }" | tee a/f$i.c >b/f$i.c
	done
	printf 'all: lib.a\nlib.a: $(patsubst %%.c,%%.o,$(sort $(wildcard *.c)))\n\tar rcD $@ $^\n%%.o: %%.c\n\tgcc -O2 -c -o $@ $<\n' |
		tee a/Makefile >b/Makefile
	make -s -C a -j4
	pool_set 12
	preload make -s -C b -j4
	cmp a/lib.a b/lib.a
	pool_expect_unchanged
}

run_tests "$@"
