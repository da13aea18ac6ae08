/* SPDX-License-Identifier: MIT */
/*
 * belief.h - of SIGBUS and SIGSEGV, what a thread believes it has blocked
 *
 * The kernel kills a process that faults with the signal blocked, and our handlers
 * could not run. So masks reach the kernel without these two; what the program put
 * in is kept here, by thread, and is in every mask the program is shown. A signal
 * that somebody sends to a thread that believes it blocked is then really blocked
 * and stays pending, for sigwait(), signalfd and sigpending(), until it is taken.
 */
#ifndef HRESV_CORE_ACT_BELIEF_H
#define HRESV_CORE_ACT_BELIEF_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* The signals that are fronted (front.h), as a kernel signal mask. */
#define FRONT_MASK ((uint64_t)1 << (7 - 1) | (uint64_t)1 << (11 - 1))

/* A handler of the program's that the calling thread is in. */
struct belief_inside {
	uintptr_t frame;		/* 0: in no handler */
	const volatile uint64_t *mark;	/* in that frame; NULL: in another stack's */
	uint64_t marked;
	uint64_t blocks;
	unsigned nested;		/* faults taken inside it, one on top of the other */
};

/* Of what the calling thread believes blocked, what holds at this stack pointer. */
uint64_t belief_at(uintptr_t sp);

/* The innermost handler of SIGBUS or SIGSEGV; after belief_at(), which forgets those left. */
struct belief_inside *belief_inside(int number);

/*
 * Around a handler of the program's: the mask in the context is as the program knows
 * it (@blocked), and what the handler makes of it holds when it has returned.
 */
uint64_t belief_show(ucontext_t *uc, uint64_t blocked);
void belief_take(ucontext_t *uc, uint64_t blocked, uint64_t shown);

/* rt_sigprocmask(2) as the program means it. */
long belief_mask(int how, const uint64_t *set, uint64_t *ret_old);

/* Makes a signal that was sent pending; in its handler, of context @uc. */
void belief_keep(int number, siginfo_t *info, ucontext_t *uc);

/* What was pending may have been taken: then it need not really be blocked any more. */
void belief_settle(void);

/*
 * Around a call that waits with another mask (sigsuspend, ppoll ...): @pass is what
 * the kernel shall get. The struct stays where it is in between.
 */
struct belief_wait {
	uint64_t pass;
	bool changed;
	uint64_t signals;
	struct belief_inside inside[2];
	uintptr_t outer_frame;
	uint64_t outer_signals;
};
void belief_wait_begin(struct belief_wait *w, const uint64_t *set);
void belief_wait_end(struct belief_wait *w);

/* By a new thread: its creator's mask is its own. */
void belief_begin(uint64_t signals);

/* The caller shares this memory with the process whose records these are: vfork(). */
bool belief_is_borrowed(void);

/* In the process whose records these are: when it starts, and in a fork child. */
void belief_renew(void);

#endif
