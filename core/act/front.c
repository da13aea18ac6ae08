/* SPDX-License-Identifier: MIT */
/*
 * front.c - catch, mend, or hand on unchanged
 *
 * Pitfalls.
 * 1. The kernel kills a process whose fault signal is blocked or ignored. Our
 *    handlers therefore run with SA_NODEFER and masks without these two; what
 *    the program believes to be blocked is kept beside (belief.h).
 * 2. A handler that leaves by siglongjmp() never returns here, and whether we are
 *    still inside can only be guessed (belief.c); so a fault inside a handler, for
 *    which the kernel kills at once, kills when it has come NESTED_MOST times.
 * 3. Faults happen in any thread, in handlers and between the two writes of an
 *    update: readers of the program's action go by a sequence number, and the
 *    update touches none of the program's memory.
 */
#include "core/act/front.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "core/act/altstack.h"
#include "core/act/belief.h"
#include "core/act/rescue.h"
#include "core/base/lock.h"

#define SIGNALS 64
#define NESTED_MOST 4

struct fronted {
	bool armed;
	uint32_t sequence;		/* odd while program is being written */
	struct sys_action program;
};

/*
 * lock guards the writing of all this. System calls are made under it, no other
 * lock is taken. Held with signals held back. fork renews it.
 */
static struct {
	struct lock lock;
	struct fronted bus, segv;
	uint64_t masked[2];		/* signals whose handlers believe these blocked */
} front = { .lock = LOCK_INIT(LOCK_FRONT) };

static uint64_t bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

static struct fronted *fronted(int number)
{
	if (number == SIGBUS)
		return &front.bus;
	return number == SIGSEGV ? &front.segv : NULL;
}

static uint64_t *masked_set(uint64_t which)
{
	return &front.masked[which == bit(SIGSEGV)];
}

static struct sys_action snapshot(const struct fronted *f)
{
	struct sys_action copy;
	uint32_t before, after;

	do {
		before = __atomic_load_n(&f->sequence, __ATOMIC_ACQUIRE);
		copy = f->program;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&f->sequence, __ATOMIC_RELAXED);
	} while (before != after || (before & 1));
	return copy;
}

static void remember(struct fronted *f, const struct sys_action *action)
{
	__atomic_fetch_add(&f->sequence, 1, __ATOMIC_ACQ_REL);
	f->program = *action;
	__atomic_fetch_add(&f->sequence, 1, __ATOMIC_RELEASE);
}

/* Not raised for what this thread does just now: it would not come again. */
static bool is_sent(int number, int code)
{
	return code <= 0 || (number == SIGBUS && code == BUS_MCEERR_AO);
}

static void die(int number, siginfo_t *info)
{
	const struct sys_action plain = { .handler = SIG_DFL };

	sys_sigaction(number, &plain, NULL);
	if (is_sent(number, info->si_code))
		sys_sigqueue_self(number, info);
}

static void hand_on(struct fronted *f, int number, siginfo_t *info, ucontext_t *uc)
{
	struct sys_action action = snapshot(f);
	const bool sent = is_sent(number, info->si_code);
	const uint64_t blocked = belief_at(altstack_interrupted(uc));
	struct belief_inside *mine = belief_inside(number), outer = *mine;
	const bool here = altstack_stays(&action, uc);
	volatile uint64_t mark;
	uint64_t base;

	if (sent && (blocked & bit(number))) {
		belief_keep(number, info, uc);
		return;
	}
	if (sent && action.handler == SIG_IGN)
		return;
	if (action.handler == SIG_DFL || action.handler == SIG_IGN ||
	    (!(action.flags & SA_NODEFER) && outer.nested == NESTED_MOST)) {
		die(number, info);
		return;
	}
	if (action.flags & SA_RESETHAND) {
		struct sys_action reset = action;

		reset.handler = SIG_DFL;
		remember(f, &reset);
	}
	mark = (uintptr_t)&mark ^ sys_now_ns();
	*mine = (struct belief_inside){
		.frame = here ? (uintptr_t)__builtin_frame_address(0) : altstack_interrupted(uc),
		.mark = here ? &mark : NULL,
		.marked = mark,
		.blocks = (action.mask & FRONT_MASK) | (action.flags & SA_NODEFER ? 0 : bit(number)),
		.nested = outer.frame ? outer.nested + 1 : 0,
	};
	base = belief_show(uc, blocked);
	altstack_call(&action, number, info, uc);
	*mine = outer;
	mark = 0;
	belief_take(uc, blocked, base);
}

static void caught(int number, siginfo_t *info, void *context)
{
	struct fronted *f = fronted(number);

	if (!is_sent(number, info->si_code) &&
	    rescue_mends(number, info->si_code, (uintptr_t)info->si_addr))
		return;
	hand_on(f, number, info, context);
}

static struct sys_action ours(const struct sys_action *program)
{
	return (struct sys_action){
		.handler = (void (*)(int))(uintptr_t)caught,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (program->flags & SA_RESTART),
		.mask = program->mask & ~FRONT_MASK,
	};
}

bool front_arm(int number)
{
	struct fronted *f = fronted(number);
	struct sys_action program, mine;
	struct quiet q;
	bool armed;

	if (__atomic_load_n(&f->armed, __ATOMIC_ACQUIRE))
		return true;
	/* A child of vfork() would arm its own table of actions, and say so of its parent's. */
	if (belief_is_borrowed())
		return false;
	quiet_enter(&q);
	lock_take(&front.lock);
	armed = f->armed;
	if (!armed && sys_sigaction(number, NULL, &program) == 0) {
		if (*masked_set(bit(SIGBUS)) & bit(number))
			program.mask |= bit(SIGBUS);
		if (*masked_set(bit(SIGSEGV)) & bit(number))
			program.mask |= bit(SIGSEGV);
		remember(f, &program);
		mine = ours(&program);
		armed = sys_sigaction(number, &mine, NULL) == 0;
		__atomic_store_n(&f->armed, armed, __ATOMIC_RELEASE);
	}
	lock_drop(&front.lock);
	quiet_leave(&q);
	return armed;
}

static void note_masked(int number, uint64_t mask)
{
	for (uint64_t which = bit(SIGBUS); which; which = which == bit(SIGBUS) ? bit(SIGSEGV) : 0) {
		uint64_t *set = masked_set(which);

		__atomic_store_n(set, mask & which ? *set | bit(number) : *set & ~bit(number),
				 __ATOMIC_RELAXED);
	}
}

static uint64_t noted_mask(int number)
{
	const uint64_t bus = __atomic_load_n(&front.masked[0], __ATOMIC_RELAXED);
	const uint64_t segv = __atomic_load_n(&front.masked[1], __ATOMIC_RELAXED);

	return (bus & bit(number) ? bit(SIGBUS) : 0) | (segv & bit(number) ? bit(SIGSEGV) : 0);
}

/*
 * By a child of vfork(): its table of actions is its own, our record of them is its
 * parent's. All that counts is what an exec passes on: ignored or not.
 */
static long change_borrowed(int number, const struct sys_action *action)
{
	struct sys_action mine;

	if (!action)
		return 0;
	mine = action->handler == SIG_IGN ? *action : ours(action);
	return sys_sigaction(number, &mine, NULL);
}

bool front_has_noted(int number)
{
	return number >= 1 && number <= SIGNALS && noted_mask(number);
}

static long change(int number, const struct sys_action *action, struct sys_action *old)
{
	struct fronted *f = fronted(number);
	struct sys_action to_kernel;
	long err = 0;

	if (f && f->armed && belief_is_borrowed()) {
		*old = f->program;
		return change_borrowed(number, action);
	}
	if (f && f->armed) {
		*old = f->program;
		if (action) {
			to_kernel = ours(action);
			err = sys_sigaction(number, &to_kernel, NULL);
		}
		if (action && !err)
			remember(f, action);
		return err;
	}
	if (action) {
		to_kernel = *action;
		to_kernel.mask &= ~FRONT_MASK;
	}
	err = sys_sigaction(number, action ? &to_kernel : NULL, old);
	if (!err) {
		old->mask |= noted_mask(number);
		if (action && ((action->mask ^ old->mask) & FRONT_MASK) && !belief_is_borrowed())
			note_masked(number, action->mask);
	}
	return err;
}

long front_action(int number, const struct sys_action *action, struct sys_action *ret_old)
{
	struct sys_action wish, old = { 0 };
	struct quiet q;
	long err;

	if (number < 1 || number > SIGNALS)
		return -EINVAL;
	if (action)
		wish = *action;
	quiet_enter(&q);
	lock_take(&front.lock);
	err = change(number, action ? &wish : NULL, &old);
	lock_drop(&front.lock);
	quiet_leave(&q);
	if (!err && ret_old)
		*ret_old = old;
	return err;
}

uint64_t front_ignored(void)
{
	uint64_t ignored = 0;

	if (__atomic_load_n(&front.bus.armed, __ATOMIC_ACQUIRE) &&
	    snapshot(&front.bus).handler == SIG_IGN)
		ignored |= bit(SIGBUS);
	if (__atomic_load_n(&front.segv.armed, __ATOMIC_ACQUIRE) &&
	    snapshot(&front.segv).handler == SIG_IGN)
		ignored |= bit(SIGSEGV);
	return ignored;
}

void front_pass_on(int number, bool on)
{
	struct sys_action action = { .handler = SIG_IGN };

	if (!on)
		action = ours(&fronted(number)->program);
	sys_sigaction(number, &action, NULL);
}

void front_freeze(void)
{
	lock_take(&front.lock);
}

void front_thaw(void)
{
	lock_drop(&front.lock);
}

void front_renew(void)
{
	lock_renew(&front.lock);
}
