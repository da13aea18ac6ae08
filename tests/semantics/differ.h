/* SPDX-License-Identifier: MIT */
/*
 * differ.h - what the parts of prog-differ share: the arena, what a thread
 *            believes about its pages, and the record of a step
 *
 * What the program believes (struct page) is kept from the results of calls
 * alone, so as long as two runs agree, both believe the same. It serves two
 * ends: to leave out what the kernel itself does not promise, and to aim.
 */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_H
#define HRESV_TESTS_SEMANTICS_DIFFER_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define GRANULE_PAGES ((size_t)512)
#define ARENA_PAGES (12 * GRANULE_PAGES)
/* Far below where the kernel puts what has no place, so nobody moves into holes. */
#define ARENA_AT ((uintptr_t)0x100000000000)
#define THREADS_MAX 8
#define ELSEWHERE INT64_C(-2)

enum page_type { TYPE_NONE, TYPE_PRIVATE, TYPE_SHARED, TYPE_FILE, TYPE_SEGMENT };

struct page {
	uint32_t id;		/* of the mapping it came with; a new one with each change that
				   could part it from its neighbours for ever */
	int32_t shift;		/* pages since moved: one mapping has one shift */
	uint8_t type;
	uint8_t prot;
	bool locked;		/* its whole mapping may be: of an mlock that failed half way */
	bool loose;		/* after MADV_FREE: may hold what it held, or zeros */
	uint64_t old_hash;	/* what it held then */
};

/* One step, as it is compared. */
struct record {
	uint32_t seed, step;
	uint16_t thread, op;
	int32_t error;
	int64_t result;
	uint64_t hash;
};

struct self {
	unsigned no;		/* of the thread */
	unsigned threads;
	bool again;		/* what the documentation allows to come up short is tried again */
	bool forks;		/* nothing large is shared */
	uint32_t seed, step;
	uint64_t random;
	uint32_t next_id;
	size_t lo, hi;		/* the window of this step, in pages of the arena */
	int file, pipe[2], pidfd;
	struct record *record;	/* of this step */
	char *note;		/* the call as text, NULL: nobody reads it */
	sigjmp_buf jump;
	volatile bool armed;
	volatile int fault_signal, fault_code;
	volatile uintptr_t fault_at;
};

/* Shared by all threads; each touches the entries of its own pages. */
extern struct page pages[ARENA_PAGES];
extern _Thread_local struct self *self;

static inline uint64_t draw(struct self *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static inline size_t below(struct self *s, size_t n)
{
	return (size_t)(draw(s) % n);
}

static inline bool chance(struct self *s, unsigned percent)
{
	return below(s, 100) < percent;
}

static inline void *page_at(size_t page)
{
	return (void *)(ARENA_AT + page * PAGE);
}

#endif
