/* SPDX-License-Identifier: MIT */
/*
 * mask.c - every call that changes a signal mask, for good or while it waits
 *
 * SIGBUS and SIGSEGV never reach the kernel's mask (core/act/belief.h). A call that
 * names neither, in a thread that believes neither blocked, ends in the same system
 * call as libc's. What waits is a cancellation point: libc's own is called.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "core/act/belief.h"
#include "core/act/front.h"
#include "core/base/peek.h"
#include "core/facts/conf.h"
#include "preload/call.h"
#include "preload/read.h"
#include "preload/signal.h"

#define OLDEST_SIGNAL_OF_LIBC 32	/* 32 and 33 are its own: masks never hold them */
#define SIGNALS_OF_LIBC ((uint64_t)3 << (OLDEST_SIGNAL_OF_LIBC - 1))

#ifndef SIG_HOLD
#define SIG_HOLD ((sighandler_t)2)
#endif

static struct {
	int (*suspend)(const sigset_t *);
	int (*poll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
	int (*select)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
	int (*epoll)(int, struct epoll_event *, int, int, const sigset_t *);
	int (*epoll2)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
	int (*wait)(const sigset_t *, int *);
	int (*wait_info)(const sigset_t *, siginfo_t *);
	int (*wait_timed)(const sigset_t *, siginfo_t *, const struct timespec *);
} real;

extern void __chk_fail(void) __attribute__((noreturn));

/* Declared under other names, or by other headers than ours. */
int hresv_default_sigpause(int mask) __asm__("sigpause");
int hresv_xpg_sigpause(int number) __asm__("__xpg_sigpause");
int __sigpause(int number_or_mask, int is_number);
int __sigsuspend(const sigset_t *set);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *limit, const sigset_t *set,
		size_t room);
int epoll_pwait2(int fd, struct epoll_event *events, int most, const struct timespec *limit,
		 const sigset_t *set);

void preload_mask_find(void)
{
	REAL(suspend, "sigsuspend");
	REAL(poll, "ppoll");
	REAL(select, "pselect");
	REAL(epoll, "epoll_pwait");
	REAL(epoll2, "epoll_pwait2");
	REAL(wait, "sigwait");
	REAL(wait_info, "sigwaitinfo");
	REAL(wait_timed, "sigtimedwait");
}

static bool is_active(void)
{
	const struct conf *conf = conf_get();

	return conf && conf->active;
}

/*
 * What only seems blocked must meet our handler, which keeps it pending. So the first
 * that blocks SIGBUS puts it there; SIGSEGV's stays away until it is needed, as
 * runtimes live of that signal.
 */
static void arm_for(uint64_t mask)
{
	if (mask & (uint64_t)1 << (SIGBUS - 1))
		front_arm(SIGBUS);
}

static bool is_how(int how)
{
	return how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK;
}

/* @set and @ret_old are ours. A wrong @how is the kernel's to refuse, nothing has changed. */
static long set_mask(int how, const uint64_t *set, uint64_t *ret_old)
{
	if (!is_active() || (set && !is_how(how)))
		return sys_sigmask(how, set, ret_old);
	if (set && how != SIG_UNBLOCK)
		arm_for(*set);
	return belief_mask(how, set, ret_old);
}

/* The kernel finds out whether it can be written to, when all else is done: as it does itself. */
static long give_old(uint64_t *ret_old, uint64_t old)
{
	const struct iovec place = { ret_old, sizeof(*ret_old) };
	long err = sys_sigmask(SIG_BLOCK, NULL, ret_old);

	if (err == -EFAULT && preload_helped(&place, 1))
		err = sys_sigmask(SIG_BLOCK, NULL, ret_old);
	if (!err)
		*ret_old = old;
	return err;
}

/* Some ask by a wrong @how, or by a set that can't be read, whether an address can be read. */
long preload_mask_raw(int how, const uint64_t *set, uint64_t *ret_old)
{
	uint64_t wish, old;
	long err;

	if (!is_active() || (set && !is_how(how)))
		return sys_sigmask(how, set, ret_old);
	if (set && peek(&wish, set, sizeof(wish)) != 0)
		return -EFAULT;
	err = set_mask(how, set ? &wish : NULL, &old);
	return err || !ret_old ? err : give_old(ret_old, old);
}

static long change_mask(int how, const sigset_t *set, sigset_t *ret_old)
{
	uint64_t wish = 0, old = 0;
	long err;

	if (set)
		wish = signal_mask_of(set);
	if (how != SIG_UNBLOCK)
		wish &= ~SIGNALS_OF_LIBC;
	err = set_mask(how, set ? &wish : NULL, &old);
	if (!err && ret_old)
		signal_mask_to(ret_old, old);
	return err;
}

HRESV_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *ret_old)
{
	return (int)call_value(change_mask(how, set, ret_old));
}

HRESV_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_old)
{
	return (int)-change_mask(how, set, ret_old);
}

/* System V's and BSD's, all made of the above. */

static int change_one(int how, int number, sigset_t *ret_old)
{
	sigset_t one;

	sigemptyset(&one);
	if (sigaddset(&one, number) != 0)
		return -1;
	return sigprocmask(how, &one, ret_old);
}

HRESV_EXPORT int sighold(int number)
{
	return change_one(SIG_BLOCK, number, NULL);
}

HRESV_EXPORT int sigrelse(int number)
{
	return change_one(SIG_UNBLOCK, number, NULL);
}

HRESV_EXPORT int sigignore(int number)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	return sigaction(number, &ignore, NULL);
}

HRESV_EXPORT sighandler_t sigset(int number, sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler }, old;
	sigset_t mask;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (handler == SIG_HOLD) {
		if (change_one(SIG_BLOCK, number, &mask) != 0)
			return SIG_ERR;
		if (sigismember(&mask, number))
			return SIG_HOLD;
		return sigaction(number, NULL, &old) ? SIG_ERR : old.sa_handler;
	}
	if (sigaction(number, &action, &old) != 0 || change_one(SIG_UNBLOCK, number, &mask) != 0)
		return SIG_ERR;
	return sigismember(&mask, number) ? SIG_HOLD : old.sa_handler;
}

static int change_word(int how, unsigned word)
{
	sigset_t set, old = { 0 };

	signal_mask_to(&set, word);
	return sigprocmask(how, &set, &old) ? -1 : (int)signal_mask_of(&old);
}

HRESV_EXPORT int sigblock(int mask)
{
	return change_word(SIG_BLOCK, (unsigned)mask);
}

HRESV_EXPORT int sigsetmask(int mask)
{
	return change_word(SIG_SETMASK, (unsigned)mask);
}

HRESV_EXPORT int siggetmask(void)
{
	return change_word(SIG_BLOCK, 0);
}

/* Calls that wait with a mask of their own. */

/* A mask that can't be read is the kernel's to refuse. */
static bool passes_by(const sigset_t *set, uint64_t *ret_wish)
{
	return !set || !is_active() || peek(ret_wish, set, sizeof(*ret_wish)) != 0;
}

/* @call with @kernel, what the kernel shall get for @wish; the call's value, errno kept. */
#define WAITING(wish, kernel, call)                                                          \
	({                                                                                   \
		struct belief_wait wait_;                                                    \
		sigset_t kernel_, *kernel = &kernel_;                                        \
		int value_, errno_;                                                          \
		arm_for(wish);                                                               \
		belief_wait_begin(&wait_, &(wish));                                          \
		signal_mask_to(&kernel_, wait_.pass);                                        \
		value_ = (int)(call);                                                        \
		errno_ = errno;                                                              \
		belief_wait_end(&wait_);                                                     \
		errno = errno_;                                                              \
		value_;                                                                      \
	})

static int suspend(const sigset_t *set)
{
	if (real.suspend)
		return real.suspend(set);
	return (int)call_value(sys_call(SYS_rt_sigsuspend, (long)set, 8, 0, 0, 0, 0));
}

HRESV_EXPORT int sigsuspend(const sigset_t *set)
{
	uint64_t wish;

	if (passes_by(set, &wish))
		return suspend(set);
	return WAITING(wish, pass, suspend(pass));
}

HRESV_EXPORT int __sigsuspend(const sigset_t *set)
{
	return sigsuspend(set);
}

HRESV_EXPORT int __sigpause(int number_or_mask, int is_number)
{
	sigset_t set;

	signal_mask_to(&set, (unsigned)number_or_mask);
	if (is_number && (sigprocmask(SIG_BLOCK, NULL, &set) || sigdelset(&set, number_or_mask)))
		return -1;
	return sigsuspend(&set);
}

HRESV_EXPORT int hresv_default_sigpause(int mask)
{
	return __sigpause(mask, 0);
}

HRESV_EXPORT int hresv_xpg_sigpause(int number)
{
	return __sigpause(number, 1);
}

/* Before our constructor ran nothing can have been blocked: the kernel gets it all. */
static int poll_now(struct pollfd *fds, nfds_t n, const struct timespec *limit, const sigset_t *set)
{
	struct timespec left;

	if (real.poll)
		return AGAIN(real.poll(fds, n, limit, set),
			     (&(struct iovec){ fds, n * sizeof(*fds) }), 1);
	if (limit)
		left = *limit;
	return (int)call_value(sys_call(SYS_ppoll, (long)fds, (long)n, limit ? (long)&left : 0,
					(long)set, 8, 0));
}

HRESV_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *limit,
		       const sigset_t *set)
{
	uint64_t wish;

	if (passes_by(set, &wish))
		return poll_now(fds, n, limit, set);
	return WAITING(wish, pass, poll_now(fds, n, limit, pass));
}

HRESV_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *limit,
			     const sigset_t *set, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return ppoll(fds, n, limit, set);
}

static int select_now(int n, fd_set *in, fd_set *out, fd_set *bad, const struct timespec *limit,
		      const sigset_t *set)
{
	const struct { const sigset_t *set; size_t bytes; } both = { set, 8 };
	struct timespec left;

	if (real.select)
		return real.select(n, in, out, bad, limit, set);
	if (limit)
		left = *limit;
	return (int)call_value(sys_call(SYS_pselect6, n, (long)in, (long)out, (long)bad,
					limit ? (long)&left : 0, (long)&both));
}

HRESV_EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *bad, const struct timespec *limit,
			 const sigset_t *set)
{
	uint64_t wish;

	if (passes_by(set, &wish))
		return select_now(n, in, out, bad, limit, set);
	return WAITING(wish, pass, select_now(n, in, out, bad, limit, pass));
}

#define ROOM(events, most)                                                                   \
	(&(struct iovec){ events, (most) > 0 ? (size_t)(most) * sizeof(*(events)) : 0 })

static int epoll_now(int fd, struct epoll_event *events, int most, int limit, const sigset_t *set)
{
	if (real.epoll)
		return AGAIN(real.epoll(fd, events, most, limit, set), ROOM(events, most), 1);
	return (int)call_value(sys_call(SYS_epoll_pwait, fd, (long)events, most, limit, (long)set, 8));
}

HRESV_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int most, int limit,
			     const sigset_t *set)
{
	uint64_t wish;

	if (passes_by(set, &wish))
		return epoll_now(fd, events, most, limit, set);
	return WAITING(wish, pass, epoll_now(fd, events, most, limit, pass));
}

/* Where libc has no such function no program can call it either. */
static int epoll2_now(int fd, struct epoll_event *events, int most, const struct timespec *limit,
		      const sigset_t *set)
{
	if (real.epoll2)
		return AGAIN(real.epoll2(fd, events, most, limit, set), ROOM(events, most), 1);
	errno = ENOSYS;
	return -1;
}

HRESV_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int most,
			      const struct timespec *limit, const sigset_t *set)
{
	uint64_t wish;

	if (passes_by(set, &wish))
		return epoll2_now(fd, events, most, limit, set);
	return WAITING(wish, pass, epoll2_now(fd, events, most, limit, pass));
}

/* Calls that take what is pending: it need not be blocked any more. */

HRESV_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *limit)
{
	int got;

	if (real.wait_timed)
		got = real.wait_timed(set, info, limit);
	else
		got = (int)call_value(sys_call(SYS_rt_sigtimedwait, (long)set, (long)info,
					       (long)limit, 8, 0, 0));
	belief_settle();
	return got;
}

HRESV_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	int got;

	if (!real.wait_info)
		return sigtimedwait(set, info, NULL);
	got = real.wait_info(set, info);
	belief_settle();
	return got;
}

HRESV_EXPORT int sigwait(const sigset_t *set, int *ret_number)
{
	int got = EINTR;

	if (real.wait) {
		got = real.wait(set, ret_number);
		belief_settle();
		return got;
	}
	while ((got = sigwaitinfo(set, NULL)) < 0 && errno == EINTR)
		;
	if (got < 0)
		return errno;
	*ret_number = got;
	return 0;
}
