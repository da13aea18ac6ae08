/* SPDX-License-Identifier: MIT */
/*
 * lock.h - ranked locks, the gate that fork closes, and signals kept out
 *
 * Ranks: a thread may only take a lock of a higher rank than those it holds.
 * Debug builds (HRESV_DEBUG_LOCKS) check that and stop the process with a trap.
 *
 * The gate: an operation on our memory has two steps, the kernel's and the page
 * map's. fork() between them would give the child a map that lies. Operations
 * enter the gate as guests, fork closes it and waits until they have left.
 *
 * The quiet section: a signal handler that calls mmap or munmap while its own
 * thread is half way through the same would wait for itself. Threads inside an
 * operation therefore hold back every signal that can be held back.
 */
#ifndef HRESV_CORE_BASE_LOCK_H
#define HRESV_CORE_BASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* In the order in which they may be taken. */
enum lock_rank {
	LOCK_START = 1,		/* reading the configuration, once */
	LOCK_RESERVE,		/* private reservations */
	LOCK_COW,		/* starting and ending copy-on-write of our own */
	LOCK_ATTACH,		/* table of System V attachments */
	LOCK_FACTS,		/* cached facts */
	LOCK_PROMOTE,		/* candidates for promotion */
	LOCK_DEAD,		/* unmapped parts of unsplittable pages */
	LOCK_HEAP,		/* one arena's address space */
	LOCK_ASIDE,		/* memory under construction */
	LOCK_FRONT,		/* the program's own SIGBUS and SIGSEGV actions */
	LOCK_OUT,		/* last: holds nothing, waits for nothing */
};

struct lock {
	uint32_t word;		/* 0 free, 1 taken, 2 taken and somebody waits */
	uint32_t rank;
};

#define LOCK_INIT(r) { .word = 0, .rank = (r) }

void lock_take(struct lock *l);
bool lock_try(struct lock *l);
void lock_drop(struct lock *l);
/* In a fork child: whoever held it is not here. */
void lock_renew(struct lock *l);

/*
 * What the calling thread is to the gate. A signal handler that must change our
 * memory asks: inside an operation of its own thread it may not wait.
 */
enum gate_role { GATE_OUTSIDE, GATE_GUEST, GATE_FORKER };
enum gate_role gate_role(void);

/* By a thread of ours: what runs in it, a handler for a trapped call, maps past us. */
void gate_stay_out(void);
bool gate_stays_out(void);

/* The old mask of a thread that holds back its signals. */
struct quiet {
	uint64_t old_mask;
	struct quiet *outer;	/* the gate's: of the operation a handler interrupted */
	enum gate_role was;	/* and what the thread was before */
};

void quiet_enter(struct quiet *ret_q);
void quiet_leave(const struct quiet *q);

/*
 * Enters as a guest, with signals held back; waits while the gate is closed. Guests
 * nest in one way only: a handler of a signal that can't be held back, in the middle
 * of an operation of its own thread, does not wait for a gate that waits for it.
 */
void gate_enter(struct quiet *ret_q);
void gate_leave(const struct quiet *q);

/*
 * For callers that hold locks which fork's other handlers wait for (a malloc's):
 * false, and no guest, when the gate is closed. They must have another way.
 */
bool gate_try_enter(struct quiet *ret_q);

/*
 * A guest that holds no claim and no lock, and works on what nobody else knows,
 * steps out for a moment: pending signals come in, and fork need not wait.
 */
void gate_breathe(void);

/* fork: closes the gate, waits until no guest is inside. One closer at a time. */
void gate_close(void);
/* The same for who must not wait: false when a guest is inside, or another closer. */
bool gate_try_close(void);
void gate_open(void);
/* In a fork child: open, no guests. */
void gate_renew(void);

/*
 * @adopt is called by whoever comes to the gate first in a process that was copied
 * behind our back (self.h), alone as it is, and makes the records its own.
 */
void gate_set_adopter(void (*adopt)(void));

#endif
