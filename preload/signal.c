/* SPDX-License-Identifier: MIT */
/*
 * signal.c - sigaction, signal, sigprocmask, pthread_sigmask
 *
 * What a program says of SIGBUS and SIGSEGV is kept by core/act/front.h, and its
 * masks go to the kernel without them. Calls that name neither, in a process
 * where nothing is fronted, end in the same system call as libc's.
 */
#include <signal.h>
#include <string.h>

#include "core/act/front.h"
#include "core/facts/conf.h"
#include "preload/call.h"

/* glibc's other name for its own. */
extern int __sigaction(int number, const struct sigaction *action, struct sigaction *ret_old);

#define OLDEST_SIGNAL_OF_LIBC 32	/* 32 and 33 are its own: it refuses them */
#define LATEST_SIGNAL_OF_LIBC 33
#define SIGNALS_OF_LIBC ((uint64_t)3 << (OLDEST_SIGNAL_OF_LIBC - 1))

static bool is_active(void)
{
	const struct conf *conf = conf_get();

	return conf && conf->active;
}

static uint64_t mask_of(const sigset_t *set)
{
	uint64_t mask;

	memcpy(&mask, set, sizeof(mask));
	return mask;
}

static void mask_to(sigset_t *set, uint64_t mask)
{
	memset(set, 0, sizeof(*set));
	memcpy(set, &mask, sizeof(mask));
}

static struct sys_action to_kernel(const struct sigaction *a)
{
	return (struct sys_action){
		.handler = a->sa_handler,
		.flags = (unsigned long)(unsigned)a->sa_flags,
		.mask = mask_of(&a->sa_mask),
	};
}

static void from_kernel(const struct sys_action *k, struct sigaction *ret)
{
	ret->sa_handler = k->handler;
	ret->sa_flags = (int)k->flags;
	ret->sa_restorer = k->restorer;
	mask_to(&ret->sa_mask, k->mask);
}

HRESV_EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *ret_old)
{
	struct sys_action wish, old;
	long err;

	if (!is_active() || (number >= OLDEST_SIGNAL_OF_LIBC && number <= LATEST_SIGNAL_OF_LIBC))
		return __sigaction(number, action, ret_old);
	if (action)
		wish = to_kernel(action);
	err = front_action(number, action ? &wish : NULL, &old);
	if (err == 0 && ret_old)
		from_kernel(&old, ret_old);
	return (int)call_value(err);
}

/* libc's signal() has BSD's meaning under every name but sysv_signal. */
static sighandler_t set_handler(int number, sighandler_t handler, int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags }, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (!(flags & SA_RESETHAND))
		sigaddset(&action.sa_mask, number);
	return sigaction(number, &action, &old) ? SIG_ERR : old.sa_handler;
}

static bool is_fronted(int number)
{
	return number == SIGBUS || number == SIGSEGV;
}

HRESV_EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	if (!is_fronted(number))
		return ssignal(number, handler);	/* it knows of siginterrupt() */
	return set_handler(number, handler, SA_RESTART);
}

HRESV_EXPORT sighandler_t sysv_signal(int number, sighandler_t handler)
{
	return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

HRESV_EXPORT sighandler_t __sysv_signal(int number, sighandler_t handler)
{
	return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

static long change_mask(int how, const sigset_t *set, sigset_t *ret_old)
{
	uint64_t wish = 0, old = 0;
	long err;

	if (set)
		wish = how == SIG_UNBLOCK ? mask_of(set) : mask_of(set) & ~SIGNALS_OF_LIBC;
	if (is_active())
		err = front_mask(how, set ? &wish : NULL, &old);
	else
		err = sys_sigmask(how, set ? &wish : NULL, &old);
	if (!err && ret_old)
		mask_to(ret_old, old);
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
