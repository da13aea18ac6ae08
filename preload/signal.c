/* SPDX-License-Identifier: MIT */
/*
 * signal.c - sigaction, signal and their kind; the masks are mask.c's
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
#include "preload/real.h"
#include "preload/signal.h"

/* Declared by some standards' headers alone. */
sighandler_t bsd_signal(int number, sighandler_t handler);

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

static struct sys_action to_kernel(const struct sigaction *a)
{
	return (struct sys_action){
		.handler = a->sa_handler,
		.flags = (unsigned long)(unsigned)a->sa_flags,
		.mask = signal_mask_of(&a->sa_mask),
	};
}

static void from_kernel(const struct sys_action *k, struct sigaction *ret)
{
	ret->sa_handler = k->handler;
	ret->sa_flags = (int)k->flags;
	ret->sa_restorer = k->restorer;
	signal_mask_to(&ret->sa_mask, k->mask);
}

static bool is_fronted(int number)
{
	return number == SIGBUS || number == SIGSEGV;
}

static int (*real_sigaction)(int number, const struct sigaction *action, struct sigaction *ret_old);

/* One of the two, or a mask with one of them, now or before. */
static bool concerns_us(int number, const struct sigaction *action)
{
	return is_fronted(number) || front_has_noted(number) ||
	       (action && (signal_mask_of(&action->sa_mask) & FRONT_MASK));
}

HRESV_EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *ret_old)
{
	struct sys_action wish, old;
	long err;

	if (!concerns_us(number, action))
		return (real_sigaction ? real_sigaction : __sigaction)(number, action, ret_old);
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

/* Signals whose handlers siginterrupt() wants to cut system calls short. */
static uint64_t interrupting;

static sighandler_t (*real_signal)(int number, sighandler_t handler);
static int (*real_siginterrupt)(int number, int flag);

void preload_signal_find(void)
{
	real_sigaction = (int (*)(int, const struct sigaction *, struct sigaction *))(uintptr_t)
		real_behind("sigaction");
	real_signal = (sighandler_t (*)(int, sighandler_t))(uintptr_t)real_behind("signal");
	real_siginterrupt = (int (*)(int, int))(uintptr_t)real_behind("siginterrupt");
}

HRESV_EXPORT sighandler_t signal(int number, sighandler_t handler)
{
	const bool cut = is_fronted(number) && (interrupting >> (number - 1) & 1);

	if (!is_fronted(number) && real_signal)
		return real_signal(number, handler);	/* it knows of siginterrupt() */
	return set_handler(number, handler, cut ? 0 : SA_RESTART);
}

HRESV_EXPORT sighandler_t bsd_signal(int number, sighandler_t handler)
{
	return signal(number, handler);
}

HRESV_EXPORT sighandler_t ssignal(int number, sighandler_t handler)
{
	return signal(number, handler);
}

HRESV_EXPORT int siginterrupt(int number, int flag)
{
	const uint64_t it = (uint64_t)1 << ((number - 1) & 63);
	struct sigaction action;

	if (!is_fronted(number) && real_siginterrupt)
		return real_siginterrupt(number, flag);
	if (sigaction(number, NULL, &action) != 0)
		return -1;
	interrupting = flag ? interrupting | it : interrupting & ~it;
	action.sa_flags = flag ? action.sa_flags & ~SA_RESTART : action.sa_flags | SA_RESTART;
	return sigaction(number, &action, NULL);
}

HRESV_EXPORT sighandler_t sysv_signal(int number, sighandler_t handler)
{
	return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

HRESV_EXPORT sighandler_t __sysv_signal(int number, sighandler_t handler)
{
	return set_handler(number, handler, (int)(SA_RESETHAND | SA_NODEFER));
}
