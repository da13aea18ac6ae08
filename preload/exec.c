/* SPDX-License-Identifier: MIT */
/*
 * exec.c - a program started by another inherits its mask and what it ignores
 *
 * Of SIGBUS and SIGSEGV the kernel doesn't know what the program believes (belief.h,
 * front.h). It is told right before the exec, and after one that failed it is told
 * otherwise again. In a process that neither believes one blocked nor ignores one,
 * these end in libc's call.
 *
 * Pitfalls.
 * 1. Whom the kernel believes to ignore a fault it kills: only a process of one
 *    thread ignores really, for the moment before it execs. Threads would end
 *    with an exec that succeeds; what they do in that moment is theirs.
 * 2. Callers are often children of vfork(): these records are their parent's.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/act/belief.h"
#include "core/act/front.h"
#include "core/act/writers.h"
#include "preload/call.h"
#include "preload/read.h"
#include "preload/signal.h"

static struct {
	int (*execve)(const char *, char *const *, char *const *);
	int (*execveat)(int, const char *, char *const *, char *const *, int);
	int (*execv)(const char *, char *const *);
	int (*execvp)(const char *, char *const *);
	int (*execvpe)(const char *, char *const *, char *const *);
	int (*fexecve)(int, char *const *, char *const *);
	int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		     const posix_spawnattr_t *, char *const *, char *const *);
	int (*spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		      const posix_spawnattr_t *, char *const *, char *const *);
} real;

void preload_exec_find(void)
{
	REAL(execve, "execve");
	REAL(execveat, "execveat");
	REAL(execv, "execv");
	REAL(execvp, "execvp");
	REAL(execvpe, "execvpe");
	REAL(fexecve, "fexecve");
	REAL(spawn, "posix_spawn");
	REAL(spawnp, "posix_spawnp");
}

struct handover {
	uint64_t blocked, old;
	uint64_t ignored;
};

static void hand_over(struct handover *h)
{
	h->blocked = belief_at((uintptr_t)__builtin_frame_address(0));
	h->ignored = front_ignored();
	if (h->blocked)
		sys_sigmask(SIG_BLOCK, &h->blocked, &h->old);
	if (h->ignored && !belief_is_borrowed() && !writers_are_one())
		h->ignored = 0;
	for (int number = 1; number <= SIGSEGV; number++)
		if (h->ignored >> (number - 1) & 1)
			front_pass_on(number, true);
}

static int take_back(const struct handover *h, int value)
{
	const int kept = errno;

	for (int number = 1; number <= SIGSEGV; number++)
		if (h->ignored >> (number - 1) & 1)
			front_pass_on(number, false);
	if (h->blocked)
		sys_sigmask(SIG_SETMASK, &h->old, NULL);
	errno = kept;
	return value;
}

#define HANDING_OVER(call)                                                                   \
	({                                                                                   \
		struct handover h_;                                                          \
		hand_over(&h_);                                                              \
		take_back(&h_, call);                                                 \
	})

static int execve_now(const char *path, char *const argv[], char *const envp[])
{
	if (real.execve)
		return real.execve(path, argv, envp);
	return (int)call_value(sys_call(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0));
}

HRESV_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return HANDING_OVER(execve_now(path, argv, envp));
}

static int execveat_now(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	if (real.execveat)
		return real.execveat(dir, path, argv, envp, flags);
	return (int)call_value(sys_call(SYS_execveat, dir, (long)path, (long)argv, (long)envp,
					flags, 0));
}

HRESV_EXPORT int execveat(int dir, const char *path, char *const argv[], char *const envp[],
			  int flags)
{
	return HANDING_OVER(execveat_now(dir, path, argv, envp, flags));
}

/* A library linked -z initfirst may start before us, and start programs. */
static void find_if_needed(void)
{
	if (!real.spawn)
		preload_exec_find();
}

static int not_found(void)
{
	errno = ENOSYS;
	return -1;
}

HRESV_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	find_if_needed();
	return HANDING_OVER(real.fexecve ? real.fexecve(fd, argv, envp) : not_found());
}

HRESV_EXPORT int execvpe(const char *name, char *const argv[], char *const envp[])
{
	find_if_needed();
	return HANDING_OVER(real.execvpe ? real.execvpe(name, argv, envp) : not_found());
}

HRESV_EXPORT int execv(const char *path, char *const argv[])
{
	return HANDING_OVER(real.execv ? real.execv(path, argv) : execve_now(path, argv, environ));
}

HRESV_EXPORT int execvp(const char *name, char *const argv[])
{
	find_if_needed();
	return HANDING_OVER(real.execvp ? real.execvp(name, argv) : not_found());
}

/* The words from @first to the NULL behind them; @more is left behind that. */
static size_t count_words(const char *first, va_list more)
{
	size_t n = 0;

	for (const char *word = first; word; word = va_arg(more, const char *))
		n++;
	return n;
}

static void take_words(char **argv, const char *first, va_list more)
{
	size_t n = 0;

	for (const char *word = first; word; word = va_arg(more, const char *))
		argv[n++] = (char *)(uintptr_t)word;
	argv[n] = NULL;
}

/* On the caller's stack, as malloc isn't for a child of vfork(). */
#define WORDS(argv, first, more)                                                             \
	do {                                                                                 \
		va_list count_;                                                              \
		va_copy(count_, more);                                                       \
		argv = __builtin_alloca((count_words(first, count_) + 1) * sizeof(char *));  \
		va_end(count_);                                                              \
		take_words(argv, first, more);                                               \
	} while (0)

HRESV_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list more;
	char **argv;

	va_start(more, first);
	WORDS(argv, first, more);
	va_end(more);
	return execv(path, argv);
}

HRESV_EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list more;
	char **argv;

	va_start(more, first);
	WORDS(argv, first, more);
	va_end(more);
	return execvp(name, argv);
}

HRESV_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list more, again;
	char **argv, *const *envp;

	va_start(more, first);
	va_copy(again, more);
	WORDS(argv, first, more);
	count_words(first, again);
	va_end(more);
	envp = va_arg(again, char *const *);
	va_end(again);
	return execve(path, argv, envp);
}

/*
 * The child's mask can be told by an attribute. A copy of the program's is used:
 * glibc's holds nothing that a copy would have to own.
 */
static const posix_spawnattr_t *with_mask(const posix_spawnattr_t *attr, posix_spawnattr_t *room)
{
	const uint64_t blocked = belief_at((uintptr_t)__builtin_frame_address(0));
	uint64_t mask = 0;
	short flags = 0;
	sigset_t set;

	if (!blocked || (attr && (posix_spawnattr_getflags(attr, &flags) ||
				  (flags & POSIX_SPAWN_SETSIGMASK))))
		return attr;
	if (attr)
		*room = *attr;
	else
		posix_spawnattr_init(room);
	sys_sigmask(SIG_BLOCK, NULL, &mask);
	signal_mask_to(&set, mask | blocked);
	posix_spawnattr_setsigmask(room, &set);
	posix_spawnattr_setflags(room, (short)(flags | POSIX_SPAWN_SETSIGMASK));
	return room;
}

HRESV_EXPORT int posix_spawn(pid_t *ret_pid, const char *path,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	posix_spawnattr_t room;

	find_if_needed();
	if (!real.spawn)
		return ENOSYS;
	return real.spawn(ret_pid, path, actions, with_mask(attr, &room), argv, envp);
}

HRESV_EXPORT int posix_spawnp(pid_t *ret_pid, const char *name,
			      const posix_spawn_file_actions_t *actions,
			      const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	posix_spawnattr_t room;

	find_if_needed();
	if (!real.spawnp)
		return ENOSYS;
	return real.spawnp(ret_pid, name, actions, with_mask(attr, &room), argv, envp);
}
