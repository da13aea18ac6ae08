#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Another preloaded library behind us, that interposes what we interpose, is still
# called: it records, redirects or counts as without us.
. "$(dirname "$0")/../harness/functions.sh"

recorder() {
	requires gcc python3
	cat >behind.c <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <fcntl.h>
		#include <signal.h>
		#include <string.h>
		#include <sys/socket.h>
		#include <unistd.h>
		static void note(const char *name)
		{
			int fd = open("seen", O_WRONLY | O_CREAT | O_APPEND, 0644);
			if (write(fd, name, strlen(name)) < 0)
				_exit(9);
			close(fd);
		}
		#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
		int execve(const char *p, char *const a[], char *const e[])
		{ note("execve\n"); return NEXT(execve)(p, a, e); }
		pid_t fork(void)
		{ note("fork\n"); return NEXT(fork)(); }
		int accept4(int fd, struct sockaddr *at, socklen_t *bytes, int flags)
		{ note("accept4\n"); return NEXT(accept4)(fd, at, bytes, flags); }
		int sigaction(int n, const struct sigaction *a, struct sigaction *old)
		{ if (n == SIGUSR1 && a) note("sigaction\n"); return NEXT(sigaction)(n, a, old); }
	END
	gcc -shared -fPIC -w -o behind.so behind.c -ldl
	cat >calls.py <<-'END'
		import os, signal, socket
		signal.signal(signal.SIGUSR1, signal.SIG_IGN)
		s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)
		c = socket.create_connection(s.getsockname()); s.accept()
		if os.fork() == 0:
		    os.execve("/bin/true", ["true"], os.environ)
		os.wait()
	END
}

test_library_behind_us_sees_what_it_saw() {
	recorder
	LD_PRELOAD=./behind.so /usr/bin/python3 calls.py
	mv seen want
	LD_PRELOAD="$BUILD/libhresv.so ./behind.so" /usr/bin/python3 calls.py
	diff want seen || fail "it misses calls"
	[ "$(wc -l <want)" -ge 4 ] || fail "it saw only: $(cat want)"
}

run_tests "$@"
