/* SPDX-License-Identifier: MIT */
/*
 * fork.c - every way to a second process that copies the memory of the first
 *
 * The policy (core/fork.h) is in handlers registered with libc, so that libc's own
 * forks run it too: daemon, forkpty. vfork, posix_spawn, system and popen share
 * the parent's memory until the child execs, and need nothing.
 *
 * Pitfalls.
 * 1. libc runs prepare handlers last registered first, and ours must run last:
 *    who waits at our closed gate may hold a lock that another handler wants.
 *    So they are registered by the first constructor that runs at all: the
 *    library is linked -z initfirst.
 * 2. _Fork() runs no handlers, and may be called in a signal handler. What lies
 *    behind our name is found in libc's symbol table when we start: dlsym() takes
 *    locks, and would be heard of.
 * 3. clone() returns in the child on another stack, by calling a function.
 */
#include "core/fork.h"

#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/base/peek.h"
#include "preload/call.h"
#include "preload/fork.h"
#include "preload/real.h"
#include "preload/vfork.h"

/* glibc's other names for its own. */
extern pid_t __fork(void);
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *owner);
extern int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...);

static struct {
	pid_t (*fork)(void);
	pid_t (*bare_fork)(void);
} forks;

void preload_fork_find(void)
{
	forks.fork = (pid_t (*)(void))(uintptr_t)real_behind("fork");
	forks.bare_fork = (pid_t (*)(void))(uintptr_t)real_behind("_Fork");
	__register_atfork(NULL, NULL, vfork_forget, NULL);
}

HRESV_EXPORT pid_t fork(void)
{
	if (fork_is_refused()) {
		errno = ENOMEM;
		return -1;
	}
	return forks.fork ? forks.fork() : __fork();
}

/* Where libc has no such function no program can call it either. */
HRESV_EXPORT pid_t _Fork(void)
{
	pid_t pid;

	if (!forks.bare_fork)
		preload_fork_find();
	if (!forks.bare_fork) {
		errno = ENOSYS;
		return -1;
	}
	if (fork_is_refused()) {
		errno = ENOMEM;
		return -1;
	}
	fork_prepare();
	pid = forks.bare_fork();
	if (pid == 0) {
		fork_child();
		vfork_forget();
	} else {
		fork_parent();
	}
	return pid;
}

struct start {
	int (*run)(void *);
	void *arg;
	struct vfork vfork;
};

static int run_in_child(void *arg)
{
	const struct start s = *(const struct start *)arg;

	fork_child();
	vfork_child(&s.vfork);
	return s.run(s.arg);
}

HRESV_EXPORT int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	struct start s = { .run = run, .arg = arg };
	unsigned long kept = (unsigned)flags;
	pid_t *parent_tid, *child_tid;
	va_list more;
	void *tls;
	int pid;

	va_start(more, arg);
	parent_tid = va_arg(more, pid_t *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, pid_t *);
	va_end(more);
	if ((flags & CLONE_VM) || !run || !stack)
		return __clone(run, stack, flags, arg, parent_tid, tls, child_tid);
	if (fork_is_refused()) {
		errno = ENOMEM;
		return -1;
	}
	s.vfork = vfork_begin(&kept);
	fork_prepare_flags(kept);
	pid = __clone(run_in_child, stack, (int)kept, &s, parent_tid, tls, child_tid);
	fork_parent();
	vfork_wait(&s.vfork, pid);
	return pid;
}

/*
 * syscall(2) with the number of a call that makes a process (syscall.c): 0:
 * no memory is copied, or the child gets a stack of its own and can't return
 * through us. The kernel gets it as it is.
 */
bool preload_fork_is_raw(long number, long first, long second)
{
	struct clone_args args;

	if (number == SYS_clone3)
		return second >= CLONE_ARGS_SIZE_VER0 &&
		       peek(&args, (const void *)first, CLONE_ARGS_SIZE_VER0) == 0 && !args.stack &&
		       !(args.flags & CLONE_VM);
	if (number == SYS_clone)
		return !(first & CLONE_VM) && !second;
	return true;
}

/* The arguments of clone3() without the flag; longer ones than we know are the kernel's business. */
static struct vfork begin_clone3(long *args, size_t bytes, struct clone_args *copy)
{
	struct vfork v = { -1, -1 };
	unsigned long flags;

	if (bytes > sizeof(*copy) || peek(copy, (const void *)*args, bytes) != 0)
		return v;
	flags = (unsigned long)copy->flags;
	v = vfork_begin(&flags);
	copy->flags = flags;
	if (v.read >= 0)
		*args = (long)copy;
	return v;
}

static unsigned long raw_flags(long number, long a)
{
	if (number == SYS_clone3)
		return (unsigned long)((const struct clone_args *)a)->flags;
	return number == SYS_clone ? (unsigned long)a : 0;
}

long preload_fork_raw(long number, long a, long b, long c, long d, long e)
{
	struct vfork v = { -1, -1 };
	struct clone_args copy;
	long pid;

	if (fork_is_refused())
		return call_value(-ENOMEM);
	if (number == SYS_clone)
		v = vfork_begin((unsigned long *)&a);
	else if (number == SYS_clone3)
		v = begin_clone3(&a, (size_t)b, &copy);
	fork_prepare_flags(raw_flags(number, a));
	pid = sys_call(number, a, b, c, d, e, 0);
	if (pid == 0) {
		fork_child();
		vfork_child(&v);
	} else {
		fork_parent();
		vfork_wait(&v, (pid_t)pid);
	}
	return call_value(pid);
}
