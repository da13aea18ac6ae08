#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The allocator linked in: as a shared library, as an archive, into static and C++
# programs; and beside others that bring a malloc of their own.
. "$(dirname "$0")/../harness/functions.sh"

heap=$SOURCE/tests/allocator/prog-heap.c
family=$SOURCE/tests/allocator/prog-family.c

# link OUT SOURCE ARG...
link() {
	local out=$1 source=$2
	shift 2
	"${CC:-cc}" -O1 -w -pthread -o "$out" "$source" "$@" || fail "cannot link $out"
}

# huge_of FILE: MiB huge at the moment "taken"
huge_mib() { echo $(($(sed -n 's/^taken //p' "$1") / 1024)); }

expect_huge_mib() {
	local mib
	mib=$(huge_mib "$1")
	[ "$mib" -ge "$2" ] || fail "$mib MiB are huge, expected $2"
}

test_linked_program_has_a_huge_heap() {
	pool_set 60
	link heap "$heap" -L"$BUILD" -lhresv-malloc -Wl,-rpath,"$BUILD"
	ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	LD_LIBRARY_PATH=$tmp ./heap many_blocks >said
	expect_huge_mib said 56
}

test_linked_program_forks() {
	cat >forks.c <<-'END'
		#include <stdlib.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(void)
		{
			char *at = malloc(16 << 20);
			for (int i = 0; i < 3; i++) {
				pid_t pid = fork();
				int status = 0;
				at[i << 20] = 1;
				if (pid == 0)
					_exit(at[i << 20] == 1 ? 0 : 1);
				if (waitpid(pid, &status, 0) != pid || status)
					return 1;
			}
			return 0;
		}
	END
	pool_set 20
	link forks forks.c -L"$BUILD" -lhresv-malloc
	[ -e libhresv-malloc.so.0 ] || ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	LD_LIBRARY_PATH=$tmp timeout -s KILL 20 ./forks || fail "linked: $?"
	link forks forks.c "$BUILD/libhresv-malloc.a"
	timeout -s KILL 20 ./forks || fail "with the archive: $?"
	link forks forks.c -static "$BUILD/libhresv-malloc.a"
	timeout -s KILL 20 ./forks || fail "static: $?"
}

test_program_with_the_archive_has_a_huge_heap() {
	pool_set 60
	link heap "$heap" "$BUILD/libhresv-malloc.a"
	./heap many_blocks >said
	expect_huge_mib said 56
	./heap threads >said
	expect_huge_mib said 32
}

test_static_program_has_a_huge_heap() {
	pool_set 60
	link heap "$heap" -static "$BUILD/libhresv-malloc.a"
	./heap many_blocks >said
	expect_huge_mib said 56
	./heap threads >said
	./heap grown >said
	HUGETLB_MORECORE=no ./heap many_blocks >said
	expect_eq "$(huge_mib said)" 0
}

test_archive_passes_for_glibcs_family() {
	link family "$family" -I"$SOURCE" "$BUILD/libhresv-malloc.a" -ldl
	local name
	for name in $(./family | grep -vE 'realloc_keeps|alignment'); do
		./family "$name" || fail "$name"
	done
}

# A handler registered twice would wait for itself at the first fork.
test_program_with_the_library_or_the_archive_forks() {
	link shared "$SOURCE/tests/allocator/prog-threads.c" -I"$SOURCE" -L"$BUILD" \
		-lhresv-malloc -Wl,-rpath,"$BUILD"
	link static "$SOURCE/tests/allocator/prog-threads.c" -I"$SOURCE" -static \
		"$BUILD/libhresv-malloc.a"
	ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	LD_LIBRARY_PATH=$tmp timeout -s KILL 50 ./shared fork_with_threads || fail "shared: $?"
	timeout -s KILL 50 ./static fork_with_threads || fail "static: $?"
}

# As a profiler's does: counts, and passes on to whoever comes next, which are we.
test_wrapper_in_front_that_passes_on_gets_to_the_next_malloc() {
	cat >wrap.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <unistd.h>
		static void *(*next_malloc)(size_t), *(*next_realloc)(void *, size_t);
		static void *(*next_memalign)(size_t, size_t);
		static void (*next_free)(void *);
		static long taken, given;
		static void find(void)
		{
			next_malloc = dlsym(RTLD_NEXT, "malloc");
			next_realloc = dlsym(RTLD_NEXT, "realloc");
			next_memalign = dlsym(RTLD_NEXT, "memalign");
			next_free = dlsym(RTLD_NEXT, "free");
		}
		void *malloc(size_t n) { if (!next_malloc) find(); taken++; return next_malloc(n); }
		void *realloc(void *p, size_t n) { if (!next_realloc) find(); taken += !p; return next_realloc(p, n); }
		void *memalign(size_t a, size_t n) { if (!next_memalign) find(); taken++; return next_memalign(a, n); }
		void free(void *p) { if (!next_free) find(); given += !!p; next_free(p); }
		__attribute__((destructor)) static void tell(void) { dprintf(1, "%ld %ld\n", taken, given); }
	END
	cat >uses.c <<-'END'
		#define _GNU_SOURCE
		#include <malloc.h>
		#include <stdint.h>
		#include <stdlib.h>
		#include <string.h>
		int main(void)
		{
			char *at[6];
			for (int i = 0; i < 1000; i++) {
				size_t bytes = (size_t)(i + 1) * 37;
				void *aligned;
				if (posix_memalign(&aligned, 256, bytes) != 0 || (uintptr_t)aligned % 256)
					return 1;
				at[0] = malloc(bytes);
				at[1] = reallocarray(NULL, bytes, 2);
				at[2] = memalign(64, bytes);
				at[3] = aligned;
				at[4] = valloc(bytes);
				at[5] = realloc(malloc(bytes), 3 * bytes);
				for (int k = 0; k < 6; k++)
					memset(at[k], k, bytes);
				at[1] = reallocarray(at[1], bytes, 5);
				for (int k = 0; k < 6; k++) {
					if (at[k][0] != k || at[k][bytes - 1] != k)
						return 2;
					free(at[k]);
				}
			}
			return 0;
		}
	END
	link wrap.so wrap.c -shared -fPIC -ldl
	link uses uses.c -fno-builtin
	LD_PRELOAD=$tmp/wrap.so ./uses >/dev/null || fail "without us: $?"
	pool_set 20
	LD_PRELOAD="$tmp/wrap.so $BUILD/libhresv.so" ./uses >got || fail "it ended with $?"
	[ "$(cut -d' ' -f2 got)" -ge 6000 ] || fail "of 6000 blocks it saw $(cat got)"
	LD_PRELOAD="$BUILD/libhresv.so $tmp/wrap.so" ./uses >got || fail "behind us: $?"
}

test_library_linked_and_preloaded_is_one_malloc() {
	pool_set 60
	link heap "$heap" -L"$BUILD" -lhresv-malloc
	ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	LD_LIBRARY_PATH=$tmp HUGETLB_VERBOSE=2 preload ./heap many_blocks >said 2>table
	expect_huge_mib said 56
	expect_eq "$(grep -c 'huge pages of' table)" 1
}

test_cxx_program_has_a_huge_heap() {
	requires c++
	pool_set 60
	cat >prog.cc <<-'END'
		#include <cstdio>
		#include <map>
		#include <new>
		#include <string>
		#include <thread>
		#include <vector>
		struct alignas(256) wide { char c[256]; };
		static void work() {
			std::map<int, std::string> m;
			for (int i = 0; i < 200000; i++)
				m[i * 7 % 200003] = std::string(40, 'x');
			for (int i = 0; i < 100000; i += 2)
				m.erase(i);
		}
		int main() {
			std::vector<std::thread> t;
			for (int i = 0; i < 3; i++)
				t.emplace_back(work);
			for (auto &x : t)
				x.join();
			std::vector<wide *> w;
			for (int i = 0; i < 100000; i++) {
				w.push_back(new wide);
				if ((unsigned long)w.back() % 256)
					return 1;
			}
			char line[256];
			long kib = 0, value;
			FILE *f = fopen("/proc/self/smaps", "r");
			while (fgets(line, sizeof(line), f))
				if (sscanf(line, "Private_Hugetlb: %ld", &value) == 1)
					kib += value;
			fclose(f);
			printf("taken %ld\n", kib);
			for (auto *x : w)
				delete x;
			try {
				char *volatile most = new char[(size_t)-1 / 2 - w.size()];
				return 2 + (most == nullptr);
			} catch (const std::bad_alloc &) {
			}
		}
	END
	c++ -O1 -std=c++17 -pthread -o prog prog.cc || fail "cannot compile"
	preload ./prog >said
	expect_huge_mib said 18
	# As pkg-config has it: the program itself mentions no malloc.
	c++ -O1 -std=c++17 -pthread -o prog prog.cc -Wl,-u,malloc "$BUILD/libhresv-malloc.a" || fail "cannot link"
	./prog >said
	expect_huge_mib said 18
}

test_c_program_does_not_load_the_cxx_library() {
	requires ldd
	if ldd "$BUILD/libhresv.so" "$BUILD/libhresv-malloc.so" | grep -E 'libstdc|libm\.'; then
		fail "it does"
	fi
}

test_program_with_a_malloc_of_its_own_keeps_it() {
	cat >own.c <<-'END'
		#include <stddef.h>
		#include <stdio.h>
		#include <string.h>
		#include <malloc.h>
		static char heap[1 << 22];
		static size_t used, calls;
		void *malloc(size_t n) {
			size_t *at = (void *)(heap + used);
			used += (n + 31) / 16 * 16;
			calls++;
			*at = n;
			return at + 2;
		}
		void free(void *p) { (void)p; }
		void *calloc(size_t a, size_t b) { return memset(malloc(a * b), 0, a * b); }
		void *realloc(void *p, size_t n) { return memcpy(malloc(n), p ? p : heap, p ? ((size_t *)p)[-2] < n ? ((size_t *)p)[-2] : n : 0); }
		int main(void) {
			void *p = malloc(100);
			p = reallocarray(p, 10, 20);
			strdup("text");
			return (char *)p < heap || (char *)p > heap + sizeof(heap) || calls < 3;
		}
	END
	link own own.c -fno-builtin -rdynamic
	HUGETLB_VERBOSE=2 preload ./own
}

test_address_sanitizer_keeps_its_malloc() {
	cat >bad.c <<-'END'
		#include <stdlib.h>
		int main(int argc, char **argv) {
			volatile char *p = malloc(10);
			free((void *)p);
			(void)argv;
			return argc > 1 ? p[0] : 0;
		}
	END
	"${CC:-cc}" -fsanitize=address -w -o bad bad.c 2>/dev/null || skip "AddressSanitizer"
	local asan
	asan=$("${CC:-cc}" -print-file-name=libasan.so)
	# Not by a pipe to grep -q: ldd may die of it, and the pipe with it.
	[[ "$(ldd ./bad)" == *libasan* ]] || asan=
	LD_PRELOAD="$asan $BUILD/libhresv.so" ./bad || fail "a good run fails"
	! LD_PRELOAD="$asan $BUILD/libhresv.so" ./bad x 2>said || fail "the error is not found"
	expect_contains said heap-use-after-free
}

test_valgrind_keeps_its_malloc() {
	requires valgrind
	cat >bad.c <<-'END'
		#include <stdlib.h>
		int main(int argc, char **argv) {
			volatile char *p = malloc(10);
			(void)argv;
			if (argc > 1)
				p[10] = 1;
			free((void *)p);
			return 0;
		}
	END
	link bad bad.c -g
	LD_PRELOAD=$BUILD/libhresv.so valgrind -q --error-exitcode=9 ./bad 2>said || fail "a good run fails: $(head -c 400 said)"
	expect_exit 9 env LD_PRELOAD="$BUILD/libhresv.so" valgrind -q --error-exitcode=9 ./bad x 2>said
	expect_contains said "Invalid write"
}

test_hooks_serve_a_jemalloc_of_the_programs() {
	requires_file /usr/include/jemalloc/jemalloc.h
	pool_set 60
	cat >hooks.c <<-'END'
		#include <stdio.h>
		#include <string.h>
		#include <hresv_jemalloc.h>
		int main(void) {
			extent_hooks_t *hooks = hresv_jemalloc_hooks();
			unsigned arena;
			size_t bytes = sizeof(arena);
			char line[256];
			long kib = 0, value;
			if (mallctl("arenas.create", &arena, &bytes, &hooks, sizeof(hooks)))
				return 1;
			for (int i = 0; i < 30000; i++)
				memset(mallocx(2000, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE), 1, 2000);
			FILE *f = fopen("/proc/self/smaps", "r");
			while (fgets(line, sizeof(line), f))
				if (sscanf(line, "Private_Hugetlb: %ld", &value) == 1)
					kib += value;
			printf("taken %ld\n", kib);
			return 0;
		}
	END
	# The program's jemalloc stands before ours, whose hooks it borrows.
	link hooks hooks.c -I"$SOURCE/include" -ljemalloc -L"$BUILD" -lhresv-malloc || skip "libjemalloc"
	ln -s "$BUILD/libhresv-malloc.so" libhresv-malloc.so.0
	LD_LIBRARY_PATH=$tmp ./hooks >said
	expect_huge_mib said 50
}

run_tests "$@"
