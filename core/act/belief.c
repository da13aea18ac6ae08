/* SPDX-License-Identifier: MIT */
/*
 * belief.c - per thread: what is believed, what is really blocked, and since when
 *
 * Pitfalls.
 * 1. A handler, or a wait, that is left by siglongjmp() never comes back here, and
 *    glibc puts the mask back behind our back. Whether its frame is still there can
 *    only be guessed: it is marked, and lies above.
 * 2. The child of vfork() runs on its parent's thread-local variables: what it
 *    changes of its mask on the way to exec must not be the parent's when that goes
 *    on. It has a record of its own, told by its process id.
 * 3. What is sent to the process is for any thread that has it unblocked, or waits
 *    for it. It is sent on to the process, which finds the next thread; a moment
 *    later it is mostly gone, and the net stays on in this one.
 */
#include "core/act/belief.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/base/sys.h"

#define SAME_STACK ((uintptr_t)1 << 20)
#define TAKEN_SOON_TRIES 20
#define TAKEN_SOON_NS 100000

static pid_t owner;	/* whose records these are; written while there is one thread */

static __thread struct {
	uint64_t signals;		/* by sigprocmask() */
	uint64_t kept;			/* really blocked: was sent, and believed blocked */
	pid_t borrower;			/* a vfork child; 0: none */
	uint64_t borrowed;		/* its own @signals */
	uintptr_t wait_frame;		/* of belief_wait_begin(); 0: in no wait */
	uint64_t wait_outer;		/* @signals before it */
	struct belief_inside inside[2];
} mine __attribute__((tls_model("initial-exec")));

static uint64_t bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

bool belief_is_borrowed(void)
{
	return owner && sys_getpid() != owner;
}

static uint64_t *believed(void)
{
	pid_t pid = (pid_t)sys_getpid();

	if (!owner || pid == owner) {
		mine.borrower = 0;
		return &mine.signals;
	}
	if (mine.borrower != pid) {
		mine.borrower = pid;
		mine.borrowed = mine.signals;
	}
	return &mine.borrowed;
}

/* The frame of the handler is still there: what happens at @sp happens on top of it. */
static bool is_inside(const struct belief_inside *in, uintptr_t sp)
{
	return in->frame && sp < in->frame && in->frame - sp < SAME_STACK &&
	       (!in->mark || *in->mark == in->marked);
}

static bool is_plain(void)
{
	return !(mine.signals | mine.wait_frame | mine.inside[0].frame | mine.inside[1].frame) &&
	       !mine.borrower;
}

uint64_t belief_at(uintptr_t sp)
{
	uint64_t all;

	if (is_plain())
		return 0;
	if (mine.wait_frame && sp > mine.wait_frame && sp - mine.wait_frame < SAME_STACK) {
		*believed() = mine.wait_outer;
		mine.wait_frame = 0;
	}
	all = *believed();
	for (int i = 0; i < 2; i++) {
		if (is_inside(&mine.inside[i], sp))
			all |= mine.inside[i].blocks;
		else
			mine.inside[i] = (struct belief_inside){ 0 };
	}
	return all;
}

struct belief_inside *belief_inside(int number)
{
	return &mine.inside[number == SIGSEGV];
}

uint64_t belief_show(ucontext_t *uc, uint64_t blocked)
{
	if (blocked & bit(SIGBUS))
		sigaddset(&uc->uc_sigmask, SIGBUS);
	if (blocked & bit(SIGSEGV))
		sigaddset(&uc->uc_sigmask, SIGSEGV);
	return is_plain() ? 0 : *believed();
}

static uint64_t take(ucontext_t *uc, int number)
{
	const uint64_t it = bit(number);
	const bool wanted = sigismember(&uc->uc_sigmask, number) == 1;

	if (!(mine.kept & it))
		sigdelset(&uc->uc_sigmask, number);
	return wanted ? it : 0;
}

/* What the handler itself blocked ends with it, as the kernel's mask does. */
void belief_take(ucontext_t *uc, uint64_t blocked, uint64_t shown)
{
	const uint64_t wish = take(uc, SIGBUS) | take(uc, SIGSEGV);

	if (wish != blocked)
		*believed() = wish;
	else if (!is_plain() || shown)
		*believed() = shown;
}

static void stop_believing(uint64_t *base, uint64_t signals)
{
	*base &= ~signals;
	if (base == &mine.borrowed)
		return;
	for (int i = 0; i < 2; i++)
		mine.inside[i].blocks &= ~signals;
}

static void change(int how, uint64_t wish)
{
	uint64_t *base = believed();

	if (how == SIG_BLOCK)
		*base |= wish & FRONT_MASK;
	else
		stop_believing(base, how == SIG_UNBLOCK ? wish : ~wish);
	if (how == SIG_SETMASK)
		*base = wish & FRONT_MASK;
}

long belief_mask(int how, const uint64_t *set, uint64_t *ret_old)
{
	const uint64_t before = belief_at((uintptr_t)__builtin_frame_address(0));
	uint64_t wish = set ? *set : 0, old, pass;
	const bool concerns = set && ((wish & FRONT_MASK) || before || !is_plain());
	uint64_t base, blocks[2];
	long err;

	belief_settle();
	/* Unblocking reaches the kernel whole: something may be pending there. */
	pass = how == SIG_UNBLOCK ? wish : wish & (~FRONT_MASK | mine.kept);
	base = concerns ? *believed() : 0;
	for (int i = 0; i < 2; i++)
		blocks[i] = mine.inside[i].blocks;
	/* First what we believe: what is unblocked arrives before the call returns. */
	if (concerns)
		change(how, wish);
	err = sys_sigmask(how, set ? &pass : NULL, &old);
	if (err) {
		if (concerns)
			*believed() = base;
		for (int i = 0; concerns && i < 2; i++)
			mine.inside[i].blocks = blocks[i];
		return err;
	}
	if (set && mine.kept && how != SIG_BLOCK)
		mine.kept &= how == SIG_UNBLOCK ? ~wish : wish;
	if (ret_old)
		*ret_old = old | before;
	return 0;
}

static uint64_t pending(void)
{
	uint64_t set = 0;

	sys_call(SYS_rt_sigpending, (long)&set, sizeof(set), 0, 0, 0, 0);
	return set;
}

/* The kernel lets the first thread alone say that a signal is kill()'s: sigqueue()'s, then. */
static void send_on(int number, siginfo_t *info)
{
	if (sys_sigqueue_process(number, info) != -EPERM)
		return;
	info->si_code = SI_QUEUE;
	sys_sigqueue_process(number, info);
}

void belief_keep(int number, siginfo_t *info, ucontext_t *uc)
{
	const uint64_t it = bit(number);
	const bool to_process = info->si_code == SI_USER || info->si_code == SI_QUEUE;

	sys_sigmask(SIG_BLOCK, &it, NULL);
	if (to_process)
		send_on(number, info);
	else
		sys_sigqueue_self(number, info);
	for (int i = 0; to_process && i < TAKEN_SOON_TRIES; i++) {
		if (!(pending() & it))
			return;
		sys_sleep_ns(TAKEN_SOON_NS);
	}
	mine.kept |= it;
	sigaddset(&uc->uc_sigmask, number);
}

void belief_settle(void)
{
	uint64_t taken;

	if (__builtin_expect(mine.kept == 0, 1))
		return;
	taken = mine.kept & ~pending();
	mine.kept &= ~taken;
	if (taken)
		sys_sigmask(SIG_UNBLOCK, &taken, NULL);
}

void belief_wait_begin(struct belief_wait *w, const uint64_t *set)
{
	const uint64_t before = belief_at((uintptr_t)__builtin_frame_address(0));

	belief_settle();
	w->pass = *set & (~FRONT_MASK | mine.kept);
	w->changed = (*set & FRONT_MASK) || before || mine.kept;
	if (!w->changed)
		return;
	w->signals = *believed();
	w->outer_frame = mine.wait_frame;
	w->outer_signals = mine.wait_outer;
	memcpy(w->inside, mine.inside, sizeof(w->inside));
	mine.wait_outer = w->signals;
	mine.wait_frame = (uintptr_t)w;
	memset(mine.inside, 0, sizeof(mine.inside));
	*believed() = *set & FRONT_MASK;
}

void belief_wait_end(struct belief_wait *w)
{
	if (!w->changed)
		return;
	*believed() = w->signals;
	mine.wait_frame = w->outer_frame;
	mine.wait_outer = w->outer_signals;
	memcpy(mine.inside, w->inside, sizeof(w->inside));
	belief_settle();
}

void belief_begin(uint64_t signals)
{
	const uint64_t both = FRONT_MASK;

	mine.signals = signals & FRONT_MASK;
	sys_sigmask(SIG_UNBLOCK, &both, NULL);
}

void belief_renew(void)
{
	if (mine.borrower)
		mine.signals = *believed();
	owner = (pid_t)sys_getpid();
	mine.borrower = 0;
	mine.kept = 0;
}
