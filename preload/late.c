/* SPDX-License-Identifier: MIT */
/*
 * late.c - libc's functions that hardly a program comes to need, found when one does
 *
 * The loader binds every name at start (-z now), 900 instructions each, and most of the
 * names that the engine brings are for its profiler and its background threads, which
 * are off. These hidden functions take their places inside the library and go to libc's
 * own of the same name, each looked up once, by its caller: no lock, no allocation, in
 * any thread and any signal handler.
 *
 * Not here: what is called often (the engine's mutexes, the clock), and what libc chooses
 * by processor when it is bound (strlen); of these, three that no call of weight makes
 * are written out.
 *
 * Pitfall: a library in front of libc that defines one of these names is not asked. It never
 * was meant to be: these are a malloc's own calls, which must not go round by others.
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/sys.h"
#include "preload/real.h"

#define HIDDEN __attribute__((visibility("hidden")))

static void *found(void **slot, const char *name)
{
	void *at = __atomic_load_n(slot, __ATOMIC_RELAXED);

	if (!at) {
		at = real_in_libc(name);
		__atomic_store_n(slot, at, __ATOMIC_RELAXED);
	}
	return at;
}

/* The function of that name in libc, in the function that has its name here. */
#define LIBC(name)                                                                             \
	({                                                                                     \
		static void *at_;                                                              \
		(__typeof__(&(name)))(uintptr_t)found(&at_, #name);                            \
	})

/* type, name, parameters, arguments; LATE_END: one that does not return. */
#define LATE(type, name, parameters, arguments)                                                \
	HIDDEN type name parameters { return LIBC(name) arguments; }
#define LATE_END(name, parameters, arguments)                                                  \
	HIDDEN void name parameters                                                            \
	{                                                                                      \
		LIBC(name) arguments;                                                          \
		__builtin_unreachable();                                                       \
	}

/* glibc's, in no header. */
const unsigned short **__ctype_b_loc(void);
int __sched_cpucount(size_t bytes, const cpu_set_t *set);
pid_t __fork(void);
int __sigaction(int number, const struct sigaction *action, struct sigaction *ret_old);

/* The engine's: its profiler. */
LATE(const unsigned short **, __ctype_b_loc, (void), ())
LATE(int, creat, (const char *path, mode_t mode), (path, mode))
LATE(int, close, (int fd), (fd))
LATE(pid_t, getpid, (void), ())
LATE(pthread_t, pthread_self, (void), ())
LATE(int, pthread_getname_np, (pthread_t id, char *name, size_t bytes), (id, name, bytes))
LATE(int, backtrace, (void **frames, int most), (frames, most))
LATE_END(_exit, (int status), (status))

HIDDEN int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list more;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	return LIBC(open)(path, flags, mode);
}

/* The engine's: its background threads. */
LATE(int, pthread_cond_init, (pthread_cond_t *c, const pthread_condattr_t *how), (c, how))
LATE(int, pthread_cond_signal, (pthread_cond_t *c), (c))
LATE(int, pthread_cond_wait, (pthread_cond_t *c, pthread_mutex_t *m), (c, m))
LATE(int, pthread_cond_timedwait, (pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until),
     (c, m, until))
LATE(int, pthread_join, (pthread_t id, void **ret), (id, ret))
LATE(int, pthread_setname_np, (pthread_t id, const char *name), (id, name))
LATE(int, sched_setaffinity, (pid_t id, size_t bytes, const cpu_set_t *set), (id, bytes, set))
LATE(int, sigfillset, (sigset_t *set), (set))

/* The engine's: its start, and what goes wrong there. */
LATE(int, pthread_mutex_init, (pthread_mutex_t *m, const pthread_mutexattr_t *how), (m, how))
LATE(int, pthread_mutexattr_init, (pthread_mutexattr_t *how), (how))
LATE(int, pthread_mutexattr_settype, (pthread_mutexattr_t *how, int type), (how, type))
LATE(int, pthread_mutexattr_destroy, (pthread_mutexattr_t *how), (how))
LATE(int, __sched_cpucount, (size_t bytes, const cpu_set_t *set), (bytes, set))
LATE(int, sched_getaffinity, (pid_t id, size_t bytes, cpu_set_t *ret), (id, bytes, ret))
LATE(int, sched_getcpu, (void), ())
LATE(int, sched_yield, (void), ())
LATE(ssize_t, readlink, (const char *path, char *ret, size_t bytes), (path, ret, bytes))
LATE(char *, secure_getenv, (const char *name), (name))
LATE(void *, sbrk, (intptr_t more), (more))
LATE(long, sysconf, (int which), (which))
LATE(char *, strerror_r, (int number, char *at, size_t bytes), (number, at, bytes))
LATE_END(abort, (void), ())

HIDDEN int gettimeofday(struct timeval *ret, void *zone)
{
	long err = sys_call(SYS_gettimeofday, (long)(uintptr_t)ret, (long)(uintptr_t)zone, 0, 0, 0, 0);

	if (!sys_failed(err))
		return 0;
	errno = (int)-err;
	return -1;
}

HIDDEN char *strcpy(char *to, const char *from)
{
	size_t i = 0;

	do
		((volatile char *)to)[i] = from[i];
	while (from[i++]);
	return to;
}

HIDDEN char *strncpy(char *to, const char *from, size_t bytes)
{
	size_t i = 0;

	for (; i < bytes && from[i]; i++)
		((volatile char *)to)[i] = from[i];
	for (; i < bytes; i++)
		((volatile char *)to)[i] = '\0';
	return to;
}

/* Ours. */
LATE(int, dl_iterate_phdr, (int (*each)(struct dl_phdr_info *, size_t, void *), void *arg), (each, arg))
LATE(pid_t, __fork, (void), ())
LATE(int, __sigaction, (int number, const struct sigaction *action, struct sigaction *ret_old),
     (number, action, ret_old))
LATE(int, pthread_attr_getsigmask_np, (const pthread_attr_t *how, sigset_t *ret), (how, ret))
LATE(int, posix_spawnattr_init, (posix_spawnattr_t *how), (how))
LATE(int, posix_spawnattr_getflags, (const posix_spawnattr_t *how, short *ret), (how, ret))
LATE(int, posix_spawnattr_setflags, (posix_spawnattr_t *how, short flags), (how, flags))
LATE(int, posix_spawnattr_setsigmask, (posix_spawnattr_t *how, const sigset_t *set), (how, set))
LATE(int, sigemptyset, (sigset_t *set), (set))
LATE(int, sigaddset, (sigset_t *set, int number), (set, number))
LATE(int, sigdelset, (sigset_t *set, int number), (set, number))
LATE(int, sigismember, (const sigset_t *set, int number), (set, number))
LATE(const char *, strerrordesc_np, (int number), (number))
