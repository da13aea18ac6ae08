/* SPDX-License-Identifier: MIT */
/*
 * lock.c - futex locks with ranks, the gate and the quiet section
 *
 * Pitfalls.
 * 1. SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGTRAP are never held back: the
 *    kernel kills a process whose fault signal is blocked, handler or not.
 * 2. glibc's two internal signals (32, 33) are held back like others: a thread
 *    cancelled asynchronously half way would never leave. Another thread's
 *    setuid() waits for us that long, so nobody waits at the gate with them held.
 * 3. The gate's word counts guests; its top bit means closed. Guests that meet
 *    a closed gate have not been counted, so the closer waits for 0 exactly.
 */
#include "core/base/lock.h"

#include <signal.h>
#include <stddef.h>

#include "core/base/self.h"
#include "core/base/sys.h"

#define GATE_CLOSED 0x80000000u

static struct {
	uint32_t word;		/* guests inside, and GATE_CLOSED */
	struct lock closer;	/* held from gate_close to gate_open */
	void (*adopt)(void);
} gate = { .closer = LOCK_INIT(0) };

/* The innermost operation of this thread, NULL outside; and what it is to the gate. */
static __thread struct quiet *inside __attribute__((tls_model("initial-exec")));
static __thread enum gate_role role __attribute__((tls_model("initial-exec")));
static __thread bool stays_out __attribute__((tls_model("initial-exec")));

#ifdef HRESV_DEBUG_LOCKS
static __thread uint32_t ranks_held __attribute__((tls_model("initial-exec")));

static void rank_check(const struct lock *l)
{
	if (l->rank && (ranks_held >> l->rank) != 0)
		__builtin_trap();
	ranks_held |= 1u << l->rank;
}

static void rank_forget(const struct lock *l)
{
	ranks_held &= ~(1u << l->rank);
}
#else
static void rank_check(const struct lock *l)
{
	(void)l;
}

static void rank_forget(const struct lock *l)
{
	(void)l;
}
#endif

static bool swap_if(uint32_t *word, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

bool lock_try(struct lock *l)
{
	if (!swap_if(&l->word, 0, 1))
		return false;
	rank_check(l);
	return true;
}

void lock_take(struct lock *l)
{
	if (!swap_if(&l->word, 0, 1))
		while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE) != 0)
			sys_futex_wait(&l->word, 2, NULL);
	rank_check(l);
}

void lock_drop(struct lock *l)
{
	rank_forget(l);
	if (__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2)
		sys_futex_wake(&l->word, 1);
}

void lock_renew(struct lock *l)
{
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
	rank_forget(l);
}

static uint64_t signal_bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

void quiet_enter(struct quiet *ret_q)
{
	/* What the kernel sends for what the thread itself does kills it when held back. */
	const uint64_t held_back =
		~(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) |
		  signal_bit(SIGFPE) | signal_bit(SIGTRAP) | signal_bit(SIGSYS));

	ret_q->old_mask = 0;
	sys_sigmask(SIG_BLOCK, &held_back, &ret_q->old_mask);
}

void quiet_leave(const struct quiet *q)
{
	sys_sigmask(SIG_SETMASK, &q->old_mask, NULL);
}

/* False, and the word as it was then, when the gate is closed. */
static bool count_in(uint32_t *ret_word)
{
	uint32_t word = __atomic_load_n(&gate.word, __ATOMIC_RELAXED);

	while (!(word & GATE_CLOSED))
		if (__atomic_compare_exchange_n(&gate.word, &word, word + 1, true,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	*ret_word = word;
	return false;
}

void gate_set_adopter(void (*adopt)(void))
{
	__atomic_store_n(&gate.adopt, adopt, __ATOMIC_RELEASE);
}

static void adopt_if_copied(void)
{
	void (*adopt)(void);

	if (__builtin_expect(!self_is_copy(), 1))
		return;
	adopt = __atomic_load_n(&gate.adopt, __ATOMIC_ACQUIRE);
	if (adopt)
		adopt();
}

static void come_in(struct quiet *q)
{
	q->outer = inside;
	q->was = role;
	inside = q;
	role = GATE_GUEST;
}

/*
 * A handler that interrupted an operation of ours in its own thread (a filter's SIGSYS
 * for a call of ours): the gate waits for that operation, or is closed by it.
 */
static void come_in_again(struct quiet *q)
{
	quiet_enter(q);
	__atomic_fetch_add(&gate.word, 1, __ATOMIC_ACQUIRE);
	come_in(q);
}

void gate_enter(struct quiet *ret_q)
{
	uint32_t word;

	if (__builtin_expect(role != GATE_OUTSIDE, 0)) {
		come_in_again(ret_q);
		return;
	}
	adopt_if_copied();
	for (;;) {
		quiet_enter(ret_q);
		if (count_in(&word)) {
			come_in(ret_q);
			return;
		}
		quiet_leave(ret_q);
		sys_futex_wait(&gate.word, word, NULL);
	}
}

bool gate_try_enter(struct quiet *ret_q)
{
	uint32_t word;

	adopt_if_copied();
	quiet_enter(ret_q);
	if (count_in(&word)) {
		come_in(ret_q);
		return true;
	}
	quiet_leave(ret_q);
	return false;
}

void gate_breathe(void)
{
	struct quiet *q = inside;

	gate_leave(q);
	gate_enter(q);
}

void gate_leave(const struct quiet *q)
{
	uint32_t word;

	inside = q->outer;
	role = q->was;
	word = __atomic_sub_fetch(&gate.word, 1, __ATOMIC_RELEASE);
	if (word == GATE_CLOSED)
		sys_futex_wake(&gate.word, INT32_MAX);
	quiet_leave(q);
}

void gate_close(void)
{
	uint32_t word;

	adopt_if_copied();
	lock_take(&gate.closer);
	word = __atomic_or_fetch(&gate.word, GATE_CLOSED, __ATOMIC_ACQUIRE);
	while (word != GATE_CLOSED) {
		sys_futex_wait(&gate.word, word, NULL);
		word = __atomic_load_n(&gate.word, __ATOMIC_ACQUIRE);
	}
	role = GATE_FORKER;
}

bool gate_try_close(void)
{
	uint32_t nobody = 0;

	if (!lock_try(&gate.closer))
		return false;
	if (!__atomic_compare_exchange_n(&gate.word, &nobody, GATE_CLOSED, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		lock_drop(&gate.closer);
		return false;
	}
	role = GATE_FORKER;
	return true;
}

void gate_open(void)
{
	role = GATE_OUTSIDE;
	__atomic_store_n(&gate.word, 0, __ATOMIC_RELEASE);
	sys_futex_wake(&gate.word, INT32_MAX);
	lock_drop(&gate.closer);
}

void gate_renew(void)
{
	inside = NULL;
	role = GATE_OUTSIDE;
	__atomic_store_n(&gate.word, 0, __ATOMIC_RELEASE);
	lock_renew(&gate.closer);
}

void gate_stay_out(void)
{
	stays_out = true;
}

bool gate_stays_out(void)
{
	return stays_out;
}

enum gate_role gate_role(void)
{
	return stays_out ? GATE_GUEST : role;
}
