/* SPDX-License-Identifier: MIT */
/*
 * thread.h - a thread of our own, of which libc knows nothing
 *
 * It works where pthread_create() doesn't: in a child of _Fork() or of a raw
 * clone, whose malloc may be locked for ever. The price: it may use nothing of
 * libc that has state. It has a zeroed thread area, so that thread-local
 * variables of this library begin as they were written (none has an
 * initialiser), and blocks every signal.
 */
#ifndef HRESV_CORE_BASE_THREAD_H
#define HRESV_CORE_BASE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct thread {
	void *area;		/* stack and thread area; kept for the next start */
	uint32_t alive;		/* the kernel clears it when the thread has ended */
	int tid;
};

/* Starts @run(@arg). 0; -EAGAIN, -ENOMEM; -ENOSYS: the thread area can't be had here. */
int thread_start(struct thread *t, void (*run)(void *arg), void *arg);

/* Has it ended, stack and all? */
bool thread_ended(const struct thread *t);

/*
 * Waits until it has ended and the kernel counts it no more, which is a moment later. False when
 * it hasn't @limit_ns from now on: then @t must stay where it is.
 */
bool thread_wait(struct thread *t, uint64_t limit_ns);

/* Of one that has ended, or was never started: gives back its area. */
void thread_free(struct thread *t);

/* In a fork child, where it does not exist. */
void thread_forget(struct thread *t);

#endif
