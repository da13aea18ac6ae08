/* SPDX-License-Identifier: MIT */
/*
 * front.c - catch, mend, or hand on unchanged
 *
 * Pitfalls.
 * 1. The kernel kills a process whose fault signal is blocked or ignored. Our
 *    handlers therefore run with SA_NODEFER and masks without these two; what
 *    the program believes to be blocked is kept beside (believed).
 * 2. A handler that leaves by siglongjmp() never returns here, and glibc puts
 *    the mask back behind our back. Whether its frame is still there can only be
 *    guessed (it is marked, and lies above); so a fault inside a handler, for
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
#include "core/act/rescue.h"
#include "core/base/lock.h"

#define SIGNALS 64
#define SAME_STACK ((uintptr_t)1 << 20)
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

/*
 * Of the calling thread: fronted signals it believes blocked, by sigprocmask() and
 * by being in a handler; the frames of its innermost handlers.
 */
static __thread uint64_t believed __attribute__((tls_model("initial-exec")));
static __thread struct inside {
	uintptr_t frame;		/* 0: in no handler */
	const volatile uint64_t *mark;	/* in that frame; NULL: in another stack's */
	uint64_t marked;
	uint64_t blocks;
	unsigned nested;		/* faults taken inside it, one on top of the other */
} inside[2] __attribute__((tls_model("initial-exec")));

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

/* Sent by somebody to a thread that believes it blocked: pending, until it unblocks. */
static void keep_pending(int number, siginfo_t *info, ucontext_t *uc)
{
	const uint64_t it = bit(number);

	sys_sigmask(SIG_BLOCK, &it, NULL);
	sys_sigqueue_self(number, info);
	sigaddset(&uc->uc_sigmask, number);
}

/* The frame of the handler is still there: what happens at @sp happens on top of it. */
static bool is_inside(const struct inside *in, uintptr_t sp)
{
	return in->frame && sp < in->frame && in->frame - sp < SAME_STACK &&
	       (!in->mark || *in->mark == in->marked);
}

/* With what handlers block that haven't been left, by return or by siglongjmp(). */
static uint64_t beliefs(uintptr_t sp)
{
	uint64_t all = believed;

	for (int i = 0; i < 2; i++) {
		if (is_inside(&inside[i], sp))
			all |= inside[i].blocks;
		else
			inside[i] = (struct inside){ 0 };
	}
	return all;
}

static void hand_on(struct fronted *f, int number, siginfo_t *info, ucontext_t *uc)
{
	struct sys_action action = snapshot(f);
	const bool sent = is_sent(number, info->si_code);
	const uint64_t blocked = beliefs(altstack_interrupted(uc));
	struct inside *mine = &inside[number == SIGSEGV], outer = *mine;
	const bool here = altstack_stays(&action, uc);
	volatile uint64_t mark;

	if (sent && (blocked & bit(number))) {
		keep_pending(number, info, uc);
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
	*mine = (struct inside){
		.frame = here ? (uintptr_t)__builtin_frame_address(0) : altstack_interrupted(uc),
		.mark = here ? &mark : NULL,
		.marked = mark,
		.blocks = (action.mask & FRONT_MASK) | (action.flags & SA_NODEFER ? 0 : bit(number)),
		.nested = outer.frame ? outer.nested + 1 : 0,
	};
	altstack_call(&action, number, info, uc);
	*mine = outer;
	mark = 0;
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

		*set = mask & which ? *set | bit(number) : *set & ~bit(number);
	}
}

static uint64_t noted_mask(int number)
{
	return (front.masked[0] & bit(number) ? bit(SIGBUS) : 0) |
	       (front.masked[1] & bit(number) ? bit(SIGSEGV) : 0);
}

static long change(int number, const struct sys_action *action, struct sys_action *old)
{
	struct fronted *f = fronted(number);
	struct sys_action to_kernel;
	long err = 0;

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
		if (action)
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

static void stop_believing(uint64_t signals)
{
	believed &= ~signals;
	for (int i = 0; i < 2; i++)
		inside[i].blocks &= ~signals;
}

long front_mask(int how, const uint64_t *set, uint64_t *ret_old)
{
	const uint64_t before = beliefs((uintptr_t)__builtin_frame_address(0)), kept = believed;
	uint64_t wish = set ? *set : 0, old, pass;
	long err;

	/* Unblocking reaches the kernel whole: something may be pending there. */
	pass = how == SIG_UNBLOCK ? wish : wish & ~FRONT_MASK;
	/* First what we believe: what is unblocked arrives before the call returns. */
	if (set && how == SIG_BLOCK)
		believed |= wish & FRONT_MASK;
	if (set && how != SIG_BLOCK)
		stop_believing(how == SIG_UNBLOCK ? wish : ~wish);
	if (set && how == SIG_SETMASK)
		believed = wish & FRONT_MASK;
	err = sys_sigmask(how, set ? &pass : NULL, &old);
	if (err) {
		believed = kept;
		return err;
	}
	if (ret_old)
		*ret_old = old | before;
	return 0;
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
