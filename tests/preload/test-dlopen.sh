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

# A plugin that frees what libc allocated for it, has a name the program has too, and opens
# another library that its own search path finds.
plugin() {
	requires gcc
	cat >plugin.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		const char *whose(void) { return "plugin"; }
		int plugin(void)
		{
			char *copy = strdup("libc allocates it"), *line = NULL, *mine = malloc(3000);
			size_t room = 0;
			FILE *f = fopen("/proc/self/status", "r");
			if (getline(&line, &room, f) < 1)
				return 1;
			fclose(f);
			free(copy);
			free(line);
			mine = realloc(mine, 300000);
			free(mine);
			return strcmp(whose(), "plugin") != 0 || !dlopen("libother.so", RTLD_NOW);
		}
	END
	cat >program.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdio.h>
		const char *whose(void) { return "program"; }
		int main(void)
		{
			void *library = dlopen("./plugin.so", RTLD_NOW | RTLD_DEEPBIND);
			int (*run)(void) = library ? (int (*)(void))dlsym(library, "plugin") : NULL;
			if (!run) {
				puts(dlerror());
				return 2;
			}
			/* Where the plugin may look for it, the program may not. */
			return dlopen("libother.so", RTLD_NOW) || run() || dlclose(library);
		}
	END
	mkdir -p beside
	gcc -shared -fPIC -o plugin.so plugin.c -Wl,--enable-new-dtags,-rpath,"$tmp/beside" -ldl
	echo 'int other;' | gcc -shared -fPIC -o beside/libother.so -x c -
	gcc -rdynamic -o program program.c -ldl
}

test_deeply_bound_plugin_frees_what_libc_allocated() {
	plugin
	expect_exit 0 ./program
	expect_exit 0 preload ./program
	HUGETLB_MORECORE=no expect_exit 0 preload ./program
}

test_free_of_a_handle_of_libc_is_the_free_of_all() {
	requires python3
	cat >calls.py <<-'END'
		import ctypes
		libc = ctypes.CDLL("libc.so.6")
		for name in "malloc", "strdup":
		    getattr(libc, name).restype = ctypes.c_void_p
		for i in range(100):
		    libc.free(ctypes.c_void_p(libc.strdup(b"x" * i * 100)))
		    libc.free(ctypes.c_void_p(libc.malloc(i * 10000)))
	END
	expect_exit 0 python3 calls.py
	expect_exit 0 preload python3 calls.py
	HUGETLB_MORECORE=no expect_exit 0 preload python3 calls.py
}

run_tests "$@"
